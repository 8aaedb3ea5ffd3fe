//! The code behind a socket, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tasks::{host, sender};

/// A function on a stack, and the line in it that was being carried out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Frame {
    /// The function's name, readable.
    pub function: String,
    /// The source file, as the compiler was given it.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
    /// The program's own, not a library's or the language's.
    pub own: bool,
}

/// The stack of one event, the innermost function first, or the reason why there is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trace {
    /// Functions, the innermost first.
    By(Vec<Frame>),
    /// The reason why there are none, in a clause.
    Unknown(String),
}

/// The code that used a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Code {
    /// The send that began the transaction; `None` where no transaction is open.
    pub begun: Option<Trace>,
    /// The send of the last statement; where none is known, the last send.
    pub last: Option<Trace>,
    /// The connect, where nothing was sent since.
    pub connected: Option<Trace>,
    /// The read that saw the end-of-file; `None` where there was none.
    pub end_of_file: Option<Trace>,
    /// The sends of the open transaction's statements, in order; none where its statements are not known.
    pub statements: Vec<Trace>,
    /// The end-of-file waits to be read.
    pub unread: bool,
}

/// Octets of one direction, by their numbers from the beginning of the connection, or before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Nanoseconds of the kernel's monotonic clock at which it begins.
    pub from: u64,
    /// Nanoseconds at which it ends.
    pub to: u64,
}

/// Octets that a capture holds of a socket's sends: the ones that began a transaction are asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// A transaction is open, whether or not it is known where it began.
    pub open: bool,
    /// The send that began the transaction.
    pub begun: Option<Sent>,
    /// The last statement.
    pub last: Option<Sent>,
    /// The statements of the transaction, in order.
    pub statements: Vec<Option<Sent>>,
}

/// The place of a segment that a statement came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Counted back from the last octet that was sent.
    pub before_end: Span,
    /// Octets that were sent in all, where the capture saw the connection begin.
    pub sent: Option<u64>,
}

impl Trace {
    /// Returns the frames, none where they are unknown.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        match self {
            Trace::By(frames) => frames,
            Trace::Unknown(_) => &[],
        }
    }

    /// Returns the program's own functions, the innermost first.
    pub fn own(&self) -> impl Iterator<Item = &Frame> {
        self.frames().iter().filter(|frame| frame.own)
    }

    /// Returns the function that a reader looks for: the program's own that is nearest to the socket.
    #[must_use]
    pub fn culprit(&self) -> Option<&Frame> {
        self.own().next()
    }
}

impl Code {
    /// Returns the events, each with its name, in the order in which they happened.
    pub fn events(&self) -> impl Iterator<Item = (&'static str, &Trace)> {
        let all = [
            ("connected by", &self.connected),
            ("begun by", &self.begun),
            ("last asked", &self.last),
            ("read its end-of-file", &self.end_of_file),
        ];
        all.into_iter().filter_map(|(name, trace)| Some((name, trace.as_ref()?)))
    }

    /// Returns the one function that matters most: the one that began the transaction, or else read the
    /// end-of-file, asked last, or connected.
    #[must_use]
    pub fn culprit(&self) -> Option<&Frame> {
        let traces = [&self.begun, &self.end_of_file, &self.last, &self.connected];
        traces.into_iter().flatten().find_map(Trace::culprit)
    }

    /// Returns each event in a line: what belongs together reads the same.
    #[must_use]
    pub fn heads(&self) -> Vec<(&'static str, String)> {
        self.events().map(|(name, trace)| (name, trace.to_string())).collect()
    }
}

/// Own functions that a line names.
const NAMED: usize = 2;

/// `main.(*MainController).charge controller.go:33 < update controller.go:26`, or why it is unknown.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = match self {
            Trace::Unknown(why) => return write!(f, "unknown: {why}"),
            Trace::By(frames) => frames,
        };
        let mut own = self.own();
        if let Some(culprit) = own.next() {
            write!(f, "{culprit}")?;
            return own.take(NAMED - 1).try_for_each(|caller| {
                write!(f, " < {}", caller.short())?;
                caller.place().map_or(Ok(()), |place| write!(f, " {place}"))
            });
        }
        // A library hands it to a task of its own: whoever asked for it is on another stack.
        let host = host(frames);
        let sending = host.and_then(|at| frames.get(at));
        if let Some((frame, library)) = sending.and_then(|frame| Some((frame, sender(frame)?))) {
            let place = frame.place().map_or_else(String::new, |place| format!(" ({place})"));
            return write!(f, "a task of {library}{place}{ON_BEHALF}");
        }
        let inner = frames.get(..host.unwrap_or(frames.len())).unwrap_or_default();
        let mut tasks = inner.iter().rev().filter(|frame| frame.function != GO_EXIT);
        let outermost = tasks.next();
        // What only starts it has no name of its own.
        let named = outermost.into_iter().chain(tasks).find(|frame| !frame.is_closure());
        let task = named.or(outermost);
        task.map_or(Ok(()), |task| write!(f, "{task}{ON_BEHALF}"))
    }
}

const ON_BEHALF: &str = ", on behalf of code that is not on its stack";

/// The outermost function on any stack of Go.
const GO_EXIT: &str = "runtime.goexit";

impl Frame {
    /// Returns the file's own name, without its folders.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        let path = self.file.as_deref()?;
        Some(path.rsplit(['/', '\\']).next().unwrap_or(path))
    }

    /// Returns whether it is a function of Go's without a name: `main.main.func1`.
    fn is_closure(&self) -> bool {
        let last = self.function.rsplit('.').next().and_then(|last| last.strip_prefix("func"));
        last.is_some_and(|number| number.parse::<u32>().is_ok())
    }

    /// Returns the function without its package and type.
    #[must_use]
    pub fn short(&self) -> &str {
        let name = self.function.rsplit('/').next().unwrap_or(&self.function);
        match name.rsplit_once(").") {
            Some((_, method)) => method,
            None => name.split_once('.').map_or(name, |(_, rest)| rest),
        }
    }

    /// Returns `controller.go:22`, as far as it is known.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let file = self.file_name()?;
        Some(self.line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}")))
    }
}

/// `main.(*MainController).update controller.go:22`
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        self.place().map_or(Ok(()), |place| write!(f, " {place}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, own: bool) -> Frame {
        let file = Some("/src/shop/controller.go".to_owned());
        Frame { function: function.into(), file, line: Some(22), own }
    }

    #[test]
    fn a_frame_has_a_short_name_and_a_place() {
        let update = frame("example.com/shop/main.(*MainController).update", true);
        assert_eq!(update.short(), "update");
        assert_eq!(update.place().as_deref(), Some("controller.go:22"));
        assert_eq!(frame("main.main.func1", true).short(), "main.func1");
        assert_eq!(frame("charge", true).short(), "charge");
    }

    #[test]
    fn a_task_of_a_library_is_named_by_its_function() {
        let stack = ["net.(*conn).Write", "net/http.(*persistConn).writeLoop"];
        let start = ["net/http.(*Transport).dialConn.func6", GO_EXIT];
        let all = stack.into_iter().chain(start).map(|name| frame(name, false));
        let said = Trace::By(all.collect()).to_string();
        assert!(
            said.starts_with("net/http.(*persistConn).writeLoop controller.go:22, on"),
            "{said}"
        );
    }

    #[test]
    fn a_library_that_sends_for_others_is_named() {
        let hyper = "<hyper::proto::h1::dispatch::Dispatcher<D,B,I,T>>::poll_loop";
        let all = ["writev", hyper, "shop::main::{{closure}}"].map(|name| frame(name, false));
        let said = Trace::By(all.to_vec()).to_string();
        let is = "a task of hyper (controller.go:22), on behalf of code that is not on its stack";
        assert_eq!(said, is);
    }

    #[test]
    fn the_culprit_is_the_innermost_own_function() {
        let stack =
            [frame("net.(*conn).Write", false), frame("main.a", true), frame("main.b", true)];
        assert_eq!(Trace::By(stack.to_vec()).culprit().map(Frame::short), Some("a"));
        assert_eq!(Trace::Unknown("lost".into()).culprit(), None);
    }
}
