//! A capture file, or standard input.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;

use super::again::Records;
use super::archive;
use super::buffer::Buffer;
use super::chunks::{Chunks, Decode, Packet, Walk};
use super::classic::{Classic, is_magic};
use super::compression::{Counted, Input as Octets, decompressed};
use super::pcapng::{Pcapng, SECTION_HEADER};
use super::record::{Broken, Record};
use super::stop::{Stop, Waiting, Whole};
use super::text::{Recognised, TextReader};
use super::unknown::{begins_a_capture, looks_like};
use super::utf16;
use super::{About, Error, Frame, Next, Source, Trouble};
use crate::place::{Place, Time};
use crate::printable::printable;

/// Large enough that a read costs nothing beside its packets.
const CAPACITY: usize = 128 << 10;

/// An input as the user named it. `-` is standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input(pub std::path::PathBuf);

impl Input {
    /// True for standard input.
    #[must_use]
    pub fn is_stdin(&self) -> bool {
        self.0 == Path::new("-")
    }

    /// True if standard input is a file or a pipe: something that a shell put there.
    #[must_use]
    pub fn is_redirected() -> bool {
        let stdin = io::stdin().as_fd().try_clone_to_owned().map(File::from);
        let kind = stdin.and_then(|stdin| stdin.metadata()).map(|of| of.file_type());
        kind.is_ok_and(|kind| kind.is_file() || kind.is_fifo())
    }

    /// The name as given, with nothing in it that a terminal would obey.
    #[must_use]
    pub fn name(&self) -> String {
        printable(&self.0.to_string_lossy())
    }

    /// Returns the time of the file's last change.
    fn modified(&self) -> Option<Time> {
        let modified = std::fs::metadata(&self.0).ok().filter(std::fs::Metadata::is_file)?;
        let since = modified.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        i128::try_from(since.as_nanos()).ok().map(Time::from_nanos)
    }

    /// A sentence for an input that can be read only once, with what to do about it; `None` for files.
    #[must_use]
    pub fn read_once(&self) -> Option<String> {
        let name = self.name();
        if self.is_stdin() {
            return Some(
                "-: standard input can be read only once (save it first: tcpdump -w FILE)".into(),
            );
        }
        let is_pipe = std::fs::metadata(&self.0).is_ok_and(|of| !of.is_file() && !of.is_dir());
        is_pipe.then(|| format!("{name}: is no file and can be read only once (save it first)"))
    }

    fn open(&self, stop: &Stop) -> Result<Opened, Trouble> {
        let file = match self.open_file() {
            Ok(file) => file,
            Err(error) => return self.open_member(error).map(Opened::once),
        };
        let metadata = file.metadata().map_err(Trouble::Open)?;
        if metadata.is_dir() {
            return Err(Trouble::Directory);
        }
        if !metadata.is_file() {
            return Ok(Opened::once(Box::new(Waiting::new(file, stop))));
        }
        // Standard input may have been read from already.
        let again = if self.is_stdin() { None } else { file.try_clone().ok() };
        let octets = Box::new(Whole::new(Box::new(file), stop));
        Ok(Opened { octets, size: Some(metadata.len()), again })
    }

    fn open_file(&self) -> io::Result<File> {
        if self.is_stdin() {
            // Not by way of the library's buffer: what lies in it would be waited for.
            return Ok(io::stdin().as_fd().try_clone_to_owned()?.into());
        }
        let is_fifo = std::fs::metadata(&self.0).is_ok_and(|of| of.file_type().is_fifo());
        // Nobody may be writing to a named pipe yet: that is waited for by reading, not by opening.
        let flags = if is_fifo { OFlags::NONBLOCK } else { OFlags::empty() };
        let flags = flags.bits().cast_signed();
        File::options().read(true).custom_flags(flags).open(&self.0)
    }

    /// No file has this name: a member of an archive may.
    fn open_member(&self, error: io::Error) -> Result<Octets, Trouble> {
        let kinds = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
        match archive::open(&self.0).filter(|_| kinds.contains(&error.kind())) {
            Some(member) => member,
            None if kinds.contains(&error.kind()) => Err(Trouble::Missing),
            None => Err(Trouble::Open(error)),
        }
    }
}

/// An input that is open.
struct Opened {
    octets: Octets,
    size: Option<u64>,
    /// The file once more, to be read from any place.
    again: Option<File>,
}

impl Opened {
    /// An input whose octets come once.
    fn once(octets: Octets) -> Opened {
        Opened { octets, size: None, again: None }
    }
}

enum Format {
    Classic(Classic),
    Pcapng(Pcapng),
    Text(Box<TextReader>),
}

impl Format {
    /// The record at the start of these bytes, where it lies there whole and is as nearly all are.
    #[inline(always)]
    fn in_one_piece(&self, bytes: &[u8]) -> Option<Record> {
        match self {
            Format::Classic(format) => format.in_one_piece(bytes),
            Format::Pcapng(format) => format.in_one_piece(bytes),
            Format::Text(_) => None,
        }
    }

    /// The way from one record to the next, where they are octets.
    fn walk(&self) -> Option<Walk> {
        match self {
            Format::Classic(format) => Some(Walk::Classic(format.clone())),
            Format::Pcapng(format) => Some(Walk::Pcapng(format.clone())),
            Format::Text(_) => None,
        }
    }
}

impl Record {
    /// Its packet, which no process is known of.
    #[inline(always)]
    pub(super) fn frame<'a>(
        &self,
        file: u16,
        number: u64,
        record: u64,
        data: &'a [u8],
    ) -> Frame<'a> {
        Frame {
            place: Place::new(self.time, file, number, self.digits),
            interface: self.interface,
            link: self.link,
            original_len: self.original_len,
            direction: self.direction,
            process: None,
            record,
            data,
        }
    }
}

/// Packets of one file.
pub struct FileSource {
    name: String,
    index: u16,
    size: Option<u64>,
    again: Option<File>,
    read: Arc<AtomicU64>,
    buffer: Buffer,
    format: Format,
    about: About,
    frames: u64,
    /// Records that other threads have decoded, where they do.
    chunks: Option<Box<Chunks>>,
    stop: Stop,
    /// Octets at the start of the buffer that were handed out by the last call.
    handed: usize,
    /// The next record, where it was looked at and not yet handed out.
    ahead: Option<Result<Option<Record>, Broken>>,
    ended: bool,
    modified: Option<Time>,
    /// Number of the source's last words that were said already.
    said: usize,
}

impl FileSource {
    /// Opens an input and reads its file header. `index` is its place in the order of reading.
    ///
    /// # Errors
    /// If it cannot be opened, or does not begin as a capture does.
    pub fn open(input: &Input, index: u16) -> Result<FileSource, Error> {
        FileSource::open_until(input, index, &Stop::default())
    }

    /// Opens it as [`FileSource::open`] does, and reads it until `stop` is set.
    ///
    /// # Errors
    /// As [`FileSource::open`].
    pub fn open_until(input: &Input, index: u16, stop: &Stop) -> Result<FileSource, Error> {
        let name = input.name();
        let wrap = |trouble| Error { input: name.clone(), trouble };
        let Opened { octets, size, again } = input.open(stop).map_err(wrap)?;
        let read = Arc::new(AtomicU64::new(0));
        let counted = Box::new(Counted { input: octets, read: Arc::clone(&read) });
        let bytes = decompressed(counted).and_then(utf16::decoded);
        let bytes = bytes.map_err(read_failed).map_err(wrap)?;
        let mut buffer = Buffer::new(bytes, CAPACITY);
        let mut about = About::default();
        let format = recognise(&mut buffer, &mut about).map_err(wrap)?;
        Ok(FileSource {
            name,
            index,
            size,
            again,
            read,
            buffer,
            format,
            about,
            frames: 0,
            chunks: None,
            stop: Arc::clone(stop),
            handed: 0,
            ahead: None,
            ended: false,
            modified: input.modified(),
            said: 0,
        })
    }

    /// The name as given, safe for a terminal.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True for packets as a tool has printed them.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self.format, Format::Text(_))
    }

    /// Returns the time of the file's last change, as its folder says: a capture that was stopped
    /// then ended then.
    #[must_use]
    pub fn modified(&self) -> Option<Time> {
        self.modified
    }

    /// Returns its records, if they can be read again by their places: a file of libpcap's own format, as it is.
    pub fn records(&self) -> Option<Records> {
        let Format::Classic(format) = &self.format else { return None };
        Some(Records::new(self.plain_file()?, format.clone()))
    }

    /// Returns its file once more, if that has the capture as it is.
    fn plain_file(&self) -> Option<File> {
        let again = self.again.as_ref()?.try_clone().ok()?;
        let mut magic = [0; 4];
        again.read_exact_at(&mut magic, 0).ok()?;
        // What is compressed begins otherwise, and its places are others.
        let is_plain = match &self.format {
            Format::Classic(format) => format.begins_with(magic),
            Format::Pcapng(_) => magic == SECTION_HEADER,
            Format::Text(_) => false,
        };
        is_plain.then_some(again)
    }

    /// An interface's snap length, as it was described last; 0 where not limited.
    #[must_use]
    pub fn snap_len(&self, interface: u32) -> u32 {
        match &self.format {
            Format::Classic(_) => self.about.snap_lengths.first().copied().unwrap_or(0),
            Format::Pcapng(format) => format.snap_len(interface),
            Format::Text(_) => 0,
        }
    }

    /// The time of the next packet, which stays to be read; `None` at the end or before an error.
    pub fn peek_time(&mut self) -> Option<Time> {
        if self.ahead.is_none() && !self.ended {
            // A decompressor says only once that its data are damaged.
            self.ahead = Some(self.locate());
        }
        match &self.ahead {
            Some(Ok(Some(record))) => Some(record.time),
            _ => None,
        }
    }

    /// Becomes the file of another place in the order of reading.
    pub fn set_index(&mut self, index: u16) {
        self.index = index;
    }

    /// The next record where it lies whole in the buffer, as nearly all do.
    fn next_in_one_piece(&mut self) -> Option<Record> {
        if self.ahead.is_some() || self.ended {
            return None;
        }
        let record = self.format.in_one_piece(self.buffer.unread().get(self.handed..)?)?;
        self.buffer.consume(self.handed);
        Some(record)
    }

    /// The next record, however it lies.
    #[inline(never)]
    fn next_record(&mut self) -> Result<Option<Record>, Error> {
        if self.ended {
            return Ok(None);
        }
        let located = match self.ahead.take() {
            Some(located) => located,
            None => self.locate(),
        };
        self.ended = !matches!(located, Ok(Some(_)));
        located.map_err(|broken| self.trouble(broken))
    }

    fn locate(&mut self) -> Result<Option<Record>, Broken> {
        self.buffer.consume(std::mem::take(&mut self.handed));
        if let Some(chunks) = &mut self.chunks {
            chunks.next(&mut self.buffer, self.frames, || self.format.walk());
        }
        match &mut self.format {
            Format::Classic(format) => format.locate(&mut self.buffer),
            Format::Pcapng(format) => format.locate(&mut self.buffer, &mut self.about),
            Format::Text(format) => format.locate(&mut self.buffer, &mut self.about),
        }
    }

    /// Said at the end, each once: what of a text could not be read, or not be understood.
    fn last_words(&mut self) -> Next<'static> {
        let disordered = self.about.is_disordered.then(|| Trouble::Told {
            sentence: "its rows stand in another order than their packets came in: sort it by its first column, or read the capture itself".into(),
            is_failure: true,
        });
        let unread = self.about.unread.trouble(self.frames);
        let troubles = [unread, self.about.ambiguous.trouble(), disordered];
        let unsaid = troubles.into_iter().flatten().nth(self.said);
        self.said += 1;
        match unsaid {
            Some(trouble) => Next::Trouble(Error { input: self.name.clone(), trouble }),
            None => Next::End,
        }
    }

    fn trouble(&self, broken: Broken) -> Error {
        let (frames, offset) = (self.frames, self.buffer.offset());
        let trouble = match broken {
            Broken::CutOff => Trouble::CutOff { frames, offset },
            Broken::Corrupt(what) => Trouble::Corrupt { frames, offset, what },
            Broken::Read(error) => Trouble::Read { frames, offset, error },
        };
        let input = self.name.clone();
        Error { input, trouble }
    }
}

impl Source for FileSource {
    #[inline(always)]
    fn next(&mut self) -> Result<Next<'_>, Error> {
        let record = match self.next_in_one_piece() {
            Some(record) => record,
            None => match self.next_record()? {
                Some(record) => record,
                None => return Ok(self.last_words()),
            },
        };
        self.frames += 1;
        self.handed = record.whole;
        let place = self.buffer.offset();
        let data = match &self.format {
            Format::Text(text) => text.packet(),
            _ => self.buffer.get(record.data_at, record.data_len),
        };
        let process = match &self.format {
            Format::Pcapng(format) if record.has_process => format.process(),
            Format::Text(format) if record.has_process => format.process(),
            _ => None,
        };
        Ok(Next::Frame(Frame { process, ..record.frame(self.index, self.frames, place, data) }))
    }

    #[inline(always)]
    fn each_whole(&mut self, mut take: impl FnMut(&Frame<'_>) -> bool) -> u64 {
        if self.ahead.is_some() || self.ended {
            return 0;
        }
        self.buffer.consume(std::mem::take(&mut self.handed));
        let (bytes, start) = (self.buffer.unread(), self.buffer.offset());
        let (mut rest, mut number) = (bytes, self.frames + 1);
        while let Some(record) = self.format.in_one_piece(rest)
            && let Some((whole, after)) = rest.split_at_checked(record.whole)
            && let Some(data) = whole.get(record.data_at..record.data_at + record.data_len)
            && take(&record.frame(
                self.index,
                number,
                start + (bytes.len() - rest.len()) as u64,
                data,
            ))
        {
            (rest, number) = (after, number + 1);
        }
        let (passed, before) = (bytes.len() - rest.len(), self.frames);
        self.buffer.consume(passed);
        self.frames = number - 1;
        self.frames - before
    }

    fn decode_ahead(&mut self, decoder: Arc<dyn Decode>, threads: usize) {
        if let (Some(file), Some(walk), Some(size)) =
            (self.plain_file(), self.format.walk(), self.size)
        {
            let chunks =
                Chunks::new((file, size, self.index), walk, (decoder, threads), &self.stop);
            self.chunks = Some(Box::new(chunks));
        }
    }

    fn each_decoded(&mut self, take: impl FnMut(Packet<'_>) -> bool) -> u64 {
        if self.ahead.is_some() || self.ended {
            return 0;
        }
        let Some(chunks) = &mut self.chunks else { return 0 };
        self.buffer.consume(std::mem::take(&mut self.handed));
        let taken = chunks.each(&mut self.buffer, self.frames, || self.format.walk(), take);
        self.frames += taken;
        taken
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn progress(&self) -> (u64, Option<u64>) {
        // Of a plain file, other threads may have read further.
        let read = if self.chunks.is_some() {
            self.buffer.offset()
        } else {
            self.read.load(Ordering::Relaxed)
        };
        (read, self.size)
    }
}

/// Tells whether a file that begins so is a capture as libpcap or Wireshark write it.
pub fn is_capture(magic: [u8; 4]) -> bool {
    magic == SECTION_HEADER || is_magic(magic)
}

/// Tells the format by its first bytes.
fn recognise(buffer: &mut Buffer, about: &mut About) -> Result<Format, Trouble> {
    let start = buffer.peek(4).map_err(read_failed)?;
    let Some(&magic) = start.first_chunk::<4>() else {
        return Err(match start {
            [] => Trouble::Empty,
            _ if begins_a_capture(start) => ends_after(start.len()),
            _ => Trouble::NotACapture(format!("it ends after {} bytes", start.len())),
        });
    };
    if magic == SECTION_HEADER {
        let is_whole = has_section_header(buffer).map_err(read_failed)?;
        return match is_whole {
            true => Ok(Format::Pcapng(Pcapng::default())),
            false => Err(Trouble::NotReadable("it ends inside its first section header".into())),
        };
    }
    match magic {
        magic if is_magic(magic) => match Classic::open(buffer, about) {
            Ok(format) => Ok(Format::Classic(format)),
            Err(Broken::Read(error)) => Err(read_failed(error)),
            Err(_) => Err(Trouble::NotReadable("it ends inside its file header".into())),
        },
        _ => match TextReader::recognise(buffer).map_err(read_failed)? {
            Recognised::Text(text) => Ok(Format::Text(text)),
            Recognised::Refused(why) => Err(Trouble::NotACapture(why)),
            Recognised::No => Err(looks_like(buffer)),
        },
    }
}

fn ends_after(bytes: usize) -> Trouble {
    Trouble::NotReadable(format!("it ends after {bytes} bytes"))
}

/// Is a pcapng file's first block there to its end? Without it, not even the order of octets is known.
fn has_section_header(buffer: &mut Buffer) -> io::Result<bool> {
    const SHORTEST: usize = 28;
    let Some(start) = buffer.peek(SHORTEST)?.first_chunk::<SHORTEST>() else { return Ok(false) };
    let (words, _) = start.as_chunks::<4>();
    let order =
        if words[2] == [0x1a, 0x2b, 0x3c, 0x4d] { u32::from_be_bytes } else { u32::from_le_bytes };
    let len = order(words[1]) as usize;
    // What is longer is for the reader to judge.
    Ok(len > CAPACITY || buffer.peek(len)?.len() >= len)
}

fn read_failed(error: io::Error) -> Trouble {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Trouble::NotReadable("its compressed data end before its file header".into());
    }
    Trouble::Read { frames: 0, offset: 0, error }
}
