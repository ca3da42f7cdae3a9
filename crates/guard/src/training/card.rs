//! The card: what weights were trained on, what they catch, what they miss.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Manifest;
use crate::classifier::weights::HeadName;

/// The card of a file of weights.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Card {
    /// What each head is worth.
    pub heads: Vec<HeadCard>,
    /// The licences of the training data with their rows.
    pub licences: Vec<(String, u64)>,
    /// How many sources there are, beside the texts of our own.
    pub sources: u64,
}

/// What a head is worth.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HeadCard {
    /// What it judges.
    pub head: HeadName,
    /// Attacks in the data.
    pub attacks: u64,
    /// Harmless texts in the data.
    pub harmless: u64,
    /// Texts of our own writing.
    pub written: u64,
    /// Texts in scripts that it does not judge.
    pub unjudged: u64,
    /// The chance that an attack scores above a harmless text, both unseen but of known families.
    pub auc: f64,
    /// What is caught where one in a hundred harmless texts is.
    pub caught_at_one_percent: f64,
    /// What is caught where one in a thousand harmless texts is.
    pub caught_at_one_in_thousand: f64,
    /// What is caught where one in a hundred harmless texts is, had rows under CC-BY, CC-BY-SA and MPL been
    /// left out of training.
    pub caught_permissive_only: f64,
    /// By family, what is caught at one in a hundred when the family is known.
    pub known: Vec<Share>,
    /// By family, what is caught at one in a hundred when the whole family was left out of training.
    pub unknown: Vec<Share>,
    /// All unknown families together.
    pub unknown_caught: f64,
    /// By language, what is caught at one in a hundred.
    pub languages: Vec<Share>,
    /// By kind, which harmless texts are caught at one in a hundred.
    pub false_positives: Vec<Share>,
}

/// A share of texts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Share {
    /// Of which texts.
    pub of: String,
    /// How many there are.
    pub count: u64,
    /// Which part of them, from 0 to 1.
    pub share: f64,
}

impl Card {
    pub(super) fn of(manifest: &Manifest, heads: Vec<HeadCard>) -> Self {
        let mut licences: Vec<(String, u64)> = Vec::new();
        for source in &manifest.source {
            match licences
                .iter_mut()
                .find(|(licence, _)| *licence == source.licence)
            {
                Some((_, rows)) => *rows += source.rows,
                None => licences.push((source.licence.clone(), source.rows)),
            }
        }
        licences.sort();
        Self {
            heads,
            licences,
            sources: u64::try_from(manifest.source.len()).unwrap_or(u64::MAX),
        }
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "The linear classifier: hashed words, pieces of words and concepts, int8 weights.\n"
        )?;
        for head in &self.heads {
            writeln!(f, "{head}")?;
        }
        writeln!(f, "Trained on {} public sources:", self.sources)?;
        for (licence, rows) in &self.licences {
            writeln!(f, "  {rows:>6} rows under {licence}")?;
        }
        writeln!(
            f,
            "and on texts of our own writing (crates/guard/training/styles, Apache-2.0).\n"
        )?;
        f.write_str(
            "Rows under CC-BY, CC-BY-SA and MPL are harmless texts: questions, in other languages too, and\n\
             documentation. They are learnt from and not passed on. What leaving them out would cost\n\
             stands above; whoever may not use them trains without, from another manifest.\n\n\
             What it is not: an adaptive attacker, who tries until a wording passes, passes. Fluent text\n\
             written by a model, and instructions planted in documents in the tone of the document, pass\n\
             more often than not when their style is new. It narrows the stream of what the rules for\n\
             tools, links and people behind it have to hold; it is no boundary. Calibrate the thresholds\n\
             on your own traffic in shadow mode: `plimsoll guard scan` says what would be done.\n",
        )
    }
}

impl fmt::Display for HeadCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = match self.head {
            HeadName::Prompt => "Prompts",
            HeadName::Document => "Documents and tool results",
        };
        writeln!(
            f,
            "{title}: {} attacks, {} harmless, {} of our own, {} not judged (script)",
            self.attacks, self.harmless, self.written, self.unjudged
        )?;
        writeln!(
            f,
            "  known families, unseen texts     AUC {:.3} · {} at 1 % false positives · {} at 0.1 %",
            self.auc,
            percent(self.caught_at_one_percent),
            percent(self.caught_at_one_in_thousand)
        )?;
        writeln!(
            f,
            "  unknown families (left out whole)           {} at 1 %",
            percent(self.unknown_caught)
        )?;
        writeln!(
            f,
            "  learnt from permissive licences alone       {} at 1 %",
            percent(self.caught_permissive_only)
        )?;
        let known = |name: &str| self.known.iter().find(|share| share.of == name);
        if !self.unknown.is_empty() {
            writeln!(
                f,
                "\n  {:<36} {:>6} {:>8} {:>8}",
                "caught at 1 % false positives", "texts", "known", "unknown"
            )?;
            for share in &self.unknown {
                let as_known =
                    known(&share.of).map_or_else(String::new, |known| percent(known.share));
                writeln!(
                    f,
                    "  {:<36} {:>6} {:>8} {:>8}",
                    share.of,
                    share.count,
                    as_known,
                    percent(share.share)
                )?;
            }
        }
        table(f, "by language, known families", &self.languages)?;
        table(f, "harmless texts caught at 1 %", &self.false_positives)
    }
}

fn table(f: &mut fmt::Formatter<'_>, title: &str, shares: &[Share]) -> fmt::Result {
    if shares.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n  {title:<36} {:>6} {:>8}", "texts", "share")?;
    for share in shares {
        writeln!(
            f,
            "  {:<36} {:>6} {:>8}",
            share.of,
            share.count,
            percent(share.share)
        )?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
