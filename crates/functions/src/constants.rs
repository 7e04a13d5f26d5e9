//! What can be said of a call before any row is read: whether its constant arguments are allowed.
//!
//! Every function that takes a unit, a horizon, a number of bins or the like has a rule for it in its own file
//! ([`Function::check_constants`](crate::Function::check_constants)), made of the same tests that run on the rows.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use std::fmt;

/// A constant argument that a function does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstantProblem {
    /// Position of the argument, from 0.
    pub argument: usize,
    /// What is wrong, without the name of the function: `unknown unit 'wek'`.
    pub message: String,
    /// What is allowed, or what was probably meant.
    pub hint: Option<String>,
}

/// Checks the constant arguments of a call; `None` stands for an argument that is not constant. `function` is the name
/// that the function itself gives (`ScalarUDF::name` and its like); functions of others are not looked at.
pub fn check_constants(function: &str, arguments: &[Option<ScalarValue>]) -> Result<(), ConstantProblem> {
    match crate::FUNCTIONS.iter().find(|own| own.name == function) {
        Some(own) => own.check_constants(arguments),
        None => Ok(()),
    }
}

/// The rule of one function.
pub(crate) type Rule = fn(&Constants<'_>) -> Result<(), ConstantProblem>;

/// Why a value is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueProblem {
    message: String,
    hint: Option<String>,
}

impl ValueProblem {
    /// What is wrong with the value, and what is allowed.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> ValueProblem {
        ValueProblem { message: message.into(), hint: Some(hint.into()) }
    }

    /// The same, of the argument at that position.
    pub fn at(self, argument: usize) -> ConstantProblem {
        ConstantProblem { argument, message: self.message, hint: self.hint }
    }
}

impl fmt::Display for ValueProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}; {hint}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// The arguments of a call by position. A constant NULL counts as one whose value is not known: what NULL means is not
/// an error of any function.
pub(crate) struct Constants<'a>(&'a [Option<ScalarValue>]);

impl<'a> Constants<'a> {
    /// Of the arguments of a call, where nothing stands for one that is not constant.
    pub fn new(arguments: &'a [Option<ScalarValue>]) -> Constants<'a> {
        Constants(arguments)
    }

    /// The count of arguments.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The constant at that position that is not NULL.
    pub fn value(&self, argument: usize) -> Option<&'a ScalarValue> {
        self.0.get(argument)?.as_ref().filter(|value| !value.is_null())
    }

    /// The text at that position.
    pub fn text(&self, argument: usize) -> Option<&'a str> {
        self.value(argument)?.try_as_str().flatten()
    }

    /// The number at that position.
    pub fn number(&self, argument: usize) -> Option<f64> {
        match self.numeric(argument)?.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(number)) => number,
            _ => None,
        }
    }

    /// The whole number at that position; nothing where the number has a fraction.
    pub fn integer(&self, argument: usize) -> Option<i64> {
        match self.numeric(argument)?.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(number)) => number,
            _ => None,
        }
    }

    fn numeric(&self, argument: usize) -> Option<&'a ScalarValue> {
        self.value(argument).filter(|value| value.data_type().is_numeric())
    }

    /// Tests the text at that position, where there is a constant one.
    pub fn test_text<T>(
        &self,
        argument: usize,
        test: impl FnOnce(&str) -> Result<T, ValueProblem>,
    ) -> Result<(), ConstantProblem> {
        self.text(argument).map_or(Ok(()), |text| test(text).map(drop).map_err(|problem| problem.at(argument)))
    }

    /// Tests the number at that position, where there is a constant one.
    pub fn test_number<T>(
        &self,
        argument: usize,
        test: impl FnOnce(f64) -> Result<T, ValueProblem>,
    ) -> Result<(), ConstantProblem> {
        self.number(argument).map_or(Ok(()), |number| test(number).map(drop).map_err(|problem| problem.at(argument)))
    }

    /// Tests the whole number at that position, where there is a constant one.
    pub fn test_integer<T>(
        &self,
        argument: usize,
        test: impl FnOnce(i64) -> Result<T, ValueProblem>,
    ) -> Result<(), ConstantProblem> {
        self.integer(argument).map_or(Ok(()), |number| test(number).map(drop).map_err(|problem| problem.at(argument)))
    }
}
