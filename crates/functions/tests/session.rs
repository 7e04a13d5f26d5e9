//! A session as the engine builds it, the published data as tables, and answers as text.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::prelude::{CsvReadOptions, SessionConfig, SessionContext};
use jiff::civil::{Date, date};
use perennial_calendar::BusinessCalendar;
use perennial_functions::Calendars;
use std::path::{Path, PathBuf};

/// A session that works in so many partitions.
// In the program the engine builds sessions; this package is tested without it.
#[allow(clippy::disallowed_methods)]
pub fn open(partitions: usize) -> SessionContext {
    let context = SessionContext::new_with_config(config(partitions));
    perennial_functions::register(&context);
    context
}

/// The same in the time zone of Berlin, with some of the calendars `germany` and `china`. Both have Saturday and Sunday
/// free. In Germany 25 and 26 December 2026 and 1 January 2027 are holidays, in China 1 to 7 October 2026, with work on
/// Saturday the 10th.
#[allow(clippy::disallowed_methods)]
pub fn open_with_calendars(partitions: usize, names: &[&str]) -> SessionContext {
    let holidays = |days: &[Date]| days.iter().map(|day| (*day, String::new())).collect();
    let weekdays = BusinessCalendar::monday_to_friday();
    let germany = BusinessCalendar {
        holidays: holidays(&[date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)]),
        ..weekdays.clone()
    };
    let china = BusinessCalendar {
        holidays: holidays(&(1..=7).map(|day| date(2026, 10, day)).collect::<Vec<_>>()),
        working_days: [date(2026, 10, 10)].into(),
        ..weekdays
    };
    let all = [("germany".to_string(), germany), ("china".to_string(), china)];
    let calendars = Calendars::new(all.into_iter().filter(|(name, _)| names.contains(&name.as_str())));
    let mut config = config(partitions).with_option_extension(calendars);
    config.options_mut().execution.time_zone = Some("Europe/Berlin".into());
    let context = SessionContext::new_with_config(config);
    perennial_functions::register(&context);
    context
}

fn config(partitions: usize) -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(97 * partitions);
    config.options_mut().sql_parser.dialect = datafusion::common::config::Dialect::DuckDB;
    config
}

/// The published data sets as tables; false where they are absent.
///
/// - `cdnow(customer BIGINT, day DATE, amount DECIMAL)`: purchases of the sample, a row per line of the file
/// - `donations(frequency, recency, periods, weight)`: gifts of the cohort of 1995, a row per distinct history
/// - `freireich(pair, weeks, relapsed, treatment)`: remission times
/// - `subscribers(year, regular, high_end)`: survivors of 1,000 subscribers
pub async fn register_real_data(context: &SessionContext) -> bool {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("PERENNIAL_REAL_DATA").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        return false;
    }
    let lines = std::fs::read_to_string(folder.join("cdnow/CDNOW_sample.txt")).unwrap();
    let rows: Vec<String> = lines
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let (year, month, day) = (&cells[2][..4], &cells[2][4..6], &cells[2][6..]);
            format!("({}, DATE '{year}-{month}-{day}', CAST('{}' AS DECIMAL(18, 2)))", cells[1], cells[4])
        })
        .collect();
    let sql = format!("CREATE TABLE cdnow AS SELECT * FROM (VALUES {}) AS t(customer, day, amount)", rows.join(", "));
    context.sql(&sql).await.unwrap().collect().await.unwrap();
    for (name, path) in [
        ("donations", "cdnow/donations.csv"),
        ("freireich", "survival/gehan_freireich.csv"),
        ("subscribers", "survival/sbg_survivors.csv"),
    ] {
        let path = folder.join(path);
        context.register_csv(name, path.to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
    }
    true
}

/// Names of the columns, then the rows; cells separated by ` | `.
pub async fn answer(context: &SessionContext, sql: &str) -> Result<String> {
    let frame = context.sql(sql).await?;
    let names: Vec<String> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut lines = vec![names.join(" | ")];
    lines.extend(rows(context, sql).await?.into_iter().map(|row| row.join(" | ")));
    Ok(lines.join("\n"))
}

/// The rows of the answer as text.
pub async fn rows(context: &SessionContext, sql: &str) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in context.sql(sql).await?.collect().await? {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options)).collect::<Result<_, _>>()?;
        rows.extend((0..batch.num_rows()).map(|i| columns.iter().map(|c| c.value(i).to_string()).collect()));
    }
    Ok(rows)
}
