//! The part of tcpdump's lines behind the two ends: flags and numbers, in the style of any version.
//!
//! `Flags [F.], seq 89, ack 17, win 229, length 0` since 4.1, `F 89:89(0) ack 17 win 229` before.
//! A line that was folded has lost or won blanks anywhere: none are counted on.

use super::digits::{digits, goes_on, goes_on_in_fields, whole_number};
use super::info::{bit_of_letter, bit_of_name};
use crate::tcp::segment::{Flags, Scale};

/// The fields of one packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fields {
    /// Control bits.
    pub flags: Flags,
    /// The first sequence number; printed only where there is payload, SYN, FIN or RST.
    pub seq: Option<u32>,
    /// The acknowledgment number, where the ACK bit is set.
    pub ack: Option<u32>,
    /// Octets of payload.
    pub len: u32,
    /// SEG.WND as it was sent, where it is printed whole.
    pub window: Option<u16>,
    /// The window scale, where a SYN's options are printed whole.
    pub scale: Scale,
    /// A SYN's options have one that opens something in Multipath TCP.
    pub multipath: bool,
}

/// The fields of a line as far as it holds them: all, or those before it was cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found {
    /// All that a packet of TCP needs.
    Whole(Fields),
    /// The line ends before its last field; what it says so far may be enough.
    Cut(Option<Fields>),
    /// These are fields, but not any that can be.
    Wrong,
}

/// Reads the part behind `Flags [`, as tcpdump prints it since 4.1.
pub fn new_style(tail: &str) -> Found {
    let Some((flags, rest)) = tail.split_once(']') else { return Found::Cut(None) };
    let Some(flags) = new_flags(flags) else { return Found::Wrong };
    let seq = match value(rest, "seq") {
        None if is_masked(rest, "seq") => return Found::Wrong,
        None => None,
        Some(text) => match range(text) {
            Some(range) => Some(range),
            // Folded between the two numbers.
            None if rest.trim_end().ends_with(':') => return Found::Cut(None),
            None => return Found::Wrong,
        },
    };
    let ack = match value(rest, "ack").map(|text| whole_number(text, goes_on_in_fields)) {
        Some(None) => return Found::Wrong,
        ack => ack.flatten(),
    };
    // tcpdump prints no 0 before a length: the next line's time was put right behind it.
    let is_glued = |text: &str| digits(text).0.len() > 1 && text.starts_with('0');
    let length = value(rest, "length").map(|text| number(text).filter(|_| !is_glued(text)));
    // The difference of the numbers is there even where a fold cut the length in two.
    let len = match (seq, length) {
        (Some((start, Some(end))), length) => {
            let len = end.wrapping_sub(start);
            let told = length.flatten().map(|length| length.to_string());
            if told.is_some_and(|told| !len.to_string().starts_with(&told)) {
                return Found::Wrong;
            }
            len
        }
        (_, Some(Some(length))) => length,
        (_, Some(None)) => return Found::Wrong,
        (_, None) => 0,
    };
    let window = window(value(rest, "win"));
    let scale = if flags.syn() { scale(rest) } else { Scale::UNKNOWN };
    let multipath = flags.syn() && is_multipath(rest);
    // The number is printed only with the flag, whose point is easily lost.
    let flags = Flags(if ack.is_some() { flags.0 | Flags::ACK } else { flags.0 });
    // An ACK has its number; behind a fold it may come yet.
    let whole = !flags.ack() || ack.is_some();
    let fields =
        Fields { flags, seq: seq.map(|(start, _)| start), ack, len, window, scale, multipath };
    match length {
        Some(_) if !whole => Found::Wrong,
        Some(_) => Found::Whole(fields),
        // The snap length cut the options off, and with them the length.
        None if rest.contains("[|tcp") => Found::Whole(fields),
        // Only payload has two numbers, and who writes by hand may have left out the second.
        None if whole && is_remarked(rest) && (len > 0 || flags.0 & 0x08 == 0) => {
            Found::Whole(fields)
        }
        None => Found::Cut((whole && value(rest, "win").is_some()).then_some(fields)),
    }
}

/// Tells whether somebody wrote something of his own behind the numbers, in place of all that follows them or beside
/// it: `seq 89, ack 17  # the server closes`, `ack 18, ...`. So they are no beginning of a line that was folded.
fn is_remarked(rest: &str) -> bool {
    const REMARKS: [&str; 9] = ["#", "//", "<-", "\u{2190}", "...", "\u{2026}", "(", "--", "[..."];
    let numbers = ["seq", "ack", "win"].into_iter().filter_map(|name| value(rest, name));
    let behind =
        numbers.map(|number| number.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':'));
    let Some(last) = behind.min_by_key(|behind| behind.len()) else { return false };
    let remark = last.trim_start_matches([' ', '\t', ',']);
    remark.len() < last.len() && REMARKS.iter().any(|mark| remark.starts_with(mark))
}

/// Reads the part behind `A > B: ` as tcpdump printed it before 4.1; `None` where it is no TCP.
pub fn old_style(tail: &str) -> Option<Found> {
    let tail = tail.trim_start();
    let end = tail.find(|c| !"SFRPUWE.".contains(c)).unwrap_or(tail.len());
    let (word, rest) = tail.split_at(end);
    if word.is_empty() || word.len() > 8 {
        return None;
    }
    let rest = without_checksum(rest);
    let is_apart = rest.is_empty() || rest.starts_with([' ', '\t']);
    // A fold took the blank away, and nothing else can stand there.
    let is_folded = rest.starts_with(|c: char| c.is_ascii_digit()) || rest.starts_with("ack");
    if !is_apart && !is_folded {
        return None;
    }
    let rest = without_remarks(rest);
    let (seq, rest) = old_range(rest);
    // A fold may have taken the blank away.
    let is_field = |behind: &str| behind.starts_with("win") || behind.starts_with("urg");
    let ack = after(rest, "ack")
        .map(|text| whole_number(text, |behind| goes_on(behind) && !is_field(behind)));
    let win = after(rest, "win");
    let is_tcp = seq.is_some() || ack.is_some() || win.is_some();
    if !is_tcp {
        let numbers = rest.chars().all(|c| c.is_ascii_digit() || ":()".contains(c));
        let begun = is_apart && (numbers || "ack".starts_with(rest.trim_end()));
        return begun.then_some(Found::Cut(None));
    }
    let Some(mut flags) = new_flags(word) else { return Some(Found::Wrong) };
    // Here the point says that there is no other flag.
    flags.0 &= !Flags::ACK;
    let ack = match ack {
        Some(None) => return Some(Found::Wrong),
        ack => ack.flatten(),
    };
    if ack.is_some() {
        flags.0 |= Flags::ACK;
    }
    let (seq, len) = seq.map_or((None, 0), |(seq, len)| (Some(seq), len));
    // Nothing stands behind it, as a rule, that would tell whether all its digits are here.
    let window = win.and_then(number).filter(|window| *window == 0).map(|_| 0);
    let scale = Scale::UNKNOWN;
    let fields = Fields { flags, seq, ack, len, window, scale, multipath: false };
    let whole = win.is_some() || rest.contains("[|tcp");
    Some(if whole { Found::Whole(fields) } else { Found::Cut(None) })
}

/// `, cksum 0x9dc9 (correct), 1:1(0) …`, as `-v` prints it between 3.9 and 4.0; wrong: `(incorrect (-> 0x9dc9), `.
fn without_checksum(rest: &str) -> &str {
    let behind = rest.strip_prefix(", cksum ").and_then(|told| told.split_once("),"));
    behind.map_or(rest, |(_, behind)| behind)
}

/// `[tcp sum ok]`, `[bad tcp cksum 1234 (->5678)!]`, `[ECN-Echo]`.
fn without_remarks(mut rest: &str) -> &str {
    loop {
        rest = rest.trim_start();
        match rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            Some((_, behind)) => rest = behind,
            None => return rest,
        }
    }
}

/// `89:99(10)`, and what stands behind it.
fn old_range(rest: &str) -> (Option<(u32, u32)>, &str) {
    let read = || {
        let (range, behind) = rest.split_once(')')?;
        let (numbers, len) = range.split_once('(')?;
        let (start, _) = numbers.split_once(':')?;
        Some(((start.trim().parse().ok()?, len.trim().parse().ok()?), behind))
    };
    match read() {
        Some((range, behind)) => (Some(range), behind),
        None => (None, rest),
    }
}

fn new_flags(text: &str) -> Option<Flags> {
    if text == "none" {
        return Some(Flags(0));
    }
    let bit = |c: char| {
        Some(match c.to_ascii_uppercase() {
            'F' => Flags::FIN,
            'S' => Flags::SYN,
            'R' => Flags::RST,
            'P' => 0x08,
            '.' => Flags::ACK,
            'U' => 0x20,
            // ECN's are of no interest here, nor is a blank of a fold.
            'E' | 'W' | ' ' | '|' => 0,
            _ => return None,
        })
    };
    let letters = text.chars().try_fold(0, |flags, c| Some(flags | bit(c)?)).map(Flags);
    letters.or_else(|| flag_names(text))
}

/// `FIN, ACK`, or `FA`: whoever writes them by hand has the names of the RFC in mind, or Scapy's letters.
fn flag_names(text: &str) -> Option<Flags> {
    let all = |bits: Option<u8>, bit: Option<u8>| Some(bits? | bit?);
    let words = text.split([',', ' ', '|', '+', '/']).filter(|word| !word.is_empty());
    let named = words.map(bit_of_name).fold(Some(0), all);
    named.or_else(|| text.chars().map(bit_of_letter).fold(Some(0), all)).map(Flags)
}

/// Does a field begin here, behind a comma, or right behind the flags?
fn begins(before: &str) -> bool {
    let before = before.trim_end();
    before.is_empty() || before.ends_with(',')
}

/// The digits behind a field's name.
fn value<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    fields.match_indices(name).find_map(|(at, _)| {
        let begins = begins(&fields[..at]);
        let behind = fields[at + name.len()..].trim_start();
        (begins && behind.starts_with(|c: char| c.is_ascii_digit())).then_some(behind)
    })
}

/// Tells whether a field has something else in the place of its number.
fn is_masked(fields: &str, name: &str) -> bool {
    let mut named = fields.match_indices(name);
    named.any(|(at, _)| {
        let behind = fields[at + name.len()..].trim();
        begins(&fields[..at]) && !behind.is_empty()
    })
}

/// Returns the text behind a field's name, where no commas are printed between fields, and a fold may have
/// left no blank behind a number.
fn after<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    fields.match_indices(name).find_map(|(at, _)| {
        let begins = !fields[..at].ends_with(|c: char| c.is_ascii_alphabetic());
        let behind = fields[at + name.len()..].trim_start();
        (begins && behind.starts_with(|c: char| c.is_ascii_digit())).then_some(behind)
    })
}

/// A window whose digits end with the field: a fold may have taken some to the next line. Of 0, there are no more.
fn window(text: Option<&str>) -> Option<u16> {
    let (number, rest) = digits(text?);
    let number = number.parse().ok()?;
    (number == 0 || rest.starts_with(',')).then_some(number)
}

/// The window scale among options that are printed whole, whatever blanks a fold has put between them.
fn scale(rest: &str) -> Scale {
    let bare: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
    let options = bare.split_once("options[").and_then(|(_, rest)| rest.split_once(']'));
    let Some((options, _)) = options.filter(|(options, _)| !options.contains('[')) else {
        return Scale::UNKNOWN;
    };
    match options.split(',').find_map(|option| option.strip_prefix("wscale")) {
        Some(shift) => shift.parse().map_or(Scale::UNKNOWN, Scale::new),
        None => Scale::ABSENT,
    }
}

/// Is there an option of Multipath TCP that opens a connection, or joins one?
fn is_multipath(rest: &str) -> bool {
    let options = rest.split(',').filter_map(|option| option.trim().strip_prefix("mptcp"));
    options.into_iter().any(|option| option.contains("capable") || option.contains("join"))
}

fn number(text: &str) -> Option<u32> {
    digits(text).0.parse().ok()
}

/// `1:78`, or the first of them alone.
fn range(text: &str) -> Option<(u32, Option<u32>)> {
    let (start, behind) = digits(text);
    match behind.trim_start().strip_prefix(':') {
        Some(end) => {
            Some((start.parse().ok()?, Some(whole_number(end.trim_start(), goes_on_in_fields)?)))
        }
        None => Some((whole_number(text, goes_on_in_fields)?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(flags: u8, seq: Option<u32>, ack: Option<u32>, len: u32) -> Found {
        let (flags, window, scale) = (Flags(flags), Some(0), Scale::UNKNOWN);
        Found::Whole(Fields { flags, seq, ack, len, window, scale, multipath: false })
    }

    #[test]
    fn both_styles_say_the_same() {
        let [syn, answer, push, fin, ack, rst] = [0x02, 0x12, 0x18, 0x19, 0x10, 0x04];
        for (new, old, expected) in [
            (
                "S], seq 7, win 0, options [mss 1460,sackOK,TS val 1 ecr [|tcp]>",
                "S 7:7(0) win 0 <mss 1460,sackOK,timestamp 1 0>",
                fields(syn, Some(7), None, 0),
            ),
            (
                "S.], seq 9, ack 8, win 0, length 0",
                "S 9:9(0) ack 8 win 0",
                fields(answer, Some(9), Some(8), 0),
            ),
            (
                "P.], cksum 0x1 (correct), seq 1:78, ack 1, win 0, length 77: HTTP",
                "P [tcp sum ok] 1:78(77) ack 1 win 0 (DF)",
                fields(push, Some(1), Some(1), 77),
            ),
            (
                "FP.], seq 1:2, ack 1, win 0, length 1",
                "FP 1:2(1) ack 1 win 0",
                fields(fin, Some(1), Some(1), 1),
            ),
            (".], ack 90, win 0, length 0", ". ack 90 win 0", fields(ack, None, Some(90), 0)),
            (
                ".], cksum 0x1 (incorrect -> 0x2), ack 90, win 0, length 0",
                "., cksum 0x1 (incorrect (-> 0x2), ack 90 win 0",
                fields(ack, None, Some(90), 0),
            ),
            ("R], seq 5, win 0, length 0", "R 5:5(0) win 0", fields(rst, Some(5), None, 0)),
        ] {
            assert_eq!(new_style(new), expected, "{new}");
            assert_eq!(old_style(old), Some(expected), "{old}");
        }
        // The old one can be folded behind any digit.
        let window = |found| match found {
            Found::Whole(fields) => fields.window,
            other => panic!("{other:?}"),
        };
        assert_eq!(window(new_style(".], ack 90, win 229, length 0")), Some(229));
        assert_eq!(old_style(". ack 90 win 229").map(window), Some(None));
    }

    #[test]
    fn a_fold_takes_nothing_away() {
        let whole = new_style("P.], seq 1:78, ack 1, win 229, length 77");
        for folded in [
            "P.],seq1:78,ack1,win229,length77",
            "P.], seq 1: 78, ack 1 , win 229, length  77",
            "P.], seq 1:78, ack 1, win 229, length 7",
        ] {
            assert_eq!(new_style(folded), whole, "{folded}");
        }
        for cut in ["P.", "P.], seq 1:", "P.], seq 1:7", "P.], seq 1:78, ack 1, wi"] {
            assert_eq!(new_style(cut), Found::Cut(None), "{cut}");
        }
        assert!(matches!(new_style("P.], seq 1:78, ack 1, win 229, leng"), Found::Cut(Some(_))));
        for cut in ["S", "S 27968", "S 27968:27968(", ". ack 12"] {
            assert_eq!(old_style(cut), Some(Found::Cut(None)), "{cut}");
        }
    }

    #[test]
    fn what_a_fold_may_have_parted_is_not_taken_for_whole() {
        let of = |found| match found {
            Found::Whole(fields) | Found::Cut(Some(fields)) => (fields.window, fields.scale),
            other => panic!("{other:?}"),
        };
        for (line, expected) in [
            (
                "S], seq 7, win 2 29, options [mss 1460,ws cale 1 0], length 0",
                (None, Scale::new(10)),
            ),
            ("S], seq 7, win 229, options [mss 1460,ws", (Some(229), Scale::UNKNOWN)),
            ("S], seq 7, win 229, options [nop,TS [|tcp]>", (Some(229), Scale::UNKNOWN)),
            ("S], seq 7, win 229, length 0", (Some(229), Scale::UNKNOWN)),
            (".], ack 7, win 22", (None, Scale::UNKNOWN)),
        ] {
            assert_eq!(of(new_style(line)), expected, "{line}");
        }
    }

    #[test]
    fn the_snap_length_may_cut_the_options_off() {
        let got = new_style("P.], seq 13:24, ack 9, win 0, options [nop,nop,TS [|tcp]>");
        assert_eq!(got, fields(0x18, Some(13), Some(9), 11));
        let got = old_style("S 7:7(0) win 0 <mss 1460,sackOK,timestamp[|tcp]>");
        assert_eq!(got, Some(fields(0x02, Some(7), None, 0)));
    }

    #[test]
    fn flags_may_be_written_out() {
        for (flags, expected) in [
            ("FIN, ACK", Some(0x11)),
            ("SYN,ACK", Some(0x12)),
            ("PSH|ACK", Some(0x18)),
            ("SYN", Some(0x02)),
            ("FA", Some(0x11)),
            ("A", Some(0x10)),
            ("FINISH", None),
            ("FIN, AC", None),
        ] {
            assert_eq!(new_flags(flags), expected.map(Flags), "{flags}");
        }
    }

    #[test]
    fn a_remark_stands_for_the_rest() {
        for (line, expected) in [
            (".], ack 90    # the client's ACK", Some((0x10, None, Some(90), 0))),
            ("F.], seq 89, ack 17, ...", Some((0x11, Some(89), Some(17), 0))),
            ("P.], seq 1:78, ack 1 (a request)", Some((0x18, Some(1), Some(1), 77))),
            ("F.], seq 89, ack 17   <- the server closes", Some((0x11, Some(89), Some(17), 0))),
            // Its payload is not told; a number that was cut off; no number of its acknowledgment.
            ("P.], seq 1, ack 1 # a request", None),
            (".], ack 90...", None),
            ("F.], seq 89, ...", None),
        ] {
            let got = match new_style(line) {
                Found::Whole(fields) => Some((fields.flags.0, fields.seq, fields.ack, fields.len)),
                _ => None,
            };
            assert_eq!(got, expected, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_is_wrong() {
        for wrong in [
            "P.], seq 1:78, ack 1, length 12",
            "S], seq 99999999999, length 0",
            "X], seq 1, length 0",
            "S], ack 5000000000, length 0",
            "F.], seq 1,011, ack 22, win 229, length 0",
            "F.], seq 10xx, ack 22, win 229, length 0",
            "F.], seq xxx, ack 22, win 229, length 0",
            ".], ack 2x, win 229, length 0",
        ] {
            assert_eq!(new_style(wrong), Found::Wrong, "{wrong}");
        }
        for other in ["1+ A? x. (21)", "UDP, length 5", "icmp: echo request", "Solaris", "P frame"]
        {
            assert_eq!(old_style(other), None, "{other}");
        }
    }
}
