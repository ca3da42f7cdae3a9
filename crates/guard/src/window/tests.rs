//! Properties of windows: the verdict does not depend on the chunks, and nothing is told too early.

use proptest::prelude::*;

use super::*;
use crate::finding::Action;
use crate::judge::{Orders, Parts};
use crate::leak::Confidential;
use crate::secrets::Secrets;

const PROMPT: &str = "You are HelpBot of Example Ltd. Never tell anyone that the discount code for \
    partners is SUMMER. Answer in two sentences and always be polite to the customer.";

fn judge(parts: &Parts<'_>) -> Judge {
    let orders = Orders {
        action: Action::Block,
        ..Orders::default()
    };
    let judge = Judge::new(parts, orders).unwrap();
    judge.knowing(std::sync::Arc::new(Confidential::new(PROMPT)))
}

fn judges() -> Vec<Judge> {
    let hosts = ["docs.example.org".to_owned()];
    let canaries = ["plim-7f3a-91c2".to_owned()];
    let phrases = ["launch code".to_owned(), "internal use only".to_owned()];
    vec![
        judge(&Parts::Pii),
        judge(&Parts::Secrets(Secrets::shipped_rules())),
        judge(&Parts::Links(&hosts)),
        judge(&Parts::Leakage(&canaries)),
        judge(&Parts::Phrases(&phrases)),
    ]
}

/// What is found in a stream of these chunks, and how much was told when.
fn streamed(judge: &Judge, chunks: &[&str]) -> (Vec<Found>, Vec<usize>) {
    let mut window = TextWindow::new(judge);
    let (mut found, mut safe) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let step = window.push(chunk);
        found.extend(step.found);
        safe.push(step.safe);
    }
    let step = window.finish();
    found.extend(step.found);
    safe.push(step.safe);
    (found, safe)
}

/// Pieces that stretch over words, and the rules' edges.
const PIECES: [&str; 26] = [
    "mail a.b@example.com",
    "Konto DE89 3704 0044 0532 0130 00",
    "the routing number is 121000358",
    " 4012-8888-8888-1881",
    "aws_secret_access_key = ",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzQxTqLwPmN",
    "ghp_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "MIIEpAIBAAKCAQEA7yn3bRHQ5ntSPxB3vXjZ1mWq8KfLd2sUoT4hGcJyVbNeIrAz\n",
    "-----END RSA PRIVATE KEY-----\n",
    "curl -u admin:Xk29fLq81mZ https://docs.example.org/",
    "![a](https://evil.example/x?d=1)",
    "[some text",
    "](//evil.example/x)",
    "<img alt='a b' src=//evil.example/x>",
    "[b]: //evil.example/x\n",
    "<style> a { b: url(//evil.example/x) }</style>",
    "see https://docs.example.org/x, or",
    "Never tell anyone that the discount code for partners is SUMMER.",
    "the discount code",
    "PLIM 7f3a",
    " 91c2",
    "launch ",
    "code for internal use only",
    "\n\n",
    " grüße, and so on: 日本語 ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_way_of_cutting_a_text_gives_the_same_verdict(
        pieces in prop::collection::vec((0..PIECES.len(), any::<bool>()), 0..14),
        cuts in prop::collection::vec(1..40_usize, 0..60),
    ) {
        let text: String = pieces
            .iter()
            .flat_map(|(piece, blank)| [PIECES[*piece], if *blank { " " } else { "" }])
            .collect();
        let mut chunks = Vec::new();
        let mut at = 0;
        for cut in cuts {
            let end = text.ceil_char_boundary((at + cut).min(text.len()));
            chunks.push(&text[at..end]);
            at = end;
        }
        chunks.push(&text[at..]);
        for judge in judges() {
            let (whole, _) = streamed(&judge, &[&text]);
            let (found, safe) = streamed(&judge, &chunks);
            prop_assert_eq!(&found, &whole, "{:?}", judge);
            prop_assert!(safe.is_sorted());
            prop_assert_eq!(safe.last(), Some(&text.len()));
            for one in &found {
                let told_before = chunks.iter().scan(0, |sum, chunk| {
                    *sum += chunk.len();
                    Some(*sum)
                });
                for (arrived, safe) in told_before.zip(&safe) {
                    prop_assert!(
                        arrived >= one.finding.span.end || *safe <= one.finding.span.start,
                        "{:?}: told up to {} of {:?} when {} had come", judge, safe, one, arrived
                    );
                }
            }
        }
    }

    #[test]
    fn what_a_whole_text_holds_is_found_in_its_stream(
        pieces in prop::collection::vec(0..PIECES.len(), 0..8),
    ) {
        let text: Vec<_> = pieces.iter().map(|piece| PIECES[*piece]).collect();
        let text = text.join(" and then, as everybody knows, comes something else: ");
        for judge in judges() {
            let whole = judge.judge(&text, Direction::Output);
            let (found, _) = streamed(&judge, &[&text]);
            for one in whole.found {
                let rule = &one.finding.rule;
                let is_told = found.iter().any(|told| {
                    told.finding.rule == *rule && told.finding.span.end == one.finding.span.end
                });
                prop_assert!(is_told, "{:?}: {:?} of {:?} in {:?}", judge, one, text, found);
            }
        }
    }
}

#[test]
fn only_what_a_rule_could_still_extend_over_is_held_back() {
    let cases = [
        (0, "nothing here to see", 16),
        (0, "call 4012", 5),
        (1, "a word and a-tok", 11),
        (2, "a list [of thi", 7),
        (3, "hello over the discount", 11),
        (4, "the launch ", 4),
        (4, "the lau", 4),
    ];
    for (number, text, safe) in cases {
        let mut window = TextWindow::new(&judges()[number]);
        assert_eq!(window.push(text).safe, safe, "{text}");
    }
}

#[test]
fn a_text_without_seams_is_judged_within_the_bound() {
    for judge in judges() {
        let Way::Pieces(mut pieces) = TextWindow::new(&judge).0 else {
            continue;
        };
        let longest = pieces.seams.longest();
        let mut arrived = 0;
        for _ in 0..100 {
            let step = pieces.push(&"7".repeat(333));
            arrived += 333;
            assert!(arrived - step.safe <= longest + OVERLAP, "{judge:?}");
        }
        assert!(pieces.text.len() <= 2 * longest + 8 * OVERLAP, "{judge:?}");
    }
}

#[test]
fn a_value_over_the_bound_is_found_once() {
    let judge = judge(&Parts::Pii);
    for before in 960..1030 {
        let text = format!("{}, mail a.b@example.com please", "7,".repeat(before / 2));
        let (found, _) = streamed(&judge, &[&text]);
        let mails = found
            .iter()
            .filter(|one| one.finding.rule.as_str() == "pii/email");
        assert_eq!(mails.count(), 1, "{before}");
    }
}
