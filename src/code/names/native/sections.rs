//! Whole sections of a file, compressed or not, within bounds; and the file that has what was stripped.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use crate::code::names::bytes::Bytes;
use crate::code::names::elf::{Elf, ElfSection};

/// The flag of a section that is compressed, and the two ways.
const COMPRESSED: u64 = 0x800;
const ZLIB: u32 = 1;
const ZSTD: u32 = 2;

/// Octets of what says how a section is compressed.
const HEAD: u64 = 24;

/// Reads a section; none if it is larger than `most`, or cannot be read.
pub fn whole(section: &ElfSection, file: &Arc<File>, most: usize) -> Option<Vec<u8>> {
    let size = usize::try_from(section.size).ok().filter(|size| *size <= most)?;
    // A file that says it is larger than it is takes no memory for it.
    section.offset.checked_add(section.size).filter(|end| *end <= len_of(file))?;
    let mut octets = vec![0; size];
    file.read(section.offset, &mut octets)?;
    match section.flags & COMPRESSED {
        0 => Some(octets),
        _ => unpacked(&octets, most),
    }
}

fn len_of(file: &File) -> u64 {
    file.metadata().map_or(0, |about| about.len())
}

fn unpacked(octets: &[u8], most: usize) -> Option<Vec<u8>> {
    let head = &octets;
    let (kind, size) = (head.u32(0)?, head.u64(8)?);
    let size = usize::try_from(size).ok().filter(|size| *size <= most)?;
    let packed = octets.get(HEAD as usize..)?;
    let mut all = Vec::new();
    let most = size as u64;
    match kind {
        ZLIB => flate2::read::ZlibDecoder::new(packed).take(most).read_to_end(&mut all).ok()?,
        ZSTD => {
            zstd::stream::read::Decoder::new(packed).ok()?.take(most).read_to_end(&mut all).ok()?
        }
        _ => return None,
    };
    (all.len() == size).then_some(all)
}

/// The places of files with what was stripped off others, by the name that linkers give to each build.
const FOLDER: &str = "usr/lib/debug/.build-id";

/// Returns the file with what was stripped off this one, if it is installed where the process is, or here.
pub fn stripped_off(pid: u32, elf: &Elf, file: &File) -> Option<(Elf, Arc<File>)> {
    let id = build_id(elf, file)?;
    let (folder, name) = id.split_at_checked(2)?;
    [format!("/proc/{pid}/root/"), "/".to_owned()].iter().find_map(|root| {
        let other = Arc::new(File::open(format!("{root}{FOLDER}/{folder}/{name}.debug")).ok()?);
        let theirs = Elf::read(&other)?;
        (build_id(&theirs, &other)? == id).then_some((theirs, other))
    })
}

/// The name of a build, in hexadecimal.
fn build_id(elf: &Elf, file: &File) -> Option<String> {
    const NOTE: u32 = 3;
    let at = elf.section(".note.gnu.build-id")?.offset;
    let (name, size, kind) = (file.u32(at)?, file.u32(at + 4)?, file.u32(at + 8)?);
    if name != 4 || kind != NOTE || !(8..=64).contains(&size) {
        return None;
    }
    let mut id = vec![0; size as usize];
    file.read(at.checked_add(16)?, &mut id)?;
    Some(id.iter().map(|octet| format!("{octet:02x}")).collect())
}
