//! Chance that a replay repeats: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014), whose
//! state is the seed in the [`State`](super::state::State).

use serde::{Deserialize, Serialize};

/// Where the next random number comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(u64);

impl Seed {
    const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

    /// The next random number.
    pub const fn number(self) -> u64 {
        let mut mixed = self.0.wrapping_add(Self::GAMMA);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// The seed of the number after the next.
    pub(super) const fn next(self) -> Self {
        Self(self.0.wrapping_add(Self::GAMMA))
    }

    /// The one that follows from a number which comes only once.
    pub(super) const fn of(once: u64) -> Self {
        Self(Self(once).number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the reference implementation (prng.di.unimi.it/splitmix64.c) with the seed 1234567.
    #[test]
    fn numbers_are_those_of_splitmix64() {
        let seeds = std::iter::successors(Some(Seed(1_234_567)), |seed| Some(seed.next()));
        let numbers: Vec<u64> = seeds.take(3).map(Seed::number).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
