//! Names the TCP connections that a program left in CLOSE-WAIT, from a packet capture.
//!
//! # From a file to a verdict
//!
//! ```
//! use closewait::capture::file::{FileSource, Input};
//! use closewait::capture::{Next, Source};
//! use closewait::decode::Decoder;
//! use closewait::facts::CaptureFacts;
//! use closewait::table::FlowTable;
//! use closewait::verdict::{Policy, Verdict, judge};
//!
//! let mut source = FileSource::open(&Input("fixtures/captures/incident.pcap".into()), 0)?;
//! let (decoder, mut table, mut facts) =
//!     (Decoder::default(), FlowTable::default(), CaptureFacts::default());
//! while let Next::Frame(frame) = source.next()? {
//!     facts.see(frame.place);
//!     if let Ok((segment, _payload)) = decoder.decode(&frame) {
//!         table.take(&segment, &mut facts);
//!     }
//! }
//! facts.end_file(source.about());
//! for (key, flow) in table.flows() {
//!     let judgement = judge(&key, &flow, &Policy::default(), &facts);
//!     assert_eq!(judgement.verdict, Verdict::Leak);
//!     assert_eq!(judgement.holder.map(|side| key.endpoint(flow.end(side)).port), Some(38822));
//! }
//! # assert_eq!(table.len(), 1);
//! # Ok::<(), closewait::capture::Error>(())
//! ```
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
//! Rooms stand on floors, and import only from their own and those below: `tests/house.rs` holds it,
//! and says which crates and words a room may use. From the top down:
//!
//! **[`cli`]** makes a [`run::Plan`] of flags, and is the only room that knows clap. A new flag goes to
//! the file of its command.
//!
//! **[`commands`]** runs a command: it opens outputs, prints warnings, and turns a [`run::Outcome`] into
//! an exit status.
//!
//! **[`mod@top`]** is the screen of `closewait top`, without its terminal: a report becomes a
//! [`top::picture::Picture`], events change a [`top::app::App`], and that is drawn. It opens nothing; what
//! the user wishes for, `commands` does.
//!
//! **[`live`]** follows packets as they happen: suspects, the kernel's word for them, numbers for
//! Prometheus over HTTP. It takes a plan and a [`live::setup::LiveSetup`], and hands out a
//! [`live::snapshot::Snapshot`] to whoever shows a capture that goes on.
//!
//! **`fleet`** makes tables of captures and verdicts of tables, where one machine does not judge a
//! capture alone. A session of [`run`] takes the rows; it is built with the feature `fleet`.
//!
//! **[`run`]** has the one loop, packet after packet, and the [`run::session::Session`] that all modes
//! have: files, again for some connections, live. A plan goes in, a [`run::Outcome`] comes out; a new
//! mode is a type that has a session.
//!
//! **[`report`]** writes bytes: text, JSON lines, CSV, pages, ladders, flame graphs. A new printer is a file
//! here that implements [`summary::Sink`], and a name of a format in `commands`; it decides nothing and
//! opens nothing.
//!
//! **[`expect`]** compares a capture with what it should hold. Its door is a list of violations.
//!
//! **[`engine`]** makes judged connections of segments: flow tables in shards, on all cores, without any
//! I/O. A segment with the octets to be read goes in, a [`summary::Judged`] comes out.
//!
//! **[`summary`]** has judgements as data: rows, totals, groups, causes; and [`summary::Sink`], the door
//! that printers stand behind. Whatever two printers would compute goes here.
//!
//! **[`join`]** finds one connection that was seen twice: under other addresses, or at two capture
//! points.
//!
//! **[`ladder`]** tells one connection step by step, for `explain`.
//!
//! **[`verdict`]** judges: a flow, the local side, the policy and the capture's facts become a
//! [`verdict::Judgement`]. It reads no clock and changes nothing.
//!
//! **[`table`]** keeps all flows of a capture, and knows which connection of a 4-tuple a segment belongs
//! to. Segments go in, [`tcp::flow::Flow`]s come out.
//!
//! **[`facts`]** has what a whole capture was like, as far as it bears on verdicts: a
//! [`facts::CaptureFacts`] fills itself from what is read.
//!
//! **[`decode`]** finds the [`tcp::segment::Segment`] in a frame, or a counted reason why there is none.
//! A new link layer or tunnel goes to a file below it.
//!
//! **[`attach`]** reads protocols from the two directions of a connection: octets go in,
//! [`attach::Facts`] come out, neutral for whoever prints them. A new protocol is one folder, a variant
//! and a line in [`attach::registry`]; [`manual::protocol`] goes through it step by step.
//!
//! **[`owner`]** tells which process holds a socket: the kernel's own list, or a saved one of any
//! system. A new form of list is a file in `owner/saved/`.
//!
//! **[`code`]** tells which functions used a socket: the kernel's events with copies of stacks, joined by the
//! socket's address, the callers on them, and their names. A new language is a file in `code/names/`.
//!
//! **[`capture`]** is where packets and time come from: files, standard input, interfaces. Its door is
//! [`capture::Source`], which hands out a [`capture::Frame`] at a time. A new capture format is a
//! file beside `pcapng.rs` and a line in `file.rs`; packets as another tool prints them go to `text/`.
//!
//! **[`tcp`]** is RFC 9293 for an observer: sequence numbers, the facts of each direction, figure 5. It
//! knows of no packet format, no clock and no I/O.
//!
//! The cellar, which any room may use: **[`endpoints`]** (addresses, networks and ports as users name
//! them), **[`units`]** (times and durations as they are written), **[`names`]** (names that a text
//! prints in place of addresses), **[`set`]** (a set of words, a bit each), **`paged`** (a table that is
//! small until it is used), **[`services`]** (ports by their names), **[`confine`]** (rights that a process
//! gives up once it has opened all it needs), **[`progress`]** (a bar on the terminal),
//! **[`mod@printable`]** (names that others chose, safe for a terminal), **[`place`]** (when and where a
//! packet was captured), **`prefetch`** (memory that is needed soon).
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
pub mod code;
#[cfg(feature = "cli")]
pub mod commands;
#[cfg(feature = "cli")]
pub mod confine;
pub mod decode;
pub mod endpoints;
pub mod engine;
pub mod expect;
pub mod facts;
#[cfg(feature = "fleet")]
pub mod fleet;
pub mod join;
pub mod ladder;
pub mod live;
pub mod manual;
pub mod names;
pub mod owner;
pub(crate) mod paged;
pub mod place;
mod prefetch;
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
#[cfg(feature = "tui")]
pub mod top;
pub mod units;
pub mod verdict;

#[cfg(test)]
#[path = "../tests/common/regressions.rs"]
mod regressions;

#[cfg(test)]
#[path = "../tests/common/skip.rs"]
mod skip;
