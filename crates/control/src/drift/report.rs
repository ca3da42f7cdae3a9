//! What is told of two tables.

use plimsoll_stats::drift::{Homogeneity, Ks, MissingTest, OutOfRange, PsiTest};
use serde::Serialize;

use super::compare::Settings;

/// What it comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No column has drifted, and every one was judged.
    Steady,
    /// At least one column has drifted.
    Drifted,
    /// No column has drifted of those that could be judged, but some could not be.
    NotJudged,
}

/// How one column stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It has drifted.
    Drifted,
    /// It could not be judged, and that is a gap.
    NotJudged,
    /// It has not drifted.
    Steady,
    /// There is nothing in it to compare: an id, free text, or no value in either table.
    NotCompared,
}

/// Two tables, compared.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// What it comes to.
    pub verdict: Verdict,
    /// What the reference is called.
    pub reference: String,
    /// Its rows.
    pub reference_rows: u64,
    /// What the current table is called.
    pub current: String,
    /// Its rows.
    pub current_rows: u64,
    /// How it was judged.
    pub settings: Settings,
    /// What is wrong with the tables as a whole.
    pub problems: Vec<String>,
    /// The columns: those that drifted first, and of those the ones that contribute most.
    pub columns: Vec<ColumnReport>,
}

/// One column.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ColumnReport {
    /// Its name.
    pub column: String,
    /// How it stands.
    pub standing: Standing,
    /// What the reference holds in it.
    pub kind: &'static str,
    /// Why it stands like that, in words.
    pub reasons: Vec<String>,
    /// What else is to be known of it.
    pub warnings: Vec<String>,
    /// Which part of all that moved beyond chance and tolerance moved in this column, between 0 and 1.
    pub contribution: f64,
    /// The p-value of the method, if it has one.
    pub p: Option<f64>,
    /// The same, adjusted for the number of columns.
    pub p_adjusted: Option<f64>,
    /// The figures; none if it was not compared.
    pub figures: Option<Figures>,
    /// Shares to draw: label, of the reference, of the current table.
    pub shares: Vec<(String, f64, f64)>,
}

/// The figures of a column. All are told, whichever the method goes by.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Figures {
    /// The population stability index and its test.
    pub psi: PsiTest,
    /// The Kolmogorov-Smirnov test, for numbers.
    pub ks: Option<Ks>,
    /// The Wasserstein distance in the column's unit, for numbers.
    pub wasserstein: Option<f64>,
    /// The same in the reference's standard deviations (at least 0.001).
    pub wasserstein_normed: Option<f64>,
    /// The Jensen-Shannon distance, base 2.
    pub jensen_shannon: f64,
    /// The Hellinger distance.
    pub hellinger: f64,
    /// The largest difference of a share.
    pub l_infinity: f64,
    /// The chi square test of homogeneity over the same bins or categories.
    pub chi_square: Homogeneity,
    /// Missing values.
    pub missing: MissingTest,
    /// Numbers out of the reference's range.
    pub out_of_range: Option<OutOfRange>,
}

impl Report {
    /// The columns that stand like this.
    pub fn standing(&self, standing: Standing) -> impl Iterator<Item = &ColumnReport> {
        self.columns
            .iter()
            .filter(move |column| column.standing == standing)
    }
}
