//! Packets as Wireshark and tshark list them: a line each, a table, or fields.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::clock::Style;
use super::columns::{Columns, DELIMITERS, Role, arrows, cells, is_number};
use super::ends::Ends;
use super::folded::{self, Folded, Whole, blank_behind};
use super::info::{flags_cell, info, looks_like_info};
use super::lines::{printed, unquoted, without_emphasis, without_marks};
use super::printed::{Item, Printed};
use super::row::{Packet, Row, is_part_of_message};
use super::signs::shows_flags;
use super::stamp::Stamp;
use super::streams::{Hidden, Shown, Streams};
use super::tunnels::is_closed_to_wireshark;
use super::turned::{RowNumbers, number_of_row};
use super::words::Words;
use crate::tcp::segment::Flags;

/// Reads lines of one form.
pub struct Wireshark {
    layout: Layout,
    /// The index of the time that is the packet's, among those on a line.
    time: usize,
    /// The style of its times.
    pub style: Style,
    streams: Streams,
    /// There where lines were folded.
    folded: Option<Folded>,
    /// The number of the row read last, as it is printed.
    row: Option<u64>,
    numbers: RowNumbers,
}

/// The way a line is taken apart.
#[derive(Clone, Debug)]
enum Layout {
    /// Without marks between the columns.
    Words(Words),
    Table {
        delimiter: u8,
        columns: Columns,
    },
}

/// The result of looking at the beginning of a text.
pub enum Found {
    /// Packets, with the reader of their lines.
    Packets(Box<Wireshark>),
    /// Packets of this kind that do not say enough, and what is missing.
    Lacking(String),
    /// No table of packets.
    Nothing,
}

/// Lines that are searched for the names of columns.
const MAX_HEADER: usize = 200;

impl Wireshark {
    /// Recognises a text by its beginning.
    pub fn of(head: &[u8]) -> Found {
        let lines: Vec<String> =
            head.split(|b| *b == b'\n').map(|line| plain(&printed(line)).into_owned()).collect();
        let joined = folded::is_folded(lines.iter().map(String::as_str)).then(|| unfolded(head));
        let own = layout(&lines);
        let (lines, layout, is_folded) =
            match joined.and_then(|lines| Some((layout(&lines)?, lines))) {
                Some((whole, joined)) if is_better(&whole, &joined, own.as_ref(), &lines) => {
                    (joined, whole, true)
                }
                _ => match own {
                    Some(own) => (lines, own, false),
                    None => return Found::Nothing,
                },
            };
        if let Layout::Table { columns, .. } = &layout
            && let Some(missing) = columns.lacks()
        {
            return Found::Lacking(missing.to_owned());
        }
        let times: Vec<Vec<Stamp>> =
            lines.iter().filter_map(|line| times_of(line, &layout)).collect();
        if times.is_empty() {
            return Found::Nothing;
        }
        let (time, style) = which_time(&times);
        let folded = is_folded.then(Folded::default);
        Found::Packets(Box::new(Wireshark {
            layout,
            time,
            style,
            streams: Streams::default(),
            folded,
            row: None,
            numbers: RowNumbers::default(),
        }))
    }

    /// Takes a line; what it holds goes out, perhaps with later ones.
    pub fn take(&mut self, number: u64, line: &str, ends: &mut Ends, out: &mut VecDeque<Item>) {
        let line = plain(line);
        let is_empty = line.trim().is_empty();
        match &mut self.folded {
            Some(folded) => {
                let whole = if is_empty { folded.end() } else { folded.take(number, &line) };
                self.whole(whole, ends, out);
            }
            None if is_empty => {}
            None => self.line(number, &line, ends, out),
        }
    }

    /// Takes note of the blank at the end of the line before, where a fold may be.
    pub fn line_ends_with(&mut self, blank: Option<char>) {
        if let Some(folded) = &mut self.folded {
            folded.blank(blank);
        }
    }

    /// A packet from all of its parts.
    fn whole(&mut self, whole: Option<Whole>, ends: &mut Ends, out: &mut VecDeque<Item>) {
        if let Some(whole) = whole {
            self.line(whole.number, self.layout.clone().better(&whole), ends, out);
        }
    }

    fn line(&mut self, number: u64, line: &str, ends: &mut Ends, out: &mut VecDeque<Item>) {
        let cells = self.layout.cells(line);
        let item = match self.layout.row(line, &cells) {
            // Another packet stands behind the first.
            Some(_) if line.matches("] Seq=").count() > 1 => {
                Item::Unread(number, line.trim().to_owned())
            }
            Some(row) => {
                self.row = number_of_row(line);
                return self.row(row, number, line, ends, out);
            }
            // With an export's details, the row is told once more.
            None if details_of(line).is_some_and(|frame| self.row == Some(frame)) => {
                Item::Skipped(1)
            }
            None if looks_like_info(line) || line.contains(": Flags [") || shows_flags(line) => {
                Item::Unread(number, line.trim().to_owned())
            }
            None => Item::Skipped(1),
        };
        self.streams.item(item, out);
    }

    /// Tells whether rows stand in another order than their packets.
    pub fn is_disordered(&self) -> bool {
        self.numbers.are_disordered()
    }

    /// Hands out what waits for a line that will not come.
    pub fn end(&mut self, ends: &mut Ends, out: &mut VecDeque<Item>) {
        let whole = self.folded.as_mut().and_then(Folded::end);
        self.whole(whole, ends, out);
        self.streams.end(out);
    }

    fn row(
        &mut self,
        row: Row,
        number: u64,
        line: &str,
        ends: &mut Ends,
        out: &mut VecDeque<Item>,
    ) {
        let stamp = row.times.get(self.time).or(row.times.first()).copied().unwrap_or_default();
        if let Some(number) = self.row {
            self.numbers.note(number, stamp);
        }
        let hosts = ends.host(row.from).zip(ends.host(row.to));
        let unread = || Item::Unread(number, line.trim().to_owned());
        match (row.packet, hosts) {
            (
                Packet::Tcp { ports, flags, seq, ack, len, shut, raw, again, reused },
                Some((from, to)),
            ) => {
                let [from_port, to_port] = ports.map(|port| ends.port(port));
                let (Some(from_port), Some(to_port)) = (from_port, to_port) else {
                    return self.streams.item(unread(), out);
                };
                let ends = [(from, from_port).into(), (to, to_port).into()];
                let printed = Printed {
                    seq: Some(seq),
                    ack,
                    len,
                    window: shut.then_some(0),
                    ..Printed::new(stamp, ends, flags)
                };
                let frame_len = row.frame_len;
                self.streams.tcp(Shown { printed, frame_len, raw, again, reused }, out);
            }
            (Packet::Tcp { .. } | Packet::Unread, _) => self.streams.item(unread(), out),
            (Packet::Other, _) if is_closed_to_wireshark(row.protocol, line) => {
                self.streams.item(unread(), out);
            }
            (Packet::Other, Some((from, to))) if !is_never_tcp(row.protocol) => match row.frame_len
            {
                Some(frame_len) => self.streams.hidden(Hidden { stamp, from, to, frame_len }, out),
                // What it carried, nothing tells: perhaps a FIN.
                None if self.streams.are_between(from, to) => {
                    let line = format!("{} (show the column Length, too)", line.trim());
                    self.streams.item(Item::Unread(number, line), out);
                }
                None => self.streams.other(stamp, out),
            },
            (Packet::Other, _) => self.streams.other(stamp, out),
        }
    }
}

/// A line with one kind of arrow, on which nothing stands out that keeps its packet from being read.
fn plain(line: &str) -> Cow<'_, str> {
    let line = arrows(without_marks(line, unquoted(line).0));
    if !looks_like_info(&line) || info(&line).is_some() {
        return line;
    }
    match without_emphasis(&line) {
        Some(plain) if info(&plain).is_some() => Cow::Owned(plain),
        _ => line,
    }
}

/// Returns the number of the packet whose details begin: `Frame 7: 66 bytes on wire (528 bits), …`.
fn details_of(line: &str) -> Option<u64> {
    let behind = line.strip_prefix("Frame ")?;
    let number = behind.split([':', ' ']).next()?;
    number.parse().ok().filter(|_| behind.contains(" bytes on wire"))
}

/// Protocols that travel without TCP, so that none of their packets belongs to a connection.
fn is_never_tcp(protocol: &str) -> bool {
    [
        "UDP", "ARP", "ICMP", "ICMPv6", "MDNS", "LLMNR", "NTP", "DHCP", "DHCPv6", "QUIC", "SSDP",
        "IGMP", "IGMPv2", "IGMPv3", "STP", "LLDP", "VRRP", "OSPF", "NBNS", "IPv4", "IPv6",
    ]
    .contains(&protocol)
}

/// By a header, by the first packet in a table, or by the first line with one.
fn layout(lines: &[String]) -> Option<Layout> {
    for line in lines.iter().take(MAX_HEADER) {
        for delimiter in DELIMITERS {
            if line.as_bytes().contains(&delimiter)
                && let Some(columns) = Columns::named(&cells(line, delimiter))
            {
                return Some(Layout::Table {
                    delimiter,
                    columns: timed(columns, lines, delimiter),
                });
            }
        }
    }
    for line in lines.iter().filter(|line| info(line).is_some()) {
        for delimiter in DELIMITERS {
            if line.bytes().filter(|b| *b == delimiter).count() >= 3
                && let Some(columns) = Columns::of_row(&cells(line, delimiter)).filter(has_time)
            {
                return Some(Layout::Table { delimiter, columns });
            }
        }
        let info = info(line)?;
        if let Some(words) = Words::of(line, &info, lines) {
            return Some(Layout::Words(words));
        }
    }
    None
}

fn has_time(columns: &Columns) -> bool {
    columns.has(Role::Time)
}

/// The columns, with that of the times, whatever its name is.
fn timed(columns: Columns, lines: &[String], delimiter: u8) -> Columns {
    if columns.has(Role::Time) {
        return columns;
    }
    let packets = lines.iter().filter(|line| info(line).is_some());
    let rows: Vec<Vec<String>> = packets.map(|line| columns.of(line, delimiter)).collect();
    columns.with_times(rows.iter().map(Vec::as_slice))
}

/// Tells whether the lines that were put together say more than those of the text itself. What stands in cells has its own
/// ends, if its packets are read with them.
fn is_better(whole: &Layout, joined: &[String], own: Option<&Layout>, lines: &[String]) -> bool {
    let packets = |layout: &Layout, lines: &[String]| {
        lines.iter().filter(|line| layout.is_packet(line)).count()
    };
    match (whole, own) {
        (Layout::Words(_), None | Some(Layout::Words(_))) => true,
        _ => packets(whole, joined) > own.map_or(0, |own| packets(own, lines)),
    }
}

/// The lines of a text that was folded.
fn unfolded(head: &[u8]) -> Vec<String> {
    let mut folded = Folded::default();
    let mut whole: Vec<Whole> = Vec::new();
    for octets in head.split(|b| *b == b'\n') {
        let line = printed(octets);
        let line = plain(&line);
        whole.extend(match line.trim().is_empty() {
            true => folded.end(),
            false => folded.take(0, &line),
        });
        folded.blank(blank_behind(octets));
    }
    whole.extend(folded.end());
    let words = Layout::Words(Words::default());
    whole.iter().map(|whole| words.better(whole).to_owned()).collect()
}

impl Layout {
    /// The line that can be read, of those that the parts of one may make; of a packet of another protocol the one that shows
    /// its length.
    fn better<'a>(&self, Whole { exact, tight, spaced, .. }: &'a Whole) -> &'a str {
        let all = [exact, tight, spaced];
        let has_len = |line: &str| {
            let cells = self.cells(line);
            self.row(line, &cells).is_some_and(|row| row.frame_len.is_some())
        };
        let read = all.into_iter().find(|line| self.is_packet(line));
        read.or_else(|| all.into_iter().find(|line| has_len(line))).unwrap_or(exact)
    }

    /// Tells whether a line is a packet of TCP between two ports.
    fn is_packet(&self, line: &str) -> bool {
        let cells = self.cells(line);
        let is_port = |port: &str| !is_number(port) || port.parse::<u16>().is_ok();
        self.row(line, &cells).is_some_and(
            |row| matches!(row.packet, Packet::Tcp { ports, .. } if ports.into_iter().all(is_port)),
        )
    }

    fn cells(&self, line: &str) -> Vec<String> {
        match self {
            Layout::Words(_) => Vec::new(),
            Layout::Table { delimiter, columns } => columns.of(line, *delimiter),
        }
    }

    fn row<'a>(&self, line: &'a str, cells: &'a [String]) -> Option<Row<'a>> {
        match self {
            Layout::Words(words) => words.row(line),
            Layout::Table { columns, .. } => table_row(columns, cells),
        }
    }
}

fn table_row<'a>(columns: &Columns, cells: &'a [String]) -> Option<Row<'a>> {
    let times: Vec<Stamp> =
        columns.all(cells, Role::Time).map(|cell| Stamp::cell(cell).unwrap_or_default()).collect();
    let from = columns.cell(cells, Role::Source);
    let to = columns.cell(cells, Role::Destination);
    let is_packet = times.iter().any(|time| *time != Stamp::None);
    // Of a packet between addresses for which there is no column, there are the ports.
    let is_from = from.is_some() || columns.cell(cells, Role::SourcePort).is_some();
    let lacks_all = !is_from || !columns.has(Role::Flags);
    if !is_packet && (lacks_all || Columns::named(cells).is_some()) {
        return None;
    }
    let protocol = columns.cell(cells, Role::Protocol).unwrap_or_default();
    Some(Row {
        times,
        from: from.unwrap_or_default(),
        to: to.unwrap_or_default(),
        protocol,
        frame_len: columns.cell(cells, Role::FrameLen).and_then(|len| len.parse().ok()),
        packet: match columns.cell(cells, Role::Info).filter(|_| columns.lacks_field().is_some()) {
            Some(text) => match info(text) {
                Some(info) => info.into(),
                None if protocol == "TCP" && !is_part_of_message(text) || looks_like_info(text) => {
                    Packet::Unread
                }
                None => Packet::Other,
            },
            None => fields(columns, cells),
        },
    })
}

/// A packet of which tshark was asked for each field.
fn fields<'a>(columns: &Columns, cells: &'a [String]) -> Packet<'a> {
    let cell = |role| columns.cell(cells, role);
    let number = |role| cell(role).and_then(|text| text.parse::<u32>().ok());
    let (Some(from), Some(to)) = (cell(Role::SourcePort), cell(Role::DestinationPort)) else {
        return Packet::Other;
    };
    let flags = match columns.has(Role::Flags) {
        true => cell(Role::Flags).and_then(flags_cell),
        false => single_flags(columns, cells),
    };
    let raw = columns.has(Role::SeqRaw) && columns.has(Role::AckRaw);
    let (seq, ack) = match raw {
        true => (number(Role::SeqRaw), number(Role::AckRaw)),
        false => (number(Role::Seq), number(Role::AckNumber)),
    };
    let (Some(flags), Some(seq), Some(len)) = (flags, seq, number(Role::Len)) else {
        return Packet::Unread;
    };
    if flags.ack() && ack.is_none() {
        return Packet::Unread;
    }
    Packet::Tcp {
        ports: [from, to],
        flags,
        seq,
        ack,
        len,
        shut: number(Role::Window) == Some(0),
        raw,
        again: false,
        reused: false,
    }
}

/// `tcp.flags.fin` and the like, each in a column.
fn single_flags(columns: &Columns, cells: &[String]) -> Option<Flags> {
    let roles = [
        (Role::Syn, Flags::SYN),
        (Role::Ack, Flags::ACK),
        (Role::Fin, Flags::FIN),
        (Role::Rst, Flags::RST),
    ];
    roles.into_iter().filter(|(role, _)| columns.has(*role)).try_fold(
        Flags(0),
        |flags, (role, bit)| {
            let set = match columns.cell(cells, role)? {
                "1" | "True" | "Set" => bit,
                "0" | "False" | "Not set" => 0,
                _ => return None,
            };
            Some(Flags(flags.0 | set))
        },
    )
}

fn times_of(line: &str, layout: &Layout) -> Option<Vec<Stamp>> {
    let cells = layout.cells(line);
    let row = layout.row(line, &cells)?;
    (!matches!(row.packet, Packet::Other)).then_some(row.times)
}

/// Chooses the packet's time of several on each line: it goes on and goes back the least; a column that
/// shows the same time everywhere, or pauses, is another.
fn which_time(rows: &[Vec<Stamp>]) -> (usize, Style) {
    let column = |at: usize| -> Vec<Stamp> {
        rows.iter()
            .filter_map(|row| row.get(at).copied())
            .filter(|time| *time != Stamp::None)
            .collect()
    };
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let nanos =
        |at: usize| -> Vec<i64> { column(at).into_iter().filter_map(Stamp::nanos).collect() };
    let moves = |at: &usize| nanos(*at).windows(2).any(|pair| pair[0] != pair[1]);
    let falls = |at: &usize| nanos(*at).windows(2).filter(|pair| pair[1] < pair[0]).count();
    // A log's own time of whole seconds goes on just as the packets' does.
    let is_coarse = |at: &usize| !column(*at).into_iter().any(Stamp::has_fraction);
    let key = |at: &usize| (falls(at), is_coarse(at));
    let found = (0..columns).filter(moves).min_by_key(key).unwrap_or(0);
    let style = match column(found).first() {
        Some(Stamp::Clock { nanos: 0, .. }) => Style::from_zero(&nanos(found)),
        // Seconds count from the first packet as a time of day does from midnight.
        _ => Style::OfDay,
    };
    (found, style)
}
