//! Measures what the audit log promises, on this machine.

fn main() {}
