//! The engine's functions whose result can be far larger than their arguments, with a bound: `repeat('x', 2000000000)` is
//! two gigabytes that no memory limit knows of.

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Int64Type, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::{string, unicode};
use datafusion::functions_nested::{range, repeat, resize};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Documentation, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::cell::OnceCell;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// What one call makes of one batch of rows, at most.
const MAX_BYTES: u128 = 256 << 20;

/// A function would have made more than is allowed at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    function: String,
    bytes: u128,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (made, most) = (self.bytes >> 20, MAX_BYTES >> 20);
        write!(f, "`{}` would make {made} MB at once; at most {most} MB are allowed", self.function)
    }
}

impl Error for TooLarge {}

/// The functions in the place of the engine's.
pub(crate) fn functions() -> impl Iterator<Item = ScalarUDF> {
    let all: [(Arc<ScalarUDF>, Size); 10] = [
        (string::concat(), joined_text),
        (string::concat_ws(), text_with_separators),
        (string::replace(), replaced_text),
        (string::repeat(), repeated_text),
        (unicode::lpad(), padded_text),
        (unicode::rpad(), padded_text),
        (repeat::array_repeat_udf(), repeated_item),
        (resize::array_resize_udf(), resized_array),
        (range::range_udf(), series),
        (range::gen_series_udf(), series),
    ];
    all.into_iter().map(|(engines, size)| Bounded { engines, size }.into())
}

/// Bytes that one row makes, roughly; nothing where an argument is NULL.
type Size = fn(&[Argument], usize) -> Option<u128>;

/// A function of the engine that is asked first how much it will make.
#[derive(Debug)]
struct Bounded {
    engines: Arc<ScalarUDF>,
    size: Size,
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Bounded) -> bool {
        self.engines == other.engines
    }
}

impl Eq for Bounded {}

impl std::hash::Hash for Bounded {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.engines.hash(state);
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn aliases(&self) -> &[String] {
        self.engines.aliases()
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.engines.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engines.inner().return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.engines.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = rows(&args);
        check_size(self.name(), self.size, &args.args, rows)?;
        self.engines.invoke_with_args(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engines.documentation()
    }
}

/// Rows that a call computes: one where every argument is constant.
fn rows(args: &ScalarFunctionArgs) -> usize {
    if args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) { 1 } else { args.number_rows }
}

fn check_size(function: &str, size: Size, args: &[ColumnarValue], rows: usize) -> Result<()> {
    let args = args.iter().map(Argument::new).collect::<Result<Vec<_>>>()?;
    let bytes: u128 = (0..rows).filter_map(|row| size(&args, row)).sum();
    if bytes > MAX_BYTES {
        return Err(DataFusionError::External(Box::new(TooLarge { function: function.to_string(), bytes })));
    }
    Ok(())
}

/// `||` between texts, a whole chain of them: NULL where one of them is. `concat` leaves NULLs out.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Joined {
    data_type: DataType,
    signature: Signature,
}

impl Joined {
    /// The function of a chain of `||`, and its operands.
    pub(crate) fn of(expr: &Expr, schema: &DFSchema) -> Option<(Joined, Vec<Expr>)> {
        let data_type = expr.get_type(schema).ok()?;
        let mut operands = Vec::new();
        let mut waiting = vec![expr];
        while let Some(next) = waiting.pop() {
            match next {
                Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
                    waiting.extend([&**right, &**left]);
                }
                other if other.get_type(schema).is_ok_and(|found| found == data_type) => operands.push(other.clone()),
                _ => return None,
            }
        }
        let is_text = matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let joined = Joined { data_type, signature: Signature::variadic_any(Volatility::Immutable) };
        (is_text && operands.len() > 1).then_some((joined, operands))
    }
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        "||"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args.iter().map(|arg| arg.schema_name().to_string()).collect::<Vec<_>>().join(" || "))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.data_type.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.data_type.clone(), nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = rows(&args);
        check_size(self.name(), joined_text, &args.args, rows)?;
        let operands = args.args.iter().map(Argument::new).collect::<Result<Vec<_>>>()?;
        let mut texts = StringViewBuilder::with_capacity(rows);
        let mut whole = String::new();
        for row in 0..rows {
            whole.clear();
            let all = operands.iter().try_for_each(|operand| operand.text(row).map(|text| whole.push_str(text)));
            texts.append_option(all.map(|()| whole.as_str()));
        }
        let texts: ArrayRef = Arc::new(texts.finish());
        let texts = cast_with_options(&texts, &self.data_type, &CastOptions { safe: false, ..CastOptions::default() })?;
        match rows == 1 && args.number_rows != 1 {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&texts, 0)?)),
            false => Ok(ColumnarValue::Array(texts)),
        }
    }
}

fn joined_text(args: &[Argument], row: usize) -> Option<u128> {
    Some(args.iter().filter_map(|arg| arg.bytes(row)).sum())
}

fn text_with_separators(args: &[Argument], row: usize) -> Option<u128> {
    let (separator, parts) = args.split_first()?;
    Some(joined_text(parts, row)? + separator.bytes(row)? * parts.len() as u128)
}

fn replaced_text(args: &[Argument], row: usize) -> Option<u128> {
    /// Results of less cannot be too large together, however many rows a batch has.
    const SMALL: u128 = MAX_BYTES / 8_192;
    let [within, from, to, ..] = args else { return None };
    let (bytes, of_each, by) = (within.bytes(row)?, from.bytes(row)?, to.bytes(row)?);
    // The engine replaces nothing by nothing.
    let most = bytes + by * bytes.checked_div(of_each).unwrap_or(0);
    if most <= SMALL || by <= of_each || of_each == 0 {
        return Some(most.min(bytes.max(SMALL)));
    }
    let found = within.text(row)?.matches(from.text(row)?).count() as u128;
    Some(bytes - found * of_each + found * by)
}

fn repeated_text(args: &[Argument], row: usize) -> Option<u128> {
    Some(args.first()?.bytes(row)? * args.get(1)?.count(row)?)
}

fn padded_text(args: &[Argument], row: usize) -> Option<u128> {
    // The length is one of characters, each of which has up to four bytes.
    let widest = args.get(2).map_or(1, |fill| if fill.bytes(row).is_some_and(|b| b <= 1) { 1 } else { 4 });
    Some(args.get(1)?.count(row)? * widest)
}

fn repeated_item(args: &[Argument], row: usize) -> Option<u128> {
    let bytes = args.first()?.bytes(row).unwrap_or(0).max(8);
    Some(bytes * args.get(1)?.count(row)?)
}

fn resized_array(args: &[Argument], row: usize) -> Option<u128> {
    Some(args.get(1)?.count(row)? * args.get(2).and_then(|fill| fill.bytes(row)).unwrap_or(0).max(8))
}

fn series(args: &[Argument], row: usize) -> Option<u128> {
    let (start, stop) = match args {
        [stop] => (0, stop.whole(row)?),
        [start, stop, ..] => (start.whole(row)?, stop.whole(row)?),
        [] => return None,
    };
    let step = match args.get(2) {
        None => 1,
        Some(step) => match step.array.data_type() {
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                let row = if step.is_constant { 0 } else { row };
                let steps = step.array.as_primitive::<IntervalMonthDayNanoType>();
                let step = steps.is_valid(row).then(|| steps.value(row))?;
                let days = i128::from(step.months) * 28 + i128::from(step.days);
                // Dates are days; timestamps are read as nanoseconds.
                match args[0].array.data_type() {
                    DataType::Timestamp(..) => days * 86_400_000_000_000 + i128::from(step.nanoseconds),
                    _ => days,
                }
            }
            _ => step.whole(row)?,
        },
    };
    let (start, stop) = match args[0].array.data_type() {
        DataType::Timestamp(unit, _) => (start * nanoseconds(unit), stop * nanoseconds(unit)),
        _ => (start, stop),
    };
    let items = (stop - start).checked_div(step)?.max(0);
    Some(items.unsigned_abs() * 8)
}

fn nanoseconds(unit: &arrow::datatypes::TimeUnit) -> i128 {
    use arrow::datatypes::TimeUnit;
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// An argument. Where it is constant, its value is looked at once for all rows.
struct Argument {
    array: ArrayRef,
    is_constant: bool,
    bytes: OnceCell<Option<u128>>,
    whole: OnceCell<Option<i128>>,
}

impl Argument {
    fn new(argument: &ColumnarValue) -> Result<Argument> {
        let (array, is_constant) = match argument {
            ColumnarValue::Array(array) => (array.clone(), false),
            ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
        };
        Ok(Argument { array, is_constant, bytes: OnceCell::new(), whole: OnceCell::new() })
    }

    /// The bytes of a text, or of another value.
    fn bytes(&self, row: usize) -> Option<u128> {
        match self.is_constant {
            true => *self.bytes.get_or_init(|| bytes(&self.array, 0)),
            false => bytes(&self.array, row),
        }
    }

    fn whole(&self, row: usize) -> Option<i128> {
        match self.is_constant {
            true => *self.whole.get_or_init(|| whole(&self.array, 0)),
            false => whole(&self.array, row),
        }
    }

    fn count(&self, row: usize) -> Option<u128> {
        Some(self.whole(row)?.max(0).unsigned_abs())
    }

    fn text(&self, row: usize) -> Option<&str> {
        text(&self.array, if self.is_constant { 0 } else { row })
    }
}

fn text(array: &ArrayRef, row: usize) -> Option<&str> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(array.as_string_view().value(row)),
        _ => None,
    }
}

fn bytes(array: &ArrayRef, row: usize) -> Option<u128> {
    if array.is_null(row) {
        return None;
    }
    let bytes = match text(array, row) {
        Some(text) => text.len(),
        None => array.slice(row, 1).to_data().get_slice_memory_size().ok()?,
    };
    Some(bytes as u128)
}

fn whole(array: &ArrayRef, row: usize) -> Option<i128> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::Date32 => Some(array.as_primitive::<Date32Type>().value(row).into()),
        _ => match ScalarValue::try_from_array(array, row).ok()?.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(value) => value.map(i128::from),
            _ => None,
        },
    }
}
