//! Workspace files to checked, resolved systems; the one place that reads configuration.
