//! What inputs and outputs must look like.
//!
//! A flat row (an object whose members are numbers, texts and truths) compiles to a table of columns
//! that is checked in one pass, with a policy for each value that is missing, unknown or out of
//! range. Whatever else its JSON Schema says (patterns, formats, conditions) is left to the
//! `jsonschema` crate, and so is any schema that is not of a flat row. Rules across fields are
//! expressions in CEL.
//!
//! Types are strict: `"12"` is no number. Missing means absent or `null`, and whether it is allowed
//! is for the schema to say: an absent value where it is not `required`, a `null` where the type
//! admits it. A column's own `missing` policy is for every missing value of it; the contract's
//! overall policy is for those that the schema does not allow. No message quotes a caller's value.

mod column;
mod compile;
mod json;
mod screen;

use plimsoll_core::Code;
use plimsoll_core::manifest::InputSpec;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::expr::Expr;

pub use column::{Column, ColumnType};
pub use json::JsonContract;

use column::Table;

/// The most violations that are told of one row.
pub const VIOLATIONS_MAX: usize = 32;

/// A compiled contract.
#[derive(Debug)]
pub struct Contract {
    shape: Shape,
    rules: Vec<(String, Expr)>,
}

/// How values are checked.
#[derive(Debug)]
enum Shape {
    /// Anything passes.
    Any,
    /// By the table of columns.
    Row(Box<Table>),
    /// By JSON Schema alone.
    Json(JsonContract),
}

/// A row that is fit to be asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The values, of a flat row in the schema's order and with every column: a missing value that
    /// may be missing is `null`, one that is imputed has its stand-in.
    pub values: Map<String, Value>,
    /// What makes the answer unsure, each with the code `unsure_input`.
    pub doubts: Vec<Violation>,
}

/// One way in which a value does not fit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Violation {
    /// What kind of misfit it is.
    pub code: Code,
    /// The field, as a name or as a JSON Pointer into nested values; empty for the whole.
    pub field: String,
    /// The keyword of the schema, the policy or the rule that it breaks.
    pub rule: String,
    /// What is wrong, with the schema's facts and never with the caller's value.
    pub message: String,
}

/// Why a contract cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContractProblem {
    /// Where: a JSON Pointer into the schema, or a key of the input's specification such as
    /// `columns.age.impute` or `rules.affordable`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Contract {
    /// Compiles the contract of an input.
    ///
    /// # Errors
    /// With everything that makes it unusable.
    pub fn compile(schema: Option<&Value>, spec: &InputSpec) -> Result<Self, Vec<ContractProblem>> {
        compile::compile(schema, spec)
    }

    /// The columns of a flat row in the schema's order; empty for other inputs.
    pub fn columns(&self) -> &[Column] {
        match &self.shape {
            Shape::Row(table) => &table.columns,
            Shape::Any | Shape::Json(_) => &[],
        }
    }

    /// Whether the input is a flat row.
    pub const fn is_row(&self) -> bool {
        matches!(self.shape, Shape::Row(_))
    }

    /// Whether `text` is one of the known categories of a column: then it says nothing that the
    /// schema does not.
    pub fn is_category(&self, column: &str, text: &str) -> bool {
        let Shape::Row(table) = &self.shape else {
            return false;
        };
        let check = table.index.get(column).map(|index| &table.checks[*index]);
        let categories = check.and_then(|check| check.categories.as_ref());
        categories.is_some_and(|categories| categories.contains_text(text))
    }

    /// Whether `row` is fit to be asked.
    ///
    /// # Errors
    /// With everything that is wrong with it, [`VIOLATIONS_MAX`] at most.
    pub fn screen(&self, row: &Map<String, Value>) -> Result<Row, Vec<Violation>> {
        screen::screen(self, row)
    }
}
