//! Tables in Parquet: rows are gathered, and written a row group at a time.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::place::Time;

/// Rows of a group: some megabytes in memory.
const GROUP: usize = 32_768;

/// The type of a column. All may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text in UTF-8.
    Text,
    /// A whole number of 64 bits.
    Number,
    /// In microseconds and UTC: some readers know no nanoseconds.
    Time,
    /// A duration in seconds.
    Seconds,
    /// True or false.
    Yes,
}

/// The value of a row in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing is known.
    Null,
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A point in time, written in microseconds and UTC.
    Time(Time),
    /// A duration in seconds.
    Seconds(f64),
    /// True or false.
    Yes(bool),
}

/// A table that is being written.
pub struct Table {
    schema: String,
    columns: Vec<Column>,
    rows: usize,
    notes: Vec<KeyValue>,
    writer: Option<SerializedFileWriter<Drained>>,
    written: Drained,
}

/// A column's values since the last group.
struct Column {
    values: Values,
    /// One where there is a value.
    levels: Vec<i16>,
}

enum Values {
    Text(Vec<ByteArray>),
    Number(Vec<i64>),
    Seconds(Vec<f64>),
    Yes(Vec<bool>),
}

/// Octets that have been written and wait to be taken: the crate wants an output that can change threads.
#[derive(Clone, Default)]
struct Drained(Arc<Mutex<Vec<u8>>>);

impl Drained {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Drained {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kind {
    /// As a schema writes it.
    fn field(self, name: &str) -> String {
        match self {
            Kind::Text => format!("optional binary {name} (STRING);"),
            Kind::Number => format!("optional int64 {name};"),
            Kind::Time => format!("optional int64 {name} (TIMESTAMP(MICROS,true));"),
            Kind::Seconds => format!("optional double {name};"),
            Kind::Yes => format!("optional boolean {name};"),
        }
    }

    fn column(self) -> Column {
        let values = match self {
            Kind::Text => Values::Text(Vec::new()),
            Kind::Number | Kind::Time => Values::Number(Vec::new()),
            Kind::Seconds => Values::Seconds(Vec::new()),
            Kind::Yes => Values::Yes(Vec::new()),
        };
        Column { values, levels: Vec::new() }
    }
}

impl Column {
    fn add(&mut self, cell: Cell) {
        let before = self.values.len();
        match (&mut self.values, cell) {
            (Values::Text(values), Cell::Text(text)) => values.push(text.into_bytes().into()),
            (Values::Number(values), Cell::Number(number)) => values.push(number),
            (Values::Number(values), Cell::Time(time)) => {
                values.extend(time.nanos().map(|nanos| nanos / 1_000));
            }
            (Values::Seconds(values), Cell::Seconds(seconds)) => values.push(seconds),
            (Values::Yes(values), Cell::Yes(yes)) => values.push(yes),
            _ => {}
        }
        self.levels.push(i16::from(self.values.len() > before));
    }

    fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, Drained>,
    ) -> Result<(), ParquetError> {
        let levels = std::mem::take(&mut self.levels);
        match &mut self.values {
            Values::Text(values) => write::<ByteArrayType>(group, values, &levels),
            Values::Number(values) => write::<Int64Type>(group, values, &levels),
            Values::Seconds(values) => write::<DoubleType>(group, values, &levels),
            Values::Yes(values) => write::<BoolType>(group, values, &levels),
        }
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Text(values) => values.len(),
            Values::Number(values) => values.len(),
            Values::Seconds(values) => values.len(),
            Values::Yes(values) => values.len(),
        }
    }
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Drained>,
    values: &mut Vec<T::T>,
    levels: &[i16],
) -> Result<(), ParquetError> {
    let values = std::mem::take(values);
    let column = group.next_column()?;
    let mut column = column.ok_or_else(|| ParquetError::General("a column too many".into()))?;
    column.typed::<T>().write_batch(&values, Some(levels), None)?;
    column.close()
}

impl Table {
    /// A table of rows that are called `what`, with these columns.
    pub fn new(what: &str, columns: &[(&str, Kind)]) -> Table {
        let fields: Vec<String> = columns.iter().map(|(name, kind)| kind.field(name)).collect();
        Table {
            schema: format!("message {what} {{ {} }}", fields.join(" ")),
            columns: columns.iter().map(|(_, kind)| kind.column()).collect(),
            rows: 0,
            notes: Vec::new(),
            writer: None,
            written: Drained::default(),
        }
    }

    /// Adds a row, a cell a column.
    ///
    /// # Errors
    /// Errors of `out`.
    pub fn add(
        &mut self,
        cells: impl Iterator<Item = Cell>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.columns.iter_mut().zip(cells).for_each(|(column, cell)| column.add(cell));
        self.rows += 1;
        if self.rows < GROUP {
            return Ok(());
        }
        self.group().map_err(io::Error::other)?;
        out.write_all(&self.written.take())
    }

    /// Notes something of the whole table, by a key.
    pub fn note(&mut self, key: &str, value: String) {
        self.notes.push(KeyValue::new(key.to_owned(), value));
    }

    /// Writes what is left, and the footer.
    ///
    /// # Errors
    /// Errors of `out`.
    pub fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.finish().map_err(io::Error::other)?;
        out.write_all(&self.written.take())?;
        out.flush()
    }

    fn finish(&mut self) -> Result<(), ParquetError> {
        self.group()?;
        let notes = std::mem::take(&mut self.notes);
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.begin()?,
        };
        notes.into_iter().for_each(|note| writer.append_key_value_metadata(note));
        writer.finish().map(drop)
    }

    fn begin(&self) -> Result<SerializedFileWriter<Drained>, ParquetError> {
        let schema = Arc::new(parse_message_type(&self.schema)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("closewait ", env!("CARGO_PKG_VERSION")).to_owned());
        SerializedFileWriter::new(self.written.clone(), schema, Arc::new(properties.build()))
    }

    fn group(&mut self) -> Result<(), ParquetError> {
        if std::mem::take(&mut self.rows) == 0 {
            return Ok(());
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.begin()?,
        };
        let mut group = writer.next_row_group()?;
        self.columns.iter_mut().try_for_each(|column| column.write(&mut group))?;
        group.close()?;
        self.writer = Some(writer);
        Ok(())
    }
}
