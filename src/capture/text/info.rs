//! Wireshark's column Info, of a packet that it calls TCP:
//! `47902 → 3306 [FIN, ACK] Seq=89 Ack=17 Win=229 Len=0`.

use super::digits::{goes_on, whole_number};
use crate::tcp::segment::Flags;

/// The contents of Wireshark's column Info for TCP: `47902 → 3306 [FIN, ACK] Seq=89 Ack=17 Win=229
/// Len=0`.
#[derive(Clone, Debug, PartialEq)]
pub struct Info<'a> {
    /// The octet of the line at which it begins.
    pub at: usize,
    /// Numbers or services.
    pub ports: [&'a str; 2],
    /// Control bits.
    pub flags: Flags,
    /// The sequence number.
    pub seq: u32,
    /// The acknowledgment number, where the ACK bit is set.
    pub ack: Option<u32>,
    /// Octets of payload.
    pub len: u32,
    /// The window is 0.
    pub shut: bool,
    /// Wireshark knows these numbers already.
    pub again: bool,
    /// Wireshark takes it for the first packet of another connection.
    pub reused: bool,
}

/// Finds it in a line. The arrow is `->` here, however it was printed.
pub fn info(line: &str) -> Option<Info<'_>> {
    let seq_at = line.find("Seq=")?;
    let before = line[..seq_at].trim_end().strip_suffix(']')?;
    let (ends, flags) = before.rsplit_once('[')?;
    let flags = flag_names(flags)?;
    let (left, right) = ends.rsplit_once('>')?;
    let left = left.trim_end_matches('-').trim_end();
    let from = left.rsplit([' ', '\t', ']', '"', ',']).next()?;
    let labels_at = left.find("[TCP").unwrap_or(left.len() - from.len());
    let labels = &left[labels_at.min(left.len() - from.len())..];
    let fields = &line[seq_at..];
    let ack = field(fields, "Ack=");
    if ack.is_none() && fields.contains("Ack=") {
        return None;
    }
    Some(Info {
        at: labels_at.min(left.len() - from.len()),
        ports: [port(from), port(right.trim())],
        flags,
        seq: field(fields, "Seq=")?,
        ack,
        // Printed of every packet: a line without it was cut off.
        len: field(fields, "Len=")?,
        shut: field(fields, "Win=") == Some(0),
        again: labels.contains("Retransmission") || labels.contains("Out-Of-Order"),
        reused: labels.contains("numbers reused"),
    })
}

/// Returns true if a line has such contents, though they may be unreadable for some reason.
pub fn looks_like_info(line: &str) -> bool {
    ["[SYN", "[ACK", "[FIN", "[PSH", "[RST"].iter().any(|flags| line.contains(flags))
        && line.contains("Win=")
}

/// `mysql(3306)` says both.
fn port(text: &str) -> &str {
    text.strip_suffix(')').and_then(|text| text.rsplit_once('(')).map_or(text, |(_, port)| port)
}

/// Control bits by the RFC's names, and by the letters that Wireshark and Scapy have for them.
const BITS: [(&str, char, u8); 6] = [
    ("FIN", 'F', Flags::FIN),
    ("SYN", 'S', Flags::SYN),
    ("RST", 'R', Flags::RST),
    ("PSH", 'P', 0x08),
    ("ACK", 'A', Flags::ACK),
    ("URG", 'U', 0x20),
];

/// The control bit of a name: `FIN`.
pub fn bit_of_name(name: &str) -> Option<u8> {
    BITS.iter().find(|(known, ..)| *known == name).map(|(.., bit)| *bit)
}

/// The control bit of a letter: `F`, and `A` for ACK.
pub fn bit_of_letter(letter: char) -> Option<u8> {
    BITS.iter().find(|(_, known, _)| *known == letter).map(|(.., bit)| *bit)
}

fn flag_names(text: &str) -> Option<Flags> {
    if matches!(text, "<None>" | "None") {
        return Some(Flags(0));
    }
    text.split(',').try_fold(Flags(0), |flags, name| {
        let bit = match name.trim() {
            name if bit_of_name(name).is_some() => bit_of_name(name)?,
            "ECN" | "ECE" | "CWR" | "NS" | "AE" | "Reserved" => 0,
            // ECN's counter, since Wireshark 4.
            name if name.starts_with("ACE=") => 0,
            _ => return None,
        };
        Some(Flags(flags.0 | bit))
    })
}

fn field(text: &str, name: &str) -> Option<u32> {
    whole_number(text.split_once(name)?.1, goes_on)
}

/// `tcp.flags`, in any of the ways in which tshark prints it.
pub fn flags_cell(text: &str) -> Option<Flags> {
    let text = text.trim();
    if let Some(hex) = text.strip_prefix("0x") {
        return u32::from_str_radix(hex, 16).ok().map(|bits| Flags(bits as u8));
    }
    let letter = |c| match c {
        'C' | 'E' | 'N' | '·' | '*' | '.' | '-' => Some(0),
        _ => bit_of_letter(c),
    };
    if text.is_empty() {
        return None;
    }
    text.chars().try_fold(0, |bits, c| Some(bits | letter(c)?)).map(Flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_read() {
        for (line, ports) in [
            ("x 47902 -> 3306 [FIN, ACK] Seq=89 Ack=17 Win=229 Len=0", ["47902", "3306"]),
            ("x 47902->3306 [FIN, ACK] Seq=89 Ack=17 Win=229 Len=0 TSval=1", ["47902", "3306"]),
            ("x 47902 > mysql [FIN, ACK] Seq=89 Ack=17 Win=229 Len=0", ["47902", "mysql"]),
            ("x 47902 -> 3306 [FIN, ACK, ACE=0] Seq=89 Ack=17 Win=229 Len=0", ["47902", "3306"]),
            ("x 47902(47902)->mysql(3306) [FIN, ACK] Seq=89 Ack=17 Len=0", ["47902", "3306"]),
        ] {
            let got = info(line).unwrap();
            assert_eq!((got.at, got.ports), (2, ports), "{line}");
            assert_eq!((got.flags, got.seq, got.ack, got.len), (Flags(0x11), 89, Some(17), 0));
        }
        let got = info("a [TCP Retransmission] 1 -> 2 [SYN] Seq=0 Win=1 Len=0").unwrap();
        assert!(got.again && got.at == 2 && got.ack.is_none());
        for no in
            ["MySQL 65 Server Greeting", "1 -> 2 Seq=1", "1 [SYN] Seq=1", "1 -> 2 [XXX] Seq=1"]
        {
            assert_eq!(info(no), None, "{no}");
        }
    }

    #[test]
    fn flags_of_a_field_are_read() {
        for cell in ["0x0012", "0x00000012", "0x012", "·······A··S·", "*******A**S*"] {
            assert_eq!(flags_cell(cell), Some(Flags(0x12)), "{cell}");
        }
        assert_eq!(flags_cell(""), None);
        assert_eq!(flags_cell("mysql"), None);
    }
}
