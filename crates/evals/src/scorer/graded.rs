//! Scores of numbers, lists and trees: how near, how much in common.

use std::collections::BTreeMap;

use plimsoll_core::manifest::canonical_json;
use serde_json::Value;

use super::Scored;
use crate::member::{number, same};

/// The longest lists whose order is compared: the work grows with the product.
const ORDERED_MAX: usize = 2_000;

pub(super) fn near(found: &Value, expected: &Value, tolerance: f64, relative: bool) -> Scored {
    let Some(wanted) = number(expected) else {
        return Scored::unscored(format!("expected {expected} is no number"));
    };
    let Some(is) = number(found) else {
        return Scored::noted(0.0, format!("{found} is no number"));
    };
    let most = if relative {
        tolerance * wanted.abs()
    } else {
        tolerance
    };
    let apart = (is - wanted).abs();
    // Decimal fractions are not exact: 0.3 is within 0.1 of 0.2.
    let rounding = 4.0 * f64::EPSILON * is.abs().max(wanted.abs());
    Scored::when(apart <= most + rounding, || {
        format!("expected {wanted}, found {is}")
    })
}

/// The share of leaves, of either, that are the same in both.
pub(super) fn json_diff(found: &Value, expected: &Value) -> Scored {
    let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
    leaves(found, String::new(), &mut ours);
    leaves(expected, String::new(), &mut theirs);
    let agree = |(path, value): &(&String, &&Value)| {
        ours.get(*path).is_some_and(|found| same(found, value))
    };
    let equal = theirs.iter().filter(agree).count();
    let all = ours.len()
        + theirs
            .keys()
            .filter(|path| !ours.contains_key(*path))
            .count();
    if equal == all {
        return Scored::plain(1.0);
    }
    let differing = theirs
        .iter()
        .find(|pair| !agree(pair))
        .map(|(path, _)| path);
    let path = differing.or_else(|| ours.keys().find(|path| !theirs.contains_key(*path)));
    let path = path.map_or("", String::as_str);
    Scored::noted(
        equal as f64 / all as f64,
        format!("{} of {all} leaves differ, first at `{path}`", all - equal),
    )
}

fn leaves<'v>(value: &'v Value, path: String, out: &mut BTreeMap<String, &'v Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                leaves(value, format!("{path}/{name}"), out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                leaves(value, format!("{path}/{index}"), out);
            }
        }
        leaf => {
            out.insert(path, leaf);
        }
    }
}

/// The harmonic mean of the share of the found that is expected and the share of the expected that was
/// found; in order, of the longest common subsequence.
pub(super) fn overlap(found: &Value, expected: &Value, ordered: bool) -> Scored {
    let Value::Array(expected) = expected else {
        return Scored::unscored(format!("expected {expected} is no list"));
    };
    let Value::Array(found) = found else {
        return Scored::noted(0.0, format!("{found} is no list"));
    };
    let key = |value: &Value| {
        // Numbers by value, as everywhere.
        value.as_f64().map_or_else(
            || String::from_utf8_lossy(&canonical_json(value)).into_owned(),
            |number| number.to_string(),
        )
    };
    let (mut ours, mut theirs): (Vec<String>, Vec<String>) = (
        found.iter().map(key).collect(),
        expected.iter().map(key).collect(),
    );
    let common = if ordered {
        if ours.len().max(theirs.len()) > ORDERED_MAX {
            return Scored::unscored(format!("a list has more than {ORDERED_MAX} items"));
        }
        longest_common(&ours, &theirs)
    } else {
        for list in [&mut ours, &mut theirs] {
            list.sort_unstable();
            list.dedup();
        }
        ours.iter()
            .filter(|item| theirs.binary_search(item).is_ok())
            .count()
    };
    let all = ours.len() + theirs.len();
    if 2 * common == all {
        return Scored::plain(1.0);
    }
    Scored::noted(
        2.0 * common as f64 / all as f64,
        format!(
            "{common} in common of {} found and {} expected",
            ours.len(),
            theirs.len()
        ),
    )
}

fn longest_common(one: &[String], other: &[String]) -> usize {
    let mut row = vec![0; other.len() + 1];
    for a in one {
        let mut diagonal = 0;
        for (j, b) in other.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if a == b {
                diagonal + 1
            } else {
                above.max(row[j])
            };
            diagonal = above;
        }
    }
    row[other.len()]
}
