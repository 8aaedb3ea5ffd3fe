//! Real servers, and clients that leave their connections: what is read from the packets is what the
//! clients did and the servers know; at a snap length it is that or unknown.

#[path = "servers/amqp.rs"]
mod amqp;
#[path = "servers/capture.rs"]
mod capture;
mod common;
#[path = "servers/http.rs"]
mod http;
#[path = "servers/http2.rs"]
mod http2;
#[path = "servers/kafka.rs"]
mod kafka;
#[path = "servers/nginx.rs"]
mod nginx;
#[path = "servers/postgresql.rs"]
mod postgresql;
#[path = "servers/process.rs"]
mod process;
#[path = "servers/redis.rs"]
mod redis;
#[path = "servers/states.rs"]
mod states;

use serde_json::Value;

/// A value that every client sends, and that no output may show.
const SECRET: &str = "s3cr3tv4lu3";

/// What a client did, and what is to be said of its connection.
struct Did {
    what: &'static str,
    port: u16,
    cause: &'static str,
    /// By keys of the protocol's object.
    said: Value,
}

/// Holds what the program says of a capture against what was done; cut short, it may also say nothing.
/// `name`: of the capture, where it is kept.
fn compare(capture: &capture::Capture, name: &str, port: &str, key: &str, did: &[Did]) {
    let whole = capture.report(None, port);
    for did in did {
        let flow = capture::flow(&whole, did.port);
        let what = format!("{}: {flow}", did.what);
        assert_eq!(flow["cause"], did.cause, "{what}");
        for (name, value) in did.said.as_object().expect("keys") {
            assert_eq!(&flow[key][name], value, "{name} of {what}");
        }
    }
    for snap in [96, 128, 256, 512] {
        let cut = capture.report(Some(snap), port);
        let mut known = 0;
        for did in did {
            let flow = capture::flow(&cut, did.port);
            let what = format!("{} at {snap}: {flow}", did.what);
            let cause = flow["cause"].as_str().unwrap_or_default();
            known += usize::from(cause == did.cause);
            // With less seen, the next cause that still is true may be all that is known.
            assert!([did.cause, "unknown", "forgotten"].contains(&cause), "{what}");
            assert!(cause != "forgotten" || did.cause != "transaction-open", "{what}");
            for (name, value) in did.said.as_object().expect("keys") {
                assert!(fits(&flow[key][name], value), "{name} of {what}");
            }
        }
        eprintln!("{key}, snap length {snap}: {known} of {} causes", did.len());
        assert!(snap < 256 || 2 * known >= did.len(), "{known} of {}", did.len());
    }
    capture.shows_no(SECRET, port);
    capture.keep(name);
}

/// It is the same, or nothing, or the beginning of it, and says so.
fn fits(said: &Value, right: &Value) -> bool {
    match (said, right) {
        (Value::Null, _) => true,
        (Value::String(said), Value::String(right)) => {
            let begins = said.split('…').next().is_some_and(|begin| {
                said.contains('…') && right.starts_with(begin.trim_end_matches('?'))
            });
            // The name of a command, where its text was not seen.
            said == right || begins || ["Query", "Parse", "Execute"].contains(&&**said)
        }
        (Value::Array(said), Value::Array(right)) => {
            said.iter().all(|one| right.iter().any(|right| fits(one, right)))
        }
        (Value::Object(said), Value::Object(right)) => {
            said.iter().all(|(key, one)| fits(one, &right[key]))
        }
        _ => said == right,
    }
}
