//! One capture, printed in every form in which people paste it: the findings are the same.
//!
//! tcpdump and tshark print what they can; what others print is made of tcpdump's lines here.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use common::scenario::Scenario;
use common::wire::MICROSECONDS;
use common::{Scratch, closewait, json_lines, text};
use serde_json::Value;

/// A capture, and whose closing is judged.
struct Capture {
    name: &'static str,
    path: String,
    local: &'static [&'static str],
}

/// A capture or a scenario of the project's own.
fn capture(name: &'static str, local: &'static [&'static str], scratch: &Scratch) -> Capture {
    let path = common::project(name);
    if !name.ends_with(".scn") {
        return Capture { name, path: path.to_str().expect("UTF-8").to_owned(), local };
    }
    let scenario = Scenario::read(&path).expect("a scenario");
    let bytes = MICROSECONDS.write(scenario.link.link_type(), &scenario.records());
    let file = format!("{}.pcap", path.file_stem().expect("a name").display());
    Capture { name, path: scratch.write(&file, &bytes), local }
}

/// Who prints a form, and from what it is made.
enum By {
    Tcpdump(&'static str, fn(&str, &Capture) -> String),
    /// The frames are cut first, to so many octets.
    Snapped(&'static str),
    Tshark(&'static str, fn(&str, &Capture) -> String),
}

struct Form {
    name: &'static str,
    by: By,
    /// It prints which way the packets went, so that nobody need say who is local.
    way: bool,
    /// Names that stand in place of addresses.
    names: bool,
}

fn form(name: &'static str, by: By) -> Form {
    Form { name, by, way: false, names: false }
}

fn as_printed(text: &str, _: &Capture) -> String {
    text.to_owned()
}

/// Each line, changed.
fn lines(text: &str, change: impl Fn(&str) -> String) -> String {
    text.lines().map(|line| change(line) + "\n").collect()
}

const N: &str = "-n";

fn forms() -> Vec<Form> {
    use By::{Snapped, Tcpdump, Tshark};
    let way = |name, by| Form { way: true, ..form(name, by) };
    let named = |name, by| Form { names: true, ..form(name, by) };
    vec![
        form("tcpdump -n", Tcpdump(N, as_printed)),
        form("tcpdump -n -e", Tcpdump("-n -e", as_printed)),
        form("tcpdump -n -v", Tcpdump("-n -v", as_printed)),
        form("tcpdump -n -vv -e -tttt", Tcpdump("-n -vv -e -tttt", as_printed)),
        form("tcpdump -n -#", Tcpdump("-n --number", as_printed)),
        form("tcpdump -n -A", Tcpdump("-n -A", as_printed)),
        form("tcpdump -n -xx", Tcpdump("-n -xx", as_printed)),
        form("cut off by a snap length of 96", Snapped("96")),
        form(
            "kubectl logs --timestamps",
            Tcpdump(N, |text, _| {
                lines(text, |line| format!("2023-11-14T22:13:20.213856112Z {line}"))
            }),
        ),
        form(
            "cri-o",
            Tcpdump(N, |text, _| {
                lines(text, |line| format!("2023-11-14T22:13:20.213856112Z stdout F {line}"))
            }),
        ),
        form(
            "cri-o, -v",
            Tcpdump("-n -v", |text, _| {
                lines(text, |line| format!("2023-11-14T22:13:20.213856112Z stdout F {line}"))
            }),
        ),
        form(
            "docker's JSON",
            Tcpdump(N, |text, _| {
                lines(text, |line| {
                    serde_json::json!({"log": format!("{line}\n"), "stream": "stdout", "time": "2023-11-14T22:13:20Z"}).to_string()
                })
            }),
        ),
        form(
            "docker compose",
            Tcpdump(N, |text, _| {
                lines(text, |line| format!("\u{1b}[36mtcpdump-1  | \u{1b}[0m{line}"))
            }),
        ),
        form(
            "syslog",
            Tcpdump(N, |text, _| {
                lines(text, |line| format!("Nov 14 22:13:20 host1 tcpdump[912]: {line}"))
            }),
        ),
        form(
            "journalctl -o short-precise, -v",
            Tcpdump("-n -v", |text, _| {
                lines(text, |line| format!("Nov 14 22:13:20.123456 host1 tcpdump[912]: {line}"))
            }),
        ),
        form(
            "quoted twice",
            Tcpdump(N, |text, _| lines(text, |line| format!("> > {line}\r\n> >"))),
        ),
        form("with the line ends of old Macs", Tcpdump(N, |text, _| text.replace('\n', "\r"))),
        form("in a string", Tcpdump(N, |text, _| format!("\"{}\"\n", text.replace('\n', "\\n")))),
        form(
            "in a log of one line",
            Tcpdump(N, |text, _| serde_json::json!({"msg": text, "level": "info"}).to_string()),
        ),
        form(
            "with characters of a word processor",
            Tcpdump(N, |text, _| {
                lines(text, |line| format!("\u{200b}{}", line.replace(' ', "\u{202f}")))
            }),
        ),
        form("indented", Tcpdump(N, |text, _| lines(text, |line| format!("\t    {line}  ")))),
        form(
            "copied from a page's source",
            Tcpdump(N, |text, _| {
                lines(text, |line| line.replace('>', "&gt;").replace('<', "&lt;"))
            }),
        ),
        form("folded at 60", Tcpdump(N, |text, _| lines(text, |line| hard(line, 60)))),
        form("folded at 79", Tcpdump(N, |text, _| lines(text, |line| hard(line, 79)))),
        form("folded at 100", Tcpdump(N, |text, _| lines(text, |line| hard(line, 100)))),
        form(
            "folded at 80, -v -e",
            Tcpdump("-n -v -e", |text, _| lines(text, |line| hard(line, 80))),
        ),
        form("folded at blanks, 72", Tcpdump(N, |text, _| lines(text, |line| soft(line, 72, "")))),
        form(
            "folded at blanks, 78, quoted",
            Tcpdump(N, |text, _| lines(text, |line| soft(line, 76, "> "))),
        ),
        form(
            "grep -Hn",
            Tcpdump(N, |text, _| lines(text, |line| format!("logs/tcpdump.txt:12:{line}"))),
        ),
        form(
            "tcpdump 3 -e",
            Tcpdump(N, |text, _| {
                lines(text, |line| {
                    let link = "0:c:29:aa:bb:cc 0:50:56:0:0:1 ip 74: ";
                    old(line, "").replacen(' ', &format!(" {link}"), 1)
                        + " (DF) (ttl 64, id 1, len 60)"
                })
            }),
        ),
        named("host and service names", Tcpdump(N, |text, _| with_names(text, &HOSTS))),
        named("blanked addresses", Tcpdump(N, |text, _| with_names(text, &BLANKED))),
        named(
            "names, folded at 80",
            Tcpdump(N, |text, _| lines(&with_names(text, &HOSTS), |line| hard(line, 80))),
        ),
        form("tcpdump before 4.1", Tcpdump(N, |text, _| lines(text, |line| old(line, "IP ")))),
        form(
            "OpenBSD",
            Tcpdump(N, |text, _| lines(text, |line| format!("Nov 14 {} (DF)", old(line, "")))),
        ),
        form("Cisco ASA", Tcpdump(N, |text, _| asa(text))),
        form("FortiGate", Tcpdump("-n -S -tttt", |text, _| fortigate(text, &[""]))),
        form(
            "FortiGate, interfaces",
            Tcpdump("-n -S -tttt", |text, _| fortigate(text, &["port1 in ", "port2 out "])),
        ),
        way(
            "Junos",
            Tcpdump(N, |text, capture| {
                before_ip(&lines(text, |line| old(line, "IP ")), capture, |out| {
                    if out { "Out" } else { " In" }.into()
                })
            }),
        ),
        way(
            "tcpdump -i any of before 4.99",
            Tcpdump(N, |text, capture| {
                before_ip(text, capture, |out| {
                    format!(
                        "{} 02:00:00:00:00:05 ethertype IPv4 (0x0800), length 76:",
                        if out { "Out" } else { " In" }
                    )
                })
            }),
        ),
        way(
            "tcpdump -i any",
            Tcpdump(N, |text, capture| {
                before_ip(text, capture, |out| format!("eth0  {}", if out { "Out" } else { "In " }))
            }),
        ),
        way(
            "macOS -k",
            Tcpdump(N, |text, capture| {
                before_ip(text, capture, |out| {
                    format!("(en0, proc java:4711:, svc BE, {})", if out { "out" } else { "in" })
                })
            }),
        ),
        way(
            "ptcpdump",
            Tcpdump(N, |text, capture| {
                lines(
                    &before_ip(text, capture, |out| {
                        format!("eth0 java.4711 {}", if out { "Out" } else { "In" })
                    }),
                    |line| line.to_owned() + ", ParentProc [sh.1], Container [shop]",
                )
            }),
        ),
        way(
            "pf",
            Tcpdump(N, |text, capture| {
                before_ip(&lines(text, |line| old(line, "")), capture, |out| {
                    format!("rule 3/(match) pass {} on em0:", if out { "out" } else { "in" })
                })
            }),
        ),
        way(
            "F5",
            Tcpdump(N, |text, capture| {
                lines(text, |line| {
                    format!(
                        "{line} {} slot1/tmm0 lis=/Common/vs",
                        if is_out(line, capture) { "out" } else { "in" }
                    )
                })
            }),
        ),
        form(
            "VXLAN",
            Tcpdump(N, |text, _| {
                lines(text, |line| {
                    inside(
                        line,
                        "203.0.113.1.65000 > 203.0.113.2.4789: VXLAN, flags [I] (0x08), vni 42\n",
                    )
                })
            }),
        ),
        form(
            "GENEVE",
            Tcpdump(N, |text, _| {
                lines(text, |line| {
                    inside(
                        line,
                        "203.0.113.1.65000 > 203.0.113.2.6081: Geneve, Flags [none], vni 0xa: ",
                    )
                })
            }),
        ),
        form(
            "GRE",
            Tcpdump(N, |text, _| {
                lines(text, |line| inside(line, "203.0.113.1 > 203.0.113.2: GREv0, length 84: "))
            }),
        ),
        form("tshark", Tshark(N, as_printed)),
        form("tshark, folded at 72", Tshark(N, |text, _| lines(text, |line| hard(line, 72)))),
        form(
            "tshark, folded at blanks, 76, quoted",
            Tshark(N, |text, _| lines(text, |line| soft(line.trim_start(), 76, "> "))),
        ),
        form("tshark -T tabs", Tshark("-n -T tabs", as_printed)),
        form(
            "tshark with the line ends of old Macs",
            Tshark(N, |text, _| text.replace('\n', "\r")),
        ),
        form("tshark -t ad", Tshark("-n -t ad", as_printed)),
        form("tshark -t e", Tshark("-n -t e", as_printed)),
        form("tshark -t d", Tshark("-n -t d", as_printed)),
        form(
            "tshark 1.x",
            Tshark(N, |text, _| {
                lines(text, |line| {
                    line.replacen('→', "->", 1).replace(" → ", "→").replace('→', " > ")
                })
            }),
        ),
        form(
            "tshark 1.12",
            Tshark(N, |text, _| {
                lines(text, |line| line.replacen('→', "->", 1).replace(" → ", "→"))
            }),
        ),
        form("tshark in the wrong character set", Tshark(N, |text, _| text.replace('→', "â†’"))),
        form(
            "Wireshark's CSV",
            Tshark(COLUMNS, |text, _| {
                columns(
                    text,
                    &|cells| {
                        cells.iter().map(|cell| format!("\"{cell}\"")).collect::<Vec<_>>().join(",")
                    },
                    true,
                )
            }),
        ),
        form("Wireshark's plain text", Tshark(COLUMNS, |text, _| columns(text, &plain, true))),
        form(
            "Wireshark's plain text, layers collapsed",
            Tshark(COLUMNS, |text, _| columns(text, &collapsed, false)),
        ),
        form("tshark -P -V", Tshark("-n -P -V", as_printed)),
        form("tshark -P -x", Tshark("-n -P -x", as_printed)),
        form(
            "rows with tabs",
            Tshark(COLUMNS, |text, _| columns(text, &|cells| cells.join("\t"), false)),
        ),
        form("fields, tabs", Tshark(FIELDS, as_printed)),
        form("fields, raw, commas", Tshark(RAW, as_printed)),
        form("fields, flags as letters", Tshark(LETTERS, as_printed)),
    ]
}

const COLUMNS: &str = "-n -T fields -e frame.number -e _ws.col.Time -e _ws.col.Source -e _ws.col.Destination \
    -e _ws.col.Protocol -e frame.len -e _ws.col.Info";
const FIELDS: &str = "-n -T fields -E header=y -e frame.time_epoch -e ip.src -e ipv6.src -e tcp.srcport \
    -e ip.dst -e ipv6.dst -e tcp.dstport -e tcp.flags -e tcp.seq -e tcp.ack -e tcp.len";
const RAW: &str = "-n -T fields -E header=y -E separator=, -E quote=d -e frame.time -e ip.src -e ipv6.src \
    -e tcp.srcport -e ip.dst -e ipv6.dst -e tcp.dstport -e tcp.flags -e tcp.seq_raw \
    -e tcp.ack_raw -e tcp.len";
const LETTERS: &str = "-n -T fields -E header=y -e frame.time_relative -e ip.src -e ipv6.src -e tcp.srcport \
    -e ip.dst -e ipv6.dst -e tcp.dstport -e tcp.flags.str -e tcp.seq -e tcp.ack -e tcp.len";

/// At a width, wherever that is.
fn hard(line: &str, width: usize) -> String {
    let chars: Vec<char> = line.chars().collect();
    let parts: Vec<String> = chars.chunks(width).map(|part| part.iter().collect()).collect();
    parts.join("\n")
}

/// At the last blank before a width.
fn soft(line: &str, width: usize, mark: &str) -> String {
    let mut folded = vec![String::new()];
    for word in line.split(' ') {
        let last = folded.last_mut().expect("one");
        if last.is_empty() {
            last.push_str(word);
        } else if last.len() + 1 + word.len() <= width {
            *last = format!("{last} {word}");
        } else {
            folded.push(word.to_owned());
        }
    }
    folded.iter().map(|line| format!("{mark}{line}")).collect::<Vec<_>>().join("\n")
}

const ADDRESSES: [&str; 6] =
    ["172.18.0.5", "172.18.0.3", "fd00:18::5", "fd00:18::3", "2001:db8::5", "2001:db8::3"];
const HOSTS: [&str; 6] = [
    "ip-172-18-0-5.eu-west-1.compute.internal",
    "db-1.shop.svc.cluster.local",
    "app6.example",
    "db6.example",
    "client.example",
    "server.example",
];
const BLANKED: [&str; 6] =
    ["x.x.x.x", "y.y.y.y", "<redacted>", "10.aa.zz.142", "frontend", "proxy"];

fn with_names(text: &str, names: &[&str; 6]) -> String {
    let mut text = text.replace(".3306 ", ".mysql ").replace(".3306:", ".mysql:");
    for (address, name) in ADDRESSES.iter().zip(names) {
        text = text.replace(&format!(" {address}."), &format!(" {name}."));
    }
    text
}

/// A line of TCP in parts: time, `IP` or `IP6`, the rest.
fn parts(line: &str) -> Option<[&str; 3]> {
    let mut words = line.splitn(3, ' ');
    let parts = [words.next()?, words.next()?, words.next()?];
    (line.contains(": Flags [") && parts[1].starts_with("IP")).then_some(parts)
}

/// In the style of tcpdump before 4.1.
fn old(line: &str, ip: &str) -> String {
    let Some([time, _, rest]) = parts(line) else { return line.to_owned() };
    let (ends, fields) = rest.split_once(": Flags [").expect("flags");
    let (flags, fields) = fields.split_once(']').expect("flags");
    let value = |name: &str| {
        let (_, value) = fields.split_once(&format!(", {name} "))?;
        Some(value.split([',', ' ']).next().expect("a value"))
    };
    let letters: String = flags.chars().filter(|c| "SFRP".contains(*c)).collect();
    let letters = if letters.is_empty() { ".".into() } else { letters };
    let seq = value("seq").map_or(String::new(), |seq| {
        let (start, end) = seq.split_once(':').unwrap_or((seq, seq));
        format!(" {start}:{end}({})", value("length").expect("a length").trim_end_matches(':'))
    });
    let ack = value("ack").map_or(String::new(), |ack| format!(" ack {ack}"));
    let options =
        if flags.contains('S') { " <mss 1460,sackOK,timestamp 1 0,nop,wscale 7>" } else { "" };
    format!("{time} {ip}{ends}: {letters}{seq}{ack} win 229{options}")
}

fn asa(text: &str) -> String {
    let lines = (1..).zip(text.lines()).map(|(n, line)| {
        let old = old(line, "").replacen(": ", ":  ", 1);
        let (time, rest) = old.split_once(' ').expect("a time");
        format!("{n:4}: {time}       {rest} \n")
    });
    format!("\n{} packets captured\n\n{}{} packets shown\n", 1, lines.collect::<String>(), 1)
}

/// Without lengths, and numbers of segments that are not pushed.
fn fortigate(text: &str, interfaces: &[&str]) -> String {
    let packets = text.lines().flat_map(|line| {
        let Some((front, fields)) = line.split_once(": Flags [") else {
            return vec![format!("{line}\n")];
        };
        let (front, ends) = front.split_once(" IP").expect("a packet of IP");
        let time = front.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let (_, ends) = ends.split_once(' ').expect("ends");
        let (flags, fields) = fields.split_once(']').expect("flags");
        let value = |name: &str| {
            let (_, value) = fields.split_once(&format!(", {name} "))?;
            Some(value.split([',', ':', ' ']).next().expect("a value"))
        };
        let flag = [('S', "syn"), ('F', "fin"), ('R', "rst"), ('P', "psh")]
            .into_iter()
            .find(|(letter, _)| flags.contains(*letter))
            .map_or(String::new(), |(_, name)| format!("{name} {} ", value("seq").expect("one")));
        let ack = value("ack").map_or(String::new(), |ack| format!("ack {ack}"));
        let ends = ends.replace(" > ", " -> ");
        interfaces
            .iter()
            .map(move |interface| format!("{time} {interface}{ends}: {flag}{ack}\n"))
            .collect::<Vec<_>>()
    });
    format!("interfaces=[any]\nfilters=[port 3306]\n{}", packets.collect::<String>())
}

fn is_out(line: &str, capture: &Capture) -> bool {
    let ends = line.split(": Flags").next().unwrap_or_default();
    let from = ends.split(" > ").next().unwrap_or_default();
    capture.local.iter().any(|local| from.contains(&format!(" {local}.")))
}

/// On each line, something before `IP` that says which way the packet went.
fn before_ip(text: &str, capture: &Capture, words: impl Fn(bool) -> String) -> String {
    lines(text, |line| {
        let (time, rest) = line.split_once(' ').expect("a time");
        format!("{time} {} {rest}", words(is_out(line, capture)))
    })
}

/// In a tunnel: the outer packet has the time.
fn inside(line: &str, outer: &str) -> String {
    let Some([time, ip, rest]) = parts(line) else { return line.to_owned() };
    format!("{time} IP {outer}{ip} {rest}")
}

const HEADER: [&str; 7] = ["No.", "Time", "Source", "Destination", "Protocol", "Length", "Info"];

/// Fields that tshark printed, as Wireshark exports its columns.
fn columns(text: &str, row: &dyn Fn(&[&str]) -> String, header: bool) -> String {
    let rows = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let rows = rows.map(|cells| row(&cells) + "\n").collect::<String>();
    if header { format!("{}\n{rows}", row(&HEADER)) } else { rows }
}

fn plain(cells: &[&str]) -> String {
    let [no, time, from, to, protocol, len, info] = cells[..] else { panic!("{cells:?}") };
    format!("{no:>7} {time:<14} {from:<21} {to:<21} {protocol:<8} {len:<6} {info}")
}

/// A packet of an export whose details are collapsed: each with a header of its own, and what each layer is.
fn collapsed(cells: &[&str]) -> String {
    let [no, _, from, to, _, len, _] = cells[..] else { panic!("{cells:?}") };
    [
        &plain(&HEADER),
        &plain(cells),
        "",
        &format!("Frame {no}: {len} bytes on wire, {len} bytes captured on interface eth0, id 0"),
        "Ethernet II, Src: 02:42:ac:12:00:05, Dst: 02:42:ac:12:00:03",
        &format!("Internet Protocol Version 4, Src: {from}, Dst: {to}"),
        "",
    ]
    .join("\n")
}

/// What programs printed so far: several forms are made of the same text.
type Cache = BTreeMap<String, Option<String>>;

/// The form of a capture, or `None` without the program that prints it.
fn printed(form: &Form, capture: &Capture, scratch: &Scratch, cache: &mut Cache) -> Option<String> {
    let mut run = |program: &str, options: &str, path: &str| {
        let run = || {
            let mut command = Command::new(program);
            let output =
                command.args(options.split(' ')).args(["-r", path]).env("TZ", "UTC").output();
            Some(String::from_utf8_lossy(&output.ok()?.stdout).into_owned())
        };
        cache.entry(format!("{program} {options} {path}")).or_insert_with(run).clone()
    };
    match &form.by {
        By::Tcpdump(options, change) => {
            Some(change(&run("tcpdump", options, &capture.path)?, capture))
        }
        By::Tshark(options, change) => {
            Some(change(&run("tshark", options, &capture.path)?, capture))
        }
        By::Snapped(len) => {
            let cut = scratch.path().join(format!("{}.cut", capture.name.replace('/', "-")));
            let cut = cut.to_str().expect("UTF-8");
            Command::new("editcap").args(["-s", len, &capture.path, cut]).status().ok()?;
            run("tcpdump", N, cut)
        }
    }
}

/// How each connection ended, and what is found.
#[derive(Debug, PartialEq)]
struct Essence {
    closes: BTreeSet<String>,
    findings: BTreeSet<String>,
}

fn essence(path: &str, local: &[&str], names: &BTreeMap<&str, &str>) -> Essence {
    let local = local.iter().flat_map(|local| ["--local", local]);
    let args: Vec<&str> = [path, "--all", "--format", "jsonl"].into_iter().chain(local).collect();
    let output = closewait(&args);
    let flows = json_lines(&output).into_iter().filter(|line| line["type"] == "flow");
    let mut essence = Essence { closes: BTreeSet::new(), findings: BTreeSet::new() };
    if output.status.code() == Some(2) {
        essence.closes.insert(text(&output).1);
    }
    let end = |end: &Value| {
        let ip = end["ip"].as_str().expect("an address");
        format!("{}:{}", names.get(ip).unwrap_or(&ip), end["port"])
    };
    for flow in flows {
        let mut ends = [end(&flow["a"]), end(&flow["b"])];
        ends.sort();
        let holder = flow["holder"].as_str().map(|side| end(&flow[side]));
        essence.closes.insert(format!("{ends:?} {} {holder:?}", flow["close"]));
        if flow["finding"] == true {
            let seconds = |key: &str| flow[key].as_f64().map(|seconds| (seconds * 1e6).round());
            let (held, idle) = (seconds("held_s"), seconds("idle_before_fin_s"));
            essence.findings.insert(format!("{holder:?} {held:?} {idle:?} {}", flow["verdict"]));
        }
    }
    essence
}

/// Every form gives the findings of the capture. A test each: all are many.
fn is_found_in_every_form(name: &'static str, local: &'static [&'static str]) {
    let scratch = Scratch::new();
    let capture = capture(name, local, &scratch);
    let mut wrong = Vec::new();
    let mut compared = 0;
    let mut cache = Cache::new();
    let expected = essence(&capture.path, capture.local, &BTreeMap::new());
    for form in forms() {
        let Some(text) = printed(&form, &capture, &scratch, &mut cache) else {
            common::skip("tcpdump, tshark");
            continue;
        };
        let path = scratch.write("form.txt", text.as_bytes());
        let names: BTreeMap<&str, &str> =
            HOSTS.into_iter().chain(BLANKED).zip(ADDRESSES.into_iter().cycle()).collect();
        let local: Vec<String> = match (form.way, form.names) {
            (true, _) => Vec::new(),
            (_, false) => capture.local.iter().map(ToString::to_string).collect(),
            // A name is local by its name.
            (_, true) => [0, 2, 4]
                .iter()
                .flat_map(|&at| [HOSTS[at], BLANKED[at]])
                .map(|name| format!("name:{name}"))
                .collect(),
        };
        let local: Vec<&str> = local.iter().map(String::as_str).collect();
        let got = essence(&path, &local, &names);
        compared += 1;
        if got != expected {
            let mut said = format!("{} as {}", capture.name, form.name);
            let lacks = expected
                .closes
                .difference(&got.closes)
                .chain(expected.findings.difference(&got.findings));
            said.extend(lacks.take(3).map(|flow| format!("\n  lacks {flow}")));
            let has = got
                .closes
                .difference(&expected.closes)
                .chain(got.findings.difference(&expected.findings));
            said.extend(has.take(3).map(|flow| format!("\n  has   {flow}")));
            wrong.push(said);
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} are wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_incident_is_found_in_every_form() {
    is_found_in_every_form("fixtures/captures/incident.pcap", &["172.18.0.5"]);
}

#[test]
fn a_program_of_both_families_is_found_in_every_form() {
    let local = &["172.18.0.5", "fd00:18::5"];
    is_found_in_every_form("fixtures/captures/reproduction/app.pcap", local);
}

#[test]
fn any_interface_is_found_in_every_form() {
    let local = &["172.18.0.5", "fd00:18::5"];
    is_found_in_every_form("fixtures/captures/reproduction/any-sll2.pcap", local);
}

#[test]
fn ipv6_is_found_in_every_form() {
    is_found_in_every_form("fixtures/scenarios/ipv6.scn", &["2001:db8::5"]);
}

#[test]
fn numbers_that_wrap_are_found_in_every_form() {
    is_found_in_every_form("fixtures/scenarios/numbers-wrap.scn", &["172.18.0.5"]);
}
