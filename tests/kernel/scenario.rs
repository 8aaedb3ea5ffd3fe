//! One connection of a capture in the notation of `fixtures/scenarios`.

use std::fmt::Write;

use serde_json::Value;

use crate::packets::{ACK, FIN, PUSH, Packet, RST, SYN};
use crate::truth::Pair;

/// `flows` are what closewait said of the pair, `end` is the capture's, in microseconds since 1970.
pub fn of(title: &str, pair: &Pair, packets: &[Packet], end: i64, flows: &[&Value]) -> String {
    let (local, peer) = pair;
    let mut text = format!("# {title}\ngiven    local = {local}   peer = {peer}\n");
    let _ = writeln!(text, "options  --local {}\n", local.ip());
    let first = Numbers::of(pair, packets);
    let mut before = packets.first().map_or(end, |packet| packet.at);
    for packet in packets {
        let _ = writeln!(text, "{}", row(pair, packet, first, packet.at - before));
        before = packet.at;
    }
    let _ = writeln!(text, "{:<12}(end of capture)\n", since(end - before));
    for flow in flows {
        let list = |key: &str| {
            let names = flow[key].as_array().into_iter().flatten().filter_map(Value::as_str);
            names.collect::<Vec<_>>().join(",")
        };
        let _ = write!(text, "verdict  {}", flow["verdict"].as_str().unwrap_or("?"));
        if let Some(reason) = flow["reason"].as_str() {
            let _ = write!(text, "   reason {reason}");
        }
        for key in ["doubts", "notes"] {
            if !list(key).is_empty() {
                let _ = write!(text, "   {key} {}", list(key));
            }
        }
        text.push('\n');
    }
    text
}

/// Those of the SYNs of the first connection, or what could have been.
#[derive(Clone, Copy)]
struct Numbers {
    local: u32,
    peer: u32,
}

impl Numbers {
    fn of(pair: &Pair, packets: &[Packet]) -> Numbers {
        let [local, peer] = [pair.0, pair.1].map(|end| {
            let mut sent = packets.iter().filter(|packet| packet.from == end);
            let syn = sent.clone().find(|packet| packet.has(SYN)).map(|syn| syn.seq);
            let first = || sent.next().map(|packet| packet.seq.wrapping_sub(1));
            let acked = || {
                packets.iter().find(|packet| packet.has(ACK)).map(|other| other.ack.wrapping_sub(1))
            };
            syn.or_else(first).or_else(acked).unwrap_or(0)
        });
        Numbers { local, peer }
    }
}

fn since(micros: i64) -> String {
    format!("{:+.6}", micros as f64 / 1e6)
}

fn row(pair: &Pair, packet: &Packet, first: Numbers, micros: i64) -> String {
    let ahead = |number: u32, of: u32| i64::from(number.wrapping_sub(of) as i32);
    let local = packet.from == pair.0;
    let (from, to) = if local { ("local", "peer") } else { ("peer", "local") };
    let (own, other) = if local { (first.local, first.peer) } else { (first.peer, first.local) };
    let seq = ahead(packet.seq, own);
    let ack = match packet.has(ACK) {
        true => format!("   ack {}", ahead(packet.ack, other)),
        false => String::new(),
    };
    let letters = [(FIN, 'F'), (SYN, 'S'), (RST, 'R'), (PUSH, 'P'), (ACK, '.')];
    let mut flags: String = letters
        .into_iter()
        .filter(|(flag, _)| packet.has(*flag))
        .map(|(_, letter)| letter)
        .collect();
    if flags.is_empty() {
        flags.push('-');
    }
    let end = seq + packet.len as i64;
    // What leaves a host has no checksum yet.
    let damaged = if !local && !packet.checksum_is_right { "   damaged" } else { "" };
    let scale = packet.scale.map(|scale| format!("   wscale {scale}")).unwrap_or_default();
    let window = packet.window;
    format!(
        "{:<12}{from:<5} > {to:<5}  {flags:<3}  {seq}:{end}({}){ack}   win {window}{scale}{damaged}",
        since(micros),
        packet.len,
    )
}
