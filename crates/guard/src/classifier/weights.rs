//! The file of weights: what it holds, how it is written and read.
//!
//! ```text
//! PLIMSOLL-WEIGHTS 1\n          a line of text
//! {"heads":[…]}\n               a line of JSON: per head its name, bits, scale, bias, thresholds
//! int8 × 2^bits                 the heads' weights, one after the other
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

/// The first line.
const MAGIC: &[u8] = b"PLIMSOLL-WEIGHTS 1\n";
/// The most bytes of a file of weights.
pub const BYTES_MAX: usize = 512 * 1024;

/// What a head judges.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadName {
    /// What a caller asks.
    Prompt,
    /// A document or a tool's result.
    Document,
}

/// The weights of one judgement.
#[derive(Clone)]
pub struct Head {
    meta: HeadMeta,
    table: Vec<i8>,
}

/// What the file says of a head.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadMeta {
    /// What it judges.
    pub name: HeadName,
    /// The table has 2^`bits` weights.
    pub bits: u32,
    /// What a step of an int8 is worth.
    pub scale: f32,
    /// The logit of a text without features.
    pub bias: f32,
    /// The logit above which lies one in a hundred texts that are no attack, out of fold.
    pub review: f64,
    /// The logit above which lies one in a thousand.
    pub block: f64,
}

/// All weights of a classifier.
#[derive(Clone, Debug)]
pub struct Weights {
    prompt: Head,
    document: Head,
}

/// Why bytes are no weights.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the weights cannot be read: {0}")]
pub struct WeightsError(String);

#[derive(Serialize, Deserialize)]
struct Header {
    heads: Vec<HeadMeta>,
}

impl Head {
    /// A head with these weights.
    ///
    /// # Errors
    /// If the table is not of the length that `meta` says, or a number is none.
    pub fn new(meta: HeadMeta, table: Vec<i8>) -> Result<Self, WeightsError> {
        let is_length = (6..=20).contains(&meta.bits) && table.len() == 1 << meta.bits;
        let numbers = [
            f64::from(meta.scale),
            f64::from(meta.bias),
            meta.review,
            meta.block,
        ];
        if !is_length || numbers.iter().any(|number| !number.is_finite()) {
            return Err(WeightsError(
                "a table or a number is not what the header says".to_owned(),
            ));
        }
        Ok(Self { meta, table })
    }

    /// What the file says of it.
    pub const fn meta(&self) -> &HeadMeta {
        &self.meta
    }

    pub(super) const fn bits(&self) -> u32 {
        self.meta.bits
    }

    pub(super) fn logit(&self, features: &[u32]) -> f64 {
        let sum: i32 = features
            .iter()
            .map(|&place| i32::from(self.table[place as usize]))
            .sum();
        let norm = f64::from(u32::try_from(features.len()).unwrap_or(u32::MAX))
            .max(1.0)
            .sqrt();
        f64::from(sum) * f64::from(self.meta.scale) / norm + f64::from(self.meta.bias)
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.meta.fmt(f)
    }
}

impl Weights {
    /// Weights of these heads.
    pub const fn new(prompt: Head, document: Head) -> Self {
        Self { prompt, document }
    }

    /// The head that judges this.
    pub const fn head(&self, name: HeadName) -> &Head {
        match name {
            HeadName::Prompt => &self.prompt,
            HeadName::Document => &self.document,
        }
    }

    /// Reads a file of weights.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, WeightsError> {
        let wrong = |reason: &str| WeightsError(reason.to_owned());
        if bytes.len() > BYTES_MAX {
            return Err(WeightsError(format!("it has more than {BYTES_MAX} bytes")));
        }
        let rest = bytes.strip_prefix(MAGIC);
        let rest = rest.ok_or_else(|| wrong("it does not begin as weights of this version do"))?;
        let end = rest.iter().position(|&byte| byte == b'\n');
        let (header, mut tables) = rest.split_at(end.ok_or_else(|| wrong("it has no header"))?);
        tables = &tables[1..];
        let header: Header =
            serde_json::from_slice(header).map_err(|error| WeightsError(error.to_string()))?;
        let mut heads = Vec::new();
        for meta in header.heads {
            let length = 1usize.checked_shl(meta.bits).unwrap_or(usize::MAX);
            let table = tables
                .get(..length)
                .ok_or_else(|| wrong("it is cut short"))?;
            tables = &tables[length..];
            let table = table.iter().map(|&byte| i8::from_ne_bytes([byte]));
            heads.push(Head::new(meta, table.collect())?);
        }
        let mut heads = heads.into_iter();
        match (heads.next(), heads.next(), heads.next()) {
            (Some(prompt), Some(document), None)
                if prompt.meta.name == HeadName::Prompt
                    && document.meta.name == HeadName::Document
                    && tables.is_empty() =>
            {
                Ok(Self { prompt, document })
            }
            _ => Err(wrong(
                "it must hold the heads prompt and document, and nothing more",
            )),
        }
    }

    /// Writes the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let heads = [&self.prompt, &self.document];
        let header = Header {
            heads: heads.map(|head| head.meta.clone()).to_vec(),
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(serde_json::to_vec(&header).expect("numbers that are finite are JSON"));
        bytes.push(b'\n');
        for head in heads {
            bytes.extend(head.table.iter().map(|weight| weight.to_ne_bytes()[0]));
        }
        bytes
    }
}
