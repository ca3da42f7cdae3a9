//! Tensors of the Open Inference Protocol v2: JSON data and the binary extension, to rows and back.
//!
//! Every length that a caller states is held against the bytes that are there before it is used.

use plimsoll_core::Code;
use plimsoll_guard::frame::{FrameLimits, scan};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::refusal::Refusal;

/// A call: its rows, and which outputs it wants in which form.
#[derive(Debug)]
pub(crate) struct InferRequest {
    pub(crate) id: Option<String>,
    pub(crate) rows: Vec<Value>,
    outputs: Vec<OutputAsked>,
    all_binary: bool,
}

#[derive(Debug, Deserialize)]
struct Header {
    id: Option<String>,
    inputs: Vec<InputTensor>,
    #[serde(default)]
    outputs: Vec<OutputAsked>,
    #[serde(default)]
    parameters: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct InputTensor {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    data: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct OutputAsked {
    name: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

/// Reads a call.
pub(crate) fn read(
    header: &[u8],
    binary: &[u8],
    limits: &FrameLimits,
) -> Result<InferRequest, Refusal> {
    scan(header, limits).map_err(|error| Refusal::new(error.code, error.to_string()))?;
    let header: Header = serde_json::from_slice(header).map_err(|_| {
        unfit(
            "inputs",
            "the body is not an inference request of protocol v2",
        )
    })?;
    let all_binary = header.parameters.get("binary_data_output") == Some(&Value::Bool(true));
    let mut rest = binary;
    let mut columns = Vec::with_capacity(header.inputs.len());
    for tensor in header.inputs {
        let values = values(&tensor, &mut rest)?;
        columns.push((tensor.name, values));
    }
    if !rest.is_empty() {
        return Err(unfit(
            "inputs",
            "the binary part is longer than the tensors say",
        ));
    }
    let rows = rows(columns)?;
    Ok(InferRequest {
        id: header.id,
        rows,
        outputs: header.outputs,
        all_binary,
    })
}

fn rows(columns: Vec<(String, Vec<Value>)>) -> Result<Vec<Value>, Refusal> {
    let count = columns.first().map_or(0, |(_, values)| values.len());
    if count == 0 {
        return Err(unfit("inputs", "there is no row"));
    }
    let mut rows = vec![Map::with_capacity(columns.len()); count];
    for (name, values) in columns {
        if values.len() != count {
            return Err(unfit(&name, "the tensors have different numbers of rows"));
        }
        for (row, value) in rows.iter_mut().zip(values) {
            if row.insert(name.clone(), value).is_some() {
                return Err(unfit(&name, "the tensor is there twice"));
            }
        }
    }
    Ok(rows.into_iter().map(Value::Object).collect())
}

fn values(tensor: &InputTensor, rest: &mut &[u8]) -> Result<Vec<Value>, Refusal> {
    let count = match tensor.shape.as_slice() {
        [n] | [n, 1] => *n,
        _ => return Err(unfit(&tensor.name, "the shape must be [n] or [n, 1]")),
    };
    let size = tensor.parameters.get("binary_data_size");
    let values = match (size, &tensor.data) {
        (Some(size), None) => {
            let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
            let split = size.and_then(|size| rest.split_at_checked(size));
            let (bytes, after) = split
                .ok_or_else(|| unfit(&tensor.name, "`binary_data_size` does not fit the body"))?;
            *rest = after;
            from_binary(&tensor.datatype, bytes)
        }
        (None, Some(Value::Array(data))) => from_json(&tensor.datatype, data),
        _ => None,
    };
    let values = values.ok_or_else(|| unfit(&tensor.name, "the data does not fit the datatype"))?;
    if values.len() != count {
        return Err(unfit(
            &tensor.name,
            "the data has another number of elements than the shape",
        ));
    }
    Ok(values)
}

fn unfit(field: &str, why: &str) -> Refusal {
    let field: String = field.chars().take(80).collect();
    Refusal::new(
        Code::TensorUnfit,
        format!("tensor `{field}` does not fit: {why}"),
    )
}

fn from_json(datatype: &str, data: &[Value]) -> Option<Vec<Value>> {
    let flat = data.iter().map(|item| match item {
        Value::Array(inner) if inner.len() == 1 => inner[0].clone(),
        other => other.clone(),
    });
    let fits = |value: &Value| match datatype {
        "BYTES" => value.is_string(),
        "BOOL" => value.is_boolean(),
        "FP16" | "FP32" | "FP64" => value.is_number() || value.is_null(),
        "INT8" | "INT16" | "INT32" | "INT64" => value.is_i64() || value.is_u64(),
        "UINT8" | "UINT16" | "UINT32" | "UINT64" => value.is_u64(),
        _ => false,
    };
    let values: Vec<Value> = flat.collect();
    values.iter().all(fits).then_some(values)
}

macro_rules! numbers {
    ($bytes:expr, $type:ty) => {
        fixed::<{ size_of::<$type>() }>($bytes, |raw| Value::from(<$type>::from_le_bytes(raw)))
    };
}

fn from_binary(datatype: &str, bytes: &[u8]) -> Option<Vec<Value>> {
    match datatype {
        "FP32" => fixed::<4>(bytes, |raw| float(f64::from(f32::from_le_bytes(raw)))),
        "FP64" => fixed::<8>(bytes, |raw| float(f64::from_le_bytes(raw))),
        "INT8" => numbers!(bytes, i8),
        "INT16" => numbers!(bytes, i16),
        "INT32" => numbers!(bytes, i32),
        "INT64" => numbers!(bytes, i64),
        "UINT8" => numbers!(bytes, u8),
        "UINT16" => numbers!(bytes, u16),
        "UINT32" => numbers!(bytes, u32),
        "UINT64" => numbers!(bytes, u64),
        "BOOL" => fixed::<1>(bytes, |[byte]| Value::Bool(byte != 0)),
        "BYTES" => texts(bytes),
        _ => None,
    }
}

fn fixed<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> Value) -> Option<Vec<Value>> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    rest.is_empty()
        .then(|| chunks.iter().map(|raw| value(*raw)).collect())
}

/// NaN is how tensors write a missing number; an infinity has no place in JSON and stays one that
/// the contract refuses.
fn float(number: f64) -> Value {
    if number.is_infinite() {
        return Value::String("infinity".to_owned());
    }
    Value::from(number)
}

fn texts(mut bytes: &[u8]) -> Option<Vec<Value>> {
    let mut texts = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (text, rest) = rest.split_at_checked(length)?;
        texts.push(Value::from(std::str::from_utf8(text).ok()?));
        bytes = rest;
    }
    Some(texts)
}

/// The keys of the answers as columns: a key that a row does not have is null there. Answers that are
/// no objects become one column `answer`.
pub(crate) fn columns_of(answers: &[Value]) -> Vec<(String, Vec<Value>)> {
    let mut columns: Vec<(String, Vec<Value>)> = Vec::new();
    for (row, answer) in answers.iter().enumerate() {
        let one = [("answer".to_owned(), answer.clone())];
        let members: Vec<(String, Value)> = match answer {
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            Value::Null => Vec::new(),
            _ => one.into(),
        };
        for (name, value) in members {
            let index = columns.iter().position(|(known, _)| *known == name);
            let index = index.unwrap_or_else(|| {
                columns.push((name, Vec::new()));
                columns.len() - 1
            });
            columns[index].1.resize(row, Value::Null);
            columns[index].1.push(value);
        }
    }
    for (_, values) in &mut columns {
        values.resize(answers.len(), Value::Null);
    }
    columns
}

/// Writes the response: the body, and the length of its JSON part if a binary part follows.
pub(crate) fn write(
    mut head: Value,
    columns: &[(String, Vec<Value>)],
    request: &InferRequest,
) -> (Vec<u8>, Option<usize>) {
    let asked = |name: &str| request.outputs.iter().find(|output| output.name == name);
    let wanted = |name: &str| {
        request.outputs.is_empty() || asked(name).is_some() || name.starts_with("plimsoll_")
    };
    let mut binary = Vec::new();
    let mut outputs = Vec::new();
    for (name, values) in columns.iter().filter(|(name, _)| wanted(name)) {
        let as_binary = asked(name)
            .and_then(|output| output.parameters.get("binary_data"))
            .map_or(request.all_binary, |flag| flag == &Value::Bool(true));
        outputs.push(tensor(name, values, as_binary.then_some(&mut binary)));
    }
    head["outputs"] = Value::Array(outputs);
    let mut body = head.to_string().into_bytes();
    if binary.is_empty() {
        return (body, None);
    }
    let header_bytes = body.len();
    body.append(&mut binary);
    (body, Some(header_bytes))
}

fn tensor(name: &str, values: &[Value], binary: Option<&mut Vec<u8>>) -> Value {
    let present = || values.iter().filter(|value| !value.is_null());
    let datatype = if present().next().is_none() {
        "BYTES"
    } else if present().all(Value::is_boolean) && present().count() == values.len() {
        "BOOL"
    } else if present().all(|v| v.is_i64()) && present().count() == values.len() {
        "INT64"
    } else if present().all(Value::is_number) {
        "FP64"
    } else {
        "BYTES"
    };
    let mut tensor = json!({"name": name, "datatype": datatype, "shape": [values.len()]});
    match binary {
        Some(out) => {
            let before = out.len();
            values.iter().for_each(|value| append(datatype, value, out));
            tensor["parameters"] = json!({"binary_data_size": out.len() - before});
        }
        None => {
            tensor["data"] = values
                .iter()
                .map(|value| element(datatype, value))
                .collect();
        }
    }
    tensor
}

fn element(datatype: &str, value: &Value) -> Value {
    match datatype {
        "BYTES" => Value::String(text_of(value)),
        _ => value.clone(),
    }
}

fn append(datatype: &str, value: &Value, out: &mut Vec<u8>) {
    match datatype {
        "BOOL" => out.push(u8::from(value == &Value::Bool(true))),
        "INT64" => out.extend_from_slice(&value.as_i64().unwrap_or(0).to_le_bytes()),
        "FP64" => out.extend_from_slice(&value.as_f64().unwrap_or(f64::NAN).to_le_bytes()),
        _ => {
            let text = text_of(value);
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn try_read(header: &Value, binary: &[u8]) -> Result<InferRequest, Refusal> {
        read(
            header.to_string().as_bytes(),
            binary,
            &FrameLimits::default(),
        )
    }

    #[test]
    fn json_tensors_become_rows() {
        let header = json!({"inputs": [
            {"name": "age", "shape": [2, 1], "datatype": "INT64", "data": [[40], [50]]},
            {"name": "city", "shape": [2], "datatype": "BYTES", "data": ["Bonn", "Ulm"]},
        ]});
        let request = try_read(&header, b"").unwrap();
        let rows = [
            json!({"age": 40, "city": "Bonn"}),
            json!({"age": 50, "city": "Ulm"}),
        ];
        assert_eq!(request.rows, rows);
    }

    #[test]
    fn binary_tensors_become_rows() {
        let header = json!({"inputs": [
            {"name": "x", "shape": [1], "datatype": "FP32", "parameters": {"binary_data_size": 4}},
            {"name": "s", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}},
        ]});
        let binary = [&1.5_f32.to_le_bytes()[..], &2_u32.to_le_bytes(), b"ab"].concat();
        let request = try_read(&header, &binary).unwrap();
        assert_eq!(request.rows, [json!({"x": 1.5, "s": "ab"})]);
    }

    #[test]
    fn a_length_that_does_not_fit_is_refused() {
        let tensor = |size: u64| {
            let size = json!({"binary_data_size": size});
            json!({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "parameters": size}]})
        };
        for (header, binary) in [
            (tensor(4), 3),
            (tensor(u64::MAX), 4),
            (tensor(4), 5),
            (tensor(3), 3),
        ] {
            let refusal = try_read(&header, &vec![0; binary]).unwrap_err();
            assert_eq!(
                refusal.code,
                Code::TensorUnfit,
                "{header} with {binary} bytes"
            );
        }
    }

    #[test]
    fn answers_become_columns_with_gaps() {
        let answers = [json!({"a": 1}), Value::Null, json!({"a": 2, "b": "x"})];
        let columns = columns_of(&answers);
        assert_eq!(
            columns[0],
            ("a".to_owned(), vec![json!(1), Value::Null, json!(2)])
        );
        assert_eq!(
            columns[1],
            ("b".to_owned(), vec![Value::Null, Value::Null, json!("x")])
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(size in 0..64_u64, count in 0..9_usize, binary: Vec<u8>, kind in 0..12_usize) {
            let kinds = ["FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL", "BYTES"];
            let size = json!({"binary_data_size": size});
            let header = json!({"inputs": [{"name": "x", "shape": [count], "datatype": kinds[kind], "parameters": size}]});
            if let Ok(request) = try_read(&header, &binary) {
                prop_assert_eq!(request.rows.len(), count);
            }
        }
    }
}
