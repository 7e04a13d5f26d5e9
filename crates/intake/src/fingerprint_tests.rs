//! The encoding of contracts, written by hand: a change of it would make every installation read all its files again.

use super::fingerprint::{contract_fingerprint, encoded};
use super::testing::{csv, files};
use perennial_core::contract::{
    BadRowPolicy, ColumnPolicy, CsvOptions, ExcelOptions, Extraction, Format, Grouping, Load, NumberLocale, Overlap,
    Pages, Paging, Percent, Relation, RelationRows, SinceFormat, SourceTable, TextEncoding, TotalRows, ValueLocale,
    ValueType,
};
use perennial_testing::{column, source_table};

fn table() -> SourceTable {
    SourceTable { extraction: files("*.csv", csv(true)), ..source_table(vec![column("id", ValueType::Integer)]) }
}

/// The lines of a table's encoding between those that begin with `from` (inclusive) and `to` (exclusive).
fn lines(table: &SourceTable, from: &str, to: &str) -> String {
    let all = encoded(table);
    let lines = all.iter().skip_while(|line| !line.starts_with(from)).take_while(|line| !line.starts_with(to));
    lines.map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_contract_is_encoded_line_by_line() {
    let expected = [
        "encoding=1",
        "reader=3",
        "extraction=files",
        "pattern=*.csv",
        "format=csv",
        "delimiter=44",
        "collapse=false",
        "quote=34",
        "header=true",
        "header_row?",
        "skip_rows#=0",
        "encoding=utf-8",
        "load=by_file",
        "key#=0",
        "time_column?",
        "on_new_column=accept",
        "on_missing_column=fail",
        "on_bad_row=reject",
        "total_rows=false",
        "columns#=1",
        "column=id",
        "from=id",
        "type=integer",
        "required=false",
        "min?",
        "max?",
        "null_values#=0",
        "locale=plain",
        "identifier?",
        "digits?",
    ];
    assert_eq!(encoded(&table()), expected);
    // BLAKE3 of these texts, each after its length in eight bytes, by the `blake3` package of Python.
    assert_eq!(contract_fingerprint(&table()), "14b5fb01daf978a60be55aa19c99eb5b10603ad2249654f07325de9a7ae66195");
}

#[test]
fn every_extraction_and_format_has_its_encoding() {
    let of = |extraction: Extraction| lines(&SourceTable { extraction, ..table() }, "extraction", "load");
    let of_format =
        |format: Format| lines(&SourceTable { extraction: files("*", format), ..table() }, "format", "load");
    let csv = CsvOptions {
        delimiter: b'\t',
        collapse: true,
        quote: None,
        header: false,
        header_row: Some(3),
        skip_rows: vec!["^a".into(), "^b".into()],
        encoding: TextEncoding::Gb18030,
    };
    assert_eq!(
        of_format(Format::Csv(csv)),
        "format=csv delimiter=9 collapse=true quote? header=false header_row=3 skip_rows#=2 skip_rows=^a skip_rows=^b \
         encoding=gb18030"
    );
    assert_eq!(of_format(Format::JsonLines), "format=json_lines");
    assert_eq!(of_format(Format::Json { rows: "a[]".into() }), "format=json rows=a[]");
    let lines_of_text = Format::Lines { pattern: "(?<a>.)".into(), encoding: TextEncoding::Big5 };
    assert_eq!(of_format(lines_of_text), "format=lines line=(?<a>.) encoding=big5");
    assert_eq!(of_format(Format::Parquet), "format=parquet");
    let excel = ExcelOptions { sheet: Some("s".into()), header_row: None, skip_rows: vec![] };
    assert_eq!(of_format(Format::Excel(excel)), "format=excel sheet=s header_row? skip_rows#=0");
    assert_eq!(of_format(Format::Named("snowplow".into())), "format=named name=snowplow");

    let relation = |rows| Extraction::Relation(Relation { rows, filter: None });
    assert_eq!(of(relation(RelationRows::Table("t".into()))), "extraction=relation table=t where?");
    assert_eq!(of(relation(RelationRows::Query("SELECT 1".into()))), "extraction=relation query=SELECT 1 where?");
    let filtered = Relation { rows: RelationRows::Table("t".into()), filter: Some("a > 1".into()) };
    assert_eq!(of(Extraction::Relation(filtered)), "extraction=relation table=t where=a > 1");
}

#[test]
fn every_paging_has_its_encoding() {
    let of = |paging: Paging, since_format: SinceFormat| {
        let pages = Pages {
            path: "/a".into(),
            rows: Some("r".into()),
            paging,
            since_parameter: None,
            since_format,
            max_requests_per_second: Some(9),
        };
        lines(&SourceTable { extraction: Extraction::Pages(pages), ..table() }, "paging", "load")
    };
    assert_eq!(of(Paging::None, SinceFormat::AsIs), "paging=none since_parameter? since_format=as_is");
    let page = Paging::Page { parameter: "p".into(), first: 0 };
    assert_eq!(
        of(page, SinceFormat::EpochSeconds),
        "paging=page parameter=p first=0 since_parameter? since_format=epoch_seconds"
    );
    let offset = Paging::Offset { parameter: "o".into(), limit_parameter: "l".into(), limit: 5 };
    assert_eq!(
        of(offset, SinceFormat::EpochMilliseconds),
        "paging=offset parameter=o limit_parameter=l limit=5 since_parameter? since_format=epoch_milliseconds"
    );
    let cursor =
        Paging::Cursor { parameter: "c".into(), token: "t".into(), end: None, more: Some("m".into()), resume: true };
    assert_eq!(
        of(cursor, SinceFormat::Date),
        "paging=cursor parameter=c token=t end? more=m resume=true since_parameter? since_format=date"
    );
    let link = Paging::Link { field: Some("next".into()) };
    assert_eq!(of(link, SinceFormat::Rfc3339), "paging=link field=next since_parameter? since_format=rfc3339");
}

#[test]
fn every_load_and_policy_has_its_encoding() {
    let of = |load: Load| lines(&SourceTable { load, ..table() }, "load", "key");
    assert_eq!(of(Load::ByFile), "load=by_file");
    assert_eq!(of(Load::Snapshot), "load=snapshot");
    let cursor = vec!["a".to_string(), "b".to_string()];
    let incremental = Load::Incremental { cursor, overlap: Overlap::Seconds(9), full_every_days: Some(7) };
    assert_eq!(of(incremental), "load=incremental cursor#=2 cursor=a cursor=b");
    assert_eq!(of(Load::Append { cursor: None, late_window: Overlap::Count(1) }), "load=append cursor?");
    let table = SourceTable {
        key: vec!["id".into()],
        time_column: Some("at".into()),
        on_new_column: ColumnPolicy::Ignore,
        on_missing_column: ColumnPolicy::Accept,
        on_bad_row: BadRowPolicy::Fail,
        total_rows: Some(TotalRows {
            column: "id".into(),
            values: vec!["Total".into()],
            subtotals: vec![],
            check: vec!["n".into()],
            fail: true,
        }),
        ..table()
    };
    assert_eq!(
        lines(&table, "key", "columns"),
        "key#=1 key=id time_column=at on_new_column=ignore on_missing_column=accept on_bad_row=fail total_rows=true \
         column=id values#=1 values=Total subtotals#=0 check#=1 check=n fail=true"
    );
}

#[test]
fn every_type_and_locale_has_its_encoding() {
    let of = |data_type: ValueType, locale: ValueLocale| {
        let mut column = column("c", data_type);
        column.locale = locale;
        (column.min, column.max, column.digits, column.identifier) = (Some("1".into()), None, Some(4), Some(false));
        column.null_values = vec!["-".into()];
        lines(&SourceTable { columns: vec![column], ..table() }, "type", "end")
    };
    let rest = "required=false min=1 max? null_values#=1 null_values=- locale=plain identifier=false digits=4";
    let plain = |data_type: ValueType| of(data_type, ValueLocale::Plain).replace(rest, "...");
    assert_eq!(plain(ValueType::Text), "type=text ...");
    assert_eq!(plain(ValueType::Decimal { precision: 5, scale: -1 }), "type=decimal precision=5 scale=-1 ...");
    assert_eq!(plain(ValueType::Float), "type=float ...");
    assert_eq!(plain(ValueType::Boolean), "type=boolean ...");
    assert_eq!(plain(ValueType::Date { formats: vec!["%F".into()] }), "type=date formats#=1 formats=%F ...");
    let instant = ValueType::Instant { formats: vec![], zone: "UTC".into() };
    assert_eq!(plain(instant), "type=instant formats#=0 zone=UTC ...");
    let enumeration = ValueType::Enumeration(vec!["a".into(), "b".into()]);
    assert_eq!(plain(enumeration), "type=enumeration values#=2 values=a values=b ...");

    assert!(of(ValueType::Text, ValueLocale::FullWidth).contains(" locale=full_width "));
    let locale = NumberLocale {
        decimal_mark: ',',
        group_mark: Some('.'),
        grouping: Grouping::Indian,
        currency: vec!["€".into()],
        units: vec![("万".into(), 4)],
        counted_in: 3,
        parentheses: true,
        trailing_minus: true,
        percent: Some(Percent::Share),
        full_width: true,
    };
    let expected = "locale=numbers decimal_mark=, group_mark=. grouping=indian currency#=1 currency=€ units#=1 unit=万 \
                    power=4 counted_in=3 parentheses=true trailing_minus=true percent=share full_width=true";
    let found = of(ValueType::Integer, ValueLocale::Numbers(Box::new(locale)));
    assert!(found.contains(expected), "{found}");
    let percent = NumberLocale { percent: Some(Percent::AsWritten), ..NumberLocale::plain() };
    let expected = "locale=numbers decimal_mark=. group_mark? grouping=thousands currency#=0 units#=0 counted_in=0 \
                    parentheses=false trailing_minus=false percent=as_written full_width=false";
    let found = of(ValueType::Integer, ValueLocale::Numbers(Box::new(percent)));
    assert!(found.contains(expected), "{found}");
}

#[test]
fn what_does_not_decide_rows_is_not_encoded() {
    let mut other = table();
    other.name = "x".into();
    other.description = "x".into();
    (other.optional, other.history) = (true, true);
    other.newest_by = Some("id".into());
    other.on_changed_type = ColumnPolicy::Fail;
    other.max_rejects.rows = Some(1);
    other.expectations.fail = true;
    other.columns[0].personal = true;
    other.columns[0].description = "x".into();
    assert_eq!(encoded(&other), encoded(&table()));
}
