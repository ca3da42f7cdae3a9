//! The keeper on a real server, which each test starts for itself.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![expect(clippy::disallowed_methods, reason = "a real server takes real time")]

mod keeper;
mod server;
