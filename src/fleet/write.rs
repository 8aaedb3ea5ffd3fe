//! A part that is being written, a chunk at a time.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::keyed::Key;
use super::part::{self, CHUNK, CHUNK_PAYLOAD, Footer, GROUPS, Group, MESSAGE, NOTE};
use crate::attach::registry::may_be_first;
use crate::capture::process::Process;
use crate::tcp::segment::Segment;

/// Rows of a share, about: fewer, and their columns' headers weigh more than they do.
const SHARE: usize = 4_096;

/// Writes a part.
pub struct PartWriter {
    out: SerializedFileWriter<Box<dyn Write + Send>>,
    key: Key,
    contents: bool,
    kept: Vec<Kept>,
    payloads: Vec<u8>,
    groups: Vec<Group>,
    chunk: u32,
}

/// A row of the chunk.
struct Kept {
    segment: Segment,
    /// `None` where every share reads it.
    hash: Option<u64>,
    process: Option<Process>,
    /// Its end among the payloads.
    payload: usize,
}

impl PartWriter {
    /// Begins a part; with `contents`, one that has what was captured of payloads.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn new(
        out: Box<dyn Write + Send>,
        key: Key,
        contents: bool,
    ) -> Result<PartWriter, ParquetError> {
        let schema = Arc::new(parse_message_type(MESSAGE)?);
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_created_by(concat!("closewait ", env!("CARGO_PKG_VERSION")).to_owned())
            // Nobody looks for single segments.
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_max_row_group_row_count(None);
        for column in ["frame", "time_ns", "seq", "ack", "len"] {
            let path = ColumnPath::from(column);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
        let properties = properties.set_column_dictionary_enabled("payload".into(), false);
        let out = SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?;
        let (kept, payloads, groups) = (Vec::new(), Vec::new(), Vec::new());
        Ok(PartWriter { out, key, contents, kept, payloads, groups, chunk: 0 })
    }

    /// Adds a segment, with what was captured of its payload, in the order of capture.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn put(
        &mut self,
        segment: &Segment,
        payload: &[u8],
        process: Option<Process>,
    ) -> Result<(), ParquetError> {
        let payload = if self.contents { payload } else { &[] };
        let is_for_all = !segment.is_plain() || may_be_first(payload);
        let hash = (!is_for_all).then(|| self.key.hash(&segment.key));
        self.payloads.extend_from_slice(payload);
        self.kept.push(Kept { segment: *segment, hash, process, payload: self.payloads.len() });
        match self.kept.len() >= CHUNK || self.payloads.len() >= CHUNK_PAYLOAD {
            true => self.flush(false),
            false => Ok(()),
        }
    }

    /// Ends the part with its file's account.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn end(mut self, footer: Footer) -> Result<(), ParquetError> {
        self.flush(true)?;
        let (key, contents) = (self.key.0, self.contents);
        let footer = Footer { schema: part::SCHEMA, key, contents, groups: self.groups, ..footer };
        let text = serde_json::to_string(&footer)
            .map_err(|error| ParquetError::General(error.to_string()))?;
        self.out.append_key_value_metadata(KeyValue::new(NOTE.to_owned(), text));
        self.out.close().map(drop)
    }

    /// Writes the rows of a chunk: of a small file, in few groups.
    fn flush(&mut self, is_last: bool) -> Result<(), ParquetError> {
        let of = match is_last && self.chunk == 0 {
            true => (self.kept.len() / SHARE).max(1).next_power_of_two() as u64,
            false => GROUPS,
        };
        let of = of.min(GROUPS);
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); 1 + of as usize];
        for (at, kept) in self.kept.iter().enumerate() {
            rows[kept.hash.map_or(0, |hash| 1 + (hash % of) as usize)].push(at);
        }
        for (at, rows) in rows.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let rest = at.checked_sub(1).map(|rest| rest as u64);
            self.groups.push(Group { chunk: self.chunk, rest, of });
            self.group(rows)?;
        }
        self.kept.clear();
        self.payloads.clear();
        self.chunk += 1;
        Ok(())
    }

    fn group(&mut self, rows: &[usize]) -> Result<(), ParquetError> {
        let PartWriter { out, kept, payloads, contents, .. } = self;
        let all = || rows.iter().map(|at| &kept[*at]);
        let mut group = Columns(out.next_row_group()?);
        let int = |number: u32| number as i32;
        group.required::<Int64Type>(all().map(|k| k.segment.place.frame() as i64))?;
        group.optional::<Int64Type>(all().map(|k| k.segment.place.time.nanos()))?;
        for end in [0, 1] {
            group.optional::<Int32Type>(
                all().map(|k| k.segment.key.as_v4().map(|(addresses, _)| int(addresses[end]))),
            )?;
        }
        for end in [0, 1] {
            group.optional::<FixedLenByteArrayType>(all().map(|k| {
                let octets = k.segment.key.as_v6()?[end].to_be_bytes().to_vec();
                Some(FixedLenByteArray::from(ByteArray::from(octets)))
            }))?;
        }
        group.required::<Int32Type>(all().map(|k| int(k.segment.key.joined_ports())))?;
        group.required::<Int32Type>(all().map(|k| int(k.segment.seq.0)))?;
        group.required::<Int32Type>(all().map(|k| int(k.segment.ack.0)))?;
        group.required::<Int32Type>(all().map(|k| int(k.segment.len)))?;
        group.required::<Int32Type>(all().map(|k| i32::from(k.segment.window)))?;
        group.required::<Int32Type>(all().map(|k| int(part::bits::of(&k.segment))))?;
        group.optional::<Int32Type>(all().map(|k| k.process.as_ref().map(|p| p.pid)))?;
        group.optional::<ByteArrayType>(
            all().map(|k| k.process.as_ref().map(|p| p.command.as_str().into())),
        )?;
        group.optional::<ByteArrayType>(rows.iter().map(|at| {
            let start = at.checked_sub(1).map_or(0, |before| kept[before].payload);
            let payload = &payloads[start..kept[*at].payload];
            (*contents && !payload.is_empty()).then(|| payload.to_vec().into())
        }))?;
        group.0.close().map(drop)
    }
}

/// The columns of a row group, one after the other.
struct Columns<'a>(SerializedRowGroupWriter<'a, Box<dyn Write + Send>>);

impl Columns<'_> {
    fn required<T: DataType>(
        &mut self,
        values: impl Iterator<Item = T::T>,
    ) -> Result<(), ParquetError> {
        self.write::<T>(&values.collect::<Vec<_>>(), None)
    }

    fn optional<T: DataType>(
        &mut self,
        values: impl Iterator<Item = Option<T::T>>,
    ) -> Result<(), ParquetError> {
        let (mut there, mut levels) = (Vec::new(), Vec::new());
        for value in values {
            levels.push(i16::from(value.is_some()));
            there.extend(value);
        }
        self.write::<T>(&there, Some(&levels))
    }

    fn write<T: DataType>(
        &mut self,
        values: &[T::T],
        levels: Option<&[i16]>,
    ) -> Result<(), ParquetError> {
        let column = self.0.next_column()?;
        let mut column = column.ok_or_else(|| ParquetError::General("a column too many".into()))?;
        column.typed::<T>().write_batch(values, levels, None)?;
        column.close()
    }
}
