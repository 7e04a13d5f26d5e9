//! A session as the engine builds it, the published data as tables, and answers as text.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::prelude::{CsvReadOptions, SessionConfig, SessionContext};
use std::path::{Path, PathBuf};

/// A session that works in so many partitions.
// In the program the engine builds sessions; this package is tested without it.
#[allow(clippy::disallowed_methods)]
pub fn open(partitions: usize) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(97 * partitions);
    config.options_mut().sql_parser.dialect = datafusion::common::config::Dialect::DuckDB;
    let context = SessionContext::new_with_config(config);
    perennial_functions::register(&context);
    context
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
