//! Formats of known systems in a contract, and paths of JSON.

use super::*;

fn table(lines: &str) -> perennial_core::contract::SourceTable {
    let indented: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    let source = format!("location: data\ntables:\n  calls:\n{indented}");
    let project = load(&[("perennial.yml", PROJECT), ("pipelines/sources/calls.yml", &source)]);
    project.unwrap_or_else(|problems| panic!("{}", render_all(&problems, false))).sources.remove(0).tables.remove(0)
}

fn zone_of(table: &perennial_core::contract::SourceTable, name: &str) -> String {
    match &table.columns.iter().find(|column| column.name == name).unwrap().data_type {
        ValueType::Instant { zone, .. } => zone.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_named_format_brings_its_contract() {
    let calls = table("files: queue_log\nformat: asterisk_queue_log");
    assert_eq!(calls.format(), Some(&Format::Named("asterisk_queue_log".into())));
    assert_eq!((calls.key.len(), calls.time_column.as_deref()), (0, Some("occurred_at")));
    let names: Vec<&str> = calls.columns.iter().map(|column| column.name.as_str()).take(3).collect();
    assert_eq!(names, ["occurred_at", "call_id", "queue"]);
    let caller = calls.columns.iter().find(|column| column.name == "caller_number").unwrap();
    assert!(caller.personal);
    let tickets = table("files: \"*.json\"\nformat: help_desk_tickets");
    assert_eq!((tickets.key, tickets.newest_by.as_deref()), (vec!["ticket_id".to_string()], Some("updated_at")));
}

#[test]
fn columns_of_a_table_replace_add_to_and_omit_those_of_its_format() {
    let lines = "files: queue_log\nformat: asterisk_queue_log\ntime_column: at\nkey: [call_id, event]\ncolumns:\n  \
                 at: {type: instant, from: time, formats: [\"%s\"]}\n  queue: {type: enumeration, values: [sales]}\n  \
                 data1: omit\n  data2: omit";
    let calls = table(lines);
    let names: Vec<&str> = calls.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names[..3], ["occurred_at", "call_id", "queue"]);
    assert_eq!(names.last(), Some(&"at"));
    assert!(!names.contains(&"data1") && names.contains(&"data3"));
    assert_eq!(calls.columns[2].data_type, ValueType::Enumeration(vec!["sales".into()]));
    assert_eq!((calls.key.join(" "), calls.time_column.as_deref()), ("call_id event".to_string(), Some("at")));
    // What hangs on the key goes with it.
    let tickets = table("files: \"*.json\"\nformat: help_desk_tickets\nkey: []");
    assert_eq!((tickets.key.len(), tickets.newest_by), (0, None));
    let tickets = table("files: \"*.json\"\nformat: help_desk_tickets\ncolumns: {created_at: omit}");
    assert_eq!(tickets.time_column, None);
}

#[test]
fn the_zone_of_a_table_is_that_of_its_instants() {
    let calls = table("files: Master.csv\nformat: asterisk_cdr\nzone: Asia/Shanghai");
    assert_eq!(zone_of(&calls, "answered_at"), "Asia/Shanghai");
    // Without one, the project's; a zone of the format's own stays.
    assert_eq!(zone_of(&table("files: Master.csv\nformat: asterisk_cdr"), "answered_at"), "Europe/Berlin");
    let log = table("files: u_ex.log\nformat: w3c_extended\nzone: Asia/Shanghai");
    assert_eq!(zone_of(&log, "requested_at"), "UTC");
    let plain = table(
        "files: a.csv\nformat: csv\nzone: Asia/Shanghai\ncolumns:\n  a: {type: instant}\n  b: {type: instant, zone: UTC}",
    );
    assert_eq!((zone_of(&plain, "a"), zone_of(&plain, "b")), ("Asia/Shanghai".to_string(), "UTC".to_string()));
}

#[test]
fn mistakes_about_formats_are_reported() {
    let cases = [
        (
            "files: a\nformat: asterisk_queue_log\ncolumns:\n  x: {type: text, from: agnet}",
            "has no field `agnet` [did you mean `agent`?]",
        ),
        (
            "files: a\nformat: asterisk_queue_log\ncolumns:\n  agnt: omit",
            "`agnt` is not a column of the format [did you mean `agent`?]",
        ),
        ("files: a\nformat: snowplow\ncolumns: {event_id: omit}", "`event_id` is part of the format's key and omitted"),
        ("files: a\nformat: asterisk_cdr\nzone: Mars/Base", "Mars/Base"),
        ("files: a\nformat: asterisk_cdr\nkey: [nobody]", "`key` names the unknown column `nobody`"),
        ("files: a\nformat: csv\ncolumns:\n  x: omit", "a column must be a mapping, found a single value"),
        (
            "files: a\nformat: {json: {rows: lines}}\ncolumns: {x: {type: text}}",
            "does not end with the elements of a list",
        ),
        (
            "files: a\nformat: {json: {rows: \"a[]\"}}\ncolumns:\n  x: {type: text, from: \"b[].c\"}",
            "whose elements are not rows",
        ),
        ("files: a\nformat: {lines: {pattern: \"(x\"}}\ncolumns: {x: {type: text}}", "is not a regular expression"),
        ("files: a\nformat: {lines: {pattern: x}}\ncolumns: {x: {type: text}}", "has no named group"),
        (
            "files: a\nformat: combined\ncolumns: {x: {type: text}}",
            "unknown format `combined` [did you mean `combined_log`?]",
        ),
    ];
    for (lines, expected) in cases {
        let found = table_problems(lines);
        assert!(found.contains(expected), "{lines}\ngave\n{found}");
    }
}
