//! The exports of the ERP: everything in night one, what is new or changed in each later one.

use super::calendar::{AUGUST, DAYS, NEXT_DAY, PRICE_RISE, civil, month_before};
use super::orders::{self, CHANNELS, DAYS_TO_INVOICE, Order, OrderDefect, REASONS};
use super::people::{FIRST_ACCOUNT, REGIONS, SEGMENTS};
use super::products::CATEGORIES;
use super::write::{Rows, push_number};
use super::{Company, Export};
use jiff::civil::Weekday;
use perennial_core::error::Result;
use std::collections::BTreeSet;
use std::ops::Range;

const CUSTOMERS: &str = "customer_id,name,email,phone,region,segment,created_on,updated_at";
const PRODUCTS: &str = "product_id,name,category,list_price,unit_cost,updated_at";
const ORDERS: &str = "order_id,customer_id,order_time,status,channel,currency,updated_at";
const LINES: &str = "order_id,line_no,product_id,quantity,unit_price,discount_percent,updated_at";
const RECEIVABLES: &str = "invoice_id,order_id,customer_id,issued_on,due_on,paid_on,amount,updated_at";
/// Days after which nothing follows from an order any more.
const FOLLOWED_DAYS: i32 = 90;
const RETURNS: &str = "return_id,order_id,line_no,quantity,returned_on,reason";

/// The files of one export that orders go to.
struct Files<'a> {
    company: &'a Company,
    /// The day at whose end the export is made.
    day: i32,
    american_dates: bool,
    orders: Rows,
    lines: Rows,
    receivables: Rows,
    returns: Rows,
}

/// Night one: all there is.
pub(crate) fn write_all(company: &Company, export: &mut Export) -> Result<()> {
    write_customers(company, export, 0..company.accounts_before(DAYS))?;
    write_products(company, export)?;
    let mut files = Files::new(company, export)?;
    for index in company.purchases_of(0..DAYS) {
        let order = orders::order(company, index);
        if order.exported < DAYS {
            files.whole(&order, order.updated)?;
        }
    }
    files.finish(export)
}

/// A later night: the orders of a day, what followed from earlier ones, and corrections of a closed month.
pub(crate) fn write_changes(company: &Company, export: &mut Export) -> Result<()> {
    let day = export.day;
    write_customers(company, export, company.accounts_before(day)..company.accounts_before(day + 1))?;
    let mut files = Files::new(company, export)?;
    let mut closed = BTreeSet::new();
    for earlier in (day - FOLLOWED_DAYS).max(NEXT_DAY)..day {
        closed.extend(corrections(company, earlier)?.into_iter().map(|(index, _)| index));
    }
    let corrected = corrections(company, day)?.into_iter().filter(|(index, _)| !closed.contains(index)).collect();
    closed.extend(files.correct(corrected)?);
    for index in company.purchases_of(day - FOLLOWED_DAYS..day).filter(|index| !closed.contains(index)) {
        let order = orders::order(company, index);
        match order.exported == day {
            true => files.late(&order)?,
            false => files.follow_up(&order)?,
        }
    }
    for index in company.purchases_of(day..day + 1) {
        let order = orders::order(company, index);
        if order.exported == day {
            files.whole(&order, order.updated)?;
        }
    }
    files.finish(export)
}

/// The orders of a closed month that turn out to be wrong on a day, with their places among the purchases: some of August
/// in night two, some of the month before on each Tuesday, when the books are closed.
fn corrections(company: &Company, day: i32) -> Result<Vec<(usize, Order)>> {
    let (month, share) = match day {
        NEXT_DAY => (AUGUST, 8),
        day if civil(day)?.weekday() == Weekday::Tuesday => (month_before(day)?, 4),
        _ => return Ok(Vec::new()),
    };
    let purchases = company.purchases_of(month);
    let step = (purchases.len() / share).clamp(1, 400);
    let first = (day - NEXT_DAY) as usize % step;
    let orders = purchases.skip(first).step_by(step).map(|index| (index, orders::order(company, index)));
    let sound = |order: &Order| !order.cancelled && order.defect.is_none() && !order.invoice.bad && !order.lines[0].bad;
    Ok(orders.filter(|(_, order)| sound(order) && order.exported.max(order.invoice.issued) < day).collect())
}

fn write_customers(company: &Company, export: &mut Export, accounts: Range<u32>) -> Result<()> {
    let mut rows = export.erp("customers", CUSTOMERS)?;
    if accounts.start > 0 {
        write_moved_customers(company, &mut rows, accounts.start, export.day)?;
    }
    for index in accounts {
        let signed_up = company.accounts[index as usize].signed_up;
        write_customer(company, &mut rows, index, None, (signed_up, 36_000 + index % 20_000))?;
    }
    export.count("erp.customers", rows.finish()?);
    Ok(())
}

/// A few customers have another phone since.
fn write_moved_customers(company: &Company, rows: &mut Rows, known: u32, day: i32) -> Result<()> {
    let step = (known / 6).max(1);
    // Others each night.
    let first = (step / 2 + (day - NEXT_DAY) as u32 * 37) % step;
    for index in (first..known).step_by(step as usize) {
        let phone = format!("+49 30 {}", 5_550_000 + index);
        write_customer(company, rows, index, Some(&phone), (day, 40_000))?;
        rows.counts.late_rows += 1;
    }
    Ok(())
}

fn write_customer(
    company: &Company,
    rows: &mut Rows,
    index: u32,
    phone: Option<&str>,
    updated: (i32, u32),
) -> Result<()> {
    let account = &company.accounts[index as usize];
    // An account speaks of its owner as the owner's first account does.
    let address = account.address(index, company.accounts[account.person as usize].segment);
    rows.number(FIRST_ACCOUNT + u64::from(index)).text(&address.name).text(&address.email);
    rows.text(phone.unwrap_or(&address.phone));
    rows.text(REGIONS[account.region as usize]).text(SEGMENTS[account.segment as usize]);
    rows.raw(company.calendar.iso(account.signed_up)).timestamp(&company.calendar, updated);
    rows.end(false)
}

fn write_products(company: &Company, export: &mut Export) -> Result<()> {
    let mut rows = export.erp("products", PRODUCTS)?;
    for (number, product) in company.assortment.products.iter().enumerate() {
        rows.code(b'P', number as u64 + 1, 4).text(&product.name).text(CATEGORIES[product.category].name);
        rows.cents(product.list_price_cents).cents(product.unit_cost_cents);
        rows.timestamp(&company.calendar, (PRICE_RISE, 0));
        rows.end(false)?;
    }
    export.count("erp.products", rows.finish()?);
    Ok(())
}

/// `7.5` of 750 hundredths.
fn discount_text(hundredths: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(5);
    push_number(&mut text, hundredths / 100, 1);
    if !hundredths.is_multiple_of(100) {
        text.push(b'.');
        push_number(&mut text, hundredths % 100, 2);
        if hundredths.is_multiple_of(10) {
            text.pop();
        }
    }
    text
}

impl Files<'_> {
    fn new<'a>(company: &'a Company, export: &Export) -> Result<Files<'a>> {
        let detail = if export.day < NEXT_DAY { "" } else { ",sales_channel_detail" };
        Ok(Files {
            company,
            day: export.day,
            american_dates: export.american_dates,
            orders: export.erp("orders", &format!("{ORDERS}{detail}"))?,
            lines: export.erp("order-lines", LINES)?,
            receivables: export.erp("receivables", RECEIVABLES)?,
            returns: export.erp("returns", RETURNS)?,
        })
    }

    fn finish(self, export: &mut Export) -> Result<()> {
        let named = [
            ("erp.orders", self.orders),
            ("erp.order_lines", self.lines),
            ("erp.receivables", self.receivables),
            ("erp.returns", self.returns),
        ];
        for (name, rows) in named {
            export.count(name, rows.finish()?);
        }
        Ok(())
    }

    fn order(&mut self, order: &Order, updated: (i32, u32)) -> Result<()> {
        let calendar = &self.company.calendar;
        let rows = &mut self.orders;
        rows.code(b'A', order.number, 7);
        match order.defect {
            Some(OrderDefect::Customer) => rows.raw(b""),
            _ => rows.number(FIRST_ACCOUNT + u64::from(order.account)),
        };
        match order.defect {
            Some(OrderDefect::Date) => rows.raw(b"2026-13-45 10:00:00"),
            _ if self.american_dates => rows.american_timestamp(calendar, (order.day, order.second)),
            _ => rows.timestamp(calendar, (order.day, order.second)),
        };
        rows.text(order.status(self.day));
        if let Some(OrderDefect::Ragged) = order.defect {
            return rows.end_bad();
        }
        rows.text(CHANNELS[order.channel]).raw(b"EUR");
        match self.american_dates {
            true => rows.american_timestamp(calendar, updated),
            false => rows.timestamp(calendar, updated),
        };
        if self.day >= NEXT_DAY {
            let details =
                [["counter", "kiosk"], ["call centre", "sales desk"], ["app", "browser"], ["reseller", "edi"]];
            rows.text(details[order.channel][order.number as usize % 2]);
        }
        match order.defect.is_some() || self.american_dates {
            true => rows.end_bad(),
            false => rows.end(order.repeated),
        }
    }

    fn line(&mut self, order: &Order, number: usize, updated: (i32, u32)) -> Result<()> {
        let line = &order.lines[number];
        let rows = &mut self.lines;
        rows.code(b'A', order.number, 7).number(number as u64 + 1).code(b'P', line.product as u64 + 1, 4);
        match line.bad {
            true => rows.raw(b"n/a"),
            false => rows.number(line.quantity),
        };
        rows.cents(line.price_cents).raw(&discount_text(line.discount)).timestamp(&self.company.calendar, updated);
        match line.bad {
            true => rows.end_bad(),
            false => rows.end(line.repeated),
        }
    }

    fn invoice(&mut self, order: &Order, amount_cents: u64, updated: (i32, u32)) -> Result<()> {
        let calendar = &self.company.calendar;
        let invoice = &order.invoice;
        let paid = invoice.paid <= self.day;
        let rows = &mut self.receivables;
        rows.code(b'R', order.number, 7).code(b'A', order.number, 7).number(FIRST_ACCOUNT + u64::from(order.account));
        match invoice.bad {
            true => rows.raw(b"31.02.2026"),
            false => rows.raw(calendar.german(invoice.issued)),
        };
        rows.raw(calendar.german(invoice.due));
        rows.raw(if paid { calendar.german(invoice.paid) } else { b"" });
        let changed = if paid { (invoice.paid, 64_800).max(updated) } else { updated };
        rows.cents(amount_cents).timestamp(calendar, changed);
        match invoice.bad {
            true => rows.end_bad(),
            false => rows.end(false),
        }
    }

    /// Lines that came back on some days.
    fn returned(&mut self, order: &Order, days: Range<i32>) -> Result<()> {
        for (number, line) in order.lines.iter().enumerate() {
            let Some(back) = line.returned.as_ref().filter(|back| days.contains(&back.day) && !order.cancelled) else {
                continue;
            };
            let rows = &mut self.returns;
            rows.code(b'T', order.number * 100 + number as u64 + 1, 9);
            rows.code(b'A', order.number, 7).number(number as u64 + 1).number(back.quantity);
            rows.raw(self.company.calendar.iso(back.day)).text(REASONS[back.reason]);
            rows.end(false)?;
        }
        Ok(())
    }

    /// An order that is exported for the first time, with everything that belongs to it.
    fn whole(&mut self, order: &Order, updated: (i32, u32)) -> Result<()> {
        self.order(order, updated)?;
        for number in 0..order.lines.len() {
            self.line(order, number, updated)?;
        }
        if order.invoice.issued <= self.day && !order.cancelled {
            self.invoice(order, order.net_cents(), (order.invoice.issued, 64_800))?;
        }
        self.returned(order, 0..self.day + 1)
    }

    /// Half of some orders turn out to be cancelled, the other half to have another quantity. Gives their places.
    fn correct(&mut self, orders: Vec<(usize, Order)>) -> Result<Vec<usize>> {
        let mut places = Vec::new();
        for (number, (place, mut order)) in (0_u32..).zip(orders) {
            let now = (self.day, 30_000 + number % 20_000);
            order.repeated = false;
            order.lines[0].repeated = false;
            order.cancelled = number.is_multiple_of(2);
            if order.cancelled {
                self.order(&order, now)?;
                self.orders.counts.late_rows += 1;
                self.invoice(&order, 0, now)?;
            } else {
                order.lines[0].quantity = order.lines[0].quantity * 2 + 1;
                self.line(&order, 0, now)?;
                self.lines.counts.late_rows += 1;
                self.invoice(&order, order.net_cents(), now)?;
            }
            self.receivables.counts.late_rows += 1;
            places.push(place);
        }
        Ok(places)
    }

    /// An order of an earlier day that nobody had entered.
    fn late(&mut self, order: &Order) -> Result<()> {
        let before = self.orders.counts.rows;
        self.whole(order, (self.day, 28_800))?;
        self.orders.counts.late_rows += self.orders.counts.rows - before;
        self.lines.counts.late_rows += order.lines.len() as u64;
        Ok(())
    }

    /// What the day brought to an earlier order: an invoice, a payment, a return, its final status.
    fn follow_up(&mut self, order: &Order) -> Result<()> {
        self.returned(order, self.day..self.day + 1)?;
        if order.cancelled || order.defect.is_some() {
            return Ok(());
        }
        if order.day + DAYS_TO_INVOICE == self.day {
            self.order(order, (self.day, 21_600))?;
            self.orders.counts.late_rows += 1;
        }
        let invoice = &order.invoice;
        if !invoice.bad && (invoice.issued == self.day || (invoice.paid == self.day && invoice.issued < self.day)) {
            self.invoice(order, order.net_cents(), (self.day, 64_800))?;
            self.receivables.counts.late_rows += u64::from(invoice.issued < self.day);
        }
        Ok(())
    }
}
