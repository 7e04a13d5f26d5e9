//! How people write values: number locales, total rows, identifiers, skipped rows.

use super::*;
use perennial_core::contract::{Grouping, NumberLocale, Percent, ValueLocale};

#[test]
fn locales_are_named_or_described() {
    let source = "\
location: data
tables:
  orders:
    files: orders.csv
    format: {csv: {header_row: 3, skip_rows: [\"^共 [0-9]+ 条\", '^--']}}
    total_rows: {column: customer, values: [合计, Total], subtotals: 小计, check: amount, on_violation: fail}
    columns:
      customer: {type: text, identifier: true, digits: 13}
      amount: {type: decimal, locale: chinese}
      price: {type: decimal, locale: {like: european, currency: [€, EUR], negative: [trailing_minus, parentheses]}}
      share: {type: float, locale: {percent: share, decimal_mark: \",\"}}
      quantity: {type: integer, locale: {group_mark: \" \", counted_in: 万, grouping: indian}}
      day: {type: date, formats: [minguo, excel_days], locale: {full_width: true}}
";
    let project = load(&[("perennial.yml", PROJECT), ("pipelines/sources/erp.yml", source)]).unwrap();
    let table = &project.sources[0].tables[0];
    let style = |column: usize| match &table.columns[column].locale {
        ValueLocale::Numbers(style) => (**style).clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((table.columns[0].identifier, table.columns[0].digits), (Some(true), Some(13)));
    assert_eq!(style(1), NumberLocale::named("chinese").unwrap());
    let european = NumberLocale::named("european").unwrap();
    let currency = vec!["€".to_string(), "EUR".to_string()];
    assert_eq!(style(2), NumberLocale { currency, trailing_minus: true, parentheses: true, ..european });
    assert_eq!(style(3), NumberLocale { percent: Some(Percent::Share), decimal_mark: ',', ..NumberLocale::plain() });
    let counted =
        NumberLocale { group_mark: Some(' '), counted_in: 4, grouping: Grouping::Indian, ..NumberLocale::plain() };
    assert_eq!(style(4), counted);
    assert_eq!(table.columns[5].locale, ValueLocale::FullWidth);
    let totals = table.total_rows.as_ref().unwrap();
    assert_eq!(
        (totals.column.as_str(), &totals.subtotals[..], totals.fail),
        ("customer", &["小计".to_string()][..], true)
    );
    let Some(Format::Csv(csv)) = table.format() else { panic!() };
    assert_eq!((csv.header_row, csv.skip_rows.len()), (Some(3), 2));
}

#[test]
fn a_locale_must_make_sense() {
    insta::assert_snapshot!(column_problems(
        "a: {type: decimal, locale: europaen}\nb: {type: text, locale: european, digits: 0}\n\
         c: {type: decimal, locale: {decimal_mark: \",\", group_mark: \",\"}}\n\
         d: {type: decimal, locale: {like: swiss, decimal_mark: \";\", percent: half, negative: red, full: true}}\n\
         e: {type: decimal, locale: {currency: [EUR, $, US$]}}\nf: {type: decimal, locale: {currency: [\"5\", \"\"]}}\n\
         g: {type: integer, locale: {units: [Stück], counted_in: 万}}\nh: {type: integer, locale: {like: chinese, counted_in: 万}}\n\
         i: {type: date, locale: european}\nj: {type: date, locale: {decimal_mark: \",\"}}\n\
         k: {type: instant, formats: [minguo]}\nl: {type: integer, identifier: true}\nm: {type: float, locale: [european]}"), @r#"
    pipelines/sources/erp.yml:7:34: unknown locale `europaen` [expected one of `english` (1,234,567.89); `european` (1.234.567,89); `french` (1 234 567,89); `swiss` (1'234'567.89); `indian` (12,34,567.89); `chinese` (￥1,234.50, 3.25万元, １２３．５０); `accounting` ((1,234.50))]
    pipelines/sources/erp.yml:8:23: `locale` does not apply to columns of type text [it is for columns of type integer, decimal, float, date, instant]
    pipelines/sources/erp.yml:8:49: `digits` is `0` [identifiers have 1 to 100 digits]
    pipelines/sources/erp.yml:9:35: `,` cannot be both `decimal_mark` and `group_mark` [set both: `decimal_mark: ",", group_mark: "."`]
    pipelines/sources/erp.yml:10:62: `decimal_mark` is `;` [expected one of `.`, `,`]
    pipelines/sources/erp.yml:10:76: `percent` is `half` [expected one of `as_written`, `share`]
    pipelines/sources/erp.yml:10:92: `negative` has `red` [expected one of `parentheses`, `trailing_minus`]
    pipelines/sources/erp.yml:10:97: unknown key `full` in `locale` of a number [did you mean `full_width`?]
    pipelines/sources/erp.yml:11:35: `currency` has symbols of both EUR and USD, and amounts would lose their currency [list the symbols of one currency; read amounts in several currencies as text]
    pipelines/sources/erp.yml:12:46: `5` is not a currency symbol [write it such as `￥`, `元` or `EUR`]
    pipelines/sources/erp.yml:12:51: `` is not a currency symbol [write it such as `￥`, `元` or `EUR`]
    pipelines/sources/erp.yml:13:43: unknown unit `Stück` [expected one of `千`, `万`, `萬`, `百万`, `百萬`, `千万`, `千萬`, `亿`, `億`, `万亿`, `萬億`, `thousand`, `million`, `billion`]
    pipelines/sources/erp.yml:14:50: `counted_in` is for numbers without units, and `units` for numbers with units [remove one of the two; `units: []` removes those of `like`]
    pipelines/sources/erp.yml:15:31: `locale` of a date must be a mapping, found a single value
    pipelines/sources/erp.yml:16:32: unknown key `decimal_mark` in `locale` of a date [expected `full_width`]
    pipelines/sources/erp.yml:17:36: `minguo` is not a format of instants: it has no time of day [write it such as "%Y-%m-%d %H:%M:%S" or "%d.%m.%Y %H:%M"]
    pipelines/sources/erp.yml:18:26: `identifier` does not apply to columns of type integer [it is for columns of type text]
    pipelines/sources/erp.yml:19:32: `locale` of a number must be a mapping, found a list
    "#);
    insta::assert_snapshot!(table_problems(
        "files: a.csv\nformat: {csv: {header: false, header_row: 2, skip_rows: [\"(\", \"x*\"]}}\n\
         total_rows: {column: a, check: [b, c, d], on_violation: stop}\ncolumns:\n  a: {type: text}\n  b: {type: float}\n  c: {type: integer}"), @r#"
    pipelines/sources/erp.yml:5:35: `header_row` has no effect with `header: false` [skip lines above the rows with `skip_rows`]
    pipelines/sources/erp.yml:5:62: `(` is not a regular expression: regex parse error:
        (
        ^
    error: unclosed group [write it such as '^共 [0-9]+ 条']
    pipelines/sources/erp.yml:5:67: `x*` matches every row, so none would be left [write it such as '^共 [0-9]+ 条']
    pipelines/sources/erp.yml:6:5: `total_rows` needs `values` or `subtotals` [list the labels of totals: `values: [合计, Total]`]
    pipelines/sources/erp.yml:6:37: `check` names `b`, which is neither an integer nor a decimal [sums of other types are not exact]
    pipelines/sources/erp.yml:6:43: `check` names the unknown column `d` [expected one of `a`, `b`, `c`]
    pipelines/sources/erp.yml:6:61: `on_violation` is `stop` [expected one of `warn`, `fail`]
    "#);
    insta::assert_snapshot!(table_problems(
        "files: a.xlsx\nformat: {excel: {sheet: x, header_row: 0, heder: 1}}\ntotal_rows: {values: [Total]}\ncolumns:\n  a: {type: text}"), @r#"
    pipelines/sources/erp.yml:5:44: `header_row` is `0` [rows are counted from 1]
    pipelines/sources/erp.yml:5:47: unknown key `heder` in the excel format [did you mean `header_row`?]
    pipelines/sources/erp.yml:6:5: `total_rows` needs `column`
    "#);
    insta::assert_snapshot!(table_problems(
        "files: a.parquet\nformat: parquet\ntotal_rows: {column: a, values: [Total]}\ncolumns:\n  a: {type: text}\n  b: {type: integer, locale: english}"), @r#"
    pipelines/sources/erp.yml:6:5: `total_rows` is only for files (csv, excel, lines)
    pipelines/sources/erp.yml:9:26: the `locale` of numbers is for csv, lines and excel files; columns of Parquet are plain numbers [if the column contains text, read it as text and convert it in SQL]
    "#);
    insta::assert_snapshot!(table_problems(
        "files: a.jsonl\nformat: json_lines\ncolumns:\n  a: {type: date, locale: {full_width: true}}\n  b: {type: integer, locale: english}"), @r#"
    pipelines/sources/erp.yml:8:26: the `locale` of numbers is for csv, lines and excel files; fields of JSON are plain numbers [if the column contains text, read it as text and convert it in SQL]
    "#);
}
