//! Files hold what was written, in types that every reader knows.

use super::*;
use arrow::array::{AsArray, StringViewArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

async fn read(lake: &Lake, file: &DataFile) -> Vec<RecordBatch> {
    let bytes = lake.read(&file.path).await.unwrap().unwrap();
    ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn text_views_and_unsigned_numbers_become_plain() {
    let (_folder, lake) = new_lake().await;
    let text: ArrayRef = Arc::new(StringViewArray::from(vec!["a text longer than twelve bytes", "b"]));
    let number: ArrayRef = Arc::new(UInt64Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("text", text), ("number", number)]).unwrap();
    let version = table(&lake, "marts.a", "r1", &batch).await;
    assert_eq!(version.schema.field(0).data_type(), &DataType::Utf8);
    let found = &read(&lake, &version.files[0]).await[0];
    assert_eq!(found.column(0).as_string::<i32>().value(0), "a text longer than twelve bytes");
    assert_eq!(found.schema().field(1).data_type(), &DataType::Int64);

    let too_big: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
    let batch = RecordBatch::try_from_iter([("number", too_big)]).unwrap();
    let error = try_table(&lake, "marts.a", "r1", &batch).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.message().contains("`number` of marts.a"), "{error}");
}

#[test]
fn types_that_cannot_be_stored_are_named_with_their_column() {
    let of = |fields: Vec<Field>| lake_schema(&name("marts.a"), &Schema::new(fields));
    let interval = DataType::Interval(arrow::datatypes::IntervalUnit::DayTime);
    let error = of(vec![Field::new("since", interval, true)]).unwrap_err();
    assert!(error.message().starts_with("column `since` of marts.a is Interval"), "{error}");
    let twice = vec![Field::new("Id", DataType::Int64, true), Field::new("id", DataType::Int64, true)];
    assert_eq!(of(twice).unwrap_err().message(), "duplicate column `id` in marts.a");
    let nanos = of(vec![Field::new("at", DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())), false)]);
    let nanos = nanos.unwrap();
    assert_eq!(nanos.field(0).data_type(), &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
    assert!(nanos.field(0).is_nullable());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_is_split_into_files_and_parallel_writers_do_not_collide() {
    let (_folder, lake) = new_lake().await;
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let lake = lake.clone();
            tokio::spawn(async move {
                let mut writer = lake.table_writer(&name("marts.a"), "r1", rows(0, 0).schema()).unwrap();
                writer = writer.with_file_bytes(20_000);
                for part in 0..10 {
                    writer.write(&rows(task * 100_000 + part * 2_000, 2_000)).await.unwrap();
                }
                writer.finish().await.unwrap()
            })
        })
        .collect();
    let mut files = Vec::new();
    for task in tasks {
        let of_task = task.await.unwrap();
        assert!(of_task.len() > 1, "{of_task:?}");
        files.extend(of_task);
    }
    let paths: std::collections::BTreeSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths.len(), files.len());
    assert_eq!(files.iter().map(|f| f.rows).sum::<u64>(), 80_000);
    let found: BTreeMap<String, u64> = lake.list("marts/a").await.unwrap().into_iter().collect();
    for file in &files {
        assert_eq!(found[&file.path], file.bytes);
        let found: usize = read(&lake, file).await.iter().map(|b| b.num_rows()).sum();
        assert_eq!(found as u64, file.rows);
    }
}

#[test]
fn a_table_cannot_leave_its_folder() {
    for (schema, table) in
        [("marts", "../x"), ("..", "x"), ("marts", ""), ("_perennial", "runs"), ("a/b", "c"), ("marts", "客户")]
    {
        let error = open::table_folder(&TableName::new(schema, table)).unwrap_err();
        assert_eq!(error.kind(), Kind::Project, "{schema} {table}");
    }
    assert_eq!(open::table_folder(&TableName::new("marts", "rfm_2")).unwrap(), "marts/rfm_2");
}

#[tokio::test(flavor = "multi_thread")]
async fn system_rows_are_appended_and_a_listing_counts_them() {
    let (_folder, lake) = new_lake().await;
    lake.append_system("runs", "r1", &rows(1, 3)).await.unwrap();
    lake.append_system("runs", "r1", &rows(1, 0)).await.unwrap();
    lake.append_system("runs", "r1", &rows(4, 2)).await.unwrap();
    let again = Lake::open(&lake.location()).await.unwrap();
    again.append_system("runs", "r1", &rows(6, 1)).await.unwrap();
    again.append_system("runs", "r2", &rows(7, 4)).await.unwrap();
    let found = lake.system_files().await.unwrap();
    let files = found.of("runs");
    // What another process has written of the same run comes by its part as well.
    assert_eq!(files.iter().map(|f| f.rows).collect::<Vec<_>>(), [1, 3, 2, 4]);
    for file in &files {
        assert_eq!(read(&lake, file).await.iter().map(|b| b.num_rows() as u64).sum::<u64>(), file.rows);
    }
    assert!(found.of("steps").is_empty() && found.foreign.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_is_a_path_or_a_known_url_without_secrets() {
    let locations = ["lake", "ftp://host/x", "s3://key:secret@bucket/x", "az://box/x?sig=secret"];
    for location in locations {
        let error = Lake::open(location).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Project, "{location}");
        assert!(!perennial_core::error::render(&error, false).contains("secret"), "{location}: {error}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(Lake::open(file.path().to_str().unwrap()).await.unwrap_err().kind(), Kind::Project);
}
