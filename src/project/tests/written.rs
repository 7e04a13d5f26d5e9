//! How people write values: styles of numbers, total rows, identifiers, rows that are none.

use super::*;
use crate::contract::{Grouping, NumberStyle, Percent, Written};

#[test]
fn ways_to_write_numbers_are_named_or_described() {
    let source = "\
location: data
tables:
  orders:
    files: orders.csv
    format: {csv: {header_row: 3, skip_rows: [\"^共 [0-9]+ 条\", '^--']}}
    total_rows: {column: customer, values: [合计, Total], subtotals: 小计, check: amount, otherwise: fail}
    columns:
      customer: {type: text, identifier: true, digits: 13}
      amount: {type: decimal, written: chinese}
      price: {type: decimal, written: {like: european, currency: [€, EUR], negative: [trailing_minus, parentheses]}}
      share: {type: float, written: {percent: share, decimal_mark: \",\"}}
      quantity: {type: integer, written: {group_mark: \" \", counted_in: 万, grouping: indian}}
      day: {type: date, formats: [minguo, excel_days], written: {full_width: true}}
";
    let project = load(&[("perennial.yml", PROJECT), ("pipelines/sources/erp.yml", source)]).unwrap();
    let table = &project.sources[0].tables[0];
    let style = |column: usize| match &table.columns[column].written {
        Written::Numbers(style) => (**style).clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((table.columns[0].identifier, table.columns[0].digits), (true, Some(13)));
    assert_eq!(style(1), NumberStyle::named("chinese").unwrap());
    let european = NumberStyle::named("european").unwrap();
    let currency = vec!["€".to_string(), "EUR".to_string()];
    assert_eq!(style(2), NumberStyle { currency, trailing_minus: true, parentheses: true, ..european });
    assert_eq!(style(3), NumberStyle { percent: Some(Percent::Share), decimal_mark: ',', ..NumberStyle::plain() });
    let counted =
        NumberStyle { group_mark: Some(' '), counted_in: 4, grouping: Grouping::Indian, ..NumberStyle::plain() };
    assert_eq!(style(4), counted);
    assert_eq!(table.columns[5].written, Written::FullWidth);
    let totals = table.total_rows.as_ref().unwrap();
    assert_eq!(
        (totals.column.as_str(), &totals.subtotals[..], totals.fail),
        ("customer", &["小计".to_string()][..], true)
    );
    let Some(Format::Csv(csv)) = table.format() else { panic!() };
    assert_eq!((csv.header_row, csv.skip_rows.len()), (Some(3), 2));
}

#[test]
fn a_way_to_write_numbers_must_make_sense() {
    insta::assert_snapshot!(column_problems(
        "a: {type: decimal, written: europaen}\nb: {type: text, written: european, digits: 0}\n\
         c: {type: decimal, written: {decimal_mark: \",\", group_mark: \",\"}}\n\
         d: {type: decimal, written: {like: swiss, decimal_mark: \";\", percent: half, negative: red, full: true}}\n\
         e: {type: decimal, written: {currency: [EUR, $, US$]}}\nf: {type: decimal, written: {currency: [\"5\", \"\"]}}\n\
         g: {type: integer, written: {units: [Stück], counted_in: 万}}\nh: {type: integer, written: {like: chinese, counted_in: 万}}\n\
         i: {type: date, written: european}\nj: {type: date, written: {decimal_mark: \",\"}}\n\
         k: {type: instant, formats: [minguo]}\nl: {type: integer, identifier: true}\nm: {type: float, written: [european]}"), @"");
    insta::assert_snapshot!(table_problems(
        "files: a.csv\nformat: {csv: {header: false, header_row: 2, skip_rows: [\"(\", \"x*\"]}}\n\
         total_rows: {column: a, check: [b, c, d], otherwise: stop}\ncolumns:\n  a: {type: text}\n  b: {type: float}\n  c: {type: integer}"), @"");
    insta::assert_snapshot!(table_problems(
        "files: a.xlsx\nformat: {excel: {sheet: x, header_row: 0, heder: 1}}\ntotal_rows: {values: [Total]}\ncolumns:\n  a: {type: text}"), @"");
    insta::assert_snapshot!(table_problems(
        "files: a.parquet\nformat: parquet\ntotal_rows: {column: a, values: [Total]}\ncolumns:\n  a: {type: text}\n  b: {type: integer, written: english}"), @"");
    insta::assert_snapshot!(table_problems(
        "files: a.jsonl\nformat: json_lines\ncolumns:\n  a: {type: date, written: {full_width: true}}\n  b: {type: integer, written: english}"), @"");
}
