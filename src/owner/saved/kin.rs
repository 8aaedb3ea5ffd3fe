//! Lists that look like those of sockets, and name none: what they are, and which command lists sockets.

use super::words::state;

/// Lines that are looked at.
const LINES: usize = 200;

/// Says what a text without any socket is, where it is known.
pub fn remedy(text: &str) -> Option<&'static str> {
    let lines = || text.lines().filter(|line| !line.trim().is_empty()).take(LINES);
    if lines().any(is_tracked) {
        return Some(
            "it is conntrack's list of connections, with the states that a firewall gives them: ss -tanp, on the host that holds them, lists sockets",
        );
    }
    let counts = lines().any(is_summary) || lines().next().is_some() && lines().all(is_count);
    counts.then_some("it counts sockets and names none: ss -tanp lists them")
}

/// `tcp 6 50 CLOSE_WAIT src=10.0.0.5 dst=10.0.0.3 sport=40002 dport=3306 …`
fn is_tracked(line: &str) -> bool {
    ["src=", "dst=", "sport=", "dport="].iter().all(|field| line.contains(field))
}

/// `ss -s`, and /proc/net/sockstat.
fn is_summary(line: &str) -> bool {
    let rest = line.trim_start().strip_prefix("TCP:");
    rest.is_some_and(|rest| rest.contains("(estab ") || rest.contains("inuse "))
}

/// `112 CLOSE-WAIT`, of `uniq -c` or awk.
fn is_count(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_number = |word: &str| word.chars().all(|c| c.is_ascii_digit());
    match words[..] {
        [one, two] => {
            is_number(one) && state(two).is_some() || state(one).is_some() && is_number(two)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_without_sockets_are_known() {
        let conntrack = "tcp      6 50 CLOSE_WAIT src=10.0.0.5 dst=10.0.0.3 sport=40002 dport=3306 src=10.0.0.3 dst=10.0.0.5 sport=3306 dport=40002 [ASSURED] mark=0 use=1\n";
        assert!(remedy(conntrack).is_some_and(|said| said.contains("conntrack")));
        let ss = "Total: 117\nTCP:   62310 (estab 12, closed 62098, orphaned 0, timewait 62098)\n";
        let sockstat = "sockets: used 117\nTCP: inuse 4 orphan 0 tw 62098 alloc 116 mem 0\n";
        for counts in [ss, sockstat, "    112 CLOSE-WAIT\n      4 LISTEN\n", "CLOSE_WAIT 112\n"] {
            assert!(remedy(counts).is_some_and(|said| said.contains("counts")), "{counts}");
        }
        for other in ["", "hello world\n", "112 CLOSE-WAIT\nand more\n"] {
            assert_eq!(remedy(other), None, "{other}");
        }
    }
}
