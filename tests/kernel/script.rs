//! What happens in one batch, fixed by its seed: the connections and what both ends do with them, the processes that are
//! killed, the interface that goes down.

use serde_json::{Value, json};

use crate::network::Settings;
use crate::prng::Prng;

/// Programs on each host.
pub const PROGRAMS: usize = 2;
const CONNECTIONS: u64 = 450;
/// When the programs are stopped where they are, in milliseconds.
pub const END: u64 = 8_000;

pub struct Script {
    pub settings: Settings,
    /// Routers on the way, as the TTL shows them.
    pub hops: u8,
    /// Captured on all its devices, or on one.
    pub on_any: [bool; 2],
    pub down: Option<(u64, usize)>,
    pub kill: Option<(u64, usize, usize)>,
    /// Late captures begin, and others are cut.
    pub late: u64,
    pub cut: u64,
    /// For a time, the tcpdump with a small buffer gets no processor.
    pub stalled: (u64, u64),
    /// By host and program.
    pub parts: [[Vec<Value>; PROGRAMS]; 2],
    pub connections: u64,
}

pub fn port(program: usize) -> u16 {
    7_000 + program as u16
}

/// Nobody accepts what comes there.
pub fn deaf_port(program: usize) -> u16 {
    7_100 + program as u16
}

impl Script {
    pub fn any(prng: &mut Prng) -> Script {
        let down = prng.one_in(5).then(|| (prng.between(3_000, 7_000), prng.side()));
        let mut on_any = [prng.one_in(3), prng.one_in(3)];
        if let Some((_, host)) = down {
            // A capture of one device ends with it.
            on_any[host] = true;
        }
        let stalled = prng.between(2_000, 6_000);
        let mut script = Script {
            settings: Settings {
                fin_timeout: prng.pick(&[1, 3, 60, 60]),
                retries: prng.pick(&[3, 15, 15]),
            },
            hops: prng.pick(&[0, 0, 1, 5]),
            on_any,
            down,
            kill: prng.one_in(2).then(|| {
                (prng.between(3_000, 7_500), prng.side(), prng.below(PROGRAMS as u64) as usize)
            }),
            late: prng.between(500, 5_000),
            cut: prng.between(4_000, 6_500),
            stalled: (stalled, stalled + prng.between(200, 1_000)),
            parts: Default::default(),
            connections: 0,
        };
        while script.connections < CONNECTIONS {
            script.add(prng);
        }
        script
    }

    fn add(&mut self, prng: &mut Prng) {
        let id = self.connections;
        self.connections += 1;
        let start = prng.between(0, 5_500);
        match prng.below(20) {
            0 => self.add_deaf(prng, id, start),
            1 => self.add_proxied(prng, id, start),
            2 => self.add_crossing(prng, id, start),
            _ => self.add_plain(prng, id, start),
        }
    }

    fn part(&mut self, prng: &mut Prng, host: usize, part: Value) {
        self.parts[host][prng.below(PROGRAMS as u64) as usize].push(part);
    }

    fn add_plain(&mut self, prng: &mut Prng, id: u64, start: u64) {
        let (opener, program) = (prng.side(), prng.below(PROGRAMS as u64) as usize);
        let (port, to) = (20_000 + id, port(program));
        let uses = if prng.one_in(4) { prng.between(2, 3) } else { 1 };
        let mut start = start;
        for _ in 0..uses {
            let [opens, accepts] = both_ends(prng, start);
            let opens = json!({"id": id, "start": start, "port": port, "to": to, "steps": opens});
            self.part(prng, opener, opens);
            let accepts = json!({"id": id, "port": port, "steps": accepts});
            self.parts[1 - opener][program].push(accepts);
            start += prng.between(300, 3_000);
        }
    }

    fn add_deaf(&mut self, prng: &mut Prng, id: u64, start: u64) {
        let opener = prng.side();
        let to = deaf_port(prng.below(PROGRAMS as u64) as usize);
        let mut steps = vec![format!("send {}", prng.pick(&[0, 10, 500]))];
        steps.extend(closing(prng));
        let part = json!({"id": id, "start": start, "port": 20_000 + id, "to": to, "steps": steps});
        self.part(prng, opener, part);
    }

    /// The far end of the proxy's second connection is on the opener's host.
    fn add_proxied(&mut self, prng: &mut Prng, id: u64, start: u64) {
        let (opener, program) = (prng.side(), prng.below(PROGRAMS as u64) as usize);
        let (ahead, back) = (20_000 + id, 50_000 + id);
        let [opens, accepts] = both_ends(prng, start);
        let to = port(program);
        let opens = json!({"id": id, "start": start, "port": ahead, "to": to, "steps": opens});
        self.part(prng, opener, opens);
        let far = prng.below(PROGRAMS as u64) as usize;
        let manner = prng.pick(&["close", "half", "leak"]);
        let proxy = format!("proxy {back} {} {manner}", port(far));
        let between = json!({"id": id, "port": ahead, "steps": [proxy]});
        self.parts[1 - opener][program].push(between);
        let accepts = json!({"id": id, "port": back, "steps": accepts});
        self.parts[opener][far].push(accepts);
    }

    /// Both open at the same moment.
    fn add_crossing(&mut self, prng: &mut Prng, id: u64, start: u64) {
        let ports = [20_000 + id, 50_000 + id];
        let steps = both_ends(prng, start);
        for (host, steps) in steps.into_iter().enumerate() {
            let (port, to) = (ports[host], ports[1 - host]);
            let part = json!({"id": id, "start": start, "port": port, "to": to, "steps": steps});
            self.part(prng, host, part);
        }
    }
}

type Steps = Vec<String>;

/// What the end that opens does, and the one that accepts.
fn both_ends(prng: &mut Prng, start: u64) -> [Steps; 2] {
    let mut ends = [Steps::new(), Steps::new()];
    for end in &mut ends {
        if prng.one_in(12) {
            end.push("narrow".into());
        } else if prng.one_in(12) {
            end.push("keepalive".into());
        }
    }
    for _ in 0..prng.below(4) {
        let [asks, answers] = &mut ends;
        asks.push(format!("send {}", octets(prng)));
        answers.push("read 30".into());
        answers.push(format!("send {}", octets(prng)));
        asks.push(format!("read {}", prng.pick(&[10, 60, 300])));
    }
    let first = prng.side();
    if prng.one_in(10) {
        let at = start + prng.between(100, 2_000);
        for end in &mut ends {
            end.push(format!("until {at}"));
            end.push(prng.pick(&["close", "close", "shutdown"]).into());
        }
        return ends;
    }
    ends[first].extend(closing(prng));
    ends[1 - first].extend(answering(prng));
    ends
}

fn octets(prng: &mut Prng) -> u64 {
    prng.pick(&[1, 40, 300, 300, 1_448, 5_000, 20_000])
}

/// Some time of any order of magnitude.
fn while_(prng: &mut Prng) -> String {
    let most = prng.pick(&[5, 50, 500, 3_000]);
    format!("sleep {}", prng.between(most / 10, most))
}

/// The end that ends first.
fn closing(prng: &mut Prng) -> Steps {
    let before = while_(prng);
    let rest: &[&str] = match prng.below(16) {
        0..6 => &["close"],
        6 => &["shutdown", "eof", "close"],
        7 => &["shutdown", "eof"],
        // What is sent to it then fills its buffer.
        8 => &["shutdown"],
        9 => &["abort"],
        10 => &["send 150000", "close"],
        11 => &["shutdown", "read 400", "close"],
        12 => &["shutdown", "sleep 1500", "close"],
        13 => &["send 200", "close"],
        14 => &[],
        _ => &["read 500", "close"],
    };
    [before].into_iter().chain(rest.iter().map(ToString::to_string)).collect()
}

/// The end that is to notice the other's FIN.
fn answering(prng: &mut Prng) -> Steps {
    let late = while_(prng);
    let size = octets(prng);
    let steps: &[&str] = match prng.below(18) {
        0..4 => &["eof", "close"],
        4 | 5 => &["eof", "LATE", "close"],
        6 | 7 => &["eof"],
        // It never reads, and never knows.
        8 => &[],
        9 => &["LATE", "close"],
        10 => &["eof", "send SIZE", "close"],
        11 => &["eof", "send SIZE", "LATE", "close"],
        12 => &["eof", "LATE", "send SIZE", "LATE", "close"],
        13 => &["eof", "trickle 150"],
        14 => &["eof", "send 200000", "close"],
        15 => &["eof", "LATE", "send 200000"],
        16 => &["eof", "LATE", "abort"],
        _ => &["eof", "LATE", "shutdown"],
    };
    let fill = |step: &&str| step.replace("LATE", &late).replace("SIZE", &size.to_string());
    steps.iter().map(fill).collect()
}
