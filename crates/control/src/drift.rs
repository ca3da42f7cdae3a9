//! Two tables side by side: which columns have drifted, how far, and how sure that is.
//!
//! Columns come in as [`Cells`], whoever read them; a [`Report`] comes out, which [`render`] tells on a
//! terminal and [`page`] as a page that stands alone. What could not be judged is named with its reason:
//! a report without drift means that every column was looked at.

mod cells;
mod compare;
mod page;
mod plot;
mod report;
mod terminal;

pub use cells::{CATEGORIES_MAX, Cells, Texts};
pub use compare::{Method, Settings, compare, compare_column};
pub use page::page;
pub use report::{ColumnReport, Figures, Report, Standing, Verdict};
pub use terminal::render;

#[cfg(test)]
mod tests;
