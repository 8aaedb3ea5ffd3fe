//! Lists of which one line is read with ease: whatever stands beside it is read as well, or said. An all-clear is one
//! of all lines.

mod common;

use closewait::owner::saved::parse;
use common::fold::folded;
use common::{Scratch, closewait, text};
use serde_json::json;

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
    let fields = "p4242\ncorders\nf9\ntIPv4\nPTCP\nn192.0.2.5:47902->198.51.100.3:3306\nTST=CLOSE_WAIT\nTQR=1\nTQS=0\nf10\ntIPv4\nPTCP\nn*:80\nTST=LISTEN\nf11\ntIPv4\nPUDP\nn*:53\nf12\ntREG\nn/x";
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
        (fields, "192.0.2.5:47902 198.51.100.3:3306 orders[4242] fd 9"),
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
        // Cut off: it is no JSON.
        "[\n {\n  \"laddr\": {\n   \"ip\": \"192.0.2.5\",\n   \"port\": 47902\n  },\n  \"status\": \"CLOSE_WAIT\",",
        "{'laddr': {'ip': '192.0.2.5', 'port': 47902},\n 'status': 'CLOSE_WAIT'}",
        "CLOSE_WAIT\n192.0.2.5:47902\nESTABLISHED",
        "192.0.2.5:47904\n198.51.100.3:3306\nCLOSE_WAIT",
        "tcp 1 0 192.0.2.5:47902 198.51.100.3:3306 CLOSE",
        "tcp 1 0 192.0.2.5:47902 198.51.100.3:3306 CLOSE_WAI",
        "orders 4242 app 9u IPv4 42056997 0t0 TCP 192.0.2.5:47902->198.51.100.3:3306 (CLOSE",
        "192.0.2.5:1 198.51.100.3:2 CLOSE_WAIT 192.0.2.5:3 198.51.100.3:4 CLOSE_WAIT",
        r#"{"state":"CLOSE_WAIT","from":"192.0.2.5:47902","to":"198.51.100.3:3306"}"#,
        r#"{"LocalAddress":"192.0.2.5","LocalPort":47902,"RemoteAddress":"198.51.100.3","RemotePort":3306}"#,
        "   1: 050200C0:BB1E",
        "State : CLOSE_WAIT\nLocalPort : 47902\n",
        "app orders 4242 9 tcp4 192.\n0.2.5:47902 198.51.100.3:3306\n CLOSE_WAIT fd9",
        "192.0.2.5\n47902     198.51.100.3\n3306       CloseWait   Internet\n4242",
        "p4242\nf9\nn192.0.2.5:47902->198.51.100.3:3306",
        "p4242\nf9\nTST=CLOSE_WAIT",
        // More than the list has.
        "     23 CLOSE_WAIT\n      4 ESTABLISHED",
        "{\"CLOSE_WAIT\":23,\"ESTABLISHED\":4}",
        "Nov 26 13:12:27 web-1 check: CLOSE_WAIT 23",
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
        "      0 CLOSE_WAIT\n     23 ESTABLISHED",
        "State: CLOSE_WAIT",
        "CLOSE_WAIT\n\ntcp 0 0 192.0.2.5:1 203.0.113.9:2 ESTABLISHED",
        "Many are in CLOSE_WAIT, 60 of them, as of 10:00",
        "close_wait.txt:udp 0 0 127.0.0.1:323 0.0.0.0:*",
        "192.0.2.5 23\n198.51.100.3 4",
        "ntpd 800 root 4u IPv4 112\n0t0 UDP 192.0.2.5:123",
    ] {
        assert_stuck(line, &[]);
    }
}

/// A count that agrees with the list says nothing more.
#[test]
fn a_count_may_stand_beside_its_list() {
    let one = "tcp 1 0 192.0.2.5:47902 198.51.100.3:3306 CLOSE_WAIT 4242/orders";
    assert_stuck(&format!("{one}\n      1 CLOSE_WAIT\n      1 ESTABLISHED"), &[NAMED]);
    assert_eq!(reported(&format!("{one}\n      2 CLOSE_WAIT\n")).0, Some(2));
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
        ("CLOSE_WAIT\n192.0.2.5:47902\n198.51.100.3:3306", ONE),
        ("CLOSE_WAIT\n192.0.2.5:47902 198.51.100.3:3306 CLOSE_WAIT", ONE),
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
