//! Lines that say CLOSE-WAIT of an end, in whatever form. One of which no socket was read is not passed over.

use std::net::IpAddr;

use super::named::{self, Role};
use super::words;
use crate::tcp::state::State;

/// Does a line say that some end is in CLOSE-WAIT? A command that asks for it does not.
pub fn is_of_a_socket(line: &str) -> bool {
    close_waits(line) > 0 && (ends(line) > 0 || is_of_lsof(line)) && !is_command(line)
}

/// Does a line have the ends or the state of a socket, whatever else it is? A filter of `ss` has ends, too.
pub fn has_row(line: &str) -> bool {
    const FILTERS: [&str; 4] = ["src", "dst", "sport", "dport"];
    let is_filter = |word: &str| FILTERS.contains(&word.trim_matches(['(', '\'', '"']));
    is_of_a_socket(line) || words::addresses(line) > 1 && !line.split_whitespace().any(is_filter)
}

/// A line that counts sockets in CLOSE-WAIT: `12 CLOSE_WAIT`, as `uniq -c` makes it, `CLOSE_WAIT: 12`, `12 in CLOSE_WAIT`.
pub fn counted(line: &str) -> Option<u64> {
    if close_waits(&line.replace('\\', "")) == 0 || ends(line) > 0 {
        return None;
    }
    let line = line.replace('\\', "");
    let apart = |c: char| c.is_whitespace() || "{}[]\",:;=|()'".contains(c);
    let grouped = without_separators(&line);
    let words: Vec<&str> = grouped.split(apart).filter(|word| !is_filler(word)).collect();
    if is_of_all_states(&words) {
        return None;
    }
    beside_state(&words).or_else(|| {
        // What counts behind a state is another sentence: `CLOSE_WAIT, 60 of them`.
        let state = place_of_state(&words)?;
        let is_left = |(at, word): &(usize, &str)| {
            !is_of_a_sentence(word) || *at > state && matches!(*word, "of" | "more")
        };
        let words = words.into_iter().enumerate().filter(is_left).map(|(_, word)| word);
        beside_state(&words.collect::<Vec<&str>>())
    })
}

/// Is it a sentence about states? `11 states: CLOSED, LISTEN, …, CLOSE-WAIT`: only one number, of no state.
fn is_of_all_states(words: &[&str]) -> bool {
    let states = words.iter().filter(|word| words::state(word).is_some()).count();
    let numbers = words.iter().filter(|word| quantity(word).is_some()).count();
    states > 2 && numbers < 2
}

/// The place of CLOSE-WAIT among words; a setting of the name, `tcp_timeout_close_wait`, counts nothing.
fn place_of_state(words: &[&str]) -> Option<usize> {
    words.iter().position(|word| is_close_wait(word) && !word.contains("timeout"))
}

/// The number of sockets that stands beside CLOSE-WAIT in these words.
fn beside_state(words: &[&str]) -> Option<u64> {
    let place = place_of_state(words)?;
    let number = |at: Option<usize>| {
        let at = at?;
        let of = at.checked_sub(1).map_or("", |before| words[before]);
        quantity(words.get(at)?).filter(|_| !is_numbered(of))
    };
    let [near, other] = [Some(place + 1), place.checked_sub(1)];
    // `CLOSE_WAIT 60 seconds` is a time, `CLOSE_WAIT, 60 of them` a sentence.
    let is_unit = |word: &&str| {
        ["of", "s", "ms", "sec", "secs", "second", "seconds", "min", "minutes", "hours"]
            .contains(word)
    };
    let near = near.filter(|_| !words.get(place + 2).is_some_and(is_unit));
    // In a row of several, each state has its number on the same side. `uniq -c` may have a name between.
    match words[0].parse::<u64>() {
        Err(_) => number(near).or_else(|| number(other)),
        Ok(first) if place <= 2 => number(other).or(Some(first)),
        Ok(_) => number(other).or_else(|| number(near)),
    }
}

/// Words between a number and its state in a list of numbers.
fn is_filler(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    matches!(&*word, "" | "in" | "count" | "total" | "socket" | "sockets" | "connections")
}

/// Words between them in a sentence: `300 of them are stuck in CLOSE_WAIT`, `the CLOSE_WAIT count is 300`.
fn is_of_a_sentence(word: &str) -> bool {
    const WORDS: [&str; 28] = [
        "more",
        "of",
        "them",
        "these",
        "those",
        "the",
        "which",
        "that",
        "are",
        "is",
        "was",
        "were",
        "remain",
        "remaining",
        "left",
        "stuck",
        "sitting",
        "hanging",
        "still",
        "now",
        "currently",
        "tcp",
        "state",
        "times",
        "lines",
        "entries",
        "conns",
        "fds",
    ];
    WORDS.contains(&&*word.to_ascii_lowercase())
}

/// Does a word say that the number behind it counts nothing?
fn is_numbered(word: &str) -> bool {
    let word = word.trim_end_matches(['.', '#']).to_ascii_lowercase();
    matches!(&*word, "pid" | "process" | "thread" | "port" | "fd" | "line" | "version" | "error")
}

/// `300`, `300+`, `3k`.
fn quantity(word: &str) -> Option<u64> {
    let word = word.trim_matches(['~', '+', '.', '>']);
    match word.strip_suffix(['k', 'K']) {
        Some(thousands) => thousands.parse::<u64>().ok()?.checked_mul(1_000),
        None => word.parse().ok(),
    }
}

/// The line with `3,000` as `3000`.
fn without_separators(line: &str) -> String {
    let octets = line.as_bytes();
    let is_digit = |at: usize| octets.get(at).is_some_and(u8::is_ascii_digit);
    let is_separator = |at: usize| {
        let is_group = (1..=3).all(|n| is_digit(at + n)) && !is_digit(at + 4);
        octets[at] == b',' && at > 0 && is_digit(at - 1) && is_group
    };
    line.char_indices().filter(|(at, _)| !is_separator(*at)).map(|(_, c)| c).collect()
}

/// A command whose answer is the number of sockets in CLOSE-WAIT, and how many lines of it are a header.
pub fn asks_how_many(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_asked = close_waits(line) > 0 || line.contains("/proc/net/tcp") && line.contains("08");
    let counts = words.windows(2).any(|pair| pair == ["wc", "-l"])
        || words.windows(2).any(|pair| pair[0].ends_with("grep") && pair[1].starts_with("-c"));
    let has_header = words.contains(&"ss") && words.contains(&"state");
    (is_asked && counts).then_some(u64::from(has_header))
}

/// The only state that a sentence names, in capitals or with a hyphen, if it is not CLOSE-WAIT.
pub fn title(line: &str) -> Option<State> {
    let is_name = |word: &&str| !word.contains(char::is_lowercase) || word.contains(['-', '_']);
    let mut named = words(line)
        .filter(is_name)
        .filter_map(|word| words::state(word.trim_matches(['.', ':', '!', '?'])));
    let first = named.next().filter(|state| *state != State::CloseWait)?;
    (close_waits(line) == 0 && named.all(|state| state == first)).then_some(first)
}

/// Does a line name two ends of TCP as psutil does, whatever is missing? Datagram sockets have the state `NONE`.
pub fn is_labelled(line: &str) -> bool {
    line.contains("laddr=") && line.contains("raddr=") && !line.contains("NONE")
}

/// Is a line a call without its end: `sconn(fd=9, laddr=addr(ip='192.0`? It may go on in the next.
pub fn is_open_call(line: &str) -> bool {
    let is_name = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let named = line.trim().split_once('(');
    let is_call = named.is_some_and(|(name, rest)| {
        is_name(name) && rest.split_once('=').is_some_and(|(first, _)| is_name(first))
    });
    is_call && is_unclosed(line)
}

/// Does a line have a bracket that it does not close?
pub fn is_unclosed(line: &str) -> bool {
    let count = |mark: char| line.matches(mark).count();
    count('(') > count(')')
}

/// Does a line end with a number right behind its state?
pub fn ends_in_number(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_it =
        |state: &str, last: &str| words::state(state).is_some() && last.parse::<u32>().is_ok();
    matches!(words[..], [.., state, last] if is_it(state, last))
}

/// Does a line begin with a number?
pub fn is_number(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|word| word.parse::<u16>().is_ok())
}

/// Is a line the beginning of a row, before its first address: `CLOSE-WA`, `tcp  1`, `1: 0100007F:0C`? A list that
/// ends with one, and without the end of a line, goes on where it was cut.
pub fn begins_row(line: &str) -> bool {
    let is_slot =
        |word: &str| word.strip_suffix(':').is_some_and(|slot| slot.parse::<u32>().is_ok());
    let is_number =
        |word: &str| word.bytes().all(|octet| octet.is_ascii_hexdigit() || octet == b':');
    let mut words = line.split_whitespace();
    words
        .next()
        .is_some_and(|first| words::begins_state(first) || is_slot(first) || words::is_tcp(first))
        && words.all(is_number)
}

/// Does a line end with an end, so that what is below may go on with it?
pub fn is_open(line: &str) -> bool {
    let last = line.split_whitespace().next_back();
    last.is_some_and(|word| !word.ends_with(':') && ends(word) > 0)
}

/// May a line be the rest of one that was folded before its state, or before the port that is before it?
pub fn is_rest(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let words = match &words[..] {
        [port, rest @ ..] if port.parse::<u16>().is_ok() => rest,
        words => words,
    };
    words.first().is_some_and(|word| close_waits(word) > 0)
}

/// Is a line a row of a list, and no sentence of one: `tcp 1 0 …`, `TCP 192.0.2.5:…`, `CLOSE-WAIT 1 0 …`, `… 0t0 TCP …`,
/// `…->… (CLOSE_WAIT)`?
pub fn is_row(line: &str) -> bool {
    let words: Vec<&str> = words::cells(line).collect();
    let begins = match words[..] {
        [first, second, ..] => {
            let is_first = words::is_tcp(first)
                || words::state(first).is_some()
                || [first, second].iter().all(|word| word.parse::<u32>().is_ok());
            is_first && second.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '[' | '*'))
        }
        _ => false,
    };
    let is_file = |pair: &[&str]| {
        pair == ["0t0", "TCP"] || pair[0].contains("->") && pair[1].starts_with("(CLOSE")
    };
    begins || is_of_lsof(line) || words.windows(2).any(is_file)
}

/// `TST=CLOSE_WAIT` of `lsof -F`, whose ends have a line of their own.
pub fn is_of_lsof(line: &str) -> bool {
    line.trim().starts_with("TST=")
}

/// Counts words for CLOSE-WAIT, in any spelling; a file or a directory may be called so, too.
pub fn close_waits(line: &str) -> usize {
    // Nearly every line has none of these.
    if !line.bytes().any(|octet| matches!(octet, b'c' | b'C' | b's' | b'S' | 0x80..)) {
        return 0;
    }
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '*');
    let (mut count, mut at, mut before) = (0, 0, "");
    for word in line.split(|c| !is_part(c)) {
        let after = &line[at + word.len()..];
        let is_name = after.starts_with(':') && after[1..].starts_with(char::is_alphabetic);
        let is_apart = before.eq_ignore_ascii_case("close") && word.eq_ignore_ascii_case("wait");
        count += usize::from((is_apart || is_close_wait(word)) && !is_name);
        at += word.len() + after.chars().next().map_or(0, char::len_utf8);
        before = word;
    }
    count
}

/// `CLOSE_WAIT`, `TCP_CLOSE_WAIT`, `TcpState.CloseWait`, `3306CLOSE_WAIT4242/orders`, `CLOSE_WAI` of a column that
/// was too narrow.
fn is_close_wait(word: &str) -> bool {
    let word = word.split('/').next().unwrap_or(word);
    let bare = word.trim_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '*'));
    if words::state(bare) == Some(State::CloseWait) {
        return true;
    }
    let upper = bare.to_ascii_uppercase();
    let is_cut = |rest: &str| !rest.is_empty() && "WAIT".starts_with(rest);
    let is_last = |spelled: &str| {
        let before = upper.strip_suffix(spelled);
        let ends_so = |c: char| c.is_ascii_digit() || matches!(c, '_' | '.');
        before.is_some_and(|before| before.ends_with(ends_so))
    };
    upper.strip_prefix("CLOSE_").is_some_and(is_cut)
        || ["CLOSE_WAIT", "CLOSE-WAIT", "CLOSEWAIT"].iter().any(|spelled| is_last(spelled))
}

/// The words of a line, without brackets, quotes and arrows.
pub fn words(line: &str) -> impl Iterator<Item = &str> {
    let apart = |c: char| c.is_whitespace() || "(){}<>[]'\"`,;=|".contains(c);
    line.split("->").flat_map(move |part| part.split(apart)).filter(|word| !word.is_empty())
}

/// Counts what may be an end, or a part of one: addresses, names with a port, ports that are called so.
pub fn ends(line: &str) -> usize {
    let words = || self::words(line);
    let plain = words().filter(|word| is_end_by_name(word) == Some(false)).count();
    let sure = words().filter(|word| {
        let is_port = matches!(named::role(word), Some(Role::LocalPort | Role::PeerPort));
        is_port || is_address(word) || is_end_by_name(word) == Some(true)
    });
    // `count:23` is no end; a pair of such words is one.
    sure.count() + if plain > 1 { plain } else { 0 }
}

/// Is there an address in the line?
pub fn has_address(line: &str) -> bool {
    words(line).any(is_address)
}

/// `192.0.2.5`, `192.0.2.5:80`, `192.0.2.5.80`, `192.0.2.5..80`, `192.0.2.5/80`, `2001:db8::5`.
fn is_address(word: &str) -> bool {
    let is_ip = |host: &str| host.trim_end_matches('.').parse::<IpAddr>().is_ok();
    let word = word.trim_matches([':', '.']);
    is_ip(word) || word.rsplit_once([':', '.', '/', '#']).is_some_and(|(host, _)| is_ip(host))
}

/// `db.shop:3306` is an end, `count:23` might be one, `13:12:27` is none.
fn is_end_by_name(word: &str) -> Option<bool> {
    let (host, _) = word.rsplit_once(':')?;
    let is_name = host.contains(char::is_alphabetic) && words::state(host).is_none();
    (is_name && words::end(word).is_some())
        .then(|| host.contains(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-')))
}

/// Is it a shell's line? It has a prompt before it, or a tool with its options, or a pipe.
fn is_command(line: &str) -> bool {
    const TOOLS: [&str; 14] = [
        "ss",
        "netstat",
        "lsof",
        "grep",
        "egrep",
        "awk",
        "findstr",
        "closewait",
        "watch",
        "sockstat",
        "conntrack",
        "tcpdump",
        "Get-NetTCPConnection",
        "ssh",
    ];
    let quotes = |c: char| "'\"`()[]{}$;".contains(c);
    let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches(quotes)).collect();
    let is_tool =
        |word: &str| TOOLS.contains(&word.rsplit_once("bin/").map_or(word, |(_, tool)| tool));
    let is_asked =
        |pair: &[&str]| is_tool(pair[0]) && (pair[1].starts_with(['-', '/']) || pair[1] == "state");
    // A table begins with the mark of a pipe.
    let is_table = line.trim_start().starts_with('|');
    let is_piped = || {
        let behind = line.split('|').skip(1).filter_map(|part| part.split_whitespace().next());
        behind.into_iter().any(is_tool)
    };
    let is_prompt =
        || ["$ ", "# ", "% "].iter().any(|prompt| line.trim_start().starts_with(prompt));
    let is_line = words.windows(2).any(is_asked)
        || !is_table && is_piped()
        || is_prompt() && words.iter().any(|word| is_tool(word));
    is_line && is_searched(line, is_tool)
}

/// Is CLOSE-WAIT what a command looks for? A sentence that begins with one says it of a socket.
fn is_searched(line: &str, is_tool: impl Fn(&str) -> bool) -> bool {
    let is_mark = |c: char| "'\"`=/:\\^~({[".contains(c);
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some(at) = words.iter().position(|word| close_waits(word) > 0) else { return true };
    let before = at.checked_sub(1).map_or("", |before| words[before]);
    let bare = before.trim_matches(is_mark).trim_start_matches(['|', '$']);
    let is_asking = |word: &str| {
        word.is_empty() || word.starts_with(['-', '/']) || matches!(word, "state" | "and" | "or")
    };
    words[at].contains(is_mark) || is_tool(bare) || is_asking(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_wait_is_known_in_any_spelling() {
        for word in [
            "CLOSE_WAIT",
            "CLOSE-WAIT",
            "CloseWait",
            "Close Wait",
            "(CLOSE_WAIT)",
            "'CLOSE_WAIT'",
            "TST=CLOSE_WAIT",
            "TCP_CLOSE_WAIT",
            "TcpState.CloseWait",
            "3306CLOSE_WAIT",
            "CLOSE_WAIT4242/orders",
            "CLOSE_WAI",
            "ClosWt",
            "SCHLIESSEN_WARTEN",
            "关闭等待",
            "**CLOSE_WAIT**",
        ] {
            assert_eq!(close_waits(word), 1, "{word}");
        }
        for word in [
            "CLOSE",
            "CLOSED",
            "CLOSING",
            "close_wait.txt:tcp",
            "logs/close-wait",
            "close_wait:tcp",
            "waiting to close",
            "my-close-wait",
            "",
        ] {
            assert_eq!(close_waits(word), 0, "{word}");
        }
        assert_eq!(close_waits("a CLOSE_WAIT b CLOSE_WAIT"), 2);
    }

    #[test]
    fn ends_are_addresses_and_names_with_ports() {
        for line in [
            "('192.0.2.5', 47902)",
            "192.0.2.5(47902)",
            "192.0.2.5..47902",
            "[2001:db8::5]:80",
            "db.shop:3306",
            "web:40002->db:mysql",
            "{\"local_port\":1}",
            "ip='192.0.2.5'",
        ] {
            assert!(ends(line) > 0, "{line}");
        }
        for line in ["23", "count:23", "13:12:27", "CLOSE_WAIT:23", "x", ""] {
            assert_eq!(ends(line), 0, "{line}");
        }
    }

    #[test]
    fn commands_and_counts_are_of_no_socket() {
        for line in [
            "$ ss -tn state close-wait dst 192.0.2.5",
            "netstat -ant | grep CLOSE_WAIT | grep 192.0.2.5:3306",
            "[root@web-1 ~]# ss -tn 'state close-wait and dst 192.0.2.5'",
            "PS C:\\> Get-NetTCPConnection -State CloseWait -RemoteAddress 192.0.2.5",
            "    23 CLOSE_WAIT",
            "Nov 26 13:12:27 web-1 check: CLOSE_WAIT 23",
        ] {
            assert!(!is_of_a_socket(line), "{line}");
        }
        for (line, n) in [
            ("    23 CLOSE_WAIT", Some(23)),
            ("CLOSE_WAIT 23", Some(23)),
            ("{\"CLOSE_WAIT\":23,\"ESTABLISHED\":4}", Some(23)),
            ("4 ESTABLISHED 23 CLOSE_WAIT 7 LISTEN", Some(23)),
            ("ESTABLISHED 4   CLOSE-WAIT 23   LISTEN 7", Some(23)),
            ("Nov 26 13:12:27 web-1 check: CLOSE_WAIT 23", Some(23)),
            ("... and 300 more in CLOSE_WAIT", Some(300)),
            ("300 of them are in CLOSE_WAIT", Some(300)),
            ("about 300 connections stuck in CLOSE_WAIT state", Some(300)),
            ("we have 300+ CLOSE_WAIT", Some(300)),
            ("3k CLOSE_WAIT", Some(3_000)),
            ("3,000 CLOSE_WAIT", Some(3_000)),
            ("close-wait count is 300", Some(300)),
            ("[repeated 300 times: CLOSE_WAIT]", Some(300)),
            ("process 4242 is stuck in CLOSE_WAIT", None),
            ("after 60 seconds in CLOSE_WAIT", None),
            ("Many are in CLOSE_WAIT, 60 of them, as of 10:00", None),
            ("many in CLOSE_WAIT", None),
            ("11 states of TCP: CLOSED, LISTEN, SYN-SENT, CLOSE-WAIT, TIME-WAIT", None),
            ("CLOSE_WAIT 60 seconds", None),
            ("23", None),
        ] {
            assert_eq!(counted(line), n, "{line}");
        }
        assert!(is_of_a_socket("shop | 192.0.2.5:40002 | 198.51.100.3:3306 | CLOSE_WAIT"));
        assert!(is_of_a_socket("TST=CLOSE_WAIT"));
    }
}
