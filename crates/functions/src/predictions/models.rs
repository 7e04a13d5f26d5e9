//! From the name of a model to its mathematics: the one place that grows with a new model.

use crate::fits::fit::Model;
use crate::models::bg_bb::BgBb;
use crate::models::gamma_gamma::GammaGamma;
use crate::models::pareto_nbd::ParetoNbd;
use crate::models::{DropOut, GeometricModel, PurchaseModel};
use arrow::datatypes::Fields;

/// A model of purchases with its parameters.
pub(super) type Purchasing = Box<dyn PurchaseModel + Send + Sync>;

/// Models of repeat buying.
const OF_PURCHASES: &[Model] = &[Model::BgNbd, Model::MbgNbd, Model::ParetoNbd, Model::BgBb];

/// The model of purchases with these parameters; nothing where it is none.
pub(super) fn purchasing(model: Model, parameters: &[f64]) -> Option<Purchasing> {
    let parameters = <[f64; 4]>::try_from(parameters).ok()?;
    match model {
        Model::BgNbd => Some(Box::new(GeometricModel::new(DropOut::AfterRepeat, parameters))),
        Model::MbgNbd => Some(Box::new(GeometricModel::new(DropOut::AfterAny, parameters))),
        Model::ParetoNbd => Some(Box::new(ParetoNbd::new(parameters))),
        Model::BgBb => Some(Box::new(BgBb::new(parameters))),
        Model::GammaGamma | Model::ShiftedBetaGeometric => None,
    }
}

/// The model of spend with these parameters; nothing where it is none or has no mean.
pub(super) fn spending(model: Model, parameters: &[f64]) -> Option<GammaGamma> {
    match (model, parameters) {
        (Model::GammaGamma, &[p, q, gamma]) if q > 1.0 => Some(GammaGamma { p, q, gamma }),
        _ => None,
    }
}

/// Whether fields may be those of a fit of purchases.
pub(super) fn is_fit_of_purchases(fields: &Fields) -> bool {
    OF_PURCHASES.iter().any(|model| is_fit_of(*model, fields))
}

/// Whether fields may be those of a fit of spend.
pub(super) fn is_fit_of_spend(fields: &Fields) -> bool {
    is_fit_of(Model::GammaGamma, fields)
}

/// Models differ by the names of their parameters, each with its standard error.
fn is_fit_of(model: Model, fields: &Fields) -> bool {
    let has = |name: &str| fields.find(name).is_some();
    has("model") && has("verdict") && model.parameters().iter().all(|(name, _)| has(name) && has(&format!("{name}_se")))
}
