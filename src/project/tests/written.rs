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
         k: {type: instant, formats: [minguo]}\nl: {type: integer, identifier: true}\nm: {type: float, written: [european]}"), @r#"
    pipelines/sources/erp.yml:7:35: no way to write numbers is called `europaen` [known are `english` (1,234,567.89); `european` (1.234.567,89); `french` (1 234 567,89); `swiss` (1'234'567.89); `indian` (12,34,567.89); `chinese` (￥1,234.50, 3.25万元, １２３．５０); `accounting` ((1,234.50))]
    pipelines/sources/erp.yml:8:23: `written` says nothing of a column of type text [it belongs to integer, decimal, float, date, instant]
    pipelines/sources/erp.yml:8:50: `digits` is `0` [identifiers have 1 to 100 digits]
    pipelines/sources/erp.yml:9:36: `,` cannot be both `decimal_mark` and `group_mark` [name both: `decimal_mark: ",", group_mark: "."`]
    pipelines/sources/erp.yml:10:63: `decimal_mark` is `;` [choose `.` or `,`]
    pipelines/sources/erp.yml:10:77: `percent` is `half` [choose `as_written` or `share`]
    pipelines/sources/erp.yml:10:93: `negative` has `red` [choose `parentheses` or `trailing_minus`]
    pipelines/sources/erp.yml:10:98: unknown key `full` in `written` of a number [did you mean `full_width`?]
    pipelines/sources/erp.yml:11:36: `currency` has marks of EUR and USD; which one an amount is in would be lost [name the marks of one currency; read amounts of several from a text column]
    pipelines/sources/erp.yml:12:47: `5` is no mark of a currency [write it such as `￥`, `元` or `EUR`]
    pipelines/sources/erp.yml:12:52: `` is no mark of a currency [write it such as `￥`, `元` or `EUR`]
    pipelines/sources/erp.yml:13:44: `Stück` is no unit that numbers are counted in [choose `千`, `万`, `萬`, `百万`, `百萬`, `千万`, `千萬`, `亿`, `億`, `万亿`, `萬億`, `thousand`, `million` or `billion`]
    pipelines/sources/erp.yml:14:51: `counted_in` says that no number names its unit, and `units` that some do [keep one of them; `units: []` drops those of `like`]
    pipelines/sources/erp.yml:15:32: `written` of a date is a mapping, found a single value
    pipelines/sources/erp.yml:16:33: unknown key `decimal_mark` in `written` of a date [known are `full_width`]
    pipelines/sources/erp.yml:17:36: `minguo` is not a format of instants: it tells days only [write it such as "%Y-%m-%d %H:%M:%S" or "%d.%m.%Y %H:%M"]
    pipelines/sources/erp.yml:18:26: `identifier` says nothing of a column of type integer [it belongs to text]
    pipelines/sources/erp.yml:19:33: `written` of a number is a mapping, found a list
    "#);
    insta::assert_snapshot!(table_problems(
        "files: a.csv\nformat: {csv: {header: false, header_row: 2, skip_rows: [\"(\", \"x*\"]}}\n\
         total_rows: {column: a, check: [b, c, d], otherwise: stop}\ncolumns:\n  a: {type: text}\n  b: {type: float}\n  c: {type: integer}"), @r#"
    pipelines/sources/erp.yml:5:35: `header_row` says nothing with `header: false` [leave lines above the rows out with `skip_rows`]
    pipelines/sources/erp.yml:5:62: `(` is no regular expression: regex parse error:
        (
        ^
    error: unclosed group [write it such as '^共 [0-9]+ 条']
    pipelines/sources/erp.yml:5:67: `x*` fits every row, so none would be left [write it such as '^共 [0-9]+ 条']
    pipelines/sources/erp.yml:6:5: `total_rows` needs `values` or `subtotals` [name the words that totals begin with: `values: [合计, Total]`]
    pipelines/sources/erp.yml:6:37: `check` names `b`, which is neither an integer nor a decimal [sums of others are not exact]
    pipelines/sources/erp.yml:6:43: `check` names the unknown column `d` [known are `a`, `b` and `c`]
    pipelines/sources/erp.yml:6:58: `otherwise` is `stop` [choose `warn` or `fail`]
    "#);
    insta::assert_snapshot!(table_problems(
        "files: a.xlsx\nformat: {excel: {sheet: x, header_row: 0, heder: 1}}\ntotal_rows: {values: [Total]}\ncolumns:\n  a: {type: text}"), @r#"
    pipelines/sources/erp.yml:5:44: `header_row` is `0` [rows are counted from 1]
    pipelines/sources/erp.yml:5:47: unknown key `heder` in the excel format [did you mean `header_row`?]
    pipelines/sources/erp.yml:6:5: `total_rows` needs `column`
    "#);
    insta::assert_snapshot!(table_problems(
        "files: a.parquet\nformat: parquet\ntotal_rows: {column: a, values: [Total]}\ncolumns:\n  a: {type: text}\n  b: {type: integer, written: english}"), @r#"
    pipelines/sources/erp.yml:6:5: `total_rows` are rows of files that people read (csv, excel, lines)
    pipelines/sources/erp.yml:9:26: numbers are `written` in csv, lines and excel files; columns of Parquet are plain [read the column as text, and take it apart in SQL]
    "#);
    insta::assert_snapshot!(table_problems(
        "files: a.jsonl\nformat: json_lines\ncolumns:\n  a: {type: date, written: {full_width: true}}\n  b: {type: integer, written: english}"), @r#"
    pipelines/sources/erp.yml:8:26: numbers are `written` in csv, lines and excel files; fields of JSON are plain [read the column as text, and take it apart in SQL]
    "#);
}
