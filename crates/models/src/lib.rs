//! Calling models: one folder per protocol.
