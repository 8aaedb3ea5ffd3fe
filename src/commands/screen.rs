//! The screen that a report is written to: how wide it is, and which characters it has.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use terminal_size::{Width, terminal_size_of};

use crate::report::lang::Lang;
use crate::report::text::page::{NARROWEST, Screen};

/// Columns of a terminal that is written to; none of anything else.
pub fn columns_of(out: &(impl IsTerminal + AsFd)) -> Option<usize> {
    let size = out.is_terminal().then(|| terminal_size_of(out)).flatten();
    size.map(|(Width(width), _)| usize::from(width).max(NARROWEST))
}

/// Looks at standard output, if that is where the report goes; and for the language at the locale, unless
/// one was asked for.
pub fn screen(is_stdout: bool, asked: Option<Lang>) -> Screen {
    let width = is_stdout.then(|| columns_of(&io::stdout())).flatten();
    let ascii = is_ascii(locale("LC_CTYPE"));
    Screen { width, ascii, lang: spoken(asked, ascii) }
}

/// The language of what is printed: as `asked`, or as the locale of messages has it.
pub fn lang(asked: Option<Lang>) -> Lang {
    spoken(asked, is_ascii(locale("LC_CTYPE")))
}

/// A terminal that knows ASCII only is not spoken to in Chinese, unless somebody asks for it.
fn spoken(asked: Option<Lang>, ascii: bool) -> Lang {
    let of_locale = || locale("LC_MESSAGES").map(|name| Lang::of_locale(&name));
    asked.or_else(|| of_locale().filter(|_| !ascii)).unwrap_or_default()
}

/// The locale of a category, by what POSIX looks at first.
fn locale(category: &str) -> Option<String> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let value = ["LC_ALL", category, "LANG"].into_iter().find_map(set)?;
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
