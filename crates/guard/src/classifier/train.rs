//! Training: logistic regression over hashed features by `AdaGrad`, then int8.
//!
//! The same rows in the same order give the same bytes: one thread, a fixed seed, no clock. The
//! thresholds come from folds: a group of near-duplicates is never on both sides, so that one in a
//! hundred means one in a hundred of texts that were not trained on.

use super::features::Extractor;
use super::script;
use super::weights::{Head, HeadMeta, HeadName, WeightsError};
use crate::views::{ViewLimits, Views};

/// How weights are learnt.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Settings {
    /// 2^`bits` weights.
    pub bits: u32,
    /// How often the rows are gone through.
    pub epochs: u32,
    /// How far the first step goes.
    pub rate: f32,
    /// How strongly weights are drawn to zero.
    pub decay: f32,
    /// How far from certain the goal of each text is, so that no single one is learnt by heart.
    pub smoothing: f32,
    /// The seed of the order of rows.
    pub seed: u64,
}

impl Settings {
    /// The settings of the release for this head.
    pub const fn of(head: HeadName) -> Self {
        let (bits, decay, smoothing) = match head {
            HeadName::Prompt => (18, 5e-4, 0.02),
            HeadName::Document => (17, 3e-5, 0.1),
        };
        Self {
            bits,
            epochs: 14,
            rate: 0.12,
            decay,
            smoothing,
            seed: 20_261_128,
        }
    }
}

/// A text with its truth, as features.
#[derive(Clone, Debug)]
pub struct Example {
    /// The features' places.
    pub features: Vec<u32>,
    /// Whether it is an attack.
    pub attack: bool,
    /// Near-duplicates share it, so that they stay together.
    pub group: u64,
    /// How much it counts.
    pub weight: f32,
}

impl Example {
    /// An example of `text`; none if the classifier would not judge it.
    pub fn of(text: &str, attack: bool, group: u64, weight: f32, bits: u32) -> Option<Self> {
        let views = Views::of(text, &ViewLimits::default());
        let folded = views.folded();
        script::can_judge(folded.text()).then(|| Self {
            features: Extractor::with(|extractor| {
                extractor
                    .extract(folded.text(), folded.shape(), bits)
                    .to_vec()
            }),
            attack,
            group,
            weight,
        })
    }
}

/// Weights before they are made small.
#[derive(Clone, Debug)]
pub struct Learnt {
    table: Vec<f32>,
    bias: f32,
}

impl Learnt {
    /// The logit of features.
    pub fn logit(&self, features: &[u32]) -> f64 {
        let sum: f32 = features
            .iter()
            .map(|&place| self.table[place as usize])
            .sum();
        f64::from(sum) / (features.len().max(1) as f64).sqrt() + f64::from(self.bias)
    }
}

/// Learns from `examples`.
pub fn learn(examples: &[&Example], settings: &Settings) -> Learnt {
    let mut table = vec![0f32; 1 << settings.bits];
    let mut squares = vec![1e-3f32; 1 << settings.bits];
    let (mut bias, mut bias_squares) = (0f32, 1e-3f32);
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut random = settings.seed;
    for epoch in 0..settings.epochs {
        shuffle(&mut order, &mut random);
        let rate = settings.rate / (1.0 + epoch as f32 * 0.15);
        for &index in &order {
            let example = examples[index];
            let norm = 1.0 / (example.features.len().max(1) as f32).sqrt();
            let sum: f32 = example
                .features
                .iter()
                .map(|&place| table[place as usize])
                .sum();
            let guess = 1.0 / (1.0 + (-(sum * norm + bias)).exp());
            let goal = if example.attack {
                1.0 - settings.smoothing
            } else {
                settings.smoothing
            };
            let error = (guess - goal) * example.weight;
            let step = error * norm;
            for &place in &example.features {
                let place = place as usize;
                let slope = step + settings.decay * table[place];
                squares[place] += slope * slope;
                table[place] -= rate * slope / squares[place].sqrt();
            }
            bias_squares += error * error;
            bias -= rate * error / bias_squares.sqrt();
        }
    }
    Learnt { table, bias }
}

/// The logits of each example by weights that were learnt without its group. Examples without weight
/// are judged and not learnt from.
pub fn out_of_fold(examples: &[Example], settings: &Settings, folds: u64) -> Vec<f64> {
    let mut logits = vec![0.0; examples.len()];
    for fold in 0..folds {
        let is_out = |example: &Example| scrambled(example.group) % folds == fold;
        let is_kept = |example: &&Example| !is_out(example) && example.weight > 0.0;
        let kept: Vec<_> = examples.iter().filter(is_kept).collect();
        let learnt = learn(&kept, settings);
        for (logit, example) in logits.iter_mut().zip(examples) {
            if is_out(example) {
                *logit = learnt.logit(&example.features);
            }
        }
    }
    logits
}

/// The value that `share` of `values` lie above.
pub fn quantile_above(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(|a, b| b.total_cmp(a));
    let above = (values.len() as f64 * share).floor() as usize;
    values.get(above).copied().unwrap_or(0.0)
}

/// Makes weights small: a step of int8 for the largest of all but one in ten thousand.
///
/// # Errors
/// If the weights are no numbers.
pub fn quantised(
    learnt: &Learnt,
    name: HeadName,
    bits: u32,
    review: f64,
    block: f64,
) -> Result<Head, WeightsError> {
    let mut sizes: Vec<f32> = learnt.table.iter().map(|weight| weight.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let largest = sizes[sizes.len() - 1 - sizes.len() / 10_000].max(1e-6);
    let scale = largest / 127.0;
    let small = learnt
        .table
        .iter()
        .map(|weight| (weight / scale).round().clamp(-127.0, 127.0) as i8);
    let meta = HeadMeta {
        name,
        bits,
        scale,
        bias: learnt.bias,
        review,
        block,
    };
    Head::new(meta, small.collect())
}

fn shuffle(order: &mut [usize], random: &mut u64) {
    for last in (1..order.len()).rev() {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = (*random >> 33) as usize % (last + 1);
        order.swap(last, other);
    }
}

fn scrambled(value: u64) -> u64 {
    let mixed = (value ^ value >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}
