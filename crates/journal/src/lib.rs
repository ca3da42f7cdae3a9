//! The journal: segments, payloads, blobs, recovery.
