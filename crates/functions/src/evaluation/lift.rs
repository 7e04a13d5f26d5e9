//! `lift(score, outcome)`: how many of the outcomes the best-scored tenths hold.

use super::measure::{Measure, Setting, function, list_of, structs};
use super::ranking::{Scored, by_score, totals};
use super::tally::Counted;
use crate::common::{bigint, list_value};
use crate::manual::{Function, Section, page};
use arrow::array::{Float64Array, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::aggregate("lift", Section::Evaluation, page!("lift"), || function(&LIFT))
        .with_rule(|arguments| LIFT.check_constants(arguments));

const FIELDS: [(&str, DataType); 6] = [
    ("bin", DataType::Int64),
    ("customers", DataType::Int64),
    ("outcomes", DataType::Float64),
    ("share", DataType::Float64),
    ("lift", DataType::Float64),
    ("cumulative_share_of_outcomes", DataType::Float64),
];

static LIFT: Measure<2> = Measure {
    name: "lift",
    arguments: ["score", "outcome"],
    outcome: Some(1),
    setting: Some(Setting { name: "bins", default: 10, allowed: 1..=1000 }),
    data_type,
    row,
    answer,
};

fn data_type() -> DataType {
    list_of(&FIELDS)
}

fn row(row: [Option<f64>; 2], _: i64) -> Result<Option<[f64; 2]>, String> {
    let [Some(score), Some(outcome)] = row else { return Ok(None) };
    if score.is_nan() {
        return Err("a score is NaN, which has no rank; NULL is left out".to_owned());
    }
    Ok(Some([score, outcome]))
}

fn answer(rows: &[Counted<2>], _: u64, bins: i64) -> Result<ScalarValue> {
    let mut scores = by_score(rows.iter().map(|row| (row.numbers[0], row.numbers[1], row.count)));
    if scores.is_empty() {
        return ScalarValue::try_from(&data_type());
    }
    scores.reverse();
    let bins = cut(&scores, bins.unsigned_abs());
    let (with, without) = totals(&scores);
    let overall = with as f64 / (with + without) as f64;
    let some = |number: f64| (with > 0).then_some(number);
    let share = |bin: &Bin| bin.outcomes / bin.customers as f64;
    let columns = vec![
        Arc::new((1..=bins.len() as i64).map(Some).collect::<Int64Array>()) as _,
        Arc::new(bins.iter().map(|bin| Some(bigint(bin.customers))).collect::<Int64Array>()) as _,
        Arc::new(bins.iter().map(|bin| Some(bin.outcomes)).collect::<Float64Array>()) as _,
        Arc::new(bins.iter().map(|bin| Some(share(bin))).collect::<Float64Array>()) as _,
        Arc::new(bins.iter().map(|bin| some(share(bin) / overall)).collect::<Float64Array>()) as _,
        Arc::new(bins.iter().map(|bin| some(bin.up_to_here / with as f64)).collect::<Float64Array>()) as _,
    ];
    list_value(Arc::new(structs(&FIELDS, columns)?))
}

/// A bin of customers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bin {
    customers: u64,
    outcomes: f64,
    /// Outcomes of this bin and those before.
    up_to_here: f64,
}

/// Bins of equal size, of customers in order; the first have one more where the size is not whole.
fn cut(scores: &[Scored], bins: u64) -> Vec<Bin> {
    let (with, without) = totals(scores);
    let customers = with + without;
    let bins = bins.min(customers);
    let mut cut = Vec::new();
    let (mut scored, mut taken, mut outcomes) = (0, 0, 0);
    // Whole outcomes and a part of those who tie, apart: differences of bins are then exact where they are whole.
    let mut before = (0u64, 0.0);
    for bin in 0..bins {
        let size = customers / bins + u64::from(bin < customers % bins);
        let mut wanted = size;
        while wanted > 0 {
            let left = scores[scored].with + scores[scored].without - taken;
            let now = wanted.min(left);
            (wanted, taken) = (wanted - now, taken + now);
            if now == left {
                outcomes += scores[scored].with;
                (scored, taken) = (scored + 1, 0);
            }
        }
        let part =
            scores.get(scored).map_or(0.0, |tied| tied.with as f64 * taken as f64 / (tied.with + tied.without) as f64);
        let in_bin = (outcomes - before.0) as f64 + (part - before.1);
        cut.push(Bin { customers: size, outcomes: in_bin, up_to_here: outcomes as f64 + part });
        before = (outcomes, part);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bins_hold_all_customers_and_outcomes(
            pairs in prop::collection::vec((-5i8..5, any::<bool>()), 1..80),
            bins in 1u64..15,
        ) {
            let pairs = pairs.iter().map(|(score, outcome)| (f64::from(-*score), f64::from(u8::from(*outcome)), 1));
            let scores = by_score(pairs);
            let (with, without) = totals(&scores);
            let cut = cut(&scores, bins);
            prop_assert_eq!(cut.iter().map(|bin| bin.customers).sum::<u64>(), with + without);
            let outcomes: f64 = cut.iter().map(|bin| bin.outcomes).sum();
            prop_assert!((outcomes - with as f64).abs() < 1e-9);
            let sizes: Vec<_> = cut.iter().map(|bin| bin.customers).collect();
            prop_assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes[0] - sizes[sizes.len() - 1] <= 1);
            prop_assert!(cut.iter().all(|bin| (-1e-9..=bin.customers as f64 + 1e-9).contains(&bin.outcomes)));
            prop_assert_eq!(cut[cut.len() - 1].up_to_here, with as f64);
        }
    }
}
