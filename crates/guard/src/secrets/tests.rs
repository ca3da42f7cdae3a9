//! The shipped rules against their own examples, look-alikes, and files of rules that cannot work.

use super::*;

fn ids(text: &str) -> Vec<String> {
    let found = Secrets::shipped().find(text).unwrap();
    found.iter().map(|one| one.rule.to_string()).collect()
}

#[test]
fn every_shipped_pattern_compiles() {
    Secrets::shipped().compile().unwrap();
    assert!(Secrets::shipped().rules().len() > 150);
}

#[test]
fn every_example_in_the_file_is_true() {
    let secrets = Secrets::shipped();
    for rule in secrets.rules() {
        for text in &rule.finds {
            assert!(
                ids(text).contains(&rule.id.to_string()),
                "{} in {text}",
                rule.id
            );
        }
        for text in &rule.passes {
            assert!(
                !ids(text).contains(&rule.id.to_string()),
                "{} in {text}",
                rule.id
            );
        }
    }
}

#[test]
fn a_secret_is_found_where_it_stands() {
    let text = "größer: heroku_key = \"12345678-abcd-abcd-abcd-1234567890ab\", so";
    let found = Secrets::shipped().find(text).unwrap();
    assert_eq!(
        &text[found[0].span.clone()],
        "12345678-abcd-abcd-abcd-1234567890ab"
    );
    assert_eq!(&*found[0].owasp, ["LLM02:2026"]);
}

#[test]
fn look_alikes_are_no_secrets() {
    for harmless in [
        "The md5 of the file is 869b7bb71fcb447fc135c396aff26c03.",
        "order id 15637ebb-8e3b-491d-a26a-b4a829a95249 was delayed",
        "commit d2b6cd684fb9035e22c1d460fae4e72b005d284b fixed the parser",
        "ETag: \"3266ab5e27cec03b40fca2f903fb6ac4\"",
        "https://example.com/a?b=c#d, mail me: a.b@example.com",
        "\"bucket_key\": \"SalesResults-1.2\"",
        "the password is hard to remember: please write it down",
    ] {
        assert_eq!(ids(harmless), Vec::<String>::new(), "{harmless}");
    }
}

#[test]
fn rules_that_cannot_work_are_refused() {
    let bad = [
        "version = 1\n[[rules]]\nid = \"a\"\nprefix = [\"x\"]",
        "version = 1\n[[rules]]\nid = \"a\"\nprefix = [\"x\"]\nrest = \"y\"\nnear = [\"z\"]\nvalue = \"v\"",
        "version = 1\n[[rules]]\nid = \"a\"\nprefix = [\"\"]\nrest = \"y\"",
        "version = 1\n[[rules]]\nid = \"A b\"\nprefix = [\"x\"]\nrest = \"y\"",
        "version = 1\n[[rules]]\nid = \"a\"\nprefixes = [\"x\"]",
    ];
    for text in bad {
        assert!(Secrets::parse(text).is_err(), "{text}");
    }
    let bad = "version = 1\n[[rules]]\nid = \"a\"\nprefix = [\"x\"]\nrest = \"(\"";
    let error = Secrets::parse(bad).unwrap().compile().unwrap_err();
    assert!(matches!(error, RuleError::Pattern { .. }));
}

#[test]
fn a_text_made_of_beginnings_is_given_up_rather_than_judged_slowly() {
    let hostile = "-----BEGIN PRIVATE".repeat(40_000);
    let judged = Secrets::shipped().find(&hostile);
    assert!(
        judged.is_ok_and(|found| found.is_empty()) || Secrets::shipped().find(&hostile).is_err()
    );
}
