//! `+`, `-`, `*` and the sign of whole numbers and decimals, `/` of decimals, and `<<` and `>>` of whole numbers.
//!
//! A whole expression of them is one function of its operands. One function for each operator would be simpler, but the
//! engine takes the cube of the depth to plan calls inside calls.

use super::{Overflow, checked, span_of};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Datum, PrimitiveArray, downcast_integer};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use datafusion::common::{DFSchema, ScalarValue, Span, exec_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::physical_expr_common::datum::apply;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What is done next with a stack of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    /// The next operand is put on it.
    Operand,
    /// The last two become one.
    Operator(Operator),
    /// The last changes its sign.
    Negate,
}

/// An expression. Its place does not count: equal expressions are still computed once.
#[derive(Debug)]
pub(super) struct Arithmetic {
    acts: Vec<Act>,
    data_type: DataType,
    signature: Signature,
    /// The first column of each operand.
    spans: Vec<Option<Span>>,
}

impl PartialEq for Arithmetic {
    fn eq(&self, other: &Arithmetic) -> bool {
        self.acts == other.acts && self.data_type == other.data_type
    }
}

impl Eq for Arithmetic {}

impl Hash for Arithmetic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.acts.hash(state);
        self.data_type.hash(state);
    }
}

/// An expression taken apart.
struct Parts<'a> {
    schema: &'a DFSchema,
    acts: Vec<Act>,
    operands: Vec<&'a Expr>,
}

impl<'a> Parts<'a> {
    /// Adds an expression, and says its type.
    fn add(&mut self, expr: &'a Expr) -> Option<DataType> {
        let (acts, operands) = (self.acts.len(), self.operands.len());
        let (act, data_type, may_wrap) = match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if checked(*op) => {
                let (left, right) = (self.add(left)?, self.add(right)?);
                let decimals = matches!((&left, &right), (DataType::Decimal128(..), DataType::Decimal128(..)));
                let integers = left.is_integer() && left == right && *op != Operator::Divide;
                let data_type = BinaryTypeCoercer::new(&left, op, &right).get_result_type().ok()?;
                (Act::Operator(*op), data_type, decimals || integers)
            }
            // The least whole number has no positive counterpart. A negative literal is a literal.
            Expr::Negative(inner) => {
                let inner = self.add(inner)?;
                let may_wrap = inner.is_signed_integer();
                (Act::Negate, inner, may_wrap)
            }
            other => (Act::Operand, other.get_type(self.schema).ok()?, false),
        };
        if may_wrap {
            self.acts.push(act);
        } else {
            self.acts.truncate(acts);
            self.operands.truncate(operands);
            self.acts.push(Act::Operand);
            self.operands.push(expr);
        }
        Some(data_type)
    }
}

impl Arithmetic {
    /// The function of an expression that may wrap, and its operands.
    pub(super) fn of(expr: &Expr, schema: &DFSchema) -> Option<(Arithmetic, Vec<Expr>)> {
        let mut parts = Parts { schema, acts: Vec::new(), operands: Vec::new() };
        let data_type = parts.add(expr)?;
        let Parts { acts, operands, .. } = parts;
        if acts == [Act::Operand] {
            return None;
        }
        let signature = Signature::variadic_any(Volatility::Immutable);
        let spans = operands.iter().map(|operand| span_of(&[operand])).collect();
        Some((Arithmetic { acts, data_type, signature, spans }, operands.into_iter().cloned().collect()))
    }

    /// The type of the value. It is made anew from those of the operands, which may change as a plan is made simpler:
    /// `round(x, 2)` has two decimal places once the 2 is known to be a literal, and before as many as `x`.
    fn result_type(&self, operands: &[DataType]) -> DataType {
        let mut next = operands.iter();
        let mut stack: Vec<DataType> = Vec::new();
        for act in &self.acts {
            let made = match act {
                Act::Operand => next.next().cloned(),
                Act::Operator(operator) => match (stack.pop(), stack.pop()) {
                    (Some(right), Some(left)) => BinaryTypeCoercer::new(&left, operator, &right).get_result_type().ok(),
                    _ => None,
                },
                Act::Negate => stack.pop(),
            };
            match made {
                Some(made) => stack.push(made),
                None => return self.data_type.clone(),
            }
        }
        stack.pop().unwrap_or_else(|| self.data_type.clone())
    }

    /// As it was written, but for brackets.
    fn written(&self, operands: impl IntoIterator<Item = String>) -> String {
        let (mut operands, mut stack) = (operands.into_iter(), Vec::new());
        for act in &self.acts {
            match act {
                Act::Operand => stack.extend(operands.next()),
                Act::Operator(operator) => {
                    let right = stack.pop().unwrap_or_default();
                    let mut left: String = stack.pop().unwrap_or_default();
                    left.push_str(&format!(" {operator} {right}"));
                    stack.push(left);
                }
                Act::Negate => {
                    let operand = stack.pop().unwrap_or_default();
                    stack.push(format!("(- {operand})"));
                }
            }
        }
        stack.pop().unwrap_or_default()
    }

    /// The value. `failed` is told the values of an operator that overflows, and which operand was the last before it.
    fn compute(
        &self,
        operands: &[ColumnarValue],
        failed: &mut dyn FnMut(String, DataType, usize),
    ) -> Result<ColumnarValue> {
        let (mut next, mut stack) = (0, Vec::with_capacity(4));
        for act in &self.acts {
            let made = match act {
                Act::Operand => {
                    next += 1;
                    operands.get(next - 1).cloned()
                }
                Act::Operator(operator) => match (stack.pop(), stack.pop()) {
                    (Some(right), Some(left)) => {
                        let made = operate(*operator, &left, &right);
                        if made.is_err() {
                            let (l, r) = (left.data_type(), right.data_type());
                            let data_type = BinaryTypeCoercer::new(&l, operator, &r).get_result_type();
                            let data_type = data_type.unwrap_or_else(|_| self.data_type.clone());
                            failed(format!("{} {operator} {}", shown(&left), shown(&right)), data_type, next);
                        }
                        Some(made?)
                    }
                    _ => None,
                },
                Act::Negate => match stack.pop() {
                    Some(value) => {
                        let made = negate(&value);
                        if made.is_err() {
                            failed(format!("-({})", shown(&value)), value.data_type(), next);
                        }
                        Some(made?)
                    }
                    None => None,
                },
            };
            match made {
                Some(made) => stack.push(made),
                None => return exec_err!("an operand is missing"),
            }
        }
        match stack.pop() {
            Some(value) => Ok(value),
            None => exec_err!("an expression without operands"),
        }
    }

    /// The first row that does not fit.
    fn overflow(&self, operands: &[ColumnarValue], rows: usize) -> Result<Overflow> {
        let mut found = None;
        for row in 0..rows.max(1) {
            let of_row = operands.iter().map(|operand| match operand {
                ColumnarValue::Array(array) => ScalarValue::try_from_array(array, row).map(ColumnarValue::Scalar),
                scalar => Ok(scalar.clone()),
            });
            let of_row = of_row.collect::<Result<Vec<_>>>()?;
            let mut note = |computed, data_type, last: usize| {
                let span = self.spans[..last.min(self.spans.len())].iter().rev().find_map(|span| *span);
                found = Some(Overflow { computed, data_type, span });
            };
            if self.compute(&of_row, &mut note).is_err() {
                break;
            }
        }
        let unknown = || Overflow { computed: "a result".into(), data_type: self.data_type.clone(), span: None };
        Ok(found.unwrap_or_else(unknown))
    }
}

/// The value of one row.
fn shown(value: &ColumnarValue) -> String {
    let text = value.to_array(1).and_then(|array| Ok(array_value_to_string(&array, 0)?));
    text.unwrap_or_else(|_| "?".to_string())
}

fn operate(operator: Operator, left: &ColumnarValue, right: &ColumnarValue) -> Result<ColumnarValue> {
    match operator {
        Operator::Plus => apply(left, right, |left, right| fitting(numeric::add(left, right)?)),
        Operator::Minus => apply(left, right, |left, right| fitting(numeric::sub(left, right)?)),
        Operator::Multiply => apply(left, right, |left, right| fitting(numeric::mul(left, right)?)),
        Operator::Divide => apply(left, right, |left: &dyn Datum, right| fitting(numeric::div(left, right)?)),
        Operator::BitwiseShiftLeft | Operator::BitwiseShiftRight => {
            apply(left, right, |left: &dyn Datum, right| shifted(operator, left, right))
        }
        other => exec_err!("{other} is not computed here"),
    }
}

/// Whole numbers whose binary places are shifted. The engine takes the number of places modulo the width of the type.
fn shifted(operator: Operator, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError> {
    macro_rules! of_type {
        ($type:ty) => {
            shifted_values::<$type>(operator, left, right)
        };
    }
    let data_type = left.get().0.data_type();
    downcast_integer! {
        data_type => (of_type),
        other => Err(ArrowError::InvalidArgumentError(format!("{other} has no binary places"))),
    }
}

fn shifted_values<T>(operator: Operator, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError>
where
    T: ArrowPrimitiveType<Native: Into<i128> + TryFrom<i128>>,
{
    let ((left, left_is_one), (right, right_is_one)) = (left.get(), right.get());
    let (values, places) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    let rows = if left_is_one { right.len() } else { left.len() };
    let value = |array: &PrimitiveArray<T>, row: usize| array.is_valid(row).then(|| array.value(row).into());
    let shifted = (0..rows).map(|row| {
        let value_of_row: Option<i128> = value(values, if left_is_one { 0 } else { row });
        let places_of_row: Option<i128> = value(places, if right_is_one { 0 } else { row });
        let (Some(value), Some(places)) = (value_of_row, places_of_row) else { return Ok(None) };
        let made = match (operator, u32::try_from(places).ok()) {
            (_, None) => None,
            (Operator::BitwiseShiftLeft, Some(_)) if value == 0 => Some(0),
            // 64 binary places and 63 more are within 128.
            (Operator::BitwiseShiftLeft, Some(places)) => (places < 64).then(|| value << places),
            (_, Some(places)) => Some(value >> places.min(127)),
        };
        let made = made.and_then(|made| T::Native::try_from(made).ok());
        made.map(Some).ok_or_else(|| ArrowError::ArithmeticOverflow("binary places beyond the type".into()))
    });
    Ok(Arc::new(shifted.collect::<Result<PrimitiveArray<T>, ArrowError>>()?))
}

fn negate(value: &ColumnarValue) -> Result<ColumnarValue> {
    Ok(match value {
        ColumnarValue::Array(array) => ColumnarValue::Array(numeric::neg(array)?),
        ColumnarValue::Scalar(scalar) => {
            let negated = numeric::neg(&scalar.to_array()?)?;
            ColumnarValue::Scalar(ScalarValue::try_from_array(&negated, 0)?)
        }
    })
}

/// Refuses decimals of more digits than their type has, which 128 bits can hold.
fn fitting(result: ArrayRef) -> Result<ArrayRef, ArrowError> {
    const GREATEST: u128 = 10_u128.pow(DECIMAL128_MAX_PRECISION as u32) - 1;
    if let DataType::Decimal128(DECIMAL128_MAX_PRECISION, _) = result.data_type() {
        let values = result.as_primitive::<Decimal128Type>();
        let too_long = |row: usize| values.is_valid(row) && values.value(row).unsigned_abs() > GREATEST;
        // What stands under a NULL may be anything, so that what seems too long is looked at twice.
        if values.values().iter().any(|v| v.unsigned_abs() > GREATEST) && (0..values.len()).any(too_long) {
            return Err(ArrowError::ArithmeticOverflow("more than 38 digits".into()));
        }
    }
    Ok(result)
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        "arithmetic"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.written(args.iter().map(|arg| arg.schema_name().to_string())))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, operands: &[DataType]) -> Result<DataType> {
        Ok(self.result_type(operands))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(self.name(), self.result_type(&types), nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match self.compute(&args.args, &mut |_, _, _| {}) {
            Err(DataFusionError::ArrowError(error, _)) if matches!(*error, ArrowError::ArithmeticOverflow(_)) => {
                Err(self.overflow(&args.args, args.number_rows)?.into())
            }
            other => other,
        }
    }
}
