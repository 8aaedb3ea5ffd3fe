//! `closewait live` asks the kernel again where packets say that a connection has ended: they may never
//! have reached it.
#![cfg(feature = "libpcap")]

mod common;
#[path = "common/live.rs"]
mod watcher;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::wire::{Link, Packet};
use common::{command, is_root};
use serde_json::Value;
use watcher::{Server, Watcher, port_of};

const FIN: u8 = 0x01;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// Puts a segment with a wrong checksum on the loopback interface: taps see it, no kernel takes it.
fn inject(from: SocketAddr, to: SocketAddr, flags: u8, seq: u32, ack: u32) {
    let packet = Packet {
        nanos: 0,
        from,
        to,
        flags,
        seq,
        ack,
        window: 512,
        options: Vec::new(),
        payload: Vec::new(),
        outgoing: true,
    };
    let mut frame = packet.frame(Link::Ethernet);
    // Behind Ethernet and IP; only what is neither zero nor left to the card is wrong.
    frame[14 + 20 + 16] ^= 0x5a;
    let capture = pcap::Capture::from_device("lo").expect("a device").open();
    capture.expect("root").sendpacket(frame).expect("it is sent");
}

fn isn(event: &Value, stream: &TcpStream) -> u32 {
    let port = u64::from(stream.local_addr().expect("open").port());
    let side = if event["a"]["port"] == port { "a" } else { "b" };
    event[side]["isn"].as_u64().and_then(|isn| isn.try_into().ok()).expect("an ISN")
}

/// The numbers that both ends have come to: each has sent one octet, the server its FIN, too.
fn numbers(event: &Value, client: &TcpStream) -> (u32, u32) {
    let own = isn(event, client);
    let side = if event["holder"] == "a" { "b" } else { "a" };
    let other = event[side]["isn"].as_u64().expect("an ISN") as u32;
    (own.wrapping_add(2), other.wrapping_add(3))
}

/// A FIN of its own, or a RST of the peer, that only the tap saw: the kernel has it in CLOSE-WAIT still.
#[test]
fn what_only_packets_ended_is_still_held() {
    if !is_root() {
        return;
    }
    for flags in [FIN | ACK, RST] {
        let server = Server::new();
        let mut watcher = Watcher::start(server.port(), &[]);
        let client = server.left_behind();
        let event = watcher.line();
        assert_eq!((&event["event"], &event["verdict"]), (&"close-wait".into(), &"leak".into()));
        let (seq, ack) = numbers(&event, &client);
        let ends = [client.local_addr(), client.peer_addr()].map(|end| end.expect("open"));
        match flags {
            RST => inject(ends[1], ends[0], RST, ack, 0),
            _ => inject(ends[0], ends[1], flags, seq, ack),
        }
        sleep(Duration::from_millis(1_500));
        let (report, status) = watcher.stop();
        assert_eq!(status, Some(1));
        let [leak, summary] = &report[..] else { panic!("no event, one row: {report:?}") };
        assert_eq!((&leak["type"], &leak["verdict"]), (&"flow".into(), &"leak".into()), "{leak}");
        assert_eq!(port_of(leak), u64::from(ends[0].port()));
        let holder = leak["holder"].as_str().expect("a holder");
        assert_eq!(leak["kernel"]["state"], "CLOSE-WAIT");
        assert_eq!(leak[holder]["state"], "CLOSE-WAIT", "{leak}");
        assert!(
            leak["notes"].as_array().is_some_and(|notes| notes.contains(&"kernel-holds".into()))
        );
        assert!(leak["held_s"].as_f64() >= Some(1.5), "{leak}");
        assert_eq!((&summary["findings"], &summary["verdicts"]["leak"]), (&1.into(), &1.into()));
    }
}

/// It had not been announced when a FIN that only the tap saw seemed to end it.
#[test]
fn what_packets_ended_before_it_was_told_is_told() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    // Long enough for the first check, and for a segment to be forged after it.
    let mut watcher = Watcher::start(server.port(), &["--min-hold", "4s"]);
    let client = server.left_behind();
    sleep(Duration::from_millis(1_500));
    watcher::signal("-USR1", watcher.child.id());
    let pending = watcher.line();
    assert_eq!(pending["verdict"], "pending", "{pending}");
    assert_eq!(watcher.line()["type"], "summary");
    let (seq, ack) = numbers(&pending, &client);
    let ends = [client.local_addr(), client.peer_addr()].map(|end| end.expect("open"));
    inject(ends[0], ends[1], FIN | ACK, seq, ack);
    let began = Instant::now();
    let event = watcher.line();
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!((&event["event"], &event["verdict"]), (&"close-wait".into(), &"leak".into()));
    assert_eq!(event["kernel"]["confirmed"], true, "{event}");
    drop(client);
    assert_eq!(watcher.line()["event"], "ended", "closed after all");
    let (report, status) = watcher.stop();
    assert_eq!((report.len(), status), (1, Some(0)), "{report:?}");
}

/// Its FIN waits behind data that the peer takes no more of: it is in LAST-ACK, and nothing is told.
#[test]
fn a_fin_behind_a_closed_window_is_none() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let mut watcher = Watcher::start(server.port(), &["--half-close-quiet", "1s"]);
    let (client, served) = server.connected();
    served.shutdown(Shutdown::Write).expect("open");
    sleep(Duration::from_millis(200));
    // More than both buffers hold, to somebody who does not read.
    client.set_nonblocking(true).expect("open");
    let mut sender = &client;
    while sender.write(&[0; 65_536]).is_ok_and(|sent| sent > 0) {}
    let stuck = server.left_behind();
    drop(client);
    let told = watcher.line();
    let port = stuck.local_addr().expect("open").port();
    assert_eq!(port_of(&told), u64::from(port), "the other is none: {told}");
    sleep(Duration::from_millis(2_500));
    let (report, _) = watcher.stop();
    let leaks: Vec<u64> =
        report.iter().filter(|line| line["finding"] == true).map(port_of).collect();
    assert_eq!(leaks, [u64::from(port)], "{report:?}");
    let mut rest = Vec::new();
    let _ = (&served).read_to_end(&mut rest);
}

/// The other process stands still, or is killed: what is known is reported at once, with what is missing.
#[test]
fn whoever_does_not_answer_is_not_waited_for_in_the_end() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let _client = server.left_behind();
    sleep(Duration::from_millis(300));
    let expression = format!("port {}", server.port());
    for (how, words) in
        [("-STOP", "no answer for 2 s"), ("-KILL", "has ended (signal: 9 (SIGKILL))")]
    {
        let arguments = ["live", "-i", "lo", "--min-hold", "100ms", "--", &expression];
        let mut child = command(&arguments);
        let mut child =
            child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        // The event of what was stuck before.
        child.stdout.as_mut().expect("piped").read_exact(&mut [0; 40]).expect("an event");
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let lookup = std::fs::read_to_string(children).expect("a process");
        let lookup = lookup.trim().parse().expect("one process");
        watcher::signal(how, lookup);
        let begun = Instant::now();
        watcher::signal("-INT", child.id());
        let status = child.wait().expect("it ends");
        assert!(begun.elapsed() < Duration::from_secs(5), "{how}: {:?}", begun.elapsed());
        if how == "-STOP" {
            // Its standard error is open there, too.
            watcher::signal("-CONT", lookup);
        }
        let mut said = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        assert!(said.contains(words) && said.contains("no longer known"), "{how}: {said}");
        assert_eq!(status.code(), Some(1), "{how}: {said}");
    }
}

/// After the RST its socket is in no list, and the descriptor is where it was.
#[test]
fn who_held_what_was_reset_is_named_in_the_end() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let mut watcher = Watcher::start(server.port(), &["--half-close-quiet", "1s"]);
    let (mut client, served) = server.connected();
    // With this unread, to close is to reset.
    client.write_all(b"unread").expect("open");
    served.shutdown(Shutdown::Write).expect("open");
    let event = watcher.line();
    assert_eq!(event["process"]["pid"], std::process::id(), "{event}");
    sleep(Duration::from_millis(1_500));
    drop(served);
    sleep(Duration::from_millis(1_500));
    let (report, status) = watcher.stop();
    let reset = report.iter().find(|line| line["type"] == "flow").expect("a finding");
    assert_eq!((&reset["verdict"], status), (&"reset".into(), Some(1)), "{reset}");
    assert_eq!(reset["notes"], serde_json::json!(["descriptor-may-leak"]), "{reset}");
    assert_eq!(reset["process"], event["process"], "{reset}");
    assert_eq!((event.get("process_by"), &reset["process_by"]), (None, &"earlier-list".into()));
    drop(client);
}
