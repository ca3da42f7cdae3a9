//! A simulated provider that misbehaves as told.
