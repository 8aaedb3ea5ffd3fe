//! RESP out of octets, in its second and third version: elements, and the values that they make up.

/// Octets kept of a text.
const KEEP: usize = 64;

/// Octets kept of a line: errors are the longest that matter.
const KEEP_LINE: usize = 256;

/// No line is longer, and neither is a number.
const LONGEST_LINE: usize = 64 * 1_024;

/// Aggregates within aggregates.
const DEEPEST: usize = 16;

/// No server takes more.
const LONGEST_TEXT: u64 = 1 << 30;

/// One direction.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    state: State,
    kind: u8,
    /// Octets of the text that are to come, with the line's end behind it.
    rest: u64,
    len: u64,
    kept: Vec<u8>,
    cut: bool,
    /// A part of the value cannot be seen.
    holed: bool,
    /// Octets of the line that came already.
    line: usize,
    /// Elements that are to come, of each aggregate that is open.
    open: Vec<u64>,
    /// The line that was read last opened one.
    opened: bool,
    /// Elements of the outermost aggregate that have come, at any depth.
    index: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Kind,
    Line,
    Text,
    /// Nobody knows where a value begins.
    Lost,
}

/// A part of a value.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// The octet that it begins with; zero: a line of words.
    pub kind: u8,
    /// A line's, or the beginning of a text; an aggregate's line is its length.
    pub text: &'a [u8],
    pub is_whole: bool,
    /// Aggregates that it is in.
    pub depth: usize,
    /// Elements before it in the same value, in any depth.
    pub index: u32,
    /// The value ends with it.
    pub is_last: bool,
}

impl Element<'_> {
    /// Returns the number that an aggregate's or integer's line has.
    pub fn number(&self) -> Option<i64> {
        str::from_utf8(self.text).ok()?.parse().ok()
    }
}

/// Returns whether a value can begin with this octet.
pub fn is_kind(octet: u8) -> bool {
    b"+-:$*_#,(!=%~>|".contains(&octet)
}

impl Reader {
    pub fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Returns whether no value has begun that has not ended.
    pub fn is_between(&self) -> bool {
        self.state == State::Kind && self.open.is_empty()
    }

    /// Returns whether a value has begun that has not ended, of which all was seen so far.
    pub fn is_within(&self) -> bool {
        !self.is_lost() && !self.is_between() && !self.holed
    }

    pub fn heap_octets(&self) -> usize {
        self.kept.capacity() + self.open.capacity() * size_of::<u64>()
    }

    pub fn lose(&mut self) {
        *self = Reader { state: State::Lost, ..Reader::default() };
    }

    /// The next octet begins a value.
    pub fn find(&mut self) {
        *self = Reader::default();
    }

    /// Takes octets from `data` up to the end of an element. `words`: a line without a kind is one of
    /// words, as people type them.
    pub fn next<'a, 'd: 'a>(&'a mut self, data: &mut &'d [u8], words: bool) -> Option<Element<'a>> {
        loop {
            match self.state {
                State::Lost => return None,
                State::Kind => self.begin(data, words)?,
                State::Line => {
                    if !self.read_line(data)? {
                        continue;
                    }
                    return Some(self.element(self.kind, true));
                }
                State::Text => {
                    let all = *data;
                    let taken = all.len().min(usize::try_from(self.rest).unwrap_or(usize::MAX));
                    let (text, after) = all.split_at_checked(taken)?;
                    let is_here = self.rest == self.len + 2 && taken as u64 == self.rest;
                    (self.rest, *data) = (self.rest - taken as u64, after);
                    if is_here {
                        self.state = State::Kind;
                        let len = text.len() - 2;
                        let kept = text.get(..len.min(KEEP)).unwrap_or(text);
                        let (depth, index, is_last) = self.step();
                        let is_whole = kept.len() == len;
                        return Some(Element {
                            kind: self.kind,
                            text: kept,
                            is_whole,
                            depth,
                            index,
                            is_last,
                        });
                    }
                    self.keep(text, KEEP.min(usize::try_from(self.len).unwrap_or(KEEP)));
                    return (self.rest == 0).then(|| self.end_text());
                }
            }
        }
    }

    /// Takes an element that is here as a whole, if it is of a kind that most are; else nothing.
    pub fn whole<'d>(&mut self, data: &mut &'d [u8], words: bool) -> Option<Element<'d>> {
        let (&kind, line) = data.split_first()?;
        if self.state != State::Kind || words && kind != b'*' && self.open.is_empty() {
            return None;
        }
        match kind {
            b'$' => {
                let (len, after) = short_number(line)?;
                let (text, after) = after.split_at_checked(len + 2)?;
                *data = after;
                let kept = text.get(..len.min(KEEP)).unwrap_or(text);
                let (depth, index, is_last) = self.step();
                let is_whole = kept.len() == len;
                Some(Element { kind, text: kept, is_whole, depth, index, is_last })
            }
            b'*' | b'>' => {
                let (len, after) = short_number(line)?;
                let text = line.get(..line.len() - after.len() - 2)?;
                if len == 0 || self.open.len() >= DEEPEST {
                    return None;
                }
                *data = after;
                let (depth, index) = (self.open.len(), self.index);
                self.open.push(len as u64);
                self.index = index.saturating_add(1);
                Some(Element { kind, text, is_whole: true, depth, index, is_last: false })
            }
            b'+' | b':' => {
                let end = memchr::memchr(b'\n', line.get(..KEEP_LINE).unwrap_or(line))?;
                let text = line.get(..end)?.strip_suffix(b"\r")?;
                if text.ends_with(b"\r") {
                    return None;
                }
                *data = line.get(end + 1..)?;
                let (depth, index, is_last) = self.step();
                Some(Element { kind, text, is_whole: true, depth, index, is_last })
            }
            _ => None,
        }
    }

    /// Skips texts of an aggregate that are here as a whole, but for its last: nobody asks what they are.
    pub fn skip_texts(&mut self, data: &mut &[u8]) {
        let is_between = self.state == State::Kind && self.index > 1;
        let Some(rest) = self.open.last_mut().filter(|_| is_between) else { return };
        while *rest > 1
            && let [b'$', line @ ..] = *data
            && let Some((len, after)) = short_number(line)
            && let Some(after) = after.get(len + 2..)
        {
            *data = after;
            *rest -= 1;
            self.index = self.index.saturating_add(1);
        }
    }

    /// So many octets cannot be seen: the element that ends with them, if one does.
    pub fn miss(&mut self, octets: u64) -> Option<Element<'_>> {
        if self.state != State::Text || octets == 0 || octets > self.rest {
            self.lose();
            return None;
        }
        (self.cut, self.holed) = (true, true);
        self.rest -= octets;
        (self.rest == 0).then(|| self.end_text())
    }

    fn begin(&mut self, data: &mut &[u8], words: bool) -> Option<()> {
        let (&first, after) = data.split_first()?;
        let is_word = words && self.open.is_empty() && first != b'*';
        self.kind = if is_word { 0 } else { first };
        if !is_word {
            *data = after;
        }
        self.kept.clear();
        (self.cut, self.line, self.state) = (false, 0, State::Line);
        if !is_word && !is_kind(first) {
            self.lose();
            return None;
        }
        Some(())
    }

    /// Reads to the end of a line; `Some(false)`: something else is to be read first.
    fn read_line(&mut self, data: &mut &[u8]) -> Option<bool> {
        let all = *data;
        let end = all.iter().position(|octet| *octet == b'\n');
        let (part, after) = all.split_at_checked(end.map_or(all.len(), |end| end + 1))?;
        *data = after;
        self.line += part.len();
        self.keep(part, KEEP_LINE);
        if self.line > LONGEST_LINE {
            self.lose();
            return None;
        }
        end?;
        if !self.cut {
            let ends = self.kept.iter().rev().take_while(|octet| b"\r\n".contains(octet)).count();
            self.kept.truncate(self.kept.len() - ends);
        }
        self.state = State::Kind;
        match self.kind {
            b'$' | b'!' | b'=' => self.begin_text(),
            b'*' | b'~' | b'>' => self.begin_aggregate(1),
            b'%' | b'|' => self.begin_aggregate(2),
            _ => Some(true),
        }
    }

    fn number(&mut self) -> Option<i64> {
        let number = str::from_utf8(&self.kept).ok().and_then(|text| text.parse().ok());
        if number.is_none() {
            self.lose();
        }
        number
    }

    fn begin_text(&mut self) -> Option<bool> {
        let Ok(len) = u64::try_from(self.number()?) else { return Some(true) };
        if len > LONGEST_TEXT {
            self.lose();
            return None;
        }
        self.kept.clear();
        (self.state, self.len, self.rest) = (State::Text, len, len + 2);
        Some(false)
    }

    /// `each`: elements that it takes for one that is counted.
    fn begin_aggregate(&mut self, each: u64) -> Option<bool> {
        let Ok(len) = u64::try_from(self.number()?) else { return Some(true) };
        // An attribute is followed by what it is about.
        let about = u64::from(self.kind == b'|');
        let elements = len.saturating_mul(each) + about;
        if elements > 0 {
            if self.open.len() >= DEEPEST {
                self.lose();
                return None;
            }
            self.open.push(elements);
            self.opened = true;
        }
        Some(true)
    }

    fn keep(&mut self, octets: &[u8], most: usize) {
        let room = if self.cut { 0 } else { most.saturating_sub(self.kept.len()) };
        self.cut |= room < octets.len();
        self.kept.extend_from_slice(octets.get(..room).unwrap_or(octets));
    }

    fn end_text(&mut self) -> Element<'_> {
        self.state = State::Kind;
        let is_whole = self.kept.len() as u64 == self.len;
        self.element(self.kind, is_whole)
    }

    fn element(&mut self, kind: u8, is_whole: bool) -> Element<'_> {
        let (depth, index, is_last) = match core::mem::take(&mut self.opened) {
            true => {
                let index = self.index;
                self.index = index.saturating_add(1);
                (self.open.len().saturating_sub(1), index, false)
            }
            false => self.step(),
        };
        Element { kind, text: &self.kept, is_whole, depth, index, is_last }
    }

    /// Counts an element that has ended: where it was, and whether the value ends with it.
    fn step(&mut self) -> (usize, u32, bool) {
        let (depth, index) = (self.open.len(), self.index);
        self.index = index.saturating_add(1);
        while let Some(rest) = self.open.last_mut() {
            *rest = rest.saturating_sub(1);
            if *rest > 0 {
                return (depth, index, false);
            }
            self.open.pop();
        }
        (self.index, self.holed) = (0, false);
        (depth, index, true)
    }
}

/// Returns the number of a line that is nothing but a few digits, and what follows the line.
fn short_number(line: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0;
    for (at, octet) in line.iter().enumerate().take(9) {
        match octet {
            b'0'..=b'9' => number = number * 10 + usize::from(octet - b'0'),
            b'\r' if at > 0 => return Some((number, line.get(at + 1..)?.strip_prefix(b"\n")?)),
            _ => return None,
        }
    }
    None
}

/// Returns whether octets are nothing but values, from the first to the last.
pub fn are_values(data: &[u8]) -> bool {
    let (mut reader, mut rest) = (Reader::default(), data);
    while reader.next(&mut rest, false).is_some() {}
    !data.is_empty() && rest.is_empty() && reader.is_between()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements, a space around each value.
    fn read(octets: &[u8], each: usize) -> String {
        let (mut reader, mut out) = (Reader::default(), String::new());
        for mut piece in octets.chunks(each) {
            while let Some(element) = reader.next(&mut piece, false) {
                say(&mut out, &element);
            }
        }
        if reader.is_lost() { out + "lost" } else { out }
    }

    fn say(out: &mut String, element: &Element<'_>) {
        let Element { kind, text, is_whole, depth, index, is_last } = *element;
        let text = String::from_utf8_lossy(text);
        assert!(is_whole || text.len() == KEEP, "{text} {index}");
        *out += &format!("{depth}{}{text}", char::from(kind));
        *out += if is_last { "." } else { " " };
    }

    /// Elements that are here as a whole are the same by either way.
    #[test]
    fn whole_elements_are_the_same() {
        let long = format!("*3\r\n$70\r\n{}\r\n+a\r\r\n:-7\r\n", "x".repeat(70));
        for octets in [
            "*3\r\n$1\r\na\r\n*2\r\n:7\r\n$0\r\n\r\n+x\r\n+OK\r\n",
            ">2\r\n+message\r\n$-1\r\n*0\r\n*-1\r\n$3\n",
            "$+1\r\na\r\n$01\r\na\r\n:1\n-ERR x\r\n%1\r\n$1\r\na\r\n$1\r\nb\r\n",
            "$1234567890\r\nabc",
            "*1\r\n?",
            &long,
        ] {
            let (mut one, mut other) = (Reader::default(), Reader::default());
            let (mut data, mut out) = (octets.as_bytes(), String::new());
            loop {
                if let Some(element) = one.whole(&mut data, false) {
                    say(&mut out, &element);
                } else if let Some(element) = one.next(&mut data, false) {
                    say(&mut out, &element);
                } else {
                    break;
                }
            }
            let (mut data, mut right) = (octets.as_bytes(), String::new());
            while let Some(element) = other.next(&mut data, false) {
                say(&mut right, &element);
            }
            assert_eq!(
                (out, one.state, one.index),
                (right, other.state, other.index),
                "{octets:?}"
            );
            assert_eq!(one.open, other.open);
        }
    }

    #[test]
    fn texts_of_a_list_are_skipped_but_for_the_last() {
        let mut data = &b"*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n+OK\r\n"[..];
        let mut reader = Reader::default();
        reader.skip_texts(&mut data);
        assert_eq!(
            (reader.whole(&mut data, false).map(|it| it.kind), reader.index),
            (Some(b'*'), 1)
        );
        reader.skip_texts(&mut data);
        assert!(reader.whole(&mut data, false).is_some_and(|first| first.text == b"a"));
        reader.skip_texts(&mut data);
        let last = reader.whole(&mut data, false).map(|it| (it.text, it.index, it.is_last));
        assert_eq!(last, Some((&b"d"[..], 4, true)));
        assert!(reader.whole(&mut data, false).is_some_and(|it| it.text == b"OK" && it.index == 0));
    }

    #[test]
    fn values_in_whatever_pieces() {
        for (octets, expected) in [
            ("+OK\r\n:1\r\n", "0+OK.0:1."),
            ("$5\r\na\r\nbc\r\n$-1\r\n$0\r\n\r\n", "0$a\r\nbc.0$-1.0$."),
            ("*2\r\n$1\r\na\r\n*1\r\n:7\r\n+x\r\n", "0*2 1$a 1*1 2:7.0+x."),
            ("*0\r\n*-1\r\n_\r\n", "0*0.0*-1.0_."),
            ("%1\r\n+a\r\n~1\r\n#t\r\n", "0%1 1+a 1~1 2#t."),
            ("|1\r\n+k\r\n+v\r\n*1\r\n:1\r\n", "0|1 1+k 1+v 1*1 2:1."),
            (">2\r\n+message\r\n=5\r\ntxt:x\r\n", "0>2 1+message 1=txt:x."),
            ("?\r\n", "lost"),
            ("$x\r\n", "lost"),
        ] {
            for each in [1, 2, 3, 100] {
                assert_eq!(read(octets.as_bytes(), each), expected, "{octets:?} by {each}");
            }
        }
        assert!(are_values(b"+OK\r\n*1\r\n:1\r\n") && !are_values(b"+OK\r\n*1\r\n:1"));
        assert!(!are_values(b"") && !are_values(b"ab\r\n"));
    }

    #[test]
    fn a_text_that_is_cut_is_skipped() {
        let mut reader = Reader::default();
        let mut data = &b"$100\r\nbegin"[..];
        assert!(reader.next(&mut data, false).is_none());
        let element = reader.miss(97).map(|e| (e.text.to_vec(), e.is_whole, e.is_last));
        assert_eq!(element, Some((b"begin".to_vec(), false, true)));
        let mut data = &b"+OK\r\n"[..];
        assert!(reader.next(&mut data, false).is_some_and(|e| e.text == b"OK"));
        assert!(reader.miss(1).is_none() && reader.is_lost());
    }
}
