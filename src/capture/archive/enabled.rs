//! Zip by its directory, tar by its headers.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::{Members, Octets, Trouble, path_of};
use crate::capture::compression::{Counted, bounded, bzip2, decompressed, xz, zstd};
use crate::printable::printable;

/// Archives with more members are not for this.
const MAX_MEMBERS: usize = 4_096;

enum Kind {
    Zip,
    Tar,
}

const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// The header of a tar member, and its mark.
const TAR_HEADER: u64 = 512;
const TAR_MARK: std::ops::Range<usize> = 257..262;

fn kind(path: &Path) -> io::Result<Option<Kind>> {
    let mut start = Vec::new();
    let file = File::open(path)?;
    decompressed(Box::new(file))?.take(TAR_HEADER).read_to_end(&mut start)?;
    Ok(match &start {
        start if ZIP.iter().any(|mark| start.starts_with(mark)) => Some(Kind::Zip),
        start if start.get(TAR_MARK) == Some(b"ustar") => Some(Kind::Tar),
        _ => None,
    })
}

pub fn members(path: &Path) -> Result<Option<Members>, Trouble> {
    // What cannot be opened or decompressed is said where it is read.
    let Ok(Some(kind)) = kind(path) else { return Ok(None) };
    let (names, faults) = match kind {
        Kind::Zip => zip_names(path)?,
        Kind::Tar => tar_names(path)?,
    };
    if names.len() > MAX_MEMBERS {
        return Err(damaged(format!("more than {MAX_MEMBERS} members")));
    }
    let paths = names.iter().map(|name| path_of(path, name)).collect();
    let troubles = faults.into_iter().map(|Fault { name, what }| {
        let path = name.map_or_else(|| path.to_owned(), |name| path_of(path, &name));
        (path, Trouble::Open(io::Error::other(what)))
    });
    Ok(Some(Members { paths, troubles: troubles.collect() }))
}

pub fn open(path: &Path, name: &str) -> Result<Octets, Trouble> {
    match kind(path) {
        Ok(Some(Kind::Zip)) => open_zip(path, name),
        Ok(Some(Kind::Tar)) => open_tar(path, name),
        Ok(None) => Err(Trouble::Missing),
        Err(error) => Err(Trouble::Open(error)),
    }
}

fn damaged(what: impl std::fmt::Display) -> Trouble {
    let what = printable(&what.to_string());
    Trouble::NotACapture(format!("the archive cannot be read: {what}"))
}

fn zip_archive(path: &Path) -> Result<ZipArchive<File>, Trouble> {
    ZipArchive::new(File::open(path).map_err(Trouble::Open)?).map_err(damaged)
}

fn zip_names(path: &Path) -> Result<(Vec<String>, Vec<Fault>), Trouble> {
    let archive = zip_archive(path)?;
    let names = archive.file_names().filter_map(Result::ok).map(Cow::into_owned);
    let names = names.filter(|name| !name.ends_with('/')).collect();
    // The directory is read by name: of two with one name, only the last is in it.
    let entries = zip_entries(path).map_err(Trouble::Open)?;
    let hidden = entries.filter(|entries| *entries > archive.len());
    let fault = hidden.map(|_| Fault {
        name: None,
        what: "several members have one name, and only the last is read: unzip it first".into(),
    });
    Ok((names, fault.into_iter().collect()))
}

/// The number of members by the end of a zip archive's directory, where it says it in 16 bits.
fn zip_entries(path: &Path) -> io::Result<Option<usize>> {
    const END: usize = 22;
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub((END + 0xffff) as u64)))?;
    let mut last = Vec::new();
    file.take((END + 0xffff) as u64).read_to_end(&mut last)?;
    let end = last.windows(END).rev().find(|window| window.starts_with(b"PK\x05\x06"));
    let entries = end.map(|end| u16::from_le_bytes([end[10], end[11]]));
    Ok(entries.filter(|entries| *entries < u16::MAX).map(usize::from))
}

fn open_zip(path: &Path, name: &str) -> Result<Octets, Trouble> {
    let mut archive = zip_archive(path)?;
    let at = archive.index_for_name(name).ok_or(Trouble::Missing)?;
    let member = archive.by_index_raw(at).map_err(damaged)?;
    if member.encrypted() {
        return Err(Trouble::Open(io::Error::other("it is encrypted: unzip it first")));
    }
    let (method, len, crc) = (member.compression(), member.compressed_size(), member.crc32());
    let start = member.data_start().ok_or_else(|| damaged("a member has no data"))?;
    drop(member);
    let mut file = File::open(path).map_err(Trouble::Open)?;
    file.seek(SeekFrom::Start(start)).map_err(Trouble::Open)?;
    let packed: Octets = Box::new(file.take(len));
    let unpacked: Octets = match method {
        CompressionMethod::STORE => packed,
        CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(packed)),
        CompressionMethod::BZIP2 => bzip2(packed),
        CompressionMethod::XZ => xz(packed),
        CompressionMethod::ZSTD => zstd(packed).map_err(Trouble::Open)?,
        other => {
            let what = format!("it is compressed by {other}: unzip it first");
            return Err(Trouble::Open(io::Error::other(what)));
        }
    };
    let octets = bounded(unpacked, len);
    Ok(Box::new(Checked { octets: CrcReader::new(octets), crc }))
}

/// Octets whose sum is known: at their end, it must be right.
struct Checked {
    octets: CrcReader<Octets>,
    crc: u32,
}

impl Read for Checked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.octets.read(into)?;
        if n == 0 && !into.is_empty() && self.octets.crc().sum() != self.crc {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"));
        }
        Ok(n)
    }
}

/// The reason why a member cannot be read; without a name, why those behind the last one cannot.
#[derive(Clone)]
struct Fault {
    name: Option<String>,
    what: String,
}

/// A member of a tar archive, and where it lies.
struct Member {
    /// Its name here, which no other has.
    name: String,
    /// Its name in the archive.
    path: String,
    at: u64,
    len: u64,
}

/// A tar archive, unpacked where it is compressed.
enum Tar {
    Plain(File),
    Packed(Octets),
}

impl Tar {
    fn open(path: &Path) -> Result<Tar, Trouble> {
        let mut file = File::open(path).map_err(Trouble::Open)?;
        let mut start = Vec::new();
        file.by_ref().take(TAR_HEADER).read_to_end(&mut start).map_err(Trouble::Open)?;
        file.rewind().map_err(Trouble::Open)?;
        match start.get(TAR_MARK) == Some(b"ustar") {
            true => Ok(Tar::Plain(file)),
            false => decompressed(Box::new(file)).map(Tar::Packed).map_err(Trouble::Open),
        }
    }

    /// The octets from a place on.
    fn from(self, at: u64) -> io::Result<Octets> {
        match self {
            Tar::Plain(mut file) => {
                file.seek(SeekFrom::Start(at))?;
                Ok(Box::new(file))
            }
            Tar::Packed(mut octets) => {
                io::copy(&mut octets.by_ref().take(at), &mut io::sink())?;
                Ok(octets)
            }
        }
    }
}

/// An archive whose members were listed: the file, and when it was changed last.
type Listed = (u64, u64, u64, Option<SystemTime>);

/// The archive that was listed last. Its members are opened one after the other, each by its name.
static LAST: Mutex<Option<(Listed, Arc<Listing>)>> = Mutex::new(None);

/// The members that are files.
fn tar_members(path: &Path) -> Result<Arc<Listing>, Trouble> {
    let of = std::fs::metadata(path).map_err(Trouble::Open)?;
    let now = (of.dev(), of.ino(), of.len(), of.modified().ok());
    // Nothing that holds the lock can panic.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, listing)) = last.as_ref().filter(|(listed, _)| *listed == now) {
        return Ok(Arc::clone(listing));
    }
    let mut listing = Listing::default();
    let read = Arc::new(AtomicU64::new(0));
    let len = match Tar::open(path)? {
        Tar::Plain(file) => {
            listing.take(whole(file).entries_with_seek().map_err(damaged)?);
            of.len()
        }
        Tar::Packed(input) => {
            let counted = Counted { input, read: Arc::clone(&read) };
            listing.take(whole(counted).entries().map_err(damaged)?);
            read.load(Ordering::Relaxed)
        }
    };
    listing.end_at(len);
    let listing = Arc::new(listing);
    *last = Some((now, Arc::clone(&listing)));
    Ok(listing)
}

/// An archive that is read to the end of its file: another may follow (`cat a.tar b.tar`), as `tar -i` reads it.
fn whole<R: Read>(input: R) -> tar::Archive<Blocks<R>> {
    let mut archive = tar::Archive::new(Blocks { input, at: 0 });
    archive.set_ignore_zeros(true);
    archive
}

/// A tar archive whose last block is filled up: what is cut off of the zeros at its end is nothing that is missing.
struct Blocks<R> {
    input: R,
    at: u64,
}

impl<R: Read> Read for Blocks<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut n = self.input.read(into)?;
        if n == 0 {
            let lacking = self.at.next_multiple_of(TAR_HEADER) - self.at;
            n = into.len().min(lacking as usize);
            into.iter_mut().take(n).for_each(|octet| *octet = 0);
        }
        self.at += n as u64;
        Ok(n)
    }
}

impl<R: Seek> Seek for Blocks<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        // What was filled up lies behind the input's end.
        let to = match to {
            SeekFrom::Current(octets) => SeekFrom::Start(self.at.saturating_add_signed(octets)),
            to => to,
        };
        self.at = self.input.seek(to)?;
        Ok(self.at)
    }
}

/// A tar archive's members, and what is wrong with it.
#[derive(Default)]
struct Listing {
    members: Vec<Member>,
    faults: Vec<Fault>,
    /// The last entry's name, and where its data end.
    last: Option<(String, u64)>,
}

impl Listing {
    fn take<R: Read>(&mut self, entries: tar::Entries<R>) {
        // What comes before the place where it is damaged can be read.
        for entry in entries.take(MAX_MEMBERS + 1) {
            match entry {
                Ok(entry) => self.add(&entry),
                Err(error) => return self.breaks_off(&error),
            }
        }
    }

    fn add<R: Read>(&mut self, entry: &tar::Entry<R>) {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (kind, at) = (entry.header().entry_type(), entry.raw_file_position());
        let stored = entry.header().entry_size().unwrap_or(entry.size()).max(entry.size());
        let is_sparse = kind.is_gnu_sparse() || name.contains("GNUSparseFile.");
        if is_sparse {
            let what = "it is stored with holes: unpack the archive first (tar -xf)".into();
            self.faults.push(Fault { name: Some(name.clone()), what });
        } else if kind.is_file() {
            // A later one of the same name is another state of it.
            let same = self.members.iter().filter(|member| member.path == name).count();
            let member_name = if same == 0 { name.clone() } else { format!("{name}#{}", same + 1) };
            let path = name.clone();
            self.members.push(Member { name: member_name, path, at, len: entry.size() });
        }
        self.last = (!is_sparse).then(|| (name, at.saturating_add(stored)));
    }

    fn breaks_off(&mut self, why: &dyn std::fmt::Display) {
        let behind = self.last.take().map_or_else(|| "its beginning".into(), |(name, _)| name);
        let what = format!("what comes behind {behind} cannot be read: {why}");
        self.faults.push(Fault { name: None, what });
    }

    /// Blocks of zeros end an archive: one without was cut off behind a member. A member that was itself cut off says so.
    fn end_at(&mut self, len: u64) {
        let is_cut = |end: u64| (end..=end.next_multiple_of(TAR_HEADER)).contains(&len);
        if self.members.len() <= MAX_MEMBERS
            && self.last.as_ref().is_some_and(|(_, end)| is_cut(*end))
        {
            self.breaks_off(&"the archive was cut off");
        }
    }
}

/// Octets that are unpacked for nothing, at most: each member of a compressed archive is reached through
/// all that come before it.
const MAX_AGAIN: u64 = 32 << 30;

fn tar_names(path: &Path) -> Result<(Vec<String>, Vec<Fault>), Trouble> {
    let listing = tar_members(path)?;
    let members = &listing.members;
    let again = members.iter().fold(0_u64, |again, member| again.saturating_add(member.at));
    if again > MAX_AGAIN && matches!(Tar::open(path)?, Tar::Packed(_)) {
        let what = "it is compressed, and has too many members: unpack it first (tar -xf)";
        return Err(Trouble::Open(io::Error::other(what)));
    }
    Ok((members.iter().map(|member| member.name.clone()).collect(), listing.faults.clone()))
}

fn open_tar(path: &Path, name: &str) -> Result<Octets, Trouble> {
    let listing = tar_members(path)?;
    let member =
        listing.members.iter().find(|member| member.name == name).ok_or(Trouble::Missing)?;
    let octets = Tar::open(path)?.from(member.at).map_err(Trouble::Open)?;
    Ok(Box::new(Whole { octets: octets.take(member.len) }))
}

/// A member that ends with its archive, before its own end, was cut off.
struct Whole {
    octets: io::Take<Octets>,
}

impl Read for Whole {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.octets.read(into)? {
            0 if !into.is_empty() && self.octets.limit() > 0 => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            n => Ok(n),
        }
    }
}
