//! Packets as they happen: now and then all suspects are checked, and what has happened to them is
//! told; the report comes in the end, or when somebody asks for it.
//!
//! * `suspects`: which flows are half-closed, and what was said of them; `watched`: what packets tell of them
//! * [`kernel`]: who is asked about their sockets
//! * `holders`: who held what was told, for when the kernel has it no more
//! * `places`: whose packets the interfaces show that are captured on
//! * `parties`: how fast they become more
//! * `word`: what it is asked about them
//! * [`snapshot`]: the capture at one moment, for whoever shows it
//! * [`replay`]: files in the place of packets as they happen
//! * [`scrape`]: its numbers for Prometheus, over HTTP
//! * [`setup`]: what a live run needs beside a plan
//! * `unseen`: sockets that only the kernel knows of, as none of their packets was captured

pub mod board;
mod holders;
pub mod kernel;
mod parties;
mod places;
pub mod replay;
pub mod scrape;
pub mod setup;
pub mod snapshot;
mod suspects;
mod unseen;
mod visitor;
mod watched;
mod word;

use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

use chrono::TimeDelta;

use crate::capture::{About, Frame, Source};
use crate::code::note::Note;
use crate::engine::crew::Crew;
use crate::engine::shards::Pace;
use crate::owner::lookup::Question;
use crate::owner::{Socket, SocketList};
use crate::place::Time;
use crate::run::Plan;
use crate::run::follow::{Followed, Mode, follow};
use crate::run::notices::{Notices, Outcome, Status};
use crate::run::rows::as_row;
use crate::run::session::{Session, Stopped};
use crate::run::unread::{Unread, sealed};
use crate::run::word::{is_of_local, shows_no_end, verdict_of};
use crate::summary::gauges::Gauges;
use crate::summary::{EventKind, Judged, Owner, Row, Sink};
use crate::tcp::flow::{Ending, Flow};
use crate::tcp::segment::{End, FlowKey};
use crate::tcp::state::State;
use crate::verdict::{Policy, Verdict};
use holders::Holders;
use kernel::Kernel;
use parties::Of;
pub use setup::LiveSetup;
use snapshot::Snapshot;
use suspects::Suspects;
use unseen::{Ends, Last, but_for, mark_unseen, unseen};
use word::{ask_for, heed};

/// Watches a source that goes on until it is told to stop: events as they happen, the report in the
/// end.
///
/// # Errors
///
/// Errors of the sink end the run and are returned. What is wrong with the source goes to
/// `notices`, and into the outcome.
pub fn live(
    plan: Plan,
    name: String,
    source: &mut impl Source,
    setup: LiveSetup,
    sink: &mut dyn Sink,
    notices: &mut dyn Notices,
) -> io::Result<Outcome> {
    Crew::with(plan.threads.get() - 1, |crew| {
        let mut session = Session::new(plan, sink, crew);
        let mut live = Live::begin(&mut session, name.clone(), source, setup);
        let Followed { all_well, is_whole } = match follow(&mut session, &mut live, source, notices)
        {
            Ok(followed) => followed,
            Err(Stopped::Output(error)) => return Err(error),
            Err(Stopped::Input(error)) => {
                notices.trouble(&error);
                Followed { all_well: false, is_whole: !error.trouble.leaves_unread() }
            }
        };
        live.check(&mut session, source, notices)?;
        live.holders.hand_over(&mut session.named);
        let last = live.ask_about_lost(&mut session);
        notices.make_room();
        session.totals.unread = u64::from(!is_whole);
        let until = session.point().facts().end();
        session.settle()?;
        let unread = Unread::of(&session.totals).since(&Unread::default(), &name);
        let unread: Vec<_> = unread.into_iter().chain(sealed(&session.totals)).collect();
        unread.iter().for_each(|error| notices.trouble(error));
        let failed = !all_well || !unread.is_empty() || live.suspects.is_nameless();
        live.ask_again(&mut session, until, last);
        live.suspects.take_troubles().iter().for_each(|trouble| notices.trouble(trouble));
        Outcome::of(session, failed)
    })
}

/// A capture that goes on.
struct Live {
    suspects: Suspects,
    /// Events of the code behind sockets that did not arrive, where it is watched.
    code_lost: Option<u64>,
    /// The time at which those that were stuck before are looked at again.
    again: Time,
    /// The time at which the list of them was made.
    listed: Time,
    /// Ends of those of them that have not been held for long enough to be told, and those that were told.
    young: Vec<Ends>,
    told: Vec<Socket>,
    holders: Holders,
}

/// Nanoseconds between two looks at what was stuck before.
const AGAIN_NS: i64 = 15_000_000_000;

/// Nanoseconds after which a scrape brings the next of them forward.
const SCRAPED_NS: i64 = 1_000_000_000;

/// Nanoseconds more for each of them, of which a look takes a fiftieth.
const EACH_NS: i64 = 1_000_000;

impl<S: Source> Mode<S> for Live {
    fn frame(&mut self, session: &mut Session, frame: &Frame) -> io::Result<()> {
        session.take(frame)
    }

    fn ready(&mut self, session: &mut Session, source: &mut S) -> io::Result<u64> {
        session.take_usual(source)
    }

    fn between(
        &mut self,
        session: &mut Session,
        source: &mut S,
        notices: &mut dyn Notices,
    ) -> io::Result<()> {
        let now = session.point().facts().end();
        if self.suspects.take_due(now) {
            self.check(session, source, notices)?;
        }
        Ok(())
    }
}

impl Live {
    /// A live capture has one point, and no file.
    fn begin(
        session: &mut Session,
        name: String,
        source: &impl Source,
        mut setup: LiveSetup,
    ) -> Live {
        session.totals.files.push(name);
        let mut point = session.new_point(Pace::Live);
        point.totals.files.push(0);
        point.facts_mut().about(source.about());
        session.points.push(point);
        session.plan.sockets = setup.before.take();
        let (again, listed) = (Time::UNKNOWN, setup.began);
        Live {
            suspects: Suspects::new(setup),
            code_lost: None,
            again,
            listed,
            young: Vec::new(),
            told: Vec::new(),
            holders: Holders::default(),
        }
    }

    /// Has all flows take in what was seen, and tells what has happened to them.
    fn check(
        &mut self,
        session: &mut Session,
        source: &mut impl Source,
        notices: &mut dyn Notices,
    ) -> io::Result<()> {
        catch_up(session, source.about())?;
        self.tell_before(session, notices)?;
        self.look_again(session, notices)?;
        self.tell_events(session, source, notices)?;
        self.tell_status(session, notices);
        self.answer(session, notices)
    }

    /// At the first check: what was stuck before, but for sockets that became so between the first
    /// packet and the kernel's answer.
    fn tell_before(&mut self, session: &mut Session, notices: &mut dyn Notices) -> io::Result<()> {
        let Some(began) = self.suspects.take_first_check() else { return Ok(()) };
        notices.make_room();
        let Some(mut sockets) = session.plan.sockets.take() else { return Ok(()) };
        for (key, flow) in session.point().shards.flows() {
            if flow.first_fin().is_some() {
                let others = session.point().rewrites.other(&key);
                [Some(key), others].into_iter().flatten().for_each(|key| {
                    sockets.mark_captured(key.endpoint(End::Lower), key.endpoint(End::Upper));
                });
            }
        }
        let policy = session.policy();
        let old = self.ripe(sockets.stuck_before(), policy);
        self.again = session.point().facts().end().after(self.pause(policy.min_hold, old.len()));
        let old: Vec<Socket> = old.into_iter().cloned().collect();
        session.plan.sockets = Some(sockets);
        self.announce(session, old, began)
    }

    /// Sockets of the local side that have been held for long enough to be told; the others, and what is in use, are kept
    /// in mind.
    fn ripe<'s>(
        &mut self,
        stuck: impl Iterator<Item = &'s Socket>,
        policy: &Policy,
    ) -> Vec<&'s Socket> {
        let (ripe, young): (Vec<_>, Vec<_>) = stuck
            .filter(|socket| is_of_local(socket, policy))
            .partition(|socket| verdict_of(socket, policy) == Verdict::Leak);
        self.young = young.into_iter().map(|socket| (socket.local, socket.peer)).collect();
        ripe
    }

    /// Nanoseconds until what was stuck before is looked at again: the more there are, the longer a look takes.
    fn pause(&self, min_hold: TimeDelta, stuck: usize) -> i64 {
        let usual = AGAIN_NS.max(EACH_NS.saturating_mul(stuck as i64));
        let least = min_hold.num_nanoseconds().filter(|_| !self.young.is_empty());
        least.map_or(usual, |least| least.min(usual))
    }

    /// Tells whether somebody waits for numbers, and the list that they are of is not of just now: the more it has, the
    /// older it may be.
    fn is_scraped(&self, session: &Session, now: Time) -> bool {
        let age = now.since(self.listed).filter(|_| self.suspects.wants_numbers().is_some());
        age.is_some_and(|age| {
            let stuck = session.plan.sockets.iter().flat_map(SocketList::stuck_before).count();
            age >= SCRAPED_NS.max(EACH_NS.saturating_mul(stuck as i64))
        })
    }

    /// Asks the kernel again about what was stuck before: whether it still is, and for long enough by now; and where
    /// packets may hide it, what has become so unseen.
    fn look_again(&mut self, session: &mut Session, notices: &mut dyn Notices) -> io::Result<()> {
        let now = session.point().facts().end();
        let before = session.plan.sockets.as_ref();
        let is_any = before.is_some_and(|before| before.stuck_before().next().is_some());
        let is_due = now >= self.again || self.is_scraped(session, now);
        if !is_due || !is_any && !self.may_hide(session) {
            return Ok(());
        }
        // Where it is busy, it is asked for this next.
        self.suspects.waits = self.suspects.setup.kernel.as_ref().is_some_and(|it| !it.is_free());
        if self.suspects.waits {
            return Ok(());
        }
        self.again = now.after(AGAIN_NS);
        let Some(list) = self.ask(&[]) else { return Ok(()) };
        if self.may_hide(session) {
            self.watch_open(session, &list);
        }
        let mut unseen = self.unseen(session, &list);
        if !unseen.is_empty() {
            unseen = but_for(unseen, &list, &self.snapshot(session).rows);
        }
        self.renew(session, list, now);
        mark_unseen(session, &unseen);
        let (told, young) = (&self.told, std::mem::take(&mut self.young));
        let is_told = |ends: &Ends| told.iter().any(|told| (told.local, told.peer) == *ends);
        let unseen = unseen.into_iter().filter(|ends| !is_told(ends));
        let young: BTreeSet<Ends> = young.into_iter().chain(unseen).collect();
        let Some(before) = &session.plan.sockets else { return Ok(()) };
        let policy = &session.plan.policy;
        let still = young.iter().filter_map(|(own, peer)| before.find(*own, *peer));
        // Packets of what was unseen may have come since: then they tell.
        let old = self.ripe(still.filter(|socket| before.is_stuck_before(socket)), policy);
        let old: Vec<Socket> = old.into_iter().cloned().collect();
        // Another socket may have the same ends by now.
        let now_of = |told: &Socket| {
            let now = before.find(told.local, told.peer).filter(|now| now.is_stuck());
            now.filter(|now| now.inode == told.inode)
        };
        let is_left = |told: &mut Socket| {
            now_of(told).is_some_and(|now| !now.is_in_use(policy.half_close_quiet))
        };
        let ended = self.told.extract_if(.., |told| !is_left(told));
        let ended: Vec<Socket> = ended
            .map(|told| now_of(&told).cloned().unwrap_or(Socket { state: State::Closed, ..told }))
            .collect();
        let in_use = ended.iter().filter(|socket| socket.is_stuck());
        self.young.extend(in_use.map(|socket| (socket.local, socket.peer)));
        let stuck = before.stuck_before().count();
        self.again = now.after(self.pause(policy.min_hold, stuck));
        if !old.is_empty() || !ended.is_empty() {
            notices.make_room();
        }
        for socket in ended {
            self.suspects.parties.end(party(&socket));
            session.sink.event_before(EventKind::Ended, &socket, now)?;
        }
        self.announce(session, old, now)
    }

    /// Tells whether packets were lost that may have been a FIN.
    fn has_lost(&self, session: &Session) -> bool {
        session.point().facts().drops() > 0
    }

    /// Tells whether packets may show a connection as open whose peer has closed: as that was lost, is none of TCP, or is
    /// what an expression leaves out (`dst port 3306`).
    fn may_hide(&self, session: &Session) -> bool {
        let is_filtered = self.suspects.setup.kernel.as_ref().is_some_and(Kernel::is_filtered);
        is_filtered || self.has_lost(session) || session.point().is_multipath
    }

    /// Has connections looked at whose socket a list has in CLOSE-WAIT, though their packets show no FIN, or no more than a
    /// SYN. Returns whether there are any.
    fn watch_open(&mut self, session: &mut Session, list: &SocketList) -> bool {
        let mut is_any = false;
        for socket in list.stuck() {
            let (key, _) = FlowKey::new(socket.local, socket.peer);
            let hash = session.decoder.hash_of(&key);
            let mut flows = session.point().shards.flows_of(hash, &key);
            let shows_no_end = |flow: &Flow| {
                matches!(flow.ending(), Ending::Open | Ending::Attempt) && !flow.is_superseded()
            };
            let open = flows.find(|flow| shows_no_end(flow)).map(|flow| flow.id());
            drop(flows);
            if let Some(id) = open {
                self.suspects.watch_open(hash, key, id);
                session.held.insert(id);
                is_any = true;
            }
        }
        is_any
    }

    /// Ends of sockets of which no packet was captured, where some may have been lost or left out.
    fn unseen(&self, session: &Session, list: &SocketList) -> Vec<Ends> {
        if self.may_hide(session) { unseen(session, list) } else { Vec::new() }
    }

    /// In the end, where packets were lost, or tell of no end: the kernel's last word is asked for while connections that
    /// are open as far as packets tell are still in memory, and those that it has in CLOSE-WAIT wait for it.
    fn ask_about_lost(&mut self, session: &mut Session) -> Option<Last> {
        if !self.may_hide(session) {
            // What its peer says may pass another interface.
            let list = self.ask(&[])?;
            if !self.watch_open(session, &list) {
                return None;
            }
        }
        let list = self.ask(&self.snapshot(session).rows);
        if let Some(list) = &list {
            self.watch_open(session, list);
        }
        let unseen = list.as_ref().map(|list| self.unseen(session, list)).unwrap_or_default();
        Some(Last { list, unseen })
    }

    /// Tells sockets that were stuck before the capture.
    fn announce(&mut self, session: &mut Session, stuck: Vec<Socket>, at: Time) -> io::Result<()> {
        for socket in stuck {
            self.suspects.parties.begin(party(&socket), at);
            session.sink.event_before(EventKind::CloseWait, &socket, at)?;
            self.told.push(socket);
        }
        Ok(())
    }

    /// Has a list that was made now learn from that before.
    fn go_on(&self, session: &Session, list: Option<&mut SocketList>, now: Time) {
        if let (Some(list), Some(before)) = (list, &session.plan.sockets) {
            list.go_on(before, self.since_listed(now));
        }
    }

    fn since_listed(&self, now: Time) -> TimeDelta {
        now.since(self.listed).map_or(TimeDelta::zero(), TimeDelta::nanoseconds)
    }

    /// Puts a list that was made now in the place of that before.
    fn renew(&mut self, session: &mut Session, list: SocketList, now: Time) {
        let after = self.since_listed(now);
        self.listed = now;
        if let Some(before) = &mut session.plan.sockets {
            before.renew(list, after);
        }
    }

    fn tell_events(
        &mut self,
        session: &mut Session,
        source: &mut impl Source,
        notices: &mut dyn Notices,
    ) -> io::Result<()> {
        if let Some(kernel) = &self.suspects.setup.kernel {
            session.point_mut().facts_mut().at_addresses(&kernel.addresses);
        }
        let orders = session.orders(session.current(), false);
        let point = session.point_mut();
        self.suspects.watch(point.shards.take_half_closed());
        let (point, before) = (session.point(), session.plan.sockets.as_ref());
        let events = self.suspects.check(&point.shards, &point.rewrites, &orders, before);
        session.held = self.suspects.held().collect();
        self.suspects.take_troubles().iter().for_each(|trouble| notices.trouble(trouble));
        if !events.is_empty() {
            notices.make_room();
        }
        for event in &events {
            let row = as_row(&event.judged, &session.totals.files, event.owner(), &session.named);
            session.sink.event(event.kind, &row, event.grown.as_ref())?;
            // Beside the packets, where they are kept: whoever reads them later cannot ask.
            note(&row).and_then(|note| note.comment()).iter().for_each(|text| source.comment(text));
            self.holders.take(event.kind, &row, session.plan.max_flows);
        }
        Ok(())
    }

    fn tell_status(&mut self, session: &Session, notices: &mut dyn Notices) {
        let point = session.point();
        notices.status(&Status {
            packets: point.facts().packets(),
            flows: point.shards.flow_count(),
            stuck: self.suspects.stuck(),
            stuck_lately: self.suspects.stuck_lately(point.facts().end()),
            before: self.told.len(),
            drops: point.facts().drops(),
        });
    }

    /// Gives numbers, or a report, to whoever waits for them.
    fn answer(&mut self, session: &mut Session, notices: &mut dyn Notices) -> io::Result<()> {
        if let Some(board) = self.suspects.wants_numbers() {
            let begun = Instant::now();
            let gauges = self.snapshot(session).gauges;
            let gauges = Gauges { changes: self.suspects.changes.clone(), ..gauges };
            board.put(gauges, begun.elapsed());
        }
        if self.suspects.take_report_wish() {
            notices.make_room();
            self.report_now(session)?;
        }
        Ok(())
    }

    fn snapshot(&self, session: &Session) -> Snapshot {
        Snapshot::of(session, self.suspects.stuck(), &self.suspects.denied())
    }

    /// The report as if the capture ended here; nothing ends.
    fn report_now(&mut self, session: &mut Session) -> io::Result<()> {
        let mut snapshot = self.snapshot(session);
        let mut sockets = self.ask(&snapshot.rows);
        self.go_on(session, sockets.as_mut(), session.point().facts().end());
        if let Some(sockets) = &sockets {
            let (before, totals) = (session.plan.sockets.as_ref(), &mut snapshot.totals);
            let held_until = |judged: &Judged| self.suspects.held_until(judged);
            heed(sockets, before, &mut snapshot.rows, totals, session.policy(), held_until);
        }
        snapshot.totals.code_lost = self.code_lost;
        report(session, snapshot, sockets.as_ref())
    }

    /// In the end, the kernel's list as it is then, which has the last word about findings: of the
    /// sockets that were stuck before, those that still are.
    fn ask_again(&mut self, session: &mut Session, until: Time, last: Option<Last>) {
        let last = last.unwrap_or_else(|| Last::of(self.ask(&session.kept)));
        let unseen = last.unseen_but_for(&session.kept);
        let mut now = last.list;
        self.go_on(session, now.as_mut(), until);
        if let Some(now) = &now {
            let (before, totals) = (session.plan.sockets.as_ref(), &mut session.totals);
            let held_until = |judged: &Judged| self.suspects.held_until(judged);
            heed(now, before, &mut session.kept, totals, &session.plan.policy, held_until);
        }
        match now {
            Some(now) => {
                self.renew(session, now, until);
                mark_unseen(session, &unseen);
            }
            None => session.plan.sockets.iter_mut().for_each(|before| before.is_outdated = true),
        }
        session.totals.code_lost = self.code_lost;
        let all = session.plan.all;
        session.kept.retain(|judged| all || judged.judgement.is_notable());
    }

    /// The kernel's list, if it may be seen: what is stuck, and the sockets of these flows.
    fn ask(&mut self, flows: &[Judged]) -> Option<SocketList> {
        let kernel = self.suspects.setup.kernel.as_mut()?;
        let mut question = Question::default();
        // Of what shows no end it has those that are stuck in any case.
        let flows = flows.iter().filter(|judged| !shows_no_end(judged));
        flows.for_each(|judged| ask_for(&mut question, judged));
        let sockets = kernel.all_stuck(question);
        self.code_lost = kernel.code_lost;
        sockets
    }
}

/// The service of a socket, and the process that holds it. Where no packets tell who opened a connection, the service is
/// at the lower port.
fn party(socket: &Socket) -> Of {
    let service = if socket.local.port < socket.peer.port { socket.local } else { socket.peer };
    (service, socket.holders.first().map(|holder| holder.pid))
}

/// The code that used a connection's socket, where that is known.
fn note(row: &Row) -> Option<Note> {
    let (Owner::Listed(socket), judged) = (row.owner, row.judged) else { return None };
    let (code, holder) = (socket.code.as_deref()?.clone(), judged.judgement.holder?);
    let [local, peer] = [holder, holder.other()].map(|side| judged.endpoint(side));
    let process = socket.holders.first().map(|held| (held.pid, held.command.clone()));
    Some(Note { local, peer, process, code })
}

/// Reports what a capture is at one moment, with the sockets that the kernel has then.
fn report(
    session: &mut Session,
    snapshot: Snapshot,
    sockets: Option<&SocketList>,
) -> io::Result<()> {
    let Snapshot { mut totals, mut rows, before, .. } = snapshot;
    totals.is_listed = sockets.is_some();
    rows.retain(|judged| judged.judgement.is_notable());
    // As they are now: they have been held longer since.
    totals.stuck_before = 0;
    for judged in &rows {
        session.sink.row(&as_row(judged, &totals.files, sockets, &session.named))?;
    }
    for socket in &before {
        let now = sockets.and_then(|now| now.find(socket.local, socket.peer));
        if let Some(socket) = now.filter(|socket| socket.is_stuck()) {
            totals.stuck_before += 1;
            session.sink.stuck_before(socket)?;
        }
    }
    if let Some(now) = sockets {
        session.sink.usage(&now.usage)?;
    }
    session.sink.end(&totals)
}

/// Has all flows take in what was seen.
fn catch_up(session: &mut Session, about: &About) -> io::Result<()> {
    session.point_mut().facts_mut().about(about);
    let point = session.current();
    session.begin_round(point, false)?;
    session.end_round(point)
}
