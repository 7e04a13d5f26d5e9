//! One order in full, made from its number alone.

use super::Company;
use super::calendar::{AUGUST, DAYS, NEXT_DAY};
use super::people::{Account, Purchase};
use super::products::CATEGORIES;
use super::random::{Of, count, pick};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};

pub(crate) const CHANNELS: [&str; 4] = ["shop", "phone", "web", "partner"];
pub(crate) const REASONS: [&str; 5] = ["damaged", "wrong_item", "not_needed", "late_delivery", "other"];
/// Rows that break the contract, as a share.
pub(crate) const BAD_SHARE: f64 = 0.001;
/// Rows that are written twice, as a share.
pub(crate) const REPEATED_SHARE: f64 = 0.0015;
/// Until an order of the ERP is invoiced.
pub(crate) const DAYS_TO_INVOICE: i32 = 7;

/// An order with its lines, its invoice and what came back.
pub(crate) struct Order {
    pub number: u64,
    pub account: u32,
    pub day: i32,
    pub second: u32,
    pub channel: usize,
    pub cancelled: bool,
    pub updated: (i32, u32),
    pub lines: Vec<Line>,
    pub invoice: Invoice,
    pub defect: Option<OrderDefect>,
    pub repeated: bool,
    /// The day at whose end it is exported; later than its own when somebody was slow to enter it.
    pub exported: i32,
}

/// What can be wrong with the row of an order.
#[derive(Clone, Copy)]
pub(crate) enum OrderDefect {
    /// A day that is in no calendar.
    Date,
    /// No customer.
    Customer,
    /// The line ends in its middle.
    Ragged,
}

pub(crate) struct Line {
    pub product: usize,
    pub quantity: u64,
    pub price_cents: u64,
    /// In hundredths of a per cent.
    pub discount: u64,
    pub returned: Option<Return>,
    pub bad: bool,
    pub repeated: bool,
}

pub(crate) struct Return {
    pub day: i32,
    pub quantity: u64,
    pub reason: usize,
}

pub(crate) struct Invoice {
    pub issued: i32,
    pub due: i32,
    /// Far behind the history when it is never paid.
    pub paid: i32,
    pub bad: bool,
}

impl Line {
    /// Net amount in cents, half a cent rounded up.
    pub(crate) fn net_cents(&self) -> u64 {
        (self.quantity * self.price_cents * (10_000 - self.discount) + 5_000) / 10_000
    }
}

impl Order {
    /// Net amount in cents.
    pub(crate) fn net_cents(&self) -> u64 {
        self.lines.iter().map(Line::net_cents).sum()
    }

    /// The status as the ERP shows it at the end of a day.
    pub(crate) fn status(&self, day: i32) -> &'static str {
        match self.cancelled {
            true => "cancelled",
            false if self.day + DAYS_TO_INVOICE > day => "shipped",
            false => "invoiced",
        }
    }
}

/// Makes the order that stands at an index of the company's purchases.
pub(crate) fn order(company: &Company, index: usize) -> Order {
    let Purchase { day, second, account: index_of_account } = company.purchases[index];
    let day = i32::from(day);
    let account = &company.accounts[index_of_account as usize];
    let mut rng = company.chance.of(Of::Order, index as u64);
    let weights = [[0.40, 0.10, 0.50, 0.0], [0.15, 0.30, 0.45, 0.10], [0.0, 0.35, 0.25, 0.40], [0.0, 0.6, 0.3, 0.1]];
    let channel = pick(&mut rng, &weights[account.segment as usize]);
    let cancelled = rng.random::<f64>() < 0.02;
    let count = 1 + count(&mut rng, 1.9).min(11);
    let lines = (0..count).map(|_| line(company, account, day, &mut rng)).collect();
    Order {
        number: index as u64 + 1,
        account: index_of_account,
        day,
        second,
        channel,
        cancelled,
        updated: updated(day, second, &mut rng),
        lines,
        invoice: invoice(account, day, &mut rng),
        defect: defect(&mut rng),
        repeated: rng.random::<f64>() < REPEATED_SHARE,
        exported: exported(day, &mut rng),
    }
}

/// Some orders of the last days of night one are entered so late that night two brings them, and a few of August; later
/// on some are a day late.
fn exported(day: i32, rng: &mut ChaCha8Rng) -> i32 {
    let (share, then) = match day {
        day if (DAYS - 3..DAYS).contains(&day) => (0.06, NEXT_DAY),
        day if AUGUST.contains(&day) => (0.005, NEXT_DAY),
        day if day > NEXT_DAY => (0.04, day + 1),
        day => (0.0, day),
    };
    if rng.random::<f64>() < share { then } else { day }
}

/// The last change: some minutes or days later, never after its export.
fn updated(day: i32, second: u32, rng: &mut ChaCha8Rng) -> (i32, u32) {
    let later = if rng.random::<f64>() < 0.7 { day } else { day + rng.random_range(1..5) };
    let last = day.max(DAYS - 1);
    match later > day && later <= last {
        true => (later, rng.random_range(7 * 3600..19 * 3600)),
        false => (day, (second + rng.random_range(60..7200)).min(86_399)),
    }
}

fn defect(rng: &mut ChaCha8Rng) -> Option<OrderDefect> {
    let defects = [OrderDefect::Date, OrderDefect::Customer, OrderDefect::Ragged];
    let kind = rng.random_range(0..defects.len());
    (rng.random::<f64>() < BAD_SHARE).then_some(defects[kind])
}

fn line(company: &Company, account: &Account, day: i32, rng: &mut ChaCha8Rng) -> Line {
    let product = company.assortment.draw(rng);
    let article = &company.assortment.products[product];
    let appetite: f64 = rng.sample(Exp1);
    let machine = if article.category == 3 { 0.15 } else { 1.0 };
    let quantity = 1 + (appetite * f64::from(account.spending) * machine * 1.2) as u64;
    let discount = discount(company, account, day, rng);
    let returned = returned(account, article.category, day, quantity, rng);
    let bad = rng.random::<f64>() < BAD_SHARE;
    let repeated = rng.random::<f64>() < REPEATED_SHARE;
    Line { product, quantity, price_cents: article.price_on(day), discount, returned, bad, repeated }
}

/// Large customers have terms; everybody has a share in the sales of November and December.
fn discount(company: &Company, account: &Account, day: i32, rng: &mut ChaCha8Rng) -> u64 {
    let terms = [0, 300, 1250, 750][account.segment as usize];
    let winter = matches!(&company.calendar.iso(day)[5..7], b"11" | b"12");
    let chance = if winter { 0.35 } else { 0.12 };
    let promotion = [500, 1000, 1500][rng.random_range(0..3)];
    let promoted = rng.random::<f64>() < chance;
    // Some large customers have bargained for more than they are worth.
    let bargain = if account.segment == 2 && account.person.is_multiple_of(4) { 3500 } else { 0 };
    terms + bargain + if promoted { promotion } else { 0 }
}

fn returned(account: &Account, category: usize, day: i32, quantity: u64, rng: &mut ChaCha8Rng) -> Option<Return> {
    let chance = CATEGORIES[category].returns_per_mille / 1000.0 * f64::from(account.returning);
    let part = rng.random_range(1..=quantity);
    let whole = rng.random::<f64>() < 0.6;
    let later = rng.random_range(4..26);
    let reason = rng.random_range(0..REASONS.len());
    let happens = rng.random::<f64>() < chance;
    happens.then(|| Return { day: day + later, quantity: if whole { quantity } else { part }, reason })
}

fn invoice(account: &Account, day: i32, rng: &mut ChaCha8Rng) -> Invoice {
    let issued = day + rng.random_range(0..3);
    let due = issued + if account.segment == 0 { 14 } else { 30 };
    let habit: f64 = StandardNormal.sample(rng);
    let slow = if rng.random::<f64>() < 0.05 { 40.0 } else { 0.0 };
    let never = rng.random::<f64>() < 0.012;
    let paid = (f64::from(due) - 3.0 + 7.0 * habit + slow) as i32;
    let bad = rng.random::<f64>() < BAD_SHARE / 2.0;
    Invoice { issued, due, paid: if never { i32::MAX } else { paid.max(issued) }, bad }
}
