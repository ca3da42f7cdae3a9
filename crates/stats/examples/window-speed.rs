//! How long a row of ten columns takes to fall into the bins of a window, looked up by name in a JSON object as
//! the gateway does, and how long it takes to count a text.
//!
//! `cargo run --profile release-fast -p plimsoll-stats --example window-speed`

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures, and prints what it measured"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use plimsoll_stats::drift::Sample;
use plimsoll_stats::stream::{Reference, Value, Window};
use plimsoll_stats::text::measured;

const ROWS: u32 = 2_000_000;
const TEXTS: u32 = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut reference = Reference::default();
    let numbers = Sample::new((0..20_000).map(f64::from).collect());
    for column in 0..7 {
        reference.add_numbers(&format!("number_{column}"), &numbers, 1_000)?;
    }
    let names = (0..20).map(|i| (format!("category_{i}"), 100));
    let names: BTreeMap<String, u64> = names.collect();
    for column in 0..3 {
        reference.add_categories(&format!("text_{column}"), &names, 0)?;
    }
    let reference = Arc::new(reference);
    let mut window = Window::new(Arc::clone(&reference));
    let rows: Vec<serde_json::Value> = (0..1_000_u32).map(row).collect();
    let begun = Instant::now();
    for index in 0..ROWS {
        let row = &rows[index as usize % rows.len()];
        let columns = reference.columns().iter();
        window.add(columns.map(|(name, _)| match &row[name.as_str()] {
            serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or(0.0)),
            serde_json::Value::String(text) => Value::Category(text),
            _ => Value::Missing,
        }));
    }
    let nanos = begun.elapsed().as_nanos() / u128::from(ROWS);
    let bytes = serde_json::to_vec(&*reference)?.len();
    println!(
        "{nanos} ns per row of ten columns; {} rows; reference of {bytes} bytes",
        window.rows()
    );
    for (kind, sentence) in [
        (
            "English",
            "what is the status of my order and how can I return it ",
        ),
        (
            "Russian",
            "где мой заказ и как я могу вернуть деньги за него ",
        ),
    ] {
        for sentences in [1, 10, 100] {
            let text = sentence.repeat(sentences);
            let begun = Instant::now();
            for _ in 0..TEXTS {
                black_box(measured(black_box(&text)));
            }
            let nanos = begun.elapsed().as_nanos() / u128::from(TEXTS);
            println!(
                "{nanos} ns per {kind} text of {} characters",
                text.chars().count()
            );
        }
    }
    Ok(())
}

fn row(index: u32) -> serde_json::Value {
    let mut row = serde_json::Map::new();
    for column in 0..7_u32 {
        let value = f64::from(index * 20 + column);
        row.insert(format!("number_{column}"), value.into());
    }
    for column in 0..3 {
        row.insert(
            format!("text_{column}"),
            format!("category_{}", index % 20).into(),
        );
    }
    serde_json::Value::Object(row)
}
