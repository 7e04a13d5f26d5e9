//! Order lines as odd as companies have them: nothing, less than nothing, for nothing, sent back, credited, in another
//! currency, in a far future. Every night of them is published, and its figures are those that are worked out here from
//! the same rows, by the definitions and not by SQL.
//!
//! `PERENNIAL_CASES` says how many companies are tried, `PERENNIAL_SEED` which.

use crate::support::run;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Days are counted from 1970-01-01.
type Day = i64;

/// The first day of the companies' history, 2024-01-01.
const FIRST_DAY: Day = 19_723;
/// 2025-02-11, 2025-03-01 and 2025-03-02: a running month, the day that closes it, the day after.
const NIGHTS: [Day; 3] = [20_130, 20_148, 20_149];
/// 9999-12-31, which many systems write for "never".
const NEVER: Day = 2_932_896;
/// 0001-01-01, 1753-01-01 and 1900-01-01, which they write for "not known". Nothing before 1980-01-01 counts.
const UNKNOWN: [Day; 3] = [-719_162, -79_257, -25_567];
const EARLIEST_DAY: Day = 3652;
const PRODUCTS: usize = 5;

#[test]
fn every_night_of_odd_lines_is_published_with_the_figures_of_its_rows() {
    let number = |name: &str, otherwise: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, not a number")),
        Err(_) => otherwise,
    };
    let first = number("PERENNIAL_SEED", 1);
    for seed in first..first + number("PERENNIAL_CASES", 2) {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("company");
        let mut company = Company::new(seed);
        begin(&project);
        for (night, as_of) in NIGHTS.into_iter().enumerate() {
            company.trade(as_of);
            company.deliver(&project, night, as_of);
            let case = format!("PERENNIAL_SEED={seed}, night {}", night + 1);
            let args = ["run", "--as-of", &date(as_of), "--project"].map(String::from);
            let ran = run(args.iter().map(AsRef::as_ref).chain([project.as_os_str()]));
            assert_eq!(ran.code, 0, "{case} was not published:\n{}", ran.stderr);
            laws(&Ledger::new(&company, as_of), &project, &case);
        }
    }
}

/// A project without rows of its ERP, whose contract takes orders in other currencies.
fn begin(project: &Path) {
    let args: [&std::ffi::OsStr; 5] =
        ["demo".as_ref(), project.as_os_str(), "--customers".as_ref(), "5".as_ref(), "--no-run".as_ref()];
    run(args).ended(0);
    for entry in std::fs::read_dir(project.join("data/erp")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let replace = |file: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(project.join(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(project.join(file), text.replace(from, to)).unwrap();
    };
    replace("pipelines/sources/erp.yml", "values: [EUR]", "values: [EUR, USD, JPY]");
    replace("perennial.yml", "languages: [en, zh-CN, zh-TW]", "languages: [en]");
}

// The rows.

/// Numbers by chance, the same for the same seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`.
    fn of(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1) as u64) as i64
    }

    fn happens(&mut self, percent: i64) -> bool {
        self.of(1, 100) <= percent
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.of(0, of.len() as i64 - 1) as usize]
    }
}

/// What the lines of an account are like.
#[derive(Clone, Copy, PartialEq)]
enum Habit {
    Ordinary,
    Odd,
    Free,
    Cancelled,
    Credits,
    Returns,
}

struct Order {
    account: i64,
    day: Day,
    second: i64,
    status: &'static str,
    currency: &'static str,
}

#[derive(Clone, Copy)]
struct Line {
    /// None, one of the articles, or one that nobody knows.
    product: Option<usize>,
    quantity: i64,
    /// In cents.
    price: i64,
    /// In hundredths of a per cent.
    discount: i64,
}

struct Return {
    order: usize,
    line: i64,
    quantity: i64,
    day: Day,
}

struct Invoice {
    order: usize,
    due: Day,
    paid: Option<Day>,
    /// In cents.
    amount: i64,
}

/// Everything the ERP holds, and which rows are not delivered yet.
struct Company {
    chance: Chance,
    habits: Vec<Habit>,
    orders: Vec<Order>,
    lines: BTreeMap<(usize, i64), Line>,
    returns: Vec<Return>,
    new_orders: BTreeSet<usize>,
    new_lines: BTreeSet<(usize, i64)>,
    delivered_returns: usize,
    /// Of each order one, issued on its day.
    invoices: Vec<Invoice>,
    delivered_invoices: usize,
    barcodes: usize,
}

impl Company {
    fn new(seed: u64) -> Company {
        let mut chance = Chance(seed);
        let habits = [Habit::Odd, Habit::Free, Habit::Cancelled, Habit::Credits, Habit::Returns];
        let accounts = chance.pick(&[2, 9, 30]);
        // The first account buys as everybody does, or there might be nothing to publish.
        let habits = (0..accounts).map(|place| match place == 0 || chance.happens(40) {
            true => Habit::Ordinary,
            false => chance.pick(&habits),
        });
        Company {
            habits: habits.collect(),
            chance,
            orders: Vec::new(),
            lines: BTreeMap::new(),
            returns: Vec::new(),
            new_orders: BTreeSet::new(),
            new_lines: BTreeSet::new(),
            delivered_returns: 0,
            invoices: Vec::new(),
            delivered_invoices: 0,
            barcodes: 0,
        }
    }

    /// What happens until a day, and what is corrected on it.
    fn trade(&mut self, until: Day) {
        let first = self.orders.is_empty();
        let from = if first { FIRST_DAY } else { until - 20 };
        if first {
            let line = Line { product: Some(0), quantity: 1, price: 1000, discount: 0 };
            self.order(0, FIRST_DAY, 0, "invoiced", "EUR", &[line]);
        }
        let orders = self.habits.len() as i64 * if first { 8 } else { 1 } + 3;
        for _ in 0..orders {
            // The account behind the last is one that the ERP does not deliver.
            let account = self.chance.of(0, self.habits.len() as i64);
            let day = match self.chance.of(1, 40) {
                1 => NEVER,
                2 => until,
                3 => until + 40,
                4 => until - 1,
                5 => self.chance.pick(&UNKNOWN),
                _ => self.chance.of(from, until - 1),
            };
            // Twice a day at the same second, too; never in the hour that summer time leaves out.
            let second = self.chance.pick(&[0, 3600 * 5, 3600 * 5, 86_399]);
            let status = self.chance.pick(&["invoiced", "invoiced", "invoiced", "shipped", "cancelled"]);
            let currency = self.chance.pick(&["EUR", "EUR", "EUR", "EUR", "EUR", "EUR", "USD", "JPY"]);
            let habit = self.habits.get(account as usize).copied().unwrap_or(Habit::Odd);
            let lines: Vec<Line> = (0..self.chance.of(0, 4)).map(|_| line(&mut self.chance, habit)).collect();
            self.order(account, day, second, status, currency, &lines);
        }
        if !first {
            self.correct();
        }
        let known: Vec<(usize, i64)> = self.lines.keys().copied().collect();
        for (order, line) in known {
            if self.chance.happens(if first { 10 } else { 2 }) {
                let sold = self.lines[&(order, line)].quantity.clamp(1, 1000);
                // Parts, all, more than there were; before the order, on its day, after the night, never.
                let quantity = self.chance.pick(&[1, sold, sold + 1]);
                let ordered = self.orders[order].day.min(until);
                let later = self.chance.of(1, 60);
                let before = (ordered - 3).max(UNKNOWN[0]);
                let days = [ordered, ordered + later, ordered + later, before, until, NEVER, UNKNOWN[0]];
                let day = self.chance.pick(&days);
                let line = if self.chance.happens(5) { 99 } else { line };
                self.returns.push(Return { order, line, quantity, day });
            }
        }
    }

    fn order(
        &mut self,
        account: i64,
        day: Day,
        second: i64,
        status: &'static str,
        currency: &'static str,
        lines: &[Line],
    ) {
        let order = self.orders.len();
        self.orders.push(Order { account, day, second, status, currency });
        self.new_orders.insert(order);
        let (due, paid) = (day + self.chance.of(0, 60), day + self.chance.of(-5, 90));
        let due = self.chance.pick(&[due, due, due, NEVER]).min(NEVER);
        let paid = (paid <= NEVER && self.chance.happens(70)).then_some(paid.max(UNKNOWN[0]));
        let amount = self.chance.pick(&[0, 1, -1]) * self.chance.of(1, 99_999);
        self.invoices.push(Invoice { order, due, paid, amount });
        for (line, number) in lines.iter().zip(1..) {
            self.lines.insert((order, number), *line);
            self.new_lines.insert((order, number));
        }
    }

    /// Orders and lines of earlier nights that turn out to be something else; the first line of all stays.
    fn correct(&mut self) {
        for order in 1..self.orders.len() {
            if self.chance.happens(5) {
                self.orders[order].status = self.chance.pick(&["invoiced", "cancelled"]);
                self.new_orders.insert(order);
            }
        }
        let known: Vec<(usize, i64)> = self.lines.keys().copied().skip(1).collect();
        for key in known {
            if self.chance.happens(5) {
                self.lines.insert(key, line(&mut self.chance, Habit::Odd));
                self.new_lines.insert(key);
            }
        }
    }

    /// Writes what is new as the ERP does. The lines of every fiftieth order come without it, as after a reject.
    fn deliver(&mut self, project: &Path, night: usize, as_of: Day) {
        let now = format!("{} 23:00:{night:02}", date(as_of - 1));
        let mut customers = String::from("customer_id,name,email,phone,region,segment,created_on,updated_at\n");
        let mut products = String::from("product_id,name,category,list_price,unit_cost,updated_at\n");
        if night == 0 {
            for account in 0..self.habits.len() as i64 {
                let region = ["north", "south"][account as usize % 2];
                // Each second account of ten is the first one's under another number.
                let mail = if account % 10 == 2 { account - 1 } else { account };
                writeln!(
                    customers,
                    "{},Company {account},{mail}@odd.example,,{region},retail,2020-01-01,{now}",
                    id(account)
                )
                .unwrap();
            }
            for product in 0..PRODUCTS {
                // The last one's cost is not known.
                let cost = unit_cost(product).map(cents_text).unwrap_or_default();
                writeln!(products, "P{product},Article {product},things,10.00,{cost},{now}").unwrap();
            }
        }
        let mut orders = String::from("order_id,customer_id,order_time,status,channel,currency,updated_at\n");
        for order in std::mem::take(&mut self.new_orders).into_iter().filter(|order| !is_rejected(*order)) {
            let Order { account, day, second, status, currency } = &self.orders[order];
            let time = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
            writeln!(orders, "A{order},{},{} {time},{status},web,{currency},{now}", id(*account), date(*day)).unwrap();
        }
        let mut lines = String::from("order_id,line_no,product_id,quantity,unit_price,discount_percent,updated_at\n");
        for key in std::mem::take(&mut self.new_lines) {
            let Line { product, quantity, price, discount } = self.lines[&key];
            let product = product.map(|product| format!("P{product}")).unwrap_or_default();
            let (price, discount) = (cents_text(price), cents_text(discount));
            writeln!(lines, "A{},{},{product},{quantity},{price},{discount},{now}", key.0, key.1).unwrap();
        }
        // A line with the article's barcode for a quantity, which is rejected.
        writeln!(lines, "A0,{},P1,4006381333931,9999.99,0.00,{now}", 50 + night).unwrap();
        self.barcodes += 1;
        let mut returns = String::from("return_id,order_id,line_no,quantity,returned_on,reason\n");
        for (number, Return { order, line, quantity, day }) in
            self.returns.iter().enumerate().skip(self.delivered_returns)
        {
            writeln!(returns, "T{number},A{order},{line},{quantity},{},other", date(*day)).unwrap();
        }
        self.delivered_returns = self.returns.len();
        let mut receivables =
            String::from("invoice_id,order_id,customer_id,issued_on,due_on,paid_on,amount,updated_at\n");
        for Invoice { order, due, paid, amount } in self.invoices.iter().skip(self.delivered_invoices) {
            let Order { account, day, .. } = &self.orders[*order];
            let (issued, due, paid) = (german(*day), german(*due), paid.map(german).unwrap_or_default());
            let amount = cents_text(*amount);
            writeln!(receivables, "R{order},A{order},{},{issued},{due},{paid},{amount},{now}", id(*account)).unwrap();
        }
        self.delivered_invoices = self.invoices.len();
        let files = [
            ("customers", customers),
            ("products", products),
            ("orders", orders),
            ("order-lines", lines),
            ("returns", returns),
            ("receivables", receivables),
        ];
        for (name, text) in files {
            std::fs::write(project.join(format!("data/erp/{name}-{night}.csv")), text).unwrap();
        }
    }
}

fn line(chance: &mut Chance, habit: Habit) -> Line {
    let line = Line {
        product: chance.pick(&[Some(0), Some(1), Some(2), Some(3), Some(PRODUCTS - 1), Some(99), None]),
        quantity: chance.of(1, 9),
        price: chance.of(1, 9999),
        discount: chance.pick(&[0, 0, 0, 500, 1250, 3333]),
    };
    let free = match chance.happens(50) {
        true => Line { price: 0, ..line },
        false => Line { discount: 10_000, ..line },
    };
    let cancelled = Line { quantity: 0, ..line };
    let credit = Line { price: -line.price, ..line };
    let returned = Line { quantity: -line.quantity, ..line };
    let odd = match chance.of(1, 12) {
        1 => free,
        2 => cancelled,
        3 => credit,
        4 => returned,
        // A return of a credit, a return of nothing, half a cent.
        5 => Line { quantity: -line.quantity, ..credit },
        6 => Line { quantity: -line.quantity, ..free },
        7 => Line { quantity: chance.pick(&[1, -1]), price: 5, discount: 5000, ..line },
        _ => line,
    };
    match habit {
        Habit::Ordinary if chance.happens(90) => line,
        Habit::Ordinary | Habit::Odd => odd,
        Habit::Free => free,
        Habit::Cancelled => cancelled,
        Habit::Credits => credit,
        Habit::Returns => returned,
    }
}

fn is_rejected(order: usize) -> bool {
    order % 50 == 49
}

/// The number of an account.
fn id(account: i64) -> i64 {
    10_001 + account
}

/// What one piece costs, in cents.
fn unit_cost(product: usize) -> Option<i64> {
    (product < PRODUCTS - 1).then_some(300 * product as i64)
}

// The figures, as they are defined.

/// A line that counts: sold, sent back or credited.
struct Entry {
    customer: i64,
    order: usize,
    day: Day,
    quantity: i64,
    revenue: i64,
    margin: Option<i64>,
}

impl Entry {
    /// Pieces were sold, for nothing or more.
    fn is_sale(&self) -> bool {
        self.quantity > 0 && self.revenue >= 0
    }
}

/// The entries dated before a night.
struct Ledger {
    as_of: Day,
    entries: Vec<Entry>,
    foreign_orders: bool,
    /// Count, cents and days overdue.
    receivables: (usize, i64, i64),
    barcodes: usize,
}

/// Revenue, margin and orders of a customer and month.
#[derive(Default)]
struct Month {
    revenue: i64,
    margin: Option<i64>,
    orders: BTreeSet<usize>,
}

impl Ledger {
    fn new(company: &Company, as_of: Day) -> Ledger {
        let counts = |place: usize| {
            let order = &company.orders[place];
            !is_rejected(place)
                && order.status != "cancelled"
                && order.currency == "EUR"
                && (EARLIEST_DAY..as_of).contains(&order.day)
        };
        let accounts = company.habits.len() as i64;
        let entry = |order: usize, line: &Line, day: Day, quantity: i64| {
            // Net of discount, half a cent away from zero.
            let whole = i128::from(quantity) * i128::from(line.price) * i128::from(10_000 - line.discount);
            let revenue = ((whole.abs() + 5000) / 10_000 * whole.signum()) as i64;
            let cost = line.product.and_then(unit_cost).map(|cost| cost * quantity);
            let account = company.orders[order].account;
            let customer = id(if account % 10 == 2 && account < accounts { account - 1 } else { account });
            Entry { customer, order, day, quantity, revenue, margin: cost.map(|cost| revenue - cost) }
        };
        let is_line = |order: usize, line: &Line| counts(order) && line.quantity != 0;
        let mut entries = Vec::new();
        for ((order, _), line) in company.lines.iter().filter(|((order, _), line)| is_line(*order, line)) {
            entries.push(entry(*order, line, company.orders[*order].day, line.quantity));
        }
        for back in company.returns.iter().filter(|back| (EARLIEST_DAY..as_of).contains(&back.day)) {
            if let Some(line) = company.lines.get(&(back.order, back.line)).filter(|line| is_line(back.order, line)) {
                entries.push(entry(back.order, line, back.day, -back.quantity));
            }
        }
        // Of a rejected order no currency is known.
        let is_owed = |invoice: &&Invoice| {
            let order = &company.orders[invoice.order];
            order.day < as_of && (order.currency == "EUR" || is_rejected(invoice.order))
        };
        let mut receivables = (0, 0, 0);
        for invoice in company.invoices.iter().filter(is_owed) {
            let settled = invoice.paid.filter(|paid| *paid < as_of).unwrap_or(as_of);
            receivables.0 += 1;
            receivables.1 += invoice.amount;
            receivables.2 += (settled - invoice.due).max(0);
        }
        let is_foreign = |(place, order): (usize, &Order)| {
            !is_rejected(place) && order.status != "cancelled" && order.currency != "EUR" && order.day < as_of
        };
        Ledger {
            as_of,
            entries,
            foreign_orders: company.orders.iter().enumerate().any(is_foreign),
            receivables,
            barcodes: company.barcodes,
        }
    }

    fn months(&self) -> BTreeMap<i64, BTreeMap<i64, Month>> {
        let mut months: BTreeMap<i64, BTreeMap<i64, Month>> = BTreeMap::new();
        for entry in &self.entries {
            let month = months.entry(month_of(entry.day)).or_default().entry(entry.customer).or_default();
            month.revenue += entry.revenue;
            month.margin = match (month.margin, entry.margin) {
                (None, margin) => margin,
                (margin, None) => margin,
                (Some(sum), Some(margin)) => Some(sum + margin),
            };
            if entry.is_sale() {
                month.orders.insert(entry.order);
            }
        }
        // The calendar has no gaps.
        for month in *months.keys().next().unwrap()..=month_of(self.as_of - 1) {
            months.entry(month).or_default();
        }
        months
    }

    fn customers(&self) -> BTreeMap<i64, Vec<&Entry>> {
        let mut customers: BTreeMap<i64, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.entries {
            customers.entry(entry.customer).or_default().push(entry);
        }
        customers
    }

    fn status(&self, month: i64) -> &'static str {
        if month_of(self.as_of) > month { "closed" } else { "open" }
    }

    /// Of each month, its effects in the order of the bridge: cents and customers.
    fn bridge(&self) -> BTreeMap<i64, [(i64, usize); 7]> {
        let mut bridge = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut before: BTreeMap<i64, i64> = BTreeMap::new();
        for (month, customers) in self.months() {
            let now: BTreeMap<i64, i64> = customers.iter().map(|(customer, own)| (*customer, own.revenue)).collect();
            let mut effects = [(0, 0); 7];
            let mut add = |effect: usize, cents: i64| {
                effects[effect].0 += cents;
                effects[effect].1 += 1;
            };
            for (customer, cents) in &before {
                add(0, *cents);
                match now.get(customer) {
                    None => add(5, -cents),
                    Some(now) if now > cents => add(3, now - cents),
                    Some(now) if now < cents => add(4, now - cents),
                    Some(_) => {}
                }
            }
            for (customer, cents) in &now {
                add(6, *cents);
                if !before.contains_key(customer) {
                    add(if seen.contains(customer) { 2 } else { 1 }, *cents);
                }
            }
            seen.extend(now.keys().copied());
            before = now;
            bridge.insert(month, effects);
        }
        bridge
    }
}

// The laws.

fn laws(ledger: &Ledger, project: &Path, case: &str) {
    let as_of = date(ledger.as_of);
    let same = |what: &str, sql: &str, mut expected: Vec<String>| {
        let mut found = rows(project, sql);
        found.sort();
        expected.sort();
        let missing: Vec<&String> = expected.iter().filter(|row| !found.contains(row)).collect();
        let wrong: Vec<&String> = found.iter().filter(|row| !expected.contains(row)).collect();
        assert!(found == expected, "{case}: {what}\nshould be: {missing:#?}\nis: {wrong:#?}");
    };
    let (lines, cents) = (ledger.entries.len(), ledger.entries.iter().map(|entry| entry.revenue).sum());
    same(
        "lines and revenue",
        "SELECT count(*), sum(revenue) FROM core.order_lines",
        vec![format!("{lines},{}", cents_text(cents))],
    );
    let warned = format!("{}", u8::from(ledger.foreign_orders));
    let sql = "SELECT count(*) FROM system.tests WHERE test = 'tests.erp_currency' AND status = 'warned' \
               AND run_id = (SELECT max(run_id) FROM system.runs)";
    same("orders in another currency are named", sql, vec![warned]);
    let (invoices, amount, days) = ledger.receivables;
    let sql = "SELECT count(*), sum(amount), sum(overdue_days) FROM core.receivables";
    same("receivables", sql, vec![format!("{invoices},{},{days}", cents_text(amount))]);
    let rejects = "SELECT count(*) FROM system.rejects WHERE source = 'erp'";
    same("barcodes alone are rejected", rejects, vec![ledger.barcodes.to_string()]);
    same("revenue by month", MONTHS, company_months(ledger));
    retention_is_right(ledger, project, case);
    same("the bridge", BRIDGE, bridge(ledger));
    same("cohorts", COHORTS, cohorts(ledger));
    same("purchases", &PURCHASES.replace("AS_OF", &as_of), purchases(ledger));
    same("history", &HISTORY.replace("AS_OF", &as_of), history(ledger));
    same("tiers", &TIERS.replace("AS_OF", &as_of), tiers(ledger));
    let splits = rows(project, SPLITS);
    assert!(!splits.is_empty(), "{case}: no day is held out");
    for split in splits {
        let (calibration_until, split) = split.split_once(',').unwrap();
        same("the hold-out", &HOLDOUT.replace("AS_OF", split), holdout(ledger, calibration_until, split));
    }
    numbers_are_finite(project, case);
}

const MONTHS: &str = "SELECT period, period_status, revenue, margin, orders, active_customers, buying_customers, \
    new_customers, lost_customers FROM marts.company_month";

fn company_months(ledger: &Ledger) -> Vec<String> {
    let months = ledger.months();
    let bridge = ledger.bridge();
    let row = |(month, customers): (&i64, &BTreeMap<i64, Month>)| {
        let margins: Vec<i64> = customers.values().filter_map(|own| own.margin).collect();
        let margin = if margins.is_empty() { String::new() } else { cents_text(margins.iter().sum()) };
        let before = months.get(&(month - 1)).filter(|_| ledger.status(*month) == "closed");
        [
            month_text(*month),
            ledger.status(*month).into(),
            cents_text(customers.values().map(|own| own.revenue).sum()),
            margin,
            customers.values().map(|own| own.orders.len()).sum::<usize>().to_string(),
            customers.len().to_string(),
            customers.values().filter(|own| !own.orders.is_empty()).count().to_string(),
            bridge[month][1].1.to_string(),
            before.map_or(String::new(), |_| bridge[month][5].1.to_string()),
        ]
        .join(",")
    };
    months.iter().map(row).collect()
}

/// Of each month, net and gross revenue retention: what the customers of the month before spend now / spent then, and
/// the same of the smaller of the two.
fn retention_is_right(ledger: &Ledger, project: &Path, case: &str) {
    let sql = "SELECT period, net_revenue_retention, gross_revenue_retention FROM marts.company_month ORDER BY period";
    let found = rows(project, sql);
    let months = ledger.months();
    assert_eq!(found.len(), months.len(), "{case}");
    for (row, (month, customers)) in found.iter().zip(&months) {
        let values: Vec<&str> = row.split(',').collect();
        assert_eq!(values[0], month_text(*month), "{case}");
        let before = months.get(&(month - 1)).filter(|_| ledger.status(*month) == "closed");
        let then = |own: &Month| own.revenue as f64;
        let now = |customer: &i64| customers.get(customer).map_or(0.0, then);
        let start = before.map_or(0.0, |before| before.values().map(then).sum::<f64>());
        let share = |of: &dyn Fn(&i64, &Month) -> f64| {
            let part = before?.iter().map(|(customer, own)| of(customer, own)).sum::<f64>();
            (start > 0.0).then(|| part / start)
        };
        let expected = [share(&|customer, _| now(customer)), share(&|customer, own| now(customer).min(then(own)))];
        for (found, expected) in values[1..].iter().zip(expected) {
            let is_right = match expected {
                None => found.is_empty(),
                Some(share) => (found.parse::<f64>().unwrap() - share).abs() <= 1e-9 * share.abs().max(1.0),
            };
            assert!(is_right, "{case}: {row}, expected {expected:?}");
        }
    }
}

const BRIDGE: &str = "SELECT period, effect, amount, customers FROM marts.revenue_bridge";

fn bridge(ledger: &Ledger) -> Vec<String> {
    let names = ["start", "new", "reactivated", "expansion", "contraction", "lost", "end"];
    let mut rows = Vec::new();
    for (month, effects) in ledger.bridge() {
        for (name, (cents, customers)) in names.iter().zip(effects) {
            rows.push(format!("{},{name},{},{customers}", month_text(month), cents_text(cents)));
        }
    }
    rows
}

const COHORTS: &str = "SELECT cohort, months_since, period_status, cohort_customers, retained_customers, \
    rolling_retained_customers, revenue FROM marts.retention_cohort";

fn cohorts(ledger: &Ledger) -> Vec<String> {
    let months = ledger.months();
    let mut active: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (month, customers) in &months {
        for customer in customers.keys() {
            active.entry(*customer).or_default().push(*month);
        }
    }
    let mut rows = Vec::new();
    for cohort in months.keys() {
        let own: Vec<i64> = active.iter().filter(|(_, months)| months[0] == *cohort).map(|(own, _)| *own).collect();
        for (month, customers) in months.range(*cohort..).filter(|_| !own.is_empty()) {
            let retained: Vec<&Month> = own.iter().filter_map(|customer| customers.get(customer)).collect();
            let rolling = own.iter().filter(|customer| active[*customer].last() >= Some(month)).count();
            rows.push(format!(
                "{},{},{},{},{},{rolling},{}",
                month_text(*cohort),
                month - cohort,
                ledger.status(*month),
                own.len(),
                retained.len(),
                cents_text(retained.iter().map(|own| own.revenue).sum()),
            ));
        }
    }
    rows
}

/// The days on which each customer bought.
fn purchase_days(ledger: &Ledger) -> BTreeMap<i64, BTreeSet<Day>> {
    let mut days: BTreeMap<i64, BTreeSet<Day>> = BTreeMap::new();
    for entry in ledger.entries.iter().filter(|entry| entry.is_sale()) {
        days.entry(entry.customer).or_default().insert(entry.day);
    }
    days
}

const PURCHASES: &str = "SELECT customer_id, frequency, round(recency_weeks * 7), round(age_weeks * 7), \
    CAST(round(CAST(mean_spend * frequency AS DECIMAL(28, 6)), 2) AS DECIMAL(18, 2)) \
    FROM marts.customer_purchases WHERE as_of = 'AS_OF'";

fn purchases(ledger: &Ledger) -> Vec<String> {
    let row = |(customer, days): (i64, BTreeSet<Day>)| {
        let (first, last) = (*days.first().unwrap(), *days.last().unwrap());
        let later = ledger.entries.iter().filter(|entry| entry.customer == customer && entry.day > first);
        let spend = if days.len() > 1 { cents_text(later.map(|entry| entry.revenue).sum()) } else { String::new() };
        // Observation ends with the day before the as-of date.
        format!(
            "{customer},{},{:.1},{:.1},{spend}",
            days.len() - 1,
            (last - first) as f64,
            (ledger.as_of - 1 - first) as f64
        )
    };
    purchase_days(ledger).into_iter().map(row).collect()
}

const SPLITS: &str = "SELECT calibration_until, as_of FROM marts.customer_base_date WHERE holdout_weeks > 0";
const HOLDOUT: &str = "SELECT customer_id, frequency, actual_purchases, actual_revenue FROM marts.customer_holdout \
    WHERE as_of = 'AS_OF'";

fn holdout(ledger: &Ledger, calibration_until: &str, as_of: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for (customer, days) in purchase_days(ledger) {
        let known = days.iter().filter(|day| date(**day).as_str() < calibration_until).count();
        let is_held_out = |day: Day| date(day).as_str() >= calibration_until && date(day).as_str() < as_of;
        let bought = days.iter().filter(|day| is_held_out(**day)).count();
        let own = ledger.entries.iter().filter(|entry| entry.customer == customer && is_held_out(entry.day));
        if known > 0 {
            let revenue = cents_text(own.map(|entry| entry.revenue).sum());
            rows.push(format!("{customer},{},{bought},{revenue}", known - 1));
        }
    }
    rows
}

const HISTORY: &str = "SELECT customer_id, first_ordered_on, last_ordered_on, orders, revenue \
    FROM marts.customer_history WHERE as_of = 'AS_OF'";

fn history(ledger: &Ledger) -> Vec<String> {
    let row = |(customer, entries): (i64, Vec<&Entry>)| {
        let days = entries.iter().map(|entry| entry.day);
        let (first, last) = (days.clone().min().unwrap(), days.max().unwrap());
        let sales: Vec<&&Entry> = entries.iter().filter(|entry| entry.is_sale()).collect();
        let last = sales.iter().map(|entry| entry.day).max().unwrap_or(last);
        let orders: BTreeSet<usize> = sales.iter().map(|entry| entry.order).collect();
        let revenue = cents_text(entries.iter().map(|entry| entry.revenue).sum());
        format!("{customer},{},{},{},{revenue}", date(first), date(last), orders.len())
    };
    ledger.customers().into_iter().map(row).collect()
}

const TIERS: &str = "SELECT customer_id, value, tier FROM marts.customer_tier WHERE as_of = 'AS_OF'";

/// Key while the value before a customer is under 80 % of the whole, ordinary while it is under 95 %.
fn tiers(ledger: &Ledger) -> Vec<String> {
    let (year, rest) = date(ledger.as_of)
        .split_once('-')
        .map(|(year, rest)| (year.parse::<i64>().unwrap(), rest.to_string()))
        .unwrap();
    let from = format!("{}-{rest}", year - 1);
    let mut values: BTreeMap<i64, i64> = BTreeMap::new();
    for entry in ledger.entries.iter().filter(|entry| date(entry.day) >= from) {
        *values.entry(entry.customer).or_default() += entry.revenue;
    }
    let mut sorted: Vec<(i64, i64)> = values.into_iter().collect();
    sorted.sort_by_key(|(customer, cents)| (-cents, *customer));
    let whole: i64 = sorted.iter().map(|(_, cents)| (*cents).max(0)).sum();
    let mut before = 0;
    let mut rows = Vec::new();
    for (customer, cents) in sorted {
        let tier = match before {
            _ if cents <= 0 => "small",
            before if before * 100 < whole * 80 => "key",
            before if before * 100 < whole * 95 => "ordinary",
            _ => "small",
        };
        before += cents.max(0);
        rows.push(format!("{customer},{},{tier}", cents_text(cents)));
    }
    rows
}

/// No mart holds a number that is none.
fn numbers_are_finite(project: &Path, case: &str) {
    let columns = "SELECT table_schema, table_name, column_name FROM information_schema.columns \
        WHERE table_schema = 'marts' AND data_type = 'Float64'";
    let each = rows(project, columns).into_iter().map(|column| {
        let [schema, table, column]: [&str; 3] = column.split(',').collect::<Vec<_>>().try_into().unwrap();
        format!(
            "SELECT '{table}.{column}' AS place, count(*) AS faults FROM {schema}.{table} \
             WHERE isnan({column}) OR abs({column}) > 1e300"
        )
    });
    let each: Vec<String> = each.collect();
    assert!(each.len() > 10, "{case}: {each:?}");
    let faults = rows(project, &format!("SELECT * FROM ({}) AS each WHERE faults > 0", each.join(" UNION ALL ")));
    assert!(faults.is_empty(), "{case}: {faults:?}");
}

/// The rows of a query, each as its values between commas.
fn rows(project: &Path, sql: &str) -> Vec<String> {
    let args: [&std::ffi::OsStr; 6] = [
        "query".as_ref(),
        sql.as_ref(),
        "--format".as_ref(),
        "csv".as_ref(),
        "--project".as_ref(),
        project.as_os_str(),
    ];
    run(args).ended(0).stdout.lines().skip(1).map(String::from).collect()
}

// Text.

fn cents_text(cents: i64) -> String {
    format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100)
}

/// Year, month and day (Hinnant, "chrono-compatible low-level date algorithms").
fn civil(day: Day) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted_month + 2) / 5 + 1)
}

fn date(day: Day) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

fn german(day: Day) -> String {
    let (year, month, day) = civil(day);
    format!("{day:02}.{month:02}.{year:04}")
}

/// Months counted from year 0.
fn month_of(day: Day) -> i64 {
    let (year, month, _) = civil(day);
    year * 12 + month - 1
}

fn month_text(month: i64) -> String {
    format!("{:04}-{:02}-01", month / 12, month % 12 + 1)
}
