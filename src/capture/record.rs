//! One packet's record as every format finds it in the buffer, and why none may follow.

use std::io;

use super::LinkType;
use super::buffer::Buffer;
use crate::place::Time;
use crate::tcp::segment::Direction;

/// One packet's record in the buffer.
#[derive(Clone, Copy)]
pub struct Record {
    /// Octets of the record, and where its data lies in it.
    pub whole: usize,
    pub data_at: usize,
    pub data_len: usize,
    pub time: Time,
    pub digits: u8,
    pub interface: u32,
    pub link: LinkType,
    pub original_len: u32,
    pub direction: Option<Direction>,
    /// The format knows whose packet it is.
    pub has_process: bool,
}

/// The reason why no further record can be read.
pub enum Broken {
    /// The input ends inside a record.
    CutOff,
    Corrupt(String),
    Read(io::Error),
}

impl Broken {
    /// Returns why there is no record where all octets of its beginning are zero.
    pub fn blank(buffer: &mut Buffer) -> Broken {
        match buffer.is_blank_to_its_end() {
            Ok(true) => Broken::CutOff,
            Ok(false) => {
                Broken::Corrupt("nothing but zeros stands where a packet should begin".into())
            }
            Err(error) => error.into(),
        }
    }
}

impl From<io::Error> for Broken {
    /// A compressed stream that ends early was cut off like any other.
    fn from(error: io::Error) -> Broken {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Broken::CutOff,
            _ => Broken::Read(error),
        }
    }
}
