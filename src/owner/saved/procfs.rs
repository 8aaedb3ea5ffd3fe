//! `/proc/net/tcp` and `/proc/net/tcp6`, of a little-endian host.
//!
//! `0: 050012AC:97A6 030012AC:0CEA 08 00000000:00000001 00:00000000 00000000 1000 0 55 …`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{SavedLine, netstat};
use crate::owner::{Socket, endpoint, kernel_state};
use crate::tcp::segment::Endpoint;

/// A line from these words on.
pub fn line(words: &[&str], before: &[&str]) -> SavedLine {
    if let Some(socket) = without_slot(words, before) {
        return SavedLine::Socket(socket);
    }
    let [slot, local, rest @ ..] = words else { return SavedLine::Other };
    if !is_slot(slot) {
        return SavedLine::Other;
    }
    let Some(local) = end(local) else {
        // Nothing else has an address like that, or queues, behind a slot: it was cut, folded or damaged.
        let is_part = is_address(local) || rest.iter().any(|word| are_queues(word));
        return if is_part { SavedLine::Unclear } else { SavedLine::Other };
    };
    match rest {
        [peer, state, queues, rest @ ..] => end(peer)
            .and_then(|peer| socket(local, peer, state, queues, rest))
            .map_or(SavedLine::Unclear, SavedLine::Socket),
        // Nothing else begins like that: it was folded.
        _ => SavedLine::Unclear,
    }
}

fn is_slot(word: &str) -> bool {
    word.strip_suffix(':').is_some_and(|number| number.parse::<u64>().is_ok())
}

/// `050012AC:97`, a part of an end.
fn is_address(word: &str) -> bool {
    word.split_once(':').is_some_and(|(address, _)| {
        matches!(address.len(), 8 | 32) && address.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// `00000000:00000001`
fn are_queues(word: &str) -> bool {
    let is_queue = |queue: &str| queue.len() == 8 && u32::from_str_radix(queue, 16).is_ok();
    word.split_once(':').is_some_and(|(sent, received)| is_queue(sent) && is_queue(received))
}

/// `050012AC:97A6 030012AC:0CEA 08`: columns that somebody cut out.
fn without_slot(words: &[&str], before: &[&str]) -> Option<Socket> {
    let [local, peer, state, rest @ ..] = words else { return None };
    if before.last().is_some_and(|word| is_slot(word)) || state.len() != 2 {
        return None;
    }
    let (local, peer) = (end(local).or_else(|| behind_slot(local))?, end(peer)?);
    let state = kernel_state(u8::from_str_radix(state, 16).ok()?)?;
    let is_whole = |queues: &&&str| queues.len() == 17;
    let whole = rest.first().filter(is_whole);
    whole
        .and_then(|queues| socket(local, peer, words[2], queues, &rest[1..]))
        .or_else(|| Some(netstat::socket([local, peer], state, [None, None], Vec::new())))
}

/// `1:050012AC:97A6`, from which somebody took the blank away.
fn behind_slot(word: &str) -> Option<Endpoint> {
    let (slot, local) = word.split_once(':')?;
    slot.parse::<u64>().ok().and_then(|_| end(local))
}

fn socket(
    local: Endpoint,
    peer: Endpoint,
    state: &str,
    queues: &str,
    rest: &[&str],
) -> Option<Socket> {
    let (send_q, recv_q) = queues.split_once(':')?;
    // Of as many digits: a line may have been cut, and another come behind it.
    let queue = |text: &str| u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8);
    let (send_q, recv_q) = (queue(send_q)?, queue(recv_q)?);
    Some(Socket {
        local,
        peer,
        state: kernel_state(u8::from_str_radix(state, 16).ok()?)?,
        is_assumed: false,
        recv_q: Some(recv_q),
        send_q: Some(send_q),
        // Timer, retransmissions, uid, probes, inode.
        inode: rest.get(4).and_then(|word| word.parse().ok()).unwrap_or(1),
        holders: Vec::new(),
        netns: None,
        is_unseen: false,
        silence: None,
        code: None,
    })
}

/// Words of 32 bits in the host's order, then the port.
fn end(text: &str) -> Option<Endpoint> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok();
    let octets = |at: usize| Some(word(at)?.to_le_bytes());
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(octets(0)?).into(),
        32 => {
            let words = [octets(0)?, octets(8)?, octets(16)?, octets(24)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into()
        }
        _ => return None,
    };
    let port = u16::from_str_radix(port, 16).ok().filter(|_| port.len() == 4)?;
    Some(endpoint(SocketAddr::new(ip, port)))
}
