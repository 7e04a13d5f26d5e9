use super::*;
use perennial_core::contract::{Extraction, Format};
use perennial_project::{LoadOptions, Project};
use std::collections::{BTreeSet, HashMap};

fn small() -> DemoOptions {
    DemoOptions { seed: 7, customers: 400 }
}

/// Every file below a folder: its path there and its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_path_buf()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

fn csv(folder: &Path, path: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(folder.join(path)).unwrap();
    let header = reader.headers().unwrap().iter().map(str::to_string).collect();
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_string).collect()).collect();
    (header, rows)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    for (folder, seed) in folders.iter().zip([7, 7, 8]) {
        let options = DemoOptions { seed, customers: 60 };
        generate(folder.path(), &options).unwrap();
        generate_night_two(folder.path(), &options).unwrap();
    }
    let [first, again, other] = [0, 1, 2].map(|i| files(folders[i].path()));
    assert_eq!(first.len(), 6 + 24 + 1 + 5 + 1 + 1, "{:?}", first.keys());
    assert!(first == again);
    assert!(first["erp/orders-2026-09-30.csv"] != other["erp/orders-2026-09-30.csv"]);
}

/// A table, where its file lies, and what a good row of it is.
type Rule<'a> = (&'a str, &'a str, &'a dyn Fn(&[String]) -> bool);

/// Counts by rules of their own what the summary says of a night.
fn recount(folder: &Path, summary: &Summary) {
    let date = &summary.date;
    let real_date = |text: &str| text.parse::<jiff::civil::DateTime>().is_ok();
    let german = |text: &str| jiff::fmt::strtime::parse("%d.%m.%Y", text).is_ok_and(|parsed| parsed.to_date().is_ok());
    let checks: [Rule<'_>; 4] = [
        ("erp.orders", "erp/orders", &|row| row.len() >= 7 && !row[1].is_empty() && real_date(&row[2])),
        ("erp.order_lines", "erp/order-lines", &|row| row[3].parse::<u32>().is_ok()),
        ("erp.receivables", "erp/receivables", &|row| german(&row[3])),
        ("call_centre.calls", "call-centre/calls", &|row| {
            row[1].parse::<jiff::Timestamp>().is_ok() && row[5].parse::<i32>().unwrap() >= 0
        }),
    ];
    for (table, path, good) in checks {
        let (_, rows) = csv(folder, &format!("{path}-{date}.csv"));
        let bad = rows.iter().filter(|row| !good(row)).count() as u64;
        let repeated = rows.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        let counts = summary.tables[table];
        assert_eq!((rows.len() as u64, bad, repeated), (counts.rows, counts.bad_rows, counts.repeated_rows), "{table}");
    }
}

#[test]
fn the_summary_counts_what_the_files_hold() {
    let folder = tempfile::tempdir().unwrap();
    let one = generate(folder.path(), &small()).unwrap();
    recount(folder.path(), &one);
    let mut events = TableCounts::default();
    for (path, bytes) in files(folder.path()).iter().filter(|(path, _)| path.starts_with("web/")) {
        let text = std::str::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        events.rows += lines.len() as u64;
        events.repeated_rows += lines.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        let month = path.split('/').nth(1).unwrap();
        let mut newest = String::new();
        for line in lines {
            match serde_json::from_str::<serde_json::Value>(line) {
                Err(_) => events.bad_rows += 1,
                Ok(event) => {
                    let ts = event["ts"].as_str().unwrap();
                    assert!(ts.parse::<jiff::Timestamp>().is_ok());
                    assert!(ts[..7] <= *month, "{path} holds {ts}");
                    // Behind an event of a later day only late ones stand.
                    events.late_rows += u64::from(ts[..10] < newest[..newest.len().min(10)]);
                    newest = newest.max(ts.to_string());
                }
            }
        }
    }
    let counted = one.tables["web.events"];
    assert_eq!(
        (events.rows, events.bad_rows, events.repeated_rows),
        (counted.rows, counted.bad_rows, counted.repeated_rows)
    );
    assert!(counted.late_rows > 0 && counted.bad_rows > 0 && one.bad_rows() > 10, "{one:?}");
    let two = generate_night_two(folder.path(), &small()).unwrap();
    recount(folder.path(), &two);
    assert_eq!((one.as_of.to_string(), two.as_of.to_string()), ("2026-10-01".into(), "2026-10-02".into()));
    assert_eq!(one.customers, 400);
    assert!(one.second_accounts > 0 && two.customers > 400);
}

#[test]
fn night_two_brings_a_column_and_corrects_august() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), &DemoOptions::default()).unwrap();
    let summary = generate_night_two(folder.path(), &DemoOptions::default()).unwrap();
    let (old_header, old) = csv(folder.path(), "erp/orders-2026-09-30.csv");
    let (header, new) = csv(folder.path(), "erp/orders-2026-10-01.csv");
    assert_eq!(header[..old_header.len()], old_header[..]);
    assert_eq!(header[old_header.len()..], ["sales_channel_detail"]);
    let before: HashMap<&str, &Vec<String>> = old.iter().map(|row| (row[0].as_str(), row)).collect();
    let corrected: Vec<_> = new.iter().filter(|row| row[2].starts_with("2026-08")).collect();
    assert!(corrected.len() >= 3, "{corrected:?}");
    for row in corrected.into_iter().filter(|row| before.contains_key(row[0].as_str())) {
        assert_eq!((before[row[0].as_str()][3].as_str(), row[3].as_str()), ("invoiced", "cancelled"));
        assert!(row[6] > before[row[0].as_str()][6]);
    }
    assert!(new.iter().any(|row| row[2].starts_with("2026-10-01")));
    let late = new.iter().filter(|row| row[2].as_str() < "2026-10-01" && !before.contains_key(row[0].as_str()));
    assert!(late.count() > 0);
    assert!(old.iter().all(|row| row.len() < 7 || row[6].as_str() < "2026-10-01"));
    assert!(summary.tables["erp.order_lines"].late_rows >= 3);
    let events = String::from_utf8(std::fs::read(folder.path().join("web/2026-10/events-2026-10-01.jsonl")).unwrap());
    assert!(events.unwrap().contains("\"ts\":\"2026-10-01"));
}

/// What arrives before nine nights, with night one.
fn arrivals(options: &DemoOptions, nights: u16) -> (tempfile::TempDir, Vec<Summary>) {
    let folder = tempfile::tempdir().unwrap();
    let summaries = generate_arrivals(folder.path(), options, nights).unwrap();
    (folder, summaries)
}

#[test]
fn what_arrives_on_a_date_does_not_depend_on_how_many_follow() {
    let (few, _) = arrivals(&small(), 4);
    let (many, summaries) = arrivals(&small(), 9);
    let (few, many) = (files(few.path()), files(many.path()));
    assert!(few.iter().all(|(path, bytes)| many.get(path) == Some(bytes)));
    let dates: BTreeSet<&str> = many.keys().map(|path| &path[..10]).collect();
    let expected: Vec<String> = (2..=9).map(|day| format!("2026-10-{day:02}")).collect();
    assert_eq!(dates.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(summaries.iter().map(|night| night.as_of.to_string()).collect::<Vec<_>>(), expected);
    // The first of them is night two.
    let night_two = tempfile::tempdir().unwrap();
    generate_night_two(night_two.path(), &small()).unwrap();
    for (path, bytes) in files(night_two.path()) {
        assert!(many[&format!("2026-10-02/data/{path}")] == bytes, "{path}");
    }
    assert!(arrivals(&small(), 1).1.is_empty());
}

#[test]
fn every_order_of_a_later_day_arrives_that_night_or_one_later_and_has_its_lines() {
    let (folder, _) = arrivals(&DemoOptions::default(), 9);
    let company = Company::new(DemoOptions::default(), DAYS + 7).unwrap();
    let mut arrived: BTreeMap<String, i32> = BTreeMap::new();
    let mut with_lines = BTreeSet::new();
    for day in 1..=8 {
        let data = folder.path().join(format!("2026-10-{:02}/data", day + 1));
        let (_, orders) = csv(&data, &format!("erp/orders-2026-10-{day:02}.csv"));
        for row in orders.iter().filter(|row| row.len() > 2) {
            arrived.entry(row[0].clone()).or_insert(day);
        }
        with_lines
            .extend(csv(&data, &format!("erp/order-lines-2026-10-{day:02}.csv")).1.into_iter().map(|r| r[0].clone()));
    }
    let mut late = 0;
    for index in company.purchases_of(DAYS..DAYS + 7) {
        let number = format!("A{:07}", index + 1);
        let ordered = i32::from(company.purchases[index].day) - DAYS + 1;
        let delay = arrived[&number] - ordered;
        assert!((0..=1).contains(&delay), "{number}: {delay} days late");
        late += delay;
        assert!(with_lines.contains(&number), "{number} has no lines");
    }
    assert!(late > 0);
}

#[test]
fn on_a_tuesday_orders_of_the_month_before_are_corrected() {
    let (folder, _) = arrivals(&DemoOptions::default(), 9);
    for day in 2..=8 {
        let data = folder.path().join(format!("2026-10-{:02}/data", day + 1));
        let (_, orders) = csv(&data, &format!("erp/orders-2026-10-{day:02}.csv"));
        let cancelled =
            orders.iter().filter(|row| row.len() > 3 && row[2].starts_with("2026-09") && row[3] == "cancelled");
        assert_eq!(cancelled.count() > 0, day == 6, "2026-10-{day:02}");
    }
}

#[test]
fn american_dates_come_once_and_the_day_is_delivered_again() {
    let (folder, summaries) = arrivals(&small(), 9);
    let american = |row: &Vec<String>| row.len() > 2 && jiff::fmt::strtime::parse("%m/%d/%Y %I:%M %p", &row[2]).is_ok();
    for (date, day) in [(3, 2), (4, 3), (5, 4), (6, 4), (6, 5), (7, 6)] {
        let data = folder.path().join(format!("2026-10-{date:02}/data"));
        let (_, orders) = csv(&data, &format!("erp/orders-2026-10-{day:02}.csv"));
        assert_eq!(orders.iter().filter(|row| american(row)).count() > 0, (date, day) == (5, 4), "{date} {day}");
    }
    let refused = summaries[3].tables["erp.orders"];
    assert_eq!((summaries[3].date.as_str(), refused.bad_rows), ("2026-10-04", refused.rows));
    // The second delivery says the same in the words of the contract.
    let [first, again] = ["05", "06"]
        .map(|date| csv(&folder.path().join(format!("2026-10-{date}/data")), "erp/orders-2026-10-04.csv").1);
    let numbers = |rows: &[Vec<String>]| rows.iter().map(|row| row[0].clone()).collect::<BTreeSet<_>>();
    assert_eq!(numbers(&first), numbers(&again));
    let minute = |row: &Vec<String>| {
        let (date, time) = row[2].split_once(' ').unwrap();
        let [month, day, year] = date.split('/').collect::<Vec<_>>()[..] else { panic!("{date}") };
        let hour: u32 = time[..2].parse().unwrap();
        let hour = hour % 12 + if time.ends_with("PM") { 12 } else { 0 };
        format!("{year}-{month}-{day} {hour:02}:{}", &time[3..5])
    };
    for row in first.iter().filter(|row| american(row)) {
        assert!(again.iter().any(|right| right[0] == row[0] && right[2].starts_with(&minute(row))), "{row:?}");
    }
}

#[test]
fn an_invoice_is_the_sum_of_its_lines_to_the_cent() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), &small()).unwrap();
    let (_, lines) = csv(folder.path(), "erp/order-lines-2026-09-30.csv");
    let (_, invoices) = csv(folder.path(), "erp/receivables-2026-09-30.csv");
    // Thousandths of a per cent of a cent, so that nothing is rounded but the amount of a line.
    let scaled = |text: &str, digits: usize| -> u128 {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        format!("{whole}{fraction:0<digits$}").parse().unwrap()
    };
    let mut net: HashMap<String, u128> = HashMap::new();
    let mut incomplete = BTreeSet::new();
    let distinct: BTreeSet<_> = lines.into_iter().collect();
    for row in distinct {
        match row[3].parse::<u128>() {
            Err(_) => drop(incomplete.insert(row[0].clone())),
            Ok(quantity) => {
                let exact = quantity * scaled(&row[4], 2) * (100_000 - scaled(&row[5], 3));
                *net.entry(row[0].clone()).or_default() += (exact + 50_000) / 100_000;
            }
        }
    }
    let compared: Vec<_> = invoices.iter().filter(|row| !incomplete.contains(&row[1])).collect();
    assert!(compared.len() > 500);
    for row in compared {
        assert_eq!(scaled(&row[6], 2), net[&row[1]], "{row:?}");
    }
}

/// Net cents of good orders by a key.
fn net_by(company: &Company, key: impl Fn(&orders::Order) -> String) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for index in company.purchases_of(0..DAYS) {
        let order = orders::order(company, index);
        if !order.cancelled {
            *sums.entry(key(&order)).or_default() += order.net_cents();
        }
    }
    sums
}

#[test]
fn the_figures_tell_their_story() {
    let company = Company::new(DemoOptions::default(), DAYS - 1).unwrap();
    let month = |order: &orders::Order| company.calendar.month(order.day).to_string();
    let by_month = net_by(&company, month);
    assert!(by_month["2025-12"] > by_month["2025-08"] * 3 / 2, "{by_month:?}");
    let east = net_by(&company, |order| {
        let east = company.accounts[order.account as usize].region == 2;
        format!("{} {east}", if order.day < 365 { "first" } else { "second" })
    });
    let share = |year: &str| east[&format!("{year} true")] as f64 / east[&format!("{year} false")] as f64;
    assert!(share("second") < 0.85 * share("first"), "{east:?}");
    let mut by_customer: Vec<u64> = net_by(&company, |order| order.account.to_string()).into_values().collect();
    by_customer.sort_unstable_by(|a, b| b.cmp(a));
    let all: u64 = by_customer.iter().sum();
    let best: u64 = by_customer[..by_customer.len() / 5].iter().sum();
    assert!((0.6..0.92).contains(&(best as f64 / all as f64)), "{}", best as f64 / all as f64);
}

/// The demo's files have exactly the columns that the shipped contracts promise.
#[test]
fn the_contracts_fit_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), &DemoOptions { seed: 1, customers: 30 }).unwrap();
    let project =
        Project::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")), &LoadOptions::of_process()).unwrap();
    for source in &project.sources {
        let location = Path::new(&source.location);
        for table in &source.tables {
            let Extraction::Files { pattern, format: Format::Csv(_) } = &table.extraction else { continue };
            let file = pattern.replace('*', "2026-09-30");
            let file = folder.path().join(location.file_name().unwrap()).join(file);
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let promised: Vec<&str> = table.columns.iter().map(|column| column.from.as_str()).collect();
            assert_eq!(text.lines().next().unwrap(), promised.join(","), "{}", table.name);
        }
    }
}
