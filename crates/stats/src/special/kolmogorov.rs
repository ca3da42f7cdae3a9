//! The distribution of Kolmogorov's D of one sample of n, as Simard and L'Ecuyer (2011) put it
//! together: exact where that is cheap, an expansion elsewhere.

use std::f64::consts::PI;

use super::gamma::ln_gamma;

/// Above so many, Smirnov's sum gives way to its expansion, whose relative error is below 1/n.
const SUMMED_MAX: u64 = 100_000;

/// P(D > x) for the two-sided statistic of a sample of n.
pub fn kolmogorov_sf(n: u64, x: f64) -> f64 {
    if n == 0 || x <= 0.0 {
        return 1.0;
    }
    if x >= 1.0 {
        return 0.0;
    }
    let size = n as f64;
    let t = size * x;
    if t <= 0.5 {
        return 1.0;
    }
    if t <= 1.0 {
        // Ruben and Gambino.
        let ln = ln_gamma(size + 1.0) - size * size.ln() + size * (2.0 * t - 1.0).ln();
        return 1.0 - ln.exp();
    }
    if t >= size - 1.0 {
        return 2.0 * (1.0 - x).powf(size);
    }
    let squared = t * x;
    let tail_only = if n <= 140 { 4.0 } else { 2.2 };
    if x >= 0.5 || squared > tail_only {
        return (2.0 * smirnov_sf(n, x)).min(1.0);
    }
    let cdf = if n <= 140 || (n <= SUMMED_MAX && size * x.powf(1.5) <= 1.4) {
        durbin(n, x)
    } else {
        pelz_good(size, x)
    };
    (1.0 - cdf).clamp(0.0, 1.0)
}

/// P(D⁺ > x) for the one-sided statistic of a sample of n: Smirnov's sum.
pub fn smirnov_sf(n: u64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x >= 1.0 {
        return 0.0;
    }
    let size = n as f64;
    if n > SUMMED_MAX {
        // Maag and Dicaire (1971).
        return (-(6.0 * size * x + 1.0).powi(2) / (18.0 * size)).exp();
    }
    let last = (size * (1.0 - x)).floor() as u64;
    let mut ln_ways = 0.0;
    let mut sum = 0.0;
    for j in 0..=last {
        let index = j as f64;
        let (below, above) = (x + index / size, 1.0 - x - index / size);
        if above > 0.0 {
            sum += (ln_ways + (index - 1.0) * below.ln() + (size - index) * above.ln()).exp();
        } else if j == n {
            sum += (ln_ways + (index - 1.0) * below.ln()).exp();
        }
        ln_ways += (size - index).ln() - (index + 1.0).ln();
    }
    (x * sum).clamp(0.0, 1.0)
}

/// P(D ≤ x), exact: the matrix of Durbin, raised to the n-th power (Marsaglia, Tsang, Wang 2003).
fn durbin(n: u64, x: f64) -> f64 {
    let t = n as f64 * x;
    let k = t.floor() as usize + 1;
    let width = 2 * k - 1;
    let h = k as f64 - t;
    let mut matrix = vec![0.0; width * width];
    for row in 0..width {
        for column in 0..width.min(row + 2) {
            matrix[row * width + column] = 1.0;
        }
    }
    for i in 0..width {
        let power = h.powi(i as i32 + 1);
        matrix[i * width] -= power;
        matrix[(width - 1) * width + i] -= h.powi((width - i) as i32);
    }
    if 2.0 * h > 1.0 {
        matrix[(width - 1) * width] += (2.0 * h - 1.0).powi(width as i32);
    }
    let mut factorial = 1.0;
    for distance in 1..=width {
        factorial *= distance as f64;
        // Entries `distance - 1` below the superdiagonal are divided by `distance` factorial.
        for row in (distance - 1)..width {
            matrix[row * width + row + 1 - distance] /= factorial;
        }
    }
    let (power, exponent) = raised(&matrix, width, n);
    let mut value = power[(k - 1) * width + k - 1];
    let mut exponent = exponent;
    for i in 1..=n {
        value *= i as f64 / n as f64;
        if value < 1e-140 {
            value *= 1e140;
            exponent -= 140;
        }
    }
    value * 10_f64.powi(exponent)
}

/// A matrix to the n-th power, and the power of ten that is to be multiplied to it.
fn raised(matrix: &[f64], width: usize, n: u64) -> (Vec<f64>, i32) {
    let mut result: Vec<f64> = (0..width * width)
        .map(|i| f64::from(u8::from(i % (width + 1) == 0)))
        .collect();
    let (mut result_exponent, mut base_exponent) = (0, 0);
    let mut base = matrix.to_vec();
    let mut left = n;
    while left > 0 {
        if left & 1 == 1 {
            result = multiplied(&result, &base, width);
            result_exponent += base_exponent;
            result_exponent += rescaled(&mut result, width);
        }
        left >>= 1;
        if left > 0 {
            base = multiplied(&base, &base, width);
            base_exponent *= 2;
            base_exponent += rescaled(&mut base, width);
        }
    }
    (result, result_exponent)
}

fn multiplied(left: &[f64], right: &[f64], width: usize) -> Vec<f64> {
    let mut product = vec![0.0; width * width];
    for row in 0..width {
        for middle in 0..width {
            let factor = left[row * width + middle];
            for column in 0..width {
                product[row * width + column] += factor * right[middle * width + column];
            }
        }
    }
    product
}

/// Divides by 10¹⁴⁰ when the middle has grown beyond it; how many powers of ten were taken out.
fn rescaled(matrix: &mut [f64], width: usize) -> i32 {
    let middle = (width / 2) * width + width / 2;
    if matrix[middle] <= 1e140 {
        return 0;
    }
    for value in matrix.iter_mut() {
        *value *= 1e-140;
    }
    140
}

/// P(D ≤ x) by the expansion of Pelz and Good (1976) in powers of n^-½.
fn pelz_good(n: f64, x: f64) -> f64 {
    let root = n.sqrt();
    let z = root * x;
    let (z2, z4, z6) = (z.powi(2), z.powi(4), z.powi(6));
    let mut sums = [0.0; 4];
    let mut extra = [0.0; 2];
    for k in 0..40 {
        let half = PI * (f64::from(k) + 0.5);
        let (h2, h4, h6) = (half.powi(2), half.powi(4), half.powi(6));
        // Each term stands for k and for -k - 1.
        let weight = 2.0 * (-h2 / (2.0 * z2)).exp();
        sums[0] += weight;
        sums[1] += weight * (h2 - z2);
        sums[2] +=
            weight * (6.0 * z6 + 2.0 * z4 + h2 * (2.0 * z4 - 5.0 * z2) + h4 * (1.0 - 2.0 * z2));
        sums[3] += weight
            * (h6 * (5.0 - 30.0 * z2)
                + h4 * (-60.0 * z2 + 212.0 * z4)
                + h2 * (135.0 * z4 - 96.0 * z6)
                - 30.0 * z6
                - 90.0 * z.powi(8));
        let whole = PI * f64::from(k);
        let (w2, w4) = (whole.powi(2), whole.powi(4));
        let weight = 2.0 * (-w2 / (2.0 * z2)).exp();
        extra[0] += weight * w2;
        extra[1] += weight * (3.0 * w2 * z2 - w4);
    }
    let half_pi = (PI / 2.0).sqrt();
    let k0 = half_pi / z * sums[0];
    let k1 = half_pi / (6.0 * z4) * sums[1];
    let k2 = half_pi / (72.0 * z.powi(7)) * sums[2] - half_pi / (36.0 * z.powi(3)) * extra[0];
    let k3 = half_pi / (6480.0 * z.powi(10)) * sums[3] + half_pi / (216.0 * z6) * extra[1];
    (k0 + k1 / root + k2 / n + k3 / (n * root)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_meet_where_one_gives_way_to_the_next() {
        // Durbin's matrix is exact: the expansions must agree with it on their ground.
        for (n, x) in [(200, 0.09), (1_000, 0.04), (150, 0.1)] {
            let exact = durbin(n, x);
            let expanded = pelz_good(n as f64, x);
            assert!(
                (exact - expanded).abs() < 1e-5,
                "{n} {x}: {exact} {expanded}"
            );
        }
        let (exact, tail) = (1.0 - durbin(140, 0.17), 2.0 * smirnov_sf(140, 0.17));
        assert!((exact - tail).abs() < 1e-6, "{exact} {tail}");
        let n = SUMMED_MAX as f64;
        let summed = smirnov_sf(SUMMED_MAX, 1.3 / n.sqrt());
        let expanded = smirnov_sf(SUMMED_MAX + 1, 1.3 / n.sqrt());
        assert!(
            (summed / expanded - 1.0).abs() < 1e-3,
            "{summed} {expanded}"
        );
    }

    #[test]
    fn a_known_value_of_the_literature_is_met() {
        // Marsaglia, Tsang, Wang (2003): P(D_10 < 0.274) = 0.6284796154565...
        assert!((kolmogorov_sf(10, 0.274) - (1.0 - 0.628_479_615_456_504_3)).abs() < 1e-12);
    }
}
