//! The screen that a report is written to: how wide it is, and which characters it has.

use std::io::{self, IsTerminal};

use terminal_size::{Width, terminal_size_of};

use crate::report::text::page::Screen;

/// Looks at standard output, if that is where the report goes.
pub fn screen(is_stdout: bool) -> Screen {
    let stdout = io::stdout();
    let size = (is_stdout && stdout.is_terminal()).then(|| terminal_size_of(&stdout)).flatten();
    Screen { width: size.map(|(Width(width), _)| usize::from(width)), ascii: is_ascii(locale()) }
}

/// The locale of characters, by what POSIX looks at first.
fn locale() -> Option<String> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let value = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set)?;
    Some(value.to_string_lossy().into_owned())
}

/// Tells whether the terminal knows ASCII only. No locale, as in most containers, is no sign of that:
/// terminals know UTF-8 all the same.
fn is_ascii(locale: Option<String>) -> bool {
    let is_utf_8 = |locale: &str| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    };
    locale.is_some_and(|locale| !is_utf_8(&locale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_locale_that_says_so_has_no_utf_8() {
        let ascii = |locale: &str| is_ascii(Some(locale.into()));
        assert!(ascii("C") && ascii("POSIX") && ascii("de_DE.ISO-8859-1"));
        assert!(!ascii("C.UTF-8") && !ascii("zh_CN.utf8") && !is_ascii(None));
    }
}
