//! Why something could not be computed: told in words, never as a NaN.

/// What is wrong with the numbers that were given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unusable {
    /// There is nothing to compute from.
    #[error("there are no values")]
    Empty,
    /// There is something, but not enough.
    #[error("{have} values are too few, {needs} are needed")]
    TooFew {
        /// How many there are.
        have: usize,
        /// How many there have to be.
        needs: usize,
    },
    /// A value is NaN or infinite.
    #[error("value {at} is not a finite number")]
    NotFinite {
        /// Which, counted from zero.
        at: usize,
    },
    /// Two lists that belong together are not equally long.
    #[error("{left} values stand against {right}, and each needs its other")]
    LengthsDiffer {
        /// How long the first is.
        left: usize,
        /// How long the second is.
        right: usize,
    },
    /// A parameter or a value is outside of what the formula is for.
    #[error("{what} must be {must}")]
    OutOfRange {
        /// What it is.
        what: &'static str,
        /// Where it has to lie.
        must: &'static str,
    },
    /// All values are equal, so that nothing can be told from how they vary.
    #[error("all values are the same")]
    Constant,
    /// Labels of one class only.
    #[error("only one class is there, and two are needed")]
    OneClass,
}

/// A number, or why there is none.
pub type Result<T, E = Unusable> = std::result::Result<T, E>;

/// That two lists have one length, which is not zero.
pub(crate) fn paired(left: usize, right: usize) -> Result<()> {
    if left != right {
        return Err(Unusable::LengthsDiffer { left, right });
    }
    if left == 0 {
        return Err(Unusable::Empty);
    }
    Ok(())
}

/// That every value is finite.
pub(crate) fn finite(values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Unusable::NotFinite { at }),
        None => Ok(()),
    }
}

/// That there are at least `needs` values.
pub(crate) fn enough(have: usize, needs: usize) -> Result<()> {
    match have {
        0 => Err(Unusable::Empty),
        _ if have < needs => Err(Unusable::TooFew { have, needs }),
        _ => Ok(()),
    }
}

/// That a probability that is chosen (a level, a power) lies strictly between 0 and 1.
pub(crate) fn level(what: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    let must = "between 0 and 1, and neither of them";
    Err(Unusable::OutOfRange { what, must })
}

/// That a rate that was or could be observed lies in [0, 1].
pub(crate) fn rate(what: &'static str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    let must = "between 0 and 1";
    Err(Unusable::OutOfRange { what, must })
}
