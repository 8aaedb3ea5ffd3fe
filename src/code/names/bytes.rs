//! Octets of a file, a part of one, or a process's memory, read a few at a time: files are others', and
//! may be as large as they like.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Octets by their places.
pub trait Bytes {
    /// Fills `into` with the octets from `offset` on; none if they are not all there.
    fn read(&self, offset: u64, into: &mut [u8]) -> Option<()>;

    /// Reads a number of two octets, the least first, as all that is read here has them.
    fn u16(&self, offset: u64) -> Option<u16> {
        let mut octets = [0; 2];
        self.read(offset, &mut octets)?;
        Some(u16::from_le_bytes(octets))
    }

    /// Reads four octets, in the order of this host.
    fn u32(&self, offset: u64) -> Option<u32> {
        let mut octets = [0; 4];
        self.read(offset, &mut octets)?;
        Some(u32::from_le_bytes(octets))
    }

    /// Reads eight octets, in the order of this host.
    fn u64(&self, offset: u64) -> Option<u64> {
        let mut octets = [0; 8];
        self.read(offset, &mut octets)?;
        Some(u64::from_le_bytes(octets))
    }

    /// Reads a text up to its zero octet, as much of it as `most`.
    fn text(&self, offset: u64, most: usize) -> Option<String> {
        const STEP: usize = 32;
        let mut text = Vec::new();
        while text.len() < most {
            let at = offset.checked_add(text.len() as u64)?;
            let mut step = [0; STEP];
            // Near the end there may be less than a step.
            let size = (1..=STEP).rev().find(|size| {
                step.get_mut(..*size).is_some_and(|part| self.read(at, part).is_some())
            })?;
            let read = step.get(..size).unwrap_or_default();
            let end = read.iter().position(|octet| *octet == 0);
            text.extend_from_slice(read.get(..end.unwrap_or(size)).unwrap_or_default());
            if end.is_some() {
                break;
            }
        }
        text.truncate(most);
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

impl Bytes for &[u8] {
    fn read(&self, offset: u64, into: &mut [u8]) -> Option<()> {
        let start = usize::try_from(offset).ok()?;
        into.copy_from_slice(self.get(start..start.checked_add(into.len())?)?);
        Some(())
    }
}

impl Bytes for File {
    fn read(&self, offset: u64, into: &mut [u8]) -> Option<()> {
        self.read_exact_at(into, offset).ok()
    }
}

impl<B: Bytes> Bytes for &B {
    fn read(&self, offset: u64, into: &mut [u8]) -> Option<()> {
        (**self).read(offset, into)
    }
}

impl<B: Bytes> Bytes for std::sync::Arc<B> {
    fn read(&self, offset: u64, into: &mut [u8]) -> Option<()> {
        (**self).read(offset, into)
    }
}

/// A part of a file.
#[derive(Debug)]
pub struct Section<B> {
    /// The file, or the memory, that it is a part of.
    pub bytes: B,
    /// Octets before it.
    pub offset: u64,
    /// Octets of it.
    pub size: u64,
}

impl<B: Bytes> Bytes for Section<B> {
    fn read(&self, offset: u64, into: &mut [u8]) -> Option<()> {
        let end = offset.checked_add(into.len() as u64)?;
        (end <= self.size).then(|| self.bytes.read(self.offset.checked_add(offset)?, into))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_out_of_bounds_are_not_there() {
        let section = Section { bytes: &b"abcdefgh\0\0\0\0ij"[..], offset: 2, size: 9 };
        assert_eq!(section.u16(0), Some(u16::from_le_bytes(*b"cd")));
        assert_eq!(
            (section.u32(6), section.u64(1)),
            (None, Some(u64::from_le_bytes(*b"defgh\0\0\0")))
        );
        assert_eq!((section.u16(u64::MAX), section.u16(8)), (None, None));
        assert_eq!(section.text(1, 80).as_deref(), Some("defgh"));
        assert_eq!(section.text(1, 3).as_deref(), Some("def"));
        assert_eq!((&b"no end"[..]).text(0, 80), None);
    }
}
