//! States, ends and headers as lists write them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use chrono::{DateTime, NaiveDateTime};

use super::Context;
use crate::names;
use crate::owner::endpoint;
use crate::services::port_of;
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;

/// A state in the words of any system. German Windows and Linux have their own.
pub fn state(word: &str) -> Option<State> {
    if let Ok(state) = word.parse() {
        return Some(state);
    }
    let bare: String = word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).collect();
    Some(match bare.to_uppercase().as_str() {
        "ESTAB" | "ESTABLISHED" | "ESTABLSH" | "ESTBLSH" | "HERGESTELLT" | "VERBUNDEN" => {
            State::Established
        }
        "LISTEN" | "LISTENING" | "ABHÖREN" | "ABHOEREN" => State::Listen,
        "CLOSEWAIT" | "CLOSWAIT" | "CLOSWT" | "SCHLIESSENWARTEN" | "SCHLIESSEN/WARTEN" => {
            State::CloseWait
        }
        "FINWAIT1" | "FINWT1" | "FINWARTEN1" => State::FinWait1,
        "FINWAIT2" | "FINWT2" | "FINWARTEN2" => State::FinWait2,
        "TIMEWAIT" | "WARTEND" => State::TimeWait,
        "SYNSENT" | "SYNGESENDET" => State::SynSent,
        "SYNRCVD" | "SYNRECEIVED" | "SYNEMPFANGEN" => State::SynReceived,
        "LASTACK" | "LETZTEBESTÄTIGUNG" | "LETZTESACK" => State::LastAck,
        "CLOSING" | "SCHLIESSEND" => State::Closing,
        "CLOSED" | "BOUND" | "IDLE" | "GESCHLOSSEN" => State::Closed,
        // A console of another code page.
        other if other.starts_with("ABH") && other.ends_with("REN") => State::Listen,
        other if other.starts_with("SCHLIE") && other.ends_with("ENWARTEN") => State::CloseWait,
        // Chinese editions of lists and of their guides.
        "已建立" | "已连接" => State::Established,
        "监听" | "侦听" | "侦听中" => State::Listen,
        "关闭等待" | "等待关闭" => State::CloseWait,
        "时间等待" | "等待超时" => State::TimeWait,
        _ => return None,
    })
}

/// The words of a state that are written apart, at most: `Fin Wait 2`.
pub const STATE: usize = 3;

/// The state with which these words begin, and how many of them it takes: `CLOSE_WAIT`, `Close Wait`, `(CLOSE_WAIT)`,
/// and `CLOSE _WAIT` of a line that was folded within.
pub fn state_at(words: &[&str]) -> Option<(State, usize)> {
    let bare = |word: &&str| word.trim_matches(['(', ')', '[', ']', ',']).to_owned();
    let named = |n: &usize| {
        let parts: Vec<String> = words.get(..*n)?.iter().map(bare).collect();
        let is_more = parts.last().is_some_and(|part| part.contains(char::is_alphanumeric));
        state(&parts.concat()).filter(|_| is_more)
    };
    (1..=STATE).rev().find_map(|n| Some((named(&n)?, n)))
}

/// Is that all of a state's words? `CLOSE` at the end of a line may be a `CLOSE_WAIT` that was cut off. Linux has such a
/// state, and a number or `-` behind it, of the user or the process.
pub fn is_cut(words: &[&str]) -> bool {
    let [word, rest @ ..] = words else { return false };
    let is_close = word.trim_start_matches('(').eq_ignore_ascii_case("close");
    let is_alone = state_at(words).is_some_and(|(_, taken)| taken == 1);
    let is_linux = rest
        .first()
        .is_some_and(|next| *next == "-" || next.starts_with(|c: char| c.is_ascii_digit()));
    is_close && is_alone && !is_linux
}

/// A state that a socket had, and the one that it came to: `ESTABLISHED -> CLOSE_WAIT`. It may have left that since.
pub fn is_change(words: &[&str]) -> bool {
    const ARROWS: [&str; 3] = ["->", "→", "=>"];
    let is_arrow = |word: &str| ARROWS.contains(&word);
    let is_glued = |word: &&str| {
        let sides = ARROWS.iter().find_map(|arrow| word.split_once(arrow));
        sides.is_some_and(|(from, to)| state(from).is_some() && state(to).is_some())
    };
    if words.iter().any(is_glued) {
        return true;
    }
    words
        .windows(3)
        .any(|words| is_arrow(words[1]) && state(words[0]).is_some() && state(words[2]).is_some())
}

/// TCP, as lists begin its lines with it.
pub fn is_tcp(word: &str) -> bool {
    matches!(word, "tcp" | "tcp4" | "tcp6" | "tcp46" | "TCP" | "TCPv6")
}

/// A protocol that is not TCP, as `ss` and `netstat` begin its lines with it.
pub fn is_other_protocol(word: &str) -> bool {
    matches!(
        word.to_ascii_lowercase().trim_end_matches(['4', '6']),
        "udp"
            | "udplite"
            | "raw"
            | "unix"
            | "u_str"
            | "u_dgr"
            | "u_seq"
            | "nl"
            | "p_raw"
            | "p_dgr"
            | "sctp"
            | "icmp"
            | "v_str"
            | "v_dgr"
            | "xdp"
            | "tipc"
            | "dccp"
            | "ti_st"
            | "??"
    )
}

/// The longest name with a first column behind it: each mark in it may be where that begins.
const MAX_GLUED: usize = 1 << 10;

/// The first column of a list behind the name that `grep -H` or a quotation puts right before it:
/// `host.txt:tcp`, `host.txt:12:CLOSE-WAIT`, `"tcp`.
pub fn unglued(word: &str) -> Option<&str> {
    let is_slot = |rest: &str| rest.strip_suffix(':').is_some_and(|n| n.parse::<u64>().is_ok());
    let is_first = |rest: &&str| {
        is_tcp(rest) || state(rest).is_some() || is_slot(rest) || end_of_address(rest)
    };
    let marks = [':', '-', '=', '"', '}', ']', '\'', '+'];
    let behind = word.match_indices(marks).map(|(at, _)| &word[at + 1..]);
    (word.len() <= MAX_GLUED && !end_of_address(word))
        .then(|| behind.into_iter().find(is_first))
        .flatten()
}

/// Counts the ends with an address.
pub fn addresses(line: &str) -> usize {
    line.split_whitespace().filter(|word| end_of_address(word)).count()
}

/// An end with an address, and not a name.
fn end_of_address(word: &str) -> bool {
    let host = word.rsplit_once([':', '.']).map(|(host, _)| host.trim_matches(['[', ']']));
    host.is_some_and(|host| host.parse::<IpAddr>().is_ok()) && end(word).is_some()
}

/// Is a word of the line a state?
pub fn has_state(line: &str) -> bool {
    cells(line).any(|word| state_at(&[word]).is_some())
}

/// The words of a line, whatever stands between its columns.
pub fn cells(line: &str) -> impl Iterator<Item = &str> {
    let apart = |c: char| c.is_whitespace() || matches!(c, '|' | ',' | ';');
    line.split(apart).filter(|word| !word.is_empty())
}

/// Is a word the beginning of a state, as a fold leaves it?
pub fn begins_state(word: &str) -> bool {
    const STATES: [&str; 10] = [
        "ESTAB",
        "CLOSE-WAIT",
        "CLOSE_WAIT",
        "CLOSING",
        "LISTEN",
        "FIN-WAIT-",
        "SYN-SENT",
        "SYN-RECV",
        "TIME-WAIT",
        "LAST-ACK",
    ];
    word.len() > 1 && STATES.iter().any(|state| state.starts_with(word))
}

/// Does a word of the line name this state?
pub fn names_state(line: &str, named: State) -> bool {
    line.split_whitespace().any(|word| state(word) == Some(named))
}

/// Two ends at the beginning of these words, and the words after them. `ss` of old leaves a blank
/// after the colon.
pub fn ends<'a, 'w>(words: &'a [&'w str]) -> Option<(Endpoint, Endpoint, &'a [&'w str])> {
    let (local, rest) = next_end(words)?;
    let (peer, rest) = next_end(rest)?;
    Some((local, peer, rest))
}

/// Two ends in four columns: addresses, or names, and ports.
pub fn columns(words: &[&str]) -> Option<[Endpoint; 2]> {
    let [local, local_port, peer, peer_port, ..] = words else { return None };
    let column = |host: &str, port: &str| {
        let is_port = port.parse::<u16>().is_ok() || port_of(port).is_some();
        let is_host = !host.contains(':') || host.parse::<IpAddr>().is_ok();
        (is_port && is_host).then(|| pair(host, port)).flatten()
    };
    Some([column(local, local_port)?, column(peer, peer_port)?])
}

fn next_end<'a, 'w>(words: &'a [&'w str]) -> Option<(Endpoint, &'a [&'w str])> {
    match words {
        [host, port, rest @ ..] if host.ends_with(':') => {
            Some((end(&format!("{host}{port}"))?, rest))
        }
        [word, rest @ ..] => Some((end(word)?, rest)),
        [] => None,
    }
}

/// `10.0.0.5:80`, `[::1]:80`, `*:80`, `0.0.0.0:*`, `[fe80::1%eth0]:80`, `10.0.0.5%eth0:80`, `:::80`;
/// `10.0.0.5.80`, `*.*` of the BSDs and Solaris; `db-1.shop:mysql`.
pub fn end(word: &str) -> Option<Endpoint> {
    // Its port is not there, and the last of its numbers is none.
    if word.parse::<Ipv4Addr>().is_ok() {
        return None;
    }
    let by_colon = || word.rsplit_once(':').and_then(|(host, port)| pair(host, port));
    let by_dot = || {
        let apart = word.rsplit_once('.').filter(|(host, _)| !is_mapped(host));
        apart.and_then(|(host, port)| pair(host, port))
    };
    // The last separator is the port's; an IPv6 address may stand before a dot.
    match word.rfind('.') > word.rfind(':') {
        true => by_dot(),
        false => by_colon(),
    }
}

/// `::ffff:192.0.2`: a part of such an address, whose port a fold took away with the rest.
fn is_mapped(host: &str) -> bool {
    let bare = host.split('%').next().unwrap_or(host);
    bare.contains(':') && bare.contains('.') && bare.parse::<IpAddr>().is_err()
}

fn pair(host: &str, port: &str) -> Option<Endpoint> {
    let port = match port {
        "*" => 0,
        port if port.bytes().all(|octet| octet.is_ascii_digit()) => port.parse().ok()?,
        port => port_of(port)?,
    };
    Some(endpoint(SocketAddr::new(address(host)?, port)))
}

/// An address, or a name that stands for one.
fn address(host: &str) -> Option<IpAddr> {
    let host = host.trim_matches(['[', ']']);
    let bare = host.split('%').next().unwrap_or(host).trim_matches(['[', ']']);
    match bare {
        "" => None,
        "*" => Some(IpAddr::from([0; 16])),
        // z/OS has two dots before the port.
        _ => bare.trim_end_matches('.').parse().ok().or_else(|| name(bare)),
    }
}

/// A host's name, and whatever people put in place of one: `10.*.*.5`, `{{ip}}`, `(local)`. An address that
/// netstat has cut off is a name, too.
fn name(host: &str) -> Option<IpAddr> {
    let is_part = |c: char| !c.is_control() && !"'\"`,;=/\\|&".contains(c);
    let is_pair = host.contains("->");
    // A part of an address is no name: a fold or a cut took the rest of it.
    let is_number = host.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    (host.chars().all(is_part) && !is_number && !is_pair).then(|| names::address(host))?
}

/// Reads a header or a command as the context of the lines after it; `None` for any other line.
pub fn header(line: &str, before: &Context) -> Option<Context> {
    let words = line.split_whitespace();
    let words: Vec<&str> = words.map(|word| word.trim_matches(['"', '|'])).collect();
    let has = |word: &str| words.iter().any(|w| w.eq_ignore_ascii_case(word));
    if let Some(asked) = asked(&words) {
        let is_told = is_sentence(&words);
        return Some(Context { asked: Some(asked), is_told, ..before.clone() });
    }
    if has("Recv-Q") && line.contains("Local") {
        return Some(Context {
            // netstat always names one: a header without it was folded.
            is_stateless: !words.iter().any(|word| word.ends_with("State"))
                && !has("(state)")
                && !words.iter().any(|word| word.ends_with("Proto")),
            is_process_first: false,
            table: None,
            asked: before.asked,
            is_told: before.is_told,
            process_column: process_column(&words),
        });
    }
    if has("PROTO") && has("PID") && has("FD") {
        return Some(Context { is_process_first: true, ..Context::default() });
    }
    let is_header = (has("PID") && has("COMMAND") && has("NODE"))
        || (has("sl") && has("local_address"))
        || (has("LocalAddress") && has("RemoteAddress"))
        || (line.contains("Swind") && line.contains("Rwind"))
        || line.trim_start().starts_with("TCP: IPv");
    // Windows' own header has "Proto" and no queues; netstat says what it lists above it.
    let is_windows = !has("Recv-Q") && (has("Proto") || has("协议")) && words.len() >= 4;
    (is_header || is_windows).then(Context::default)
}

/// `ss -tn state close-wait`: the state of all that follows. The command may be one of another shell's.
fn asked(words: &[&str]) -> Option<State> {
    let quotes = |c: char| "'\"`()[]{}$;,\\".contains(c);
    let words: Vec<&str> = words.iter().map(|word| word.trim_matches(quotes)).collect();
    let ss = words.iter().position(|word| *word == "ss" || word.ends_with("/ss"))?;
    let state = words[ss..].iter().position(|word| *word == "state")?;
    words.get(ss + state + 1).and_then(|word| self::state(word))
}

/// Do words go on behind the state that `ss` is asked for, which are no filter and no shell's?
fn is_sentence(words: &[&str]) -> bool {
    const FILTERS: [&str; 13] = [
        "src",
        "dst",
        "sport",
        "dport",
        "dev",
        "and",
        "or",
        "not",
        "exclude",
        "state",
        "autobound",
        "done",
        "inet",
    ];
    let state = words.iter().rposition(|word| *word == "state").unwrap_or(0);
    let next = words.get(state + 2).filter(|_| !words[state + 1].ends_with(['\'', '"', ';', ')']));
    next.is_some_and(|word| word.starts_with(char::is_alphabetic) && !FILTERS.contains(word))
}

/// The line with which `watch` begins each look, and its date:
/// `Every 2.0s: ss -tan    web-1: Thu Nov 26 13:12:27 2026`.
pub fn watch(line: &str) -> Option<Option<NaiveDateTime>> {
    let mut words = line.strip_prefix("Every ")?.split_whitespace();
    words.next()?.strip_suffix("s:")?.parse::<f64>().ok()?;
    let words: Vec<&str> = words.collect();
    Some((4..=6).find_map(|n| moment(&words[words.len().checked_sub(n)?..].join(" "))))
}

/// Returns the columns from the state to `pid` or `process:pid` in a header of macOS.
fn process_column(words: &[&str]) -> Option<usize> {
    let state = words.iter().position(|word| matches!(*word, "(state)" | "State"))?;
    let is_process = |word: &&str| matches!(*word, "pid" | "process:pid");
    words[state + 1..].iter().position(is_process)
}

/// A line that is a date and nothing else: `Thu Nov 26 13:12:27 UTC 2026`, `2026-11-26 13:12:27`,
/// also behind a few marks.
pub fn moment(line: &str) -> Option<NaiveDateTime> {
    let bare =
        line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '=' | '#' | '-' | '>' | '*'));
    if bare.len() > 40 {
        return None;
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(bare) {
        return Some(time.naive_local());
    }
    // The zone stands where `date` prints it: it is the same in all of a list.
    let words: Vec<&str> = bare.split_whitespace().collect();
    let without_zone = match words[..] {
        [day, month, number, time, _, year] => format!("{day} {month} {number} {time} {year}"),
        _ => words.join(" "),
    };
    let forms = [
        "%a %b %d %H:%M:%S %Y",
        "%a %d %b %H:%M:%S %Y",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y/%m/%d %H:%M:%S",
    ];
    forms.iter().find_map(|form| NaiveDateTime::parse_from_str(&without_zone, form).ok())
}
