//! The local side of a flow: the one whose closing is judged.

use crate::endpoints::EndpointSet;
use crate::facts::CaptureFacts;
use crate::tcp::flow::Flow;
use crate::tcp::segment::{FlowKey, ToldBy};
use crate::tcp::side::Side;

/// The local side of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    /// One side of the connection.
    Side(Side),
    /// Both ends are: the holder is judged.
    Both,
    /// `--local` names neither end: judged like `Unknown`, never a finding.
    Neither,
    /// Nothing tells: the holder is judged.
    Unknown,
}

impl Local {
    /// Is `side` the one to judge?
    pub fn judges(self, side: Side) -> bool {
        match self {
            Local::Side(local) => local == side,
            Local::Both | Local::Neither | Local::Unknown => true,
        }
    }

    /// Is `side` the one to judge, and may it be local at all? Others' connections have nobody whose closing counts.
    pub fn holds_to_account(self, side: Side) -> bool {
        self != Local::Neither && self.judges(side)
    }
}

/// The evidence that told which side is local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LocalBy {
    /// `--local` names it.
    Option,
    /// An address of the capture's interface.
    InterfaceAddress,
    /// The packet type of a cooked capture.
    PacketType,
    /// The direction flags of pcapng, or of a text.
    PacketFlags,
}

impl LocalBy {
    /// As in jsonl.
    pub fn name(self) -> &'static str {
        match self {
            LocalBy::Option => "option",
            LocalBy::InterfaceAddress => "interface-address",
            LocalBy::PacketType => "packet-type",
            LocalBy::PacketFlags => "packet-direction",
        }
    }

    /// As in a sentence.
    pub fn phrase(self) -> &'static str {
        match self {
            LocalBy::Option => "--local",
            LocalBy::InterfaceAddress => "interface address",
            LocalBy::PacketType => "packet type",
            LocalBy::PacketFlags => "packet direction",
        }
    }
}

/// `--local` alone decides if given; otherwise what the capture itself knows; never a guess.
pub fn local(
    key: &FlowKey,
    flow: &Flow,
    option: Option<&EndpointSet>,
    facts: &CaptureFacts,
) -> (Local, Option<LocalBy>) {
    if let Some(set) = option {
        let matches = |side| set.contains(key.endpoint(flow.end(side)));
        let local = sides(matches).unwrap_or(Local::Neither);
        return (local, Some(LocalBy::Option));
    }
    let at_interface = |side| facts.is_at_interface(key.endpoint(flow.end(side)).ip);
    if let Some(local) = sides(at_interface) {
        return (local, Some(LocalBy::InterfaceAddress));
    }
    // Of a virtual address, all leaves and nothing arrives: a host that translates is no end.
    if facts.is_twin(key) {
        return (Local::Unknown, None);
    }
    // On a host that forwards, both ends can look local; then neither is known to be.
    let only_leaves =
        |side: Side| flow.half(side).seen_leaving() && !flow.half(side).seen_arriving();
    match (sides(only_leaves), flow.told_by()) {
        (Some(local @ Local::Side(_)), Some(ToldBy::PacketType)) => {
            (local, Some(LocalBy::PacketType))
        }
        (Some(local @ Local::Side(_)), Some(ToldBy::PacketFlags)) => {
            (local, Some(LocalBy::PacketFlags))
        }
        _ => (Local::Unknown, None),
    }
}

fn sides(is_local: impl Fn(Side) -> bool) -> Option<Local> {
    match (is_local(Side::A), is_local(Side::B)) {
        (true, true) => Some(Local::Both),
        (true, false) => Some(Local::Side(Side::A)),
        (false, true) => Some(Local::Side(Side::B)),
        (false, false) => None,
    }
}
