//! Rows of a measure, collapsed: equal rows are kept once with their count.

/// Rows are collapsed when there are more than this, and then whenever their number has doubled.
const FEW: usize = 1 << 12;

/// Numbers and how often they occurred.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Counted<const K: usize> {
    pub numbers: [f64; K],
    pub count: u64,
}

/// Distinct rows of `K` numbers and how often each occurred, whatever the order of rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally<const K: usize> {
    rows: Vec<([u64; K], u64)>,
    /// How many at the beginning are in order and distinct.
    collapsed: usize,
}

impl<const K: usize> Tally<K> {
    /// Adds a row that occurred `count` times.
    pub(super) fn add(&mut self, numbers: [f64; K], count: u64) {
        self.rows.push((numbers.map(ordered), count));
        if self.rows.len() > FEW.max(2 * self.collapsed) {
            self.collapse();
        }
    }

    /// Distinct rows in ascending order.
    pub(super) fn sorted(&mut self) -> Vec<Counted<K>> {
        self.collapse();
        let counted = |(numbers, count): &([u64; K], u64)| Counted { numbers: numbers.map(number), count: *count };
        self.rows.iter().map(counted).collect()
    }

    fn collapse(&mut self) {
        if self.collapsed < self.rows.len() {
            self.rows.sort_unstable_by_key(|(numbers, _)| *numbers);
            self.rows.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                kept.1 += if same { later.1 } else { 0 };
                same
            });
            self.collapsed = self.rows.len();
        }
    }

    pub(super) fn size(&self) -> usize {
        self.rows.capacity() * size_of::<([u64; K], u64)>()
    }
}

/// Bits that are in order where the numbers are. The two zeros are one.
fn ordered(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn number(ordered: u64) -> f64 {
    f64::from_bits(if ordered >> 63 == 1 { ordered & !(1 << 63) } else { !ordered })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_of_bits_is_order_of_numbers() {
        let numbers = [f64::NEG_INFINITY, -2.0, -1e-300, 0.0, 1e-300, 1.0, f64::INFINITY];
        assert!(numbers.windows(2).all(|pair| ordered(pair[0]) < ordered(pair[1])));
        assert!(numbers.iter().all(|one| number(ordered(*one)) == *one));
        assert_eq!(ordered(-0.0), ordered(0.0));
    }

    proptest! {
        #[test]
        fn it_counts(rows in prop::collection::vec((0u8..20, 0u8..3), 0..20_000)) {
            let mut tally = Tally::<2>::default();
            let mut counts = std::collections::BTreeMap::new();
            for (a, b) in &rows {
                tally.add([f64::from(*a), f64::from(*b)], 1);
                *counts.entry((*a, *b)).or_insert(0) += 1;
            }
            let expected: Vec<_> = counts
                .into_iter()
                .map(|((a, b), count)| Counted { numbers: [f64::from(a), f64::from(b)], count })
                .collect();
            prop_assert_eq!(tally.sorted(), expected);
        }
    }
}
