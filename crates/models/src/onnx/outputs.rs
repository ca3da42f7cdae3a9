//! How a model's output becomes predictions.
//!
//! Known are a label (int64, int32, string or bool) with probabilities beside it, as a tensor or as
//! a `ZipMap` (a sequence of maps from class to probability); probabilities alone; and one number per
//! row, which is a regression. Numbers that are no distribution (decision scores) are not called
//! probabilities: there is then no confidence, and a note says so.

use ort::session::{Session, SessionOutputs};
use ort::value::{DynMapValueType, DynSequenceValueType, DynValue, TensorElementType, ValueType};
use serde_json::{Map, Value};

use super::nonsense;
use super::runtime::OnnxError;
use crate::error::ModelError;
use crate::reply::{Prediction, class_key};

/// How far from 1 the sum of probabilities in single precision may be.
const SUM_SLACK: f64 = 1e-3;

/// Which outputs are what.
#[derive(Debug)]
pub(super) struct Outputs {
    label: Option<usize>,
    scores: Option<Scores>,
    /// The keys of the classes in the order of the scores' columns, if the model names them.
    classes: Vec<Vec<Value>>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Scores {
    Tensor(usize),
    ZipMap(usize),
}

impl Outputs {
    /// Works out the outputs' roles. `classes` are the lists of classes that the model's operators
    /// name.
    pub(super) fn of(session: &Session, classes: Vec<Vec<Value>>) -> Result<Self, OnnxError> {
        let mut label = None;
        let mut scores = None;
        let mut text_labels = false;
        for (index, outlet) in session.outputs().iter().enumerate() {
            match outlet.dtype() {
                ValueType::Tensor { ty, .. } if is_label(*ty) && label.is_none() => {
                    label = Some(index);
                    text_labels = *ty == TensorElementType::String;
                }
                ValueType::Tensor { ty, .. } if is_number(*ty) && scores.is_none() => {
                    scores = Some(Scores::Tensor(index));
                }
                ValueType::Sequence(of) if matches!(**of, ValueType::Map { .. }) => {
                    scores = Some(Scores::ZipMap(index));
                }
                _ => {}
            }
        }
        if label.is_none() && scores.is_none() {
            let known = "a label, probabilities, or a number per row are known";
            return Err(OnnxError::Unfit(format!(
                "the model's outputs are none that are read: {known}"
            )));
        }
        let fits = |list: &Vec<Value>| list[0].is_string() == text_labels;
        let classes = classes.into_iter().filter(fits).collect();
        Ok(Self {
            label,
            scores,
            classes,
        })
    }

    /// The predictions for `rows` rows.
    pub(super) fn read(
        &self,
        output: &SessionOutputs<'_>,
        rows: usize,
    ) -> Result<Vec<Prediction>, ModelError> {
        let labels = match self.label {
            Some(index) => Some(labels(&output[index], rows)?),
            None => None,
        };
        let Some(scores) = self.scores else {
            let labels = labels.unwrap_or_default().into_iter();
            return Ok(labels.map(|label| with_label(label, Map::new())).collect());
        };
        match scores {
            Scores::ZipMap(index) => zip_maps(&output[index], rows, labels),
            Scores::Tensor(index) => {
                let (width, numbers) = numbers(&output[index], rows)?;
                match labels {
                    Some(labels) => self.classified(labels, width, &numbers),
                    None if width == 1 => Ok(numbers.into_iter().map(regression).collect()),
                    None => self.unlabelled(width, &numbers),
                }
            }
        }
    }

    fn classified(
        &self,
        labels: Vec<Value>,
        width: usize,
        numbers: &[f64],
    ) -> Result<Vec<Prediction>, ModelError> {
        let keys = self.keys(width);
        let rows = labels.into_iter().zip(numbers.chunks_exact(width));
        Ok(rows
            .map(|(label, row)| {
                let probabilities = distribution(&keys, row);
                let mut said = with_label(label, probabilities.unwrap_or_default());
                if said.probabilities.is_empty() {
                    said.note = Some("the model gives scores that are no probabilities".into());
                } else if said.confidence.is_none() {
                    // The classes have no names in the file: the label's is the highest.
                    said.confidence = row.iter().copied().reduce(f64::max);
                }
                said
            })
            .collect())
    }

    /// Probabilities without a label: the most probable class is it.
    fn unlabelled(&self, width: usize, numbers: &[f64]) -> Result<Vec<Prediction>, ModelError> {
        let keys = self.keys(width);
        let named = self.named(width);
        let rows = numbers.chunks_exact(width).map(|row| {
            let probabilities = distribution(&keys, row)
                .ok_or_else(|| nonsense("the scores of a row are no probabilities"))?;
            let best = (0..width).max_by(|a, b| row[*a].total_cmp(&row[*b]));
            let best = best.unwrap_or_default();
            let label = named.map_or_else(|| Value::from(best), |names| names[best].clone());
            let mut said = with_label(label, probabilities);
            said.confidence = Some(row[best]);
            Ok(said)
        });
        rows.collect()
    }

    fn named(&self, width: usize) -> Option<&Vec<Value>> {
        self.classes.iter().rev().find(|list| list.len() == width)
    }

    fn keys(&self, width: usize) -> Vec<String> {
        match self.named(width) {
            Some(names) => names.iter().map(class_key).collect(),
            None => (0..width).map(|index| index.to_string()).collect(),
        }
    }
}

const fn is_label(kind: TensorElementType) -> bool {
    use TensorElementType::{Bool, Int32, Int64, String};
    matches!(kind, Int64 | Int32 | String | Bool)
}

const fn is_number(kind: TensorElementType) -> bool {
    matches!(
        kind,
        TensorElementType::Float32 | TensorElementType::Float64
    )
}

fn with_label(label: Value, probabilities: Map<String, Value>) -> Prediction {
    let confidence = probabilities
        .get(&class_key(&label))
        .and_then(Value::as_f64);
    Prediction {
        label,
        probabilities,
        confidence,
        note: None,
    }
}

fn regression(number: f64) -> Prediction {
    with_label(number.into(), Map::new())
}

/// The probabilities by class, if the numbers are a distribution over at least two classes.
fn distribution(keys: &[String], row: &[f64]) -> Option<Map<String, Value>> {
    let sum: f64 = row.iter().sum();
    let in_range = row.iter().all(|p| (-1e-6..=1.0 + 1e-6).contains(p));
    if row.len() < 2 || !in_range || (sum - 1.0).abs() > SUM_SLACK {
        return None;
    }
    let numbers = row.iter().map(|p| Value::from(p.clamp(0.0, 1.0)));
    Some(keys.iter().cloned().zip(numbers).collect())
}

fn labels(value: &DynValue, rows: usize) -> Result<Vec<Value>, ModelError> {
    let labels: Vec<Value> = match value.dtype() {
        ValueType::Tensor { ty, .. } => match ty {
            TensorElementType::Int64 => values(value.try_extract_tensor::<i64>())?,
            TensorElementType::Int32 => values(value.try_extract_tensor::<i32>())?,
            TensorElementType::Bool => values(value.try_extract_tensor::<bool>())?,
            _ => {
                let strings = value.try_extract_strings().map_err(unread)?.1;
                strings.into_iter().map(Value::from).collect()
            }
        },
        _ => return Err(nonsense("the label is not a tensor")),
    };
    if labels.len() != rows {
        return Err(nonsense("there is not one label for each row"));
    }
    Ok(labels)
}

fn values<T: Copy + Into<Value>>(
    extracted: ort::Result<(&ort::value::Shape, &[T])>,
) -> Result<Vec<Value>, ModelError> {
    let (_, numbers) = extracted.map_err(unread)?;
    Ok(numbers.iter().map(|number| (*number).into()).collect())
}

/// The numbers of a tensor, all finite, and how many there are for each row.
fn numbers(value: &DynValue, rows: usize) -> Result<(usize, Vec<f64>), ModelError> {
    let is_single = matches!(
        value.dtype(),
        ValueType::Tensor {
            ty: TensorElementType::Float32,
            ..
        }
    );
    let numbers: Vec<f64> = if is_single {
        let (_, numbers) = value.try_extract_tensor::<f32>().map_err(unread)?;
        numbers.iter().map(|number| f64::from(*number)).collect()
    } else {
        value
            .try_extract_tensor::<f64>()
            .map_err(unread)?
            .1
            .to_vec()
    };
    if rows == 0 || numbers.is_empty() || !numbers.len().is_multiple_of(rows) {
        return Err(nonsense("there are not as many numbers for each row"));
    }
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(nonsense("the model gave NaN or an infinite number"));
    }
    Ok((numbers.len() / rows, numbers))
}

/// Probabilities as scikit-learn's converter gives them unless told otherwise.
fn zip_maps(
    value: &DynValue,
    rows: usize,
    labels: Option<Vec<Value>>,
) -> Result<Vec<Prediction>, ModelError> {
    let view = value.view();
    let sequence = view.downcast::<DynSequenceValueType>().map_err(unread)?;
    let maps = sequence
        .try_extract_sequence::<DynMapValueType>()
        .map_err(unread)?;
    if maps.len() != rows {
        return Err(nonsense(
            "there is not one map of probabilities for each row",
        ));
    }
    let mut labels = labels.map(Vec::into_iter);
    let mut said = Vec::with_capacity(rows);
    for map in &maps {
        let mut probabilities = Map::new();
        let mut best: Option<(Value, f64)> = None;
        for (class, number) in entries(map)? {
            if !number.is_finite() {
                return Err(nonsense("the model gave NaN or an infinite number"));
            }
            if best.as_ref().is_none_or(|(_, highest)| number > *highest) {
                best = Some((class.clone(), number));
            }
            probabilities.insert(class_key(&class), number.into());
        }
        let (best, _) = best.ok_or_else(|| nonsense("a map of probabilities is empty"))?;
        let label = labels.as_mut().and_then(Iterator::next).unwrap_or(best);
        said.push(with_label(label, probabilities));
    }
    Ok(said)
}

fn entries(map: &ort::value::Value<DynMapValueType>) -> Result<Vec<(Value, f64)>, ModelError> {
    let ValueType::Map { key, value } = map.dtype() else {
        return Err(nonsense("the probabilities are not maps"));
    };
    if *value != TensorElementType::Float32 {
        return Err(nonsense("the probabilities of a map are not floats"));
    }
    if *key == TensorElementType::String {
        let pairs = map
            .try_extract_key_values::<String, f32>()
            .map_err(unread)?;
        return Ok(pairs
            .into_iter()
            .map(|(key, p)| (key.into(), p.into()))
            .collect());
    }
    let pairs = map.try_extract_key_values::<i64, f32>().map_err(unread)?;
    Ok(pairs
        .into_iter()
        .map(|(key, p)| (key.into(), p.into()))
        .collect())
}

fn unread(_: ort::Error) -> ModelError {
    nonsense("an output cannot be read")
}
