//! The order in which several inputs are read.

use std::path::Path;

use super::Error;
use super::file::{FileSource, Input};
use crate::place::Time;

/// An input whose turn has not come. A file is opened again then, so that a long series needs few
/// descriptors; standard input cannot be.
pub enum Pending {
    File(Input),
    Open(Box<FileSource>),
}

impl Pending {
    /// Opens it, at its place in the order of reading.
    ///
    /// # Errors
    /// If the file cannot be opened any more, or does not begin as a capture does.
    pub fn open(self, index: u16) -> Result<FileSource, Error> {
        match self {
            Pending::File(input) => FileSource::open(&input, index),
            Pending::Open(mut source) => {
                source.set_index(index);
                Ok(*source)
            }
        }
    }
}

/// Orders the inputs that can be opened by their first packets; those without any come last.
pub fn in_order(inputs: &[Input], trouble: &mut dyn FnMut(Error)) -> Vec<Pending> {
    let mut sources = Vec::new();
    for (given, input) in inputs.iter().enumerate() {
        match FileSource::open(input, 0) {
            Err(error) => trouble(error),
            Ok(source) if inputs.len() == 1 => return vec![Pending::Open(Box::new(source))],
            Ok(mut source) => {
                let time = source.peek_time();
                let pending = match input.is_stdin() {
                    true => Pending::Open(Box::new(source)),
                    false => Pending::File(input.clone()),
                };
                sources.push((time.is_none(), time, given, pending));
            }
        }
    }
    sources.sort_by_key(|(empty, time, given, _)| (*empty, *time, *given));
    sources.into_iter().map(|(.., pending)| pending).collect()
}

/// Files that follow one another may overlap by this much: packets are written a little late.
pub const OVERLAP_NS: i64 = 1_000_000_000;

/// True if the names look like those of one series: the same folder, the same name but for its digits.
#[must_use]
pub fn same_series(a: &str, b: &str) -> bool {
    let shape = |name: &str| -> String { name.chars().filter(|c| !c.is_ascii_digit()).collect() };
    Path::new(a).parent() == Path::new(b).parent() && shape(a) == shape(b)
}

/// True if a file whose first packet came at `first` can follow a capture that ended at `end`.
#[must_use]
pub fn follows(end: Time, first: Time) -> bool {
    first >= end.before(OVERLAP_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_known_by_its_names() {
        assert!(same_series("d/part-1.pcap", "d/part-12.pcap"));
        assert!(same_series("x_00001_20261122.pcapng", "x_00002_20261123.pcapng"));
        assert!(!same_series("d/part-1.pcap", "e/part-2.pcap"));
        assert!(!same_series("app-1.pcap", "db-2.pcap"));
    }
}
