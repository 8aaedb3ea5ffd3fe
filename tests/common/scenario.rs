//! Conversations in text: `fixtures/scenarios/*.scn`. `fixtures/README.md` describes the notation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use super::links::FRAMINGS;
use super::wire::{Link, Packet, Record, TUNNELS, silence, tunnelled};

/// One scenario.
#[derive(Debug)]
pub struct Scenario {
    pub ends: BTreeMap<String, SocketAddr>,
    pub link: Link,
    /// Every packet travels in this tunnel.
    pub tunnel: Option<String>,
    /// Cut every frame to so many octets.
    pub snap: Option<usize>,
    pub oddities: Oddities,
    pub options: Vec<String>,
    pub rows: Vec<Row>,
    pub verdicts: Vec<Expected>,
}

/// What a network card or a switch does to frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oddities {
    /// Short frames are padded, and every frame has a trailer.
    pub pad: bool,
    /// Segmentation offload left IPv4's total length at 0.
    pub ip_length_0: bool,
    /// Checksum offload left the TCP checksum to the card.
    pub bad_checksums: bool,
}

/// One line with a packet, or the end of the capture.
#[derive(Debug)]
pub struct Row {
    pub line: String,
    pub nanos: u64,
    pub packet: Option<Packet>,
    /// Sent as two IP fragments, the first with so many octets of TCP.
    pub fragment: Option<usize>,
    /// Its checksum was wrong when it was sent on.
    pub damaged: bool,
    /// Its TTL or hop limit where it was captured, if that is not the usual one.
    pub ttl: Option<u8>,
    /// States by end, where the line tells them.
    pub states: Vec<(String, String)>,
}

/// A `verdict` line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    pub verdict: String,
    pub words: BTreeMap<String, String>,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "verdict  {}", self.verdict)?;
        self.words.iter().try_for_each(|(key, value)| write!(f, "   {key} {value}"))
    }
}

/// 2018-03-12 11:38:15 UTC: any time will do.
const START: u64 = 1_520_854_695_000_000_000;

/// Initial sequence numbers, and those that `given wrap` puts near 2^32.
const ISN: [u32; 2] = [1_000_000, 5_000_000];
const WRAPPING_ISN: [u32; 2] = [u32::MAX - 2, u32::MAX - 1];

impl Scenario {
    pub fn read(path: &Path) -> Result<Scenario, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Reader::default().read(&text).map_err(|e| format!("{}:{e}", path.display()))
    }

    /// The capture's records.
    pub fn records(&self) -> Vec<Record> {
        let frames = |row: &Row| match (&row.packet, row.fragment) {
            (None, _) => vec![silence(self.link)],
            (Some(packet), None) => {
                let mut frame = self.oddities.apply(self.frame(packet), row.damaged);
                row.ttl.iter().for_each(|ttl| frame[ttl_at(packet)] = *ttl);
                vec![frame]
            }
            (Some(packet), Some(octets)) => fragments(&packet.frame(self.link), octets),
        };
        let records = self
            .rows
            .iter()
            .flat_map(|row| frames(row).into_iter().map(|data| Record::new(row.nanos, data)));
        match self.snap {
            Some(len) => records.map(|record| record.snapped(len)).collect(),
            None => records.collect(),
        }
    }

    fn frame(&self, packet: &Packet) -> Vec<u8> {
        match &self.tunnel {
            None => packet.frame(self.link),
            Some(name) => tunnelled(name, &packet.frame(Link::Raw)).expect("a tunnel for this"),
        }
    }

    /// Does a part of these rows show a handshake whole that one before it has? It is as well the capture of another
    /// host, whose clock is another: nothing in it tells.
    pub fn repeats_handshake(&self, cuts: &[usize]) -> bool {
        let mut shown = BTreeSet::new();
        let parts = cuts.windows(2).filter_map(|cut| self.rows.get(cut[0]..cut[1]));
        parts.flat_map(handshakes).any(|handshake| !shown.insert(handshake))
    }

    pub fn name_of(&self, end: SocketAddr) -> &str {
        let found = self.ends.iter().find(|(_, address)| **address == end);
        found.map_or("?", |(name, _)| name)
    }
}

/// The handshakes that these rows show whole: client, server and their first numbers.
fn handshakes(rows: &[Row]) -> BTreeSet<(SocketAddr, SocketAddr, u32, u32)> {
    const SYN: u8 = 2;
    const SYN_ACK: u8 = 18;
    let packets: Vec<&Packet> = rows.iter().filter_map(|row| row.packet.as_ref()).collect();
    let is_whole = |answer: &&&Packet| {
        let asked = |it: &&Packet| it.flags == SYN && it.seq == answer.ack.wrapping_sub(1);
        let done = |it: &&Packet| it.flags & SYN == 0 && it.ack == answer.seq.wrapping_add(1);
        let mut client = packets.iter().filter(|it| it.from == answer.to && it.to == answer.from);
        answer.flags == SYN_ACK && client.any(asked) && client.any(done)
    };
    let whole = packets.iter().filter(is_whole);
    whole.map(|answer| (answer.to, answer.from, answer.ack, answer.seq)).collect()
}

/// Where IPv4 begins in an Ethernet frame, and the length of its header here.
const IP: usize = 14;
const IP_HEADER: usize = 20;

/// Where the TTL or the hop limit stands in an Ethernet frame.
fn ttl_at(packet: &Packet) -> usize {
    IP + if packet.from.is_ipv4() { 8 } else { 7 }
}

impl Oddities {
    fn apply(self, mut frame: Vec<u8>, damaged: bool) -> Vec<u8> {
        if self.ip_length_0 {
            frame[IP + 2..IP + 4].fill(0);
        }
        if self.bad_checksums || damaged {
            let checksum = IP + IP_HEADER + 16;
            frame[checksum] ^= 0xff;
        }
        if self.pad {
            frame.resize(frame.len().max(60) + 4, 0xaa);
        }
        frame
    }
}

/// Two IPv4 fragments, the first with `octets` (a multiple of 8) of what IP carries.
fn fragments(frame: &[u8], octets: usize) -> Vec<Vec<u8>> {
    let (header, payload) = frame.split_at(IP + IP_HEADER);
    let part = |payload: &[u8], flags_and_offset: u16| {
        let mut part = [header, payload].concat();
        let len = (IP_HEADER + payload.len()) as u16;
        part[IP + 2..IP + 4].copy_from_slice(&len.to_be_bytes());
        part[IP + 6..IP + 8].copy_from_slice(&flags_and_offset.to_be_bytes());
        part
    };
    const MORE: u16 = 0x2000;
    vec![part(&payload[..octets], MORE), part(&payload[octets..], (octets / 8) as u16)]
}

/// What is unusual about one packet.
#[derive(Default)]
struct Odd {
    fragment: Option<usize>,
    damaged: bool,
    ttl: Option<u8>,
}

struct Reader {
    oddities: Oddities,
    ends: BTreeMap<String, SocketAddr>,
    link: Link,
    tunnel: Option<String>,
    snap: Option<usize>,
    wrap: bool,
    options: Vec<String>,
    now: u64,
    rows: Vec<Row>,
    verdicts: Vec<Expected>,
}

impl Default for Reader {
    fn default() -> Reader {
        let end = |text: &str| text.parse().expect("an address");
        Reader {
            oddities: Oddities::default(),
            ends: [
                ("local".into(), end("172.18.0.5:38822")),
                ("peer".into(), end("172.18.0.3:3306")),
            ]
            .into(),
            link: Link::Ethernet,
            tunnel: None,
            snap: None,
            wrap: false,
            options: Vec::new(),
            now: START,
            rows: Vec::new(),
            verdicts: Vec::new(),
        }
    }
}

impl Reader {
    fn read(mut self, text: &str) -> Result<Scenario, String> {
        if !text.starts_with("# ") {
            return Err("1: begins with a comment that says what happens".into());
        }
        for (number, line) in text.lines().enumerate() {
            self.line(line).map_err(|e| format!("{}: {e}: {line}", number + 1))?;
        }
        if self.verdicts.is_empty() || self.rows.is_empty() {
            return Err("1: has no rows or no verdict".into());
        }
        let Reader { oddities, ends, link, tunnel, snap, options, rows, verdicts, .. } = self;
        Ok(Scenario { oddities, ends, link, tunnel, snap, options, rows, verdicts })
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let bare = line.split_once('#').map_or(line, |(before, _)| before).trim();
        let words: Vec<&str> = bare.split_whitespace().collect();
        match words[..] {
            [] => Ok(()),
            ["given", ..] => self.given(&words[1..]),
            ["options", ..] => {
                self.options.extend(words[1..].iter().map(ToString::to_string));
                Ok(())
            }
            ["verdict", verdict, ref rest @ ..] => self.verdict(verdict, rest),
            [time, "(end", "of", "capture)"] => {
                self.advance(time)?;
                self.push(bare, None, Odd::default(), Vec::new());
                Ok(())
            }
            [time, ..] if time.starts_with(['+', '-']) => {
                self.advance(time)?;
                self.packet(bare)
            }
            _ => Err("neither given, options, a packet nor a verdict".into()),
        }
    }

    fn given(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            [] => Ok(()),
            [name, "=", address, rest @ ..] => {
                let address = address.parse().map_err(|_| format!("{address} is no ADDR:PORT"))?;
                self.ends.insert(name.to_string(), address);
                self.given(rest)
            }
            ["wrap", rest @ ..] => {
                self.wrap = true;
                self.given(rest)
            }
            ["tunnel", name, rest @ ..] => {
                if !TUNNELS.contains(name) {
                    return Err(format!("no tunnel {name}"));
                }
                self.tunnel = Some(name.to_string());
                self.given(rest)
            }
            ["pad", rest @ ..] => {
                self.oddities.pad = true;
                self.given(rest)
            }
            ["ip-length-0", rest @ ..] => {
                self.oddities.ip_length_0 = true;
                self.given(rest)
            }
            ["bad-checksums", rest @ ..] => {
                self.oddities.bad_checksums = true;
                self.given(rest)
            }
            ["snap", len, rest @ ..] => {
                self.snap = Some(len.parse().map_err(|_| "snap takes a number")?);
                self.given(rest)
            }
            ["link", link, rest @ ..] => {
                self.link = match *link {
                    "ethernet" => Link::Ethernet,
                    "vlan" => Link::Vlan,
                    "qinq" => Link::QinQ,
                    "sll" => Link::Sll,
                    "sll2" => Link::Sll2,
                    "raw" => Link::Raw,
                    other => {
                        let framing = FRAMINGS.iter().find(|framing| framing.name == other);
                        Link::Framed(framing.ok_or(format!("no link layer {link}"))?)
                    }
                };
                self.given(rest)
            }
            ["established", rest @ ..] => {
                for row in [
                    "+0      local > peer   S    0:0(0)",
                    "+.0001  peer  > local  S.   0:0(0)  ack 1",
                    "+.0001  local > peer   .    1:1(0)  ack 1",
                ] {
                    self.line(row)?;
                }
                self.given(rest)
            }
            [word, ..] => Err(format!("given what? {word}")),
        }
    }

    fn advance(&mut self, delta: &str) -> Result<(), String> {
        let seconds: f64 = delta.parse().map_err(|_| format!("{delta} is no time"))?;
        let nanos = (seconds * 1e9).round() as i64;
        self.now = self.now.checked_add_signed(nanos).ok_or("the time is out of range")?;
        Ok(())
    }

    fn verdict(&mut self, verdict: &str, rest: &[&str]) -> Result<(), String> {
        let mut words = BTreeMap::new();
        for pair in rest.chunks(2) {
            let [key, value] = pair else { return Err("a word has no value".into()) };
            words.insert(key.to_string(), value.to_string());
        }
        self.verdicts.push(Expected { verdict: verdict.into(), words });
        Ok(())
    }

    fn packet(&mut self, line: &str) -> Result<(), String> {
        let (left, right) = line.split_once('|').unwrap_or((line, ""));
        let words: Vec<&str> = left.split_whitespace().collect();
        let [_, from, ">", to, flags, range, rest @ ..] = &words[..] else {
            return Err("a packet is: +TIME FROM > TO FLAGS SEQ:END(LEN) [ack N] [in|out]".into());
        };
        let (seq, len) = parse_range(range)?;
        let flags = parse_flags(flags)?;
        let mut packet = Packet {
            nanos: self.now,
            from: self.end(from)?,
            to: self.end(to)?,
            flags,
            seq: self.isn(from).wrapping_add_signed(seq as i32),
            ack: 0,
            window: 229,
            options: Vec::new(),
            payload: vec![b'x'; len],
            outgoing: *from == "local",
        };
        let mut odd = Odd::default();
        let mut rest = rest;
        loop {
            rest = match rest {
                [] => break,
                ["ack", number, more @ ..] => {
                    let number: i64 = number.parse().map_err(|_| "ack takes a number")?;
                    packet.ack = self.isn(to).wrapping_add_signed(number as i32);
                    more
                }
                ["fragment", octets, more @ ..] => {
                    odd.fragment = Some(octets.parse().map_err(|_| "fragment takes a number")?);
                    more
                }
                ["damaged", more @ ..] => {
                    odd.damaged = true;
                    more
                }
                ["ttl", hops, more @ ..] if self.link == Link::Ethernet => {
                    odd.ttl = Some(hops.parse().map_err(|_| "ttl takes a number")?);
                    more
                }
                ["win", window, more @ ..] => {
                    packet.window = window.parse().map_err(|_| "win takes a number")?;
                    more
                }
                ["wscale", shift, more @ ..] => {
                    let shift = shift.parse().map_err(|_| "wscale takes a number")?;
                    packet.options = vec![1, 3, 3, shift];
                    more
                }
                [way @ ("in" | "out"), more @ ..] => {
                    packet.outgoing = *way == "out";
                    more
                }
                [word, ..] => return Err(format!("what is {word}?")),
            };
        }
        if (packet.flags & 0x10 != 0) != left.contains(" ack ") {
            return Err("the flag . and the word ack belong together".into());
        }
        self.push(line, Some(packet), odd, parse_states(right)?);
        Ok(())
    }

    fn push(
        &mut self,
        line: &str,
        packet: Option<Packet>,
        Odd { fragment, damaged, ttl }: Odd,
        states: Vec<(String, String)>,
    ) {
        let line = line.into();
        self.rows.push(Row { line, nanos: self.now, packet, fragment, damaged, ttl, states });
    }

    fn end(&self, name: &str) -> Result<SocketAddr, String> {
        self.ends.get(name).copied().ok_or_else(|| format!("who is {name}?"))
    }

    fn isn(&self, name: &str) -> u32 {
        let isn = if self.wrap { WRAPPING_ISN } else { ISN };
        isn[usize::from(name != "local")]
    }
}

/// `1:101(100)`: first octet, the one after the last, how many.
fn parse_range(text: &str) -> Result<(i64, usize), String> {
    let wrong = || format!("{text} is no SEQ:END(LEN)");
    let (seq, rest) = text.split_once(':').ok_or_else(wrong)?;
    let (end, len) = rest.split_once('(').ok_or_else(wrong)?;
    let len = len.strip_suffix(')').ok_or_else(wrong)?;
    let (seq, end, len): (i64, i64, i64) = match (seq.parse(), end.parse(), len.parse()) {
        (Ok(seq), Ok(end), Ok(len)) => (seq, end, len),
        _ => return Err(wrong()),
    };
    if seq + len != end {
        return Err(format!("{text}: {seq} and {len} make {}", seq + len));
    }
    Ok((seq, len as usize))
}

fn parse_flags(text: &str) -> Result<u8, String> {
    text.chars().try_fold(0, |flags, c| {
        Ok(flags
            | match c {
                'F' => 0x01,
                'S' => 0x02,
                'R' => 0x04,
                'P' => 0x08,
                '.' => 0x10,
                'U' => 0x20,
                '-' => 0,
                _ => return Err(format!("no flag {c}")),
            })
    })
}

fn parse_states(text: &str) -> Result<Vec<(String, String)>, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .chunks(2)
        .map(|pair| match pair {
            [end, state] => Ok((end.to_string(), state.to_string())),
            _ => Err("states come in pairs: local STATE peer STATE".into()),
        })
        .collect()
}
