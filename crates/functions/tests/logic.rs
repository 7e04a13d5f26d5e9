//! SQL logic tests in the format of SQLite's, as DuckDB and DataFusion write them.
//!
//! Records are separated by an empty line: `statement ok`, `statement error REGEX`, or `query [types] [rowsort]`, then
//! the SQL, and for a query `----` and its rows. `#` begins a comment. Cells are compared with white space between
//! them made one space. The sqllogictest crate is not used: it switches on features of crates that the engine
//! depends on, and the engine would be built twice.

use crate::session;
use datafusion::prelude::SessionContext;
use std::path::Path;

/// Records whose answers are not those of the file, each with its line.
pub async fn failures(session: &SessionContext, file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut failures = Vec::new();
    let mut record: Vec<&str> = Vec::new();
    for (number, line) in text.lines().chain([""]).enumerate() {
        if !line.trim().is_empty() {
            record.push(line);
            continue;
        }
        let first = number + 1 - record.len();
        record.retain(|line| !line.starts_with('#'));
        if let Some((head, body)) = record.split_first()
            && let Err(failure) = run(session, head, body).await
        {
            failures.push(format!("line {first}: {failure}"));
        }
        record.clear();
    }
    failures
}

async fn run(session: &SessionContext, head: &str, body: &[&str]) -> Result<(), String> {
    let mut words = head.splitn(3, ' ');
    let kind = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let end = body.iter().position(|line| *line == "----").unwrap_or(body.len());
    let sql = body[..end].join("\n");
    let answer = session::rows(session, &sql).await;
    match (kind, answer) {
        (("statement", "ok", _), Ok(_)) => Ok(()),
        (("statement", "error", pattern), Err(error)) => {
            let said = error.to_string();
            let fits = regex::Regex::new(pattern).unwrap().is_match(&said);
            if fits { Ok(()) } else { Err(format!("{sql}\nfailed with\n{said}\nwhich is not /{pattern}/")) }
        }
        (("statement", "error", _), Ok(_)) => Err(format!("{sql}\ndid not fail")),
        (("query", types, sort), Ok(rows)) => {
            let mut got: Vec<String> = rows.iter().map(|row| squeezed(&row.join(" "))).collect();
            let mut expected: Vec<String> = body.iter().skip(end + 1).map(|line| squeezed(line)).collect();
            if types == "rowsort" || sort == "rowsort" {
                got.sort();
                expected.sort();
            }
            let (got, expected) = (got.join("\n"), expected.join("\n"));
            if got == expected { Ok(()) } else { Err(format!("{sql}\ngave\n{got}\nand not\n{expected}")) }
        }
        (("statement" | "query", ..), Err(error)) => Err(format!("{sql}\nfailed: {error}")),
        _ => Err(format!("'{head}' is not a record")),
    }
}

fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
