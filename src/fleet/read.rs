//! A part that is read, a chunk at a time.
//!
//! It may come from anywhere, so nothing in it is believed: its form is looked at first, sizes have bounds,
//! and a fault of the crate that decodes it is an error of the file.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parquet::basic::Type;
use parquet::column::reader::{get_column_reader, get_typed_column_reader};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;

use super::keyed::{Key, Shard};
use super::pages::{Bounded, Counted, MOST_OCTETS};
use super::part::{self, CHUNK, Footer, GROUPS, Group, MESSAGE, NOTE, bits, column};
use crate::capture::process::Process;
use crate::place::Place;
use crate::tcp::segment::{FlowKey, Segment};
use crate::tcp::seq::Seq;

/// The reason why a part cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The table is not of this form: the part that is wrong.
    #[error("{0}")]
    Form(&'static str),
    /// The file is no whole Parquet.
    #[error("{0}")]
    Table(#[from] ParquetError),
    /// Its footer cannot be read.
    #[error("{0}")]
    Footer(#[from] serde_json::Error),
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is of another version: its number.
    #[error("its form is {0}, and this closewait knows {known}", known = part::SCHEMA)]
    Schema(u32),
}

/// A part, opened.
pub struct PartReader<R: ChunkReader + 'static> {
    table: SerializedFileReader<Bounded<R>>,
    /// The footer: all that is said of the file as a whole.
    pub footer: Footer,
}

/// A segment of a part.
pub struct Row<'a> {
    /// The segment.
    pub segment: Segment,
    /// Its payload, as far as it was captured.
    pub payload: &'a [u8],
    /// The process that the capture names.
    pub process: Option<Process>,
    /// It belongs to the share that is read; others are there for what they tell.
    pub is_own: bool,
}

/// The share that is read, by the key of all parts.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The share that is read.
    pub shard: Shard,
    /// The key of the shards.
    pub key: Key,
}

/// A footer's octets, at most.
const MOST_NOTE: usize = 16 << 20;

impl PartReader<File> {
    /// Opens a part.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub fn open(path: &Path) -> Result<PartReader<File>, Fault> {
        PartReader::new(File::open(path)?)
    }
}

impl<R: ChunkReader + 'static> PartReader<R> {
    /// Looks at its form, and reads what it says of its file.
    ///
    /// # Errors
    /// If it is no part.
    pub fn new(octets: R) -> Result<PartReader<R>, Fault> {
        let table = caught(|| Ok(SerializedFileReader::new(Bounded(octets))?))?;
        let metadata = table.metadata();
        let footer = footer(metadata)?;
        if footer.schema != part::SCHEMA {
            return Err(Fault::Schema(footer.schema));
        }
        let form = SchemaDescriptor::new(Arc::new(parse_message_type(MESSAGE)?));
        let schema = metadata.file_metadata().schema_descr();
        let is_like = |(one, two): (usize, usize)| {
            let (one, two) = (schema.column(one), form.column(two));
            one.name() == two.name()
                && one.physical_type() == two.physical_type()
                && one.type_length() == two.type_length()
                && one.max_def_level() == two.max_def_level()
                && one.max_rep_level() == 0
        };
        let columns = schema.num_columns();
        if columns != form.num_columns() || !(0..columns).zip(0..columns).all(is_like) {
            return Err(Fault::Form("its columns are others"));
        }
        let groups = metadata.row_groups();
        if groups.len() != footer.groups.len() || !groups.iter().all(is_bounded) {
            return Err(Fault::Form("its row groups are not those it names"));
        }
        let is_in_order = footer.groups.is_sorted_by_key(|group| group.chunk);
        let in_bounds = |group: &Group| (1..=GROUPS).contains(&group.of);
        if !is_in_order || !footer.groups.iter().all(in_bounds) {
            return Err(Fault::Form("its chunks are out of order"));
        }
        Ok(PartReader { table, footer })
    }

    /// Hands over the segments of a share in the order of capture, as those of the file with this number.
    /// The hashes of their 4-tuples come from `hasher`.
    ///
    /// # Errors
    /// If it is damaged, or those of `to`: what came before has been handed over.
    pub fn each<E: From<Fault>>(
        &self,
        wanted: Wanted,
        file: u16,
        hasher: &RandomState,
        mut to: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let all: Vec<(usize, &Group)> = self.footer.groups.iter().enumerate().collect();
        for chunk in all.chunk_by(|(_, one), (_, two)| one.chunk == two.chunk) {
            let read = chunk.iter().filter(|(_, group)| self.holds_any_of(group, wanted));
            let read: Result<Vec<Columns>, Fault> = read.map(|(at, _)| self.group(*at)).collect();
            let read = read?;
            let rows = read.iter().map(|columns| columns.frame.len()).sum::<usize>();
            if rows > 2 * CHUNK {
                return Err(Fault::Form("a chunk has too many rows").into());
            }
            let mut order: Vec<(i64, u32, u32)> = Vec::with_capacity(rows);
            for (at, columns) in (0..).zip(&read) {
                order.extend((0..).zip(&columns.frame).map(|(row, frame)| (*frame, at, row)));
            }
            order.sort_unstable();
            for (_, at, row) in order {
                let columns = &read[at as usize];
                let mut row = columns.row(row as usize, file, hasher)?;
                row.is_own =
                    wanted.shard.is_all() || wanted.shard.has(wanted.key.hash(&row.segment.key));
                to(row)?;
            }
        }
        Ok(())
    }

    /// May a row group hold any row that the share needs?
    fn holds_any_of(&self, group: &Group, wanted: Wanted) -> bool {
        let Some(rest) = group.rest else { return true };
        self.footer.key != wanted.key.0 || wanted.shard.may_have(rest, group.of)
    }

    fn group(&self, at: usize) -> Result<Columns, Fault> {
        caught(|| Columns::read(self.table.get_row_group(at)?.as_ref()))
    }
}

/// The crate that decodes takes some damage for its own fault, and panics.
fn caught<T>(read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let damaged = Err(Fault::Form("it is damaged"));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(damaged)
}

fn footer(metadata: &ParquetMetaData) -> Result<Footer, Fault> {
    let notes = metadata.file_metadata().key_value_metadata();
    let note = notes.into_iter().flatten().find(|note| note.key == NOTE);
    let text = note.and_then(|note| note.value.as_deref());
    let text = text.filter(|text| text.len() <= MOST_NOTE);
    let text =
        text.ok_or(Fault::Form("it says nothing of a capture (closewait facts makes parts)"))?;
    Ok(serde_json::from_str(text)?)
}

/// No more rows and octets than a chunk may have.
fn is_bounded(group: &RowGroupMetaData) -> bool {
    let octets = |octets: i64| (0..=MOST_OCTETS).contains(&octets);
    (0..=CHUNK as i64).contains(&group.num_rows())
        && group.columns().iter().all(|column| {
            octets(column.uncompressed_size())
                && octets(column.compressed_size())
                && column.column_type() != Type::INT96
        })
}

/// The columns of a row group.
struct Columns {
    frame: Vec<i64>,
    time: Sparse<i64>,
    v4: [Sparse<i32>; 2],
    v6: [Sparse<FixedLenByteArray>; 2],
    ports: Vec<i32>,
    seq: Vec<i32>,
    ack: Vec<i32>,
    len: Vec<i32>,
    window: Vec<i32>,
    bits: Vec<i32>,
    pid: Sparse<i32>,
    command: Sparse<ByteArray>,
    payload: Sparse<ByteArray>,
}

/// A column that not every row has a value in.
struct Sparse<T> {
    values: Vec<T>,
    /// The number of the value of each row; none where all rows have one, or none has.
    places: Vec<u32>,
}

const ABSENT: u32 = u32::MAX;

impl<T> Sparse<T> {
    fn get(&self, row: usize) -> Option<&T> {
        match self.places.get(row) {
            Some(&ABSENT) => None,
            Some(at) => self.values.get(*at as usize),
            None => self.values.get(row),
        }
    }
}

impl Columns {
    fn read(group: &dyn RowGroupReader) -> Result<Columns, Fault> {
        let int = |at| required::<Int32Type>(group, at);
        Ok(Columns {
            frame: required::<Int64Type>(group, column::FRAME)?,
            time: optional::<Int64Type>(group, column::TIME)?,
            v4: both(column::V4, |at| optional::<Int32Type>(group, at))?,
            v6: both(column::V6, |at| optional::<FixedLenByteArrayType>(group, at))?,
            ports: int(column::PORTS)?,
            seq: int(column::SEQ)?,
            ack: int(column::ACK)?,
            len: int(column::LEN)?,
            window: int(column::WINDOW)?,
            bits: int(column::BITS)?,
            pid: optional::<Int32Type>(group, column::PID)?,
            command: optional::<ByteArrayType>(group, column::COMMAND)?,
            payload: optional::<ByteArrayType>(group, column::PAYLOAD)?,
        })
    }

    fn row(&self, at: usize, file: u16, hasher: &RandomState) -> Result<Row<'_>, Fault> {
        let key = self.key(at).ok_or(Fault::Form("a row has no addresses"))?;
        let bits = self.bits[at] as u32;
        let time = part::time(self.time.get(at).copied());
        let window = u16::try_from(self.window[at]);
        let segment = Segment {
            key,
            hash: key.hash_by(hasher),
            from: bits::from(bits),
            seq: Seq(self.seq[at] as u32),
            ack: Seq(self.ack[at] as u32),
            flags: bits::flags(bits),
            len: self.len[at] as u32,
            window: window.map_err(|_| Fault::Form("a row has no window"))?,
            extras: bits::extras(bits),
            place: Place::new(time, file, self.frame[at] as u64, bits::digits(bits)),
            direction: bits::direction(bits),
        };
        let command = self.command.get(at).map(ByteArray::data).unwrap_or_default();
        let named = |pid: &i32| Process::new(*pid, &String::from_utf8_lossy(command));
        Ok(Row {
            segment,
            payload: self.payload.get(at).map(ByteArray::data).unwrap_or_default(),
            process: self.pid.get(at).and_then(named),
            is_own: true,
        })
    }

    fn key(&self, at: usize) -> Option<FlowKey> {
        let ports = self.ports[at] as u32;
        if let [Some(lower), Some(upper)] = self.v4.each_ref().map(|v4| v4.get(at)) {
            return Some(FlowKey::of_v4([*lower as u32, *upper as u32], ports));
        }
        let address = |v6: &Sparse<FixedLenByteArray>| {
            Some(u128::from_be_bytes(v6.get(at)?.data().try_into().ok()?))
        };
        Some(FlowKey::of_v6([address(&self.v6[0])?, address(&self.v6[1])?], ports))
    }
}

fn both<T>(at: [usize; 2], read: impl Fn(usize) -> Result<T, Fault>) -> Result<[T; 2], Fault> {
    Ok([read(at[0])?, read(at[1])?])
}

fn required<T: DataType>(group: &dyn RowGroupReader, at: usize) -> Result<Vec<T::T>, Fault> {
    Ok(read::<T>(group, at)?.0)
}

fn optional<T: DataType>(group: &dyn RowGroupReader, at: usize) -> Result<Sparse<T::T>, Fault> {
    let (values, levels) = read::<T>(group, at)?;
    if values.len() == levels.len() {
        return Ok(Sparse { values, places: Vec::new() });
    }
    let mut next = 0;
    let place = |level: &i16| match level {
        0 => ABSENT,
        _ => {
            next += 1;
            next - 1
        }
    };
    let places: Vec<u32> = levels.iter().map(place).collect();
    Ok(Sparse { values, places })
}

/// Reads a column's values, and for one that may lack some which rows have one.
fn read<T: DataType>(
    group: &dyn RowGroupReader,
    at: usize,
) -> Result<(Vec<T::T>, Vec<i16>), Fault> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
    let column = group.metadata().schema_descr().column(at);
    let pages = Counted(group.get_column_page_reader(at)?);
    let mut reader = get_typed_column_reader::<T>(get_column_reader(column, Box::new(pages)));
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let (records, _, _) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    let is_required = group.metadata().schema_descr().column(at).max_def_level() == 0;
    let there = if is_required { rows } else { levels.iter().filter(|level| **level > 0).count() };
    if records != rows || values.len() != there || !is_required && levels.len() != rows {
        return Err(Fault::Form("a column has not as many rows as the others"));
    }
    Ok((values, levels))
}
