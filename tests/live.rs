//! `closewait live` on the loopback interface, held against what this process does.
//!
//! Its connections are this process's own, so what the kernel should say of them is known.
#![cfg(feature = "libpcap")]

mod common;
#[path = "common/live.rs"]
mod watcher;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::netns::{Namespace, ip};
use common::{Scratch, command, is_root, skip, text};
use serde_json::Value;
use watcher::{Server, Watcher, port_of, signal};

#[test]
fn each_stuck_connection_is_told_with_its_process_and_descriptor() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let before = server.left_behind();
    let mut watcher = Watcher::start(server.port(), &[]);
    let early = watcher.line();
    let port = |stream: &TcpStream| u64::from(stream.local_addr().expect("an address").port());
    assert_eq!((&early["event"], &early["before_capture"]), (&"close-wait".into(), &true.into()));
    assert_eq!(early["a"]["port"], port(&before), "no other port is looked at");

    let mut held: Vec<TcpStream> = (0..3).map(|_| server.left_behind()).collect();
    let open = server.connected();
    for client in &held {
        let event = watcher.line();
        assert_eq!(event["event"], "close-wait", "{event}");
        assert_eq!(port_of(&event), port(client), "in the order of first packets");
        assert_eq!(event["process"]["pid"], std::process::id(), "{event}");
        assert_eq!(event["process"]["fd"], client.as_raw_fd());
        assert_eq!(event["kernel"]["state"], "CLOSE-WAIT");
        assert_eq!(
            (&event["kernel"]["confirmed"], &event["doubts"]),
            (&true.into(), &Value::Array(vec![]))
        );
        assert!(event["held_s"].as_f64() >= Some(0.5), "{event}");
        assert!(event["at"].as_str().is_some_and(|at| at.ends_with('Z')));
    }
    // Closed late, it is told once more.
    let late = held.remove(0);
    let late_port = port(&late);
    drop(late);
    let event = watcher.line();
    assert_eq!(
        (&event["event"], &event["verdict"]),
        (&"ended".into(), &"closed".into()),
        "{event}"
    );
    assert!([&event["a"]["port"], &event["b"]["port"]].contains(&&late_port.into()), "{event}");

    let (report, status) = watcher.stop();
    assert_eq!(status, Some(1));
    let summary = report.last().expect("a summary");
    assert_eq!(summary["type"], "summary");
    // The one before the capture may have acknowledged late.
    assert!(summary["verdicts"]["open"].as_u64() >= Some(1), "{summary}");
    assert_eq!(summary["captures"][0]["drops"], 0);
    let leaks: Vec<u64> = report
        .iter()
        .filter(|line| line["verdict"] == "leak" && line["before_capture"] == false)
        .map(port_of)
        .collect();
    assert_eq!(leaks, held.iter().map(port).collect::<Vec<_>>());
    let stuck = report.iter().filter(|line| line["before_capture"] == true);
    assert!(stuck.map(port_of).any(|stuck| stuck == port(&before)));
    drop(open);
}

/// Answers to keep-alives come later than the FIN: what is in CLOSE-WAIT all the time is held all the time. And its end is
/// told, though no packet of it was seen before.
#[test]
fn what_was_stuck_before_is_told_to_its_end() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    // The server's socket stays, to answer: of a process that has closed it there would be a RST.
    let (client, served) = server.connected();
    served.shutdown(std::net::Shutdown::Write).expect("open");
    let keep = socket2::TcpKeepalive::new().with_time(Duration::from_secs(1));
    let keep = keep.with_interval(Duration::from_secs(1));
    socket2::SockRef::from(&client).set_tcp_keepalive(&keep).expect("a socket");
    let mut watcher = Watcher::start(server.port(), &["--min-hold", "3s"]);
    let event = watcher.line();
    assert_eq!((&event["event"], &event["before_capture"]), (&"close-wait".into(), &true.into()));
    assert_eq!(port_of(&event), u64::from(client.local_addr().expect("an address").port()));
    assert!(event["held_s"].as_f64() >= Some(3.0), "{event}");
    drop(client);
    let event = watcher.line();
    assert_eq!((&event["event"], &event["before_capture"]), (&"ended".into(), &true.into()));
    assert_eq!((&event["verdict"], &event["finding"]), (&"unknown".into(), &false.into()));
    assert_eq!(event["kernel"]["confirmed"], false, "{event}");
    let (report, status) = watcher.stop();
    assert_eq!(status, Some(0), "{report:#?}");
}

/// The FIN of one that was stuck before is its own: it holds nothing any more.
#[test]
fn what_was_stuck_before_and_was_closed_is_no_number() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let client = server.left_behind();
    let (watcher, port) = scraped(&server);
    drop(client);
    sleep(Duration::from_millis(1_500));
    let body = asked(port, SCRAPE);
    assert!(body.contains("closewait_packets_total"), "{body}");
    assert!(!body.contains("state=\"CLOSE-WAIT\"} 1"), "{body}");
    // Both ends are local: the one that had closed first waits for 2 MSL.
    for one in ["state=\"CLOSED\"} 1", "state=\"TIME-WAIT\"} 1"] {
        assert!(body.contains(one), "{body}");
    }
    drop(watcher.stop());
}

/// Its FIN is left out by the filter: only the kernel knows that it has closed, and a scrape asks for what is now.
#[test]
fn what_was_stuck_before_is_as_young_as_a_scrape() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let client = server.left_behind();
    let (watcher, port) = scraped_of(&format!("port {} and greater 1000", server.port()));
    sleep(Duration::from_millis(1_200));
    assert_eq!(value(&asked(port, SCRAPE), "closewait_stuck_before"), 1.0);
    drop(client);
    sleep(Duration::from_millis(1_200));
    assert_eq!(value(&asked(port, SCRAPE), "closewait_stuck_before"), 0.0);
    drop(watcher.stop());
}

/// Whoever looks up sockets is killed: of a connection that came later, no list says that it is not there.
#[test]
fn a_list_that_nobody_can_make_again_is_not_asked() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let watcher = Watcher::start(server.port(), &[]);
    let packets = watcher.child.id();
    let children = format!("/proc/{packets}/task/{packets}/children");
    let lookup = std::fs::read_to_string(children).expect("a process");
    signal("-KILL", lookup.trim().parse().expect("one process"));
    let client = server.left_behind();
    let own = client.local_addr().expect("an address").port();
    sleep(Duration::from_millis(1_500));
    let (report, status) = watcher.stop();
    assert_eq!(status, Some(1));
    // Not what another test left behind on the same port before.
    let is_ours = |line: &&Value| line["verdict"] == "leak" && port_of(line) == u64::from(own);
    let leak = report.iter().rev().find(is_ours).expect("a finding");
    assert!(leak.get("process").is_none() && leak.get("kernel").is_none(), "{report:#?}");
}

/// After the drop: a finding is named though its process is another user's, who reads packets has no
/// rights, and who names processes has two capabilities.
#[test]
fn another_users_descriptor_is_named_after_the_drop() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let mut watcher = Watcher::start(server.port(), &["-Z", "nobody"]);
    let client = server.left_behind();
    let event = watcher.line();
    assert_eq!(event["process"]["pid"], std::process::id(), "{event}");
    assert_eq!(event["process"]["fd"], client.as_raw_fd());
    assert_eq!(event["process"]["uid"], 0);
    assert_eq!(event["doubts"], Value::Array(vec![]));

    let packets = watcher.child.id();
    let children = format!("/proc/{packets}/task/{packets}/children");
    let lookup = std::fs::read_to_string(children).expect("a process");
    let status = |pid: &str, name: &str| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.expect("such a line").trim().to_owned()
    };
    for (pid, capabilities) in
        [(packets.to_string(), 0), (lookup.trim().to_owned(), 1 << 2 | 1 << 19)]
    {
        let nobody = "65534\t65534\t65534\t65534";
        assert_eq!((status(&pid, "Uid"), status(&pid, "Gid")), (nobody.into(), nobody.into()));
        assert_eq!(status(&pid, "CapEff"), format!("{capabilities:016x}"));
        assert_eq!((status(&pid, "Seccomp"), status(&pid, "NoNewPrivs")), ("2".into(), "1".into()));
    }
    let (report, status) = watcher.stop();
    assert_eq!((report.len(), status), (2, Some(1)), "{report:?}");
    assert_eq!(report[0]["process"]["fd"], client.as_raw_fd());
}

/// Starts it with `--metrics`; its port is in what it says first.
fn scraped(server: &Server) -> (Watcher, u16) {
    scraped_of(&format!("port {}", server.port()))
}

fn scraped_of(expression: &str) -> (Watcher, u16) {
    let arguments = ["live", "-i", "lo", "--min-hold", "300ms", "--format", "jsonl"];
    let metrics = ["--metrics", "127.0.0.1:0", "--", expression];
    let mut child = command(&[&arguments[..], &metrics].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
    let line = said.next().expect("a line").expect("a line");
    let port =
        line.rsplit_once(':').and_then(|(_, rest)| rest.strip_suffix("/metrics")?.parse().ok());
    assert!(said.next().expect("a line").expect("a line").contains("listening on lo"));
    let lines = BufReader::new(child.stdout.take().expect("piped"));
    (Watcher { child, lines }, port.unwrap_or_else(|| panic!("{line}")))
}

fn asked(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(request).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

const SCRAPE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n";

fn value(text: &str, series: &str) -> f64 {
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|l| l.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
    line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok()).expect("a number")
}

#[test]
fn numbers_can_be_scraped() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let (mut watcher, port) = scraped(&server);
    let (open, mut stuck) = (server.connected(), vec![server.left_behind(), server.left_behind()]);
    (0..2).for_each(|_| assert_eq!(watcher.line()["event"], "close-wait"));
    let text = asked(port, SCRAPE);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("# EOF\n"), "{text}");
    // Both ends are on this host.
    assert_eq!(value(&text, "closewait_connections{state=\"CLOSE-WAIT\"}"), 2.0);
    assert_eq!(value(&text, "closewait_connections{state=\"FIN-WAIT-2\"}"), 2.0);
    assert_eq!(value(&text, "closewait_connections{state=\"ESTABLISHED\"}"), 2.0);
    assert_eq!(value(&text, "closewait_findings"), 2.0);
    let service = format!("{{service=\"127.0.0.1:{}\"}}", server.port());
    assert_eq!(value(&text, &format!("closewait_close_wait{service}")), 2.0);
    let longest = value(&text, &format!("closewait_close_wait_longest_seconds{service}"));
    assert!((0.3..60.0).contains(&longest), "{longest}");
    let for_a_second = value(&text, "closewait_close_wait_held{seconds=\"1\"}");
    assert_eq!(for_a_second > 0.0, longest >= 1.0, "{text}");
    let own = std::fs::read_to_string("/proc/self/comm").expect("a name");
    let labels = format!("service=\"127.0.0.1:{}\",process=\"{}\"", server.port(), own.trim());
    assert_eq!(value(&text, &format!("closewait_findings_begun_total{{{labels}}}")), 2.0);
    let build = concat!("closewait_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
    assert_eq!(value(&text, build), 1.0);
    assert_eq!(value(&text, "closewait_drops_total"), 0.0);

    // Who closes leaves the numbers: they are of now.
    stuck.pop();
    assert_eq!(watcher.line()["event"], "ended");
    sleep(Duration::from_millis(250));
    let text = asked(port, SCRAPE);
    assert_eq!(value(&text, &format!("closewait_close_wait{service}")), 1.0);
    let ended = format!("closewait_findings_ended_total{{{labels},verdict=\"closed\"}}");
    assert_eq!(value(&text, &ended), 1.0);
    assert!(asked(port, b"GET /healthz HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nok\n"));
    assert!(asked(port, b"GET / HTTP/1.1\r\n\r\n").contains("href=\"/metrics\""));
    assert_lints_clean(&text);
    let request = b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n";
    let text = asked(port, request);
    assert!(text.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{text}");
    assert!(text.contains("# TYPE closewait_packets counter\n"), "{text}");
    drop((open, stuck, watcher.stop()));
}

/// What Prometheus' own tool says of it.
fn assert_lints_clean(text: &str) {
    assert!(text.contains("Content-Type: text/plain; version=0.0.4"), "{text}");
    let (_, body) = text.split_once("\r\n\r\n").expect("a body");
    let Ok(mut promtool) = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        return skip("promtool");
    };
    let mut input = promtool.stdin.take().expect("piped");
    input.write_all(body.as_bytes()).expect("it reads");
    drop(input);
    let output = promtool.wait_with_output().expect("it ends");
    let (out, err) = common::text(&output);
    assert_eq!((out.as_str(), err.as_str(), output.status.code()), ("", "", Some(0)), "{body}");
}

/// However many are silent or slow, the next one is answered at once.
#[test]
fn a_thousand_silent_visitors_keep_no_scrape_waiting() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let (watcher, port) = scraped(&server);
    let connect = || TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let silent: Vec<TcpStream> = (0..500).map(|_| connect()).collect();
    let mut slow: Vec<TcpStream> = (0..500).map(|_| connect()).collect();
    for stream in &mut slow {
        // Those that had to go for others cannot be written to any more.
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ");
    }
    for _ in 0..5 {
        let started = Instant::now();
        assert!(asked(port, SCRAPE).starts_with("HTTP/1.1 200"));
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
    drop((silent, slow, watcher.stop()));
}

/// Whoever sends nothing, too much or nonsense gets no further than a time-out, and harms nobody.
#[test]
fn bad_scrapes_harm_nobody() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let (watcher, port) = scraped(&server);
    assert!(asked(port, b"\0\0\0\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert!(asked(port, b"GET /etc/passwd HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(asked(port, b"POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    let endless = [b"GET /".as_slice(), &[b'a'; 8 * 1024 - 5]].concat();
    assert!(asked(port, &endless).starts_with("HTTP/1.1 400"));
    // More silent ones than it has threads.
    let silent: Vec<TcpStream> =
        (0..12).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("it listens")).collect();
    let started = Instant::now();
    let text = asked(port, SCRAPE);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(30));
    drop(silent);
    let descriptors = |pid| std::fs::read_dir(format!("/proc/{pid}/fd")).expect("alive").count();
    let before = descriptors(watcher.child.id());
    (0..50).for_each(|_| drop(asked(port, SCRAPE)));
    sleep(Duration::from_millis(100));
    assert!(descriptors(watcher.child.id()) <= before, "no descriptor is left behind");
    drop(watcher.stop());
}

/// SIGUSR1 has the report printed, and nothing ends.
#[test]
fn a_signal_asks_for_the_report() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let mut watcher = Watcher::start(server.port(), &[]);
    let first = server.left_behind();
    assert_eq!(watcher.line()["event"], "close-wait");
    signal("-USR1", watcher.child.id());
    let (leak, summary) = (watcher.line(), watcher.line());
    assert_eq!((&leak["type"], &leak["verdict"]), (&"flow".into(), &"leak".into()));
    assert_eq!(leak["kernel"]["confirmed"], true, "{leak}");
    assert_eq!((&summary["type"], &summary["findings"]), (&"summary".into(), &1.into()));
    let second = server.left_behind();
    assert_eq!(watcher.line()["event"], "close-wait", "it goes on");
    let (report, status) = watcher.stop();
    assert_eq!((report.len(), status), (3, Some(1)), "{report:?}");
    drop((first, second));
}

/// It has its own loopback interface, and no sockets.
#[test]
fn another_namespace_can_be_watched() {
    if !is_root() {
        return;
    }
    let Some(namespace) = Namespace::new("live") else { return };
    let (_, err) = text(&common::closewait(&["live", "--netns", &namespace.0, "-i", "lo"]));
    assert!(err.contains("not up (ip link set lo up)"), "{err}");
    namespace.ip("link set lo up");
    let arguments = ["-i", "lo", "--duration", "500ms", "--format", "jsonl"];
    let output = common::closewait(&[&["live", "--netns", &namespace.0], &arguments[..]].concat());
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(out.contains("\"packets\":0"), "nothing of this namespace is seen: {out}");
    namespace.ip("link add own0 type veth peer name own1");
    let (out, _) = text(&common::closewait(&["live", "-D", "--netns", &namespace.0]));
    assert!(out.contains(".own0"), "its own interfaces: {out}");
    let (_, err) = text(&common::closewait(&["live", "--netns", "no-such-namespace"]));
    assert!(err.contains("no network namespace"), "{err}");
}

/// One that goes down is said, and watched again when it is up; one that vanishes ends it only if it was
/// the last, and with status 2.
#[test]
fn interfaces_that_go_are_said() {
    if !is_root() {
        return;
    }
    let Some(namespace) = Namespace::new("gone") else { return };
    for pair in ["e0 type veth peer name e1", "f0 type veth peer name f1"] {
        namespace.ip(&format!("link add {pair}"));
    }
    for end in ["e0", "e1", "f0", "f1"] {
        namespace.ip(&format!("link set {end} up"));
    }
    let arguments = ["-i", "e0", "-i", "f0", "--format", "jsonl"];
    let mut child = command(&[&["live", "--netns", &namespace.0], &arguments[..]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut hears = |what: &str| {
        let line = said.next().expect("a line").expect("a line");
        assert!(line.contains(what), "{line}");
    };
    hears("listening on e0,f0");
    namespace.ip("link set f0 down");
    hears("f0: is down");
    namespace.ip("link set f0 up");
    namespace.ip("link del e0");
    hears("e0: captures no more");
    assert_eq!(child.try_wait().expect("a child"), None, "it goes on");
    namespace.ip("link del f0");
    hears(
        "f0: the capture ended: The interface disappeared (-i any goes on when one does); what was seen",
    );
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(2));
    let last = BufReader::new(child.stdout.take().expect("piped")).lines().last();
    let last = last.expect("a report").expect("a line");
    assert!(last.contains("\"type\":\"summary\""), "{last}");
}

/// Packets of an address pass the ports of its bridge, whatever label it has; and an interface may have a second name, and
/// get another while it is captured on.
#[test]
fn what_was_stuck_before_is_told_wherever_its_packets_pass() {
    if !is_root() {
        return;
    }
    let Some(ours) = Namespace::new("ours") else { return };
    let Some(theirs) = Namespace::new("theirs") else { return };
    ours.ip(&format!("link add w0 type veth peer name w1 netns {}", theirs.0));
    ours.ip("link add br0 type bridge");
    ours.ip("link set w0 master br0");
    ours.ip("link property add dev w0 altname wire-zero");
    ours.ip("addr add 10.77.9.1/24 dev br0 label br0:service");
    theirs.ip("addr add 10.77.9.2/24 dev w1");
    for (namespace, name) in [(&ours, "lo"), (&ours, "br0"), (&ours, "w0"), (&theirs, "w1")] {
        namespace.ip(&format!("link set {name} up"));
    }
    let listener = theirs.inside(|| TcpListener::bind("10.77.9.2:0").expect("its own address"));
    let address = listener.local_addr().expect("bound");
    let client = ours.inside(|| TcpStream::connect(address).expect("somebody listens"));
    drop(listener.accept().expect("a client"));
    sleep(Duration::from_millis(300));
    let watched = |name: &str, meanwhile: &dyn Fn()| {
        let arguments = ["live", "--netns", &ours.0, "-i", name, "--format", "jsonl"];
        let soon = ["--min-hold", "100ms", "--duration", "1500ms"];
        let mut child = command(&[&arguments[..], &soon].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut said = BufReader::new(child.stderr.take().expect("piped"));
        said.read_line(&mut String::new()).expect("a line");
        meanwhile();
        let output = child.wait_with_output().expect("it ends");
        let before = |line: &Value| line["type"] == "flow" && line["before_capture"] == true;
        (output.status.code(), common::json_lines(&output).iter().filter(|it| before(it)).count())
    };
    for name in ["any", "br0", "w0", "wire-zero"] {
        assert_eq!(watched(name, &|| ()), (Some(1), 1), "{name}");
    }
    assert_eq!(watched("lo", &|| ()), (Some(0), 0), "none of its packets pass there");
    assert_eq!(watched("br0", &|| ours.ip("link set br0 name br9")), (Some(1), 1), "renamed");
    drop(client);
}

/// What the peer says comes in by another interface than what is captured on: packets show a connection that is open, and
/// the kernel has the last word.
#[test]
fn what_comes_in_by_another_interface_hides_no_finding() {
    if !is_root() {
        return;
    }
    let Some(ours) = Namespace::new("out") else { return };
    let Some(theirs) = Namespace::new("back") else { return };
    for (way, net) in [("w", 8), ("x", 9)] {
        ours.ip(&format!("link add {way}0 type veth peer name {way}1 netns {}", theirs.0));
        for (namespace, end, host) in [(&ours, 0, 1), (&theirs, 1, 2)] {
            namespace.ip(&format!("addr add 10.77.{net}.{host}/24 dev {way}{end}"));
            namespace.ip(&format!("link set {way}{end} up"));
        }
    }
    // Each takes what comes in by either.
    let taken = "for it in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$it; done";
    for namespace in [&ours, &theirs] {
        let arguments = ["netns", "exec", &namespace.0, "sh", "-c", taken];
        assert!(ip(&arguments), "its own settings");
    }
    let listener = theirs.inside(|| TcpListener::bind("10.77.9.2:0").expect("its own address"));
    let address = listener.local_addr().expect("bound");
    let arguments = ["--netns", &ours.0, "-i", "x0", "--min-hold", "300ms", "--format", "jsonl"];
    let mut child = command(&[&["live"], &arguments[..]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
    assert!(said.next().expect("a line").expect("a line").contains("listening on x0"));
    let client = ours.inside(|| {
        let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let client = client.expect("room");
        let own: SocketAddr = "10.77.8.1:0".parse().expect("an address");
        client.bind(&own.into()).expect("its own address");
        client.connect(&address.into()).expect("somebody listens");
        client
    });
    drop(listener.accept().expect("a client"));
    sleep(Duration::from_secs(1));
    signal("-INT", child.id());
    let output = child.wait_with_output().expect("it ends");
    let report = common::json_lines(&output);
    let leaks: Vec<&Value> = report.iter().filter(|line| line["verdict"] == "leak").collect();
    let [leak] = leaks[..] else { panic!("one: {report:#?}") };
    let own = client.local_addr().ok().and_then(|own| own.as_socket()).expect("open");
    assert_eq!((port_of(leak), output.status.code()), (own.port().into(), Some(1)));
    assert_eq!((&leak["before_capture"], &leak["finding"]), (&false.into(), &true.into()));
}

/// Where nobody saw the end of what was told, it was held until the kernel knew of it no more, and not to the end.
#[test]
fn what_the_kernel_no_longer_has_is_not_held_on_in_the_history() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let unreset = format!("port {} and tcp[tcpflags] & tcp-rst == 0", server.port());
    let words = ["live", "-i", "lo", "--format", "jsonl", "--min-hold", "300ms", "--", &unreset];
    let mut watcher = Watcher::with(&words);
    let (held, mut served) = server.accepted();
    served.write_all(b"never read").expect("an open connection");
    let closed = Instant::now();
    drop(served);
    assert_eq!(watcher.line()["event"], "close-wait");
    drop(held);
    signal("-USR1", watcher.child.id());
    while watcher.line()["type"] != "summary" {}
    let known = closed.elapsed().as_secs_f64();
    sleep(Duration::from_millis(700));
    let (report, status) = watcher.stop();
    let summary = report.last().expect("a summary");
    assert_eq!((&summary["findings"], status), (&0.into(), Some(0)), "{report:?}");
    let history = &summary["captures"][0]["history"];
    let counts = history["states"]["CLOSE-WAIT"].as_array().expect("counts");
    assert!(counts.contains(&1.into()) && counts.last() == Some(&0.into()), "{history}");
    let [hold] = &history["longest_close_wait"].as_array().expect("holds")[..] else {
        panic!("one: {history}")
    };
    let lasted = hold["lasted_s"].as_f64().expect("seconds");
    assert!(hold["until"] != Value::Null && lasted > 0.3 && lasted < known + 0.1, "{hold}");
}

/// An expression may leave out every packet of a connection that it is about.
#[test]
fn what_an_expression_hides_is_known_to_the_kernel() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let fins = format!("dst port {} and tcp[tcpflags] & tcp-fin != 0", server.port());
    let words = ["live", "-i", "lo", "--format", "jsonl", "--min-hold", "300ms", "--", &fins];
    let watcher = Watcher::with(&words);
    let held = server.left_behind();
    let own = held.local_addr().expect("an address").port();
    sleep(Duration::from_millis(600));
    let (report, status) = watcher.stop();
    let [leak, _] = &report[..] else { panic!("one, and the summary: {report:?}") };
    assert_eq!((port_of(leak), status), (own.into(), Some(1)), "{leak}");
    assert_eq!((&leak["before_capture"], &leak["first"]), (&false.into(), &Value::Null), "{leak}");
    drop(held);
}

/// Netfilter's log has packets of the rules that say so; it says in its own words that there are none just now.
#[test]
fn what_netfilter_logs_is_captured() {
    const NFT: common::Need = ("nft", "unshare", &["--net", "nft", "list", "ruleset"]);
    if let Some(need) = common::lacks(&[common::ROOT, NFT]) {
        return skip(need);
    }
    let Some(namespace) = Namespace::new("log") else { return };
    namespace.ip("link set lo up");
    let listener = namespace.inside(|| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let address = listener.local_addr().expect("bound");
    let nft = |rule: &str| ip(&["netns", "exec", &namespace.0, "nft", rule]);
    assert!(nft("add table ip seen"), "its own table");
    assert!(
        nft("add chain ip seen coming { type filter hook input priority 0 ; }"),
        "its own chain"
    );
    for end in ["dport", "sport"] {
        if !nft(&format!("add rule ip seen coming tcp {end} {} log group 5", address.port())) {
            return skip("a kernel that logs packets for nft");
        }
    }
    let arguments = ["--netns", &namespace.0, "-i", "nflog:5", "--min-hold", "300ms"];
    let mut child = command(&[&["live", "--format", "jsonl"], &arguments[..]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
    assert!(said.next().expect("a line").expect("a line").contains("listening on nflog:5"));
    sleep(Duration::from_millis(300));
    let clients: Vec<TcpStream> = (0..3)
        .map(|_| namespace.inside(|| TcpStream::connect(address).expect("somebody listens")))
        .collect();
    clients.iter().for_each(|_| drop(listener.accept().expect("a client")));
    sleep(Duration::from_secs(2));
    signal("-INT", child.id());
    let output = child.wait_with_output().expect("it ends");
    let report = common::json_lines(&output);
    let leaks = report.iter().filter(|line| line["type"] == "flow" && line["verdict"] == "leak");
    assert_eq!((leaks.count(), output.status.code()), (3, Some(1)), "{report:#?}");
    let summary = report.last().expect("a summary");
    assert_eq!(summary["packets"], summary["segments"]);
}

/// What is written can be read again, and says the same.
#[test]
fn what_was_seen_is_kept() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.path().join("seen.pcap");
    let path = path.to_str().expect("UTF-8");
    let server = Server::new();
    let mut watcher = Watcher::start(server.port(), &["-w", path]);
    let client = server.left_behind();
    while watcher.line()["before_capture"] == true {}
    let (report, _) = watcher.stop();
    let live =
        report.iter().find(|line| line["verdict"] == "leak" && line["before_capture"] == false);
    let output = common::closewait(&[path, "--format", "jsonl"]);
    let read = common::json_lines(&output);
    let live = live.expect("a leak");
    assert_eq!((&read[0]["uid"], &read[0]["verdict"]), (&live["uid"], &live["verdict"]));
    assert_eq!(
        read.last().expect("a summary")["segments"],
        report.last().expect("a summary")["segments"]
    );
    drop(client);
}

#[test]
fn it_ends_by_itself_after_a_count_or_a_time() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let expression = format!("port {}", server.port());
    let started = Instant::now();
    let output = common::closewait(&["-i", "lo", "--duration", "300ms", &expression]);
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(out.contains("no TCP") || out.contains("0 "), "{out}");
    assert!(started.elapsed() >= Duration::from_millis(300));
    let watcher = Watcher::start(server.port(), &["-c", "3"]);
    let both = server.connected();
    sleep(Duration::from_millis(300));
    let Watcher { mut child, lines } = watcher;
    let last = lines.lines().last().expect("a summary").expect("a line");
    assert!(last.contains("\"packets\":3"), "{last}");
    assert_eq!(
        child.wait().expect("it ends").code(),
        Some(if last.contains("\"findings\":0") { 0 } else { 1 })
    );
    drop(both);
}

/// A report that cannot be written says why in the kernel's words, and so does one after it.
#[test]
fn a_full_disk_is_said_in_the_end() {
    if !is_root() {
        return;
    }
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a device");
    let mut live = command(&["live", "-i", "lo", "--duration", "1500ms", "--", "tcp port 9"]);
    let mut live = live.stdout(full).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut said = BufReader::new(live.stderr.take().expect("piped"));
    let mut first = String::new();
    said.read_line(&mut first).expect("it listens");
    signal("-USR1", live.id());
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(live.wait().expect("it ends").code(), Some(2), "{first}{rest}");
    assert!(rest.contains("No space left on device"), "{first}{rest}");
}

/// Which way a packet goes, only the kernel's filter can tell, and libpcap asks its own about the first ones, too.
#[test]
fn what_the_direction_of_packets_hides_at_first_is_said() {
    if !is_root() {
        return;
    }
    let said = |interface: &str, expression: &str| {
        let words = ["live", "-i", interface, "--duration", "200ms", "--", expression];
        let output = command(&words).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        text(&output).1.contains("lo: for a tenth of a second from the first packet on")
    };
    let expressions = ["inbound and port 9", "tcp port 9 and not outbound", "tcp port 9"];
    assert_eq!(expressions.map(|expression| said("lo", expression)), [true, true, false]);
    assert!(!said("any", "inbound and port 9"), "there, packets say it themselves");
}

#[test]
fn what_cannot_be_captured_is_said_with_a_remedy() {
    if !is_root() {
        return;
    }
    let cases: [(&[&str], &str); 5] = [
        (&["live", "-i", "lo", "-Z", "no-such-user"], "-Z no-such-user: no such user"),
        (&["live", "-w", "-"], "standard output is the report's"),
        (&["live", "-i", "nosuch0"], "closewait live -D"),
        (&["live", "-i", "lo", "prot", "80"], "syntax error"),
        (&["live", "-i", "lo", "-w", "/nosuch/folder/x.pcap"], "cannot be written"),
    ];
    for (arguments, remedy) in cases {
        let output = common::closewait(arguments);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(remedy) && err.lines().count() == 1, "{err}");
    }
    let (out, _) = text(&common::closewait(&["live", "-D"]));
    assert!(out.lines().any(|line| line.contains("lo")), "{out}");
}

/// A disk that is full: the report is printed, and the status says that something was lost.
#[test]
fn what_cannot_be_kept_is_said() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let expression = format!("port {}", server.port());
    let output = common::closewait(&[
        "live",
        "-i",
        "lo",
        "-w",
        "/dev/full",
        "--duration",
        "300ms",
        &expression,
    ]);
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(
        err.contains("-w: not all packets could be written: /dev/full: No space left"),
        "{err}"
    );
    assert!(out.contains("0 packets"), "{out}");
    assert!(!out.contains("not read whole"), "what was not kept was read: {out}");
}

/// The folder of a series has gone: which file could not be made is said, and what was read is reported as a whole.
#[test]
fn a_series_whose_folder_is_gone_is_said() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    let folder = scratch.path().join("series");
    std::fs::create_dir(&folder).expect("room");
    let server = Server::new();
    let expression = format!("port {}", server.port());
    let path = folder.join("x").to_str().expect("UTF-8").to_owned();
    let arguments = ["live", "-i", "lo", "--format", "jsonl", "-w", &path, "-C", "1k"];
    let mut child = command(&[&arguments[..], &["--", &expression]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
    assert!(said.next().expect("a line").expect("a line").contains("listening on lo"));
    std::fs::remove_dir_all(&folder).expect("ours");
    let held: Vec<TcpStream> = (0..5).map(|_| server.left_behind()).collect();
    let line = said.next().expect("a line").expect("a line");
    assert!(line.contains(&format!("could be written: {path}1: No such file")), "{line}");
    signal("-INT", child.id());
    let output = child.wait_with_output().expect("it ends");
    let report = common::json_lines(&output);
    let headline = &report.last().expect("a summary")["headline"];
    assert_eq!((output.status.code(), &headline["unread_inputs"]), (Some(2), &0.into()));
    drop(held);
}

/// Killed at any moment, what was written so far is whole lines.
#[test]
fn what_was_written_is_whole_lines_when_it_is_killed() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    let server = Server::new();
    let _stuck: Vec<TcpStream> = (0..40).map(|_| server.left_behind()).collect();
    let mut lines = 0;
    for round in 0..12 {
        let path = scratch.path().join(format!("{round}.jsonl"));
        let name = path.to_str().expect("UTF-8");
        let mut watcher = Watcher::start(server.port(), &["-o", name]);
        let held: Vec<TcpStream> = (0..10).map(|_| server.left_behind()).collect();
        let until = Instant::now() + Duration::from_millis(400 + 37 * round);
        while Instant::now() < until {
            // Each has a report of fifty lines and more written.
            signal("-USR1", watcher.child.id());
        }
        watcher.child.kill().expect("a child");
        watcher.child.wait().expect("a child");
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.is_empty() || text.ends_with('\n'), "{:?}", text.lines().last());
        for line in text.lines() {
            let whole = serde_json::from_str::<Value>(line);
            assert!(whole.is_ok(), "{line}");
            lines += 1;
        }
        drop(held);
    }
    assert!(lines > 1_000, "{lines} lines are not enough to say anything");
}

/// Whoever reads the output takes a rest: packets are still read, and nothing is lost.
#[test]
fn a_full_pipe_loses_nothing() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let mut watcher = Watcher::start(server.port(), &[]);
    // A pipe holds 64 KiB, an event takes more than one.
    let held: Vec<TcpStream> = (0..300).map(|_| server.left_behind()).collect();
    sleep(Duration::from_secs(3));
    let ports: std::collections::BTreeSet<u64> =
        (0..held.len()).map(|_| port_of(&watcher.line())).collect();
    let port = |stream: &TcpStream| u64::from(stream.local_addr().expect("an address").port());
    assert_eq!(ports, held.iter().map(port).collect());
    let (report, _) = watcher.stop();
    let summary = report.last().expect("a summary");
    assert_eq!(
        (&summary["findings"], &summary["captures"][0]["drops"]),
        (&held.len().into(), &0.into())
    );
}

/// Without permission: one sentence, and what to do.
#[test]
fn without_permission_the_remedy_is_said() {
    if !is_root() {
        return;
    }
    // A copy that the other user can reach.
    let scratch = Scratch::new();
    let copy = scratch.path().join("closewait");
    std::fs::copy(common::BINARY, &copy).expect("room");
    for path in [scratch.path(), &copy] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("ours");
    }
    let run = || {
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy)
            .args(["live", "-i", "lo"])
            .stdin(Stdio::null())
            .output()
    };
    let Ok(mut output) = run() else { return skip("setpriv") };
    // Another test's child, begun while the copy was written, can hold it open until it is exec'ed.
    while text(&output).1.contains("Text file busy") {
        sleep(Duration::from_millis(50));
        output = run().expect("setpriv");
    }
    let (_, err) = text(&output);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("setcap cap_net_raw=ep") && err.lines().count() == 1, "{err}");
}

/// A client that asks a PostgreSQL in these words, is answered, and left behind.
fn asked_by(server: &Server, statement: &str) -> TcpStream {
    let message =
        |kind: &[u8], body: &[u8]| [kind, &(body.len() as u32 + 4).to_be_bytes(), body].concat();
    let (mut client, mut served) = server.accepted();
    let pass = |from: &mut TcpStream, to: &mut TcpStream, octets: &[u8]| {
        from.write_all(octets).expect("an open connection");
        to.read_exact(&mut vec![0; octets.len()]).expect("an open connection");
    };
    let ready = message(b"Z", b"I");
    pass(&mut client, &mut served, &message(b"", b"\0\x03\0\0user\0me\0\0"));
    pass(&mut served, &mut client, &[message(b"R", &[0; 4]), ready.clone()].concat());
    pass(&mut client, &mut served, &message(b"Q", &[statement.as_bytes(), b"\0"].concat()));
    pass(&mut served, &mut client, &[message(b"C", b"UPDATE 1\0"), ready].concat());
    client
}

#[test]
fn only_what_code_with_a_tag_left_is_told() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let port = server.port();
    let protocol = format!("postgresql={port}");
    let mut watcher = Watcher::start(port, &["--port", &protocol, "--tag", "controller=orders"]);
    let by = |controller: &str| {
        asked_by(&server, &format!("UPDATE t SET a=1 /*controller='{controller}'*/"))
    };
    let held = ["carts", "orders", "carts"].map(by);
    let orders = u64::from(held[1].local_addr().expect("an address").port());
    let event = watcher.line();
    assert_eq!((port_of(&event), &event["cause"]), (orders, &"forgotten".into()), "{event}");
    let (report, status) = watcher.stop();
    let told: Vec<u64> =
        report.iter().filter(|line| line["type"] != "summary").map(port_of).collect();
    assert!(!told.is_empty() && told.iter().all(|port| *port == orders), "{report:?}");
    let summary = report.last().expect("a summary");
    assert_eq!((&summary["flows"], &summary["findings"]), (&1.into(), &1.into()), "{summary}");
    assert_eq!(status, Some(1));
    drop(held);
}

/// What a person reads has the reason, too.
#[test]
fn a_line_has_the_cause_and_what_was_said_last() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let (protocol, filter) =
        (format!("postgresql={}", server.port()), format!("port {}", server.port()));
    let words = ["live", "-i", "lo", "--lang", "en", "--min-hold", "500ms", "--port", &protocol];
    let mut watcher = Watcher::with(&[&words[..], &["--duration", "1min", "--", &filter]].concat());
    let held = asked_by(&server, "UPDATE t SET a=1");
    let mut line = String::new();
    watcher.lines.read_line(&mut line).expect("a line");
    assert!(line.trim_end().ends_with("; forgotten: UPDATE t SET a=?"), "{line}");
    signal("-INT", watcher.child.id());
    std::io::copy(&mut watcher.lines, &mut std::io::sink()).expect("a report");
    assert_eq!(watcher.child.wait().expect("it ends").code(), Some(1));
    drop(held);
}

/// An answer that was not captured is one as soon as it is acknowledged, and not in the end alone.
#[test]
fn nothing_is_called_unanswered_whose_answer_was_not_captured() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let port = server.port();
    let protocol = format!("postgresql={port}");
    let seen = format!("port {port} and not (src port {port} and tcp[tcpflags] & (2|8) != 0)");
    let words = ["live", "-i", "lo", "--format", "jsonl", "--min-hold", "500ms"];
    let mut watcher = Watcher::with(&[&words[..], &["--port", &protocol, "--", &seen]].concat());
    let held = asked_by(&server, "UPDATE t SET a=1");
    let event = watcher.line();
    let told = |line: &Value| (line["cause"].clone(), line["postgresql"]["answered"].clone());
    assert_eq!(told(&event), ("unknown".into(), Value::Null), "{event}");
    let (report, status) = watcher.stop();
    assert_eq!((told(&report[0]), status), (told(&event), Some(1)), "{report:?}");
    drop(held);
}

/// A host may have several addresses, and a process is on one host.
#[test]
fn what_one_process_holds_at_two_addresses_is_of_one_host() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let filter = format!("port {}", server.port());
    let words = ["live", "-i", "lo", "--lang", "en", "--min-hold", "500ms", "--", &filter];
    let watcher = Watcher::with(&words);
    let one = server.left_behind();
    let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let other = other.expect("room");
    let own: SocketAddr = "127.0.0.5:0".parse().expect("an address");
    other.bind(&own.into()).expect("its own address");
    let address: SocketAddr = format!("127.0.0.1:{}", server.port()).parse().expect("one");
    other.connect(&address.into()).expect("it listens");
    drop(server.served());
    sleep(Duration::from_secs(1));
    signal("-INT", watcher.child.id());
    let Watcher { mut child, mut lines } = watcher;
    let mut report = String::new();
    lines.read_to_string(&mut report).expect("a report");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    assert!(report.contains("left in CLOSE-WAIT by 2 addresses"), "{report}");
    assert!(!report.contains("hosts") && !report.contains("begun"), "{report}");
    drop((one, other));
}

/// At each power of two from four on, an event says how many of its kind there are, and when descriptors run out.
#[test]
fn growth_is_told_at_powers_of_two() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let mut watcher = Watcher::start(server.port(), &[]);
    let held: Vec<TcpStream> = (0..9).map(|_| server.left_behind()).collect();
    let events: Vec<Value> = held.iter().map(|_| watcher.line()).collect();
    let told = events.iter().filter_map(|event| event.get("growth"));
    let told: Vec<&Value> = told.collect();
    let counts: Vec<u64> =
        told.iter().map(|growth| growth["count"].as_u64().expect("one")).collect();
    assert_eq!(counts, [4, 8], "{events:?}");
    for growth in told {
        let number = |key: &str| growth[key].as_u64().expect("what the kernel says");
        assert!(number("descriptors") >= 9 && number("descriptor_limit") > number("descriptors"));
    }
    watcher.stop();
    drop(held);
}

/// What events said is not denied in the end: neither where the filter passes SYN and FIN alone, nor
/// with an address that is another interface's.
#[test]
fn a_finding_that_was_announced_stays_one() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let port = server.port();
    let filter = format!("port {port} and tcp[tcpflags] & (tcp-syn|tcp-fin) != 0");
    let arguments = ["live", "-i", "lo", "--min-hold", "500ms", "--format", "jsonl", "--", &filter];
    let mut watcher = Watcher::with(&arguments);
    let client = server.left_behind();
    assert_eq!(watcher.line()["event"], "close-wait");
    let (report, status) = watcher.stop();
    let leak = report.iter().find(|line| line["type"] == "flow").expect("the connection");
    assert_eq!((status, &leak["verdict"]), (Some(1), &"leak".into()), "{leak}");
    assert_eq!(leak["kernel"]["confirmed"], true, "{leak}");
    drop(client);
}

/// A program that uses what it was told to hold has not forgotten it: the finding is taken back, until the program is
/// silent for long enough.
#[test]
fn what_is_used_after_all_is_taken_back() {
    if !is_root() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let mut watcher = Watcher::start(address.port(), &["--half-close-quiet", "2s"]);
    let mut client = TcpStream::connect(address).expect("connected");
    let (served, _) = listener.accept().expect("accepted");
    // It has said all, and goes on listening.
    served.shutdown(Shutdown::Write).expect("open");
    let seen = |event: &Value| (event["event"].clone(), event["verdict"].clone());
    assert_eq!(seen(&watcher.line()), ("close-wait".into(), "leak".into()));
    client.write_all(b"one more thing").expect("half open");
    assert_eq!(seen(&watcher.line()), ("ended".into(), "half-closed".into()));
    assert_eq!(seen(&watcher.line()), ("close-wait".into(), "leak".into()));
    drop(client);
    assert_eq!(watcher.line()["event"], "ended");
    drop((served, watcher.stop()));
}

/// What was stuck when the capture began is told once it was held for long enough.
#[test]
fn what_was_stuck_before_waits_for_min_hold_as_well() {
    if !is_root() {
        return;
    }
    let server = Server::new();
    let early = server.left_behind();
    let mut watcher = Watcher::start(server.port(), &["--min-hold", "3s"]);
    let event = watcher.line();
    assert_eq!((&event["event"], &event["before_capture"]), (&"close-wait".into(), &true.into()));
    assert!(event["held_s"].as_f64() >= Some(3.0), "{event}");
    drop(early);
    let (report, status) = watcher.stop();
    assert_eq!((report.len(), status), (1, Some(0)), "{report:?}");
}

/// A mistyped address would show in the last report alone, after days without an event.
#[test]
fn a_local_side_that_is_not_of_this_host_is_said_at_once() {
    if !is_root() {
        return;
    }
    let said = |local: &str| {
        let args = ["live", "-i", "lo", "--duration", "100ms", "--local", local, "port 1"];
        let output = command(&args).output().expect("the binary runs");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let strange = said("192.0.2.1");
    assert!(strange.contains("--local names no address of this host"), "{strange}");
    for own in ["127.0.0.1", "127.0.0.2", ":3306", "192.0.2.1,127.0.0.0/8"] {
        let said = said(own);
        assert!(!said.contains("--local"), "{own}: {said}");
    }
}
