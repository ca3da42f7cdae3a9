//! Parquet, without Arrow: flat columns of numbers, texts and booleans.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::Result as ParquetResult;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use plimsoll_control::drift::{Cells, Texts};
use plimsoll_stats::drift::Sample;

use super::{Source, Table, once, unreadable};
use crate::exit::Outcome;

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 1 << 16;

/// Reads the schema.
pub(super) fn open(path: &Path) -> Outcome<Table> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    let reader = SerializedFileReader::new(file).map_err(|error| unreadable(path, error))?;
    let meta = reader.metadata().file_metadata();
    let leaves = meta.schema_descr().columns();
    let names: Vec<String> = leaves.iter().map(|leaf| leaf.path().string()).collect();
    let (single, twice) = once(&names);
    let (places, columns) = single.into_iter().unzip();
    Ok(Table {
        columns,
        twice,
        rows: u64::try_from(meta.num_rows()).unwrap_or(0),
        problems: Vec::new(),
        source: Source::Parquet(path.to_owned(), places),
    })
}

/// Reads one column.
pub(super) fn column(path: &Path, place: usize) -> Cells {
    let told = File::open(path).map_err(|error| error.to_string());
    let told = told.and_then(|file| read(file, place).map_err(|error| error.to_string()));
    told.unwrap_or_else(|error| Cells::Unreadable(format!("it could not be read ({error})")))
}

fn read(file: File, place: usize) -> ParquetResult<Cells> {
    let reader = SerializedFileReader::new(file)?;
    let meta = reader.metadata().file_metadata();
    let leaf = meta.schema_descr().column(place);
    if leaf.max_rep_level() > 0 {
        return Ok(Cells::Unreadable("it holds lists".to_owned()));
    }
    if is_time(&leaf) {
        return Ok(Cells::Times);
    }
    let rows = usize::try_from(meta.num_rows()).unwrap_or(0);
    let mut gathered = match leaf.physical_type() {
        PhysicalType::BOOLEAN | PhysicalType::BYTE_ARRAY => Gathered::Texts(HashMap::new()),
        PhysicalType::FIXED_LEN_BYTE_ARRAY => {
            return Ok(Cells::Unreadable(
                "it holds bytes of a fixed length".to_owned(),
            ));
        }
        _ => Gathered::Numbers(Vec::with_capacity(rows)),
    };
    let scale = match leaf.converted_type() {
        ConvertedType::DECIMAL => 10_f64.powi(leaf.type_scale()),
        _ => 1.0,
    };
    for group in 0..reader.num_row_groups() {
        let column = reader.get_row_group(group)?.get_column_reader(place)?;
        gathered.add(column, &leaf, scale)?;
    }
    Ok(gathered.cells(rows as u64))
}

fn is_time(leaf: &ColumnDescriptor) -> bool {
    let is_logical = matches!(
        leaf.logical_type_ref(),
        Some(LogicalType::Timestamp(_) | LogicalType::Date | LogicalType::Time(_))
    );
    let is_converted = matches!(
        leaf.converted_type(),
        ConvertedType::DATE
            | ConvertedType::TIME_MILLIS
            | ConvertedType::TIME_MICROS
            | ConvertedType::TIMESTAMP_MILLIS
            | ConvertedType::TIMESTAMP_MICROS
    );
    is_logical || is_converted || leaf.physical_type() == PhysicalType::INT96
}

enum Gathered {
    Numbers(Vec<f64>),
    /// How often each text, or each run of bytes, occurs.
    Texts(HashMap<Vec<u8>, u64>),
}

impl Gathered {
    fn add(
        &mut self,
        column: ColumnReader,
        leaf: &ColumnDescriptor,
        scale: f64,
    ) -> ParquetResult<()> {
        let is_unsigned = leaf.converted_type() == ConvertedType::UINT_64;
        let whole = |value: &i64| {
            if is_unsigned {
                *value as u64 as f64
            } else {
                *value as f64
            }
        };
        match (self, column) {
            (Self::Numbers(numbers), ColumnReader::DoubleColumnReader(mut doubles)) => {
                // Decoded where they are to stand.
                let depth = leaf.max_def_level();
                let mut present = Vec::new();
                loop {
                    present.clear();
                    let levels = (depth > 0).then_some(&mut present);
                    let (records, _, _) =
                        doubles.read_records(BATCH_ROWS, levels, None, numbers)?;
                    if records == 0 {
                        return Ok(());
                    }
                }
            }
            (Self::Numbers(numbers), ColumnReader::FloatColumnReader(floats)) => {
                each(floats, leaf, |values| {
                    numbers.extend(values.iter().map(|v| f64::from(*v)));
                })
            }
            (Self::Numbers(numbers), ColumnReader::Int32ColumnReader(integers)) => {
                let is_unsigned = leaf.converted_type() == ConvertedType::UINT_32;
                let whole = |v: &i32| {
                    if is_unsigned {
                        f64::from(*v as u32)
                    } else {
                        f64::from(*v)
                    }
                };
                each(integers, leaf, |values| {
                    numbers.extend(values.iter().map(|value| whole(value) / scale));
                })
            }
            (Self::Numbers(numbers), ColumnReader::Int64ColumnReader(integers)) => {
                each(integers, leaf, |values| {
                    numbers.extend(values.iter().map(|value| whole(value) / scale));
                })
            }
            (Self::Texts(texts), ColumnReader::BoolColumnReader(booleans)) => {
                each(booleans, leaf, |values| {
                    let yes = values.iter().filter(|value| **value).count() as u64;
                    *texts.entry(b"true".to_vec()).or_default() += yes;
                    *texts.entry(b"false".to_vec()).or_default() += values.len() as u64 - yes;
                })
            }
            (Self::Texts(texts), ColumnReader::ByteArrayColumnReader(bytes)) => {
                each(bytes, leaf, |values: &[ByteArray]| {
                    for value in values {
                        match texts.get_mut(value.data()) {
                            Some(count) => *count += 1,
                            None => {
                                texts.insert(value.data().to_vec(), 1);
                            }
                        }
                    }
                })
            }
            _ => Err(parquet::errors::ParquetError::General(
                "its type changes".to_owned(),
            )),
        }
    }

    fn cells(self, rows: u64) -> Cells {
        match self {
            Self::Numbers(numbers) => {
                let missing = rows - numbers.len() as u64;
                Cells::Numbers(Sample::new(numbers).with_missing(missing))
            }
            Self::Texts(counts) => {
                let mut texts = Texts::default();
                let mut ordered: Vec<_> =
                    counts.into_iter().filter(|(_, count)| *count > 0).collect();
                ordered.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                for (bytes, count) in &ordered {
                    texts.add_many(&String::from_utf8_lossy(bytes), *count);
                }
                texts.add_missing(rows - texts.present());
                Cells::Texts(texts)
            }
        }
    }
}

/// Hands over the values that are there, a batch at a time.
fn each<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    leaf: &ColumnDescriptor,
    mut take: impl FnMut(&[T::T]),
) -> ParquetResult<()> {
    let (mut present, mut values) = (Vec::new(), Vec::new());
    loop {
        present.clear();
        values.clear();
        let levels = (leaf.max_def_level() > 0).then_some(&mut present);
        let (records, _, _) = reader.read_records(BATCH_ROWS, levels, None, &mut values)?;
        if records == 0 {
            return Ok(());
        }
        take(&values);
    }
}
