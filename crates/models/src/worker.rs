//! Which worker thread this is: what the pools of connections and of ONNX sessions are dealt out by.
//!
//! The data plane runs one single-threaded runtime per core. A part that is held once per worker is
//! found by this number modulo the parts there are, so that two workers share one only if there are
//! more workers than parts.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// A number of the calling thread: 0, 1, 2… in the order in which threads first ask.
pub(crate) fn number() -> usize {
    NUMBER.with(|number| {
        if number.get() == usize::MAX {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_keeps_a_number_of_its_own() {
        let here = number();
        assert_eq!(number(), here);
        let there = std::thread::spawn(number).join().unwrap();
        assert_ne!(there, here);
    }
}
