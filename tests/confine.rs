//! What the two processes of a live capture can still do, and what not.
//!
//! Confinement is for good, so each is tried in a process of its own: this test program once more,
//! running one of the tests that do nothing without `CLOSEWAIT_CONFINED`.

mod common;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use closewait::capture::live::ring::Named;
use closewait::confine;
use common::{Scratch, is_root, skip, text};

/// Set in a process that is to be confined; holds a folder that it can write to before.
const CONFINED: &str = "CLOSEWAIT_CONFINED";

/// Runs one test of this program in a process of its own.
fn confined(test: &str) -> Output {
    let scratch = Scratch::new();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(scratch.path(), open).expect("ours");
    fs::write(scratch.path().join("there"), "readable").expect("room");
    Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CONFINED, scratch.path())
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn assert_passes(test: &str) {
    let output = confined(test);
    let (out, err) = text(&output);
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

fn refused<T>(what: &str, result: io::Result<T>) {
    let error = result.err().unwrap_or_else(|| panic!("{what}: was allowed"));
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{what}: {error}");
}

/// Writing, making, removing: nothing of it.
fn assert_no_writing(folder: &Path) {
    refused("a new file", File::create(folder.join("new")));
    refused("a file to write to", OpenOptions::new().append(true).open(folder.join("there")));
    refused("cutting a file", OpenOptions::new().write(true).truncate(true).open("/dev/null"));
    refused("a folder", fs::create_dir(folder.join("folder")));
    refused("removing", fs::remove_file(folder.join("there")));
    refused("renaming", fs::rename(folder.join("there"), folder.join("elsewhere")));
}

fn assert_no_sockets(port: u16) {
    refused("a listening socket", TcpListener::bind("127.0.0.1:0"));
    refused("a connection", TcpStream::connect(("127.0.0.1", port)));
    refused("a datagram socket", UdpSocket::bind("127.0.0.1:0"));
}

fn assert_no_programs() {
    refused("a program", Command::new("/bin/true").status());
}

/// The line of `/proc/thread-self/status` that begins so.
fn status(name: &str) -> String {
    let status = fs::read_to_string("/proc/thread-self/status").expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect("such a line").trim().to_owned()
}

/// What reads packets, as another user.
#[test]
fn packets_inside() {
    let Some(folder) = std::env::var_os(CONFINED) else { return };
    let folder = Path::new(&folder);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut open = File::create(folder.join("open")).expect("room");
    let landlock = confine::packets(Some("nobody"), &["lo".to_owned()], None).expect("it can be");

    assert_no_writing(folder);
    assert_no_sockets(port);
    assert_no_programs();
    if landlock {
        refused("a file to read", File::open(folder.join("there")));
        refused("its own memory", fs::read("/proc/self/maps"));
    } else {
        skip("landlock");
    }
    refused("another process", fs::read_dir("/proc/1/fd"));
    // What was opened before stays open.
    io::Write::write_all(&mut open, b"finding").expect("it is open");
    // Threads that begin later are confined, too.
    std::thread::spawn(move || assert_no_sockets(port)).join().expect("confined");
    if Path::new("/etc/localtime").exists() {
        fs::read("/etc/localtime").expect("times are told");
    }
}

#[test]
fn who_reads_packets_can_open_nothing() {
    if is_root() {
        assert_passes("packets_inside");
    }
}

/// What keeps packets in files that follow one another: they are made in one folder, and no other.
#[test]
fn ring_inside() {
    let Some(folder) = std::env::var_os(CONFINED) else { return };
    let folder = Path::new(&folder).join("ring");
    fs::create_dir(&folder).expect("room");
    let landlock = confine::packets(None, &["lo".to_owned()], Some(&folder)).expect("it can be");
    if !landlock {
        return skip("landlock");
    }
    for _ in 0..2 {
        Named::create(&folder.join("x")).expect("a file, and the same anew");
    }
    refused("a file beside it", Named::create(&folder.with_file_name("there")));
    refused("a file to read", File::open(folder.join("x")));
    refused("a file to remove", fs::remove_file(folder.join("x")));
    assert_no_programs();
}

#[test]
fn who_keeps_packets_makes_files_in_one_folder() {
    if is_root() {
        assert_passes("ring_inside");
    }
}

/// What names processes, as another user.
#[test]
fn lookup_inside() {
    let Some(folder) = std::env::var_os(CONFINED) else { return };
    let folder = Path::new(&folder);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    confine::lookup(Some("nobody"), false).expect("it can be confined");
    let begun = std::thread::Builder::new().spawn(|| {});
    refused("a thread", begun.map(|thread| thread.join()));

    assert_no_writing(folder);
    assert_no_sockets(port);
    assert_no_programs();
    assert_eq!((status("NoNewPrivs"), status("Seccomp")), ("1".into(), "2".into()));
    let nobody = "65534\t65534\t65534\t65534";
    assert_eq!((status("Uid"), status("Gid")), (nobody.into(), nobody.into()));
    // cap_dac_read_search is number 2, cap_sys_ptrace is number 19.
    let two = format!("{:016x}", 1 << 2 | 1 << 19);
    assert_eq!((status("CapEff"), status("CapPrm")), (two.clone(), two.clone()));
    assert_eq!(status("CapBnd"), two, "no program can give it more");
    // Process 1 is root's.
    assert!(fs::read_dir("/proc/1/fd").expect("another user's").count() > 0);
}

#[test]
fn who_names_processes_keeps_two_capabilities() {
    if is_root() {
        assert_passes("lookup_inside");
    }
}

/// What names code, as another user: events that were opened before are read, and no more of them.
#[test]
#[cfg(feature = "code")]
fn code_inside() {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    use closewait::code::Asked;
    use closewait::code::watch::Armed;
    let Some(folder) = std::env::var_os(CONFINED) else { return };
    let folder = Path::new(&folder);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let armed = Armed::arm().expect("root may");
    let mut client = TcpStream::connect(address).expect("it listens");
    let ends = (client.local_addr().expect("one").into(), address.into());
    let own = format!("/proc/self/fd/{}", client.as_raw_fd());
    let inode = fs::metadata(own).expect("its own socket").ino();
    confine::lookup(Some("nobody"), true).expect("it can be confined");

    assert_no_writing(folder);
    assert_no_sockets(address.port());
    assert_no_programs();
    let two = format!("{:016x}", 1 << 2 | 1 << 19);
    assert_eq!((status("CapEff"), status("CapBnd")), (two.clone(), two));
    assert!(Armed::arm().is_err(), "no more events");
    let mut watch = armed.begin();
    io::Write::write_all(&mut client, b"asked").expect("it is open");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let pid = std::process::id().cast_signed();
    let code = watch.code_of(ends, inode, &[pid], &Asked::default());
    // It was seen, and named.
    let last = format!("{:?}", code.last.expect("a send"));
    assert!(last.contains("confine::code_inside"), "{last}");
}

#[test]
#[cfg(feature = "code")]
fn who_names_code_can_open_no_more_events() {
    if !is_root() {
        return;
    }
    match fs::exists("/sys/kernel/tracing/events/sock/sock_send_length") {
        Ok(true) => assert_passes("code_inside"),
        _ => skip("tracefs"),
    }
}

#[test]
fn an_unknown_user_is_said() {
    let error =
        confine::packets(Some("no-such-user"), &[], None).expect_err("nobody has that name");
    assert!(error.to_string().contains("no such user"), "{error}");
}
