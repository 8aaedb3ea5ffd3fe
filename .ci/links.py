"""links.py FOLDER: follows every link between the pages of a site, to the file and to the place in it."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page leads to, and the places in it that others can lead to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places = set(), set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name in ("id", "name") and value:
                self.places.add(value)


folder = Path(sys.argv[1]).resolve()
pages = {path: Page(path) for path in folder.rglob("*.html")}
broken, followed = [], 0
for path, page in pages.items():
    # print.html has all pages in one, with the links of each.
    if path.name in ("print.html", "404.html", "toc.html"):
        continue
    for link in sorted(page.links):
        parts = urlsplit(link)
        # What is elsewhere cannot be followed here; a link of another kind leads nowhere.
        if parts.scheme in ("http", "https", "data"):
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        place = unquote(parts.fragment)
        followed += 1
        if parts.scheme or not target.exists() or place and target in pages and place not in pages[target].places:
            broken.append(f"{path.relative_to(folder)}: {link}")
print(f"{len(pages)} pages, {followed} links, {len(broken)} broken")
sys.exit("\n".join(broken) if broken or len(pages) < 10 else 0)
