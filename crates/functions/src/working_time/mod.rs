//! Working days and opening hours, by the calendars of a session.

pub mod add_working_days;
pub mod is_working_day;
pub mod open_seconds;
pub mod working_days_between;

mod calendars;
mod days;

pub use calendars::{Calendars, names_function_of_calendars};
