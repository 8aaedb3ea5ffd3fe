//! The order in which several inputs are read.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
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
    /// Returns the input's name.
    pub fn name(&self) -> String {
        match self {
            Pending::File(input) => input.name(),
            Pending::Open(source) => source.name().to_owned(),
        }
    }

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
            Ok(Some(members)) => {
                for (path, trouble_there) in members.troubles {
                    trouble(Error { input: Input(path).name(), trouble: trouble_there });
                }
                captures(members.paths)
            }
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

/// The inputs, each once: another look at the same packets is no other capture of them, and would keep the next file
/// from following.
pub fn once(inputs: &[Input], trouble: &mut dyn FnMut(Error)) -> Vec<Input> {
    let mut known = BTreeSet::new();
    let mut is_new = |input: &&Input| {
        let is_new = known.insert(identity(input));
        if !is_new {
            let sentence = "is named twice, and read once".into();
            let told = Trouble::Told { sentence, is_failure: false };
            trouble(Error { input: input.name(), trouble: told });
        }
        is_new
    };
    inputs.iter().filter(|input| is_new(input)).cloned().collect()
}

/// The file that an input is, whatever its name; what is none has its name alone.
fn identity(input: &Input) -> (Option<(u64, u64)>, PathBuf) {
    match std::fs::metadata(&input.0) {
        Ok(file) if !input.is_stdin() => (Some((file.dev(), file.ino())), PathBuf::new()),
        _ => (None, input.0.clone()),
    }
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
/// those without any come last. Of several, `look` gets each that is opened a second time, to look at how it begins: to
/// open one is dear in an archive, which is unpacked as far as that. Standard input could not be read again.
pub fn in_order(
    inputs: &[Input],
    stop: &Stop,
    trouble: &mut dyn FnMut(Error),
    look: &mut dyn FnMut(FileSource),
) -> Vec<Pending> {
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
                    false => {
                        look(source);
                        Pending::File(input.clone())
                    }
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
    unpacked_name(name).chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// A name without the suffix of what packed the file: the newest of a series is not packed yet.
fn unpacked_name(name: &str) -> &str {
    const PACKED: [&str; 6] = [".gz", ".zst", ".xz", ".bz2", ".lz4", ".lzma"];
    PACKED.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

/// A name's place in its series: `x.pcap2` comes before `x.pcap10`.
pub type Rank = (String, Vec<u64>, String);

/// Ranks files by their names: the order in which they are given changes nothing.
#[must_use]
pub fn rank(name: &str) -> Rank {
    (shape(name), numbers(name), name.to_owned())
}

/// Returns how the one count in which the names of two files of a series differ goes on: from which to which number.
fn step(before: &str, after: &str) -> Option<(u64, u64)> {
    let [mut one, two] = [before, after].map(counts);
    // tcpdump -C counts from the second file on: x.pcap, x.pcap1.
    if one.len() + 1 == two.len() && unpacked_name(after).starts_with(unpacked_name(before)) {
        one.push(0);
    }
    let mut differ = one.iter().zip(&two).filter(|(one, two)| one != two);
    let (&one, &two) = differ.next().filter(|_| one.len() == two.len())?;
    let is_one = differ.next().is_none() && same_series(before, after);
    (is_one && one < two && two < FIRST_DATE && !rolls_over(one, two)).then_some((one, two))
}

/// Numbers from here on are dates, and seconds since 1970: 20261122.
const FIRST_DATE: u64 = 10_000_000;

/// Is one followed by the other where they are times? 04:59 by 05:00, 23 h by 0 h, a month's last day by a first.
fn rolls_over(one: u64, two: u64) -> bool {
    matches!((one % 100, two % 100), (59 | 23, 0) | (28..=31, 1)) && two - one > 1
}

fn numbers(path: &str) -> Vec<u64> {
    digits(path).map(|run| run.parse().unwrap_or(u64::MAX)).collect()
}

/// The numbers without whole times, which dumpcap writes behind its count: `x_00001_20261122120000.pcapng`.
fn counts(path: &str) -> Vec<u64> {
    let counts = digits(path).filter(|run| run.len() != "20261122120000".len());
    counts.map(|run| run.parse().unwrap_or(u64::MAX)).collect()
}

/// Does the name itself show that it is counted? dumpcap writes a whole time behind the count, tcpdump -C the count behind
/// the suffix; others put a full stop between both.
fn is_counted(path: &str) -> bool {
    let behind = unpacked_name(path).rsplit_once(".pcap").is_some_and(|(_, behind)| {
        let behind = behind.strip_prefix("ng").unwrap_or(behind);
        let behind = behind.strip_prefix('.').unwrap_or(behind);
        !behind.is_empty() && behind.chars().all(|c| c.is_ascii_digit())
    });
    behind || digits(path).count() > counts(path).len()
}

/// Do two names differ in one number with zeros before it: `x_00001`, `x_00003`? Times of day and dates have them, too: where
/// all may be such, they are counts only if all would be right after midnight. Two digits may be anything.
fn is_padded(one: &str, two: &str, are_timed: bool) -> bool {
    let is_count = |run: &str| {
        let is_late = run.parse().is_ok_and(|n: u64| n >= 60);
        let is_time = are_timed && is_late && is_time_of_day(run);
        (3..=6).contains(&run.len()) && !is_time
    };
    let mut differ = digits(one).zip(digits(two)).filter(|(one, two)| one != two);
    let is_padded = differ.next().is_some_and(|(one, two)| {
        one.len() == two.len() && one.starts_with('0') && is_count(one) && is_count(two)
    });
    is_padded && differ.next().is_none()
}

/// Does a name look like a time? Of a minute without packets, tcpdump -G writes no file: nothing is missing.
fn is_timed(path: &str) -> bool {
    // 12-01-59, 2026-11-22.
    let pairs = digits(path).filter(|run| run.len() == 2).count();
    pairs > 1 || digits(path).any(is_time_of_day)
}

/// 1201, 120159.
fn is_time_of_day(run: &str) -> bool {
    let part = |at: usize, below: u8| {
        run.get(at..at + 2).and_then(|two| two.parse().ok()).is_some_and(|n: u8| n < below)
    };
    match run.len() {
        4 => part(0, 24) && part(2, 60),
        6 => part(0, 24) && part(2, 60) && part(4, 60),
        _ => false,
    }
}

fn digits(path: &str) -> impl Iterator<Item = &str> {
    let name = unpacked_name(path.rsplit('/').next().unwrap_or_default());
    name.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty())
}

/// Finds files that are missing in each series that counts its files, in the order of reading: the place of
/// the file after each hole, and how many are missing there. Names that hold times count nothing.
#[must_use]
pub fn missing(names: &[&str]) -> Vec<(usize, u64)> {
    let mut series: BTreeMap<(Option<&Path>, String), Vec<usize>> = BTreeMap::new();
    for (at, name) in names.iter().enumerate() {
        series.entry((Path::new(name).parent(), shape(name))).or_default().push(at);
    }
    let mut missing: Vec<_> =
        series.values().flat_map(|places| missing_of_one(names, places)).collect();
    missing.sort_unstable();
    missing
}

fn missing_of_one(names: &[&str], places: &[usize]) -> Vec<(usize, u64)> {
    let steps = places.windows(2).map(|two| (two[1], step(names[two[0]], names[two[1]])));
    let steps: Vec<_> = steps.filter_map(|(at, step)| Some((at, step?))).collect();
    let are_timed = places.iter().all(|&at| is_timed(names[at]));
    let is_padded = |two: &[usize]| is_padded(names[two[0]], names[two[1]], are_timed);
    let are_counted =
        places.iter().any(|&at| is_counted(names[at])) || places.windows(2).all(is_padded);
    if !are_counted && (are_timed || !steps.iter().any(|(_, (one, two))| two - one == 1)) {
        return Vec::new();
    }
    // One without packets has no place in time, and is there all the same.
    let there: BTreeSet<u64> = places.iter().flat_map(|&at| counts(names[at])).collect();
    let absent = |(one, two): (u64, u64)| {
        let between = there.range(one.saturating_add(1)..two).count() as u64;
        (two - one - 1).saturating_sub(between)
    };
    let holes = steps.into_iter().map(|(at, step)| (at, absent(step)));
    holes.filter(|(_, absent)| *absent > 0).collect()
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
        assert!(same_series("x.pcap.gz", "x.pcap1.gz") && same_series("x.pcap1.bz2", "x.pcap2"));
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
        // Zeros before a number do, and a place behind the suffix.
        assert_eq!(missing(&["s_00001.pcap", "s_00003.pcap"]), [(1, 1)]);
        assert_eq!(missing(&["cap-0001", "cap-0003", "cap-0009"]), [(1, 1), (2, 5)]);
        assert_eq!(missing(&["cap-0058", "cap-0061", "cap-0102"]), [(1, 2), (2, 40)]);
        assert_eq!(missing(&["f.pcap.1", "f.pcap.3"]), [(1, 1)]);
        assert_eq!(missing(&["f.pcapng.1.gz", "f.pcapng.3"]), [(1, 1)]);
        assert_eq!(missing(&["f.pcap.01", "f.pcap.02", "f.pcap.04"]), [(2, 1)]);
        assert_eq!(missing(&["c-0058", "c-0100", "c-0102"]), []);
        assert_eq!(missing(&["c-000059", "c-000159"]), []);
        assert_eq!(missing(&["c-0105", "c-0107"]), []);
        assert_eq!(missing(&["d-05112026", "d-07112026"]), []);
        assert_eq!(missing(&["h-01", "h-03"]), []);
        assert_eq!(missing(&["c-2026.001-1", "c-2026.003-2"]), []);
        // Times of day are no counts.
        assert_eq!(missing(&["c-0458.pcap", "c-0459.pcap", "c-0500.pcap"]), []);
        assert_eq!(missing(&["c-120000.pcap", "c-120100.pcap", "c-120300.pcap"]), []);
        // A ring begins again; others are no series.
        assert_eq!(missing(&["r8", "r9", "r0"]), []);
        assert_eq!(missing(&["a1", "a2", "b4"]), []);
        assert_eq!(missing(&["n03", "n04", "n00", "n01"]), []);
        // Nor are dates, and the time behind a count.
        assert_eq!(missing(&["d-20261129", "d-20261130", "d-20261202"]), []);
        assert_eq!(missing(&["d-1129", "d-1130", "d-1201"]), []);
        assert_eq!(missing(&["c-1201", "c-1202", "c-1204"]), []);
        assert_eq!(
            missing(&["c-2026-11-22_12-01", "c-2026-11-22_12-02", "c-2026-11-22_12-04"]),
            []
        );
        assert_eq!(missing(&["c-120100.pcap", "c-120100.pcap1", "c-120100.pcap3"]), [(2, 1)]);
        let dumpcap = ["x_00001_20261122120000.pcapng", "x_00002_20261122120100.pcapng"];
        let third = "x_00004_20261122120300.pcapng";
        assert_eq!(missing(&[dumpcap[0], dumpcap[1], third]), [(2, 1)]);
        // tcpdump -C, with series between one another.
        let names = ["x.pcap", "y1", "x.pcap1", "y2", "x.pcap2", "x.pcap4", "y4"];
        assert_eq!(missing(&names), [(5, 1), (6, 1)]);
        assert_eq!(missing(&["x.pcap.gz", "x.pcap2.gz"]), [(1, 1)]);
        assert_eq!(missing(&[dumpcap[0], third]), [(1, 2)]);
        // One without packets is read last.
        assert_eq!(missing(&["p-0", "p-2", "p-3", "p-1"]), []);
    }
}
