//! For `benches/postgresql.py --reader`: from a table to Parquet, and nothing else.

use super::*;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark"]
async fn drain() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let connections = variable("PERENNIAL_BENCH_CONNECTIONS").parse().unwrap();
    let access = Access { tls: Tls::Off, connections, ..Access::default() };
    let database = open(&variable("PERENNIAL_BENCH_URL"), &access).await.unwrap();
    let relation = table("order_lines");
    let described = database.describe("order_lines").await.unwrap();
    let wanted: Vec<(&str, ValueType)> =
        described.columns.iter().map(|column| (column.name.as_str(), column.data_type.clone())).collect();
    let contract = columns(&wanted);
    let request = RelationRequest { relation: &relation, table: &contract, all_columns: false, since: None };
    let readers = database.read(&request).await.unwrap();
    let mut tasks = Vec::new();
    for (i, mut reader) in readers.into_iter().enumerate() {
        let path = format!("{}/part-{i}.parquet", variable("PERENNIAL_BENCH_OUT"));
        tasks.push(tokio::task::spawn_blocking(move || {
            let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
            let properties = WriterProperties::builder().set_compression(zstd).build();
            let mut writer = None;
            let mut rows = 0;
            while let Some(read) = reader.next_rows().unwrap() {
                assert!(read.rejects.is_empty());
                rows += read.batch.num_rows();
                let writer = writer.get_or_insert_with(|| {
                    let file = std::fs::File::create(&path).unwrap();
                    ArrowWriter::try_new(file, read.batch.schema(), Some(properties.clone())).unwrap()
                });
                writer.write(&read.batch).unwrap();
            }
            if let Some(writer) = writer {
                writer.close().unwrap();
            }
            rows
        }));
    }
    let mut rows = 0;
    for task in tasks {
        rows += task.await.unwrap();
    }
    assert!(rows > 0);
}
