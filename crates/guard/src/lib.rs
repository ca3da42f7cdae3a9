//! Contracts and detectors, pure: no IO, no clock, no async.
//!
//! The modules in the order in which a request meets them: [`frame`] says whether bytes are JSON
//! that all parsers read alike, [`splice`] changes named members and no other byte, [`contract`]
//! says whether a row is fit to be asked, [`expr`] evaluates the operator's own rules,
//! [`rules`] answers by a table of them, [`access_policy`] decides by them who may read and change
//! what, [`phrases`] finds what may not be said, [`fetched`] looks at what a message has others fetch,
//! and [`redact`] keeps the shape of a payload without its texts.
//!
//! Detectors give findings ([`finding`]) and a [`policy`] says what is done about them; a [`judge`] is a
//! detector under orders, and a [`window`] its view of a text that arrives in chunks: [`secrets`] and
//! [`pii`] on the way in and out, [`vault`] replaces what they found and puts it back; of answers,
//! [`repair`] mends JSON, [`links`] and [`url_policy`] hold addresses against a list, [`leak`] finds
//! the prompt, loops and what no source says; [`tools`] is the boundary of an agent.

pub mod frame;
pub mod splice;
pub mod spotlight;

pub mod access_policy;
pub mod contract;
pub mod expr;
pub mod rules;

pub mod finding;
pub mod judge;
pub mod policy;
pub mod window;

pub mod classifier;
pub mod fetched;
pub mod pack;
pub mod scan;
pub mod tokens;
pub mod training;
pub mod views;

pub mod leak;
pub mod links;
pub mod phrases;
pub mod pii;
pub mod redact;
pub mod repair;
pub mod secrets;
pub mod tools;
pub mod url_policy;
pub mod vault;

mod names;
