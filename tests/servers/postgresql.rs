//! PostgreSQL and PgBouncer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::capture::Capture;
use super::process::{self, Process, await_fin, free_port, until};
use super::{Did, SECRET, common, compare};

/// How long the server bears an idle client: in a transaction, and in none.
const PATIENCE: &str = "-c idle_in_transaction_session_timeout=2500 -c idle_session_timeout=2500";

struct Server {
    scratch: common::Scratch,
    port: u16,
    process: Option<Process>,
}

/// Where Debian has what belongs to a server.
fn program(name: &str) -> Option<String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let paths = versions.flatten().map(|version| version.path().join("bin").join(name));
    paths.filter(|path| path.exists()).max()?.to_str().map(str::to_owned)
}

/// A server of PostgreSQL does not run as root.
fn as_postgres(program: &str) -> Command {
    let mut command = common::tool("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
    command.current_dir("/");
    command
}

fn give(path: &Path) {
    common::tool("chown").args(["-R", "postgres:postgres"]).arg(path).status().expect("chown");
}

impl Server {
    fn start() -> Option<Server> {
        let (initdb, postgres) = (program("initdb")?, program("postgres")?);
        let scratch = common::Scratch::new();
        give(scratch.path());
        let data = scratch.path().join("data").to_str().expect("UTF-8").to_owned();
        common::must(as_postgres(&initdb).args(["-D", &data, "-A", "trust", "-U", "app", "-N"]));
        let port = free_port();
        let process = Process::start(
            as_postgres(&postgres).args(["-D", &data, "-p", &port.to_string()]).args([
                "-k",
                "",
                "-h",
                "127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=30",
            ]),
        )?;
        let server = Server { scratch, port, process: Some(process) };
        until("postgres", || server.sql("SELECT 1").is_some());
        let table = "CREATE TABLE accounts AS SELECT id, 100 AS balance, '' AS name FROM generate_series(1, 50) id";
        server.sql(table).expect("a table");
        Some(server)
    }

    fn sql(&self, sql: &str) -> Option<String> {
        let port = self.port.to_string();
        let output = common::tool("psql")
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "app", "-d", "postgres", "-XAtc", sql])
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The server's own view of a client.
    fn state(&self, client: u16) -> String {
        let sql = format!("SELECT state FROM pg_stat_activity WHERE client_port = {client}");
        self.sql(&sql).expect("psql")
    }
}

/// Just enough of the protocol to do what a test wants.
pub struct Client {
    pub stream: TcpStream,
}

fn message(kind: &str, body: &[u8]) -> Vec<u8> {
    [kind.as_bytes(), &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

impl Client {
    fn start(port: u16, user: &str, options: &str) -> Client {
        let mut stream = process::connect(port);
        let options =
            if options.is_empty() { String::new() } else { format!("options\0{options}\0") };
        let names =
            format!("user\0{user}\0database\0postgres\0application_name\0orders\0{options}\0");
        stream.write_all(&message("", &[&[0, 3, 0, 0], names.as_bytes()].concat())).expect("sent");
        Client { stream }
    }

    fn login(port: u16, options: &str) -> Client {
        let mut client = Client::start(port, "app", options);
        client.ready();
        client
    }

    fn port(&self) -> u16 {
        process::port_of(&self.stream)
    }

    /// Reads to a message of this kind.
    fn read_to(&mut self, wanted: u8) -> Vec<u8> {
        loop {
            let mut header = [0; 5];
            self.stream.read_exact(&mut header).expect("a message");
            let [kind, len @ ..] = header;
            let mut body = vec![0; u32::from_be_bytes(len) as usize - 4];
            self.stream.read_exact(&mut body).expect("its body");
            if kind == wanted {
                return body;
            }
        }
    }

    fn ready(&mut self) {
        self.read_to(b'Z');
    }

    fn send(&mut self, messages: &[Vec<u8>]) {
        self.stream.write_all(&messages.concat()).expect("sent");
    }

    fn ask(&mut self, sql: &str) {
        self.send(&[message("Q", &[sql.as_bytes(), b"\0"].concat())]);
    }

    fn query(&mut self, sql: &str) {
        self.ask(sql);
        self.ready();
    }

    /// The extended protocol, with a parameter.
    fn execute(&mut self, name: &str, sql: &str, value: &str) {
        let parse = [name.as_bytes(), b"\0", sql.as_bytes(), b"\0\0\0"].concat();
        let len = (value.len() as u32).to_be_bytes();
        let bind =
            [b"\0", name.as_bytes(), b"\0\0\0\0\x01", &len, value.as_bytes(), b"\0\0"].concat();
        let (execute, sync) = (message("E", b"\0\0\0\0\0"), message("S", b""));
        self.send(&[
            message("P", &parse),
            message("B", &bind),
            message("D", b"P\0"),
            execute,
            sync,
        ]);
        self.ready();
    }
}

const UPDATE: &str = "UPDATE accounts SET name=? WHERE id=?";

fn update() -> String {
    let tags = format!("/*controller='orders',action='update',token='{SECRET}'*/");
    format!("UPDATE accounts SET name='{SECRET}' WHERE id=-77 {tags}")
}

#[test]
fn what_clients_of_postgresql_did_is_what_is_read() {
    if !common::is_root() {
        return;
    }
    let Some(server) = Server::start() else { return common::skip("postgresql") };
    let Some(mut capture) = Capture::start(server.port) else { return common::skip("tcpdump") };
    let (mut did, mut kept) = (Vec::new(), Vec::new());
    let mut left = |client: Client, what, cause, said| {
        did.push(Did { what, port: client.port(), cause, said });
        kept.push(client);
    };

    let mut client = Client::login(server.port, PATIENCE);
    client.query("BEGIN");
    client.query(&update());
    assert_eq!(server.state(client.port()), "idle in transaction");
    left(
        client,
        "a transaction",
        "transaction-open",
        json!({
            "in_transaction": true, "answered": true, "statements": ["BEGIN", UPDATE], "user": "app",
            "database": "postgres", "application_name": "orders",
            "tags": {"controller": "orders", "action": "update"},
        }),
    );

    let mut client = Client::login(server.port, PATIENCE);
    client.query("BEGIN ISOLATION LEVEL SERIALIZABLE");
    client.execute("s1", "UPDATE accounts SET name=$1", SECRET);
    left(
        client,
        "prepared",
        "transaction-open",
        json!({
            "in_transaction": true,
            "statements": ["BEGIN ISOLATION LEVEL SERIALIZABLE", "UPDATE accounts SET name=?"],
        }),
    );

    let mut client = Client::login(server.port, PATIENCE);
    client.query("BEGIN");
    client.query(&format!("SELECT no_such_column FROM accounts WHERE name = $x${SECRET}$x$"));
    assert_eq!(server.state(client.port()), "idle in transaction (aborted)");
    left(
        client,
        "a failed transaction",
        "transaction-open",
        json!({
            "in_transaction": true, "statements": ["BEGIN", "SELECT no_such_column FROM accounts WHERE name=?"],
        }),
    );

    let mut client = Client::login(server.port, PATIENCE);
    for sql in ["BEGIN", &update(), "COMMIT"] {
        client.query(sql);
    }
    assert_eq!(server.state(client.port()), "idle");
    left(
        client,
        "committed, then idle",
        "server-said",
        json!({
            "in_transaction": false, "statements": [], "last_statement": "COMMIT",
            "server_error": {"code": "57P05", "sqlstate": "57P05",
                "message": "terminating connection due to idle-session timeout"},
        }),
    );

    let mut client = Client::login(server.port, "");
    client.ask("COPY accounts FROM STDIN");
    client.read_to(b'G');
    let row = format!("1\t2\t{SECRET}\n");
    client.send(&[message("d", row.as_bytes()), message("c", b"")]);
    client.ready();
    server.sql(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = {}",
        client.port()
    ));
    did.push(Did {
        what: "copied, then ended by an administrator",
        port: client.port(),
        cause: "server-said",
        said: json!({"in_transaction": false, "answered": true, "last_statement": "COPY accounts FROM STDIN"}),
    });
    kept.push(client);

    let mut client = Client::login(server.port, "");
    client.query("SELECT 1");
    client.send(&[message("X", b"")]);
    did.push(Did {
        what: "terminated",
        port: client.port(),
        cause: "quit-unclosed",
        said: json!({}),
    });
    kept.push(client);

    let client = Client::start(server.port, "nobody", "");
    did.push(Did {
        what: "nobody",
        port: client.port(),
        cause: "not-logged-in",
        said: json!({"in_transaction": false, "user": "nobody"}),
    });
    kept.push(client);

    kept.iter_mut().for_each(|client| await_fin(&mut client.stream));
    capture.finish();
    compare(&capture, "postgresql", &format!("postgresql={}", server.port), "postgresql", &did);
    drop(kept);
}

#[test]
fn a_pooler_says_why_it_closes() {
    if !common::is_root() {
        return;
    }
    let Some(server) = Server::start() else { return common::skip("postgresql") };
    let port = free_port();
    let config = format!(
        "[databases]\npostgres = host=127.0.0.1 port={} user=app\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nauth_type = any\nunix_socket_dir =\nidle_transaction_timeout = 1\n\
         pool_mode = transaction\nignore_startup_parameters = extra_float_digits\n",
        server.port
    );
    let ini = server.scratch.write("pgbouncer.ini", config.as_bytes());
    give(server.scratch.path());
    let Some(_pooler) = Process::start(as_postgres("pgbouncer").arg(&ini)) else {
        return common::skip("pgbouncer");
    };
    if common::tool("pgbouncer").arg("--version").output().is_err() {
        return common::skip("pgbouncer");
    }
    until("pgbouncer", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let Some(mut capture) = Capture::start(port) else { return common::skip("tcpdump") };
    let mut client = Client::login(port, "");
    client.query("BEGIN");
    client.query(&update());
    await_fin(&mut client.stream);
    capture.finish();
    let did = [Did {
        what: "a pooler's timeout",
        port: client.port(),
        cause: "transaction-open",
        said: json!({
            "in_transaction": true, "statements": ["BEGIN", UPDATE],
            "server_error": {"code": "08P01", "sqlstate": "08P01", "message": "idle transaction timeout"},
        }),
    }];
    compare(&capture, "pgbouncer", &format!("postgresql={port}"), "postgresql", &did);
}

/// After every answer, Wireshark's dissector says the same of the transaction.
#[test]
fn states_agree_with_tshark_in_three_protocols() {
    if !common::is_root() {
        return;
    }
    let Some(server) = Server::start() else { return common::skip("postgresql") };
    let Some(mut capture) = Capture::start(server.port) else { return common::skip("tcpdump") };
    let Some(pgbench) = program("pgbench") else { return common::skip("postgresql") };
    let port = server.port.to_string();
    let bench = |args: &[&str]| {
        let to = ["-h", "127.0.0.1", "-p", &port, "-U", "app"];
        common::tool(&pgbench).args(to).args(args).arg("postgres").output().expect("pgbench")
    };
    assert!(bench(&["-i", "-q"]).status.success());
    for mode in ["simple", "extended", "prepared"] {
        assert!(bench(&["-M", mode, "-t", "40", "-c", "2"]).status.success(), "{mode}");
    }
    capture.finish();
    super::states::agree(&capture.path(), server.port);
    drop(server.process);
}
