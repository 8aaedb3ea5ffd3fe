//! RabbitMQ, and clients that leave their connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::capture::Capture;
use super::process::{Process, await_fin, connect, free_port, port_of, until};
use super::{Did, SECRET, common, compare};

/// A broker with its own folders, name server and cookie.
struct Broker {
    port: u16,
    environment: Vec<(&'static str, String)>,
    programs: std::path::PathBuf,
    // Ended in this order.
    _server: Process,
    _names: Process,
    _scratch: common::Scratch,
}

/// Where Debian has what belongs to the broker.
fn programs() -> Option<std::path::PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/rabbitmq/lib").ok()?;
    versions.flatten().map(|version| version.path().join("sbin")).find(|path| path.exists())
}

impl Broker {
    fn start() -> Option<Broker> {
        let programs = programs()?;
        let scratch = common::Scratch::new();
        let (port, names, among) = (free_port(), free_port(), free_port());
        let in_folder = |name: &str| scratch.path().join(name).to_str().expect("UTF-8").to_owned();
        let config = format!(
            "listeners.tcp.default = 127.0.0.1:{port}\nheartbeat = 2\n\
             tcp_listen_options.linger.on = false\nhandshake_timeout = 3000\nlog.console = false\n"
        );
        scratch.write("rabbit.conf", config.as_bytes());
        let environment = vec![
            ("HOME", in_folder("")),
            ("ERL_EPMD_PORT", names.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
            ("RABBITMQ_NODENAME", format!("test{port}@localhost")),
            ("RABBITMQ_DIST_PORT", among.to_string()),
            ("RABBITMQ_MNESIA_BASE", in_folder("database")),
            ("RABBITMQ_LOG_BASE", in_folder("log")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", in_folder("plugins")),
            ("RABBITMQ_PID_FILE", in_folder("pid")),
            ("RABBITMQ_CONF_ENV_FILE", in_folder("none")),
            ("RABBITMQ_CONFIG_FILE", in_folder("rabbit")),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none -start_epmd false".into()),
        ];
        let names = Process::start(common::tool("epmd").args(["-port", &names.to_string()]))?;
        let mut server = common::tool(programs.join("rabbitmq-server").to_str()?);
        let server = Process::start(server.envs(environment.clone()))?;
        let broker = Broker {
            port,
            environment,
            programs,
            _server: server,
            _names: names,
            _scratch: scratch,
        };
        until("rabbitmq", || greets(port));
        Some(broker)
    }

    /// The broker's own view.
    fn control(&self, arguments: &[&str]) -> String {
        let program = self.programs.join("rabbitmqctl");
        let mut command: Command = common::tool(program.to_str().expect("UTF-8"));
        let output =
            command.envs(self.environment.clone()).args(arguments).output().expect("rabbitmqctl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Does the broker answer a client by connection.start? It listens before it can.
fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut start = [0; 11];
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
    let is_read =
        stream.write_all(b"AMQP\0\0\x09\x01").and_then(|()| stream.read_exact(&mut start));
    is_read.is_ok() && start[0] == 1 && start[7..] == [0, 10, 0, 10]
}

/// Just enough of the protocol to do what a test wants.
struct Client(TcpStream);

fn text(text: &str) -> Vec<u8> {
    [&[text.len() as u8][..], text.as_bytes()].concat()
}

fn long(octets: &[u8]) -> Vec<u8> {
    [&(octets.len() as u32).to_be_bytes()[..], octets].concat()
}

impl Client {
    fn send(&mut self, kind: u8, channel: u16, body: &[u8]) {
        let frame = [&[kind][..], &channel.to_be_bytes(), &long(body), b"\xce"].concat();
        self.0.write_all(&frame).expect("sent");
    }

    fn method(&mut self, channel: u16, numbers: (u16, u16), arguments: &[u8]) {
        let numbers = [numbers.0.to_be_bytes(), numbers.1.to_be_bytes()].concat();
        self.send(1, channel, &[&numbers, arguments].concat());
    }

    /// Reads to a method.
    fn read_to(&mut self, wanted: (u16, u16)) {
        loop {
            let mut header = [0; 7];
            self.0.read_exact(&mut header).expect("a frame");
            let [kind, _, _, size @ ..] = header;
            let mut body = vec![0; u32::from_be_bytes(size) as usize + 1];
            self.0.read_exact(&mut body).expect("its end");
            let numbers = [wanted.0.to_be_bytes(), wanted.1.to_be_bytes()].concat();
            if kind == 1 && body.starts_with(&numbers) {
                return;
            }
        }
    }

    fn call(&mut self, channel: u16, (class, method): (u16, u16), arguments: &[u8]) {
        self.method(channel, (class, method), arguments);
        self.read_to((class, method + 1));
    }

    fn greet(port: u16) -> Client {
        let mut client = Client(connect(port));
        client.0.write_all(b"AMQP\0\0\x09\x01").expect("sent");
        client.read_to((10, 10));
        client
    }

    fn login(port: u16, password: &str, heartbeat: u16) -> Client {
        let mut client = Client::greet(port);
        let fails = [&text("authentication_failure_close")[..], b"t\x01"].concat();
        let properties = [
            &text("connection_name")[..],
            b"S",
            &long(b"orders"),
            &text("secret"),
            b"S",
            &long(SECRET.as_bytes()),
            &text("capabilities"),
            b"F",
            &long(&fails),
        ];
        let response = format!("\0guest\0{password}");
        let start_ok =
            [long(&properties.concat()), text("PLAIN"), long(response.as_bytes()), text("en_US")];
        client.method(0, (10, 11), &start_ok.concat());
        if password != "guest" {
            client.read_to((10, 50));
            return client;
        }
        client.read_to((10, 30));
        let tune =
            [&2_047u16.to_be_bytes()[..], &131_072u32.to_be_bytes(), &heartbeat.to_be_bytes()];
        client.method(0, (10, 31), &tune.concat());
        client.call(0, (10, 40), &[&text("/")[..], b"\0\0"].concat());
        client.call(1, (20, 10), b"\0");
        client
    }

    fn declare(&mut self) {
        let queue = [b"\0\0", &text(SECRET)[..], b"\0", &long(b"")].concat();
        self.call(1, (50, 10), &queue);
    }

    fn publish(&mut self) {
        let publish = [b"\0\0", &text("")[..], &text(SECRET), b"\0"].concat();
        self.method(1, (60, 40), &publish);
        let body = format!("{SECRET}{}", "x".repeat(300));
        let header =
            [&60u16.to_be_bytes()[..], b"\0\0", &(body.len() as u64).to_be_bytes(), b"\0\0"];
        self.send(2, 1, &header.concat());
        self.send(3, 1, body.as_bytes());
    }

    fn consume(&mut self) {
        let consume = [b"\0\0", &text(SECRET)[..], &text(SECRET), b"\0", &long(b"")].concat();
        self.call(1, (60, 20), &consume);
    }
}

#[test]
fn what_clients_of_rabbitmq_did_is_what_is_read() {
    if !common::is_root() {
        return;
    }
    let Some(broker) = Broker::start() else { return common::skip("rabbitmq") };
    let Some(mut capture) = Capture::start(broker.port) else { return common::skip("tcpdump") };
    let (mut did, mut kept) = (Vec::new(), Vec::new());
    let mut left = |client: Client, what, cause, said| {
        did.push(Did { what, port: port_of(&client.0), cause, said });
        kept.push(client.0);
    };

    let mut client = Client::login(broker.port, "guest", 0);
    client.declare();
    client.publish();
    left(
        client,
        "published, then closed by an administrator",
        "server-said",
        json!({
            "server": "RabbitMQ 3.10.8", "user": "guest", "database": "/", "application_name": "orders",
            "last_statement": "basic.publish", "in_transaction": false,
            "server_error": {"code": 320, "sqlstate": null, "message": "CONNECTION_FORCED - enough"},
        }),
    );

    let mut client = Client::login(broker.port, "guest", 0);
    client.call(1, (90, 10), b"");
    client.publish();
    left(
        client,
        "a transaction",
        "transaction-open",
        json!({
            "in_transaction": true, "statements": ["tx.select", "basic.publish"],
        }),
    );

    let mut client = Client::login(broker.port, "guest", 0);
    client.call(1, (90, 10), b"");
    client.publish();
    client.call(1, (90, 20), b"");
    left(
        client,
        "a committed transaction",
        "server-said",
        json!({
            "in_transaction": false, "statements": [], "last_statement": "tx.commit", "answered": true,
        }),
    );

    let mut client = Client::login(broker.port, "guest", 2);
    client.consume();
    client.read_to((60, 60));
    left(
        client,
        "a consumer that says nothing",
        "missed-heartbeats",
        json!({"last_statement": "basic.consume"}),
    );

    let client = Client::login(broker.port, SECRET, 0);
    left(
        client,
        "a wrong password",
        "not-logged-in",
        json!({"in_transaction": false, "user": "guest"}),
    );

    let client = Client::greet(broker.port);
    left(client, "a greeting unread", "not-logged-in", json!({"user": null}));

    let lines = did[..3].iter().map(|did| format!("{}\tguest\t/\t1\t0", did.port));
    let lines: Vec<String> = lines.collect();
    let is_whole = |listed: &str| lines.iter().all(|line| listed.lines().any(|one| one == line));
    let columns = ["peer_port", "user", "vhost", "channels", "timeout"];
    let list = || broker.control(&[&["list_connections", "-q"][..], &columns].concat());
    // Each connection tells of itself: on a busy machine, not all have by then.
    let tries = (0..20).map(|_| list());
    let listed: Vec<String> = tries.take_while(|listed| !is_whole(listed)).collect();
    assert!(listed.len() < 20, "{lines:?}: {listed:?}");
    kept[3..].iter_mut().for_each(await_fin);
    broker.control(&["close_all_connections", "--vhost", "/", "enough"]);
    for stream in &mut kept[..3] {
        let mut client = Client(stream.try_clone().expect("a socket"));
        client.read_to((10, 50));
        client.method(0, (10, 51), b"");
        await_fin(stream);
    }
    capture.finish();
    compare(&capture, "amqp", &format!("amqp={}", broker.port), "amqp", &did);
}
