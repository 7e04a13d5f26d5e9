//! Scalar functions that predict from a fit. A file of a function holds its pages and names its [`quantity`]; [`score`]
//! makes functions of quantities, [`prepared`] holds a fit ready for many rows, [`columns`] reads the arguments,
//! [`models`] is the one place that knows which model is meant, [`history`] says which customers can be.

pub(crate) mod columns;
mod arguments;
mod example;
mod history;
mod models;
mod prepared;
mod quantity;
mod score;

pub mod customer_lifetime_value;
pub mod discounted_expected_purchases;
pub mod expected_purchases;
pub mod expected_purchases_new;
pub mod expected_spend;
pub mod p_alive;
pub mod p_no_purchase;
