//! Who watches live flows: says when one is stuck, and when that ends after all.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use super::live::Vigil;
use super::shards::Judged;
use crate::owner::SocketList;
use crate::place::Time;
use crate::report::{EventKind, Tally};
use crate::table::Retired;
use crate::tcp::flow::{Ending, Flow, Side};
use crate::tcp::segment::FlowKey;
use crate::tcp::state::State;
use crate::verdict::local::Local;
use crate::verdict::{Policy, Tap, Verdict};

/// How often flows are looked at.
const EVERY_NS: i64 = 500_000_000;

/// Remembers what was said.
pub struct Sentry {
    vigil: Vigil,
    has_looked: bool,
    looked: Time,
    /// By the place of their first packet. True if it was announced, false if the kernel knew better.
    known: BTreeMap<u64, bool>,
    /// When the last were announced.
    lately: VecDeque<Time>,
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

impl Sentry {
    pub fn new(vigil: Vigil) -> Sentry {
        Sentry {
            vigil,
            has_looked: false,
            looked: Time::UNKNOWN,
            known: BTreeMap::new(),
            lately: VecDeque::new(),
        }
    }

    /// The kernel's list, if it may be seen.
    pub fn ask(&mut self) -> Option<SocketList> {
        (self.vigil.kernel)()
    }

    /// When the capture began, if this is the first look.
    pub fn first_look(&mut self) -> Option<Time> {
        (!std::mem::replace(&mut self.has_looked, true)).then_some(self.vigil.began)
    }

    /// Is it time to look again?
    pub fn is_due(&mut self, now: Time) -> bool {
        let last = self.looked.max(self.vigil.began);
        let due = now.since(last).is_some_and(|ns| ns >= EVERY_NS);
        if due {
            self.looked = now;
        }
        due
    }

    /// Flows that are stuck now.
    pub fn stuck(&self) -> usize {
        self.known.values().filter(|announced| **announced).count()
    }

    /// How many became so within the last minute.
    pub fn stuck_lately(&mut self, now: Time) -> usize {
        while self.lately.front().is_some_and(|at| now.since(*at) >= Some(LATELY_NS)) {
            self.lately.pop_front();
        }
        self.lately.len()
    }

    /// Somebody wants a report.
    pub fn is_report_wanted(&self) -> bool {
        self.vigil.report.swap(false, Ordering::Relaxed)
    }

    /// What has happened since the last look, in the order of first packets.
    pub fn look<'a>(
        &mut self,
        flows: impl Iterator<Item = (&'a FlowKey, &'a Flow)>,
        policy: &Policy,
        tap: &Tap,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let mut suspects = Vec::new();
        // Made anew, so that nothing is remembered of flows that have left memory.
        let before = std::mem::take(&mut self.known);
        for (key, flow) in flows {
            let first = flow.first.order();
            let half_closed = matches!(flow.ending(), Ending::HalfClosed(_));
            let known = before.get(&first).copied();
            match known {
                Some(announced) if half_closed => {
                    self.known.insert(first, announced);
                    continue;
                }
                None if !half_closed => continue,
                Some(_) | None => {}
            }
            let judged = Judged::new(Retired { key: *key, flow: flow.clone() }, policy, tap);
            if half_closed && judged.judgement.finding {
                suspects.push(judged);
            } else if known == Some(true) {
                events.push(Event { kind: EventKind::Ended, judged, sockets: None });
            }
        }
        self.confirm(suspects, &mut events);
        events.sort_by_key(|event| event.judged.retired.flow.first.order());
        events
    }

    /// Asks the kernel about suspects. It has the last word about sockets of this host.
    fn confirm(&mut self, suspects: Vec<Judged>, events: &mut Vec<Event>) {
        if suspects.is_empty() {
            return;
        }
        let sockets = self.ask().map(Rc::new);
        for mut judged in suspects {
            let word = sockets.as_ref().and_then(|sockets| word(&judged, sockets));
            let announce = word != Some(false);
            self.known.insert(judged.retired.flow.first.order(), announce);
            if word == Some(true) {
                judged.judgement = judged.judgement.confirm();
            }
            if announce {
                self.lately.push_back(judged.end);
                let sockets = sockets.clone();
                events.push(Event { kind: EventKind::CloseWait, judged, sockets });
            }
        }
    }
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
    let holder: Side = judged.judgement.holder?;
    let end = |side| judged.retired.key.endpoint(judged.retired.flow.end(side));
    match sockets.find(end(holder), end(holder.other())) {
        Some(socket) => Some(socket.state == State::CloseWait),
        None if judged.judgement.local == Local::Side(holder) => Some(false),
        None => None,
    }
}
