//! Sockets by named columns, in any order: CSV, tables of Markdown and of databases, PowerShell's tables and
//! lists, JSON of others.
//!
//! `"LocalAddress","LocalPort","RemoteAddress","RemotePort","State"`

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};

use super::{SavedLine, ss, words};
use crate::owner::{Holder, Socket, endpoint};
use crate::printable::printable;
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;

/// The meaning of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The protocol: other than TCP is passed over.
    Protocol,
    /// The local address, perhaps with its port.
    Local,
    /// The local port.
    LocalPort,
    /// The peer's address, perhaps with its port.
    Peer,
    /// The peer's port.
    PeerPort,
    /// The state, in any system's words.
    State,
    /// The process's number.
    Pid,
    /// The process's name.
    Command,
    /// Octets that the program has not read.
    RecvQ,
    /// Octets that the peer has not acknowledged.
    SendQ,
}

impl Role {
    /// Is it an end, or a part of one?
    fn is_end(self) -> bool {
        matches!(self, Role::Local | Role::LocalPort | Role::Peer | Role::PeerPort)
    }
}

/// Names of columns, in small letters and digits alone.
const NAMES: &[(&str, Role)] = &[
    ("proto", Role::Protocol),
    ("protocol", Role::Protocol),
    ("netid", Role::Protocol),
    ("local", Role::Local),
    ("localaddress", Role::Local),
    ("localaddr", Role::Local),
    ("localip", Role::Local),
    ("localend", Role::Local),
    ("localendpoint", Role::Local),
    ("localaddressport", Role::Local),
    ("localsocket", Role::Local),
    ("laddr", Role::Local),
    ("source", Role::Local),
    ("localport", Role::LocalPort),
    ("lport", Role::LocalPort),
    ("remote", Role::Peer),
    ("remoteaddress", Role::Peer),
    ("remoteaddr", Role::Peer),
    ("remoteip", Role::Peer),
    ("remoteend", Role::Peer),
    ("remoteendpoint", Role::Peer),
    ("remoteaddressport", Role::Peer),
    ("foreign", Role::Peer),
    ("foreignaddress", Role::Peer),
    ("foreignsocket", Role::Peer),
    ("peer", Role::Peer),
    ("peerip", Role::Peer),
    ("peeraddress", Role::Peer),
    ("peeraddressport", Role::Peer),
    ("raddr", Role::Peer),
    ("destination", Role::Peer),
    ("remoteport", Role::PeerPort),
    ("foreignport", Role::PeerPort),
    ("peerport", Role::PeerPort),
    ("rport", Role::PeerPort),
    ("state", Role::State),
    ("status", Role::State),
    ("tcpstate", Role::State),
    ("pid", Role::Pid),
    ("processid", Role::Pid),
    ("owningprocess", Role::Pid),
    ("process", Role::Command),
    ("processname", Role::Command),
    ("pidprogramname", Role::Command),
    ("program", Role::Command),
    ("programname", Role::Command),
    ("comm", Role::Command),
    ("command", Role::Command),
    ("recvq", Role::RecvQ),
    ("sendq", Role::SendQ),
];

/// Returns the meaning of a column's name, whatever tool wrote it.
pub fn role(name: &str) -> Option<Role> {
    let bare = |c: char| c.is_alphanumeric().then(|| c.to_ascii_lowercase());
    let bare: String = name.chars().filter_map(bare).collect();
    NAMES.iter().find(|(known, _)| *known == bare).map(|(_, role)| *role)
}

/// A row or a list of fields, as far as it says something of a socket.
pub type Record<'a> = Vec<(Role, &'a str)>;

/// Reads a record. One with a state and no ends, or the other way round, is unclear where it may be a
/// connection.
pub fn socket(record: &[(Role, &str)]) -> SavedLine {
    let get = |role: Role| record.iter().find(|(known, _)| *known == role).map(|(_, cell)| *cell);
    let is_tcp = |protocol: &str| protocol == "6" || protocol.to_lowercase().starts_with("tcp");
    if get(Role::Protocol).is_some_and(|protocol| !protocol.is_empty() && !is_tcp(protocol)) {
        return SavedLine::Other;
    }
    let local = match get(Role::Local) {
        Some(local) => end(local, get(Role::LocalPort)),
        // The column was left out.
        None => get(Role::LocalPort).and_then(|port| end("*", Some(port))),
    };
    let is_microsoft = get(Role::PeerPort).is_some();
    let named = get(Role::State);
    let state = named.and_then(|named| {
        words::state(named).or_else(|| microsoft(named).filter(|_| is_microsoft))
    });
    let peer = get(Role::Peer).and_then(|peer| end(peer, get(Role::PeerPort)));
    // A listener's peer is said in many ways, or not at all.
    let peer = peer.or_else(|| words::end("*:*").filter(|_| state == Some(State::Listen)));
    let has_ends = local.is_some() && peer.is_some_and(|peer| peer.port != 0);
    if has_ends && named.is_some_and(|named| words::is_cut(&[named])) {
        return SavedLine::Unclear;
    }
    let (Some(local), Some(peer), Some(state)) = (local, peer, state) else {
        let is_row = named.is_some_and(is_said) && get(Role::Peer).is_some_and(is_said);
        let is_stuck =
            state == Some(State::CloseWait) && record.iter().any(|(role, _)| role.is_end());
        return match has_ends || is_row || is_stuck {
            true => SavedLine::Unclear,
            false => SavedLine::Other,
        };
    };
    let queue = |role| get(role).and_then(|queue| queue.parse().ok());
    SavedLine::Socket(Socket {
        local,
        peer,
        state,
        is_assumed: false,
        recv_q: queue(Role::RecvQ),
        send_q: queue(Role::SendQ),
        inode: 1,
        holders: holder(get(Role::Pid), get(Role::Command)).into_iter().collect(),
        netns: None,
        is_unseen: false,
        silence: None,
        code: None,
    })
}

/// Datagram sockets have no state, and lists that have all kinds say so.
fn is_said(cell: &str) -> bool {
    !matches!(cell, "" | "-" | "NONE" | "None" | "none" | "*" | "*:*")
}

/// An address with its port in it, or in a column of its own.
fn end(address: &str, port: Option<&str>) -> Option<Endpoint> {
    let Some(port) = port else { return words::end(address) };
    match (address.parse::<IpAddr>(), port.parse()) {
        (Ok(ip), Ok(port)) => Some(endpoint(SocketAddr::new(ip, port))),
        _ => words::end(&format!("{address}:{port}")),
    }
}

/// Numbers of `MSFT_NetTCPConnection`, as ConvertTo-Json writes them.
fn microsoft(number: &str) -> Option<State> {
    Some(match number {
        "1" | "12" => State::Closed,
        "2" => State::Listen,
        "3" => State::SynSent,
        "4" => State::SynReceived,
        "5" => State::Established,
        "6" => State::FinWait1,
        "7" => State::FinWait2,
        "8" => State::CloseWait,
        "9" => State::Closing,
        "10" => State::LastAck,
        "11" => State::TimeWait,
        _ => return None,
    })
}

/// A process by its columns: `4242`, `java`; also `4242/java` or `java:4242` in one.
fn holder(pid: Option<&str>, command: Option<&str>) -> Option<Holder> {
    let holder = |pid: &str, command: &str| {
        let pid = pid.trim().parse().ok().filter(|pid| *pid > 0)?;
        Some(Holder { pid, command: printable(command.trim()), fd: None, uid: None })
    };
    let both = |text: &str| {
        let (pid, command) = text.split_once('/').or_else(|| {
            let (command, pid) = text.rsplit_once([':', '['])?;
            Some((pid.trim_end_matches(']'), command))
        })?;
        holder(pid, command)
    };
    let alone = || holder(pid?, command.unwrap_or_default());
    alone().or_else(|| both(command.or(pid)?))
}

/// Columns of a table that were named above its rows.
#[derive(Clone, Debug)]
pub struct Table {
    /// Blanks if `None`.
    delimiter: Option<char>,
    roles: Vec<Option<Role>>,
    /// The name and the number that `grep` put before the header, and puts before each row.
    prefix: Option<String>,
}

/// The longest name of a column with a prefix: each mark in it may be where that ends.
const MAX_NAME: usize = 1 << 8;

const DELIMITERS: [char; 4] = ['|', '\t', ',', ';'];

impl Table {
    /// The columns that a header names, if they are of sockets.
    pub fn of(header: &str) -> Option<Table> {
        // Jira doubles it in headers.
        let header = &header.replace("||", "|");
        let by = |delimiter: char| Table::new(Some(delimiter), &cells(header, delimiter));
        DELIMITERS.into_iter().find_map(by).or_else(|| {
            let names: Vec<String> = header.split_whitespace().map(String::from).collect();
            // Names of two words make more columns than there are.
            let is_one_word = |name: &String| !name.to_lowercase().starts_with("address");
            Table::new(None, &names).filter(|_| names.iter().all(is_one_word))
        })
    }

    fn new(delimiter: Option<char>, names: &[String]) -> Option<Table> {
        let mut roles: Vec<Option<Role>> = names.iter().map(|name| role(name)).collect();
        let prefixed = names.first().filter(|_| roles[0].is_none()).and_then(|name| prefixed(name));
        if let Some((_, role)) = &prefixed {
            roles[0] = Some(*role);
        }
        let has = |role| roles.contains(&Some(role));
        let is_whole = has(Role::Peer)
            && has(Role::State)
            && (has(Role::Local) || has(Role::LocalPort))
            // Words of a sentence are names, too.
            && roles.iter().filter(|role| role.is_some()).count() * 2 > roles.len().min(10);
        is_whole.then(|| Table { delimiter, roles, prefix: prefixed.map(|(prefix, _)| prefix) })
    }

    /// A row of it; `None` for what is none.
    pub fn row(&self, line: &str) -> Option<SavedLine> {
        let mut cells = match self.delimiter {
            Some(delimiter) => cells(line, delimiter),
            None => self.words(line),
        };
        if let (Some(prefix), Some(first)) = (&self.prefix, cells.first_mut()) {
            *first = behind(first, prefix)?.to_owned();
        }
        let record = self.record(&cells);
        // A log may have put something before a line between rows.
        if cells.len() <= self.last()? || record.iter().all(|(_, cell)| is_rule(cell)) {
            return None;
        }
        // Its last word may have been cut off.
        if self.delimiter.is_none() && cells.last().is_some_and(|cell| words::is_cut(&[cell])) {
            return Some(SavedLine::Unclear);
        }
        Some(match socket(&record) {
            // ss's own column of processes, whose quotes CSV doubles.
            SavedLine::Socket(socket) if socket.holders.is_empty() => {
                let holders = ss::users(&line.replace("\"\"", "\""));
                SavedLine::Socket(Socket { holders, ..socket })
            }
            other => other,
        })
    }
}

impl Table {
    /// The place of the last column without which a row is none.
    fn last(&self) -> Option<usize> {
        self.roles.iter().rposition(|role| matches!(role, Some(Role::State | Role::Peer)))
    }

    fn record<'a>(&self, cells: &'a [String]) -> Record<'a> {
        let named = self.roles.iter().zip(cells);
        named.filter_map(|(role, cell)| Some(((*role)?, &**cell))).collect()
    }

    /// Does a line begin a row that was cut? It has an address where one belongs, or ends with a state.
    pub fn is_begun(&self, line: &str) -> bool {
        let Some(delimiter) = self.delimiter else { return false };
        let cells = cells(line, delimiter);
        let record = self.record(&cells);
        let is_end = |(role, cell): &(Role, &str)| {
            let is_address = || cell.parse::<IpAddr>().is_ok() || words::addresses(cell) > 0;
            matches!(role, Role::Local | Role::Peer) && is_address()
        };
        let last = record.iter().rfind(|(_, cell)| !cell.is_empty());
        let ends_so = last.is_some_and(|(role, cell)| {
            *role == Role::State && (words::state(cell).is_some() || words::begins_state(cell))
        });
        let unquoted = |word: &str| words::is_other_protocol(word.trim_matches('"'));
        let is_other = words::cells(line).any(unquoted);
        let is_short = Some(cells.len()) <= self.last();
        is_short && !is_other && (ends_so || record.iter().any(is_end))
    }

    /// Was a list with lines between its columns cut off in this row?
    pub fn is_cut(&self, line: &str) -> bool {
        let line = line.trim();
        let is_short = || Some(cells(line, '|').len()) <= self.last();
        self.delimiter == Some('|')
            && line.len() > 1
            && line.starts_with('|')
            && !line.ends_with('|')
            && is_short()
    }

    /// The words of a line, with those of its state in one.
    fn words(&self, line: &str) -> Vec<String> {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let state = self.roles.iter().position(|role| *role == Some(Role::State));
        let apart = state.and_then(|at| Some((at, words::state_at(words.get(at..)?)?.1)));
        let Some((at, taken)) = apart.filter(|(_, taken)| *taken > 1) else {
            return words.into_iter().map(String::from).collect();
        };
        let after = words.split_off(at + taken);
        let state = words.split_off(at).concat();
        words
            .into_iter()
            .map(String::from)
            .chain([state])
            .chain(after.into_iter().map(String::from))
            .collect()
    }
}

/// Returns what `grep -n` or `-H` put before the first name of a header, and what that means: `2:LocalAddress`.
fn prefixed(name: &str) -> Option<(String, Role)> {
    let apart = |(at, _): (usize, &str)| Some((name[..at].to_owned(), role(&name[at + 1..])?));
    // No name is so long, nor is a file's with a number behind it.
    let marks = name.match_indices(':').filter(|_| name.len() <= MAX_NAME);
    let found = marks.into_iter().find_map(apart);
    found.filter(|(prefix, _)| !prefix.contains(char::is_whitespace))
}

/// The first cell of a row behind the same, with a number of its own; `None` where something else is before it.
fn behind<'a>(cell: &'a str, prefix: &str) -> Option<&'a str> {
    let (at, _) = cell.match_indices(':').nth(prefix.matches(':').count())?;
    let is_numbered =
        |text: &str| text.rsplit(':').next().is_some_and(|n| n.parse::<u64>().is_ok());
    let is_alike = &cell[..at] == prefix || is_numbered(prefix) && is_numbered(&cell[..at]);
    is_alike.then(|| cell[at + 1..].trim())
}

/// A line between rows: `---`, `:--:`, `====`.
fn is_rule(cell: &str) -> bool {
    cell.chars().all(|c| matches!(c, '-' | '=' | ':' | '+' | '_'))
}

/// The cells of a line, without quotes and marks. A table of Markdown may begin and end with its delimiter.
fn cells(line: &str, delimiter: char) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c == delimiter && !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    if delimiter == '|' && line.trim_start().starts_with('|') {
        cells.remove(0);
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// `LocalAddress   : 192.0.2.5` of Format-List, `"LocalAddress":  "192.0.2.5",` of JSON, `local_address = 192.0.2.5`
/// of osquery.
pub fn field(line: &str) -> Option<(Role, &str)> {
    let (name, value) = line.split_once([':', '='])?;
    let value = value.trim().trim_end_matches(',').trim_matches('"');
    let role = role(name.trim().trim_matches('"'))?;
    // More than a word is no address; `Close Wait` is a state.
    let is_one = !value.contains(char::is_whitespace);
    let may_be_more = role == Role::Command || role == Role::State && words::state(value).is_some();
    (is_one || may_be_more).then_some((role, value))
}

/// A socket of JSON that others wrote.
pub fn object(object: &Map<String, Value>) -> SavedLine {
    let mut record: Vec<(Role, String)> = Vec::new();
    for (name, value) in object {
        match role(name) {
            Some(role @ (Role::Local | Role::Peer)) => record.extend(nested(role, value)),
            Some(role) => record.extend(scalar(value).map(|text| (role, text))),
            // osquery's, beside the number.
            None if name == "name" && object.contains_key("pid") => {
                record.extend(scalar(value).map(|text| (Role::Command, text)));
            }
            None => {}
        }
    }
    let is_datagram = object.get("type").is_some_and(|kind| kind == 2 || kind == "SOCK_DGRAM");
    match is_datagram {
        true => SavedLine::Other,
        false => socket(&record.iter().map(|(role, text)| (*role, &**text)).collect::<Vec<_>>()),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An end in a text, or `{"ip": "192.0.2.5", "port": 47902}`, or `["192.0.2.5", 47902]`.
fn nested(role: Role, value: &Value) -> Vec<(Role, String)> {
    let (ip, port) = match value {
        Value::Object(end) => {
            let of = |names: &[&str]| names.iter().find_map(|name| scalar(end.get(*name)?));
            (of(&["ip", "addr", "address", "host"]), of(&["port"]))
        }
        Value::Array(end) => (end.first().and_then(scalar), end.get(1).and_then(scalar)),
        value => (scalar(value), None),
    };
    let port_role = if role == Role::Local { Role::LocalPort } else { Role::PeerPort };
    [(role, ip), (port_role, port)]
        .into_iter()
        .filter_map(|(role, text)| Some((role, text?)))
        .collect()
}
