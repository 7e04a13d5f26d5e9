//! Scalar functions that predict from a fit: a [`quantity`] each, with and without an interval. [`score`] makes
//! functions of quantities, [`prepared`] holds a fit ready for many rows, [`columns`] reads the arguments, [`models`] is
//! the one place that knows which model is meant.

pub(crate) mod columns;
mod models;
mod prepared;
mod quantity;
mod score;

use crate::manual::{Function, Section, page};
use quantity::Quantity;
use score::{check_constants, function};

macro_rules! prediction {
    ($name:literal, $quantity:expr, interval: $interval:literal) => {
        Function::scalar($name, Section::Predictions, page!($name), || function($name, $quantity, $interval))
            .with_rule(|arguments| check_constants($quantity, $interval, arguments))
    };
}

pub(crate) const P_ALIVE: Function = prediction!("p_alive", Quantity::Alive, interval: false);
pub(crate) const P_ALIVE_INTERVAL: Function = prediction!("p_alive_interval", Quantity::Alive, interval: true);
pub(crate) const EXPECTED_PURCHASES: Function = prediction!("expected_purchases", Quantity::Purchases, interval: false);
pub(crate) const EXPECTED_PURCHASES_INTERVAL: Function =
    prediction!("expected_purchases_interval", Quantity::Purchases, interval: true);
pub(crate) const EXPECTED_PURCHASES_NEW: Function =
    prediction!("expected_purchases_new", Quantity::PurchasesOfNew, interval: false);
pub(crate) const EXPECTED_PURCHASES_NEW_INTERVAL: Function =
    prediction!("expected_purchases_new_interval", Quantity::PurchasesOfNew, interval: true);
pub(crate) const P_NO_PURCHASE: Function = prediction!("p_no_purchase", Quantity::NoPurchase, interval: false);
pub(crate) const P_NO_PURCHASE_INTERVAL: Function =
    prediction!("p_no_purchase_interval", Quantity::NoPurchase, interval: true);
pub(crate) const DISCOUNTED_EXPECTED_PURCHASES: Function =
    prediction!("discounted_expected_purchases", Quantity::DiscountedPurchases, interval: false);
pub(crate) const DISCOUNTED_EXPECTED_PURCHASES_INTERVAL: Function =
    prediction!("discounted_expected_purchases_interval", Quantity::DiscountedPurchases, interval: true);
pub(crate) const EXPECTED_SPEND: Function = prediction!("expected_spend", Quantity::Spend, interval: false);
pub(crate) const EXPECTED_SPEND_INTERVAL: Function =
    prediction!("expected_spend_interval", Quantity::Spend, interval: true);
pub(crate) const CUSTOMER_LIFETIME_VALUE: Function =
    prediction!("customer_lifetime_value", Quantity::LifetimeValue, interval: false);
pub(crate) const CUSTOMER_LIFETIME_VALUE_INTERVAL: Function =
    prediction!("customer_lifetime_value_interval", Quantity::LifetimeValue, interval: true);
