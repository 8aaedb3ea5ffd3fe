//! Lines that stand for others, which whoever wrote the text has left out of it.

/// A longer line is a sentence, or what a packet carried.
const MAX_LEN: usize = 100;

/// Beginnings of words that say it of lines, in brackets or beside what was left out.
const SAYING: [&str; 13] = [
    "snip", "cut", "omit", "remov", "delet", "skip", "trunc", "trim", "elid", "省略", "截断", "删",
    "略",
];

/// Words for the lines that are missing.
const LEFT_OUT: [&str; 8] =
    ["line", "lines", "packets", "frames", "output", "segments", "entries", "rows"];

/// Tells whether a line stands for others that are not in the text: `...`, `[snip]`, `[... 40 lines removed ...]`,
/// `<output omitted>`, and the `--` that grep prints between matches which do not follow one another.
pub fn is_left_out(line: &str) -> bool {
    let line = line.trim();
    if line == "--" {
        return true;
    }
    if line.is_empty() || line.len() > MAX_LEN || line.contains(" > ") || line.contains("Flags [") {
        return false;
    }
    let bare = line.trim_matches(is_mark);
    let has_marks = line.starts_with(is_mark) && line.ends_with(is_mark);
    let begins = line.trim_start_matches(is_mark);
    let small = bare.to_lowercase();
    is_dots(bare)
        || begins.starts_with("...")
        || begins.starts_with('\u{2026}')
        || line.contains("8<--")
        || says_so(&small, has_marks)
}

/// Brackets, and what rules and comments are made of.
fn is_mark(c: char) -> bool {
    c.is_whitespace() || "[](){}<>-=*~#/_|（）【】".contains(c)
}

/// `...`, `. . .`, `…`: more than one full stop.
fn is_dots(bare: &str) -> bool {
    let dots = bare.chars().filter(|c| *c == '.').count();
    let has_dots = dots >= 3 || bare.contains('\u{2026}');
    has_dots && bare.chars().all(|c| matches!(c, '.' | '\u{2026}' | ' '))
}

/// `snip`, `output truncated`, `300 more packets`; alone, a word of them needs marks around it.
fn says_so(small: &str, has_marks: bool) -> bool {
    let apart = |c: char| c.is_whitespace() || ",.:;!'\"\u{2026}".contains(c);
    let words: Vec<&str> = small.split(apart).filter(|word| !word.is_empty()).collect();
    let says = |word: &&str| SAYING.iter().any(|begin| word.starts_with(begin));
    let is_what = |word: &&str| LEFT_OUT.contains(word);
    let is_more = words.windows(2).any(|pair| pair[0] == "more" && is_what(&pair[1]));
    let is_whole = matches!(small, "snip" | "snipped" | "etc" | "etc." | "and so on");
    is_whole || is_more || words.iter().any(says) && (has_marks || words.iter().any(is_what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_stands_for_other_lines_is_known() {
        for line in [
            "...",
            "[...]",
            ". . .",
            "\u{2026}",
            "# ...",
            "snip",
            "<snip>",
            "*snip*",
            "... snip ...",
            "--8<--",
            "--",
            "[... 40 lines removed ...]",
            "< 100 lines deleted >",
            "--- output truncated ---",
            "(some packets omitted)",
            "I have removed packets of other connections here",
            "... 57 more lines",
            "(and 12 more packets)",
            "...skipping...",
            "\u{2026}20s passes\u{2026}",
            "（省略）",
        ] {
            assert!(is_left_out(line), "{line}");
        }
    }

    #[test]
    fn other_lines_stand_for_themselves() {
        for line in [
            "",
            "---",
            "```",
            "~~~",
            "***",
            "--More--",
            "(END)",
            "E..4..@.@.......",
            "5 packets captured",
            "0 packets dropped by kernel",
            "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode",
            "tcpdump: pcap_loop: truncated dump file; tried to read 16 header bytes, only got 3",
            "The server cuts the connection here.",
            "[root@web-1 ~]# cut -c1-80 dump.txt",
            "10:00:00.1 IP a.1 > b.2: Flags [.], ack 1, win 5, length 0 ...",
            "http {snippet}",
        ] {
            assert!(!is_left_out(line), "{line}");
        }
    }
}
