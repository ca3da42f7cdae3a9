//! The report as a page that stands alone: no script, no font, no file beside it.

use std::fmt::Write as _;

use super::plot::figure;
use super::report::{ColumnReport, Figures, Report, Standing, Verdict};
use super::terminal::p_value;
use crate::markup::{STYLE, escaped};

/// The size of a plot, in its own units.
const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 120.0;

/// The report as HTML.
pub fn page(report: &Report) -> String {
    let mut html = String::with_capacity(64 * 1024);
    let (class, verdict) = match report.verdict {
        Verdict::Drifted => {
            let count = report.standing(Standing::Drifted).count();
            (
                "drifted",
                format!("{count} of {} columns drifted", report.columns.len()),
            )
        }
        Verdict::Steady => (
            "steady",
            format!("No drift in {} columns", report.columns.len()),
        ),
        Verdict::NotJudged => (
            "not-judged",
            "Not judged: something could not be compared".to_owned(),
        ),
    };
    write!(
        html,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Drift: {verdict}</title><style>{STYLE}</style></head><body>\
         <h1 class=\"{class}\">{verdict}</h1><p>{} rows of <b>{}</b> against {} rows of <b>{}</b></p>\
         <p class=\"faint\">{}</p>",
        report.current_rows,
        escaped(&report.current),
        report.reference_rows,
        escaped(&report.reference),
        escaped(&how(report)),
    )
    .ok();
    for problem in &report.problems {
        write!(html, "<p class=\"not-judged\">{}</p>", escaped(problem)).ok();
    }
    html.push_str(
        "<table><thead><tr><th>column</th><th>part</th><th>PSI</th><th class=\"wide\">by chance</th>\
         <th class=\"wide\">KS</th><th class=\"wide\">Wasserstein / sd</th><th class=\"wide\">JS</th>\
         <th>p adjusted</th><th>standing</th></tr></thead><tbody>",
    );
    for column in &report.columns {
        table_row(&mut html, column);
    }
    html.push_str("</tbody></table><p class=\"faint\"><span class=\"key\" style=\"background:var(--was)\"></span> \
         reference &nbsp; <span class=\"key\" style=\"background:var(--is)\"></span> current</p>\
         <div class=\"cards\">");
    for column in report
        .columns
        .iter()
        .filter(|column| !column.shares.is_empty())
    {
        card(&mut html, column);
    }
    html.push_str("</div></body></html>\n");
    html
}

fn how(report: &Report) -> String {
    let settings = &report.settings;
    let method = match settings.method {
        super::Method::Psi => format!("tolerant PSI test (tolerated {})", settings.tolerated_psi),
        super::Method::Ks => "Kolmogorov-Smirnov test".to_owned(),
        super::Method::ChiSquare => "chi square test of homogeneity".to_owned(),
        super::Method::Wasserstein => format!("Wasserstein distance ≥ {} sd", settings.threshold),
        super::Method::JensenShannon => format!("Jensen-Shannon distance ≥ {}", settings.threshold),
        super::Method::Hellinger => format!("Hellinger distance ≥ {}", settings.threshold),
    };
    let rate = settings.false_discovery_rate;
    format!(
        "Judged by: {method}; p-values are adjusted for the number of columns, drift at {rate} or less."
    )
}

fn standing(column: &ColumnReport) -> (&'static str, &'static str) {
    match column.standing {
        Standing::Drifted => ("drifted", "✗ drifted"),
        Standing::Steady => ("steady", "✓ steady"),
        Standing::NotJudged => ("not-judged", "? not judged"),
        Standing::NotCompared => ("not-compared", "· not compared"),
    }
}

fn table_row(html: &mut String, column: &ColumnReport) {
    let (class, words) = standing(column);
    let figures = column.figures.as_ref();
    let told = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
    let psi = |of: fn(&Figures) -> f64| told(figures.map(of));
    let said: Vec<&str> = column
        .reasons
        .iter()
        .chain(&column.warnings)
        .map(String::as_str)
        .collect();
    write!(
        html,
        "<tr><td>{}</td><td>{:.0} %</td><td>{}</td><td class=\"wide\">{}</td><td class=\"wide\">{}</td>\
         <td class=\"wide\">{}</td><td class=\"wide\">{}</td><td>{}</td><td><span class=\"{class}\">{words}</span> \
         <span class=\"faint\">{}</span></td></tr>",
        escaped(&column.column),
        100.0 * column.contribution,
        psi(|figures| figures.psi.psi),
        psi(|figures| figures.psi.expected),
        told(figures.and_then(|figures| figures.ks).map(|ks| ks.statistic)),
        told(figures.and_then(|figures| figures.wasserstein_normed)),
        psi(|figures| figures.jensen_shannon),
        column.p_adjusted.map_or("–".to_owned(), p_value),
        escaped(&said.join("; ")),
    )
    .ok();
}

fn card(html: &mut String, column: &ColumnReport) {
    let (class, words) = standing(column);
    write!(
        html,
        "<section class=\"card\"><h2>{}</h2><p class=\"{class}\">{words}</p>",
        escaped(&column.column)
    )
    .ok();
    if column.kind == "texts" {
        category_bars(html, column);
    } else {
        number_bars(html, column);
    }
    html.push_str("</section>");
}

/// Pairs of bars beside each other over the column's range.
fn number_bars(html: &mut String, column: &ColumnReport) {
    let tallest = tallest(column);
    let step = WIDTH / column.shares.len() as f64;
    write!(
        html,
        "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\">",
        HEIGHT + 16.0
    )
    .ok();
    for (i, (label, was, is)) in column.shares.iter().enumerate() {
        let left = step * i as f64;
        for (class, share, offset) in [("was", was, 0.06), ("is", is, 0.5)] {
            let height = HEIGHT * share / tallest;
            write!(
                html,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\">\
                 <title>from {}: {:.2} %</title></rect>",
                left + step * offset,
                HEIGHT - height,
                step * 0.44,
                escaped(label),
                100.0 * share
            )
            .ok();
        }
    }
    let first = column.shares.first().map_or("", |share| &share.0);
    let last = column.shares.last().map_or("", |share| &share.0);
    write!(
        html,
        "<text x=\"0\" y=\"{y:.0}\">{}</text><text x=\"{WIDTH}\" y=\"{y:.0}\" text-anchor=\"end\">{} …</text></svg>",
        escaped(first),
        escaped(last),
        y = HEIGHT + 12.0
    )
    .ok();
}

/// A pair of lying bars for each category.
fn category_bars(html: &mut String, column: &ColumnReport) {
    let tallest = tallest(column);
    let row = 22.0;
    let height = row * column.shares.len() as f64;
    write!(
        html,
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\">"
    )
    .ok();
    for (i, (label, was, is)) in column.shares.iter().enumerate() {
        let top = row * i as f64;
        let short: String = label.chars().take(18).collect();
        write!(
            html,
            "<text x=\"0\" y=\"{:.0}\">{}</text>",
            top + 13.0,
            escaped(&short)
        )
        .ok();
        for (class, share, offset) in [("was", was, 2.0), ("is", is, 10.0)] {
            write!(
                html,
                "<rect class=\"{class}\" x=\"110\" y=\"{:.1}\" width=\"{:.1}\" height=\"7\">\
                 <title>{}: {} %</title></rect>",
                top + offset,
                (WIDTH - 110.0) * share / tallest,
                escaped(label),
                figure(100.0 * share)
            )
            .ok();
        }
    }
    html.push_str("</svg>");
}

fn tallest(column: &ColumnReport) -> f64 {
    let shares = column.shares.iter().map(|(_, was, is)| was.max(*is));
    shares.fold(f64::MIN_POSITIVE, f64::max)
}
