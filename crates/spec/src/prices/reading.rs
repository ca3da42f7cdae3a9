//! Reading `prices.toml`.

use std::path::Path;

use plimsoll_core::ProviderName;

use super::{PEOPLE, Price, PriceTable, RESERVED, shipped};
use crate::files::{Document, Files};
use crate::forms;
use crate::forms::view::{Found, View};
use crate::problem::Problems;
use crate::source::{Report, Source, listed, nearest};
use crate::workspace::{Provider, Workspace};

/// The amounts, of which a price has at least one.
const AMOUNTS: [&str; 4] = [
    "input_per_million",
    "output_per_million",
    "per_request",
    "per_second",
];

/// The workspace's providers.
type Providers = std::collections::BTreeMap<ProviderName, Provider>;

/// Reads `prices.toml`, if it is there, and adds the binary's own prices to it.
pub(crate) fn read(
    files: &Files,
    currency: &str,
    providers: &Providers,
    report: &mut Report,
) -> PriceTable {
    let path = files.root.join("prices.toml");
    let source = path.is_file().then(|| files.text(&path, report)).flatten();
    let read = source.map(|source| of_source(&source, currency, providers, report));
    let mut table = read.unwrap_or_default();
    if currency == shipped::CURRENCY {
        shipped::add(&mut table, providers);
    }
    table
}

/// Reads another file of prices for the providers of `workspace`: what stands in it, and nothing else.
///
/// # Errors
/// With everything that is wrong with it.
pub fn read_file(workspace: &Workspace, path: &Path) -> Result<PriceTable, Problems> {
    let mut report = Report::default();
    let root = path.parent().unwrap_or(Path::new("")).to_owned();
    let source = Files { root }.text(path, &mut report);
    let currency = &workspace.server.currency;
    let read = source.map(|source| of_source(&source, currency, &workspace.providers, &mut report));
    match read {
        Some(table) if report.errors() == 0 => Ok(table),
        _ => Err(Problems(report.into_sorted())),
    }
}

fn of_source(
    source: &Source,
    currency: &str,
    providers: &Providers,
    report: &mut Report,
) -> PriceTable {
    let mut table = PriceTable::default();
    let Some(document) = Document::parse(source, &forms::prices::FORM, currency, report) else {
        return table;
    };
    for entry in document.view(currency).list_of_tables("price") {
        let names = entry.text("provider").zip(entry.text("model"));
        let Some(((provider, model), from)) = names.zip(entry.moment("from")) else {
            continue;
        };
        check_provider(entry, &provider, providers, report);
        check_review(entry, provider.value, report);
        if AMOUNTS.iter().all(|key| entry.key(key).is_none()) {
            let hint = format!(
                "give it one of {}; write \"0\" for what is free",
                listed(&AMOUNTS)
            );
            report
                .error(source, &entry.at(), "the price has no amount")
                .help(hint);
        }
        let price = price(entry);
        let over = price.over_input_tokens;
        if table.has_entry(provider.value, model.value, from.value, over) {
            let message = format!(
                "the price of `{}` from this day on stands above already",
                model.value
            );
            report
                .error(source, &from.at, message)
                .help("keep one of them");
        }
        table.insert(provider.value, model.value, from.value, price);
    }
    check_sizes(document.view(currency), &table, report);
    table
}

/// A price for long calls alone would leave the others without one.
fn check_sizes(file: View<'_>, table: &PriceTable, report: &mut Report) {
    for entry in file.list_of_tables("price") {
        let over = entry.whole("over_input_tokens");
        let named = entry.text("provider").zip(entry.text("model"));
        let (Some(over), Some((provider, model)), Some(from)) = (over, named, entry.moment("from"))
        else {
            continue;
        };
        if !table.has_entry(provider.value, model.value, from.value, 0) {
            let message = "shorter calls have no price from this day on";
            report
                .error(entry.source, &over.at, message)
                .help("add one with the same `from` and without `over_input_tokens`");
        }
    }
}

/// What a person does is priced by the review and by the time that it takes.
fn check_review(entry: View<'_>, provider: &str, report: &mut Report) {
    if provider != PEOPLE {
        return;
    }
    for key in ["input_per_million", "output_per_million"] {
        let Some(at) = entry.key(key) else { continue };
        report
            .error(entry.source, &at, "people are not paid by the token")
            .help("write what a review costs as `per_request`, or `per_second` of a person's time");
    }
}

fn price(entry: View<'_>) -> Price {
    let money = |key: &str| entry.price(key).map(|found| found.value);
    Price {
        over_input_tokens: entry
            .whole("over_input_tokens")
            .map_or(0, |over| over.value),
        input_per_million: money("input_per_million"),
        cached_input_per_million: money("cached_input_per_million"),
        image_input_per_million: money("image_input_per_million"),
        audio_input_per_million: money("audio_input_per_million"),
        output_per_million: money("output_per_million"),
        reasoning_per_million: money("reasoning_per_million"),
        image_output_per_million: money("image_output_per_million"),
        audio_output_per_million: money("audio_output_per_million"),
        per_request: money("per_request"),
        per_second: money("per_second"),
        source: entry.text("source").map(|found| found.value.to_owned()),
        checked: entry.moment("checked").map(|found| found.value),
    }
}

fn check_provider(
    entry: View<'_>,
    provider: &Found<&str>,
    providers: &Providers,
    report: &mut Report,
) {
    let mut names: Vec<&str> = providers.keys().map(ProviderName::as_str).collect();
    names.extend(RESERVED);
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
