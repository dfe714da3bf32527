//! Random delays at marked points of the protocols, for programs that look for rare orders of threads.
//!
//! A fault between two protocols needs one thread to be kept from its core between two given steps while others
//! go on. That happens once in a million times by itself. A mark makes it likely: it is a call of [`here`] between
//! those two steps.
//!
//! Without the feature `delays` a mark is an empty function, which compiles to nothing. With it a mark does what the
//! kernel may do to a thread at any time: it keeps the thread from going on for up to some milliseconds. So the
//! feature changes how likely an order is, and not what a program may do.
//!
//! # Which marks, and when
//! If all marks delayed all the time, all threads would be slower alike, and the rare orders would be rare still. So
//! time is cut into stretches, and in each of them a few marks, drawn by their names, delay, each with a frequency
//! and in a manner of its own.

/// Perhaps keeps this thread for a while. `mark` names the point, as `file: what has just happened`.
#[cfg(not(feature = "delays"))]
#[inline(always)]
pub fn here(mark: &'static str) {
    let _ = mark;
}

#[cfg(feature = "delays")]
pub use random::here;

#[cfg(feature = "delays")]
mod random {
    use std::cell::Cell;
    use std::collections::hash_map::RandomState;
    use std::hash::BuildHasher;
    use std::sync::OnceLock;
    use std::thread;
    use std::time::{Duration, Instant};

    /// How long the same marks delay.
    const STRETCH: Duration = Duration::from_millis(25);

    /// One mark in so many delays in a stretch.
    const MARKS: u64 = 3;

    /// One passage of such a mark in so many is delayed.
    const FREQUENCIES: [u64; 4] = [1, 1, 2, 8];

    /// The longest delays, in microseconds: of a thread that keeps its core, and of two that do not.
    const SPIN: u64 = 60;
    const NAP: u64 = 200;
    const SLEEP: u64 = 3_000;

    thread_local! {
        /// This thread's next random number. It has no destructor, so it can be used until the thread is gone.
        static NEXT: Cell<u64> = Cell::new(RandomState::new().hash_one(0));
    }

    /// See the module.
    pub fn here(mark: &'static str) {
        static BEGAN: OnceLock<(Instant, u64)> = OnceLock::new();
        let (began, seed) = *BEGAN.get_or_init(|| (Instant::now(), RandomState::new().hash_one(0)));
        let stretch = (began.elapsed().as_micros() / STRETCH.as_micros()) as u64;
        let lot = mix(mix(seed ^ stretch) ^ name(mark));
        if lot % MARKS != 0 {
            return;
        }
        let random = NEXT.with(|next| next.replace(mix(next.get())));
        if random % FREQUENCIES[(lot >> 8) as usize % FREQUENCIES.len()] != 0 {
            return;
        }
        let length = random >> 8;
        match lot >> 16 & 3 {
            0 => thread::yield_now(),
            1 => spin(Duration::from_micros(length % SPIN)),
            2 => thread::sleep(Duration::from_micros(length % NAP)),
            _ => thread::sleep(Duration::from_micros(length % SLEEP)),
        }
    }

    fn spin(time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    /// FNV-1a.
    fn name(mark: &str) -> u64 {
        mark.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
        })
    }

    /// The step of splitmix64.
    fn mix(seed: u64) -> u64 {
        let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_mark_delays_in_some_stretches_and_not_in_others() {
            let (mut delayed, mut quiet) = (0, 0);
            let began = Instant::now();
            while delayed == 0 || quiet < 1_000 {
                let before = Instant::now();
                here("a test");
                if before.elapsed() > Duration::from_micros(200) {
                    delayed += 1;
                } else {
                    quiet += 1;
                }
                assert!(
                    began.elapsed() < Duration::from_secs(60),
                    "{delayed} {quiet}"
                );
            }
        }
    }
}
