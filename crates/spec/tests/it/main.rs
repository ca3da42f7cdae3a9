//! The workspace language from the outside: what loads, and what is said of what does not.

mod design;
mod folder;
mod problems;
mod secrets;
