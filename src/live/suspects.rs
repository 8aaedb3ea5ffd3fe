//! Suspects: live flows that are half-closed. Says when one is stuck, and when that ends after all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::board::Board;
use super::parties::{Of, Parties};
use super::setup::LiveSetup;
use super::watched::{Watched, goes_on, has_ended, is_only_the_kernels, is_seen_first, is_used};
use super::word::{ask_for, process, usage};
use crate::capture::Error;
use crate::engine::orders::Orders;
use crate::engine::shards::Shards;
use crate::join::rewrites::Rewrites;
use crate::owner::SocketList;
use crate::owner::lookup::Question;
use crate::place::Time;
use crate::run::sights::learn_others;
use crate::run::word::{Made, held_after_all, is_of_before, may_be_asked, may_be_passed_on, word};
use crate::summary::gauges::Changes;
use crate::summary::growth::{Grown, Outlook};
use crate::summary::{EventKind, Judged};
use crate::tcp::flow::{Flow, FlowId};
use crate::tcp::segment::FlowKey;
use crate::verdict::{Doubt, Policy, Verdict};

/// Nanoseconds between two checks of the flows.
const EVERY_NS: i64 = 500_000_000;

/// Remembers what was said.
pub struct Suspects {
    pub setup: LiveSetup,
    has_checked: bool,
    /// The time of the last check that was due by itself, and not for an answer, a report or a scrape.
    checked: Time,
    /// The check under way is one of these: no other asks the kernel.
    may_ask: bool,
    /// Something else is to be asked first, as soon as the kernel is free.
    pub waits: bool,
    watched: Watched,
    known: BTreeMap<FlowId, Standing>,
    /// The times at which the kernel had announced flows in CLOSE-WAIT no more.
    gone: BTreeMap<FlowId, Time>,
    /// Labels and parties that the announced flows are counted under.
    counted: BTreeMap<FlowId, Counted>,
    /// Counts of announcements.
    pub changes: Changes,
    pub parties: Parties,
    /// Times of the latest announcements, oldest first.
    lately: VecDeque<Time>,
    /// The time at which the kernel was last asked again about some that it had confirmed.
    confirmed: Time,
    /// The capture has bare ACKs; and that has been learnt since the last check: the silence of a side tells more then.
    shows_bare_acks: bool,
    has_learnt: bool,
}

/// The ways in which an announced flow is counted.
struct Counted {
    /// The service and the process's name, for those who scrape numbers.
    labels: [String; 2],
    of: Of,
}

/// A flow that is held, or was when it was last looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// No finding yet.
    Held,
    /// The kernel is asked about it.
    Asked { announced: bool },
    /// It was said; whether the kernel had it then.
    Announced { at: Time, confirmed: bool },
    /// The kernel knew better then.
    Denied { at: Time },
    /// Packets ended it: the kernel is asked again.
    Ending { announced: bool },
    /// Packets ended it, and the kernel had it in CLOSE-WAIT then.
    Insisted { at: Time },
}

/// Nanoseconds after which the kernel is asked again where it does not agree with the packets.
const AGAIN_NS: i64 = 5_000_000_000;

/// Nanoseconds after which it is asked again about what it has confirmed, of so many at once: a look at who holds them
/// goes through all descriptors of the host.
const ONCE_MORE_NS: i64 = 60_000_000_000;
const AT_ONCE: usize = 4_096;

/// Flows that are fetched from memory while others are looked at.
const AHEAD: usize = 16;

/// Nanoseconds that count as "lately".
const LATELY_NS: i64 = 60_000_000_000;

/// Something to say.
pub struct LiveEvent {
    pub kind: EventKind,
    pub judged: Judged,
    /// The growth of those that it belongs to, where it is to be told.
    pub grown: Option<Grown>,
    sockets: Option<Rc<SocketList>>,
}

impl LiveEvent {
    pub fn owner(&self) -> Option<&SocketList> {
        self.sockets.as_deref()
    }
}

/// One look at all flows that are watched, and what comes of it.
struct Look<'a> {
    orders: &'a Orders,
    before: Option<&'a SocketList>,
    /// The kernel has answered, and its list, if that may be seen.
    heard: bool,
    sockets: Option<Rc<SocketList>>,
    may_ask: bool,
    may_ask_again: bool,
    /// Flows that the kernel is to be asked about, and those that it has confirmed before.
    suspects: Vec<Judged>,
    again: Vec<Judged>,
    events: Vec<LiveEvent>,
}

impl Suspects {
    pub fn new(setup: LiveSetup) -> Suspects {
        Suspects {
            setup,
            has_checked: false,
            checked: Time::UNKNOWN,
            may_ask: true,
            waits: false,
            watched: Watched::default(),
            known: BTreeMap::new(),
            gone: BTreeMap::new(),
            counted: BTreeMap::new(),
            changes: Changes::default(),
            parties: Parties::default(),
            lately: VecDeque::new(),
            confirmed: Time::UNKNOWN,
            shows_bare_acks: false,
            has_learnt: false,
        }
    }

    /// Returns the time the capture began, if this is the first check.
    pub fn take_first_check(&mut self) -> Option<Time> {
        (!std::mem::replace(&mut self.has_checked, true)).then_some(self.setup.began)
    }

    /// Takes the chance to check again, if it is time to.
    pub fn take_due(&mut self, now: Time) -> bool {
        let last = self.checked.max(self.setup.began);
        self.may_ask = now.since(last).is_some_and(|ns| ns >= EVERY_NS);
        if self.may_ask {
            self.checked = now;
        }
        self.may_ask
            || self.setup.kernel.as_mut().is_some_and(|kernel| kernel.poll(now))
            || self.setup.report.load(Ordering::Relaxed)
            || self.setup.board.as_ref().is_some_and(|board| board.is_wanted())
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

    /// Returns the place for numbers, if somebody waits for them there.
    pub fn wants_numbers(&self) -> Option<Arc<Board>> {
        self.setup.board.clone().filter(|board| board.is_wanted())
    }

    /// Flows that are stuck now.
    pub fn stuck(&self) -> usize {
        let is_stuck = |standing: &&Standing| {
            use Standing::{Announced, Asked, Ending, Insisted};
            let is_asked =
                matches!(standing, Asked { announced: true } | Ending { announced: true });
            is_asked || matches!(standing, Announced { .. } | Insisted { .. })
        };
        self.known.values().filter(is_stuck).count()
    }

    /// Counts the connections that got stuck in the minute before `now`.
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
    pub fn watch(&mut self, half_closed: impl Iterator<Item = (u64, FlowKey)>) {
        self.watched.extend(half_closed.map(|(hash, key)| (key, hash)));
    }

    /// Has a flow checked that is open as far as packets tell, and that the kernel has in CLOSE-WAIT.
    pub fn watch_open(&mut self, hash: u64, key: FlowKey, flow: FlowId) {
        self.watched.insert(key, hash);
        self.known.entry(flow).or_insert(Standing::Held);
    }

    /// Flows that packets ended, and that the kernel has in CLOSE-WAIT or is asked about.
    pub fn held(&self) -> impl Iterator<Item = FlowId> {
        let is_held = |standing: &Standing| {
            matches!(standing, Standing::Ending { .. } | Standing::Insisted { .. })
        };
        self.known.iter().filter(move |(_, standing)| is_held(standing)).map(|(id, _)| *id)
    }

    /// Flows that packets leave in CLOSE-WAIT, and the kernel does not.
    pub fn denied(&self) -> BTreeSet<FlowId> {
        let is_denied = |standing: &Standing| matches!(standing, Standing::Denied { .. });
        self.known.iter().filter(|(_, it)| is_denied(it)).map(|(id, _)| *id).collect()
    }

    /// The time at which a flow that was announced was known to be held no more, where the kernel says now that it is not.
    pub fn held_until(&mut self, judged: &Judged) -> Option<Time> {
        let is_new = self.is_announced(judged);
        let id = judged.id();
        is_new.then(|| *self.gone.entry(id).or_insert(judged.end)).or(self.gone.get(&id).copied())
    }

    /// Returns the events since the last check, in the order of first packets. What was stuck `before` is told from that
    /// list.
    pub fn check(
        &mut self,
        shards: &Shards,
        rewrites: &Rewrites,
        orders: &Orders,
        before: Option<&SocketList>,
    ) -> Vec<LiveEvent> {
        let (heard, sockets) = self.heard();
        let now = orders.facts.end();
        let shows_bare_acks = orders.facts.shows_bare_acks();
        let showed = std::mem::replace(&mut self.shows_bare_acks, shows_bare_acks);
        self.has_learnt = showed != shows_bare_acks;
        let may_ask = self.may_ask || self.setup.kernel.is_none();
        let may_ask_again = may_ask && now.since(self.confirmed).is_none_or(|ns| ns >= AGAIN_NS);
        let mut look = Look {
            orders,
            before,
            heard,
            sockets,
            may_ask,
            may_ask_again,
            suspects: Vec::new(),
            again: Vec::new(),
            events: Vec::new(),
        };
        self.look_at_all(shards, rewrites, &mut look);
        let mut events = self.ask_about(look);
        // Nor of these.
        self.counted.retain(|id, _| self.known.contains_key(id));
        self.gone.retain(|id, _| self.known.contains_key(id));
        events.sort_by_key(|event| event.judged.id());
        events.iter_mut().for_each(|event| event.grown = self.grown(event));
        events
    }

    /// Looks at all flows of the 4-tuples that are watched. What is remembered is made anew, so that nothing is of flows
    /// that have left memory, or are of no interest any more.
    fn look_at_all(&mut self, shards: &Shards, rewrites: &Rewrites, look: &mut Look) {
        let known_before = std::mem::take(&mut self.known);
        let watched = std::mem::take(&mut self.watched);
        // They lie anywhere in memory.
        let mut coming = watched.values();
        coming.by_ref().take(AHEAD).for_each(|hash| shards.prefetch_flow(*hash));
        for (key, hash) in &watched {
            coming.next().into_iter().for_each(|hash| shards.prefetch_flow(*hash));
            for flow in shards.flows_of(*hash, key) {
                let local = look.orders.policy.local.as_ref();
                if is_seen_first(key, &flow, &watched, shards, rewrites, local) {
                    let known = known_before.get(&flow.id()).copied();
                    let orders = look.orders;
                    let judged = || {
                        let mut judged = shards.judge(*hash, *key, &flow, orders);
                        learn_others(&mut judged, rewrites);
                        judged
                    };
                    let step = self.next(known, &flow, orders.facts.end(), look.heard);
                    self.go(step, flow.id(), known, judged, look);
                }
                if flow.may_be_half_closed() || self.known.contains_key(&flow.id()) {
                    self.watched.insert(*key, *hash);
                }
            }
        }
    }

    /// Goes a step with a flow.
    fn go(
        &mut self,
        step: Step,
        id: FlowId,
        known: Option<Standing>,
        judged: impl FnOnce() -> Judged,
        look: &mut Look,
    ) {
        let policy = &look.orders.policy;
        match step {
            Step::Forget => {}
            Step::Keep(standing) => {
                self.known.insert(id, standing);
            }
            Step::AskAgain => {
                self.known.extend(known.map(|standing| (id, standing)));
                if look.may_ask_again && look.again.len() < AT_ONCE {
                    look.again.push(judged());
                }
            }
            Step::Ask(known) => {
                self.known.extend(known.map(|standing| (id, standing)));
                let one = look.may_ask.then(judged);
                let is_of_before =
                    |one: &Judged| look.before.is_some_and(|it| is_of_before(one, it));
                let one = one.filter(|one| !is_of_before(one));
                look.suspects.extend(one.filter(|one| look.orders.seeks(one) == Some(true)));
            }
            Step::LookAgain { at, confirmed } => {
                let one = judged();
                let (is_none, at) = match confirmed {
                    true => (one.judgement.verdict == Verdict::HalfClosed, at),
                    false => (!one.judgement.finding, one.end),
                };
                let still = Standing::Announced { at, confirmed };
                self.known.insert(id, if is_none { Standing::Held } else { still });
                // With `--certain`, what the kernel does not know was not told.
                if is_none && self.counted.contains_key(&id) {
                    look.events.push(self.end(one));
                }
            }
            Step::Decide { announced } => {
                look.events.extend(self.decide(judged(), look.sockets.clone(), announced, policy));
            }
            Step::Insist { announced } => {
                look.events.extend(self.insist(judged(), look.sockets.clone(), announced, policy));
            }
        }
    }

    /// The growth of those that an event belongs to, where it makes their number a power of two.
    fn grown(&mut self, event: &LiveEvent) -> Option<Grown> {
        let LiveEvent { judged, sockets, .. } = event;
        let is_begun = event.kind == EventKind::CloseWait;
        let of = self.counted.get(&judged.id()).filter(|_| is_begun)?.of;
        let (count, per_minute) = self.parties.begin(of, judged.end)?;
        let usage = sockets.as_ref().and_then(|sockets| usage(judged, sockets));
        let outlook = usage.map(|usage| Outlook::new(usage, per_minute, judged.end));
        Some(Grown { count, per_minute, outlook })
    }

    /// Decides what becomes of a flow with a FIN.
    fn next(&self, known: Option<Standing>, flow: &Flow, now: Time, heard: bool) -> Step {
        use Standing::{Announced, Asked, Denied, Ending, Held, Insisted};
        let is_due = |at: Time| now.since(at).is_none_or(|ns| ns >= AGAIN_NS);
        let is_old = |at: Time| now.since(at).is_none_or(|ns| ns >= ONCE_MORE_NS);
        match (known, flow.may_be_half_closed()) {
            (Some(Ending { announced }), _) if heard => Step::Insist { announced },
            (Some(Asked { announced }), true) if heard => Step::Decide { announced },
            (Some(standing @ (Asked { .. } | Ending { .. })), _) if !heard => Step::Keep(standing),
            (None | Some(Denied { .. }), false) => Step::Forget,
            (Some(Denied { at }), true) if is_due(at) => Step::Ask(known),
            (Some(Insisted { at }), false) if is_due(at) => Step::Ask(known),
            (Some(Announced { at, confirmed: true }), true) if is_old(at) => Step::AskAgain,
            (Some(Announced { at, confirmed }), true)
                if is_used(flow)
                    || !confirmed && (goes_on(flow, at) || is_old(at) || self.has_learnt) =>
            {
                Step::LookAgain { at, confirmed }
            }
            (Some(Insisted { at }), true) => Step::Keep(Announced { at, confirmed: true }),
            (None | Some(Held), true) => Step::Ask(Some(Held)),
            (Some(Held | Announced { .. } | Asked { .. }), false) => Step::Ask(known),
            (Some(standing), _) => Step::Keep(standing),
        }
    }

    /// Has the kernel answered? And its list, if that may be seen.
    fn heard(&mut self) -> (bool, Option<Rc<SocketList>>) {
        match self.setup.kernel.as_mut() {
            Some(kernel) if kernel.has_answer() => (true, kernel.answer().map(Rc::new)),
            _ => (false, None),
        }
    }

    /// Asks the kernel about suspects, which has the last word about sockets of this host. While it is
    /// busy, they stay suspects; where it cannot be asked, what packets say is told at once. Each answer
    /// has all flows checked: a question on each answer would have that done a hundred times a second.
    fn ask_about(&mut self, look: Look) -> Vec<LiveEvent> {
        let Look { orders, mut events, .. } = look;
        let now = orders.facts.end();
        if !look.again.is_empty() {
            self.confirmed = now;
        }
        let flows = look.suspects.into_iter().chain(look.again);
        let can_be_asked = self.setup.kernel.is_some();
        let is_suspect = |judged: &Judged| {
            judged.judgement.finding || has_ended(judged) || can_be_asked && may_be_asked(judged)
        };
        let suspects: Vec<Judged> = flows.filter(is_suspect).collect();
        if let Some(kernel) = &mut self.setup.kernel {
            let is_idle = suspects.is_empty() && !kernel.is_due(now);
            if !self.may_ask || self.waits || !kernel.is_free() || is_idle {
                return events;
            }
            let mut question = Question::default();
            suspects.iter().for_each(|judged| ask_for(&mut question, judged));
            // It did not have them: they may be redirected to others.
            let is_denied = |judged: &Judged| {
                matches!(self.known.get(&judged.id()), Some(Standing::Denied { .. }))
            };
            question.stuck = suspects.iter().any(is_denied);
            if kernel.ask(&question, now) {
                suspects.iter().for_each(|judged| self.asked(judged));
                return events;
            }
        }
        for judged in suspects {
            let announced = self.is_announced(&judged);
            if is_only_the_kernels(&judged) {
                self.known.remove(&judged.id());
                events.extend(self.insist(judged, None, announced, &orders.policy));
            } else {
                events.extend(self.decide(judged, None, announced, &orders.policy));
            }
        }
        events
    }

    fn asked(&mut self, judged: &Judged) {
        let announced = self.is_announced(judged);
        let standing = match is_only_the_kernels(judged) {
            true => Standing::Ending { announced },
            false => Standing::Asked { announced },
        };
        self.known.insert(judged.id(), standing);
    }

    fn is_announced(&self, judged: &Judged) -> bool {
        let standing = self.known.get(&judged.id());
        use Standing::{Announced, Asked, Insisted};
        matches!(standing, Some(Announced { .. } | Insisted { .. } | Asked { announced: true }))
    }

    /// Announces a flow, unless the kernel knows better; and tells its end where it did not at first.
    fn decide(
        &mut self,
        mut judged: Judged,
        sockets: Option<Rc<SocketList>>,
        announced: bool,
        policy: &Policy,
    ) -> Option<LiveEvent> {
        let (at, id) = (judged.end, judged.id());
        let word = sockets.as_ref().and_then(|sockets| word(&judged, sockets));
        if word == Some(false) {
            self.known.insert(id, Standing::Denied { at });
            if announced {
                self.gone.entry(id).or_insert(at);
            }
            judged.judgement = judged.judgement.deny();
            return announced.then(|| self.end(judged));
        }
        self.gone.remove(&id);
        self.known.insert(id, Standing::Announced { at, confirmed: word == Some(true) });
        if word == Some(true) {
            judged.judgement = judged.judgement.confirm();
        } else if sockets.as_ref().is_some_and(|sockets| may_be_passed_on(&judged, sockets)) {
            judged.judgement = judged.judgement.doubted(Doubt::RemoteTap, true, policy.certain);
        }
        (judged.judgement.finding && !announced).then(|| self.announce(judged, sockets))
    }

    fn announce(&mut self, judged: Judged, sockets: Option<Rc<SocketList>>) -> LiveEvent {
        let service = judged.endpoint(judged.service());
        let process = sockets.as_ref().and_then(|sockets| process(&judged, sockets));
        let command = process.map_or(String::new(), |process| process.command.clone());
        let labels = self.changes.begin(service.to_string(), command);
        let of = (service, process.map(|process| process.pid));
        self.counted.insert(judged.id(), Counted { labels, of });
        self.lately.push_back(judged.end);
        LiveEvent { kind: EventKind::CloseWait, judged, grown: None, sockets }
    }

    fn end(&mut self, judged: Judged) -> LiveEvent {
        let counted = self.counted.remove(&judged.id());
        let labels = counted.map(|Counted { labels, of }| {
            self.parties.end(of);
            labels
        });
        self.changes.end(labels.unwrap_or_default(), judged.judgement.verdict.name());
        LiveEvent { kind: EventKind::Ended, judged, grown: None, sockets: None }
    }

    /// Tells the end of a flow that packets ended, unless the kernel has it in CLOSE-WAIT still.
    fn insist(
        &mut self,
        mut judged: Judged,
        sockets: Option<Rc<SocketList>>,
        announced: bool,
        policy: &Policy,
    ) -> Option<LiveEvent> {
        let held =
            sockets.as_ref().and_then(|list| held_after_all(&judged, list, policy, Made::Now));
        if held.as_ref().is_some_and(|held| held.verdict == Verdict::Pending) {
            // An answer to a keep-alive makes no old one new.
            let at = judged.end;
            let standing = if announced { Standing::Insisted { at } } else { Standing::Held };
            self.known.insert(judged.id(), standing);
            return None;
        }
        let Some(held) = held.filter(|held| held.finding) else {
            let at = judged.end;
            // By now packets may tell: then it is asked about as any other.
            let standing =
                if may_be_asked(&judged) { Standing::Denied { at } } else { Standing::Held };
            self.known.extend((!has_ended(&judged)).then_some((judged.id(), standing)));
            return announced.then(|| self.end(judged));
        };
        self.known.insert(judged.id(), Standing::Insisted { at: judged.end });
        judged.judgement = held;
        (!announced).then(|| self.announce(judged, sockets))
    }
}

/// A decision on a flow.
enum Step {
    Forget,
    Keep(Standing),
    /// The kernel is asked; what it is until then.
    Ask(Option<Standing>),
    /// It is asked once more about what it has confirmed.
    AskAgain,
    /// It was announced, and then used: it is no finding as long as it is. Or, where the kernel has not confirmed it, more
    /// packets came, which may show that it is none: that its FIN has never arrived, say.
    LookAgain {
        at: Time,
        confirmed: bool,
    },
    /// The kernel has answered about a suspect.
    Decide {
        announced: bool,
    },
    /// It has answered about one that packets ended.
    Insist {
        announced: bool,
    },
}
