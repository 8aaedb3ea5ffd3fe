//! The programs on the hosts and on the path.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::common;
use crate::network::{HOSTS, MIDDLE, NEAR, Network};
use crate::script::{PROGRAMS, Script, deaf_port, port};

/// A child that ends with its owner.
pub struct Program(Child);

impl Program {
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.0), signal);
    }

    /// Starts it, and waits for its first line.
    fn start(mut command: Command, log: &Path) -> Program {
        let err = File::create(log).expect("a writable folder");
        // Its input is open for as long as it shall run.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(err);
        let mut program = Program(command.spawn().expect("it starts"));
        let out = program.0.stdout.take().expect("a pipe");
        let mut word = String::new();
        let _ = BufReader::new(out).read_line(&mut word);
        let said = || fs::read_to_string(log).unwrap_or_default();
        assert!(!word.is_empty(), "{command:?}: {}", said());
        program
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.0.wait();
    }
}

/// A program of the project that cargo builds with the tests.
fn example(name: &str) -> String {
    let path = Path::new(common::BINARY).with_file_name("examples").join(name);
    assert!(path.exists(), "cargo build --all-features --example {name}");
    path.display().to_string()
}

/// The two legs of the path.
pub fn path(network: &Network, hops: u8, seed: u64, folder: &Path) -> Vec<Program> {
    let program = example("laboratory-path");
    let legs = [0, 1].map(|leg| {
        let mut command = network.on_path(&program);
        command.args([NEAR[leg], MIDDLE[leg]]);
        command.args([hops.to_string(), (seed * 2 + leg as u64).to_string()]);
        Program::start(command, &folder.join(format!("path-{leg}.log")))
    });
    legs.into()
}

pub struct Hosts {
    pub programs: [Vec<Program>; 2],
    /// Milliseconds since 1970.
    pub epoch: u64,
}

/// Time to start everything in.
const BEFORE_EPOCH: u64 = 300;

pub fn hosts(network: &Network, script: &Script, folder: &Path) -> Hosts {
    let program = example("laboratory-host");
    let epoch = now() + BEFORE_EPOCH;
    let programs = [0, 1].map(|host| {
        let start = |number: usize| {
            let lines: Vec<String> =
                script.parts[host][number].iter().map(Value::to_string).collect();
            let name = format!("{}-{number}", ["a", "b"][host]);
            let script = folder.join(format!("{name}.script"));
            fs::write(&script, lines.join("\n")).expect("a writable folder");
            let mut command = network.on(host, &program);
            command.arg(script).arg(log(folder, host, number));
            command.args([HOSTS[host].to_string(), HOSTS[1 - host].to_string()]);
            command.args([epoch.to_string()]);
            command.args([port(number), deaf_port(number)].map(|port| port.to_string()));
            Program::start(command, &folder.join(format!("{name}.err")))
        };
        (0..PROGRAMS).map(start).collect()
    });
    Hosts { programs, epoch }
}

fn log(folder: &Path, host: usize, number: usize) -> PathBuf {
    folder.join(format!("{}-{number}.jsonl", ["a", "b"][host]))
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

/// What the programs of a host did with the connection that was opened from `port`.
pub fn deeds(folder: &Path, host: usize, port: u16) -> Vec<String> {
    let logs = (0..PROGRAMS).map(|number| log(folder, host, number));
    let text: String = logs.map(|log| fs::read_to_string(log).unwrap_or_default()).collect();
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut deeds: Vec<(f64, String)> = entries
        .filter(|entry| entry["port"] == port)
        .map(|entry| {
            let at = entry["at"].as_f64().unwrap_or_default();
            let error = entry["error"].as_str().map(|e| format!(": {e}")).unwrap_or_default();
            (at, format!("{:.3} {}{error}", at % 1_000.0, entry["did"].as_str().unwrap_or("?")))
        })
        .collect();
    deeds.sort_by(|a, b| a.0.total_cmp(&b.0));
    deeds.into_iter().map(|(_, deed)| deed).collect()
}
