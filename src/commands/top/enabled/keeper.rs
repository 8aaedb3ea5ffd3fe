//! Packets of this host as files: another process of the same program reads what is kept, and writes what the user
//! wishes for.
//!
//! The one that reads packets as they come can open nothing any more. So another begins before it gives that up
//! (`closewait keeper`, with the options of `top`): it makes a folder in which packets are kept, in files that
//! follow one another, and may write there and in the current folder, nowhere else. A wish is a line of JSON, and
//! its answer a sentence.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::deeds::{page, write};
use crate::capture::file::Input;
use crate::capture::live::ring::Ring;
use crate::capture::live::turn::Turn;
use crate::commands::extract::Chosen;
use crate::commands::format::command_line;
use crate::commands::live::{Keeping, LiveCommand};
use crate::commands::output::OwnFolder;
use crate::commands::top::Files;
use crate::commands::{Exit, complain};
use crate::confine;
use crate::owner::SocketList;
use crate::owner::lookup::SocketLine;
use crate::run::Plan;
use crate::tcp::segment::FlowKey;

/// Octets of a file of packets, and how many there are before the first is written over: twice that is kept.
const SIZE: u64 = 8 << 20;
const FILES: u32 = 8;

/// Files are whole within this time, or the process that writes them is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// A wish as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub enum Deed {
    /// The packets of connections between these ends.
    Write(Vec<(SocketAddr, SocketAddr)>),
    /// The report, with the sockets that are known.
    Report(Vec<SocketLine>),
}

/// A wish, and the file that is not whole yet, unless no more packets come.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    current: u32,
    is_over: bool,
    deed: Deed,
}

/// The asking side. The other process ends with it.
pub struct Keeper {
    wishes: ChildStdin,
    answers: BufReader<ChildStdout>,
    _child: Child,
    /// The folder that packets are kept in.
    pub folder: PathBuf,
    pub turn: Arc<Turn>,
}

impl Keeper {
    /// Starts the other process: this program, with this one's options.
    ///
    /// # Errors
    /// If it cannot be started, or can make no folder.
    pub fn start(program: &Path) -> io::Result<Keeper> {
        let mut command = Command::new(program);
        command.arg("keeper").args(env::args_os().skip(2));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let pipe = || io::Error::other("it has no pipe");
        let wishes = child.stdin.take().ok_or_else(pipe)?;
        let mut answers = BufReader::new(child.stdout.take().ok_or_else(pipe)?);
        let folder = serde_json::from_str(&line(&mut answers)?)?;
        Ok(Keeper { wishes, answers, _child: child, folder, turn: Arc::default() })
    }

    /// The files that packets are kept in.
    pub fn ring(&self) -> Ring {
        let path = self.folder.join(KEPT);
        Ring { path, size: Some(SIZE), every: None, files: Some(FILES) }
    }

    /// Has something done, and waits until it is. Returns what came of it.
    pub fn act(&mut self, deed: Deed) -> String {
        self.ask(deed).unwrap_or_else(|error| format!("packets that were kept: {error}"))
    }

    fn ask(&mut self, deed: Deed) -> io::Result<String> {
        self.turn.wish();
        let wished = Instant::now();
        let (is_over, current) = loop {
            // In this order: none ends in between.
            let is_over = self.turn.is_over();
            match self.turn.current() {
                Some(current) => break (is_over, current),
                None if wished.elapsed() > PATIENCE => return Err(io::ErrorKind::TimedOut.into()),
                None => sleep(Duration::from_millis(5)),
            }
        };
        let mut wish = serde_json::to_vec(&Asked { current, is_over, deed })?;
        wish.push(b'\n');
        self.wishes.write_all(&wish)?;
        Ok(serde_json::from_str(&line(&mut self.answers)?)?)
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match from.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

/// Names of files that are written to, and of those that are whole.
const KEPT: &str = "kept";
const WHOLE: &str = "whole";

/// The other process: does what it is asked for until nobody asks any more. Signals are for who asks.
pub fn serve(asked: LiveCommand) -> Exit {
    match begin(&asked) {
        Ok(()) => Exit::Clean,
        Err(sentence) => {
            complain(&sentence);
            Exit::Failed
        }
    }
}

fn begin(asked: &LiveCommand) -> Result<(), String> {
    let nobody = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let _ = flag::register(signal, Arc::clone(&nobody));
    }
    confine::without_rights(asked.user.as_deref()).map_err(|error| error.to_string())?;
    let folder = OwnFolder::new().map_err(|error| format!("packets cannot be kept: {error}"))?;
    let folders = [folder.path(), Path::new(".")];
    confine::writer(&folders, folder.path()).map_err(|error| error.to_string())?;
    let mut out = io::stdout().lock();
    let failed = |error: io::Error| error.to_string();
    answer(&mut out, &folder.path()).map_err(failed)?;
    let mut shelf = Shelf { folder: folder.path().to_owned(), next: 0 };
    for wish in io::stdin().lock().lines() {
        let wish = wish.map_err(failed)?;
        let wish: Asked = serde_json::from_str(&wish).map_err(|error| error.to_string())?;
        let done = act(asked, &mut shelf, wish);
        // Who asked may be gone.
        if answer(&mut out, &done.unwrap_or_else(|sentence| sentence)).is_err() {
            break;
        }
    }
    Ok(())
}

fn answer(out: &mut impl Write, what: &impl Serialize) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string(what)?)?;
    out.flush()
}

fn act(asked: &LiveCommand, shelf: &mut Shelf, wish: Asked) -> Result<String, String> {
    let inputs = match &asked.write {
        Some(Keeping::File(path)) => vec![Input(path.clone())],
        _ => {
            let taken = shelf.take(wish.current, wish.is_over);
            taken.map_err(|error| format!("packets were kept: {error}"))?
        }
    };
    let plan = &asked.plan;
    let files = Files {
        inputs,
        filter: None,
        policy: plan.policy.clone(),
        separate: false,
        max_flows: plan.max_flows,
        threads: plan.threads,
        reading: plan.reading.clone(),
    };
    match wish.deed {
        Deed::Write(ends) => {
            let keys = ends.iter().map(|(a, b)| FlowKey::new((*a).into(), (*b).into()).0);
            write(&files, Chosen::Between(keys.collect()))
        }
        Deed::Report(sockets) => {
            let sockets = sockets.into_iter().filter_map(SocketLine::socket).collect();
            let plan = Plan { sockets: Some(SocketList::new(sockets)), ..files.plan() };
            page(plan, asked.look.zone, command_line().replacen("keeper", "top", 1))
        }
    }
}

/// The files that are whole: taken away from those that are written over, and bounded, too.
struct Shelf {
    folder: PathBuf,
    next: u64,
}

impl Shelf {
    /// Takes every file but that which is being written, the oldest first, and that one, too, once all is over; and returns
    /// all that there are.
    fn take(&mut self, current: u32, is_over: bool) -> io::Result<Vec<Input>> {
        // Their numbers go round: the one after the current is the oldest.
        for number in (current + 1..FILES).chain(0..current).chain(is_over.then_some(current)) {
            let kept = self.folder.join(format!("{KEPT}{number}"));
            if kept.exists() {
                fs::rename(kept, self.whole(self.next))?;
                self.next += 1;
            }
        }
        let mut inputs = Vec::new();
        for number in (0..self.next).rev() {
            let whole = self.whole(number);
            match whole.exists() {
                true if inputs.len() < FILES as usize => inputs.push(Input(whole)),
                true => fs::remove_file(whole)?,
                false => break,
            }
        }
        inputs.reverse();
        Ok(inputs)
    }

    /// As many digits as it takes for the files to be seen as a series.
    fn whole(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{WHOLE}{number:08}"))
    }
}
