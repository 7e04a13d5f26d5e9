//! Customers with the same history count as one with a weight.

use hashbrown::HashMap;

/// An input of a fit and how many customers have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weighted<const K: usize> {
    /// The numbers of one customer.
    pub input: [f64; K],
    /// How many customers.
    pub weight: f64,
}

/// Distinct inputs of `K` numbers with their weights. What it holds does not depend on the order of rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collapsed<const K: usize> {
    weights: HashMap<[u64; K], u64>,
}

impl<const K: usize> Collapsed<K> {
    /// Adds `weight` customers. `wanted` is asked when the input is new.
    #[inline]
    pub fn add<E>(
        &mut self,
        input: [f64; K],
        weight: u64,
        wanted: impl FnOnce(&[f64; K]) -> Result<bool, E>,
    ) -> Result<(), E> {
        // Adding zero makes one of the two zeros.
        let key = input.map(|number| (number + 0.0).to_bits());
        if let Some(present) = self.weights.get_mut(&key) {
            *present = present.saturating_add(weight);
            return Ok(());
        }
        if wanted(&input)? && weight > 0 {
            self.weights.insert(key, weight);
        }
        Ok(())
    }

    /// Adds what another has collected.
    pub fn merge(&mut self, input: [f64; K], weight: u64) {
        let present = self.weights.entry(input.map(f64::to_bits)).or_insert(0);
        *present = present.saturating_add(weight);
    }

    /// Makes room for so many distinct inputs more.
    pub fn reserve(&mut self, count: usize) {
        self.weights.reserve(count);
    }

    /// Takes `weight` customers away that were added before.
    pub fn retract(&mut self, input: [f64; K], weight: u64) {
        let key = input.map(|number| (number + 0.0).to_bits());
        if let Some(present) = self.weights.get_mut(&key) {
            *present = present.saturating_sub(weight);
            if *present == 0 {
                self.weights.remove(&key);
            }
        }
    }

    /// The count of distinct inputs.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// How many customers.
    pub fn customers(&self) -> u64 {
        self.weights.values().fold(0, |sum, weight| sum.saturating_add(*weight))
    }

    /// Inputs and weights, in no order.
    pub fn iter(&self) -> impl Iterator<Item = ([f64; K], u64)> {
        self.weights.iter().map(|(key, weight)| (key.map(f64::from_bits), *weight))
    }

    /// Inputs and weights in the order of their numbers, so that sums over them come out the same to the last bit.
    pub fn sorted(&self) -> Vec<Weighted<K>> {
        let mut inputs: Vec<_> = self.iter().map(|(input, weight)| Weighted { input, weight: weight as f64 }).collect();
        inputs.sort_unstable_by(|a, b| {
            let orders = a.input.iter().zip(&b.input).map(|(a, b)| a.total_cmp(b));
            orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
        inputs
    }

    /// Bytes it takes.
    pub fn size(&self) -> usize {
        self.weights.allocation_size()
    }
}
