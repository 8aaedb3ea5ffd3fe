//! The incident as it was: a service in Go, HAProxy between it and a MariaDB, and a path that loses packets.
//!
//! The two hosts are network namespaces. The service is there twice, once stripped. HAProxy leaves all its
//! clients when it is told to, where the incident's lost its patience: the FIN is the same.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{BINARY, NETNS, Need, ROOT, Scratch, must, text, tool};
use crate::shop::{Place, Program, named, quiet, report, started, statements};
use crate::{DRIVER, GO, TRACEFS, built, can_run};

const MARIADB: Need = ("mariadb", "mariadbd", &["--version"]);
const HAPROXY: Need = ("haproxy", "haproxy", &["-v"]);
const SS: Need = ("ss", "ss", &["-V"]);
const NFT: Need = ("nft", "nft", &["--version"]);

const APP: &str = "172.18.0.5";
const DATABASE: &str = "172.18.0.3";
const ROUTER: &str = "172.18.0.1";

/// Of what a router between them forwards, it loses so much.
const LOSS: &str = "table inet path {
    chain lossy {
        type filter hook forward priority 0
        numgen random mod 100 < 3 drop
    }
}
";

/// Connections that are left at each place by each program; `make lab-code` has many more.
fn each() -> usize {
    let each = std::env::var("CLOSEWAIT_LAB_EACH");
    each.map_or(3, |each| each.parse().expect("CLOSEWAIT_LAB_EACH is a number"))
}

/// Places whose connections begin and are left while they are watched.
const PLACES: [&str; 7] = ["update", "order", "inlined", "closure", "generic", "worker", "forget"];

/// A host of its own, until it is dropped.
struct Host(String);

impl Host {
    fn new(name: &str) -> Host {
        let host = Host(format!("cw{}-{name}", std::process::id()));
        must(tool("ip").args(["netns", "add", &host.0]));
        host.ip(&["link", "set", "lo", "up"]);
        host
    }

    fn ip(&self, arguments: &[&str]) {
        must(tool("ip").args(["-n", &self.0]).args(arguments));
    }

    /// Its one way leads to the router.
    fn attach(&self, address: &str, router: &Host) {
        let port = format!("to-{}", address.rsplit('.').next().expect("a part"));
        self.ip(&["link", "add", "eth0", "type", "veth", "peer", &port, "netns", &router.0]);
        self.ip(&["addr", "add", address, "dev", "eth0"]);
        self.ip(&["link", "set", "eth0", "up"]);
        router.ip(&["link", "set", &port, "up"]);
        router.ip(&["route", "add", address, "dev", &port]);
        self.ip(&["route", "add", "default", "via", ROUTER, "dev", "eth0", "onlink"]);
    }

    /// It forwards, and loses packets.
    fn forward(&self, folder: &Path) {
        let rules = folder.join("rules");
        fs::write(&rules, LOSS).expect("room");
        must(self.command("nft").arg("-f").arg(rules));
        self.ip(&["addr", "add", ROUTER, "dev", "lo"]);
        must(self.command("sh").args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]));
    }

    /// A command on this host. Its files, tracefs among them, are those of all (`ip netns exec` hides that).
    fn command(&self, program: &str) -> Command {
        let mut command = tool("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.0)).arg(program);
        command
    }

    /// Segments that were sent again, so far.
    fn sent_again(&self) -> u64 {
        let output = self.command("cat").arg("/proc/net/snmp").output().expect("it runs");
        let said = text(&output).0;
        let mut lines = said.lines().filter(|line| line.starts_with("Tcp:"));
        let mut words = || lines.next().expect("a line").split(' ').map(str::to_owned);
        let (names, values): (Vec<_>, Vec<_>) = (words().collect(), words().collect());
        let at = names.iter().position(|name| name == "RetransSegs").expect("it counts them");
        values[at].parse().expect("a number")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = tool("ip").args(["netns", "del", &self.0]).status();
    }
}

/// A server that ends with the lab.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Lab {
    app: Host,
    _others: [Host; 2],
    _servers: [Running; 2],
    _awake: Vec<Running>,
    scratch: Scratch,
}

impl Lab {
    fn start() -> Lab {
        let scratch = Scratch::new();
        let [app, database, router] = ["app", "db", "router"].map(Host::new);
        app.attach(APP, &router);
        database.attach(DATABASE, &router);
        router.forward(scratch.path());
        let servers = [mariadb(&database, scratch.path()), haproxy(&database, scratch.path())];
        let others = [database, router];
        Lab { app, _others: others, _servers: servers, _awake: awake(), scratch }
    }

    /// HAProxy closes its side of all connections, once it has had so many and all that was sent to it: where the
    /// last ACK of a handshake was lost, it learns of a connection a second later than its client; and what is
    /// sent again to a socket that is gone, is answered with RST.
    fn leave(&self, number: usize) {
        until("the last connection", || self.had() >= number);
        until("the last ACK", || self.unacknowledged() == 0);
        assert_eq!(self.ask("shutdown sessions server balancer/db").trim(), "");
    }

    /// Returns the number of connections that HAProxy has had.
    fn had(&self) -> usize {
        let stat = self.ask("show stat -1 4 -1 typed");
        let line = stat.lines().rfind(|line| line.contains(".stot.")).expect("it counts them");
        line.rsplit(':').next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Returns the number of octets that the programs' host has sent, and the other not acknowledged.
    fn unacknowledged(&self) -> usize {
        let mut command = self.app.command("ss");
        let sockets =
            text(&command.args(["-Htn", "dport", "=", ":3306"]).output().expect("it runs")).0;
        let queued = sockets.lines().filter_map(|line| line.split_whitespace().nth(2));
        queued.map(|octets| octets.parse::<usize>().expect("Send-Q")).sum()
    }

    /// Asks HAProxy.
    fn ask(&self, what: &str) -> String {
        let mut admin =
            UnixStream::connect(self.scratch.path().join("admin")).expect("it is there");
        admin.write_all(format!("{what}\n").as_bytes()).expect("it listens");
        let mut answer = String::new();
        admin.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

/// Keeps every processor busy with what gives way to all else: some kernels (a virtual machine's 6.18) tell nobody
/// of what a packet does on one that is idle. One that is sent again comes in there; any other, where it was sent.
fn awake() -> Vec<Running> {
    let processors = thread::available_parallelism().expect("their number").get();
    let keep = |processor: usize| {
        let mut busy = tool("taskset");
        busy.args(["-c", &processor.to_string(), "chrt", "--idle", "0"]);
        busy.args(["sh", "-c", "while :; do :; done"]);
        Running(busy.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("it runs"))
    };
    (0..processors).map(keep).collect()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come up");
        thread::sleep(Duration::from_millis(50));
    }
}

fn serve(mut command: Command, log: &Path) -> Running {
    let log = fs::File::create(log).expect("room");
    let also = log.try_clone().expect("a descriptor");
    let command = command.stdin(Stdio::null()).stdout(log).stderr(also);
    Running(command.spawn().expect("it runs"))
}

/// Its temporary files are its own: of a folder for all, another server takes them for leavings.
fn mariadb(host: &Host, folder: &Path) -> Running {
    let [data, socket] = ["data", "socket"].map(|name| folder.join(name).display().to_string());
    must(
        tool("mariadb-install-db")
            .args(["--no-defaults", "--user=root", "--skip-test-db"])
            .args([&format!("--datadir={data}"), "--auth-root-authentication-method=normal"])
            .env("TMPDIR", folder),
    );
    let mut command = host.command("mariadbd");
    command
        .args(["--no-defaults", "--user=root", "--port=3307", "--bind-address=127.0.0.1"])
        .args(["--skip-ssl", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"])
        .args(["--max-connections=8000", "--connect-timeout=3600", "--wait-timeout=86400"])
        .args([format!("--datadir={data}"), format!("--socket={socket}")])
        .arg(format!("--pid-file={}", folder.join("pid").display()))
        .env("TMPDIR", folder);
    let server = serve(command, &folder.join("mariadb.log"));
    let sql = |text: &str| {
        let mut command = tool("mariadb");
        command.args(["--no-defaults", "-uroot", "-S", &socket, "-e", text]);
        command
    };
    until("MariaDB", || sql("SELECT 1").output().is_ok_and(|output| output.status.success()));
    must(&mut sql(
        "CREATE USER u@'%' IDENTIFIED BY 'p'; GRANT ALL ON shop.* TO u@'%'; CREATE DATABASE shop; USE shop;
         CREATE TABLE orders (id INT PRIMARY KEY, state INT NOT NULL);
         CREATE TABLE accounts (id INT PRIMARY KEY, balance INT NOT NULL);
         INSERT INTO accounts SELECT seq, 1000 FROM seq_1_to_40000;",
    ));
    server
}

fn haproxy(host: &Host, folder: &Path) -> Running {
    let (config, admin) = (folder.join("haproxy.cfg"), folder.join("admin"));
    let text = format!(
        "global\n stats socket {} level admin\n maxconn 8000\ndefaults\n mode tcp\n maxconn 8000\n \
         timeout connect 10s\n timeout client 1h\n timeout server 1h\nlisten balancer\n \
         bind {DATABASE}:3306\n server db 127.0.0.1:3307\n",
        admin.display()
    );
    fs::write(&config, text).expect("room");
    let mut command = host.command("haproxy");
    command.arg("-db").arg("-f").arg(&config);
    let server = serve(command, &folder.join("haproxy.log"));
    until("HAProxy", || UnixStream::connect(&admin).is_ok());
    server
}

/// What was named, what was not, and why.
#[derive(Default)]
struct Score {
    named: usize,
    statements: usize,
    unknown: BTreeMap<String, usize>,
    /// The connections that these are of.
    unknown_of: BTreeMap<String, Value>,
}

impl Score {
    /// Takes what is said of one thing; it may be unknown, and never wrong.
    fn take(&mut self, said: &Result<Place, String>, truth: &Place, row: &Value) {
        match said {
            Ok(said) => {
                assert_eq!(said, truth, "{row}");
                self.named += 1;
            }
            Err(why) => {
                *self.unknown.entry(why.clone()).or_default() += 1;
                self.unknown_of.insert(row["uid"].to_string(), row.clone());
            }
        }
    }

    /// Takes a connection that was used while it was watched. `begun`: before that, it was not.
    fn take_row(&mut self, row: &Value, program: &Program, port: u64, resumed: bool) {
        let (named, truth) = (named(row), &program.truth[&port]);
        for (word, place) in truth {
            if resumed && word == "begun" {
                assert!(named[word].is_err(), "nobody has seen it: {row}");
                continue;
            }
            let not_seen = Err("not seen".to_owned());
            self.take(named.get(word).unwrap_or(&not_seen), place, row);
        }
        // Of what was not there, it may be unknown whether it was.
        let is_told =
            |(word, said): (&String, &Result<_, _>)| truth.contains_key(word) || said.is_err();
        assert!(named.iter().all(is_told), "{truth:?} is all: {row}");
        if !truth.contains_key("begun") {
            return;
        }
        let told = &program.asked_by[&port];
        let statements = statements(row);
        // Of one that was begun before, the capture has what came since.
        let told = &told[usize::from(resumed)..];
        assert_eq!(statements.len(), told.len(), "{told:?}: {row}");
        for ((_, said), told) in statements.iter().zip(told) {
            self.statements += usize::from(said.is_ok());
            self.take(said, told, row);
        }
    }
}

#[test]
fn every_statement_has_its_line_behind_a_balancer() {
    if !can_run(&[ROOT, GO, DRIVER, TRACEFS, NETNS, NFT, SS, MARIADB, HAPROXY]) {
        return;
    }
    let each = each();
    let (lab, _quiet) = (Lab::start(), quiet());
    let address = format!("{DATABASE}:3306");
    let flags: [&[&str]; 2] = [&[], &["-trimpath", "-ldflags=-s -w"]];
    let folders = flags.map(|_| Scratch::new());
    let mut number = 0;
    let mut programs = flags.map(|flags| {
        let path = built(&folders[number], flags);
        number += 1;
        let mut command = lab.app.command(path.to_str().expect("a plain path"));
        Program::run(command.args([&address, &format!("{}", number * 15_000)]))
    });
    let leave = |programs: &mut [Program], places: &[&str]| {
        thread::scope(|scope| {
            for program in programs {
                scope.spawn(|| places.iter().for_each(|place| program.leave(place, each)));
            }
        });
    };
    leave(&mut programs, &["ready", "start", "update"]);
    let resumed: Vec<u64> = programs.iter().flat_map(|program| program.started.clone()).collect();
    let before: Vec<u64> = programs.iter().flat_map(|it| it.truth.keys().copied()).collect();
    let mut closewait = lab.app.command(BINARY);
    closewait.args(["live", "--code", "-i", "eth0", "--min-hold", "500ms", "--format", "jsonl"]);
    let (closewait, _) = started(closewait.args(["--", "port 3306"]), "listening on eth0");
    leave(&mut programs, &[&PLACES[..], &["later", "resume"]].concat());
    let all = programs.len() * (PLACES.len() + 3) * each;
    lab.leave(all);
    for program in &mut programs {
        program.learn_ends(each);
    }
    let (rows, summary) = report(closewait, all);
    let mut score = Score::default();
    let mut seen = 0;
    for row in rows.values() {
        let port = ["a", "b"].map(|end| row[end]["port"].as_u64().expect("a port"));
        let port = port.into_iter().find(|port| *port != 3306).expect("the program's");
        let is_its = |program: &&Program| program.truth.contains_key(&port);
        let program = programs.iter().find(is_its).unwrap_or_else(|| panic!("no leak: {row}"));
        seen += 1;
        if before.contains(&port) && !resumed.contains(&port) {
            assert!(named(row).values().all(Result::is_err), "nobody has seen it: {row}");
            continue;
        }
        score.take_row(row, program, port, resumed.contains(&port));
    }
    let unknown: usize = score.unknown.values().sum();
    let sent_again = lab.app.sent_again();
    let lost = &summary["code_lost"];
    eprintln!(
        "{seen} connections left behind HAProxy, {} of them before: {} places named, 0 wrong, {unknown} unknown {:?}; \
         {} statements with their lines; {sent_again} segments sent again; events lost: {lost}",
        before.len(),
        score.named,
        score.unknown,
        score.statements,
    );
    assert_eq!((seen, rows.len()), (all, all), "each is found");
    assert!(sent_again > 0, "the path loses packets");
    // A loaded machine may lose events, which is said; nothing is wrong for that. Of a few connections, one that was
    // begun too early, at three places, is more than one in a hundred.
    let most = (score.named / 100).max(3);
    assert!(lost != 0 && !lost.is_null() || unknown <= most, "{:?}", score.unknown_of);
}
