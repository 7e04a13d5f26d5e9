//! From the name of a model to its mathematics: the one place that grows with a new model.

use crate::fits::fit::Model;
use crate::models::PurchaseModel;
use crate::models::gamma_gamma::GammaGamma;
use arrow::datatypes::Fields;

/// A model of purchases with its parameters.
pub(super) type Purchasing = Box<dyn PurchaseModel + Send + Sync>;

/// Models of repeat buying.
const OF_PURCHASES: &[Model] = &[Model::BgNbd, Model::MbgNbd, Model::ParetoNbd, Model::BgBb];

/// The model of purchases with these parameters; nothing where it is none.
pub(super) fn purchasing(model: Model, parameters: &[f64]) -> Option<Purchasing> {
    let parameters = <[f64; 4]>::try_from(parameters).ok()?;
    match model {
        Model::BgNbd => Some(Box::new(provisional::BgNbd(parameters))),
        Model::MbgNbd | Model::ParetoNbd | Model::BgBb | Model::GammaGamma | Model::ShiftedBetaGeometric => None,
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

/// PROVISIONAL, until the models bring their predictions.
mod provisional {
    use crate::models::numeric::ln_gamma;
    use crate::models::{History, PurchaseModel};

    pub struct BgNbd(pub [f64; 4]);

    fn hypergeometric(a: f64, b: f64, c: f64, z: f64) -> f64 {
        let (mut sum, mut term, mut n) = (1.0, 1.0, 0.0);
        while n < 20000.0 && f64::abs(term) > 1e-17 * f64::abs(sum) {
            term *= (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
            sum += term;
            n += 1.0;
        }
        sum
    }

    impl PurchaseModel for BgNbd {
        fn p_alive(&self, h: History) -> f64 {
            let [r, alpha, a, b] = self.0;
            if h.frequency == 0.0 {
                return 1.0;
            }
            1.0 / (1.0
                + a / (b + h.frequency - 1.0)
                    * ((r + h.frequency) * ((alpha + h.age) / (alpha + h.recency)).ln()).exp())
        }
        fn expected_purchases(&self, h: History, t: f64) -> f64 {
            let [r, alpha, a, b] = self.0;
            let (x, c) = (h.frequency, alpha + h.age);
            let f = hypergeometric(r + x, b + x, a + b + x - 1.0, t / (c + t));
            (a + b + x - 1.0) / (a - 1.0) * (1.0 - (c / (c + t)).powf(r + x) * f) * self.p_alive(h)
        }
        fn expected_purchases_new(&self, t: f64) -> f64 {
            self.expected_purchases(History { frequency: 0.0, recency: 0.0, age: 0.0 }, t)
        }
        fn p_no_purchase(&self, h: History, t: f64) -> f64 {
            let [r, alpha, ..] = self.0;
            1.0 - self.p_alive(h) * (1.0 - ((alpha + h.age) / (alpha + h.age + t)).powf(r + h.frequency))
        }
        fn discounted_expected_purchases(&self, h: History, t: f64, rate: f64) -> f64 {
            let _ = ln_gamma(1.0);
            let t = t.min(40.0 / rate.max(1e-9));
            let n = 2000;
            let mut sum = 0.0;
            let mut before = 0.0;
            for i in 1..=n {
                let s = t * f64::from(i) / f64::from(n);
                let now = self.expected_purchases(h, s);
                sum += (now - before) * (-rate * (s - 0.5 * t / f64::from(n))).exp();
                before = now;
            }
            sum
        }
    }
}
