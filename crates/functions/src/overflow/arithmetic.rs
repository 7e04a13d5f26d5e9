//! `+`, `-`, `*` and the sign of whole numbers and decimals, and `/` of decimals.

use super::Overflow;
use arrow::array::{Array, ArrayRef, AsArray, Datum};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef};
use arrow::error::ArrowError;
use datafusion::common::{ScalarValue, Span, exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion::physical_expr_common::datum::apply;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One operator. Where it stands is no part of what it is: equal expressions are still computed once.
#[derive(Debug)]
pub(super) struct Arithmetic {
    operator: Operator,
    /// The one with one operand.
    negates: bool,
    signature: Signature,
    span: Option<Span>,
}

impl PartialEq for Arithmetic {
    fn eq(&self, other: &Arithmetic) -> bool {
        self.operator == other.operator && self.negates == other.negates
    }
}

impl Eq for Arithmetic {}

impl Hash for Arithmetic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.operator.hash(state);
        self.negates.hash(state);
    }
}

impl Arithmetic {
    /// For operands that may wrap.
    pub(super) fn binary(
        operator: Operator,
        types: (Result<DataType>, Result<DataType>),
        span: impl FnOnce() -> Option<Span>,
    ) -> Option<Arithmetic> {
        let (Ok(left), Ok(right)) = types else { return None };
        let decimals = matches!((&left, &right), (DataType::Decimal128(..), DataType::Decimal128(..)));
        let integers = left.is_integer() && left == right && operator != Operator::Divide;
        (decimals || integers).then(|| Arithmetic::new(operator, false, span()))
    }

    /// For an operand whose least value has no positive counterpart.
    pub(super) fn negation(operand: Result<DataType>, span: impl FnOnce() -> Option<Span>) -> Option<Arithmetic> {
        operand.is_ok_and(|t| t.is_signed_integer()).then(|| Arithmetic::new(Operator::Minus, true, span()))
    }

    fn new(operator: Operator, negates: bool, span: Option<Span>) -> Arithmetic {
        let arguments = TypeSignature::Any(if negates { 1 } else { 2 });
        Arithmetic { operator, negates, span, signature: Signature::new(arguments, Volatility::Immutable) }
    }

    fn written(&self, args: &[impl ToString]) -> String {
        match args {
            [operand] => format!("(- {})", operand.to_string()),
            [left, right] => format!("{} {} {}", left.to_string(), self.operator, right.to_string()),
            _ => String::new(),
        }
    }

    fn compute(&self, args: &[ColumnarValue]) -> Result<ColumnarValue> {
        match (args, self.operator) {
            ([operand], _) => match operand {
                ColumnarValue::Array(array) => Ok(ColumnarValue::Array(numeric::neg(array)?)),
                ColumnarValue::Scalar(scalar) => {
                    let negated = numeric::neg(&scalar.to_array()?)?;
                    Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&negated, 0)?))
                }
            },
            ([left, right], Operator::Plus) => apply(left, right, fitting(numeric::add)),
            ([left, right], Operator::Minus) => apply(left, right, fitting(numeric::sub)),
            ([left, right], Operator::Multiply) => apply(left, right, fitting(numeric::mul)),
            ([left, right], Operator::Divide) => apply(left, right, fitting(numeric::div)),
            (_, other) => exec_err!("{other} is not computed here"),
        }
    }

    /// The first row that does not fit.
    fn overflow(&self, args: &[ColumnarValue], rows: usize, data_type: &DataType) -> Result<Overflow> {
        let arrays = ColumnarValue::values_to_arrays(args)?;
        let rows = if args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) { 1 } else { rows };
        let at = |row: usize| -> Result<Vec<ScalarValue>> {
            arrays
                .iter()
                .map(|array| ScalarValue::try_from_array(array, if array.len() == 1 { 0 } else { row }))
                .collect()
        };
        for row in 0..rows {
            let values = at(row)?;
            let alone: Vec<ColumnarValue> = values.iter().cloned().map(ColumnarValue::Scalar).collect();
            if self.compute(&alone).is_err() {
                return Ok(self.failed(self.written(&values), data_type));
            }
        }
        Ok(self.failed(format!("a result of {}", self.operator), data_type))
    }

    fn failed(&self, computed: String, data_type: &DataType) -> Overflow {
        Overflow { computed, data_type: data_type.clone(), span: self.span }
    }
}

/// A kernel that also refuses decimals of more digits than their type has, which 128 bits can hold.
fn fitting(
    kernel: impl Fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError>,
) -> impl Fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError> {
    const GREATEST: u128 = 10_u128.pow(DECIMAL128_MAX_PRECISION as u32) - 1;
    move |left, right| {
        let result = kernel(left, right)?;
        if let DataType::Decimal128(DECIMAL128_MAX_PRECISION, _) = result.data_type() {
            let values = result.as_primitive::<Decimal128Type>();
            let too_long = |row: usize| values.is_valid(row) && values.value(row).unsigned_abs() > GREATEST;
            // What stands under a NULL may be anything, so a value that seems too long is looked at twice.
            if values.values().iter().any(|v| v.unsigned_abs() > GREATEST) && (0..values.len()).any(too_long) {
                return Err(ArrowError::ArithmeticOverflow("more than 38 digits".into()));
            }
        }
        Ok(result)
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        match self.operator {
            _ if self.negates => "negate",
            Operator::Plus => "add",
            Operator::Minus => "subtract",
            Operator::Multiply => "multiply",
            _ => "divide",
        }
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.written(&args.iter().map(|arg| arg.schema_name().to_string()).collect::<Vec<_>>()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [operand] => Ok(operand.clone()),
            [left, right] => BinaryTypeCoercer::new(left, &self.operator, right).get_result_type(),
            _ => plan_err!("{} takes one operand or two", self.name()),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match self.compute(&args.args) {
            Err(DataFusionError::ArrowError(error, _)) if matches!(*error, ArrowError::ArithmeticOverflow(_)) => {
                Err(self.overflow(&args.args, args.number_rows, args.return_type())?.into())
            }
            other => other,
        }
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        Ok(match (inputs, self.operator) {
            ([operand], _) => -operand.sort_properties,
            ([left, right], Operator::Plus) => left.sort_properties.add(&right.sort_properties),
            ([left, right], Operator::Minus) => left.sort_properties.sub(&right.sort_properties),
            _ => SortProperties::Unordered,
        })
    }
}
