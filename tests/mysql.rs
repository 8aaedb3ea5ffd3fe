//! A real MariaDB, a capture of what its clients do, and what is read from it: at full length it is
//! what they did, at a snap length it is that or unknown.

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use closewait::attach::mysql::Mysql;
use closewait::attach::{Begun, ErrorCode, Facts, Peer, Protocol};
use closewait::capture::file::{FileSource, Input};
use closewait::capture::{Frame, Next, Source};
use closewait::decode::Decoder;
use closewait::tcp::segment::FlowKey;
use closewait::tcp::stream::{Chunk, Stream};

const BASE: u32 = 0x0001 | 0x0008 | 0x0080 | 0x0200 | 0x2000 | 0x8000 | 0x0003_0000 | 0x0008_0000;
const DEPRECATE_EOF: u32 = 1 << 24;

/// What a client did, in its own words. `None`: not compared.
#[derive(Default)]
struct Did {
    what: &'static str,
    open: Option<bool>,
    begun: Option<Begun>,
    statements: &'static [&'static str],
    last: &'static str,
    unanswered: bool,
    database: Option<&'static str>,
    user: Option<&'static str>,
    error: Option<u32>,
    quit: bool,
}

#[test]
fn what_clients_did_is_what_is_read() {
    let Some(server) = Server::start() else { return common::skip("mariadb") };
    let capture = server.scratch.path().join("all.pcap");
    let Some(tcpdump) = Tcpdump::start(server.port, &capture) else { return };
    let mut did = BTreeMap::new();
    let mut open = Vec::new();
    for capabilities in [BASE, BASE | DEPRECATE_EOF] {
        for (did_it, client) in clients(&server, capabilities) {
            did.insert(client.port(), did_it);
            open.push(client);
        }
    }
    server.over_tcp("BEGIN; UPDATE accounts SET balance = balance - 1 WHERE id = 2; COMMIT");
    drop(tcpdump);
    drop(open);
    assert!(server.shut_down());

    let full = read(&capture, server.port, usize::MAX);
    // Whoever asked whether all was written did not log in.
    let is_other = |(port, facts): &(&u16, &Facts)| !did.contains_key(port) && facts.user.is_some();
    let others: Vec<_> = full.iter().filter(is_other).collect();
    assert_eq!(others.len(), 1, "the command-line client");
    let facts = others[0].1;
    assert!(facts.goodbye.is_some() && facts.user.as_deref() == Some("app"), "{facts:?}");
    assert_eq!(facts.in_transaction, Some(false));
    // It says so itself, in its connection's attributes.
    let names = [&facts.application, &facts.driver].map(Option::as_deref);
    assert_eq!(names[0], Some("mysql"), "{facts:?}");
    assert!(names[1].is_some_and(|name| name.starts_with("libmariadb 3.")), "{facts:?}");
    for (port, did) in &did {
        did.is(&full[port]);
    }
    for snap in [128, 96, 80] {
        let cut = read(&capture, server.port, snap);
        let mut known = 0;
        for (port, did) in &did {
            did.is_or_unknown(&cut[port]);
            known += usize::from(cut[port].in_transaction.is_some());
        }
        eprintln!("snap length {snap}: {known} of {} known", did.len());
        assert!(known * 3 >= did.len(), "{known} of {} at {snap}", did.len());
    }
    // Frames that were lost, and captures that begin late.
    let all = |_| true;
    assert_eq!(read_frames(&capture, server.port, usize::MAX, &all), full);
    for snap in [usize::MAX, 128] {
        // One at a time: where an answer and the ACK of it were both lost at the end, nothing tells.
        for nth in (1..1_600).step_by(7) {
            let some = |frame: u64| frame != nth;
            let seen = read_frames(&capture, server.port, snap, &some);
            seen.iter().for_each(|(port, facts)| {
                did.get(port).into_iter().for_each(|did| did.is_or_unknown(facts))
            });
        }
        for first in (1..2_000).step_by(29) {
            let seen = read_frames(&capture, server.port, snap, &|frame| frame >= first);
            seen.iter().for_each(|(port, facts)| {
                did.get(port).into_iter().for_each(|did| did.is_or_unknown(facts))
            });
        }
    }
    agrees_with_tshark(&capture, server.port, &full);
}

/// MariaDB's own timeout: a RST by default, which leaves no CLOSE-WAIT; a FIN from its thread pool.
#[test]
fn the_servers_own_timeout_closes_by_rst_or_by_fin() {
    let ways: [(&[&str], &str, Option<&str>); 2] = [
        (&[], "reset", None),
        (&["--thread-handling=pool-of-threads"], "leak", Some("transaction-open")),
    ];
    for (more, verdict, cause) in ways {
        let Some(server) = Server::start_with(more) else { return common::skip("mariadb") };
        server.sql("SET GLOBAL wait_timeout=2");
        let capture = server.scratch.path().join("timeout.pcap");
        let Some(tcpdump) = Tcpdump::start(server.port, &capture) else { return };
        let mut client = Client::login(server.port, "app", BASE);
        client.query_all(&["BEGIN", "UPDATE accounts SET balance=0 WHERE id=7"]);
        // What ends it is the server's FIN or RST.
        let end = client.stream.read_to_end(&mut Vec::new());
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        drop(tcpdump);
        let local = format!("127.0.0.1:{}", client.port());
        let capture = capture.to_str().expect("UTF-8");
        let output = common::closewait(&[capture, "--all", "--format", "jsonl", "--local", &local]);
        let lines = common::json_lines(&output);
        let own = lines.iter().find(|line| line["a"]["port"] == client.port());
        let flow = own.expect("its connection");
        assert_eq!((&flow["verdict"], flow["cause"].as_str()), (&verdict.into(), cause), "{flow}");
        assert_eq!(flow["mysql"]["in_transaction"], true, "{flow}");
        if verdict == "leak" {
            let idle = flow["idle_before_fin_s"].as_f64().expect("it was used");
            assert!((1.9..6.0).contains(&idle), "{idle}");
        }
        drop(client);
    }
}

/// Each leaves its connection as it is.
fn clients(server: &Server, capabilities: u32) -> Vec<(Did, Client)> {
    let mut all = Vec::new();
    let mut run = |did: Did, act: &dyn Fn(&mut Client)| {
        let mut client = Client::login(server.port, "app", capabilities);
        act(&mut client);
        all.push((did, client));
    };
    const UPDATE: &str = "UPDATE accounts SET balance=balance-? WHERE id=?";
    // Each has a row of its own, so that nobody waits for anybody.
    const UPDATED: &str = "UPDATE accounts SET balance=balance-10 WHERE id={id}";
    let idle =
        || Did { open: Some(false), database: Some("shop"), user: Some("app"), ..Did::default() };
    let busy = || Did { open: Some(true), begun: Some(Begun::By("BEGIN")), ..idle() };

    run(Did { what: "begin", statements: &["BEGIN", UPDATE], last: UPDATE, ..busy() }, &|client| {
        client.query_all(&["BEGIN", UPDATED])
    });
    run(Did { what: "commit", last: "COMMIT", ..idle() }, &|client| {
        client.query_all(&["START TRANSACTION", UPDATED, "COMMIT"]);
    });
    run(
        Did {
            what: "autocommit=0",
            begun: Some(Begun::Under("autocommit=0")),
            statements: &[UPDATE, "SELECT * FROM accounts"],
            last: "SELECT * FROM accounts",
            ..busy()
        },
        &|client| client.query_all(&["SET autocommit=0", UPDATED, "SELECT * FROM accounts"]),
    );
    run(
        Did {
            what: "autocommit=0 and nothing but a SELECT",
            begun: Some(Begun::Under("autocommit=0")),
            statements: &["SELECT * FROM accounts"],
            last: "SELECT * FROM accounts",
            ..busy()
        },
        &|client| client.query_all(&["SET autocommit=0", "SELECT * FROM accounts"]),
    );
    run(
        Did {
            what: "a key twice",
            statements: &["BEGIN", UPDATE, "INSERT INTO accounts VALUES (?, …)"],
            last: "INSERT INTO accounts VALUES (?, …)",
            error: Some(1062),
            ..busy()
        },
        &|client| client.query_all(&["BEGIN", UPDATED, "INSERT INTO accounts VALUES (1, 5)"]),
    );
    run(Did { what: "a mistake", last: "SELEKT ?", error: Some(1064), ..idle() }, &|client| {
        client.query_all(&["SELEKT 1"])
    });
    run(
        Did {
            what: "several statements",
            statements: &["BEGIN; SELECT ?; UPDATE accounts SET balance=? WHERE id=?; SELECT ?"],
            last: "BEGIN; SELECT ?; UPDATE accounts SET balance=? WHERE id=?; SELECT ?",
            ..busy()
        },
        &|client| {
            client.query_all(&[
                "BEGIN; SELECT 1; UPDATE accounts SET balance=7 WHERE id={id}; SELECT 2",
            ])
        },
    );
    run(
        Did {
            what: "a procedure that begins",
            begun: None,
            statements: &["CALL begins()"],
            last: "CALL begins()",
            ..busy()
        },
        &|client| client.query_all(&["CALL begins()"]),
    );
    run(
        Did { what: "a table dropped", last: "DROP TABLE IF EXISTS nothing", ..idle() },
        &|client| client.query_all(&["BEGIN", UPDATED, "DROP TABLE IF EXISTS nothing"]),
    );
    run(
        Did {
            what: "a savepoint",
            statements: &["BEGIN", "SAVEPOINT a", UPDATE, "ROLLBACK TO a"],
            last: "ROLLBACK TO a",
            ..busy()
        },
        &|client| client.query_all(&["BEGIN", "SAVEPOINT a", UPDATED, "ROLLBACK TO a"]),
    );
    run(
        Did {
            what: "a chain",
            statements: &["COMMIT AND CHAIN"],
            last: "COMMIT AND CHAIN",
            begun: None,
            ..busy()
        },
        &|client| client.query_all(&["BEGIN", UPDATED, "COMMIT AND CHAIN"]),
    );
    run(
        Did {
            what: "many rows",
            statements: &["BEGIN", "SELECT * FROM seq_1_to_20000"],
            last: "SELECT * FROM seq_1_to_20000",
            ..busy()
        },
        &|client| client.query_all(&["BEGIN", "SELECT * FROM seq_1_to_20000"]),
    );
    run(
        Did {
            what: "prepared",
            statements: &[
                "BEGIN",
                "UPDATE accounts SET balance=? WHERE id=?",
                "SELECT id, ? FROM accounts",
            ],
            last: "SELECT id, ? FROM accounts",
            ..busy()
        },
        &|client| {
            client.query_all(&["BEGIN"]);
            client.execute("UPDATE accounts SET balance=? WHERE id=?", 2);
            client.execute("SELECT id, ? FROM accounts", 1);
        },
    );
    run(
        Did { what: "no answer", last: "SELECT SLEEP(?)", unanswered: true, ..idle() },
        // Longer than the test, however busy the machine is.
        &|client| client.send(0, b"\x03SELECT SLEEP(3000)"),
    );
    run(
        Did { what: "other database", last: "COM_INIT_DB", database: Some("bank"), ..idle() },
        &|client| client.command(b"\x02bank"),
    );
    run(Did { what: "use", last: "use `bank`", database: Some("bank"), ..idle() }, &|client| {
        client.query_all(&["use `bank`"])
    });
    run(
        Did {
            what: "other user",
            last: "COM_CHANGE_USER",
            user: Some("boss"),
            database: Some("bank"),
            ..idle()
        },
        &|client| {
            client.query_all(&["BEGIN", UPDATED]);
            client.command(b"\x11boss\0\0bank\0\x2d\0mysql_native_password\0");
        },
    );
    run(Did { what: "reset", last: "COM_RESET_CONNECTION", ..idle() }, &|client| {
        client.query_all(&["BEGIN", UPDATED]);
        client.command(b"\x1f");
    });
    run(
        Did { what: "ping in a transaction", last: "COM_PING", statements: &["BEGIN"], ..busy() },
        &|client| {
            client.query_all(&["BEGIN"]);
            client.command(b"\x0e");
        },
    );
    run(
        Did {
            what: "a file",
            statements: &["BEGIN", "LOAD DATA LOCAL INFILE ? INTO TABLE made"],
            last: "LOAD DATA LOCAL INFILE ? INTO TABLE made",
            ..busy()
        },
        &|client| client.query_all(&["BEGIN", "LOAD DATA LOCAL INFILE 'x' INTO TABLE made"]),
    );
    run(
        Did { what: "quit", last: "COM_QUIT", statements: &["BEGIN"], quit: true, ..busy() },
        &|client| {
            client.query_all(&["BEGIN"]);
            client.send(0, b"\x01");
        },
    );
    run(Did { what: "killed", last: "BEGIN", statements: &["BEGIN"], ..busy() }, &|client| {
        client.query_all(&["BEGIN"]);
        server.sql(&format!("KILL {}", client.id));
    });
    all
}

impl Did {
    fn is(&self, facts: &Facts) {
        let what = format!("{}: {facts:?}", self.what);
        assert_eq!(facts.confirmed, Some(true), "{what}");
        assert_eq!(facts.in_transaction, self.open, "{what}");
        assert_eq!(facts.answered, Some(!self.unanswered), "{what}");
        assert!(!facts.truncated, "{what}");
        self.is_or_unknown(facts);
        assert!(facts.server.as_deref().is_some_and(|v| v.contains("MariaDB")), "{what}");
        assert_eq!(facts.last_statement.as_deref(), Some(self.last), "{what}");
        assert_eq!(facts.database.as_deref(), self.database, "{what}");
        assert_eq!(facts.user.as_deref(), self.user, "{what}");
        assert_eq!(facts.begun, self.begun, "{what}");
        let statements: Vec<&str> = facts.statements.iter().map(|s| &**s).collect();
        assert_eq!(statements, self.statements, "{what}");
        let is_open = self.open == Some(true);
        assert_eq!(facts.transaction_since.is_some(), is_open, "{what}");
    }

    /// Never wrong, rather unknown.
    fn is_or_unknown(&self, facts: &Facts) {
        let what = format!("{}: {facts:?}", self.what);
        assert_ne!(facts.confirmed, Some(false), "{what}");
        assert!(facts.in_transaction.is_none() || facts.in_transaction == self.open, "{what}");
        assert!(facts.answered.is_none_or(|answered| answered != self.unanswered), "{what}");
        assert!(facts.begun.is_none() || facts.begun == self.begun, "{what}");
        assert!(facts.user.is_none() || facts.user.as_deref() == self.user, "{what}");
        assert!(facts.database.is_none() || facts.database.as_deref() == self.database, "{what}");
        assert!(facts.goodbye.is_none() || self.quit, "{what}");
        assert!(!facts.encrypted && !facts.compressed, "{what}");
        let fits = |seen: &str, did: &str| {
            let seen = seen.trim_end_matches(['…', '`', '?']);
            did.starts_with(seen) || seen.starts_with("COM_STMT_EXECUTE")
        };
        if let Some(last) = &facts.last_statement {
            assert!(fits(last, self.last), "{what}");
        }
        // The last of them are the last of those: the beginning may be unknown.
        let seen = facts.statements.iter().rev().zip(self.statements.iter().rev());
        for (seen, did) in seen {
            assert!(fits(seen, did), "{what}");
        }
        assert!(facts.statements.len() <= self.statements.len(), "{what}");
        if let Some(error) = &facts.server_error {
            assert!(
                error.unsolicited || self.error.map(ErrorCode::Number) == Some(error.code.clone()),
                "{what}"
            );
        }
    }
}

/// The facts of each connection, by its client's port.
fn read(capture: &Path, server: u16, snap: usize) -> BTreeMap<u16, Facts> {
    read_frames(capture, server, snap, &|_| true)
}

/// The same of some frames.
fn read_frames(
    capture: &Path,
    server: u16,
    snap: usize,
    some: &dyn Fn(u64) -> bool,
) -> BTreeMap<u16, Facts> {
    let mut source = FileSource::open(&Input(capture.to_path_buf()), 0).expect("a capture");
    let decoder = Decoder::default();
    let mut flows: Vec<(FlowKey, Mysql, [Stream; 2])> = Vec::new();
    loop {
        let frame = match source.next().expect("whole records") {
            Next::Frame(frame) => frame,
            Next::Idle(_) | Next::Trouble(_) => continue,
            Next::End => break,
        };
        if !some(frame.place.frame()) {
            continue;
        }
        let data = frame.data.get(..snap).unwrap_or(frame.data);
        let Ok((segment, captured)) = decoder.decode(&Frame { data, ..frame }) else { continue };
        let at = flows.iter().position(|(key, ..)| *key == segment.key).unwrap_or_else(|| {
            flows.push((segment.key, Mysql::new(true), Default::default()));
            flows.len() - 1
        });
        let (_, mysql, streams) = &mut flows[at];
        let time = segment.place.time;
        let is_server = segment.key.endpoint(segment.from).port == server;
        let (from, to) = match is_server {
            true => (Peer::Server, Peer::Client),
            false => (Peer::Client, Peer::Server),
        };
        if segment.flags.rst() {
            continue;
        }
        // An acknowledgment first: it tells what is missing of the other side.
        if segment.flags.ack() {
            streams[to as usize].acked(segment.ack, time, |at, piece| mysql.take(to, at, piece));
        }
        let (seq, syn, len) = (segment.seq, segment.flags.syn(), segment.len);
        let chunk = Chunk { at: time, seq, syn, len, captured };
        streams[from as usize].take(chunk, |at, piece| mysql.take(from, at, piece));
    }
    let port = |key: &FlowKey| {
        let ends = [closewait::tcp::segment::End::Lower, closewait::tcp::segment::End::Upper];
        let ports = ends.map(|end| key.endpoint(end).port);
        if ports[0] == server { ports[1] } else { ports[0] }
    };
    flows.iter().map(|(key, mysql, _)| (port(key), mysql.facts(false))).collect()
}

/// Wireshark's own reader sees the same last text.
fn agrees_with_tshark(capture: &Path, port: u16, full: &BTreeMap<u16, Facts>) {
    let decode = format!("tcp.port=={port},mysql");
    let fields = ["-e", "tcp.srcport", "-e", "mysql.query", "-E", "occurrence=l"];
    let output = Command::new("tshark")
        .arg("-r")
        .arg(capture)
        .args(["-d", &decode, "-T", "fields"])
        .args(["-Y", "mysql.query && mysql.command == 3"])
        .args(fields)
        .output();
    let Ok(output) = output else { return common::skip("tshark") };
    let mut last = BTreeMap::new();
    for line in common::text(&output).0.lines() {
        let (port, query) = line.split_once('\t').expect("two fields");
        last.insert(port.parse::<u16>().expect("a port"), query.to_owned());
    }
    let mut compared = 0;
    for (port, query) in &last {
        let facts = &full[port];
        if facts.last_command == Some("COM_QUERY") {
            let theirs = closewait::attach::sql::digest::digest(query.as_str().into());
            assert_eq!(facts.last_statement.as_deref(), Some(&*theirs));
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared} compared");
}

// ---- A server, a capture, a client.

struct Server {
    scratch: common::Scratch,
    child: Child,
    port: u16,
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Server {
    fn start() -> Option<Server> {
        Server::start_with(&[])
    }

    /// `None` where there is no MariaDB. Its temporary files are its own: in a folder of all, one server
    /// takes those of another for leavings, and removes them.
    fn start_with(more: &[&str]) -> Option<Server> {
        let scratch = common::Scratch::new();
        let data = scratch.path().join("data");
        let data = data.to_str().expect("UTF-8");
        if !common::has("mariadb-install-db") || !common::has("mariadbd") {
            return None;
        }
        common::must(
            command("mariadb-install-db")
                .env("TMPDIR", scratch.path())
                .args(["--no-defaults", "--user=root", "--skip-test-db"])
                .args(["--auth-root-authentication-method=normal", &format!("--datadir={data}")]),
        );
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let child = command("mariadbd")
            .env("TMPDIR", scratch.path())
            .args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1", "--skip-ssl"])
            .args(["--skip-name-resolve", "--local-infile=1", "--innodb-flush-log-at-trx-commit=0"])
            .args(["--innodb-lock-wait-timeout=1", &format!("--port={port}")])
            .args([format!("--datadir={data}"), format!("--socket={data}/s")])
            .arg(format!("--pid-file={data}/p"))
            .args(more)
            .spawn()
            .ok()?;
        let server = Server { scratch, child, port };
        let begun = Instant::now();
        while !server.cli(&["-e", "SELECT 1"]) {
            assert!(begun.elapsed() < Duration::from_secs(60), "mariadbd did not come up");
            std::thread::sleep(Duration::from_millis(100));
        }
        server.sql(
            "CREATE DATABASE shop; CREATE DATABASE bank; CREATE USER app@'%'; GRANT ALL ON *.* TO app@'%';
             CREATE USER boss@'%'; GRANT ALL ON *.* TO boss@'%'; USE shop;
             SET GLOBAL innodb_lock_wait_timeout=1;
             CREATE TABLE accounts (id INT PRIMARY KEY, balance INT) ENGINE=InnoDB;
             INSERT INTO accounts SELECT seq, 100 FROM seq_1_to_500;
             CREATE TABLE made (a INT) ENGINE=InnoDB;
             CREATE PROCEDURE begins() BEGIN SELECT 1; START TRANSACTION; SELECT 2; END",
        );
        Some(server)
    }

    fn cli(&self, args: &[&str]) -> bool {
        let socket = format!("--socket={}/data/s", self.scratch.path().display());
        let mut cli = command("mariadb");
        cli.args(["--no-defaults", "-uroot", &socket]).args(args);
        cli.status().is_ok_and(|status| status.success())
    }

    fn sql(&self, sql: &str) {
        assert!(self.cli(&["--delimiter=;;", "-e", sql]) || self.cli(&["-e", sql]), "{sql}");
    }

    fn over_tcp(&self, sql: &str) {
        let port = format!("-P{}", self.port);
        let status = command("mariadb")
            .args(["--no-defaults", "-uapp", "-h127.0.0.1", &port, "--skip-ssl", "shop", "-e", sql])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{sql}");
    }

    fn shut_down(&self) -> bool {
        self.cli(&["-e", "SHUTDOWN"])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

struct Tcpdump {
    child: Child,
    into: std::path::PathBuf,
    port: u16,
}

impl Tcpdump {
    /// `None`: only root can, and it has been said.
    fn start(port: u16, into: &Path) -> Option<Tcpdump> {
        if !common::is_root() {
            return None;
        }
        let child = command("tcpdump")
            // Without --immediate-mode: with it, each packet takes the room of the longest, 64 KiB here, and a
            // ring is full as soon as tcpdump gets no processor for a moment.
            .args(["-i", "lo", "-U", "-s", "0", "-B", "32768", "-w"])
            .arg(into)
            .args(["tcp", "port", &port.to_string()])
            .spawn()
            .ok()?;
        let mut tcpdump = Tcpdump { child, into: into.to_path_buf(), port };
        let begun = Instant::now();
        while std::fs::metadata(into).map_or(0, |file| file.len()) < 24 {
            let ended = tcpdump.child.try_wait().expect("it is ours");
            assert!(ended.is_none(), "tcpdump ended: {ended:?}");
            assert!(begun.elapsed() < Duration::from_secs(60), "tcpdump did not begin");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(tcpdump)
    }
}

impl Drop for Tcpdump {
    fn drop(&mut self) {
        // All that was captured before is written once this is, however busy the machine is.
        if let Ok(last) = TcpStream::connect(("127.0.0.1", self.port))
            && let Ok(own) = last.local_addr()
        {
            let begun = Instant::now();
            while !holds(&self.into, own.port()) && begun.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Has a packet of this port been captured?
fn holds(capture: &Path, port: u16) -> bool {
    let Ok(mut source) = FileSource::open(&Input(capture.to_path_buf()), 0) else { return false };
    let decoder = Decoder::default();
    while let Ok(Next::Frame(frame)) = source.next() {
        if decoder.decode(&frame).is_ok_and(|(segment, _)| segment.key.ports().contains(&port)) {
            return true;
        }
    }
    false
}

/// Just enough of the protocol to do what a test wants.
struct Client {
    stream: TcpStream,
    deprecates: bool,
    id: u32,
}

impl Client {
    fn login(port: u16, user: &str, capabilities: u32) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a server");
        stream.set_nodelay(true).expect("a socket");
        let deprecates = capabilities & DEPRECATE_EOF != 0;
        let mut client = Client { stream, deprecates, id: 0 };
        let greeting = client.receive().1;
        let version = greeting.iter().position(|octet| *octet == 0).expect("a version");
        client.id =
            u32::from_le_bytes(greeting[version + 1..version + 5].try_into().expect("four"));
        let mut login = capabilities.to_le_bytes().to_vec();
        login.extend([0, 0, 0, 1, 45]);
        login.extend([0; 23]);
        login.extend(user.bytes().chain([0, 0]));
        login.extend(b"shop\0mysql_native_password\0");
        client.send(1, &login);
        assert_eq!(client.receive().1[0], 0, "logged in");
        client
    }

    fn port(&self) -> u16 {
        self.stream.local_addr().expect("connected").port()
    }

    fn send(&mut self, seq: u8, payload: &[u8]) {
        let len = (payload.len() as u32).to_le_bytes();
        self.stream.write_all(&[&len[..3], &[seq], payload].concat()).expect("sent");
    }

    fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).expect("a packet");
        let mut payload =
            vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
        self.stream.read_exact(&mut payload).expect("a packet");
        (header[3], payload)
    }

    fn query_all(&mut self, queries: &[&str]) {
        for sql in queries {
            let sql = sql.replace("{id}", &self.id.to_string());
            self.send(0, &[b"\x03", sql.as_bytes()].concat());
            self.results();
        }
    }

    fn command(&mut self, payload: &[u8]) {
        self.send(0, payload);
        self.results();
    }

    /// All results of a command.
    fn results(&mut self) {
        while self.result() & 0x0008 != 0 {}
    }

    /// One result; returns its status.
    fn result(&mut self) -> u16 {
        let (seq, first) = self.receive();
        match first[0] {
            0x00 => status_at(&first, 3),
            0xff => 0,
            0xfe => {
                // Another way to prove who it is: there is no password.
                self.send(seq + 1, b"");
                self.result()
            }
            0xfb => {
                self.send(seq + 1, b"1\n2\n");
                self.send(seq + 2, b"");
                self.result()
            }
            columns => {
                (0..columns).for_each(|_| drop(self.receive()));
                if !self.deprecates {
                    self.receive();
                }
                loop {
                    let (_, row) = self.receive();
                    match (row[0], row.len()) {
                        (0xfe, 5) => return status_at(&row, 3),
                        (0xfe, ..=20) => return status_at(&row, 3),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Prepares, and executes with as many ones.
    fn execute(&mut self, sql: &str, params: u8) {
        self.send(0, &[b"\x16", sql.as_bytes()].concat());
        let ok = self.receive().1;
        assert_eq!(ok[0], 0, "{}", String::from_utf8_lossy(&ok));
        let columns = u16::from_le_bytes([ok[5], ok[6]]);
        for group in [u16::from(params), columns] {
            (0..group).for_each(|_| drop(self.receive()));
            if group > 0 && !self.deprecates {
                self.receive();
            }
        }
        let mut execute = [&[0x17], &ok[1..5], &[0, 1, 0, 0, 0, 0, 1]].concat();
        (0..params).for_each(|_| execute.extend([3, 0]));
        (0..params).for_each(|_| execute.extend(self.id.to_le_bytes()));
        self.send(0, &execute);
        self.results();
    }
}

/// Of an OK packet with small numbers, or of an EOF packet: both at the same place.
fn status_at(packet: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([packet[at], packet[at + 1]])
}
