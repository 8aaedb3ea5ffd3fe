//! Pages of a part's columns, of bounded size. The crate that decodes them takes as much memory as a page's
//! header and a dictionary's say.

use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::part::{CHUNK, CHUNK_PAYLOAD};

/// Octets of a row group before compression, at most: payloads, and as much again for all else.
pub const MOST_OCTETS: i64 = 4 * CHUNK_PAYLOAD as i64;

/// Octets at the end of a Parquet: the length of its footer, and a mark.
const TAIL: u64 = 8;

/// Octets by which the size of a page is known: three numbers, each after an octet.
const SIZES: u64 = 18;

/// A Parquet of which no page unpacks to more than [`MOST_OCTETS`].
pub struct Bounded<R>(pub R);

impl<R: Length> Length for Bounded<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Bounded<R> {
    type T = R::T;

    /// Begins to read a page's header, or the tail of the file.
    fn get_read(&self, start: u64) -> Result<R::T> {
        let left = self.len().saturating_sub(start);
        if left > TAIL {
            let head = self.0.get_bytes(start, left.min(SIZES) as usize)?;
            unpacked(&head).filter(|octets| *octets <= MOST_OCTETS).ok_or_else(too_large)?;
        }
        self.0.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes> {
        self.0.get_bytes(start, length)
    }
}

fn too_large() -> ParquetError {
    ParquetError::General("a page is larger than a part has any".into())
}

/// Returns the octets that a page unpacks to: the second field of its header (Thrift's compact protocol), as
/// whoever writes fields in their order puts it.
fn unpacked(header: &[u8]) -> Option<i64> {
    /// The next field, a number of 32 bits.
    const NEXT: u8 = 0x15;
    let mut rest = header.strip_prefix(&[NEXT])?;
    number(&mut rest)?;
    rest = rest.strip_prefix(&[NEXT])?;
    number(&mut rest)
}

/// Takes a number: seven bits an octet, the lowest first, and the sign in the lowest of all.
fn number(octets: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for shift in (0..35).step_by(7) {
        let (octet, rest) = octets.split_first()?;
        *octets = rest;
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            let half = (number >> 1) as i64;
            return Some(if number & 1 == 0 { half } else { -half - 1 });
        }
    }
    None
}

/// Pages of a column whose dictionary has no more values than a chunk has rows.
pub struct Counted(pub Box<dyn PageReader>);

impl PageReader for Counted {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        match self.0.get_next_page()? {
            Some(Page::DictionaryPage { num_values, .. }) if num_values as usize > CHUNK => {
                Err(too_large())
            }
            page => Ok(page),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.0.skip_next_page()
    }
}

impl Iterator for Counted {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Result<Page>> {
        self.get_next_page().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_headers() {
        assert_eq!(unpacked(&[0x15, 0x00, 0x15, 0x08, 0x15, 0x04]), Some(4));
        assert_eq!(unpacked(&[0x15, 0x04, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f]), Some(0x7fff_ffff));
        assert_eq!(unpacked(&[0x15, 0x00, 0x15, 0x01]), Some(-1));
        for none in
            [&[0x15, 0x00, 0x25, 0x08][..], &[0x15], &[], &[0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]
        {
            assert_eq!(unpacked(none), None);
        }
    }

    #[test]
    fn a_page_that_unpacks_to_too_much_is_not_read() {
        let file = |size: &[u8]| {
            let octets = [&[0x15, 0x00, 0x15], size, &[0x15, 0x04, 0x2c, 0x15, 0x02]].concat();
            Bounded(bytes::Bytes::from([&octets[..], &[0; TAIL as usize]].concat()))
        };
        assert!(file(&[0x08]).get_read(0).is_ok());
        // 64 MiB, and one more octet.
        assert!(file(&[0x80, 0x80, 0x80, 0x40]).get_read(0).is_ok());
        assert!(file(&[0x82, 0x80, 0x80, 0x40]).get_read(0).is_err());
        assert!(file(&[0xfe, 0xff, 0xff, 0xff, 0x0f]).get_read(0).is_err());
        let all = file(&[0x08]);
        assert!(all.get_read(all.len() - TAIL).is_ok(), "the tail is no page");
    }

    /// A column of nothing but a dictionary of so many values.
    struct Dictionary(u32);

    impl PageReader for Dictionary {
        fn get_next_page(&mut self) -> Result<Option<Page>> {
            Ok(Some(Page::DictionaryPage {
                buf: bytes::Bytes::new(),
                num_values: self.0,
                encoding: parquet::basic::Encoding::PLAIN,
                is_sorted: false,
            }))
        }

        fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
            Ok(None)
        }

        fn skip_next_page(&mut self) -> Result<()> {
            Ok(())
        }
    }

    impl Iterator for Dictionary {
        type Item = Result<Page>;

        fn next(&mut self) -> Option<Result<Page>> {
            self.get_next_page().transpose()
        }
    }

    #[test]
    fn a_dictionary_of_too_many_values_is_none() {
        let read = |values| Counted(Box::new(Dictionary(values))).get_next_page();
        assert!(read(CHUNK as u32).is_ok() && read(CHUNK as u32 + 1).is_err());
        assert!(read(u32::MAX).is_err());
    }
}
