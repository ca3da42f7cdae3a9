//! Contracts and detectors, pure: strict JSON, tabular contracts, expressions, redaction.
