//! Network namespaces.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::thread::scope;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{NETNS, lacks, must, skip};

/// A namespace of this test's own.
pub struct Namespace(pub String);

impl Namespace {
    pub fn new(name: &str) -> Option<Namespace> {
        let name = format!("closewait-{name}-{}", std::process::id());
        if lacks(&[NETNS]).is_some() {
            skip("netns");
            return None;
        }
        must(Command::new("ip").args(["netns", "add", &name]));
        Some(Namespace(name))
    }

    pub fn ip(&self, arguments: &str) {
        let words: Vec<&str> = ["-n", &self.0].into_iter().chain(arguments.split(' ')).collect();
        assert!(ip(&words), "ip {arguments}");
    }

    /// Sockets that are made there stay there.
    pub fn inside<T: Send>(&self, make: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.0)).expect("a namespace");
        let enter = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).expect("root may");
            make()
        };
        scope(|threads| threads.spawn(enter).join().expect("it is made"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

/// Runs `ip`; true if it did it.
pub fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).output().is_ok_and(|output| output.status.success())
}
