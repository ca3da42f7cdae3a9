//! The guide says what is so.

use std::collections::BTreeSet;

use plimsoll_sim::{Fault, Script};

/// How many faults there are: whoever adds one documents it, and raises this.
const FAULTS: usize = 27;

fn guide() -> String {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/guides/simulator.md"
    );
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_script_in_the_guide_can_be_used() {
    let guide = guide();
    let blocks: Vec<&str> = guide
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        Script::from_toml(block).unwrap();
    }
}

#[test]
fn every_fault_is_in_the_guide_as_it_is_written() {
    let guide = guide();
    let (_, table) = guide.split_once("| `do =` |").unwrap();
    let faults: BTreeSet<&str> = table
        .lines()
        .skip(2)
        .map_while(|row| row.strip_prefix("| `")?.split_once("` |"))
        .map(|(written, _)| {
            let script = Script::from_toml(&format!("[[rule]]\ndo = {written}")).unwrap();
            script.rules[0].fault.as_ref().map(Fault::name).unwrap()
        })
        .collect();
    assert_eq!(faults.len(), FAULTS);
}
