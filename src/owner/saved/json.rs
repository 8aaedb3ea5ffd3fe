//! Our own lines, and those of others.

use serde_json::Value;

use super::{SavedLine, named};
use crate::names;
use crate::owner::silence::Silence;
use crate::owner::{Holder, Socket};
use crate::printable::printable;
use crate::tcp::segment::Endpoint;

/// The sockets of a line of JSON, ours or in anybody's words; `None` where the line is no JSON. One that
/// begins like a socket of ours and is damaged is unclear.
pub fn line(line: &str) -> Option<Vec<SavedLine>> {
    if !line.starts_with(['{', '[']) {
        return None;
    }
    match serde_json::from_str::<Value>(line) {
        Ok(value) if value["type"] == "socket" => {
            Some(vec![socket(&value).map_or(SavedLine::Unclear, SavedLine::Socket)])
        }
        Ok(value) => Some(named::json(&value)),
        Err(_) => is_ours(line).then(|| vec![SavedLine::Unclear]),
    }
}

/// Does a line seem to be a socket as `closewait sockets` writes it?
pub fn is_ours(line: &str) -> bool {
    line.trim_start().starts_with('{') && line.contains("\"type\":\"socket\"")
}

fn socket(value: &Value) -> Option<Socket> {
    let queue = |name: &str| value[name].as_u64().and_then(|n| n.try_into().ok());
    let holders: Vec<Holder> = value["processes"].as_array()?.iter().filter_map(holder).collect();
    Some(Socket {
        local: end(&value["local"])?,
        peer: end(&value["peer"])?,
        state: value["state"].as_str()?.parse().ok()?,
        recv_q: queue("recv_q"),
        send_q: queue("send_q"),
        inode: u64::from(!holders.is_empty()),
        holders,
        netns: value["netns"].as_str().map(printable),
        silence: silence(&value["tcp_info"]),
        code: None,
    })
}

fn silence(value: &Value) -> Option<Silence> {
    let at = |key| Some((value[key].as_f64()? * 1e3).round() as u32);
    Some(Silence {
        last_ack_recv: at("last_ack_recv_s")?,
        last_data_recv: at("last_data_recv_s")?,
        last_data_sent: at("last_data_sent_s")?,
        keep_alive: value["keep_alive"] == true,
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
