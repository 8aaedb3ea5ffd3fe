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
//! | [`run`] | the one loop: frame, segment, table, verdict, report; the flow tables work in shards, on all cores |
//! | [`capture`] | where packets and time come from: pcap and pcapng files, standard input, interfaces |
//! | [`decode`] | a frame becomes a segment, or a counted reason why not |
//! | [`tcp`] | RFC 9293 for an observer: sequence numbers, the facts of each direction, figure 5 |
//! | [`attach`] | what was said on a connection: protocols read from its two directions, MySQL first |
//! | [`table`] | all flows of a capture, and which connection of a 4-tuple a segment belongs to |
//! | [`verdict`] | a flow, the local side and the policy become a judgement |
//! | [`cause`] | why it was left half-closed: what was said on it, and what the kernel says |
//! | [`ladder`] | one connection step by step, for `explain` |
//! | [`owner`] | which process holds a socket: the kernel's own list, or a saved one |
//! | [`confine`] | what a process gives up once it has opened all it needs |
//! | [`report`] | judgements become text, JSON lines or flame graphs |
//! | [`expect`] | what a capture should hold, and where it does not |
//! | [`endpoints`] | addresses, networks and ports as users name them |
//! | [`place`] | when and where a packet was captured |
//! | [`names`] | names that a text prints in place of addresses |
//! | [`mod@printable`] | names that others chose, safe for a terminal |
//! | [`scrape`] | numbers of a live capture for Prometheus, over HTTP |
//! | [`progress`] | a bar on the terminal when reading takes long |
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
pub mod cause;
pub mod cli;
pub mod commands;
pub mod confine;
pub mod decode;
pub mod endpoints;
pub mod expect;
pub mod ladder;
pub mod names;
pub mod owner;
pub mod place;
pub mod printable;
pub mod progress;
pub mod report;
pub mod run;
pub mod scrape;
pub mod table;
pub mod tcp;
pub mod verdict;
