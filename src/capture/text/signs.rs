//! Signs that a line which cannot be read is a packet of TCP all the same: it is said then, and not passed over.

use super::columns::{Columns, DELIMITERS, cells};
use super::front::clock_at_the_end;
use super::info::looks_like_info;
use super::stamp::Stamp;

/// Tells whether numbers stand there that only TCP has, though no flags: `seq 89:99, ack 17, win 229`.
pub fn has_fields(behind: &str) -> bool {
    let mut words = behind.split([' ', ',']).filter(|word| !word.is_empty()).peekable();
    let (mut has_window, mut has_number) = (false, false);
    while let Some(word) = words.next() {
        let is_numbered =
            words.peek().is_some_and(|next| next.starts_with(|c: char| c.is_ascii_digit()));
        has_window |= word == "win" && is_numbered;
        has_number |= matches!(word, "seq" | "ack") && is_numbered;
    }
    has_window && has_number
}

/// Tells whether a line that is no packet to us shows the flags of one, and a time: perhaps another program's, as
/// FortiGate's `… -> 10.0.0.3.3306: fin 27968 ack 28050` among those of tcpdump.
pub fn shows_flags(line: &str) -> bool {
    let named = line.split_once(" -> ").is_some_and(|(_, behind)| {
        [": fin ", ": syn ", ": rst ", ": psh "].iter().any(|flag| behind.contains(flag))
    });
    let has_flags = named || looks_like_info(line) || line.split("Flags").skip(1).any(are_flags);
    // snoop: `TCP D=3306 S=47902 Fin Ack=17 Seq=89 Len=0`.
    if line.contains("TCP D=") && line.contains(" S=") {
        return true;
    }
    // tshark counts seconds from the first packet.
    let is_time = |word: &str| clock_at_the_end(word).is_some() || Stamp::seconds(word).is_some();
    has_flags && line.split([' ', '\t', ',', '"', ';']).any(is_time) || is_of_another_form(line)
}

/// Words that only packets of TCP have in forms that are not read, or not below those of tcpdump.
const OTHER_FORMS: [&[&str]; 10] = [
    // tshark -V and -T, snoop -v, Network Monitor, Cilium, a firewall's monitor, Wireshark's flow graph, a firewall's
    // log, and Scapy.
    &["Frame ", " bytes on wire"],
    &["\"tcp.flags\":"],
    &["name=\"tcp.flags\""],
    &["TCP:  ----- TCP Header"],
    &["TCP:Flags="],
    &[" -> ", "(TCP Flags: "],
    &["TCP: ", " -> ", "seq=", "ack="],
    &[":", " [", "] Seq=", "Ack=", "Len="],
    &[" SRC=", " DST=", " PROTO=TCP ", " SPT="],
    &["IP / TCP ", ":", " > "],
];

/// Tells whether a line is one of those forms.
pub fn is_of_another_form(line: &str) -> bool {
    let has = |words: &&[&str]| words.iter().all(|word| line.contains(word));
    OTHER_FORMS.iter().any(has) || is_of_ngrep(line)
}

/// `T 2023/11/14 22:13:20.213856 10.0.0.5:38822 -> 10.0.0.3:3306 [AF] #9`
fn is_of_ngrep(line: &str) -> bool {
    let Some((_, behind)) = line.strip_prefix("T ").and_then(|line| line.split_once(" -> ")) else {
        return false;
    };
    let flags = behind.split_once(" [").and_then(|(_, behind)| behind.split_once(']'));
    flags.is_some_and(|(flags, _)| flags.chars().all(|c| "AFPRSUEC".contains(c)))
}

/// Tells whether a line names the columns of a table of packets.
pub fn names_columns(line: &str) -> bool {
    DELIMITERS.iter().any(|delimiter| {
        line.as_bytes().contains(delimiter)
            && Columns::named(&cells(line, *delimiter))
                .is_some_and(|columns| columns.lacks().is_none())
    })
}

/// Tells whether flags stand behind the ends, though not as tcpdump prints them: `FIN, ACK`, `[F.], seq 20, ack 29`.
pub fn has_flags_of_its_own(behind: &str) -> bool {
    let Some((_, told)) = behind.split_once(": ") else { return false };
    let told = told.trim_start();
    let told = told.strip_prefix("flags").or(told.strip_prefix("Flags")).unwrap_or(told);
    let first = told.trim_start_matches([' ', ':', '[', '(', '<']);
    let word = first.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').next().unwrap_or("");
    let is_bracketed = told.trim_start().starts_with('[');
    matches!(word, "SYN" | "ACK" | "FIN" | "RST" | "PSH" | "FINACK" | "SYNACK" | "RSTACK")
        || is_bracketed && !word.is_empty() && word.chars().all(|c| "SFRPUWE.".contains(c))
}

/// `[F.]`; not the flags of a neighbour or of a tunnel: `[router, solicited]`, `[none]`.
fn are_flags(behind: &str) -> bool {
    let inside = behind.trim_start().trim_start_matches('\\').strip_prefix('[');
    let flags = inside.and_then(|inside| inside.split([']', '\\']).next());
    flags.is_some_and(|flags| !flags.is_empty() && flags.chars().all(|c| "SFRPUWE.".contains(c)))
}

/// Tells whether a line was cut where TCP's flags may have stood, within the ends or right behind them.
pub fn may_be_tcp(line: &str) -> bool {
    let behind = line.rsplit_once(" > ").map(|(_, behind)| behind.trim_start());
    let told = behind.map(|behind| behind.split_once(' ').map_or("", |(_, told)| told.trim()));
    let ends_there = told
        .is_some_and(|told| ["Flags", "ethertype IPv"].iter().any(|next| next.starts_with(told)));
    ends_there || line.contains("ethertype IPv")
}
