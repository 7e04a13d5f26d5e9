//! Whole files as people and their spreadsheets write them.

use super::testing::*;
use perennial_core::contract::{
    Column, CsvOptions, ExcelOptions, Format, NumberLocale, TextEncoding, TotalRows, ValueLocale, ValueType,
};
use perennial_testing::python;

fn numbers(name: &str, data_type: ValueType, style: NumberLocale) -> Column {
    Column { locale: ValueLocale::Numbers(Box::new(style)), ..column(name, data_type) }
}

fn named(name: &str) -> NumberLocale {
    NumberLocale::named(name).unwrap()
}

fn csv_options() -> CsvOptions {
    CsvOptions {
        delimiter: b',',
        collapse: false,
        quote: Some(b'"'),
        header: true,
        header_row: None,
        skip_rows: vec![],
        encoding: TextEncoding::Utf8,
    }
}

fn excel(options: ExcelOptions) -> Format {
    Format::Excel(options)
}

/// Has Python write a workbook: `lines` work on `book` and its first sheet `sheet`.
fn workbook(world: &World, name: &str, lines: &str) {
    let path = world.path(name);
    let script = format!(
        "import datetime, sys, openpyxl\nfrom datetime import date, datetime as moment, time, timedelta\n\
         book = openpyxl.Workbook()\nsheet = book.active\n{lines}\nbook.save(sys.argv[1])\n"
    );
    run(&script, &path);
}

fn run(script: &str, path: &std::path::Path) {
    let output = python().args(["-c", script]).arg(path).output().expect("python is needed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python with openpyxl is needed (scripts/test installs it): {said}");
}

fn totals() -> TotalRows {
    TotalRows {
        column: "customer".into(),
        values: vec!["合计".into(), "Total".into()],
        subtotals: vec!["小计".into()],
        check: vec!["amount".into(), "n".into()],
        fail: false,
    }
}

fn sales() -> World {
    let columns = vec![
        column("customer", ValueType::Text),
        numbers("amount", money(), named("english")),
        column("n", ValueType::Integer),
    ];
    let mut world = World::new(columns);
    world.table.total_rows = Some(totals());
    world
}

#[test]
fn a_gb18030_export_of_an_erp_is_read_to_the_last_cent() {
    let mut day = column("day", day("%Y年%m月%d日"));
    day.locale = ValueLocale::FullWidth;
    let from = |name: &str, column: Column| Column { from: name.into(), ..column };
    let mut world = World::new(vec![
        from("客户", column("customer", ValueType::Text)),
        from("金额", numbers("amount", money(), named("chinese"))),
        from("数量", numbers("n", ValueType::Integer, named("chinese"))),
        from("日期", day),
    ]);
    let options = CsvOptions {
        encoding: TextEncoding::Gb18030,
        header_row: Some(3),
        skip_rows: vec!["^共 [0-9]+ 条".into()],
        ..csv_options()
    };
    world.table.extraction = files("*", Format::Csv(options));
    world.table.total_rows = Some(totals());
    let text = "\"销售明细\"表\"\n打印日期：２０２６年\n客户,金额,数量,日期\n王芳,\"￥1,234.50\",１２,２０２６年１１月２２日\n\
                李雷,3.25万元,1,2026年11月21日\n赵敏,1.2345678万,2,2026年11月20日\n合　计：,\"33,734.50\",15,\n共 3 条记录\n";
    let (bytes, _, _) = encoding_rs::GB18030.encode(text);
    world.write("a.csv", &*bytes);
    let loaded = world.load().unwrap();
    assert_eq!(
        world.rows(&["customer", "amount", "n", "day", "_line"]),
        ["李雷|32500.00|1|2026-11-21|5", "王芳|1234.50|12|2026-11-22|4"]
    );
    assert_eq!(world.rejects(), [("a.csv".into(), 6, "amount".into(), "1.2345678万".into())]);
    assert!(world.reasons()[0].contains("never rounded"), "{:?}", world.reasons());
    // 12 + 1 + 2 are 15; of the amounts one cannot be read, and the total does not count it either.
    assert_eq!(loaded.notes, Vec::<String>::new());
}

#[test]
fn another_encoding_is_told_from_the_header() {
    let from = |name: &str, column: Column| Column { from: name.into(), ..column };
    let mut world =
        World::new(vec![from("id", column("id", ValueType::Text)), from("金額", column("amount", money()))]);
    world.table.extraction = files("*", Format::Csv(CsvOptions { encoding: TextEncoding::Gb18030, ..csv_options() }));
    let (bytes, _, _) = encoding_rs::BIG5.encode("id,金額\n1,2\n");
    world.write("a.csv", &*bytes);
    let error = data_error(world.load());
    assert!(error.message().contains("lacks `金額`, a column of the contract"), "{error}");
    assert!(error.hint_text().unwrap().contains("write `encoding: big5`"), "{error}");
    // The same below a title.
    let options = CsvOptions { encoding: TextEncoding::Gb18030, header_row: Some(2), ..csv_options() };
    world.table.extraction = files("*", Format::Csv(options.clone()));
    let (bytes, _, _) = encoding_rs::BIG5.encode("銷售\nid,金額\n1,2\n");
    world.write("a.csv", &*bytes);
    assert!(data_error(world.load()).hint_text().unwrap().contains("write `encoding: big5`"));
    world.table.extraction = files("*", Format::Csv(CsvOptions { encoding: TextEncoding::Big5, ..options }));
    world.load().unwrap();
    assert_eq!(world.rows(&["id", "amount", "_line"]), ["1|2.00|3"]);
}

#[test]
fn a_header_may_stand_below_other_lines() {
    let mut world = World::new(two());
    world.write("a.csv", "Sales\n\nid,amount\n1,2\n");
    let error = data_error(world.load());
    assert!(error.hint_text().unwrap().contains("line 3 has them; write `header_row: 3`"), "{error}");
    world.table.extraction = files("*", Format::Csv(CsvOptions { header_row: Some(3), ..csv_options() }));
    world.load().unwrap();
    assert_eq!(world.rows(&["id", "_line"]), ["1|4"]);
    world.table.extraction = files("*", Format::Csv(CsvOptions { header_row: Some(9), ..csv_options() }));
    let error = data_error(world.load());
    assert!(error.message().contains("its header is expected in line 9"), "{error}");
    // Or by what is left out, wherever it stands.
    let skip_rows = vec!["^Sales$".to_string(), "^--".to_string()];
    world.table.extraction = files("*", Format::Csv(CsvOptions { skip_rows, ..csv_options() }));
    world.write("a.csv", "Sales\r\nid,amount\r\n--\r\n1,2\r\n-- end --,,,\r\n");
    world.load().unwrap();
    assert_eq!((world.rows(&["id", "_line"]), world.rejects()), (vec!["1|4".to_string()], vec![]));
}

#[test]
fn total_rows_are_not_loaded_but_compared_with_the_rows() {
    let mut world = sales();
    world.write("a.csv", "customer,amount,n\na,1.00,1\nb,\"1,000.50\",2\n小 计,\"1,001.50\",3\nc,2.00,\n小计,2.00,\nTotal:,\"1,003.50\",3\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects, loaded.notes), (3, 0, vec![]));
    assert_eq!(world.rows(&["customer"]), ["a", "b", "c"]);

    world.write("a.csv", "customer,amount,n\na,1.00,1\nb,x,2\nc,1\n小计,5.00,4\nTotal,5.00,y\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (1, 2));
    assert_eq!(
        loaded.notes[..4],
        [
            "`a.csv` line 5: the subtotal row has 5.00 in `amount`, but the rows above add up to 1.00, without 2 rejected rows whose amount cannot be read",
            "`a.csv` line 5: the subtotal row has 4 in `n`, but the rows above add up to 3, without 1 rejected row whose amount cannot be read",
            "`a.csv` line 6: the total row has 5.00 in `amount`, but the rows above add up to 1.00, without 2 rejected rows whose amount cannot be read",
            "`a.csv` line 6: the total row has no readable amount in `n`, but the rows above add up to 3, without 1 rejected row whose amount cannot be read",
        ]
    );

    // A file that was cut short has no total.
    world.write("a.csv", "customer,amount,n\na,1.00,1\n");
    assert_eq!(world.load().unwrap().notes[0], "`a.csv` has no total row (合计, Total)");
    world.write("a.csv", "customer,amount,n\n");
    assert_eq!(world.load().unwrap().notes.len(), 1);
    world.table.total_rows = Some(TotalRows { fail: true, ..totals() });
    world.write("a.csv", "customer,amount,n\na,1.00,1\nTotal,2.00,1\n");
    let error = data_error(world.load());
    assert!(error.message().contains("has 2.00 in `amount`, but the rows above add up to 1.00"), "{error}");
}

#[test]
fn totals_add_up_over_many_batches() {
    let mut world = sales();
    let rows: String = (0..40_000).map(|i| format!("c{i},0.05,{i}\n")).collect();
    // The sum of 0 to 39,999, and 40,000 times 5 cents.
    world.write("a.csv", format!("customer,amount,n\n{rows}合计,\"2,000.00\",799980000\n"));
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.notes), (40_000, vec![]));
}

#[test]
fn dates_that_look_swapped_are_rejected_with_that_reason_or_reported() {
    let mut world = World::new(vec![column("id", ValueType::Text), column("day", day("%d/%m/%Y"))]);
    // The load is of 2 January 2026.
    world.write("a.csv", "id,day\n1,25/03/2025\n2,03/25/2025\n3,03/12/2026\n4,12/03/2025\n5,99/99/2025\n");
    world.write("b.csv", "id,day\n1,03/26/2025\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (3, 3));
    assert!(world.reasons()[0].ends_with("it would be valid with day and month swapped"), "{:?}", world.reasons());
    assert!(!world.reasons()[1].contains("swapped"), "{:?}", world.reasons());
    // 3 December 2026 is in the future, and so is 12 March 2026.
    let warning = "`day`: 2 values look as if day and month were swapped, such as `03/25/2025` in `a.csv` line 3";
    assert_eq!(loaded.notes, [warning]);
    // 12 December is in the future either way; 1 February is 2 January when swapped, the day of the load.
    let moments = ValueType::Instant { formats: vec!["%m/%d/%Y %H:%M".into()], zone: "UTC".into() };
    let mut world = World::new(vec![column("at", moments)]);
    world.write("a.csv", "at\n12/12/2026 10:00\n05/01/2025 10:00\n");
    assert_eq!(world.load().unwrap().notes, Vec::<String>::new());
    world.write("a.csv", "at\n02/01/2026 10:00\n05/01/2025 10:00\n");
    let warning = "`at`: 1 value looks as if day and month were swapped, such as `02/01/2026 10:00` in `a.csv` line 2";
    assert!(world.load().unwrap().notes.contains(&warning.to_string()));
}

#[test]
fn identifiers_that_a_spreadsheet_damaged_are_rejected() {
    let mut fixed = column("ean", ValueType::Text);
    fixed.digits = Some(13);
    let mut world = World::new(vec![column("id", ValueType::Text), column("note", ValueType::Text), fixed]);
    world.table.key = vec!["id".into()];
    world.write(
        "a.csv",
        "id,note,ean\nA1,6.02701E+11,4006381333931\n6.02701E+11,,\n3月5日,,\nMar-05,,\nA2,,400638133393\n\
         123456789012345678,,\n123456789012345000,,\n",
    );
    let loaded = world.load().unwrap();
    assert_eq!(loaded.rows, 3);
    let reasons = world.reasons();
    for (reason, word) in
        reasons.iter().zip(["scientific notation", "into a date", "into a date", "fewer than 13 digits"])
    {
        assert!(reason.contains(word), "{reason}: {word}");
    }
    assert_eq!(
        loaded.notes,
        [
            "`id`: 1 value looks like identifiers that a spreadsheet turned into scientific notation, such as `6.02701E+11` in `a.csv` line 3",
            "`id`: 2 values look like identifiers that a spreadsheet turned into dates, such as `3月5日` in `a.csv` line 4",
            "`id`: 1 value looks rounded by a spreadsheet (zeros after 15 digits), such as `123456789012345000` in `a.csv` line 8",
            "`ean`: 1 value looks like identifiers without their leading zeros, such as `400638133393` in `a.csv` line 6",
        ]
    );
}

#[test]
fn a_workbook_is_read_as_its_spreadsheet_shows_it() {
    let instant = ValueType::Instant { formats: vec!["%d.%m.%Y %H:%M".into()], zone: "Asia/Shanghai".into() };
    let mut world = World::new(vec![
        column("id", ValueType::Text),
        numbers("amount", money(), named("european")),
        column("n", ValueType::Integer),
        column("day", day("%d.%m.%Y")),
        column("at", instant),
        column("ok", ValueType::Boolean),
    ]);
    world.table.extraction = files("*", excel(ExcelOptions::default()));
    workbook(
        &world,
        "a.xlsx",
        "for row in [['id', 'amount', 'n', 'day', 'at', 'ok'],\n\
         ['a', 7.0000000000000009, 12.0, date(2026, 11, 22), moment(2026, 11, 22, 10, 30), True],\n\
         [],\n\
         [602701000000, '1.234,50', 3, '21.11.2026', '21.11.2026 08:00', 'no'],\n\
         ['c', 1.234, 1, None, date(2026, 11, 22), None],\n\
         ['d', 2.55, 1.5, None, None, None],\n\
         ['e', '=1/0', '=1+1', None, None, None],\n\
         ['#N/A', 0.1 + 0.2, 5, moment(2026, 11, 22, 0, 0), None, False],\n\
         ['f', 5, 1, moment(2026, 11, 22, 0, 1), None, False]]:\n    sheet.append(row)\n\
         sheet['B3'].number_format = 'General'\nsheet['A8'].data_type = 'e'\nbook.create_sheet('other')",
    );
    let loaded = world.load().unwrap();
    assert_eq!(
        world.rows(&["id", "amount", "n", "day", "at", "ok", "_line"]),
        [
            "602701000000|1234.50|3|2026-11-21|2026-11-21T00:00:00Z|false|4",
            "a|7.00|12|2026-11-22|2026-11-22T02:30:00Z|true|2"
        ],
        "{:?}",
        world.reasons()
    );
    assert_eq!((loaded.rows, loaded.rejects), (2, 5));
    let places: Vec<(u64, String, String)> = world.rejects().into_iter().map(|(_, l, c, raw)| (l, c, raw)).collect();
    assert_eq!(
        places,
        [
            (5, "amount".into(), "1.234".into()),
            (6, "n".into(), "1.5".into()),
            (7, "amount".into(), "=1/0".into()),
            (8, "id".into(), "#N/A".into()),
            (9, "day".into(), "2026-11-22T00:01:00".into())
        ]
    );
    assert!(world.reasons()[2].contains("formula without a stored value"));
    assert!(world.reasons()[3].contains("error of the spreadsheet"));
    // An error that the contract reads as no value.
    world.table.columns[0].null_values = vec!["#N/A".into()];
    world.load().unwrap();
    assert!(world.rows(&["id", "amount"]).contains(&"∅|0.30".to_string()));
}

#[test]
fn the_sheet_and_its_header_are_found_or_named() {
    let mut world = World::new(two());
    let sheet = |sheet: Option<&str>, header_row, skip: &[&str]| {
        let skip_rows = skip.iter().map(|pattern| (*pattern).to_string()).collect();
        files("*", excel(ExcelOptions { sheet: sheet.map(String::from), header_row, skip_rows }))
    };
    workbook(
        &world,
        "a.xlsx",
        "sheet.title = 'cover'\nsheet['A1'] = 'Report'\n\
         data = book.create_sheet('data')\ndata.sheet_state = 'hidden'\n\
         for row in [['Sales', None], [None, None], [None, 'id', 'amount'], [None, 'a', 5], [None, 'b', 6, None, 'note'],\n\
         [None, '共 2 条记录']]:\n    data.append(row)\n\
         data.merge_cells('B7:B8')\ndata['B7'] = 'm'\ndata['C7'] = 1\ndata['C8'] = 2\n",
    );
    world.table.extraction = sheet(None, None, &[]);
    let error = data_error(world.load());
    assert!(error.message().contains("has none of the contract's columns") && error.message().contains("`Report`"));
    world.table.extraction = sheet(Some("dat"), None, &[]);
    let error = data_error(world.load());
    assert!(error.message().contains("`a.xlsx` has no sheet `dat`"), "{error}");
    assert!(error.hint_text().unwrap().contains("`cover` and `data`"));
    world.table.extraction = sheet(Some("data"), None, &[]);
    let error = data_error(world.load());
    assert!(error.hint_text().unwrap().contains("row 3 has them; write `header_row: 3`"), "{error}");
    world.table.extraction = sheet(Some("data"), Some(2), &[]);
    assert!(data_error(world.load()).message().contains("row 2 of the sheet is empty"));
    world.table.extraction = sheet(Some("data"), Some(3), &["^共 [0-9]+ 条"]);
    world.load().unwrap();
    // Of merged cells only the first holds the value.
    assert_eq!(world.rows(&["id", "amount", "_line"]), ["a|5.00|4", "m|1.00|7", "∅|2.00|8"]);
    assert_eq!(world.rejects(), [("a.xlsx".into(), 5, String::new(), "b 6 note".into())]);
    assert!(world.reasons()[0].contains("a value in a column that has no name"), "{:?}", world.reasons());
    // A title that is left out instead.
    world.table.extraction = sheet(Some("data"), None, &["^Sales$", "^共", "note$"]);
    assert_eq!(world.load().unwrap().rows, 3);
}

#[test]
fn old_and_open_workbooks_are_read_too() {
    let columns = || vec![column("id", ValueType::Text), column("amount", money()), column("day", day("%Y-%m-%d"))];
    let expected = ["a|1.50|2026-11-22|2", "b|2.00|∅|3"];
    let mut world = World::new(columns());
    world.table.extraction = files("*", excel(ExcelOptions::default()));
    workbook(
        &world,
        "a.xlsx",
        "from openpyxl.utils.datetime import CALENDAR_MAC_1904\nbook.epoch = CALENDAR_MAC_1904\n\
         for row in [['id', 'amount', 'day'], ['a', 1.5, date(2026, 11, 22)], ['b', 2, None]]:\n    sheet.append(row)",
    );
    world.load().unwrap();
    assert_eq!(world.rows(&["id", "amount", "day", "_line"]), expected);

    let mut world = World::new(columns());
    world.table.extraction = files("*", excel(ExcelOptions::default()));
    let xls = "import sys, datetime, xlwt\nbook = xlwt.Workbook()\nsheet = book.add_sheet('s')\n\
        style = xlwt.XFStyle()\nstyle.num_format_str = 'YYYY-MM-DD'\n\
        [sheet.write(0, i, name) for i, name in enumerate(['id', 'amount', 'day'])]\n\
        sheet.write(1, 0, 'a')\nsheet.write(1, 1, 1.5)\nsheet.write(1, 2, datetime.date(2026, 11, 22), style)\n\
        sheet.write(2, 0, 'b')\nsheet.write(2, 1, 2)\nbook.save(sys.argv[1])\n";
    run(xls, &world.path("a.xls"));
    world.load().unwrap();
    assert_eq!(world.rows(&["id", "amount", "day", "_line"]), expected);

    let mut world = World::new(columns());
    world.table.extraction = files("*", excel(ExcelOptions::default()));
    let ods = "import sys\nfrom odf.opendocument import OpenDocumentSpreadsheet\nfrom odf.table import *\nfrom odf.text import P\n\
        book = OpenDocumentSpreadsheet()\ntable = Table(name='s')\n\
        def add(*cells):\n    row = TableRow()\n    [row.addElement(cell) for cell in cells]\n    table.addElement(row)\n\
        def text(value):\n    cell = TableCell(valuetype='string')\n    cell.addElement(P(text=value))\n    return cell\n\
        number = lambda value: TableCell(valuetype='float', value=value)\n\
        add(text('id'), text('amount'), text('day'))\n\
        add(text('a'), number(1.5), TableCell(valuetype='date', datevalue='2026-11-22'))\nadd(text('b'), number(2))\n\
        book.spreadsheet.addElement(table)\nbook.save(sys.argv[1])\n";
    run(ods, &world.path("a.ods"));
    world.load().unwrap();
    assert_eq!(world.rows(&["id", "amount", "day", "_line"]), expected);
}

#[test]
fn serial_days_are_read_where_the_contract_says_so() {
    let days = ValueType::Date { formats: vec!["excel_days".into(), "%Y-%m-%d".into(), "minguo".into()] };
    let moments = ValueType::Instant { formats: vec!["excel_days".into()], zone: "UTC".into() };
    let mut world = World::new(vec![column("day", days), column("at", moments)]);
    world.write("a.csv", "day,at\n46348,46348.5\n2026-11-23,46348\n民國115年11月24日,\n46348.5,\n60,\n20261122,\n");
    let loaded = world.load().unwrap();
    assert_eq!(
        world.rows(&["day", "at"]),
        ["2026-11-22|2026-11-22T12:00:00Z", "2026-11-23|2026-11-22T00:00:00Z", "2026-11-24|∅"]
    );
    assert_eq!((loaded.rows, loaded.rejects), (3, 3));
    assert!(world.reasons()[1].contains("does not exist"), "{:?}", world.reasons());
}

#[test]
fn what_is_no_workbook_is_said_so() {
    let mut world = World::new(two());
    world.table.extraction = files("*", excel(ExcelOptions::default()));
    let encrypted: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let compound = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
    for (bytes, word) in [
        (b"id,amount\n".to_vec(), "`a` is not a workbook"),
        (b"<html><table>".to_vec(), "`a` is not a workbook"),
        (b"".to_vec(), "0 bytes"),
        (b"PK\x03\x04 and no more".to_vec(), "damaged"),
        ([&compound[..], &[0; 600], &encrypted].concat(), "protected by a password"),
        ([&compound[..], &[0; 600]].concat(), "damaged"),
        (vec![0; 64 * 1024 * 1024 + 1], "larger than 64 MiB"),
    ] {
        world.write("a", &bytes);
        let error = data_error(world.load());
        assert!(error.message().contains(word), "{error}");
        assert!(error.hint_text().is_some() || bytes.is_empty());
    }
    workbook(&world, "a", "");
    assert!(data_error(world.load()).message().contains("the sheet is empty"));
}
