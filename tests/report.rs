//! The page of `closewait report`: the numbers of the other forms, small, and text as text.

mod common;

use std::process::{Command, Stdio};

use closewait::code::note::Note;
use closewait::code::{Code, Frame, Trace};
use common::talk::{ACK, FIN, Talk};
use common::wire::{Link, MICROSECONDS, Packet, Pcapng, Record};
use common::{Scratch, closewait, json_lines, project, skip, text};
use serde_json::Value;

const REPRODUCTION: &str = "fixtures/captures/reproduction/app.pcap";

/// The most octets that a page has for a thousand findings.
const LARGEST: usize = 500_000;

fn page(arguments: &[&str]) -> String {
    let output = closewait(&[&["report"], arguments].concat());
    let (out, err) = text(&output);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {err}");
    out
}

/// The text of a page without its tags, each piece of it apart.
fn shown(page: &str) -> String {
    let body = page.split("<body").nth(1).expect("a body").split("<script").next().expect("one");
    let pieces = body.split('<').map(|piece| piece.split_once('>').map_or("", |(_, text)| text));
    let text = pieces.collect::<Vec<_>>().join("\n");
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")]
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}

fn part<'a>(page: &'a str, id: &str) -> &'a str {
    let from = page.find(&format!("<section id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}"));
    let rest = &page[from..];
    &rest[..rest.find("</section>").expect("an end")]
}

fn summary(arguments: &[&str]) -> (Vec<Value>, Value) {
    let mut lines = json_lines(&closewait(&[&["--format", "jsonl"], arguments].concat()));
    let summary = lines.pop().expect("a summary");
    (lines, summary)
}

fn thousands(n: &Value) -> String {
    closewait::units::thousands(n.as_u64().expect("a number"))
}

/// An end as a text shows it.
fn end(end: &Value) -> String {
    let port = end["port"].as_u64().expect("a port") as u16;
    let ip = end["ip"].as_str().expect("an ip").parse().expect("an address");
    std::net::SocketAddr::new(ip, port).to_string()
}

#[test]
fn the_numbers_are_those_of_the_other_forms() {
    for arguments in [
        &[REPRODUCTION][..],
        &[REPRODUCTION, "--local", "172.18.0.5"],
        &["fixtures/captures/pair/leaky.pcap"],
        &["fixtures/captures/incident.pcap"],
        &["fixtures/captures/reproduction/db-any.pcap"],
    ] {
        let page = page(arguments);
        let (flows, summary) = summary(arguments);
        let (as_text, _) = text(&closewait(&[&["--top", "0"], arguments].concat()));
        let shown = shown(&page);
        // The first sentence is about the largest group; how many there are besides comes at once.
        let groups = part(&page, "groups").matches("<article>").count();
        let is_said =
            shown.contains(" more group below: ") || shown.contains(" more groups below: ");
        assert_eq!(is_said, groups > 1, "{arguments:?}: {groups}");
        // Sentences: the headline, and what the capture was.
        for line in [as_text.lines().next(), as_text.lines().last()].into_iter().flatten() {
            assert!(shown.contains(line), "{arguments:?}: {line}\n{shown}");
        }
        // Rows.
        let findings: Vec<&Value> = flows.iter().filter(|flow| flow["finding"] == true).collect();
        assert_eq!(findings.len() as u64, summary["findings"].as_u64().expect("a number"));
        let rows = match findings.len() {
            0 => 0,
            _ => part(&page, "findings").matches("<tr>").count() - 1,
        };
        assert_eq!(rows, findings.len(), "{arguments:?}");
        for flow in findings {
            let row = format!(
                "<td class=\"mono\">{}</td><td class=\"mono\">{}</td>",
                end(&flow["held_by"]),
                end(&flow["waits_for"])
            );
            assert!(part(&page, "findings").contains(&row), "{arguments:?}: {row}");
        }
        // States: the first, the most and the last of each.
        let history = &summary["captures"][0]["history"];
        for (state, counts) in history["states"].as_object().expect("states") {
            let counts = counts.as_array().expect("numbers");
            let most = counts.iter().max_by_key(|n| n.as_u64()).expect("one");
            let (first, last) = (thousands(&counts[0]), thousands(&counts[counts.len() - 1]));
            let words = match thousands(most) {
                most if most == last => format!("{first} … {last}"),
                most => format!("{first} … {most} … {last}"),
            };
            let panel = format!("<strong>{state}</strong><span>{words}");
            assert!(part(&page, "states").contains(&panel), "{arguments:?}: {panel}");
        }
        let holds = history["longest_close_wait"].as_array().expect("holds").len();
        assert_eq!(part(&page, "holds").matches("<tr>").count(), holds + 1);
        // Closes by service.
        for close in summary["closes"].as_array().expect("closes") {
            let name = end(&close["service"]);
            let kinds = [
                "answered",
                "by_service",
                "by_client",
                "late",
                "used_after_fin",
                "dropped_idle",
                "last_ack",
            ];
            let kinds: String = kinds
                .map(|kind| match &close[kind] {
                    Value::Null => "<td class=\"n\">0</td>".to_owned(),
                    kind => format!("<td class=\"n\">{}</td>", thousands(&kind["connections"])),
                })
                .concat();
            if close["closed"] != 0 {
                let row = format!("<td class=\"n\">{}</td>{kinds}", thousands(&close["closed"]));
                let part = part(&page, "closed-first");
                assert!(part.contains(&row) && part.contains(&name), "{name}: {row}\n{part}");
            }
            if let Some(spread) = close["close_wait"].as_object() {
                let row = format!(
                    "{name}</th><td class=\"n\">{}</td>",
                    thousands(&spread["connections"])
                );
                assert!(part(&page, "close-wait").contains(&row), "{row}");
            }
        }
    }
}

#[test]
fn a_page_tells_an_incident_from_top_to_bottom() {
    let page = page(&[REPRODUCTION, "--local", "172.18.0.5"]);
    let body = page.split("<body").nth(1).expect("a body");
    let places: Vec<usize> = [
        "holds 10 connections to 172.18.0.3:3306 in CLOSE-WAIT since",
        "in an open transaction (BEGIN; UPDATE accounts SET balance=balance-? WHERE id=?)",
        "22 of 56 connections left in CLOSE-WAIT",
        "What to do.",
        "id=\"states\"",
        "id=\"holds\"",
        "id=\"groups\"",
        "wireshark -r fixtures/captures/reproduction/app.pcap -g ",
        "id=\"idle\"",
        "id=\"close-wait\"",
        "id=\"closed-first\"",
        "id=\"packets\"",
        "CLOSE-WAIT begins",
        "id=\"flames\"",
        "Left in CLOSE-WAIT: 22 connections",
        "id=\"findings\"",
        "id=\"capture\"",
        "closewait report fixtures/captures/reproduction/app.pcap --local 172.18.0.5",
    ]
    .iter()
    .map(|words| body.find(words).unwrap_or_else(|| panic!("{words} is missing")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
    // What was closed was said on, too.
    assert!(page.contains("Closed by both sides: a sample: "), "no healthy one");
}

/// Many connections that a server closed and nobody else.
fn leaks(n: u32) -> Vec<u8> {
    let mut records = Vec::new();
    for i in 0..n {
        let ends = [
            format!("172.18.{}.{}:{}", i / 250, i % 250 + 1, 20_000 + i % 30_000),
            "172.18.0.3:3306".into(),
        ];
        let ends = ends.map(|end| end.parse().expect("an end"));
        let began = 1_700_000_000_000_000_000 + u64::from(i) * 10_000_000;
        let steps: [(usize, u8, u32, u32, u64); 5] = [
            (0, 0x02, 100, 0, 0),
            (1, 0x12, 900, 101, 1),
            (0, 0x10, 101, 901, 2),
            (1, 0x11, 901, 101, 30_000),
            (0, 0x10, 101, 902, 30_001),
        ];
        for (from, flags, seq, ack, ms) in steps {
            let packet = Packet {
                nanos: began + ms * 1_000_000,
                from: ends[from],
                to: ends[1 - from],
                flags,
                seq,
                ack,
                window: 500,
                options: Vec::new(),
                payload: Vec::new(),
                outgoing: from == 0,
            };
            records.push(Record::new(packet.nanos, packet.frame(Link::Ethernet)));
        }
    }
    records.sort_by_key(|record| record.nanos);
    MICROSECONDS.write(Link::Ethernet.link_type(), &records)
}

#[test]
fn a_thousand_findings_are_half_a_megabyte_and_more_are_not_more() {
    let scratch = Scratch::new();
    let thousand = page(&[&scratch.write("a.pcap", &leaks(1_000))]);
    assert!(thousand.len() <= LARGEST, "{} octets", thousand.len());
    assert_eq!(part(&thousand, "findings").matches("<tr>").count(), 1_001);
    let many = page(&[&scratch.write("b.pcap", &leaks(3_000))]);
    assert!(many.len() <= LARGEST, "{} octets", many.len());
    assert!(shown(&many).contains("The 1,000 longest held of 3,000 are listed"));
}

/// What others wrote stays text: names of files and processes, statements, users.
#[test]
fn hostile_text_stays_text() {
    let evil = "</script><img src=x onerror=alert(1)>\u{202e}'\"&<b>";
    let long = "N".repeat(65_536);
    let scratch = Scratch::new();
    let talk = Talk::logged_in(3306)
        .ask("BEGIN", 0x0003)
        .ask(&format!("SELECT `{evil}` FROM `{}`", &long[..40_000]), 0x0003);
    let file = scratch.write(
        "</title><script>alert(1)<\u{200f}script>.pcap".replace('/', "∕").as_str(),
        &talk.wait(30).closed_by_server().capture(60),
    );
    let list = format!(
        "{}\n",
        serde_json::json!({"schema":1,"type":"socket","state":"CLOSE-WAIT","local":{"ip":"172.18.0.5","port":40000},"peer":{"ip":"172.18.0.3","port":3306},"recv_q":1,"send_q":0,
            "process":{"pid":7,"command":format!("{evil}{long}"),"fd":6,"uid":0},
            "processes":[{"pid":7,"command":format!("{evil}{long}"),"fd":6,"uid":0}],"netns":null})
    );
    let list = scratch.write("list", list.as_bytes());
    let page = page(&[&file, "--sockets", &list]);
    assert_eq!(page.matches("<script").count(), 1, "one script is ours");
    assert_eq!(page.matches("</script").count(), 1);
    for markup in ["<img", "<b>", "\u{202e}", "\u{200f}", "</title><script>alert"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.len() < 150_000, "{} octets: long names are cut", page.len());
    // It is there, as text.
    assert!(
        shown(&page).contains("<img src=x onerror=alert(?)>") || shown(&page).contains("onerror"),
        "the name is lost"
    );
    assert_valid(&page, "hostile");
}

/// A leak whose code a capture carries, as `live --code -w` keeps it, and a healthy one beside it.
fn with_code() -> Vec<u8> {
    let frame = |function: &str, own| Frame {
        function: function.into(),
        file: Some("/srv/shop/controller.go".into()),
        line: Some(22),
        own,
    };
    let stack = vec![
        frame("database/sql.(*DB).Begin", false),
        frame("main.(*Shop).<update>", true),
        frame("main.main", true),
    ];
    let ends = ["172.18.0.5:40000", "172.18.0.3:3306"]
        .map(|end| end.parse::<std::net::SocketAddr>().expect("an end").into());
    let code = Code { begun: Some(Trace::By(stack)), ..Code::default() };
    let [local, peer] = ends;
    let note = Note { local, peer, process: Some((7, "orders-api".into())), code };
    let comment = note.comment().expect("it is short");
    let begun = |client| Talk::logged_in_by(client, 3306).ask("BEGIN", 0x0003);
    let leaky = begun(40_000).ask("UPDATE t SET a=1", 0x0003).wait(30).closed_by_server();
    let mut well = begun(40_001).ask("COMMIT", 0x0002).wait(30).closed_by_server();
    well.send(0, FIN | ACK, b"");
    well.send(1, ACK, b"");
    let mut file = Pcapng::new(false);
    file.interface(1, 0, &[]);
    let mut records = [leaky.records, well.records].concat();
    records.sort_by_key(|record| record.nanos);
    for record in &records {
        file.packet(0, record.nanos / 1_000, record, &[]);
    }
    let ticks = records.last().expect("packets").nanos / 1_000;
    let at =
        [file.u32_option(0), file.u32_option((ticks >> 32) as u32), file.u32_option(ticks as u32)];
    let body = [at.concat(), file.options(&[(1, comment.into_bytes())])].concat();
    file.block(5, body);
    file.bytes
}

/// The code is named in the first sentence, beside the statements, and as a flame graph of its own.
#[test]
fn the_code_behind_a_leak_is_in_the_page() {
    let scratch = Scratch::new();
    let file = scratch.write("seen.pcapng", &with_code());
    let page = page(&[&file, "--local", "172.18.0.5"]);
    let text = shown(&page);
    let answer = "in an open transaction (BEGIN; UPDATE t SET a=?), begun by main.(*Shop).<update> controller.go:22.";
    assert!(text.contains(answer), "{text}");
    assert!(part(&page, "groups").contains("main.(*Shop).&lt;update&gt; controller.go:22"));
    let flames = part(&page, "flames");
    let (code, said) = flames.split_once("By statement").expect("both graphs");
    // From below, the outermost function first.
    let places = ["By code", "main.main: 1", "main.(*Shop).&lt;update&gt;: 1", "BEGIN: 1"];
    let places = places.map(|words| code.find(words).unwrap_or_else(|| panic!("{words}: {code}")));
    assert!(places.is_sorted(), "{places:?}");
    assert!(code.contains("no code was kept") && !code.contains("class=\"well\""), "{code}");
    // By statement the healthy one stands beside it, frame by frame.
    assert!(!said.contains("main.main") && said.contains("class=\"well\""), "{said}");
    assert!(said.matches("BEGIN: 1 connection").count() >= 2, "{said}");
    assert_valid(&page, "code");
}

/// HTML as it should be, by tidy.
fn assert_valid(page: &str, name: &str) {
    let started = Command::new("tidy")
        .args(["-quiet", "-errors", "-utf8", "--custom-tags", "no"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut tidy) = started else { return skip("tidy") };
    std::io::Write::write_all(&mut tidy.stdin.take().expect("a pipe"), page.as_bytes())
        .expect("a reader");
    let output = tidy.wait_with_output().expect("tidy ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // It is older than this attribute.
    let wrong: Vec<&str> =
        said.lines().filter(|line| !line.contains("proprietary attribute")).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}

#[test]
fn the_page_is_valid() {
    for capture in
        [REPRODUCTION, "fixtures/captures/incident.pcap", "fixtures/captures/pair/fixed.pcap"]
    {
        assert_valid(&page(&[capture]), capture);
    }
}

#[test]
fn the_page_asks_nothing_of_the_net() {
    let page = page(&[REPRODUCTION]);
    assert!(page.contains("default-src 'none'"));
    for request in
        ["http:", "https:", "//", "src=", "url(", "@import", "<link", "<iframe", "fetch("]
    {
        let found = page
            .match_indices(request)
            .map(|(at, _)| &page[at.saturating_sub(30)..(at + 30).min(page.len())]);
        let found: Vec<&str> = found.filter(|words| !words.contains("\n// ")).collect();
        assert!(found.is_empty(), "{request}: {found:?}");
    }
    // Styles stand in one place, which the policy names.
    assert!(!page.contains(" style="), "a style that the policy refuses");
}

/// From a pipe there is no second look at the packets, and all else is there.
#[test]
fn a_pipe_has_a_page_too() {
    let mut command = common::command(&["--format", "html", "-"]);
    let input = std::fs::File::open(project(REPRODUCTION)).expect("there");
    let output = command.stdin(input).output().expect("the binary runs");
    let (page, _) = text(&output);
    assert!(page.contains("id=\"findings\""), "{page}");
    assert!(part(&page, "packets").contains("can be read only once"), "{page}");
    assert!(!part(&page, "packets").contains("<svg"), "{page}");
}

#[test]
fn wrong_uses_are_told() {
    let refused = [
        (&["report", REPRODUCTION, "--format", "csv"][..], "report writes a page"),
        (&["sockets", "--format", "html"], "possible values: text, jsonl, csv"),
    ];
    for (arguments, words) in refused {
        let output = closewait(arguments);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(words), "{err}");
    }
}

#[test]
fn a_server_that_closed_in_order_is_good_news() {
    let page = page(&["fixtures/captures/pair/fixed.pcap"]);
    assert!(page.contains("<body class=\"good\">"));
    assert!(shown(&page).contains("No connection left in CLOSE-WAIT"));
}

/// The page that the manual shows, made of the reproduction; `CLOSEWAIT_BLESS=1` writes it anew: look at it.
#[test]
fn the_manual_has_an_example() {
    let made = page(&[
        REPRODUCTION,
        "--sockets",
        "fixtures/captures/reproduction/kernel.txt",
        "--local",
        "172.18.0.5",
    ]);
    let path = project("src/manual/incident.html");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os("CLOSEWAIT_BLESS").is_some() && kept != made {
        return std::fs::write(&path, made).expect("a writable page");
    }
    assert!(kept == made, "{} is another: CLOSEWAIT_BLESS=1, and look at it", path.display());
    // The sentence on top is the kernel's truth, and so is each row: it holds every one of them.
    let kernel = std::fs::read_to_string(project("fixtures/captures/reproduction/kernel.txt"));
    let kernel = kernel.expect("the list of ss").replace("[::ffff:172.18.0.5]", " 172.18.0.5");
    let stuck: Vec<&str> = kernel.lines().filter(|line| line.starts_with("CLOSE-WAIT")).collect();
    let by = "reproduce-clien[19975] on 172.18.0.5 holds 10 connections to 172.18.0.3:3306 in CLOSE-WAIT";
    assert!(shown(&made).contains(by));
    let rows: Vec<&str> =
        part(&made, "findings").split("<tr><td class=\"mono\">").skip(1).collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    for row in rows {
        let end = format!(" {} ", row.split('<').next().expect("an end"));
        let holds =
            |line: &&&str| line.contains(&end) && line.contains("(\"reproduce-clien\",pid=19975");
        assert_eq!(stuck.iter().filter(holds).count(), 1, "the kernel has no{end}in CLOSE-WAIT");
    }
}

/// Live, the page comes at the end, and once, whoever asks for a report before.
#[test]
fn a_live_capture_has_one_page() {
    if !common::is_root() || !cfg!(feature = "libpcap") {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.path().join("live.html");
    let path = path.to_str().expect("UTF-8");
    let arguments =
        ["live", "-i", "lo", "--duration", "2s", "--format", "html", "-o", path, "port", "1"];
    let mut live =
        common::command(&arguments).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut said = std::io::BufReader::new(live.stderr.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).expect("it listens");
    let asked =
        Command::new("kill").args(["-USR1", &live.id().to_string()]).status().expect("kill");
    assert!(asked.success(), "{line}");
    assert!(live.wait().expect("it ends").success());
    let page = std::fs::read_to_string(path).expect("a page");
    assert_eq!(page.matches("<!DOCTYPE html>").count(), 1);
    assert!(page.contains("No TCP connection") && page.trim_end().ends_with("</html>"), "{page}");
}
