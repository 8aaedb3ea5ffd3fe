//! Packets that are read once more, each by the place of its record in its file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::Frame;
use super::classic::Classic;

/// Octets that are fetched at once: most packets are no longer.
const FETCHED: usize = 2_048;

/// The records of a plain file, in any order.
pub struct Records {
    file: File,
    format: Classic,
}

impl Records {
    /// Makes them of a file of this format.
    pub(super) fn new(file: File, format: Classic) -> Records {
        Records { file, format }
    }

    /// Returns the packet of the record at a place; none where there is no whole record, as after a change of the
    /// file. Its number is not known. `room` holds its octets.
    pub fn frame<'a>(&self, place: u64, room: &'a mut Vec<u8>) -> Option<Frame<'a>> {
        fetch(&self.file, place, 0..FETCHED, room).ok()?;
        let whole = self.format.whole(room)?;
        if whole > room.len() {
            fetch(&self.file, place, 0..whole, room).ok()?;
        }
        self.first(place, room)
    }

    /// Returns the packet of the record at a place, if all of it is among these octets, which lie from `start` on.
    pub fn frame_among<'a>(&self, place: u64, start: u64, octets: &'a [u8]) -> Option<Frame<'a>> {
        let at = usize::try_from(place.checked_sub(start)?).ok()?;
        self.first(place, octets.get(at..)?)
    }

    /// The packet that these octets begin with.
    fn first<'a>(&self, place: u64, octets: &'a [u8]) -> Option<Frame<'a>> {
        let record = self.format.in_one_piece(octets)?;
        let data = octets.get(record.data_at..record.data_at + record.data_len)?;
        Some(record.frame(0, 1, place, data))
    }

    /// Returns so many octets from a place on, or those that there are.
    pub fn octets(&self, place: u64, len: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        match fetch(&self.file, place, 0..len, &mut octets) {
            Ok(()) => octets,
            Err(_) => Vec::new(),
        }
    }
}

/// Fills a part of `room`, which begins at this place of a file, or as much of it as there is. It ends there.
pub(super) fn fetch(
    file: &File,
    place: u64,
    part: Range<usize>,
    room: &mut Vec<u8>,
) -> io::Result<()> {
    room.resize(part.end, 0);
    let mut filled = part.start;
    while filled < part.end {
        match file.read_at(&mut room[filled..], place + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    room.truncate(filled);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::capture::file::{FileSource, Input};
    use crate::capture::{Next, Source};

    /// A file in microseconds, with packets of so many octets.
    fn file(lengths: &[u32]) -> tempfile::NamedTempFile {
        let mut octets = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1].map(u32::to_le_bytes).concat();
        for (second, length) in (1..).zip(lengths) {
            octets.extend([second, 0, *length, *length].map(u32::to_le_bytes).concat());
            octets.resize(octets.len() + *length as usize, second as u8);
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), octets).expect("room");
        file
    }

    #[test]
    fn a_packet_is_found_again_by_its_place() {
        let file = file(&[60, 9_000, 2_032, 2_033]);
        let mut source = FileSource::open(&Input(file.path().into()), 0).expect("a capture");
        let records = source.records().expect("a plain file");
        let mut frames = Vec::new();
        while let Ok(Next::Frame(frame)) = source.next() {
            frames.push((frame.place.time, frame.record, frame.data.to_vec()));
        }
        assert_eq!(frames.len(), 4);
        let mut room = Vec::new();
        for (time, place, data) in frames.iter().rev() {
            let again = records.frame(*place, &mut room).expect("it is there");
            assert_eq!((again.place.time, again.data), (*time, &data[..]));
        }
        let (_, last, _) = frames[3];
        std::fs::OpenOptions::new()
            .write(true)
            .open(file.path())
            .and_then(|file| file.set_len(last + 100))
            .expect("it is ours");
        assert!(records.frame(last, &mut room).is_none(), "it was cut off since");
        assert!(records.frame(1 << 40, &mut room).is_none(), "there is nothing");
    }

    #[test]
    fn what_is_compressed_is_read_once() {
        let plain = std::fs::read(file(&[60]).path()).expect("a file");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &plain).expect("memory");
        let packed = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(packed.path(), gzip.finish().expect("memory")).expect("room");
        let source = FileSource::open(&Input(packed.path().into()), 0).expect("a capture");
        assert!(source.records().is_none());
    }
}
