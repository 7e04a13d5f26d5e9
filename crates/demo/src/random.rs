//! Chance that can be asked for any customer, order or day by itself, so that night two needs no memory of night one.

use perennial_core::error::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

/// What chance is asked for; each has its own endless stream.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    Customer = 1,
    Purchases = 2,
    Order = 3,
    Calls = 4,
    Web = 5,
    NightTwo = 6,
}

/// The source of all chance of one company.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The stream of one thing.
    pub(crate) fn of(&self, what: Of, number: u64) -> ChaCha8Rng {
        let mut stream = self.0.clone();
        stream.set_stream(((what as u64) << 48) | number);
        stream
    }
}

/// The index of a weight, chosen in proportion. Weights add up to about 1; the last takes the rest.
pub(crate) fn pick(rng: &mut impl Rng, weights: &[f64]) -> usize {
    let mut left = rng.random::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return index;
        }
    }
    weights.len().saturating_sub(1)
}

/// How often something happens that happens `mean` times on average.
pub(crate) fn count(rng: &mut impl Rng, mean: f64) -> u64 {
    Poisson::new(mean).map_or(0, |poisson| poisson.sample(rng) as u64)
}

/// A distribution whose parameters are constants of ours.
pub(crate) fn valid<T, E: std::fmt::Display>(distribution: std::result::Result<T, E>) -> Result<T> {
    distribution.map_err(|error| Error::bug(format!("invalid distribution: {error}")))
}
