//! Customers with the same history are kept once, with a weight.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The greatest sum of weights: every whole number up to it is a double.
pub(crate) const MAX_CUSTOMERS: u64 = 1 << 53;

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
    weights: HashTable<([u64; K], u64)>,
}

/// The bits of numbers; adding zero makes one of the two zeros.
#[inline]
fn bits<const K: usize>(input: &[f64; K]) -> [u64; K] {
    input.map(|number| (number + 0.0).to_bits())
}

/// Multiplies and folds: whole numbers differ in their high bits only, and the table uses the low and the
/// highest ones. Hostile input could only make a query slow.
#[inline]
fn hash<const K: usize>(key: &[u64; K]) -> u64 {
    key.iter().fold(0x243F_6A88_85A3_08D3, |state, number| {
        let product = u128::from(state ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        (product as u64) ^ ((product >> 64) as u64)
    })
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
        let key = bits(&input);
        match self.weights.entry(hash(&key), |(other, _)| *other == key, |(other, _)| hash(other)) {
            Entry::Occupied(mut present) => {
                let present = &mut present.get_mut().1;
                *present = present.saturating_add(weight);
            }
            Entry::Vacant(vacant) => {
                if wanted(&input)? && weight > 0 {
                    vacant.insert((key, weight));
                }
            }
        }
        Ok(())
    }

    /// Adds what another has collected.
    #[inline]
    pub fn merge(&mut self, input: [f64; K], weight: u64) {
        let added: Result<(), ()> = self.add(input, weight, |_| Ok(true));
        // The closure cannot fail.
        let _ = added;
    }

    /// Makes room for `count` more distinct inputs.
    pub fn reserve(&mut self, count: usize) {
        self.weights.reserve(count, |(key, _)| hash(key));
    }

    /// Takes `weight` customers away that were added before.
    pub fn retract(&mut self, input: [f64; K], weight: u64) {
        let key = bits(&input);
        if let Ok(mut present) = self.weights.find_entry(hash(&key), |(other, _)| *other == key) {
            let left = present.get().1.saturating_sub(weight);
            present.get_mut().1 = left;
            if left == 0 {
                present.remove();
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
        self.weights.iter().fold(0, |sum, (_, weight)| sum.saturating_add(*weight))
    }

    /// Inputs and weights, in no order.
    pub fn iter(&self) -> impl Iterator<Item = ([f64; K], u64)> {
        self.weights.iter().map(|(key, weight)| (key.map(f64::from_bits), *weight))
    }

    /// Inputs and weights in the order of their numbers, so that sums over them come out the same to the last bit.
    pub fn sorted(&self) -> Vec<Weighted<K>> {
        // Numbers that are not negative have the order of their bits; of others some fixed order is enough.
        let mut entries: Vec<_> = self.weights.iter().copied().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        let weighted =
            |(key, weight): ([u64; K], u64)| Weighted { input: key.map(f64::from_bits), weight: weight as f64 };
        entries.into_iter().map(weighted).collect()
    }

    /// Bytes it takes.
    pub fn size(&self) -> usize {
        self.weights.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collapsed(rows: &[([u8; 2], u8)]) -> Collapsed<2> {
        let mut all = Collapsed::default();
        for (input, weight) in rows {
            let done: Result<(), ()> = all.add(input.map(|n| f64::from(n % 4)), u64::from(*weight), |_| Ok(true));
            done.unwrap();
        }
        all
    }

    proptest! {
        /// Any order, any cut into parts: the same; what is taken away again has never been there.
        #[test]
        fn order_and_parts_make_no_difference(
            rows in proptest::collection::vec(any::<([u8; 2], u8)>(), 0..60),
            cut in 0usize..60,
        ) {
            let whole = collapsed(&rows);
            let turned: Vec<_> = rows.iter().rev().copied().collect();
            prop_assert_eq!(collapsed(&turned).sorted(), whole.sorted());
            let (first, second) = rows.split_at(cut.min(rows.len()));
            let mut merged = collapsed(second);
            collapsed(first).iter().for_each(|(input, weight)| merged.merge(input, weight));
            prop_assert_eq!(merged.sorted(), whole.sorted());
            prop_assert_eq!(merged.customers(), rows.iter().map(|row| u64::from(row.1)).sum::<u64>());
            collapsed(first).iter().for_each(|(input, weight)| merged.retract(input, weight));
            prop_assert_eq!(merged.sorted(), collapsed(second).sorted());
        }
    }

    #[test]
    fn the_two_zeros_are_one() {
        let mut all = Collapsed::<1>::default();
        all.merge([0.0], 1);
        all.merge([-0.0], 2);
        assert_eq!(all.sorted(), [Weighted { input: [0.0], weight: 3.0 }]);
    }
}
