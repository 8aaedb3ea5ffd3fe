//! Lists of sockets as people paste them: in tables, by columns of their own, with whatever a chat, a mail, a
//! log or a shell puts around lines. Nothing that cannot be read is an all-clear.

mod common;

use closewait::owner::saved::parse;
use common::fold::folded;
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
        ("tabs of ss", table("State\tRecv-Q\tSend-Q\tLocal Address:Port\tPeer Address:Port\tProcess\n", "STATE\t1\t0\t192.0.2.5:PORT\t198.51.100.3:3306\tusers:((\"java\",pid=4242,fd=9))", ["CLOSE-WAIT", "ESTAB"])),
        ("CSV of ss", table("State,Recv-Q,Send-Q,Local Address:Port,Peer Address:Port,Process\n", "STATE,1,0,192.0.2.5:PORT,198.51.100.3:3306,\"users:((\"\"java\"\",pid=4242,fd=9))\"", ["CLOSE-WAIT", "ESTAB"])),
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

/// Wherever a terminal folds the column of processes.
#[test]
fn processes_are_known_of_folded_lines() {
    for width in 73..=100 {
        let chars: Vec<Vec<char>> = ss().lines().map(|line| line.chars().collect()).collect();
        let parts = chars.iter().flat_map(|line| line.chunks(width));
        let list: String = parts.map(|part| part.iter().collect::<String>() + "\n").collect();
        let saved = parse(&list).expect("a list");
        let holders = saved.moments.iter().flat_map(|moment| &moment.sockets);
        let fds: Vec<_> = holders
            .map(|socket| Some((socket.holders.first()?.pid, socket.holders.first()?.fd)))
            .collect();
        assert_eq!(fds, [Some((4242, Some(9))); 3], "{width}:\n{list}");
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
        // Damaged, or cut, in the first address of two.
        procfs().replacen("050200C0:BB1E", "050200C0:BB?E", 1).replacen("BB20", "BB2", 1),
        format!("{}   1: 050200C0:BB\n", procfs().replace(" 08 ", " 01 ")),
        format!("tcp 0 0 {used} ESTABLISHED\nRCV ('192.0.2.5', 3, '198.51.100.3', 4) (ESTABLISHED): fin => CLOSE_WAIT\n"),
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
