//! Lists of sockets as people paste them: in tables, by columns of their own, with whatever a chat, a mail, a
//! log or a shell puts around lines. Nothing that cannot be read is an all-clear.

mod common;

use closewait::owner::saved::parse;
use common::{Scratch, closewait, text};
use serde_json::json;

/// Two sockets in CLOSE-WAIT and one in use, as a form writes each: local port and state.
const SOCKETS: [(u16, bool); 3] = [(47_902, true), (47_904, true), (47_906, false)];

fn rows(row: impl Fn(u16, bool) -> String) -> String {
    SOCKETS.iter().map(|(port, stuck)| row(*port, *stuck)).collect()
}

/// A header, and a row each with `PORT` and a state put in.
fn table(header: &str, row: &str, states: [&str; 2]) -> String {
    let state = |stuck: bool| states[usize::from(!stuck)];
    let line = |port: u16, stuck| {
        row.replace("PORT", &port.to_string()).replace("STATE", state(stuck)) + "\n"
    };
    header.to_owned() + &rows(line)
}

const UNIX: [&str; 2] = ["CLOSE_WAIT", "ESTABLISHED"];
const MICROSOFT: [&str; 2] = ["CloseWait", "Established"];

fn ss() -> String {
    table(
        "State      Recv-Q Send-Q Local Address:Port  Peer Address:Port\n",
        "STATE 1      0      192.0.2.5:PORT     198.51.100.3:3306   users:((\"java\",pid=4242,fd=9))",
        ["CLOSE-WAIT", "ESTAB     "],
    )
}

fn netstat() -> String {
    table(
        "Active Internet connections (w/o servers)\nProto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\n",
        "tcp        1      0 192.0.2.5:PORT         198.51.100.3:3306       STATE  4242/java",
        UNIX,
    )
}

fn lsof() -> String {
    table(
        "COMMAND  PID USER   FD   TYPE DEVICE SIZE/OFF NODE NAME\n",
        "java    4242  app   9u  IPv4  77001      0t0  TCP 192.0.2.5:PORT->198.51.100.3:3306 (STATE)",
        UNIX,
    )
}

fn windows() -> String {
    table(
        "\nActive Connections\n\n  Proto  Local Address          Foreign Address        State           PID\n",
        "  TCP    192.0.2.5:PORT        198.51.100.3:3306      STATE      4242",
        UNIX,
    )
}

fn procfs() -> String {
    let line = |port, stuck| {
        let state = if stuck { "08" } else { "01" };
        format!(
            "   1: 050200C0:{port:04X} 036433C6:0CEA {state} 00000000:00000001 00:00000000 00000000  1000        0 22 1 0 20 4 30 10 -1\n"
        )
    };
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        .to_owned()
        + &rows(line)
}

/// Forms by columns, and forms without any.
fn columns() -> Vec<(&'static str, String)> {
    let full = format!(
        "\"State\",{}\"LocalAddress\",\"LocalPort\",\"OwningProcess\",\"RemoteAddress\",\"RemotePort\",\"PSComputerName\"\n",
        "\"Caption\",".repeat(20)
    );
    let full_row = format!(
        "\"STATE\",{}\"192.0.2.5\",\"PORT\",\"4242\",\"198.51.100.3\",\"3306\",",
        ",".repeat(20)
    );
    let list = "LocalAddress   : 192.0.2.5\nLocalPort      : PORT\nRemoteAddress  : 198.51.100.3\nRemotePort     : 3306\nState          : STATE\nAppliedSetting : Internet\nOwningProcess  : 4242\nCreationTime   : 26.11.2026 10:00:00\n";
    let other_order = "State : STATE\nRemotePort : 3306\nLocalPort : PORT\nRemoteAddress : 198.51.100.3\nLocalAddress : 192.0.2.5\n";
    let object = "{\n    \"LocalAddress\":  \"192.0.2.5\",\n    \"LocalPort\":  PORT,\n    \"RemoteAddress\":  \"198.51.100.3\",\n    \"RemotePort\":  3306,\n    \"State\":  STATE,\n    \"OwningProcess\":  4242\n}";
    let numbers = ["8", "5"];
    let md = "| Proto | Recv-Q | Send-Q | Local Address | Foreign Address | State |\n|---|---:|---:|---|---|---|\n";
    let power_shell = "\nLocalAddress  LocalPort RemoteAddress  RemotePort State  AppliedSetting OwningProcess\n------------  --------- -------------  ---------- -----  -------------- -------------\n";
    vec![
        ("Markdown of netstat", table(md, "| tcp | 1 | 0 | 192.0.2.5:PORT | 198.51.100.3:3306 | STATE |", UNIX)),
        ("Markdown, marked", table("", "| `tcp` | 1 | 0 | `192.0.2.5:PORT` | `198.51.100.3:3306` | **STATE** |", UNIX)),
        ("Markdown without edges", table("State | Recv-Q | Send-Q | Local Address:Port | Peer Address:Port\n--- | --- | --- | --- | ---\n", "STATE | 1 | 0 | 192.0.2.5:PORT | 198.51.100.3:3306", UNIX)),
        ("Markdown, other columns", table("| State | Local | Remote | PID |\n|---|---|---|---|\n", "| STATE | 192.0.2.5:PORT | 198.51.100.3:3306 | 4242 |", UNIX)),
        ("Jira", table("||Proto||Local||Remote||State||\n", "|tcp|192.0.2.5:PORT|198.51.100.3:3306|STATE|", UNIX)),
        ("lines of boxes", table("", "│ tcp │ 192.0.2.5:PORT │ 198.51.100.3:3306 │ STATE │", UNIX)),
        ("osquery", table("+----+\n| pid | protocol | local_address | local_port | remote_address | remote_port | state |\n+----+\n", "| 4242 | 6 | 192.0.2.5 | PORT | 198.51.100.3 | 3306 | STATE |", UNIX)),
        ("CSV", table("proto,local,remote,state\n", "tcp,192.0.2.5:PORT,198.51.100.3:3306,STATE", UNIX)),
        ("tabs", table("Proto\tRecv-Q\tSend-Q\tLocal Address\tForeign Address\tState\n", "tcp\t1\t0\t192.0.2.5:PORT\t198.51.100.3:3306\tSTATE", UNIX)),
        ("Get-NetTCPConnection", table(power_shell, "192.0.2.5     PORT     198.51.100.3   3306       STATE Internet       4242", MICROSOFT)),
        ("… | select", table("\nLocalPort RemoteAddress RemotePort     State OwningProcess\n--------- ------------- ----------     ----- -------------\n", "    PORT 198.51.100.3        3306 STATE          4242", MICROSOFT)),
        ("… | select, another order", table("\nState       LocalAddress LocalPort RemoteAddress RemotePort\n-----       ------------ --------- ------------- ----------\n", "STATE 192.0.2.5        PORT 198.51.100.3        3306", MICROSOFT)),
        ("… | fl", table("\n\n", list, MICROSOFT)),
        ("… | fl, another order", table("\n\n", other_order, MICROSOFT).replace("\n\n", "\n")),
        ("… | ConvertTo-Csv", table("\"LocalAddress\",\"LocalPort\",\"RemoteAddress\",\"RemotePort\",\"State\",\"OwningProcess\"\n", "\"192.0.2.5\",\"PORT\",\"198.51.100.3\",\"3306\",\"STATE\",\"4242\"", MICROSOFT)),
        ("… | Export-Csv", table(&full, &full_row, MICROSOFT)),
        ("… with semicolons", table("LocalAddress;LocalPort;RemoteAddress;RemotePort;State\n", "192.0.2.5;PORT;198.51.100.3;3306;STATE", MICROSOFT)),
        ("… | ConvertTo-Json", format!("[{}]\n", table("", object, numbers).replace("}\n{", "},\n{"))),
        ("JSON in a line each", table("", "{\"state\":\"STATE\",\"local\":\"192.0.2.5:PORT\",\"peer\":\"198.51.100.3:3306\"}", UNIX)),
        ("JSON in one line", format!("[{}]", table("", "{\"LocalAddress\":\"192.0.2.5\",\"LocalPort\":PORT,\"RemoteAddress\":\"198.51.100.3\",\"RemotePort\":3306,\"State\":STATE}", numbers).trim().replace('\n', ","))),
        ("TCPView 2", table("", "[java.exe]\t4242\tTCP\t192.0.2.5:PORT\t198.51.100.3:3306\tSTATE\t", UNIX)),
        ("TCPView 3", table("", "java.exe\t4242\tTCP\t192.0.2.5\tPORT\t198.51.100.3\t3306\tSTATE\t1\t2", UNIX)),
        ("TCPView 4", table("", "java.exe\t4242\tTCP\tSTATE\t192.0.2.5\tPORT\t198.51.100.3\t3306\t11/26/2026 10:00:00 AM\tjava.exe", ["Close Wait", "Established"])),
        ("sockstat", table("USER     COMMAND    PID   FD PROTO  LOCAL ADDRESS         FOREIGN ADDRESS       STATE\n", "app      java       4242  9 tcp4   192.0.2.5:PORT       198.51.100.3:3306     STATE", UNIX)),
        ("AIX, -A", table("PCB/ADDR         Proto Recv-Q Send-Q  Local Address      Foreign Address    (state)\n", "f1000e00002bb8 tcp4       0      0  192.0.2.5.PORT    198.51.100.3.3306  STATE", UNIX)),
        ("Solaris, -u", table("TCP: IPv4\n   Local Address        Remote Address      User    Pid      Command      Swind  Send-Q  Rwind  Recv-Q    State\n", "192.0.2.5.PORT      198.51.100.3.3306      app     4242  java  64240      0 64240      0 STATE", UNIX)),
        ("awk", table("", "192.0.2.5:PORT 198.51.100.3:3306 STATE 4242/java", UNIX)),
        ("lsof by awk", table("", "192.0.2.5:PORT->198.51.100.3:3306 (STATE)", UNIX)),
        ("arrows", table("", "192.0.2.5:PORT <-> 198.51.100.3:3306, STATE", UNIX)),
        ("labels", table("", "Local: 192.0.2.5:PORT Peer: 198.51.100.3:3306 State: STATE", UNIX)),
        ("awk, the state first", table("", "STATE 192.0.2.5:PORT 198.51.100.3:3306", UNIX)),
    ]
}

/// What is stuck: two sockets of the same ends, all read.
fn assert_read(name: &str, list: &str) {
    let saved = parse(list).unwrap_or_else(|error| panic!("{name}: {error}\n{list}"));
    assert_eq!((saved.unread.as_ref(), saved.is_assumed), (None, false), "{name}:\n{list}");
    let sockets = saved.moments.iter().flat_map(|moment| &moment.sockets);
    let stuck = sockets.clone().filter(|socket| socket.is_stuck());
    let ends: Vec<String> = stuck.map(|s| format!("{} {}", s.local.port, s.peer)).collect();
    let wanted = ["47902 198.51.100.3:3306", "47904 198.51.100.3:3306"];
    assert_eq!((ends, sockets.count()), (wanted.map(String::from).into(), 3), "{name}:\n{list}");
}

#[test]
fn columns_are_known_by_their_names_and_ends_by_themselves() {
    for (name, list) in columns() {
        assert_read(name, &list);
    }
}

/// With columns for it, the process is known, too.
#[test]
fn processes_are_named_where_a_column_has_them() {
    for (name, list) in columns() {
        let saved = parse(&list).expect("a list");
        let holders = saved.moments.iter().flat_map(|moment| &moment.sockets);
        let pids: Vec<i32> = holders.flat_map(|s| &s.holders).map(|holder| holder.pid).collect();
        let is_told = list.contains("4242") && name != "TCPView 2";
        assert_eq!(pids, if is_told { vec![4242; 3] } else { vec![] }, "{name}:\n{list}");
    }
}

fn each(list: &str, change: impl Fn(usize, &str) -> String) -> String {
    list.lines().enumerate().map(|(at, line)| change(at + 1, line) + "\n").collect()
}

fn escaped(list: &str) -> String {
    list.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Folded as mail programs do it, at blanks.
fn folded(list: &str, width: usize) -> String {
    let mut folded = String::new();
    for mut line in list.lines() {
        while line.len() > width {
            let at = line[..=width].rfind(' ').filter(|at| *at > 0).unwrap_or(width);
            folded += &format!("{}\n", line[..at].trim_end());
            line = line[at..].trim_start();
        }
        folded += &format!("{line}\n");
    }
    folded
}

/// What a shell, a container, a log, a chat, a page or a word processor does to lines.
fn dressed(list: &str) -> Vec<(&'static str, String)> {
    let log = |key: &str| each(list, |_, line| json!({key: line, "at": 7}).to_string());
    vec![
        ("kubectl", each(list, |_, line| format!("[pod/orders-7d9f/app] {line}"))),
        ("compose", each(list, |_, line| format!("\u{1b}[36morders-1  |\u{1b}[0m {line}"))),
        ("CRI", each(list, |_, line| format!("2026-11-26T10:00:00.123456789Z stdout F {line}"))),
        ("syslog", each(list, |_, line| format!("Nov 26 10:00:00 web1 cron[77]: {line}"))),
        ("a quotation", each(list, |_, line| format!(">> {line}"))),
        ("a quotation of a page", each(list, |_, line| format!("&gt; {line}"))),
        ("a bar", each(list, |_, line| format!("| {line}"))),
        ("a fence", format!("On web1:\n```\n{list}```\nAny idea?\n")),
        ("code in a line", each(list, |_, line| format!("`{line}`"))),
        ("Jira", format!("{{noformat}}\n{list}{{noformat}}\n")),
        ("BBCode", format!("[code]\n{list}[/code]\n")),
        ("a page", format!("<pre>\n{}</pre>\n", escaped(list))),
        ("breaks of a page", escaped(list).replace('\n', "<br/>\n")),
        ("blanks of a page", list.replace("  ", "&nbsp; ")),
        ("hard blanks", list.replace(' ', "\u{a0}")),
        ("narrow blanks", list.replace(' ', "\u{202f}")),
        ("nothing between", each(list, |_, line| format!("\u{200b}{line}"))),
        ("curly quotes", list.replace('"', "“")),
        ("dashes", list.replace("CLOSE-WAIT", "CLOSE–WAIT")),
        ("hyphens", list.replace("CLOSE-WAIT", "CLOSE\u{2011}WAIT")),
        ("arrows", list.replace("->", "→")),
        ("Windows", list.replace('\n', "\r\n")),
        ("old Macs", list.replace('\n', "\r")),
        ("a mark", format!("\u{feff}{list}")),
        ("a string", format!("\"{}\"\n", list.replace('\n', "\\n"))),
        ("a string of JSON", format!("{{\n  \"rc\": 0,\n  \"stdout\": {},\n}}\n", json!(list))),
        ("a log of one line", json!({"msg": list, "level": "info"}).to_string()),
        ("journald", log("MESSAGE")),
        ("docker", log("log")),
        ("Loki", log("line")),
    ]
}

#[test]
fn what_stands_around_lines_changes_nothing() {
    let forms = [("ss", ss()), ("netstat", netstat()), ("lsof", lsof()), ("windows", windows())];
    for (form, list) in forms.into_iter().chain([("procfs", procfs())]) {
        for (name, list) in dressed(&list) {
            assert_read(&format!("{form}, {name}"), &list);
        }
        for width in 60..=100 {
            assert_read(&format!("{form}, folded at {width}"), &folded(&list, width));
            let quoted = each(&folded(&list, width), |_, line| format!("> {line}"));
            assert_read(&format!("{form}, folded at {width} and quoted"), &quoted);
        }
    }
}

/// `grep` has no header, and puts names before lines without a blank.
#[test]
fn names_of_grep_are_no_part_of_a_line() {
    for list in [ss(), netstat(), windows(), procfs()] {
        let rows =
            list.lines().skip_while(|line| !line.contains("3306") && !line.contains(":0CEA"));
        let rows: String = rows.map(|row| format!("{}\n", row.trim_start())).collect();
        for list in [
            each(&rows, |_, row| format!("host.txt:{row}")),
            each(&rows, |at, row| format!("logs/host-1.txt:{at}:{row}")),
            each(&rows, |at, row| format!("{at}:{row}")),
            each(&rows, |at, row| format!("host.txt-{at}-{row}")),
        ] {
            assert_read("grep", &list);
        }
    }
}

/// What looks like a socket and is not understood is said, with status 2; what is none is passed over.
#[test]
fn what_is_not_understood_is_no_all_clear() {
    let header = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n";
    let used = "192.0.2.5:1 198.51.100.3:2";
    let unread = [
        format!("{header}ESTAB 0 0 {used}\nWEIRD-WAIT 0 0 192.0.2.5:3 198.51.100.3:4\n"),
        format!("tcp 0 0 192.0.2.5:3 198.51.100.3:4 WEIRD\ntcp 0 0 {used} ESTABLISHED\n"),
        format!("tcp 0 0 192.0.2.5:3 198.51.100.3:4\ntcp 0 0 {used} ESTABLISHED\n"),
        format!("tcp 0 0 {used} ESTABLISHED\ntcp 0 0 192.0.2.5:3 198.51.100.3:4\n"),
        format!("{header}ESTAB 0 0 {used}\nCLOSE-WAIT 1 0 192.0.2.5:3\n"),
        "local,remote,state\n192.0.2.5:1,198.51.100.3:2,ESTABLISHED\n192.0.2.5:3,198.51.100.3:4,HALF\n".into(),
        "| Local | Remote | State |\n|---|---|---|\n| 192.0.2.5:1 | 198.51.100.3:2 | ESTABLISHED |\n| 192.0.2.5:3 | 198.51.100.3:4 |  |\n".into(),
        "LocalAddress : 192.0.2.5\nLocalPort : 3\nRemoteAddress : 198.51.100.3\nRemotePort : 4\nState : ?\n".into(),
        "tcp 6 3599 CLOSE_WAIT src=192.0.2.5 dst=198.51.100.3 sport=3 dport=4 [ASSURED] mark=0 use=1\n".into(),
        "      2 CLOSE_WAIT\n".into(),
    ];
    let clear = [
        format!(
            "On web1:\n{header}ESTAB 0 0 {used}\nThe state: it is ok. Peer: none.\nLocal time, remote time, state of things: fine\n"
        ),
        format!(
            "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port\nudp UNCONN 0 0 0.0.0.0:68 0.0.0.0:*\nudp ESTAB 0 0 192.0.2.5:68 198.51.100.3:67\ntcp ESTAB 0 0 {used}\n"
        ),
        format!(
            "  TCP    0.0.0.0:135    0.0.0.0:0    À L’ÉCOUTE\n  UDP    0.0.0.0:500   *:*     1000\n  TCP    {used}   ESTABLISHED 4\n"
        ),
        format!(
            "tcp 0 0 {used} ESTABLISHED\nunix  2  [ ACC ]  STREAM  LISTENING  20000  /run/x:1\n"
        ),
    ];
    let scratch = Scratch::new();
    for (list, status) in unread.iter().map(|list| (list, 2)).chain(clear.iter().map(|l| (l, 0))) {
        let output = closewait(&["sockets", &scratch.write("list.txt", list.as_bytes())]);
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(status), "{list}\n{out}{err}");
    }
}

/// The status of a report of a list, its text, and what was said beside it.
fn reported(list: &str) -> (Option<i32>, String, String) {
    let scratch = Scratch::new();
    let output = closewait(&["sockets", &scratch.write("list.txt", list.as_bytes())]);
    let (out, err) = text(&output);
    (output.status.code(), out, err)
}

/// A readable line, so that what is not read beside it would go unnoticed.
const USED: &str = "tcp 0 0 192.0.2.5:22 203.0.113.9:51514 ESTABLISHED 700/sshd\n";

/// Sockets in CLOSE-WAIT of a list that has a readable line besides: all is read.
fn assert_stuck(list: &str, stuck: &[&str]) {
    let list = format!("{USED}{list}");
    let saved = parse(&list).unwrap_or_else(|error| panic!("{error}\n{list}"));
    assert_eq!((&saved.unread, saved.moments.len()), (&None, 1), "{list}");
    let sockets = saved.moments[0].sockets.iter().filter(|socket| socket.is_stuck());
    let found: Vec<String> = sockets
        .map(|socket| {
            let holders: Vec<String> = socket.holders.iter().map(|h| format!(" {h}")).collect();
            format!("{} {}{}", socket.local, socket.peer, holders.concat())
        })
        .collect();
    assert_eq!(found, stuck, "{list}");
    assert_eq!(reported(&list).0, Some(i32::from(!stuck.is_empty())), "{list}");
}

const ONE: &str = "192.0.2.5:47902 198.51.100.3:3306";
const PID: &str = "192.0.2.5:47902 198.51.100.3:3306 pid 4242";
const NAMED: &str = "192.0.2.5:47902 198.51.100.3:3306 orders[4242]";

/// Lists of one kind without a connection in common are parts of one look: no part hides another.
#[test]
fn no_part_of_a_look_hides_another() {
    let netstat = |local: &str, state: &str| {
        format!(
            "Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\ntcp        1      0 {local}         198.51.100.3:3306       {state}  7/orders\n"
        )
    };
    let pods = format!(
        "== a\n{}== b\n{}",
        netstat("192.0.2.5:47902", "CLOSE_WAIT"),
        netstat("192.0.2.6:47902", "ESTABLISHED")
    );
    let lsof = |name: &str, port: u16, state: &str| {
        format!(
            "COMMAND   PID USER   FD   TYPE DEVICE SIZE/OFF NODE NAME\n{name}     7 app   10u  IPv4 42056997      0t0  TCP 192.0.2.5:{port}->198.51.100.3:3306 ({state})\n"
        )
    };
    let tools = lsof("java", 47_902, "CLOSE_WAIT") + &lsof("nginx", 47_904, "ESTABLISHED");
    let row = |local: &str, state: &str| {
        format!(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: {local}:97A6 030012AC:0CEA {state} 00000000:00000001 00:00000000 00000000  1000        0 55 1 0 20 4 30 10 -1\n"
        )
    };
    let procfs = row("050012AC", "08") + &row("060012AC", "01");
    for list in [pods, tools, procfs] {
        let (code, out, err) = reported(&list);
        assert_eq!((code, err.as_str()), (Some(1), ""), "{list}");
        assert!(out.starts_with("ESTABLISHED 1   CLOSE-WAIT 1\n"), "{out}");
    }
}

/// What a later list no longer has is over, and that is said.
#[test]
fn fewer_in_a_later_list_is_said() {
    let header = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n";
    let both = "CLOSE-WAIT 1 0 192.0.2.5:1 198.51.100.3:2\nESTAB 0 0 192.0.2.5:3 198.51.100.3:2\n";
    let one = "ESTAB 0 0 192.0.2.5:3 198.51.100.3:2\n";
    let (code, _, err) = reported(&format!("{header}{both}{header}{one}"));
    assert_eq!(code, Some(0));
    assert!(err.contains("the last of 2 lists has 0 in CLOSE-WAIT, one before it 1"), "{err}");
    let (_, _, err) = reported(&format!("{header}{one}{header}{both}"));
    assert_eq!(err, "");
}

/// Forms of other tools and of people's own programs, each beside a line of netstat.
#[test]
fn forms_of_programs_are_read() {
    let object = r#"{"laddr":{"ip":"192.0.2.5","port":47902},"raddr":{"ip":"198.51.100.3","port":3306},"status":"CLOSE_WAIT","pid":4242}"#;
    let psutil = "sconn(fd=9, family=<AddressFamily.AF_INET: 2>, type=<SocketKind.SOCK_STREAM: 1>, laddr=addr(ip='192.0.2.5', port=47902), raddr=addr(ip='198.51.100.3', port=3306), status='CLOSE_WAIT', pid=4242)";
    let gopsutil = r#"{"fd":9,"family":2,"type":1,"localaddr":{"ip":"192.0.2.5","port":47902},"remoteaddr":{"ip":"198.51.100.3","port":3306},"status":"CLOSE_WAIT","pid":4242}"#;
    let datagram = r#"{"fd":8,"family":2,"type":2,"localaddr":{"ip":"192.0.2.5","port":53},"remoteaddr":{"ip":"","port":0},"status":"NONE","pid":4242}"#;
    let osquery = r#"{"fd":"9","local_address":"192.0.2.5","local_port":"47902","name":"orders","pid":"4242","protocol":"6","remote_address":"198.51.100.3","remote_port":"3306","state":"CLOSE_WAIT"}"#;
    let layout = "{\n  \"connections\": [\n    {\n      \"laddr\": {\n        \"ip\": \"192.0.2.5\",\n        \"port\": 47902\n      },\n      \"raddr\": [\n        \"198.51.100.3\",\n        3306\n      ],\n      \"status\": \"CLOSE_WAIT\"\n    }\n  ]\n}";
    let strings = format!(
        "[\n  {},\n  \"x\"\n]",
        json!("tcp 1 0 192.0.2.5:47902 198.51.100.3:3306 CLOSE_WAIT 4242/orders")
    );
    for (form, stuck) in [
        (object, PID),
        (gopsutil, PID),
        (&format!("{datagram}\n{gopsutil}"), PID),
        (
            &format!(
                "[\n  {osquery},\n  {}\n]",
                osquery.replace("CLOSE_WAIT", "ESTABLISHED").replace("47902", "1")
            ),
            NAMED,
        ),
        (&format!("  {osquery},"), NAMED),
        (layout, ONE),
        (&strings, NAMED),
        (r#"[[9, 2, 1, ["192.0.2.5", 47902], ["198.51.100.3", 3306], "CLOSE_WAIT", 4242]]"#, PID),
        (psutil, PID),
        ("proto=tcp local=192.0.2.5:47902 remote=198.51.100.3:3306 state=CLOSE_WAIT pid=4242", PID),
        ("remote=198.51.100.3:3306 local=192.0.2.5:47902 state=CLOSE_WAIT pid=4242", PID),
        ("tcp,1,0,192.0.2.5:47902,198.51.100.3:3306,CLOSE_WAIT,4242/orders", NAMED),
        ("192.0.2.5:47902<->198.51.100.3:3306 CLOSE_WAIT", ONE),
        ("('192.0.2.5', 47902) ('198.51.100.3', 3306) CLOSE_WAIT", ONE),
        (
            "Protocol  Local Address  Foreign Address  State\nTCP 192.0.2.5(47902) 198.51.100.3(3306) CLOSE_WAIT",
            ONE,
        ),
        ("ORDERS   0000A1B2 192.0.2.5..47902       198.51.100.3..3306     ClosWt", ONE),
        ("orders 4242 192.0.2.5:47902->198.51.100.3:3306 (CLOSE_WAIT)", NAMED),
        ("web-1:47902->db:mysql (CLOSE_WAIT)", "web-1:47902 db:3306"),
    ] {
        assert_stuck(form, &[stuck]);
    }
}

/// A line that says CLOSE-WAIT of an end, and that no form is known for.
#[test]
fn what_says_close_wait_is_never_passed_over() {
    for line in [
        "CLOSE_WAIT since 10:00 at 192.0.2.5, port 47902",
        "192.0.2.5/47902 is in close-wait",
        "TST=CLOSE_WAIT",
        "tcp 1 0 192.0.2.5:47902 198.51.100.3:3306 CLOSE",
        "tcp 1 0 192.0.2.5:47902 198.51.100.3:3306 CLOSE_WAI",
        "orders 4242 app 9u IPv4 42056997 0t0 TCP 192.0.2.5:47902->198.51.100.3:3306 (CLOSE",
        "192.0.2.5:1 198.51.100.3:2 CLOSE_WAIT 192.0.2.5:3 198.51.100.3:4 CLOSE_WAIT",
        r#"{"state":"CLOSE_WAIT","from":"192.0.2.5:47902","to":"198.51.100.3:3306"}"#,
        r#"{"LocalAddress":"192.0.2.5","LocalPort":47902,"RemoteAddress":"198.51.100.3","RemotePort":3306}"#,
        "   1: 050200C0:BB1E",
        "State : CLOSE_WAIT\nLocalPort : 47902\n",
        "192.0.2.5 47902\n198.51.100.3, 3306 is in CloseWait",
    ] {
        let (code, _, err) = reported(&format!("{USED}{line}\n"));
        assert_eq!(code, Some(2), "{line}\n{err}");
        assert!(err.contains("looks like a socket and cannot be read"), "{line}\n{err}");
    }
    // Neither a command nor a count is of one socket.
    for line in [
        "$ netstat -ant | grep CLOSE_WAIT | grep 192.0.2.5:3306",
        "[root@web-1 ~]# lsof -nP -iTCP@192.0.2.5 -sTCP:CLOSE_WAIT",
        "     23 CLOSE_WAIT",
        "{\"CLOSE_WAIT\":23,\"ESTABLISHED\":4}",
        "Nov 26 13:12:27 web-1 check: CLOSE_WAIT 23",
        "close_wait.txt:udp 0 0 127.0.0.1:323 0.0.0.0:*",
        "192.0.2.5 23\n198.51.100.3 4",
        "ntpd 800 root 4u IPv4 112\n0t0 UDP 192.0.2.5:123",
    ] {
        assert_stuck(line, &[]);
    }
}

/// The state in two words, or folded within.
#[test]
fn a_state_may_be_in_parts() {
    let mac = "tcp4 31 0 192.0.2.5.47902 198.51.100.3.3306 CLOSE\n_WAIT  131072 131072   4242      0 00122 00000000 00000\n081 00000901      1      0 000001";
    let ports = "Process Name      : orders\nProcess ID        : 4242\nProtocol          : TCP\nLocal Port        : 47902\nLocal Address     : 192.0.2.5\nRemote Port       : 3306\nRemote Address    : 198.51.100.3\nState             : Close Wait\n";
    for (list, stuck) in [
        ("tcp 1 0 192.0.2.5:47902 198.51.100.3:3306 Close Wait 4242/orders", NAMED),
        ("  TCP    192.0.2.5:47902        198.51.100.3:3306      CLOSE\n_WAIT      4242", PID),
        ("tcp 1 0 192.0.2.5:47902 198.51.100.3:3306 CLOSE\n-WAIT", ONE),
        (mac, ONE),
        (ports, NAMED),
    ] {
        assert_stuck(list, &[stuck]);
    }
}

/// Folded at a width, within words and in more than two lines.
#[test]
fn lines_are_folded_within_words() {
    let procfs = "   1: 0000000000000000FFFF0000050200C0:BB1E 0000000000000000FFFF0000036433C6:0CEA 08 00000000:00000001 00:00000000 00000000  1000        0 22 1 0 20 4 30 10 -1";
    let lsof = "orders   4242  app    9u  IPv4 42056997      0t0  TCP 192.0.2.5:47902->198.51.100.3:3306 (CLOSE_WAIT QR=1 QS=0)";
    let power_shell = "192.0.2.5                           47902     198.51.100.3                        3306       CloseWait   Internet       4242";
    let hard = |line: &str, width: usize| -> String {
        let parts: Vec<&[u8]> = line.as_bytes().chunks(width).collect();
        parts.iter().map(|part| String::from_utf8_lossy(part).into_owned() + "\n").collect()
    };
    for width in [72, 76, 80] {
        assert_stuck(&hard(procfs, width), &[ONE]);
        assert_stuck(&folded(procfs, width), &[ONE]);
    }
    for width in 40..=100 {
        assert_stuck(&hard(lsof, width), &["192.0.2.5:47902 198.51.100.3:3306 orders[4242] fd 9"]);
    }
    assert_stuck(&folded(power_shell, 80), &[PID]);
    let named = "orders 4242 app 9u IPv4 42056997 0t0 TCP\nweb-1.shop:47902->db-1.shop:mysql\n(CLOSE_WAIT QR=1 QS=0)\n";
    assert_stuck(named, &["web-1.shop:47902 db-1.shop:3306 orders[4242] fd 9"]);
}

/// Line ends that were lost, or are Unicode's, and lists of strings.
#[test]
fn several_sockets_on_a_line_are_several() {
    let row =
        |port: u16| format!("tcp 1 0 192.0.2.5:{port} 198.51.100.3:3306 CLOSE_WAIT 4242/orders");
    let open = |port: u16| {
        format!(
            "orders 4242 app 9u IPv4 77001 0t0 TCP 192.0.2.5:{port}->198.51.100.3:3306 (CLOSE_WAIT)"
        )
    };
    let (a, b) = (row(47_902), row(47_904));
    let second = NAMED.replace("47902", "47904");
    for list in [
        format!("{a} {b}"),
        format!("['{a}', '{b}']"),
        format!("[\"{a}\", \"{b}\"]"),
        format!("{a}\u{2028}{b}\u{2028}"),
        format!("{a}\u{85}{b}"),
    ] {
        assert_stuck(&list, &[NAMED, &second]);
    }
    let fd = |ends: &str| format!("{ends} fd 9");
    let list = format!("{} {}", open(47_902), open(47_904));
    assert_stuck(&list, &[&fd(NAMED), &fd(&second)]);
}

/// The state that `ss` was asked for, whoever passed the question on.
#[test]
fn a_state_may_be_asked_for_in_quotes() {
    let rows = "Recv-Q Send-Q Local Address:Port   Peer Address:Port\n0      0          192.0.2.5:47906    198.51.100.3:3306\n";
    for command in [
        "$ ss -tn state established",
        "$ ssh app1 'ss -tn state established'",
        "$ kubectl exec orders-1 -- sh -c \"ss -tn state established\"",
        "$ ss -tn 'state established and dport = :3306'",
        "$ (ss -tn state established)",
        "$ echo $(/usr/bin/ss -tn state established)",
        "$ echo `ss -tn state established`",
    ] {
        let (code, out, err) = reported(&format!("{command}\n{rows}"));
        assert_eq!((code, err.as_str()), (Some(0), ""), "{command}\n{out}");
        let (code, ..) =
            reported(&format!("{command}\n{rows}").replace("established", "close-wait"));
        assert_eq!(code, Some(1), "{command}");
    }
}

/// Whatever a tool puts beside a name, or in it.
#[test]
fn programs_are_named_as_their_lists_have_them() {
    let header = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n";
    let ss = |more: &str| {
        format!(
            "{header}CLOSE-WAIT 1 0 192.0.2.5:47902 198.51.100.3:3306 users:((\"orders\",pid=4242,{more}))"
        )
    };
    let mac = "Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)      rxbytes      txbytes  rhiwat  shiwat            process:pid    state  options\ntcp4      31      0  192.0.2.5.47902     198.51.100.3.3306      CLOSE_WAIT         39          24  131072  131072    Some Browser He:4242  00122 00000000\n";
    let jc = r#"[{"proto":"tcp","local_address":"192.0.2.5","foreign_address":"198.51.100.3","state":"CLOSE_WAIT","program_name":"orders","pid":4242,"local_port":"47902","foreign_port":"3306"}]"#;
    let fd = format!("{NAMED} fd 9");
    for (list, stuck) in [
        (ss("tid=4250,fd=9"), fd.as_str()),
        (ss("proc_ctx=system_u:system_r:x_t:s0-s0:c0,c1023,fd=9"), &fd),
        (ss("proc_ctx=x,fd=9,sock_ctx=y"), &fd),
        (mac.into(), "192.0.2.5:47902 198.51.100.3:3306 Some Browser He[4242]"),
        (jc.into(), NAMED),
        ("app orders 4242 9 tcp4 192.0.2.5:47902 198.51.100.3:3306 CLOSE_WAIT".into(), &fd),
        ("orders\t4242\tTCP\tClose Wait\t192.0.2.5\t47902\t198.51.100.3\t3306\t11/26/2026 1:12:27 PM".into(), NAMED),
    ] {
        assert_stuck(&list, &[stuck]);
    }
}

/// Windows names a program below its own socket, and below those of datagrams.
#[test]
fn a_program_is_of_the_socket_right_above() {
    let socket = "  TCP    192.0.2.5:47902        198.51.100.3:3306      CLOSE_WAIT      4242\n";
    let other = " Can not obtain ownership information\n  UDP    0.0.0.0:123            *:*                                    1234\n  W32Time\n [other]\n";
    for (below, stuck) in [
        (" [orders]\n", NAMED),
        ("  Service\n [orders]\n", NAMED),
        (other, PID),
        (
            "  UDP    0.0.0.0:123            *:*                                    1234\n [other]\n",
            PID,
        ),
    ] {
        assert_stuck(&format!("{socket}{below}"), &[stuck]);
    }
}

/// Addresses that somebody put something else in place of.
#[test]
fn addresses_may_be_hidden() {
    for [local, peer] in [
        ["10.*.*.5", "10.*.*.3"],
        ["***.***.***.***", "**.**.**.**"],
        ["{{ip}}", "{{db}}"],
        ["(local)", "(remote)"],
        ["$IP", "$DB"],
        ["#.#.#.#", "?.?.?.?"],
        ["█████", "…"],
    ] {
        let line = format!(
            "tcp        1      0 {local}:47902   {peer}:3306       CLOSE_WAIT  4242/orders"
        );
        assert_stuck(&line, &[&format!("{local}:47902 {peer}:3306 orders[4242]")]);
    }
    assert_stuck("**tcp** 1 0 **192.0.2.5:47902** 198.51.100.3:3306 **CLOSE_WAIT**", &[ONE]);
}
