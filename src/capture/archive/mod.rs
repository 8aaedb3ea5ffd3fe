//! Captures in archives: zip and tar, also compressed. Each member that is a capture is an input of
//! its own, named `x.zip/member.pcap`, and can be named so.
//!
//! An archive in an archive is not opened, and a member is read as a stream: memory does not grow
//! with what an archive claims to hold.

#[cfg(not(feature = "containers"))]
mod disabled;
#[cfg(feature = "containers")]
mod enabled;

#[cfg(not(feature = "containers"))]
use disabled as inside;
#[cfg(feature = "containers")]
use enabled as inside;

#[cfg(feature = "containers")]
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Trouble;
pub use super::compression::Input as Octets;

/// Members of an archive.
pub struct Members {
    /// Their paths, in their order.
    pub paths: Vec<PathBuf>,
    /// Troubles with those that cannot be read, and where they stand.
    pub troubles: Vec<(PathBuf, Trouble)>,
}

/// The members of an archive, or `None` where a path is none: a file of another kind, a folder, a
/// pipe. In their order; whether they are captures shows when they are opened.
pub fn members(path: &Path) -> Result<Option<Members>, Trouble> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => inside::members(path),
        _ => Ok(None),
    }
}

/// The octets of a member, where a path leads through an archive to one.
pub fn open(path: &Path) -> Option<Result<Octets, Trouble>> {
    let archive = path.ancestors().skip(1).find(|ancestor| ancestor.is_file())?;
    let whole = path.as_os_str().to_str()?;
    let name = whole.strip_prefix(archive.as_os_str().to_str()?)?.strip_prefix('/')?;
    Some(inside::open(archive, name))
}

/// The path of a member. Joined by hand: a member can have any name, and none leads out.
#[cfg(feature = "containers")]
fn path_of(archive: &Path, member: &str) -> PathBuf {
    let mut path = archive.as_os_str().to_owned();
    path.push(OsStr::new("/"));
    path.push(member);
    path.into()
}
