//! Dice with a seed: every run throws the same.

use std::ops::RangeInclusive;

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

pub(super) struct Dice(TestRng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    /// A number below this one.
    pub(super) fn below(&mut self, number: usize) -> usize {
        let of = u32::try_from(number).unwrap();
        usize::try_from(self.0.next_u32() % of).unwrap()
    }

    pub(super) fn from(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// True once in so many times.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }

    /// An index, chosen by these weights. One of them is above zero.
    pub(super) fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut rest = self.below(weights.iter().sum());
        for (number, weight) in weights.iter().enumerate() {
            if rest < *weight {
                return number;
            }
            rest -= weight;
        }
        unreachable!("less than their sum")
    }
}
