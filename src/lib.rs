//! Names the TCP connections that a program left in CLOSE-WAIT, from a packet capture.
//!
//! # The house
//!
//! Data goes one way:
//!
//! ```text
//! capture ──Frame──▶ decode ──Segment──▶ tcp + table ──&Flow──▶ verdict ──Row──▶ report
//!   I/O               pure                 pure                  pure           I/O (Write)
//! ```
//!
//! | room | what happens there |
//! |---|---|
//! | [`cli`] | flags become a [`run::Plan`]; the only room that knows clap |
//! | [`commands`] | outputs, warnings and exit status of each command |
//! | [`live`] | packets as they happen: suspects, the kernel's word, numbers for Prometheus over HTTP |
//! | [`run`] | the one loop, packet after packet, in whatever mode; the session that all modes have |
//! | [`engine`] | segments become judged connections: flow tables in shards, on all cores |
//! | [`capture`] | where packets and time come from: pcap and pcapng files, standard input, interfaces |
//! | [`decode`] | a frame becomes a segment, or a counted reason why not |
//! | [`tcp`] | RFC 9293 for an observer: sequence numbers, the facts of each direction, figure 5 |
//! | [`attach`] | what was said on a connection: protocols read from its two directions, MySQL first |
//! | [`table`] | all flows of a capture, and which connection of a 4-tuple a segment belongs to |
//! | [`facts`] | what a whole capture was like, as far as it bears on verdicts |
//! | [`verdict`] | a flow, the local side and the policy become a judgement |
//! | [`join`] | one connection that was seen twice: under other addresses, or at two capture points |
//! | [`summary`] | judgements as data: rows, totals, causes; and [`Sink`](summary::Sink), the door that printers stand behind |
//! | [`ladder`] | one connection step by step, for `explain` |
//! | [`owner`] | which process holds a socket: the kernel's own list, or a saved one |
//! | [`confine`] | what a process gives up once it has opened all it needs |
//! | [`report`] | judgements become text, JSON lines or flame graphs |
//! | [`expect`] | what a capture should hold, and where it does not |
//! | [`endpoints`] | addresses, networks and ports as users name them |
//! | [`units`] | how times and durations are written |
//! | [`place`] | when and where a packet was captured |
//! | [`names`] | names that a text prints in place of addresses |
//! | [`services`] | ports by their names |
//! | [`mod@printable`] | names that others chose, safe for a terminal |
//! | [`set`] | a set of words, a bit each |
//! | [`progress`] | a bar on the terminal when reading takes long |
//!
//! [`manual`] is the reader's manual, and its page [`why`](manual::why) has the reasons behind the house.
//!
//! # Two ideas
//!
//! *A segment is sent when it is seen, and received when the other side acknowledges it.* With it, a
//! passive observer can follow figure 5 of RFC 9293 without reassembling anything, and never sees
//! CLOSE-WAIT begin too early.
//!
//! *Facts are kept, verdicts are not.* A flow keeps a few facts of each direction. They only grow, so
//! packets seen twice, late or out of order change nothing; states and verdicts are computed from
//! them when they are asked for.

#![forbid(unsafe_code)]

pub mod attach;
pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod commands;
#[cfg(feature = "cli")]
pub mod confine;
pub mod decode;
pub mod endpoints;
pub mod engine;
pub mod expect;
pub mod facts;
pub mod join;
pub mod ladder;
pub mod live;
pub mod manual;
pub mod names;
pub mod owner;
pub mod place;
pub mod printable;
#[cfg(feature = "cli")]
pub mod progress;
pub mod report;
pub mod run;
pub mod services;
pub mod set;
pub mod summary;
pub mod table;
pub mod tcp;
pub mod units;
pub mod verdict;

#[cfg(test)]
#[path = "../tests/common/regressions.rs"]
mod regressions;
