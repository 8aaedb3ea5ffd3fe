//! Files that are no captures to us: what they seem to be, and the one command that helps.

use super::buffer::Buffer;
use super::{Trouble, foreign};

/// Formats that Wireshark reads, by their first octets.
const CONVERTED: &[(&[u8], &str)] = &[
    (b"snoop\0\0\0", "snoop"),
    (b"RTSS", "Network Monitor 1"),
    (b"GMBU", "Network Monitor 2"),
    (b"TRSNIFF data", "Sniffer"),
    (b"XCP\0", "Sniffer for Windows"),
    (b"VL\0\0", "Sniffer for Windows"),
    (&[0xaa, 0xaa, 0xaa, 0xaa], "5View"),
    (&[0x05, b'V', b'N', b'F'], "Visual Networks"),
    (&[0x00, 0x00, 0x02, 0x00, 0x12, 0x05, 0x00, 0x10], "K12"),
    (&[0x01, 0x10], "LANalyzer"),
    (b"ObserverPktBuffe", "Observer"),
    (&[0x54, 0x52, 0x00, 0x64], "nettl"),
    (b"iptrace", "iptrace"),
    (b"\x7fver", "Peek"),
    (b"ver\0", "Peek"),
    (b"btsnoop\0", "btsnoop"),
    (b"Session Transcript:", "DCT2000"),
    (b"+---------+", "K12 text"),
    (b"EyeSDN", "EyeSDN"),
    (b"COPYRIGHT (C) 1992", "NetScaler"),
    (b"\x02\x10\x00\x00NetScaler", "NetScaler"),
];

/// Archives and compressed files, and what takes the capture out.
const PACKED: &[(&[u8], &str)] = &[
    (b"BZh", "it is compressed: bunzip2 -c FILE | closewait -"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "it is compressed: xz -dc FILE | closewait -"),
    (&[0x5d, 0x00, 0x00], "it is compressed: xz -dc FILE | closewait -"),
    (&[0x1f, 0x9d], "it is compressed: gzip -dc FILE | closewait -"),
    (b"LZIP", "it is compressed: lzip -dc FILE | closewait -"),
    (b"\xff\x06\x00\x00sNaPpY", "it is compressed: snzip -dc FILE | closewait -"),
    (&[0x04, 0x22, 0x4d, 0x18], "it is compressed: lz4 -dc FILE | closewait -"),
    (b"PK\x03\x04", "it is a zip archive: unzip -p FILE | closewait -"),
    (b"7z\xbc\xaf\x27\x1c", "it is an archive: 7z x -so FILE | closewait -"),
    (b"Rar!", "it is an archive: unrar p -inul FILE | closewait -"),
];

/// Describes a file that is no capture by its first octets, and says what to do about it. A capture in another form, and an
/// archive, hold packets that nobody reads here.
pub fn looks_like(buffer: &mut Buffer) -> Trouble {
    let start = buffer.peek(512).unwrap_or_default();
    let text = start.iter().all(|&b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..));
    let known = |list: &[(&[u8], &'static str)]| {
        list.iter().find(|(mark, _)| start.starts_with(mark)).map(|(_, hint)| *hint)
    };
    if let Some(hint) = known(PACKED) {
        return Trouble::NotReadable(hint.into());
    }
    if let Some(form) = foreign::form(&String::from_utf8_lossy(start)).filter(|_| text) {
        return Trouble::NotACapture(form.into());
    }
    if let Some(name) = known(CONVERTED) {
        // Frames of these can be of several links, and editcap is to be told.
        let link = if name.starts_with("K12") || *name == *"nettl" { "-T ether " } else { "" };
        let hint = format!("it is in {name}'s format: editcap {link}-F pcapng FILE OUT");
        return Trouble::NotReadable(hint);
    }
    if start.get(257..262) == Some(b"ustar") {
        return Trouble::NotReadable("it is a tar archive: tar -xOf FILE | closewait -".into());
    }
    if is_etl(start) {
        let hint = "it is a trace of Windows (.etl): etl2pcapng FILE OUT.pcapng, or pktmon etl2pcap FILE -o OUT.pcapng, on Windows";
        return Trouble::NotReadable(hint.into());
    }
    if let Some(at) = capture_behind_text(start) {
        let hint = format!(
            "a capture begins behind what its writer said: tail -c +{} FILE | closewait -, and next time 2>/dev/null",
            at + 1
        );
        return Trouble::NotReadable(hint);
    }
    let hint = match text {
        true if is_own_report(start) => {
            "it is a report of closewait in JSON lines, not packets: name the capture that it is of (closewait diff holds two reports against each other)"
        }
        true if lists_sockets(start) => {
            "it is a list of sockets, not of packets: closewait sockets FILE"
        }
        true => {
            "it is text, and no line of it is a packet as tcpdump -n prints it (tcpdump -w FILE writes a capture)"
        }
        false => {
            "it begins like neither pcap nor pcapng; editcap -F pcapng FILE OUT converts many formats"
        }
    };
    Trouble::NotACapture(hint.into())
}

/// Is it what `--format jsonl` writes of packets? It has states of sockets, too.
fn is_own_report(start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(start);
    let of_packets = [r#""type":"flow""#, r#""type":"event""#, r#""type":"summary","packets":"#];
    text.starts_with(r#"{"schema":"#) && of_packets.iter().any(|kind| text.contains(kind))
}

/// Does a text name states of sockets, as any system's list does?
fn lists_sockets(start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(start);
    let states =
        ["CLOSE-WAIT", "CLOSE_WAIT", "CloseWait", "ESTAB", "Established", "LISTEN", "TIME_WAIT"];
    let header = ["local_address", "Recv-Q"];
    states.iter().chain(&header).any(|word| text.contains(word))
}

/// The place of a capture behind lines of text: what tcpdump says of itself, where both went to one file.
fn capture_behind_text(start: &[u8]) -> Option<usize> {
    let text = start.iter().position(|b| !matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~'))?;
    // The first octet of a capture of this order is a letter.
    let places = text.saturating_sub(3)..=text;
    places.into_iter().find(|at| {
        let begins = start[*at..].first_chunk().is_some_and(|mark| super::classic::is_magic(*mark));
        begins && start[..*at].ends_with(b"\n")
    })
}

/// A buffer of Windows' event tracing: its size, how much of it is used, and a header event.
fn is_etl(start: &[u8]) -> bool {
    let word = |at: usize| Some(u32::from_le_bytes(*start.get(at..)?.first_chunk()?));
    let (Some(size), Some(saved), Some(offset)) = (word(0), word(4), word(8)) else { return false };
    // Type and flags of the buffer, then a system header of version 2 or 3 for the first event.
    let is_header = matches!(start.get(0x48..0x4c), Some([2..=5, _, 1..=2, 0xc0]));
    size.is_power_of_two() && size >= 1024 && saved <= size && offset <= size && is_header
}

/// Do so few octets begin a capture, as pcap and pcapng begin?
pub fn begins_a_capture(start: &[u8]) -> bool {
    const MARKS: [&[u8]; 5] = [
        &[0xd4, 0xc3, 0xb2],
        &[0xa1, 0xb2, 0xc3],
        &[0x4d, 0x3c, 0xb2],
        &[0xa1, 0xb2, 0x3c],
        b"\n\r\r",
    ];
    start.len() > 1 && MARKS.iter().any(|mark| mark.starts_with(start))
}
