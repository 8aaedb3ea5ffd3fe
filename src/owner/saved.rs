//! A list that somebody saved on the host: `ss -tanpe`, or `closewait sockets --format jsonl --all`.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use serde_json::Value;

use super::{Holder, Socket, SocketList, endpoint};
use crate::printable::printable;
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;

/// A line of a saved list makes no sense.
#[derive(Debug, thiserror::Error)]
#[error(
    "line {line} is no socket of `ss -tanpe` nor of `closewait sockets --format jsonl --all`: {text:?}"
)]
pub struct NotAList {
    pub line: usize,
    pub text: String,
}

/// Reads a saved list. The error names the file.
pub fn read(path: &Path) -> Result<SocketList, String> {
    let named = |problem: String| format!("{}: {problem}", path.display());
    let text = fs::read_to_string(path).map_err(|e| named(format!("cannot be read: {e}")))?;
    parse(&text).map(SocketList::new).map_err(|e| named(e.to_string()))
}

/// The sockets of a saved list, in its order.
pub fn parse(text: &str) -> Result<Vec<Socket>, NotAList> {
    let mut sockets = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = || NotAList { line: number + 1, text: line.chars().take(80).collect() };
        let words = line.split_whitespace().next();
        match words {
            // `ss` begins with the names of its columns.
            None | Some("State" | "Netid") => {}
            Some(word) if word.starts_with('{') => sockets.extend(json(line).ok_or_else(wrong)?),
            // `ss -e` can go on in a line of its own.
            Some(_) if line.starts_with([' ', '\t']) => {}
            Some(_) => sockets.push(ss(line).ok_or_else(wrong)?),
        }
    }
    Ok(sockets)
}

/// `CLOSE-WAIT 1 0 172.18.0.5:38822 172.18.0.3:3306 users:(("orders",pid=7,fd=6)) ino:123 …`
fn ss(line: &str) -> Option<Socket> {
    let mut words = line.split_whitespace().peekable();
    // `ss` without -t alone names the protocol first.
    words.next_if(|word| *word == "tcp");
    let state: State = words.next()?.parse().ok()?;
    let (recv_q, send_q) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (local, peer) = (address(words.next()?)?, address(words.next()?)?);
    let rest: Vec<&str> = words.collect();
    let inode = rest.iter().find_map(|word| word.strip_prefix("ino:")?.parse().ok());
    let uid = rest.iter().find_map(|word| word.strip_prefix("uid:")?.parse().ok());
    let mut holders =
        line.split_once("users:(").map_or(Vec::new(), |(_, users)| users_of(users, uid));
    holders.sort();
    // Without -e the inode is unknown, but a socket that has users has one.
    let inode = inode.unwrap_or(u64::from(!holders.is_empty()));
    Some(Socket { local, peer, state, recv_q, send_q, inode, holders, netns: None })
}

/// `("orders",pid=7,fd=6),("orders",pid=8,fd=6))`: a name can hold anything but its closing quote.
fn users_of(users: &str, uid: Option<u32>) -> Vec<Holder> {
    let mut holders = Vec::new();
    let mut rest = users;
    while let Some((_, after)) = rest.split_once("(\"") {
        let Some((command, after)) = after.split_once("\",pid=") else { break };
        let Some((pid, after)) = after.split_once(",fd=") else { break };
        let fd: String = after.chars().take_while(char::is_ascii_digit).collect();
        let (Ok(pid), Ok(fd)) = (pid.parse(), fd.parse()) else { break };
        holders.push(Holder { pid, command: printable(command), fd: Some(fd), uid });
        rest = after;
    }
    holders
}

/// `10.0.0.5:80`, `[::1]:80`, `*:80`, `0.0.0.0:*`, `[fe80::1]%eth0:80`, `10.0.0.5%eth0:80`.
fn address(word: &str) -> Option<Endpoint> {
    let (host, port) = word.rsplit_once(':')?;
    let port = if port == "*" { 0 } else { port.parse().ok()? };
    let host = host.split('%').next()?.trim_matches(['[', ']']);
    let ip = if host == "*" { IpAddr::from([0; 16]) } else { host.parse().ok()? };
    Some(endpoint(SocketAddr::new(ip, port)))
}

/// A line of our own; lines that are no sockets (the summary) are none.
fn json(line: &str) -> Option<Option<Socket>> {
    let value: Value = serde_json::from_str(line).ok()?;
    if value["type"] != "socket" {
        return Some(None);
    }
    let end = |value: &Value| {
        let ip = value["ip"].as_str()?.parse().ok()?;
        Some(Endpoint { ip, port: value["port"].as_u64()?.try_into().ok()? })
    };
    let holder = |value: &Value| {
        Some(Holder {
            pid: value["pid"].as_i64()?.try_into().ok()?,
            command: printable(value["command"].as_str()?),
            fd: value["fd"].as_i64().and_then(|fd| fd.try_into().ok()),
            uid: value["uid"].as_u64().and_then(|uid| uid.try_into().ok()),
        })
    };
    let queue = |name: &str| value[name].as_u64().and_then(|n| n.try_into().ok());
    let holders: Vec<Holder> = value["processes"].as_array()?.iter().filter_map(holder).collect();
    Some(Some(Socket {
        local: end(&value["local"])?,
        peer: end(&value["peer"])?,
        state: value["state"].as_str()?.parse().ok()?,
        recv_q: queue("recv_q")?,
        send_q: queue("send_q")?,
        inode: u64::from(!holders.is_empty()),
        holders,
        netns: value["netns"].as_str().map(printable),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SS: &str = "\
State      Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
LISTEN     0      4096         0.0.0.0:3306       0.0.0.0:*     users:((\"mariadbd\",pid=9,fd=20)) ino:7 sk:1 <->
CLOSE-WAIT 1      0         172.18.0.5:38822   172.18.0.3:3306  users:((\"a, (b\",pid=12,fd=6),(\"api\",pid=7,fd=9)) uid:1000 ino:55 sk:2 -->
CLOSE-WAIT 1      0   [::ffff:10.0.0.5]:80 [::ffff:10.0.0.9]:999 ino:0 sk:3 -->
ESTAB      0      0            [fe80::1]%eth0:80   [fe80::2]%eth0:81 ino:8 sk:4 <->
";

    #[test]
    fn what_ss_prints_is_understood() {
        let sockets = parse(SS).expect("a list");
        assert_eq!(sockets.len(), 4);
        assert_eq!(sockets[0].state, State::Listen);
        let stuck = &sockets[1];
        assert_eq!((stuck.state, stuck.recv_q), (State::CloseWait, 1));
        assert_eq!(stuck.local.to_string(), "172.18.0.5:38822");
        let names: Vec<&str> = stuck.holders.iter().map(|h| h.command.as_str()).collect();
        assert_eq!(names, ["api", "a, (b"], "the lowest pid first");
        assert_eq!((stuck.holders[0].fd, stuck.holders[0].uid), (Some(9), Some(1000)));
        assert_eq!(sockets[2].local.to_string(), "10.0.0.5:80", "IPv4-mapped is IPv4");
        assert_eq!(sockets[2].held(), super::super::Held::Backlog);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let error = parse("State Recv-Q\nhello world\n").expect_err("no list");
        assert_eq!(error.line, 2);
    }
}
