//! The projection of the journal and control state, in SQLite.
