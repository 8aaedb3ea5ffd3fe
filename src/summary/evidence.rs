//! Evidence for a cause, in sentences.

use chrono::TimeDelta;

use super::Row;
use super::cause::{Cause, closed_at, missed_heartbeats};
use super::settings::{decides, login_timeout};
use crate::attach::registry::Withheld;
use crate::attach::{BeforeLogin, Begun, Facts};
use crate::place::Time;
use crate::tcp::side::Side;
use crate::units::{count, duration};
use crate::verdict::Verdict;

/// Statements of a transaction that are written out.
const STATEMENTS: usize = 8;

/// The sentences, the strongest first.
pub fn evidence(row: &Row) -> Vec<String> {
    let Some(cause) = row.cause else { return Vec::new() };
    let mut all = Vec::new();
    match cause {
        Cause::HostGone => all.push("nobody acknowledged the FIN".to_owned()),
        Cause::HalfClose => all.extend(after_fin(row, "the holder goes on sending")),
        Cause::StaleReuse => all.extend(after_fin(row, "the connection was used again")),
        Cause::NeverAccepted => all.push(
            "the kernel has it in the listening socket's backlog: the program never accepted it"
                .to_owned(),
        ),
        _ => {}
    }
    all.extend(other_leg(row));
    match row.judged.said.as_deref() {
        Some(facts) => all.extend(of_talk(row, facts)),
        None => {
            if row.judged.withheld == Some(Withheld::Encrypted) {
                all.push("encrypted: what was said cannot be seen".into());
            }
            all.extend(idle(row));
        }
    }
    all
}

/// The other connection of a proxy, and which of the two waits for the other.
fn other_leg(row: &Row) -> Option<String> {
    let leg = row.judged.elsewhere.as_ref()?.other_leg?;
    let [a, b] = leg.ends;
    let after = duration(TimeDelta::nanoseconds(leg.after));
    Some(match leg.waits_for {
        Some(end) => format!(
            "a proxy seems to hold it, which passed the FIN on {after} later, on {a} > {b} (as many octets, at times that fit), and waits for {end} to close that"
        ),
        None => format!(
            "a proxy seems to have passed this FIN on, {after} after that of {a} > {b} (as many octets, at times that fit)"
        ),
    })
}

fn after_fin(row: &Row, what: &str) -> Option<String> {
    let bytes = [Side::A, Side::B].into_iter().find_map(|closer| {
        let fin = row.judged.flow.fin(closer)?;
        Some(row.judged.flow.payload_after(closer.other(), fin.end)?.bytes)
    })?;
    Some(format!("{what}: {bytes} octets of new payload after the peer's FIN"))
}

fn idle(row: &Row) -> Option<String> {
    let idle = row.judged.judgement.idle_before_fin?;
    Some(format!("idle for {} before the FIN", duration(idle)))
}

fn of_talk(row: &Row, facts: &Facts) -> Vec<String> {
    let mut all: Vec<String> = before_login(facts).into_iter().map(Into::into).collect();
    match facts.in_transaction {
        Some(true) => all.push(open_transaction(row, facts)),
        // It was said already that nobody had logged in.
        Some(false) if facts.never_begun && facts.before_login.is_some() => {}
        Some(false) if facts.never_begun => {
            all.push("no transaction was open: none was begun since the connection was".into());
        }
        Some(false) => all.push("no transaction was open, by the server's last answer".into()),
        // Whatever was open, its leave has ended.
        None if facts.goodbye.is_some() => {}
        None if facts.encrypted => all.push("encrypted: no statement can be seen".into()),
        None if facts.compressed => all.push("compressed: no statement can be read".into()),
        None if facts.protocol.transactions && facts.before_login.is_none() => {
            all.push(unknown_transaction(row, facts));
        }
        None => {}
    }
    all.extend(leave_taking(row, facts));
    if let Some(announced) = facts.announced {
        all.push(format!("the close was announced: {announced}"));
    }
    all.extend(facts.remarks.iter().map(|remark| String::from(&**remark)));
    if !facts.tags.is_empty() {
        let tags: Vec<String> =
            facts.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        all.push(format!("its comment says: {}", tags.join(", ")));
    }
    if let Some(statement) = &facts.last_statement {
        let answered = match facts.answered {
            Some(true) => ", answered",
            Some(false) => ", not answered",
            None => "",
        };
        let before = facts.last_statement_at.and_then(|at| before_fin(row, at));
        let before = match before {
            Some(before) => format!(" {before} before the FIN"),
            None if facts.late.is_some() => " after the FIN".into(),
            None => String::new(),
        };
        all.push(format!("last statement{before}: {statement}{answered}"));
    }
    if facts.half_asked {
        all.push("a request had begun, and never came to its end".into());
    }
    all.extend(idle(row));
    all.extend(given_up(row, facts));
    all
}

/// Says with what both took their leave, or why one did, as far as it explains who holds.
fn leave_taking(row: &Row, facts: &Facts) -> Vec<String> {
    let server_holds = row.judged.server_holds();
    let mut all = Vec::new();
    if let Some(goodbye) = facts.goodbye {
        // Who still has a socket cannot be told.
        let is_unknown = matches!(row.judged.judgement.verdict, Verdict::Unknown(_));
        all.push(match server_holds {
            _ if is_unknown => format!("the client sent {goodbye}"),
            true => format!("the client sent {goodbye} and closed; the server kept its socket"),
            false => format!("the client sent {goodbye} and kept its socket"),
        });
    }
    if let Some(error) = &facts.server_error {
        let when = match error.unsolicited {
            true if server_holds => "said, and did not close",
            true => "said before it closed",
            false => "answered last",
        };
        all.push(format!("the server {when}: error {} {}", error.code, error.message));
    }
    if server_holds {
        return all;
    }
    if let Some(silent) = missed_heartbeats(facts, closed_at(row.judged)) {
        let promised = facts.heartbeat.map_or(0, |beat| beat.seconds);
        let silent = duration(TimeDelta::nanoseconds(silent));
        all.push(format!(
            "the client had promised to say something every {promised} s, and was silent for {silent}"
        ));
    }
    if let Some(asked) = facts.waits_by {
        all.push(format!("it waited for messages that it had asked for with {asked}"));
    }
    all
}

/// So far may a timer be off.
const TIMER: TimeDelta = TimeDelta::milliseconds(500);

/// Names the timer by which a server gives up who never answered its greeting.
fn given_up(row: &Row, facts: &Facts) -> Option<String> {
    let is_unread = facts.before_login == Some(BeforeLogin::GreetingUnread);
    if !is_unread || row.judged.server_holds() {
        return None;
    }
    let (name, after) = login_timeout(facts)?;
    let idle = row.judged.judgement.idle_before_fin?;
    let fits = (idle - after).abs() <= TIMER;
    fits.then(|| {
        format!("the server closed {} after its greeting: the default of {name}", duration(after))
    })
}

/// Nobody had logged in, so no transaction can be open.
fn before_login(facts: &Facts) -> Option<&'static str> {
    Some(match facts.before_login? {
        BeforeLogin::Silent => "nothing was ever said on it: nobody had logged in",
        BeforeLogin::GreetingUnread => {
            "the client never answered the server's greeting: nobody had logged in"
        }
        BeforeLogin::Unanswered => "the login was not finished: nobody had logged in",
        BeforeLogin::Denied => "the server refused the login",
    })
}

/// Says why it is not known whether a transaction was open: what would tell was not captured, or not said.
fn unknown_transaction(row: &Row, facts: &Facts) -> String {
    if facts.truncated || row.judged.flow.service().is_none() {
        return "whether a transaction was open was not captured".into();
    }
    let error = facts.server_error.as_ref();
    let is_known = "whether a transaction was open is not known";
    match error {
        _ if facts.is_owed() => {
            format!("{is_known}: the last statement was not answered")
        }
        Some(error) if !facts.statements.is_empty() => {
            let code = &error.code;
            let by = decides(facts).map_or(String::new(), |name| format!(", by {name}"));
            let begun = begun_transaction(row, facts);
            format!("{begun}; error {code} ended it or not{by}{}", statements_of(facts))
        }
        Some(error) if !error.unsolicited => {
            format!("{is_known}: error {} may have ended it", error.code)
        }
        _ => format!("{is_known}: the server did not say"),
    }
}

fn open_transaction(row: &Row, facts: &Facts) -> String {
    begun_transaction(row, facts) + &statements_of(facts)
}

fn begun_transaction(row: &Row, facts: &Facts) -> String {
    let begun = match facts.begun {
        Some(Begun::By(request)) => format!("begun by {request}"),
        Some(Begun::Under(mode)) => format!("begun by a statement with {mode}"),
        None => "open by the server's last answer".into(),
    };
    let since = facts.transaction_since.and_then(|at| before_fin(row, at));
    let since = since.map_or(String::new(), |since| format!(" {since} before the FIN"));
    let [commit, rollback] = ends(facts);
    format!("transaction {begun}{since}, neither {commit} nor {rollback}")
}

/// The requests that end a transaction.
fn ends(facts: &Facts) -> [&'static str; 2] {
    match facts.protocol.key {
        "redis" => ["EXEC", "DISCARD"],
        "amqp" => ["tx.commit", "tx.rollback"],
        _ => ["COMMIT", "ROLLBACK"],
    }
}

/// The first statements of a transaction, after a colon.
fn statements_of(facts: &Facts) -> String {
    let mut statements: Vec<&str> =
        facts.statements.iter().take(STATEMENTS).map(|statement| &**statement).collect();
    let more = facts.statements.len() - statements.len() + facts.more_statements as usize;
    let more = (more > 0).then(|| match statements.is_empty() {
        true => count(more as u64, "statement") + " whose text is not known",
        false => format!("{more} more"),
    });
    statements.extend(more.as_deref());
    match &statements[..] {
        [] => String::new(),
        statements => format!(": {}", statements.join("; ")),
    }
}

/// The time from then to the first FIN, if it was before that.
fn before_fin(row: &Row, at: Time) -> Option<String> {
    let (_, fin) = row.judged.flow.first_fin().filter(|(_, fin)| at <= fin.place.time)?;
    let nanos = fin.place.time.since(at)?;
    Some(duration(TimeDelta::nanoseconds(nanos)))
}
