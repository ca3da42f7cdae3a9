//! `plimsoll reference`: the pages under `docs/reference` that are made from the code, so that they
//! cannot differ from it.

mod cli_page;

use std::fmt::Write as _;

use anyhow::Context as _;
use plimsoll_console::{OWN_CODES, ROUTES, Shape};
use plimsoll_core::{Code, FailureKind};

use crate::cli::{ReferenceArgs, ReferencePage};
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::Output;

const PAGES: [(ReferencePage, &str); 5] = [
    (ReferencePage::Cli, "cli.md"),
    (ReferencePage::Errors, "errors.md"),
    (ReferencePage::Configuration, "configuration.md"),
    (ReferencePage::Metrics, "metrics.md"),
    (ReferencePage::Api, "control-api.md"),
];

/// Prints a page, or writes them all.
pub(crate) fn run(args: &ReferenceArgs, out: Output) -> Outcome<Exit> {
    if let Some(page) = args.page {
        out.print(&page_text(page))?;
    }
    if let Some(folder) = &args.out {
        let failed = || {
            format!(
                "the reference cannot be written into `{}`",
                folder.display()
            )
        };
        std::fs::create_dir_all(folder)
            .with_context(failed)
            .or_exit(Exit::Usage)?;
        for (page, file) in PAGES {
            let text = page_text(page);
            std::fs::write(folder.join(file), text)
                .with_context(failed)
                .or_exit(Exit::Usage)?;
        }
    }
    Ok(Exit::Yes)
}

fn page_text(page: ReferencePage) -> String {
    match page {
        ReferencePage::Cli => cli_page::page(),
        ReferencePage::Errors => errors(),
        ReferencePage::Configuration => plimsoll_spec::reference(),
        ReferencePage::Metrics => metrics(),
        ReferencePage::Api => api(),
    }
}

fn errors() -> String {
    let mut page = String::from(
        "# Errors\n\n<!-- made by `plimsoll reference errors` -->\n\n\
         Every error has a stable code. Those of one failure kind take that kind's ladder; *again* \
         says whether the same request may succeed a little later.\n",
    );
    let kinds = FailureKind::ALL.into_iter().map(Some);
    for kind in std::iter::once(None).chain(kinds) {
        let title = kind.map_or("Before there is a decision", FailureKind::as_str);
        let _infallible = writeln!(
            page,
            "\n## {title}\n\n| code | status | again | who mends it | meaning |\n|---|---|---|---|---|"
        );
        for code in Code::ALL.iter().filter(|code| code.kind() == kind) {
            let again = if code.is_retryable() { "yes" } else { "no" };
            let (status, mender) = (code.status(), code.mender().as_str());
            let _infallible = writeln!(
                page,
                "| `{code}` | {status} | {again} | {mender} | {} |",
                code.summary()
            );
        }
    }
    page.push_str("\n## Of the control plane only\n\n| code | status | meaning |\n|---|---|---|\n");
    for own in OWN_CODES {
        let _infallible = writeln!(
            page,
            "| `{}` | {} | {} |",
            own.code, own.status, own.summary
        );
    }
    page
}

fn metrics() -> String {
    let mut page = String::from(
        "# Metrics\n\n<!-- made by `plimsoll reference metrics` -->\n\n\
         `GET /metrics` on the control address gives them in Prometheus' text format. No label holds \
         anything that a caller chose.\n\n| metric | type | meaning |\n|---|---|---|\n",
    );
    for (name, kind, meaning) in plimsoll_gateway::METRICS {
        let _infallible = writeln!(page, "| `{name}` | {kind} | {meaning} |");
    }
    page
}

fn api() -> String {
    let mut page = String::from(
        "# Control plane API\n\n<!-- made by `plimsoll reference api` -->\n\n\
         On the control address. All but the open routes need `Authorization: Bearer` with what is in \
         `operator.token` of the data folder; `plimsoll-actor` names who acts. Errors are \
         `{\"error\": {\"code\", \"message\", \"hint\"}}`. `GET /api/v1/openapi.json` has the schemas.\n",
    );
    for route in ROUTES {
        let open = if route.open { " (open)" } else { "" };
        let _infallible = writeln!(
            page,
            "\n## `{} {}`{open}\n\n{}",
            route.method, route.path, route.summary
        );
        if !route.parameters.is_empty() {
            page.push_str("\n| parameter | type | meaning |\n|---|---|---|\n");
        }
        for parameter in route.parameters {
            let (name, kind, summary) = (parameter.name, parameter.kind, parameter.summary);
            let _infallible = writeln!(page, "| `{name}` | {kind} | {summary} |");
        }
        if let Some(body) = route.body {
            let _infallible = writeln!(page, "\nTakes `{body}`.");
        }
        match route.answer {
            Some(Shape::One(name)) => {
                let _infallible = writeln!(page, "\nGives `{name}`.");
            }
            Some(Shape::List(key, name)) => {
                let _infallible = writeln!(page, "\nGives a list of `{name}` under `{key}`.");
            }
            None => {}
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_metric_route_and_command_is_on_its_page() {
        let errors = page_text(ReferencePage::Errors);
        assert!(
            Code::ALL
                .iter()
                .all(|code| errors.contains(&format!("`{code}`")))
        );
        let metrics = page_text(ReferencePage::Metrics);
        assert!(
            plimsoll_gateway::METRICS
                .iter()
                .all(|(name, _, _)| metrics.contains(name))
        );
        let api = page_text(ReferencePage::Api);
        assert!(ROUTES.iter().all(|route| api.contains(route.path)));
        let cli = page_text(ReferencePage::Cli);
        for command in [
            "plimsoll serve",
            "plimsoll drill run",
            "plimsoll decisions export",
        ] {
            assert!(cli.contains(&format!("## `{command}`")), "{command}");
        }
    }
}
