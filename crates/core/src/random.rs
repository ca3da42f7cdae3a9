//! Random bytes of the operating system, taken in one call for many ids, salts and keys.
//!
//! Each thread has a pool of its own. What is handed out is overwritten in the pool at once, so that
//! memory holds no key a second time. A process that forked would hand out the same bytes twice: this
//! one never forks.

use std::cell::RefCell;

const POOL_BYTES: usize = 4096;

struct Pool {
    /// How many of `bytes` were handed out.
    used: usize,
    bytes: [u8; POOL_BYTES],
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool { used: POOL_BYTES, bytes: [0; POOL_BYTES] })
    };
}

/// `N` bytes fit for keys, of at most a pool's size.
///
/// # Panics
/// If the operating system has no random bytes, which Linux never lacks once it runs.
pub fn random<const N: usize>() -> [u8; N] {
    const { assert!(N <= POOL_BYTES, "more than a pool holds") };
    POOL.with_borrow_mut(|pool| {
        if pool.used + N > POOL_BYTES {
            getrandom::fill(&mut pool.bytes).expect("the operating system always has random bytes");
            pool.used = 0;
        }
        let taken = &mut pool.bytes[pool.used..pool.used + N];
        let mut bytes = [0; N];
        bytes.copy_from_slice(taken);
        taken.fill(0);
        pool.used += N;
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_are_handed_out_twice_and_the_pool_forgets_them() {
        let drawn: std::collections::HashSet<[u8; 16]> = (0..2_000).map(|_| random()).collect();
        assert_eq!(drawn.len(), 2_000);
        POOL.with_borrow(|pool| {
            assert!(pool.bytes[..pool.used].iter().all(|byte| *byte == 0));
        });
    }
}
