//! Reading `prices.toml`.

use plimsoll_core::ProviderName;

use super::{HTTP, LOCAL, Price, PriceTable};
use crate::files::{Document, Files};
use crate::forms;
use crate::forms::view::{Found, View};
use crate::settings::Settings;
use crate::source::{Report, listed, nearest};

/// The amounts, of which a price has at least one.
const AMOUNTS: [&str; 4] = [
    "input_per_million",
    "output_per_million",
    "per_request",
    "per_second",
];

/// Reads `prices.toml`, if it is there.
pub(crate) fn read(
    files: &Files,
    currency: &str,
    settings: &Settings,
    report: &mut Report,
) -> PriceTable {
    let mut table = PriceTable::default();
    let path = files.root.join("prices.toml");
    if !path.is_file() {
        return table;
    }
    let Some(source) = files.text(&path, report) else {
        return table;
    };
    let Some(document) = Document::parse(&source, &forms::prices::FORM, currency, report) else {
        return table;
    };
    for entry in document.view(currency).list_of_tables("price") {
        let names = entry.text("provider").zip(entry.text("model"));
        let Some(((provider, model), from)) = names.zip(entry.moment("from")) else {
            continue;
        };
        check_provider(entry, &provider, settings, report);
        if AMOUNTS.iter().all(|key| entry.key(key).is_none()) {
            let hint = format!(
                "give it one of {}; write \"0\" for what is free",
                listed(&AMOUNTS)
            );
            report
                .error(&source, &entry.at(), "the price has no amount")
                .help(hint);
        }
        if table.has_entry(provider.value, model.value, from.value) {
            let message = format!(
                "the price of `{}` from this day on stands above already",
                model.value
            );
            report
                .error(&source, &from.at, message)
                .help("keep one of them");
        }
        table.insert(provider.value, model.value, from.value, price(entry));
    }
    table
}

fn price(entry: View<'_>) -> Price {
    let money = |key: &str| entry.price(key).map(|found| found.value);
    Price {
        input_per_million: money("input_per_million"),
        cached_input_per_million: money("cached_input_per_million"),
        output_per_million: money("output_per_million"),
        per_request: money("per_request"),
        per_second: money("per_second"),
        source: entry.text("source").map(|found| found.value.to_owned()),
    }
}

fn check_provider(
    entry: View<'_>,
    provider: &Found<&str>,
    settings: &Settings,
    report: &mut Report,
) {
    let mut names: Vec<&str> = settings
        .providers
        .keys()
        .map(ProviderName::as_str)
        .collect();
    names.extend([LOCAL, HTTP]);
    if names.contains(&provider.value) {
        return;
    }
    let hint = match nearest(provider.value, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("the providers of plimsoll.toml are {}", listed(&names)),
    };
    let message = format!("there is no provider `{}`", provider.value);
    report
        .warning(entry.source, &provider.at, message)
        .help(hint);
}
