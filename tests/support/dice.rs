//! Choices at random, the same for the same seed.

use std::env;
use std::time::SystemTime;

use super::saying::say;

/// Chooses at random, the same for the same seed (splitmix64).
pub struct Dice {
    state: u64,
    purpose: &'static str,
}

impl Dice {
    /// Returns dice with the seed that `CSGHUB_SOAK_SEED` names, else that of the clock; prints it.
    pub fn new(purpose: &'static str) -> Self {
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
        let seed = env::var("CSGHUB_SOAK_SEED").ok().map_or_else(now, |seed| seed.parse().expect("a number"));
        let dice = Self { state: seed, purpose };
        dice.say(&format!("seed {seed}: repeat with CSGHUB_SOAK_SEED={seed}"));
        dice
    }

    /// Prints a line at once: the test harness keeps what passing tests print.
    pub fn say(&self, line: &str) {
        say(&format!("{}: {line}", self.purpose));
    }

    /// Returns a number from 0 to below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Says yes once in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Returns one of them.
    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        let count = u64::try_from(among.len()).expect("a number");
        let index = usize::try_from(self.below(count)).expect("a number");
        *among.get(index).expect("something to choose from")
    }

    /// Returns each of them with a chance of one in `times`, in their order.
    pub fn some<T: Copy>(&mut self, among: &[T], times: u64) -> Vec<T> {
        among.iter().copied().filter(|_| self.one_in(times)).collect()
    }
}
