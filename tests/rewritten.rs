//! Addresses that a real kernel rewrites: a sidecar that connections are redirected to, and a node that
//! gives a service another address, against what `ss` says of the sockets.

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use common::{NETNS, Need, ROOT, Scratch, TCPDUMP, closewait, json_lines, lacks, skip, tool};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

const NFT: Need = ("nft", "unshare", &["--net", "nft", "list", "ruleset"]);
const SS: Need = ("ss", "ss", &["-V"]);

fn can_run() -> bool {
    let missing = lacks(&[ROOT, NETNS, TCPDUMP, NFT, SS]);
    missing.into_iter().for_each(skip);
    missing.is_none()
}

/// How many hosts there have been.
static HOSTS: AtomicU32 = AtomicU32::new(0);

/// A host of its own: a network namespace.
struct Host(String);

impl Host {
    fn new(role: &str) -> Host {
        // Two tests may have the same roles at the same time.
        let number = HOSTS.fetch_add(1, Ordering::Relaxed);
        let host = Host(format!("closewait-nat-{}-{number}-{role}", std::process::id()));
        ip(&format!("netns add {}", host.0));
        host.ip("link set lo up");
        host
    }

    fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.0));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = tool("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// Sets one of its kernel's settings to 1.
    fn set(&self, setting: &str) {
        let line = format!("echo 1 > /proc/sys/net/ipv4/{setting}");
        let status = self.command("sh").args(["-c", &line]).status();
        assert!(status.expect("sh runs").success(), "{setting}");
    }

    fn nft(&self, rules: &[&str]) {
        for rule in rules {
            let output = self.command("nft").arg(rule).output().expect("nft runs");
            assert!(output.status.success(), "{rule}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Sockets that are made there stay there.
    fn inside<T: Send>(&self, make: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.0)).expect("a namespace");
        let enter = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may");
            make()
        };
        thread::scope(|scope| scope.spawn(enter).join().expect("it is made"))
    }

    fn listen(&self, address: &str) -> TcpListener {
        self.inside(|| TcpListener::bind(address).expect("its own address"))
    }

    fn connect(&self, address: &str) -> TcpStream {
        self.inside(|| TcpStream::connect(address).expect("somebody listens"))
    }

    /// The local ends of its sockets in CLOSE-WAIT.
    fn stuck(&self) -> Vec<String> {
        let output = self.command("ss").args(["-Htn", "state", "close-wait"]).output();
        let text = String::from_utf8(output.expect("ss runs").stdout).expect("UTF-8");
        let local = |line: &str| Some(line.split_whitespace().nth(2)?.to_owned());
        let mut stuck: Vec<String> = text.lines().filter_map(local).collect();
        stuck.sort();
        stuck
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = tool("ip").args(["netns", "del", &self.0]).output();
    }
}

fn ip(arguments: &str) {
    let output = tool("ip").args(arguments.split(' ')).output().expect("ip runs");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A wire between two hosts, which both call by the other's role.
fn wire([a, b]: [&Host; 2], names: [&str; 2], addresses: [&str; 2]) {
    a.ip(&format!("link add {} type veth peer name {} netns {}", names[1], names[0], b.0));
    for (host, name, address) in [(a, names[1], addresses[0]), (b, names[0], addresses[1])] {
        host.ip(&format!("addr add {address}/24 dev {name}"));
        host.ip(&format!("link set {name} up"));
    }
}

/// A tcpdump at work.
struct Tap(Child, PathBuf);

impl Tap {
    fn start(host: &Host, device: &str, scratch: &Scratch, name: &str) -> Tap {
        let file = scratch.path().join(name);
        let mut command = host.command("tcpdump");
        command.args(["-n", "-U", "-Z", "root", "-i", device, "-w"]).arg(&file).arg("tcp");
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut said = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("listening on") {
            assert_ne!(said.read_line(&mut line).expect("a pipe"), 0, "{line}");
        }
        thread::spawn(move || said.read_to_string(&mut String::new()));
        Tap(child, file)
    }

    fn stop(mut self) -> String {
        thread::sleep(Duration::from_millis(300));
        kill_process(Pid::from_child(&self.0), Signal::INT).expect("a child");
        self.0.wait().expect("it ends");
        self.1.to_str().expect("UTF-8").to_owned()
    }
}

/// One octet, from one end of a connection to the other.
fn pass(from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(b"x").expect("an open connection");
    to.read_exact(&mut [0]).expect("an open connection");
}

fn end(value: &Value) -> String {
    format!("{}:{}", value["ip"].as_str().expect("an address"), value["port"])
}

fn name(address: Result<SocketAddr, std::io::Error>) -> String {
    address.expect("open").to_string()
}

/// The findings' local ends, in order.
fn holders(lines: &[Value]) -> Vec<String> {
    let findings = lines.iter().filter(|line| line["finding"] == true);
    let holder = |line: &Value| end(&line[line["holder"].as_str().expect("a holder")]);
    let mut holders: Vec<String> = findings.map(holder).collect();
    holders.sort();
    holders
}

fn read(args: &[&str]) -> Vec<Value> {
    json_lines(&closewait(&[args, &["--all", "--format", "jsonl"]].concat()))
}

const SERVICE: &str = "198.51.100.3:3306";

/// A connection through the sidecar: the program's end, both of the sidecar's, the server's.
struct Chain {
    program: TcpStream,
    near: TcpStream,
    far: TcpStream,
    server: TcpStream,
}

impl Chain {
    fn open(host: &Host, sidecar: &TcpListener, service: &TcpListener) -> Chain {
        let program = host.connect(SERVICE);
        let (near, _) = sidecar.accept().expect("it is redirected");
        let far = host.inside(|| {
            let own = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
            let own = own.expect("a socket");
            let address = |text: &str| text.parse::<SocketAddr>().expect("an address").into();
            own.bind(&address("198.51.100.6:0")).expect("its own address");
            own.connect(&address(SERVICE)).expect("the server listens");
            TcpStream::from(own)
        });
        let (server, _) = service.accept().expect("the sidecar");
        let mut chain = Chain { program, near, far, server };
        pass(&mut chain.program, &mut chain.near);
        pass(&mut chain.far, &mut chain.server);
        pass(&mut chain.server, &mut chain.far);
        pass(&mut chain.near, &mut chain.program);
        chain
    }

    /// The server closes, and the sidecar passes that on: the program is to close now.
    fn leave_behind(&mut self) {
        self.server.shutdown(std::net::Shutdown::Write).expect("open");
        assert_eq!(self.far.read_to_end(&mut Vec::new()).expect("an end"), 0);
        self.near.shutdown(std::net::Shutdown::Write).expect("open");
    }
}

/// The program that owes the FIN is the finding, and one row, which the list of sockets knows by the
/// address that it dialled; the sidecar waits for it towards the server.
#[test]
fn a_sidecar_is_not_what_the_program_left() {
    if !can_run() {
        return;
    }
    let (host, remote) = (Host::new("host"), Host::new("server"));
    wire([&host, &remote], ["host", "server"], ["198.51.100.5", "198.51.100.3"]);
    host.ip("addr add 198.51.100.6/24 dev server");
    host.nft(&[
        "add table ip nat",
        "add chain ip nat out { type nat hook output priority -100; }",
        "add rule ip nat out ip saddr 198.51.100.5 tcp dport 3306 redirect to :15001",
    ]);
    let scratch = Scratch::new();
    let tap = Tap::start(&host, "any", &scratch, "any.pcap");
    let service = remote.listen(SERVICE);
    let sidecar = host.listen("0.0.0.0:15001");
    let mut left: Vec<Chain> = (0..3).map(|_| Chain::open(&host, &sidecar, &service)).collect();
    left.iter_mut().for_each(Chain::leave_behind);
    let mut closed = Chain::open(&host, &sidecar, &service);
    closed.leave_behind();
    drop(closed);
    thread::sleep(Duration::from_millis(1_200));
    let stuck = host.stuck();
    assert_eq!(stuck.len(), 6, "the program's and the sidecar's: {stuck:?}");
    let list = host.command("ss").arg("-tan").output().expect("ss runs").stdout;
    let list = scratch.write("ss.txt", &list);
    let file = tap.stop();

    let lines = read(&[&file, "--sockets", &list]);
    assert_eq!(holders(&lines), stuck, "{lines:#?}");
    for chain in &left {
        let own = name(chain.program.local_addr());
        let is_of = |line: &&Value| line["type"] == "flow" && end(&line["a"]) == own;
        let rows: Vec<&Value> = lines.iter().filter(is_of).collect();
        let [row] = rows[..] else { panic!("one row: {rows:?}") };
        assert_eq!((&row["verdict"], &row["holder"]), (&"leak".into(), &"a".into()), "{row}");
        // The kernel shows a SYN as it was redirected, and the answer as it was dialled.
        assert_eq!(end(&row["b"]), "127.0.0.1:15001");
        assert_eq!(end(&row["rewritten_as"]["b"]), SERVICE);
        assert_eq!(row["kernel"]["state"], "CLOSE-WAIT", "known as it was dialled: {row}");
        assert!(row["notes"].as_array().is_some_and(|notes| notes.contains(&"rewritten".into())));
    }
    let summary = lines.last().expect("a summary");
    assert_eq!((&summary["flows"], &summary["findings"]), (&8.into(), &6.into()), "{summary}");
}

/// Findings of a live capture at a device, while connections that `leave` makes are left behind.
fn live<T>(host: &Host, device: &str, leave: impl FnOnce() -> T) -> (Vec<Value>, T) {
    live_with(host, &["-i", device], leave)
}

fn live_with<T>(host: &Host, args: &[&str], leave: impl FnOnce() -> T) -> (Vec<Value>, T) {
    let mut command = host.command(common::BINARY);
    command.args(["live", "--min-hold", "300ms", "--duration", "9s"]).args(args);
    command.args(["--format", "jsonl"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watcher = command.spawn().expect("it starts");
    let mut said = BufReader::new(watcher.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("listening on") {
        assert_ne!(said.read_line(&mut line).expect("a pipe"), 0, "{line}");
    }
    let left = leave();
    let lines = BufReader::new(watcher.stdout.take().expect("piped")).lines();
    let lines = lines.map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"));
    let lines: Vec<Value> = lines.collect();
    watcher.wait().expect("it ends");
    (lines.into_iter().filter(|line| line["finding"] == true).collect(), left)
}

/// The kernel translates the service's address for programs of the host itself: each has its socket under the address that
/// it dialled.
#[test]
fn a_translated_service_is_found_at_its_programs() {
    if !can_run() {
        return;
    }
    let (host, remote) = (Host::new("dialler"), Host::new("dialled"));
    wire([&host, &remote], ["dialler", "dialled"], ["198.51.100.5", "198.51.100.3"]);
    host.ip("route add 10.96.0.0/24 dev dialled");
    host.nft(&[
        "add table ip nat",
        "add chain ip nat out { type nat hook output priority -100; }",
        "add rule ip nat out ip daddr 10.96.0.1 tcp dport 80 dnat to 198.51.100.3:3306",
    ]);
    let service = remote.listen(SERVICE);
    let (findings, left) = live(&host, "dialled", || {
        let leave = || {
            let mut program = host.connect(DIALLED);
            let (mut served, _) = service.accept().expect("a client");
            pass(&mut program, &mut served);
            program
        };
        [leave(), leave()]
    });
    assert_eq!(host.stuck().len(), 2);
    let (told, report) = findings.split_at(2);
    for (program, (told, row)) in left.iter().zip(told.iter().zip(report)) {
        for line in [told, row] {
            assert_eq!(holders(std::slice::from_ref(line)), [name(program.local_addr())]);
            assert_eq!(line["process"]["pid"], std::process::id(), "{line}");
            assert_eq!(line["doubts"], Value::Array(vec![]), "{line}");
        }
    }
}

/// Connections whose own FIN was lost behind the tap are gone from the kernel: that another one of the same service is
/// stuck proves nothing of them.
#[test]
fn what_the_kernel_has_no_more_is_not_held_by_others_of_its_service() {
    if !can_run() {
        return;
    }
    let (host, remote) = (Host::new("pool"), Host::new("base"));
    wire([&host, &remote], ["pool", "base"], ["198.51.100.5", "198.51.100.3"]);
    host.set("tcp_orphan_retries");
    host.nft(&[
        "add table ip lossy",
        "add chain ip lossy out { type filter hook output priority 0; }",
        "add rule ip lossy out tcp dport 3306 tcp flags & fin == fin drop",
    ]);
    let service = remote.listen(SERVICE);
    let (findings, stuck) = live(&host, "base", || {
        let leave = || {
            let program = host.connect(SERVICE);
            let (served, _) = service.accept().expect("a client");
            served.shutdown(std::net::Shutdown::Write).expect("open");
            (program, served)
        };
        let (stuck, lost) = (leave(), [leave(), leave()]);
        thread::sleep(Duration::from_millis(100));
        // The server's own sockets stay: they wait in FIN-WAIT-2.
        let lost = lost.map(|(program, served)| {
            drop(program);
            served
        });
        (stuck, lost)
    });
    assert_eq!(host.stuck().len(), 1, "the others are gone");
    let report = findings.iter().filter(|line| line["type"] == "flow");
    let left = holders(&report.cloned().collect::<Vec<Value>>());
    assert_eq!(left, [name(stuck.0.0.local_addr())], "{findings:#?}");
}

/// What a host passes on has its address, and its kernel has no socket of it: that is no proof that nobody has.
#[test]
fn what_a_host_passes_on_is_not_denied_by_its_kernel() {
    if !can_run() {
        return;
    }
    let (pod, node, remote) = (Host::new("pod"), Host::new("router"), Host::new("far"));
    wire([&pod, &node], ["pod", "router"], ["10.1.0.2", "10.1.0.1"]);
    wire([&node, &remote], ["router", "far"], ["198.51.100.5", "198.51.100.3"]);
    pod.ip("route add default via 10.1.0.1");
    node.set("ip_forward");
    node.nft(&[
        "add table ip nat",
        "add chain ip nat post { type nat hook postrouting priority 100; }",
        "add rule ip nat post ip saddr 10.1.0.0/24 masquerade",
    ]);
    let service = remote.listen(SERVICE);
    for device in ["far", "any"] {
        let (findings, _left) = live(&node, device, || {
            let mut program = pod.connect(SERVICE);
            let (mut served, _) = service.accept().expect("a client");
            pass(&mut program, &mut served);
            program
        });
        let [told, row] = &findings[..] else { panic!("once, and in the report: {findings:#?}") };
        assert_eq!(told["event"], "close-wait");
        let doubts = row["doubts"].as_array().expect("doubts");
        assert!(doubts.contains(&"remote-tap".into()), "{device}: {row}");
    }
}

const DIALLED: &str = "10.96.0.1:80";

/// A node gives a service's address another one, and is seen at both sides of itself, at the client and at
/// the server: one connection is one row, wherever and however often it was captured.
#[test]
fn a_node_that_translates_counts_nothing_twice() {
    if !can_run() {
        return;
    }
    let (client, node, server) = (Host::new("client"), Host::new("node"), Host::new("backend"));
    wire([&client, &node], ["client", "node"], ["10.1.0.2", "10.1.0.1"]);
    wire([&node, &server], ["node", "backend"], ["10.2.0.1", "10.2.0.2"]);
    client.ip("route add default via 10.1.0.1");
    server.ip("route add default via 10.2.0.1");
    node.set("ip_forward");
    node.nft(&[
        "add table ip nat",
        "add chain ip nat in { type nat hook prerouting priority -100; }",
        "add rule ip nat in ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.2:8080",
    ]);
    let scratch = Scratch::new();
    let taps = [
        Tap::start(&client, "node", &scratch, "client.pcap"),
        Tap::start(&node, "any", &scratch, "node.pcap"),
        Tap::start(&server, "node", &scratch, "server.pcap"),
    ];
    let service = server.listen("10.2.0.2:8080");
    let open = || {
        let mut program = client.connect(DIALLED);
        let (mut served, _) = service.accept().expect("a client");
        pass(&mut program, &mut served);
        pass(&mut served, &mut program);
        (program, served)
    };
    let left: Vec<TcpStream> = (0..3).map(|_| open().0).collect();
    let closed = open();
    drop(closed);
    thread::sleep(Duration::from_millis(1_200));
    let stuck = client.stuck();
    assert_eq!(stuck, {
        let mut own: Vec<String> = left.iter().map(|left| name(left.local_addr())).collect();
        own.sort();
        own
    });
    let [at_client, at_node, at_server] = taps.map(Tap::stop);

    let all = [at_client.as_str(), at_node.as_str(), at_server.as_str()];
    for files in [&all[..1], &all[1..2], &[all[0], all[2]], &all[2..]] {
        let lines = read(files);
        let summary = lines.last().expect("a summary");
        let counted = (&summary["flows"], &summary["findings"]);
        assert_eq!(counted, (&4.into(), &3.into()), "{files:?}: {lines:#?}");
        assert_eq!(holders(&lines), stuck, "{files:?}");
        let dialled = if files == &all[2..] { "10.2.0.2:8080" } else { DIALLED };
        for row in lines.iter().filter(|line| line["finding"] == true) {
            assert_eq!(end(&row["b"]), dialled, "{files:?}: {row}");
        }
    }
}

/// A published port of a container: whoever names the container's address means the same connection.
#[test]
fn a_container_is_named_by_its_own_address() {
    if !can_run() {
        return;
    }
    let (client, node, server) = (Host::new("caller"), Host::new("docker"), Host::new("inner"));
    wire([&client, &node], ["caller", "docker"], ["10.1.0.2", "10.1.0.1"]);
    wire([&node, &server], ["docker", "inner"], ["10.2.0.1", "10.2.0.2"]);
    server.ip("route add default via 10.2.0.1");
    node.set("ip_forward");
    node.nft(&[
        "add table ip nat",
        "add chain ip nat in { type nat hook prerouting priority -100; }",
        "add rule ip nat in ip daddr 10.1.0.1 tcp dport 80 dnat to 10.2.0.2:8080",
    ]);
    let service = server.listen("10.2.0.2:8080");
    let scratch = Scratch::new();
    let file = scratch.path().join("any.pcapng").to_str().expect("UTF-8").to_owned();
    for (local, holder) in [("10.2.0.2", "10.2.0.2:8080"), ("10.1.0.1", "10.1.0.1:80")] {
        let args = ["-i", "any", "--local", local, "-w", &file];
        let (findings, _left) = live_with(&node, &args, || {
            let mut program = client.connect("10.1.0.1:80");
            let (mut served, _) = service.accept().expect("a client");
            pass(&mut program, &mut served);
            pass(&mut served, &mut program);
            program.shutdown(std::net::Shutdown::Write).expect("open");
            (program, served)
        });
        let [told, row] = &findings[..] else { panic!("once, and in the report: {findings:#?}") };
        assert_eq!((&told["event"], &row["type"]), (&"close-wait".into(), &"flow".into()));
        let written = read(&[&file, "--local", local]);
        for lines in [&findings[..1], &findings[1..], &written] {
            assert_eq!(holders(lines), [holder], "{lines:#?}");
        }
        // The file knows as well that the host has only passed it on.
        let doubts = [row, &written[0]].map(|line| &line["doubts"]);
        assert_eq!(doubts, [&serde_json::json!(["remote-tap"]); 2], "{findings:#?} {written:#?}");
    }
}

/// A service behind a balancer that its answers do not pass (LVS): its address is at the loopback interface, and its packets
/// pass another.
#[test]
fn an_address_at_the_loopback_interface_is_local_wherever_its_packets_pass() {
    if !can_run() {
        return;
    }
    let (host, remote) = (Host::new("vip"), Host::new("client"));
    wire([&host, &remote], ["vip", "far"], ["198.51.100.5", "198.51.100.3"]);
    host.ip("addr add 203.0.113.9/32 dev lo");
    remote.ip("route add 203.0.113.9/32 via 198.51.100.5");
    let service = host.listen("203.0.113.9:80");
    let both = || {
        let (mut client, mut served) =
            (remote.connect("203.0.113.9:80"), service.accept().expect("a client").0);
        pass(&mut client, &mut served);
        (client, served)
    };
    let before = both().1;
    thread::sleep(Duration::from_millis(500));
    let (findings, left) = live(&host, "far", || {
        // The other side holds the second.
        (both().1, both().0)
    });
    assert_eq!(host.stuck().len(), 2);
    let peers = [&before, &left.0].map(|held| name(held.peer_addr()));
    for kind in ["event", "flow"] {
        let told: Vec<&Value> = findings.iter().filter(|line| line["type"] == kind).collect();
        let mut waiting: Vec<String> = told.iter().map(|line| end(&line["waits_for"])).collect();
        waiting.sort_unstable();
        let mut expected = peers.clone();
        expected.sort_unstable();
        assert_eq!(waiting, expected, "{kind}: {told:#?}");
        assert!(told.iter().all(|line| line["process"]["pid"] == std::process::id()), "{told:#?}");
    }
}
