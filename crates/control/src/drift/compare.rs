//! Columns compared, one by one and then as a family.

use std::collections::BTreeMap;

use plimsoll_stats::drift::{
    Cuts, Sample, Shares, TolerantPsi, bins_for, chi_square_homogeneity, hellinger, jensen_shannon,
    ks_and_wasserstein, l_infinity, missing_share, new_category, out_of_range,
};
use plimsoll_stats::multiple::{Correction, adjusted};
use plimsoll_stats::{Result as StatResult, Unusable};
use serde::Serialize;

use super::cells::{Cells, Texts, counted_texts};
use super::plot::{shares_of_numbers, shares_of_texts};
use super::report::{ColumnReport, Figures, Report, Standing, Verdict};

/// Numbers with at most so many different values are compared value by value.
const DISCRETE_MAX: usize = 20;
/// The fewest values of a window that can be judged.
const VALUES_MIN: u64 = 20;
/// Categories of which less are expected in either window are taken together.
const EXPECTED_MIN: f64 = 5.0;
/// The most categories that are named in a warning.
const NAMED_MAX: usize = 5;

/// What decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The test of "the population stability index is more than is tolerated".
    #[default]
    Psi,
    /// The Kolmogorov-Smirnov test; chi square for texts.
    Ks,
    /// The chi square test of homogeneity.
    ChiSquare,
    /// The Wasserstein distance in standard deviations against the threshold; Jensen-Shannon for texts.
    Wasserstein,
    /// The Jensen-Shannon distance against the threshold.
    JensenShannon,
    /// The Hellinger distance against the threshold.
    Hellinger,
}

/// How columns are judged.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Settings {
    /// What decides.
    pub method: Method,
    /// The share of false ones among the columns that are said to have drifted.
    pub false_discovery_rate: f64,
    /// How p-values are adjusted for the number of columns.
    pub correction: Correction,
    /// The population stability index that is not called drift.
    pub tolerated_psi: f64,
    /// The distance from which on it is drift, for methods without a p-value.
    pub threshold: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Method::Psi,
            false_discovery_rate: 0.01,
            correction: Correction::BenjaminiHochberg,
            tolerated_psi: 0.02,
            threshold: 0.1,
        }
    }
}

/// Compares one column of the reference with the same of the current table. Of free text that is what is counted of it,
/// each as a column of its own: how long it is, its script, its language.
pub fn compare_column(
    name: &str,
    reference: &Cells,
    current: &Cells,
    settings: &Settings,
) -> Vec<ColumnReport> {
    let texts = |cells: &Cells| match cells {
        Cells::Texts(texts) if texts.is_free_text() => counted_texts(texts),
        _ => Vec::new(),
    };
    let (reference_parts, current_parts) = (texts(reference), texts(current));
    if reference_parts.is_empty() || current_parts.is_empty() {
        return vec![compare(name, reference, current, settings)];
    }
    let parts = reference_parts.iter().zip(&current_parts);
    parts
        .map(|((part, was), (_, is))| compare(&part.column(name), was, is, settings))
        .collect()
}

/// Compares the cells of one column.
pub fn compare(
    name: &str,
    reference: &Cells,
    current: &Cells,
    settings: &Settings,
) -> ColumnReport {
    let mut report = ColumnReport::empty(name, reference.kind());
    if let Some((standing, reason)) = not_comparable(reference, current) {
        report.standing = standing;
        report.reasons.push(reason);
        return report;
    }
    report.warnings = warnings(reference, current);
    let fewest = reference.present().min(current.present());
    let told = match (reference, current) {
        _ if fewest < VALUES_MIN => Err(Unusable::TooFew {
            have: fewest as usize,
            needs: VALUES_MIN as usize,
        }),
        (Cells::Numbers(r), Cells::Numbers(c)) => numbers(r, c, settings),
        (Cells::Texts(r), Cells::Texts(c)) => texts(r, c, settings),
        _ => Err(Unusable::Empty),
    };
    report.shares = match (reference, current) {
        (Cells::Numbers(r), Cells::Numbers(c)) => shares_of_numbers(r, c),
        (Cells::Texts(r), Cells::Texts(c)) => shares_of_texts(r, c),
        _ => Vec::new(),
    };
    match told {
        Ok(figures) => {
            report.p = figures.p(settings.method);
            let quiet = figures.psi.expected + settings.tolerated_psi;
            report.contribution = (figures.psi.psi - quiet).max(0.0);
            report.figures = Some(figures);
        }
        Err(why) => {
            // That values went missing can be told even if too few are left to compare.
            report.standing = Standing::NotJudged;
            report.reasons.push(why.to_string());
            if lost_its_values(reference, current) {
                report.standing = Standing::Drifted;
                report.reasons.push("values went missing".to_owned());
            }
        }
    }
    report
}

impl ColumnReport {
    /// A column of which nothing is known yet.
    pub fn empty(name: &str, kind: &'static str) -> Self {
        Self {
            column: name.to_owned(),
            standing: Standing::Steady,
            kind,
            reasons: Vec::new(),
            warnings: Vec::new(),
            contribution: 0.0,
            p: None,
            p_adjusted: None,
            figures: None,
            shares: Vec::new(),
        }
    }

    /// A column that stands like this for a reason that is known beforehand.
    #[must_use]
    pub fn standing(name: &str, kind: &'static str, standing: Standing, reason: &str) -> Self {
        let mut report = Self::empty(name, kind);
        report.standing = standing;
        report.reasons.push(reason.to_owned());
        report
    }
}

fn not_comparable(reference: &Cells, current: &Cells) -> Option<(Standing, String)> {
    for (cells, which) in [(reference, "reference"), (current, "current")] {
        if let Cells::Unreadable(why) = cells {
            return Some((Standing::NotJudged, format!("{why} in the {which}")));
        }
    }
    if let (Cells::Times, Cells::Times) = (reference, current) {
        return Some((Standing::NotCompared, "times move by themselves".to_owned()));
    }
    if matches!(reference, Cells::Times) || matches!(current, Cells::Times) {
        return Some((Standing::Drifted, changed_type(reference, current)));
    }
    for (cells, which) in [(reference, "reference"), (current, "current table")] {
        if cells.rows() == 0 {
            return Some((Standing::NotJudged, format!("the {which} has no rows")));
        }
    }
    let both = reference.present() > 0 && current.present() > 0;
    if !both && reference.present() == current.present() {
        return Some((Standing::NotCompared, "no values in either".to_owned()));
    }
    if both && reference.kind() != current.kind() {
        return Some((Standing::Drifted, changed_type(reference, current)));
    }
    match (reference, current) {
        (Cells::Texts(r), Cells::Texts(c)) if both && r.is_like_an_id() && c.is_like_an_id() => {
            let reason = "nearly every row has a text of its own: an id";
            Some((Standing::NotCompared, reason.to_owned()))
        }
        _ => None,
    }
}

fn changed_type(reference: &Cells, current: &Cells) -> String {
    format!(
        "the type changed from {} to {}",
        reference.kind(),
        current.kind()
    )
}

fn lost_its_values(reference: &Cells, current: &Cells) -> bool {
    let part = |cells: &Cells| (cells.rows() - cells.present(), cells.rows());
    missing_share(part(reference), part(current)).is_ok_and(|told| told.p < 0.001)
}

fn numbers(reference: &Sample, current: &Sample, settings: &Settings) -> StatResult<Figures> {
    let cuts = cuts(reference, current)?;
    let (r, c) = (cuts.counts(reference), cuts.counts(current));
    let mut figures = common(&r, &c, settings)?;
    let (ks, distance) = ks_and_wasserstein(reference, current)?;
    figures.ks = Some(ks);
    figures.wasserstein = distance.is_finite().then_some(distance);
    let deviation = reference.deviation();
    figures.wasserstein_normed = figures
        .wasserstein
        .zip(deviation)
        .map(|(d, s)| d / s.max(0.001));
    let missing = |sample: &Sample| (sample.missing() + sample.infinite(), sample.rows());
    figures.missing = missing_share(missing(reference), missing(current))?;
    figures.out_of_range = out_of_range(reference, current);
    Ok(figures)
}

/// A bin for each value where there are few, else bins of equal shares of the reference.
fn cuts(reference: &Sample, current: &Sample) -> StatResult<Cuts> {
    let mut values = distinct(reference)
        .zip(distinct(current))
        .map(|(r, c)| [r, c].concat())
        .unwrap_or_default();
    values.sort_by(f64::total_cmp);
    values.dedup();
    if (1..=DISCRETE_MAX).contains(&values.len()) {
        values.remove(0);
        return Cuts::at(values);
    }
    Cuts::of(
        reference,
        bins_for(reference.len() as u64, current.len() as u64),
    )
}

/// The different values in order, if there are few.
fn distinct(sample: &Sample) -> Option<Vec<f64>> {
    let mut values: Vec<f64> = Vec::new();
    let mut rest = sample.sorted();
    while let Some(first) = rest.first() {
        if values.len() == DISCRETE_MAX {
            return None;
        }
        values.push(*first);
        rest = &rest[rest.partition_point(|value| value <= first)..];
    }
    Some(values)
}

fn texts(reference: &Texts, current: &Texts, settings: &Settings) -> StatResult<Figures> {
    let (r, c) = pooled(reference, current);
    let mut figures = common(&r, &c, settings)?;
    let missing = |texts: &Texts| (texts.missing(), texts.missing() + texts.present());
    figures.missing = missing_share(missing(reference), missing(current))?;
    Ok(figures)
}

/// The counts of both, rare categories taken together.
fn pooled(reference: &Texts, current: &Texts) -> (Vec<u64>, Vec<u64>) {
    let (n, m) = (reference.present(), current.present());
    let smaller = n.min(m) as f64 / (n + m) as f64;
    let mut both: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (name, count) in reference.counts() {
        both.entry(name).or_default().0 = *count;
    }
    for (name, count) in current.counts() {
        both.entry(name).or_default().1 = *count;
    }
    let (mut r, mut c) = (Vec::new(), Vec::new());
    for (x, y) in both.values() {
        if (x + y) as f64 * smaller >= EXPECTED_MIN {
            r.push(*x);
            c.push(*y);
        }
    }
    let rest = (n - r.iter().sum::<u64>(), m - c.iter().sum::<u64>());
    if rest != (0, 0) {
        r.push(rest.0);
        c.push(rest.1);
    }
    (r, c)
}

/// The figures that follow from counts in the same bins.
fn common(reference: &[u64], current: &[u64], settings: &Settings) -> StatResult<Figures> {
    let test = TolerantPsi {
        tolerated: settings.tolerated_psi,
        ..TolerantPsi::default()
    };
    let shares = Shares::of(reference, current)?;
    Ok(Figures {
        psi: test.test(reference, current)?,
        ks: None,
        wasserstein: None,
        wasserstein_normed: None,
        jensen_shannon: jensen_shannon(&shares),
        hellinger: hellinger(&shares),
        l_infinity: l_infinity(&shares),
        chi_square: chi_square_homogeneity(reference, current)?,
        missing: missing_share((0, 1), (0, 1))?,
        out_of_range: None,
    })
}

impl Figures {
    /// The p-value that a method goes by.
    fn p(&self, method: Method) -> Option<f64> {
        match method {
            Method::Psi => Some(self.psi.p),
            Method::Ks => Some(self.ks.map_or(self.chi_square.p, |ks| ks.p)),
            Method::ChiSquare => Some(self.chi_square.p),
            Method::Wasserstein | Method::JensenShannon | Method::Hellinger => None,
        }
    }

    /// The distance that a method goes by, with its name.
    fn distance(&self, method: Method) -> Option<(&'static str, f64)> {
        let jensen_shannon = ("the Jensen-Shannon distance", self.jensen_shannon);
        match method {
            Method::Psi | Method::Ks | Method::ChiSquare => None,
            Method::Wasserstein => {
                Some(self.wasserstein_normed.map_or(jensen_shannon, |distance| {
                    ("the Wasserstein distance in standard deviations", distance)
                }))
            }
            Method::JensenShannon => Some(jensen_shannon),
            Method::Hellinger => Some(("the Hellinger distance", self.hellinger)),
        }
    }
}

/// What is to be known beside the comparison.
fn warnings(reference: &Cells, current: &Cells) -> Vec<String> {
    let mut warnings = Vec::new();
    match (reference, current) {
        (Cells::Numbers(r), Cells::Numbers(c)) => {
            if c.infinite() > 0 {
                warnings.push(format!(
                    "{} infinite values, counted as missing",
                    c.infinite()
                ));
            }
            match (r.is_constant(), c.is_constant()) {
                (true, true) => warnings.push("constant in both".to_owned()),
                (false, true) => warnings.push("it has become constant".to_owned()),
                (true, false) => warnings.push("it was constant in the reference".to_owned()),
                (false, false) => {}
            }
            if let Some(told) = out_of_range(r, c).filter(|told| told.is_excessive) {
                let (below, above) = (told.below, told.above);
                warnings.push(format!(
                    "{below} below and {above} above the reference's range"
                ));
            }
        }
        (Cells::Texts(r), Cells::Texts(c)) if !c.is_like_an_id() => {
            let total = c.present();
            let counts = c
                .counts()
                .iter()
                .filter(|(name, _)| !r.counts().contains_key(*name));
            let new: Vec<&str> = counts
                .filter(|(_, rows)| new_category(**rows, total))
                .map(|(name, _)| name.as_str())
                .collect();
            named("new", &new, &mut warnings);
            let share = total as f64 / r.present().max(1) as f64;
            let gone = r.counts().iter().filter(|(name, rows)| {
                **rows as f64 * share >= 10.0 && !c.counts().contains_key(*name)
            });
            let gone: Vec<&str> = gone.map(|(name, _)| name.as_str()).collect();
            named("vanished", &gone, &mut warnings);
        }
        _ => {}
    }
    warnings
}

fn named(what: &str, names: &[&str], warnings: &mut Vec<String>) {
    if names.is_empty() {
        return;
    }
    let shown: Vec<String> = names
        .iter()
        .take(NAMED_MAX)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    warnings.push(format!("{what}: {}{more}", shown.join(", ")));
}

impl Report {
    /// Judges the columns as a family, and puts those first that matter.
    pub fn of(
        (reference, reference_rows): (String, u64),
        (current, current_rows): (String, u64),
        mut columns: Vec<ColumnReport>,
        settings: Settings,
        problems: Vec<String>,
    ) -> StatResult<Self> {
        judge_distributions(&mut columns, &settings)?;
        judge_missing(&mut columns, &settings)?;
        let moved: f64 = columns.iter().map(|column| column.contribution).sum();
        for column in &mut columns {
            column.contribution = if moved > 0.0 {
                column.contribution / moved
            } else {
                0.0
            };
        }
        columns.sort_by(|a, b| {
            let contribution = b.contribution.total_cmp(&a.contribution);
            a.standing
                .cmp(&b.standing)
                .then(contribution)
                .then(a.column.cmp(&b.column))
        });
        let any = |standing| columns.iter().any(|column| column.standing == standing);
        let has_judged = any(Standing::Steady) || any(Standing::Drifted);
        let verdict = if any(Standing::Drifted) {
            Verdict::Drifted
        } else if !has_judged || any(Standing::NotJudged) || !problems.is_empty() {
            Verdict::NotJudged
        } else {
            Verdict::Steady
        };
        Ok(Self {
            verdict,
            reference,
            reference_rows,
            current,
            current_rows,
            settings,
            problems,
            columns,
        })
    }
}

fn judge_distributions(columns: &mut [ColumnReport], settings: &Settings) -> StatResult<()> {
    let p: Vec<f64> = columns.iter().filter_map(|column| column.p).collect();
    let mut adjusted = adjusted(&p, settings.correction)?.into_iter();
    for column in columns {
        if column.p.is_some() {
            column.p_adjusted = adjusted.next();
        }
        let Some(figures) = column.figures else {
            continue;
        };
        if column
            .p_adjusted
            .is_some_and(|p| p <= settings.false_discovery_rate)
        {
            column.standing = Standing::Drifted;
            column.reasons.push("its distribution moved".to_owned());
        }
        if let Some((what, distance)) = figures.distance(settings.method)
            && distance >= settings.threshold
        {
            column.standing = Standing::Drifted;
            column.reasons.push(format!("{what} is {distance:.3}"));
        }
    }
    Ok(())
}

fn judge_missing(columns: &mut [ColumnReport], settings: &Settings) -> StatResult<()> {
    let tested = |column: &ColumnReport| column.figures.map(|figures| figures.missing);
    let p: Vec<f64> = columns
        .iter()
        .filter_map(tested)
        .map(|missing| missing.p)
        .collect();
    let mut adjusted = adjusted(&p, settings.correction)?.into_iter();
    for column in columns {
        let Some(missing) = tested(column) else {
            continue;
        };
        if adjusted
            .next()
            .is_some_and(|p| p <= settings.false_discovery_rate)
        {
            column.standing = Standing::Drifted;
            let (was, is) = (100.0 * missing.reference, 100.0 * missing.current);
            column
                .reasons
                .push(format!("{is:.1} % are missing, and {was:.1} % were"));
        }
    }
    Ok(())
}
