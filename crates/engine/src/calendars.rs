//! A hash of what functions of working days and opening hours are asked with.

use super::EngineSettings;
use perennial_calendar::BusinessCalendar;

/// How calendars are written out before they are hashed.
const FORMAT_VERSION: &str = "perennial calendars 1";

/// The hash of the calendars and the time zone. A new field of calendars does not compile until somebody says here whether
/// answers follow from it.
pub(super) fn digest(settings: &EngineSettings) -> String {
    let mut parts = vec![FORMAT_VERSION.to_string(), settings.time_zone.clone()];
    for (name, calendar) in &settings.calendars {
        let BusinessCalendar { weekend, holidays, working_days } = calendar;
        let mut weekend: Vec<i8> = weekend.iter().map(|day| day.to_monday_zero_offset()).collect();
        weekend.sort_unstable();
        weekend.dedup();
        let listed = |days: Vec<String>| days.join(" ");
        parts.push(name.clone());
        parts.push(listed(weekend.iter().map(i8::to_string).collect()));
        parts.push(listed(holidays.keys().map(|day| day.to_string()).collect()));
        parts.push(listed(working_days.iter().map(|day| day.to_string()).collect()));
    }
    perennial_core::digest::digest(parts)
}

#[cfg(test)]
mod tests {
    use crate::{Engine, EngineSettings, problems_of_run};
    use arrow::datatypes::{DataType, Field, Schema};
    use perennial_calendar::BusinessCalendar;
    use perennial_core::contract::TableName;
    use std::sync::Arc;

    fn settings() -> EngineSettings {
        let calendars = [("de".to_string(), BusinessCalendar::monday_to_friday())].into();
        EngineSettings { calendars, time_zone: "Europe/Berlin".into(), ..EngineSettings::default() }
    }

    #[test]
    fn what_decides_answers_is_in_the_hash() {
        let behind = |settings: &EngineSettings| {
            let engine = Engine::open(settings.clone(), None).unwrap();
            engine.calendars_behind("SELECT Open_Seconds(a, b, '24/7') FROM t")
        };
        let given = settings();
        let mut all = vec![behind(&given)];
        let mut with = |change: &dyn Fn(&mut BusinessCalendar)| {
            let mut settings = given.clone();
            settings.calendars.values_mut().for_each(change);
            all.push(behind(&settings));
        };
        with(&|calendar| calendar.weekend.truncate(1));
        with(&|calendar| drop(calendar.holidays.insert("2026-10-10".parse().unwrap(), String::new())));
        with(&|calendar| assert!(calendar.working_days.insert("2026-10-10".parse().unwrap())));
        all.push(behind(&EngineSettings { time_zone: "UTC".into(), ..given.clone() }));
        all.push(behind(&EngineSettings { calendars: [].into(), ..given.clone() }));
        let distinct: std::collections::BTreeSet<_> = all.iter().flatten().collect();
        assert_eq!(distinct.len(), 6);
        // Neither the name of a holiday nor another order.
        let mut same = given.clone();
        same.calendars.values_mut().for_each(|calendar| calendar.weekend.reverse());
        assert_eq!(behind(&same), behind(&given));
        let engine = Engine::open(given, None).unwrap();
        assert_eq!(engine.calendars_behind("SELECT date_diff('day', a, b) FROM t"), None);
    }

    #[tokio::test]
    async fn a_session_knows_its_calendars_also_when_it_needs_less() {
        let mut settings = settings();
        settings.calendars.entry("de".into()).and_modify(|calendar| {
            calendar.holidays.insert("2026-12-25".parse().unwrap(), String::new());
        });
        let engine = Engine::open(settings, None).unwrap();
        let sql = "SELECT is_working_day(DATE '2026-12-25') AS a, is_working_day(DATE '2026-12-25', 'de') AS b, \
                   open_seconds(DATE '2026-03-29', DATE '2026-03-30', '24/7') AS c";
        for engine in [engine.frugal(), engine] {
            let rows = engine.collect(sql).await.unwrap();
            let shown = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
            assert!(shown.contains("| false | false | 82800 |"), "{shown}");
        }
    }

    /// Also where no argument is constant.
    #[tokio::test]
    async fn hours_and_calendars_that_are_wrong_are_found_without_a_row() {
        let weekdays = BusinessCalendar::monday_to_friday;
        let calendars = ["de", "fr"].map(|name| (name.to_string(), weekdays()));
        let engine = Engine::for_check(EngineSettings { calendars: calendars.into(), ..settings() }).unwrap();
        let day = Field::new("day", DataType::Date32, true);
        engine.register_schema(&TableName::new("core", "t"), Arc::new(Schema::new(vec![day]))).unwrap();
        let state = engine.state();
        for (sql, column, message, hint) in [
            (
                "SELECT open_seconds(day, day, 'Mo-Fr 09:00-17:00', 'de') AS s FROM core.t",
                31,
                "`open_seconds`: `Mo-Fr` is not a day of the week",
                Some("expected one of Mon, Tue, Wed, Thu, Fri, Sat, Sun"),
            ),
            (
                "SELECT day, is_working_day(day, 'es') AS w FROM core.t",
                33,
                "is_working_day: unknown calendar 'es'; expected one of 'de', 'fr'",
                None,
            ),
            (
                "SELECT day, is_working_day(day) AS w FROM core.t",
                13,
                "is_working_day: there are several calendars; name one of 'de', 'fr' as the last argument",
                None,
            ),
        ] {
            let plan = state.optimize(&engine.plan(sql).await.unwrap()).unwrap();
            let found = problems_of_run(&state, &plan, sql);
            let found: Vec<_> = found
                .iter()
                .map(|p| (p.spot.map_or(0, |spot| spot.column), p.message.as_str(), p.hint.as_deref()))
                .collect();
            assert_eq!(found, [(column, message, hint)]);
        }
        let plan = engine.plan("SELECT is_working_day(day, 'fr') AS w FROM core.t").await.unwrap();
        assert!(problems_of_run(&state, &state.optimize(&plan).unwrap(), "").is_empty());
    }
}
