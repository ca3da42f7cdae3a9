//! Cases as Parquet: each column of the one type that all its values have.

use std::fmt::Write as _;
use std::fs::File;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;

use super::columns::{self, Column};
use crate::exit::{Exit, Exits as _, Failure, Outcome};

/// The values of a column that are there.
enum Values {
    Flags(Vec<bool>),
    Wholes(Vec<i64>),
    Numbers(Vec<f64>),
    Texts(Vec<ByteArray>),
}

/// Writes them.
pub(super) fn write(file: &mut File, lines: &[Value]) -> Outcome<()> {
    let columns = columns::of(lines)?;
    let mut typed = Vec::with_capacity(columns.len());
    for column in &columns {
        typed.push(values(column, lines)?);
    }
    written(file, &columns, &typed).or_exit(Exit::Usage)
}

/// Which rows have a value, and the values.
type Typed = (Vec<i16>, Values);

fn values(column: &Column, lines: &[Value]) -> Outcome<Typed> {
    let cells: Vec<Value> = lines.iter().map(|line| column.cell(line)).collect();
    let present: Vec<i16> = cells
        .iter()
        .map(|cell| i16::from(!cell.is_null()))
        .collect();
    let there = || cells.iter().filter(|cell| !cell.is_null());
    let values = if there().all(Value::is_boolean) {
        Values::Flags(there().filter_map(Value::as_bool).collect())
    } else if there().all(Value::is_i64) {
        Values::Wholes(there().filter_map(Value::as_i64).collect())
    } else if there().all(Value::is_number) {
        Values::Numbers(there().filter_map(Value::as_f64).collect())
    } else if there().all(Value::is_string) {
        let text = |cell: &Value| cell.as_str().map(ByteArray::from);
        Values::Texts(there().filter_map(text).collect())
    } else {
        let name = &column.name;
        let message = format!(
            "column `{name}` holds values of several types, which Parquet cannot: write the set as .jsonl"
        );
        return Err(Failure::says(Exit::Usage, message));
    };
    Ok((present, values))
}

fn written(file: &mut File, columns: &[Column], typed: &[Typed]) -> Result<(), ParquetError> {
    let schema = parse_message_type(&schema(columns, typed)?)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_created_by(concat!("plimsoll ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let mut typed = typed.iter();
    while let Some(mut column) = group.next_column()? {
        if let Some(values) = typed.next() {
            write_column(column.untyped(), values)?;
        }
        column.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

fn write_column(
    writer: &mut ColumnWriter<'_>,
    (present, values): &Typed,
) -> Result<(), ParquetError> {
    let present = Some(present.as_slice());
    match (writer, values) {
        (ColumnWriter::BoolColumnWriter(writer), Values::Flags(values)) => {
            writer.write_batch(values, present, None)
        }
        (ColumnWriter::Int64ColumnWriter(writer), Values::Wholes(values)) => {
            writer.write_batch(values, present, None)
        }
        (ColumnWriter::DoubleColumnWriter(writer), Values::Numbers(values)) => {
            writer.write_batch(values, present, None)
        }
        (ColumnWriter::ByteArrayColumnWriter(writer), Values::Texts(values)) => {
            writer.write_batch(values, present, None)
        }
        _ => Err(ParquetError::General(
            "a column's type is not its schema's".into(),
        )),
    }?;
    Ok(())
}

fn schema(columns: &[Column], typed: &[Typed]) -> Result<String, ParquetError> {
    let mut schema = String::from("message case {\n");
    for (Column { name, .. }, (_, values)) in columns.iter().zip(typed) {
        // The words of the schema language cannot be quoted.
        if name.is_empty()
            || name
                .chars()
                .any(|c| c.is_whitespace() || "(){};=,".contains(c))
        {
            let message = format!("`{name}` can be no column's name: write the set as .jsonl");
            return Err(ParquetError::General(message));
        }
        let (kind, logical) = match values {
            Values::Flags(_) => ("boolean", ""),
            Values::Wholes(_) => ("int64", ""),
            Values::Numbers(_) => ("double", ""),
            Values::Texts(_) => ("binary", " (UTF8)"),
        };
        writeln!(schema, "  optional {kind} {name}{logical};")
            .map_err(|error| ParquetError::General(error.to_string()))?;
    }
    schema.push('}');
    Ok(schema)
}
