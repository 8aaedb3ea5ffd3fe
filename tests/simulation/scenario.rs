//! A run as a scenario, so that it can be saved and looked at.

use std::fmt::Write;

use closewait::tcp::segment::{Flags, Way};
use closewait::verdict::Verdict;

use crate::plan::{LOCAL, PEER};
use crate::run::Run;
use crate::socket::Packet;
use crate::truth::Truth;

const NAMES: [&str; 2] = ["local", "peer"];

pub fn of(run: &Run) -> String {
    let mut text = format!("# Seed {} of the simulation.\n", run.seed);
    let link = if run.tap.tells_way { "   link sll" } else { "" };
    let _ = writeln!(text, "given    local = 172.18.0.5:38822   peer = 172.18.0.3:3306{link}");
    text.push_str("options  --local 172.18.0.5\n\n");
    rows(run, &mut text);
    truths(run, &mut text);
    for flow in &run.flows {
        let j = &flow.judgement;
        let doubts: Vec<&str> = j.doubts.iter().map(|doubt| doubt.name()).collect();
        let _ = write!(text, "verdict  {}", j.verdict.name());
        if let Verdict::Unknown(reason) = j.verdict {
            let _ = write!(text, "   reason {}", reason.name());
        }
        if !doubts.is_empty() {
            let _ = write!(text, "   doubts {}", doubts.join(","));
        }
        if let Some(held) = j.held {
            let millis = held.num_microseconds().unwrap_or(0) as f64 / 1e3;
            let _ = write!(text, "   held {}s", millis.round() / 1e3);
        }
        let _ = writeln!(text, "   # connection {}", flow.conn);
    }
    text
}

fn rows(run: &Run, text: &mut String) {
    let mut before = 0;
    let mut seen = run.capture.seen.iter().peekable();
    for passed in &run.world.passed {
        let same = |packet: &Packet| key(packet) == key(&passed.packet);
        let mut times = 0;
        while let Some(shown) = seen.next_if(|s| s.at == passed.at && same(&s.packet)) {
            let way = match shown.way {
                Some(Way::In) => "   in",
                Some(Way::Out) => "   out",
                None => "",
            };
            let _ = writeln!(text, "{}{way}", row(run, passed.at - before, &passed.packet));
            before = passed.at;
            times += 1;
        }
        if times == 0 {
            let _ = writeln!(
                text,
                "# not captured, {:.6}: {}",
                passed.at as f64 / 1e6,
                row(run, 0, &passed.packet)
            );
        }
    }
    let _ = writeln!(text, "{:<12}(end of capture)\n", since(run.plan.end - before));
}

fn key(packet: &Packet) -> (usize, u8, u32, u32, u32) {
    (packet.from, packet.flags, packet.seq.0, packet.ack.0, packet.len)
}

fn since(micros: u64) -> String {
    format!("+{:.6}", micros as f64 / 1e6)
}

/// All numbers count from the first connection's, as the notation knows only one.
fn row(run: &Run, micros: u64, packet: &Packet) -> String {
    let isn = run.plan.connections[0].isn;
    let ahead = |number: u32, side: usize| i64::from(number.wrapping_sub(isn[side]) as i32);
    let seq = ahead(packet.seq.0, packet.from);
    let ack = match packet.has(Flags::ACK) {
        true => format!("   ack {}", ahead(packet.ack.0, 1 - packet.from)),
        false => String::new(),
    };
    let (from, to) = (NAMES[packet.from], NAMES[1 - packet.from]);
    let (flags, len) = (letters(packet), packet.len);
    let end = seq + i64::from(len);
    let scale = if packet.has(Flags::SYN) && run.tap.whole_packets { "   wscale 0" } else { "" };
    let damaged = if packet.damaged && run.tap.whole_packets { "   damaged" } else { "" };
    let rest = format!("{ack}   win {}{scale}{damaged}", packet.window);
    format!("{:<12}{from:<5} > {to:<5}  {flags:<3}  {seq}:{end}({len}){rest}", since(micros))
}

fn letters(packet: &Packet) -> String {
    let all = [(Flags::FIN, 'F'), (Flags::SYN, 'S'), (Flags::RST, 'R'), (Flags::ACK, '.')];
    all.into_iter().filter(|(flag, _)| packet.has(*flag)).map(|(_, letter)| letter).collect()
}

fn truths(run: &Run, text: &mut String) {
    let _ = writeln!(text, "# tap: {:?}", run.tap);
    for conn in 0..run.plan.connections.len() {
        let truth = Truth::of(&run.world, conn);
        let at =
            |time: Option<u64>| time.map_or("never".into(), |t| format!("{:.6}", t as f64 / 1e6));
        for (host, state) in [(LOCAL, truth.local), (PEER, truth.peer)] {
            let life = &truth.lives[host];
            let _ = writeln!(
                text,
                "# truth of connection {conn}: {} is {state:?}, sent FIN {}, received FIN {}, wrote after it {}",
                NAMES[host],
                at(life.fin_sent),
                at(life.fin_received),
                at(life.used_after_fin),
            );
        }
    }
}
