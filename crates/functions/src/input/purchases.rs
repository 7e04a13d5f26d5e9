//! Purchases of many customers, merged by day in little memory, and their summaries.

use super::amount::Amount;
use datafusion::common::exec_err;
use datafusion::error::Result;

/// Days are kept in 30 bits: 1970 and 1.4 million years before and after.
const MIDDLE: i32 = 1 << 29;
/// No day: an end of observation that is not set yet, or no hold-out period.
pub(super) const NO_DAY: i32 = i32::MIN;
/// The day has a purchase, not only refunds.
const PURCHASE: u64 = 1;
/// The value of a purchase of the day is not known.
const UNKNOWN: u64 = 2;
/// Purchases are merged by day when there are more than this, and then whenever their number has doubled.
const FEW: usize = 1 << 16;

/// What one customer bought on one day, or a part of it: exact sums of doubles can need several numbers.
#[derive(Clone, Copy, Debug)]
struct Entry<A> {
    /// Customer, day and flags, from high bits to low, so that order is by customer and day.
    key: u64,
    amount: A,
}

impl<A> Entry<A> {
    fn group(&self) -> usize {
        (self.key >> 32) as usize
    }

    fn customer_and_day(&self) -> u64 {
        self.key >> 2
    }

    fn day(&self) -> i32 {
        ((self.key & 0xffff_ffff) >> 2) as i32 - MIDDLE
    }

    fn has(&self, flag: u64) -> bool {
        self.key & flag != 0
    }
}

/// The ends of observation of a customer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ends {
    /// The last day of the calibration.
    pub observed_to: i32,
    /// The last day of the hold-out, or [`NO_DAY`].
    pub holdout_to: i32,
}

impl Ends {
    const NONE: Ends = Ends { observed_to: NO_DAY, holdout_to: NO_DAY };

    fn last(self) -> i32 {
        self.observed_to.max(self.holdout_to)
    }
}

/// The summary of a customer's purchases; lengths in days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub repeats: Window,
    pub recency: i32,
    pub age: i32,
    /// Length and purchases.
    pub holdout: Option<(i32, Window)>,
}

/// Days with a purchase in a window, and the mean value of such a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub days: i64,
    pub mean: Option<f64>,
}

/// The purchases of the customers of an aggregate.
#[derive(Debug, Default)]
pub(super) struct Purchases<A> {
    entries: Vec<Entry<A>>,
    /// How many entries at the beginning are in order and merged by day.
    merged: usize,
    ends: Vec<Ends>,
}

impl<A: Amount> Purchases<A> {
    /// Makes room for `customers`.
    pub(super) fn reserve(&mut self, customers: usize) {
        if customers > self.ends.len() {
            self.ends.resize(customers, Ends::NONE);
        }
    }

    pub(super) fn customers(&self) -> usize {
        self.ends.len()
    }

    /// Adds a purchase, or a refund where the amount is negative. `None` is a value that is not known.
    pub(super) fn add(&mut self, group: usize, day: i32, amount: Option<A>, ends: Ends) -> Result<()> {
        self.end(group, ends)?;
        if day > ends.last() {
            return Ok(());
        }
        if !(-MIDDLE..MIDDLE).contains(&day) {
            return exec_err!("purchase_summary: a day {day} days from 1970 is out of range");
        }
        let flags = match amount {
            None => PURCHASE | UNKNOWN,
            Some(refund) if refund < A::default() => 0,
            Some(_) => PURCHASE,
        };
        let stamp = (((day + MIDDLE) as u64) << 2) | flags;
        self.entries.push(Entry { key: (group as u64) << 32 | stamp, amount: amount.unwrap_or_default() });
        Ok(())
    }

    /// Adds a part of another state; see [`Purchases::states`].
    pub(super) fn add_state(&mut self, group: usize, stamp: u32, amount: A) {
        self.entries.push(Entry { key: (group as u64) << 32 | u64::from(stamp), amount });
    }

    /// Sets the ends of observation of a customer, which must not differ between rows.
    pub(super) fn end(&mut self, group: usize, ends: Ends) -> Result<()> {
        let known = &mut self.ends[group];
        if *known == ends || ends == Ends::NONE {
            return Ok(());
        }
        if *known != Ends::NONE {
            return exec_err!(
                "purchase_summary: one customer has two ends of observation, {} and {}; give the same for every row",
                shown(*known),
                shown(ends)
            );
        }
        if ends.holdout_to != NO_DAY && ends.holdout_to <= ends.observed_to {
            return exec_err!(
                "purchase_summary: holdout_to is not after observed_to in {}; the hold-out begins on the day after",
                shown(ends)
            );
        }
        for day in [ends.observed_to, ends.holdout_to] {
            if day != NO_DAY && !(-MIDDLE..MIDDLE).contains(&day) {
                return exec_err!("purchase_summary: an end of observation {day} days from 1970 is out of range");
            }
        }
        *known = ends;
        Ok(())
    }

    /// Merges by day if there are enough new entries.
    pub(super) fn tidy(&mut self) {
        if self.entries.len() > FEW.max(2 * self.merged) {
            self.merge();
        }
    }

    /// Puts the entries in order and merges those of one day.
    pub(super) fn merge(&mut self) {
        if self.merged == self.entries.len() {
            return;
        }
        self.entries.sort_unstable_by_key(|entry| entry.key);
        let mut day_start = 0;
        let mut end = 0;
        for i in 0..self.entries.len() {
            let entry = self.entries[i];
            if day_start == end || self.entries[day_start].customer_and_day() != entry.customer_and_day() {
                day_start = end;
            }
            end = self.join(day_start, end, entry);
        }
        self.entries.truncate(end);
        self.merged = end;
    }

    /// Adds an entry to those of its day, which lie from `start` to `end`; returns the new end.
    fn join(&mut self, start: usize, end: usize, entry: Entry<A>) -> usize {
        let mut sum = entry.amount;
        let mut flags = entry.key;
        let mut kept = start;
        for i in start..end {
            flags |= self.entries[i].key;
            let (joined, rest) = sum.join(self.entries[i].amount);
            if let Some(rest) = rest {
                self.entries[kept].amount = rest;
                kept += 1;
            }
            sum = joined;
        }
        for i in start..=kept {
            self.entries[i].key = flags;
        }
        self.entries[kept].amount = sum;
        kept + 1
    }

    /// The first customers, taken out; the others move to the front.
    pub(super) fn take(&mut self, customers: usize) -> Purchases<A> {
        self.merge();
        if customers == self.ends.len() {
            return std::mem::replace(self, Purchases { entries: Vec::new(), merged: 0, ends: Vec::new() });
        }
        let split = self.entries.partition_point(|entry| entry.group() < customers);
        let mut entries = self.entries.split_off(split);
        entries.iter_mut().for_each(|entry| entry.key -= (customers as u64) << 32);
        let ends = self.ends.split_off(customers);
        let rest = Purchases { merged: entries.len(), entries, ends };
        std::mem::replace(self, rest)
    }

    /// Calls with the ends and the days of every customer: day and flags as one number, and amount.
    pub(super) fn states(&mut self, mut customer: impl FnMut(Ends, &mut dyn Iterator<Item = (u32, A)>)) {
        self.each(|ends, entries| {
            customer(ends, &mut entries.iter().map(|entry| (entry.key as u32, entry.amount)));
        });
    }

    /// Calls with the summary of every customer: nothing for those whose first purchase is not in the calibration.
    pub(super) fn summaries(&mut self, scale: i8, mut customer: impl FnMut(Option<Summary>)) -> Result<()> {
        let mut fault = Ok(());
        self.each(|ends, entries| match summary(ends, entries, scale) {
            Ok(summary) => customer(summary),
            Err(error) => fault = Err(error),
        });
        fault
    }

    fn each(&mut self, mut customer: impl FnMut(Ends, &[Entry<A>])) {
        self.merge();
        let mut rest = self.entries.as_slice();
        for (group, ends) in self.ends.iter().enumerate() {
            let length = rest.iter().take_while(|entry| entry.group() == group).count();
            let (own, others) = rest.split_at(length);
            customer(*ends, own);
            rest = others;
        }
    }

    /// Bytes.
    pub(super) fn size(&self) -> usize {
        self.entries.capacity() * size_of::<Entry<A>>() + self.ends.capacity() * size_of::<Ends>()
    }
}

/// The summary of one customer, of entries in order of days.
fn summary<A: Amount>(ends: Ends, entries: &[Entry<A>], scale: i8) -> Result<Option<Summary>> {
    let observed = &entries[..entries.partition_point(|entry| entry.day() <= ends.observed_to)];
    let later = &entries[observed.len()..];
    let Some(first) = observed.iter().find(|entry| entry.has(PURCHASE)).map(Entry::day) else {
        return Ok(None);
    };
    let last = observed.iter().rfind(|entry| entry.has(PURCHASE)).map_or(first, Entry::day);
    let repeats = &observed[observed.partition_point(|entry| entry.day() <= first)..];
    let holdout = match ends.holdout_to {
        NO_DAY => None,
        day => Some((day - ends.observed_to, window(later, scale)?)),
    };
    let (recency, age) = (last - first, ends.observed_to - first);
    Ok(Some(Summary { repeats: window(repeats, scale)?, recency, age, holdout }))
}

fn window<A: Amount>(entries: &[Entry<A>], scale: i8) -> Result<Window> {
    let days = entries.chunk_by(|a, b| a.day() == b.day()).filter(|day| day[0].has(PURCHASE)).count() as i64;
    let unknown = entries.iter().any(|entry| entry.has(UNKNOWN));
    let mean =
        if days == 0 || unknown { None } else { Some(A::mean(entries.iter().map(|entry| entry.amount), scale, days)?) };
    Ok(Window { days, mean })
}

fn shown(ends: Ends) -> String {
    let day = |day: i32| match arrow::temporal_conversions::date32_to_datetime(day) {
        Some(time) => time.date().to_string(),
        None => format!("{day} days from 1970"),
    };
    match ends.holdout_to {
        NO_DAY => day(ends.observed_to),
        _ => format!("{} (hold-out to {})", day(ends.observed_to), day(ends.holdout_to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENDS: Ends = Ends { observed_to: 30, holdout_to: 50 };

    /// Customer, day, amount of a purchase or refund.
    type Row<A> = (usize, i32, Option<A>);

    fn rows<A: Amount>(amount: impl Strategy<Value = A>) -> impl Strategy<Value = Vec<Row<A>>> {
        prop::collection::vec((0usize..4, 0i32..60, prop::option::weighted(0.95, amount)), 0..80)
    }

    fn collected<A: Amount>(rows: &[Row<A>]) -> Purchases<A> {
        let mut purchases = Purchases { entries: Vec::new(), merged: 0, ends: Vec::new() };
        purchases.reserve(4);
        for (i, (group, day, amount)) in rows.iter().enumerate() {
            purchases.add(*group, *day, *amount, ENDS).unwrap();
            if i % 7 == 0 {
                purchases.merge();
            }
        }
        purchases
    }

    fn summaries<A: Amount>(mut purchases: Purchases<A>) -> Vec<Option<Summary>> {
        let mut all = Vec::new();
        purchases.summaries(0, |summary| all.push(summary)).unwrap();
        all
    }

    /// The summary by the definitions of the manual, from the rows of one customer.
    fn by_words(rows: &[(i32, Option<i64>)]) -> Option<Summary> {
        let bought = |day: &i32| rows.iter().any(|row| row.0 == *day && row.1.is_none_or(|amount| amount >= 0));
        let first = (0..=30).find(bought)?;
        let last = (0..=30).rfind(bought)?;
        let window = |from: i32, to: i32| {
            let days = (from..=to).filter(bought).count() as i64;
            let sum: Option<i64> = rows.iter().filter(|row| (from..=to).contains(&row.0)).map(|row| row.1).sum();
            Window { days, mean: sum.filter(|_| days > 0).map(|sum| sum as f64 / days as f64) }
        };
        let holdout = Some((20, window(31, 50)));
        Some(Summary { repeats: window(first + 1, 30), recency: last - first, age: 30 - first, holdout })
    }

    proptest! {
        #[test]
        fn a_summary_is_what_the_manual_says(rows in rows(-30i64..100)) {
            let expected: Vec<_> = (0..4)
                .map(|customer| {
                    let own = rows.iter().filter(|row| row.0 == customer).map(|row| (row.1, row.2));
                    by_words(&own.collect::<Vec<_>>())
                })
                .collect();
            prop_assert_eq!(summaries(collected(&rows)), expected);
        }

        #[test]
        fn partial_states_and_order_change_nothing(rows in rows(-30f64..1e9), split in 0usize..80) {
            let all = summaries(collected(&rows));
            let (early, late) = rows.split_at(split.min(rows.len()));
            let mut merged = collected(late);
            let mut group = 0;
            collected(early).states(|ends, days| {
                days.for_each(|(day, amount)| merged.add_state(group, day, amount));
                merged.end(group, ends).unwrap();
                group += 1;
            });
            prop_assert_eq!(&summaries(merged), &all);
            let mut turned = rows;
            turned.reverse();
            prop_assert_eq!(&summaries(collected(&turned)), &all);
        }

        #[test]
        fn customers_taken_out_first_are_the_same(rows in rows(-30i64..100), first in 0usize..=4) {
            let all = summaries(collected(&rows));
            let mut rest = collected(&rows);
            let taken = rest.take(first);
            let mut both = summaries(taken);
            both.extend(summaries(rest));
            prop_assert_eq!(both, all);
        }
    }
}
