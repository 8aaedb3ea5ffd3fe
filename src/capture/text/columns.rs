//! The columns of a table of packets: each is known by its header, or by its contents.

use std::net::IpAddr;

use super::info::info;
use super::stamp::Stamp;

/// The meaning of a cell for its packet: a time, an address, a port, flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The time of the capture, in any of Wireshark's styles.
    Time,
    /// The sender's address.
    Source,
    /// The receiver's address.
    Destination,
    /// The sender's port.
    SourcePort,
    /// The receiver's port.
    DestinationPort,
    /// The highest protocol, by Wireshark's name.
    Protocol,
    /// Octets of the whole frame.
    FrameLen,
    /// Wireshark's summary of the packet.
    Info,
    /// Control bits as a number or in letters.
    Flags,
    /// The SYN bit by itself.
    Syn,
    /// The ACK bit by itself.
    Ack,
    /// The FIN bit by itself.
    Fin,
    /// The RST bit by itself.
    Rst,
    /// The sequence number, relative to the first.
    Seq,
    /// The sequence number as it was sent.
    SeqRaw,
    /// The acknowledgment number, relative to the first.
    AckNumber,
    /// The acknowledgment number as it was sent.
    AckRaw,
    /// Octets of payload.
    Len,
    /// The window, scaled or as it was sent.
    Window,
}

/// Names of columns and of tshark's fields, in small letters.
const NAMES: &[(&str, Role)] = &[
    ("time", Role::Time),
    ("frame.time_epoch", Role::Time),
    ("frame.time_relative", Role::Time),
    ("frame.time", Role::Time),
    ("_ws.col.time", Role::Time),
    ("_ws.col.abstime", Role::Time),
    ("source", Role::Source),
    ("ip.src", Role::Source),
    ("ipv6.src", Role::Source),
    ("ip.src_host", Role::Source),
    ("_ws.col.source", Role::Source),
    ("_ws.col.def_src", Role::Source),
    ("destination", Role::Destination),
    ("ip.dst", Role::Destination),
    ("ipv6.dst", Role::Destination),
    ("ip.dst_host", Role::Destination),
    ("_ws.col.destination", Role::Destination),
    ("_ws.col.def_dst", Role::Destination),
    ("source port", Role::SourcePort),
    ("src port", Role::SourcePort),
    ("sport", Role::SourcePort),
    ("tcp.srcport", Role::SourcePort),
    ("destination port", Role::DestinationPort),
    ("dest port", Role::DestinationPort),
    ("dst port", Role::DestinationPort),
    ("dport", Role::DestinationPort),
    ("tcp.dstport", Role::DestinationPort),
    ("protocol", Role::Protocol),
    ("_ws.col.protocol", Role::Protocol),
    ("length", Role::FrameLen),
    ("frame.len", Role::FrameLen),
    ("_ws.col.packet_length", Role::FrameLen),
    ("_ws.col.length", Role::FrameLen),
    ("info", Role::Info),
    ("_ws.col.info", Role::Info),
    ("tcp.flags", Role::Flags),
    ("tcp.flags.str", Role::Flags),
    ("tcp.flags.syn", Role::Syn),
    ("tcp.flags.ack", Role::Ack),
    ("tcp.flags.fin", Role::Fin),
    ("tcp.flags.reset", Role::Rst),
    ("tcp.seq", Role::Seq),
    ("tcp.seq_raw", Role::SeqRaw),
    ("tcp.ack", Role::AckNumber),
    ("tcp.ack_raw", Role::AckRaw),
    ("tcp.len", Role::Len),
    ("tcp.window_size", Role::Window),
    ("tcp.window_size_value", Role::Window),
];

/// Characters between cells.
pub const DELIMITERS: [u8; 4] = [b'\t', b',', b';', b'|'];

/// The columns of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns(Vec<Option<Role>>);

impl Columns {
    /// By the names in the first line: `None` where these are no names of columns.
    pub fn named(cells: &[String]) -> Option<Columns> {
        let role = |cell: &String| {
            let name = cell.trim().trim_start_matches('\u{feff}').to_ascii_lowercase();
            NAMES.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
        };
        let columns = Columns(cells.iter().map(role).collect());
        let known = columns.0.iter().flatten().count();
        (known >= 3 && columns.has(Role::Source)).then_some(columns)
    }

    /// By what stands in a packet of TCP: the ends are addresses, or the two cells before the protocol's, and
    /// all that may be a time stands before them.
    pub fn of_row(cells: &[String]) -> Option<Columns> {
        let at = cells.iter().position(|cell| info(&arrows(cell)).is_some())?;
        let protocol = cells[..at].iter().rposition(|cell| cell.trim() == "TCP");
        let before_protocol = || {
            let source = protocol.and_then(|at| at.checked_sub(2))?;
            Some((source, source + 1))
        };
        let (source, destination) = addresses(&cells[..at]).or_else(before_protocol)?;
        let mut columns = vec![None; cells.len()];
        columns[at] = Some(Role::Info);
        columns[source] = Some(Role::Source);
        columns[destination] = Some(Role::Destination);
        if let Some(protocol) = protocol.filter(|protocol| *protocol > destination) {
            columns[protocol] = Some(Role::Protocol);
            let len = cells[protocol + 1..at].iter().position(|cell| is_number(cell));
            if let Some(len) = len {
                columns[protocol + 1 + len] = Some(Role::FrameLen);
            }
        }
        for (column, cell) in columns.iter_mut().zip(cells).take(source) {
            if Stamp::cell(cell).is_some() {
                *column = Some(Role::Time);
            }
        }
        Some(Columns(columns))
    }

    /// With times in a column of another name, which every row shows.
    pub fn with_times<'a>(mut self, rows: impl Iterator<Item = &'a [String]> + Clone) -> Columns {
        let is_time = |cell: &String| cell.contains(['.', ':']) && Stamp::cell(cell).is_some();
        for at in 0..self.0.len() {
            let mut cells = rows.clone().filter_map(|row| row.get(at)).peekable();
            if self.0[at].is_none() && cells.peek().is_some() && cells.all(is_time) {
                self.0[at] = Some(Role::Time);
            }
        }
        self
    }

    /// Cells of a line without quotes, of which the last one, Info, may hold the delimiter: `[FIN, ACK]`.
    pub fn of(&self, line: &str, delimiter: u8) -> Vec<String> {
        let mut cells = cells(line, delimiter);
        if cells.len() > self.0.len() && self.0.last() == Some(&Some(Role::Info)) {
            let info = cells.split_off(self.0.len() - 1);
            cells.push(info.join(&char::from(delimiter).to_string()));
        }
        cells
    }

    /// Tells whether there is such a column.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&Some(role))
    }

    /// The first cell of that kind that is not empty. Of several layers of a packet the innermost
    /// counts, which is printed last.
    pub fn cell<'a>(&self, cells: &'a [String], role: Role) -> Option<&'a str> {
        let mut all = self.all(cells, role).filter(|cell| !cell.is_empty());
        let cell = all.next()?;
        let layered = !matches!(role, Role::Info | Role::Time);
        Some(if layered { cell.rsplit(',').next().unwrap_or(cell).trim() } else { cell })
    }

    /// All cells of that kind.
    pub fn all<'a>(&self, cells: &'a [String], role: Role) -> impl Iterator<Item = &'a str> {
        let columns = self.0.iter().zip(cells);
        columns.filter(move |(column, _)| **column == Some(role)).map(|(_, cell)| cell.trim())
    }

    /// Names the columns that are missing to tell how a connection was closed; `None` if all are
    /// there.
    pub fn lacks(&self) -> Option<&'static str> {
        if self.has(Role::Info) {
            let needed =
                [(Role::Destination, "the column Destination"), (Role::Time, "the column Time")];
            return needed.into_iter().find(|(role, _)| !self.has(*role)).map(|(_, name)| name);
        }
        self.lacks_field()
    }

    /// Names the field that is missing to do without the column Info.
    pub fn lacks_field(&self) -> Option<&'static str> {
        let fields = [
            (Role::SourcePort, "tcp.srcport"),
            (Role::DestinationPort, "tcp.dstport"),
            (Role::Len, "tcp.len"),
        ];
        if !self.has(Role::Destination) {
            return Some("ip.dst");
        }
        if !self.has(Role::Flags)
            && let Some(missing) = self.lacks_flag()
        {
            return Some(missing);
        }
        if !self.has(Role::Seq) && !self.has(Role::SeqRaw) {
            return Some("tcp.seq");
        }
        if !self.has(Role::AckNumber) && !self.has(Role::AckRaw) {
            return Some("tcp.ack");
        }
        fields.into_iter().find(|(role, _)| !self.has(*role)).map(|(_, name)| name)
    }

    /// Names the flag that has no column of its own, where others have; or all, where none has.
    fn lacks_flag(&self) -> Option<&'static str> {
        let flags = [
            (Role::Syn, "tcp.flags.syn"),
            (Role::Ack, "tcp.flags.ack"),
            (Role::Fin, "tcp.flags.fin"),
            (Role::Rst, "tcp.flags.reset"),
        ];
        let mut missing = flags.iter().filter(|(role, _)| !self.has(*role)).peekable();
        let first = missing.peek().map(|(_, name)| *name);
        if missing.count() == flags.len() { Some("tcp.flags") } else { first }
    }
}

/// The last two cells that are addresses, side by side or with a port between them.
fn addresses(cells: &[String]) -> Option<(usize, usize)> {
    let is_address = |at: usize| cells[at].trim().parse::<IpAddr>().is_ok();
    let all: Vec<usize> = (0..cells.len()).filter(|at| is_address(*at)).collect();
    let is_pair =
        |from: usize, to: usize| to == from + 1 || to == from + 2 && is_number(&cells[from + 1]);
    let pair = all.windows(2).rfind(|pair| is_pair(pair[0], pair[1]))?;
    Some((pair[0], pair[1]))
}

/// Tells whether there are digits, and nothing else.
pub fn is_number(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The line with one kind of arrow; what becomes of it in the wrong character set is one, too.
pub fn arrows(line: &str) -> std::borrow::Cow<'_, str> {
    let is_lost = |mark: &str| {
        let ends = line
            .split_once(mark)
            .map(|(from, to)| [from.split_whitespace().next_back(), to.split_whitespace().next()]);
        let is_address =
            |word: Option<&str>| word.is_some_and(|word| word.parse::<IpAddr>().is_ok());
        ends.is_some_and(|ends| ends.into_iter().all(is_address))
    };
    if let Some(mark) = [" ? ", " \u{fffd} "].into_iter().find(|mark| is_lost(mark)) {
        return line.replace(mark, " -> ").into();
    }
    if line.is_ascii() {
        return line.into();
    }
    line.replace('→', "->").replace("â†’", "->").replace('←', "<-").into()
}

/// Cells of a line: with quotes around those that hold the delimiter, as RFC 4180 has them. Where tshark
/// prints an arrow between the ends, that is none.
pub fn cells(line: &str, delimiter: u8) -> Vec<String> {
    let mut cells = all_cells(line, delimiter);
    // It points to the destination, whose column comes first.
    let back = cells.iter().position(|cell| matches!(cell.trim(), "←" | "<-"));
    if let Some(at) = back.filter(|at| *at > 0 && at + 1 < cells.len()) {
        cells.swap(at - 1, at + 1);
        cells.remove(at);
    }
    cells.retain(|cell| !matches!(cell.trim(), "→" | "->" | "â†’"));
    cells
}

fn all_cells(line: &str, delimiter: u8) -> Vec<String> {
    // A reader of quotes takes longer to make than most lines to read.
    if !line.contains('"') && !line.is_empty() {
        return line.split(char::from(delimiter)).map(str::to_owned).collect();
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Vec<String> {
        cells(text, b'\t')
    }

    #[test]
    fn a_header_names_the_columns() {
        let header = cells(
            "\"No.\",\"Time\",\"Source\",\"Destination\",\"Protocol\",\"Length\",\"Info\"",
            b',',
        );
        let columns = Columns::named(&header).unwrap();
        let row = cells(
            "\"7\",\"0.1\",\"10.0.0.1\",\"10.0.0.2\",\"TCP\",\"54\",\"1 > 2 [SYN], x\"",
            b',',
        );
        assert_eq!(columns.cell(&row, Role::Info), Some("1 > 2 [SYN], x"));
        assert_eq!(columns.cell(&row, Role::Source), Some("10.0.0.1"));
        assert_eq!(columns.lacks(), None);
        assert_eq!(Columns::named(&cells("a,b,c", b',')), None);
        let fields = Columns::named(&row_of_fields("ip.src\tip.dst\ttcp.srcport")).unwrap();
        assert_eq!(fields.lacks(), Some("tcp.flags"));
    }

    fn row_of_fields(text: &str) -> Vec<String> {
        row(text)
    }

    #[test]
    fn a_row_shows_what_its_columns_are() {
        let row = row(
            "1\t2023-11-14 22:13:20.213856\t0.000000\t0.000100\t192.0.2.5\t198.51.100.3\tTCP\t74\t47902 → 3306 [SYN] Seq=0 Win=229 Len=0",
        );
        let columns = Columns::of_row(&row).unwrap();
        assert_eq!(columns.cell(&row, Role::Destination), Some("198.51.100.3"));
        assert_eq!(columns.cell(&row, Role::FrameLen), Some("74"));
        assert_eq!(columns.all(&row, Role::Time).count(), 3);
    }

    #[test]
    fn the_innermost_layer_counts() {
        let columns = Columns::named(&row("ip.src\tip.dst\ttcp.srcport")).unwrap();
        let cells = row("203.0.113.1,192.0.2.5\t203.0.113.2,198.51.100.3\t47902");
        assert_eq!(columns.cell(&cells, Role::Source), Some("192.0.2.5"));
    }
}
