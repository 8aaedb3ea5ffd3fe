//! Lines of a text, without what others put around them.

use std::borrow::Cow;

use super::super::buffer::Buffer;
use super::super::record::Broken;
use super::breaks::{Breaks, ended_within};

/// A longer line is no line.
const MAX_LINE: usize = 64 << 10;

/// The length of the next line with its end; `None` where the text ends. The last line need not
/// end, and one that is too long is taken in parts.
pub fn line_len(buffer: &mut Buffer, breaks: Breaks) -> Result<Option<usize>, Broken> {
    let mut searched = 0;
    loop {
        buffer.peek(searched + 1)?;
        let unread = buffer.unread();
        // An end of two octets may lie across.
        let from = searched.saturating_sub(1);
        if let Some(len) = breaks.first_len(&unread[from..]) {
            return Ok(Some(from + len));
        }
        searched = unread.len();
        if searched >= MAX_LINE || buffer.is_at_end() {
            // Within a string, lines end as well.
            let within = ended_within(unread).filter(|_| !buffer.is_at_end());
            return Ok((searched > 0).then_some(within.unwrap_or(searched)));
        }
    }
}

/// The lines that have ended, or all there is if none has.
pub fn whole_lines(bytes: &[u8]) -> &[u8] {
    match bytes.iter().rposition(|b| *b == b'\n') {
        Some(last) => &bytes[..=last],
        None => bytes,
    }
}

/// Returns a line as it was printed: no colours, no log around it, no markup of a web page. An
/// octet that is no UTF-8 loses nothing but itself.
pub fn printed(bytes: &[u8]) -> Cow<'_, str> {
    let mut line = String::from_utf8_lossy(bytes.trim_ascii_end());
    // Nearly every line has none of these.
    let odd = |b: &u8| matches!(b, 0x1b | b'{' | b'&' | 0x80..);
    if !line.as_bytes().iter().any(odd) && !ends_with_break(&line) {
        return line;
    }
    if line.contains('\u{1b}') {
        line = Cow::Owned(without_colours(&line));
    }
    if line.trim_start().starts_with('{')
        && let Some(message) = logged(&line)
    {
        line = Cow::Owned(message);
    }
    if line.contains('&') && line.contains(';') || ends_with_break(&line) {
        line = Cow::Owned(without_markup(&line));
    }
    // JSON that is no log has names in it, as they are.
    if !line.is_ascii() && !line.trim_start().starts_with('{') {
        // An arrow in the wrong character set.
        line = Cow::Owned(line.replace("â†’", "→").chars().filter_map(typed).collect());
    }
    line
}

/// Characters as they are typed: word processors have blanks, dashes and quotes of their own, and some
/// characters take no room.
fn typed(c: char) -> Option<char> {
    Some(match c {
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => '-',
        '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => '"',
        '\u{2018}'..='\u{201b}' => '\'',
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => return None,
        c => c,
    })
}

/// The packets that tcpdump or tshark says it has lost, in one of its last lines: `12 packets dropped by kernel`,
/// `tshark: 13 packets dropped from eth0`, `Packets received/dropped on interface 'eth0': 37/13 (pcap:13/…`.
pub fn dropped(line: &str) -> Option<u64> {
    let number = |text: &str| text.replace(',', "").parse().ok();
    let line = line.trim_end();
    if let Some((_, told)) = line.split_once("Packets received/dropped on interface ") {
        return number(told.rsplit_once("': ")?.1.split(['/', ' ']).nth(1)?);
    }
    let (before, by) =
        [" packets dropped", " packet dropped"].iter().find_map(|words| line.split_once(words))?;
    let told = before.split_whitespace().next_back()?.trim_start_matches(['"', '\'']);
    let by = by.trim_start().trim_end_matches('"');
    let is_by = by.is_empty() || by.starts_with("by kernel") || by.starts_with("by interface");
    if is_by || by.starts_with("from ") { number(told) } else { None }
}

/// Tells whether tcpdump or tshark says that the file ended within a packet.
pub fn is_cut_off(line: &str) -> bool {
    line.contains("truncated dump file; tried to read ")
        || line.contains(" appears to have been cut short in the middle of a packet")
}

/// Breaks of lines on a web page.
const LINE_BREAKS: [&str; 3] = ["<br>", "<br/>", "<br />"];

/// Does a web page's line end here?
fn ends_with_break(line: &str) -> bool {
    line.ends_with('>') && LINE_BREAKS.iter().any(|mark| line.ends_with(mark))
}

/// A line of a web page's source: the characters that markup has names for, and no break at its end.
fn without_markup(line: &str) -> String {
    const NAMED: [(&str, &str); 11] = [
        // Who escapes a page twice leaves the mark of the second.
        ("&amp;", "&"),
        ("&rarr;", "\u{2192}"),
        ("&#8594;", "\u{2192}"),
        ("&#x2192;", "\u{2192}"),
        ("&gt;", ">"),
        ("&#62;", ">"),
        ("&#x3e;", ">"),
        ("&lt;", "<"),
        ("&#60;", "<"),
        ("&nbsp;", " "),
        ("&quot;", "\""),
    ];
    let bare = LINE_BREAKS
        .iter()
        .fold(line, |line, mark| line.trim_end().strip_suffix(mark).unwrap_or(line));
    NAMED.iter().fold(bare.to_owned(), |line, (name, character)| line.replace(name, character))
}

/// Without the escape sequences of ECMA-48 that set colours and the like.
fn without_colours(line: &str) -> String {
    let mut bare = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            bare.push(c);
        } else if chars.next_if_eq(&'[').is_some() {
            // Parameters and intermediates, up to the final octet.
            while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
            chars.next_if(|c| matches!(c, '@'..='~'));
        }
    }
    bare
}

/// The message of a line that a container runtime or journald wrote as JSON.
fn logged(line: &str) -> Option<String> {
    let object: serde_json::Value = serde_json::from_str(line.trim()).ok()?;
    let keys = ["log", "message", "MESSAGE", "msg", "textPayload", "line", "body", "_raw"];
    let text = keys.iter().find_map(|key| object.get(key)?.as_str())?;
    Some(text.trim_end().to_owned())
}

/// Marks by which people have a part of a line stand out, of Markdown, wikis and web pages, and what stays of them.
const EMPHASIS: [(&str, &str); 28] = [
    // Whoever turns a page into Markdown escapes what is a mark there.
    ("\\[", "["),
    ("\\]", "]"),
    ("\\>", ">"),
    ("\\_", "_"),
    ("\\u003e", ">"),
    ("*", ""),
    ("`", ""),
    ("==", ""),
    ("{{", ""),
    ("}}", ""),
    ("_[", "["),
    ("]_", "]"),
    ("<b>", ""),
    ("</b>", ""),
    ("<i>", ""),
    ("</i>", ""),
    ("<u>", ""),
    ("</u>", ""),
    ("<em>", ""),
    ("</em>", ""),
    ("<strong>", ""),
    ("</strong>", ""),
    ("<mark>", ""),
    ("</mark>", ""),
    ("<code>", ""),
    ("</code>", ""),
    ("</span>", ""),
    ("</font>", ""),
];

/// Marks with more in them: how they begin and end.
const LONG_EMPHASIS: [(&str, char); 3] = [("<span", '>'), ("<font", '>'), ("{color", '}')];

/// Other ways to write the name of flags by hand.
const FLAGS: [(&str, &str); 3] = [("flags", "Flags"), ("FLAGS", "Flags"), ("Flags:", "Flags")];

/// A line on which nothing stands out, or `None` if nothing does. Who writes flags by hand writes them as `flags`,
/// `FLAGS` or `Flags:`, too.
pub fn without_emphasis(line: &str) -> Option<String> {
    let mut marks = EMPHASIS.iter().chain(&FLAGS).map(|(mark, _)| *mark);
    let mut long = LONG_EMPHASIS.iter().map(|(mark, _)| *mark);
    if !marks.any(|mark| line.contains(mark)) && !long.any(|mark| line.contains(mark)) {
        return None;
    }
    let plain = LONG_EMPHASIS.iter().fold(line.to_owned(), |line, (mark, end)| {
        let mut parts = line.split(mark);
        let before = parts.next().unwrap_or_default().to_owned();
        parts.fold(before, |before, part| {
            before + part.split_once(*end).map_or("", |(_, rest)| rest)
        })
    });
    let plain = EMPHASIS.iter().fold(plain, |line, (mark, kept)| line.replace(mark, kept));
    Some(FLAGS.iter().fold(plain, |line, (name, known)| line.replace(name, known)))
}

/// Arrows between ends, as people write them in place of tcpdump's own.
const ARROWS: [&str; 8] =
    [" -> ", " --> ", " => ", " \u{2192} ", " \u{27f6} ", " \u{2794} ", " >> ", " \u{ff1e} "];

/// A line of tcpdump with its own arrow, and blanks where somebody's editor or table has tabs; `None` if it has both.
pub fn retyped(line: &str) -> Option<String> {
    let spaced = line.replace('\t', " ");
    let arrow = ARROWS.iter().find(|arrow| spaced.contains(**arrow) && !spaced.contains(" > "));
    match arrow {
        Some(arrow) => Some(spaced.replace(arrow, " > ")),
        None => line.trim_start().contains('\t').then_some(spaced),
    }
}

/// The quote marks and blanks before a line, and the line.
pub fn unquoted(line: &str) -> (usize, &str) {
    let bare = line.trim_start_matches([' ', '\t', '>', '|']);
    let marks = &line[..line.len() - bare.len()];
    (marks.matches('>').count(), bare.trim_end())
}

/// The line without so many quote marks: what it goes on with may begin with one more.
pub fn without_marks(line: &str, marks: usize) -> &str {
    let mut rest = line;
    for _ in 0..marks {
        rest = rest.trim_start().strip_prefix('>').unwrap_or(rest);
    }
    // A quote mark has a blank of its own behind it.
    if marks > 0 { rest.strip_prefix(' ').unwrap_or(rest) } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_put_around_a_line_is_removed() {
        let line = "22:13:20.213856 IP a.1 > b.2: Flags [S]";
        for dressed in [
            "\u{1b}[32m22:13:20.213856\u{1b}[0m IP a.1 > b.2: Flags [S]\r\n".to_owned(),
            "22:13:20.213856 IP a.1 &gt; b.2: Flags [S]\n".to_owned(),
            format!("{line}<br>\n"),
            "22:13:20.213856&nbsp;IP a.1 &#62; b.2: Flags [S]<br>\n".to_owned(),
            format!("{}\n", serde_json::json!({"log": format!("{line}\n"), "stream": "stdout"})),
            format!("{}\n", serde_json::json!({"MESSAGE": line, "_PID": "912"})),
        ] {
            assert_eq!(printed(dressed.as_bytes()), line);
        }
        assert_eq!(printed(b"length 0 \xc8\xd5\n"), "length 0 \u{fffd}\u{fffd}");
        assert_eq!(printed(b"{ no json\n"), "{ no json");
    }

    #[test]
    fn what_stands_out_on_a_line_is_read_as_the_rest() {
        for marked in [
            "Flags **[F.]**, seq 1",
            "Flags `[F.]`, seq 1",
            "**Flags [F.]**, seq 1",
            "Flags _[F.]_, seq 1",
            "Flags <font color=red>[F.]</font>, seq 1",
            "Flags {color:red}[F.]{color}, seq 1",
            "flags: [F.], seq 1",
            "FLAGS [F.], seq 1",
            "Flags \\[F.\\], seq 1",
        ] {
            assert_eq!(without_emphasis(marked).as_deref(), Some("Flags [F.], seq 1"), "{marked}");
        }
        assert_eq!(without_emphasis("Flags [F.], seq 1"), None);
        assert_eq!(without_emphasis("a <span no end").as_deref(), Some("a "));
    }

    #[test]
    fn arrows_and_tabs_are_typed_again() {
        for typed in
            ["a\t>\tb:\tFlags", "a -> b: Flags", "a \u{2192} b:\tFlags", "\ta\t--> b: Flags"]
        {
            let got = retyped(typed).unwrap_or_default();
            assert_eq!(got.split_whitespace().collect::<Vec<_>>(), ["a", ">", "b:", "Flags"]);
        }
        assert_eq!(retyped("\ta > b: Flags"), None);
    }

    #[test]
    fn quote_marks_are_counted() {
        assert_eq!(unquoted("> > 11:38 x "), (2, "11:38 x"));
        assert_eq!(without_marks("> > 198.51.100.3", 1), "> 198.51.100.3");
        assert_eq!(without_marks("  x", 0), "  x");
    }
}
