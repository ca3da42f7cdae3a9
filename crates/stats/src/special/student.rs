//! Student's t distribution.

use super::beta::beta_tails;
use super::root::crossing_upwards;

/// P(T > t) with `freedom` degrees of freedom.
pub fn student_t_sf(t: f64, freedom: f64) -> f64 {
    let (beyond, _) = beta_tails(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    if t >= 0.0 {
        beyond / 2.0
    } else {
        1.0 - beyond / 2.0
    }
}

/// Where P(T ≤ t) is `p`.
pub fn student_t_quantile(p: f64, freedom: f64) -> f64 {
    if p < 0.5 {
        return -student_t_quantile(1.0 - p, freedom);
    }
    crossing_upwards(0.0, 4.0, |t| student_t_sf(t, freedom) > 1.0 - p)
}
