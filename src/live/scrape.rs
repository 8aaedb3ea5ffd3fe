//! Answers Prometheus: a small HTTP server with bounds on everything.
//!
//! Who reads packets is never stopped: a scrape only asks for numbers ([`Board`]), and waits until the
//! next packet or pause has somebody count.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use httparse::{EMPTY_HEADER, Request, Status};

use crate::report::prometheus::{CONTENT_TYPE, text};
use crate::summary::gauges::Gauges;

/// Scrapes at a time; others wait in the listening socket's queue.
const THREADS: usize = 4;

/// A request must come within this, and its answer be taken.
const PATIENCE: Duration = Duration::from_secs(2);

/// Octets of a request, at most.
const LONGEST: usize = 8 * 1024;
const HEADERS: usize = 64;

/// Numbers this young are given again.
const FRESH: Duration = Duration::from_millis(200);

/// Where numbers are asked for, and put.
#[derive(Debug, Default)]
pub struct Board {
    wanted: AtomicBool,
    last: Mutex<Option<(Instant, Gauges)>>,
    put: Condvar,
}

impl Board {
    /// Somebody waits for numbers.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub fn put(&self, gauges: Gauges) {
        self.wanted.store(false, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Instant::now(), gauges));
        self.put.notify_all();
    }

    /// Numbers as of now; `None` if nobody counts.
    fn ask(&self) -> Option<Gauges> {
        let is_stale = |last: &mut Option<(Instant, Gauges)>| {
            last.as_ref().is_none_or(|(at, _)| at.elapsed() > FRESH)
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if is_stale(&mut last) {
            self.wanted.store(true, Ordering::Relaxed);
            let waited = self.put.wait_timeout_while(last, PATIENCE, is_stale);
            let (now, time) = waited.unwrap_or_else(PoisonError::into_inner);
            if time.timed_out() {
                return None;
            }
            last = now;
        }
        last.as_ref().map(|(_, gauges)| gauges.clone())
    }
}

/// Answers in threads of their own, until the program ends.
pub fn serve(listener: TcpListener, board: &Arc<Board>) -> io::Result<()> {
    let listener = Arc::new(listener);
    for _ in 0..THREADS {
        let (listener, board) = (Arc::clone(&listener), Arc::clone(board));
        thread::Builder::new().spawn(move || {
            loop {
                match listener.accept() {
                    // Whoever asked badly, or went away, gets no answer.
                    Ok((stream, _)) => drop(answer(stream, &board)),
                    // No descriptors left, say: not a loop that burns a processor.
                    Err(_) => thread::sleep(Duration::from_millis(100)),
                }
            }
        })?;
    }
    Ok(())
}

fn answer(mut stream: TcpStream, board: &Board) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let (status, kind, body) = match request(&mut stream)? {
        Some((method, _)) if method != "GET" => {
            ("405 Method Not Allowed", "text/plain", "GET\n".into())
        }
        Some((_, path)) if path == "/metrics" => match board.ask().map(text) {
            Some(Ok(text)) => ("200 OK", CONTENT_TYPE, text),
            _ => ("503 Service Unavailable", "text/plain", "nobody counts\n".into()),
        },
        Some(_) => ("404 Not Found", "text/plain", "/metrics\n".to_owned()),
        None => ("400 Bad Request", "text/plain", "GET /metrics\n".into()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Method and path; `None` if it is no request.
fn request(stream: &mut TcpStream) -> io::Result<Option<(String, String)>> {
    let until = Instant::now() + PATIENCE;
    let mut octets = [0; LONGEST];
    let mut len = 0;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let more = stream.read(&mut octets[len..])?;
        len += more;
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut request = Request::new(&mut headers);
        match request.parse(&octets[..len]) {
            Ok(Status::Complete(_)) => {
                let path = request.path.unwrap_or_default();
                let path = path.split('?').next().unwrap_or_default();
                return Ok(request.method.map(|method| (method.to_owned(), path.to_owned())));
            }
            Ok(Status::Partial) if more > 0 && len < LONGEST => {}
            _ => return Ok(None),
        }
    }
}
