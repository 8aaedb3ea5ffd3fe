//! Two hosts and the path between them, as network namespaces.
//!
//! ```text
//! host A  eth0 ── near0  path  middle0 ── middle1  path  near1 ── eth0  host B
//!                    a faulty leg        a faulty leg
//! ```

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::common;

/// The hosts are 0 and 1.
pub const HOSTS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 91, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 91, 0, 2))];
const HARDWARE: [&str; 2] = ["02:00:00:00:00:01", "02:00:00:00:00:02"];

/// Names of namespaces begin with it, and with the id of the process that made them.
const PREFIX: &str = "cwlab";

/// The path's devices towards each host, and in its middle.
pub const NEAR: [&str; 2] = ["near0", "near1"];
pub const MIDDLE: [&str; 2] = ["middle0", "middle1"];

pub struct Network {
    pub hosts: [String; 2],
    pub path: String,
}

/// How the hosts' kernels are set up.
pub struct Settings {
    /// Seconds in FIN-WAIT-2 without a program.
    pub fin_timeout: u64,
    /// How often a segment is sent again before the connection is given up.
    pub retries: u64,
}

impl Network {
    pub fn new(batch: u64, settings: &Settings) -> Network {
        let name = |role: &str| format!("{PREFIX}{}-{batch}-{role}", std::process::id());
        let network = Network { hosts: [name("a"), name("b")], path: name("path") };
        for namespace in network.namespaces() {
            ip(&format!("netns add {namespace}"));
            ip(&format!("-n {namespace} link set lo up"));
        }
        let path = &network.path;
        ip(&format!("-n {path} link add {} type veth peer name {}", MIDDLE[0], MIDDLE[1]));
        for host in [0, 1] {
            network.connect(host);
            network.set_up(host, settings);
        }
        for device in MIDDLE.iter().chain(&NEAR) {
            ip(&format!("-n {path} link set {device} up"));
        }
        network
    }

    fn namespaces(&self) -> [&String; 3] {
        [&self.hosts[0], &self.hosts[1], &self.path]
    }

    fn connect(&self, host: usize) {
        let (name, path) = (&self.hosts[host], &self.path);
        let other = 1 - host;
        ip(&format!(
            "link add eth0 netns {name} address {} type veth peer name {} netns {path}",
            HARDWARE[host], NEAR[host]
        ));
        // Frames as they would be on a wire.
        ip(&format!("-n {name} link set eth0 gso_max_segs 1"));
        ip(&format!("-n {name} addr add {}/24 dev eth0", HOSTS[host]));
        ip(&format!("-n {name} link set eth0 up"));
        ip(&format!(
            "-n {name} neigh replace {} lladdr {} dev eth0 nud permanent",
            HOSTS[other], HARDWARE[other]
        ));
    }

    fn set_up(&self, host: usize, settings: &Settings) {
        let values = [
            ("net/ipv6/conf/all/disable_ipv6", 1),
            ("net/ipv4/tcp_tw_reuse", 1),
            ("net/ipv4/tcp_fin_timeout", settings.fin_timeout),
            ("net/ipv4/tcp_retries2", settings.retries),
            ("net/ipv4/tcp_orphan_retries", settings.retries),
        ];
        let lines: Vec<String> =
            values.iter().map(|(name, value)| format!("echo {value} > /proc/sys/{name}")).collect();
        let done = self.on(host, "sh").args(["-c", &lines.join(" && ")]).output();
        let done = done.expect("sh runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// A command on a host.
    pub fn on(&self, host: usize, program: &str) -> Command {
        inside(&self.hosts[host], program)
    }

    pub fn on_path(&self, program: &str) -> Command {
        inside(&self.path, program)
    }

    pub fn take_down(&self, host: usize) {
        ip(&format!("-n {} link set eth0 down", self.hosts[host]));
    }

    /// By which the kernel knows a host's namespace.
    pub fn inode(&self, host: usize) -> u64 {
        let path = format!("/run/netns/{}", self.hosts[host]);
        fs::metadata(&path).unwrap_or_else(|error| panic!("{path}: {error}")).ino()
    }
}

/// Namespaces of a run that was interrupted are removed by the next.
pub fn clear_leftovers() {
    let listed = common::tool("ip").args(["netns", "list"]).output().expect("ip runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| is_orphan(name)) {
        let _ = common::tool("ip").args(["netns", "del", name]).output();
    }
}

/// Is it the laboratory's, and is the process gone that made it?
fn is_orphan(namespace: &str) -> bool {
    let owner = namespace.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
    let owner = owner.and_then(|owner| owner.parse::<u32>().ok());
    owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists())
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in self.namespaces() {
            let _ = common::tool("ip").args(["netns", "del", namespace]).output();
        }
    }
}

/// `ip netns exec` becomes the program, so that the child's id is the program's.
fn inside(namespace: &str, program: &str) -> Command {
    let mut command = common::tool("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

fn ip(words: &str) {
    let done = common::tool("ip").args(words.split_whitespace()).output().expect("ip runs");
    assert!(done.status.success(), "ip {words}: {}", String::from_utf8_lossy(&done.stderr));
}
