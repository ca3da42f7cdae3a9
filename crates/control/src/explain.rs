//! One decision, told stage by stage: what each control said, which models were asked, which steps
//! were taken and why.

use std::fmt::Write as _;

use plimsoll_core::decision::{
    AttemptReason, AttemptRecord, ControlRecord, CostBasis, PathStep, Verdict,
};
use plimsoll_core::manifest::{ExpiryStep, Manifest, Mode};
use plimsoll_core::review::{Review, ReviewState};
use plimsoll_core::{Decision, Outcome, Step, Timestamp};
use plimsoll_store::StoredLabel;

use crate::figures;
use crate::paint::Paint;
use crate::table::{printable, width};

/// What is known beside the decision itself.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The manifest of its release: without it model types and rules are left out.
    pub manifest: Option<&'a Manifest>,
    /// The review that it waits or waited for.
    pub review: Option<&'a Review>,
    /// What turned out to be true, the latest first: name, value, whether it stands, and when it was said.
    pub labels: &'a [StoredLabel],
    /// The workspace's currency.
    pub currency: &'a str,
    /// How many columns there are.
    pub width: usize,
}

/// A stage's line: its name, what is to be said of it, and its time.
struct Line {
    stage: &'static str,
    text: String,
    micros: Option<u64>,
}

/// The decision as text: a headline, and a line for each stage.
pub fn render(decision: &Decision, around: &Surroundings<'_>, paint: Paint) -> String {
    let mut text = headline(decision, around, paint);
    let lines = lines(decision, around, paint);
    for line in &lines {
        write_line(&mut text, line, around.width, paint);
    }
    text
}

fn lines(decision: &Decision, around: &Surroundings<'_>, paint: Paint) -> Vec<Line> {
    let times = &decision.stages;
    let by_stage = controls_by_stage(decision, around.manifest, paint);
    let mut lines = vec![Line {
        stage: "identify",
        text: identify(decision),
        micros: Some(times.identify),
    }];
    let mut push = |stage, text: String, micros| {
        if !text.is_empty() {
            lines.push(Line {
                stage,
                text,
                micros,
            });
        }
    };
    push("admit", by_stage.admit, Some(times.admit));
    push("screen", by_stage.screen, Some(times.screen));
    for (index, attempt) in decision.attempts.iter().enumerate() {
        let last = index + 1 == decision.attempts.len();
        push(
            "answer",
            attempt_text(decision, attempt, last, around, paint),
            Some(attempt.micros),
        );
    }
    push("clear", by_stage.clear, Some(times.clear));
    for step in &decision.path {
        push("ladder", step_text(decision, step, around), None);
    }
    push("finish", finish(decision), None);
    for label in around.labels {
        push("label", label_text(label), None);
    }
    lines
}

fn label_text(stored: &StoredLabel) -> String {
    let label = &stored.label;
    let corrected = if stored.stands {
        ""
    } else {
        "   corrected since"
    };
    format!(
        "{} = {}   said {} by {}{corrected}",
        label.name,
        printable(&label.value.to_string()),
        label.at.short(),
        printable(&label.actor)
    )
}

fn write_line(text: &mut String, line: &Line, columns: usize, paint: Paint) {
    let Line {
        stage,
        text: said,
        micros,
    } = line;
    let time = micros.map(figures::micros).unwrap_or_default();
    // Escape codes take no room on the terminal.
    let taken = 2 + 10 + 1 + width(&strip_escapes(said));
    let gap = columns.saturating_sub(taken + width(&time)).max(2);
    let end = if time.is_empty() {
        String::new()
    } else {
        format!("{}{time}", " ".repeat(gap))
    };
    let _infallible = writeln!(text, "  {}{said}{end}", paint.faint(format!("{stage:<11}")));
}

fn headline(decision: &Decision, around: &Surroundings<'_>, paint: Paint) -> String {
    let mut parts = vec![
        paint.strong(decision.id),
        decision.system.to_string(),
        ending(decision, paint),
        decision.opened_at.short(),
    ];
    parts.extend(decision.total_micros().map(figures::micros));
    parts.push(cost(decision, around.currency));
    parts.push(format!("release {}", decision.release.short()));
    if decision.mode == Mode::Observe {
        parts.push(paint.doubtful("observed only"));
    }
    if decision.drill.is_some() {
        parts.push(paint.doubtful("drill"));
    }
    if let Some(run) = decision.eval {
        parts.push(paint.doubtful(format!("eval {run}")));
    }
    format!("{}\n", parts.join("  "))
}

/// How a closed review ends its decision, and when: known before the decision's record is in the
/// database. None while the review is open.
pub fn closed_by(review: &Review) -> Option<(Outcome, Timestamp)> {
    match &review.state {
        ReviewState::Open => None,
        ReviewState::Answered { at, .. } => Some((Outcome::Reviewed, *at)),
        ReviewState::Expired { at } => Some(match review.on_expiry {
            ExpiryStep::Abstain => (Outcome::Expired, *at),
            ExpiryStep::Refuse => (Outcome::Refused, *at),
        }),
    }
}

/// How the decision ended, or what it waits for.
pub fn ending(decision: &Decision, paint: Paint) -> String {
    match decision.outcome {
        Some(outcome) if outcome.is_answered() => paint.good(outcome),
        Some(outcome) => paint.bad(outcome),
        None if decision.review.is_some() => paint.doubtful("open: in review"),
        None => paint.doubtful("open"),
    }
}

fn cost(decision: &Decision, currency: &str) -> String {
    let amount = figures::money(decision.cost.amount, currency);
    match decision.cost.basis {
        CostBasis::Measured => amount,
        CostBasis::Estimated => format!("{amount} (estimated)"),
        CostBasis::Unknown => "cost unknown".to_owned(),
    }
}

fn identify(decision: &Decision) -> String {
    let who = match &decision.key {
        Some(key) => format!("key {key} of tenant {}", decision.tenant),
        None => format!("no key asked for, tenant {}", decision.tenant),
    };
    let unit = decision
        .unit
        .as_ref()
        .map(|unit| format!(" · unit {}", printable(unit)));
    let session = decision
        .session
        .as_ref()
        .map(|s| format!(" · session {}", printable(s)));
    format!(
        "{who}{}{}",
        unit.unwrap_or_default(),
        session.unwrap_or_default()
    )
}

#[derive(Default)]
struct ByStage {
    admit: String,
    screen: String,
    clear: String,
}

/// Controls are recorded in the order in which they ran. Guards have the same name on input and
/// output; the manifest says how many there are on input.
fn controls_by_stage(decision: &Decision, manifest: Option<&Manifest>, paint: Paint) -> ByStage {
    let mut stages = ByStage::default();
    let input_guards = manifest.map(|manifest| manifest.guards.input.len());
    let mut guards_seen = 0;
    let mut answered = false;
    for control in &decision.controls {
        let name = control.control.as_ref();
        answered |= name == "budget" || name == "unsure" || name.starts_with("output:");
        let stage = match name {
            "admission" | "budget" => &mut stages.admit,
            "contract" => &mut stages.screen,
            "unsure" => &mut stages.clear,
            _ if name.starts_with("output:") => &mut stages.clear,
            _ if answered || input_guards.is_some_and(|count| guards_seen >= count) => {
                &mut stages.clear
            }
            _ => {
                guards_seen += 1;
                &mut stages.screen
            }
        };
        if !stage.is_empty() {
            stage.push_str("   ");
        }
        stage.push_str(&control_text(control, manifest, paint));
    }
    stages
}

fn control_text(control: &ControlRecord, manifest: Option<&Manifest>, paint: Paint) -> String {
    let name = control
        .control
        .trim_start_matches("guard:")
        .trim_start_matches("output:");
    match control.verdict {
        Verdict::Passed => format!("{name} {}{}", paint.good("✓"), done_about(control)),
        Verdict::Skipped => {
            let why = control.finding.as_deref().unwrap_or("it did not run");
            format!("{name} {} skipped: {}", paint.doubtful("–"), printable(why))
        }
        Verdict::Failed => {
            let rule = manifest.and_then(|manifest| manifest.output.unsure.as_deref());
            let why = match (&control.finding, control.code) {
                (Some(finding), _) => printable(finding),
                (None, _) if name == "unsure" && rule.is_some() => rule.unwrap_or_default().into(),
                (None, Some(code)) => code.to_string(),
                (None, None) => "failed".to_owned(),
            };
            format!("{} {name}: {why}", paint.bad("✗"))
        }
    }
}

/// What was found that stood in nobody's way, and what was done about it: ` (pii/email: redact)`.
fn done_about(control: &ControlRecord) -> String {
    let mut done: Vec<String> = Vec::new();
    for finding in &control.findings {
        let action = finding.action.as_str();
        let shadow = if finding.shadow { " in shadow" } else { "" };
        let text = format!("{}: {action}{shadow}", printable(&finding.rule));
        if !done.contains(&text) {
            done.push(text);
        }
    }
    if done.is_empty() {
        String::new()
    } else {
        format!(" ({})", done.join(", "))
    }
}

fn attempt_text(
    decision: &Decision,
    attempt: &AttemptRecord,
    is_last: bool,
    around: &Surroundings<'_>,
    paint: Paint,
) -> String {
    let kind = around
        .manifest
        .and_then(|manifest| manifest.models.get(&attempt.model));
    let kind = kind
        .map(|spec| format!(" ({})", spec.kind()))
        .unwrap_or_default();
    let why = match attempt.reason {
        AttemptReason::First | AttemptReason::Ladder => "",
        AttemptReason::Retry => " again",
        AttemptReason::Repair => " to mend its answer",
    };
    let mut text = format!("{}{kind}{why}", attempt.model);
    if let Some(code) = attempt.code {
        let _infallible = write!(text, " {} {code}", paint.bad("✗"));
        return text;
    }
    text.push_str(" → answered");
    if let Some(confidence) = decision.confidence.filter(|_| is_last) {
        let _infallible = write!(text, ", confidence {}", rounded(confidence));
    }
    if let Some(usage) = &attempt.usage {
        let (read, written) = (usage.input_tokens, usage.output_tokens);
        let _infallible = write!(text, ", {read} + {written} tokens");
    } else if let Some((read, written)) = attempt.counted_tokens() {
        let _infallible = write!(text, ", at most {read} + {written} tokens");
    }
    if let Some(reported) = &attempt.reported_model {
        let _infallible = write!(text, ", as {}", printable(reported));
    }
    text
}

fn rounded(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn step_text(decision: &Decision, step: &PathStep, around: &Surroundings<'_>) -> String {
    let mut text = format!("{} → {}", step.kind, step.step);
    match (&step.step, around.review) {
        (Step::Review, Some(review))
            if decision.made_for().is_some()
                && decision.alarm.is_none()
                && review.state != ReviewState::Open =>
        {
            let _infallible = write!(
                text,
                ": queue {}, closed at once, as in every drill and eval",
                review.queue
            );
        }
        (Step::Review, Some(review)) => {
            let due = review.due_at.short();
            let state = review.state.as_str();
            let _infallible = write!(text, ": queue {}, due {due}, {state}", review.queue);
        }
        (Step::Review, None) if decision.outcome.is_none() => text.push_str(": it waits"),
        _ => {}
    }
    let _infallible = write!(text, "   ({}", step.code);
    if let Some(detail) = &step.detail {
        let _infallible = write!(text, ": {}", printable(detail));
    }
    text.push(')');
    text
}

fn finish(decision: &Decision) -> String {
    let mut parts = Vec::new();
    if let Some(age) = decision.answer_age_ms {
        parts.push(format!(
            "an answer from {} before",
            figures::micros(age.saturating_mul(1_000))
        ));
    }
    if !decision.spliced.is_empty() {
        parts.push(format!("set: {}", decision.spliced.join(", ")));
    }
    if !decision.observed.is_empty() {
        let codes: Vec<_> = decision.observed.iter().map(|code| code.as_str()).collect();
        parts.push(format!("would have failed: {}", codes.join(", ")));
    }
    if let Some(payload) = &decision.payload {
        parts.push(format!(
            "payload kept, {} bytes",
            figures::count(payload.bytes)
        ));
    }
    if let Some(code) = decision.code {
        parts.push(code.summary().trim_end_matches('.').to_lowercase());
    }
    parts.join(" · ")
}

fn strip_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut in_escape = false;
    for c in text.chars() {
        match (in_escape, c) {
            (false, '\u{1b}') => in_escape = true,
            (true, 'm') => in_escape = false,
            (true, _) => {}
            (false, c) => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use plimsoll_core::decision::{Cost, Protocol, StageTimes};
    use plimsoll_core::{
        Code, DecisionId, DeploymentId, Digest, EnvironmentName, EventId, FailureKind, KeyName,
        ModelName, QueueName, ReleaseId, RequestId, ReviewId, SystemName, TenantName,
    };

    use super::*;

    fn controls() -> Vec<ControlRecord> {
        let control = |control: &str, verdict, finding: Option<&str>| ControlRecord {
            control: control.to_owned().into(),
            verdict,
            micros: 1,
            code: (verdict == Verdict::Failed).then_some(Code::UnsureRule),
            finding: finding.map(str::to_owned),
            findings: Vec::new(),
        };
        vec![
            control("admission", Verdict::Passed, None),
            control("contract", Verdict::Passed, None),
            control("guard:phrases", Verdict::Skipped, Some("no text fields")),
            control("unsure", Verdict::Failed, Some("confidence < 0.75")),
        ]
    }

    #[test]
    fn what_was_done_about_a_finding_is_told_once_for_each_rule() {
        use plimsoll_core::decision::GuardFinding;
        use plimsoll_core::manifest::GuardAction;

        let found = |rule: &str, action, shadow| GuardFinding {
            rule: rule.to_owned(),
            part: "messages[0].content".to_owned(),
            start: 0,
            end: 4,
            score: 1.0,
            action,
            shadow,
        };
        let mut control = controls().swap_remove(0);
        control.control = "guard:pii".into();
        control.findings = vec![
            found("pii/email", GuardAction::Redact, false),
            found("pii/email", GuardAction::Redact, false),
            found("pii/iban", GuardAction::Block, true),
        ];
        assert_eq!(
            control_text(&control, None, Paint::Plain),
            "pii ✓ (pii/email: redact, pii/iban: block in shadow)"
        );
    }

    fn decision() -> Decision {
        let at = Timestamp::parse("2026-03-14T10:41:07Z").unwrap();
        Decision {
            id: DecisionId::from_bytes([1; 16]),
            request: RequestId::from_bytes([2; 16]),
            row: 0,
            tenant: TenantName::new("acme").unwrap(),
            environment: EnvironmentName::new("production").unwrap(),
            system: SystemName::new("loan-default").unwrap(),
            key: Some(KeyName::new("web").unwrap()),
            unit: None,
            session: None,
            subject: None,
            idempotency: None,
            release: ReleaseId(Digest::of(b"r")),
            deployment: DeploymentId::from_bytes([3; 16]),
            protocol: Protocol::Decisions,
            stream: false,
            mode: Mode::Enforce,
            opened_at: at,
            closed_at: None,
            outcome: None,
            kind: Some(FailureKind::Unsure),
            code: None,
            stages: StageTimes {
                identify: 1,
                admit: 2,
                screen: 38,
                answer: 14,
                clear: 1,
                resolve: 0,
            },
            controls: controls(),
            attempts: vec![AttemptRecord {
                model: ModelName::primary(),
                reason: AttemptReason::First,
                micros: 14,
                first_token_micros: None,
                at_most: None,
                code: None,
                reported_model: None,
                usage: None,
                cost: Cost::FREE,
            }],
            path: vec![PathStep {
                kind: FailureKind::Unsure,
                code: Code::UnsureRule,
                step: Step::Review,
                detail: None,
            }],
            confidence: Some(0.61),
            cost: Cost {
                amount: "0.00019".parse().unwrap(),
                basis: CostBasis::Measured,
            },
            payload: None,
            review: Some(ReviewId::from_bytes([4; 16])),
            worked_seconds: None,
            spliced: Vec::new(),
            drill: None,
            eval: None,
            alarm: None,
            observed: Vec::new(),
            answer_age_ms: None,
        }
    }

    const AROUND: Surroundings<'static> = Surroundings {
        manifest: None,
        review: None,
        labels: &[],
        currency: "USD",
        width: 80,
    };

    #[test]
    fn a_decision_in_review_reads_stage_by_stage() {
        let text = render(&decision(), &AROUND, Paint::Plain);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].contains("loan-default  open: in review  14 Mar 10:41:07  0.00019 USD"));
        assert!(
            lines[1].starts_with("  identify   key web of tenant acme"),
            "{text}"
        );
        assert!(lines[1].ends_with(" 1 µs"));
        assert!(
            lines[3].contains("contract ✓   phrases – skipped: no text fields"),
            "{text}"
        );
        assert!(
            lines[4].contains("primary → answered, confidence 0.61"),
            "{text}"
        );
        assert!(lines[5].contains("✗ unsure: confidence < 0.75"), "{text}");
        assert!(
            lines[6].contains("unsure → review: it waits   (unsure_rule)"),
            "{text}"
        );
        assert!(lines[1..6].iter().all(|line| width(line) == 80), "{text}");
    }

    #[test]
    fn a_drilled_review_reads_as_closed() {
        let at = Timestamp::parse("2026-03-14T10:41:08Z").unwrap();
        let mut drilled = Decision {
            drill: Some(EventId::from_bytes([5; 16])),
            ..decision()
        };
        let review = Review {
            id: ReviewId::from_bytes([4; 16]),
            queue: QueueName::new("lending").unwrap(),
            decision: drilled.clone(),
            input: serde_json::Value::Null,
            proposal: None,
            fallback: None,
            on_expiry: ExpiryStep::Refuse,
            opened_at: at,
            due_at: at,
            state: ReviewState::Expired { at },
        };
        let (outcome, closed_at) = closed_by(&review).unwrap();
        assert_eq!((outcome, closed_at), (Outcome::Refused, at));
        drilled.outcome = Some(outcome);
        let around = Surroundings {
            review: Some(&review),
            ..AROUND
        };
        let text = render(&drilled, &around, Paint::Plain);
        assert!(!text.contains("open"), "{text}");
        assert!(
            text.contains("lending, closed at once, as in every drill and eval"),
            "{text}"
        );
        let open = Review {
            state: ReviewState::Open,
            ..review
        };
        assert_eq!(closed_by(&open), None);
    }

    #[test]
    fn colours_change_nothing_but_colour() {
        let plain = render(&decision(), &AROUND, Paint::Plain);
        let coloured = render(&decision(), &AROUND, Paint::Colour);
        assert_ne!(plain, coloured);
        assert_eq!(strip_escapes(&coloured), plain);
    }

    #[test]
    fn a_callers_text_cannot_command_the_terminal() {
        let mut decision = decision();
        decision.unit = Some("\u{1b}]0;gone\u{7}".into());
        let text = render(&decision, &AROUND, Paint::Plain);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'));
    }
}
