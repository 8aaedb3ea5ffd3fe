//! The page in a real browser: it asks for nothing, complains of nothing, and fits every window.
//!
//! `CLOSEWAIT_PICTURES=FOLDER cargo test --test browser` keeps pictures, to be looked at;
//! `CLOSEWAIT_AXE=node_modules/axe-core/axe.min.js` has axe look for what keeps people out.

#[path = "common/browser.rs"]
mod browser;
mod common;

use std::path::Path;

use browser::Browser;
use common::{Scratch, closewait, json_lines, project, skip, text};
use serde_json::Value;

const REPRODUCTION: &str = "fixtures/captures/reproduction/app.pcap";
const WIDTHS: [u32; 3] = [360, 800, 1600];

/// What of the page is wider than the window, and in no part that can be moved.
const OVERFLOW: &str = "(() => {
  const wide = document.documentElement.scrollWidth > window.innerWidth;
  if (!wide) return '';
  const out = [...document.querySelectorAll('body *')].filter((e) =>
    !e.closest('.scroll') && e.getBoundingClientRect().right > window.innerWidth + 1);
  return 'overflow: ' + out.map((e) => e.tagName + '.' + e.className).slice(0, 5).join(' ');
})()";

fn written(scratch: &Scratch, name: &str, arguments: &[&str]) -> String {
    let path = scratch.path().join(name);
    let path = path.to_str().expect("UTF-8").to_owned();
    let output = closewait(&[&["report"], arguments, &["-o", &path]].concat());
    let (_, err) = text(&output);
    assert!(Path::new(&path).exists(), "{err}");
    path
}

fn requests(events: &[Value]) -> Vec<String> {
    let asked = events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
    asked.filter_map(|event| Some(event["params"]["request"]["url"].as_str()?.to_owned())).collect()
}

fn complaints(events: &[Value]) -> Vec<&Value> {
    let methods = ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"];
    events.iter().filter(|event| methods.iter().any(|method| event["method"] == *method)).collect()
}

fn keep(browser: &mut Browser, name: &str) {
    if let Some(folder) = std::env::var_os("CLOSEWAIT_PICTURES") {
        let path = Path::new(&folder).join(format!("{name}.png"));
        std::fs::write(path, browser.picture()).expect("a folder for pictures");
    }
}

/// What axe finds, if it was asked.
fn barriers(browser: &mut Browser) -> Vec<String> {
    let Some(axe) = std::env::var_os("CLOSEWAIT_AXE") else { return Vec::new() };
    browser.value(&std::fs::read_to_string(axe).expect("axe"));
    let found = browser.value(
        "axe.run().then((r) => r.violations.map((v) => `${v.impact} ${v.id}: ${v.nodes.length} ${v.nodes[0].html}`))",
    );
    let found = found.as_array().expect("a list");
    found.iter().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
}

#[test]
fn the_page_in_a_browser() {
    let Some(mut browser) = Browser::start() else { return skip("chromium") };
    let scratch = Scratch::new();
    let pages = [
        ("incident", written(&scratch, "incident.html", &[REPRODUCTION, "--local", "172.18.0.5"])),
        ("calm", written(&scratch, "calm.html", &["fixtures/captures/pair/fixed.pcap"])),
    ];
    for (name, path) in &pages {
        for scheme in ["light", "dark"] {
            browser.medium("screen", scheme);
            for width in WIDTHS {
                browser.width(width);
                let events = browser.open(path);
                assert_eq!(requests(&events), [format!("file://{path}")], "{name}");
                assert_eq!(complaints(&events), Vec::<&Value>::new(), "{name}");
                assert_eq!(browser.value(OVERFLOW), "", "{name} at {width}");
                assert_eq!(barriers(&mut browser), Vec::<String>::new(), "{name}");
                keep(&mut browser, &format!("{name}-{scheme}-{width}"));
            }
        }
        browser.medium("print", "light");
        browser.width(800);
        let events = browser.open(path);
        assert_eq!(complaints(&events), Vec::<&Value>::new(), "{name} in print");
        assert_eq!(browser.value(OVERFLOW), "", "{name} in print");
        keep(&mut browser, &format!("{name}-print"));
        browser.medium("screen", "light");
    }
    sorts_and_filters(&mut browser, &pages[0].1);
    stands_without_scripts(&mut browser, &pages[0].1);
}

/// The picture in README is the top of the example's page; `make screenshots` makes it. Fonts are each machine's own,
/// so it is not compared.
#[test]
fn readme_shows_the_page() {
    let path = project(".github/report.webp");
    if std::env::var_os("CLOSEWAIT_BLESS").is_some() {
        let Some(mut browser) = Browser::start() else { return skip("chromium") };
        browser.medium("screen", "light");
        browser.width(1_000);
        browser.open(project("src/manual/incident.html").to_str().expect("UTF-8"));
        std::fs::write(&path, browser.picture_of(1_000, 720)).expect("the picture");
    }
    let picture = std::fs::read(&path).expect("the picture");
    assert!(picture.starts_with(b"RIFF"), "no picture");
    assert!(picture.len() < 100_000, "{} octets", picture.len());
}

/// As a reader would: a click on a head, a word in the field.
fn sorts_and_filters(browser: &mut Browser, path: &str) {
    browser.open(path);
    let lines =
        json_lines(&closewait(&[REPRODUCTION, "--local", "172.18.0.5", "--format", "jsonl"]));
    let findings = lines.last().expect("a summary")["findings"].clone();
    assert_eq!(
        browser.value("document.querySelector('table.sorted').tBodies[0].rows.length"),
        findings
    );
    let held = "[...document.querySelector('table.sorted').tBodies[0].rows].map((r) => Number(r.cells[3].dataset.v))";
    let is_sorted = |values: &Value| {
        let values: Vec<f64> =
            values.as_array().expect("rows").iter().filter_map(Value::as_f64).collect();
        values.is_sorted() && values.len() > 5
    };
    browser.value("document.querySelectorAll('table.sorted th button')[3].click()");
    assert!(is_sorted(&browser.value(held)), "not sorted upward");
    browser.value("document.querySelectorAll('table.sorted th button')[3].click()");
    assert!(!is_sorted(&browser.value(held)), "not sorted downward");
    let filter = "const i = document.querySelector('.filter input'); i.value = 'forgotten'; i.dispatchEvent(new Event('input'));";
    browser.value(filter);
    let shown = browser.value("[...document.querySelector('table.sorted').tBodies[0].rows].filter((r) => !r.hidden).map((r) => r.textContent)");
    let shown = shown.as_array().expect("rows");
    assert!(!shown.is_empty() && findings != shown.len());
    assert!(shown.iter().all(|row| row.as_str().is_some_and(|row| row.contains("forgotten"))));
}

/// Everything is there without a script: no button, no field, and every row.
fn stands_without_scripts(browser: &mut Browser, path: &str) {
    let with = browser.value("document.querySelectorAll('table.sorted tbody tr').length");
    browser.scripts(false);
    let events = browser.open(path);
    assert_eq!(complaints(&events), Vec::<&Value>::new(), "without scripts");
    let answer = browser.ask("DOM.getDocument", serde_json::json!({"depth": -1}));
    let text = answer.to_string();
    assert!(
        !text.contains("\"BUTTON\"") && !text.contains("\"INPUT\""),
        "something that does nothing"
    );
    assert!(text.matches("\"TR\"").count() as u64 > with.as_u64().expect("a number"));
    browser.width(360);
    let metrics = browser.ask("Page.getLayoutMetrics", serde_json::json!({}));
    assert_eq!(metrics["cssContentSize"]["width"], 360, "overflow without scripts");
    browser.scripts(true);
}
