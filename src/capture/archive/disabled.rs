//! Without the feature `containers`, archives are files that are no captures.

use std::path::{Path, PathBuf};

use super::{Octets, Trouble};

pub fn members(_: &Path) -> Result<Option<Vec<PathBuf>>, Trouble> {
    Ok(None)
}

pub fn open(_: &Path, _: &str) -> Result<Octets, Trouble> {
    Err(Trouble::Missing)
}
