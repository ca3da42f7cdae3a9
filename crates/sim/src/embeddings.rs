//! `/v1/embeddings`: vectors of length one that follow from the text.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer;

const DIMENSIONS_DEFAULT: u32 = 256;
const DIMENSIONS_MAX: u32 = 4096;
const INPUTS_MAX: usize = 2048;

/// An embeddings request.
#[derive(Debug, Deserialize)]
pub(crate) struct EmbeddingsRequest<'a> {
    #[serde(borrow)]
    pub(crate) model: Cow<'a, str>,
    input: Value,
    #[serde(default)]
    dimensions: Option<u32>,
    #[serde(default)]
    encoding_format: Option<String>,
}

impl EmbeddingsRequest<'_> {
    /// The response's body and the tokens it counts.
    ///
    /// # Errors
    /// The message for the caller, if the input is none.
    pub(crate) fn answer(&self) -> Result<(Vec<u8>, u64), String> {
        let inputs = self.inputs()?;
        let dimensions = self.dimensions.unwrap_or(DIMENSIONS_DEFAULT);
        if dimensions == 0 || dimensions > DIMENSIONS_MAX {
            return Err(format!("`dimensions` must be 1 to {DIMENSIONS_MAX}"));
        }
        let tokens: u64 = inputs
            .iter()
            .map(|text| answer::prompt_tokens(text.as_bytes()))
            .sum();
        let data: Vec<Value> = inputs
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let vector = vector(text, dimensions);
                let embedding = match self.encoding_format.as_deref() {
                    Some("base64") => json!(base64_floats(&vector)),
                    _ => json!(vector),
                };
                json!({"object": "embedding", "index": index, "embedding": embedding})
            })
            .collect();
        let body = json!({
            "object": "list", "data": data, "model": self.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        });
        Ok((body.to_string().into_bytes(), tokens))
    }

    /// The texts to embed; a list of token numbers counts as one text.
    fn inputs(&self) -> Result<Vec<String>, String> {
        let inputs = match &self.input {
            Value::String(text) => vec![text.clone()],
            Value::Array(items) if items.iter().all(Value::is_number) => {
                vec![self.input.to_string()]
            }
            Value::Array(items) => items
                .iter()
                .map(|item| {
                    item.as_str()
                        .map_or_else(|| item.to_string(), str::to_owned)
                })
                .collect(),
            _ => return Err("`input` must be a text or a list of texts".to_owned()),
        };
        if inputs.len() > INPUTS_MAX {
            return Err(format!("`input` must have at most {INPUTS_MAX} texts"));
        }
        Ok(inputs)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "embeddings are single precision"
)]
fn vector(text: &str, dimensions: u32) -> Vec<f32> {
    let hash = answer::hash(0, text.as_bytes());
    let raw: Vec<f64> = (0..dimensions)
        .map(|index| answer::share(answer::hash(hash, &index.to_le_bytes())) - 0.5)
        .collect();
    let length = raw
        .iter()
        .map(|x| x * x)
        .sum::<f64>()
        .sqrt()
        .max(f64::MIN_POSITIVE);
    raw.iter().map(|x| (x / length) as f32).collect()
}

/// Little-endian floats in base64 (RFC 4648, padded), as the OpenAI SDKs ask for them.
fn base64_floats(vector: &[f32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group
            .iter()
            .fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
        let word = word << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = usize::try_from((word >> (18 - 6 * place)) & 63).unwrap_or(0);
            out.push(if place <= group.len() {
                char::from(DIGITS[digit])
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_length_one_and_follow_from_the_text() {
        let one = vector("a", 64);
        assert_eq!(one, vector("a", 64));
        assert_ne!(one, vector("b", 64));
        assert!((one.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4);
    }

    #[test]
    fn base64_is_padded() {
        assert_eq!(base64_floats(&[1.0]), "AACAPw==");
        assert_eq!(base64_floats(&[1.0, -2.0, 0.5]), "AACAPwAAAMAAAAA/");
    }
}
