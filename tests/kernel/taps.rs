//! Captures by tcpdump.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::truth::Truth;

/// Where the tap is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    Host(usize),
    Between,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Whole,
    /// It begins when much has happened already.
    Late,
    /// It ends while much still happens.
    Cut,
    /// Its buffer is small, and it is kept from the processor.
    Ring,
    /// SYN, FIN and RST.
    Flags,
}

const FLAGS: &str = "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0";

/// A tcpdump at work.
pub struct Tap {
    pub stand: Stand,
    pub kind: Kind,
    pub file: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

/// A capture that has ended.
pub struct Capture {
    pub stand: Stand,
    pub kind: Kind,
    pub file: PathBuf,
    /// As tcpdump says when it ends: its file has no place for it.
    pub dropped: u64,
    /// Of both hosts.
    pub truth: [Truth; 2],
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Tap {
    /// `inside` is tcpdump in the namespace.
    pub fn start(
        mut inside: Command,
        device: &str,
        stand: Stand,
        kind: Kind,
        folder: &Path,
    ) -> Tap {
        let name = match stand {
            Stand::Host(host) => format!("{}-{kind:?}", ["a", "b"][host]),
            Stand::Between => format!("between-{kind:?}"),
        };
        let file = folder.join(format!("{}.pcap", name.to_lowercase()));
        let log = file.with_extension("log");
        inside.args(["-n", "-U", "-Z", "root", "-i", device, "-w"]).arg(&file);
        match kind {
            Kind::Ring => drop(inside.args(["-B", "16"])),
            Kind::Flags => drop(inside.arg(FLAGS)),
            _ => {}
        }
        let err = File::create(&log).expect("a writable folder");
        let child = inside.stdin(Stdio::null()).stdout(Stdio::null()).stderr(err).spawn();
        let child = Some(child.expect("tcpdump starts"));
        Tap { stand, kind, file, log, child }
    }

    pub fn wait_until_it_listens(&self) {
        let began = Instant::now();
        while !self.said().contains("listening on") {
            assert!(began.elapsed() < PATIENCE, "tcpdump does not listen: {}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// Ends it, if it has not ended already.
    pub fn stop(&mut self) {
        self.signal(Signal::INT);
        if let Some(mut child) = self.child.take() {
            child.wait().expect("tcpdump ends");
        }
    }

    pub fn into_capture(mut self, truth: [Truth; 2]) -> Capture {
        self.stop();
        let said = self.said();
        let dropped = said.lines().find_map(|line| {
            line.split_once(" packets dropped by kernel")
                .or_else(|| line.split_once(" packet dropped by kernel"))
                .and_then(|(number, _)| number.parse().ok())
        });
        let dropped = dropped.unwrap_or_else(|| panic!("{}: {said}", self.log.display()));
        Capture {
            stand: self.stand,
            kind: self.kind,
            file: std::mem::take(&mut self.file),
            dropped,
            truth,
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}
