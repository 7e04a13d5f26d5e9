//! Queries of the command line that must not give a wrong figure, end without a word, or hold everything in memory.

use super::support::{perennial, run};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

fn project(folder: &Path) -> String {
    let path = folder.join("p").to_str().unwrap().to_string();
    run(["init", path.as_str(), "--no-data"]).ended(0);
    path
}

/// A query that is too long for the command line comes from stdin.
fn from_stdin(project: &str, sql: &str) -> super::support::Ran {
    let mut command = perennial(["query", "-", "--format", "csv", "--project", project]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(sql.as_bytes());
    child.wait_with_output().unwrap().into()
}

#[test]
fn deep_queries_end_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    for (sql, message) in [
        (format!("SELECT {}", vec!["1"; 20_000].join("+")), "error: more than 1000 operators in one expression\n"),
        (vec!["SELECT 1"; 2_000].join(" UNION ALL "), "error: more than 500 UNION, INTERSECT or EXCEPT in one query\n"),
        (
            format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000)),
            "error: more than 64 brackets or CASE inside each other\n",
        ),
    ] {
        let ran = from_stdin(&project, &sql).ended(2);
        assert!(ran.stderr.starts_with(message), "{}", ran.stderr);
        let step = Path::new(&project).join("sql/core/deep.sql");
        std::fs::write(&step, format!("{sql} AS x\n")).unwrap();
        let ran = run(["check", "--project", project.as_str()]).ended(2);
        assert!(ran.stderr.contains(message) && ran.stderr.contains("sql/core/deep.sql:1:"), "{}", ran.stderr);
        std::fs::remove_file(step).unwrap();
    }
    let sql = format!("SELECT {} AS x", vec!["1"; 1_000].join("+"));
    assert_eq!(from_stdin(&project, &sql).ended(0).stdout, "x\n1000\n");
}

#[test]
fn what_overflows_is_bad_data() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    for (sql, message) in [
        (
            "SELECT sum(x) AS s FROM (VALUES (9223372036854775807), (1)) AS t (x)",
            "is 9223372036854775808, which does not fit",
        ),
        (
            "SELECT x + 1 AS y FROM (VALUES (9223372036854775807)) AS t (x)",
            "9223372036854775807 + 1 does not fit into BIGINT",
        ),
        ("SELECT length(repeat('x', 2000000000)) AS n", "`repeat` would make 1907 MB at once"),
    ] {
        let ran = run(["query", sql, "--project", project.as_str()]).ended(1);
        assert!(ran.stderr.contains(message) && ran.stderr.contains("query:1:"), "{}", ran.stderr);
    }
    let mistyped = "SELECT 1 AS x FROM (VALUES (DATE '2026-01-01')) AS t (day) WHERE day < 5";
    let ran = run(["query", mistyped, "--project", project.as_str()]).ended(2);
    assert!(ran.stderr.starts_with("error: DATE cannot be compared with BIGINT\n"), "{}", ran.stderr);
}

#[test]
fn rows_are_written_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let sql = "SELECT value FROM generate_series(1, 1000000000)";
    for format in ["csv", "json"] {
        let mut command = perennial(["query", sql, "--format", format, "--project", project.as_str()]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 16];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut first).unwrap();
        assert!(first.starts_with(if format == "csv" { b"value\n1\n2\n" } else { b"[{\"value\":1},{\"v" }));
        // Who wants no more ends it; a billion rows are not computed before.
        drop(stdout);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let ran = run(["query", sql, "--project", project.as_str()]).ended(0);
    assert_eq!(ran.stdout.lines().count(), 10_002, "10,000 rows, the header and the line below it");
    assert!(ran.stderr.contains("the first 10,000 rows are shown"), "{}", ran.stderr);
    // What was written stays no JSON when the rest fails, and the error is told elsewhere.
    let failing = "SELECT 9223372036853775807 + value AS x FROM generate_series(1, 1500000)";
    let ran = run(["query", failing, "--format", "json", "--project", project.as_str()]).ended(1);
    // Which rows come first is for the engine to say.
    assert!(ran.stdout.starts_with("[{\"x\":9223372036") && !ran.stdout.ends_with("]\n"));
    assert!(ran.stderr.contains("does not fit into BIGINT"), "{}", ran.stderr);
    for (format, expected) in [("json", "[]\n"), ("csv", "x\n")] {
        let ran = run(["query", "SELECT 1 AS x WHERE false", "--format", format, "--project", project.as_str()]);
        assert_eq!(ran.ended(0).stdout, expected);
    }
}
