//! `plimsoll guard url`: whether addresses may be used.

use plimsoll_guard::url_policy::UrlPolicy;
use serde_json::{Value, json};

use crate::cli::UrlArgs;
use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Prints a verdict for each address; yes if all may be used.
pub(super) fn run(args: &UrlArgs, out: Output) -> Outcome<Exit> {
    let lower = |texts: &[String]| texts.iter().map(|text| text.to_ascii_lowercase()).collect();
    let hosts: Vec<String> = lower(&args.hosts);
    let policy = UrlPolicy {
        schemes: lower(&args.schemes),
        hosts: (!hosts.is_empty()).then_some(hosts),
        ports: args.ports.clone(),
    };
    let mut told: Vec<Value> = Vec::new();
    let mut lines = Vec::new();
    let mut all = true;
    for url in &args.urls {
        let judged = policy.judge(url).err();
        all &= judged.is_none();
        told.push(json!({"url": url, "allowed": judged.is_none(), "refusal": judged}));
        let verdict = judged.map_or("allowed".to_owned(), |why| format!("refused: {why}"));
        lines.push(format!("{verdict}  {url}"));
    }
    out.show(&told, || lines.join("\n"))?;
    Ok(Exit::when(all))
}
