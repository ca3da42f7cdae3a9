//! What is answered: text that follows from a hash of the question, in pieces that count as tokens.

/// Words that answers are made of.
const WORDS: [&str; 64] = [
    "anchor",
    "ballast",
    "beam",
    "berth",
    "bollard",
    "bow",
    "bridge",
    "bulkhead",
    "buoy",
    "cabin",
    "cargo",
    "chart",
    "cleat",
    "compass",
    "course",
    "crane",
    "crew",
    "deck",
    "depth",
    "dock",
    "draft",
    "fender",
    "ferry",
    "flag",
    "fleet",
    "freight",
    "galley",
    "gangway",
    "harbour",
    "hatch",
    "hawser",
    "helm",
    "hold",
    "hull",
    "keel",
    "knot",
    "ladder",
    "lantern",
    "lighthouse",
    "line",
    "log",
    "mast",
    "mooring",
    "pilot",
    "pier",
    "port",
    "quay",
    "rigging",
    "rope",
    "rudder",
    "sail",
    "salt",
    "ship",
    "signal",
    "sounding",
    "stern",
    "stevedore",
    "tide",
    "timber",
    "tug",
    "vessel",
    "watch",
    "wave",
    "wharf",
];

/// FNV-1a over `bytes`, begun with `seed`.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let begin = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bytes.iter().fold(begin, |state, byte| {
        (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A sentence that says that it is simulated, and else depends on `hash` alone: 12 to 19 words.
pub(crate) fn sentence(hash: u64) -> String {
    let words = 10 + (hash >> 56) % 8;
    let mut text = String::with_capacity(160);
    text.push_str("Simulated answer:");
    let mut state = hash.wrapping_mul(0x2545_F491_4F6C_DD1D);
    for _ in 0..words {
        state = state
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        let word = usize::try_from(state >> 58).unwrap_or(0);
        text.push(' ');
        text.push_str(WORDS[word]);
    }
    text
}

/// A number from 0 to 1 that follows from `hash`, with three decimal places.
pub(crate) fn share(hash: u64) -> f64 {
    let thousandths = u32::try_from((hash >> 40) % 1000).unwrap_or(0);
    f64::from(thousandths) / 1000.0
}

/// The pieces of an answer that count as tokens and are streamed one by one: each ends after a space or comma.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', ','])
}

/// How many tokens a prompt counts: a quarter of its bytes, rounded up.
pub(crate) fn prompt_tokens(prompt: &[u8]) -> u64 {
    (prompt.len() as u64).div_ceil(4)
}

/// How many tokens an answer counts.
pub(crate) fn completion_tokens(text: &str) -> u64 {
    pieces(text).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_questions_have_equal_answers_and_others_differ() {
        let answer = |question: &[u8]| sentence(hash(0, question));
        assert_eq!(answer(b"where is my order"), answer(b"where is my order"));
        assert_ne!(answer(b"where is my order"), answer(b"where is my other"));
        assert!(answer(b"").starts_with("Simulated answer: "));
    }

    #[test]
    fn pieces_make_up_the_text() {
        let text = sentence(7);
        assert_eq!(pieces(&text).collect::<String>(), text);
        assert_eq!(completion_tokens(&text), text.split(' ').count() as u64);
    }
}
