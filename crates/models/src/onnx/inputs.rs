//! How a row becomes a model's input tensors.
//!
//! Types are never changed silently: a text is no number, and a number with a fraction no whole one.
//! What an input cannot say is an error, except a missing number, which is NaN as the libraries that
//! train these models have it, and a missing text, which is the empty text.

use ort::session::{Session, SessionInputValue};
use ort::value::{Tensor, TensorElementType, ValueType};
use plimsoll_core::Code;
use plimsoll_guard::contract::{Column, ColumnType};
use serde_json::{Map, Value};

use super::fault;
use super::runtime::OnnxError;
use crate::error::ModelError;

type Row<'a> = &'a Map<String, Value>;

/// What a model takes, in its own order.
#[derive(Debug)]
pub(super) struct Inputs {
    inputs: Vec<Input>,
    is_one_row: bool,
}

/// One input tensor and the columns that fill it.
#[derive(Debug)]
struct Input {
    element: Element,
    columns: Vec<String>,
    /// Whether its shape is `[rows]`, not `[rows, columns]`.
    is_flat: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Element {
    Float32,
    Float64,
    Int32,
    Int64,
    Text,
    Bool,
}

impl Inputs {
    /// Works out which columns go where. `named` are the columns of a single tensor, `contract` the
    /// columns that rows have (empty: not known).
    pub(super) fn of(
        session: &Session,
        named: &[String],
        contract: &[Column],
    ) -> Result<Self, OnnxError> {
        let outlets = session.inputs();
        if !named.is_empty() && outlets.len() != 1 {
            let count = outlets.len();
            let detail = "`columns` is for a model with one input tensor";
            return Err(OnnxError::Unfit(format!(
                "{detail}: this one has {count} inputs"
            )));
        }
        let mut inputs = Vec::with_capacity(outlets.len());
        let mut is_one_row = false;
        for outlet in outlets {
            let name = outlet.name();
            let (input, rows) = input(name, outlet.dtype(), named)?;
            if !matches!(rows, -1 | 1) {
                let detail = format!("the model's input `{name}` takes exactly {rows} rows");
                return Err(OnnxError::Unfit(format!(
                    "{detail}: export it with any number"
                )));
            }
            is_one_row |= rows == 1;
            for column in &input.columns {
                fits(name, column, input.element, contract, named.is_empty())?;
            }
            inputs.push(input);
        }
        Ok(Self { inputs, is_one_row })
    }

    /// Whether the model takes exactly one row in a run.
    pub(super) const fn is_one_row(&self) -> bool {
        self.is_one_row
    }

    /// The tensors for `rows`, in the model's order.
    pub(super) fn values(
        &self,
        rows: &[Row<'_>],
    ) -> Result<Vec<SessionInputValue<'static>>, ModelError> {
        self.inputs.iter().map(|input| input.value(rows)).collect()
    }
}

fn input(name: &str, kind: &ValueType, named: &[String]) -> Result<(Input, i64), OnnxError> {
    let ValueType::Tensor { ty, shape, .. } = kind else {
        let detail = format!("the model's input `{name}` is not a tensor");
        return Err(OnnxError::Unfit(detail));
    };
    let element = element(*ty).ok_or_else(|| {
        let known = "float, double, int64, int32, string and bool are known";
        OnnxError::Unfit(format!(
            "the model's input `{name}` has elements of {ty:?}: {known}"
        ))
    })?;
    let columns = match named {
        [] => vec![name.to_owned()],
        named => named.to_vec(),
    };
    let (rows, width) = match shape[..] {
        [rows] => (rows, 1),
        [rows, width] => (rows, width),
        _ => {
            let detail = format!("the model's input `{name}` has {} dimensions", shape.len());
            return Err(OnnxError::Unfit(format!(
                "{detail}: rows of columns have two"
            )));
        }
    };
    if width >= 0 && usize::try_from(width) != Ok(columns.len()) {
        let detail = format!("the model's input `{name}` takes {width} columns");
        let hint = match named {
            [] => "name them in order: columns = [\"…\", …]".to_owned(),
            named => format!("`columns` names {}", named.len()),
        };
        return Err(OnnxError::Unfit(format!("{detail}: {hint}")));
    }
    let is_flat = shape.len() == 1;
    let input = Input {
        element,
        columns,
        is_flat,
    };
    Ok((input, rows))
}

const fn element(kind: TensorElementType) -> Option<Element> {
    Some(match kind {
        TensorElementType::Float32 => Element::Float32,
        TensorElementType::Float64 => Element::Float64,
        TensorElementType::Int32 => Element::Int32,
        TensorElementType::Int64 => Element::Int64,
        TensorElementType::String => Element::Text,
        TensorElementType::Bool => Element::Bool,
        _ => return None,
    })
}

fn fits(
    input: &str,
    column: &str,
    element: Element,
    contract: &[Column],
    by_name: bool,
) -> Result<(), OnnxError> {
    let Some(known) = contract.iter().find(|known| known.name == column) else {
        if contract.is_empty() {
            return Ok(());
        }
        let columns: Vec<&str> = contract.iter().map(|known| known.name.as_str()).collect();
        let columns = columns.join(", ");
        return Err(OnnxError::Unfit(if by_name {
            format!(
                "the model's input `{input}` is no column of the input schema ({columns}): rename it, or \
                 name the columns of its one tensor in order: columns = [\"…\", …]"
            )
        } else {
            format!("`columns` names `{column}`, which is not in the input schema ({columns})")
        }));
    };
    let is_text = element == Element::Text;
    let clashes = match known.kind {
        ColumnType::String => !is_text,
        ColumnType::Number => is_text || element == Element::Bool,
        ColumnType::Integer => is_text || element == Element::Bool,
        ColumnType::Boolean => is_text,
        ColumnType::Any => false,
    };
    if clashes {
        let kind = format!("{:?}", known.kind).to_lowercase();
        let takes = format!("the model's input `{input}` takes {element:?}").to_lowercase();
        let detail = format!("column `{column}` is {kind} in the input schema, and {takes}");
        return Err(OnnxError::Unfit(detail));
    }
    Ok(())
}

impl Input {
    fn value(&self, rows: &[Row<'_>]) -> Result<SessionInputValue<'static>, ModelError> {
        Ok(match self.element {
            Element::Float32 => self.tensor(rows, float32)?,
            Element::Float64 => self.tensor(rows, float64)?,
            Element::Int32 => self.tensor(rows, int32)?,
            Element::Int64 => self.tensor(rows, int64)?,
            Element::Bool => self.tensor(rows, boolean)?,
            Element::Text => {
                let texts = self.cells(rows, text)?;
                let made = Tensor::from_string_array((self.shape(rows), &texts[..]));
                made.map_err(|_| fault("an input tensor cannot be made"))?
                    .into()
            }
        })
    }

    fn shape(&self, rows: &[Row<'_>]) -> Vec<usize> {
        if self.is_flat {
            vec![rows.len()]
        } else {
            vec![rows.len(), self.columns.len()]
        }
    }

    fn tensor<T>(
        &self,
        rows: &[Row<'_>],
        read: fn(&Value) -> Result<T, Misfit>,
    ) -> Result<SessionInputValue<'static>, ModelError>
    where
        T: ort::value::PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static,
    {
        let cells = self.cells(rows, read)?;
        let made = Tensor::from_array((self.shape(rows), cells));
        Ok(made
            .map_err(|_| fault("an input tensor cannot be made"))?
            .into())
    }

    /// The values of this input's columns, row by row.
    fn cells<T>(
        &self,
        rows: &[Row<'_>],
        read: fn(&Value) -> Result<T, Misfit>,
    ) -> Result<Vec<T>, ModelError> {
        let mut cells = Vec::with_capacity(rows.len() * self.columns.len());
        for row in rows {
            for column in &self.columns {
                let value = row.get(column).unwrap_or(&Value::Null);
                cells.push(read(value).map_err(|misfit| misfit.error(column))?);
            }
        }
        Ok(cells)
    }
}

/// What is wrong with a value.
#[derive(Clone, Copy)]
enum Misfit {
    Missing,
    Number,
    Whole,
    Bool,
    Text,
    Nul,
}

impl Misfit {
    fn error(self, column: &str) -> ModelError {
        let (code, what) = match self {
            Self::Missing => {
                let what = "is missing, and the model's input cannot say so";
                (Code::ContractMissing, what)
            }
            Self::Number => (Code::ContractType, "is not a number"),
            Self::Whole => (Code::ContractType, "is not a whole number in range"),
            Self::Bool => (Code::ContractType, "is not true or false"),
            Self::Text => (Code::ContractType, "is not a text"),
            Self::Nul => {
                let what = "holds the character U+0000, which onnx texts cannot";
                (Code::ContractType, what)
            }
        };
        ModelError::new(code, format!("column `{column}` {what}"))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the model takes single precision"
)]
fn float32(value: &Value) -> Result<f32, Misfit> {
    float64(value).map(|number| number as f32)
}

fn float64(value: &Value) -> Result<f64, Misfit> {
    match value {
        Value::Null => Ok(f64::NAN),
        Value::Bool(flag) => Ok(f64::from(u8::from(*flag))),
        Value::Number(number) => number.as_f64().ok_or(Misfit::Number),
        _ => Err(Misfit::Number),
    }
}

/// Beyond it, not every whole number has a double of its own.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

#[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
fn int64(value: &Value) -> Result<i64, Misfit> {
    match value {
        Value::Null => Err(Misfit::Missing),
        Value::Bool(flag) => Ok(i64::from(*flag)),
        Value::Number(number) => {
            let written_as_float = || {
                let float = number.as_f64()?;
                (float.fract() == 0.0 && float.abs() <= EXACT_MAX).then_some(float as i64)
            };
            number
                .as_i64()
                .or_else(written_as_float)
                .ok_or(Misfit::Whole)
        }
        _ => Err(Misfit::Number),
    }
}

fn int32(value: &Value) -> Result<i32, Misfit> {
    i32::try_from(int64(value)?).map_err(|_| Misfit::Whole)
}

fn boolean(value: &Value) -> Result<bool, Misfit> {
    match value {
        Value::Null => Err(Misfit::Missing),
        Value::Bool(flag) => Ok(*flag),
        _ => Err(Misfit::Bool),
    }
}

fn text(value: &Value) -> Result<String, Misfit> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) if text.contains('\0') => Err(Misfit::Nul),
        Value::String(text) => Ok(text.clone()),
        _ => Err(Misfit::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_may_be_written_as_floats_and_nothing_else_is_coerced() {
        assert!(matches!(int64(&json!(3)), Ok(3)));
        assert!(matches!(int64(&json!(-3.0)), Ok(-3)));
        assert!(matches!(int64(&json!(3.5)), Err(Misfit::Whole)));
        assert!(matches!(int64(&json!(1e300)), Err(Misfit::Whole)));
        assert!(matches!(int64(&json!(u64::MAX)), Err(Misfit::Whole)));
        assert!(matches!(int64(&json!("3")), Err(Misfit::Number)));
        assert!(matches!(int64(&json!(null)), Err(Misfit::Missing)));
        assert!(matches!(float64(&json!("3")), Err(Misfit::Number)));
        assert!(matches!(float64(&json!(true)), Ok(1.0)));
        assert!(float64(&json!(null)).is_ok_and(f64::is_nan));
        assert!(matches!(boolean(&json!(1)), Err(Misfit::Bool)));
        assert!(matches!(text(&json!(1)), Err(Misfit::Text)));
        assert!(matches!(text(&json!("a\0b")), Err(Misfit::Nul)));
        assert!(text(&json!(null)).is_ok_and(|text| text.is_empty()));
    }

    #[test]
    fn an_error_names_the_column_and_not_the_value() {
        let error = Misfit::Whole.error("age");
        assert_eq!(error.code, Code::ContractType);
        assert_eq!(error.detail, "column `age` is not a whole number in range");
    }
}
