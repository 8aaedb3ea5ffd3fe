//! Signs that a line which cannot be read is a packet of TCP all the same: it is said then, and not passed over.

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
    has_flags && line.split_whitespace().any(is_time)
}

/// `[F.]`; not the flags of a neighbour or of a tunnel: `[router, solicited]`, `[none]`.
fn are_flags(behind: &str) -> bool {
    let inside = behind.trim_start().trim_start_matches('\\').strip_prefix('[');
    let flags = inside.and_then(|inside| inside.split([']', '\\']).next());
    flags.is_some_and(|flags| !flags.is_empty() && flags.chars().all(|c| "SFRPUWE.".contains(c)))
}
