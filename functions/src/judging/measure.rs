//! An aggregate function of a measure: rows are collapsed, partial states merge, the answer is made at the end of
//! distinct rows in order. So it does not depend on the order of rows or the number of partitions, not in a bit.

use super::tally::{Counted, Tally};
use crate::aggregates::refuse_distinct;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, RecordBatch, StructArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Schema, UInt64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, TypeSignature, Volatility,
};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What a measure needs to be an aggregate function. `K` arguments describe a customer, an outcome as 1 or 0.
pub(super) trait Measure<const K: usize>: Copy + Debug + PartialEq + Eq + Hash + Send + Sync + 'static {
    /// The name in SQL.
    const NAME: &'static str;
    /// Names of the arguments.
    const ARGUMENTS: [&'static str; K];
    /// Which argument is an outcome: BOOLEAN. The others are numbers.
    const OUTCOME: Option<usize>;
    /// A whole number that may follow: name, default, what is allowed.
    const OPTION: Option<(&'static str, i64, RangeInclusive<i64>)> = None;
    /// The type of the answer.
    fn data_type() -> DataType;
    /// The row as it is counted; nothing where it is left out; a fault says what is wrong and what is allowed.
    fn row(row: [Option<f64>; K], option: i64) -> Result<Option<[f64; K]>, String>;
    /// The answer, of distinct rows in ascending order.
    fn answer(rows: &[Counted<K>], left_out: u64, option: i64) -> Result<ScalarValue>;
}

/// Makes the aggregate function of a measure.
pub(super) fn function<M: Measure<K>, const K: usize>() -> AggregateUDF {
    let mut signature = Signature::new(TypeSignature::UserDefined, Volatility::Immutable);
    let option = M::OPTION.map(|(name, ..)| name);
    signature.parameter_names = Some(M::ARGUMENTS.into_iter().chain(option).map(String::from).collect());
    AggregateUDF::from(MeasureFunction::<M, K> { signature, measure: PhantomData })
}

/// A list of structs of such fields.
pub(super) fn list_of(fields: &[(&str, DataType)]) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(struct_of(fields), true)))
}

/// A struct of such fields.
pub(super) fn struct_of(fields: &[(&str, DataType)]) -> DataType {
    DataType::Struct(fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect())
}

/// Rows of structs, from a column per field.
pub(super) fn structs(fields: &[(&str, DataType)], columns: Vec<ArrayRef>) -> Result<StructArray> {
    let fields: Fields = fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
    Ok(StructArray::try_new(fields, columns, None)?)
}

/// All rows as one list.
pub(super) fn listed(rows: StructArray) -> ScalarValue {
    ScalarValue::List(Arc::new(SingleRowListArrayBuilder::new(Arc::new(rows)).build_list_array()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MeasureFunction<M, const K: usize> {
    signature: Signature,
    measure: PhantomData<M>,
}

impl<M: Measure<K>, const K: usize> AggregateUDFImpl for MeasureFunction<M, K> {
    fn name(&self) -> &str {
        M::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let most = K + usize::from(M::OPTION.is_some());
        if !(K..=most).contains(&types.len()) {
            let names = M::ARGUMENTS.join(", ");
            let option = M::OPTION.map(|(name, ..)| format!(" [, {name}]")).unwrap_or_default();
            return plan_err!("{}: {} arguments; they are {names}{option}", M::NAME, types.len());
        }
        types.iter().enumerate().map(|(i, given)| taken_as::<M, K>(i, given)).collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(M::data_type())
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(M::NAME, &arguments)?;
        let option = option::<M, K>(&arguments)?;
        Ok(Box::new(Rows::<M, K> { tally: Tally::default(), left_out: 0, option, answer: None, measure: PhantomData }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |name, item| {
            let name = format_state_name(arguments.name, name);
            Arc::new(Field::new_list(name, Field::new_list_field(item, true), true))
        };
        let mut fields: Vec<FieldRef> = M::ARGUMENTS.into_iter().map(|name| list(name, DataType::Float64)).collect();
        fields.push(list("count", DataType::UInt64));
        fields.push(Arc::new(Field::new(format_state_name(arguments.name, "left_out"), DataType::UInt64, true)));
        Ok(fields)
    }

    /// `ORDER BY` inside the call makes no difference; by default the engine would hand its columns over as arguments.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn taken_as<M: Measure<K>, const K: usize>(index: usize, given: &DataType) -> Result<DataType> {
    let Some(name) = M::ARGUMENTS.get(index) else {
        let name = M::OPTION.map_or("", |(name, ..)| name);
        return if given.is_integer() || given.is_null() {
            Ok(DataType::Int64)
        } else {
            plan_err!("{}: {name} is {given}; it is a whole number", M::NAME)
        };
    };
    match (M::OUTCOME == Some(index), given) {
        (true, DataType::Boolean | DataType::Null) => Ok(DataType::Boolean),
        (true, other) => plan_err!("{}: {name} is {other}; it is BOOLEAN: write {name} > 0 or so", M::NAME),
        (false, other) if other.is_numeric() || other.is_null() => Ok(DataType::Float64),
        (false, other) => plan_err!("{}: {name} is {other}; it is a number", M::NAME),
    }
}

fn option<M: Measure<K>, const K: usize>(arguments: &AccumulatorArgs) -> Result<i64> {
    let Some((name, default, allowed)) = M::OPTION else { return Ok(0) };
    let Some(expression) = arguments.exprs.get(K) else { return Ok(default) };
    let nothing = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let (least, most) = (allowed.start(), allowed.end());
    match expression.evaluate(&nothing) {
        Ok(ColumnarValue::Scalar(ScalarValue::Int64(None))) => Ok(default),
        Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(number)))) if allowed.contains(&number) => Ok(number),
        Ok(ColumnarValue::Scalar(other)) => {
            exec_err!("{}: {name} is {other}; it is a whole number from {least} to {most}", M::NAME)
        }
        _ => exec_err!("{}: {name} is not a literal; it is one number from {least} to {most} for all rows", M::NAME),
    }
}

/// The rows of a group, with the answer for as long as it holds: a window asks per row.
#[derive(Debug)]
struct Rows<M, const K: usize> {
    tally: Tally<K>,
    left_out: u64,
    option: i64,
    answer: Option<ScalarValue>,
    measure: PhantomData<M>,
}

impl<M: Measure<K>, const K: usize> Accumulator for Rows<M, K> {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let columns: [Column; K] = std::array::from_fn(|i| Column::new(&arguments[i]));
        for row in 0..arguments[0].len() {
            match M::row(std::array::from_fn(|i| columns[i].get(row)), self.option) {
                Ok(Some(numbers)) => self.tally.add(numbers, 1),
                Ok(None) => self.left_out += 1,
                Err(fault) => return exec_err!("{}: {fault}", M::NAME),
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        for row in 0..states[0].len() {
            let lists: Vec<ArrayRef> = states[..=K].iter().map(|list| list.as_list::<i32>().value(row)).collect();
            let columns: [_; K] = std::array::from_fn(|i| lists[i].as_primitive::<Float64Type>());
            for (i, count) in lists[K].as_primitive::<UInt64Type>().values().iter().enumerate() {
                self.tally.add(std::array::from_fn(|k| columns[k].value(i)), *count);
            }
            self.left_out += states[K + 1].as_primitive::<UInt64Type>().value(row);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        let answer = M::answer(&self.tally.sorted(), self.left_out, self.option)?;
        self.answer = Some(answer.clone());
        Ok(answer)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let rows = self.tally.sorted();
        let one = OffsetBuffer::from_lengths([rows.len()]);
        let list = |item, values| -> Result<ScalarValue> {
            let list = ListArray::try_new(Arc::new(Field::new_list_field(item, true)), one.clone(), values, None)?;
            Ok(ScalarValue::List(Arc::new(list)))
        };
        let mut state = Vec::with_capacity(K + 2);
        for k in 0..K {
            let numbers: Float64Array = rows.iter().map(|row| Some(row.numbers[k])).collect();
            state.push(list(DataType::Float64, Arc::new(numbers))?);
        }
        let counts: UInt64Array = rows.iter().map(|row| Some(row.count)).collect();
        state.push(list(DataType::UInt64, Arc::new(counts))?);
        state.push(ScalarValue::UInt64(Some(self.left_out)));
        Ok(state)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.tally.size()
    }
}

/// An argument as numbers.
enum Column<'a> {
    Numbers(&'a Float64Array),
    Outcomes(&'a arrow::array::BooleanArray),
}

impl<'a> Column<'a> {
    fn new(column: &'a ArrayRef) -> Column<'a> {
        match column.as_boolean_opt() {
            Some(outcomes) => Column::Outcomes(outcomes),
            None => Column::Numbers(column.as_primitive()),
        }
    }

    fn get(&self, row: usize) -> Option<f64> {
        match self {
            Column::Numbers(numbers) => numbers.is_valid(row).then(|| numbers.value(row)),
            Column::Outcomes(outcomes) => outcomes.is_valid(row).then(|| f64::from(u8::from(outcomes.value(row)))),
        }
    }
}
