//! Drafts of contracts, and tests of sources: what they say, and that a draft holds.

use crate::company::demo;
use crate::support::{Ran, query, run, value};
use std::path::Path;

fn sources<'a>(project: &'a Path, args: impl IntoIterator<Item = &'a str>) -> Ran {
    let args: Vec<&str> = ["sources"].into_iter().chain(args).collect();
    run(args.into_iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()]))
}

/// A project with nothing in it but a pipeline over all its sources.
fn empty_project(zone: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("perennial.yml", &format!("name: Drafts\nlake: lake\ntime_zone: {zone}\nas_of: 2026-11-22\n"));
    write("pipelines/nightly.yml", "description: Everything\n");
    folder
}

fn in_project(project: &Path, verb: &str) -> Ran {
    run([verb.as_ref(), "--project".as_ref(), project.as_os_str()])
}

/// The line of a column in a draft.
fn line<'t>(yaml: &'t str, table: &str, column: &str) -> &'t str {
    let (head, below) = (format!("  {table}:"), format!("      {column}:"));
    let mut lines = yaml.lines().skip_while(|line| *line != head);
    lines.find(|line| line.starts_with(&below)).unwrap_or_else(|| panic!("no {table}.{column} in\n{yaml}"))
}

#[test]
fn a_draft_of_the_demo_has_the_types_of_its_contracts_and_refuses_nothing() {
    let project = empty_project("Europe/Berlin");
    let data = demo().join("data");
    for (folder, name) in [("erp", "erp"), ("call-centre", "call_centre"), ("web", "web")] {
        let location = data.join(folder);
        sources(project.path(), ["discover", location.to_str().unwrap(), "--name", name, "--write"]).ended(0);
    }
    in_project(project.path(), "check").ended(0);
    let draft =
        |name: &str| std::fs::read_to_string(project.path().join(format!("pipelines/sources/{name}.yml"))).unwrap();
    let erp = draft("erp");
    for (table, column, wanted) in [
        ("customers", "customer_id", "type: integer, required: true"),
        ("customers", "name", "personal: true"),
        ("customers", "email", "personal: true"),
        ("customers", "phone", "{type: text, personal: true"),
        ("customers", "created_on", "type: date, required: true"),
        ("customers", "updated_at", "type: instant, required: true"),
        ("products", "product_id", "type: text, required: true"),
        ("products", "name", "{type: text, required: true}"),
        ("products", "list_price", "type: decimal, precision: 18, scale: 2"),
        ("orders", "order_id", "type: text, required: true"),
        ("orders", "status", "values: [cancelled, invoiced, shipped]"),
        ("order_lines", "product_id", "type: text, required: true"),
        ("order_lines", "unit_price", "type: decimal, precision: 18, scale: 2"),
        ("receivables", "due_on", "type: date, formats: [\"%d.%m.%Y\"]"),
        ("receivables", "paid_on", "type: date, formats: [\"%d.%m.%Y\"]}"),
        ("returns", "returned_on", "type: date, required: true"),
    ] {
        let found = line(&erp, table, column);
        assert!(found.contains(wanted), "{table}.{column}: {wanted} in {found}");
    }
    assert!(erp.contains("files: \"orders-*.csv\"") && erp.contains("files: \"order-lines-*.csv\""), "{erp}");
    assert!(erp.contains("key: [customer_id]\n    newest_by: updated_at"), "{erp}");
    assert!(erp.contains("key: [order_id, line_no]"), "{erp}");
    let calls = draft("call_centre");
    assert!(line(&calls, "calls", "abandoned").contains("type: integer, required: true"), "{calls}");
    assert!(line(&calls, "calls", "caller").contains("personal: true"), "{calls}");
    let web = draft("web");
    assert!(web.contains("files: \"*/events-*.jsonl\"") && web.contains("key: [event_id]"), "{web}");
    assert!(line(&web, "events", "email").contains("from: user.email, personal: true"), "{web}");
}

#[test]
fn a_draft_loads_what_it_was_made_from() {
    let project = empty_project("Asia/Shanghai");
    let folder = project.path().join("data/shop");
    std::fs::create_dir_all(&folder).unwrap();
    let orders = "订单号;客户;手机;金额;日期;状态;毛利率\n\
        0001;王芳;13800138000;12.50;2026年01月05日;已发货;0.125\n\
        0002;李雷;15912345678;8;2026年01月06日;-;0.5\n";
    std::fs::write(folder.join("orders-2026-01-06.csv"), encoding_rs::GB18030.encode(orders).0).unwrap();
    let more = "0003;韩梅;13900000000;7.25;2026年01月07日;已取消;\n";
    let more = format!("{}\n{more}", orders.lines().next().unwrap());
    std::fs::write(folder.join("orders-2026-01-07.csv"), encoding_rs::GB18030.encode(&more).0).unwrap();
    std::fs::write(
        folder.join("events.jsonl"),
        "{\"id\": \"a\", \"at\": \"2026-01-05T10:00:00Z\", \"user\": {\"ip\": \"10.0.0.1\"}}\n",
    )
    .unwrap();
    std::fs::write(
        folder.join("export.json"),
        "{\"sent\": \"2026-01-05\", \"items\": [\n {\"sku\": \"x\", \"n\": 1},\n {\"sku\": \"y\", \"n\": 2}]}",
    )
    .unwrap();
    std::fs::write(folder.join("bare.txt"), "1\t2026-01-05 10:00:00\n2\t2026-01-06 11:30:00\n").unwrap();
    std::fs::write(folder.join("letter.pdf"), b"%PDF-1.7\n\0\0").unwrap();
    let ran = sources(project.path(), ["discover", folder.to_str().unwrap(), "--format", "json"]).ended(0);
    let yaml = ran.json()["contract"].as_str().unwrap().to_string();
    assert!(yaml.contains("location: data/shop"), "{yaml}");
    assert!(yaml.contains("format: {csv: {delimiter: \";\", encoding: gb18030}}"), "{yaml}");
    assert!(line(&yaml, "orders", "order_no").contains("{type: text, from: \"订单号\", required: true}"), "{yaml}");
    assert!(
        line(&yaml, "orders", "mobile").contains("{type: text, from: \"手机\", required: true, personal: true}"),
        "{yaml}"
    );
    assert!(
        line(&yaml, "orders", "amount").contains("type: decimal, precision: 18, scale: 2, from: \"金额\""),
        "{yaml}"
    );
    assert!(line(&yaml, "orders", "date").contains("formats: [\"%Y年%m月%d日\"]"), "{yaml}");
    assert!(line(&yaml, "orders", "column_7").contains("type: decimal, precision: 18, scale: 3"), "{yaml}");
    assert!(line(&yaml, "events", "ip").contains("personal: true"), "{yaml}");
    assert!(yaml.contains("rows: \"items[]\""), "{yaml}");
    assert!(yaml.contains("header: false"), "{yaml}");
    assert!(yaml.contains("letter.pdf: it is neither text nor"), "{yaml}");

    sources(project.path(), ["discover", folder.to_str().unwrap(), "--write"]).ended(0);
    let again = sources(project.path(), ["discover", folder.to_str().unwrap(), "--write"]).ended(2);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    in_project(project.path(), "check").ended(0);
    let tested = sources(project.path(), ["test"]).ended(0);
    assert!(tested.stdout.starts_with("shop  ok"), "{}", tested.stdout);
    assert!(!project.path().join("lake").exists(), "a test writes nothing");
    in_project(project.path(), "run").ended(0);
    assert_eq!(value(project.path(), "SELECT count(*) FROM system.rejects"), "0");
    let rows = query(project.path(), "SELECT order_no, amount, date FROM source.shop__orders ORDER BY order_no");
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1]["order_no"], "0002");
    assert_eq!(rows[1]["date"], "2026-01-06");
    assert_eq!(value(project.path(), "SELECT sum(n) FROM source.shop__export"), "3");
    let columns = "SELECT count(column_2) FROM source.shop__bare";
    assert_eq!(value(project.path(), columns), "2");

    let none = sources(project.path(), ["discover", "--source", "shop"]).ended(0);
    assert!(none.stdout.is_empty() && none.stderr.contains("every table and column"), "{}{}", none.stdout, none.stderr);
    std::fs::write(folder.join("returns-2026-01-07.csv"), "id,why\n1,x\n2,y\n").unwrap();
    let events = "{\"id\": \"b\", \"at\": \"2026-01-06T10:00:00Z\", \"user\": {\"ip\": \"10.0.0.1\"}, \"tier\": 3}\n";
    std::fs::write(folder.join("events.jsonl"), events).unwrap();
    let new = sources(project.path(), ["discover", "--source", "shop", "--format", "json"]).ended(0).json();
    assert_eq!(new["tables"], serde_json::json!(["returns"]));
    assert_eq!(new["columns"], serde_json::json!(["events.tier"]));
}

#[test]
fn a_relative_location_counts_from_the_project_as_in_a_contract() {
    let project = empty_project("UTC");
    let database = rusqlite::Connection::open(project.path().join("shop.db")).unwrap();
    database.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (1)").unwrap();
    drop(database);
    let yaml = sources(project.path(), ["discover", "sqlite://shop.db"]).ended(0).stdout;
    assert!(yaml.contains("  orders:\n"), "{yaml}");
    sources(project.path(), ["discover", "sqlite://shop.db", "--write"]).ended(0);
    assert!(sources(project.path(), ["test", "shop"]).ended(0).stdout.starts_with("shop  ok"));
    std::fs::create_dir(project.path().join("till")).unwrap();
    std::fs::write(project.path().join("till/sales.csv"), "id\n1\n2\n").unwrap();
    let yaml = sources(project.path(), ["discover", "till"]).ended(0).stdout;
    assert!(yaml.contains("location: till\n") && yaml.contains("files: sales.csv"), "{yaml}");
}

#[test]
fn formats_of_known_systems_are_recognised() {
    let project = empty_project("UTC");
    let folder = project.path().join("logs");
    std::fs::create_dir_all(&folder).unwrap();
    let queue = "1767600000|NONE|NONE|NONE|QUEUESTART|\n\
        1767600005|1767600004.10|sales|NONE|ENTERQUEUE||004930123456|2\n\
        1767600015|1767600004.10|sales|SIP/100|CONNECT|10|1767600006.11|4\n\
        1767600075|1767600004.10|sales|SIP/100|COMPLETECALLER|10|60|2\n";
    std::fs::write(folder.join("queue_log"), queue).unwrap();
    let access = "203.0.113.7 - - [05/Jan/2026:10:00:00 +0100] \"GET /shop?p=1 HTTP/1.1\" 200 512 \"https://a.example/\" \"Mozilla/5.0\"\n";
    std::fs::write(folder.join("access.log"), access.repeat(3)).unwrap();
    let ran = sources(project.path(), ["discover", folder.to_str().unwrap(), "--write"]).ended(0);
    assert!(ran.stderr.contains("2 tables"), "{}", ran.stderr);
    let yaml = std::fs::read_to_string(project.path().join("pipelines/sources/logs.yml")).unwrap();
    assert!(yaml.contains("format: asterisk_queue_log") && yaml.contains("format: combined_log"), "{yaml}");
    sources(project.path(), ["test", "logs"]).ended(0);
}

#[test]
fn a_test_says_what_is_wrong_and_tries_every_source() {
    let project = empty_project("UTC");
    let write = |path: &str, text: &str| {
        let path = project.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let contract = |location: &str, more: &str| {
        format!(
            "location: {location}\ntables:\n  t:\n    files: \"t-*.csv\"\n    format: csv\n    columns:\n      \
             id: {{type: integer, required: true}}\n{more}"
        )
    };
    write("data/t-1.csv", "id\n1\n2\nx\n");
    write("empty/other.csv", "id\n1\n");
    write("pipelines/sources/good.yml", &contract("data", "    max_rejects: {share: 1}\n"));
    let refused = sources(project.path(), ["test", "good"]).ended(1);
    assert!(refused.stdout.contains("good  bad data  1 file of 1 table, newest of"), "{}", refused.stdout);
    assert!(
        refused.stdout.contains("1 of the first 3 rows rejected: t-1.csv line 4, column `id` is `x`"),
        "{}",
        refused.stdout
    );
    write("pipelines/sources/none.yml", &contract("empty", ""));
    assert!(sources(project.path(), ["test", "none"]).ended(1).stdout.contains("no file matches"));
    write("pipelines/sources/lacks.yml", &contract("data", "      amount: {type: integer}\n"));
    let lacks = sources(project.path(), ["test", "lacks"]).ended(2);
    assert!(lacks.stdout.contains("lacks `amount`, a column of the contract"), "{}", lacks.stdout);
    let other = contract("data", "").replace("id:", "number:");
    write("pipelines/sources/other.yml", &other);
    let other = sources(project.path(), ["test", "other"]).ended(2);
    assert!(other.stdout.contains("none of the contract's columns"), "{}", other.stdout);
    write("pipelines/sources/gone.yml", &contract("nowhere", ""));
    let all = sources(project.path(), ["test", "--format", "json"]).ended(3).json();
    let status = |name: &str| {
        let source = all.as_array().unwrap().iter().find(|s| s["source"] == name).unwrap();
        (source["status"].as_str().unwrap().to_string(), source["exit_code"].as_u64().unwrap())
    };
    let expected = [
        ("good", "bad_data", 1),
        ("none", "bad_data", 1),
        ("lacks", "failed", 2),
        ("other", "failed", 2),
        ("gone", "failed", 3),
    ];
    for (name, word, code) in expected {
        assert_eq!(status(name), (word.to_string(), code), "{name}: {all}");
    }
    assert!(!project.path().join("lake").exists());
    let unknown = sources(project.path(), ["test", "goood"]).ended(2);
    assert!(unknown.stderr.contains("did you mean `good`"), "{}", unknown.stderr);
    write("pipelines/sources/broken.yml", "location: data\n");
    let broken = sources(project.path(), ["test", "broken", "good"]).ended(2);
    assert!(
        broken.stdout.contains("good") && broken.stderr.contains("needs `tables`"),
        "{}{}",
        broken.stdout,
        broken.stderr
    );
}

#[test]
fn a_location_with_a_password_is_refused_without_showing_it() {
    let project = empty_project("UTC");
    let ran = sources(project.path(), ["discover", "postgresql://reader:s3cretword@localhost/erp"]).ended(2);
    assert!(ran.stderr.contains("--password-env"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("s3cretword") && !ran.stdout.contains("s3cretword"));
    let none = sources(project.path(), ["discover", "/nowhere/at/all"]).ended(3);
    assert!(none.stderr.contains("there is no `/nowhere/at/all`"), "{}", none.stderr);
}
