//! Suspects: live flows that are half-closed. Says when one is stuck, and when that ends after all.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use foldhash::fast::RandomState;

use super::board::Board;
use super::setup::LiveSetup;
use crate::capture::Error;
use crate::engine::shards::{Orders, Shards};
use crate::owner::SocketList;
use crate::owner::lookup::Question;
use crate::place::Time;
use crate::summary::gauges::Changes;
use crate::summary::{EventKind, Judged, Tally};
use crate::tcp::flow::{Ending, Flow, FlowId};
use crate::tcp::segment::FlowKey;
use crate::verdict::Verdict;

/// How often flows are checked.
const EVERY_NS: i64 = 500_000_000;

/// Remembers what was said.
pub struct Suspects {
    pub setup: LiveSetup,
    has_checked: bool,
    checked: Time,
    /// 4-tuples that may hold a half-closed flow, with their hashes.
    watched: HashMap<FlowKey, u64, RandomState>,
    known: BTreeMap<FlowId, Standing>,
    /// Those that were announced, by the labels that they are counted under.
    labels: BTreeMap<FlowId, [String; 2]>,
    /// What was announced, counted.
    pub changes: Changes,
    /// When the last were announced.
    lately: VecDeque<Time>,
}

/// A flow that makes a finding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The kernel is asked about it.
    Asked,
    Announced,
    /// The kernel knew better.
    Denied,
}

/// How long "lately" is.
const LATELY_NS: i64 = 60_000_000_000;

/// Something to say.
pub struct Event {
    pub kind: EventKind,
    pub judged: Judged,
    sockets: Option<Rc<SocketList>>,
}

impl Event {
    pub fn owner(&self) -> Option<&SocketList> {
        self.sockets.as_deref()
    }
}

impl Suspects {
    pub fn new(setup: LiveSetup) -> Suspects {
        Suspects {
            setup,
            has_checked: false,
            checked: Time::UNKNOWN,
            watched: HashMap::default(),
            known: BTreeMap::new(),
            labels: BTreeMap::new(),
            changes: Changes::default(),
            lately: VecDeque::new(),
        }
    }

    /// When the capture began, if this is the first check.
    pub fn take_first_check(&mut self) -> Option<Time> {
        (!std::mem::replace(&mut self.has_checked, true)).then_some(self.setup.began)
    }

    /// Takes the chance to check again, if it is time to.
    pub fn take_due(&mut self, now: Time) -> bool {
        let last = self.checked.max(self.setup.began);
        let due = now.since(last).is_some_and(|ns| ns >= EVERY_NS)
            || self.setup.kernel.as_mut().is_some_and(|kernel| kernel.poll(now))
            || self.setup.report.load(Ordering::Relaxed)
            || self.setup.board.as_ref().is_some_and(|board| board.is_wanted());
        if due {
            self.checked = now;
        }
        due
    }

    /// Ended because processes can no longer be named.
    pub fn is_nameless(&self) -> bool {
        self.setup.kernel.is_none() && self.setup.nameless.is_some()
    }

    /// Takes what is to be said of the kernel. A kernel that can no longer be asked is let go of.
    pub fn take_troubles(&mut self) -> Vec<Error> {
        let Some(kernel) = &mut self.setup.kernel else { return Vec::new() };
        let (troubles, can_be_asked) = kernel.take_troubles();
        if !can_be_asked {
            self.setup.kernel = None;
            if let Some(stop) = &self.setup.nameless {
                stop.store(true, Ordering::Relaxed);
            }
        }
        troubles
    }

    /// Where numbers go that somebody waits for.
    pub fn wants_numbers(&self) -> Option<Arc<Board>> {
        self.setup.board.clone().filter(|board| board.is_wanted())
    }

    /// Flows that are stuck now.
    pub fn stuck(&self) -> usize {
        self.known.values().filter(|standing| **standing == Standing::Announced).count()
    }

    /// How many became so within the last minute.
    pub fn stuck_lately(&mut self, now: Time) -> usize {
        while self.lately.front().is_some_and(|at| now.since(*at) >= Some(LATELY_NS)) {
            self.lately.pop_front();
        }
        self.lately.len()
    }

    /// Takes the wish of somebody who wants a report.
    pub fn take_report_wish(&self) -> bool {
        self.setup.report.swap(false, Ordering::Relaxed)
    }

    /// Has flows of these 4-tuples checked, as long as one is half-closed.
    pub fn watch(&mut self, fins: impl Iterator<Item = (u64, FlowKey)>) {
        self.watched.extend(fins.map(|(hash, key)| (key, hash)));
    }

    /// What has happened since the last check, in the order of first packets.
    pub fn check(&mut self, shards: &Shards, orders: &Orders) -> Vec<Event> {
        let word = self.heard();
        let mut events = Vec::new();
        let mut suspects = Vec::new();
        // Made anew, so that nothing is remembered of flows that have left memory.
        let before = std::mem::take(&mut self.known);
        let mut watched = std::mem::take(&mut self.watched);
        let is_half_closed = |flow: &Flow| matches!(flow.ending(), Ending::HalfClosed(_));
        let flows = watched
            .iter()
            .flat_map(|(key, hash)| shards.flows_of(*hash, key).map(move |flow| (key, flow)));
        for (key, flow) in flows {
            let first = flow.id();
            let half_closed = is_half_closed(flow);
            let known = before.get(&first).copied();
            let judged = || shards.judge((key, flow), orders);
            match (known, half_closed) {
                (None, false) | (Some(Standing::Asked | Standing::Denied), false) => {}
                (None, true) => {
                    let judged = judged();
                    if judged.judgement.finding {
                        suspects.push(judged);
                    }
                }
                (Some(Standing::Asked), true) if word.is_some() => {
                    let sockets = word.clone().flatten();
                    events.extend(self.decide(judged(), sockets));
                }
                (Some(standing), true) => {
                    self.known.insert(first, standing);
                }
                (Some(Standing::Announced), false) => {
                    let judged = judged();
                    let labels = self.labels.remove(&first).unwrap_or_default();
                    self.changes.end(labels, judged.judgement.verdict.name());
                    events.push(Event { kind: EventKind::Ended, judged, sockets: None });
                }
            }
        }
        watched.retain(|key, hash| shards.flows_of(*hash, key).any(is_half_closed));
        self.watched = watched;
        self.ask_about(suspects, orders.facts.end(), &mut events);
        // Nor of these.
        self.labels.retain(|id, _| self.known.contains_key(id));
        events.sort_by_key(|event| event.judged.id());
        events
    }

    /// The kernel's answer, if one has come: its list, if that may be seen.
    fn heard(&mut self) -> Option<Option<Rc<SocketList>>> {
        let kernel = self.setup.kernel.as_mut()?;
        kernel.has_answer().then(|| kernel.answer().map(Rc::new))
    }

    /// Asks the kernel about suspects, which has the last word about sockets of this host. While it is
    /// busy, they stay suspects; where it cannot be asked, they are announced at once.
    fn ask_about(&mut self, suspects: Vec<Judged>, now: Time, events: &mut Vec<Event>) {
        if let Some(kernel) = &mut self.setup.kernel {
            if !kernel.is_free() || suspects.is_empty() && !kernel.is_due(now) {
                return;
            }
            let mut question = Question::default();
            for (local, peer) in suspects.iter().filter_map(Judged::holder_and_closer) {
                question.ask_for(local, peer);
            }
            if kernel.ask(&question, now) {
                let asked = suspects.iter().map(Judged::id);
                self.known.extend(asked.map(|first| (first, Standing::Asked)));
                return;
            }
        }
        for judged in suspects {
            events.extend(self.decide(judged, None));
        }
    }

    /// Announces a flow, unless the kernel knows better.
    fn decide(&mut self, mut judged: Judged, sockets: Option<Rc<SocketList>>) -> Option<Event> {
        let word = sockets.as_ref().and_then(|sockets| word(&judged, sockets));
        let standing = if word == Some(false) { Standing::Denied } else { Standing::Announced };
        self.known.insert(judged.id(), standing);
        if word == Some(true) {
            judged.judgement = judged.judgement.confirm();
        }
        (standing == Standing::Announced && judged.judgement.finding).then(|| {
            let service = judged.endpoint(judged.service()).to_string();
            let process = sockets.as_ref().and_then(|sockets| process(&judged, sockets));
            let labels = self.changes.begin(service, process.unwrap_or_default());
            self.labels.insert(judged.id(), labels);
            self.lately.push_back(judged.end);
            Event { kind: EventKind::CloseWait, judged, sockets }
        })
    }
}

/// The name of who holds the holder's socket.
fn process(judged: &Judged, sockets: &SocketList) -> Option<String> {
    let (local, peer) = judged.holder_and_closer()?;
    Some(sockets.find(local, peer)?.holders.first()?.command.clone())
}

/// The kernel has the last word about findings at this host: it confirms them, or knows of a FIN that
/// was not captured.
pub fn heed(sockets: Option<&SocketList>, findings: &mut [Judged], tally: &mut Tally) {
    let Some(sockets) = sockets else { return };
    for judged in findings.iter_mut().filter(|judged| judged.judgement.verdict == Verdict::Leak) {
        match word(judged, sockets) {
            Some(true) => judged.judgement = judged.judgement.clone().confirm(),
            Some(false) => {
                tally.uncount(&judged.judgement);
                judged.judgement = judged.judgement.clone().deny();
                tally.count(&judged.judgement);
            }
            None => {}
        }
    }
}

/// Is the holder's socket in CLOSE-WAIT? `None` where it may be another host's.
fn word(judged: &Judged, sockets: &SocketList) -> Option<bool> {
    let (local, peer) = judged.holder_and_closer()?;
    match sockets.find(local, peer) {
        Some(socket) => Some(socket.is_stuck()),
        None => sockets.is_host(local.ip).then_some(false),
    }
}
