//! HTTP/2 without TLS, for an observer (RFC 9113): with prior knowledge, or after an upgrade.
//!
//! * `frames`: frames out of octets
//! * `fields`: header fields out of blocks, as HPACK packs them; `huffman`: strings in them
//! * `streams`: requests that wait for their answers
//! * `goaway`: what an end says before it closes, and the names of errors
//!
//! Never wrong, rather unknown. Bodies are skipped by their frames; a frame that is cut off tells by its
//! header all the same. Where the header of one was not seen, the thread is taken up at a segment that is
//! nothing but frames, and what was open then is not known any more.

mod fields;
mod frames;
mod goaway;
mod huffman;
mod streams;
#[cfg(test)]
mod tests;

use super::asked::Asked;
use super::path;
use crate::attach::facts::name;
use crate::attach::kept::Kept;
use crate::attach::{ErrorCode, Facts, PathStep, Peer, ServerError};
use crate::place::Time;
use crate::tcp::stream::Piece;
use fields::{Name, Table};
use frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, GOAWAY, HEADERS, PADDED, PRIORITY,
    PUSH_PROMISE, RST_STREAM, size,
};
pub use frames::{are_frames, is_beginning};
use goaway::{Goaway, Trouble};
use streams::Streams;

/// A client's first words.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Octets of a block of header fields that are kept.
const MAX_BLOCK: usize = 8 * 1_024;

/// Octets of a method that are kept.
const LONGEST_METHOD: usize = 16;

/// One connection.
#[derive(Clone, Debug, Default)]
pub struct Two {
    client: Half,
    server: Half,
    /// Octets of the preface that have come.
    preface: usize,
    streams: Streams,
    host: Kept,
    agent: Kept,
    product: Kept,
    /// The status of the last answer that has come whole.
    status: Kept,
    /// Fields of the head that is read.
    fields: Fields,
    trouble: Option<Trouble>,
    goaway: Option<Goaway>,
    /// The client took its leave.
    left: bool,
    truncated: bool,
    /// The time at which it was known last that answers were lost.
    lost_at: Option<Time>,
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Half {
    frames: Frames,
    table: Table,
    heard: bool,
    /// A head whose end has not come.
    head: Option<Head>,
}

/// A block of header fields, and what it belongs to.
#[derive(Clone, Debug, Default)]
struct Head {
    stream: u32,
    ends: bool,
    is_promise: bool,
    block: Vec<u8>,
    cut: bool,
}

/// Fields that tell something.
#[derive(Clone, Debug, Default)]
struct Fields {
    method: Kept,
    path: Kept,
    authority: Kept,
    status: Kept,
    is_grpc: bool,
    product: Kept,
    grpc_status: Kept,
}

impl Two {
    /// Begins after so many octets of the preface.
    pub fn begin(preface: usize) -> Two {
        Two { preface, ..Two::default() }
    }

    /// Begins after an upgrade, which a request of the old version asked for, by this client to this host: its answer is
    /// to come.
    pub fn upgraded(asked: Asked, [host, agent]: [Kept; 2]) -> Two {
        let mut two = Two { host, agent, ..Two::default() };
        two.streams.begin(1, Some(asked));
        two
    }

    /// Begins with the server's first words, behind some of the client's that were not seen.
    pub fn answering_what_was_lost() -> Two {
        let mut two = Two::default();
        two.lose(Peer::Client);
        two
    }

    /// Begins in the middle.
    pub fn in_the_middle() -> Two {
        let mut two = Two { preface: PREFACE.len(), ..Two::default() };
        two.lose(Peer::Client);
        two.lose(Peer::Server);
        two
    }

    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        let Two { host, agent, product, status, fields, .. } = self;
        let names = [host, agent, product, status].into_iter().chain(fields.all());
        self.client.heap_octets()
            + self.server.heap_octets()
            + self.streams.heap_octets()
            + names.map(Kept::heap_octets).sum::<usize>()
    }

    pub fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>) {
        match piece {
            Piece::Data(data) => self.read(from, at, data),
            // Where its beginning comes, all the same.
            Piece::Missing(0) if !self.half(from).heard => self.half(from).frames.lose(),
            Piece::Missing(octets) => {
                let mut frames = core::mem::take(&mut self.half(from).frames);
                if from == Peer::Client && self.preface < PREFACE.len() {
                    frames.lose();
                } else if let Some(frame) = frames.miss(octets).map(Frame::from) {
                    self.frame(from, at, frame);
                }
                self.put_back(from, at, frames, false);
            }
        }
    }

    pub fn has_heard_server(&self) -> bool {
        self.server.heard
    }

    fn half(&mut self, from: Peer) -> &mut Half {
        match from {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        }
    }

    fn put_back(&mut self, from: Peer, at: Time, frames: Frames, was_lost: bool) {
        let is_lost = frames.is_lost();
        self.half(from).frames = frames;
        if is_lost && !was_lost {
            if from == Peer::Server {
                self.lost_at = Some(at);
            }
            self.lose(from);
        }
    }

    /// Something was not seen: what is open is not known any more.
    pub fn lose(&mut self, from: Peer) {
        let half = self.half(from);
        half.frames.lose();
        half.table.forget();
        half.head = None;
        (self.truncated, self.goaway) = (true, None);
        match from {
            Peer::Client => {
                self.streams.lose_requests();
                self.host.set(None);
                self.preface = PREFACE.len();
            }
            Peer::Server => {
                self.streams.lose_answers();
                self.status.set(None);
                self.trouble = None;
            }
        }
    }

    fn read(&mut self, from: Peer, at: Time, mut data: &[u8]) {
        if from == Peer::Client && !self.read_preface(&mut data) {
            return self.lose(Peer::Client);
        }
        let was_heard = core::mem::replace(&mut self.half(from).heard, true);
        let begins = from == Peer::Client || is_beginning(data);
        if self.half(from).frames.is_lost() && !was_heard && !begins {
            self.lose(from);
        }
        let mut frames = core::mem::take(&mut self.half(from).frames);
        if frames.is_lost() && are_frames(data) {
            frames.find();
        }
        let was_lost = frames.is_lost();
        while let Some(frame) = frames.next(&mut data, size).map(Frame::from) {
            self.frame(from, at, frame);
        }
        self.put_back(from, at, frames, was_lost);
    }

    /// Returns whether what has come of the preface is right.
    fn read_preface(&mut self, data: &mut &[u8]) -> bool {
        let awaited = PREFACE.get(self.preface..).unwrap_or_default();
        let (here, rest) = data.split_at(data.len().min(awaited.len()));
        if !awaited.starts_with(here) {
            return false;
        }
        (self.preface, *data) = (self.preface + here.len(), rest);
        true
    }

    fn frame(&mut self, from: Peer, at: Time, frame: Frame<'_>) {
        let is_continued = frame.kind == CONTINUATION;
        if self.half(from).head.is_some() && !is_continued {
            // A head goes on with its next frame, or this is none.
            self.half(from).head = None;
            self.half(from).table.forget();
            self.truncated = true;
            if from == Peer::Client {
                self.streams.lose_requests();
                self.host.set(None);
            }
        }
        match frame.kind {
            DATA if from == Peer::Server && frame.flags & END_STREAM != 0 => {
                self.answered(frame.stream);
            }
            HEADERS | PUSH_PROMISE | CONTINUATION => self.head(from, at, frame),
            RST_STREAM => self.reset(from, frame),
            GOAWAY if from == Peer::Client => self.left = true,
            GOAWAY => {
                self.goaway = Goaway::read(frame.body, frame.cut);
                // Whether it was without an error was cut off.
                self.truncated |= self.goaway.is_none();
            }
            _ => {}
        }
    }

    fn head(&mut self, from: Peer, at: Time, frame: Frame<'_>) {
        let is_whole = frame.flags & END_HEADERS != 0;
        let mut fields = core::mem::take(&mut self.fields);
        fields.clear();
        let half = self.half(from);
        let mut head = match frame.kind {
            CONTINUATION => match half.head.take() {
                Some(head) if head.stream == frame.stream => head,
                // Its beginning was not seen.
                _ => Head { stream: frame.stream, cut: true, ..Head::default() },
            },
            kind => Head {
                stream: frame.stream,
                ends: kind == HEADERS && frame.flags & END_STREAM != 0,
                is_promise: kind == PUSH_PROMISE,
                ..Head::default()
            },
        };
        if is_whole && frame.kind != CONTINUATION {
            // All of it is here: nothing has to be kept.
            let (block, cut) = block(&frame).map_or((&[][..], true), |part| (part, frame.cut));
            head.cut = cut;
            half.table.read(block, !cut, |name, value| fields.add(name, value));
        } else {
            head.add(&frame);
            if !is_whole {
                half.head = Some(head);
                self.fields = fields;
                return;
            }
            half.table.read(&head.block, !head.cut, |name, value| fields.add(name, value));
        }
        match from {
            _ if head.is_promise => {}
            Peer::Client => self.asked(at, &head, &fields),
            Peer::Server => self.answer(&head, &fields),
        }
        self.fields = fields;
    }

    fn asked(&mut self, at: Time, head: &Head, fields: &Fields) {
        let has_method = fields.method.get().is_some();
        // Every request names its host; where that was cut off, another's is none of it.
        if head.cut || fields.authority.get().is_some() {
            self.host.set(fields.authority.get());
        }
        if fields.product.get().is_some() {
            self.agent.set(fields.product.get());
        }
        let said = fields.method.get().zip(fields.path.get()).map(|(method, path)| {
            let method = method.get(..LONGEST_METHOD).unwrap_or(method);
            let mut asked = self.streams.room();
            asked.set(at, method, path, fields.is_grpc);
            asked
        });
        self.streams.asked(head.stream, said, has_method);
        // What came before it was lost, too, and it was read late: it may have been answered.
        if self.lost_at.is_some_and(|lost_at| at < lost_at) {
            self.streams.lose_answers();
        }
    }

    fn answer(&mut self, head: &Head, fields: &Fields) {
        if fields.product.get().is_some() {
            self.product.set(fields.product.get());
        }
        if let Some(status) = fields.status.get().filter(|status| !status.starts_with(b"1")) {
            self.status.set(Some(status));
        }
        if head.ends {
            self.answered(head.stream);
            let status = fields.grpc_status.get().filter(|status| *status != b"0");
            self.trouble = status.map(|status| Trouble::Grpc(name(status)));
        }
    }

    fn answered(&mut self, stream: u32) {
        self.trouble = None;
        self.streams.end(stream);
    }

    fn reset(&mut self, from: Peer, frame: Frame<'_>) {
        if from == Peer::Client {
            self.streams.cancel(frame.stream);
        } else {
            self.streams.end(frame.stream);
            let code = frame.body.first_chunk().map(|code| u32::from_be_bytes(*code));
            self.trouble = code.filter(|code| *code != 0).map(Trouble::Reset);
        }
    }

    pub fn facts(&self, literals: bool, facts: Facts) -> Facts {
        let last = self.streams.last();
        let shown = last.map(|asked| asked.show(literals));
        Facts {
            confirmed: Some(true),
            server: self.product.name(),
            database: self.host.get().and_then(path::host),
            application: self.agent.name(),
            last_command: last.map(|_| "request"),
            last_statement_at: last.map(|asked| asked.at),
            answered: self.answered_all().filter(|_| !self.streams.is_cancelled()),
            no_answer: self.streams.is_cancelled(),
            announced: self.announced(),
            server_error: self.error(literals),
            goodbye: self.left.then_some("GOAWAY"),
            path: shown.iter().cloned().map(PathStep::Said).collect(),
            last_statement: shown,
            remarks: self.remarks(),
            truncated: self.truncated,
            ..facts
        }
    }

    fn answered_all(&self) -> Option<bool> {
        let is_begun = self.client.head.is_some();
        match self.streams.open() {
            0 if self.streams.is_new() => None,
            0 if self.client.frames.is_lost() || self.server.frames.is_lost() => None,
            // Of whom nobody has seen a request, others may be open.
            0 if self.streams.last().is_none() => None,
            0 => self.streams.is_known().then_some(true).filter(|_| !is_begun),
            _ => Some(false),
        }
    }

    /// A close without an error, and no request of those that were to be answered is open.
    fn announced(&self) -> Option<&'static str> {
        let goaway = self.goaway.as_ref().filter(|goaway| goaway.code == 0)?;
        (!self.streams.is_open_to(goaway.last))
            .then_some("the server sent GOAWAY, without an error")
    }

    fn error(&self, literals: bool) -> Option<ServerError> {
        if let Some(goaway) = self.goaway.as_ref().filter(|goaway| goaway.code != 0) {
            return Some(goaway.error(literals));
        }
        let trouble = self.trouble.as_ref()?;
        let (code, message) = (trouble.name(), trouble.message().into());
        let code = ErrorCode::Name(code.into());
        Some(ServerError { code, sqlstate: None, message, unsolicited: false })
    }

    fn remarks(&self) -> Vec<Box<str>> {
        let goaway = self.goaway.as_ref().map(|goaway| goaway.remark(&self.streams));
        let open = match self.streams.open() {
            0 => None,
            1 => Some("1 request open".into()),
            open => Some(format!("{open} requests open").into()),
        };
        let status = self.status.name().map(|status| super::of_status(&status));
        let cancelled =
            self.streams.is_cancelled().then(|| "the client cancelled its last request".into());
        goaway.into_iter().chain(open).chain(status).chain(cancelled).collect()
    }
}

impl Half {
    fn heap_octets(&self) -> usize {
        let head = self.head.as_ref().map_or(0, |head| head.block.capacity());
        self.frames.heap_octets() + self.table.heap_octets() + head
    }
}

impl Head {
    /// Adds what a frame has of the block.
    fn add(&mut self, frame: &Frame<'_>) {
        let Some(part) = block(frame) else {
            self.cut = true;
            return;
        };
        let room = if self.cut { 0 } else { MAX_BLOCK.saturating_sub(self.block.len()) };
        self.cut |= frame.cut || room < part.len();
        self.block.extend_from_slice(part.get(..room).unwrap_or(part));
    }
}

/// Returns a frame's part of a block, without what is around it.
fn block<'a>(frame: &Frame<'a>) -> Option<&'a [u8]> {
    let mut part = frame.body;
    if frame.kind == CONTINUATION {
        return Some(part);
    }
    if frame.flags & PADDED != 0 {
        let (padding, after) = part.split_first()?;
        let padding = if frame.cut { 0 } else { usize::from(*padding) };
        part = after.get(..after.len().checked_sub(padding)?)?;
    }
    let before = match frame.kind {
        PUSH_PROMISE => 4,
        HEADERS if frame.flags & PRIORITY != 0 => 5,
        _ => 0,
    };
    part.get(before..)
}

impl Fields {
    fn all(&self) -> [&Kept; 6] {
        let Fields { method, path, authority, status, product, grpc_status, .. } = self;
        [method, path, authority, status, product, grpc_status]
    }

    fn clear(&mut self) {
        let Fields { method, path, authority, status, product, grpc_status, is_grpc } = self;
        *is_grpc = false;
        let all = [method, path, authority, status, product, grpc_status];
        all.into_iter().for_each(|field| field.set(None));
    }

    fn add(&mut self, name: Name, value: &[u8]) {
        let slot = match name {
            Name::Method => &mut self.method,
            Name::Path => &mut self.path,
            // Who names it twice means the first (RFC 9113, 8.3.1).
            Name::Authority if self.authority.get().is_some() => return,
            Name::Authority => &mut self.authority,
            Name::Status => &mut self.status,
            Name::GrpcStatus => &mut self.grpc_status,
            Name::Server | Name::UserAgent => {
                return self.product.set(Some(super::heads::product(value)));
            }
            Name::ContentType => {
                self.is_grpc = value.starts_with(b"application/grpc");
                return;
            }
            Name::Other => return,
        };
        slot.set(Some(value));
    }
}
