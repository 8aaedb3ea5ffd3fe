//! Lines that stand for others, which whoever wrote a list has left out of it, or a pager has not shown yet.

use super::clue;
use crate::capture::text::elided::is_left_out;

/// A line by its number, and its text.
pub type Line = (usize, String);

/// Gaps in a list, as far as they are known.
#[derive(Default)]
pub struct Gaps {
    /// A row, or a header, was above.
    is_below: bool,
    /// Right above the first row.
    above: Option<Line>,
    /// The list ends there, unless another row follows.
    page: Option<Line>,
}

impl Gaps {
    /// Takes a line that is none of a socket. Returns it if it stands for some that were.
    pub fn note(&mut self, number: usize, line: &str) -> Option<Line> {
        let kept = || (number, line.to_owned());
        if line.trim().is_empty() {
            return None;
        }
        if is_pager(line) {
            self.page = self.is_below.then(kept);
            return None;
        }
        let gap = is_gap(line).then(kept);
        if self.is_below && gap.is_some() {
            return gap;
        }
        self.above = gap;
        None
    }

    /// Takes a row, or a header. Returns the gap above the first.
    pub fn row(&mut self) -> Option<Line> {
        self.is_below = true;
        self.page = None;
        self.above.take()
    }

    /// The list has ended. Returns the line of a pager behind its last row.
    pub fn end(self) -> Option<Line> {
        self.page
    }
}

/// Tells whether a line stands for others: `...`, `<snip>`, `[... 40 more lines ...]`. What grep prints between
/// matches stands for what was not looked for, a program that Windows names has any name, and numbers of sockets are
/// held against the list.
pub fn is_gap(line: &str) -> bool {
    let bare = line.trim();
    let is_program = || bare.to_lowercase().ends_with(".exe]");
    bare != "--" && is_left_out(bare) && !is_program() && clue::counted(bare).is_none()
}

/// `--More--`, `--More--(40%)`, `<--- More --->`.
fn is_pager(line: &str) -> bool {
    let line = line.trim();
    let bare = line.trim_start_matches(['<', '-', ' ']).to_lowercase();
    (line.starts_with("--") || line.starts_with("<-"))
        && bare.starts_with("more")
        && line.len() < 40
}

#[cfg(test)]
mod tests {
    use crate::owner::saved::parse;

    const ROW: &str = "tcp 0 0 192.0.2.5:40002 198.51.100.3:3306 ESTABLISHED 7/shop\n";

    #[test]
    fn what_was_left_out_of_a_list_is_said() {
        for gap in ["...", "<snip>", "[... 40 more lines ...]", "--More--", "--More--(40%)"] {
            let saved = parse(&format!("{ROW}{gap}\n")).expect("a list");
            let unread = saved.unread.expect("a gap");
            assert_eq!((unread.line, unread.is_left_out), (2, true), "{gap}");
            let said = unread.to_string();
            assert!(said.starts_with("line 2 stands for others that were left out"), "{said}");
        }
        // Between rows, above them, and below a row that may go on.
        for text in [
            format!("{ROW}\n...\n{ROW}"),
            format!("hello\n...\n{ROW}"),
            format!("{}\n...\n", ROW.trim_end().replace("ESTABLISHED 7/shop", "")),
        ] {
            let unread = parse(&text).map_or_else(|e| e.to_string(), |saved| format!("{saved:?}"));
            assert!(unread.contains("line"), "{unread}");
        }
        let saved = parse(&format!("{ROW}...\n{ROW}tcp 0 0 192.0.2.5:1 x\n")).expect("a list");
        assert_eq!(saved.unread.map(|unread| unread.line), Some(2));
    }

    #[test]
    fn other_lines_leave_nothing_out() {
        for line in [
            "--",
            "[Snippet.exe]",
            "(12 rows)",
            "1 CLOSED, as of now",
            "(No info could be read for \"-p\": geteuid()=1000 but you should be root.)",
        ] {
            let saved = parse(&format!("{ROW}{line}\n{ROW}")).expect("a list");
            assert_eq!(saved.unread, None, "{line}");
        }
        let saved = parse(&format!("{ROW}--More--\n{ROW}")).expect("a list");
        assert_eq!(saved.unread, None, "the next page is there");
        let saved = parse(&format!("...\nhello\n{ROW}")).expect("a list");
        assert_eq!(saved.unread, None, "something else was left out");
    }
}
