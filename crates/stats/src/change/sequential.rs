//! Classical sequential tests of a rate: two simple hypotheses (SPRT, CUSUM of likelihood ratios), and one
//! against everything (the beta-binomial mixture).

use crate::special::ln_gamma;
use crate::unusable::{Result, Unusable, level};

/// ln of how much likelier `hit` is under `p1` than under `p0`.
fn ln_ratio(hit: bool, p0: f64, p1: f64) -> f64 {
    if hit {
        (p1 / p0).ln()
    } else {
        ((1.0 - p1) / (1.0 - p0)).ln()
    }
}

fn apart(p0: f64, p1: f64) -> Result<()> {
    level("p0", p0)?;
    level("p1", p1)?;
    if p0 == p1 {
        return Err(Unusable::OutOfRange {
            what: "p1",
            must: "different from p0",
        });
    }
    Ok(())
}

/// Wald's sequential probability ratio test of one rate against another.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sprt {
    p0: f64,
    p1: f64,
    lower: f64,
    upper: f64,
    sum: f64,
}

/// What the test has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SprtVerdict {
    /// More values are needed.
    GoOn,
    /// The rate is p0.
    AcceptNull,
    /// The rate is p1.
    AcceptAlternative,
}

impl Sprt {
    /// A test of p0 against p1 with the error rates alpha and beta.
    pub fn new(p0: f64, p1: f64, alpha: f64, beta: f64) -> Result<Self> {
        apart(p0, p1)?;
        level("alpha", alpha)?;
        level("beta", beta)?;
        Ok(Self {
            p0,
            p1,
            lower: (beta / (1.0 - alpha)).ln(),
            upper: ((1.0 - beta) / alpha).ln(),
            sum: 0.0,
        })
    }

    /// Where the test ends: for p0, for p1.
    pub const fn limits(&self) -> (f64, f64) {
        (self.lower, self.upper)
    }

    /// The logarithm of the likelihood ratio so far.
    pub const fn ln_likelihood_ratio(&self) -> f64 {
        self.sum
    }

    /// Takes one more.
    pub fn update(&mut self, hit: bool) -> SprtVerdict {
        self.sum += ln_ratio(hit, self.p0, self.p1);
        if self.sum >= self.upper {
            SprtVerdict::AcceptAlternative
        } else if self.sum <= self.lower {
            SprtVerdict::AcceptNull
        } else {
            SprtVerdict::GoOn
        }
    }
}

/// The cumulative sum of log likelihood ratios of one rate against another.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BernoulliCusum {
    p0: f64,
    p1: f64,
    limit: f64,
    sum: f64,
}

impl BernoulliCusum {
    /// Alarms when the sum reaches `limit`, and begins anew.
    pub fn new(p0: f64, p1: f64, limit: f64) -> Result<Self> {
        apart(p0, p1)?;
        Ok(Self {
            p0,
            p1,
            limit,
            sum: 0.0,
        })
    }

    /// Takes one more; whether that is an alarm.
    pub fn update(&mut self, hit: bool) -> bool {
        self.sum = (self.sum + ln_ratio(hit, self.p0, self.p1)).max(0.0);
        let is_alarm = self.sum >= self.limit;
        if is_alarm {
            self.sum = 0.0;
        }
        is_alarm
    }
}

/// The e-process of "the rate is p0" against all others, mixed by Beta(½, ½). Valid at any time; but it
/// remembers the healthy past, so a late change is found late.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BetaBinomial {
    p0: f64,
    hits: f64,
    count: f64,
}

impl BetaBinomial {
    /// Tests the rate p0.
    pub fn new(p0: f64) -> Result<Self> {
        level("p0", p0)?;
        Ok(Self {
            p0,
            hits: 0.0,
            count: 0.0,
        })
    }

    /// Takes one more; the logarithm of the evidence against p0. At ln(1/alpha) it is rejected.
    pub fn update(&mut self, hit: bool) -> f64 {
        self.count += 1.0;
        self.hits += f64::from(u8::from(hit));
        let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
        let misses = self.count - self.hits;
        ln_beta(0.5 + self.hits, 0.5 + misses)
            - ln_beta(0.5, 0.5)
            - self.hits * self.p0.ln()
            - misses * (-self.p0).ln_1p()
    }
}
