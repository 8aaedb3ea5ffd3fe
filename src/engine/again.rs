//! The files of a capture, of which segments are read again by their places.

use std::sync::Arc;

use crate::attach::conversations::{Again, Found, Header};
use crate::attach::spared::{MOST_FILES, Spot};
use crate::capture::again::Records;
use crate::decode::Decoder;

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

impl Again for Files {
    fn segment<'a>(&self, at: Spot, room: &'a mut Vec<u8>) -> Option<Found<'a>> {
        let frame = self.files.get(at.file())?.frame(at.record(), room)?;
        let (segment, payload) = self.decoder.decode(&frame).ok()?;
        Some(Found { hash: segment.hash, header: Header::of(&segment), payload })
    }
}
