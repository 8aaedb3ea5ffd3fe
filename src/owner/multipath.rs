//! Multipath TCP (RFC 8684): TCP's lists have a connection of it open after the peer has closed.

use std::fs;

/// Tells whether any socket of the namespace speaks it that this folder is of (`/proc/PID/net`).
pub fn is_spoken(folder: &str) -> bool {
    let protocols = fs::read_to_string(format!("{folder}/protocols")).unwrap_or_default();
    let sockets = |line: &str| line.split_whitespace().nth(2)?.parse().ok();
    let spoken = protocols.lines().filter(|line| line.starts_with("MPTCP"));
    spoken.filter_map(sockets).any(|sockets: i64| sockets > 0)
}
