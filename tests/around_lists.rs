//! What stands in and around a saved list: no socket in it is passed over, and nobody is named who does not hold one.

use closewait::owner::saved::{Saved, parse};

/// A row that is in no trouble.
const ROW: &str = "tcp 0 0 192.0.2.5:40010 198.51.100.3:3306 ESTABLISHED 42/java\n";

fn stuck(saved: &Saved) -> usize {
    let last = saved.moments.last().map(|moment| &moment.sockets[..]);
    last.unwrap_or_default().iter().filter(|socket| socket.is_stuck()).count()
}

/// Is a list with this text an all-clear?
fn is_clear(text: &str) -> bool {
    parse(text).is_ok_and(|saved| stuck(&saved) == 0 && saved.unread.is_none())
}

/// No text of these is an all-clear, above a list that is one.
fn assert_no_all_clear(texts: &[&str]) {
    assert!(is_clear(ROW));
    for text in texts {
        assert!(!is_clear(&format!("{text}\n{ROW}")), "{text}");
    }
}

/// Processes that a text names, in the order of its sockets.
fn holders(text: &str) -> Vec<i32> {
    let saved = parse(text).expect("a list");
    let sockets = saved.moments.into_iter().flat_map(|moment| moment.sockets);
    sockets.flat_map(|socket| socket.holders).map(|holder| holder.pid).collect()
}

/// What stands right before the first column hides neither its name in the header nor the state of a row.
#[test]
fn a_state_behind_a_mark_is_no_close_wait() {
    let lines = [
        "State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process",
        "ESTAB  0 0 192.0.2.5:22 203.0.113.9:51514 users:((\"sshd\",pid=700,fd=4))",
        "CLOSE-WAIT 1 0 192.0.2.5:47902 198.51.100.3:3306 users:((\"orders\",pid=7,fd=9))",
    ];
    for (before, behind) in [
        ("7:", ""),
        ("a/x.txt:7:", ""),
        ("b'", "'"),
        ("msg=\"", "\""),
        ("{noformat}", "{noformat}"),
        ("+", ""),
        ("-", ""),
    ] {
        for from in [0, 1] {
            let list: String =
                lines[from..].iter().map(|line| format!("{before}{line}{behind}\n")).collect();
            let saved = parse(&list).expect("a list");
            let stuck: Vec<u16> = saved.moments[0]
                .sockets
                .iter()
                .filter(|s| s.is_stuck())
                .map(|s| s.local.port)
                .collect();
            assert_eq!((stuck, saved.is_assumed), (vec![47_902], false), "{list}");
        }
        // Nothing but rows, below a header that was cut.
        let list = format!(
            "{}\n{before}{}{behind}\n{before}{}{behind}\n",
            &lines[0][7..],
            lines[1],
            lines[2]
        );
        let stuck = parse(&list)
            .map_or(1, |saved| saved.moments[0].sockets.iter().filter(|s| s.is_stuck()).count());
        assert_eq!(stuck, 1, "{list}");
    }
}

/// A fold within an address leaves no host of that name.
#[test]
fn a_part_of_an_address_is_no_end() {
    let row = "CLOSE-WAIT 1 0 192.0.2.5:47902 198.51.100.3:3306 users:((\"orders\",pid=7,fd=9))";
    let peer = row.find("198").unwrap_or(0);
    for at in peer + 1..row.find(" users").unwrap_or(0) {
        let list = format!("{}\n{}\n", &row[..at], &row[at..]);
        let saved = parse(&list).expect("a list");
        let sockets = &saved.moments[0].sockets;
        let ends: Vec<String> = sockets.iter().map(|s| s.peer.to_string()).collect();
        assert!(saved.unread.is_some() || ends == ["198.51.100.3:3306"], "{list}: {ends:?}");
    }
}

#[test]
fn a_header_with_a_row_in_its_line_is_not_dropped() {
    assert_no_all_clear(&[
        "Proto Recv-Q Send-Q Local Address Foreign Address State tcp 1 0 192.0.2.5:40002 198.51.100.3:3306 CLOSE_WAIT 42/java",
        "tcp 1 0 192.0.2.5:40002 198.51.100.3:3306 CLOSE_WAIT 42/java Proto Recv-Q Send-Q Local Address Foreign Address State",
        "$ ss -tn state close-wait Recv-Q Send-Q Local Address:Port Peer Address:Port 1 0 192.0.2.5:40002 198.51.100.3:3306",
        "Every 2.0s: ss -tan CLOSE-WAIT 1 0 192.0.2.5:40002 198.51.100.3:3306",
        "TCP: IPv4 192.0.2.5.40002 198.51.100.3.3306 64240 0 64240 1 CLOSE_WAIT",
        "LocalAddress 192.0.2.5 LocalPort 40002 RemoteAddress 198.51.100.3 RemotePort 3306 State CloseWait",
        "Recv-Q 1 Send-Q 0 Local Address 192.0.2.5:40002 Peer 198.51.100.3:3306 State CLOSE-WAIT",
    ]);
    let header = "$ ss -tn state close-wait src 192.0.2.5:80 dst 198.51.100.3:3306\n";
    assert!(is_clear(&format!("{header}{ROW}")));
}

#[test]
fn a_state_that_was_folded_is_not_closed() {
    for text in [
        "192.0.2.5.40002 198.51.100.3.3306 64240 0 64240 1 CLOSE\n_WAIT\n",
        "192.0.2.5.40002 198.51.100.3.3306 64240 0 64240 1 CLOSE\n",
        "192.0.2.5 40002 198.51.100.3 3306 Close\nWait Internet 4242\n",
        "LocalAddress LocalPort RemoteAddress RemotePort State\n192.0.2.5 40002 198.51.100.3 3306 Close\nWait\n",
    ] {
        assert!(!is_clear(text), "{text}");
    }
}

#[test]
fn each_state_of_a_line_is_read_or_said() {
    assert_no_all_clear(&[
        "192.0.2.5:40010 198.51.100.3:3306 ESTABLISHED   192.0.2.5:40002 198.51.100.3:3306 CLOSE_WAIT",
        "192.0.2.5:40002 198.51.100.3:3306 ESTABLISHED->CLOSE_WAIT",
        "192.0.2.5:40002 198.51.100.3:3306 ESTABLISHED→CLOSE_WAIT",
        "| ssh | 4242 | 192.0.2.5:40002 | redacted | CLOSE_WAIT |",
        "netstat -an shows 192.0.2.5:40002 in CLOSE_WAIT to 198.51.100.3:3306",
    ]);
}

#[test]
fn other_forms_are_read_beside_a_list() {
    for text in [
        "050200C0:9C42 036433C6:0CEA 08",
        "050200C0:9C42 036433C6:0CEA 08 00000000:00000001 00:00000000 00000000  1000        0 22 1",
        "local_address = 192.0.2.5\nlocal_port = 40002\nremote_address = 198.51.100.3\nremote_port = 3306\nstate = CLOSE_WAIT\n",
        "192.0.2.5：40002 198.51.100.3：3306 CLOSE_WAIT",
    ] {
        let saved = parse(&format!("{text}\n{ROW}")).expect("a list");
        assert_eq!((stuck(&saved), saved.unread), (1, None), "{text}");
    }
}

/// Ports and addresses that somebody hid: the row is said, be one below it read with ease.
#[test]
fn a_row_is_no_beginning_of_the_next() {
    let table = "LocalAddress LocalPort RemoteAddress RemotePort State OwningProcess\n";
    let share = |local: &str, state: &str| format!("{local} 198.51.100.3 3306 {state} 42\n");
    let open = |local: &str, state: &str| {
        format!("java 42 app 9u IPv4 42056997 0t0 TCP {local}->198.51.100.3:3306 ({state})\n")
    };
    let bars = |local: &str, state: &str| format!("{state}|1|0|{local}|198.51.100.3:3306\n");
    let (used, stuck) = ("Established", "CloseWait");
    for hidden in ["192.0.2.5 *****", "x x", "192.0.2.5 db-1", "192.0.2.5"] {
        let list = share(hidden, stuck) + &share("192.0.2.5 40006", used);
        assert!(!is_clear(&format!("{table}{list}")), "{list}");
        assert!(!is_clear(&format!("{table}192.0.2.5 40006\n{list}")), "{list}");
    }
    let (used, stuck) = ("ESTABLISHED", "CLOSE_WAIT");
    for row in [open, bars] {
        for hidden in ["192.0.2.5:*****", "192.0.2.5:x.x.x.x", "2.5:x"] {
            let list = row(hidden, stuck)
                + &row("192.0.2.5:40006", used)
                + &row("192.0.2.5:40004", stuck)
                + &row("192.0.2.5:40008", used);
            let saved = parse(&list).expect("a list");
            assert_eq!(
                (self::stuck(&saved), saved.unread.map(|it| it.line)),
                (1, Some(1)),
                "{list}"
            );
        }
    }
    let known = "tcp 1 0 192.0.2.5:40002 198.51.100.3:3306 CLOSE_WAIT 42/java\n";
    for row in [
        "tcp 1 0.2.5:40004 198.51.100.3:3306 CLOSE_WAIT 42/java",
        "1 0 192.0.2.*:40004 198.51.100.3:3306 CLOSE_WAIT 42/java",
        "TCP 192.0.2.5:x.x.x.x 198.51.100.3:3306 CLOSE_WAIT\n [java.exe]",
    ] {
        let saved = parse(&format!("{known}{row}\n{ROW}")).expect("a list");
        assert_eq!((self::stuck(&saved), saved.unread.map(|it| it.line)), (1, Some(2)), "{row}");
    }
}

/// A state is that of its own row, and one that was cut off is none.
#[test]
fn a_state_of_another_row_accuses_nobody() {
    let stuck = |list: &str| parse(list).map_or(0, |saved| stuck(&saved));
    let header = "Recv-Q Send-Q Local Address:Port Peer Address:Port\n";
    let row = "192.0.2.5:40002 198.51.100.3:3306";
    let used = "0 0 192.0.2.5:40006 198.51.100.3:3306";
    // Without its first column, and folded within it.
    assert_eq!(stuck(&format!("{header}CLOSE-WAIT 1 0 {row}\n{used}\n")), 1);
    assert_eq!(
        stuck(&format!("{header}tcp 1 0 {row} CLOS\nE_WAIT 4/x\ntcp {used} ESTA\nBLISHED 4/x\n")),
        1
    );
    assert_eq!(stuck(&format!("ESTAB, {}\nCLOSE-WAIT, 1, 0,\n", used.replace(' ', ", "))), 0);
    assert_eq!(stuck(&format!("{header}1 0 {row}\n{used}\n")), 2);
}

#[test]
fn rows_of_mainframes_and_sums_are_told_apart() {
    assert_no_all_clear(&[
        "DB2DIST  0000A1B2 ClosWait\n  Local Socket:   192.0.2.5..446\n  Foreign Socket: 198.51.100.3..40002",
        "192.0.2.5..446 198.51.100.3..40002 ClosWait",
    ]);
    let sums = "Total: 180\nTransport Total     IP        IPv6\nTCP\t  11        8         3\n";
    assert!(is_clear(&format!("{sums}\n{ROW}")));
}

#[test]
fn a_command_within_a_sentence_is_not_that_of_the_list() {
    let list = "Recv-Q Send-Q Local Address:Port Peer Address:Port\n1 0 192.0.2.5:40002 198.51.100.3:3306\n";
    assert!(!is_clear(&format!("Some run `ss -tn state established` first.\n{list}")));
    assert!(is_clear(&format!("$ ss -tn state established | head\n{list}")));
}

#[test]
fn whoever_counts_close_wait_is_heard() {
    assert_no_all_clear(&[
        "  120 java (CLOSE_WAIT)",
        "     12 CLOSE_WAIT 4242/java",
        "120\tCLOSE_WAIT\tjava",
        "CLOSE_WAIT 120 ESTABLISHED 5 TIME_WAIT 3 total 128",
        "CLOSE_WAIT: 12 ALL OPEN: 40 ALL CLOSE_WAIT: 13",
        "CLOSE_WAIT 120 (85%)",
        "| 120 | CLOSE_WAIT | db1 |",
        "120 in CLOSE_WAIT",
        "CLOSE_WAIT sockets: 120",
        "     12 CLOSE_WAIT     # <-- bad",
        "[{\"state\":\"CLOSE_WAIT\",\"count\":120},{\"state\":\"ESTABLISHED\",\"count\":12}]",
        "120 CLOSE\\_WAIT",
        "netstat.tcp_close_wait 120",
        "$ netstat -an | grep -c CLOSE_WAIT\n3493",
        "$ lsof -p 14204 | grep CLOSE_WAIT | wc -l\n3493",
        "$ ss -tn state close-wait | wc -l\n154",
    ]);
    for text in [
        "net.netfilter.nf_conntrack_tcp_timeout_close_wait = 60",
        "CLOSE_WAIT 60 seconds",
        "$ ss -tn state close-wait | wc -l\n1",
        "$ netstat -an | grep -c CLOSE_WAIT\n0",
        "ESTABLISHED 12 CLOSE_WAIT 0",
    ] {
        assert!(is_clear(&format!("{text}\n{ROW}")), "{text}");
    }
}

#[test]
fn nobody_is_named_who_is_of_another_line() {
    let row = "tcp CLOSE-WAIT 1 0 192.0.2.5:40002 198.51.100.3:3306";
    for below in [
        "udp UNCONN 0 0 0.0.0.0:68 0.0.0.0:* users:((\"dhclient\",pid=700,fd=6))",
        "udp UNCONN 0 0 0.0.0.0:68 0.0.0.0:*\n     users:((\"dhclient\",pid=700,fd=6))",
        "u_str ESTAB 0 0 * 1234 * 1235 users:((\"dbus\",pid=700,fd=6))",
        "v_str ESTAB 0 0 2:1024 1:1025 users:((\"vsockd\",pid=700,fd=6))",
        "sctp LISTEN 0 128 127.0.0.1:5000 0.0.0.0:* users:((\"s\",pid=9,fd=3))",
        "\n26/Nov/2026 13:12:27",
        "\nabout 5/min\n10/min",
    ] {
        assert_eq!(holders(&format!("{row}\n{below}\n")), [0_i32; 0], "{below}");
    }
    assert_eq!(holders(&format!("{row}\n     users:((\"java\",pid=42,fd=6))\n")), [42]);
    let row = "tcp 1 0 192.0.2.5:40002 198.51.100.3:3306 CLOSE_WAIT";
    assert_eq!(holders(&format!("{row}\n42/java\n")), [42]);
    assert_eq!(holders(&format!("{row} 42/java\n26/Nov/2026\n")), [42]);
}

#[test]
fn the_process_of_lsof_stands_before_its_descriptor() {
    let rest = "app 9u IPv4 77 0t0 TCP 192.0.2.5:40002->198.51.100.3:3306 (CLOSE_WAIT)\n";
    for before in [
        "java 4242",
        "Nov 26 10:00:00 web1 cron[77]: java 4242",
        "web1 7 java 4242",
        "2026 Nov 26 web1 java 4242",
        "java 4242 4300 worker",
        "java 4242 1",
    ] {
        assert_eq!(holders(&format!("{before} {rest}")), [4242], "{before}");
    }
}

#[test]
fn each_host_has_its_own_list_behind_its_date() {
    let host = |ip: &str, state: &str| {
        format!(
            "Thu Nov 26 13:12:27 UTC 2026\ntcp 1 0 {ip}:40002 198.51.100.3:3306 {state} 42/java\n"
        )
    };
    let saved = parse(&(host("192.0.2.5", "CLOSE_WAIT") + &host("192.0.2.6", "ESTABLISHED")));
    assert_eq!(stuck(&saved.expect("a list")), 1);
    let saved = parse(&(host("192.0.2.5", "CLOSE_WAIT") + &host("192.0.2.5", "ESTABLISHED")));
    assert_eq!(stuck(&saved.expect("a list")), 0);
    let header = "Proto Recv-Q Send-Q Local Address Foreign Address State PID/Program name\n";
    let own = "tcp 1 0 localhost:8080 localhost:40002 CLOSE_WAIT 42/java\n";
    let both = "tcp 0 0 localhost:8080 localhost:40003 ESTABLISHED -\n";
    let saved = parse(&format!("web1:\n{header}{own}{both}web2:\n{header}{both}"));
    assert_eq!(stuck(&saved.expect("a list")), 1);
}

#[test]
fn what_was_cut_off_is_no_end_and_no_process() {
    assert_no_all_clear(&[
        "tcp 1 0 192.0.2.5 198.51.100.3 CLOSE_WAIT 42/java",
        "CLOSE-WAIT 1 0 192.0.2.5:40002 198.51.100.3:33\n06  users:((\"java\",pid=42,fd=2))",
    ]);
    for text in [
        "tcp 1 0 192.0.2.5 198.51.100.3 CLOSE_WAIT 42/java\n",
        "CLOSE-WAIT 1 0 192.0.2.5:40002 198.51.100.3:33\n06  users:((\"java\",pid=42,fd=2))\n",
    ] {
        assert!(parse(text).map_or(true, |saved| saved.unread.is_some()), "{text}");
    }
    let row = "tcp 1 0 192.0.2.5:40002 198.51.100.3:3306 CLOSE_WAIT";
    assert_eq!(holders(&format!("{row} 149\n31/java\n")), [0_i32; 0]);
    assert_eq!(holders(&format!("{row} 1000 123456\n42/java\n")), [42]);
}

#[test]
fn a_mark_of_a_page_is_no_program() {
    let row = "  TCP    192.0.2.5:40002        198.51.100.3:3306      CLOSE_WAIT      4242";
    let name = |below: &str| {
        let saved = parse(&format!("{row}\n{below}\n")).expect("a list");
        saved.moments[0].sockets[0].holders[0].command.clone()
    };
    for mark in ["[/code]", "[/quote]", "[code]", "[root@web1 ~]"] {
        assert_eq!(name(mark), "", "{mark}");
    }
    assert_eq!(name(" [java.exe]"), "java.exe");
    let saved = parse("tcp 1 0 192.0.2.5:1 198.51.100.3:2 CLOSE_WAIT 42/java  # <-- leak!\n");
    assert_eq!(saved.expect("a list").moments[0].sockets[0].holders[0].command, "java");
}

#[test]
fn names_of_columns_tell_the_ends() {
    let list = "| Destination | Source | State |\n|---|---|---|\n| 198.51.100.3:3306 | 192.0.2.5:40002 | CLOSE_WAIT |\n";
    let saved = parse(list).expect("a list");
    assert_eq!(saved.moments[0].sockets[0].local.to_string(), "192.0.2.5:40002");
}

#[test]
fn a_long_word_is_read_in_little_time() {
    let begun = std::time::Instant::now();
    assert!(parse(&"users:((\"a\",pid=1,fd=2)".repeat(8000)).is_err());
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}
