//! Without the feature `containers`, archives are files that are no captures.

use std::path::Path;

use super::{Members, Octets, Trouble};

pub fn members(_: &Path) -> Result<Option<Members>, Trouble> {
    Ok(None)
}

pub fn open(_: &Path, _: &str) -> Result<Octets, Trouble> {
    Err(Trouble::Missing)
}
