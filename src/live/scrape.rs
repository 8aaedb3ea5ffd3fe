//! Answers Prometheus: a small HTTP server with bounds on everything.
//!
//! The thread that reads packets is never stopped: a scrape only asks for numbers ([`super::board`]), and
//! waits until the next packet or pause has somebody count. One thread looks after all who ask, and waits
//! for none of them: however many are silent or slow, the next one is heard.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::board::Board;
use super::visitor::Visitor;

/// Connections at a time; for one more, the oldest has to go.
const MOST: usize = 256;

/// Until time is looked at: while numbers are waited for, and else.
const SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
const LATER: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// Answers in a thread of its own, until the program ends.
pub fn serve(listener: TcpListener, board: &Arc<Board>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let board = Arc::clone(board);
    thread::Builder::new().spawn(move || {
        let mut visitors = Vec::new();
        loop {
            wait(&listener, &visitors);
            admit(&listener, &mut visitors);
            visitors.retain_mut(|visitor| visitor.go_on(&board));
        }
    })?;
    Ok(())
}

/// Until somebody has something to say, or time is to be looked at.
fn wait(listener: &TcpListener, visitors: &[Visitor]) {
    let mut fds = vec![PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
    for visitor in visitors.iter().filter(|visitor| !visitor.is_waiting()) {
        let for_what = if visitor.is_writing() { PollFlags::OUT } else { PollFlags::IN };
        fds.push(PollFd::from_borrowed_fd(visitor.stream.as_fd(), for_what));
    }
    let soon = visitors.iter().any(Visitor::is_waiting);
    let _ = poll(&mut fds, Some(if soon { &SOON } else { &LATER }));
}

fn admit(listener: &TcpListener, visitors: &mut Vec<Visitor>) {
    // Not more at once than have room, or the newest would push each other out unheard.
    for _ in 0..MOST {
        match listener.accept() {
            Ok((stream, _)) => {
                if visitors.len() >= MOST {
                    visitors.remove(0);
                }
                // Whoever is gone already is not missed.
                visitors.extend(Visitor::new(stream));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // No descriptors left, say: not a loop that burns a processor.
            Err(_) => {
                visitors.drain(..visitors.len().min(1));
                thread::sleep(Duration::from_millis(20));
                return;
            }
        }
    }
}
