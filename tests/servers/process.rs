//! Servers that a test starts for itself, and ends.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::common;

/// A process that ends with the test.
pub struct Process(pub Child);

impl Process {
    pub fn start(command: &mut Command) -> Option<Process> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().ok().map(Process)
    }
}

impl Drop for Process {
    /// Politely, so that its children end, too.
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        common::tool("kill").arg(&pid).status().ok();
        let begun = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(10) {
                self.0.kill().ok();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Waits until it is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream.set_nodelay(true).expect("an option");
    stream
}

pub fn port_of(stream: &TcpStream) -> u16 {
    stream.local_addr().expect("an address").port()
}

/// Waits for the server's FIN, and leaves the socket as it is.
pub fn await_fin(stream: &mut TcpStream) {
    use std::io::Read;
    // To the end, whatever interrupts it: a read with a timeout is not begun again by the kernel.
    stream.read_to_end(&mut Vec::new()).expect("a FIN, not a RST");
}
