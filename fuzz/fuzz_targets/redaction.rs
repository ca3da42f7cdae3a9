//! Redaction: what was taken out can be put back, in one piece and in a stream, and no finding's text is
//! left where it stood. Spans are those of the detectors and any others.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use plimsoll_guard::finding::{Detector as _, Direction, Finding, RuleId};
use plimsoll_guard::pii::Pii;
use plimsoll_guard::secrets::Secrets;
use plimsoll_guard::vault::{Restorer, Vault};

static RULES: LazyLock<[RuleId; 2]> =
    LazyLock::new(|| ["pii/email", "secret/a-b"].map(|name| RuleId::new(name).expect("a name")));

fuzz_target!(|bytes: &[u8]| {
    let Some((&spans, rest)) = bytes.split_first() else {
        return;
    };
    let spans = usize::from(spans % 8);
    let Some((spans, rest)) = rest.split_at_checked(2 * spans) else {
        return;
    };
    let text = &*String::from_utf8_lossy(rest);
    let mut findings = Pii::new().detect(text, Direction::Input).unwrap_or_default();
    findings.extend(Secrets::shipped().find(text).unwrap_or_default());
    findings.extend(spans.chunks(2).map(|span| of_span(text, span)));
    let mut vault = Vault::new();
    let redacted = vault.redact(text, &findings).expect("the spans are the text's");
    assert_eq!(vault.restore(&redacted), text);
    let mut again = Vault::new();
    assert_eq!(again.redact(text, &findings).as_ref(), Ok(&redacted));

    let mut restorer = Restorer::new(&vault);
    let mut restored = String::new();
    let mut rest = redacted.as_str();
    for &byte in spans.iter().cycle().take(64) {
        let (chunk, behind) = rest.split_at(rest.ceil_char_boundary(usize::from(byte % 9)));
        restored.push_str(&restorer.push(chunk));
        rest = behind;
    }
    restored.push_str(&restorer.push(rest));
    restored.push_str(&restorer.finish());
    assert_eq!(restored, text);
});

fn of_span(text: &str, span: &[u8]) -> Finding {
    let start = text.floor_char_boundary(usize::from(span[0]));
    let end = text.ceil_char_boundary(start + usize::from(span[1] % 32));
    Finding {
        rule: RULES[usize::from(span[1] & 1)].clone(),
        span: start..end,
        score: 1.0,
        owasp: [].into(),
    }
}
