//! Mappings of a process's memory (proc_pid_maps(5)).

/// A mapping of a file, or of nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The first address.
    pub start: u64,
    /// The first address after it.
    pub end: u64,
    /// Octets of the file before it.
    pub offset: u64,
    /// True if it may be executed.
    pub is_code: bool,
    /// The file's inode; 0 for memory without a file.
    pub inode: u64,
    /// The file's path, or the kernel's word for the memory: `[vdso]`.
    pub path: String,
}

/// Mappings that are looked at.
const MOST: usize = 65_536;

/// Reads the list.
pub fn read(text: &str) -> Vec<Mapping> {
    text.lines().take(MOST).filter_map(mapping).collect()
}

/// Returns the mapping of the beginning of the file that this one is a mapping of.
pub fn first_of<'a>(all: &'a [Mapping], one: &Mapping) -> Option<&'a Mapping> {
    let is_its = |map: &&Mapping| map.inode == one.inode && map.path == one.path;
    // A file can be mapped twice: the nearest before.
    let firsts = all.iter().filter(|map| map.offset == 0 && map.start <= one.start);
    firsts.filter(is_its).rfind(|map| map.inode != 0)
}

/// Reads `00400000-00401000 r-xp 00000000 08:01 1234   /usr/bin/shop`.
fn mapping(line: &str) -> Option<Mapping> {
    let mut parts = line.splitn(6, ' ');
    let (start, end) = parts.next()?.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) = (number(start)?, number(end)?);
    let is_code = parts.next()?.as_bytes().get(2) == Some(&b'x');
    let offset = number(parts.next()?)?;
    let _device = parts.next()?;
    let inode = parts.next()?.parse().ok()?;
    let path = parts.next().unwrap_or_default().trim_start().to_owned();
    Some(Mapping { start, end, offset, is_code, inode, path })
}

impl Mapping {
    /// Tells whether an address lies in it.
    pub fn has(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Returns whether the kernel put it there: `[vdso]`, `[vsyscall]`.
    pub fn is_kernels(&self) -> bool {
        self.path.starts_with('[')
    }

    /// Returns the name without its folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read() {
        let text = "00400000-0059c000 r-xp 00001000 fe:00 2107398                          /srv/a b/shop (deleted)\n\
                    c000000000-c000400000 rw-p 00000000 00:00 0 \nnonsense\n";
        let maps = read(text);
        assert_eq!(maps.len(), 2);
        assert!(maps[0].is_code && maps[0].has(0x400000) && !maps[0].has(0x59c000));
        assert_eq!((maps[0].offset, maps[0].inode), (0x1000, 2_107_398));
        assert_eq!((maps[0].name(), maps[1].name()), ("shop (deleted)", ""));
        assert!(!maps[1].is_code);
    }
}
