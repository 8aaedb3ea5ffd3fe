//! The binary in a terminal: tmux sends keys, and tells what is to be seen.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::netns::Namespace;
use crate::common::{
    BINARY, NETNS, Need, ROOT, Scratch, closewait, command, is_root, lacks, project, skip, text,
    tool,
};
use crate::watcher::Server;

const TMUX: Need = ("tmux", "tmux", &["-V"]);

const APP: &str = "fixtures/captures/reproduction/app.pcap";

/// Nothing takes longer than this, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shell in a terminal of its own.
struct Terminal {
    socket: Scratch,
}

impl Terminal {
    /// One of this size; `None`, which is said, where there is no tmux.
    fn new(width: u16, height: u16) -> Option<Terminal> {
        if let Some(need) = lacks(&[TMUX]) {
            skip(need);
            return None;
        }
        let terminal = Terminal { socket: Scratch::new() };
        let size = [width.to_string(), height.to_string()];
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "env",
            "TZ=UTC",
            "PS1=$ ",
            "TERM=screen-256color",
            "NO_COLOR=",
            "LC_ALL=C.UTF-8",
            "sh",
        ]);
        terminal.tmux(&["set-option", "-g", "set-clipboard", "on"]);
        Some(terminal)
    }

    fn tmux(&self, args: &[&str]) -> String {
        let socket = self.socket.path().join("tmux");
        let output = Command::new("tmux").arg("-u").arg("-S").arg(&socket).args(args).output();
        let output = output.expect("tmux runs");
        assert!(output.status.success(), "{args:?}: {}", text(&output).1);
        text(&output).0
    }

    fn run(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.keys(&["Enter"]);
    }

    fn keys(&self, keys: &[&str]) {
        for key in keys {
            self.tmux(&["send-keys", key]);
        }
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen is as it should be, and returns it.
    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(started.elapsed() < PATIENCE, "never {what}:\n{screen}");
            sleep(Duration::from_millis(20));
        }
    }

    fn until_shows(&self, words: &str) -> String {
        self.until(words, |screen| screen.contains(words))
    }

    /// Waits until a screen with these words is drawn to its last line.
    fn until_whole(&self, words: &str) -> String {
        self.until(words, |screen| {
            let last = screen.lines().last().unwrap_or_default();
            screen.contains(words) && last.contains("? help")
        })
    }

    /// Waits until the program is gone and the shell is back as it was. Returns the exit status.
    fn until_ended(&self) -> String {
        // What is typed before that, it reads.
        let is_over = |_: &str| self.tmux(&["display", "-p", "#{alternate_on}"]) == "0\n";
        self.until("over", is_over);
        self.until("the prompt", |screen| {
            screen.trim_end().lines().last().is_some_and(|line| line.trim_end().ends_with('$'))
        });
        self.run("echo status=$?; stty -a | grep -ow -- '-*echo'");
        let screen = self.until("the shell", |screen| {
            screen.contains("status=") && screen.lines().any(|line| line == "echo")
        });
        assert_eq!(self.tmux(&["display", "-p", "#{alternate_on} #{mouse_any_flag}"]), "0 0\n");
        let status = screen.rsplit("status=").find(|rest| rest.starts_with(char::is_numeric));
        status.expect("a status").lines().next().unwrap_or_default().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.socket.path().join("tmux");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}

fn top(args: &str) -> String {
    format!("{BINARY} top {args}")
}

#[test]
fn a_capture_is_replayed_at_three_sizes() {
    for (width, height) in [(80, 24), (120, 40), (300, 100)] {
        let Some(terminal) = Terminal::new(width, height) else { return };
        terminal.run(&top(project(APP).to_str().expect("UTF-8")));
        // It is drawn cell by cell: whatever is looked for is waited for.
        terminal.until("all parts", |screen| {
            let title = screen.lines().nth(1).unwrap_or_default();
            let words = ["25 in CLOSE-WAIT", "transaction-open", "Connections 1 of 26", "? help"];
            screen.lines().count() == usize::from(height)
                && title.contains("CLOSE-WAIT over time")
                && words.iter().all(|words| screen.contains(words))
        });
        terminal.keys(&["b"]);
        terminal.until_shows("0 in CLOSE-WAIT");
        terminal.keys(&["n", "n", "n"]);
        terminal.until("the third finding", |screen| !screen.contains(" 0 in CLOSE-WAIT"));
        terminal.keys(&["e"]);
        terminal.until_whole("25 in CLOSE-WAIT");
        // Played so fast that it is over at once.
        terminal.keys(&["+", "+", "+", "+", "+", "+", "+", "+", "Space"]);
        terminal.until("an end that has come again", |screen| {
            screen.contains("25 in CLOSE-WAIT") && !screen.contains('▶')
        });
        terminal.keys(&["/"]);
        terminal.tmux(&["send-keys", "-l", "local:172.18.0.5:47902"]);
        terminal.until_shows("Connections 1 of 1");
        terminal.keys(&["Enter", "Tab", "Tab", "Enter"]);
        terminal.until_shows("15 packets in 4.0 s");
        terminal.keys(&["q"]);
        assert_eq!(terminal.until_ended(), "1");
    }
}

/// Captures of several points go together: a step to a finding shows them both at that time.
#[test]
fn several_points_are_replayed_together() {
    let Some(terminal) = Terminal::new(120, 40) else { return };
    let paths = [APP, "fixtures/captures/reproduction/db-any.pcap"].map(project);
    terminal.run(&top(&format!("{} {}", paths[0].display(), paths[1].display())));
    let count = |screen: &str| {
        let words = screen.lines().next().and_then(|head| head.split(" in CLOSE-WAIT").next());
        words.and_then(|words| words.rsplit(' ').next()?.parse::<u32>().ok())
    };
    let is_read = |screen: &str| count(screen).is_some_and(|n| n > 20);
    let all = count(&terminal.until("the end", is_read));
    terminal.keys(&["b"]);
    terminal.until("none", |screen| count(screen) == Some(0));
    terminal.keys(&["n"]);
    terminal.until("the first", |screen| count(screen).is_some_and(|n| 0 < n && n < 5));
    // Played so fast that it is over at once.
    terminal.keys(&["+", "+", "+", "+", "+", "+", "+", "+", "Space"]);
    terminal.until("the end", |screen| count(screen) == all && !screen.contains('▶'));
    terminal.keys(&["q"]);
    assert_eq!(terminal.until_ended(), "1");
}

#[test]
fn what_is_chosen_is_written_and_copied() {
    let Some(terminal) = Terminal::new(100, 30) else { return };
    let folder = Scratch::new();
    let path = project(APP);
    terminal.run(&format!("cd {}", folder.path().display()));
    terminal.run(&top(path.to_str().expect("UTF-8")));
    terminal.until_whole("25 in CLOSE-WAIT");
    terminal.keys(&["Tab", "c"]);
    terminal.until_shows("copied: tshark");
    let copied = terminal.tmux(&["show-buffer"]);
    assert!(copied.starts_with("tshark -r ") && copied.contains("frame.number"), "{copied}");
    terminal.keys(&["BTab", "Down", "w"]);
    terminal.until_shows("packets of 10 connections written to closewait-1.pcapng");
    terminal.keys(&["r"]);
    terminal.until_shows("report written to closewait-1.html");
    terminal.keys(&["q"]);
    terminal.until_ended();
    let written = folder.path().join("closewait-1.pcapng");
    let report = closewait(&["--format", "jsonl", written.to_str().expect("UTF-8")]);
    let findings = text(&report).0.matches("\"finding\":true").count();
    assert_eq!(findings, 10, "{}", text(&report).0);
    let page = std::fs::read_to_string(folder.path().join("closewait-1.html")).expect("a page");
    assert!(page.contains("<svg") && page.contains("transaction-open"));
}

/// However it ends, the terminal is as it was.
#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    for signal in ["TERM", "INT", "HUP", "QUIT", "USR1"] {
        let Some(terminal) = Terminal::new(80, 24) else { return };
        terminal.run(&top(project(APP).to_str().expect("UTF-8")));
        terminal.until_whole("25 in CLOSE-WAIT");
        let pane = terminal.tmux(&["display", "-p", "#{pane_pid}"]);
        let status = tool("pkill").args([&format!("-{signal}"), "-P", pane.trim()]).status();
        assert!(status.expect("pkill runs").success());
        assert_eq!(terminal.until_ended(), "1", "{signal}");
    }
}

/// Nobody looks any more: it ends, and does not read a terminal that is closed again and again.
#[test]
fn a_terminal_that_is_closed_ends_it() {
    let Some(terminal) = Terminal::new(80, 24) else { return };
    // Nobody tells it by a signal: the terminal is closed, and that is all.
    terminal.run(&format!("setsid {} <$(tty) >$(tty) 2>&1 & echo pid=$!", top(APP)));
    terminal.until_whole("25 in CLOSE-WAIT");
    let all = tool("pgrep").args(["-n", "-f", &top(APP)]).output().expect("pgrep runs");
    let pid = text(&all).0.lines().next().expect("it runs").to_owned();
    drop(terminal);
    let started = Instant::now();
    while std::path::Path::new("/proc").join(&pid).exists() {
        assert!(started.elapsed() < PATIENCE, "{pid} goes on");
        sleep(Duration::from_millis(50));
    }
}

/// Run by the test below, in a terminal of its own.
#[test]
#[ignore = "it panics"]
fn panics() {
    let screen = closewait::commands::top::screen::Screen::enter().expect("a terminal");
    let _kept = screen;
    panic!("so it does");
}

#[test]
fn a_panic_leaves_the_terminal_as_it_was() {
    let Some(terminal) = Terminal::new(80, 24) else { return };
    let own = std::env::current_exe().expect("a path");
    terminal.run(&format!("{} --ignored --exact --nocapture driven::panics", own.display()));
    terminal.until_shows("so it does");
    assert_eq!(terminal.until_ended(), "101");
}

#[test]
fn a_terminal_that_changes_its_size_is_drawn_anew() {
    let Some(terminal) = Terminal::new(80, 24) else { return };
    terminal.run(&top(project(APP).to_str().expect("UTF-8")));
    terminal.until_whole("25 in CLOSE-WAIT");
    terminal.tmux(&["resize-window", "-x", "130", "-y", "40"]);
    terminal.until("wide", |screen| {
        let title = screen.lines().nth(1).unwrap_or_default();
        screen.lines().count() == 40 && title.chars().count() > 125
    });
    terminal.tmux(&["resize-window", "-x", "30", "-y", "10"]);
    terminal.until_shows("40 × 16 at least");
    terminal.keys(&["q"]);
    terminal.tmux(&["resize-window", "-x", "80", "-y", "24"]);
    assert_eq!(terminal.until_ended(), "1");
}

#[test]
fn where_there_is_no_terminal_a_sentence_says_what_to_do() {
    let output = closewait(&["top", APP]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).1.contains("standard input is no terminal"), "{}", text(&output).1);
    let Some(terminal) = Terminal::new(100, 24) else { return };
    terminal.run(&format!("TERM=dumb {}", top("")));
    terminal.until_shows("use closewait live");
    assert_eq!(terminal.until_ended(), "2");
    terminal.run(&format!("clear; {} | cat", top("x.pcap")));
    terminal.until_shows("No such file");
    terminal
        .run(&format!("clear; {} | cat", top(Path::new(&project(APP)).to_str().expect("UTF-8"))));
    terminal.until_shows("standard output is no terminal");
}

/// Words that are no files are an expression; what belongs to the other mode is refused.
#[test]
fn arguments_are_told_apart() {
    let refused = |args: &[&str]| {
        let output = command(&[&["top"], args].concat()).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(2));
        text(&output).1
    };
    assert!(refused(&["-i", "lo", APP]).contains("is a file"));
    assert!(refused(&["-Z", "nobody", APP]).contains("only for this host"));
    assert!(refused(&["none/x.pcap"]).contains("No such file"));
    assert!(refused(&["-f", "no such", APP]).contains("filter"));
}

/// Clients of this process that their server has left, in a network namespace of their own or not.
fn leaks(n: usize) -> (Server, Vec<TcpStream>) {
    let server = Server::new();
    let left = (0..n).map(|_| server.left_behind()).collect();
    (server, left)
}

/// An expression for connections of a server, and of nobody else.
fn alone(server: &Server) -> String {
    format!("host 127.0.0.1 and port {}", server.port())
}

/// The lines of a screen that do not change with time: groups and connections without their clocks.
fn steady(screen: &str) -> Vec<String> {
    let lines = screen.lines().skip_while(|line| !line.contains("Groups ("));
    let lines = lines.filter(|line| line.contains("127.0.0.1:") && line.contains("CLOSE-WAIT"));
    let columns = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ends = words.iter().filter(|word| word.starts_with("127.0.0.1:"));
        ends.copied().collect::<Vec<_>>().join(" ")
    };
    lines.map(columns).collect()
}

#[test]
fn a_host_is_shown_with_processes_and_a_capture_of_it_ends_on_the_same_screen() {
    if !is_root() {
        return;
    }
    let Some(terminal) = Terminal::new(120, 40) else { return };
    let (server, before) = leaks(1);
    // The kernel may wait before it acknowledges a FIN, and what comes later is captured, too.
    sleep(Duration::from_secs(2));
    let folder = Scratch::new();
    let kept = folder.path().join("seen.pcap");
    // Other programs' clients may have the same port at other addresses of the loopback interface.
    let line = format!("-i lo --min-hold 0s -w {} {}", kept.display(), alone(&server));
    terminal.run(&top(&line));
    terminal.until_whole("1 in CLOSE-WAIT");
    let held: Vec<TcpStream> = (0..12).map(|_| server.left_behind()).collect();
    terminal.until_whole("13 in CLOSE-WAIT: 12 of 12 connections, 1 from before");
    let me = format!("[{}]", std::process::id());
    let screen = terminal.until("processes and descriptors", |screen| {
        screen.contains(&me) && screen.contains("descriptors")
    });
    assert!(screen.contains("limit "), "{screen}");
    terminal.keys(&["/"]);
    terminal.tmux(&["send-keys", "-l", "cause:forgotten"]);
    // Of the one that was there before no cause is known: only now is one chosen that has it.
    terminal.until("the cause", |screen| {
        screen.contains("Connections 1 of 12") && screen.contains("why: forgotten")
    });
    terminal.keys(&["Enter", "s", "s", "s"]);
    let live = steady(&terminal.until_shows("by local"));
    assert_eq!(live.len(), 12, "{live:?}");
    terminal.keys(&["q"]);
    assert_eq!(terminal.until_ended(), "1");

    terminal.run(&format!("clear; {}", top(kept.to_str().expect("UTF-8"))));
    terminal.until_whole("12 in CLOSE-WAIT of 12 connections");
    terminal.keys(&["/"]);
    terminal.tmux(&["send-keys", "-l", "cause:forgotten"]);
    terminal.keys(&["Enter", "s", "s", "s"]);
    let replayed = steady(&terminal.until_shows("by local"));
    assert_eq!(replayed, live);
    terminal.keys(&["q"]);
    terminal.until_ended();
    drop((before, held));
}

/// Packets are kept while the screen shows them, and are there when they are wished for: again and again, without
/// any right to open a file. What was kept goes when the screen does.
#[test]
fn packets_of_a_host_are_written_while_it_is_looked_at() {
    if !is_root() {
        return;
    }
    let Some(terminal) = Terminal::new(120, 40) else { return };
    let (server, before) = leaks(1);
    sleep(Duration::from_secs(1));
    let folder = Scratch::new();
    terminal.run(&format!("cd {}; export TMPDIR=$PWD/kept; mkdir kept", folder.path().display()));
    terminal.run(&top(&format!("-i lo --min-hold 0s '{}'", alone(&server))));
    terminal.until_whole("1 in CLOSE-WAIT");
    terminal.keys(&["w"]);
    terminal.until_shows("no packet of these was captured");
    let mut held: Vec<TcpStream> = (0..3).map(|_| server.left_behind()).collect();
    terminal.until_shows("4 in CLOSE-WAIT: 3 of 3 connections, 1 from before");
    terminal.keys(&["r"]);
    terminal.until_shows("report written to closewait-1.html");
    held.extend((0..2).map(|_| server.left_behind()));
    terminal.until_shows("6 in CLOSE-WAIT: 5 of 5 connections, 1 from before");
    // What was held for less is in doubt (brief).
    sleep(Duration::from_secs(1));
    terminal.keys(&["w"]);
    terminal.until_shows("packets of 5 connections written to closewait-1.pcapng");
    // The first is that of before.
    terminal.keys(&["Tab", "Down", "w"]);
    terminal.until_shows("packets of 1 connection written to closewait-2.pcapng");
    terminal.keys(&["q"]);
    assert_eq!(terminal.until_ended(), "1");

    let findings = |name: &str| {
        let file = folder.path().join(name);
        let report = text(&closewait(&["--format", "jsonl", file.to_str().expect("UTF-8")])).0;
        // Whole, and none in doubt: the file ends when it was wished for.
        report.matches("\"finding\":true,\"reason\":null,\"doubts\":[]").count()
    };
    assert_eq!((findings("closewait-1.pcapng"), findings("closewait-2.pcapng")), (5, 1));
    let page = std::fs::read_to_string(folder.path().join("closewait-1.html")).expect("a page");
    let me = format!("[{}]", std::process::id());
    for words in ["holds 3 connections", &me, "Stuck before the capture", "closewait top -i lo"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let started = Instant::now();
    while std::fs::read_dir(folder.path().join("kept")).expect("a folder").next().is_some() {
        assert!(started.elapsed() < PATIENCE, "what was kept stays");
        sleep(Duration::from_millis(20));
    }
    drop((before, held));
}

/// Of a process that reads packets: what it may do is in its status.
#[test]
fn a_screen_of_packets_has_few_rights_and_ends_by_a_signal() {
    if !is_root() {
        return;
    }
    let Some(terminal) = Terminal::new(100, 30) else { return };
    let (server, held) = leaks(3);
    terminal.run(&top(&format!("-Z nobody -i lo port {}", server.port())));
    terminal.until_whole("3 in CLOSE-WAIT");
    let shell = terminal.tmux(&["display", "-p", "#{pane_pid}"]);
    let own = tool("pgrep").args(["-P", shell.trim(), "closewait"]).output().expect("pgrep runs");
    let pid = text(&own).0.trim().to_owned();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let has = |line: &str| status.lines().any(|own| own.split_whitespace().eq(line.split(' ')));
    assert!(has("CapEff: 0000000000000000") && has("Seccomp: 2"), "{status}");
    assert!(has("NoNewPrivs: 1") && !status.contains("Uid:\t0"), "{status}");
    terminal.tmux(&["resize-window", "-x", "130", "-y", "40"]);
    terminal.until("wide", |screen| {
        let title = screen.lines().nth(1).unwrap_or_default();
        screen.lines().count() == 40 && title.chars().count() > 125
    });
    let killed = tool("kill").args(["-TERM", &pid]).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(terminal.until_ended(), "1");
    drop(held);
}

/// Without the right to capture the kernel's list is all there is, and that is said.
#[test]
fn without_the_right_to_capture_the_kernels_list_is_shown() {
    if !is_root() {
        return;
    }
    let Some(terminal) = Terminal::new(120, 30) else { return };
    let (server, mut held) = leaks(5);
    let port = server.port();
    let nobody = "setpriv --reuid 65533 --regid 65533 --clear-groups";
    terminal.run(&format!("{nobody} {}", top(&format!("port {port}"))));
    let screen = terminal.until("the list", |screen| {
        screen.contains("5 in CLOSE-WAIT") && screen.contains("(unknown)")
    });
    assert!(screen.contains("the kernel's list alone"), "{screen}");
    assert!(screen.contains("setcap cap_net_raw=ep"), "{screen}");
    held.truncate(2);
    terminal.until_shows("2 in CLOSE-WAIT");
    terminal.keys(&["q"]);
    assert_eq!(terminal.until_ended(), "1");
}

/// In a network namespace that is another's, by one of its processes.
#[test]
fn a_namespace_is_looked_at() {
    if let Some(need) = lacks(&[ROOT, NETNS]) {
        return skip(need);
    }
    let Some(terminal) = Terminal::new(100, 24) else { return };
    let script = "ip link set lo up; exec sleep 1000";
    let mut inside = tool("unshare").args(["--net", "sh", "-c", script]).spawn().expect("it runs");
    let pid = inside.id();
    let own = std::fs::read_link("/proc/self/ns/net").expect("a namespace");
    let started = Instant::now();
    while std::fs::read_link(format!("/proc/{pid}/ns/net")).ok().is_none_or(|ns| ns == own) {
        assert!(started.elapsed() < PATIENCE);
        sleep(Duration::from_millis(10));
    }
    let (_server, held) = leaks(1);
    terminal.run(&top(&format!("--netns {pid}")));
    // What this namespace holds is none of its business.
    terminal.until_whole("0 in CLOSE-WAIT of 0 connections");
    terminal.keys(&["q"]);
    assert_eq!(terminal.until_ended(), "0");
    inside.kill().expect("a child");
    inside.wait().expect("a child");
    drop(held);
}

/// What was found stays on the screen when its interface goes, and why nothing new comes is said until it is left. Its
/// packets are there all the same.
#[test]
fn a_screen_outlives_its_interface() {
    if !is_root() {
        return;
    }
    let Some(terminal) = Terminal::new(100, 24) else { return };
    let Some(ours) = Namespace::new("top") else { return };
    let Some(theirs) = Namespace::new("beyond") else { return };
    ours.ip(&format!("link add d0 type veth peer name d1 netns {}", theirs.0));
    for (namespace, end, host) in [(&ours, 0, 1), (&theirs, 1, 2)] {
        namespace.ip(&format!("addr add 10.78.1.{host}/24 dev d{end}"));
        namespace.ip(&format!("link set d{end} up"));
    }
    let folder = Scratch::new();
    terminal.run(&format!("cd {}", folder.path().display()));
    terminal.run(&top(&format!("--netns {} --min-hold 0s -i d0", ours.0)));
    terminal.until_whole("0 in CLOSE-WAIT of 0 connections");
    let server = theirs.inside(|| Server::at("10.78.1.2:0"));
    let held = ours.inside(|| server.left_behind());
    terminal.until_shows("1 in CLOSE-WAIT of 1 connection");
    ours.ip("link del d0");
    let ended = "d0: the capture ended";
    terminal.until_shows(ended);
    terminal.keys(&["?"]);
    terminal.until_shows("any of them closes this");
    terminal.keys(&["x"]);
    terminal.until("the screen as it was", |screen| {
        !screen.contains("any of them closes this") && screen.contains(ended)
    });
    terminal.keys(&["w"]);
    terminal.until_shows("packets of 1 connection written to closewait-1.pcapng");
    terminal.keys(&["q"]);
    assert_eq!(terminal.until_ended(), "2");
    drop(held);
}
