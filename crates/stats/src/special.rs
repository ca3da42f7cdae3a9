//! The distributions that tests and intervals rest on: normal, chi square (central and not), Student's
//! t, beta, binomial, hypergeometric, Kolmogorov's.
//!
//! Each upper tail is summed by itself where it is small, never as one minus the lower: a p-value of
//! 10⁻⁴⁰ is told as that.

mod beta;
mod chi_square;
mod discrete;
mod gamma;
mod kolmogorov;
mod normal;
mod root;
mod student;

pub use beta::{beta_cdf, beta_quantile};
pub use chi_square::{
    chi_square_cdf, chi_square_quantile, chi_square_sf, noncentral_chi_square_quantile,
    noncentral_chi_square_sf,
};
pub use discrete::{binomial_cdf, binomial_pmf, binomial_sf, ln_choose};
pub use kolmogorov::{kolmogorov_sf, smirnov_sf};
pub use normal::{normal_cdf, normal_quantile, normal_sf};
pub use student::{student_t_quantile, student_t_sf};

pub(crate) use gamma::ln_gamma;
