//! Heads out of octets, and the bodies between them.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use memchr::{memchr_iter, memmem};

use crate::attach::{GLANCE, Probe};

/// The longest head that is read.
const MAX_HEAD: usize = 16 * 1_024;
const MAX_HEADERS: usize = 100;

/// The longest line that says how long a chunk is.
const MAX_LINE: usize = 256;

/// The length of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Octets(u64),
    Chunks,
    ToTheEnd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Body(u64),
    /// The line before a chunk.
    Size,
    Chunk(u64),
    /// After the last chunk, up to an empty line.
    Trailer,
    ToTheEnd,
    Lost,
}

/// One direction.
#[derive(Clone, Debug, Default)]
pub struct Heads {
    state: State,
    kept: Vec<u8>,
}

/// A request, by its head.
pub struct Request<'h> {
    pub method: &'h [u8],
    pub target: &'h [u8],
    pub host: Option<&'h [u8]>,
    /// The product that the client names itself by.
    pub agent: Option<&'h [u8]>,
    pub closes: bool,
    /// HTTP/1.0, and it does not ask to stay (RFC 9112, 9.3).
    pub is_old: bool,
    /// It would go on in HTTP/2.
    pub upgrades: bool,
}

/// An answer, by its head.
pub struct Response<'h> {
    pub status: u16,
    pub body: Body,
    pub product: Option<&'h [u8]>,
    pub closes: bool,
    pub stays: bool,
    /// HTTP/1.0, and it does not stay.
    pub is_old: bool,
    /// It goes on in HTTP/2.
    pub upgrades: bool,
}

/// The beginning of HTTP/2's preface looks like a head.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// A step of reading.
pub enum Step<'d> {
    /// A head, up to the empty line.
    Head(Cow<'d, [u8]>),
    /// No more heads yet.
    More,
    /// This is no head.
    Odd,
}

/// A request line: a method, a target, and the version where the line ends here.
#[inline(never)]
pub fn probe(first: &[u8]) -> Probe {
    if first.starts_with(PREFACE) {
        return Probe::Sure;
    }
    // A snap length cut it.
    if first.len() >= GLANCE && PREFACE.starts_with(first) {
        return Probe::Likely;
    }
    const METHODS: [&[u8]; 9] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"DELETE ",
        b"OPTIONS ",
        b"PATCH ",
        b"CONNECT ",
        b"TRACE ",
    ];
    let Some(method) = METHODS.iter().find(|method| first.starts_with(method)) else {
        return Probe::No;
    };
    let target = first.get(method.len()..).unwrap_or_default();
    let line = target.split(|octet| b"\r\n".contains(octet)).next().unwrap_or(target);
    let begins = matches!(target, [b'/' | b'*' | b'h', ..]) || *method == b"CONNECT ";
    match line.len() < target.len() {
        true if line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") => Probe::Sure,
        false if begins && line.iter().all(u8::is_ascii_graphic) => Probe::Likely,
        _ => Probe::No,
    }
}

impl Heads {
    pub fn heap_octets(&self) -> usize {
        self.kept.capacity()
    }

    pub fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Nothing of a message has come that has not ended.
    pub fn is_between(&self) -> bool {
        self.state == State::Head && self.kept.is_empty()
    }

    /// A body has begun whose end is known, and has not come.
    pub fn is_in_body(&self) -> bool {
        matches!(self.state, State::Body(_) | State::Size | State::Chunk(_) | State::Trailer)
    }

    /// A body has begun that has not ended, as far as its end is known.
    pub fn has_body(&self) -> bool {
        self.is_in_body() || self.goes_to_the_end()
    }

    /// A body has begun that ends with the connection.
    pub fn goes_to_the_end(&self) -> bool {
        self.state == State::ToTheEnd
    }

    /// A request's head has begun, by its whole first line, and has not ended.
    pub fn has_half_a_request(&self) -> bool {
        self.state == State::Head && probe(&self.kept) == Probe::Sure
    }

    /// The direction ends, and so does a body that goes on to the end.
    pub fn end(&mut self) {
        if self.state == State::ToTheEnd {
            self.state = State::Head;
        }
    }

    pub fn lose(&mut self) {
        (self.state, self.kept) = (State::Lost, Vec::new());
    }

    pub fn find(&mut self) {
        (self.state, self.kept) = (State::Head, Vec::new());
    }

    /// So many octets cannot be seen; `true`: they belong to a body.
    pub fn miss(&mut self, octets: u64) -> bool {
        match &mut self.state {
            State::Body(rest) | State::Chunk(rest) if octets > 0 && octets <= *rest => {
                *rest -= octets;
                if self.state == State::Body(0) {
                    self.state = State::Head;
                } else if self.state == State::Chunk(0) {
                    self.state = State::Size;
                }
                true
            }
            State::ToTheEnd if octets > 0 => true,
            _ => {
                self.lose();
                false
            }
        }
    }

    /// Reads a request's head, after which its body is skipped. `None`: it is none.
    ///
    /// One whose fields cannot be read is a request all the same, by its first line: a server refuses it.
    pub fn request<'h>(&mut self, head: &'h [u8]) -> Option<Request<'h>> {
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(head, &mut headers);
        let is_read = matches!(parsed, Ok(httparse::Status::Complete(_)));
        if !is_read && probe(head) != Probe::Sure {
            return None;
        }
        let headers = if is_read { &*request.headers } else { &[] };
        let fields = Fields::of(headers);
        self.begin(match fields.body().unwrap_or(Body::Octets(0)) {
            Body::ToTheEnd => Body::Octets(0),
            body => body,
        });
        Some(Request {
            method: request.method?.as_bytes(),
            target: request.path?.as_bytes(),
            host: fields.host,
            agent: fields.agent.map(product),
            closes: fields.closes,
            is_old: request.version == Some(0) && !fields.stays,
            upgrades: fields.upgrades,
        })
    }

    /// Reads an answer's head. `bare`: it answers a HEAD, and has no body.
    pub fn response<'h>(&mut self, head: &'h [u8], bare: bool) -> Option<Response<'h>> {
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            head,
            &mut headers,
        );
        if !matches!(parsed, Ok(httparse::Status::Complete(_))) {
            return None;
        }
        let (status, fields) = (response.code?, Fields::of(&*response.headers));
        let is_bare = bare || status < 200 || status == 204 || status == 304;
        let body = match is_bare {
            true => Body::Octets(0),
            false => fields.body().unwrap_or(Body::ToTheEnd),
        };
        self.begin(body);
        Some(Response {
            status,
            body,
            product: fields.server.map(product),
            closes: fields.closes,
            stays: fields.stays,
            is_old: response.version == Some(0) && !fields.stays,
            upgrades: status == 101 && fields.upgrades,
        })
    }

    /// Takes octets up to the end of a head.
    pub fn next<'d>(&mut self, data: &mut &'d [u8]) -> Step<'d> {
        loop {
            if data.is_empty() {
                return Step::More;
            }
            match self.state {
                State::Head => {
                    if !self.skip_empty_lines(data) {
                        return Step::More;
                    }
                    let Some(head) = self.up_to(data, end_of_head, MAX_HEAD) else {
                        let is_odd = self.kept.len() >= MAX_HEAD || !could_begin(&self.kept);
                        return if is_odd { Step::Odd } else { Step::More };
                    };
                    return Step::Head(head);
                }
                State::Body(rest) => {
                    let rest = skip(data, rest);
                    self.state = if rest == 0 { State::Head } else { State::Body(rest) };
                }
                State::Chunk(rest) => {
                    let rest = skip(data, rest);
                    self.state = if rest == 0 { State::Size } else { State::Chunk(rest) };
                }
                State::Size => {
                    let Some(line) = self.up_to(data, end_of_line, MAX_LINE) else {
                        let is_odd = self.kept.len() >= MAX_LINE;
                        return if is_odd { Step::Odd } else { Step::More };
                    };
                    let Some(size) = chunk_size(&line) else { return Step::Odd };
                    self.state = if size == 0 {
                        State::Trailer
                    } else {
                        State::Chunk(size.saturating_add(2))
                    };
                }
                State::Trailer => {
                    let Some(line) = self.up_to(data, end_of_line, MAX_LINE) else {
                        let is_odd = self.kept.len() >= MAX_LINE;
                        return if is_odd { Step::Odd } else { Step::More };
                    };
                    if line.len() == 2 {
                        self.state = State::Head;
                    }
                }
                State::ToTheEnd | State::Lost => return Step::More,
            }
        }
    }

    /// Skips empty lines before a head, which are none of it (RFC 9112, 2.2). Returns whether anything is left.
    fn skip_empty_lines(&self, data: &mut &[u8]) -> bool {
        if self.kept.is_empty() {
            let lines = data.iter().take_while(|octet| b"\r\n".contains(octet)).count();
            *data = data.get(lines..).unwrap_or_default();
        }
        !data.is_empty()
    }

    fn begin(&mut self, body: Body) {
        self.state = match body {
            Body::Octets(0) => State::Head,
            Body::Octets(octets) => State::Body(octets),
            Body::Chunks => State::Size,
            Body::ToTheEnd => State::ToTheEnd,
        };
    }

    /// Octets up to the end that `find` finds; as long as it has not come they are kept, up to `most`.
    fn up_to<'d>(&mut self, data: &mut &'d [u8], find: Find, most: usize) -> Option<Cow<'d, [u8]>> {
        let before = self.kept.len();
        // Nearly all lie in one piece.
        if before == 0
            && let Some(found) = find(data.get(..most).unwrap_or(data))
            && let Some((all, after)) = data.split_at_checked(found)
        {
            *data = after;
            return Some(Cow::Borrowed(all));
        }
        let taken = data.len().min(most.saturating_sub(before));
        self.kept.extend_from_slice(data.get(..taken).unwrap_or(data));
        let from = before.saturating_sub(LONGEST_END);
        let Some(found) = find(self.kept.get(from..)?) else {
            *data = data.get(taken..).unwrap_or_default();
            return None;
        };
        let all = from + found;
        *data = data.get(all.saturating_sub(before)..).unwrap_or_default();
        let mut head = core::mem::take(&mut self.kept);
        head.truncate(all);
        Some(Cow::Owned(head))
    }
}

/// Returns how many octets there are with the first end among them.
type Find = fn(&[u8]) -> Option<usize>;

/// Octets of the longest end.
const LONGEST_END: usize = 4;

/// An empty line; CR may be missing (RFC 9112, 2.2).
fn end_of_head(octets: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', octets).find_map(|at| match octets.get(at + 1..)? {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

fn end_of_line(octets: &[u8]) -> Option<usize> {
    memmem::find(octets, b"\r\n").map(|at| at + 2)
}

/// A head begins with a method or a version.
fn could_begin(head: &[u8]) -> bool {
    let blank = head.iter().position(|octet| *octet == b' ');
    let first = head.get(..blank.unwrap_or(head.len())).unwrap_or(head);
    let is_word = |octet: &u8| octet.is_ascii_uppercase() || b"/.-1_0\r\n".contains(octet);
    first.iter().take(24).all(is_word) && (blank.is_some() || head.len() < 24)
}

fn skip(data: &mut &[u8], rest: u64) -> u64 {
    let taken = data.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
    *data = data.get(taken..).unwrap_or_default();
    rest - taken as u64
}

/// The size in the line before a chunk.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|octet| matches!(octet, b';' | b'\r' | b' ')).next()?;
    u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

/// Fields that tell something; of one that comes twice, the first.
#[derive(Default)]
struct Fields<'h> {
    host: Option<&'h [u8]>,
    agent: Option<&'h [u8]>,
    server: Option<&'h [u8]>,
    length: Option<&'h [u8]>,
    coding: Option<&'h [u8]>,
    closes: bool,
    stays: bool,
    upgrades: bool,
}

impl<'h> Fields<'h> {
    fn of(headers: &[httparse::Header<'h>]) -> Fields<'h> {
        let mut fields = Fields::default();
        headers.iter().for_each(|header| fields.add(header));
        fields
    }

    fn add(&mut self, header: &httparse::Header<'h>) {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let value = header.value;
        // Most are told by the lengths of their names.
        let slot = match header.name.len() {
            4 if is("host") => &mut self.host,
            6 if is("server") => &mut self.server,
            10 if is("user-agent") => &mut self.agent,
            14 if is("content-length") => &mut self.length,
            17 if is("transfer-encoding") => &mut self.coding,
            10 if is("connection") => {
                self.closes |= has(value, b"close");
                self.stays |= has(value, b"keep-alive");
                return;
            }
            7 if is("upgrade") => {
                self.upgrades |= has(value, b"h2c");
                return;
            }
            _ => return,
        };
        slot.get_or_insert(value);
    }

    /// The length of a body, as far as its head says.
    fn body(&self) -> Option<Body> {
        if let Some(coding) = self.coding {
            let is_chunked =
                coding.last_chunk::<7>().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
            return Some(if is_chunked { Body::Chunks } else { Body::ToTheEnd });
        }
        Some(Body::Octets(str::from_utf8(self.length?).ok()?.trim().parse().ok()?))
    }
}

/// Returns whether a list has this word.
fn has(list: &[u8], word: &[u8]) -> bool {
    let mut words = list.split(|octet| *octet == b',');
    words.any(|one| one.trim_ascii().eq_ignore_ascii_case(word))
}

/// The product before any comment: `Go-http-client/1.1`.
pub fn product(value: &[u8]) -> &[u8] {
    let end = memchr::memchr(b' ', value).unwrap_or(value.len());
    value.get(..end).unwrap_or(value)
}
