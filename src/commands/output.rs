//! Files that are written: whole, or not at all.
//!
//! A file is written beside its name and renamed when all is in it, so that whatever fails, what was
//! there before stays. A device, a pipe and what `/dev/fd` leads to cannot be renamed onto, and are
//! written straight. No output may be an input, or another output, by any of its names.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tempfile::{Builder, NamedTempFile};

use crate::printable::printable;

/// Modes of new files: packets and statements are nobody else's business; the umask narrows the other.
const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o666;

/// Symbolic links that lead on to another, at most (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Tells whether a name stands for standard output, where a file could be named.
pub fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The files of one run, so that none is written over another.
#[derive(Default)]
pub struct Outputs {
    inputs: Vec<Identity>,
    outputs: Vec<Identity>,
}

/// A file by its inode where it exists, and else by its folder and name.
#[derive(PartialEq, Eq)]
enum Identity {
    Inode(u64, u64),
    Name(PathBuf),
}

/// A folder for nobody but its owner. Dropped, it goes with all that is in it.
#[cfg(feature = "tui")]
pub struct OwnFolder(tempfile::TempDir);

#[cfg(feature = "tui")]
impl OwnFolder {
    /// Makes it, where files of a short life go.
    pub fn new() -> io::Result<OwnFolder> {
        Builder::new().prefix("closewait-").tempdir().map(OwnFolder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A file that is being written; its errors name it.
pub struct Output {
    file: File,
    name: String,
    onto: Onto,
}

/// The file that is written on in place of the one beside it, where that could not get its name.
type Onto = Arc<OnceLock<File>>;

impl Output {
    fn new(file: File, path: &Path) -> Output {
        Output { file, name: printable(&path.to_string_lossy()), onto: Onto::default() }
    }

    fn file(&self) -> &File {
        self.onto.get().unwrap_or(&self.file)
    }

    /// The file, to be asked about when it has been written.
    pub fn written(&self) -> Written {
        let file = self.file.try_clone().ok().filter(has_name);
        Written { file, onto: Arc::clone(&self.onto) }
    }
}

/// A file that is written, to tell in the end whether it is still there.
pub struct Written {
    file: Option<File>,
    onto: Onto,
}

impl Written {
    /// Tells whether somebody has removed it meanwhile: then all that was written is gone with it. One that was moved is not.
    pub fn is_removed(&self) -> bool {
        self.file.as_ref().is_some_and(|file| !has_name(self.onto.get().unwrap_or(file)))
    }
}

/// A memory file has none from the beginning on.
fn has_name(file: &File) -> bool {
    file.metadata().is_ok_and(|of| of.nlink() > 0)
}

/// An error with the file that it is about.
fn about(name: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

impl Write for Output {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file().write(octets).map_err(|error| about(&self.name, error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush().map_err(|error| about(&self.name, error))
    }
}

/// Moves a file to its name, once it is whole. Dropped before, it leaves what was there as it was.
pub struct Placing {
    to: PathBuf,
    beside: Option<NamedTempFile>,
    onto: Onto,
}

impl Outputs {
    /// None of the outputs may be one of these. `-` is standard input.
    pub fn beside<'a>(inputs: impl IntoIterator<Item = &'a Path>) -> Outputs {
        let real =
            |path: &'a Path| if path == Path::new("-") { "/dev/stdin".as_ref() } else { path };
        let identities = inputs.into_iter().filter_map(|input| Identity::of(real(input)));
        Outputs { inputs: identities.collect(), outputs: Vec::new() }
    }

    /// Takes note that the report goes to standard output, which may be a file.
    pub fn standard_output(&mut self) {
        self.outputs.extend(Identity::of(Path::new("/dev/stdout")));
    }

    /// Begins a file that holds payload or statements. `flag` is how the user named it.
    pub fn create(&mut self, path: &Path, flag: &str) -> Result<(Output, Placing), String> {
        self.claim(path, flag)?;
        begin(path, PRIVATE).map_err(|error| cannot(path, &error))
    }

    /// Writes a whole file that holds neither.
    pub fn write(&mut self, path: &Path, flag: &str, text: &str) -> Result<(), String> {
        self.claim(path, flag)?;
        write(path, text)?;
        // From now on it is known by its inode.
        self.outputs.extend(Identity::of(path));
        Ok(())
    }

    fn claim(&mut self, path: &Path, flag: &str) -> Result<(), String> {
        let name = printable(&path.to_string_lossy());
        if let Some(own) = Identity::of(path) {
            if self.inputs.contains(&own) {
                return Err(format!("{name}: is an input too; {flag} must name another file"));
            }
            if self.outputs.contains(&own) {
                return Err(format!(
                    "{name}: two outputs cannot be one file; {flag} must name another file"
                ));
            }
            self.outputs.push(own);
        }
        Ok(())
    }
}

impl Identity {
    /// `None` where nothing can be lost: terminals, pipes, `/dev/null`.
    fn of(path: &Path) -> Option<Identity> {
        match path.metadata() {
            Ok(of) if of.is_file() => Some(Identity::Inode(of.dev(), of.ino())),
            Ok(_) => None,
            Err(_) => {
                let to = resolve(path);
                let folder = folder(&to).canonicalize().ok()?;
                Some(Identity::Name(folder.join(to.file_name()?)))
            }
        }
    }
}

impl Placing {
    /// Gives the file its name: from now on it is what was written.
    pub fn place(self) -> io::Result<()> {
        let Placing { to, beside: Some(beside), onto } = self else { return Ok(()) };
        let name = printable(&to.to_string_lossy());
        let moved = move_to(&to, beside).map_err(|error| about(&name, error))?;
        // Whoever goes on writing writes there.
        moved.into_iter().for_each(|file| drop(onto.set(file)));
        Ok(())
    }
}

/// Returns the file that is there already, and now has all of it, where it has to stay.
fn move_to(to: &Path, beside: NamedTempFile) -> io::Result<Option<File>> {
    // A disk that writes later says only now that it is full.
    beside.as_file().sync_all()?;
    match beside.persist(to) {
        Ok(_) => Ok(None),
        // A file that is mounted by itself, as into a container, keeps its inode.
        Err(failed) if failed.error.kind() == io::ErrorKind::ResourceBusy => {
            let mut onto = OpenOptions::new().write(true).truncate(true).open(to)?;
            io::copy(&mut failed.file.reopen()?, &mut onto)?;
            Ok(Some(onto))
        }
        Err(failed) => Err(failed.error),
    }
}

fn cannot(path: &Path, error: &io::Error) -> String {
    format!("{}: cannot be written: {error}", printable(&path.to_string_lossy()))
}

/// Writes a whole file that holds neither payload nor statements.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    let (mut file, placing) = begin(path, PUBLIC).map_err(|error| cannot(path, &error))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| placing.place());
    written.map_err(|error| error.to_string())
}

fn begin(path: &Path, mode: u32) -> io::Result<(Output, Placing)> {
    let to = resolve(path);
    let old = to.metadata().ok();
    if is_straight(&to, old.as_ref()) {
        return straight(path, to, OpenOptions::new().append(true));
    }
    // Found out before anything is read, and not after.
    if old.is_some() {
        OpenOptions::new().write(true).open(&to)?;
    }
    // An existing file keeps its mode; what it may be of a new one, the umask decides.
    let mode = old.as_ref().map_or(mode, |old| old.mode() & 0o777);
    let folder = folder(&to);
    if folder.try_exists().is_ok_and(|exists| !exists) {
        let missing = format!("there is no folder {}", printable(&folder.to_string_lossy()));
        return Err(io::Error::new(io::ErrorKind::NotFound, missing));
    }
    let prefix = format!(".{}.", to.file_name().unwrap_or_default().to_string_lossy());
    clear_left_over(folder, &prefix);
    match create_beside(folder, &prefix, mode) {
        Ok(beside) => {
            let output = Output::new(beside.as_file().try_clone()?, path);
            let onto = Arc::clone(&output.onto);
            Ok((output, Placing { to, beside: Some(beside), onto }))
        }
        // The file may be written, but nothing beside it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && old.is_some() => {
            straight(path, to, OpenOptions::new().write(true).truncate(true))
        }
        Err(error) => Err(error),
    }
}

/// Ends the name of a file that is being written.
const PART: &str = ".part";

/// Times that another run may take a new file for one that was left over.
const MOST_TRIES: usize = 16;

/// Creates a file that is locked as long as its process lives.
fn create_beside(folder: &Path, prefix: &str, mode: u32) -> io::Result<NamedTempFile> {
    for _ in 0..MOST_TRIES {
        let mut builder = Builder::new();
        builder.prefix(prefix).suffix(PART);
        // Opened here: an error of the library's own would name this file, which nobody has asked for.
        let beside = builder.make_in(folder, |path| {
            OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)
        })?;
        let is_own = match beside.as_file().try_lock() {
            Ok(()) => beside.as_file().metadata()?.nlink() > 0,
            Err(TryLockError::WouldBlock) => false,
            // Some file systems know no locks: nothing is cleared there.
            Err(TryLockError::Error(_)) => true,
        };
        if is_own {
            return Ok(beside);
        }
    }
    Err(io::Error::other("another run writes the same file, again and again"))
}

/// Removes what runs that were killed have left of a file: whoever still writes has it locked.
fn clear_left_over(folder: &Path, prefix: &str) {
    let Ok(entries) = folder.read_dir() else { return };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_part = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let random = name.as_deref().and_then(|name| name.strip_prefix(prefix)?.strip_suffix(PART));
        random.is_some_and(|random| {
            random.len() == 6 && random.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    };
    for path in paths.filter(is_part) {
        let is_file = path.symlink_metadata().is_ok_and(|of| of.is_file());
        let file = OpenOptions::new().write(true).open(&path);
        if is_file && file.is_ok_and(|file| file.try_lock().is_ok()) {
            // What cannot be removed stays, as before.
            std::fs::remove_file(&path).ok();
        }
    }
}

fn straight(path: &Path, to: PathBuf, options: &OpenOptions) -> io::Result<(Output, Placing)> {
    let output = Output::new(options.open(path)?, path);
    Ok((output, Placing { to, beside: None, onto: Onto::default() }))
}

/// Devices, pipes, sockets; and descriptors of a process, whatever they are open for.
fn is_straight(to: &Path, of: Option<&Metadata>) -> bool {
    let is_special = of.map(Metadata::file_type).is_some_and(|kind| {
        kind.is_fifo() || kind.is_char_device() || kind.is_block_device() || kind.is_socket()
    });
    is_special || folder(to).canonicalize().is_ok_and(|folder| folder.starts_with("/proc"))
}

/// Follows symbolic links to the name that a file has, or would get; but not those of `/proc`, which
/// lead to what is open, and not to a name.
fn resolve(path: &Path) -> PathBuf {
    let mut at = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let in_proc = folder(&at).canonicalize().is_ok_and(|folder| folder.starts_with("/proc"));
        let Ok(to) = at.read_link().map(|to| folder(&at).join(to)) else { break };
        if in_proc {
            break;
        }
        at = to;
    }
    at
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) => Path::new("."),
        None => Path::new("/"),
    }
}
