//! Lists of sockets in every form, with a capture and without one.

mod common;

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use closewait::owner::saved::parse;
use closewait::owner::{Holder, Socket};
use closewait::tcp::state::State;
use common::{Scratch, closewait, json_lines, text};

/// A list, and what is stuck in it: the local end, the peer, Recv-Q, who holds it.
struct Form {
    name: &'static str,
    list: &'static str,
    stuck: &'static [&'static str],
}

const FORMS: &[Form] = &[
    Form {
        name: "ss -tanpe",
        list: "\
State      Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
LISTEN     0      128          0.0.0.0:22         0.0.0.0:*     users:((\"sshd\",pid=700,fd=3)) ino:11 sk:1 <->
CLOSE-WAIT 1      0          192.0.2.5:40002  198.51.100.3:3306 users:((\"shop, (x\",pid=42,fd=9)) uid:1000 ino:22 sk:2 -->
CLOSE-WAIT 1      0   [::ffff:192.0.2.5]:8080 [::ffff:203.0.113.4]:51000 ino:0 sk:3 -->
ESTAB      0      0          192.0.2.5:40006  198.51.100.3:3306 users:((\"shop\",pid=42,fd=10)) uid:1000 ino:23 sk:4 <->
",
        stuck: &[
            "192.0.2.5:40002 198.51.100.3:3306 1 shop, (x[42] fd 9",
            "192.0.2.5:8080 203.0.113.4:51000 1 (backlog)",
        ],
    },
    Form {
        name: "ss -tuna, with other protocols",
        list: "\
Netid State      Recv-Q Send-Q Local Address:Port Peer Address:Port
udp   UNCONN     0      0          127.0.0.1:323       0.0.0.0:*
tcp   CLOSE-WAIT 1      0          192.0.2.5:40002 198.51.100.3:3306
u_str ESTAB      0      0                  * 1234            * 1235
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 1 ?"],
    },
    Form {
        name: "ss state close-wait, which prints no state",
        list: "\
Recv-Q Send-Q Local Address:Port   Peer Address:Port
1      0          192.0.2.5:40002    198.51.100.3:3306
1      0          192.0.2.5:40008    198.51.100.3:3306
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 1 ?", "192.0.2.5:40008 198.51.100.3:3306 1 ?"],
    },
    Form {
        name: "ss of another state, by its command",
        list: "\
$ ss -tn state established
Recv-Q Send-Q Local Address:Port   Peer Address:Port
0      0          192.0.2.5:40002    198.51.100.3:3306
",
        stuck: &[],
    },
    Form {
        name: "ss -i -o -m, and processes in a line of their own",
        list: "\
State      Recv-Q Send-Q Local Address:Port  Peer Address:Port
CLOSE-WAIT 1      0          192.0.2.5:40002  198.51.100.3:3306 timer:(keepalive,45sec,0)
\t users:((\"shop\",pid=42,fd=9)) skmem:(r0,rb131072,t0,tb87040,f0,w0,o0,bl0,d0)
\t cubic wscale:7,7 rto:204 rtt:0.05/0.025 mss:32768 lastsnd:2868 lastrcv:2868 lastack:2868
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 1 shop[42] fd 9"],
    },
    Form {
        name: "ss of old: no brackets, users without names of fields, a blank after the colon",
        list: "\
State       Recv-Q Send-Q       Local Address:Port         Peer Address:Port
LISTEN      0      128                     :::22                     :::*      users:((\"sshd\",700,3))
CLOSE-WAIT  1      0            192.0.2.5:40002        198.51.100.3:3306   users:((\"shop\",42,9))
CLOSE-WAIT  1      0                192.0.2.5: 40004       198.51.100.3: 3306
",
        stuck: &[
            "192.0.2.5:40002 198.51.100.3:3306 1 shop[42] fd 9",
            "192.0.2.5:40004 198.51.100.3:3306 1 ?",
        ],
    },
    Form {
        name: "ss -r: names of hosts and services",
        list: "\
State      Recv-Q Send-Q Local Address:Port  Peer Address:Port
CLOSE-WAIT 1      0          web-1.shop:40002    db-1.shop:mysql
CLOSE-WAIT 1      0          web-1.shop:40004    db-1.shop:postgresql users:((\"shop\",pid=42,fd=9))
",
        stuck: &[
            "web-1.shop:40002 db-1.shop:3306 1 ?",
            "web-1.shop:40004 db-1.shop:5432 1 shop[42] fd 9",
        ],
    },
    Form {
        name: "a line that a mail program has wrapped, quoted",
        list: "\
> State      Recv-Q Send-Q Local Address:Port  Peer Address:Port
> CLOSE-WAIT 1      0          192.0.2.5:40002
> 198.51.100.3:3306
> CLOSE-WAIT 1      0          192.0.2.5:40004 198.51.100.3:3306 users:((\"shop\",pid=42,
> fd=9))
",
        stuck: &[
            "192.0.2.5:40002 198.51.100.3:3306 1 ?",
            "192.0.2.5:40004 198.51.100.3:3306 1 shop[42] fd 9",
        ],
    },
    Form {
        name: "behind what a log puts before each line",
        list: "\
Nov 26 13:12:27 web-1 check[99]: State Recv-Q Send-Q Local Address:Port Peer Address:Port
Nov 26 13:12:27 web-1 check[99]: CLOSE-WAIT 1 0 192.0.2.5:40002 198.51.100.3:3306
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 1 ?"],
    },
    Form {
        name: "netstat -antp of Linux",
        list: "\
Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      700/sshd
tcp        1      0 192.0.2.5:40002         198.51.100.3:3306       CLOSE_WAIT  42/shop
tcp6       1      0 192.0.2.5:8080          203.0.113.4:51000       CLOSE_WAIT  43/nginx: worker
tcp        1      0 192.0.2.5:40004         198.51.100.3:3306       CLOSE_WAIT  -
udp        0      0 127.0.0.1:323           0.0.0.0:*                           800/chronyd
Active UNIX domain sockets (servers and established)
Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path
unix  2      [ ACC ]     STREAM     LISTENING     12345    1/init               /run/x
",
        stuck: &[
            "192.0.2.5:40002 198.51.100.3:3306 1 shop[42]",
            "192.0.2.5:8080 203.0.113.4:51000 1 nginx: worker[43]",
            "192.0.2.5:40004 198.51.100.3:3306 1 ?",
        ],
    },
    Form {
        name: "netstat -tenop of Linux, in German",
        list: "\
Aktive Internetverbindungen (ohne Server)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       Benutzer   Inode      PID/Program name     Timer
tcp        0      0 192.0.2.5:40001         198.51.100.3:3306       VERBUNDEN   1000       21         42/shop              keepalive (7.3/0/0)
tcp        1      0 192.0.2.5:40002         198.51.100.3:3306       CLOSE_WAIT  1000       22         42/shop              off (0.00/0/0)
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 1 shop[42]"],
    },
    Form {
        name: "netstat of Linux with names",
        list: "\
Proto Recv-Q Send-Q Local Address           Foreign Address         State
tcp        1      0 web-1:40002             db-1.shop.exam:mysql    CLOSE_WAIT
",
        stuck: &["web-1:40002 db-1.shop.exam:3306 1 ?"],
    },
    Form {
        name: "netstat -anv of macOS",
        list: "\
Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)      rhiwat  shiwat    pid   epid state  options
tcp4       0      0  192.0.2.5.40002        198.51.100.3.3306      CLOSE_WAIT   131072  131072     42      0 0x0131 0x00000104
tcp46      0      0  *.22                   *.*                    LISTEN       131072  131072    700      0 0x0131 0x00000104
tcp6       0      0  2001:db8::5.40004      2001:db8::3.3306       CLOSE_WAIT   131072  131072     42      0 0x0131 0x00000104
",
        stuck: &[
            "192.0.2.5:40002 198.51.100.3:3306 0 pid 42",
            "[2001:db8::5]:40004 [2001:db8::3]:3306 0 pid 42",
        ],
    },
    Form {
        name: "netstat -an of OpenBSD",
        list: "\
Active Internet connections (including servers)
Proto   Recv-Q Send-Q  Local Address          Foreign Address        TCP-State
tcp          1      0  192.0.2.5.40002        198.51.100.3.3306      CLOSE_WAIT
tcp          0      0  *.22                   *.*                    LISTEN
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 1 ?"],
    },
    Form {
        name: "netstat -an of Solaris",
        list: "\
TCP: IPv4
   Local Address        Remote Address    Swind Send-Q Rwind Recv-Q    State
-------------------- -------------------- ----- ------ ----- ------ -----------
192.0.2.5.40002      198.51.100.3.3306    64240      0 64240      1 CLOSE_WAIT
      *.22                 *.*                0      0 49152      0 LISTEN
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 1 ?"],
    },
    Form {
        name: "netstat -anob of Windows",
        list: "
Active Connections

  Proto  Local Address          Foreign Address        State           PID
  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING       900
  TCP    192.0.2.5:40002        198.51.100.3:3306      CLOSE_WAIT      11092
 [shop.exe]
  TCP    [2001:db8::5]:40004    [2001:db8::3]:3306     CLOSE_WAIT      11092
  UDP    0.0.0.0:123            *:*                                    1000
",
        stuck: &[
            "192.0.2.5:40002 198.51.100.3:3306 - shop.exe[11092]",
            "[2001:db8::5]:40004 [2001:db8::3]:3306 - pid 11092",
        ],
    },
    Form {
        name: "netstat -ano of Windows in German",
        list: "\
Aktive Verbindungen

  Proto  Lokale Adresse         Remoteadresse          Status           PID
  TCP    0.0.0.0:135            0.0.0.0:0              ABH\u{d6}REN         900
  TCP    192.0.2.5:40001        198.51.100.3:3306      HERGESTELLT     11092
  TCP    192.0.2.5:40002        198.51.100.3:3306      SCHLIESSEN_WARTEN 11092
  TCP    192.0.2.5:40003        198.51.100.3:3306      WARTEND         0
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 - pid 11092"],
    },
    Form {
        name: "netstat -ano of Windows in Chinese",
        list: "\
活动连接

  协议  本地地址          外部地址        状态           PID
  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING       900
  TCP    192.0.2.5:40002        198.51.100.3:3306      CLOSE_WAIT      11092
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 - pid 11092"],
    },
    Form {
        name: "Get-NetTCPConnection of PowerShell",
        list: "\
LocalAddress LocalPort RemoteAddress RemotePort State       AppliedSetting OwningProcess
------------ --------- ------------- ---------- -----       -------------- -------------
192.0.2.5    40002     198.51.100.3  3306       CloseWait   Internet       11092
192.0.2.5    40003     198.51.100.3  3306       Established Internet       11092
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 - pid 11092"],
    },
    Form {
        name: "lsof -nP -iTCP",
        list: "\
COMMAND   PID USER   FD   TYPE   DEVICE SIZE/OFF NODE NAME
sshd      700 root    3u  IPv4      111      0t0  TCP *:22 (LISTEN)
shop       42  app    9u  IPv4 42056997      0t0  TCP 192.0.2.5:40002->198.51.100.3:3306 (CLOSE_WAIT)
shop       43  app    9u  IPv4 42056997      0t0  TCP 192.0.2.5:40002->198.51.100.3:3306 (CLOSE_WAIT)
shop       42  app   10u  IPv4 42056998      0t0  TCP 192.0.2.5:40006->198.51.100.3:3306 (ESTABLISHED)
ntpd      800 root    4u  IPv4      112      0t0  UDP *:123
",
        stuck: &["192.0.2.5:40002 198.51.100.3:3306 - shop[42] fd 9, shop[43] fd 9"],
    },
    Form {
        name: "lsof -i, with names and threads",
        list: "\
COMMAND   PID   TID TASKCMD  USER   FD   TYPE   DEVICE SIZE/OFF NODE NAME
shop\\x20x  42    50 worker    app    9u  IPv6 42056997      0t0  TCP web-1:40002->db-1.shop:mysql (CLOSE_WAIT)
shop\\x20x  42    50 worker    app   12u  IPv6 42056999      0t0  TCP web-1:distinct->web-1:53144 (CLOSE_WAIT)
",
        stuck: &[
            "web-1:40002 db-1.shop:3306 - shop x[42] fd 9",
            "web-1:9999 web-1:53144 - shop x[42] fd 12",
        ],
    },
    Form {
        name: "/proc/net/tcp and /proc/net/tcp6",
        list: "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 050200C0:9C42 036433C6:0CEA 08 00000000:00000001 00:00000000 00000000  1000        0 22 1 0 20 4 30 10 -1
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0000000000000000FFFF0000050200C0:1F90 0000000000000000FFFF0000047100CB:C738 08 00000000:00000001 00:00000000 00000000  1000        0 0 1 0 20 4 30 10 -1
",
        stuck: &[
            "192.0.2.5:40002 198.51.100.3:3306 1 ?",
            "192.0.2.5:8080 203.0.113.4:51000 1 (backlog)",
        ],
    },
];

fn described(socket: &Socket) -> String {
    let holders: Vec<String> = socket.holders.iter().map(Holder::to_string).collect();
    let held = match (&holders[..], socket.inode) {
        ([], 0) => "(backlog)".into(),
        ([], _) => "?".into(),
        (holders, _) => holders.join(", "),
    };
    let unread = socket.recv_q.map_or("-".into(), |octets| octets.to_string());
    format!("{} {} {unread} {held}", socket.local, socket.peer)
}

fn stuck(list: &str) -> Vec<String> {
    let saved = parse(list).unwrap_or_else(|error| panic!("{error}\n{list}"));
    assert_eq!((saved.moments.len(), saved.unread), (1, None), "{list}");
    saved.moments[0].sockets.iter().filter(|s| s.is_stuck()).map(described).collect()
}

#[test]
fn every_form_is_understood() {
    for form in FORMS {
        assert_eq!(stuck(form.list), form.stuck, "{}", form.name);
    }
}

/// Indented as Markdown wants it, quoted as mail does, with the line ends of Windows.
#[test]
fn what_stands_around_a_list_changes_nothing() {
    for form in FORMS {
        let with = |before: &str, after: &str| -> String {
            form.list.lines().map(|line| format!("{before}{line}{after}\n")).collect()
        };
        for list in
            [with("    ", ""), with("> ", ""), with(">> ", ""), with("", "\r"), with("\t", " ")]
        {
            // A tab before a line goes on with the socket before it.
            assert_eq!(stuck(&list), form.stuck, "{}:\n{list}", form.name);
        }
    }
}

#[test]
fn without_a_state_it_is_said_that_one_was_taken() {
    let is_assumed = |name: &str| {
        let form = FORMS.iter().find(|form| form.name.starts_with(name)).expect("a form");
        parse(form.list).expect("a list").is_assumed
    };
    assert!(is_assumed("ss state close-wait"));
    assert!(!is_assumed("ss of another state"));
    assert!(!is_assumed("ss -tanpe"));
}

/// The same list again is a later moment.
/// Old `ss -l` prints no state: who has no peer listens.
#[test]
fn listeners_without_a_state_are_listeners() {
    let list = "# ss -lnt\n\
        Recv-Q Send-Q  Local Address:Port  Peer Address:Port\n\
        0      128                  *:22                *:*\n\
        0      50   ::ffff:127.0.0.1:8005              :::*\n";
    assert_eq!(stuck(list), Vec::<String>::new());
}

/// Hidden ends tell no sockets apart: rows do, and inodes.
#[test]
fn rows_with_the_same_hidden_ends_are_several_sockets() {
    let row = |pid: u16| format!("tcp 1 0 10.0.0.x:8080 10.0.0.y:3306 CLOSE_WAIT {pid}/java\n");
    assert_eq!(stuck(&row(4721).repeat(3)).len(), 3);
    // Inherited, perhaps.
    assert_eq!(stuck(&(row(4721) + &row(4722))).len(), 1);
    assert_eq!(stuck(&row(4721).replace(['x', 'y'], "7").repeat(3)).len(), 1);
    let open = |pid: u16, inode: u16| {
        format!("java {pid} app 6u IPv4 {inode} 0t0 TCP db.x:40001->db.y:61616 (CLOSE_WAIT)\n")
    };
    assert_eq!(stuck(&(open(7, 501) + &open(7, 502) + &open(8, 502))).len(), 2);
}

/// Nobody can tell an empty list from one that was cut off: no finding stands for one that has ended, nor an all-clear.
#[test]
fn a_last_look_that_is_empty_is_said() {
    let row = "tcp 1 0 10.0.0.4:41286 10.0.0.9:3306 CLOSE_WAIT\n";
    let watch =
        |second: u8| format!("Every 2.0s: netstat -tn    h: Thu Nov 26 13:12:{second} 2026\n\n");
    let scratch = Scratch::new();
    let code = |list: &str| {
        let path = scratch.write("list.txt", list.as_bytes());
        let output = closewait(&["sockets", &path]);
        (output.status.code(), text(&output).1.contains("its last list is empty"))
    };
    assert_eq!(code(&(watch(27) + row + &watch(29))), (Some(2), true));
    assert_eq!(code(&(watch(27) + row)), (Some(1), false));
    let header = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n";
    let ss = format!("2026-11-26 13:13:00\n{header}CLOSE-WAIT 1 0 192.0.2.5:1 198.51.100.3:2\n");
    assert_eq!(code(&format!("{ss}2026-11-26 13:14:00\n{header}")), (Some(2), true));
    // A date alone is none, nor is another part of one look.
    assert_eq!(code(&format!("{ss}2026-11-26 13:14:00\n")), (Some(1), false));
    assert_eq!(code(&format!("{ss}{header}")), (Some(1), false));
}

#[test]
fn several_lists_are_several_moments() {
    let list = |n: u16| -> String {
        let line = |port| format!("CLOSE-WAIT 1 0 192.0.2.5:{port} 198.51.100.3:3306\n");
        (40_000..40_000 + n).map(line).collect()
    };
    let header = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n";
    let by_header = format!("{header}{}{header}{}", list(2), list(5));
    let by_date = format!(
        "Thu Nov 26 13:12:00 UTC 2026\n{}=== 2026-11-26 13:13:00 ===\n{}",
        list(2),
        list(5)
    );
    for text in [&by_header, &by_date] {
        let counts: Vec<usize> =
            parse(text).expect("lists").moments.iter().map(|moment| moment.sockets.len()).collect();
        assert_eq!(counts, [2, 5], "{text}");
    }
    let scratch = Scratch::new();
    let report = |name: &str, list: &str| {
        text(&closewait(&["sockets", &scratch.write(name, list.as_bytes())])).0
    };
    let out = report("header", &by_header);
    assert!(out.contains("5 sockets in CLOSE-WAIT"), "{out}");
    assert!(out.contains("+3 from the first of 2 lists to the last"), "{out}");
    let out = report("date", &by_date);
    assert!(out.contains("+3.0 a minute"), "{out}");
}

#[test]
fn what_cannot_be_read_is_said() {
    let scratch = Scratch::new();
    let report = |list: &[u8]| {
        let output = closewait(&["sockets", &scratch.write("list.txt", list)]);
        let (out, err) = text(&output);
        (output.status.code(), out, err)
    };
    for empty in
        ["", "hello\nworld\n", "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n"]
    {
        let (code, out, err) = report(empty.as_bytes());
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains("no line of it is a TCP socket"), "{err}");
    }
    let half = "CLOSE-WAIT 1 0 192.0.2.5:40002 198.51.100.3:3306\ntcp 0 0 192.0.2.5:1 198.51.100.3:2 NONSENSE\n";
    let (code, out, err) = report(half.as_bytes());
    assert_eq!(code, Some(2));
    assert!(out.contains("1 socket in CLOSE-WAIT"), "{out}");
    assert!(err.contains("line 2 looks like a socket and cannot be read"), "{err}");
    let partial = half.replace("CLOSE-WAIT", "ESTAB");
    assert!(report(partial.as_bytes()).1.contains("CLOSE-WAIT in the lines that could be read."));
    let none = report(b"ESTAB 0 0 192.0.2.5:40002 198.51.100.3:3306\n");
    assert_eq!(none.0, Some(0));
    assert!(none.1.contains("No socket in CLOSE-WAIT."));
    // What a socket was in, and what it is in now.
    let changes = "LADDR LPORT RADDR RPORT OLDSTATE -> NEWSTATE MS\n192.0.2.5 40002 198.51.100.3 3306 ESTABLISHED -> CLOSE_WAIT 60.0\n";
    let (code, out, err) = report(changes.as_bytes());
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("a log of states that changed (tcpstates)"), "{err}");
    // The row in which a list was cut may have been of any state.
    for rest in ["CL", "CLOSE-WAIT", "CLOSE-WAIT 1", "CLOSE-WAIT 1 0 192.0"] {
        let cut = format!("ESTAB 0 0 192.0.2.5:40002 198.51.100.3:3306\n{rest}");
        let (code, _, err) = report(cut.as_bytes());
        assert_eq!(code, Some(2), "{rest}: {err}");
        assert!(err.contains("line 2 looks like a socket and cannot be read"), "{err}");
    }
    // A list whose lines were all cut at the right.
    let kernel = "  sl  local_address rem_address   st tx_\n   0: 0100007F:1F90 00000000:0000 0A 000\n   1: 0100000A:9C41 0200000A:0CEA 08 000\n";
    let windows = "  Proto  Local Address          Foreign Address        State\n  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING\n [svchost.exe]\n  TCP    10.0.0.1:40001         10.0.0.2:3306          CLOSE\n [java.exe]\n";
    let bsd = "Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)\ntcp4       0      0  10.0.0.1.40001         10.0.0.2.3306          CLOSE\ntcp4       0      0  10.0.0.1.40002         10.0.0.2.3306          ESTABLISHED\n";
    for cut in [kernel, windows, bsd] {
        assert_eq!(report(cut.as_bytes()).0, Some(2), "{cut}");
    }
    let linux = "tcp        0      0 192.0.2.5:40002 198.51.100.3:3306 CLOSE       123/java\n";
    assert_eq!(report(linux.as_bytes()).0, Some(0), "Linux has such a state");
    for rest in ["", "$", "done", "Closing words", "ESTAB 0 0 192.0.2.5:40003 198.51.100.3:3306"] {
        let pasted = format!("ESTAB 0 0 192.0.2.5:40002 198.51.100.3:3306\n{rest}");
        assert_eq!(report(pasted.as_bytes()).0, Some(0), "{rest}");
    }
    // What Windows writes by >.
    let utf_16: Vec<u8> = "\u{feff}  TCP  192.0.2.5:40002  198.51.100.3:3306  CLOSE_WAIT  9\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(report(&utf_16).0, Some(1));
}

/// Rows in which a table, or a list of calls, was cut off.
#[test]
fn a_row_that_was_cut_within_a_table_is_said() {
    let markdown = "| State | Recv-Q | Send-Q | Local Address:Port | Peer Address:Port |\n\
        |---|---:|---:|---|---|\n\
        | ESTAB | 0 | 0 | 192.0.2.5:40002 | 198.51.100.3:3306 |\n";
    let osquery = "| pid | name | local_address | local_port | remote_address | remote_port | state |\n\
        | 42 | shop | 192.0.2.5 | 40002 | 198.51.100.3 | 3306 | ESTABLISHED |\n";
    let csv = "pid,local_address,local_port,remote_address,remote_port,state\n\
        42,192.0.2.5,40002,198.51.100.3,3306,ESTABLISHED\n";
    let psutil = "sconn(fd=9, laddr=addr(ip='192.0.2.5', port=40002), \
        raddr=addr(ip='198.51.100.3', port=3306), status='ESTABLISHED', pid=42)\n";
    let unread = |list: &str, rest: &str| parse(&format!("{list}{rest}")).expect("a list").unread;
    for (list, rest) in [
        (markdown, "| CLOSE-WAIT "),
        (markdown, "| CLOSE-W"),
        (markdown, "| CLOSE-WAIT | 1 | 0 | 192.0.2.5:40004 |\n"),
        (osquery, "| 42 | sh"),
        (osquery, "| 42 | shop | 192.0.2.5 | 40004 | 198.51.100.3 | "),
        (osquery, "| 42 | shop | 192.0.2.5 | 40004 |\n"),
        (csv, "42,192.0.2.5,40004,198.51.100.3\n"),
        (psutil, "sconn(fd=10, laddr=addr(ip='192.0.2.5', port=40004), raddr=addr(ip='198"),
        (psutil, &psutil[..psutil.find("STAB").expect("a state")]),
        (psutil, "sconn(fd=1"),
    ] {
        let line = unread(list, rest).map(|unread| (unread.line, unread.lines));
        assert_eq!(line, Some((list.lines().count() + 1, 1)), "{list}{rest}");
    }
    for (list, rest) in [
        (markdown, "| ESTAB | 12 |\n| CPU | 40 % |\n"),
        (osquery, "+----+------+\n| rows | 1 |\n"),
        (osquery, "|"),
        (csv, "One row, no more, as of 10:00\n"),
        (csv, "17,192.0.2.5,5353,udp,\n"),
        (csv, "17,192.0.2.5,\"5353\",\"UDP\"\n"),
        (psutil, "print(1)"),
    ] {
        assert_eq!(unread(list, rest), None, "{list}{rest}");
    }
}

/// Each row of a list has its prefix, and so has its header.
#[test]
fn numbers_of_grep_are_no_part_of_a_row() {
    let lsof =
        "orders 42 app 9u IPv4 4205 0t0 TCP 192.0.2.5:40002->198.51.100.3:3306 (CLOSE_WAIT)\n";
    for before in ["", "12:", "lsof.txt:12:"] {
        let list = format!("{before}{lsof}");
        assert_eq!(stuck(&list), ["192.0.2.5:40002 198.51.100.3:3306 - orders[42] fd 9"]);
    }
    let header =
        "LocalAddress LocalPort RemoteAddress RemotePort State AppliedSetting OwningProcess";
    let row = "192.0.2.5 40002 198.51.100.3 3306 CloseWait Internet 42";
    for (of_header, of_row) in [("", ""), ("2:", "5:"), ("a.txt:2:", "a.txt:5:"), ("a:", "a:")] {
        let list = format!("{of_header}{header}\n{of_row}{row}\n");
        assert_eq!(stuck(&list), ["192.0.2.5:40002 198.51.100.3:3306 - pid 42"], "{list}");
    }
}

/// A table of a database, whose cells are between lines, numbered.
#[test]
fn numbers_of_grep_stand_before_a_table_too() {
    let list = " proto | local | remote | state | pid\n\
        -------+-------+--------+-------+----\n \
        tcp | 192.0.2.5:40002 | 198.51.100.3:3306 | CLOSE_WAIT | 42\n";
    let with = |before: fn(usize) -> String| -> String {
        list.lines().enumerate().map(|(n, line)| format!("{}{line}\n", before(n + 1))).collect()
    };
    for list in [
        with(|_| String::new()),
        with(|n| format!("{n}:")),
        with(|n| format!("a.txt:{n}:")),
        with(|n| format!("Nov 14 22:15:0{n} web-1 db[12]: ")),
    ] {
        assert_eq!(stuck(&list), ["192.0.2.5:40002 198.51.100.3:3306 - pid 42"], "{list}");
    }
}

/// A log of a pod has its name before each line of a table, also those between rows.
#[test]
fn a_rule_behind_a_prefix_is_no_row() {
    let table = "| State | Recv-Q | Send-Q | Local Address:Port | Peer Address:Port |\n\
        |---|---:|---:|---|---|\n\
        | CLOSE-WAIT | 1 | 0 | 192.0.2.5:40002 | 198.51.100.3:3306 |\n";
    let list: String = table.lines().map(|line| format!("[pod/web-1/ss] {line}\n")).collect();
    assert_eq!(stuck(&list), ["192.0.2.5:40002 198.51.100.3:3306 1 ?"]);
}

/// An array of strings that somebody cut out of JSON.
#[test]
fn processes_between_escaped_quotes_are_read() {
    // A name may have such a mark itself.
    let name =
        "CLOSE-WAIT 1 0 192.0.2.5:40002 198.51.100.3:3306 users:((\"b\\\"c\",pid=42,fd=9))\n";
    assert_eq!(stuck(name), ["192.0.2.5:40002 198.51.100.3:3306 1 b\\\"c[42] fd 9"]);
    let list = "\"CLOSE-WAIT 1 0 192.0.2.5:40002 198.51.100.3:3306 users:((\\\"shop\\\",pid=42,fd=9))\",\n";
    assert_eq!(stuck(list), ["192.0.2.5:40002 198.51.100.3:3306 1 shop[42] fd 9"]);
}

/// A fold within an address or a number leaves what may be whole.
#[test]
fn what_a_fold_took_away_is_not_told_without_it() {
    let ss = "CLOSE-WAIT 1 0 ::ffff:192.0.2.5:8080 ::ffff:203.0.113.4\n:51000 users:((\"shop\",pid=42,fd=9))\n";
    assert_eq!(stuck(ss), ["192.0.2.5:8080 203.0.113.4:51000 1 shop[42] fd 9"]);
    let windows = "  TCP 192.0.2.5:40002 198.51.100.3:3306 CLOSE_WAIT 4\n242\n";
    assert_eq!(stuck(windows), ["192.0.2.5:40002 198.51.100.3:3306 - ?"]);
    // cat -n has a number before an empty line, too.
    let numbered = windows.replace("\n242", "\n     2");
    assert_eq!(stuck(&numbered), ["192.0.2.5:40002 198.51.100.3:3306 - pid 4"]);
    let apart = windows.replace("\n242", "\n\n242");
    assert_eq!(stuck(&apart), ["192.0.2.5:40002 198.51.100.3:3306 - pid 4"]);
}

/// A sentence above a list without states may say which they are in.
#[test]
fn a_title_that_names_another_state_is_heeded() {
    let list = "\n\
        Recv-Q Send-Q Local Address:Port Peer Address:Port\n\
        0 0 192.0.2.5:40002 198.51.100.3:3306\n";
    for title in ["These are the ESTABLISHED ones, for comparison:", "# time-wait", "(FIN-WAIT-2)"]
    {
        let error = parse(&format!("{title}\n{list}")).map(|saved| saved.moments);
        let error = error.expect_err("no state").to_string();
        assert!(error.contains("line 4 looks like a socket"), "{error}");
    }
    for title in ["Connections established since the restart:", "ESTABLISHED no more, CLOSE_WAIT:"]
    {
        assert_eq!(stuck(&format!("{title}\n{list}")).len(), 1, "{title}");
    }
}

/// A log may have its newest lines first.
#[test]
fn the_latest_look_is_the_last_by_its_date() {
    let look = |minute: u8, stuck: u16| -> String {
        let header = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n";
        let line = |port| format!("CLOSE-WAIT 1 0 192.0.2.5:{port} 198.51.100.3:3306\n");
        let rows: String = (40_000..40_000 + stuck).map(line).collect();
        format!("2026-11-26 13:{minute}:00\n{header}{rows}")
    };
    let other = "ESTAB 0 0 192.0.2.5:22 198.51.100.3:50000\n";
    let looks = |list: String| {
        let saved = parse(&list).expect("lists");
        let stuck = |sockets: &[Socket]| sockets.iter().filter(|one| one.is_stuck()).count();
        let counts: Vec<usize> = saved.moments.iter().map(|one| stuck(&one.sockets)).collect();
        (counts, saved.ends_empty)
    };
    assert_eq!(looks(look(14, 5) + &look(13, 2)), (vec![2, 5], false));
    assert_eq!(looks(look(14, 5) + &look(13, 0) + other), (vec![0, 5], false));
    // One that is empty was made before the others, or after them.
    assert_eq!(looks(look(14, 5) + &look(13, 0)), (vec![5], false));
    assert_eq!(looks(look(14, 0) + &look(13, 5)), (vec![5], true));
    // Rules behind a date look like one.
    assert_eq!(looks(look(14, 0) + "2026-11-26 13:14:00 ----\n" + other), (vec![0], false));
    let scratch = Scratch::new();
    let path = scratch.write("list.txt", (look(14, 5) + &look(13, 2)).as_bytes());
    let (out, err) = text(&closewait(&["sockets", &path]));
    assert!(out.contains("5 sockets in CLOSE-WAIT") && out.contains("+3.0 a minute"), "{out}");
    assert_eq!(err, "");
}

/// Markdown has a mark before each `_`.
#[test]
fn what_markdown_escaped_is_read() {
    let psutil = "sconn(fd=3, type=<SocketKind.SOCK\\_STREAM: 1>, laddr=addr(ip='0.0.0.0', port=22), raddr=(), \
        status='LISTEN', pid=7)\n\
        sconn(fd=9, type=<SocketKind.SOCK\\_STREAM: 1>, laddr=addr(ip='192.0.2.5', port=40002), \
        raddr=addr(ip='198.51.100.3', port=3306), status='CLOSE\\_WAIT', pid=42)\n";
    assert_eq!(stuck(psutil), ["192.0.2.5:40002 198.51.100.3:3306 - pid 42"]);
    let sockets = parse(psutil).expect("a list").moments.remove(0).sockets;
    assert_eq!(sockets[0].state, State::Listen);
    let row = "tcp 1 0 192.0.2.5:40002 198.51.100.3:3306 CLOSE\\_WAIT 42/shop\n";
    assert_eq!(stuck(row), ["192.0.2.5:40002 198.51.100.3:3306 1 shop[42]"]);
}

/// The report leaves out what a list cannot say.
#[test]
fn a_list_without_queues_says_nothing_of_them() {
    let scratch = Scratch::new();
    let list = "TCP 192.0.2.5:40002 198.51.100.3:3306 CLOSE_WAIT 11092\n";
    let path = scratch.write("list.txt", list.as_bytes());
    let (out, _) = text(&closewait(&["sockets", &path]));
    assert!(
        out.contains("11092") && !out.contains("Recv-Q 0") && !out.contains("descriptors"),
        "{out}"
    );
    let lines = json_lines(&closewait(&["sockets", &path, "--format", "jsonl"]));
    assert_eq!(lines[0]["recv_q"], serde_json::Value::Null);
    assert_eq!(lines[0]["process"]["pid"], 11_092);
}

/// A host's own sockets, as its tools list them.
#[test]
fn the_tools_of_this_host_are_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let held: Vec<TcpStream> = (0..5)
        .map(|_| {
            let held = TcpStream::connect(("127.0.0.1", port)).expect("connected");
            drop(listener.accept().expect("accepted"));
            held
        })
        .collect();
    sleep(Duration::from_millis(100));
    let mut expected: Vec<u16> =
        held.iter().map(|stream| stream.local_addr().expect("connected").port()).collect();
    expected.sort_unstable();
    let me = i32::try_from(std::process::id()).expect("a pid");
    for (tool, args, names_process) in [
        ("ss", &["-tan"][..], false),
        ("ss", &["-tanpe"], true),
        ("ss", &["-tnoemi", "-p", "state", "close-wait"], true),
        ("ss", &["-a"], false),
        ("netstat", &["-ant"], false),
        ("netstat", &["-antp"], true),
        ("netstat", &["-Wantpeo"], true),
        ("netstat", &["-an"], false),
        ("lsof", &["-nP", "-iTCP"], true),
        ("lsof", &["-P", "-i"], true),
        ("cat", &["/proc/net/tcp", "/proc/net/tcp6"], false),
    ] {
        let Ok(output) = Command::new(tool).args(args).output() else {
            common::skip(tool);
            continue;
        };
        let list = String::from_utf8_lossy(&output.stdout).into_owned();
        let saved = parse(&list).unwrap_or_else(|error| panic!("{tool} {args:?}: {error}\n{list}"));
        assert_eq!(saved.unread, None, "{tool} {args:?}");
        let is_ours =
            |socket: &&Socket| socket.state == State::CloseWait && socket.peer.port == port;
        let found: Vec<&Socket> =
            saved.moments.last().expect("one").sockets.iter().filter(is_ours).collect();
        let mut ports: Vec<u16> = found.iter().map(|socket| socket.local.port).collect();
        ports.sort_unstable();
        assert_eq!(ports, expected, "{tool} {args:?}");
        if names_process {
            let ours = found.iter().all(|s| s.holders.iter().any(|holder| holder.pid == me));
            assert!(ours, "{tool} {args:?}:\n{list}");
        }
    }
}

/// A name in a list stands for an address in the capture, where the ports leave no doubt.
#[test]
fn names_join_by_their_ports() {
    let scratch = Scratch::new();
    let path = common::project("fixtures/scenarios/leak.scn");
    let scenario = common::scenario::Scenario::read(&path).expect("a scenario");
    let records = common::wire::MICROSECONDS.write(1, &scenario.records());
    let capture = scratch.write("x.pcap", &records);
    let flow = |list: &str| {
        let list = scratch.write("list.txt", list.as_bytes());
        json_lines(&closewait(&[&capture, "--sockets", &list, "--format", "jsonl"])).remove(0)
    };
    let line = "CLOSE-WAIT 1 0 web-1:38822 db-1:mysql users:((\"api\",pid=7,fd=6))\n";
    assert_eq!(flow(line)["process"]["pid"], 7);
    let other = "CLOSE-WAIT 1 0 web-2:38822 db-2:mysql users:((\"api\",pid=8,fd=6))\n";
    assert_eq!(
        flow(&format!("{line}{other}"))["process"],
        serde_json::Value::Null,
        "two could be it"
    );
}

/// Times of `ss -i`: below a socket, wrapped on the way, or in its line; what is 0 is left out.
#[test]
fn the_times_of_ss_are_those_of_its_socket() {
    let socket = |port: u16| {
        format!(
            "CLOSE-WAIT 0 0 192.0.2.5:{port} 198.51.100.3:3306 users:((\"x\",pid=7,fd=6)) timer:(keepalive,7sec,0)"
        )
    };
    let times = "cubic rto:204 cwnd:10 lastsnd:7869 lastrcv:7868 lastack:2868 pacing_rate 1Mbps";
    let list = format!(
        "{}\n\t {times}\n{}\n\t cubic rto:204 cwnd:10 lastsnd:3020\nlastrcv:3010 pacing_rate 1Mbps\n{} {times}\n{}\n",
        socket(1),
        socket(2),
        socket(3),
        socket(4)
    );
    let sockets = parse(&list).expect("a list").moments.remove(0).sockets;
    let ms = |time: Option<chrono::TimeDelta>| time.map(|time| time.num_milliseconds());
    let found: Vec<_> =
        sockets.iter().map(|s| (ms(s.held_for()), ms(s.idle_before_fin()))).collect();
    let whole = (Some(2_868), Some(5_000));
    assert_eq!(found, [whole, (Some(0), Some(3_010)), whole, (None, None)]);
    assert!(sockets[0].silence.expect("told").keep_alive);

    let scratch = Scratch::new();
    let path = scratch.write("list.txt", list.as_bytes());
    let (out, _) = text(&closewait(&["sockets", &path]));
    assert!(out.contains("held ≥ 0 s … ≥ 2.8 s; idle ≤ 3.0 s … 5.0 s\n"), "{out}");
    assert!(out.contains("a keep-alive after its FIN"), "{out}");
    let without = scratch.write("without.txt", socket(1).as_bytes());
    let (out, _) = text(&closewait(&["sockets", &without]));
    assert!(out.contains("Since when, the list does not say: ss -tanpoei does."), "{out}");
}

/// Three leaks after one pause show the other side's timer, and how many there are each minute.
#[test]
fn one_list_shows_the_timer_and_the_growth() {
    let line = |n: u32| {
        let (held, used) = (n * 6_000, n * 6_000 + 30_000 + n);
        format!(
            "CLOSE-WAIT 1 0 192.0.2.5:4000{n} 198.51.100.3:3306 users:((\"x\",pid=7,fd={n})) cwnd:10 lastsnd:{used} lastrcv:{used} lastack:{held}\n"
        )
    };
    let list: String = (1..=5).map(line).collect();
    let scratch = Scratch::new();
    let (out, _) = text(&closewait(&["sockets", &scratch.write("list.txt", list.as_bytes())]));
    let told = "held ≥ 6.0 s … ≥ 30.0 s, 8.0 a minute; idle ≤ 30.0 s: a timeout of about 30 s there (idle ± 2 ms)\n";
    assert!(out.contains(told), "{out}");
}

/// What answers to this host's keep-alives have made alike is their interval, and no timeout of the peer.
#[test]
fn no_timeout_is_told_from_answers_to_keep_alives() {
    let scratch = Scratch::new();
    let row = |n: u64, timer: &str, used: u64| {
        format!(
            "CLOSE-WAIT 1 0 192.0.2.5:4000{n} 198.51.100.3:3306 users:((\"x\",pid=7,fd={n})){timer} cwnd:10 lastsnd:{used} lastrcv:{used} lastack:{}\n",
            used - 16_000
        )
    };
    let header = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n";
    for (timer, is_told) in [("", true), (" timer:(keepalive,11sec,0)", false)] {
        let rows: String = (1..=4).map(|n| row(n, timer, 21_000 + 700 * n)).collect();
        let list = scratch.write("list.txt", format!("{header}{rows}").as_bytes());
        let (out, err) = text(&closewait(&["sockets", &list]));
        assert!(out.contains("idle ≤ 16.0 s"), "{out}{err}");
        assert_eq!(out.contains("a timeout of about 16 s there"), is_told, "{out}{err}");
    }
}
