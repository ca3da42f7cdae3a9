//! Which decisions belong to a sample: a hash of their ids says so, so that the same ones do on every node, in
//! every run, and however many others there are.

use crate::digest::Digest;
use crate::ids::DecisionId;

/// Where a decision stands among all, as if drawn by lot: uniform over all numbers. Another seed draws another lot.
pub fn lot(seed: u64, decision: DecisionId) -> u64 {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..].copy_from_slice(&decision.to_bytes());
    let digest = Digest::of(&bytes);
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_be_bytes(first)
}

/// Whether a decision belongs to the sample that takes this share. A larger share takes the same ones and more.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 53 bits"
)]
pub fn is_sampled(seed: u64, decision: DecisionId, share: f64) -> bool {
    (lot(seed, decision) as f64) < share * (u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_sample_has_its_share_and_a_larger_one_holds_it() {
        let ids: Vec<DecisionId> = (0..20_000)
            .map(|micros| DecisionId::new(Timestamp::from_micros(micros)))
            .collect();
        let taken = |seed, share| ids.iter().filter(move |id| is_sampled(seed, **id, share));
        let count = taken(7, 0.1).count();
        assert!((1_800..2_200).contains(&count), "{count}");
        assert!(taken(7, 0.1).all(|id| is_sampled(7, *id, 0.2)));
        assert!(taken(7, 0.1).any(|id| !is_sampled(8, *id, 0.1)));
        assert_eq!((taken(7, 0.0).count(), taken(7, 1.0).count()), (0, 20_000));
    }
}
