//! The asking side. One question is under way at a time, and nobody waits for its answer who has
//! packets to read.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use super::{Lines, Question, SocketLine};
use crate::owner::links::Links;
use crate::owner::{Socket, Usage};

/// The other process. It ends with this one: its input is then closed.
pub struct Lookup {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    under_way: bool,
    /// Somebody wants to end: an answer is not waited for as long then.
    stop: Arc<AtomicBool>,
    /// The time of the last question, and the longest that an answer has taken.
    asked: Instant,
    longest: Duration,
}

/// A look at the largest hosts takes a few seconds: who has not answered by then, stands still.
pub const LONGEST: Duration = Duration::from_secs(20);

/// Whoever wants to end waits for so long at least, and ten times as long as any answer has taken so far.
const LAST: Duration = Duration::from_secs(2);
const TIMES: u32 = 10;

/// The longest wait before the wish to end is looked at.
const SLICE: Duration = Duration::from_millis(100);

/// The error of one that stands still.
#[must_use]
pub fn silent() -> io::Error {
    no_answer(LONGEST)
}

fn no_answer(waited: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer for {} s", waited.as_secs()))
}

/// The kernel's answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// `None` if its list may not be seen, or was not asked for.
    pub sockets: Option<Vec<Socket>>,
    /// This host's interfaces, with their addresses.
    pub links: Links,
    /// Events of the code behind sockets that did not arrive, where it is watched.
    pub code_lost: Option<u64>,
    /// Descriptors of the processes that hold sockets in CLOSE-WAIT.
    pub usage: BTreeMap<i32, Usage>,
    /// The host passes others' packets on.
    pub forwards: bool,
}

impl Lookup {
    /// Starts it: `command` is this program, told to answer (`closewait lookup`).
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn start(mut command: Command) -> io::Result<Lookup> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let pipe = || io::Error::other("it has no pipe");
        let questions = child.stdin.take().ok_or_else(pipe)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(pipe)?);
        Ok(Lookup {
            child,
            questions: Some(questions),
            answers,
            under_way: false,
            stop: Arc::default(),
            asked: Instant::now(),
            longest: Duration::ZERO,
        })
    }

    /// Waits less long for answers once this is set.
    pub fn heed(&mut self, stop: &Arc<AtomicBool>) {
        self.stop = Arc::clone(stop);
    }

    /// Has it begin to look. [`Lookup::answer`] says what it found.
    ///
    /// # Errors
    /// If the other process has ended.
    pub fn ask(&mut self, question: &Question) -> io::Result<()> {
        let Some(questions) = &mut self.questions else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        if let Err(error) = questions.write_all(&line) {
            return Err(self.gone(error));
        }
        self.asked = Instant::now();
        self.under_way = true;
        Ok(())
    }

    /// True while a question is still to be answered.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// True if [`Lookup::answer`] would not wait.
    #[must_use]
    pub fn has_answer(&self) -> bool {
        self.under_way && self.answers_within(Duration::ZERO)
    }

    /// Waits for the beginning of an answer, as long as is worth while. Returns how long that was where none has come.
    fn wait(&self) -> Result<(), Duration> {
        let begun = Instant::now();
        loop {
            let most = match self.stop.load(Ordering::Relaxed) {
                true => LAST.max(self.longest.saturating_mul(TIMES)).min(LONGEST),
                false => LONGEST,
            };
            let waited = begun.elapsed();
            if self.answers_within(SLICE.min(most.saturating_sub(waited))) {
                return Ok(());
            }
            if begun.elapsed() >= most {
                return Err(begun.elapsed());
            }
        }
    }

    /// The error of one that has ended: how it did.
    fn gone(&mut self, error: io::Error) -> io::Error {
        if error.kind() != io::ErrorKind::BrokenPipe {
            return error;
        }
        let how = self.child.wait().map_or(String::new(), |status| format!(" ({status})"));
        io::Error::new(error.kind(), format!("the process that asks the kernel has ended{how}"))
    }

    fn answers_within(&self, time: Duration) -> bool {
        let time =
            Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        let pipe = PollFd::from_borrowed_fd(self.answers.get_ref().as_fd(), PollFlags::IN);
        let ready = retry_on_intr(|| poll(&mut [pipe.clone()], Some(&time)));
        ready.is_ok_and(|ready| ready > 0)
    }

    /// Waits for the answer of the question that is under way.
    ///
    /// # Errors
    /// If the other process has ended or says nothing for long, or what it says is no answer.
    pub fn answer(&mut self) -> io::Result<Answer> {
        self.wait().map_err(no_answer)?;
        self.longest = self.longest.max(self.asked.elapsed());
        self.under_way = false;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(self.gone(io::ErrorKind::BrokenPipe.into()));
        }
        let lines: Lines = serde_json::from_str(&line)?;
        let sockets = lines.sockets;
        let sockets =
            sockets.map(|lines| lines.into_iter().filter_map(SocketLine::socket).collect());
        let Lines { links, usage, code_lost, forwards, .. } = lines;
        Ok(Answer { sockets, links, usage, code_lost, forwards })
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        // With its input closed it ends as soon as it has answered: one that does not answer is not waited for.
        self.questions = None;
        let was_silent = self.stop.load(Ordering::Relaxed) && self.asked.elapsed() >= LAST;
        if !self.under_way || !was_silent && self.wait().is_ok() {
            let _ = self.child.wait();
        }
    }
}
