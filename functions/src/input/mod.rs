//! From purchases to the input of models.

pub mod purchase_summary;

mod amount;
pub(crate) mod exact;
mod purchase_columns;
mod purchase_groups;
mod purchases;
