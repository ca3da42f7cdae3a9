//! Mending JSON: what comes out is strict JSON within the limits, no longer than what came in allows, and
//! strict JSON comes out as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_guard::frame::{self, FrameLimits};
use plimsoll_guard::repair::repair;

const LIMITS: FrameLimits = FrameLimits {
    bytes_max: 1 << 16,
    depth_max: 32,
    values_max: 1000,
};

fuzz_target!(|bytes: &[u8]| {
    let strict = frame::scan(bytes, &LIMITS);
    let Ok(repaired) = repair(bytes, &LIMITS) else {
        assert!(strict.is_err(), "strict JSON was not taken");
        return;
    };
    assert_eq!(strict.is_ok(), repaired.mends.is_empty());
    if let Ok(frame) = strict {
        assert_eq!(frame.value(), repaired.value);
    }
    let written = repaired.value.to_string();
    // A control character of one byte is written in six; a number may be written in 24 at most.
    assert!(written.len() <= 24 * bytes.len() + 64);
    let generous = FrameLimits {
        bytes_max: usize::MAX,
        ..LIMITS
    };
    let again = repair(written.as_bytes(), &generous).expect("what was mended is strict");
    assert!(again.mends.is_empty());
    assert_eq!(again.value, repaired.value);
});
