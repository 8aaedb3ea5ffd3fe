//! One connection of whoever scrapes: a request that comes in pieces, an answer that is taken in pieces.
//! Nothing here waits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use httparse::{EMPTY_HEADER, Request, Status};

use super::board::Board;
use crate::report::prometheus::{OPEN_METRICS, PLAIN, text};

/// A request must have come within this, and its answer be taken.
const PATIENCE: Duration = Duration::from_secs(2);

/// Numbers must have come within this; Prometheus itself waits for ten seconds, if it is not told otherwise.
const COUNTED: Duration = Duration::from_secs(8);

/// Octets of a request, at most.
const LONGEST: usize = 8 * 1024;
const HEADERS: usize = 64;

/// A page for whoever comes with a browser.
const FRONT: &str = "<!doctype html><title>closewait</title><a href=\"/metrics\">/metrics</a> <a href=\"/healthz\">/healthz</a>\n";

/// The stage of one visit: asking, waiting for numbers, being answered.
enum Stage {
    Asking(Vec<u8>),
    /// Numbers have been asked for: all of them, or only whether they come.
    Waiting(Wish),
    Answered {
        answer: Vec<u8>,
        taken: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    OpenMetrics,
    Plain,
    Health,
}

/// A connection, and until when it is waited for.
pub struct Visitor {
    pub stream: TcpStream,
    came: Instant,
    stage: Stage,
}

impl Visitor {
    pub fn new(stream: TcpStream) -> io::Result<Visitor> {
        stream.set_nonblocking(true)?;
        Ok(Visitor { stream, came: Instant::now(), stage: Stage::Asking(Vec::new()) })
    }

    /// Waits to be answered, and not to be heard.
    pub fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_))
    }

    pub fn is_writing(&self) -> bool {
        matches!(self.stage, Stage::Answered { .. })
    }

    /// Goes on as far as it can. False once it is over: answered, gone, or too slow.
    pub fn go_on(&mut self, board: &Board) -> bool {
        self.hear(board)
            && self.count(board)
            && self.tell()
            && self.came.elapsed() < COUNTED + PATIENCE
    }

    fn hear(&mut self, board: &Board) -> bool {
        let Stage::Asking(heard) = &mut self.stage else { return true };
        let mut octets = [0; LONGEST];
        match self.stream.read(&mut octets) {
            Ok(0) => return false,
            Ok(n) => heard.extend_from_slice(&octets[..n]),
            Err(error) if is_for_later(&error) => return self.came.elapsed() < PATIENCE,
            Err(_) => return false,
        }
        let stage = match wish(heard) {
            Ok(None) if heard.len() < LONGEST => return true,
            Ok(Some(wish)) => {
                board.want();
                Stage::Waiting(wish)
            }
            Ok(None) => answered("400 Bad Request", PLAIN, "GET /metrics\n"),
            Err((status, kind, body)) => answered(status, kind, body),
        };
        self.stage = stage;
        true
    }

    fn count(&mut self, board: &Board) -> bool {
        let Stage::Waiting(wish) = self.stage else { return true };
        self.stage = match board.fresh() {
            Some(_) if wish == Wish::Health => answered("200 OK", PLAIN, "ok\n"),
            Some(gauges) => {
                let open = wish == Wish::OpenMetrics;
                match text(gauges, open) {
                    Ok(text) => answered("200 OK", if open { OPEN_METRICS } else { PLAIN }, &text),
                    Err(_) => return false,
                }
            }
            None if self.came.elapsed() < COUNTED => return true,
            None => answered("503 Service Unavailable", PLAIN, "nobody counts\n"),
        };
        true
    }

    fn tell(&mut self) -> bool {
        let Stage::Answered { answer, taken } = &mut self.stage else { return true };
        while *taken < answer.len() {
            match self.stream.write(&answer[*taken..]) {
                Ok(0) => return false,
                Ok(n) => *taken += n,
                Err(error) => return is_for_later(&error),
            }
        }
        false
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn answered(status: &str, kind: &str, body: &str) -> Stage {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    Stage::Answered { answer: (head + body).into_bytes(), taken: 0 }
}

/// The wish, `None` if the request is not whole, or what is to be answered at once.
fn wish(octets: &[u8]) -> Result<Option<Wish>, (&'static str, &'static str, &'static str)> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = Request::new(&mut headers);
    match request.parse(octets) {
        Ok(Status::Partial) => return Ok(None),
        Ok(Status::Complete(_)) => {}
        Err(_) => return Err(("400 Bad Request", PLAIN, "GET /metrics\n")),
    }
    if request.method != Some("GET") {
        return Err(("405 Method Not Allowed", PLAIN, "GET\n"));
    }
    let path = request.path.unwrap_or_default().split('?').next();
    match path.unwrap_or_default() {
        "/metrics" => {
            let is_open = |header: &httparse::Header| {
                header.name.eq_ignore_ascii_case("accept")
                    && String::from_utf8_lossy(header.value)
                        .contains("application/openmetrics-text")
            };
            let open = request.headers.iter().any(is_open);
            Ok(Some(if open { Wish::OpenMetrics } else { Wish::Plain }))
        }
        "/healthz" => Ok(Some(Wish::Health)),
        "/" => Err(("200 OK", "text/html; charset=utf-8", FRONT)),
        _ => Err(("404 Not Found", PLAIN, "/metrics\n")),
    }
}
