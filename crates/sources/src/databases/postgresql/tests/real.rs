//! Real databases, read here and asked through psql.

use super::*;
use arrow::array::AsArray;
use arrow::datatypes::Decimal128Type;
use perennial_testing::postgres_server;
use std::path::PathBuf;

fn real_data(path: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var("PERENNIAL_REAL_DATA").ok()?);
    Some(folder.join(path)).filter(|path| path.exists())
}

fn sum(read: &Read, name: &str) -> i128 {
    let place = read.fields.iter().position(|field| field == name).unwrap();
    let arrays = read.batches.iter().map(|batch| batch.column(place).as_primitive::<Decimal128Type>());
    arrays.map(|array| array.iter().flatten().sum::<i128>()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn northwind_agrees_with_psql() {
    let (Some(server), Some(dump)) = (postgres_server(), real_data("northwind/northwind.sql")) else { return };
    server.database("northwind");
    let done = server.program("psql").args(["-X", "-q", "-d", "northwind", "-f"]).arg(dump).output().unwrap();
    assert!(done.status.success());
    let database = connected(server, "northwind").await;
    let tables: Vec<String> = database.tables().await.unwrap().into_iter().map(|table| table.name).collect();
    assert!(tables.contains(&"orders".to_string()) && tables.contains(&"order_details".to_string()), "{tables:?}");
    for name in tables {
        let described = database.describe(&name).await.unwrap();
        let wanted: Vec<(&str, ValueType)> =
            described.columns.iter().map(|column| (column.name.as_str(), column.data_type.clone())).collect();
        let read = read(&database, &table(&name), &wanted).await;
        assert_eq!(read.rows().to_string(), server.sql("northwind", &format!("SELECT count(*) FROM {name}")), "{name}");
        assert!(read.rejects.is_empty(), "{name}: {:?}", read.rejects);
        // Every value that psql counts is there.
        for (column, _) in &wanted {
            let there = read.column(column).iter().filter(|text| *text != "-").count();
            let counted = format!("SELECT count(nullif({column}::text, '-')) FROM {name}");
            assert_eq!(there.to_string(), server.sql("northwind", &counted), "{name}.{column}");
        }
    }
    let orders =
        read(&database, &table("orders"), &[("order_id", ValueType::Integer), ("freight", ValueType::Float)]).await;
    assert_eq!(orders.rows(), 830);
    let lines = query("SELECT (unit_price::numeric * quantity)::numeric(12,2) AS amount FROM order_details");
    let lines = read(&database, &lines, &[("amount", ValueType::Decimal { precision: 18, scale: 2 })]).await;
    assert_eq!(lines.rows(), 2155);
    let known = "SELECT (100 * sum(unit_price::numeric * quantity))::numeric(20,0) FROM order_details";
    assert_eq!(sum(&lines, "amount").to_string(), server.sql("northwind", known));
}

#[tokio::test(flavor = "multi_thread")]
async fn tryton_agrees_with_psql() {
    let (Some(server), Some(dump)) = (postgres_server(), real_data("tryton/tryton.dump")) else { return };
    server.database("tryton");
    let restore =
        server.program("pg_restore").args(["--no-owner", "--no-acl", "-d", "tryton"]).arg(dump).output().unwrap();
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    let database = connected(server, "tryton").await;
    assert_eq!(
        database.tables().await.unwrap().len().to_string(),
        server.sql("tryton", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    );
    for (name, amounts, clocks) in [
        ("sale_sale", vec!["untaxed_amount_cache", "total_amount_cache"], vec!["create_date", "write_date"]),
        ("sale_line", vec!["unit_price"], vec!["create_date"]),
        ("account_move_line", vec!["debit", "credit"], vec!["create_date"]),
        ("account_invoice", vec!["total_amount_cache"], vec!["write_date"]),
        ("product_cost_price", vec!["cost_price"], vec![]),
    ] {
        let decimal = ValueType::Decimal { precision: 38, scale: 10 };
        let mut wanted = vec![("id", ValueType::Integer)];
        wanted.extend(amounts.iter().map(|name| (*name, decimal.clone())));
        wanted.extend(clocks.iter().map(|name| (*name, instant())));
        let read = read(&database, &table(name), &wanted).await;
        assert!(read.rejects.is_empty(), "{name}: {:?}", read.rejects);
        assert_eq!(read.rows().to_string(), server.sql("tryton", &format!("SELECT count(*) FROM {name}")), "{name}");
        for amount in amounts {
            let asked = format!("SELECT coalesce((sum({amount}) * 10000000000)::numeric(38,0), 0) FROM {name}");
            assert_eq!(sum(&read, amount).to_string(), server.sql("tryton", &asked), "{name}.{amount}");
        }
        for clock in clocks {
            let mut moments: Vec<String> = read.column(clock).into_iter().filter(|text| text != "-").collect();
            moments.sort();
            let asked = format!("SELECT to_char(max({clock}), 'YYYY-MM-DD\"T\"HH24:MI:SS.USZ') FROM {name}");
            let last = server.sql("tryton", &asked);
            // Trailing zeros of the fraction are the printer's choice.
            let plain = |text: &str| text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.').to_string();
            assert_eq!(moments.last().map(|text| plain(text)).unwrap_or_default(), plain(&last), "{name}.{clock}");
        }
    }
    let cursor = ["create_date".to_string(), "write_date".to_string()];
    let watermark = database.watermark(&table("sale_sale"), &cursor).await.unwrap();
    let asked = "SELECT max(greatest(create_date, write_date)) FROM sale_sale";
    assert_eq!(watermark, Some(server.sql("tryton", asked)));
    // Money there is numeric without precision: a sample decides.
    let described = database.describe("sale_line").await.unwrap();
    let price = described.columns.iter().find(|column| column.name == "unit_price").unwrap();
    assert!(matches!(price.data_type, ValueType::Decimal { .. }), "{price:?}");
}
