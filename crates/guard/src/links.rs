//! Links and images in what a model says: each address of each form of Markdown and HTML, held
//! against a list of what may be addressed.
//!
//! An image that a page loads by itself carries whatever stands in its address to whoever owns the
//! host; the forms in which it can be written are many (`EchoLeak`, CVE-2025-32711, used a reference). So
//! nothing is matched by pattern: Markdown is parsed, HTML is split into tags and attributes,
//! entities and escapes are decoded first, and what remains of bare addresses is read from the text
//! wherever it stands, in code and in JSON too.
//!
//! A relative address stays on the page's own host and passes.

mod html;
mod text;

use std::ops::Range;
use std::sync::Arc;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag};

use crate::finding::{Detector, Direction, Finding, NotEvaluated, RuleId};
use crate::url_policy::{UrlPolicy, UrlRefusal};

/// The most findings told of one text.
pub const FINDINGS_MAX: usize = 1000;

/// The longest text that is parsed.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// The OWASP entries: improper output handling, sensitive information disclosure.
const OWASP: [&str; 2] = ["LLM10:2026", "LLM02:2026"];

/// Finds addresses that may not be shown.
#[derive(Clone, Debug)]
pub struct Links {
    policy: UrlPolicy,
    owasp: Arc<[String]>,
}

impl Links {
    /// With the hosts that may be linked to. HTTP and HTTPS are both links.
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        let mut policy = UrlPolicy::https(hosts);
        policy.schemes.push("http".to_owned());
        Self {
            policy,
            owasp: OWASP.map(str::to_owned).into(),
        }
    }

    /// Addresses in `text` that are not allowed, by where they stand: where the link or the tag begins if
    /// the address is written in escapes.
    ///
    /// # Errors
    /// If the text is longer than [`TEXT_BYTES_MAX`].
    pub fn find(&self, text: &str) -> Result<Vec<Finding>, NotEvaluated> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(NotEvaluated {
                detector: "links".to_owned(),
                reason: format!("the text is longer than {TEXT_BYTES_MAX} bytes"),
            });
        }
        let mut refused: Vec<(Range<usize>, UrlRefusal)> = Vec::new();
        self.in_markdown(text, &mut refused);
        html::each_address(text, &mut |address, span| {
            self.judge(address, span, &mut refused);
        });
        text::each_address(text, &mut |address, span| {
            self.judge(address, span, &mut refused);
        });
        refused.sort_by_key(|(span, why)| (span.start, span.end, *why));
        refused.dedup();
        let findings = refused
            .into_iter()
            .take(FINDINGS_MAX)
            .map(|(span, why)| Finding {
                rule: RuleId::new(&format!("url/{}", why.as_str())).expect("a name of two words"),
                span,
                score: 1.0,
                owasp: Arc::clone(&self.owasp),
            });
        Ok(findings.collect())
    }

    fn in_markdown(&self, text: &str, refused: &mut Vec<(Range<usize>, UrlRefusal)>) {
        let parser = Parser::new_ext(text, Options::empty());
        for (_, definition) in parser.reference_definitions().iter() {
            self.judge(&definition.dest, definition.span.clone(), refused);
        }
        for (event, span) in parser.into_offset_iter() {
            if let Event::Start(
                Tag::Link {
                    link_type,
                    dest_url,
                    ..
                }
                | Tag::Image {
                    link_type,
                    dest_url,
                    ..
                },
            ) = event
                && link_type != LinkType::Email
            {
                self.judge(&dest_url, span, refused);
            }
        }
    }

    fn judge(
        &self,
        address: &str,
        span: Range<usize>,
        refused: &mut Vec<(Range<usize>, UrlRefusal)>,
    ) {
        // Browsers drop these before they read an address, and cut blanks at its ends.
        let clean: String = address
            .chars()
            .filter(|c| !matches!(c, '\t' | '\n' | '\r'))
            .collect();
        let clean = clean.trim_matches(|c: char| c <= ' ');
        let Some(absolute) = absolute(clean) else {
            return;
        };
        let judged = self.policy.judge(&absolute);
        if let Err(why) = judged
            && refused.len() < 4 * FINDINGS_MAX
        {
            refused.push((span, why));
        }
    }
}

impl Detector for Links {
    fn name(&self) -> &'static str {
        "links"
    }

    fn detect(&self, text: &str, _: Direction) -> Result<Vec<Finding>, NotEvaluated> {
        self.find(text)
    }
}

/// An address with its scheme; none if it is relative to the page. `\` counts as `/`, as browsers have it.
fn absolute(address: &str) -> Option<String> {
    let slashes = |c: char| matches!(c, '/' | '\\');
    if address.len() > 2 && address.starts_with(slashes) && address[1..].starts_with(slashes) {
        let rest = address.trim_start_matches(slashes);
        return Some(format!("https://{rest}"));
    }
    if address
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("www."))
    {
        return Some(format!("https://{address}"));
    }
    let (scheme, rest) = address.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if !is_scheme {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    if matches!(scheme.as_str(), "http" | "https") {
        // `https:/host` and `https:host` reach the same host.
        return Some(format!("{scheme}://{}", rest.trim_start_matches(slashes)));
    }
    Some(format!("{scheme}:{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Vec<(String, &str)> {
        let links = Links::new(["docs.example.org".to_owned()]);
        let found = links.find(text).unwrap();
        found
            .into_iter()
            .map(|one| (one.rule.to_string(), &text[one.span]))
            .collect()
    }

    #[test]
    fn every_form_of_markdown_and_html_is_read() {
        for text in [
            "![a](https://evil.example/x?d=1)",
            "![a](<https://evil.example/x> \"t\")",
            "![a][b]\n\n[b]: https://evil.example/x",
            "![a][]\n\n[a]: <https://evil.example/x>",
            "![a]\n\n[a]: https://evil.example/x",
            "[![a](https://docs.example.org/i)](https://evil.example/x)",
            "[![a](//evil.example/i)](https://docs.example.org)",
            "<https://evil.example/x>",
            "see https://evil.example/x, please",
            "see www.evil.example/x",
            "![a](https\\://evil.example/x)",
            "![a](&#104;ttps&colon;//evil.example/x)",
            "![a](/\\evil.example/x)",
            "![a](https:evil.example/x)",
            "[a](javascript:alert(1))",
            "<img src=https://evil.example/x>",
            "<IMG alt='>' SRC = '&#x68;ttps://evil.example/x'>",
            "<img src=\"https://evil\n.example/x\">",
            "<img srcset=\"/a 1x, //evil.example/x 2x\">",
            "<div style=\"background:u&#114;l(//evil.example/x)\">",
            "<style>@import '//evil.example/x';</style>",
            "<meta http-equiv=refresh content='0; url=//evil.example/x'>",
            "<svg><image xlink:href=\"//evil.example/x\"/></svg>",
            "<form action=//evil.example/x>",
            "<iframe srcdoc=\"&lt;img src=&quot;//evil.example/x&quot;&gt;\">",
            "$\\href{https://evil.example/x}{x}$",
            "```mermaid\ngraph TD; click A \"https://evil.example/x\"\n```",
            "{\"url\": \"https:\\/\\/evil.example\\/x\"}",
            "{\"url\": \"\\u0068ttps://evil.example/x\"}",
            "{\"url\": \"//evil.example/x\"}",
            "https://docs.example.org@evil.example/",
            "https://192.0.2.77/x",
        ] {
            assert!(!refused(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_allowed_or_no_address_passes() {
        for text in [
            "![a](https://docs.example.org/x) and <https://docs.example.org>",
            "![a](cat.png) [b](#top) [c](/docs) [d](docs/a:b)",
            "Use `![alt](url)`, `<img src=\"cat.png\">` or `https?://[^\\s]+`.",
            "git@github.com:org/repo.git, help@docs.example.org, 12:30, a[0](b)",
            "// a comment\nlet x = a // b;",
            "See docs.example.org.",
            "<a href=\"mailto:help@docs.example.org\">mail</a>",
        ] {
            assert_eq!(refused(text), [], "{text}");
        }
    }

    #[test]
    fn a_finding_says_why_and_where() {
        let found = refused("see https://evil.example/x.");
        assert_eq!(found, [("url/host".to_owned(), "https://evil.example/x")]);
    }

    #[test]
    fn hostile_nesting_takes_linear_time() {
        for piece in ["<img ", "![", "[](", "<", "&", "://", "\\"] {
            assert!(
                Links::new([])
                    .find(&piece.repeat(60_000 / piece.len()))
                    .is_ok()
            );
        }
    }
}
