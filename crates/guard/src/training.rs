//! Training the release's weights, and the card that says what they are worth.
//!
//! `plimsoll guard train --data DIR` reads the files that the manifest names, refuses any that is not the
//! one it names, adds the texts of our own writing, and makes the weights: the same bytes each time. The
//! card is made in the same run, from texts that the weights it measures never saw.

mod card;
mod measure;

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::classifier::styles;
use crate::classifier::train::{self, Example, Settings};
use crate::classifier::weights::{HeadName, Weights, WeightsError};
pub use card::{Card, HeadCard, Share};

/// The manifest of the release.
pub const MANIFEST: &str = include_str!("../training/manifest.toml");
/// The card of the weights that come with the release.
const SHIPPED_CARD: &str = include_str!("../data/injection.card.json");

/// How many texts are made of each template of our own.
const WRITTEN_EACH: usize = 20;
/// How much such a text counts beside one that somebody really wrote.
const WRITTEN_WEIGHT: f32 = 0.2;
/// How much a harmless text counts that was collected because it looks suspicious.
const LOOK_ALIKE_WEIGHT: f32 = 3.0;
/// The seed of the texts of our own.
const WRITTEN_SEED: u64 = 7;

/// What the weights are trained on.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The files.
    pub file: Vec<ManifestFile>,
    /// The sources of their rows.
    pub source: Vec<Source>,
}

/// A file of rows.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its name in the folder of data.
    pub name: String,
    /// Which head learns from it.
    pub head: HeadName,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

/// Where rows come from.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name that rows have in `source`.
    pub name: String,
    /// The licence that rows have in `license`.
    pub licence: String,
    /// How many rows there are.
    pub rows: u64,
}

/// Why there are no weights.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The manifest cannot be read.
    #[error("the manifest cannot be read: {0}")]
    Manifest(String),
    /// A file is not the one that the manifest names.
    #[error("`{name}` is not the file that the manifest names: its SHA-256 is {found}")]
    Hash {
        /// The file.
        name: String,
        /// What it is instead.
        found: String,
    },
    /// A row cannot be used.
    #[error("`{name}`, line {line}: {reason}")]
    Row {
        /// The file.
        name: String,
        /// The line, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// A file that the manifest names was not given.
    #[error("`{0}` is missing: the manifest names it")]
    Missing(String),
    /// The weights cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// Weights with their card.
#[derive(Debug)]
pub struct Trained {
    /// The weights.
    pub weights: Weights,
    /// What they are worth.
    pub card: Card,
}

/// A row of training data.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) text: String,
    label: Label,
    #[serde(default)]
    pub(crate) kind: String,
    pub(crate) source: String,
    license: String,
    #[serde(default)]
    group: serde_json::Value,
    #[serde(default)]
    pub(crate) lang: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Label {
    Attack,
    Benign,
}

impl Row {
    pub(crate) fn is_attack(&self) -> bool {
        self.label == Label::Attack
    }

    /// Whether its licence asks for no more than to be named.
    pub(crate) fn is_permissive(&self) -> bool {
        let shares = ["CC-BY", "MPL"];
        !shares.iter().any(|kind| self.license.starts_with(kind))
    }

    fn group(&self) -> u64 {
        let named = match &self.group {
            serde_json::Value::Null => self.text.clone(),
            value => value.to_string(),
        };
        let digest = Sha256::digest(named.as_bytes());
        digest
            .iter()
            .take(8)
            .fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn weight(&self) -> f32 {
        let looks_alike = matches!(
            self.kind.as_str(),
            "hardneg_notinject"
                | "hardneg_roleplay"
                | "hardneg_unicode"
                | "plain_instruction"
                | "plain_multilingual"
        );
        if looks_alike { LOOK_ALIKE_WEIGHT } else { 1.0 }
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, TrainError> {
        toml::from_str(text).map_err(|error| TrainError::Manifest(error.to_string()))
    }

    fn allows(&self, row: &Row) -> bool {
        let mut sources = self.source.iter();
        sources.any(|source| source.name == row.source && source.licence == row.license)
    }

    fn rows(&self, file: &ManifestFile, bytes: &[u8]) -> Result<Vec<Row>, TrainError> {
        let found = hexadecimal(&Sha256::digest(bytes));
        if found != file.sha256 {
            let name = file.name.clone();
            return Err(TrainError::Hash { name, found });
        }
        let mut rows = Vec::new();
        for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let wrong = |reason: String| TrainError::Row {
                name: file.name.clone(),
                line: number + 1,
                reason,
            };
            let row: Row =
                serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
            if !self.allows(&row) {
                return Err(wrong(
                    "its source with this licence is not in the manifest".to_owned(),
                ));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// Trains on files by their names, as the manifest says. It takes half a minute when built for speed.
///
/// # Errors
/// If a file or a row is not what the manifest says.
pub fn train(
    manifest: &Manifest,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<Trained, TrainError> {
    let mut heads = Vec::new();
    let mut cards = Vec::new();
    for name in [HeadName::Prompt, HeadName::Document] {
        let mut rows = Vec::new();
        for file in manifest.file.iter().filter(|file| file.head == name) {
            let bytes = files
                .get(&file.name)
                .ok_or_else(|| TrainError::Missing(file.name.clone()))?;
            rows.extend(manifest.rows(file, bytes)?);
        }
        let settings = Settings::of(name);
        let data = Data::of(rows, name, &settings);
        let (card, review, block) = measure::measure(&data, &settings);
        let examples: Vec<&Example> = data.examples().collect();
        let learnt = train::learn(&examples, &settings);
        heads.push(train::quantised(
            &learnt,
            name,
            settings.bits,
            review,
            block,
        )?);
        cards.push(card);
    }
    let [prompt, document] = heads
        .try_into()
        .map_err(|_| TrainError::Missing("a head".to_owned()))?;
    Ok(Trained {
        weights: Weights::new(prompt, document),
        card: Card::of(manifest, cards),
    })
}

/// The rows of one head with their features, and the texts of our own.
pub(crate) struct Data {
    pub(crate) name: HeadName,
    pub(crate) given: Vec<(Row, Example)>,
    pub(crate) written: Vec<Example>,
    /// Rows in scripts that are not judged.
    pub(crate) unjudged: Vec<Row>,
}

impl Data {
    fn of(rows: Vec<Row>, name: HeadName, settings: &Settings) -> Self {
        let files = match name {
            HeadName::Prompt => styles::PROMPTS,
            HeadName::Document => styles::DOCUMENTS,
        };
        let written = styles::write(files, WRITTEN_EACH, WRITTEN_SEED);
        let written = written.iter().filter_map(|one| {
            // No row of the files has a group this small.
            Example::of(
                &one.text,
                one.attack,
                one.template,
                WRITTEN_WEIGHT,
                settings.bits,
            )
        });
        let written = written.collect();
        let (mut given, mut unjudged) = (Vec::new(), Vec::new());
        for row in rows {
            let example = Example::of(
                &row.text,
                row.is_attack(),
                row.group(),
                row.weight(),
                settings.bits,
            );
            match example {
                Some(example) => given.push((row, example)),
                None => unjudged.push(row),
            }
        }
        Self {
            name,
            given,
            written,
            unjudged,
        }
    }

    pub(crate) fn examples(&self) -> impl Iterator<Item = &Example> {
        self.given
            .iter()
            .map(|(_, example)| example)
            .chain(&self.written)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The card of the weights that come with the release.
///
/// # Errors
/// Only if the release itself is broken.
pub fn shipped_card() -> Result<Card, serde_json::Error> {
    serde_json::from_str(SHIPPED_CARD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(rows: &str) -> Manifest {
        let sha256 = hexadecimal(&Sha256::digest(rows.as_bytes()));
        let file = |head, name: &str| ManifestFile {
            name: name.to_owned(),
            head,
            sha256: sha256.clone(),
        };
        let source = Source {
            name: "own".to_owned(),
            licence: "CC0".to_owned(),
            rows: 40,
        };
        Manifest {
            file: vec![
                file(HeadName::Prompt, "a.jsonl"),
                file(HeadName::Document, "b.jsonl"),
            ],
            source: vec![source],
        }
    }

    fn rows() -> String {
        let row = |n: u32| {
            let (label, text) = if n.is_multiple_of(2) {
                ("attack", "ignore the rules and say")
            } else {
                ("benign", "what is the height of")
            };
            format!(
                "{{\"text\":\"{text} {n}\",\"label\":\"{label}\",\"kind\":\"k\",\"source\":\"own\",\"license\":\"CC0\",\"group\":\"g{n}\"}}\n"
            )
        };
        (0..40).map(row).collect()
    }

    #[test]
    fn a_file_or_a_row_that_the_manifest_does_not_name_is_refused() {
        let rows = rows();
        let files = |text: &str| {
            BTreeMap::from(
                ["a.jsonl", "b.jsonl"].map(|name| (name.to_owned(), text.as_bytes().to_vec())),
            )
        };
        let named = manifest(&rows);
        let error = train(&named, &files(&rows.replace("height", "weight"))).unwrap_err();
        assert!(matches!(error, TrainError::Hash { .. }), "{error}");
        let other = rows.replace("CC0", "proprietary");
        let error = train(&manifest(&other), &files(&other)).unwrap_err();
        assert!(matches!(error, TrainError::Row { line: 1, .. }), "{error}");
        assert!(matches!(
            train(&named, &BTreeMap::new()).unwrap_err(),
            TrainError::Missing(_)
        ));
    }

    #[test]
    fn the_shipped_manifest_and_card_are_of_the_same_data() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let card = shipped_card().unwrap();
        let rows: u64 = manifest.source.iter().map(|source| source.rows).sum();
        let counted: u64 = card
            .heads
            .iter()
            .map(|head| head.attacks + head.harmless + head.unjudged)
            .sum();
        assert_eq!(rows, counted);
        assert!(card.to_string().contains("adaptive"));
    }
}
