//! The headline: every number that matters, in one sentence.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anstyle::Style;

use super::{ALARM, CALM, HEADING};
use crate::decode::Skipped;
use crate::names;
use crate::report::shell;
use crate::summary::Totals;
use crate::summary::found::{Found, HOLDERS};
use crate::summary::totals::Headline;
use crate::units::{count, thousands};
use crate::verdict::Verdict;
use crate::verdict::local::LocalBy;

/// The main clause: words that are emphasised, and what they go on with.
struct Main {
    strong: String,
    rest: String,
    style: Style,
}

/// The sentence, coloured by what it says.
pub fn headline(totals: &Totals, found: &Found, peer_holders: &BTreeSet<IpAddr>) -> String {
    let now = totals.headline();
    if totals.facts.segments() == 0 && now.before_capture == 0 {
        return no_connection(totals, now);
    }
    let Main { strong, rest, style } = main(totals, now, found, peer_holders);
    let more: String = besides(totals, now).iter().map(|words| format!("; {words}")).collect();
    format!("{style}{strong}{style:#}{rest}{more}.")
}

fn main(totals: &Totals, now: Headline, found: &Found, peer_holders: &BTreeSet<IpAddr>) -> Main {
    let of = of(totals);
    let waiting = totals.tally.of(Verdict::PeerHolds);
    let say = |strong: String, rest: String, style| Main { strong, rest, style };
    if now.findings > 0 {
        let (n, by) = (thousands(now.findings), holders(found));
        say(format!("{n} of {of} left in CLOSE-WAIT{by}"), format!(": {}", how_sure(now)), ALARM)
    } else if now.before_capture > 0 {
        let n = count(now.before_capture, "socket");
        let none = match (totals.tally.flows, now.close_wait + now.hidden) {
            (0, _) => ", and no connection in it".to_owned(),
            (_, 0) => format!("; none of the {of} in it is left"),
            _ => String::new(),
        };
        say(format!("{n} in CLOSE-WAIT since before the capture"), none, ALARM)
    } else if now.hidden + now.pending > 0 {
        let n = thousands(now.close_wait.max(now.hidden));
        say(format!("{n} of {of} in CLOSE-WAIT, none of them a finding"), String::new(), HEADING)
    } else if waiting > 0 {
        let (n, wait) = (thousands(waiting), if waiting == 1 { "waits" } else { "wait" });
        let whom = whom(peer_holders);
        let none = match now.is_all_clear() {
            true => "; none is left in CLOSE-WAIT at this side",
            false => "",
        };
        say(format!("{n} of {of} {wait} in FIN-WAIT-2 for {whom} to close"), none.into(), HEADING)
    } else if now.elsewhere > 0 {
        say(format!("None of {of} left in CLOSE-WAIT at the local end"), String::new(), HEADING)
    } else if now.is_all_clear() && totals.tally.is_nobody_closing() {
        let open = still_open(totals);
        let none = format!(" among {of}, but nobody closed one, so nothing was judged: {open}");
        say("No connection left in CLOSE-WAIT".into(), none, HEADING)
    } else if now.is_all_clear() {
        say("No connection left in CLOSE-WAIT".into(), format!(" among {of}"), CALM)
    } else {
        say("No finding".into(), format!(" among {of}, but not everything was judged"), HEADING)
    }
}

/// `6 open, 4 in a transaction`
fn still_open(totals: &Totals) -> String {
    let open = thousands(totals.tally.of(Verdict::Open));
    match totals.tally.in_transaction {
        0 => format!("{open} open"),
        n => format!("{open} open, {} in a transaction", thousands(n)),
    }
}

fn how_sure(now: Headline) -> String {
    match (now.certain, now.doubted) {
        (1, 0) => "certain".into(),
        (_, 0) => "all certain".into(),
        (0, 1) => "with doubts".into(),
        (0, _) => "all with doubts".into(),
        (certain, doubted) => {
            format!("{} certain, {} with doubts", thousands(certain), thousands(doubted))
        }
    }
}

/// Names the host that has to close, where the capture was taken at the side that did.
fn whom(peer_holders: &BTreeSet<IpAddr>) -> String {
    match peer_holders.first() {
        Some(ip) if peer_holders.len() == 1 => names::host(*ip),
        _ => count(peer_holders.len() as u64, "host"),
    }
}

/// The whole that the numbers are part of: `56 connections`.
fn of(totals: &Totals) -> String {
    let connections = count(totals.tally.flows, "connection");
    match totals.captures.len() {
        0 | 1 => connections,
        n => format!("{connections} in {n} captures"),
    }
}

/// The numbers that the main clause leaves out.
fn besides(totals: &Totals, now: Headline) -> Vec<String> {
    let hides = if now.hidden == 1 { "is" } else { "are" };
    let said_before = now.findings == 0;
    let waiting = totals.tally.of(Verdict::PeerHolds);
    let all = [
        (
            now.pending,
            format!("{} pending (held for less than --min-hold)", thousands(now.pending)),
        ),
        (
            now.hidden,
            format!("{} with doubts {hides} not counted (--certain)", thousands(now.hidden)),
        ),
        (
            if said_before { 0 } else { now.before_capture },
            format!("{} more since before the capture", thousands(now.before_capture)),
        ),
        (
            now.elsewhere,
            format!("{} in CLOSE-WAIT at ends that are not local", thousands(now.elsewhere)),
        ),
        (
            if said_before && now.hidden + now.pending + now.before_capture == 0 {
                0
            } else {
                waiting
            },
            format!("{} at the other side (peer-holds)", thousands(waiting)),
        ),
        (now.not_judged, format!("{} not judged (unknown)", thousands(now.not_judged))),
        (now.unread, format!("{} not read whole", count(now.unread, "input"))),
        (now.unread_packets, format!("{} not understood", count(now.unread_packets, "packet"))),
        (now.cut_off, format!("{} cut off in the middle of a record", count(now.cut_off, "input"))),
    ];
    all.into_iter().filter(|(n, _)| *n > 0).map(|(_, words)| words).collect()
}

fn no_connection(totals: &Totals, now: Headline) -> String {
    let read = count(totals.facts.packets(), "packet");
    let filtered = totals.skipped.contains_key(&Skipped::NotMatched);
    let which = if filtered { "matches the filter" } else { "in the capture" };
    let rest: String = besides(totals, now).iter().map(|words| format!("; {words}")).collect();
    format!("{HEADING}No TCP connection {which}{HEADING:#} ({read} read){rest}.")
}

/// Names the host that holds the findings.
fn holders(found: &Found) -> String {
    match found.holder() {
        Ok(ip) => format!(" by {}", names::host(ip)),
        Err(HOLDERS) => format!(" by {} hosts or more", thousands(HOLDERS as u64)),
        Err(hosts) => format!(" by {hosts} hosts"),
    }
}

/// Says how the local side is known, or what would tell it.
pub fn how_local(found: &Found) -> Option<String> {
    if !found.is_local_unsure {
        let phrases: Vec<&str> = found.told.iter().copied().map(LocalBy::phrase).collect();
        let known = (!phrases.is_empty()).then(|| phrases.join(" and "));
        return known.map(|known| format!("Local side known from {known}."));
    }
    let most = shell::word(&names::option(found.most_frequent_holder()?));
    Some(format!(
        "Local side unknown, so whichever side has not closed is judged: use --local {most} to judge one side."
    ))
}
