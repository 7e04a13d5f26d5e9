//! The calendars of a session, and which of them a call means.

use crate::common::is_text;
use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::{config_err, exec_datafusion_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use perennial_calendar::{BusinessCalendar, WorkingDays};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Calendars by their names, which functions of working days and opening hours can be asked for. They are an extension of
/// the options of a session (`SessionConfig::with_option_extension`), and so is its time zone an option
/// (`execution.time_zone`).
///
/// Where a call names none, the only one is meant; where there are none, Saturday and Sunday are free and no day is a
/// holiday.
#[derive(Clone, Debug)]
pub struct Calendars(Arc<CalendarsByName>);

#[derive(Debug)]
struct CalendarsByName {
    named: BTreeMap<String, WorkCalendar>,
    monday_to_friday: WorkCalendar,
}

/// A calendar, and its working days ready to be counted.
#[derive(Debug)]
pub(super) struct WorkCalendar {
    pub calendar: BusinessCalendar,
    pub days: WorkingDays,
}

impl WorkCalendar {
    fn new(calendar: BusinessCalendar) -> WorkCalendar {
        WorkCalendar { days: WorkingDays::new(&calendar), calendar }
    }
}

impl Calendars {
    /// These calendars.
    pub fn new(named: impl IntoIterator<Item = (String, BusinessCalendar)>) -> Calendars {
        let named = named.into_iter().map(|(name, calendar)| (name, WorkCalendar::new(calendar))).collect();
        let monday_to_friday = WorkCalendar::new(BusinessCalendar::monday_to_friday());
        Calendars(Arc::new(CalendarsByName { named, monday_to_friday }))
    }

    /// Those of a session.
    pub(super) fn of(options: &ConfigOptions) -> Calendars {
        options.extensions.get::<Calendars>().cloned().unwrap_or_else(|| Calendars::new([]))
    }

    /// The calendar that a call means, or why there is none.
    fn find(&self, name: Option<&str>) -> Result<&WorkCalendar, String> {
        let named = &self.0.named;
        let names = || named.keys().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        match name {
            Some(name) => named.get(name).ok_or_else(|| match named.len() {
                0 => format!("unknown calendar '{name}'; no calendars are defined"),
                _ => format!("unknown calendar '{name}'; expected one of {}", names()),
            }),
            None if named.len() > 1 => {
                Err(format!("there are several calendars; name one of {} as the last argument", names()))
            }
            None => Ok(named.values().next().unwrap_or(&self.0.monday_to_friday)),
        }
    }
}

impl ConfigExtension for Calendars {
    const PREFIX: &'static str = "calendars";
}

impl ExtensionOptions for Calendars {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        config_err!("the calendar {key} cannot be set by a statement")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// Whether a text names a function whose answers depend on calendars and the time zone: what is kept of its answers is to
/// be made anew when those change.
pub fn names_function_of_calendars(text: &str) -> bool {
    let text = text.to_lowercase();
    let functions = [
        super::add_working_days::FUNCTION,
        super::is_working_day::FUNCTION,
        super::open_seconds::FUNCTION,
        super::working_days_between::FUNCTION,
    ];
    functions.iter().any(|function| text.contains(function.name))
}

/// The type of an argument that names a calendar.
pub(super) fn name_type(function: &str, given: &DataType) -> Result<DataType> {
    if is_text(given) {
        return Ok(DataType::Utf8);
    }
    plan_err!("{function}: the calendar is {given}; it is a TEXT with the name of a calendar")
}

/// The calendar of each row.
pub(super) enum Chosen<'a> {
    /// The same for all; nothing where its name is NULL.
    Same(Option<&'a WorkCalendar>),
    /// By name.
    Named { function: &'static str, calendars: &'a Calendars, names: StringArray },
}

impl<'a> Chosen<'a> {
    /// By an argument, where there is one. A name that is the same for all rows is looked up even if there are no rows.
    pub fn read(
        function: &'static str,
        calendars: &'a Calendars,
        name: Option<&ColumnarValue>,
        rows: usize,
    ) -> Result<Chosen<'a>> {
        let find = |name| calendars.find(name).map_err(|problem| exec_datafusion_err!("{function}: {problem}"));
        match name {
            None => find(None).map(|calendar| Chosen::Same(Some(calendar))),
            Some(ColumnarValue::Scalar(value)) => match value.try_as_str().flatten() {
                Some(name) => find(Some(name)).map(|calendar| Chosen::Same(Some(calendar))),
                None => Ok(Chosen::Same(None)),
            },
            Some(ColumnarValue::Array(_)) => {
                let names = name.map(|name| name.to_array(rows)).transpose()?;
                let names =
                    names.map(|names| names.as_string::<i32>().clone()).unwrap_or_else(|| StringArray::new_null(rows));
                Ok(Chosen::Named { function, calendars, names })
            }
        }
    }

    /// That of a row; nothing where its name is NULL.
    pub fn of_row(&self, row: usize) -> Result<Option<&'a WorkCalendar>> {
        match self {
            Chosen::Same(calendar) => Ok(*calendar),
            Chosen::Named { names, .. } if names.is_null(row) => Ok(None),
            Chosen::Named { function, calendars, names } => calendars
                .find(Some(names.value(row)))
                .map(Some)
                .map_err(|problem| exec_datafusion_err!("{function}: {problem}")),
        }
    }
}
