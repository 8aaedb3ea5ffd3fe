//! The process of a packet, where a capture names it: PKTAP's header, the process blocks of macOS's
//! pcapng, and comments as ptcpdump and rustnet write them.
//!
//! etl2pcapng's `PID=…` is not read: it is the thread that happened to run when a packet came.

use super::{Frame, LinkType};
use crate::printable::printable;

/// A process by its number and name; nothing in the name that a terminal would obey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The process's number.
    pub pid: i32,
    /// Its name, safe to print.
    pub command: String,
}

/// A longer name is cut: the kernels' own have 16 octets.
const MAX_NAME: usize = 64;

impl Process {
    /// A process with this name, or with a path that ends in it. Numbers below 1 are none.
    pub fn new(pid: i32, name: &str) -> Option<Process> {
        let name = name.trim().rsplit('/').next().unwrap_or_default();
        let command = printable(name).chars().take(MAX_NAME).collect();
        (pid > 0).then_some(Process { pid, command })
    }

    /// `PID: 4242\nCmd: /srv/orders-api\n…` or `PID:4242 Process:orders-api`.
    pub fn of_comment(comment: &str) -> Option<Process> {
        let after = comment.lines().find_map(|line| line.trim().strip_prefix("PID:"))?.trim_start();
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (pid, rest) = after.split_at(digits);
        let named = rest.trim_start().strip_prefix("Process:");
        let path = || comment.lines().find_map(|line| line.trim().strip_prefix("Cmd:"));
        Process::new(pid.parse().ok()?, named.or_else(path).unwrap_or_default())
    }

    /// The process in a PKTAP header.
    fn of_pktap(header: &[u8]) -> Option<Process> {
        let pid = i32::from_le_bytes(*header.get(52..)?.first_chunk()?);
        let name = header.get(56..73)?.split(|octet| *octet == 0).next()?;
        Process::new(pid, &String::from_utf8_lossy(name))
    }
}

impl Frame<'_> {
    /// Can there be a process in it? Most captures name none.
    #[inline]
    pub fn may_name_process(&self) -> bool {
        self.process.is_some() || matches!(self.link, LinkType::PKTAP | LinkType::USER2)
    }

    /// The process of the local end, as the capture says.
    pub fn named_process(&self) -> Option<Process> {
        match self.process {
            Some(process) => Some(process.clone()),
            None if self.may_name_process() => Process::of_pktap(self.data),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_name_processes() {
        let named = |comment: &str| {
            Process::of_comment(comment).map(|process| (process.pid, process.command))
        };
        let ptcpdump = "PID: 4242\nCmd: /srv/orders/orders-api\nArgs: orders-api --port 80";
        assert_eq!(named(ptcpdump), Some((4242, "orders-api".into())));
        assert_eq!(named("PID:77 Process:my app"), Some((77, "my app".into())));
        assert_eq!(named("PID: 12"), Some((12, String::new())));
        for none in ["", "ParentPID: 1\nParentCmd: /sbin/init", "PID=4242", "PID: x", "PID: 0"] {
            assert_eq!(named(none), None, "{none}");
        }
        let (_, name) = named("PID: 1 Process:a\u{1b}[2Jb").expect("named");
        assert!(!name.contains('\u{1b}'));
    }
}
