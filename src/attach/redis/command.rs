//! Commands by their names: all that is shown of them, unless values are asked for.

use super::names;
use super::silence::Replies;
use crate::attach::facts::name;

/// Arguments that are looked at.
const MAX_ARGUMENTS: usize = 12;

/// Octets of the arguments together.
const MAX_TEXT: usize = 256;

/// Commands with commands below them.
const WITH_SECOND: &[&str] = &[
    "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY",
    "MODULE", "OBJECT", "PUBSUB", "SCRIPT", "SLOWLOG", "XGROUP", "XINFO",
];

/// Second words that are no values.
const SECOND: &[&str] = &[
    "CACHING",
    "CHANNELS",
    "CONSUMERS",
    "COUNT",
    "CREATE",
    "CREATECONSUMER",
    "DELCONSUMER",
    "DESTROY",
    "DOCS",
    "DOCTOR",
    "ENCODING",
    "EXISTS",
    "FLUSH",
    "FREQ",
    "GET",
    "GETNAME",
    "GETREDIR",
    "HELP",
    "HISTORY",
    "ID",
    "IDLETIME",
    "INFO",
    "KILL",
    "LATEST",
    "LEN",
    "LIST",
    "LOAD",
    "NODES",
    "NO-EVICT",
    "NO-TOUCH",
    "NUMPAT",
    "NUMSUB",
    "PAUSE",
    "REFCOUNT",
    "REPLY",
    "RESET",
    "RESETSTAT",
    "REWRITE",
    "SET",
    "SETID",
    "SETINFO",
    "SETNAME",
    "SETUSER",
    "SHARDS",
    "SLOTS",
    "STATS",
    "STREAM",
    "TRACKING",
    "TRACKINGINFO",
    "UNBLOCK",
    "UNPAUSE",
    "USAGE",
    "WHOAMI",
];

/// Commands whose arguments are never kept: they have passwords in them.
const SECRET: &[&str] = &["ACL", "AUTH", "CONFIG", "HELLO", "MIGRATE"];

/// Commands that wait for a message themselves, whatever their options.
const BLOCKING: [&str; 8] =
    ["BLPOP", "BRPOP", "BLMOVE", "BLMPOP", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX", "BZMPOP"];

/// Commands that run a program of the client's, which answers with whatever words it likes, or read one.
const SCRIPTING: [&str; 8] =
    ["EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO", "FUNCTION", "SCRIPT"];

/// Commands after which the server sends by itself.
const STREAMING: [&str; 2] = ["PSYNC", "SYNC"];

/// Commands that only read, as they are used most: nobody sends them who wants no answer.
const READING: [&str; 20] = [
    "DBSIZE",
    "ECHO",
    "EXISTS",
    "GET",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HMGET",
    "INFO",
    "KEYS",
    "LLEN",
    "LRANGE",
    "MGET",
    "PING",
    "SCAN",
    "SISMEMBER",
    "SMEMBERS",
    "TTL",
    "ZRANGE",
    "ZSCORE",
];

/// Commands that subscribe.
const SUBSCRIBING: [&str; 3] = ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"];

/// A command as it was sent, with the beginnings of its arguments.
#[derive(Clone, Debug, Default)]
pub struct Command {
    text: Vec<u8>,
    /// The ends of the arguments in `text`.
    ends: Vec<u16>,
    /// An argument is not whole, or not kept.
    is_cut: bool,
    /// The first that is not whole, or not kept.
    first_cut: Option<u32>,
    arguments: u32,
}

/// Effects of a command on what is followed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    None,
    Multi,
    Exec,
    Discard,
    Select,
    Auth,
    Hello,
    SetName,
    SetInfo,
    Subscribe,
    Unsubscribe,
    /// It is answered when there is something to say.
    Blocks,
    Quit,
    Reset,
    /// The server is to answer so.
    Replies(Replies),
    /// From here on it tells what others ask.
    Monitor,
    /// From here on the server tells everything.
    Streams,
    /// Too little of it was seen.
    Unknown,
}

impl Command {
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        (self.is_cut, self.first_cut, self.arguments) = (false, None, 0);
    }

    pub fn push(&mut self, argument: &[u8], is_whole: bool) {
        self.arguments += 1;
        let room = MAX_TEXT - self.text.len();
        let kept = argument.get(..argument.len().min(room)).unwrap_or(argument);
        if self.ends.len() >= MAX_ARGUMENTS || kept.len() < argument.len() || !is_whole {
            self.is_cut = true;
            self.first_cut.get_or_insert(self.arguments - 1);
        }
        if self.ends.len() < MAX_ARGUMENTS {
            self.text.extend_from_slice(kept);
            self.ends.push(self.text.len() as u16);
        }
    }

    /// Takes a line of words.
    pub fn push_line(&mut self, line: &[u8], is_whole: bool) {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.for_each(|word| self.push(word, true));
        self.is_cut |= !is_whole;
    }

    pub fn is_empty(&self) -> bool {
        self.arguments == 0
    }

    pub fn heap_octets(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * 2
    }

    pub fn arguments(&self) -> u32 {
        self.arguments
    }

    /// Returns the argument at this place, if it was kept.
    pub fn argument(&self, at: usize) -> Option<&[u8]> {
        let end = usize::from(*self.ends.get(at)?);
        let begin = at.checked_sub(1).and_then(|before| self.ends.get(before));
        self.text.get(begin.map_or(0, |begin| usize::from(*begin))..end)
    }

    /// Returns the same if it is whole.
    pub fn whole_argument(&self, at: usize) -> Option<&[u8]> {
        let is_whole = self.first_cut.is_none_or(|cut| at < cut as usize);
        self.argument(at).filter(|_| is_whole)
    }

    pub fn is(&self, at: usize, word: &str) -> bool {
        self.argument(at).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
    }

    fn is_one_of(&self, at: usize, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| self.is(at, word))
    }

    /// Returns whether its first word can be a name, or there is none.
    pub fn has_name(&self) -> bool {
        self.argument(0).is_none_or(names::is_known)
    }

    /// Returns its name, and nothing that could be a value.
    pub fn name(&self) -> String {
        let Some(first) = self.argument(0).and_then(known) else { return "?".into() };
        match self.is_one_of(1, SECOND).filter(|_| WITH_SECOND.contains(&&*first)) {
            Some(second) => format!("{first} {second}"),
            None if self.blocks() && first.starts_with('X') => format!("{first} BLOCK"),
            None => first,
        }
    }

    /// Returns it with its values, but for what may be a password.
    pub fn literal(&self) -> String {
        if self.is_one_of(0, SECRET).is_some() {
            return self.name();
        }
        let arguments = (0..self.ends.len()).filter_map(|at| self.argument(at)).map(name);
        let end = if self.is_cut { " …" } else { "" };
        arguments.collect::<Vec<_>>().join(" ") + end
    }

    fn blocks(&self) -> bool {
        let is_read = self.is_one_of(0, &["XREAD", "XREADGROUP"]).is_some();
        let mut options = (1..self.ends.len()).take_while(|at| !self.is(*at, "STREAMS"));
        is_read && options.any(|at| self.is(at, "BLOCK")) || self.is_one_of(0, &BLOCKING).is_some()
    }

    /// Returns whether it is sent for its answer's sake.
    pub fn wants_answer(&self) -> bool {
        let waits = matches!(self.effect(), Effect::Blocks | Effect::Subscribe | Effect::Streams);
        waits || self.is_one_of(0, &READING).is_some()
    }

    /// Returns whether an error that answers it may have the words of a program.
    pub fn runs_script(&self) -> bool {
        self.is_one_of(0, &SCRIPTING).is_some()
    }

    pub fn effect(&self) -> Effect {
        let Some(first) = self.argument(0) else { return Effect::None };
        let mut room = [0; names::LONGEST];
        let Some(upper) = names::in_capitals(first, &mut room) else { return Effect::None };
        let is_cut = |at: u32| self.first_cut.is_some_and(|cut| cut <= at);
        match upper {
            _ if is_cut(0) => Effect::Unknown,
            b"CLIENT" if is_cut(1) => Effect::Unknown,
            b"XREAD" | b"XREADGROUP" if self.blocks() => Effect::Blocks,
            b"XREAD" | b"XREADGROUP" if self.is_cut && !self.has("STREAMS") => Effect::Unknown,
            b"MULTI" => Effect::Multi,
            b"EXEC" => Effect::Exec,
            b"DISCARD" => Effect::Discard,
            b"SELECT" => Effect::Select,
            b"AUTH" => Effect::Auth,
            b"HELLO" => Effect::Hello,
            b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" => Effect::Subscribe,
            b"UNSUBSCRIBE" | b"PUNSUBSCRIBE" | b"SUNSUBSCRIBE" => Effect::Unsubscribe,
            b"QUIT" => Effect::Quit,
            b"RESET" => Effect::Reset,
            b"MONITOR" => Effect::Monitor,
            b"PSYNC" | b"SYNC" => Effect::Streams,
            b"CLIENT" if self.is(1, "SETNAME") => Effect::SetName,
            b"CLIENT" if self.is(1, "SETINFO") => Effect::SetInfo,
            b"CLIENT" if self.is(1, "REPLY") => {
                Effect::Replies(Replies::read(self.whole_argument(2)))
            }
            [b'B', ..] if self.blocks() => Effect::Blocks,
            _ => Effect::None,
        }
    }

    fn has(&self, word: &str) -> bool {
        (1..self.ends.len()).any(|at| self.is(at, word))
    }

    /// Returns the name by which its messages are waited for.
    pub fn waits_by(&self) -> Option<&'static str> {
        match self.is_one_of(0, &["XREAD", "XREADGROUP"]) {
            Some("XREAD") => Some("XREAD BLOCK"),
            Some(_) => Some("XREADGROUP BLOCK"),
            None => [&BLOCKING[..], &STREAMING, &SUBSCRIBING]
                .iter()
                .find_map(|names| self.is_one_of(0, names)),
        }
    }

    /// Returns what follows a word among its arguments.
    pub fn after(&self, word: &str, by: usize) -> Option<&[u8]> {
        let at = (1..self.ends.len()).find(|at| self.is(*at, word))?;
        self.whole_argument(at + by)
    }
}

/// Returns a name in capitals.
fn known(word: &[u8]) -> Option<String> {
    names::is_known(word).then(|| String::from_utf8_lossy(word).to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Command {
        let mut command = Command::default();
        command.push_line(line.as_bytes(), true);
        command
    }

    #[test]
    fn names_and_nothing_else() {
        for (line, expected) in [
            ("set secret 1", "SET"),
            ("client setname secret", "CLIENT SETNAME"),
            ("client secret", "CLIENT"),
            ("alice", "?"),
            ("xread count 2 block 0 streams secret $", "XREAD BLOCK"),
            ("xread streams block 0", "XREAD"),
            ("JSON.SET secret", "JSON.SET"),
            ("s3cr3t", "?"),
            ("auth user secret", "AUTH"),
        ] {
            assert_eq!(command(line).name(), expected);
        }
        assert_eq!(command("get a\x1b").literal(), "get a\u{fffd}");
        assert_eq!(command("hello 3 auth me secret").literal(), "HELLO");
    }
}
