//! The reader's manual.
//!
//! | page | |
//! |---|---|
//! | [`story`] | the incident, told with the tool, step by step |
//! | [`sockets`] | what this host holds in CLOSE-WAIT, now |
//! | [`capture`] | recipes for captures, and what can be read |
//! | [`containers`] | containers, pods, sidecars: where to look from |
//! | [`verdicts`] | how to read a finding: verdicts, doubts, notes |
//! | [`causes`] | why a connection was left: the statement behind a leak |
//! | [`timeouts`] | who closed the idle connection, and where that is set |
//! | [`explain`] | one connection packet by packet |
//! | [`report`] | an incident as one page; two captures held against each other |
//! | [`flames`] | flame graphs of what was said |
//! | [`live`] | as it happens, with the process |
//! | [`top`] | a screen, of a host and of a capture |
//! | [`code`] | the functions behind a finding |
//! | [`service`] | `live` under systemd and on Kubernetes |
//! | [`check`] | in CI: captures held against what is expected |
//! | [`fleet`] | many hosts, rotated captures, one answer: Spark, DuckDB, ClickHouse |
//! | [`formats`] | JSON lines, CSV, Parquet, exit status |
//! | [`json`] | JSON lines, key by key |
//! | [`limits`] | large, damaged and hostile captures |
//! | [`speed`] | measurements beside other tools |
//! | [`protocol`] | for contributors: one more protocol, step by step |
//! | [`laboratory`] | for contributors: verdicts held against two real kernels |
//! | [`why`] | for contributors: the reasons behind the house |
//!
//! Blocks marked `console` are run by `tests/manual.rs`, from the project's folder, and what they show
//! is compared; `CLOSEWAIT_BLESS=1 cargo test --test manual` writes it anew.

#[doc = include_str!("capture.md")]
pub mod capture {}

#[doc = include_str!("causes.md")]
pub mod causes {}

#[doc = include_str!("check.md")]
pub mod check {}

#[doc = include_str!("code.md")]
pub mod code {}

#[doc = include_str!("containers.md")]
pub mod containers {}

#[doc = include_str!("explain.md")]
pub mod explain {}

#[doc = include_str!("flames.md")]
pub mod flames {}

#[doc = include_str!("fleet.md")]
pub mod fleet {}

#[doc = include_str!("formats.md")]
pub mod formats {}

#[doc = include_str!("json.md")]
pub mod json {}

#[doc = include_str!("laboratory.md")]
pub mod laboratory {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[doc = include_str!("live.md")]
pub mod live {}

#[doc = include_str!("protocol.md")]
pub mod protocol {}

#[doc = include_str!("report.md")]
pub mod report {}

#[doc = include_str!("service.md")]
pub mod service {}

#[doc = include_str!("sockets.md")]
pub mod sockets {}

#[doc = include_str!("speed.md")]
pub mod speed {}

#[doc = include_str!("story.md")]
pub mod story {}

#[doc = include_str!("timeouts.md")]
pub mod timeouts {}

#[doc = include_str!("top.md")]
pub mod top {}

#[doc = include_str!("verdicts.md")]
pub mod verdicts {}

#[doc = include_str!("why.md")]
pub mod why {}
