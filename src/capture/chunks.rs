//! Chunks of a plain file that other threads read and decode ahead of whoever takes its packets.
//!
//! Only the walk through all records before it can tell where the first record of a chunk begins. So each thread guesses
//! it, by records that follow one another, and a chunk counts only if the one before it ends there; any other is read once
//! more, from there on. So a packet may carry whatever it likes, a capture even, and no answer depends on a guess.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::Frame;
use super::again::fetch;
use super::buffer::Buffer;
use super::classic::Classic;
use super::pcapng::Pcapng;
use super::record::Record;
use super::stop::Stop;
use crate::tcp::segment::Segment;

/// Octets of a chunk: the records that begin among them.
const CHUNK: u64 = 512 << 10;

/// Octets that are read behind a chunk, for what is left of its last record, at first and at most.
const BEHIND: usize = 16 << 10;
const MOST_BEHIND: usize = 512 << 10;

/// No record is shorter.
const SHORTEST: usize = 16;

/// Records in a row that make a guess: by chance, not even two are found.
const IN_A_ROW: usize = 4;

/// Nanoseconds between two records that follow one another, at most, where that makes a guess.
const APART_NS: i64 = 3_600_000_000_000;

/// Octets that are worth several threads, if no more than a few times in a row only a quarter of these lies between two
/// records that take a closer look.
const WORTH: u64 = 4 << 20;
const TRIES: usize = 8;

/// The most threads: to take in what they have decoded is more than a fourth of the work.
const MOST_THREADS: usize = 4;

/// A decoder of packets, one after the other and in any order of chunks.
pub trait Decode: Send + Sync {
    /// Decodes a packet, if it is as nearly all are. Returns its segment and what was captured of its payload.
    fn decode_early<'a>(&self, frame: &Frame<'a>) -> Option<(Segment, &'a [u8])>;
}

/// Records of a binary format, one after the other.
#[derive(Clone)]
pub enum Walk {
    /// libpcap's own.
    Classic(Classic),
    /// pcapng, as far as its interfaces have been described.
    Pcapng(Pcapng),
}

impl Walk {
    #[inline(always)]
    fn in_one_piece(&self, octets: &[u8]) -> Option<Record> {
        match self {
            Walk::Classic(format) => format.in_one_piece(octets),
            Walk::Pcapng(format) => format.in_one_piece(octets),
        }
    }

    /// Tells whether these octets are a piece of a record, by the length that it says.
    fn is_piece(&self, octets: &[u8]) -> bool {
        let whole = match self {
            Walk::Classic(format) => format.whole(octets),
            Walk::Pcapng(format) => format.whole(octets),
        };
        octets.len() < SHORTEST || whole.is_some_and(|whole| whole > octets.len())
    }

    /// Returns where the first record probably begins.
    fn guess(&self, octets: &[u8]) -> Option<usize> {
        (0..octets.len().min(CHUNK as usize)).find(|at| self.is_row(&octets[*at..]))
    }

    /// Tells whether these octets begin with records that may well follow one another.
    fn is_row(&self, mut octets: &[u8]) -> bool {
        let mut before = None;
        (0..IN_A_ROW).all(|_| {
            let Some(record) = self.in_one_piece(octets) else { return false };
            octets = &octets[record.whole..];
            let before = before.replace(record.time).unwrap_or(record.time);
            let apart = record.time.since(before).max(before.since(record.time));
            record.data_len as u64 <= u64::from(record.original_len)
                && apart.is_some_and(|apart| apart < APART_NS)
        })
    }
}

/// A record that was found ahead, and its packet if that is as nearly all are.
struct Found {
    /// Its place in the chunk.
    at: u32,
    /// The place of the payload in the record, and its length.
    payload: [u32; 2],
    /// Its number is counted from the beginning of the chunk.
    segment: Option<Segment>,
}

/// Octets of a file, and the records that begin among them.
#[derive(Default)]
struct Chunk {
    octets: Vec<u8>,
    /// The place of the octets in their file.
    from: u64,
    /// The beginning of the first record in the octets, if there is one, and the end of the last.
    start: Option<usize>,
    end: usize,
    found: Vec<Found>,
    /// True where the octets behind its last record need a closer look, or there are none.
    is_last: bool,
}

impl Chunk {
    fn begins_at(&self, place: u64) -> bool {
        self.start.is_some_and(|start| self.from + start as u64 == place)
    }
}

/// A file, and all that it takes to decode its packets.
#[derive(Clone)]
struct Reading {
    file: Arc<File>,
    walk: Walk,
    decoder: Arc<dyn Decode>,
    /// Its number in the order of reading.
    index: u16,
}

impl Reading {
    /// Reads the records that begin between two places; the first begins right there if that `is_sure`.
    fn read(&self, chunk: &mut Chunk, [from, to]: [u64; 2], is_sure: bool) {
        let len = (to - from) as usize;
        (chunk.from, chunk.end, chunk.is_last) = (from, 0, false);
        chunk.found.clear();
        let mut is_more = self.fetch(chunk, 0..len + BEHIND);
        chunk.start = if is_sure { Some(0) } else { self.walk.guess(&chunk.octets) };
        let mut at = chunk.start.unwrap_or(len);
        while at < len {
            match self.walk.in_one_piece(&chunk.octets[at..]) {
                Some(record) => {
                    let found = self.decode(&record, at, chunk);
                    chunk.found.push(found);
                    at += record.whole;
                }
                None if is_more && chunk.octets.len() < len + MOST_BEHIND => {
                    is_more = self.fetch(chunk, chunk.octets.len()..len + MOST_BEHIND);
                }
                None => {
                    chunk.is_last = true;
                    break;
                }
            }
        }
        chunk.end = at;
    }

    /// Reads a part of a chunk. Returns false where the file has no more.
    fn fetch(&self, chunk: &mut Chunk, part: Range<usize>) -> bool {
        let end = part.end;
        let read = fetch(&self.file, chunk.from, part, &mut chunk.octets);
        read.is_ok() && chunk.octets.len() == end
    }

    fn decode(&self, record: &Record, at: usize, chunk: &Chunk) -> Found {
        let data_at = at + record.data_at;
        let data = &chunk.octets[data_at..data_at + record.data_len];
        let number = chunk.found.len() as u64 + 1;
        let frame = record.frame(self.index, number, chunk.from + at as u64, data);
        let (segment, payload) = self.decoder.decode_early(&frame).unzip();
        let payload = payload.unwrap_or_default();
        let before = payload.as_ptr().addr().wrapping_sub(data.as_ptr().addr());
        let payload = [(record.data_at + before) as u32, payload.len() as u32];
        Found { at: at as u32, payload, segment }
    }

    /// Returns a packet that was found, of which these are the octets; `frames` were before its chunk, `number` are with it.
    fn packet<'a>(
        &self,
        found: &Found,
        octets: &'a [u8],
        place: u64,
        [frames, number]: [u64; 2],
    ) -> Option<Packet<'a>> {
        if let Some(mut segment) = found.segment {
            let [at, len] = found.payload.map(|it| it as usize);
            let payload = octets.get(at..at + len).unwrap_or_default();
            segment.place = segment.place.later(segment.place.time, frames);
            return Some(Packet::Decoded(segment, payload, place));
        }
        let record = self.walk.in_one_piece(octets)?;
        let data = octets.get(record.data_at..record.data_at + record.data_len)?;
        Some(Packet::Whole(record.frame(self.index, number, place, data)))
    }

    /// Reads the chunks of these numbers, counted from a place, until their file ends or nobody wants more.
    fn read_on(
        &self,
        begin: u64,
        chunks: impl Iterator<Item = u64>,
        to: &SyncSender<Chunk>,
        used: &Receiver<Chunk>,
    ) {
        for number in chunks {
            let mut chunk = used.try_recv().unwrap_or_default();
            let from = begin + number * CHUNK;
            self.read(&mut chunk, [from, from + CHUNK], number == 0);
            let is_end = chunk.octets.len() < CHUNK as usize;
            if to.send(chunk).is_err() || is_end {
                return;
            }
        }
    }
}

/// A thread that reads ahead: what comes of it, and the way back for chunks that can be used again.
struct Ahead {
    coming: Receiver<Chunk>,
    used: Sender<Chunk>,
}

/// All threads that read ahead, each its share of the chunks.
struct Team {
    threads: Vec<Ahead>,
    /// The place of the first chunk, and the number of the next.
    begin: u64,
    next: u64,
}

impl Team {
    /// Begins at a place; none if there are no threads to be had.
    fn of(reading: &Arc<Reading>, threads: usize, begin: u64) -> Option<Team> {
        let ahead = |first: usize| {
            let ((to, coming), (used, free)) = (sync_channel(1), channel());
            let (reading, chunks) = (Arc::clone(reading), (first as u64..).step_by(threads));
            let reads = move || reading.read_on(begin, chunks, &to, &free);
            thread::Builder::new().spawn(reads).ok().map(|_| Ahead { coming, used })
        };
        let threads = (0..threads).map(ahead).collect::<Option<_>>()?;
        Some(Team { threads, begin, next: 0 })
    }

    /// Returns the next chunk, and the place of the one behind it, in exchange for one that nobody needs any more. None if
    /// the thread that should have read it is gone.
    fn next(&mut self, used: Chunk) -> Option<(Chunk, u64)> {
        let ahead = &self.threads[self.next as usize % self.threads.len()];
        // A thread that has ended takes none.
        ahead.used.send(used).ok();
        let chunk = ahead.coming.recv().ok()?;
        self.next += 1;
        Some((chunk, self.begin + self.next * CHUNK))
    }
}

/// A file whose chunks other threads read ahead, from wherever its records are as nearly all are.
pub struct Chunks {
    reading: Arc<Reading>,
    /// Octets of the file, as it was when it was opened.
    size: u64,
    threads: usize,
    stop: Stop,
    team: Option<Team>,
    /// The place where threads began last, and the one where they could not, or met what needs a closer look: others begin
    /// behind it.
    began: u64,
    closely: u64,
    tries: usize,
    /// The chunk that is being taken; the buffer has its octets. Of its records, these have been.
    chunk: Chunk,
    taken: usize,
    /// Packets before it.
    before: u64,
    /// Room for another.
    used: Chunk,
}

/// A packet of a chunk.
pub enum Packet<'a> {
    /// One that was decoded: its segment, what was captured of its payload, and the place of its record in the file.
    Decoded(Segment, &'a [u8], u64),
    /// Any other.
    Whole(Frame<'a>),
}

impl Chunks {
    /// Reads a file of this size, the one with this `index`, until `stop` is set. Its records are found by `walk`, and
    /// packets decoded by `decoder`, on so many other threads.
    pub fn new(
        (file, size, index): (File, u64, u16),
        walk: Walk,
        (decoder, threads): (Arc<dyn Decode>, usize),
        stop: &Stop,
    ) -> Chunks {
        Chunks {
            reading: Arc::new(Reading { file: Arc::new(file), walk, decoder, index }),
            size,
            threads: threads.clamp(1, MOST_THREADS),
            stop: Arc::clone(stop),
            team: None,
            began: 0,
            closely: 0,
            tries: TRIES,
            chunk: Chunk::default(),
            taken: 0,
            before: 0,
            used: Chunk::default(),
        }
    }

    /// Hands out packets from where the buffer is, until `take` refuses one, or only a closer look can tell what comes.
    /// Returns how many were taken, where there were so many `frames` before. `walk` has the format as it is by then.
    pub fn each(
        &mut self,
        buffer: &mut Buffer,
        frames: u64,
        walk: impl Fn() -> Option<Walk>,
        mut take: impl FnMut(Packet<'_>) -> bool,
    ) -> u64 {
        let mut count = 0;
        while self.has_more(buffer) || self.next(buffer, frames + count, &walk) {
            count += self.each_here(buffer, &mut take);
            if self.taken < self.chunk.found.len() {
                break;
            }
        }
        count
    }

    /// Tells whether the buffer holds more of the chunk. What was taken by way of the buffer alone is none of it any more.
    fn has_more(&mut self, buffer: &Buffer) -> bool {
        let (place, from) = (buffer.offset(), self.chunk.from);
        let left = &self.chunk.found[self.taken..];
        let is_before = |found: &&Found| from + u64::from(found.at) < place;
        self.taken += left.iter().take_while(is_before).count();
        self.taken < self.chunk.found.len()
    }

    /// Hands out packets of the chunk, as [`Chunks::each`] does.
    fn each_here(&mut self, buffer: &mut Buffer, mut take: impl FnMut(Packet<'_>) -> bool) -> u64 {
        let Chunks { reading, chunk, taken, before, .. } = self;
        let (octets, ahead) = (buffer.unread(), (buffer.offset() - chunk.from) as usize);
        let found = &chunk.found[*taken..];
        let mut count = 0;
        for (found, number) in found.iter().zip(*before + *taken as u64 + 1..) {
            let octets = octets.get(found.at as usize - ahead..).unwrap_or_default();
            let place = chunk.from + u64::from(found.at);
            let packet = reading.packet(found, octets, place, [*before, number]);
            if !packet.is_some_and(&mut take) {
                break;
            }
            count += 1;
        }
        let end = found.get(count).map_or(chunk.end, |next| next.at as usize);
        buffer.consume(end - ahead);
        *taken += count;
        count as u64
    }

    /// Puts the next chunk into the buffer, which has no whole record any more. Returns false if there is none.
    pub fn next(
        &mut self,
        buffer: &mut Buffer,
        frames: u64,
        walk: impl Fn() -> Option<Walk>,
    ) -> bool {
        let place = buffer.offset();
        if self.team.is_none() && !self.begin(buffer, walk) {
            return false;
        }
        let chunk = self.chunk_at(place).filter(|chunk| !chunk.found.is_empty());
        let is_more = chunk.as_ref().is_some_and(|chunk| !chunk.is_last);
        let end = chunk.as_ref().map_or(place, |chunk| chunk.from + chunk.end as u64);
        if !is_more {
            self.end(end);
        }
        // Whoever reads the file otherwise goes on behind it.
        let mut file = &*self.reading.file;
        let Some(mut chunk) = chunk.filter(|_| file.seek(SeekFrom::Start(end)).is_ok()) else {
            return false;
        };
        let octets = std::mem::take(&mut chunk.octets);
        let within = chunk.start.unwrap_or(chunk.end)..chunk.end;
        self.used = std::mem::replace(&mut self.chunk, chunk);
        self.used.octets = buffer.exchange(octets, within, end);
        (self.taken, self.before) = (0, frames);
        true
    }

    /// Returns the chunk that begins at a place. One that was guessed to begin elsewhere is read again.
    fn chunk_at(&mut self, place: u64) -> Option<Chunk> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let (mut chunk, end) = self.team.as_mut()?.next(std::mem::take(&mut self.used))?;
        if !chunk.begins_at(place) {
            self.reading.read(&mut chunk, [place, end.max(place)], true);
        }
        Some(chunk)
    }

    /// Begins to read ahead, if that is worth it: where nothing but a piece of a record is left in the buffer.
    fn begin(&mut self, buffer: &Buffer, walk: impl Fn() -> Option<Walk>) -> bool {
        let (place, left) = (buffer.offset(), buffer.unread());
        let is_worth = place > self.closely && self.size.saturating_sub(place) >= WORTH;
        if self.tries == 0 || !is_worth || !self.reading.walk.is_piece(left) {
            return false;
        }
        // Octets that were looked at to tell the format may have yet to come to the buffer.
        let mut file = &*self.reading.file;
        let is_in_step = file.stream_position().is_ok_and(|at| at == place + left.len() as u64);
        let walk = walk().filter(|walk| is_in_step && walk.is_piece(left));
        let Some(walk) = walk else { return false };
        self.reading = Arc::new(Reading { walk, ..(*self.reading).clone() });
        self.team = Team::of(&self.reading, self.threads, place);
        (self.began, self.closely) = (place, place);
        self.team.is_some()
    }

    /// Ends reading ahead at a place that needs a closer look.
    fn end(&mut self, place: u64) {
        self.team = None;
        self.closely = place;
        let was_worth_it = place - self.began >= WORTH / 4;
        self.tries = if was_worth_it { TRIES } else { self.tries.saturating_sub(1) };
    }
}
