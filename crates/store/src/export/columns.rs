//! What an exported decision has: one list for both formats, which is also documented by its names.

/// One column of an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name, in the table as in the file.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether every decision has it.
    pub required: bool,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColumnKind {
    /// Text of ours: ids, names, words of the vocabulary.
    Text,
    /// Text that a caller chose.
    CallerText,
    /// A whole number.
    Integer,
    /// A number.
    Real,
    /// True or false.
    Boolean,
    /// A moment in UTC, to the microsecond.
    Time,
    /// An exact amount with twelve decimals.
    Money,
}

const fn required(name: &'static str, kind: ColumnKind) -> Column {
    Column {
        name,
        kind,
        required: true,
    }
}

const fn optional(name: &'static str, kind: ColumnKind) -> Column {
    Column {
        name,
        kind,
        required: false,
    }
}

use ColumnKind as K;

/// The columns, in order. New ones are added at the end.
pub const COLUMNS: [Column; 30] = [
    required("id", K::Text),
    required("request", K::Text),
    required("row", K::Integer),
    required("tenant", K::Text),
    required("environment", K::Text),
    required("system", K::Text),
    optional("key", K::Text),
    optional("unit", K::CallerText),
    optional("session", K::CallerText),
    required("release", K::Text),
    required("deployment", K::Text),
    required("protocol", K::Text),
    required("mode", K::Text),
    required("stream", K::Boolean),
    required("opened_at", K::Time),
    optional("closed_at", K::Time),
    optional("micros", K::Integer),
    optional("outcome", K::Text),
    optional("kind", K::Text),
    optional("code", K::Text),
    optional("path", K::Text),
    optional("model", K::Text),
    required("attempts", K::Integer),
    optional("input_tokens", K::Integer),
    optional("output_tokens", K::Integer),
    optional("confidence", K::Real),
    required("cost", K::Money),
    required("cost_basis", K::Text),
    optional("review", K::Text),
    optional("drill", K::Text),
];

/// Reads the columns, in order.
pub(super) const SELECT: &str = "SELECT id, request, row, tenant, environment, system, key, unit, \
    session, release, deployment, protocol, mode, stream, opened_at, closed_at, micros, outcome, kind, \
    code, path, model, attempts, input_tokens, output_tokens, confidence, cost_pico, cost_basis, \
    review, drill FROM decisions";

/// Where the id is.
pub(super) const ID: usize = 0;

/// Where the time of opening is.
pub(super) const OPENED_AT: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_select_reads_the_columns_in_their_order() {
        let list = SELECT
            .strip_prefix("SELECT ")
            .unwrap()
            .strip_suffix(" FROM decisions")
            .unwrap();
        let selected: Vec<&str> = list
            .split(',')
            .map(|name| name.trim().trim_end_matches("_pico"))
            .collect();
        let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(selected, names);
        assert_eq!(
            (COLUMNS[ID].name, COLUMNS[OPENED_AT].name),
            ("id", "opened_at")
        );
    }
}
