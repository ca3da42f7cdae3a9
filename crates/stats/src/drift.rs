//! Whether two samples of one column come from one distribution, and how far apart they are.
//!
//! [`Sample`] sets aside what is no finite number and counts it. [`Cuts`] turn numbers into counts, so
//! that numbers and categories share [`psi`], the distances and the tests. [`TolerantPsi`] is what
//! decides unless something else is asked for: it knows how large PSI becomes by chance at these
//! sizes, and does not call drift what is smaller than a tolerated amount, however many rows there are.

mod cuts;
mod distances;
mod homogeneity;
mod ks;
mod psi;
mod quality;
mod sample;

pub use cuts::{BINS_MAX, Cuts, bins_for};
pub use distances::{Shares, hellinger, jensen_shannon, l_infinity, total_variation, wasserstein};
pub use homogeneity::{Homogeneity, chi_square_homogeneity, g_homogeneity};
pub use ks::{Ks, KsTail, ks, ks_and_wasserstein};
pub use psi::{PsiTest, Smoothing, TolerantPsi, psi, psi_by_bin};
pub use quality::{MissingTest, OutOfRange, missing_share, new_category, out_of_range};
pub use sample::Sample;
