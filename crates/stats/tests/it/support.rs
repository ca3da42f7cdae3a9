//! The parity data, read; and comparing within a tolerance.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

pub(crate) fn file(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    fs::read(folder.join(name)).unwrap()
}

pub(crate) fn json(name: &str) -> Value {
    serde_json::from_slice(&file(name)).unwrap()
}

/// Numbers of a JSON list.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Each stream of `streams.jsonl` by its name.
pub(crate) fn streams() -> BTreeMap<String, Vec<f64>> {
    let text = String::from_utf8(file("streams.jsonl")).unwrap();
    let stream = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        (
            value["name"].as_str().unwrap().to_owned(),
            numbers(&value["values"]),
        )
    };
    text.lines().map(stream).collect()
}

/// That `ours` is `theirs` within a relative tolerance, and an absolute one for what is next to zero.
#[track_caller]
pub(crate) fn close(what: &str, ours: f64, theirs: &Value, tolerance: f64) {
    let theirs = theirs
        .as_f64()
        .unwrap_or_else(|| panic!("{what}: {theirs} is no number"));
    let far = (ours - theirs).abs();
    assert!(
        far <= tolerance * theirs.abs() || far <= tolerance * 1e-3,
        "{what}: {ours}, and not {theirs}"
    );
}

/// That `ours` is `theirs` within an absolute tolerance.
#[track_caller]
pub(crate) fn within(what: &str, ours: f64, theirs: &Value, tolerance: f64) {
    let theirs = theirs
        .as_f64()
        .unwrap_or_else(|| panic!("{what}: {theirs} is no number"));
    assert!(
        (ours - theirs).abs() <= tolerance,
        "{what}: {ours}, and not {theirs}"
    );
}

/// A deterministic source of uniform numbers in [0, 1): `SplitMix64`.
pub(crate) struct Uniform(pub(crate) u64);

impl Iterator for Uniform {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64)
    }
}
