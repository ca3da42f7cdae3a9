//! Has a stream changed? Detectors that take one value at a time, in constant or logarithmic memory.
//!
//! [`ShiryaevRoberts`] is the one to use for badness: its mean time between false alarms is at least what
//! is asked of it, by theorem, whatever the distribution. [`WindowedTests`] is the same for tests of windows, such as
//! those on drift. [`Cusum`] and [`Ewma`] are for latency and cost.
//! [`EmpiricalBernstein`] gives an interval that may be looked at at any time. The others are well-known
//! second opinions, as River has them: they promise less.

mod adwin;
mod binary;
mod confidence_sequence;
mod control_chart;
mod hoeffding;
mod kswin;
mod p_values;
mod page_hinkley;
mod sequential;
mod shiryaev_roberts;

pub use adwin::Adwin;
pub use binary::{Ddm, Eddm};
pub use confidence_sequence::{EmpiricalBernstein, normal_mixture_radius, normal_mixture_rho};
pub use control_chart::{Cusum, Ewma};
pub use hoeffding::{HddmA, HddmW};
pub use kswin::Kswin;
pub use p_values::WindowedTests;
pub use page_hinkley::{Direction, PageHinkley};
pub use sequential::{BernoulliCusum, BetaBinomial, Sprt, SprtVerdict};
pub use shiryaev_roberts::{FACTORS, ShiryaevRoberts};

/// What a detector says of one more value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Nothing.
    Quiet,
    /// It may be changing.
    Warning,
    /// It has changed. The detector begins anew with the next value.
    Change,
    /// The value is not one that the detector is for (NaN, infinite, out of range): it was left out, and
    /// whoever feeds it has to count that.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_detector_is_poisoned_by_what_is_no_number() {
        fn clean(name: &str, mut update: impl FnMut(f64) -> Signal) {
            for value in [f64::NAN, f64::INFINITY] {
                assert_eq!(update(value), Signal::Refused, "{name}");
            }
            assert_ne!(update(0.5), Signal::Refused, "{name}");
        }
        let mut detector = ShiryaevRoberts::new(0.1, 1_000.0).unwrap();
        clean("e-SR", |x| detector.update(x));
        let mut detector = Adwin::default();
        clean("ADWIN", |x| detector.update(x));
        let mut detector = PageHinkley::default();
        clean("Page-Hinkley", |x| detector.update(x));
        let mut detector = HddmA::default();
        clean("HDDM_A", |x| detector.update(x));
        let mut detector = HddmW::default();
        clean("HDDM_W", |x| detector.update(x));
        let mut detector = Kswin::default();
        clean("KSWIN", |x| detector.update(x));
        let mut detector = Cusum::default();
        clean("CUSUM", |x| detector.update(x));
        let mut detector = Ewma::default();
        clean("EWMA", |x| detector.update(x));
        let mut detector = EmpiricalBernstein::new(0.05).unwrap();
        clean("empirical Bernstein", |x| detector.update(x));
    }
}
