//! Decisions as CSV.

use std::io::Write;

use plimsoll_core::Money;

use crate::database::Row;
use crate::error::StoreError;
use crate::export::columns::{COLUMNS, ColumnKind};
use crate::sql::column;

/// A CSV file being written.
pub(super) struct Table<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> Table<W> {
    pub(super) fn begin(writer: W) -> Result<Self, StoreError> {
        let mut writer = csv::Writer::from_writer(writer);
        let names = COLUMNS.iter().map(|column| column.name);
        writer.write_record(names).map_err(failed)?;
        Ok(Self { writer })
    }

    pub(super) fn write(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        for row in rows {
            for (index, column) in COLUMNS.iter().enumerate() {
                let cell = cell(row, index, column.kind)?.unwrap_or_default();
                self.writer.write_field(cell).map_err(failed)?;
            }
            self.writer.write_record(None::<&[u8]>).map_err(failed)?;
        }
        Ok(())
    }

    pub(super) fn end(mut self) -> Result<(), StoreError> {
        self.writer
            .flush()
            .map_err(|error| StoreError::Export(Box::new(error)))
    }
}

fn failed(error: csv::Error) -> StoreError {
    StoreError::Export(Box::new(error))
}

fn cell(row: &Row, index: usize, kind: ColumnKind) -> Result<Option<String>, StoreError> {
    Ok(match kind {
        ColumnKind::Text => column(row, index)?,
        ColumnKind::CallerText => column::<Option<String>>(row, index)?.map(disarm),
        ColumnKind::Integer => text(column::<Option<i64>>(row, index)?),
        ColumnKind::Real => text(column::<Option<f64>>(row, index)?),
        ColumnKind::Boolean => text(column::<Option<bool>>(row, index)?),
        ColumnKind::Time => text(crate::sql::time(row, index)?),
        ColumnKind::Money => {
            let pico: Option<i64> = column(row, index)?;
            text(pico.map(|pico| Money::from_pico(i128::from(pico))))
        }
    })
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// A text that no spreadsheet takes for a formula.
fn disarm(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_caller_is_no_formula() {
        assert_eq!(disarm("=1+1".into()), "'=1+1");
        assert_eq!(disarm("ticket-7".into()), "ticket-7");
    }
}
