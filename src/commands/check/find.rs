//! The captures that paths name, in a fixed order, each with the place of its expectation.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::capture::file::{FileSource, Input, is_capture};

/// A capture to check.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub capture: PathBuf,
    /// The file of its expectation, whether it exists or not.
    pub expectation: PathBuf,
}

/// A path that names nothing to check, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Nothing {
    pub path: PathBuf,
    pub why: String,
}

const KINDS: [&str; 3] = ["pcap", "pcapng", "cap"];
const COMPRESSED: [&str; 5] = ["gz", "zst", "xz", "bz2", "lz4"];

/// Files, folders with all below them, and globs that the shell has left alone. What is named twice is
/// checked once.
pub fn find(paths: &[PathBuf]) -> Vec<Result<Target, Nothing>> {
    let mut all: Vec<Result<PathBuf, Nothing>> = paths.iter().flat_map(|path| of(path)).collect();
    let mut seen = HashSet::new();
    all.retain(|found| found.as_ref().map_or(true, |path| seen.insert(path.clone())));
    all.into_iter().map(|found| found.map(Target::new)).collect()
}

fn of(path: &Path) -> Vec<Result<PathBuf, Nothing>> {
    let nothing = |why: String| vec![Err(Nothing { path: path.into(), why })];
    if path.is_dir() {
        return match in_folder(path) {
            Ok(found) if found.is_empty() => {
                nothing("holds no capture (.pcap, .pcapng, .cap, also compressed)".into())
            }
            Ok(found) => found,
            Err((folder, error)) => {
                let why = format!("cannot be listed: {error}");
                vec![Err(Nothing { path: folder, why })]
            }
        };
    }
    match path.to_str() {
        Some(pattern) if !path.exists() && pattern.contains(['*', '?', '[']) => {
            match matching(pattern) {
                Ok(found) if found.is_empty() => nothing("matches no file".into()),
                Ok(found) => found.iter().flat_map(|path| of(path)).collect(),
                Err(error) => nothing(error),
            }
        }
        _ if path == Path::new("-") => {
            nothing("check needs files, not standard input: no expectation is beside it".into())
        }
        _ => vec![Ok(path.into())],
    }
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>, String> {
    let found = glob::glob(pattern).map_err(|error| format!("is no pattern: {error}"))?;
    let found: Result<Vec<PathBuf>, _> = found.collect();
    let mut found = found.map_err(|error| error.to_string())?;
    // `x.*` finds the expectation, too.
    found.retain(|path| path.extension().is_none_or(|e| e != "toml"));
    found.sort();
    Ok(found)
}

/// Sorted. Links to folders are not followed, so that no loop is; what is hidden is not looked at, and
/// a pipe is not waited for.
fn in_folder(folder: &Path) -> Result<Vec<Result<PathBuf, Nothing>>, (PathBuf, io::Error)> {
    let (mut found, mut expected, mut dangling) = (Vec::new(), Vec::new(), Vec::new());
    let mut others = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for (path, kind) in listed(&folder).map_err(|error| (folder, error))? {
            let is_hidden = path.file_name().is_some_and(is_hidden);
            if kind.is_dir() && !is_hidden {
                folders.push(path);
            } else if !is_hidden && stem(&path).is_some() && leads_nowhere(&path) {
                dangling.push(path);
            } else if is_hidden || !path.is_file() && !leads_nowhere(&path) {
            } else if path.to_string_lossy().ends_with(EXPECTATION) {
                expected.push(path);
            } else if stem(&path).is_some() || begins_as_capture(&path) {
                found.push(path);
            } else {
                others.push(path);
            }
        }
    }
    found.extend(texts(others, &expected));
    found.sort();
    dangling.sort();
    let captures = found.iter().chain(&dangling).cloned();
    let used: HashSet<PathBuf> = captures.map(|it| Target::new(it).expectation).collect();
    expected.retain(|path| !used.contains(path));
    expected.sort();
    // `closewait check .` names files as everyone else does.
    let short = |path: PathBuf| path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path);
    let alone = |path| Nothing {
        path: short(path),
        why: "the capture that it is about is not there".into(),
    };
    let nowhere = |path| Nothing { path: short(path), why: NOWHERE.into() };
    Ok(found
        .into_iter()
        .map(|path| Ok(short(path)))
        .chain(dangling.into_iter().map(|path| Err(nowhere(path))))
        .chain(expected.into_iter().map(|path| Err(alone(path))))
        .collect())
}

/// Packets as a tool has printed them have any name: what an expectation stands beside is looked at.
fn texts(others: Vec<PathBuf>, expected: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    let expected: HashSet<PathBuf> = expected.iter().cloned().collect();
    let is_expected =
        move |path: &PathBuf| expected.contains(&Target::new(path.clone()).expectation);
    let is_text = |path: &PathBuf| {
        FileSource::open(&Input(path.clone()), 0).is_ok_and(|source| source.is_text())
    };
    others.into_iter().filter(is_expected).filter(is_text)
}

/// The reason why a link cannot be followed.
pub const NOWHERE: &str = "is a link to nothing";

/// A link whose target is not there: whoever made it meant a file.
pub fn leads_nowhere(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}

fn is_hidden(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with('.')
}

fn listed(folder: &Path) -> io::Result<Vec<(PathBuf, FileType)>> {
    fs::read_dir(folder)?
        .map(|entry| entry.and_then(|it| Ok((it.path(), it.file_type()?))))
        .collect()
}

/// The ending of expectations.
const EXPECTATION: &str = ".expect.toml";

/// Is it a capture, whatever it is called (`x.pcap1` of a rotated series)?
fn begins_as_capture(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && is_capture(magic)
}

/// The name without what says that it is a capture; `None` if nothing does.
fn stem(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let without = |name: &'_ str, endings: &[&str]| {
        let (stem, ending) = name.rsplit_once('.')?;
        let is_one = endings.iter().any(|known| known.eq_ignore_ascii_case(ending));
        (!stem.is_empty() && is_one).then_some(stem.len())
    };
    let plain = without(name, &COMPRESSED).map_or(name, |len| &name[..len]);
    without(plain, &KINDS).map(|len| &plain[..len])
}

impl Target {
    /// `x.expect.toml` for `x.pcap`; where `x.pcapng` is there, too, `x.pcap.expect.toml` goes before.
    pub fn new(capture: PathBuf) -> Target {
        let name = |name: &str| capture.with_file_name(format!("{name}.expect.toml"));
        let whole = capture.file_name().map(|name| name.to_string_lossy().into_owned());
        let whole = name(&whole.unwrap_or_default());
        let usual = match stem(&capture) {
            Some(stem) => name(stem),
            None if is_part(&capture) => whole.clone(),
            None => capture.with_extension("expect.toml"),
        };
        // A link is there, wherever it leads.
        let is_there = |path: &Path| path.is_symlink() || path.exists();
        let shared = || !is_there(&usual) && has_sibling(&capture);
        let expectation = if is_there(&whole) || shared() { whole } else { usual };
        Target { capture, expectation }
    }
}

/// Is it a part of a series, `x.pcap1` as `tcpdump -C` names them? Then its expectation is not that of `x.pcap`.
fn is_part(capture: &Path) -> bool {
    let ending = capture.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let kind = ending.trim_end_matches(|c: char| c.is_ascii_digit());
    kind.len() < ending.len() && KINDS.contains(&kind)
}

/// Another capture of the same name, but for its ending.
fn has_sibling(capture: &Path) -> bool {
    let (Some(folder), Some(own)) = (capture.parent(), stem(capture)) else { return false };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut others = entries.map(|entry| entry.path());
    others.any(|other| other.file_name() != capture.file_name() && stem(&other) == Some(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_is_told_by_its_name() {
        assert_eq!(stem(Path::new("a/x.pcap")), Some("x"));
        assert_eq!(stem(Path::new("x.y.pcapng.zst")), Some("x.y"));
        assert_eq!(stem(Path::new("x.cap.gz")), Some("x"));
        for other in ["x.gz", "x.pcap.txt", "x.expect.toml", ".pcap", "pcap"] {
            assert_eq!(stem(Path::new(other)), None, "{other}");
        }
    }
}
