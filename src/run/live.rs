//! The loop where packets come as they happen: now and then all flows are looked at, and what has
//! happened to them is told.

use std::io;

use super::crew::Crew;
pub use super::kernel::{IsCaptured, Kernel};
use super::point::CapturePoint;
use super::sentry::{Sentry, heed};
use super::shards::Turns;
pub use super::vigil::Vigil;
use super::{Outcome, Plan, Run, Watch, as_row};
use crate::capture::{About, Source};
use crate::owner::SocketList;
use crate::owner::lookup::Question;
use crate::place::Time;
use crate::summary::{Judged, Sink};
use crate::tcp::segment::End;

/// A live capture at a glance.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    pub packets: u64,
    pub flows: usize,
    /// In CLOSE-WAIT for as long as makes a finding.
    pub stuck: usize,
    /// How many became so within the last minute.
    pub stuck_lately: usize,
    pub drops: u64,
}

/// Watches a source that goes on until it is told to stop: events as they happen, the report in the
/// end.
pub fn live(
    plan: Plan,
    name: String,
    source: &mut impl Source,
    vigil: Vigil,
    render: &mut dyn Sink,
    watch: &mut dyn Watch,
) -> io::Result<Outcome> {
    Crew::with(plan.threads.get() - 1, |crew| {
        let mut run = Run::new(plan, render, crew);
        run.begin_live(name, source, vigil);
        if let Err(error) = run.frames(source, watch)? {
            run.failed = true;
            watch.trouble(&error);
        }
        run.look(source.about(), watch)?;
        watch.make_room();
        let failed = run.failed;
        let findings = run.finish()?;
        Ok(Outcome { findings, failed })
    })
}

impl Run<'_> {
    /// A live capture has one point, and no file.
    fn begin_live(&mut self, name: String, source: &impl Source, vigil: Vigil) {
        self.totals.files.push(name);
        let mut point = CapturePoint::new(self.max_flows, Turns::Short, &self.reading.ports);
        point.totals.files.push(0);
        point.fins = Some(Vec::new());
        point.facts_mut().about(source.about());
        self.points.push(point);
        let mut sentry = Sentry::new(vigil);
        self.sockets = sentry.vigil.before.take();
        self.sentry = Some(sentry);
    }

    /// The kernel's list, if it may be seen: what is stuck, and the sockets of these flows.
    fn ask(&mut self, flows: &[Judged]) -> Option<SocketList> {
        let kernel = self.sentry.as_mut()?.vigil.kernel.as_mut()?;
        let mut question = Question::default();
        for (local, peer) in flows.iter().filter_map(Judged::holder_and_closer) {
            question.ask_for(local, peer);
        }
        kernel.all_stuck(question)
    }

    /// At the first look: what was stuck before, but for sockets that became so between the first
    /// packet and the kernel's answer.
    fn tell_before(&mut self, began: Time) -> io::Result<()> {
        let Some(sockets) = &mut self.sockets else { return Ok(()) };
        for (key, flow) in self.points[self.current].shards.flows() {
            if flow.first_fin().is_some() {
                sockets.mark_captured(key.endpoint(End::Lower), key.endpoint(End::Upper));
            }
        }
        for socket in sockets.stuck_before() {
            self.render.event_before(socket, began)?;
        }
        Ok(())
    }

    /// In the end, the kernel's list as it is then, which has the last word about findings: of the
    /// sockets that were stuck before, those that still are.
    pub(super) fn ask_again(&mut self, kept: &mut [Judged]) {
        let Some(now) = self.ask(kept) else { return };
        heed(Some(&now), kept, &mut self.totals.tally);
        if let Some(before) = &mut self.sockets {
            before.renew(now);
        }
    }

    /// Has all flows take in what was seen, and tells what has happened to them.
    pub(super) fn look(&mut self, about: &About, watch: &mut dyn Watch) -> io::Result<()> {
        let point = self.point();
        point.facts_mut().about(about);
        self.turn(self.current, false)?;
        self.end_turn(self.current)?;
        if let Some(began) = self.sentry.as_mut().and_then(Sentry::first_look) {
            watch.make_room();
            self.tell_before(began)?;
        }
        if let Some(kernel) = self.sentry.as_ref().and_then(|sentry| sentry.vigil.kernel.as_ref()) {
            self.points[self.current].facts_mut().at_addresses(&kernel.addresses);
        }
        let turn = self.as_turn(self.current, false);
        let point = &mut self.points[self.current];
        let Some(sentry) = &mut self.sentry else { return Ok(()) };
        sentry.watch(point.fins.iter_mut().flat_map(|fins| fins.drain(..)));
        let events = sentry.look(&point.shards, &turn);
        if let Some(kernel) = &mut sentry.vigil.kernel {
            let (troubles, can_be_asked) = kernel.take_troubles();
            troubles.iter().for_each(|trouble| watch.trouble(trouble));
            if !can_be_asked {
                sentry.vigil.kernel = None;
            }
        }
        if !events.is_empty() {
            watch.make_room();
        }
        for event in &events {
            let row = as_row(&event.judged, &self.totals.files, event.owner(), &self.told);
            self.render.event(event.kind, &row)?;
        }
        watch.status(&Status {
            packets: point.facts().packets(),
            flows: point.shards.len(),
            stuck: sentry.stuck(),
            stuck_lately: sentry.stuck_lately(point.facts().end()),
            drops: about.drops,
        });
        if let Some(board) = sentry.wants_numbers() {
            board.put(self.gauges());
        }
        if self.sentry.as_ref().is_some_and(Sentry::is_report_wanted) {
            watch.make_room();
            self.report_now()?;
        }
        Ok(())
    }

    /// The report as if the capture ended here; nothing ends.
    fn report_now(&mut self) -> io::Result<()> {
        let point = &self.points[self.current];
        let mut totals = self.totals.clone();
        point.add_to(&mut totals);
        let mut kept = self.kept.clone();
        let turn = self.as_turn(self.current, false);
        for flow in point.shards.flows() {
            let judged = point.shards.judge(flow, &turn);
            totals.tally.count(&judged.judgement);
            if judged.judgement.is_notable() {
                kept.push(judged);
            }
        }
        kept.sort_by_key(|kept| kept.id());
        let sockets = self.ask(&kept);
        heed(sockets.as_ref(), &mut kept, &mut totals.tally);
        for judged in &kept {
            self.render.row(&as_row(judged, &totals.files, sockets.as_ref(), &self.told))?;
        }
        let before = self.sockets.iter().flat_map(SocketList::stuck_before);
        for socket in before.filter(|socket| sockets.as_ref().is_some_and(|now| now.holds(socket)))
        {
            totals.stuck_before += 1;
            self.render.stuck_before(socket)?;
        }
        self.render.end(&totals)
    }

    pub(super) fn is_time_to_look(&mut self) -> bool {
        let now = self.points[self.current].facts().end();
        self.sentry.as_mut().is_some_and(|sentry| sentry.is_due(now))
    }
}
