//! Header fields out of blocks (HPACK, RFC 7541): those that tell something.
//!
//! In-house, since it goes on where crates give up: what refers to a block that was not seen is unknown,
//! and the rest of a head is read all the same. Entries of the table are found by their age, so those that
//! came after a loss have their right places.

use std::collections::VecDeque;

use super::huffman::unpack;

/// Entries that are kept, and octets of all of them.
const MAX_ENTRIES: usize = 128;
const MAX_OCTETS: usize = 8 * 1_024;

/// The longest value that is read.
const LONGEST: usize = 512;

/// The size of the table, unless the block says another.
const USUAL: u32 = 4_096;

/// A field that tells something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Method,
    Path,
    Authority,
    Status,
    ContentType,
    Server,
    UserAgent,
    GrpcStatus,
    Other,
}

/// Fields that one end has made known to the other.
#[derive(Clone, Debug)]
pub struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    octets: usize,
    /// The octets that it may hold, as the standard counts them.
    most: u32,
    /// Room for a string.
    room: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: Name,
    name_len: u32,
    /// None: too long, or of no interest.
    value: Option<Box<[u8]>>,
}

impl Default for Table {
    fn default() -> Table {
        Table { entries: VecDeque::new(), octets: 0, most: USUAL, room: Vec::new() }
    }
}

impl Table {
    pub fn heap_octets(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.octets + self.room.capacity()
    }

    /// A block was not seen: nobody knows what it has added.
    pub fn forget(&mut self) {
        (self.entries, self.octets) = (VecDeque::new(), 0);
    }

    /// Reads a block; hands on the fields whose values are known.
    pub fn read(&mut self, block: &[u8], whole: bool, mut emit: impl FnMut(Name, &[u8])) {
        let (mut rest, mut room) = (block, core::mem::take(&mut self.room));
        let mut is_right = true;
        while is_right && !rest.is_empty() {
            is_right = self.field(&mut rest, &mut room, &mut emit).is_some();
        }
        self.room = room;
        if !whole || !is_right {
            self.forget();
        }
    }

    fn field(
        &mut self,
        rest: &mut &[u8],
        room: &mut Vec<u8>,
        emit: &mut impl FnMut(Name, &[u8]),
    ) -> Option<()> {
        let first = *rest.first()?;
        match first {
            0x80.. => {
                let at = integer(rest, 7)?;
                let (name, value) = match usual(at) {
                    Some((_, value)) => (usual_name(at), value.as_bytes()),
                    None if at == 0 => return None,
                    None => match self.entry(at) {
                        Some(Entry { name, value: Some(value), .. }) => (*name, &**value),
                        _ => return Some(()),
                    },
                };
                emit(name, value);
            }
            0x20..0x40 => self.most = integer(rest, 5)?,
            _ => {
                let is_kept = first >= 0x40;
                let at = integer(rest, if is_kept { 6 } else { 4 })?;
                let (name, name_len) = self.name(at, rest, room)?;
                if name == Name::Other && !is_kept {
                    return skip_text(rest);
                }
                let len = text(rest, if name == Name::Other { 0 } else { LONGEST }, room)?;
                let is_known = name != Name::Other && room.len() == len as usize;
                if is_known {
                    emit(name, room);
                }
                if is_kept {
                    let value = is_known.then(|| room[..].into());
                    self.add(Entry { name, name_len, value }, len);
                }
            }
        }
        Some(())
    }

    /// Returns a field's name and the name's length.
    fn name(&self, at: u32, rest: &mut &[u8], room: &mut Vec<u8>) -> Option<(Name, u32)> {
        if at == 0 {
            let len = text(rest, LONGEST, room)?;
            return Some((name_of(room), len));
        }
        Some(match (usual(at), self.entry(at)) {
            (Some((name, _)), _) => (usual_name(at), name.len() as u32),
            (None, Some(entry)) => (entry.name, entry.name_len),
            // Made known in a block that was not seen.
            (None, None) => (Name::Other, 0),
        })
    }

    fn entry(&self, at: u32) -> Option<&Entry> {
        self.entries.get((at as usize).checked_sub(USUAL_FIELDS.len() + 1)?)
    }

    fn add(&mut self, entry: Entry, value_len: u32) {
        // What is larger than the table empties it.
        if entry.name_len.saturating_add(value_len).saturating_add(32) > self.most {
            return self.forget();
        }
        self.octets += entry.octets();
        self.entries.push_front(entry);
        // The other end drops them sooner; nobody refers to them then.
        while self.entries.len() > MAX_ENTRIES || self.octets > MAX_OCTETS {
            let oldest = self.entries.pop_back();
            self.octets -= oldest.map_or(0, |entry| entry.octets());
        }
    }
}

impl Entry {
    fn octets(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.len())
    }
}

fn name_of(name: &[u8]) -> Name {
    match name {
        b":method" => Name::Method,
        b":path" => Name::Path,
        b":authority" | b"host" => Name::Authority,
        b":status" => Name::Status,
        b"content-type" => Name::ContentType,
        b"server" => Name::Server,
        b"user-agent" => Name::UserAgent,
        b"grpc-status" => Name::GrpcStatus,
        _ => Name::Other,
    }
}

/// A number whose first bits are in an octet with something else (5.1).
fn integer(rest: &mut &[u8], bits: u32) -> Option<u32> {
    let (first, mut after) = rest.split_first()?;
    let most = (1 << bits) - 1;
    let mut number = u32::from(*first) & most;
    if number == most {
        for shift in (0..28).step_by(7) {
            let (next, more) = after.split_first()?;
            after = more;
            number = number.checked_add(u32::from(next & 0x7f) << shift)?;
            if next & 0x80 == 0 {
                *rest = after;
                return Some(number);
            }
        }
        return None;
    }
    *rest = after;
    Some(number)
}

/// Takes a string, packed or not (5.2): its octets, but no more than `most`. Returns its length.
fn text(rest: &mut &[u8], most: usize, octets: &mut Vec<u8>) -> Option<u32> {
    octets.clear();
    let is_packed = rest.first()? & 0x80 != 0;
    let len = integer(rest, 7)?;
    let (all, after) = rest.split_at_checked(len as usize)?;
    *rest = after;
    if !is_packed {
        octets.extend_from_slice(all.get(..most).unwrap_or(all));
        return Some(len);
    }
    let mut unpacked = 0;
    unpack(all, |octet| {
        unpacked += 1;
        if octets.len() < most {
            octets.push(octet);
        }
    })?;
    Some(unpacked)
}

/// Skips a string that nobody refers to.
fn skip_text(rest: &mut &[u8]) -> Option<()> {
    let len = integer(rest, 7)?;
    *rest = rest.get(len as usize..)?;
    Some(())
}

fn usual(at: u32) -> Option<(&'static str, &'static str)> {
    USUAL_FIELDS.get((at as usize).checked_sub(1)?).copied()
}

/// As [`name_of`] the name of a usual field.
fn usual_name(at: u32) -> Name {
    match at {
        1 | 38 => Name::Authority,
        2 | 3 => Name::Method,
        4 | 5 => Name::Path,
        8..=14 => Name::Status,
        31 => Name::ContentType,
        54 => Name::Server,
        58 => Name::UserAgent,
        _ => Name::Other,
    }
}

/// The fields that everybody knows (appendix A).
const USUAL_FIELDS: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: &mut Table, block: &[u8], whole: bool) -> Vec<(Name, String)> {
        let mut all = Vec::new();
        table.read(block, whole, |name, value| {
            if name != Name::Other {
                all.push((name, String::from_utf8_lossy(value).into_owned()));
            }
        });
        all
    }

    /// Examples of RFC 7541, C.4: three requests, packed, with a table between them.
    const FIRST: &[u8] = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    const SECOND: &[u8] = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
    const THIRD: &[u8] = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";

    #[test]
    fn usual_names() {
        for (at, (name, _)) in (1..).zip(USUAL_FIELDS) {
            assert_eq!(usual_name(at), name_of(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn as_the_standard_has_it() {
        let mut table = Table::default();
        let head = |path: &str| {
            let of = |name, value: &str| (name, value.to_owned());
            let authority = of(Name::Authority, "www.example.com");
            vec![of(Name::Method, "GET"), of(Name::Path, path), authority]
        };
        assert_eq!(read(&mut table, FIRST, true), head("/"));
        assert_eq!(read(&mut table, SECOND, true), head("/"));
        assert_eq!(read(&mut table, THIRD, true), head("/index.html"));
    }

    #[test]
    fn what_refers_to_what_was_not_seen_is_not_known() {
        let mut table = Table::default();
        let known = |fields: Vec<(Name, String)>| fields.len();
        assert_eq!(known(read(&mut table, SECOND, true)), 2, "no authority");
        // One entry came since: the second is unknown, the first is right.
        assert_eq!(known(read(&mut table, THIRD, true)), 2);
        assert_eq!(read(&mut table, b"\x44\x02/a\xbe", true).len(), 2);
        assert_eq!(read(&mut table, b"\xbe", true), [(Name::Path, "/a".into())]);
        assert_eq!(read(&mut table, b"\x82", false).len(), 1);
        assert_eq!(read(&mut table, b"\xbe", true), [], "the end of a block was not seen");
    }

    #[test]
    fn an_entry_larger_than_the_table_empties_it() {
        let mut table = Table::default();
        read(&mut table, b"\x3f\x1f\x44\x02/a", true);
        assert_eq!(read(&mut table, b"\xbe", true), [(Name::Path, "/a".into())]);
        read(&mut table, b"\x44\x1e/23456789012345678901234567890", true);
        assert_eq!(read(&mut table, b"\xbe", true), []);
    }

    #[test]
    fn it_stays_small() {
        let mut table = Table::default();
        let long = [&b"\x44\x7f\xff\x01"[..], &[b'a'; 382]].concat();
        read(&mut table, b"\x3f\xe1\xff\xff\x07", true);
        for _ in 0..1_000 {
            read(&mut table, &long, true);
            read(&mut table, b"\x44\x01/", true);
            assert!(table.entries.len() <= MAX_ENTRIES && table.octets <= MAX_OCTETS);
        }
        assert_eq!(read(&mut table, b"\xbe", true), [(Name::Path, "/".into())]);
        assert!(table.octets > MAX_OCTETS / 2);
    }
}
