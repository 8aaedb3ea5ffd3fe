//! `closewait live` where packets do not tell: sockets that were in CLOSE-WAIT before the first of them, and those
//! whose FIN was not captured. The kernel tells then.
#![cfg(feature = "libpcap")]

mod common;
#[path = "common/live.rs"]
mod watcher;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use common::is_root;
use serde_json::Value;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use watcher::{Server, Watcher, port_of, signal};

fn port(stream: &TcpStream) -> u64 {
    u64::from(stream.local_addr().expect("an address").port())
}

fn headline(report: &[Value]) -> &Value {
    &report.last().expect("a summary")["headline"]
}

/// Its peer has closed, and reads on: legal use (RFC 9293, 3.6.1), whenever somebody begins to look.
#[test]
fn a_half_close_in_use_since_before_is_no_finding() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let (mut client, mut served) = server.connected();
    served.shutdown(Shutdown::Write).expect("open");
    spawn(move || while served.read(&mut [0; 64]).is_ok_and(|n| n > 0) {});
    let mut speaking = client.try_clone().expect("a descriptor");
    let until = Instant::now() + Duration::from_secs(5);
    let speaker = spawn(move || {
        while Instant::now() < until {
            speaking.write_all(b"data").expect("somebody reads");
            sleep(Duration::from_millis(100));
        }
    });
    sleep(Duration::from_millis(500));
    let watcher = Watcher::start(server.port(), &["--min-hold", "1s"]);
    speaker.join().expect("it ends");
    let (report, status) = watcher.stop();
    assert_eq!(status, Some(0), "{report:#?}");
    assert!(report.iter().all(|line| line["finding"] != true), "{report:#?}");
    client.write_all(b"x").expect("open");
}

#[test]
fn what_is_stuck_but_not_for_long_is_said() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let _client = server.left_behind();
    let (report, status) = Watcher::start(server.port(), &["--min-hold", "60s"]).stop();
    assert_eq!(status, Some(0), "{report:#?}");
    assert_eq!(headline(&report)["pending_before"], 1, "{report:#?}");
}

#[test]
fn only_what_is_local_is_told_of_what_was_stuck_before() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let _client = server.left_behind();
    sleep(Duration::from_millis(600));
    let watcher = Watcher::start(server.port(), &["--local", "10.0.0.0/8"]);
    sleep(Duration::from_secs(1));
    let (report, status) = watcher.stop();
    assert_eq!((report.len(), status), (1, Some(0)), "no event, and no finding: {report:#?}");
}

/// A filter leaves out all that the holder says.
#[test]
fn a_finding_that_only_the_kernel_knows_is_told_at_once() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let expression = format!("src port {}", server.port());
    let begin = ["live", "-i", "lo", "--format", "jsonl", "--min-hold", "500ms", "--", &expression];
    let mut watcher = Watcher::with(&begin);
    let client = server.left_behind();
    let event = watcher.line();
    assert_eq!((&event["event"], port_of(&event)), (&"close-wait".into(), port(&client)));
    assert_eq!(event["notes"], serde_json::json!(["kernel-holds"]), "{event}");
    assert_eq!(event["process"]["pid"], std::process::id(), "{event}");
    let (report, status) = watcher.stop();
    assert_eq!((headline(&report)["certain"].as_u64(), status), (Some(1), Some(1)), "{report:#?}");
}

/// An expression leaves out all that the peer says, its FIN too: packets show a connection that is open.
#[test]
fn a_fin_that_an_expression_leaves_out_hides_no_finding() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let expression = format!("dst port {}", server.port());
    let begin = ["live", "-i", "lo", "--format", "jsonl", "--min-hold", "500ms", "--", &expression];
    let watcher = Watcher::with(&begin);
    let (client, open) = (server.left_behind(), server.connected());
    sleep(Duration::from_secs(1));
    let (report, status) = watcher.stop();
    let leaks: Vec<&Value> = report.iter().filter(|line| line["verdict"] == "leak").collect();
    let [leak] = leaks[..] else { panic!("one: {report:#?}") };
    assert_eq!((port_of(leak), status), (port(&client), Some(1)));
    assert_eq!((&leak["finding"], &leak["kernel"]["confirmed"]), (&true.into(), &true.into()));
    assert!(leak["held_s"].as_f64() >= Some(0.9), "{leak}");
    drop(open);
}

/// A client from this port, or from any, whose server has closed.
fn left_behind_from(server: &Server, port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let at = |port: u16| SockAddr::from(SocketAddr::from(([127, 0, 0, 1], port)));
    socket.set_reuse_address(true).expect("a socket");
    socket.bind(&at(port)).expect("a port");
    socket.connect(&at(server.port())).expect("a server");
    drop(server.served());
    socket.into()
}

/// A client that has reset its connection, after which its port is free. Returns the port.
fn reset(server: &Server) -> u16 {
    let (client, _served) = server.connected();
    let port = client.local_addr().expect("an address").port();
    Socket::from(client).set_linger(Some(Duration::ZERO)).expect("a socket");
    port
}

/// An expression for SYNs leaves two connections of one 4-tuple that both look open, or no more than their SYNs.
#[test]
fn an_expression_for_syns_hides_no_finding() {
    if !is_root() {
        return;
    }
    for flags in ["tcp[13] & 2 != 0", "tcp[13] = 2"] {
        let server = Server::new();
        let expression = format!("port {} and {flags}", server.port());
        let begin =
            ["live", "-i", "lo", "--format", "jsonl", "--min-hold", "500ms", "--", &expression];
        let watcher = Watcher::with(&begin);
        let used = reset(&server);
        let again = left_behind_from(&server, used);
        sleep(Duration::from_secs(1));
        let (report, status) = watcher.stop();
        let leaks: Vec<&Value> = report.iter().filter(|line| line["verdict"] == "leak").collect();
        let [leak] = leaks[..] else { panic!("one: {report:#?}") };
        assert_eq!((port_of(leak), status), (port(&again), Some(1)), "{flags}");
        assert_eq!(leak["kernel"]["confirmed"], true, "{leak}");
    }
}

/// Its peer asks whether it is still there, and it answers: packets show a connection that is open, and it is the socket
/// that was there before.
#[test]
fn what_was_stuck_before_and_answers_late_is_told_once() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let (client, served) = server.connected();
    let keep = socket2::TcpKeepalive::new().with_time(Duration::from_secs(1));
    let keep = keep.with_interval(Duration::from_secs(1));
    socket2::SockRef::from(&served).set_tcp_keepalive(&keep).expect("a socket");
    served.shutdown(Shutdown::Write).expect("open");
    sleep(Duration::from_millis(300));
    let watcher = Watcher::start(server.port(), &["-B", "1"]);
    sleep(Duration::from_millis(1_500));
    // Some packets were lost, and a FIN may be among them: the kernel is asked about what is open.
    let ((), report, status) = overrun(&server, watcher, || ());
    let found: Vec<_> = report.iter().filter(|line| line["finding"] == true).collect();
    let told = |kind: &str| found.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((told("event"), told("flow"), status), (1, 1, Some(1)), "{report:#?}");
    assert!(found.iter().all(|line| line["before_capture"] == true), "{report:#?}");
    assert_eq!(port_of(found[0]), port(&client));
    let now = headline(&report);
    assert_eq!((&now["close_wait"], &now["before_capture"]), (&0.into(), &1.into()));
}

/// Whether a packet is as long as that, or has these flags, its ends do not tell: a filter that asks for it hides no
/// socket that was there before. One for other ports does.
#[test]
fn a_filter_that_asks_for_more_than_ends_hides_none_of_before() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let client = server.left_behind();
    let port_of_server = format!("port {}", server.port());
    for (more, is_told) in [
        ("and greater 1000", true),
        ("and tcp[tcpflags] & tcp-syn != 0", true),
        ("and ip[8] < 5", true),
        ("and udp", false),
        ("and port 9 and greater 1000", false),
    ] {
        let expression = format!("{port_of_server} {more}");
        let output = common::closewait(&[
            "live",
            "-i",
            "lo",
            "--format",
            "jsonl",
            "--min-hold",
            "0s",
            "--duration",
            "700ms",
            "--",
            &expression,
        ]);
        let lines = common::json_lines(&output);
        let told =
            lines.iter().any(|line| line["type"] == "flow" && port_of(line) == port(&client));
        assert_eq!((told, output.status.code()), (is_told, Some(is_told.into())), "{expression}");
    }
}

/// Stops a watcher, fills its ring, and has something happen, of which every packet is dropped; then it goes on. Returns
/// what came of that, and the watcher's last report with its status.
fn overrun<T>(
    server: &Server,
    watcher: Watcher,
    happens: impl FnOnce() -> T,
) -> (T, Vec<Value>, Option<i32>) {
    let (mut busy, mut sink) = server.connected();
    sleep(Duration::from_secs(1));
    signal("-STOP", watcher.child.id());
    let reader = spawn(move || while sink.read(&mut [0; 65_536]).is_ok_and(|n| n > 0) {});
    let block = vec![0; 1_000];
    (0..20_000).for_each(|_| busy.write_all(&block).expect("somebody reads"));
    let happened = happens();
    sleep(Duration::from_millis(300));
    signal("-CONT", watcher.child.id());
    sleep(Duration::from_millis(2_500));
    let (report, status) = watcher.stop();
    assert_drops(&report);
    drop(busy);
    reader.join().expect("it ends");
    (happened, report, status)
}

/// The capture's ring was full when the FINs came.
#[test]
fn a_fin_that_was_lost_hides_no_finding() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let watcher = Watcher::start(server.port(), &["-B", "1"]);
    let (clients, served): (Vec<_>, Vec<_>) = (0..5).map(|_| server.connected()).unzip();
    let ((), report, status) = overrun(&server, watcher, || drop(served));
    let is_leak = |line: &&Value| line["type"] == "flow" && line["verdict"] == "leak";
    let mut held: Vec<u64> = report.iter().filter(is_leak).map(port_of).collect();
    held.sort_unstable();
    let mut expected: Vec<u64> = clients.iter().map(port).collect();
    expected.sort_unstable();
    assert_eq!((held, status), (expected, Some(1)));
}

fn assert_drops(report: &[Value]) {
    let drops = &report.last().expect("a summary")["captures"][0]["drops"];
    assert!(drops.as_u64() > Some(0), "{report:#?}");
}

/// The ring was full from their first packet to their last: only the kernel knows of them.
#[test]
fn a_connection_that_was_lost_as_a_whole_is_said_in_the_end() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let old = server.left_behind();
    // Its FIN is acknowledged by then.
    sleep(Duration::from_millis(300));
    let watcher = Watcher::start(server.port(), &["-B", "1"]);
    let leave = || (0..3).map(|_| server.left_behind()).collect();
    let (clients, report, status): (Vec<TcpStream>, _, _) = overrun(&server, watcher, leave);
    let told = report.iter().filter(|line| line["type"] == "flow" && line["verdict"] == "leak");
    let mut held: Vec<(u64, bool)> =
        told.map(|line| (port_of(line), line["before_capture"] == true)).collect();
    held.sort_unstable();
    let unseen = clients.iter().map(|client| (port(client), false));
    let mut expected: Vec<(u64, bool)> = unseen.chain([(port(&old), true)]).collect();
    expected.sort_unstable();
    assert_eq!((held, status), (expected, Some(1)), "{report:#?}");
    assert_eq!(headline(&report)["before_capture"], 4, "{report:#?}");
}

/// Packets show the end of a connection of the same 4-tuple that was there before it.
#[test]
fn a_connection_that_was_lost_as_a_whole_is_another_than_one_before_it() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let watcher = Watcher::start(server.port(), &["-B", "1"]);
    let used = reset(&server);
    sleep(Duration::from_secs(2));
    let (client, report, status) = overrun(&server, watcher, || left_behind_from(&server, used));
    let told = report.iter().filter(|line| line["type"] == "flow" && line["verdict"] == "leak");
    let held: Vec<u64> = told.map(port_of).collect();
    assert_eq!((held, status), (vec![port(&client)], Some(1)), "{report:#?}");
}

/// A client of Multipath TCP and its server, which do not know each other yet; `None` without a kernel that speaks it.
fn multipath() -> Option<(Socket, SockAddr, Socket)> {
    let made = || Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP));
    let (Ok(server), Ok(client)) = (made(), made()) else {
        common::skip("mptcp");
        return None;
    };
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    server.bind(&any.into()).expect("a port");
    server.listen(1).expect("it is bound");
    let address = server.local_addr().expect("bound");
    Some((server, address, client))
}

/// A client whose server has closed by a DATA_FIN (RFC 8684).
fn left_by_data_fin(server: &Socket, address: &SockAddr, client: Socket) -> TcpStream {
    client.connect(address).expect("it listens");
    let mut client = TcpStream::from(client);
    let mut served = TcpStream::from(server.accept().expect("a client").0);
    served.write_all(b"x").expect("open");
    client.read_exact(&mut [0]).expect("it was sent");
    client
}

/// Has it ask every second whether its peer is still there: each answer is heard.
fn keep_alive(client: &Socket) {
    let keep = socket2::TcpKeepalive::new().with_time(Duration::from_secs(1));
    client.set_tcp_keepalive(&keep.with_interval(Duration::from_secs(1))).expect("a socket");
}

fn port_at(address: &SockAddr) -> u16 {
    address.as_socket().expect("of IPv4").port()
}

/// TCP shows nothing of it: the kernel tells.
#[test]
fn what_multipath_tcp_left_is_told_by_the_kernel() {
    if !is_root() {
        return;
    }
    let Some((server, address, client)) = multipath() else { return };
    let mut watcher = Watcher::start(port_at(&address), &["--min-hold", "4s"]);
    let client = left_by_data_fin(&server, &address, client);
    let is_its = |line: &Value| {
        assert_eq!((&line["verdict"], port_of(line)), (&"leak".into(), port(&client)));
        assert_eq!(line["notes"], serde_json::json!(["kernel-holds", "multipath"]), "{line}");
        assert_eq!(line["process"]["pid"], std::process::id(), "{line}");
    };
    is_its(&watcher.line());
    // It is asked about every five seconds, and has just been heard; then no more.
    let socket = socket2::SockRef::from(&client);
    keep_alive(&socket);
    sleep(Duration::from_secs(7));
    socket.set_keepalive(false).expect("a socket");
    sleep(Duration::from_secs(7));
    let (report, status) = watcher.stop();
    assert_eq!((report.len(), status), (2, Some(1)), "no other event: {report:#?}");
    is_its(&report[0]);
}

/// Each answer to its keep-alives makes it look new; an earlier list had it all the same.
#[test]
fn what_only_the_kernel_knows_grows_old_by_its_lists() {
    if !is_root() {
        return;
    }
    let Some((server, address, client)) = multipath() else { return };
    let watcher = Watcher::start(port_at(&address), &["--min-hold", "2s"]);
    keep_alive(&client);
    let client = left_by_data_fin(&server, &address, client);
    // It is asked four times a minute.
    sleep(Duration::from_secs(19));
    let (report, status) = watcher.stop();
    assert_eq!(status, Some(1), "{report:#?}");
    let is_leak = |line: &&Value| line["type"] == "flow" && line["verdict"] == "leak";
    let leak = report.iter().find(is_leak).expect("one");
    assert_eq!(port_of(leak), port(&client), "{report:#?}");
    assert!(leak["held_s"].as_f64() >= Some(2.0), "{leak}");
}
