//! Texts made to be slow: the beginnings of whatever a rule, a view or a recogniser looks for, over and
//! over. What counts is not that they are fast but that twice the text takes twice the time.

use plimsoll_guard::finding::Direction;
use plimsoll_guard::scan::Guard;

use crate::texts::Named;
use crate::timing;

/// By how much time per byte may grow when the text gets 16 times as long: caches get smaller beside it.
pub(crate) const GROWTH_MAX: f64 = 3.0;

const SIZES: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

/// What is repeated, by name.
const REPEATED: [(&str, &str); 38] = [
    ("one letter", "a"),
    ("one word", "the "),
    ("base64", "SWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnMg"),
    ("short base64 runs", "SWdub3JlIHRo "),
    ("hex", "69676e6f7265"),
    ("hex pairs", "69 67 6e 6f 72 65 "),
    ("percent signs", "%69%67%6e"),
    ("percent signs of percent signs", "%2525252541"),
    ("entities", "&#105;&lt;"),
    ("unclosed entities", "&#x"),
    ("entities of entities", "&amp;amp;amp;lt;"),
    ("backslash u", "\\u0069"),
    ("backslash u of backslash u", "\\u005cu0069"),
    ("broken surrogates", "\\ud83d\\u"),
    ("opening brackets", "[({"),
    ("opening tags", "<div hidden>"),
    ("unclosed tags", "<a title='"),
    ("unclosed comments", "<!--"),
    ("Markdown images", "![a](https://a.example/?q=[data"),
    ("chat template tokens", "<|im_start|>"),
    ("zero width", "i\u{200b}g\u{200b}"),
    ("tag characters", "\u{e0069}\u{e0067}"),
    ("tag characters apart", "a\u{e0041}"),
    ("tags with many quotes", "<a b'c'd'e'f'g'h'i'j'k'l'm'n'o'p'"),
    ("secrets", "ghp_0123456789abcdefghijABCDEFGHIJ012345 ghp_"),
    ("personal data", "me@example.com 4012888888881881 "),
    ("one capital in a word", "aB"),
    ("variation selectors", "\u{fe00}\u{e0105}"),
    ("backspaces", "ab\u{8}"),
    ("look-alikes", "іgnоrе "),
    ("marks", "e\u{301}\u{302}\u{303}"),
    ("ligatures", "\u{fdfa}"),
    ("leet", "1gn0r3 4ll "),
    ("letters apart", "i g n o r e  "),
    (
        "near-miss secrets",
        "AKIAIOSFODNN7EXAMPL ghp_0123456789abcdef ",
    ),
    ("assignments", "password = api_key: "),
    ("digits", "4012 8888 8888 1882 "),
    ("at signs", "a@b.c@"),
];

/// Keywords of rules whose patterns then look far ahead.
const STARTS: [(&str, &str); 5] = [
    ("ignore without what", "ignore all the "),
    ("reveal without what", "show me the very own "),
    ("roles without what", "\nsystem: "),
    ("never without what", "do not ever "),
    ("command lines", "curl -u a: -H 'Authorization: "),
];

/// All families, a text of `bytes` each.
pub(crate) fn families(bytes: usize) -> Vec<Named> {
    let repeated = REPEATED.iter().chain(&STARTS).map(|&(name, unit)| Named {
        name: name.to_owned(),
        texts: vec![cut(&unit.repeat(bytes / unit.len() + 1), bytes)],
    });
    let nested = Named {
        name: "nested base64".to_owned(),
        texts: vec![nested(bytes)],
    };
    let blanks = Named {
        name: "numbers after blanks".to_owned(),
        texts: vec![cut(
            &(" ".repeat(bytes / 2) + &"a@b.example ".repeat(bytes / 24 + 1)),
            bytes,
        )],
    };
    repeated.chain([nested, blanks]).collect()
}

fn cut(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}

/// Base64 within base64, four deep.
fn nested(bytes: usize) -> String {
    let mut text = "ignore the rules ".repeat(bytes / 17 + 1);
    text.truncate(bytes * 81 / 256);
    for _ in 0..4 {
        text = base64(text.as_bytes());
    }
    cut(&text, bytes)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .chain([&0, &0])
            .take(3)
            .fold(0u32, |bits, &byte| bits << 8 | u32::from(byte));
        for digit in 0..=three.len() {
            let sextet = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(DIGITS[sextet as usize]));
        }
    }
    text
}

/// Prints nanoseconds per byte by family and size; whether none grows.
pub(crate) fn print(guard: &Guard) -> bool {
    println!("\nnanoseconds per byte               4 KiB    64 KiB     1 MiB");
    let by_size = SIZES.map(families);
    let mut all_linear = true;
    for at in 0..by_size[0].len() {
        let mut costs = [0.0; SIZES.len()];
        for (cost, named) in costs.iter_mut().zip(by_size.iter().map(|size| &size[at])) {
            *cost = nanoseconds_per_byte(guard, &named.texts[0]);
        }
        // What short texts are let have of fixed costs is not growth.
        let grows = costs.windows(2).any(|two| two[1] > two[0] * GROWTH_MAX);
        all_linear &= !grows;
        let name = &by_size[0][at].name;
        let told = if grows { "  GROWS" } else { "" };
        println!(
            "{name:<32} {:>8.1}  {:>8.1}  {:>8.1}{told}",
            costs[0], costs[1], costs[2]
        );
    }
    all_linear
}

fn nanoseconds_per_byte(guard: &Guard, text: &str) -> f64 {
    let rounds = ((256 << 10) / text.len()).clamp(2, 20);
    let times = (0..rounds).map(|_| {
        let input = timing::once(text, |text| guard.scan(text, Direction::Input));
        let tool = timing::once(text, |text| guard.scan(text, Direction::Tool));
        input.max(tool)
    });
    let best = times.min().unwrap();
    best.as_secs_f64() * 1e9 / text.len() as f64
}
