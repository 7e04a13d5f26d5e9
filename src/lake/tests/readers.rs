//! What other programs see: Python's Delta reader opens a table as it is.

use super::*;
use arrow::array::{Date32Array, Decimal128Array, Float64Array, TimestampMicrosecondArray};

/// Runs a few lines of Python and gives what they print. The process ends without winding up: threads of its libraries
/// have been seen to abort then.
fn python(lines: &str, arguments: &[&str]) -> String {
    let lines = format!("{lines}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n");
    let output = crate::testing::python().args(["-c", lines.as_str()]).args(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python failed (scripts/test installs its packages):\n{complaint}");
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

const READ: &str = r#"
import sys, json, deltalake, pyarrow.dataset
table = deltalake.DeltaTable(sys.argv[1])
rows = table.to_pyarrow_table().sort_by("id")
print(json.dumps({
    "version": table.version(),
    "columns": [f.type.type for f in table.schema().fields],
    "rows": [{k: str(v) for k, v in row.items()} for row in rows.to_pylist()],
    "name": table.metadata().name,
    "kept": len(table.to_pyarrow_dataset().to_table(
        filter=pyarrow.dataset.field("id") >= 3)),
}))
"#;

fn wide_rows() -> RecordBatch {
    let columns: [(&str, ArrayRef); 6] = [
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("name", Arc::new(StringArray::from(vec![Some("客户"), None, Some("b")]))),
        (
            "revenue",
            Arc::new(Decimal128Array::from(vec![Some(1234), None, Some(-5)]).with_precision_and_scale(18, 2).unwrap()),
        ),
        ("day", Arc::new(Date32Array::from(vec![-1, 0, 20_000]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 1_600_000_000_123_456]).with_timezone("UTC"))),
        ("share", Arc::new(Float64Array::from(vec![0.5, f64::NAN, 2.0]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn python_opens_a_table_as_it_is() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let first = table(&lake, "marts.wide", "r1", &wide_rows()).await;
    lake.publish(&lock, new_release("r1", [("marts.wide", first.clone())])).await.unwrap();
    let at = lake.folder().unwrap().join("marts/wide");
    let seen: serde_json::Value = serde_json::from_str(&python(READ, &[at.to_str().unwrap()])).unwrap();
    assert_eq!(seen["version"], 0);
    assert_eq!(seen["name"], "marts.wide");
    let columns: Vec<&str> = seen["columns"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    assert_eq!(columns, ["long", "string", "decimal(18,2)", "date", "timestamp", "double"]);
    assert_eq!(seen["rows"][0]["name"], "客户");
    assert_eq!(seen["rows"][0]["revenue"], "12.34");
    assert_eq!(seen["rows"][0]["day"], "1969-12-31");
    assert_eq!(seen["rows"][1]["revenue"], "None");
    assert_eq!(seen["rows"][2]["at"], "2020-09-13 12:26:40.123456+00:00");
    assert_eq!(seen["kept"], 1);

    let second = table(&lake, "marts.wide", "r2", &wide_rows().slice(0, 2)).await;
    lake.publish(&lock, new_release("r2", [("marts.wide", second)])).await.unwrap();
    lake.rollback(&lock, 1, "r3", now()).await.unwrap();
    let seen: serde_json::Value = serde_json::from_str(&python(READ, &[at.to_str().unwrap()])).unwrap();
    assert_eq!((seen["version"].as_u64(), seen["rows"].as_array().map(Vec::len)), (Some(2), Some(3)));
}

/// Bounds in the log are those of the rows; text has none.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_bounds_but_no_names() {
    let (_folder, lake) = new_lake().await;
    let version = table(&lake, "marts.wide", "r1", &wide_rows()).await;
    let told = stats::of_file(&lake, &version.files[0]).await.unwrap();
    let wanted = serde_json::json!({
        "numRecords": 3,
        "minValues": {"id": 1, "revenue": -0.05, "day": "1969-12-31", "at": "1970-01-01T00:00:00.000000Z"},
        "maxValues": {"id": 3, "revenue": 12.34, "day": "2024-10-04", "at": "2020-09-13T12:26:40.123456Z"},
        "nullCount": {"id": 0, "name": 1, "revenue": 1, "day": 0, "at": 0, "share": 0},
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap(), wanted);
}
