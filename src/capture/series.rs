//! The order in which several inputs are read.

use std::path::{Path, PathBuf};

use super::archive;
use super::file::{FileSource, Input};
use super::stop::Stop;
use super::{Error, Trouble};
use crate::place::Time;

/// An input whose turn has not come. A file is opened again then, so that a long series needs few
/// descriptors; standard input cannot be.
pub enum Pending {
    /// A file that is opened when its turn comes.
    File(Input),
    /// A file that was opened to see how it begins.
    Open(Box<FileSource>),
}

impl Pending {
    /// Opens it, at its place in the order of reading.
    ///
    /// # Errors
    /// If the file cannot be opened any more, or does not begin as a capture does.
    pub fn open(self, index: u16, stop: &Stop) -> Result<FileSource, Error> {
        match self {
            Pending::File(input) => FileSource::open_until(&input, index, stop),
            Pending::Open(mut source) => {
                source.set_index(index);
                Ok(*source)
            }
        }
    }
}

/// An input, or a member of one that is an archive.
struct Unpacked {
    input: Input,
    is_member: bool,
}

/// The inputs, with the captures in archives in place of these.
pub fn members(inputs: &[Input], trouble: &mut dyn FnMut(Error)) -> Vec<Input> {
    unpacked(inputs, trouble).into_iter().map(|unpacked| unpacked.input).collect()
}

fn unpacked(inputs: &[Input], trouble: &mut dyn FnMut(Error)) -> Vec<Unpacked> {
    let mut unpacked = Vec::new();
    for input in inputs {
        let found = match archive::members(&input.0) {
            Ok(Some(members)) => captures(members),
            Ok(None) => {
                unpacked.push(Unpacked { input: input.clone(), is_member: false });
                continue;
            }
            Err(error) => {
                trouble(Error { input: input.name(), trouble: error });
                continue;
            }
        };
        if found.is_empty() {
            let what = "no member of the archive is a capture".into();
            trouble(Error { input: input.name(), trouble: Trouble::NotACapture(what) });
        }
        let members = found.into_iter().map(|input| Unpacked { input, is_member: true });
        unpacked.extend(members);
    }
    unpacked
}

/// The members that are captures, or that should be and are damaged.
fn captures(members: Vec<PathBuf>) -> Vec<Input> {
    let is_capture = |input: &Input| match FileSource::open(input, 0) {
        Ok(_) => true,
        Err(error) => !error.trouble.is_no_capture(),
    };
    members.into_iter().map(Input).filter(is_capture).collect()
}

/// Orders the inputs that can be opened by their first packets, and where these came at the same time by their names;
/// those without any come last.
pub fn in_order(inputs: &[Input], stop: &Stop, trouble: &mut dyn FnMut(Error)) -> Vec<Pending> {
    let mut sources = Vec::new();
    let inputs = unpacked(inputs, trouble);
    for Unpacked { input, is_member } in &inputs {
        match FileSource::open_until(input, 0, stop) {
            // Of an archive, only what is a capture is meant.
            Err(error) if *is_member && error.trouble.is_no_capture() => {}
            Err(error) => trouble(error),
            Ok(source) if inputs.len() == 1 => return vec![Pending::Open(Box::new(source))],
            Ok(mut source) => {
                let time = source.peek_time();
                let order = (time.is_none(), time, rank(source.name()));
                let pending = match input.is_stdin() {
                    true => Pending::Open(Box::new(source)),
                    false => Pending::File(input.clone()),
                };
                sources.push((order, pending));
            }
        }
    }
    sources.sort_by(|(one, _), (two, _)| one.cmp(two));
    sources.into_iter().map(|(_, pending)| pending).collect()
}

/// Files that follow one another may overlap by this much: packets are written a little late.
pub const OVERLAP_NS: i64 = 1_000_000_000;

/// True if the names look like those of one series: the same folder, the same name but for its digits.
#[must_use]
pub fn same_series(a: &str, b: &str) -> bool {
    Path::new(a).parent() == Path::new(b).parent() && shape(a) == shape(b)
}

fn shape(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// A name's place in its series: `x.pcap2` comes before `x.pcap10`.
pub type Rank = (String, Vec<u64>, String);

/// Ranks files by their names: the order in which they are given changes nothing.
#[must_use]
pub fn rank(name: &str) -> Rank {
    (shape(name), numbers(name), name.to_owned())
}

/// Returns by how much the one number in which the names of two files of a series differ goes up.
fn step(before: &str, after: &str) -> Option<u64> {
    let [one, two] = [before, after].map(numbers);
    let mut differ = one.iter().zip(&two).filter(|(one, two)| one != two);
    let (one, two) = differ.next().filter(|_| one.len() == two.len())?;
    let is_one = differ.next().is_none() && same_series(before, after);
    // 04:59 is followed by 05:00.
    let rolls_over = one % 100 == 59 && two % 100 == 0;
    two.checked_sub(*one).filter(|_| is_one && !rolls_over)
}

fn numbers(path: &str) -> Vec<u64> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let runs = name.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.map(|run| run.parse().unwrap_or(u64::MAX)).collect()
}

/// Finds files that are missing in a series that counts its files, in the order of reading: the place of
/// the file after each hole, and how many are missing there. Names that hold times count nothing.
#[must_use]
pub fn missing(names: &[&str]) -> Vec<(usize, u64)> {
    let steps = names.windows(2).map(|pair| step(pair[0], pair[1]));
    let steps: Vec<(usize, u64)> =
        steps.enumerate().filter_map(|(at, step)| Some((at + 1, step?))).collect();
    if !steps.iter().any(|(_, step)| *step == 1) {
        return Vec::new();
    }
    steps.into_iter().filter(|(_, step)| *step > 1).map(|(at, step)| (at, step - 1)).collect()
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

    #[test]
    fn a_series_is_ranked_by_its_count() {
        let mut names = ["d/x.pcap10", "d/x.pcap2", "d/x.pcap", "d/w.pcap3", "d/x.pcap02"];
        names.sort_by_key(|name| rank(name));
        assert_eq!(names, ["d/w.pcap3", "d/x.pcap", "d/x.pcap02", "d/x.pcap2", "d/x.pcap10"]);
    }

    #[test]
    fn a_series_that_counts_its_files_shows_which_are_missing() {
        assert_eq!(missing(&["d/p-08.pcap", "d/p-09.pcap", "d/p-12.pcap"]), [(2, 2)]);
        assert_eq!(missing(&["p-1.pcap", "p-2.pcap", "p-3.pcap"]), []);
        // Nothing says that they are counted.
        assert_eq!(missing(&["p-1.pcap", "p-3.pcap"]), []);
        // Times of day are no counts.
        assert_eq!(missing(&["c-0458.pcap", "c-0459.pcap", "c-0500.pcap"]), []);
        assert_eq!(missing(&["c-120000.pcap", "c-120100.pcap", "c-120300.pcap"]), []);
        // A ring begins again; others are no series.
        assert_eq!(missing(&["r8", "r9", "r0"]), []);
        assert_eq!(missing(&["a1", "a2", "b4"]), []);
    }
}
