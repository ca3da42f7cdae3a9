//! SHA-256 (FIPS 180-4) of many short texts at once.
//!
//! A processor with instructions for SHA-256 hashes one text after the other fast enough. One without,
//! and with AVX2, hashes eight texts side by side in about the time of two: each word of the algorithm
//! becomes a row of eight, a lane for each text, and a lane whose text has ended takes the next one.

use sha2::{Digest as _, Sha256};

use super::tree::Hash;

/// Texts that are hashed side by side.
const LANES: usize = 8;
/// Fewer texts than this are hashed one after the other.
const TOGETHER_MIN: usize = 3;
const BLOCK: usize = 64;

/// The hashes of `prefix` followed by each of `texts`.
pub(crate) fn hash_all(prefix: u8, texts: &[&[u8]]) -> Vec<Hash> {
    let mut hashes = vec![[0; 32]; texts.len()];
    // What is not optimized gains nothing: the lanes are then no rows.
    let together = texts.len() >= TOGETHER_MIN && !cfg!(debug_assertions);
    if !together || !lanes::hash(prefix, texts, &mut hashes) {
        for (text, hash) in texts.iter().zip(&mut hashes) {
            *hash = one(prefix, text);
        }
    }
    hashes
}

/// The hash of `prefix` followed by `text`.
pub(crate) fn one(prefix: u8, text: &[u8]) -> Hash {
    let hash = Sha256::new().chain_update([prefix]).chain_update(text);
    hash.finalize().into()
}

/// Texts, copied behind each other, that wait to be hashed together.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// So many texts are worth being hashed together.
const MANY: usize = 256;
/// So many bytes are, too: they stay in the processor's cache.
const MANY_BYTES: usize = 256 << 10;

impl Gathered {
    pub(crate) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    /// Whether it is time to hash them.
    pub(crate) const fn are_many(&self) -> bool {
        self.ends.len() >= MANY || self.bytes.len() >= MANY_BYTES
    }

    /// The texts.
    pub(crate) fn texts(&self) -> Vec<&[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let ranges = begins.zip(self.ends.iter().copied());
        ranges.map(|(begin, end)| &self.bytes[begin..end]).collect()
    }

    /// Makes it empty, and keeps its memory, unless that is a lot.
    pub(crate) fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
        self.bytes.shrink_to(2 * MANY_BYTES);
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod lanes {
    /// False: nothing was hashed.
    pub(super) fn hash(_: u8, _: &[&[u8]], _: &mut [super::Hash]) -> bool {
        false
    }
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    use super::{BLOCK, Hash, LANES};

    type Row = [u32; LANES];

    /// FIPS 180-4, section 5.3.3.
    const BEGIN: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];

    /// FIPS 180-4, section 4.2.2.
    const ROUNDS: [u32; 64] = [
        0x428a_2f98,
        0x7137_4491,
        0xb5c0_fbcf,
        0xe9b5_dba5,
        0x3956_c25b,
        0x59f1_11f1,
        0x923f_82a4,
        0xab1c_5ed5,
        0xd807_aa98,
        0x1283_5b01,
        0x2431_85be,
        0x550c_7dc3,
        0x72be_5d74,
        0x80de_b1fe,
        0x9bdc_06a7,
        0xc19b_f174,
        0xe49b_69c1,
        0xefbe_4786,
        0x0fc1_9dc6,
        0x240c_a1cc,
        0x2de9_2c6f,
        0x4a74_84aa,
        0x5cb0_a9dc,
        0x76f9_88da,
        0x983e_5152,
        0xa831_c66d,
        0xb003_27c8,
        0xbf59_7fc7,
        0xc6e0_0bf3,
        0xd5a7_9147,
        0x06ca_6351,
        0x1429_2967,
        0x27b7_0a85,
        0x2e1b_2138,
        0x4d2c_6dfc,
        0x5338_0d13,
        0x650a_7354,
        0x766a_0abb,
        0x81c2_c92e,
        0x9272_2c85,
        0xa2bf_e8a1,
        0xa81a_664b,
        0xc24b_8b70,
        0xc76c_51a3,
        0xd192_e819,
        0xd699_0624,
        0xf40e_3585,
        0x106a_a070,
        0x19a4_c116,
        0x1e37_6c08,
        0x2748_774c,
        0x34b0_bcb5,
        0x391c_0cb3,
        0x4ed8_aa4a,
        0x5b9c_ca4f,
        0x682e_6ff3,
        0x748f_82ee,
        0x78a5_636f,
        0x84c8_7814,
        0x8cc7_0208,
        0x90be_fffa,
        0xa450_6ceb,
        0xbef9_a3f7,
        0xc671_78f2,
    ];

    /// Hashes the texts, if this processor does so faster side by side. False: nothing was hashed.
    pub(super) fn hash(prefix: u8, texts: &[&[u8]], hashes: &mut [Hash]) -> bool {
        if is_x86_feature_detected!("sha") || !is_x86_feature_detected!("avx2") {
            return false;
        }
        #[expect(
            unsafe_code,
            reason = "the function asks for AVX2, which was found one line above"
        )]
        unsafe {
            side_by_side(prefix, texts, hashes);
        }
        true
    }

    /// A text on its way through the algorithm.
    struct Lane<'a> {
        text: &'a [u8],
        place: usize,
        block: usize,
    }

    impl<'a> Lane<'a> {
        /// How many blocks prefix, text, the bit behind them and their length fill.
        const fn blocks(&self) -> usize {
            (1 + self.text.len() + 1 + 8).div_ceil(BLOCK)
        }

        fn take(texts: &[&'a [u8]], next: &mut usize) -> Option<Self> {
            let place = *next;
            *next += 1;
            texts.get(place).map(|text| Self {
                text,
                place,
                block: 0,
            })
        }

        /// The next block: of prefix, text and padding (FIPS 180-4, section 5.1.1).
        #[inline(always)]
        fn fill(&mut self, prefix: u8, block: &mut [u8; BLOCK]) {
            let (begin, total) = (self.block * BLOCK, 1 + self.text.len());
            self.block += 1;
            if begin > 0 && begin + BLOCK <= total {
                block.copy_from_slice(&self.text[begin - 1..begin - 1 + BLOCK]);
                return;
            }
            *block = [0; BLOCK];
            let skip = usize::from(begin == 0);
            if begin == 0 {
                block[0] = prefix;
            }
            let from = (begin + skip - 1).min(self.text.len());
            let rest = &self.text[from..];
            let count = rest.len().min(BLOCK - skip);
            block[skip..skip + count].copy_from_slice(&rest[..count]);
            if (begin..begin + BLOCK).contains(&total) {
                block[total - begin] = 0x80;
            }
            if self.block == self.blocks() {
                let bits = total as u64 * 8;
                block[BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
            }
        }
    }

    #[target_feature(enable = "avx2")]
    fn side_by_side(prefix: u8, texts: &[&[u8]], hashes: &mut [Hash]) {
        let mut next = 0;
        let mut lanes: [Option<Lane<'_>>; LANES] =
            std::array::from_fn(|_| Lane::take(texts, &mut next));
        let mut state: [Row; 8] = BEGIN.map(|word| [word; LANES]);
        let mut words = [[0; LANES]; 16];
        let mut block = [0; BLOCK];
        while lanes.iter().any(Option::is_some) {
            for (at, lane) in lanes.iter_mut().enumerate() {
                let Some(lane) = lane else { continue };
                lane.fill(prefix, &mut block);
                let (four, _) = block.as_chunks();
                for (row, word) in words.iter_mut().zip(four) {
                    row[at] = u32::from_be_bytes(*word);
                }
            }
            compress(&mut state, &mut words);
            for (at, slot) in lanes.iter_mut().enumerate() {
                if let Some(lane) = slot.take_if(|lane| lane.block == lane.blocks()) {
                    let (four, _) = hashes[lane.place].as_chunks_mut();
                    for ((row, begin), word) in state.iter_mut().zip(BEGIN).zip(four) {
                        *word = row[at].to_be_bytes();
                        row[at] = begin;
                    }
                    *slot = Lane::take(texts, &mut next);
                }
            }
        }
    }

    #[inline(always)]
    fn each(word: impl Fn(usize) -> u32) -> Row {
        let mut row = [0; LANES];
        for (at, lane) in row.iter_mut().enumerate() {
            *lane = word(at);
        }
        row
    }

    /// FIPS 180-4, section 6.2.2, in every lane.
    #[inline(always)]
    fn compress(state: &mut [Row; 8], words: &mut [Row; 16]) {
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
        for (round, constant) in ROUNDS.iter().enumerate() {
            let word = schedule(words, round);
            let first = each(|at| {
                let sum = e[at].rotate_right(6) ^ e[at].rotate_right(11) ^ e[at].rotate_right(25);
                let choice = (e[at] & f[at]) ^ (!e[at] & g[at]);
                let sum = h[at].wrapping_add(sum).wrapping_add(choice);
                sum.wrapping_add(*constant).wrapping_add(word[at])
            });
            let second = each(|at| {
                let sum = a[at].rotate_right(2) ^ a[at].rotate_right(13) ^ a[at].rotate_right(22);
                sum.wrapping_add((a[at] & b[at]) ^ (a[at] & c[at]) ^ (b[at] & c[at]))
            });
            (h, g, f) = (g, f, e);
            e = each(|at| d[at].wrapping_add(first[at]));
            (d, c, b) = (c, b, a);
            a = each(|at| first[at].wrapping_add(second[at]));
        }
        for (row, more) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *row = each(|at| row[at].wrapping_add(more[at]));
        }
    }

    /// The word of a round; from the seventeenth on it takes the place of the one sixteen rounds before.
    #[inline(always)]
    fn schedule(words: &mut [Row; 16], round: usize) -> Row {
        if round < 16 {
            return words[round];
        }
        let [w0, w1, w9, w14] = [0, 1, 9, 14].map(|back| words[(round + back) % 16]);
        let word = each(|at| {
            let low = w1[at].rotate_right(7) ^ w1[at].rotate_right(18) ^ (w1[at] >> 3);
            let high = w14[at].rotate_right(17) ^ w14[at].rotate_right(19) ^ (w14[at] >> 10);
            let sum = w0[at].wrapping_add(low).wrapping_add(w9[at]);
            sum.wrapping_add(high)
        });
        words[round % 16] = word;
        word
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hashes_fit(prefix: u8, texts: &[Vec<u8>]) -> bool {
        let slices: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let expected: Vec<Hash> = slices.iter().map(|text| one(prefix, text)).collect();
        let mut hashes = vec![[0; 32]; texts.len()];
        let are_hashed = lanes::hash(prefix, &slices, &mut hashes);
        hash_all(prefix, &slices) == expected && (!are_hashed || hashes == expected)
    }

    #[test]
    fn texts_of_every_length_around_a_block_have_their_hash() {
        let texts: Vec<_> = (0..=200).map(|length| vec![b'x'; length]).collect();
        assert!(hashes_fit(0, &texts));
        assert!(hashes_fit(1, &texts[..2]));
        assert!(hashes_fit(1, &[]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn many_texts_have_the_hashes_that_each_has_alone(
            prefix in any::<u8>(),
            texts in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..400), 0..40),
        ) {
            prop_assert!(hashes_fit(prefix, &texts));
        }
    }

    #[test]
    fn gathered_texts_come_out_as_they_went_in() {
        let mut gathered = Gathered::default();
        for text in [&b"a"[..], b"", b"bcd"] {
            gathered.push(text);
        }
        assert_eq!(gathered.texts(), [&b"a"[..], b"", b"bcd"]);
        assert!(!gathered.are_many());
        gathered.push(&vec![0; MANY_BYTES]);
        assert!(gathered.are_many());
        gathered.clear();
        assert!(gathered.texts().is_empty());
    }
}
