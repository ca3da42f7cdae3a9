//! Cases in Parquet, row by row. Nested columns are taken as the objects and lists that they are.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use plimsoll_evals::case::Gathering;
use serde_json::{Map, Number, Value};

use super::case;

/// Reads every row; its place is the number of the row, from 1.
pub(super) fn read(path: &Path, name: &str, gathering: &mut Gathering) -> anyhow::Result<()> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    for (index, row) in reader.get_row_iter(None)?.enumerate() {
        let place = format!("{name}:{}", index + 1);
        match object(&row?) {
            Ok(members) if has_own_input(&members) => gathering.add(place, Value::Object(members)),
            Ok(members) => gathering.add(place, case(members.into_iter())),
            Err(fault) => gathering.fault(&place, fault),
        }
    }
    Ok(())
}

/// Whether the row has the form of a line of JSONL: with `input` as an object of its own.
fn has_own_input(members: &Map<String, Value>) -> bool {
    members.get("input").is_some_and(Value::is_object)
}

/// The members that are not null.
fn object(row: &Row) -> Result<Map<String, Value>, String> {
    let mut members = Map::new();
    for (column, field) in row.get_column_iter() {
        let value = value(field).map_err(|fault| format!("column `{column}` {fault}"))?;
        if !value.is_null() {
            members.insert(column.clone(), value);
        }
    }
    Ok(members)
}

fn value(field: &Field) -> Result<Value, String> {
    let number = |number: f64| {
        let number = Number::from_f64(number);
        number
            .map(Value::Number)
            .ok_or_else(|| "holds a number that is not finite".to_owned())
    };
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => Value::Bool(*flag),
        Field::Byte(n) => (*n).into(),
        Field::Short(n) => (*n).into(),
        Field::Int(n) => (*n).into(),
        Field::Long(n) => (*n).into(),
        Field::UByte(n) => (*n).into(),
        Field::UShort(n) => (*n).into(),
        Field::UInt(n) => (*n).into(),
        Field::ULong(n) => (*n).into(),
        Field::Float(n) => number(f64::from(*n))?,
        Field::Double(n) => number(*n)?,
        Field::Str(text) => Value::String(text.clone()),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => return Err("holds bytes that are no text".to_owned()),
        },
        Field::Group(row) => Value::Object(object(row)?),
        Field::ListInternal(list) => Value::Array(
            list.elements()
                .iter()
                .map(value)
                .collect::<Result<_, _>>()?,
        ),
        other => return Err(format!("holds `{other}`, which cannot be asked")),
    })
}
