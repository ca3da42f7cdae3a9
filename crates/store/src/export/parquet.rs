//! Decisions as Parquet, without Arrow: a row group is gathered column by column, then written.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::database::Row;
use crate::error::StoreError;
use crate::export::columns::{COLUMNS, Column, ColumnKind};
use crate::sql::column;

/// Rows in a row group: all that is held in memory at a time, about half a kilobyte each.
const GROUP_ROWS: usize = 20_000;

/// A Parquet file being written.
pub(super) struct File<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Values>,
    rows: usize,
}

/// The values of one column that were gathered; `present` says, for an optional column, which rows
/// have one.
struct Values {
    present: Vec<i16>,
    data: Data,
}

enum Data {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Real(Vec<f64>),
    Boolean(Vec<bool>),
    Money(Vec<FixedLenByteArray>),
}

impl<W: Write + Send> File<W> {
    pub(super) fn begin(writer: W) -> Result<Self, StoreError> {
        let schema = parse_message_type(&schema()).map_err(failed)?;
        let level = ZstdLevel::try_new(3).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(concat!("plimsoll ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(writer, Arc::new(schema), Arc::new(properties))
            .map_err(failed)?;
        Ok(Self {
            writer,
            columns: COLUMNS.iter().map(Values::of).collect(),
            rows: 0,
        })
    }

    pub(super) fn write(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        for row in rows {
            for (index, (values, column)) in self.columns.iter_mut().zip(&COLUMNS).enumerate() {
                values.push(row, index, column.required)?;
            }
            self.rows += 1;
            if self.rows == GROUP_ROWS {
                self.write_group()?;
            }
        }
        Ok(())
    }

    pub(super) fn end(mut self) -> Result<(), StoreError> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.close().map(|_| ()).map_err(failed)
    }

    fn write_group(&mut self) -> Result<(), StoreError> {
        let mut group = self.writer.next_row_group().map_err(failed)?;
        let mut columns = self.columns.iter_mut().zip(&COLUMNS);
        while let Some(mut writer) = group.next_column().map_err(failed)? {
            let Some((values, column)) = columns.next() else {
                break;
            };
            values
                .write(writer.untyped(), column.required)
                .map_err(failed)?;
            writer.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
        self.rows = 0;
        Ok(())
    }
}

impl Values {
    fn of(column: &Column) -> Self {
        let data = match column.kind {
            ColumnKind::Text | ColumnKind::CallerText => Data::Text(Vec::new()),
            ColumnKind::Integer | ColumnKind::Time => Data::Integer(Vec::new()),
            ColumnKind::Real => Data::Real(Vec::new()),
            ColumnKind::Boolean => Data::Boolean(Vec::new()),
            ColumnKind::Money => Data::Money(Vec::new()),
        };
        Self {
            present: Vec::new(),
            data,
        }
    }

    fn push(&mut self, row: &Row, index: usize, required: bool) -> Result<(), StoreError> {
        let is_present = match &mut self.data {
            Data::Text(values) => {
                let text: Option<String> = column(row, index)?;
                keep(values, text.map(|text| ByteArray::from(text.into_bytes())))
            }
            Data::Integer(values) => keep(values, column(row, index)?),
            Data::Real(values) => keep(values, column(row, index)?),
            Data::Boolean(values) => keep(values, column(row, index)?),
            Data::Money(values) => {
                let pico: Option<i64> = column(row, index)?;
                keep(values, pico.map(|pico| decimal(i128::from(pico))))
            }
        };
        if !required {
            self.present.push(i16::from(is_present));
        }
        Ok(())
    }

    fn write(&mut self, writer: &mut ColumnWriter<'_>, required: bool) -> Result<(), ParquetError> {
        let present = (!required).then_some(self.present.as_slice());
        match (writer, &mut self.data) {
            (ColumnWriter::ByteArrayColumnWriter(writer), Data::Text(values)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            (ColumnWriter::Int64ColumnWriter(writer), Data::Integer(values)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            (ColumnWriter::DoubleColumnWriter(writer), Data::Real(values)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            (ColumnWriter::BoolColumnWriter(writer), Data::Boolean(values)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            (ColumnWriter::FixedLenByteArrayColumnWriter(writer), Data::Money(values)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            _ => {
                return Err(ParquetError::General(
                    "a column's type is not its schema's".into(),
                ));
            }
        }
        self.present.clear();
        Ok(())
    }
}

fn keep<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let is_present = value.is_some();
    values.extend(value);
    is_present
}

/// A decimal as Parquet wants it: two's complement, big-endian.
fn decimal(pico: i128) -> FixedLenByteArray {
    ByteArray::from(pico.to_be_bytes().to_vec()).into()
}

fn schema() -> String {
    let mut schema = String::from("message decision {\n");
    for column in &COLUMNS {
        let repetition = if column.required {
            "required"
        } else {
            "optional"
        };
        let name = column.name;
        let (physical, logical) = match column.kind {
            ColumnKind::Text | ColumnKind::CallerText => ("binary", " (UTF8)"),
            ColumnKind::Integer => ("int64", ""),
            ColumnKind::Real => ("double", ""),
            ColumnKind::Boolean => ("boolean", ""),
            ColumnKind::Time => ("int64", " (TIMESTAMP(MICROS,true))"),
            ColumnKind::Money => ("fixed_len_byte_array(16)", " (DECIMAL(38,12))"),
        };
        writeln!(schema, "  {repetition} {physical} {name}{logical};")
            .expect("writing to a text cannot fail");
    }
    schema.push('}');
    schema
}

fn failed(error: ParquetError) -> StoreError {
    StoreError::Export(Box::new(error))
}
