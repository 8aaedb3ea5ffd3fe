//! A page with some connections packet by packet: once it is known which, the captures are read again.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;

use crate::attach::conversations::Conversations;
use crate::capture::file::Input;
use crate::capture::stop::Stop;
use crate::ladder::Climb;
use crate::owner::Socket;
use crate::place::Place;
use crate::report::html::Html;
use crate::report::html::strip::Strip;
use crate::report::text::TextLook;
use crate::run::notices::Nobody;
use crate::run::trace::{Followed, Trace, TracedPacket, run_traced};
use crate::run::{Plan, Reading};
use crate::summary::seen::Seen;
use crate::summary::{Nothing, Row, Sink, Totals};
use crate::tcp::flow::FlowId;
use crate::tcp::segment::{FlowKey, Segment};

/// Writes the page, and reads its captures again for that.
pub struct Explained {
    html: Html<Box<dyn Write>>,
    /// Nothing where they can be read only once.
    again: Option<Plan>,
    stop: Stop,
}

impl Explained {
    pub fn new(out: Box<dyn Write>, look: TextLook, made_by: String, plan: &Plan) -> Explained {
        let can_be_read = plan.inputs.iter().all(|input: &Input| input.read_once().is_none());
        Explained {
            html: Html::new(out, look, made_by),
            again: can_be_read.then(|| again(plan)),
            stop: Stop::clone(&plan.stop),
        }
    }

    /// Reads the captures for the packets of examples.
    fn strips(&mut self, packets: u64) -> io::Result<Vec<Strip>> {
        let examples = self.html.examples();
        let was_stopped = self.stop.load(Ordering::Relaxed);
        let Some(plan) = self.again.take().filter(|_| !was_stopped && !examples.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut look = Examples::new(examples, &plan, FEW.max(packets / SHARE));
        run_traced(plan, &mut Nothing, &mut Nobody, &mut look)?;
        Ok(look.whole())
    }
}

impl Sink for Explained {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.html.row(row)
    }

    fn unreported(&mut self, row: &Row) -> io::Result<()> {
        self.html.unreported(row)
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        self.html.stuck_before(socket)
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let strips = self.strips(totals.facts.packets())?;
        self.html.explain(strips);
        self.html.end(totals)
    }
}

/// Segments that are looked at again: these many, or this share of all packets. Who is held longest
/// comes early in a capture.
const FEW: u64 = 500_000;
const SHARE: u64 = 16;

/// Plans to read the captures once more: only some connections' packets matter.
fn again(plan: &Plan) -> Plan {
    Plan {
        inputs: plan.inputs.clone(),
        filter: plan.filter.as_ref().map(|filter| filter.again()),
        policy: plan.policy.clone(),
        separate: plan.separate,
        max_flows: plan.max_flows,
        threads: NonZeroUsize::MIN,
        reading: Reading { paths: Default::default(), ..plan.reading.clone() },
        ..Plan::default()
    }
}

/// A look at the packets of the examples, until the last of them has passed.
struct Examples {
    keys: HashMap<FlowKey, Vec<usize>>,
    flows: Vec<FlowId>,
    strips: Vec<Strip>,
    climbs: Vec<Climb>,
    /// The last packet of all, in the order of reading.
    last: Option<Place>,
    literals: bool,
    followed: Followed,
    conversations: Conversations,
    stop: Stop,
    /// Segments that may still be looked at, and the place of the latest.
    left: Cell<u64>,
    latest: Cell<u64>,
}

impl Examples {
    fn new(examples: Vec<Seen>, plan: &Plan, left: u64) -> Examples {
        let mut keys = HashMap::<FlowKey, Vec<usize>>::new();
        for (at, seen) in examples.iter().enumerate() {
            let [a, b] = seen.ends;
            keys.entry(FlowKey::new(a, b).0).or_default().push(at);
        }
        Examples {
            keys,
            flows: examples.iter().map(|seen| FlowId::of(seen.first)).collect(),
            climbs: examples.iter().map(|_| Climb::default()).collect(),
            last: examples.iter().map(|seen| seen.last).max_by_key(|last| last.order()),
            strips: examples.into_iter().map(Strip::of).collect(),
            literals: plan.reading.literals,
            followed: Followed::default(),
            conversations: Conversations::default(),
            stop: Stop::clone(&plan.stop),
            left: Cell::new(left),
            latest: Cell::new(0),
        }
    }

    /// Returns those of which every packet has passed.
    fn whole(self) -> Vec<Strip> {
        let latest = self.latest.get();
        self.strips.into_iter().filter(|strip| strip.seen.last.order() <= latest).collect()
    }
}

impl Trace for Examples {
    fn wants(&self, segment: &Segment) -> bool {
        // Files that are one capture are read in the order of their times, as they were before.
        self.latest.set(segment.place.order());
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() == 0
            || self.last.is_none_or(|last| segment.place.order() >= last.order())
        {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.keys.contains_key(&segment.key)
    }

    fn take(&mut self, traced: TracedPacket) -> io::Result<()> {
        let segment = traced.segment;
        let Some(flow) = self.followed.take(traced.point, segment) else { return Ok(()) };
        let of_key = self.keys.get(&segment.key).map_or(&[][..], Vec::as_slice);
        let Some(&at) = of_key.iter().find(|&&at| self.flows[at] == flow.id()) else {
            return Ok(());
        };
        let facts = traced
            .content
            .and_then(|content| self.conversations.follow(flow, segment, content, self.literals));
        let step = self.climbs[at].step(flow, segment, facts);
        self.strips[at].step(step);
        Ok(())
    }
}
