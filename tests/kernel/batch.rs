//! One seed: a network, its programs, its captures, and the kernel's word at the end of each.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::network::{MIDDLE, Network};
use crate::prng::Prng;
use crate::programs::{self, Hosts};
use crate::script::{END, Script};
use crate::states::{Change, Trace};
use crate::taps::{Capture, Kind, Stand, Tap};
use crate::truth::{CLOSE_WAIT, Pair, Sockets, Truth, sockets};

pub struct Batch {
    pub seed: u64,
    pub script: Script,
    pub folder: PathBuf,
    pub captures: Vec<Capture>,
    /// By host; nothing where nobody traces.
    changes: Option<[Vec<Change>; 2]>,
}

/// A packet may wait in tcpdump's buffer for a second, and one that still does at the end is lost: for so long before the end of
/// a capture, the kernel is asked a first time.
const LAST_LOOK: u64 = 1_600;

/// What is done from outside.
#[derive(Clone, Copy)]
enum Deed {
    BeginLate,
    LookBeforeCut,
    Cut,
    Stall,
    GoOn,
    TakeDown(usize),
    Kill(usize, usize),
}

impl Batch {
    pub fn run(seed: u64, folder: &Path, trace: Option<&Trace>) -> Batch {
        let mut prng = Prng::new(seed);
        let script = Script::any(&mut prng);
        let network = Network::new(seed, &script.settings);
        let since = programs::now() as f64 / 1e3;
        let _path = programs::path(&network, script.hops, seed, folder);
        let mut stage = Stage::new(&network, &script, folder);
        let hosts = programs::hosts(&network, &script, folder);
        for (at, deed) in deeds(&script) {
            sleep_until(hosts.epoch + at);
            stage.act(deed, &hosts);
        }
        sleep_until(hosts.epoch + END);
        hosts.programs.iter().flatten().for_each(|program| program.signal(Signal::STOP));
        let captures = stage.end();
        let changes = trace.map(|trace| [0, 1].map(|host| trace.of(network.inode(host), since)));
        drop(hosts);
        Batch { seed, script, folder: folder.into(), captures, changes }
    }

    /// How the kernel's states of a connection changed, for the reader.
    pub fn history(&self, host: usize, pair: &Pair) -> String {
        let Some(changes) = &self.changes else { return "not traced".into() };
        let of_pair = changes[host].iter().filter(|change| change.is_of(pair));
        let words: Vec<String> =
            of_pair.map(|change| format!("{:.3} {}", change.at % 1_000.0, change.to)).collect();
        words.join(", ")
    }

    /// How many of the connections in CLOSE-WAIT at the end came there last by the trace, and how many there are.
    pub fn traced(&self) -> Option<(u64, u64)> {
        let changes = self.changes.as_ref()?;
        let whole = self.captures.iter().find(|capture| capture.kind == Kind::Whole)?;
        let mut traced = (0, 0);
        for host in [0, 1] {
            for pair in whole.truth[host].in_close_wait() {
                let last = changes[host].iter().rfind(|change| change.is_of(pair));
                traced.0 += u64::from(last.is_some_and(|change| change.to == CLOSE_WAIT));
                traced.1 += 1;
            }
        }
        Some(traced)
    }
}

fn sleep_until(millis: u64) {
    thread::sleep(Duration::from_millis(millis.saturating_sub(programs::now())));
}

fn deeds(script: &Script) -> Vec<(u64, Deed)> {
    let mut deeds = vec![
        (script.late, Deed::BeginLate),
        (script.cut - LAST_LOOK, Deed::LookBeforeCut),
        (script.cut, Deed::Cut),
        (script.stalled.0, Deed::Stall),
        (script.stalled.1, Deed::GoOn),
    ];
    deeds.extend(script.down.map(|(at, host)| (at, Deed::TakeDown(host))));
    deeds.extend(script.kill.map(|(at, host, program)| (at, Deed::Kill(host, program))));
    deeds.sort_by_key(|(at, _)| *at);
    deeds
}

/// The captures while they run.
struct Stage<'a> {
    network: &'a Network,
    script: &'a Script,
    folder: &'a Path,
    taps: Vec<Tap>,
    before_cut: [Sockets; 2],
    captures: Vec<Capture>,
}

impl<'a> Stage<'a> {
    fn new(network: &'a Network, script: &'a Script, folder: &'a Path) -> Stage<'a> {
        let mut stage = Stage {
            network,
            script,
            folder,
            taps: Vec::new(),
            before_cut: Default::default(),
            captures: Vec::new(),
        };
        for host in [0, 1] {
            for kind in [Kind::Whole, Kind::Cut, Kind::Ring, Kind::Flags] {
                stage.tap(host, kind);
            }
        }
        let inside = network.on_path("tcpdump");
        stage.taps.push(Tap::start(inside, MIDDLE[0], Stand::Between, Kind::Whole, folder));
        stage.taps.iter().for_each(Tap::wait_until_it_listens);
        stage
    }

    fn tap(&mut self, host: usize, kind: Kind) {
        let device = if self.script.on_any[host] { "any" } else { "eth0" };
        let inside = self.network.on(host, "tcpdump");
        self.taps.push(Tap::start(inside, device, Stand::Host(host), kind, self.folder));
    }

    fn of_kind(&mut self, kind: Kind) -> impl Iterator<Item = &mut Tap> {
        self.taps.iter_mut().filter(move |tap| tap.kind == kind)
    }

    fn look(&self) -> [Sockets; 2] {
        [0, 1].map(|host| sockets(self.network, host))
    }

    fn act(&mut self, deed: Deed, hosts: &Hosts) {
        match deed {
            Deed::BeginLate => [0, 1].into_iter().for_each(|host| self.tap(host, Kind::Late)),
            Deed::LookBeforeCut => self.before_cut = self.look(),
            Deed::Cut => self.cut(),
            Deed::Stall => self.of_kind(Kind::Ring).for_each(|tap| tap.signal(Signal::STOP)),
            Deed::GoOn => self.of_kind(Kind::Ring).for_each(|tap| tap.signal(Signal::CONT)),
            Deed::TakeDown(host) => self.network.take_down(host),
            Deed::Kill(host, program) => hosts.programs[host][program].signal(Signal::KILL),
        }
    }

    fn cut(&mut self) {
        self.of_kind(Kind::Cut).for_each(Tap::stop);
        let before = self.before_cut.clone();
        self.captured(|tap| tap.kind == Kind::Cut, before);
    }

    /// Nothing is done any more by any program, and soon nothing happens.
    fn end(mut self) -> Vec<Capture> {
        let before = self.look();
        thread::sleep(Duration::from_millis(LAST_LOOK));
        self.taps.iter_mut().for_each(Tap::stop);
        self.captured(|_| true, before);
        self.captures
    }

    /// The taps that were stopped become captures.
    fn captured(&mut self, which: impl Fn(&Tap) -> bool, before: [Sockets; 2]) {
        let after = self.look();
        let [before_a, before_b] = before;
        let [after_a, after_b] = after;
        let truth = [
            Truth { before: before_a, after: after_a },
            Truth { before: before_b, after: after_b },
        ];
        let (ended, running) = std::mem::take(&mut self.taps).into_iter().partition(which);
        self.taps = running;
        let ended: Vec<Tap> = ended;
        self.captures.extend(ended.into_iter().map(|tap| tap.into_capture(truth.clone())));
    }
}
