//! A fit as a value: parameters with their unit and uncertainty, and a verdict. In SQL it is a STRUCT.

use crate::models::{Maximum, Outcome, Unit, numeric};
use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Float64Builder, Int64Array, ListBuilder, StringArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use std::sync::Arc;

/// The models that can be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Model {
    /// Fader, Hardie and Lee (2005).
    BgNbd,
    /// Batislam, Denizel and Filiztekin (2007).
    MbgNbd,
    /// Schmittlein, Morrison and Colombo (1987).
    ParetoNbd,
    /// Fader, Hardie and Shang (2010).
    BgBb,
    /// Fader and Hardie (2013), spend per purchase.
    GammaGamma,
    /// Fader and Hardie (2007), contracts.
    ShiftedBetaGeometric,
}

/// How a fit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// At a maximum inside: predictions are meaningful.
    Converged,
    /// The likelihood rises towards a parameter of zero or infinity.
    Boundary,
    /// Too few events for a fit.
    TooLittleData,
    /// No maximum was found.
    NotConverged,
}

/// A fitted model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fit {
    /// Which model.
    pub model: Model,
    /// The unit of its time, where it was stated.
    pub unit: Option<Unit>,
    /// The parameters, in the order of [`Model::parameters`]; where the verdict is `boundary`, where the search ended.
    pub parameters: Option<Vec<f64>>,
    /// Their standard errors, only where the fit converged.
    pub standard_errors: Option<Vec<f64>>,
    /// The log-likelihood, in the unit of the fit.
    pub log_likelihood: Option<f64>,
    /// Customers used (the sum of weights).
    pub customers: u64,
    /// Customers left out for a NULL.
    pub left_out: u64,
    /// Steps of the search.
    pub iterations: u64,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it did not converge, in business terms.
    pub reason: Option<String>,
    /// Covariance of the logarithms of the parameters, row by row, only where the fit converged.
    pub covariance: Option<Vec<f64>>,
}

/// How the time (or money) that a search saw relates to the time of the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// What the input was multiplied by.
    pub factor: f64,
    /// By what power of that factor the likelihood of the scaled input must be multiplied to be the likelihood of the
    /// input: for models of purchases the sum of repeat purchases, since the likelihood is a density of their times.
    pub power: f64,
}

impl Scale {
    /// The input as it was.
    pub const NONE: Scale = Scale { factor: 1.0, power: 0.0 };
}

impl Model {
    const ALL: [Model; 6] =
        [Model::BgNbd, Model::MbgNbd, Model::ParetoNbd, Model::BgBb, Model::GammaGamma, Model::ShiftedBetaGeometric];

    /// Its name in a fit.
    pub fn name(self) -> &'static str {
        match self {
            Model::BgNbd => "BG/NBD",
            Model::MbgNbd => "MBG/NBD",
            Model::ParetoNbd => "Pareto/NBD",
            Model::BgBb => "BG/BB",
            Model::GammaGamma => "Gamma-Gamma",
            Model::ShiftedBetaGeometric => "shifted-beta-geometric",
        }
    }

    /// The model of that name.
    pub fn named(name: &str) -> Option<Model> {
        Model::ALL.into_iter().find(|model| model.name() == name)
    }

    /// Names of its parameters, each with the power of time (of money for Gamma-Gamma) it is measured in: time
    /// multiplied by c multiplies a parameter by c to that power.
    pub fn parameters(self) -> &'static [(&'static str, i32)] {
        match self {
            Model::BgNbd | Model::MbgNbd => &[("r", 0), ("alpha", 1), ("a", 0), ("b", 0)],
            Model::ParetoNbd => &[("r", 0), ("alpha", 1), ("s", 0), ("beta", 1)],
            Model::BgBb => &[("alpha", 0), ("beta", 0), ("gamma", 0), ("delta", 0)],
            Model::GammaGamma => &[("p", 0), ("q", 0), ("gamma", 1)],
            Model::ShiftedBetaGeometric => &[("alpha", 0), ("beta", 0)],
        }
    }
}

impl Verdict {
    const ALL: [Verdict; 4] = [Verdict::Converged, Verdict::Boundary, Verdict::TooLittleData, Verdict::NotConverged];

    /// The text in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Converged => "converged",
            Verdict::Boundary => "boundary",
            Verdict::TooLittleData => "too little data",
            Verdict::NotConverged => "not converged",
        }
    }
}

impl Fit {
    /// No fit, for the reason given.
    pub fn too_little_data(model: Model, reason: impl Into<String>) -> Fit {
        Fit {
            model,
            unit: None,
            parameters: None,
            standard_errors: None,
            log_likelihood: None,
            customers: 0,
            left_out: 0,
            iterations: 0,
            verdict: Verdict::TooLittleData,
            reason: Some(reason.into()),
            covariance: None,
        }
    }

    /// The end of a search over the logarithms of the parameters. `boundary` says what it means that a parameter (by
    /// number) runs to infinity (`true`) or to zero. Unit and counts are filled in by the caller.
    pub fn from_maximum<const N: usize>(
        model: Model,
        maximum: Option<Maximum<N>>,
        scale: Scale,
        boundary: impl Fn(usize, bool) -> String,
    ) -> Fit {
        let mut fit = Fit::too_little_data(model, "");
        let Some(maximum) = maximum else {
            fit.verdict = Verdict::NotConverged;
            fit.reason = Some("the likelihood could not be computed at any starting point".into());
            return fit;
        };
        let ln_factor = scale.factor.ln();
        let powers = model.parameters().iter().map(|(_, power)| f64::from(*power));
        let parameters: Vec<f64> = maximum.at.iter().zip(powers).map(|(at, n)| (at - n * ln_factor).exp()).collect();
        fit.log_likelihood = Some(maximum.evaluation.value + scale.power * ln_factor);
        fit.iterations = u64::from(maximum.iterations);
        let covariance = numeric::inverse(&maximum.evaluation.hessian.map(|row| row.map(|cell| -cell)));
        (fit.verdict, fit.reason) = match (maximum.outcome, covariance) {
            (Outcome::Converged, Some(covariance)) => {
                let errors = parameters.iter().enumerate().map(|(i, value)| value * covariance[i][i].sqrt());
                fit.standard_errors = Some(errors.collect());
                fit.covariance = Some(covariance.into_iter().flatten().collect());
                (Verdict::Converged, None)
            }
            (Outcome::Boundary { parameter, upwards }, _) => (Verdict::Boundary, Some(boundary(parameter, upwards))),
            _ => (Verdict::NotConverged, Some("the search for the maximum of the likelihood did not converge".into())),
        };
        fit.parameters = Some(parameters);
        fit
    }

    /// Whether predictions from it are meaningful.
    pub fn is_usable(&self) -> bool {
        let positive = |parameter: &f64| parameter.is_finite() && *parameter > 0.0;
        self.verdict == Verdict::Converged && self.parameters.iter().flatten().all(positive)
    }

    /// The fields of the struct.
    pub fn fields(model: Model) -> Fields {
        let double = |name: String| Field::new(name, DataType::Float64, true);
        let names = || model.parameters().iter().map(|(name, _)| *name);
        let mut fields = vec![Field::new("model", DataType::Utf8, false), Field::new("unit", DataType::Utf8, true)];
        fields.extend(names().map(|name| double(name.to_string())));
        fields.extend(names().map(|name| double(format!("{name}_se"))));
        fields.push(double("log_likelihood".to_string()));
        fields.extend(["customers", "left_out", "iterations"].map(|name| Field::new(name, DataType::Int64, false)));
        fields.push(Field::new("verdict", DataType::Utf8, false));
        fields.push(Field::new("reason", DataType::Utf8, true));
        fields.push(Field::new_list("covariance", Field::new_list_field(DataType::Float64, true), true));
        fields.into()
    }

    /// The type of a fit in SQL.
    pub fn data_type(model: Model) -> DataType {
        DataType::Struct(Fit::fields(model))
    }

    /// Fits of one model as a column.
    pub fn to_array(model: Model, fits: &[Fit]) -> StructArray {
        let double = |value: &dyn Fn(&Fit) -> Option<f64>| -> ArrayRef {
            Arc::new(fits.iter().map(value).collect::<Float64Array>())
        };
        let integer = |value: &dyn Fn(&Fit) -> u64| -> ArrayRef {
            Arc::new(fits.iter().map(|fit| i64::try_from(value(fit)).ok()).collect::<Int64Array>())
        };
        let text = |value: &dyn Fn(&Fit) -> Option<String>| -> ArrayRef {
            Arc::new(fits.iter().map(value).collect::<StringArray>())
        };
        let at = |list: &Option<Vec<f64>>, i: usize| list.as_ref().map(|list| list[i]);
        let count = model.parameters().len();
        let mut columns = vec![
            text(&|fit| Some(fit.model.name().to_string())),
            text(&|fit| fit.unit.map(|unit| unit.name().to_string())),
        ];
        columns.extend((0..count).map(|i| double(&|fit| at(&fit.parameters, i))));
        columns.extend((0..count).map(|i| double(&|fit| at(&fit.standard_errors, i))));
        columns.push(double(&|fit| fit.log_likelihood));
        columns.push(integer(&|fit| fit.customers));
        columns.push(integer(&|fit| fit.left_out));
        columns.push(integer(&|fit| fit.iterations));
        columns.push(text(&|fit| Some(fit.verdict.name().to_string())));
        columns.push(text(&|fit| fit.reason.clone()));
        let mut covariance = ListBuilder::new(Float64Builder::new());
        for fit in fits {
            if let Some(cells) = &fit.covariance {
                covariance.values().append_slice(cells);
            }
            covariance.append(fit.covariance.is_some());
        }
        columns.push(Arc::new(covariance.finish()));
        StructArray::new(Fit::fields(model), columns, None)
    }

    /// The fit as one value.
    pub fn to_scalar(&self) -> ScalarValue {
        ScalarValue::Struct(Arc::new(Fit::to_array(self.model, std::slice::from_ref(self))))
    }

    /// The fit in a row of a column; nothing where the row is NULL. `function` names the caller in errors.
    pub fn read(function: &str, fits: &StructArray, row: usize) -> Result<Option<Fit>> {
        if fits.is_null(row) {
            return Ok(None);
        }
        let name = text(function, fits, "model", row)?.unwrap_or_default();
        let Some(model) = Model::named(&name) else {
            return exec_err!("{function}: '{name}' is not a model; a fit comes from a function such as bg_nbd_fit");
        };
        let numbers = |suffix: &str| -> Result<Option<Vec<f64>>> {
            let names = model.parameters().iter().map(|(name, _)| format!("{name}{suffix}"));
            names.map(|name| double(function, fits, &name, row)).collect()
        };
        let unit = text(function, fits, "unit", row)?;
        let given = text(function, fits, "verdict", row)?.unwrap_or_default();
        let Some(verdict) = Verdict::ALL.into_iter().find(|verdict| verdict.name() == given) else {
            return exec_err!("{function}: '{given}' is not a verdict of a fit");
        };
        let covariance = column(function, fits, "covariance")?;
        let covariance = match covariance.as_list_opt::<i32>() {
            Some(list) if list.is_valid(row) => {
                list.value(row).as_primitive_opt::<Float64Type>().map(|cells| cells.values().to_vec())
            }
            _ => None,
        };
        Ok(Some(Fit {
            model,
            unit: unit.as_deref().and_then(Unit::named),
            parameters: numbers("")?,
            standard_errors: numbers("_se")?,
            log_likelihood: double(function, fits, "log_likelihood", row)?,
            customers: count(function, fits, "customers", row)?,
            left_out: count(function, fits, "left_out", row)?,
            iterations: count(function, fits, "iterations", row)?,
            verdict,
            reason: text(function, fits, "reason", row)?,
            covariance,
        }))
    }
}

fn column<'a>(function: &str, fits: &'a StructArray, name: &str) -> Result<&'a ArrayRef> {
    match fits.column_by_name(name) {
        Some(column) => Ok(column),
        None => {
            exec_err!("{function}: the struct has no field '{name}'; a fit comes from a function such as bg_nbd_fit")
        }
    }
}

fn double(function: &str, fits: &StructArray, name: &str, row: usize) -> Result<Option<f64>> {
    match column(function, fits, name)?.as_primitive_opt::<Float64Type>() {
        Some(column) => Ok(column.is_valid(row).then(|| column.value(row))),
        None => exec_err!("{function}: the field '{name}' of a fit is a DOUBLE"),
    }
}

fn count(function: &str, fits: &StructArray, name: &str, row: usize) -> Result<u64> {
    match column(function, fits, name)?.as_primitive_opt::<Int64Type>() {
        Some(column) if column.is_valid(row) => Ok(u64::try_from(column.value(row)).unwrap_or_default()),
        Some(_) => Ok(0),
        None => exec_err!("{function}: the field '{name}' of a fit is a BIGINT"),
    }
}

/// Text is `Utf8` as a fit makes it and `Utf8View` as it comes back from a Parquet file.
fn text(function: &str, fits: &StructArray, name: &str, row: usize) -> Result<Option<String>> {
    let column = column(function, fits, name)?;
    if column.is_null(row) || column.data_type() == &DataType::Null {
        return Ok(None);
    }
    match (column.as_string_opt::<i32>(), column.as_string_view_opt()) {
        (Some(column), _) => Ok(Some(column.value(row).to_string())),
        (_, Some(column)) => Ok(Some(column.value(row).to_string())),
        _ => exec_err!("{function}: the field '{name}' of a fit is a text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Evaluation;

    #[test]
    fn a_fit_survives_the_way_through_a_struct() {
        for model in Model::ALL {
            let n = model.parameters().len();
            let whole = Fit {
                unit: Some(Unit::Week),
                parameters: Some((0..n).map(|i| i as f64 + 0.5).collect()),
                standard_errors: Some(vec![0.1; n]),
                log_likelihood: Some(-12.5),
                customers: 7,
                left_out: 2,
                iterations: 5,
                verdict: Verdict::Converged,
                reason: None,
                covariance: Some(vec![0.25; n * n]),
                ..Fit::too_little_data(model, "")
            };
            let back = |fit: Fit| Fit::read("f", &Fit::to_array(model, &[fit]), 0).unwrap();
            assert_eq!(back(whole.clone()), Some(whole));
            let empty = Fit::too_little_data(model, "nobody came back");
            assert_eq!(back(empty.clone()), Some(empty));
        }
    }

    #[test]
    fn scaling_of_time_is_undone() {
        let hessian = [[-4.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 0.0, 0.0, -1.0]];
        let maximum = Maximum {
            at: [0.0; 4],
            evaluation: Evaluation { value: -3.0, gradient: [0.0; 4], hessian },
            iterations: 4,
            outcome: Outcome::Converged,
        };
        let scale = Scale { factor: 2.0, power: 5.0 };
        let fit = Fit::from_maximum(Model::BgNbd, Some(maximum), scale, |_, _| String::new());
        assert_eq!(fit.parameters, Some(vec![1.0, 0.5, 1.0, 1.0]));
        assert_eq!(fit.standard_errors, Some(vec![0.5, 0.5, 1.0, 1.0]));
        assert_eq!(fit.log_likelihood, Some(-3.0 + 5.0 * 2f64.ln()));
    }
}
