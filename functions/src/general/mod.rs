//! Calendar, text, order, sums: what analysts miss in DataFusion.

pub mod months_between;
