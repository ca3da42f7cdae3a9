//! Tables of rules: each condition and each answer is checked before any of them is asked.

use plimsoll_core::{Code, Digest};
use plimsoll_guard::rules::RuleTable;

use super::Resolver;
use super::contracts::Contracts;
use crate::files::Document;
use crate::forms;
use crate::forms::view::View;
use crate::source::{Report, Source};

impl Resolver<'_> {
    pub(super) fn rules(&mut self, model: View<'_>, contracts: &Contracts) -> Option<Digest> {
        let errors = self.report.errors();
        let (digest, source) = self.text_blob(model, "rules")?;
        let document = Document::parse(
            &source,
            &forms::rules::FORM,
            &self.settings.server.currency,
            self.report,
        )?;
        let file = document.view(&self.settings.server.currency);
        let mut names: Vec<&str> = vec!["default"];
        for rule in file.list_of_tables("rule") {
            if let Some(found) = rule.text("name") {
                if names.contains(&found.value) {
                    let message = format!("the name `{}` is taken", found.value);
                    let hint = "each rule has a name of its own: records show it";
                    self.report.error(&source, &found.at, message).help(hint);
                }
                names.push(found.value);
            }
            if let Some(when) = rule.text("when") {
                contracts.check_expression(&source, &when, &["inputs"], self.report);
            }
            let name = rule.text("name").map_or("", |found| found.value);
            check_answer(
                rule,
                &format!("rule `{name}`"),
                &source,
                contracts,
                self.report,
            );
        }
        check_answer(
            file.table("default"),
            "the default",
            &source,
            contracts,
            self.report,
        );
        if self.report.errors() > errors {
            return None;
        }
        // The table itself has the last word.
        for problem in RuleTable::parse(&source.text).err().unwrap_or_default() {
            self.report.file_error(&source.file, problem);
        }
        (self.report.errors() == errors).then_some(digest)
    }
}

fn check_answer(
    rule: View<'_>,
    what: &str,
    source: &Source,
    contracts: &Contracts,
    report: &mut Report,
) {
    let (Some(answer), Some(contract)) = (rule.json("answer"), &contracts.answers) else {
        return;
    };
    for violation in contract
        .check(&answer.value, Code::OutputSchema)
        .err()
        .unwrap_or_default()
    {
        let message = format!(
            "the answer of {what} does not match the output schema: {}",
            violation.message
        );
        report.error(source, &answer.at, message);
    }
}
