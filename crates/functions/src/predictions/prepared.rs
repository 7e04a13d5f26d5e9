//! Fits made ready for many rows, and kept from batch to batch.
//!
//! The posterior of a living customer does not depend on when they bought last: what they will do is the probability
//! that they are alive times a number that depends on (x, T) alone, which is the expensive part (hypergeometric functions,
//! integrals) and is computed once per distinct (x, T) (Fader, Hardie and Lee 2005, equation 10, and likewise for the
//! other models). Every value is computed this way whether it is kept or not, so no answer depends on other rows.

use super::models::{Purchasing, purchasing, spending};
use super::quantity::Quantity;
use crate::constants::ValueProblem;
use crate::fits::fit::{Fit, Model};
use crate::limits;
use crate::models::gamma_gamma::GammaGamma;
use crate::models::{Delta, History, Time};
use hashbrown::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// What is the same for many rows: fits and the future.
#[derive(Debug)]
pub(super) struct Prepared {
    quantity: Quantity,
    future: Future,
    model: Model,
    /// The fits themselves; for an interval also with each of their parameters moved, as [`Delta::points`] has them.
    points: Vec<Point>,
    /// For an interval.
    pub delta: Option<Delta>,
}

/// The future, in the unit of the fit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Future {
    /// Its length.
    pub horizon: f64,
    /// The continuous discount rate per unit.
    pub rate: f64,
}

/// One set of parameters.
#[derive(Debug)]
struct Point {
    purchases: Option<Arc<Purchases>>,
    spend: Option<GammaGamma>,
}

/// A model of purchases with the answers it has given.
struct Purchases {
    model: Purchasing,
    given_alive: RwLock<HashMap<[u64; 2], f64>>,
}

/// Customers to be scored, column by column.
pub(super) struct Customers {
    /// Rows they stand in.
    pub rows: Vec<usize>,
    /// What they did; models of spend use only the frequency.
    pub histories: Vec<History>,
    /// Their mean spend.
    pub mean_spend: Vec<f64>,
    /// What the answer is multiplied by.
    pub factor: Vec<f64>,
}

impl fmt::Debug for Purchases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purchases").finish_non_exhaustive()
    }
}

impl Customers {
    /// With room for `count`.
    pub fn with_capacity(count: usize) -> Customers {
        Customers {
            rows: Vec::with_capacity(count),
            histories: Vec::with_capacity(count),
            mean_spend: Vec::with_capacity(count),
            factor: Vec::with_capacity(count),
        }
    }

    /// Adds one.
    pub fn push(&mut self, row: usize, history: History, mean_spend: f64, factor: f64) {
        self.rows.push(row);
        self.histories.push(history);
        self.mean_spend.push(mean_spend);
        self.factor.push(factor);
    }
}

/// How many values of (x, T) are kept per set of parameters: 2 megabytes.
const MAX_KEPT: usize = 1 << 16;

impl Prepared {
    /// Fits that are usable, ready; nothing where one is not. With a confidence, ready for an interval.
    pub fn new(quantity: Quantity, future: Future, fits: &[&Fit], confidence: Option<f64>) -> Option<Prepared> {
        if !fits.iter().all(|fit| fit.is_usable()) {
            return None;
        }
        let mut prepared = Prepared { quantity, future, model: fits.first()?.model, points: Vec::new(), delta: None };
        let Some(confidence) = confidence else {
            prepared.points.push(Point::new(fits, None, None)?);
            return Some(prepared);
        };
        let logarithms: Vec<f64> =
            fits.iter().flat_map(|fit| fit.parameters.iter().flatten()).map(|p| p.ln()).collect();
        let delta = Delta::new(&logarithms, &joint_covariance(fits)?, confidence)?;
        for logarithms in delta.points() {
            let point = Point::new(fits, Some(&logarithms), prepared.points.first())?;
            prepared.points.push(point);
        }
        prepared.delta = Some(delta);
        Some(prepared)
    }

    /// How many sets of parameters there are: one, or those of an interval.
    pub fn points(&self) -> usize {
        self.points.len()
    }

    /// What is wrong where no customer can have such a history.
    #[inline]
    pub fn check(&self, history: History) -> Result<(), ValueProblem> {
        let time = if self.model == Model::BgBb { Time::Discrete } else { Time::Continuous };
        match self.quantity {
            Quantity::PurchasesOfNew => Ok(()),
            Quantity::Spend => limits::frequency(history.frequency).map(drop),
            _ => history.problem(time).map_or(Ok(()), |wrong| Err(impossible(history, wrong))),
        }
    }

    /// The values of the customers, with one of the sets of parameters.
    pub fn values(&self, point: usize, customers: &Customers) -> Vec<f64> {
        let Point { purchases, spend } = &self.points[point];
        let mut values = match purchases {
            Some(purchases) => self.of_purchases(purchases, &customers.histories),
            None => vec![1.0; customers.rows.len()],
        };
        if let Some(model) = spend {
            let means = customers.histories.iter().zip(&customers.mean_spend);
            for (value, (history, mean)) in values.iter_mut().zip(means) {
                *value *= model.expected_spend(history.frequency, *mean);
            }
        }
        values
    }

    fn of_purchases(&self, purchases: &Purchases, histories: &[History]) -> Vec<f64> {
        let model = &purchases.model;
        let alive = |history: &History| model.p_alive(*history);
        match self.quantity {
            Quantity::Alive => histories.iter().map(alive).collect(),
            Quantity::PurchasesOfNew => vec![model.expected_purchases_new(self.future.horizon); histories.len()],
            Quantity::NoPurchase => {
                let mut values = self.given_alive(purchases, histories);
                values.iter_mut().zip(histories).for_each(|(value, history)| *value = 1.0 - *value * alive(history));
                values
            }
            Quantity::Purchases | Quantity::DiscountedPurchases | Quantity::LifetimeValue | Quantity::Spend => {
                let mut values = self.given_alive(purchases, histories);
                values.iter_mut().zip(histories).for_each(|(value, history)| *value *= alive(history));
                values
            }
        }
    }

    /// What customers will do if they are alive.
    fn given_alive(&self, purchases: &Purchases, histories: &[History]) -> Vec<f64> {
        let key = |history: &History| [history.frequency, history.age].map(|number| (number + 0.0).to_bits());
        let mut absent = Vec::new();
        let mut values = vec![0.0; histories.len()];
        {
            let kept = purchases.given_alive.read().unwrap_or_else(PoisonError::into_inner);
            for (row, history) in histories.iter().enumerate() {
                match kept.get(&key(history)) {
                    Some(value) => values[row] = *value,
                    None => absent.push(row),
                }
            }
        }
        if absent.is_empty() {
            return values;
        }
        // Computed without the lock: another thread may compute the same, and gets the same.
        let mut computed: HashMap<[u64; 2], f64> = HashMap::new();
        for row in absent {
            let compute = || self.compute(&purchases.model, histories[row]);
            values[row] = *computed.entry(key(&histories[row])).or_insert_with(compute);
        }
        let mut kept = purchases.given_alive.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in computed {
            if kept.len() < MAX_KEPT {
                kept.insert(key, value);
            }
        }
        values
    }

    /// What a customer will do if alive, from one who most probably is: whose last purchase is just over.
    fn compute(&self, model: &Purchasing, History { frequency, age, .. }: History) -> f64 {
        let recency = if frequency > 0.0 { age } else { 0.0 };
        let latest = History { frequency, recency, age };
        let Future { horizon, rate } = self.future;
        let expected = match self.quantity {
            Quantity::NoPurchase => 1.0 - model.p_no_purchase(latest, horizon),
            Quantity::DiscountedPurchases | Quantity::LifetimeValue => {
                model.discounted_expected_purchases(latest, horizon, rate)
            }
            _ => return model.expected_if_alive(frequency, age, horizon),
        };
        expected / model.p_alive(latest)
    }
}

impl Point {
    /// The parameters of the fits, or other ones given by their logarithms. A model of purchases whose parameters
    /// have not moved is shared with the first point, with all it was asked.
    fn new(fits: &[&Fit], logarithms: Option<&[f64]>, first: Option<&Point>) -> Option<Point> {
        let mut point = Point { purchases: None, spend: None };
        let mut rest = logarithms;
        for fit in fits {
            let own = fit.parameters.as_deref()?;
            let mut moved = None;
            if let Some(logarithms) = rest {
                let (these, others) = logarithms.split_at_checked(own.len())?;
                rest = Some(others);
                if own.iter().zip(these).any(|(own, moved)| own.ln() != *moved) {
                    moved = Some(these.iter().map(|p| p.exp()).collect::<Vec<_>>());
                }
            }
            if fit.model == Model::GammaGamma {
                point.spend = Some(spending(fit.model, moved.as_deref().unwrap_or(own))?);
            } else if let (Some(first), None) = (first, &moved) {
                point.purchases = first.purchases.clone();
            } else {
                let model = purchasing(fit.model, moved.as_deref().unwrap_or(own))?;
                point.purchases = Some(Arc::new(Purchases { model, given_alive: RwLock::default() }));
            }
        }
        Some(point)
    }
}

#[cold]
fn impossible(History { frequency, recency, age }: History, wrong: &str) -> ValueProblem {
    let customer = format!("a customer with frequency {frequency}, recency {recency}, age {age} is impossible");
    ValueProblem::new(customer, wrong)
}

/// The covariance of the log-parameters of all fits. Spend is independent of buying in these models, so that what is
/// between the fits is 0.
fn joint_covariance(fits: &[&Fit]) -> Option<Vec<f64>> {
    let sizes: Vec<usize> = fits.iter().map(|fit| fit.model.parameters().len()).collect();
    let size: usize = sizes.iter().sum();
    let mut joint = vec![0.0; size * size];
    let mut first = 0;
    for (fit, size_of_one) in fits.iter().zip(sizes) {
        let covariance = fit.covariance.as_ref().filter(|cells| cells.len() == size_of_one * size_of_one)?;
        for (i, row) in covariance.chunks(size_of_one).enumerate() {
            let start = (first + i) * size + first;
            joint[start..start + size_of_one].copy_from_slice(row);
        }
        first += size_of_one;
    }
    Some(joint)
}
