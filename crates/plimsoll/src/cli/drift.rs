//! What may be typed after `plimsoll drift`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct DriftArgs {
    /// What is known to be well: `.csv`, `.tsv`, `.jsonl` or `.parquet`.
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: PathBuf,
    /// What is to be held against it; the two need not be of one form.
    #[arg(value_name = "CURRENT")]
    pub(crate) current: PathBuf,
    /// What decides; all figures are told anyway.
    #[arg(long, value_enum, default_value = "psi")]
    pub(crate) method: DriftMethod,
    /// Only these columns.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Not these columns.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) ignore: Vec<String>,
    /// The population stability index that is not called drift, for `psi`.
    #[arg(long, value_name = "PSI", default_value_t = 0.02, value_parser = parse_distance)]
    pub(crate) tolerated_psi: f64,
    /// The distance from which on it is drift, for `wasserstein` (in standard deviations),
    /// `jensen-shannon` and `hellinger`.
    #[arg(long, value_name = "DISTANCE", default_value_t = 0.1, value_parser = parse_distance)]
    pub(crate) threshold: f64,
    /// The share of false ones among the columns that are said to have drifted, for methods that test.
    #[arg(long, value_name = "RATE", default_value_t = 0.01, value_parser = parse_rate)]
    pub(crate) false_discovery_rate: f64,
    /// How p-values are adjusted for the number of columns.
    #[arg(long, value_enum, default_value = "benjamini-hochberg")]
    pub(crate) correction: DriftCorrection,
    /// Write a page with plots too, which stands alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// What decides whether a column has drifted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum DriftMethod {
    /// A test of "the population stability index is more than is tolerated".
    Psi,
    /// The Kolmogorov-Smirnov test; chi square for texts.
    Ks,
    /// The chi square test of homogeneity.
    ChiSquare,
    /// The Wasserstein distance; Jensen-Shannon for texts.
    Wasserstein,
    /// The Jensen-Shannon distance.
    JensenShannon,
    /// The Hellinger distance.
    Hellinger,
}

/// How p-values of many columns are adjusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum DriftCorrection {
    /// Not at all.
    None,
    /// Bonferroni.
    Bonferroni,
    /// Holm.
    Holm,
    /// Benjamini and Hochberg.
    BenjaminiHochberg,
    /// Benjamini and Yekutieli.
    BenjaminiYekutieli,
}

fn parse_distance(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    Err("it must be at least 0".to_owned())
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if value > 0.0 && value < 1.0 {
        return Ok(value);
    }
    Err("it must lie between 0 and 1".to_owned())
}
