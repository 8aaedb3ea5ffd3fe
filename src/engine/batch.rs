//! The segments of one round, sorted by shard as they come.
//!
//! A batch moves between the reader and the tables and is more than any cache holds, so its size is what
//! it costs: a segment between IPv4 addresses travels in 48 octets, any other has its place aside.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::attach::conversations::{Header, Payloads, Places, Said, Span, prefetch_ends};
use crate::attach::registry::{Content, Withheld};
use crate::attach::spared::Spot;
use crate::place::{Place, Time};
use crate::prefetch::{LINE, prefetch, prefetch_room};
use crate::table::FlowTable;
use crate::tcp::flow::Flow;
use crate::tcp::segment::{Direction, End, Extras, Flags, FlowKey, Segment, ToldBy, Way};
use crate::tcp::seq::Seq;

/// Shards: enough for many threads to share evenly, and few enough to be filled side by side.
pub const SHARDS: usize = 64;

/// Segments of a block. A shard's segments lie in blocks, taken from a common stock: in a vector for
/// each shard, all shards would be written at the same offset of some page at the same time, and
/// drive each other out of the cache.
const BLOCK: usize = 64;

/// Segments of a shard that come before the one whose room is fetched from memory: while a whole block is filled, more
/// passes through the cache than it holds.
const AHEAD: usize = 4;

/// Places for which room is made at a time.
const SOME_PLACES: usize = 64;

/// Segments on their way to the shards, each with its octets where these are read.
pub struct Batch {
    /// As long as it ever was: only the first `used` are of this round.
    packed: Vec<Packed>,
    used: usize,
    shards: Box<[Blocks; SHARDS]>,
    /// Segments that cannot be packed.
    aside: Vec<Segment>,
    /// The place of the first segment, from which the others' are counted.
    base: Option<Place>,
    /// The payloads of segments whose content is read, as they come.
    payloads: Vec<u8>,
    /// The places of packets that can be read again.
    places: Places,
    /// All of both, once no more will come.
    sealed: (Payloads, Arc<Places>),
}

/// Payloads of rounds that have ended, and the places of their packets.
#[derive(Default)]
pub struct Lent {
    payloads: Rounds<u8>,
    places: Rounds<u64>,
}

/// Values of rounds that have ended, the oldest first: somebody may still wait to read them.
#[derive(Default)]
struct Rounds<T>(VecDeque<Arc<Vec<T>>>);

impl<T> Rounds<T> {
    /// Takes the values of a round, and returns room for those of another: the same, which a cache still holds, if
    /// nobody waits to read any of them.
    fn exchange(&mut self, values: Arc<Vec<T>>) -> Vec<T> {
        let len = values.len();
        let room = Arc::try_unwrap(values).or_else(|waited_for| {
            self.0.push_back(waited_for);
            self.0.pop_front().map_or(Ok(Vec::new()), Arc::try_unwrap)
        });
        match room {
            Ok(mut room) => {
                room.clear();
                room
            }
            Err(waited_for) => {
                self.0.push_front(waited_for);
                Vec::with_capacity(len)
            }
        }
    }
}

/// The content of a segment on its way.
pub enum Kept<'a> {
    /// With its octets; it may be read again there.
    Here(Content<'a>, Option<Spot>),
    /// A place, where it can be read again.
    Left(Spot),
}

/// The mark of a segment: what is to be read of it.
#[derive(Clone, Copy, Default)]
pub struct Mark(u8);

/// Octets of a segment whose content is read, or would be.
pub enum Octets<'a> {
    /// All that were captured.
    Here(&'a Said),
    /// None, for they were left in their file, in the packet of this number in the round.
    Left(u32),
    /// None, for this reason.
    Withheld(Withheld),
}

/// A segment that a flow has taken.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    batch: &'a Batch,
    packed: &'a Packed,
}

impl Given<'_> {
    /// The hash of its 4-tuple.
    pub fn hash(self) -> u64 {
        self.packed.hash
    }

    /// Its header, as far as reading takes it.
    pub fn header(self) -> Header {
        self.batch.header(self.packed)
    }
}

/// The blocks of one shard, of which all but the last are full.
#[derive(Default)]
struct Blocks {
    /// The beginning of each in [`Batch::packed`].
    starts: Vec<usize>,
    /// The place of the next segment, and the end of the last block.
    next: usize,
    end: usize,
    /// The contents of segments with the mark, in their order.
    carried: Vec<Said>,
}

impl Blocks {
    fn is_full(&self) -> bool {
        self.next == self.end
    }
}

/// With none.
impl Default for Batch {
    fn default() -> Batch {
        Batch {
            packed: Vec::new(),
            used: 0,
            shards: Box::new(core::array::from_fn(|_| Blocks::default())),
            aside: Vec::new(),
            base: None,
            payloads: Vec::new(),
            places: Places::new(),
            sealed: Default::default(),
        }
    }
}

impl Batch {
    /// Takes in a segment of one of the shards, with the mark of what is to be read of it. By value, here and on the
    /// way here: one that nobody has a reference to stays in registers, and is written once, to its place.
    #[inline(always)]
    pub fn put(&mut self, shard: usize, segment: Segment, mark: Mark) {
        let base = *self.base.get_or_insert(segment.place);
        let mut packed = Packed::new(&segment, base).unwrap_or_else(|| self.put_aside(segment));
        packed.marks |= mark.0;
        if self.shards[shard].is_full() {
            self.add_block(shard);
        }
        let blocks = &mut self.shards[shard];
        self.packed.get(blocks.next + AHEAD).into_iter().for_each(prefetch);
        self.packed[blocks.next] = packed;
        blocks.next += 1;
    }

    /// Returns the number that a segment will have in the round, unless it has to lie aside.
    #[inline(always)]
    pub fn number(&mut self, segment: Segment) -> Option<u32> {
        let base = *self.base.get_or_insert(segment.place);
        segment.key.as_v4().and(number(&segment, base))
    }

    /// Keeps what is to be read of a segment that will be the next of its shard. Returns the mark for it.
    #[inline(always)]
    pub fn carry(
        &mut self,
        shard: usize,
        (hash, number): (u64, Option<u32>),
        content: Kept,
    ) -> Mark {
        match content {
            Kept::Left(spot) => match number {
                Some(number) => {
                    self.note(number, spot);
                    Mark(LEFT)
                }
                None => mark(Withheld::Untold),
            },
            Kept::Here(Content { withheld: Some(why), .. }, _) => mark(why),
            Kept::Here(content, spot) => {
                let said = self.said(hash, content, number.zip(spot));
                let carried = &mut self.shards[shard].carried;
                carried.push(said);
                prefetch_room(carried, LINE);
                Mark(CARRIES)
            }
        }
    }

    /// Takes a block of the stock for a shard. The beginning of the one that will be taken next is fetched from memory,
    /// as all other lines are some segments before they are written: waiting for each would cost more than all else here.
    #[inline(never)]
    fn add_block(&mut self, shard: usize) {
        let (start, end) = (self.used, self.used + BLOCK);
        let blocks = &mut self.shards[shard];
        (blocks.next, blocks.end) = (start, end);
        blocks.starts.push(start);
        self.used = end;
        if end > self.packed.len() {
            self.packed.resize(end, Packed::EMPTY);
        }
        self.packed[end..].iter().take(AHEAD).for_each(prefetch);
    }

    /// Tells whether it holds no segment.
    pub fn is_empty(&self) -> bool {
        self.base.is_none()
    }

    /// Octets of contents.
    #[inline(always)]
    pub fn carried(&self) -> usize {
        self.payloads.len()
    }

    /// Keeps the octets of a segment, and the place where they can be read again.
    #[inline]
    fn said(&mut self, hash: u64, content: Content, again: Option<(u32, Spot)>) -> Said {
        if let Some((packet, spot)) = again {
            self.note(packet, spot);
        }
        let Content { guess, payload, .. } = content;
        let (start, len) = (self.payloads.len() as u32, payload.len() as u32);
        self.payloads.extend_from_slice(payload);
        prefetch_room(&mut self.payloads, 2 * LINE);
        let payload = Some(Span { start, len });
        let is_sure = again.is_some_and(|(_, spot)| spot.is_sure());
        Said { hash, guess, payload, packet: again.map(|(packet, _)| packet), is_sure }
    }

    /// Notes where a packet can be read again.
    #[inline(always)]
    fn note(&mut self, packet: u32, spot: Spot) {
        match self.places.get_mut(packet as usize) {
            Some(place) => *place = spot.bits(),
            None => self.note_beyond(packet as usize, spot),
        }
    }

    /// Makes room for some more places, too, and has that of those behind them fetched from memory.
    #[cold]
    #[inline(never)]
    fn note_beyond(&mut self, packet: usize, spot: Spot) {
        self.places.resize((packet + 1).next_multiple_of(SOME_PLACES), 0);
        self.places[packet] = spot.bits();
        let room = self.places.spare_capacity_mut();
        room.iter().take(SOME_PLACES).step_by(LINE / size_of::<u64>()).for_each(prefetch);
    }

    #[cold]
    fn put_aside(&mut self, segment: Segment) -> Packed {
        let packed = Packed::aside(segment.hash, self.aside.len() as u32);
        self.aside.push(segment);
        packed
    }

    /// Gives the segments of a shard to a table, in the order of capture; `read` gets those whose
    /// content is read, or would be, with the flow that has taken them. `at_once`: it looks at most of it.
    pub fn give(
        &self,
        shard: usize,
        table: &mut FlowTable,
        at_once: bool,
        mut read: impl FnMut(&mut Flow, Given<'_>, Octets<'_>),
    ) {
        let Some(base) = self.base else { return };
        let blocks = &self.shards[shard];
        table.prefetch(blocks.starts.len() * BLOCK);
        let (mut carried, mut coming) = (blocks.carried.iter(), blocks.carried.iter());
        let carries = |packed: &Packed| packed.marks & LEFT == CARRIES;
        let wanted = |packed: &Packed| packed.marked(CARRIES | WITHHELD | ENCRYPTED);
        let packed = (1..).zip(&blocks.starts).map(|(following, &start)| {
            // The reader has written it far from this one: it comes while this one is taken.
            let following = blocks.starts.get(following).map_or(&[][..], |at| &self.packed[*at..]);
            following.iter().take(BLOCK).for_each(prefetch);
            // Only the last block can be short.
            let end = if start + BLOCK == blocks.end { blocks.next } else { start + BLOCK };
            let packed = &self.packed[start..end];
            if at_once {
                let count = packed.iter().filter(|packed| carries(packed)).count();
                for carried in coming.by_ref().take(count) {
                    let payload = carried.payload.map(|it| it.among(&self.sealed.0));
                    payload.into_iter().for_each(prefetch_ends);
                }
            }
            packed
        });
        let taken = |flow: Option<&mut Flow>, packed: &Packed| {
            let octets = match packed.marks & LEFT {
                LEFT => Octets::Left(packed.frame & FRAME_MASK),
                CARRIES => carried.next().map_or(Octets::Withheld(Withheld::Untold), Octets::Here),
                _ => Octets::Withheld(packed.withheld()),
            };
            if let Some(flow) = flow {
                read(flow, Given { batch: self, packed }, octets);
            }
        };
        let short = |packed: &Packed| packed.is_plain().then(|| packed.segment(base));
        let any = |packed: &Packed| self.unpack(packed, base);
        table.take_all(packed, |packed| packed.hash, short, any, wanted, taken);
    }

    #[inline(always)]
    fn unpack(&self, packed: &Packed, base: Place) -> Segment {
        match packed.marks & ASIDE {
            0 => packed.segment(base),
            _ => self.aside[packed.frame as usize],
        }
    }

    #[inline(always)]
    fn header(&self, packed: &Packed) -> Header {
        match packed.marks & ASIDE {
            0 => packed.header(),
            _ => Header::of(&self.aside[packed.frame as usize]),
        }
    }

    /// No more segments will come.
    pub fn seal(&mut self) {
        let (payloads, places) = (&mut self.payloads, &mut self.places);
        self.sealed = (Arc::new(std::mem::take(payloads)), Arc::new(std::mem::take(places)));
    }

    /// The payloads of a batch that is sealed, and the places of its packets.
    pub fn contents(&self) -> (&Payloads, &Arc<Places>) {
        (&self.sealed.0, &self.sealed.1)
    }

    /// Forgets all segments, and keeps the room; that for payloads is exchanged for other.
    pub fn clear(&mut self, lent: &mut Lent) {
        self.used = 0;
        self.aside.clear();
        let (payloads, places) = std::mem::take(&mut self.sealed);
        self.payloads = lent.payloads.exchange(payloads);
        self.places = lent.places.exchange(places);
        self.base = None;
        for blocks in self.shards.iter_mut() {
            blocks.starts.clear();
            blocks.carried.clear();
            (blocks.next, blocks.end) = (0, 0);
        }
    }
}

/// A segment between IPv4 addresses.
#[derive(Clone, Copy)]
pub struct Packed {
    /// The hash of its 4-tuple.
    pub hash: u64,
    time: Time,
    /// The addresses of the lower and the upper end.
    addresses: [u32; 2],
    ports: u32,
    seq: Seq,
    ack: Seq,
    len: u32,
    /// After the base's; for one aside, its place there.
    /// The lowest bits; above them the extras.
    frame: u32,
    window: u16,
    flags: Flags,
    marks: u8,
}

/// Bits of the frame's number in [`Packed::frame`]: no batch holds so many packets.
const FRAME_BITS: u32 = u32::BITS - Extras::BITS;
const FRAME_MASK: u32 = (1 << FRAME_BITS) - 1;

/// Bits of [`Packed::marks`].
const FROM_UPPER: u8 = 1;
const DIRECTED: u8 = 2;
const OUT: u8 = 4;
const BY_PACKET_FLAGS: u8 = 8;
const ASIDE: u8 = 16;
const CARRIES: u8 = 32;
const WITHHELD: u8 = 64;
const ENCRYPTED: u8 = 128;
/// Both of these: they were left in their file.
const LEFT: u8 = CARRIES | WITHHELD;

/// Rarely asked for: it costs the others nothing, where it stands apart.
#[cold]
#[inline(never)]
fn mark(withheld: Withheld) -> Mark {
    match withheld {
        Withheld::Untold | Withheld::Unread => Mark(WITHHELD),
        Withheld::Encrypted => Mark(ENCRYPTED),
    }
}

/// The number of a segment's packet in a round, if a packed one has room for it.
#[inline(always)]
fn number(segment: &Segment, base: Place) -> Option<u32> {
    segment.place.frames_after(base).filter(|frame| frame >> FRAME_BITS == 0)
}

impl Packed {
    #[inline(always)]
    fn new(segment: &Segment, base: Place) -> Option<Packed> {
        let (addresses, ports) = segment.key.as_v4()?;
        let from = if segment.from == End::Upper { FROM_UPPER } else { 0 };
        let direction = segment.direction.map_or(0, |direction| {
            let out = if direction.way == Way::Out { OUT } else { 0 };
            let flags = if direction.told_by == ToldBy::PacketFlags { BY_PACKET_FLAGS } else { 0 };
            DIRECTED | out | flags
        });
        let frame = number(segment, base)?;
        Some(Packed {
            hash: segment.hash,
            time: segment.place.time,
            addresses,
            ports,
            seq: segment.seq,
            ack: segment.ack,
            len: segment.len,
            frame: frame | segment.extras.bits() << FRAME_BITS,
            window: segment.window,
            flags: segment.flags,
            marks: from | direction,
        })
    }

    const EMPTY: Packed = Packed {
        hash: 0,
        time: Time::UNKNOWN,
        addresses: [0; 2],
        ports: 0,
        seq: Seq(0),
        ack: Seq(0),
        len: 0,
        frame: 0,
        window: 0,
        flags: Flags(0),
        marks: 0,
    };

    /// Neither aside nor SYN, FIN or RST.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.marks & ASIDE == 0 && self.flags.are_plain()
    }

    fn aside(hash: u64, index: u32) -> Packed {
        Packed { hash, frame: index, marks: ASIDE, ..Packed::EMPTY }
    }

    #[inline(always)]
    fn marked(&self, bit: u8) -> bool {
        self.marks & bit != 0
    }

    fn withheld(&self) -> Withheld {
        if self.marked(ENCRYPTED) { Withheld::Encrypted } else { Withheld::Untold }
    }

    fn from(&self) -> End {
        if self.marked(FROM_UPPER) { End::Upper } else { End::Lower }
    }

    #[inline(always)]
    fn header(&self) -> Header {
        let Packed { time: at, seq, ack, len, flags, .. } = *self;
        Header { at, seq, ack, len, flags, from: self.from() }
    }

    #[inline(always)]
    fn segment(&self, base: Place) -> Segment {
        Segment {
            key: FlowKey::of_v4(self.addresses, self.ports),
            hash: self.hash,
            from: self.from(),
            seq: self.seq,
            ack: self.ack,
            flags: self.flags,
            len: self.len,
            window: self.window,
            extras: Extras::of_bits(self.frame >> FRAME_BITS),
            place: base.later(self.time, u64::from(self.frame & FRAME_MASK)),
            direction: self.marked(DIRECTED).then(|| Direction {
                way: if self.marked(OUT) { Way::Out } else { Way::In },
                told_by: match self.marked(BY_PACKET_FLAGS) {
                    true => ToldBy::PacketFlags,
                    false => ToldBy::PacketType,
                },
            }),
        }
    }
}
