//! JSON: our own lines, and those of others, in whatever layout.

use serde_json::{Deserializer, Value};

use super::{SavedLine, clue, named, words};
use crate::names;
use crate::owner::silence::Silence;
use crate::owner::{Holder, Socket};
use crate::printable::printable;
use crate::tcp::segment::Endpoint;

/// A piece of JSON that says something of a socket.
pub enum Piece {
    /// A socket, or one that is not understood, and the text of it.
    Found(SavedLine, String),
    /// A line of a list, in a string.
    Line(String),
}

/// The pieces of a line of JSON; `None` where the line is none. One that begins like a socket of ours and is damaged
/// is unclear.
pub fn line(line: &str) -> Option<Vec<Piece>> {
    if !line.starts_with(['{', '[']) {
        return None;
    }
    // In a list of objects, a line ends with a comma.
    let bare = line.trim_end().trim_end_matches(',');
    match serde_json::from_str::<Value>(bare) {
        Ok(value) => Some(pieces(&value)),
        Err(_) => is_ours(line).then(|| vec![unclear(line.to_owned())]),
    }
}

fn unclear(text: String) -> Piece {
    Piece::Found(SavedLine::Unclear, text)
}

/// Does a line seem to be a socket as `closewait sockets` writes it?
pub fn is_ours(line: &str) -> bool {
    line.trim_start().starts_with('{') && line.contains("\"type\":\"socket\"")
}

/// Looks for JSON of more than one line.
#[derive(Default)]
pub struct Layouts {
    /// Lines that were read of texts that began so, and were none.
    wasted: usize,
}

/// A longer text is read in lines.
const MAX_LEN: usize = 64 << 20;

/// More of them, and what follows is read in lines: a text that never ends is read from each beginning.
const MAX_WASTED: usize = 1 << 18;

impl Layouts {
    /// The pieces of what begins here, and its length. `None` where it is in one line, or says nothing of sockets.
    pub fn pieces(&mut self, text: &str) -> Option<(usize, Vec<Piece>)> {
        let text = &text.as_bytes()[..text.len().min(MAX_LEN)];
        let begins = text.iter().find(|octet| !matches!(octet, b' ' | b'\t'));
        if !begins.is_some_and(|octet| matches!(octet, b'{' | b'[')) || self.wasted >= MAX_WASTED {
            return None;
        }
        let mut values = Deserializer::from_slice(text).into_iter::<Value>();
        match values.next()? {
            Ok(value) => {
                let len = values.byte_offset();
                let pieces = text[..len].contains(&b'\n').then(|| pieces(&value));
                pieces.filter(|pieces| !pieces.is_empty()).map(|pieces| (len, pieces))
            }
            Err(error) => {
                self.wasted += error.line();
                None
            }
        }
    }
}

/// Looks into lists and objects until one is a socket.
fn pieces(value: &Value) -> Vec<Piece> {
    if let Some(found) = record(value) {
        return vec![Piece::Found(found, value.to_string())];
    }
    let within: Vec<Piece> = match value {
        Value::Array(values) if values.iter().any(is_state) => {
            vec![Piece::Line(scalars(value).join(" "))]
        }
        Value::Array(values) => values.iter().flat_map(element).collect(),
        // Ansible has a text, and beside it the same in lines.
        Value::Object(object) => object
            .iter()
            .filter(|(key, _)| !object.contains_key(&format!("{key}_lines")))
            .flat_map(|(_, value)| member(value))
            .collect(),
        _ => vec![],
    };
    match within.is_empty() && clue::is_of_a_socket(&value.to_string()) {
        true => vec![unclear(value.to_string())],
        false => within,
    }
}

/// Reads an object; `None` if it is of no socket.
fn record(value: &Value) -> Option<SavedLine> {
    let object = value.as_object()?;
    if value["type"] == "socket" {
        return Some(socket(value).map_or(SavedLine::Unclear, SavedLine::Socket));
    }
    Some(named::object(object)).filter(|found| !matches!(found, SavedLine::Other))
}

/// A list of strings is a list of lines.
fn element(value: &Value) -> Vec<Piece> {
    match value {
        Value::String(text) => lines(text),
        value => pieces(value),
    }
}

/// A text of several lines may be a list; one of a single line is looked at where it says CLOSE-WAIT.
fn member(value: &Value) -> Vec<Piece> {
    match value {
        Value::String(text) if text.contains('\n') || clue::is_of_a_socket(text) => lines(text),
        Value::String(_) => vec![],
        value => pieces(value),
    }
}

fn lines(text: &str) -> Vec<Piece> {
    text.lines().map(|line| Piece::Line(line.to_owned())).collect()
}

fn is_state(value: &Value) -> bool {
    value.as_str().is_some_and(|text| words::state(text).is_some())
}

/// All that is no list and no object, in its order.
fn scalars(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(scalars).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        _ => vec![],
    }
}

fn socket(value: &Value) -> Option<Socket> {
    let queue = |name: &str| value[name].as_u64().and_then(|n| n.try_into().ok());
    let holders: Vec<Holder> = value["processes"].as_array()?.iter().filter_map(holder).collect();
    Some(Socket {
        local: end(&value["local"])?,
        peer: end(&value["peer"])?,
        state: value["state"].as_str()?.parse().ok()?,
        is_assumed: false,
        recv_q: queue("recv_q"),
        send_q: queue("send_q"),
        inode: u64::from(!holders.is_empty()),
        holders,
        netns: value["netns"].as_str().map(printable),
        is_unseen: false,
        silence: silence(&value["tcp_info"]),
        code: None,
    })
}

/// Takes note of a list in which no socket has a process: it was made of one without processes, and nobody knows them.
pub fn note_hidden(sockets: &mut [Socket]) {
    if sockets.iter().all(|socket| socket.holders.is_empty()) {
        sockets.iter_mut().for_each(|socket| socket.inode = socket.inode.max(1));
    }
}

fn silence(value: &Value) -> Option<Silence> {
    let at = |key| Some((value[key].as_f64()? * 1e3).round() as u32);
    Some(Silence {
        last_ack_recv: at("last_ack_recv_s")?,
        last_data_recv: at("last_data_recv_s")?,
        last_data_sent: at("last_data_sent_s")?,
        keep_alive: value["keep_alive"] == true,
        ..Silence::default()
    })
}

fn end(value: &Value) -> Option<Endpoint> {
    let host = value["ip"].as_str()?;
    let ip = host.parse().ok().or_else(|| names::address(host))?;
    Some(Endpoint { ip, port: value["port"].as_u64()?.try_into().ok()? })
}

fn holder(value: &Value) -> Option<Holder> {
    Some(Holder {
        pid: value["pid"].as_i64()?.try_into().ok()?,
        command: printable(value["command"].as_str()?),
        fd: value["fd"].as_i64().and_then(|fd| fd.try_into().ok()),
        uid: value["uid"].as_u64().and_then(|uid| uid.try_into().ok()),
    })
}
