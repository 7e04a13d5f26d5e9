//! Formats of known systems, from their files to typed rows.

use crate::support::{query, real_data, run, value};
use perennial_sources::formats::FORMATS;
use std::path::Path;

fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn project(folder: &Path, tables: &str) {
    write(folder, "perennial.yml", b"name: Formats\nlake: lake\nas_of: 2026-02-01\ntime_zone: Europe/Berlin\n");
    write(folder, "pipelines/nightly.yml", b"description: All\nsources: [\"*\"]\nsteps: [\"*\"]\nreports: [\"*\"]\n");
    write(folder, "pipelines/sources/systems.yml", format!("location: data\ntables:\n{tables}").as_bytes());
    write(folder, "sql/marts/one.sql", b"/* ---\ndescription: One\ngrain: [one]\n--- */\nSELECT 1 AS one\n");
}

/// Every row of every sample keeps the contract of its format.
#[test]
fn samples_keep_their_contracts() {
    let folder = tempfile::tempdir().unwrap();
    let mut tables = String::new();
    for format in FORMATS {
        let name = format.name;
        tables.push_str(&format!(
            "  {name}:\n    files: {name}\n    format: {name}\n    on_bad_row: fail\n    on_new_column: fail\n"
        ));
        write(folder.path(), &format!("data/{name}"), format.sample.as_bytes());
    }
    project(folder.path(), &tables);
    run(["run".as_ref(), "--project".as_ref(), folder.path().as_os_str()]).ended(0);
    let one = |sql: &str| value(folder.path(), sql);
    // By hand from the samples.
    assert_eq!(one("SELECT sum(talk_seconds) FROM source.systems__asterisk_queue_log"), "120");
    assert_eq!(one("SELECT count(*) FROM source.systems__asterisk_queue_log WHERE queue IS NULL"), "1");
    assert_eq!(
        one("SELECT CAST(min(started_at) AS VARCHAR) FROM source.systems__asterisk_cdr"),
        "2026-01-05T08:00:00Z"
    );
    assert_eq!(one("SELECT count(*) FROM source.systems__genesys_conversations"), "4");
    assert_eq!(
        one("SELECT CAST(occurred_at AS VARCHAR) FROM source.systems__ga4_export WHERE event_name = 'page_view'"),
        "2026-01-05T09:00:00.123456Z"
    );
    assert_eq!(
        one("SELECT CAST(max(requested_at) AS VARCHAR) FROM source.systems__combined_log"),
        "2026-01-05T09:00:03Z"
    );
    assert_eq!(
        one("SELECT CAST(min(requested_at) AS VARCHAR) FROM source.systems__w3c_extended"),
        "2026-01-05T09:00:01Z"
    );
    assert_eq!(one("SELECT CAST(revenue AS VARCHAR) FROM source.systems__segment WHERE type = 'track'"), "39.9000");
}

/// The real logs, with what awk and Python count in them (said where the formats are tested).
#[test]
fn real_logs_become_figures() {
    let real = Path::new(&real_data()).to_path_buf();
    if !real.join("asterisk").is_dir() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in
        [("asterisk/queue_log", "queue_log"), ("asterisk/Master.csv", "Master.csv"), ("web/apache_logs.log", "web.log")]
    {
        write(folder.path(), &format!("data/{to}"), &std::fs::read(real.join(from)).unwrap());
    }
    let tables = "  queue:\n    files: queue_log\n    format: asterisk_queue_log\n  \
                  details:\n    files: Master.csv\n    format: asterisk_cdr\n    zone: Asia/Shanghai\n    key: [unique_id, sequence]\n  \
                  web:\n    files: web.log\n    format: combined_log\n";
    project(folder.path(), tables);
    run(["run".as_ref(), "--project".as_ref(), folder.path().as_os_str()]).ended(0);
    // One call in two files and two clocks: the answer of the CDR is the log's CONNECT.
    let calls = query(
        folder.path(),
        "SELECT d.linked_id, min(d.started_at) AS started_at, min(q.occurred_at) AS entered_at
         FROM source.systems__details d JOIN source.systems__queue q ON q.call_id = d.linked_id AND q.event = 'ENTERQUEUE'
         GROUP BY d.linked_id HAVING abs(extract(epoch FROM min(q.occurred_at) - min(d.started_at))) <= 1",
    );
    assert_eq!(calls.len(), 14);
    let one = |sql: &str| value(folder.path(), sql);
    assert_eq!(one("SELECT sum(talk_seconds) FROM source.systems__queue WHERE event LIKE 'COMPLETE%'"), "35");
    assert_eq!(one("SELECT sum(billed_seconds) FROM source.systems__details"), "133");
    assert_eq!(one("SELECT sum(response_bytes) FROM source.systems__web"), "2747282505");
    assert_eq!(one("SELECT count(*) FROM source.systems__web WHERE status = 404"), "213");
    assert_eq!(one("SELECT count(*) FROM system.rejects"), "1");
}
