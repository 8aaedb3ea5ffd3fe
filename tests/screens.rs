//! What a person sees first, in situations that differ most, at three widths and in a pipe.
//!
//! `CLOSEWAIT_BLESS=1 cargo test --test screens` writes `fixtures/screens` anew: look at each.

mod common;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use closewait::capture::file::Input;
use closewait::owner::saved;
use closewait::report::lang::Lang;
use closewait::report::text::page::Screen;
use closewait::report::text::{Text, TextLook};
use closewait::run::notices::Nobody;
use closewait::run::{Plan, run};
use closewait::units::Zone;
use closewait::verdict::Policy;
use common::wire::{Link, MICROSECONDS, Packet, Record};
use common::{Scratch, project};
use unicode_width::UnicodeWidthStr;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = SECOND / 1_000;
const START: u64 = 1_700_000_000 * SECOND;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// Packets of several connections.
#[derive(Default)]
struct Traffic(Vec<(u64, Packet)>);

/// One of them, a client's with a server.
struct Line<'a> {
    traffic: &'a mut Traffic,
    ends: [SocketAddr; 2],
    nanos: u64,
    next: [u32; 2],
}

impl Traffic {
    /// A connection that was opened and used so long after the start.
    fn line(&mut self, after: u64, client: &str, server: &str) -> Line<'_> {
        let ends = [client, server].map(|end| end.parse().expect("an end"));
        let mut line = Line { traffic: self, ends, nanos: START + after, next: [1_000, 9_000] };
        line.send(CLIENT, SYN, 0);
        line.send(SERVER, SYN | ACK, 0);
        line.send(CLIENT, ACK, 0);
        line.send(CLIENT, ACK, 30);
        line.send(SERVER, ACK, 300);
        line.send(CLIENT, ACK, 0);
        line
    }

    fn write(mut self) -> Vec<u8> {
        self.0.sort_by_key(|(nanos, _)| *nanos);
        let record =
            |(nanos, packet): &(u64, Packet)| Record::new(*nanos, packet.frame(Link::Ethernet));
        let records: Vec<Record> = self.0.iter().map(record).collect();
        MICROSECONDS.write(Link::Ethernet.link_type(), &records)
    }
}

impl Line<'_> {
    fn send(&mut self, from: usize, flags: u8, len: usize) -> &mut Self {
        self.nanos += 200_000;
        let packet = Packet {
            nanos: self.nanos,
            from: self.ends[from],
            to: self.ends[1 - from],
            flags,
            seq: self.next[from],
            ack: if flags & ACK != 0 { self.next[1 - from] } else { 0 },
            window: 500,
            options: Vec::new(),
            payload: vec![b'x'; len],
            outgoing: from == CLIENT,
        };
        let control = u32::from(flags & (SYN | FIN) != 0);
        self.next[from] = self.next[from].wrapping_add(len as u32 + control);
        self.traffic.0.push((self.nanos, packet));
        self
    }

    fn wait(&mut self, nanos: u64) -> &mut Self {
        self.nanos += nanos;
        self
    }

    /// The server closes after this pause; the client's kernel acknowledges.
    fn closed_after(&mut self, pause: u64) -> &mut Self {
        self.wait(pause).send(SERVER, FIN | ACK, 0).send(CLIENT, ACK, 0)
    }

    fn close(&mut self) -> &mut Self {
        self.send(CLIENT, FIN | ACK, 0).send(SERVER, ACK, 0)
    }
}

/// Something is said on another connection, so late.
fn and_on_until(traffic: &mut Traffic, seconds: u64) {
    traffic
        .line(0, "172.18.0.5:60000", "172.18.0.9:5432")
        .wait(seconds * SECOND)
        .send(CLIENT, ACK, 10);
}

fn leaks(n: usize, hold: u64, server: impl Fn(usize) -> String) -> Traffic {
    let mut traffic = Traffic::default();
    for i in 0..n {
        let client = format!("172.18.0.5:{}", 20_000 + i);
        let mut line = traffic.line(i as u64 * 100 * MS, &client, &server(i));
        line.closed_after(30 * SECOND + (i as u64 % 7) * MS);
    }
    if hold > 0 {
        and_on_until(&mut traffic, hold);
    }
    traffic
}

fn mysql(_: usize) -> String {
    "172.18.0.3:3306".into()
}

/// One of twelve, by name: a capture, and what is asked of it.
struct Situation {
    name: &'static str,
    capture: Vec<u8>,
    local: Option<&'static str>,
    certain: bool,
    min_hold: i64,
    list: Option<&'static str>,
}

fn situation(name: &'static str, traffic: Traffic) -> Situation {
    let capture = traffic.write();
    Situation { name, capture, local: Some("172.18.0.5"), certain: false, min_hold: 0, list: None }
}

fn closed() -> Traffic {
    let mut traffic = Traffic::default();
    for i in 0..4 {
        let client = format!("172.18.0.5:{}", 20_000 + i);
        traffic.line(i * SECOND, &client, "172.18.0.3:3306").closed_after(3 * SECOND).close();
    }
    traffic
}

fn still_open() -> Traffic {
    let mut traffic = Traffic::default();
    for i in 0..4 {
        traffic.line(i * SECOND, &format!("172.18.0.5:{}", 20_000 + i), "172.18.0.3:3306");
    }
    traffic
}

fn odd_ends() -> Traffic {
    let mut traffic = Traffic::default();
    for i in 0..3 {
        let client = |port: u64| format!("172.18.0.5:{}", port + i);
        // Held until a restart.
        let mut held = traffic.line(i * MS, &client(20_000), "172.18.0.3:3306");
        held.closed_after(3 * SECOND);
        held.nanos = START + 25 * SECOND + i * MS;
        held.close();
        // Used after the FIN.
        let mut used = traffic.line(i * MS, &client(21_000), "172.18.0.4:8080");
        used.closed_after(5 * SECOND).wait(3 * SECOND).send(CLIENT, ACK, 30).send(SERVER, RST, 0);
        // Forgotten on the path.
        let mut dropped = traffic.line(i * MS, &client(22_000), "172.18.0.6:5432");
        dropped.wait(400 * SECOND).send(CLIENT, ACK, 30).send(SERVER, RST, 0);
    }
    // A FIN that nobody acknowledges.
    let mut last = traffic.line(0, "172.18.0.5:23000", "172.18.0.7:443");
    last.closed_after(60 * SECOND).wait(40 * SECOND);
    for _ in 0..4 {
        last.send(CLIENT, FIN | ACK, 0).wait(2 * SECOND);
        last.next[CLIENT] -= 1;
    }
    traffic
}

fn situations() -> Vec<Situation> {
    let mut server_side = Traffic::default();
    for i in 0..24 {
        let client = format!("203.0.113.{}:{}", i % 3 + 1, 40_000 + i);
        let mut line = server_side.line(i * 500 * MS, &client, "172.18.0.5:8080");
        line.wait(5 * SECOND).send(CLIENT, FIN | ACK, 0).send(SERVER, ACK, 0);
    }
    and_on_until(&mut server_side, 100);
    let many = |i: usize| format!("172.18.1.{}:3306", i % 39 + 1);
    let list = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
        CLOSE-WAIT 1 0 172.18.0.5:30000 172.18.0.3:3306 users:((\"orders\",pid=77,fd=5))\n\
        CLOSE-WAIT 1 0 172.18.0.5:30001 172.18.0.3:3306 users:((\"orders\",pid=77,fd=6))\n";
    vec![
        situation("one-leak", leaks(1, 90, mysql)),
        situation("five-thousand", leaks(5_000, 700, mysql)),
        situation("thirty-nine-groups", leaks(60, 90, many)),
        situation("server-side", server_side),
        situation("none", closed()),
        situation("nobody-closed", still_open()),
        situation("all-brief", leaks(5, 0, mysql)),
        Situation { certain: true, ..situation("certain-hides-all", leaks(1, 0, mysql)) },
        Situation { min_hold: 120, ..situation("pending", leaks(3, 90, mysql)) },
        Situation { local: Some("172.18.0.3"), ..situation("peer-holds", leaks(3, 90, mysql)) },
        Situation { local: None, ..situation("local-unknown", leaks(3, 90, mysql)) },
        Situation { list: Some(list), ..situation("stuck-before", closed()) },
        situation("odd-ends", odd_ends()),
        situation("nothing", Traffic::default()),
        Situation {
            capture: fs::read(project("fixtures/captures/reproduction/app.pcap")).expect("there"),
            ..situation("many-causes", Traffic::default())
        },
    ]
}

impl Situation {
    fn screen(&self, width: Option<usize>, lang: Lang) -> String {
        let name = format!("{}.pcap", self.name);
        fs::write(&name, &self.capture).expect("scratch");
        let sockets = self.list.map(|list| {
            fs::write("list", list).expect("scratch");
            saved::read(Path::new("list")).expect("a list")
        });
        let plan = Plan {
            inputs: vec![Input(PathBuf::from(&name))],
            policy: Policy {
                local: self.local.map(|local| local.parse().expect("an address")),
                certain: self.certain,
                min_hold: TimeDelta::seconds(self.min_hold),
                ..Policy::default()
            },
            sockets,
            ..Plan::default()
        };
        screen(plan, Screen { width, ascii: false, lang })
    }
}

/// The report of what was planned, as such a screen shows it.
fn screen(plan: Plan, screen: Screen) -> String {
    let look = TextLook {
        frames: false,
        zone: Zone::Utc,
        dates: false,
        top: None,
        all: false,
        explain: Some(String::new()),
        screen,
    };
    let mut out = Vec::new();
    run(plan, &mut Text::new(&mut out, look), &mut Nobody).expect("memory");
    without_styles(&String::from_utf8(out).expect("text"))
}

fn without_styles(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split('\u{1b}');
    plain.push_str(parts.next().unwrap_or_default());
    parts.for_each(|part| plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest)));
    plain
}

/// Situations that are shown in Chinese, too.
const IN_CHINESE: [&str; 5] = ["many-causes", "odd-ends", "all-brief", "server-side", "none"];

/// One test, since it changes its folder: names in a report are as they were given.
#[test]
fn the_first_screen_is_as_it_was_looked_at() {
    let scratch = Scratch::new();
    std::env::set_current_dir(scratch.path()).expect("a folder");
    let bless = std::env::var_os("CLOSEWAIT_BLESS").is_some();
    let mut wrong = Vec::new();
    let chinese = situations().into_iter().filter(|it| IN_CHINESE.contains(&it.name));
    let english = situations().into_iter().map(|it| (it, Lang::English, "fixtures/screens"));
    let chinese = chinese.map(|it| (it, Lang::Chinese, "fixtures/screens/zh"));
    for (situation, lang, folder) in english.chain(chinese) {
        let mut screens = String::new();
        for width in [Some(80), Some(110), Some(200), None] {
            let screen = situation.screen(width, lang);
            let (name, lines) = (situation.name, screen.lines().count());
            if lines > 23 {
                wrong.push(format!("{name} at {width:?}: {lines} lines"));
            }
            let widest = screen.lines().map(UnicodeWidthStr::width).max().unwrap_or(0);
            if width.is_some_and(|width| widest > width) {
                wrong.push(format!("{name} at {width:?}: {widest} columns"));
            }
            let title = width.map_or("in a pipe".into(), |width| format!("{width} columns"));
            screens += &format!("--- {title}\n{screen}");
        }
        let path = project(folder).join(format!("{}.txt", situation.name));
        if bless {
            fs::write(&path, &screens).expect("a writable fixture");
        }
        if fs::read_to_string(&path).unwrap_or_default() != screens {
            wrong.push(format!("{}\n{screens}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// However many captures there are, the answer stays on the screen; and it says which host holds how many.
#[test]
fn the_captures_of_many_hosts_leave_the_answer_on_the_screen() {
    let scratch = Scratch::new();
    let capture = |host: u64| {
        let mut traffic = Traffic::default();
        for i in 0..host {
            let client = format!("172.18.0.{host}:{}", 20_000 + i);
            let mut line = traffic.line(i * 100 * MS, &client, "172.18.0.3:3306");
            line.closed_after(30 * SECOND).wait(60 * SECOND).send(SERVER, ACK, 0);
        }
        Input(scratch.write(&format!("host-{host}.pcap"), &traffic.write()).into())
    };
    let plan = Plan { inputs: (5..9).map(capture).collect(), ..Plan::default() };
    let screen = narrow(plan);
    assert!(screen.lines().count() <= 23, "{screen}");
    assert!(screen.starts_with("26 of 26 connections in 4 captures"), "{screen}");
    let by_address =
        "By address: 8 at 172.18.0.8, 7 at 172.18.0.7, 6 at 172.18.0.6, 5 at 172.18.0.5.";
    assert!(screen.replace("\n    ", " ").contains(by_address), "{screen}");
    // Of the curves, that of the host that holds most.
    assert!(screen.contains("host-8.pcap") && screen.contains("… 3 more captures"), "{screen}");
}

/// Nor do sockets that were stuck before it leave the answer no room.
#[test]
fn many_that_were_stuck_before_leave_the_answer_on_the_screen() {
    let scratch = Scratch::new();
    let row = |n: usize| {
        let (peer, port) = (n % 5 + 3, 30_000 + n);
        format!(
            "CLOSE-WAIT 1 0 172.18.0.5:{port} 172.18.0.{peer}:3306 users:((\"orders\",pid=77,fd=5))\n"
        )
    };
    let rows: String = (0..20).map(row).collect();
    let list = format!("State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n{rows}");
    let list = scratch.write("list", list.as_bytes());
    let capture = leaks(5, 90, |n| format!("172.18.0.{}:5432", n % 3 + 3)).write();
    let plan = Plan {
        inputs: vec![Input(scratch.write("a-capture-with-a-longer-name.pcap", &capture).into())],
        sockets: Some(saved::read(Path::new(&list)).expect("a list")),
        ..Plan::default()
    };
    let screen = narrow(plan);
    assert!(screen.lines().count() <= 23, "{screen}");
    assert!(screen.starts_with("5 of 6 connections left in CLOSE-WAIT"), "{screen}");
    assert!(screen.contains("20 sockets in CLOSE-WAIT since before the capture"), "{screen}");
}

/// The screen of 80 columns.
fn narrow(plan: Plan) -> String {
    screen(plan, Screen { width: Some(80), ascii: false, lang: Lang::English })
}
