//! A runbook: what a person does when the system is in trouble, step by step.

/// A runbook in Markdown: its title and its steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Runbook {
    /// The first `# ` heading; empty if there is none.
    pub title: String,
    /// Each `## ` heading with what stands below it.
    pub steps: Vec<RunbookStep>,
}

/// One step of a runbook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunbookStep {
    /// The heading.
    pub title: String,
    /// What stands below it, in Markdown.
    pub body: String,
}

impl Runbook {
    /// Reads a runbook. Headings within fenced code are no headings.
    pub fn parse(markdown: &str) -> Self {
        let mut runbook = Self {
            title: String::new(),
            steps: Vec::new(),
        };
        let mut fence: Option<&str> = None;
        for line in markdown.lines() {
            let bare = line.trim_start();
            let marker = ["```", "~~~"]
                .into_iter()
                .find(|marker| bare.starts_with(marker));
            match (fence, marker) {
                (None, Some(marker)) => fence = Some(marker),
                (Some(open), Some(marker)) if open == marker => fence = None,
                _ => {}
            }
            let outside = fence.is_none();
            if let Some(title) = line.strip_prefix("## ").filter(|_| outside) {
                runbook.steps.push(RunbookStep {
                    title: heading(title),
                    body: String::new(),
                });
            } else if let Some(title) = line
                .strip_prefix("# ")
                .filter(|_| outside && runbook.title.is_empty())
            {
                runbook.title = heading(title);
            } else if let Some(step) = runbook.steps.last_mut() {
                step.body.push_str(line);
                step.body.push('\n');
            }
        }
        for step in &mut runbook.steps {
            step.body = step.body.trim().to_owned();
        }
        runbook
    }
}

fn heading(text: &str) -> String {
    text.trim().trim_end_matches('#').trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_heading_of_the_second_level_is_a_step() {
        let runbook = Runbook::parse(
            "# Loan default\nWho to call.\n\n## Look\nOpen the bar.\n\n```sh\n## not a step\nplimsoll bar\n```\n## Act ##\nRoll back.\n",
        );
        assert_eq!(runbook.title, "Loan default");
        let titles: Vec<_> = runbook
            .steps
            .iter()
            .map(|step| step.title.as_str())
            .collect();
        assert_eq!(titles, ["Look", "Act"]);
        assert!(runbook.steps[0].body.contains("## not a step"));
        assert_eq!(runbook.steps[1].body, "Roll back.");
    }

    #[test]
    fn a_text_without_headings_has_no_steps() {
        assert!(Runbook::parse("Call Ann.").steps.is_empty());
    }
}
