//! The disk by itself, and the real storage on it.

mod model;
mod semantics;
mod storage;

use super::*;
use crate::dice::Dice;

fn dice(seed: u64) -> Dice {
    Dice::new(seed, "disk")
}

/// Loses everything that may be lost.
struct Worst;

impl Chance for Worst {
    fn below(&mut self, _: u64) -> u64 {
        0
    }
}

/// Loses nothing.
struct Best;

impl Chance for Best {
    fn below(&mut self, n: u64) -> u64 {
        n - 1
    }
}

/// The answers that it is given, in order.
struct Script<'a>(&'a [u64]);

impl Chance for Script<'_> {
    fn below(&mut self, n: u64) -> u64 {
        let (first, rest) = self.0.split_first().expect("the script is long enough");
        self.0 = rest;
        assert!(*first < n, "{first} is not below {n}");
        *first
    }
}
