//! `closewait sockets` against leaks made here, and against `ss`.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::sleep;
use std::time::Duration;

use common::scenario::Scenario;
use common::wire::MICROSECONDS;
use common::{Scratch, closewait, command, json_lines, text};
use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::Value;

/// Connections whose peer has closed, held by a process of their own that starts no other. What this one held would,
/// between a fork and its exec, be that child's as well: and then the list would rightly name two processes.
struct Leaks {
    process: Child,
    asked: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
    held: Vec<Leak>,
}

/// One of them, at the end that does not close.
struct Leak {
    port: u16,
    fd: i32,
}

/// What the program did with the end-of-file.
#[derive(Clone, Copy, Debug)]
enum Eof {
    Unread,
    Read,
    /// There is data before it, too.
    BehindData,
}

const LEAK_AT: &str = "CLOSEWAIT_TEST_LEAK_AT";

impl Leaks {
    /// Some whose peer listens at an address of its own: what others have left at the same port is no part of them,
    /// and stays for a minute.
    fn new() -> Leaks {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        Leaks::at(&format!("127.77.{}.{next}", std::process::id() % 250 + 1))
    }

    /// Some whose peer listens at a free port of an address.
    fn at(ip: &str) -> Leaks {
        Leaks::started_by(Command::new(std::env::current_exe().expect("a path")), ip)
    }

    fn started_by(mut program: Command, ip: &str) -> Leaks {
        let mut process = program
            .args(["helper_that_leaks", "--exact", "--nocapture"])
            .env(LEAK_AT, ip)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the helper starts");
        let asked = process.stdin.take().expect("a pipe");
        let mut told = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let address = answer(&mut told, "at ").parse().expect("an address");
        Leaks { process, asked, told, address, held: Vec::new() }
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    /// One more connection that its peer closes and the process does not.
    fn add(&mut self, eof: Eof) {
        writeln!(self.asked, "{eof:?}").expect("the helper listens");
        let held = answer(&mut self.told, "held ");
        let (port, fd) = held.split_once(' ').expect("a port and a descriptor");
        let (port, fd) = (port.parse().expect("a port"), fd.parse().expect("a descriptor"));
        self.held.push(Leak { port, fd });
    }
}

impl Drop for Leaks {
    fn drop(&mut self) {
        let _ = writeln!(self.asked);
        let _ = self.process.wait();
    }
}

/// Waits for the line of the helper that begins so, and returns the rest of it.
fn answer(told: &mut Lines<BufReader<ChildStdout>>, begins: &str) -> String {
    let mut lines = told.map_while(Result::ok);
    lines.find_map(|line| Some(line.strip_prefix(begins)?.to_owned())).expect("the helper says it")
}

/// Not a test of its own: the process that holds leaks for the tests below, as many as its input asks for.
#[test]
fn helper_that_leaks() {
    let Ok(ip) = std::env::var(LEAK_AT) else { return };
    let listener = TcpListener::bind((ip.as_str(), 0)).expect("a free port");
    println!("\nat {}", listener.local_addr().expect("bound"));
    let mut kept = Vec::new();
    for asked in std::io::stdin().lines().map_while(Result::ok).take_while(|line| !line.is_empty())
    {
        let held = leak(&listener, &asked);
        let port = held.local_addr().expect("connected").port();
        println!("held {port} {}", held.as_raw_fd());
        kept.push(held);
    }
}

fn leak(listener: &TcpListener, eof: &str) -> TcpStream {
    let address = listener.local_addr().expect("bound");
    let mut held = TcpStream::connect(address).expect("connected");
    let (mut peer, _) = listener.accept().expect("accepted");
    if eof == "BehindData" {
        peer.write_all(b"four").expect("written");
    }
    drop(peer);
    if eof == "Read" {
        assert_eq!(held.read_to_end(&mut Vec::new()).expect("the end-of-file"), 0);
    }
    held
}

/// The JSON lines for one port.
fn listed(port: u16, more: &[&str]) -> Vec<Value> {
    let port = port.to_string();
    let args = [&["sockets", "--format", "jsonl", "--port", &port], more].concat();
    // The kernel needs a moment to let a FIN through.
    sleep(Duration::from_millis(50));
    json_lines(&closewait(&args))
}

fn sockets(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|line| line["type"] == "socket").collect()
}

/// Those of an address that a test listens at: others of this host may have its port, too.
fn own<'a>(lines: &'a [Value], address: &SocketAddr) -> Vec<&'a Value> {
    let has = |socket: &Value, end: &str| {
        let (ip, port) = (&socket[end]["ip"], &socket[end]["port"]);
        *ip == address.ip().to_string() && *port == address.port()
    };
    let ours = |socket: &&Value| ["local", "peer"].iter().any(|end| has(socket, end));
    sockets(lines).into_iter().filter(ours).collect()
}

/// The sockets of a saved list, which has one moment.
fn sockets_of(list: &str) -> Vec<closewait::owner::Socket> {
    let mut saved = closewait::owner::saved::parse(list).expect("a list");
    assert_eq!((saved.moments.len(), saved.unread), (1, None));
    saved.moments.remove(0).sockets
}

#[test]
fn every_stuck_socket_has_its_process_and_descriptor() {
    let mut leaks = Leaks::new();
    leaks.add(Eof::Unread);
    leaks.add(Eof::Read);
    leaks.add(Eof::BehindData);
    let lines = listed(leaks.port(), &[]);
    let found = own(&lines, &leaks.address);
    assert_eq!(found.len(), 3);
    for (held, recv_q) in leaks.held.iter().zip([1, 0, 5]) {
        let socket = found.iter().find(|it| it["local"]["port"] == held.port).expect("listed");
        assert_eq!(socket["state"], "CLOSE-WAIT");
        assert_eq!(socket["recv_q"], recv_q);
        assert_eq!(socket["peer"]["port"], leaks.port());
        assert_eq!(socket["process"]["pid"], leaks.pid());
        assert_eq!(socket["process"]["fd"], held.fd);
        assert_eq!(socket["netns"], Value::Null);
    }
    assert_eq!(lines.last().expect("a summary")["findings"], sockets(&lines).len());
}

/// The headlines of a text that say so many: other sockets of this host, and of the tests beside this one, may be
/// in CLOSE-WAIT, too.
fn headlines(out: &str, n: usize) -> usize {
    let begins = |line: &&str| {
        line.starts_with(&format!("{n} socket")) || line.starts_with(&format!("{n} of "))
    };
    let ends =
        |line: &&str| ["in CLOSE-WAIT", "match", "matches"].iter().any(|it| line.ends_with(it));
    out.lines().filter(begins).filter(ends).count()
}

#[test]
fn the_text_says_what_recv_q_tells_and_ends_with_one() {
    let mut leaks = Leaks::new();
    leaks.add(Eof::Unread);
    leaks.add(Eof::Read);
    sleep(Duration::from_millis(50));
    let peer = leaks.address.to_string();
    let output = closewait(&["sockets", "--peer", &peer]);
    let (out, _) = text(&output);
    assert_eq!(headlines(&out, 2), 1, "{out}");
    assert!(out.contains(&format!("{}  ", leaks.pid())), "{out}");
    assert!(out.contains("Recv-Q 0: the program read the end-of-file, and did not close"), "{out}");
    assert!(out.contains("Recv-Q 1: the program never read the end-of-file"), "{out}");
    assert!(out.contains(" descriptors in CLOSE-WAIT, limit "), "{out}");
    assert_eq!(output.status.code(), Some(1));
    let none = closewait(&["sockets", "--port", "1"]);
    let said = text(&none).0;
    assert!(said.contains("No socket in CLOSE-WAIT.") || said.contains("None of "), "{said}");
    assert_eq!(none.status.code(), Some(0));
}

#[test]
fn a_connection_that_was_never_accepted_sits_in_the_backlog() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(TcpStream::connect(address).expect("connected"));
    let lines = listed(address.port(), &[]);
    let found = own(&lines, &address);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["local"]["port"], &found[0]["process"]),
        (&address.port().into(), &Value::Null)
    );
    let (out, _) = text(&closewait(&["sockets", "--port", &address.port().to_string()]));
    assert!(out.contains("(backlog): no process has the socket"), "{out}");
}

#[test]
fn ipv6_and_ipv4_mapped_sockets_are_listed() {
    if TcpListener::bind("[::1]:0").is_err() {
        return common::skip("ipv6");
    }
    let mut leaks = Leaks::at("::1");
    leaks.add(Eof::Unread);
    let lines = listed(leaks.port(), &[]);
    assert_eq!(sockets(&lines)[0]["local"]["ip"], "::1");
    // A listener on [::] takes IPv4 too, as mapped addresses.
    let Ok(both) = TcpListener::bind("[::]:0") else { return common::skip("ipv6") };
    let port = both.local_addr().expect("bound").port();
    let client = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let (held, _) = both.accept().expect("accepted");
    drop(client);
    let lines = listed(port, &[]);
    let found = sockets(&lines);
    assert_eq!(found[0]["local"]["ip"], "127.0.0.1", "IPv4-mapped is IPv4");
    drop(held);
}

#[test]
fn narrowing_narrows() {
    let mut leaks = Leaks::new();
    leaks.add(Eof::Unread);
    let port = leaks.port();
    let count = |more: &[&str]| own(&listed(port, more), &leaks.address).len();
    let me = leaks.pid().to_string();
    assert_eq!(count(&["--peer", "127.0.0.0/8"]), 1);
    assert_eq!(count(&["--peer", &format!(":{port}")]), 1);
    assert_eq!(count(&["--peer", "10.0.0.1"]), 0);
    assert_eq!(count(&["--pid", &me]), 1);
    assert_eq!(count(&["--pid", "1"]), 0);
    assert_eq!(count(&["--state", "listen"]), 1);
    assert_eq!(count(&["--state", "FIN-WAIT-2", "--state", "close_wait"]), 2);
    assert_eq!(count(&["--all"]), 3, "the listener, and both ends");
    assert_eq!(closewait(&["sockets", "--state", "SLEEPING"]).status.code(), Some(2));
}

#[test]
fn the_same_sockets_processes_and_descriptors_as_ss() {
    let Ok(output) = Command::new("ss").arg("-tanpeH").output() else { return common::skip("ss") };
    assert!(output.status.success());
    let mut leaks = [Leaks::new(), Leaks::new()];
    for leaks in &mut leaks {
        for _ in 0..20 {
            leaks.add(Eof::Unread);
        }
    }
    sleep(Duration::from_millis(50));
    for leaks in &leaks {
        let filter = format!("( src {0} or dst {0} )", leaks.address);
        let output = Command::new("ss").args(["-tanpeH", &filter]).output().expect("ss runs");
        let theirs = sockets_of(&text(&output).0);
        let lines = listed(leaks.port(), &["--all"]);
        let ours: String =
            own(&lines, &leaks.address).iter().map(|line| format!("{line}\n")).collect();
        let ours = sockets_of(&ours);
        let key = |socket: &closewait::owner::Socket| {
            let holders: Vec<String> = socket.holders.iter().map(|h| h.to_string()).collect();
            format!(
                "{} {} {} {} {holders:?}",
                socket.state,
                socket.local,
                socket.peer,
                socket.recv_q.unwrap_or_default()
            )
        };
        let set = |list: &[closewait::owner::Socket]| list.iter().map(key).collect::<BTreeSet<_>>();
        assert_eq!(set(&ours), set(&theirs));
        assert_eq!(ours.len(), 41, "a listener, and both ends of each");
    }
}

/// What is printed while more and more is left behind, and who left it.
fn watched(format: &str) -> (String, Leaks) {
    let mut leaks = Leaks::new();
    leaks.add(Eof::Unread);
    let peer = leaks.address.to_string();
    let arguments = ["sockets", "--peer", &peer, "--watch=700ms", "-c", "3", "--format", format];
    let mut watching = command(&arguments).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut printed = BufReader::new(watching.stdout.take().expect("a pipe"));
    let mut out = String::new();
    // It grows from the first look on.
    printed.read_line(&mut out).expect("UTF-8");
    for _ in 0..8 {
        leaks.add(Eof::Unread);
        sleep(Duration::from_millis(70));
    }
    printed.read_to_string(&mut out).expect("UTF-8");
    assert_eq!(watching.wait().expect("it ends").code(), Some(1));
    (out, leaks)
}

#[test]
fn watching_says_how_fast_it_grows() {
    let (out, leaks) = watched("text");
    let told: usize = (1..=9).map(|n| headlines(&out, n)).sum();
    assert_eq!(told, 3, "{out}");
    assert!(!out.contains('\x1b'), "a pipe gets lines");
    assert!(out.contains(" a minute, which reaches the limit in "), "{out}");
    assert!(out.contains(&format!("peer {}", leaks.address)), "{out}");
}

/// For machines, too: a summary of each look, with the rate and the time at which the limit is reached.
#[test]
fn watching_tells_rate_and_deadline_in_json() {
    let (out, leaks) = watched("jsonl");
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let summaries: Vec<Value> = lines.filter(|line| line["type"] == "summary").collect();
    assert_eq!(summaries.len(), 3, "{out}");
    let its = |process: &&Value| process["pid"] == leaks.pid();
    let own = summaries[2]["processes"].as_array().expect("a list").iter().find(its);
    let own = own.expect("the process");
    assert!(own["per_minute"].as_f64() > Some(0.0), "{own}");
    let reached = own["limit_reached_at"].as_str().expect("a time");
    let reached = chrono::DateTime::parse_from_rfc3339(reached).expect("RFC 3339");
    assert!(reached > chrono::Utc::now(), "{own}");
}

/// A child has what its parent had open: the connection ends only when both have closed it.
#[test]
fn what_several_processes_hold_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = leak(&listener, "unread");
    fcntl_setfd(&client, FdFlags::empty()).expect("a descriptor");
    let mut child = Command::new("sleep").arg("1000").spawn().expect("sleep runs");
    fcntl_setfd(&client, FdFlags::CLOEXEC).expect("a descriptor");
    let peer = listener.local_addr().expect("bound").to_string();
    let (out, _) = text(&closewait(&["sockets", "--lang", "en", "--peer", &peer]));
    let lines = json_lines(&closewait(&["sockets", "--format", "jsonl", "--peer", &peer]));
    child.kill().and_then(|()| child.wait()).expect("a child");
    assert!(out.contains("\n1 held by several processes at once ("), "{out}");
    assert!(out.contains(&format!("sleep[{}] fd {}", child.id(), client.as_raw_fd())), "{out}");
    // It takes a descriptor of each.
    assert!(out.contains(&format!("\nsleep[{}]: 1 of ", child.id())), "{out}");
    let processes = lines.last().expect("a summary")["processes"].as_array().expect("a list");
    let pids = [child.id(), std::process::id()];
    let has = |pid: &u32| processes.iter().any(|one| one["pid"] == *pid && one["close_wait"] == 1);
    assert!(pids.iter().all(has), "{processes:?}");
}

/// What does not grow has a rate of nothing, whose sign is no minus.
#[test]
fn what_does_not_grow_has_the_rate_zero() {
    let mut leaks = Leaks::new();
    leaks.add(Eof::Unread);
    let peer = leaks.address.to_string();
    let arguments = ["sockets", "--peer", &peer, "--watch=100ms", "-c", "3", "--format", "jsonl"];
    let (out, _) = text(&closewait(&arguments));
    assert!(out.contains("\"per_minute\":0.0"), "{out}");
    assert!(!out.contains("-0.0"), "{out}");
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

/// A network namespace; deleted when dropped.
struct Namespace(String);

impl Namespace {
    fn new(name: &str) -> Option<Namespace> {
        let name = format!("cw-{name}-{}", std::process::id());
        common::lacks(&[common::NETNS]).is_none().then(|| {
            common::must(Command::new("ip").args(["netns", "add", &name]));
            common::must(Command::new("ip").args(["-n", &name, "link", "set", "lo", "up"]));
            Namespace(name)
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

#[test]
fn other_network_namespaces_by_name_by_process_and_all() {
    let namespace = if is_root() { Namespace::new("list") } else { None };
    let Some(namespace) = namespace else { return common::skip("netns") };
    let me = std::env::current_exe().expect("a path");
    let mut inside = Command::new("ip");
    inside.args(["netns", "exec", &namespace.0]).arg(&me);
    let mut leaks = Leaks::started_by(inside, "127.0.0.1");
    leaks.add(Eof::Unread);
    let pid = leaks.pid();
    let is_its = |socket: &&Value| socket["process"]["pid"] == pid;
    let pid = pid.to_string();
    let here = listed(leaks.port(), &[]);
    assert_eq!(sockets(&here).into_iter().filter(is_its).count(), 0, "not in our own namespace");
    for netns in [namespace.0.as_str(), &pid, "all"] {
        let lines = listed(leaks.port(), &["--netns", netns]);
        let found: Vec<&Value> = sockets(&lines).into_iter().filter(is_its).collect();
        assert_eq!(found.len(), 1, "{netns}");
        let label = found[0]["netns"].as_str().expect("named");
        let name = if netns == "all" { &namespace.0 } else { netns };
        assert_eq!(label, name, "as --netns takes it");
    }
    drop(leaks);
    // Without any process in it, a named namespace is entered.
    let lines = listed(1, &["--netns", &namespace.0]);
    assert_eq!(lines.last().expect("a summary")["findings"], 0);
    let all = closewait(&["sockets", "--netns", "all", "--all", "--format", "jsonl"]);
    // Beside sockets in CLOSE-WAIT of others it may be said, or there is nothing to say.
    let (status, is_said) = (all.status.code(), text(&all).1.contains("cannot be looked into"));
    assert!(status == Some(1) || is_said == (status == Some(2)), "{}", text(&all).1);
    let output = closewait(&["sockets", "--netns", "no-such-namespace"]);
    assert!(text(&output).1.contains("no network namespace \"no-such-namespace\""));
    assert_eq!(output.status.code(), Some(2));
}

/// As a plain user, with the two capabilities, and as root: what each can see.
#[test]
fn permissions_decide_what_is_seen() {
    if !is_root() {
        return common::skip("root");
    }
    let scratch = Scratch::new();
    let binary = scratch.path().join("closewait");
    std::fs::copy(common::BINARY, &binary).expect("a copy");
    for path in [scratch.path(), &binary] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("opened");
    }
    let mut leaks = Leaks::new();
    leaks.add(Eof::Unread);
    sleep(Duration::from_millis(50));
    let peer = leaks.address.to_string();
    const NOBODY: u32 = 65_534;
    let mut plain = Command::new(&binary);
    plain.args(["sockets", "--peer", &peer]).uid(NOBODY).gid(NOBODY);
    let (out, _) = text(&plain.output().expect("it runs"));
    assert!(headlines(&out, 1) == 1 && out.contains("(unknown)"), "{out}");
    assert!(out.contains("give closewait cap_sys_ptrace and cap_dac_read_search"), "{out}");

    let caps = "+sys_ptrace,+dac_read_search";
    let mut capable = Command::new("setpriv");
    capable
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .args(["--inh-caps", caps, "--ambient-caps", caps])
        .arg(&binary)
        .args(["sockets", "--peer", &peer]);
    let Ok(output) = capable.output() else { return common::skip("setpriv") };
    let (out, err) = text(&output);
    assert!(out.contains(&leaks.pid().to_string()), "{out}{err}");
    assert!(!out.contains("(unknown)"), "{out}");

    let (out, _) = text(&closewait(&["sockets", "--peer", &peer]));
    assert!(out.contains(&leaks.pid().to_string()), "{out}");

    // A namespace that may not be entered hides none of the others, and is said beside them.
    if let Some(_sealed) = Namespace::new("sealed") {
        let mut all = Command::new(&binary);
        all.args(["sockets", "--netns", "all", "--peer", &peer]).uid(NOBODY).gid(NOBODY);
        let output = all.output().expect("it runs");
        let (out, err) = text(&output);
        assert_eq!((output.status.code(), headlines(&out, 1)), (Some(1), 1), "{out}{err}");
        assert!(err.contains("cannot be entered (ip netns)"), "{err}");
    }

    // Nobody knows whose it is: it may be the one that is asked about.
    let mut asked = Command::new(&binary);
    asked.args(["sockets", "--pid", &leaks.pid().to_string()]).uid(NOBODY).gid(NOBODY);
    let output = asked.output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output).0);
    assert!(text(&output).1.contains("it is not known which process holds it"));
    let output = closewait(&["sockets", "--pid", "4194305"]);
    assert_eq!(
        (output.status.code(), text(&output).1.contains("no process 4194305")),
        (Some(2), true)
    );
}

#[test]
fn csv_lists_sockets_too() {
    let mut leaks = Leaks::new();
    leaks.add(Eof::Unread);
    sleep(Duration::from_millis(50));
    let port = leaks.port().to_string();
    let (out, _) = text(&closewait(&["sockets", "--port", &port, "--format", "csv"]));
    assert!(out.starts_with("state,local.ip,local.port,peer.ip"), "{out}");
    let held = leaks.held[0].port;
    let ip = leaks.address.ip();
    let begins = format!("CLOSE-WAIT,127.0.0.1,{held},{ip},{port},");
    assert_eq!(out.lines().filter(|line| line.starts_with(&begins)).count(), 1, "{out}");
    // It is a list with processes, to be read again.
    let parsed = sockets_of(&out);
    let holder = parsed.iter().find(|socket| socket.local.port == held).map(|it| &it.holders[0]);
    assert_eq!(holder.map(|holder| holder.pid as u32), Some(leaks.pid()), "{out}");
}

/// A saved list joins a capture: findings get their process, older sockets are listed.
#[test]
fn a_saved_list_joins_the_report() {
    let scratch = Scratch::new();
    let path = common::project("fixtures/scenarios/leak.scn");
    let scenario = Scenario::read(&path).expect("a scenario");
    let capture = scratch.write("x.pcap", &MICROSECONDS.write(1, &scenario.records()));
    let ss = "\
State      Recv-Q Send-Q Local Address:Port    Peer Address:Port Process
CLOSE-WAIT 1      0      172.18.0.5:38822      172.18.0.3:3306   users:((\"orders-api\",pid=26922,fd=6)) uid:1000 ino:55 sk:2 -->
CLOSE-WAIT 0      0      172.18.0.5:30000      172.18.0.3:3306   users:((\"orders-api\",pid=26922,fd=5)) uid:1000 ino:54 sk:1 -->
ESTAB      0      0      172.18.0.5:30001      172.18.0.3:3306   users:((\"orders-api\",pid=26922,fd=4)) uid:1000 ino:53 sk:3 <->
";
    let list = scratch.write("ss.txt", ss.as_bytes());
    let output = closewait(&[&capture, "--sockets", &list, "--format", "jsonl"]);
    let lines = json_lines(&output);
    assert_eq!(lines[0]["process"]["command"], "orders-api");
    assert_eq!(lines[0]["process"]["fd"], 6);
    assert_eq!(lines[0]["kernel"]["confirmed"], true);
    assert_eq!(lines[0]["before_capture"], false);
    let before = &lines[1];
    assert_eq!((&before["before_capture"], &before["first"]), (&true.into(), &Value::Null));
    assert_eq!((&before["local"], &before["holder"]), (&"a".into(), &"a".into()));
    assert_eq!(before["a"]["port"], 30_000);
    assert_eq!((&before["kernel"]["recv_q"], &before["process"]["fd"]), (&0.into(), &5.into()));
    assert_eq!(lines[2]["findings"], 2);
    assert_eq!(output.status.code(), Some(1));

    let (out, _) = text(&closewait(&[&capture, "--sockets", &list]));
    assert!(out.starts_with("1 of 1 connection left in CLOSE-WAIT"), "{out}");
    assert!(out.contains("orders-api[26922] fd 6"), "{out}");
    assert!(out.contains("1 socket in CLOSE-WAIT since before the capture"), "{out}");
    assert!(out.contains("172.18.0.5:30000"), "{out}");

    let wrong = scratch.write("wrong.txt", b"not a list\n");
    let output = closewait(&[&capture, "--sockets", &wrong]);
    assert!(text(&output).1.contains("wrong.txt: no line of it is a TCP socket as ss, netstat"));
    assert_eq!(output.status.code(), Some(2));
}

/// A name in a saved list cannot speak to the terminal.
#[test]
fn names_in_a_list_are_only_names() {
    let line = r#"{"type":"socket","state":"CLOSE-WAIT","local":{"ip":"10.0.0.5","port":1},"peer":{"ip":"10.0.0.9","port":2},"recv_q":1,"send_q":0,"processes":[{"pid":1,"command":"a\u001b]0;owned\u0007\nb","fd":3,"uid":0}],"netns":"x\u001by"}"#;
    let sockets = sockets_of(line);
    let names =
        format!("{}{}", sockets[0].holders[0].command, sockets[0].netns.as_deref().unwrap_or(""));
    assert!(!names.chars().any(char::is_control), "{names:?}");
}

/// What `sockets` saves, `read` understands.
#[test]
fn our_own_list_joins_as_well() {
    let mut leaks = Leaks::new();
    leaks.add(Eof::Unread);
    let lines = listed(leaks.port(), &["--all"]);
    let ours = own(&lines, &leaks.address);
    let saved: String = ours.iter().map(|line| format!("{line}\n")).collect();
    let parsed = sockets_of(&saved);
    assert_eq!(parsed.len(), 3);
    let holder =
        parsed.iter().flat_map(|socket| &socket.holders).find(|h| h.fd == Some(leaks.held[0].fd));
    assert_eq!(holder.expect("held").pid as u32, leaks.pid());
}

/// A list without processes has none in our lines either: that nobody accepted a connection is not known of it.
#[test]
fn our_own_list_of_one_without_processes_knows_none() {
    let scratch = Scratch::new();
    let list = scratch.write("list", b"CLOSE-WAIT 1 0 10.0.0.5:40000 10.0.0.9:9000\n");
    let saved = text(&closewait(&["sockets", &list, "--format", "jsonl"])).0;
    let again = scratch.write("saved", saved.as_bytes());
    let of = |list: &str| text(&closewait(&["sockets", list])).0.replace(list, "list");
    assert_eq!(of(&again), of(&list));
    assert!(of(&again).contains("(unknown)"), "{}", of(&again));
}

/// A report of a list that somebody saved goes to a file as any other, and never over that list.
#[test]
fn a_saved_list_is_reported_to_a_file() {
    let scratch = Scratch::new();
    let list = scratch.write("list", b"CLOSE-WAIT 1 0 10.0.0.5:40000 10.0.0.9:9000\n");
    let report = scratch.path().join("report.txt");
    let output = closewait(&["sockets", &list, "-o", report.to_str().expect("UTF-8")]);
    assert_eq!((output.status.code(), &*text(&output).0), (Some(1), ""));
    let written = std::fs::read_to_string(&report).expect("a report");
    assert_eq!(written, text(&closewait(&["sockets", &list])).0);
    let output = closewait(&["sockets", &list, "-o", &list]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).1.contains("is an input too"));
    assert!(std::fs::read_to_string(&list).expect("still there").starts_with("CLOSE-WAIT"));
}

/// Where connections were closed, nothing is stuck: who has not closed them is at the other end.
#[test]
fn the_side_that_closed_is_told_where_to_look() {
    let scratch = Scratch::new();
    let listed = |peers: &[&str], state: &str| {
        let row = |(n, peer): (usize, &&str)| {
            format!("{state} 0 0 10.0.0.3:3306 {peer}:{}\n", 40_000 + n)
        };
        let rows: String = peers.iter().enumerate().map(row).collect();
        let list = format!("State Recv-Q Send-Q Local Address:Port Peer Address:Port\n{rows}");
        let output = closewait(&["sockets", &scratch.write("list", list.as_bytes())]);
        (output.status.code(), text(&output).0)
    };
    let peers = ["10.0.0.5", "10.0.0.6", "10.0.0.5", "10.0.0.5"];
    let (status, out) = listed(&peers, "FIN-WAIT-2");
    let said = "In FIN-WAIT-2 (4): closed here, and not yet by 10.0.0.5 and 1 more: closewait sockets, there.";
    assert!(status == Some(0) && out.contains(said), "{out}");
    // One or two are under way as a rule.
    assert!(!listed(&peers[..2], "FIN-WAIT-2").1.contains("closed here"));
    assert!(!listed(&peers, "ESTAB").1.contains("closed here"));
}

/// What Recv-Q means is said of a list without processes, too: that of a container has none.
#[test]
fn a_list_without_processes_tells_what_was_read() {
    let scratch = Scratch::new();
    let list = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n\
        CLOSE-WAIT 0 0 10.0.0.5:40000 10.0.0.3:3306\nCLOSE-WAIT 1 0 10.0.0.5:40001 10.0.0.3:3306\n";
    let (out, _) = text(&closewait(&["sockets", &scratch.write("list", list.as_bytes())]));
    assert!(out.contains("\nRecv-Q 0: the program read the end-of-file"), "{out}");
    assert!(out.contains("\nRecv-Q 1: the program never read the end-of-file"), "{out}");
}
