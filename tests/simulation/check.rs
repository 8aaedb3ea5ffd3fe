//! What must hold of a run, and what is only counted.

use std::collections::BTreeMap;
use std::fmt;

use closewait::tcp::segment::Flags;
use closewait::tcp::seq::Seq;
use closewait::verdict::{Doubt, Reason, Verdict};

use crate::plan::LOCAL;
use crate::run::{Judged, Run};
use crate::socket::Packet;
use crate::tap::Stand;
use crate::truth::Truth;

/// Right and all.
type Share = (u64, u64);

#[derive(Default)]
pub struct Statistics {
    pub seeds: u64,
    flows: u64,
    /// Verdicts that are the truth, where nothing was missed.
    agreed: Share,
    /// Flows whose last word was lost before the tap: nobody standing there could tell.
    word_lost: u64,
    /// Flows of captures with a FIN or RST by damage that know no checksums.
    damage_unknown: u64,
    leaks: Share,
    /// Flows of which a number was damaged, and nothing came after it that would tell: unknown, or in doubt.
    untold: u64,
    /// Leaks without doubts.
    sure: Share,
    /// Wrong ones among them, by why nobody could know better.
    wrong: BTreeMap<&'static str, u64>,
    doubts: BTreeMap<&'static str, Share>,
}

/// Why a run is not as it must be.
pub type Failure = String;

pub fn check(run: &Run, into: &mut Statistics) -> Result<(), Failure> {
    into.seeds += 1;
    let truths: Vec<Truth> =
        (0..run.plan.connections.len()).map(|conn| Truth::of(&run.world, conn)).collect();
    let told_exactly = run.tap.is_complete();
    if told_exactly && !damage_is_unknown(run) {
        flows_are_connections(run)?;
    }
    for (index, flow) in run.flows.iter().enumerate() {
        let truth = &truths[flow.conn];
        into.flows += 1;
        // What came past the tap is told of both sockets of a connection that was accepted again.
        let is_second = run.flows[..index].iter().any(|before| before.conn == flow.conn);
        let is_mixed = is_second && run.world.was_accepted_again(flow.conn);
        if told_exactly && !flow.begun_by_damage && !is_mixed {
            verdict_is_truth(run, flow, truth, into)?;
        }
        if flow.judgement.verdict == Verdict::Leak {
            leak(run, flow, truth, into)?;
        }
        if flow.judgement.doubts.contains(&Doubt::FinImplied) {
            count(into.doubts.entry("fin-implied").or_default(), !truth.is_close_wait());
        }
        held_is_a_lower_bound(run, flow, truth)?;
    }
    Ok(())
}

fn count(share: &mut Share, right: bool) {
    share.0 += u64::from(right);
    share.1 += 1;
}

/// Each connection of which a packet was seen is one flow.
fn flows_are_connections(run: &Run) -> Result<(), Failure> {
    let is_clear =
        |conn: &usize| run.flows.iter().all(|flow| flow.conn != *conn || !flow.begun_by_damage);
    let seen = run.capture.seen.iter().map(|seen| seen.packet);
    let seen = seen.filter(|packet| !packet.damaged).map(|packet| packet.conn);
    let mut seen: Vec<usize> = seen.filter(is_clear).collect();
    seen.sort_unstable();
    seen.dedup();
    let mut told: Vec<usize> = run.flows.iter().map(|flow| flow.conn).filter(is_clear).collect();
    told.sort_unstable();
    // A SYN that comes late, when its connection has ended, makes a second socket: that may be a flow of its own.
    told.dedup_by(|one, other| one == other && run.world.was_accepted_again(*one));
    if seen == told { Ok(()) } else { Err(format!("connections {seen:?}, flows of {told:?}")) }
}

fn verdict_is_truth(
    run: &Run,
    flow: &Judged,
    truth: &Truth,
    into: &mut Statistics,
) -> Result<(), Failure> {
    if truth.word_lost {
        into.word_lost += 1;
        return Ok(());
    }
    if damage_is_unknown(run) {
        into.damage_unknown += 1;
        return Ok(());
    }
    if flow.judgement.verdict == Verdict::Unknown(Reason::Reused) {
        return match truth.holds() {
            false => Ok(()),
            true => Err(format!("connection {}: it is said to have ended", flow.conn)),
        };
    }
    let wanted = truth.verdicts(run.tap.stand, run.plan.end);
    let got = flow.judgement.verdict.name();
    let right = wanted.contains(&got);
    let is_stray = wanted == ["attempt"] && got == "open" && has_stray_answer(run);
    let by_damage = is_rst_behind_damage(run, flow) || is_denied_by_damage(run, flow);
    if !right && (is_untold(run, flow) || by_damage || is_stray) {
        into.untold += 1;
        return Ok(());
    }
    count(&mut into.agreed, right);
    if right {
        return Ok(());
    }
    Err(format!("connection {}: {got}, but the truth is {}", flow.conn, wanted.join(" or ")))
}

fn leak(run: &Run, flow: &Judged, truth: &Truth, into: &mut Statistics) -> Result<(), Failure> {
    let right = truth.is_close_wait();
    count(&mut into.leaks, right);
    for doubt in flow.judgement.doubts.iter() {
        count(into.doubts.entry(doubt.name()).or_default(), right);
    }
    if !flow.judgement.doubts.is_empty() {
        return Ok(());
    }
    count(&mut into.sure, right);
    if right {
        return Ok(());
    }
    let Some(excuse) = excuse(run, truth) else {
        return Err(format!("connection {}: a leak without doubts, which is none", flow.conn));
    };
    if std::env::var_os("CLOSEWAIT_WRONG").is_some() {
        println!("{excuse}\n{}", crate::scenario::of(run));
    }
    *into.wrong.entry(excuse).or_default() += 1;
    Ok(())
}

/// Why a leak without doubts may be wrong.
fn excuse(run: &Run, truth: &Truth) -> Option<&'static str> {
    if truth.word_lost {
        Some("lost before the tap")
    } else if truth.fin_waits && (run.tap.stand != Stand::AtLocal || truth.passed.damaged) {
        // Only there it shows which ACKs have arrived, if none is damaged.
        Some("waits for what was lost behind the tap")
    } else if damage_is_unknown(run) {
        Some("damaged, and no checksum known")
    } else if run.capture.missed > 0 && !run.tap.counts && !run.tap.shows_holes() {
        Some("missed and not counted")
    } else if !run.tap.is_complete() && is_held_by_another(run) {
        Some("another connection's: the first packet captured was a late one of this")
    } else {
        None
    }
}

/// Local holds a connection of the 4-tuple.
fn is_held_by_another(run: &Run) -> bool {
    let mut all = 0..run.plan.connections.len();
    all.any(|conn| Truth::of(&run.world, conn).is_close_wait())
}

/// A FIN or RST was damaged, or came to be by damage, and nothing in the capture says so.
fn damage_is_unknown(run: &Run) -> bool {
    let says_end = |packet: &Packet| packet.has(Flags::FIN | Flags::RST) && packet.damaged;
    !run.tap.whole_packets && run.capture.seen.iter().any(|seen| says_end(&seen.packet))
}

/// A number of the flow was damaged, and the answer says that it may be wrong.
fn is_untold(run: &Run, flow: &Judged) -> bool {
    let Judged { conn, judgement, .. } = flow;
    let mut seen = run.capture.seen.iter().map(|seen| &seen.packet);
    let renumbered = seen.any(|packet| packet.conn == *conn && packet.renumbered);
    let careful = matches!(judgement.verdict, Verdict::Unknown(_)) || !judgement.doubts.is_empty();
    renumbered && careful
}

/// A segment acknowledges what nobody sent, for a bit of it flipped: of a later SYN of the 4-tuple it shows an answer, though
/// none that is accepted.
fn has_stray_answer(run: &Run) -> bool {
    run.capture.seen.iter().any(|seen| seen.packet.has(Flags::ACK) && seen.packet.renumbered)
}

/// A RST has a number below a damaged ACK of before, which acknowledges nothing that was not sent: the RST is outside
/// of the window by that. Only the checksum of the ACK tells, and plain segments are not asked for theirs; that the
/// next ACK is lower is how any two look that overtook each other.
fn is_rst_behind_damage(run: &Run, flow: &Judged) -> bool {
    let seen = || run.capture.seen.iter().map(|seen| &seen.packet).filter(|p| p.conn == flow.conn);
    let is_rst = |packet: &Packet| packet.has(Flags::RST) && !packet.damaged;
    seen().enumerate().filter(|(_, packet)| is_rst(packet)).any(|(at, rst)| {
        let sent = seen().take(at).filter(|p| p.from == rst.from && !p.has(Flags::RST));
        let sent = sent.map(Packet::end).reduce(Seq::max);
        let mut acks = seen().take(at).filter(|p| p.from != rst.from && p.renumbered);
        acks.any(|p| p.ack.is_after(rst.seq) && sent.is_some_and(|sent| sent.covers(p.ack)))
    })
}

/// The last packets of a FIN's receiver, two or more, were damaged alike: each acknowledges less than the FIN, and nothing
/// but their checksums tells. One such packet is not believed.
fn is_denied_by_damage(run: &Run, flow: &Judged) -> bool {
    let seen = || run.capture.seen.iter().map(|seen| &seen.packet).filter(|p| p.conn == flow.conn);
    let fin = seen().rev().find(|packet| packet.has(Flags::FIN) && !packet.damaged);
    let denies = |fin: &Packet| {
        let answers = seen().rev().filter(|p| p.from != fin.from && p.has(Flags::ACK));
        answers.take_while(|p| p.renumbered && fin.end().is_after(p.ack)).count() > 1
    };
    flow.judgement.verdict == Verdict::FinUnacked && fin.is_some_and(denies)
}

/// A damaged ACK has the number after the peer's FIN: it looks as if the FIN had arrived by then. Only its checksum
/// tells, and plain segments are not asked for theirs.
fn is_acked_by_damage(run: &Run, flow: &Judged) -> bool {
    let seen = || run.capture.seen.iter().map(|seen| &seen.packet).filter(|p| p.conn == flow.conn);
    let is_fin = |p: &&Packet| p.has(Flags::FIN) && !p.damaged && p.from != LOCAL;
    let is_damaged_ack = |end: Seq| seen().any(|p| p.from == LOCAL && p.renumbered && p.ack == end);
    seen().filter(is_fin).any(|fin| is_damaged_ack(fin.end()))
}

const MILLISECOND: u64 = 1_000;

fn held_is_a_lower_bound(run: &Run, flow: &Judged, truth: &Truth) -> Result<(), Failure> {
    let judgement = &flow.judgement;
    // Elsewhere, or with packets missed, the end of CLOSE-WAIT is seen later than it was.
    let end_is_exact = run.tap.is_complete() && run.tap.stand == Stand::AtLocal;
    let holding = matches!(judgement.verdict, Verdict::Leak | Verdict::HalfClosed);
    let closed_late = judgement.verdict == Verdict::Closed
        && truth.lives[LOCAL].fin_received < truth.lives[LOCAL].fin_sent
        && truth.lives[LOCAL].fin_received.is_some()
        && end_is_exact;
    // Then it counts from the FIN itself, which local received a little later; or from a number that
    // may have been an octet's.
    let from_fin = judgement.doubts.contains(&Doubt::Unconfirmed)
        || judgement.doubts.contains(&Doubt::PeerFinMissed);
    if damage_is_unknown(run) || truth.down {
        return Ok(());
    }
    if !(holding && truth.is_close_wait() && !from_fin || closed_late) {
        return Ok(());
    }
    let (Some(held), Some(really)) = (judgement.held, truth.held(run.plan.end)) else {
        return Ok(());
    };
    let held = held.num_microseconds().unwrap_or(0) as u64;
    if held <= really + MILLISECOND || is_acked_by_damage(run, flow) {
        return Ok(());
    }
    Err(format!("connection {}: held {held} µs, really {really} µs", flow.conn))
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Statistics { seeds, flows, word_lost, damage_unknown, untold, .. } = self;
        write!(f, "{seeds} seeds, {flows} flows")?;
        write!(
            f,
            "; nothing missed: {} right, {word_lost} lost before the tap, {damage_unknown} damaged without checksums, {untold} untold for a damaged number",
            Shown(self.agreed)
        )?;
        write!(f, "; leaks: {} right", Shown(self.leaks))?;
        write!(f, "; without doubts: {} right, wrong", Shown(self.sure))?;
        for (why, count) in &self.wrong {
            write!(f, " {count} ({why})")?;
        }
        for (doubt, share) in &self.doubts {
            write!(f, "; {doubt} {}", Shown(*share))?;
        }
        Ok(())
    }
}

struct Shown(Share);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown((right, all)) = self;
        write!(f, "{right}/{all}")
    }
}
