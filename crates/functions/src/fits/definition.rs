//! What makes an aggregate function of a model: its names, which inputs there can be, how it is fitted.

use super::collapsed::Weighted;
use super::fit::{Fit, Model};
use crate::constants::{ConstantProblem, Constants};
use crate::limits;
use std::hash::{Hash, Hasher};

/// A fit as an aggregate function. `K` numbers describe a customer.
#[derive(Debug)]
pub(crate) struct Definition<const K: usize> {
    /// The name in SQL.
    pub name: &'static str,
    /// The model of the answer.
    pub model: Model,
    /// Names of the arguments.
    pub inputs: [&'static str; K],
    /// Whether a `purchase_summary` may be given instead, whose fields have the same names.
    pub takes_summary: bool,
    /// Whether time is measured in a unit.
    pub has_unit: bool,
    /// Which argument may be a BOOLEAN (1 and 0).
    pub boolean: Option<usize>,
    /// What is to be done with an input: asked once per distinct input.
    pub classify: fn(&[f64; K]) -> Input,
    /// The fit of inputs in ascending order, of which there may be none. Unit and counts are filled in afterwards.
    pub fit: fn(&[Weighted<K>]) -> Fit,
}

/// What is to be done with an input.
pub(crate) enum Input {
    /// It counts.
    Used,
    /// It says nothing to this model and is left out, and counted as left out.
    LeftOut,
    /// It is impossible: what is wrong with it, with the values, and what is allowed.
    Impossible(String),
}

impl<const K: usize> Definition<K> {
    /// Names of all arguments in order.
    pub fn arguments(&self) -> Vec<&'static str> {
        let unit: &[&str] = if self.has_unit { &["unit"] } else { &[] };
        self.inputs.iter().chain(unit).chain(&["weight"]).copied().collect()
    }

    /// Tests the unit and the weight of a call where they are constant. (Those of a summary stand in its fields, and a
    /// call with a summary has no argument at these positions.)
    pub fn check_constants(&self, arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
        if self.has_unit {
            arguments.test_text(K, limits::unit)?;
        }
        (K..arguments.len()).try_for_each(|argument| arguments.test_integer(argument, limits::weight))
    }
}

impl<const K: usize> PartialEq for Definition<K> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<const K: usize> Eq for Definition<K> {}

impl<const K: usize> Hash for Definition<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
