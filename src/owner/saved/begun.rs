//! Rows of a list that were cut before their ends: they begin as those around them do.

use super::{clue, words};

/// The last row of a list, and what may be another that was cut.
#[derive(Default)]
pub struct Begun {
    row: Option<String>,
    line: Option<(usize, String)>,
}

impl Begun {
    /// Takes a line that was not read.
    pub fn note(&mut self, number: usize, line: &str) {
        let is_begun = match &self.row {
            Some(row) => begins_like(line, row),
            // The first row tells.
            None => line.split_whitespace().next().is_some_and(|word| shape(word) != Shape::Other),
        };
        self.line = is_begun.then(|| (number, line.to_owned()));
    }

    /// Takes a row. Returns what stands before it, if that begins like it.
    pub fn row(&mut self, row: &str) -> Option<(usize, String)> {
        self.row = Some(row.to_owned());
        self.line.take().filter(|(_, line)| begins_like(line, row))
    }

    /// Is a line, with which the text ends, a call as the last row is, and has no closing bracket? `sconn(fd=9, fam`
    pub fn is_cut(&self, line: &str) -> bool {
        let call = |text: &str| Some(text.split_once('(')?.0.trim().to_owned());
        let row = self.row.as_deref().and_then(call).filter(|name| !name.is_empty());
        row.is_some() && row == call(line) && clue::is_unclosed(line)
    }

    /// Is that line kept as one that was cut?
    pub fn holds(&self, number: usize) -> bool {
        self.row.is_some() && self.line.as_ref().is_some_and(|(kept, _)| *kept == number)
    }

    /// The list has ended. Returns what stands behind its last row.
    pub fn end(self) -> Option<(usize, String)> {
        self.line.filter(|_| self.row.is_some())
    }
}

/// A word of a row, by its shape.
#[derive(PartialEq)]
enum Shape {
    Protocol,
    State,
    Number,
    /// `1:` of `/proc/net/tcp`.
    Slot,
    Other,
}

fn shape(word: &str) -> Shape {
    if words::is_tcp(word) {
        Shape::Protocol
    } else if words::begins_state(word) || words::state(word).is_some() && !has_small(word) {
        Shape::State
    } else if word.parse::<u32>().is_ok() {
        Shape::Number
    } else if word.strip_suffix(':').is_some_and(|slot| slot.parse::<u32>().is_ok()) {
        Shape::Slot
    } else {
        Shape::Other
    }
}

/// `Closing` begins a sentence.
fn has_small(word: &str) -> bool {
    word.contains(char::is_lowercase)
}

/// Does a line begin as this row does, and end before its ends, so that it may be one that was cut? A state alone above
/// its rows is a heading, and with a number it counts.
fn begins_like(line: &str, row: &str) -> bool {
    let (words, of_row): (Vec<&str>, Vec<&str>) =
        (line.split_whitespace().collect(), row.split_whitespace().collect());
    let [begun @ .., last] = &words[..] else { return false };
    let is_like = |(word, of_row): (&&str, &&str)| shape(word) == shape(of_row);
    let is_part = of_row.get(begun.len()).is_some_and(|of_row| {
        // A part of an address may be a number.
        shape(last) == shape(of_row)
            || of_row.starts_with(last)
            || (shape(last), shape(of_row)) == (Shape::Number, Shape::Other)
    });
    let first = shape(words[0]);
    let counts = first == Shape::State && begun.len() == 1 && shape(last) == Shape::Number;
    let heads = begun.is_empty() && of_row.first() == Some(last);
    let is_sure = match first {
        Shape::Protocol | Shape::State => true,
        // grep counts lines so, too.
        Shape::Slot => !begun.is_empty(),
        // A process and its number, or the two queues.
        Shape::Number | Shape::Other => {
            begun.len() > 1 || shape(last) == Shape::Number && !begun.is_empty()
        }
    };
    let is_shorter = words.len() < of_row.len() && clue::ends(line) < 2;
    let is_all_like = begun.iter().zip(&of_row).all(is_like);
    is_shorter && is_sure && is_part && is_all_like && !counts && !(heads && first == Shape::State)
}

#[cfg(test)]
mod tests {
    use crate::owner::saved::parse;

    const SS: [&str; 3] = [
        "ESTAB 0 0 192.0.2.5:22 203.0.113.9:51514 users:((\"sshd\",pid=700,fd=4))",
        "CLOSE-WAIT 1 0 192.0.2.5:47902 198.51.100.3:3306 users:((\"orders\",pid=7,fd=9))",
        "ESTAB 0 0 192.0.2.5:47904 198.51.100.3:3306 users:((\"orders\",pid=7,fd=10))",
    ];
    const NETSTAT: [&str; 3] = [
        "tcp        0      0 192.0.2.5:22            203.0.113.9:51514       ESTABLISHED 700/sshd",
        "tcp        1      0 192.0.2.5:47902         198.51.100.3:3306       CLOSE_WAIT  7/orders",
        "tcp        0      0 192.0.2.5:47904         198.51.100.3:3306       ESTABLISHED 7/orders",
    ];
    const PROCFS: [&str; 3] = [
        "   0: 050012AC:0016 030012AC:C94A 01 00000000:00000000 00:00000000 00000000  1000        0 54",
        "   1: 050012AC:97A6 030012AC:0CEA 08 00000000:00000001 00:00000000 00000000  1000        0 55",
        "   2: 050012AC:97A8 030012AC:0CEA 01 00000000:00000000 00:00000000 00000000  1000        0 56",
    ];
    const WINDOWS: [&str; 3] = [
        "  TCP    192.0.2.5:22           203.0.113.9:51514      ESTABLISHED     700",
        "  TCP    192.0.2.5:47902        198.51.100.3:3306      CLOSE_WAIT      7",
        "  TCP    192.0.2.5:47904        198.51.100.3:3306      ESTABLISHED     7",
    ];

    /// Calls that somebody printed, folded at any width, are read or said.
    #[test]
    fn a_call_that_was_folded_is_said() {
        let row = |port: u16, state: &str| {
            format!(
                "sconn(fd=9, family=<AddressFamily.AF_INET: 2>, laddr=addr(ip='192.0.2.5', port={port}), \
                raddr=addr(ip='198.51.100.3', port=3306), status='{state}', pid=42)"
            )
        };
        let listener =
            "sconn(fd=3, laddr=addr(ip='0.0.0.0', port=22), raddr=(), status='LISTEN', pid=7)";
        let rows = [listener.to_owned(), row(47902, "CLOSE_WAIT"), row(47904, "ESTABLISHED")];
        for width in 40..200 {
            let fold = |row: &String| -> String {
                let chars: Vec<char> = row.chars().collect();
                chars.chunks(width).map(|part| part.iter().collect::<String>() + "\n").collect()
            };
            let text: String = rows.iter().map(fold).collect();
            let Ok(saved) = parse(&text) else { continue };
            let stuck = saved.moments.iter().map(|moment| moment.stuck()).sum::<usize>();
            assert!(saved.unread.is_some() || stuck == 1, "{width}:\n{text}");
            // An address is told whole, or not at all.
            let sockets = saved.moments.iter().flat_map(|moment| &moment.sockets);
            for socket in sockets.filter(|socket| socket.is_stuck()) {
                assert_eq!(socket.local.to_string(), "192.0.2.5:47902", "{width}:\n{text}");
                assert_eq!(socket.peer.to_string(), "198.51.100.3:3306", "{width}:\n{text}");
            }
        }
    }

    /// A row that was cut anywhere, amid others or as the last, is read as far as it says all, or said.
    #[test]
    fn a_row_that_was_cut_is_said() {
        for (rows, least) in [(SS, 2), (NETSTAT, 3), (PROCFS, 7), (WINDOWS, 5)] {
            for end in least..rows[1].len() {
                let cut = &rows[1][..end];
                for text in [
                    format!("{}\n{cut}\n{}\n", rows[0], rows[2]),
                    format!("{}\n{}\n{cut}\n", rows[0], rows[2]),
                    format!("{cut}\n{}\n{}\n", rows[0], rows[2]),
                ] {
                    let saved = parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
                    let stuck = saved.moments.iter().map(|moment| moment.stuck()).sum::<usize>();
                    assert!(saved.unread.is_some() || stuck == 1, "{text}");
                }
            }
        }
    }

    #[test]
    fn what_stands_between_rows_is_no_part_of_one() {
        for line in [
            "ESTAB 2",
            "ESTAB",
            "Closing words",
            "tcp sockets of web-1",
            "",
            "12",
            "2:",
            "# tcp",
            "udp 0 0",
        ] {
            let saved = parse(&format!("{}\n{line}\n{}\n", SS[0], SS[2])).expect("a list");
            assert_eq!(saved.unread, None, "{line}");
        }
    }

    #[test]
    fn a_slot_without_its_blank_is_one() {
        let row = PROCFS[1].replace(": ", ":");
        let saved = parse(&format!("{}\n{row}\n", PROCFS[0])).expect("a list");
        assert_eq!((saved.unread, saved.moments[0].stuck()), (None, 1));
    }
}
