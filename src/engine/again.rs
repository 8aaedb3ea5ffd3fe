//! The files of a capture, of which segments are read again by their places.

use std::sync::Arc;

use crate::attach::conversations::{Again, Found, Header, Piece};
use crate::attach::spared::{MOST_FILES, Spot};
use crate::capture::again::Records;
use crate::decode::Decoder;

/// Octets of a piece of a file: a large cache holds two of them.
const PIECE: usize = 4 << 20;

/// Files, by their numbers.
#[derive(Clone)]
pub struct Files {
    decoder: Decoder,
    files: Vec<Arc<Records>>,
}

impl Files {
    /// Makes room for files, whose packets are decoded so.
    pub fn new(decoder: Decoder) -> Files {
        Files { decoder, files: Vec::new() }
    }

    /// Adds a file. Returns its number, if there is room: each is held open.
    pub fn add(&mut self, records: Records) -> Option<u64> {
        let number = self.files.len() as u64;
        if number >= MOST_FILES {
            return None;
        }
        self.files.push(Arc::new(records));
        Some(number)
    }
}

impl Files {
    fn piece_from(&self, (file, start): (usize, u64)) -> Piece {
        let octets = self.files.get(file).map(|file| file.octets(start, PIECE));
        let end = start + PIECE as u64;
        Piece { file, start, end, octets: octets.unwrap_or_default() }
    }
}

impl Again for Files {
    fn segment<'a>(&self, at: Spot, piece: &'a Piece, room: &'a mut Vec<u8>) -> Option<Found<'a>> {
        let file = self.files.get(at.file())?;
        let lies_there = piece.file == at.file() && piece.start <= at.record();
        let there = lies_there.then(|| file.frame_among(at.record(), piece.start, &piece.octets));
        let frame = there.flatten().or_else(|| file.frame(at.record(), room))?;
        let (segment, payload) = self.decoder.decode(&frame).ok()?;
        Some(Found { hash: segment.hash, header: Header::of(&segment), payload })
    }

    fn piece(&self, from: Spot) -> Piece {
        self.piece_from(from.order())
    }

    fn piece_after(&self, piece: &Piece) -> Option<Piece> {
        Some(self.piece_from((piece.file, piece.end))).filter(|piece| !piece.octets.is_empty())
    }
}
