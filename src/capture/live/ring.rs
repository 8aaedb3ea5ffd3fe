//! Files that follow one another, as tcpdump's `-C`, `-G` and `-W` have them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, metadata};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Local};

use crate::printable::printable;

/// A series of files, and what begins the next one.
#[derive(Clone, Debug)]
pub struct Ring {
    /// The name of the first, or what all names begin with. With `every`, it may have a time in it, as
    /// strftime(3) writes it.
    pub path: PathBuf,
    /// Octets after which a new one begins; their names end in a number.
    pub size: Option<u64>,
    /// The time after which a new one begins.
    pub every: Option<Duration>,
    /// With `size`, how many there are before the first is written over; otherwise, after how many the
    /// capture ends.
    pub files: Option<u32>,
}

/// A name that cannot be that of a series.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoSeries {
    /// The name lacks a time (strftime(3)), and `-G` would write the files over each other: the name.
    #[error("-G: {0:?} has no time that strftime(3) knows")]
    NoTime(String),
    /// A folder is no name for files.
    #[error("-G: the folder of -w is the same for all files, without a time in it")]
    Folder,
}

impl Ring {
    /// Tells whether its names can be made.
    ///
    /// # Errors
    /// If a time in them is none, or stands in the folder's name.
    pub fn check(&self) -> Result<(), NoSeries> {
        if self.every.is_none() {
            return Ok(());
        }
        if self.folder().to_string_lossy().contains('%') {
            return Err(NoSeries::Folder);
        }
        let pattern = self.path.to_string_lossy();
        match StrftimeItems::new(&pattern).any(|item| matches!(item, Item::Error)) {
            true => Err(NoSeries::NoTime(pattern.into_owned())),
            false => Ok(()),
        }
    }

    /// The folder that all its files are in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    /// The file of this number, begun at this time.
    #[must_use]
    pub fn name(&self, number: u32, at: DateTime<Local>) -> PathBuf {
        let mut name = OsString::from(&self.path);
        if self.every.is_some() {
            let mut timed = String::new();
            // Only what `check` refuses cannot be written.
            if write!(timed, "{}", at.format(&self.path.to_string_lossy())).is_ok() {
                name = timed.into();
            }
        }
        match (self.size, self.files) {
            // As many digits as the last has, so that they stand in order.
            (Some(_), Some(files)) => {
                let digits = files.saturating_sub(1).to_string().len();
                name.push(format!("{number:0digits$}"));
            }
            (Some(_), None) if number > 0 => name.push(number.to_string()),
            _ => {}
        }
        name.into()
    }

    /// The number of the file after this one, where it begins for its size.
    #[must_use]
    pub fn after(&self, number: u32) -> u32 {
        let next = number.saturating_add(1);
        if self.files.is_some_and(|files| next >= files) { 0 } else { next }
    }
}

/// A file of a series that is written; its errors name it.
pub struct Named {
    file: File,
    name: String,
}

impl Named {
    /// Makes a file for its owner to read, or empties the one that is there.
    ///
    /// # Errors
    /// If it cannot be written, or is another thing than a file.
    pub fn create(path: &Path) -> io::Result<Named> {
        let name = printable(&path.to_string_lossy());
        let file = match metadata(path) {
            Ok(there) if !there.is_file() => Err(io::Error::other("it is not a file")),
            _ => OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path),
        };
        match file {
            Ok(file) => Ok(Named { file, name }),
            Err(error) => Err(about(&name, &error)),
        }
    }
}

impl Write for Named {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets).map_err(|error| about(&self.name, &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| about(&self.name, &error))
    }
}

/// An error with the file that it is about.
fn about(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn ring(path: &str, size: bool, every: bool, files: Option<u32>) -> Ring {
        Ring {
            path: path.into(),
            size: size.then_some(1),
            every: every.then_some(Duration::from_secs(1)),
            files,
        }
    }

    fn names(ring: &Ring) -> [String; 3] {
        let at = Local.with_ymd_and_hms(2026, 11, 26, 13, 5, 9).single().expect("a time");
        [0, 1, 10].map(|number| ring.name(number, at).to_string_lossy().into_owned())
    }

    #[test]
    fn names_are_those_of_tcpdump() {
        assert_eq!(names(&ring("x", true, false, None)), ["x", "x1", "x10"]);
        assert_eq!(names(&ring("x", true, false, Some(11))), ["x00", "x01", "x10"]);
        assert_eq!(names(&ring("x", true, false, Some(10)))[1], "x1");
        assert_eq!(names(&ring("d/x-%H%M%S", false, true, Some(3)))[2], "d/x-130509");
        assert_eq!(names(&ring("x-%H", true, true, None)), ["x-13", "x-131", "x-1310"]);
        assert_eq!(names(&ring("100%", true, false, None))[0], "100%");
    }

    #[test]
    fn a_ring_begins_anew() {
        let ring = ring("x", true, false, Some(3));
        assert_eq!([0, 1, 2].map(|number| ring.after(number)), [1, 2, 0]);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let check = |path| ring(path, false, true, None).check();
        assert_eq!(check("x-%F_%T"), Ok(()));
        assert_eq!(check("x-%!"), Err(NoSeries::NoTime("x-%!".into())));
        assert_eq!(check("%F/x"), Err(NoSeries::Folder));
        assert_eq!(ring("%F/x", true, false, None).check(), Ok(()));
    }
}
