//! Cases as a table: `id`, the members of the input under their names, `expect.NAME` for those of the
//! expectation, `tags`, `group`, `source`.

use std::collections::BTreeSet;

use plimsoll_evals::member::readable;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::exit::{Exit, Exits as _, Failure, Outcome};

/// The most columns of a table.
const COLUMNS_MAX: usize = 10_000;

/// A column, and what it holds of a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    of: Of,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Of {
    Own(&'static str),
    Input(String),
    Expect(String),
}

impl Column {
    fn own(name: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            of: Of::Own(name),
        }
    }

    fn of_input(member: String) -> Self {
        let is_taken = matches!(
            member.as_str(),
            "id" | "tags" | "weight" | "group" | "source" | "input"
        ) || member.starts_with("expect.")
            || member.starts_with("input.");
        Self {
            name: if is_taken {
                format!("input.{member}")
            } else {
                member.clone()
            },
            of: Of::Input(member),
        }
    }

    fn of_expectation(member: String) -> Self {
        Self {
            name: format!("expect.{member}"),
            of: Of::Expect(member),
        }
    }

    /// Its cell in a line; null if it is empty there.
    pub(super) fn cell(&self, line: &Value) -> Value {
        let value = match &self.of {
            Of::Own("tags") => {
                let tags = line["tags"].as_array().map_or(&[][..], Vec::as_slice);
                let tags: Vec<String> = tags.iter().map(readable).collect();
                return Value::String(tags.join(";"));
            }
            Of::Own("source") => return Value::String(line["source"].to_string()),
            Of::Own(name) => &line[*name],
            Of::Input(member) => &line["input"][member.as_str()],
            Of::Expect(member) => &line["expect"][member.as_str()],
        };
        value.clone()
    }
}

/// The columns of these lines.
pub(super) fn of(lines: &[Value]) -> Outcome<Vec<Column>> {
    let (mut inputs, mut expected) = (BTreeSet::new(), BTreeSet::new());
    for line in lines {
        for (part, names) in [("input", &mut inputs), ("expect", &mut expected)] {
            let members = line[part].as_object();
            let members = members.ok_or_else(|| not_flat(part, &line["id"]))?;
            for (name, value) in members {
                if value.is_object() || value.is_array() {
                    return Err(not_flat(name, &line["id"]));
                }
                names.insert(name.clone());
            }
        }
    }
    let mut columns = vec![Column::own("id")];
    columns.extend(inputs.into_iter().map(Column::of_input));
    columns.extend(expected.into_iter().map(Column::of_expectation));
    if lines.iter().any(|line| !line["group"].is_null()) {
        columns.push(Column::own("group"));
    }
    columns.extend(["tags", "source"].map(Column::own));
    if columns.len() > COLUMNS_MAX {
        let message = format!("more than {COLUMNS_MAX} columns: write the set as .jsonl");
        return Err(Failure::says(Exit::Usage, message));
    }
    Ok(columns)
}

fn not_flat(what: &str, case: &Value) -> Failure {
    let message = format!(
        "`{what}` of case {case} is no single value, which a table could hold: write the set as .jsonl"
    );
    Failure::says(Exit::Usage, message)
}

/// Writes them as CSV.
pub(super) fn csv(file: &mut NamedTempFile, lines: &[Value]) -> Outcome<()> {
    let columns = of(lines)?;
    let mut out = csv::Writer::from_writer(file);
    let write = |out: &mut csv::Writer<&mut NamedTempFile>| -> csv::Result<()> {
        out.write_record(columns.iter().map(|column| &column.name))?;
        for line in lines {
            out.write_record(columns.iter().map(|column| readable(&column.cell(line))))?;
        }
        out.flush()?;
        Ok(())
    };
    write(&mut out).or_exit(Exit::Usage)
}
