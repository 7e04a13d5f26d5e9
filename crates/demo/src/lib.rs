//! The example company: two years of sales, calls and web visits, made from a seed.
//!
//! Customers buy as the BG/NBD model says (a gamma mixture of rates, a beta mixture of drop-out), spend by a log-normal,
//! buy most in November and December, and leave in the region `east` from October 2025. Prices rise by 4.5 % on
//! 2026-01-01. The same seed gives the same bytes. Everything is made from its own number, so that memory is 12 bytes
//! an order and 40 an account, whatever the size of the files.
//!
//! | file (below the project's folder `data`) | columns |
//! |---|---|
//! | `erp/customers-<date>.csv` | customer_id, name, email, phone, region, segment, created_on, updated_at |
//! | `erp/products-<date>.csv` | product_id, name, category, list_price, unit_cost, updated_at |
//! | `erp/orders-<date>.csv` | order_id, customer_id, order_time, status, channel, currency, updated_at |
//! | `erp/order-lines-<date>.csv` | order_id, line_no, product_id, quantity, unit_price, discount_percent, updated_at |
//! | `erp/receivables-<date>.csv` | invoice_id, order_id, customer_id, issued_on, due_on, paid_on, amount, updated_at |
//! | `erp/returns-<date>.csv` | return_id, order_id, line_no, quantity, returned_on, reason |
//! | `call-centre/calls-<date>.csv` | call_id, started_at, caller, customer_id, queue, wait_seconds, talk_seconds, agent_id, abandoned, satisfaction |
//! | `web/<month>/events-<month or date>.jsonl` | event_id, ts, visitor_id, type, user.email, props.{path, device, referrer, dwell_seconds, product_id} |
//!
//! Night one (`<date>` 2026-09-30) holds 2024-10-01 to 2026-09-30; night two (2026-10-01) the next day, corrections of
//! August, late orders and events, and a new column `sales_channel_detail` of orders. Each later night holds one more day,
//! late orders and events, and on Tuesdays corrections of the month before. An update of the ERP makes it export the orders
//! of 2026-10-04 with American dates, which the contract refuses; a day later it delivers that day again. Instants of the ERP are local
//! times of Europe/Berlin (`2026-09-30 14:05:09`), dates of receivables are German (`30.09.2026`), all others ISO and
//! UTC. Bad rows: dates that do not exist, `n/a` quantities, orders without customer or with half a line, negative
//! waits, truncated JSON.

mod calendar;
mod calls;
mod erp;
mod orders;
mod people;
mod products;
mod random;
#[cfg(test)]
mod tests;
mod web;
mod write;

use calendar::{AMERICAN_DATES, Calendar, DAYS, civil};
use jiff::civil::Date;
use people::{Account, Population, Purchase};
use perennial_core::error::Result;
use products::Assortment;
use rand::Rng;
use random::Chance;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use write::Rows;

pub use write::TableCounts;

/// The options of the company.
#[derive(Clone, Copy, Debug)]
pub struct DemoOptions {
    /// The same seed gives the same files.
    pub seed: u64,
    /// Accounts up to night one; everything else follows from them.
    pub customers: usize,
}

impl Default for DemoOptions {
    fn default() -> DemoOptions {
        DemoOptions { seed: 7, customers: 2000 }
    }
}

/// What was written for one night.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The day at whose end it was exported, as in the names of the files.
    pub date: String,
    /// The business date a run of this night describes.
    pub as_of: Date,
    /// Accounts so far.
    pub customers: usize,
    /// Those that are the second account of a person.
    pub second_accounts: usize,
    /// The rows of each table (`erp.orders`).
    pub tables: BTreeMap<&'static str, TableCounts>,
}

impl Summary {
    /// Rows of all files that violate their contract.
    pub fn bad_rows(&self) -> u64 {
        self.tables.values().map(|counts| counts.bad_rows).sum()
    }
}

/// Writes night one to a folder, usually `data` below the project: everything up to 2026-09-30.
pub fn generate(folder: &Path, options: &DemoOptions) -> Result<Summary> {
    let company = Company::new(*options, DAYS - 1)?;
    let mut export = Export::new(folder, &company, DAYS - 1)?;
    erp::write_all(&company, &mut export)?;
    calls::write_all(&company, &mut export)?;
    web::write_all(&company, &mut export)?;
    Ok(export.summary(&company))
}

/// Writes night two to the same folder: the next day, and its changes to the past.
pub fn generate_night_two(folder: &Path, options: &DemoOptions) -> Result<Summary> {
    Company::new(*options, DAYS)?.write_night(folder, DAYS)
}

/// Writes what arrives in night two and after it, `nights` in all with night one: `<folder>/<date>/data/...` holds the
/// files that have arrived when the night of that date begins. Whatever `nights` is, the files of a date are the same.
pub fn generate_arrivals(folder: &Path, options: &DemoOptions, nights: u16) -> Result<Vec<Summary>> {
    let last = DAYS - 2 + i32::from(nights);
    let company = Company::new(*options, last)?;
    let mut summaries = Vec::new();
    for day in DAYS..=last {
        let data = folder.join(civil(day + 1)?.to_string()).join("data");
        if day == AMERICAN_DATES + 1 {
            let mut again = Export::new(&data, &company, AMERICAN_DATES)?;
            again.american_dates = false;
            erp::write_changes(&company, &mut again)?;
        }
        summaries.push(company.write_night(&data, day)?);
    }
    Ok(summaries)
}

/// What is random about the company as a whole.
struct Company {
    chance: Chance,
    calendar: Calendar,
    assortment: Assortment,
    /// In the order of signing up.
    accounts: Vec<Account>,
    /// In the order of time.
    purchases: Vec<Purchase>,
    /// Where each day's purchases begin; one more entry for the end.
    days: Vec<usize>,
    /// People who answer calls.
    agents: u64,
}

impl Company {
    /// The company up to the end of a day.
    fn new(options: DemoOptions, last: i32) -> Result<Company> {
        let chance = Chance::new(options.seed);
        let calendar = Calendar::new(last)?;
        let assortment = Assortment::new(&chance)?;
        let population = Population::new(u32::try_from(options.customers).unwrap_or(u32::MAX / 4))?;
        let accounts: Vec<Account> =
            (0..population.accounts_until(last)).map(|index| population.account(index, &chance, &calendar)).collect();
        let mut purchases = Vec::new();
        for (index, account) in accounts.iter().enumerate() {
            account.purchases(index as u32, &chance, &calendar, &mut purchases);
        }
        purchases.sort_unstable();
        let days =
            (0..=last + 1).map(|day| purchases.partition_point(|purchase| i32::from(purchase.day) < day)).collect();
        let agents = 24 + u64::from(population.accounts_until(DAYS)) / 1000;
        Ok(Company { chance, calendar, assortment, accounts, purchases, days, agents })
    }

    /// The positions of the purchases of some days.
    fn purchases_of(&self, days: Range<i32>) -> Range<usize> {
        let place = |day: i32| self.days[(day.max(0) as usize).min(self.days.len() - 1)];
        place(days.start)..place(days.end)
    }

    /// An account that ordered not long before the end of a day.
    fn recent_buyer(&self, day: i32, rng: &mut impl Rng) -> u32 {
        let until = self.purchases_of(day..day + 1).end;
        match until {
            0 => 0,
            _ => self.purchases[rng.random_range(until * 3 / 5..until)].account,
        }
    }

    fn accounts_before(&self, day: i32) -> u32 {
        self.accounts.partition_point(|account| account.signed_up < day) as u32
    }

    /// Writes the files of a later night.
    fn write_night(&self, folder: &Path, day: i32) -> Result<Summary> {
        let mut export = Export::new(folder, self, day)?;
        erp::write_changes(self, &mut export)?;
        calls::write_changes(self, &mut export)?;
        web::write_changes(self, &mut export)?;
        Ok(export.summary(self))
    }
}

/// The files of one night.
struct Export {
    folder: PathBuf,
    date: String,
    as_of: Date,
    day: i32,
    /// Whether the ERP writes orders as it does by mistake on one day.
    american_dates: bool,
    tables: BTreeMap<&'static str, TableCounts>,
}

impl Export {
    fn new(folder: &Path, company: &Company, day: i32) -> Result<Export> {
        Ok(Export {
            folder: folder.to_path_buf(),
            date: String::from_utf8_lossy(company.calendar.iso(day)).into_owned(),
            as_of: civil(day + 1)?,
            day,
            american_dates: day == AMERICAN_DATES,
            tables: BTreeMap::new(),
        })
    }

    fn erp(&self, table: &str, header: &str) -> Result<Rows> {
        self.csv("erp", table, header)
    }

    fn csv(&self, source: &str, table: &str, header: &str) -> Result<Rows> {
        Rows::csv(&self.folder.join(source).join(format!("{table}-{}.csv", self.date)), header)
    }

    fn web(&self, month: &str, name: &str) -> Result<Rows> {
        Rows::lines(&self.folder.join("web").join(month).join(format!("events-{name}.jsonl")))
    }

    fn count(&mut self, table: &'static str, counts: TableCounts) {
        *self.tables.entry(table).or_default() += counts;
    }

    fn summary(self, company: &Company) -> Summary {
        let seen = company.accounts.iter().enumerate().filter(|(_, account)| account.signed_up <= self.day);
        Summary {
            customers: seen.clone().count(),
            second_accounts: seen.filter(|(index, account)| account.person as usize != *index).count(),
            date: self.date,
            as_of: self.as_of,
            tables: self.tables,
        }
    }
}
