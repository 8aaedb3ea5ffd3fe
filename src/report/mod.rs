//! Judgements become bytes.
//!
//! Each printer is a [`Sink`](crate::summary::Sink): rows stream in as flows end, the totals come last.
//! A printer never decides: what it prints was judged before.
//!
//! * [`text`]: for the person at the prompt
//! * [`diff`]: the report of `closewait diff`
//! * [`html`]: for whoever was not there, in one file
//! * [`jsonl`]: for programs, one object a line
//! * [`prometheus`]: for whoever watches a live capture
//! * [`comments`]: beside the packets of a finding, where these are written
//! * [`mod@csv`]: for spreadsheets
//! * [`parquet`]: for engines that ask questions over many reports
//! * [`check`]: the report of `closewait check`
//! * [`sockets`]: the report of `closewait sockets`
//! * [`stacks`], [`flames`], [`flamegraph`]: connections as stacks, counted beside a report and drawn
//! * [`ladder`]: the report of `closewait explain`
//! * [`lang`]: what a person reads, in English and Chinese
//! * [`outlook`]: when descriptors run out
//! * [`pace`]: words for how fast something grows
//! * [`words`], `terms`: words of a report, explained; [`shell`], [`tshark`]: commands to copy
//! * [`table`]: tables in text
//! * [`lines`]: what reports for machines are made of
//! * [`ids`]: how identifiers are written

pub mod check;
mod closes;
pub mod code;
pub mod comments;
pub mod csv;
pub mod diff;
mod elsewhere;
pub mod flamegraph;
pub mod flames;
mod history;
mod holder;
pub mod html;
pub mod ids;
pub mod jsonl;
pub mod ladder;
pub mod lang;
pub mod lines;
pub mod outlook;
pub mod pace;
pub mod parquet;
pub mod prometheus;
mod shared;
pub mod shell;
pub mod sockets;
pub mod stacks;
pub mod table;
mod terms;
pub mod text;
pub mod tshark;
pub mod words;
