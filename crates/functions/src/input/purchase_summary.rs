//! `purchase_summary(day, amount, observed_to, ...)`: frequency, recency, age and mean spend of a customer.

use super::amount::Amount;
use super::purchase_columns;
use super::purchase_groups::{OneCustomer, PurchaseGroups};
use crate::common::{constant, refuse_distinct};
use crate::constants::{ConstantProblem, Constants};
use crate::limits;
use crate::manual::{Function, Section, page};
use crate::models::Unit;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, TypeSignature, Volatility,
};

pub(crate) const FUNCTION: Function =
    Function::aggregate("purchase_summary", Section::Input, page!("purchase_summary"), function)
        .with_rule(check_constants);

fn function() -> AggregateUDF {
    AggregateUDF::from(PurchaseSummary { signature: signature() })
}

/// Names of the arguments.
const ARGUMENTS: [&str; 5] = ["day", "amount", "observed_to", "unit", "holdout_to"];

fn check_constants(arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
    arguments.test_text(3, limits::unit)?;
    match (arguments.value(2), arguments.value(4)) {
        (Some(ScalarValue::Date32(Some(observed))), Some(ScalarValue::Date32(Some(holdout))))
            if holdout <= observed =>
        {
            Err(ConstantProblem {
                argument: 4,
                message: "holdout_to is not after observed_to".into(),
                hint: Some("the hold-out begins on the day after".into()),
            })
        }
        _ => Ok(()),
    }
}

fn signature() -> Signature {
    Signature {
        parameter_names: Some(ARGUMENTS.map(String::from).to_vec()),
        ..Signature::new(TypeSignature::UserDefined, Volatility::Immutable)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PurchaseSummary {
    signature: Signature,
}

impl AggregateUDFImpl for PurchaseSummary {
    fn name(&self) -> &str {
        "purchase_summary"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if !(3..=5).contains(&types.len()) {
            return plan_err!(
                "purchase_summary: arguments of (day, amount, observed_to [, unit [, holdout_to]]) are needed, and {} \
                 were given",
                types.len()
            );
        }
        ARGUMENTS.into_iter().zip(types).map(|(name, given)| coerced(name, given)).collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(purchase_columns::fields()))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let amount = state_amount(arguments.input_fields[1].data_type());
        let fields = purchase_columns::state_fields(&amount).into_iter();
        let named = fields.map(|(name, kind)| Field::new(format_state_name(arguments.name, name), kind, true).into());
        Ok(named.collect())
    }

    /// `ORDER BY` inside the call makes no difference; by default the engine would hand its columns over as arguments.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(match state_amount(arguments.expr_fields[1].data_type()) {
            DataType::Int64 => Box::new(OneCustomer::new(groups::<i64>(&arguments)?)),
            DataType::Float64 => Box::new(OneCustomer::new(groups::<f64>(&arguments)?)),
            _ => Box::new(OneCustomer::new(groups::<i128>(&arguments)?)),
        })
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(match state_amount(arguments.expr_fields[1].data_type()) {
            DataType::Int64 => Box::new(groups::<i64>(&arguments)?),
            DataType::Float64 => Box::new(groups::<f64>(&arguments)?),
            _ => Box::new(groups::<i128>(&arguments)?),
        })
    }
}

/// The type an argument is cast to.
fn coerced(name: &str, given: &DataType) -> Result<DataType> {
    use DataType::{Date32, Date64, Decimal128, Decimal256, Float64, Null, Timestamp, Utf8};
    match (name, given) {
        ("unit", Null | Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => Ok(Utf8),
        ("unit", other) => plan_err!("purchase_summary: unit is {other}; it is one of the texts {UNITS}"),
        ("amount", Decimal128(precision, scale)) => Ok(Decimal128(*precision, *scale)),
        ("amount", Decimal256(_, scale)) => Ok(Decimal128(38, *scale)),
        ("amount", DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale)) => {
            Ok(Decimal128(*precision, *scale))
        }
        ("amount", Null) => Ok(Decimal128(1, 0)),
        ("amount", other) if other.is_integer() => Ok(Decimal128(20, 0)),
        ("amount", other) if other.is_floating() => Ok(Float64),
        ("amount", other) => plan_err!("purchase_summary: amount is {other}; it is a number"),
        (_, Null | Date32 | Date64) => Ok(Date32),
        (_, Timestamp(..)) => plan_err!(
            "purchase_summary: {name} is a TIMESTAMP; it is a DATE, and the day of a TIMESTAMP depends on the time zone: \
             cast it in that of the business, CAST({name} AT TIME ZONE 'Europe/Vienna' AS DATE)"
        ),
        (_, other) => plan_err!("purchase_summary: {name} is {other}; it is a DATE"),
    }
}

/// The type of amounts in a partial state. Decimals of up to 18 digits are whole numbers of 64 bits.
fn state_amount(taken: &DataType) -> DataType {
    match taken {
        DataType::Decimal128(..=18, _) => DataType::Int64,
        DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
        _ => DataType::Float64,
    }
}

fn groups<A: Amount>(arguments: &AccumulatorArgs) -> Result<PurchaseGroups<A>> {
    refuse_distinct("purchase_summary", arguments)?;
    let taken = arguments.expr_fields[1].data_type();
    let scale = if let DataType::Decimal128(_, scale) = taken { *scale } else { 0 };
    Ok(PurchaseGroups::new(unit(arguments)?, state_amount(taken), scale))
}

fn unit(arguments: &AccumulatorArgs) -> Result<Unit> {
    let Some(expression) = arguments.exprs.get(3) else { return Ok(Unit::Week) };
    match constant(expression) {
        Some(ScalarValue::Utf8(None)) => Ok(Unit::Week),
        Some(ScalarValue::Utf8(Some(name))) => {
            limits::unit(&name).map_err(|problem| exec_datafusion_err!("purchase_summary: {problem}"))
        }
        _ => exec_err!("purchase_summary: unit is not a constant; it is one of {UNITS}, for all rows"),
    }
}

const UNITS: &str = "'day', 'week', 'month' and 'year'";
