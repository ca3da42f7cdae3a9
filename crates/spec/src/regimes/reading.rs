//! Reading tables of regimes: the binary's own, and a workspace's over it.

use std::collections::BTreeMap;

use plimsoll_core::{KeyName, Timestamp};

use super::{Floor, IncidentClock, Origin, RecordClass, Regime, Regimes};
use crate::files::{Document, Files};
use crate::forms;
use crate::forms::view::View;
use crate::quantity::duration_text;
use crate::source::{Report, Source, Span};

/// The table that is part of the binary.
const BUILT_IN: &str = include_str!("../../regimes.toml");

/// The binary's own table.
pub(crate) fn built_in() -> Regimes {
    let source = Source::new("the built-in regimes.toml".to_owned(), BUILT_IN.to_owned());
    let mut report = Report::default();
    let table = table(&source, &mut report).expect("the built-in table is TOML, as a test shows");
    Regimes {
        version: table.version,
        workspace_version: None,
        regimes: table.regimes,
    }
}

/// The binary's own table, and the workspace's `regimes.toml` over it, if there is one.
pub(crate) fn read(files: &Files, report: &mut Report) -> Regimes {
    let mut regimes = built_in();
    let path = files.root.join("regimes.toml");
    if !path.is_file() {
        return regimes;
    }
    let Some(source) = files.text(&path, report) else {
        return regimes;
    };
    let Some(table) = table(&source, report) else {
        return regimes;
    };
    regimes.workspace_version = Some(table.version);
    for (name, mut regime) in table.regimes {
        regime.origin = match regimes.regimes.get(&name) {
            Some(before) => {
                warn_of_weaker(
                    &source,
                    &table.places[&name],
                    (&name, before, &regime),
                    report,
                );
                Origin::Replaced
            }
            None => Origin::Workspace,
        };
        regimes.regimes.insert(name, regime);
    }
    regimes
}

/// One file's table.
struct Table {
    version: String,
    regimes: BTreeMap<String, Regime>,
    /// Where each regime's name stands.
    places: BTreeMap<String, Span>,
}

fn table(source: &Source, report: &mut Report) -> Option<Table> {
    let document = Document::parse(source, &forms::regimes::FORM, "USD", report)?;
    let file = document.view("USD");
    let mut table = Table {
        version: text(file, "version"),
        regimes: BTreeMap::new(),
        places: BTreeMap::new(),
    };
    for (name, view) in file.table("regimes").tables() {
        if let Err(error) = KeyName::new(name) {
            report.error(source, &view.at(), error.to_string());
            continue;
        }
        table.places.insert(name.to_owned(), view.at());
        table.regimes.insert(name.to_owned(), regime(view));
    }
    Some(table)
}

fn regime(view: View<'_>) -> Regime {
    let from = view.moment("from").map(|found| found.value);
    let floors = view.table("floors");
    let floors = RecordClass::ALL
        .into_iter()
        .filter_map(|class| Some((class, floor(floors.table(class.as_str()), from)?)));
    let clocks = view.table("clocks").tables().into_iter();
    Regime {
        title: text(view, "title"),
        source: text(view, "source"),
        origin: Origin::BuiltIn,
        from,
        floors: floors.collect(),
        clocks: clocks
            .map(|(name, view)| (name.to_owned(), clock(view)))
            .collect(),
        notes: maybe(view, "notes"),
    }
}

fn floor(view: View<'_>, from: Option<Timestamp>) -> Option<Floor> {
    Some(Floor {
        age: view.duration("age")?.value,
        article: text(view, "article"),
        says: maybe(view, "says"),
        from: view.moment("from").map(|found| found.value).or(from),
    })
}

fn clock(view: View<'_>) -> IncidentClock {
    IncidentClock {
        within: view.duration("within").map(|found| found.value),
        article: text(view, "article"),
        says: maybe(view, "says"),
    }
}

fn maybe(view: View<'_>, key: &str) -> Option<String> {
    view.text(key).map(|found| found.value.to_owned())
}

fn text(view: View<'_>, key: &str) -> String {
    maybe(view, key).unwrap_or_default()
}

/// Says where a regime of the workspace asks for less than the one that it replaces.
fn warn_of_weaker(
    source: &Source,
    at: &Span,
    (name, before, after): (&str, &Regime, &Regime),
    report: &mut Report,
) {
    for (class, before) in &before.floors {
        let (kept, was) = (class.as_str(), duration_text(before.age));
        let weaker = match after.floors.get(class) {
            None => format!("`{name}` had a floor of {was} for {kept}, and has none here"),
            Some(after) if after.age < before.age => {
                let is = duration_text(after.age);
                format!("`{name}` had a floor of {was} for {kept}, and has one of {is} here")
            }
            Some(after) if is_later(after.from, before.from) => {
                format!("the floor of `{name}` for {kept} comes into force later than it did")
            }
            Some(_) => continue,
        };
        let hint = format!(
            "the built-in table names {} for it: keep its floor, unless the law has changed",
            before.article
        );
        report.warning(source, at, weaker).help(hint);
    }
}

/// Whether a date was put off; what has none comes last.
fn is_later(after: Option<Timestamp>, before: Option<Timestamp>) -> bool {
    before.is_some_and(|before| after.is_none_or(|after| after > before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_has_no_problem_and_says_where_each_thing_is_from() {
        let source = Source::new("regimes.toml".to_owned(), BUILT_IN.to_owned());
        let mut report = Report::default();
        let table = table(&source, &mut report).unwrap();
        assert_eq!(report.into_sorted(), []);
        assert!(!table.version.is_empty() && table.regimes.len() > 5);
        let cited = |regime: &Regime| {
            let floors = regime.floors.values().map(|floor| &floor.article);
            let clocks = regime.clocks.values().map(|clock| &clock.article);
            floors.chain(clocks).all(|article| !article.is_empty())
        };
        for (name, regime) in &table.regimes {
            assert!(cited(regime) && !regime.source.is_empty(), "{name}");
            assert!(
                !regime.floors.is_empty() || !regime.clocks.is_empty(),
                "{name} asks for nothing"
            );
        }
    }

    #[test]
    fn the_floors_are_those_of_the_sources() {
        let regimes = built_in();
        let days = |name: &str, class| regimes.regimes[name].floors[&class].age.as_secs() / 86_400;
        assert_eq!(days("eu-ai-act-deployer", RecordClass::Records), 184);
        assert_eq!(days("eu-ai-act-provider", RecordClass::Dossier), 3_653);
        assert_eq!(days("us-hipaa", RecordClass::Records), 2_192);
        let from = |name: &str| regimes.regimes[name].from.map(|from| from.to_string());
        assert_eq!(
            from("eu-ai-act-deployer").unwrap(),
            "2027-12-02T00:00:00.000000Z"
        );
        assert_eq!(
            from("eu-ai-act-deployer-product").unwrap(),
            "2028-08-02T00:00:00.000000Z"
        );
        assert_eq!(from("us-hipaa-security-proposal"), None);
    }
}
