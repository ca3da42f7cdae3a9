//! Rows against a contract, strict and with lossless coercion.

use plimsoll_core::manifest::{
    CategoryPolicy, CoercePolicy, InputSpec, MissingPolicy, UnknownFieldPolicy,
};
use plimsoll_guard::contract::Contract;
use plimsoll_guard::frame::{self, FrameLimits};
use serde_json::{Value, json};

use crate::rows::{Folder, Share, text};

/// The contract of the rows: `tabular_schema.json` of the folder, as JSON Schema.
fn contract(coerce: CoercePolicy) -> Contract {
    let schema = json!({
        "type": "object",
        "required": ["age", "income", "country", "has_loan", "score", "opened", "zip"],
        "properties": {
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "income": {"type": ["number", "null"], "minimum": 0, "maximum": 10_000_000},
            "country": {"enum": ["US", "DE", "IN", "BR"]},
            "has_loan": {"type": "boolean"},
            "score": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
            "opened": {"type": ["string", "null"], "format": "date"},
            "zip": {"type": ["string", "null"], "pattern": "^[0-9]{5}$"},
        },
    });
    let spec = InputSpec {
        retrieved: Vec::new(),
        spotlight: None,
        tokens: None,
        schema: None,
        missing: MissingPolicy::Refuse,
        unknown_category: CategoryPolicy::Refuse,
        unknown_field: UnknownFieldPolicy::Refuse,
        out_of_range: CategoryPolicy::Refuse,
        coerce,
        columns: [].into(),
        rules: [].into(),
        rows_max: 1,
    };
    Contract::compile(Some(&schema), &spec).unwrap()
}

pub(crate) fn print(folder: &Folder) {
    let rows = folder.rows("tabular_contracts.jsonl");
    let kinds = [
        ("strict", CoercePolicy::Never),
        ("coerce", CoercePolicy::Lossless),
    ];
    for (kind, coerce) in kinds {
        let contract = contract(coerce);
        let mut share = Share::default();
        for row in &rows {
            let accepted = is_accepted(&contract, text(row, "row_json").as_bytes());
            if !share.count(accepted == (text(row, kind) == "accept")) {
                folder.miss(text(row, "name"), text(row, "row_json"));
            }
        }
        share.print(&format!("rows against a contract · {kind}"));
    }
}

fn is_accepted(contract: &Contract, bytes: &[u8]) -> bool {
    let Ok(frame) = frame::scan(bytes, &FrameLimits::default()) else {
        return false;
    };
    matches!(frame.value(), Value::Object(row) if contract.screen(&row).is_ok())
}
