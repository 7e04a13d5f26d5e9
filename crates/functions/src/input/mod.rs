//! From purchases to the input of models.

pub mod purchase_summary;

mod amount;
mod purchase_columns;
mod purchase_groups;
mod purchases;
