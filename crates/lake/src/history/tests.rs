use super::*;
use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};

fn timestamp(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

#[test]
fn rows_become_columns_with_null_where_nothing_is_known() {
    let run = RunRecord {
        run_id: "r1".into(),
        command: "run nightly".into(),
        pipeline: Some("nightly".into()),
        scheduled_for: None,
        attempt: Some(1),
        as_of: Some(jiff::civil::date(2000, 1, 1)),
        started_at: timestamp("1970-01-01T00:00:01Z"),
        ended_at: timestamp("1970-01-01T00:00:02.5Z"),
        status: RunStatus::NothingNew,
        release: None,
        message: None,
        host: "h".into(),
        user: "u".into(),
        project: None,
        git_commit: None,
    };
    let other = RunRecord { as_of: None, release: Some(7), status: RunStatus::Done, ..run.clone() };
    let batch = RunRecord::batch(&[run, other]).unwrap();
    assert_eq!(batch.num_rows(), 2);
    let column = |name: &str| batch.column_by_name(name).unwrap().clone();
    // 2000-01-01 is 30 years of 365 days and 7 leap days after the epoch.
    assert_eq!(column("as_of").as_primitive::<Date32Type>().value(0), 30 * 365 + 7);
    assert!(column("as_of").is_null(1));
    assert_eq!(column("ended_at").as_primitive::<TimestampMicrosecondType>().value(0), 2_500_000);
    assert_eq!(column("status").as_string::<i32>().value(0), "nothing_new");
    assert!(column("release").is_null(0) && column("scheduled_for").is_null(0));
    assert_eq!(column("release").as_primitive::<Int64Type>().value(1), 7);
}

#[test]
fn every_system_table_has_a_schema_that_an_empty_batch_matches() {
    let names: Vec<&str> = tables().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["runs", "steps", "sources", "rejects", "tests", "releases", "deliveries"]);
    assert_eq!(RejectRecord::batch(&[]).unwrap().schema(), RejectRecord::schema());
    assert!(tables().iter().all(|(_, schema)| schema.fields().iter().all(|f| f.is_nullable())));
}

#[test]
fn a_day_before_the_epoch_is_negative() {
    let row = ReleaseRecord {
        number: 1,
        run_id: "r".into(),
        published_at: timestamp("2026-01-01T00:00:00Z"),
        as_of: jiff::civil::date(1969, 12, 31),
        rollback_of: None,
        tables: 1,
        rows: u64::MAX,
        tests_passed: 0,
        tests_warned: 0,
    };
    let batch = ReleaseRecord::batch(&[row]).unwrap();
    assert_eq!(batch.column_by_name("as_of").unwrap().as_primitive::<Date32Type>().value(0), -1);
    assert_eq!(batch.column_by_name("rows").unwrap().as_primitive::<Int64Type>().value(0), i64::MAX);
}
