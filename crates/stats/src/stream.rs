//! Drift while rows arrive: a reference of a few kilobytes, and a window that counts into it.
//!
//! The reference is made once, from the rows that a release was accepted on; it holds cuts and counts, no
//! rows. A [`Window`] counts what comes in without allocating, however many rows there are, and at its end
//! says for each column how far it is from the reference. Windows of one reference add up.

mod reference;
mod window;

pub use reference::{
    CATEGORIES_MAX, COLUMNS_MAX, CategoryColumn, NAME_BYTES_MAX, NumberColumn, Reference,
    ReferenceColumn, ReferenceError,
};
pub use window::{ColumnDrift, Value, Window};
