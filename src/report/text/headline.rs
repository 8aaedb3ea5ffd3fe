//! The headline: every number that matters, in one sentence.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anstyle::Style;

use super::{ALARM, CALM, HEADING};
use crate::decode::Skipped;
use crate::names;
use crate::report::lang::{Lang, Thing};
use crate::report::shell;
use crate::summary::Totals;
use crate::summary::found::{Found, HOLDERS};
use crate::summary::totals::Headline;
use crate::units::thousands;
use crate::verdict::Verdict;

/// Addresses that are named with what they hold.
const NAMED: usize = 4;

/// The main clause: words that are emphasised, and what they go on with.
struct Main {
    strong: String,
    rest: String,
    style: Style,
}

/// The sentence, coloured by what it says.
pub fn headline(
    totals: &Totals,
    found: &Found,
    peer_holders: &BTreeSet<IpAddr>,
    lang: Lang,
) -> String {
    let now = totals.headline();
    let Main { strong, rest, style } = match totals.facts.segments() {
        0 if now.before_capture == 0 => no_connection(totals, lang),
        // Each segment is of a connection: those that were looked for are others.
        1.. if totals.tally.flows == 0 && now.before_capture == 0 => {
            Main { strong: lang.none_has_tags(), rest: String::new(), style: HEADING }
        }
        _ => main(totals, now, found, peer_holders, lang),
    };
    let more: String = besides(totals, now, lang).iter().map(|it| lang.and_so(it)).collect();
    format!("{style}{strong}{style:#}{rest}{more}{}", lang.stop())
}

/// Sockets in CLOSE-WAIT that are no connections of the capture: older ones, as far as can be told.
pub fn stuck_besides(totals: &Totals, lang: Lang) -> String {
    let sockets = lang.count(totals.stuck_before, Thing::Socket);
    match totals.stuck_otherwise {
        0 if totals.unseen > 0 => lang.since_before_or_unseen(sockets),
        0 => lang.since_before(sockets),
        _ => lang.by_the_list(sockets),
    }
}

fn more_stuck_besides(totals: &Totals, n: u64, lang: Lang) -> String {
    match totals.stuck_otherwise {
        0 if totals.unseen > 0 => lang.more_before_or_unseen(thousands(n)),
        0 => lang.more_before(thousands(n)),
        _ => lang.more_by_the_list(thousands(n)),
    }
}

fn pending_besides(totals: &Totals, lang: Lang) -> String {
    let n = thousands(totals.pending_before);
    if totals.unseen > 0 { lang.pending_before_or_unseen(n) } else { lang.pending_before(n) }
}

fn main(
    totals: &Totals,
    now: Headline,
    found: &Found,
    peer_holders: &BTreeSet<IpAddr>,
    lang: Lang,
) -> Main {
    let of = of(totals, lang);
    let waiting = totals.tally.of(Verdict::PeerHolds);
    let say = |strong: String, rest: String, style| Main { strong, rest, style };
    if now.findings > 0 {
        let (n, by) = (thousands(now.findings), holders(found, lang));
        let left = match now.is_all_reset() {
            true => lang.held_until_reset(n, of, by),
            false => lang.left(n, of, by),
        };
        say(left, lang.colon(how_sure(now, lang)), ALARM)
    } else if now.before_capture > 0 {
        let none = match (totals.tally.flows, now.close_wait + now.hidden) {
            (0, _) => lang.and_none_in_it(),
            (_, 0) => lang.none_of_them_left(of),
            _ => String::new(),
        };
        say(stuck_besides(totals, lang), none, ALARM)
    } else if totals.tally.is_of_others() {
        say(lang.names_nobody(of), String::new(), HEADING)
    } else if now.hidden + now.pending > 0 {
        let n = thousands(now.close_wait.max(now.hidden));
        say(lang.in_close_wait(n, of), String::new(), HEADING)
    } else if waiting > 0 {
        let (n, whom) = (thousands(waiting), whom(peer_holders, lang));
        let wait = match waiting {
            1 => lang.one_waits(n, of, whom),
            _ => lang.some_wait(n, of, whom),
        };
        let none = if now.is_all_clear() { lang.none_left_here() } else { String::new() };
        say(wait, none, HEADING)
    } else if now.elsewhere > 0 {
        say(lang.none_left_locally(of), String::new(), HEADING)
    } else if (Headline { one_sided: 0, ..now }).is_all_clear() && totals.tally.is_nobody_closing()
    {
        let open = still_open(totals, lang);
        let of = match now.foreign {
            0 => of,
            _ => lang.own_of(thousands(totals.tally.own()), of),
        };
        let why = match totals.tally.fins_without_effect {
            0 => lang.nobody_closed(of, open),
            _ => lang.no_fin_counts(of, open),
        };
        say(lang.none_left(), why, HEADING)
    } else if now.is_all_clear() {
        say(lang.none_left(), lang.among(of), CALM)
    } else {
        say(lang.no_finding(), lang.not_all_judged(of), HEADING)
    }
}

/// `6 open, 4 in a transaction`
fn still_open(totals: &Totals, lang: Lang) -> String {
    let [open, _] = totals.tally.not_closed;
    let open = thousands(open);
    match totals.tally.in_transaction {
        0 => lang.still_open(open),
        n => lang.still_open_in_transaction(open, thousands(n)),
    }
}

fn how_sure(now: Headline, lang: Lang) -> String {
    match (now.certain, now.doubted) {
        (1, 0) => lang.certain(),
        (_, 0) => lang.all_certain(),
        (0, 1) => lang.doubted(),
        (0, _) => lang.all_doubted(),
        (certain, doubted) => lang.partly_certain(thousands(certain), thousands(doubted)),
    }
}

/// Names the host that has to close, where the capture was taken at the side that did.
fn whom(peer_holders: &BTreeSet<IpAddr>, lang: Lang) -> String {
    match peer_holders.first() {
        Some(ip) if peer_holders.len() == 1 => names::host(*ip),
        _ => lang.count(peer_holders.len() as u64, Thing::Host),
    }
}

/// The whole that the numbers are part of: `56 connections`.
fn of(totals: &Totals, lang: Lang) -> String {
    let connections = lang.count(totals.tally.flows, Thing::Connection);
    match totals.captures.len() {
        0 | 1 => connections,
        n => lang.in_captures(connections, n),
    }
}

/// The numbers that the main clause leaves out.
fn besides(totals: &Totals, now: Headline, lang: Lang) -> Vec<String> {
    let hidden = thousands(now.hidden);
    let hidden = if now.hidden == 1 { lang.one_hidden(hidden) } else { lang.some_hidden(hidden) };
    let said_before = now.findings == 0;
    let before = if said_before { 0 } else { now.before_capture };
    let is_main = said_before && now.hidden + now.pending + now.before_capture == 0;
    let waiting = if is_main { 0 } else { totals.tally.of(Verdict::PeerHolds) };
    let unread = lang.count(now.unread, Thing::Input);
    let sealed = totals.sealed();
    let n_sealed = sealed.values().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let not_understood = now.unread_packets.saturating_sub(n_sealed);
    let by: Vec<&str> = sealed.into_keys().collect();
    let by = by.join(&lang.comma());
    let reset = if now.is_all_reset() { 0 } else { now.descriptors };
    let all = [
        (reset, lang.until_reset(thousands(reset))),
        (now.pending, lang.pending(thousands(now.pending))),
        (now.hidden, hidden),
        (before, more_stuck_besides(totals, before, lang)),
        (now.pending_before, pending_besides(totals, lang)),
        (now.elsewhere, lang.elsewhere(thousands(now.elsewhere))),
        (waiting, lang.other_side(thousands(waiting))),
        (now.not_judged, lang.not_judged(thousands(now.not_judged))),
        (now.given_up, lang.given_up(thousands(now.given_up))),
        (now.tags_untold, lang.tags_left_out(thousands(now.tags_untold))),
        (now.tags_unread, lang.tags_not_read(thousands(now.tags_unread))),
        (now.unread, lang.not_read(unread)),
        (n_sealed, lang.sealed(lang.count(n_sealed, Thing::Packet), by)),
        (not_understood, lang.not_understood(lang.count(not_understood, Thing::Packet))),
        (now.cut_off, lang.cut_off(lang.count(now.cut_off, Thing::Input))),
    ];
    all.into_iter().filter(|(n, _)| *n > 0).map(|(_, words)| words).collect()
}

fn no_connection(totals: &Totals, lang: Lang) -> Main {
    let filtered = totals.skipped.contains_key(&Skipped::NotMatched);
    let strong = match filtered {
        true => lang.none_matches(),
        false if totals.sealed().is_empty() => lang.none_in_capture(),
        false => lang.none_could_be_read(),
    };
    let rest = lang.read(lang.count(totals.facts.packets(), Thing::Packet));
    Main { strong, rest, style: HEADING }
}

/// Names the address that holds the findings. A host can have several: two of them are not two hosts.
fn holders(found: &Found, lang: Lang) -> String {
    match found.holder() {
        Ok(ip) => lang.by_host(names::host(ip)),
        Err(HOLDERS) => lang.at_addresses_or_more(thousands(HOLDERS as u64)),
        Err(addresses) => lang.at_addresses(addresses),
    }
}

/// Says how many each address holds, the most first, where several do.
pub fn by_address(found: &Found, lang: Lang) -> Option<String> {
    let most = found.most_frequent_holders(NAMED);
    let all = found.holder().err().filter(|all| *all > 1)?;
    let by = |(ip, n): &(IpAddr, u64)| lang.n_at(thousands(*n), names::host(*ip));
    let list: Vec<String> = most.iter().map(by).collect();
    Some(lang.each_address(lang.some_of(&list, all as u64)))
}

/// Says how the local side is known, or what would tell it.
pub fn how_local(found: &Found, lang: Lang) -> Option<String> {
    if found.unsure == 0 {
        let phrases: Vec<&str> = found.told.iter().map(|by| lang.local_by(*by)).collect();
        let known = (!phrases.is_empty()).then(|| phrases.join(&lang.and()));
        return known.map(|known| lang.local_known(known));
    }
    if found.unsure == found.on_one_host {
        return Some(lang.local_both());
    }
    let most = shell::word(&names::option(found.most_frequent_holder()?));
    Some(match found.holder() {
        _ if found.unsure == found.on_one_host + found.both_named => lang.local_both_named(most),
        Ok(_) => lang.local_unknown(most),
        Err(holders) => lang.local_unknown(lang.one_of_holders(most, thousands(holders as u64))),
    })
}
