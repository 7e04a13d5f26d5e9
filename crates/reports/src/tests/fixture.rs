//! A small company for tests: customers who come, buy and stay away by a fixed stream of numbers, and the rows that the
//! marts would have of them, worked out here anew.

use super::worth;
use crate::decimal::Decimal;
use jiff::civil::Date;
use minijinja::value::Value;
use perennial_core::error::Problems;
use perennial_project::{Language, LoadOptions, Project};
use std::collections::BTreeMap;

/// Purchases in cents by customer and month; months are counted from the first.
pub struct Company {
    pub months: usize,
    pub purchases: Vec<BTreeMap<usize, (i128, i64)>>,
}

impl Company {
    /// `months` months of `customers` customers.
    pub fn new(months: usize, customers: usize) -> Company {
        let mut state = 42u64;
        let mut next = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut purchases = Vec::new();
        for i in 0..customers {
            let first = (next(months as u64 + 6) as usize).saturating_sub(6);
            let loyalty = if i % 9 == 0 { 85 } else { 12 + next(34) };
            let basket = if i % 17 == 0 { 180_000 + next(900_000) } else { 4_000 + next(40_000) };
            let mut own = BTreeMap::new();
            for month in first..months {
                let season = if month % 12 >= 8 { 12 } else { 0 };
                if month == first || next(100) < loyalty + season {
                    own.insert(month, (i128::from(basket / 2 + next(basket)), 1 + next(3) as i64));
                }
            }
            purchases.push(own);
        }
        Company { months, purchases }
    }

    fn last(&self) -> usize {
        self.months - 1
    }

    fn window(&self, customer: usize, end: usize) -> Option<i128> {
        let from = end.saturating_sub(12);
        let sum: Vec<i128> = self.purchases[customer].range(from..end).map(|(_, (cents, _))| *cents).collect();
        if sum.is_empty() { None } else { Some(sum.iter().sum()) }
    }

    fn tiers(&self, end: usize) -> BTreeMap<usize, (&'static str, i128)> {
        let mut all: Vec<(usize, i128)> =
            (0..self.purchases.len()).filter_map(|c| self.window(c, end).map(|v| (c, v))).collect();
        all.sort_by_key(|(c, v)| (-v, *c));
        let total: i128 = all.iter().map(|(_, v)| v).sum();
        let mut before = 0;
        all.into_iter()
            .map(|(c, v)| {
                let tier = match before * 100 {
                    b if b < total * 80 => "key",
                    b if b < total * 95 => "ordinary",
                    _ => "small",
                };
                before += v;
                (c, (tier, v))
            })
            .collect()
    }

    /// The rows of the management review's queries, for the last month.
    pub fn rows(&self, first: Date, margin: bool, open: bool) -> Vec<(String, Value)> {
        vec![
            ("months".into(), self.month_rows(first, margin, open)),
            ("history".into(), Value::from(vec![row([("months", Value::from(self.months))])])),
            ("bridge_rows".into(), self.bridge_rows()),
            ("tiers".into(), self.tier_rows(self.months)),
            ("tiers_before".into(), self.tier_rows(self.last())),
            ("cohorts".into(), self.cohort_rows(first, open)),
            ("moves".into(), self.move_rows()),
            ("left_key".into(), self.left_rows()),
            ("top".into(), self.top_rows()),
            ("worth".into(), worth::values(margin, self.months > 1)),
            ("worth_check".into(), worth::check(self.months > 1)),
            ("worth_bins".into(), worth::bins(self.months > 1)),
            ("silent".into(), worth::silent(self.months > 1)),
        ]
    }

    fn month_rows(&self, first: Date, margin: bool, open: bool) -> Value {
        let from = self.last().saturating_sub(13);
        let rows = (from..self.months).map(|month| {
            let bought: Vec<&(i128, i64)> = self.purchases.iter().filter_map(|p| p.get(&month)).collect();
            let revenue: i128 = bought.iter().map(|b| b.0).sum();
            let orders: i64 = bought.iter().map(|b| b.1).sum();
            let new = self.purchases.iter().filter(|p| p.keys().next() == Some(&month)).count();
            let active = bought.len();
            row([
                ("period", Value::from(month_of(first, month).to_string())),
                ("period_status", Value::from(if open && month == self.last() { "open" } else { "closed" })),
                ("revenue", money(revenue)),
                ("margin", if margin { money(revenue * 31 / 100) } else { Value::from(()) }),
                ("orders", Value::from(orders)),
                ("average_order_value", money(revenue / i128::from(orders.max(1)))),
                ("buying_customers", Value::from(active)),
                ("new_customers", Value::from(new)),
                ("returning_share", Value::from((active - new) as f64 / active.max(1) as f64)),
            ])
        });
        Value::from(rows.collect::<Vec<_>>())
    }

    fn bridge_rows(&self) -> Value {
        let (last, mut parts) = (self.last(), BTreeMap::<&str, (i128, i64)>::new());
        let mut add = |effect: &'static str, amount: i128| {
            let part = parts.entry(effect).or_default();
            *part = (part.0 + amount, part.1 + 1);
        };
        for own in &self.purchases {
            let now = own.get(&last).map(|p| p.0);
            let before = last.checked_sub(1).and_then(|m| own.get(&m)).map(|p| p.0);
            if let Some(before) = before {
                add("start", before);
            }
            if let Some(now) = now {
                add("end", now);
            }
            match (before, now) {
                (None, Some(now)) if own.keys().next() == Some(&last) => add("new", now),
                (None, Some(now)) => add("reactivated", now),
                (Some(before), Some(now)) if now > before => add("expansion", now - before),
                (Some(before), Some(now)) if now < before => add("contraction", now - before),
                (Some(before), None) => add("lost", -before),
                _ => {}
            }
        }
        let effects = ["start", "new", "reactivated", "expansion", "contraction", "lost", "end"];
        let rows = effects.iter().map(|effect| {
            let (amount, customers) = parts.get(effect).copied().unwrap_or_default();
            row([("effect", Value::from(*effect)), ("amount", money(amount)), ("customers", Value::from(customers))])
        });
        Value::from(rows.collect::<Vec<_>>())
    }

    fn tier_rows(&self, end: usize) -> Value {
        let mut sums: BTreeMap<&str, (i64, i128)> = BTreeMap::new();
        for (tier, value) in self.tiers(end).values() {
            let sum = sums.entry(tier).or_default();
            *sum = (sum.0 + 1, sum.1 + value);
        }
        let rows = sums.iter().map(|(tier, (customers, value))| {
            row([("tier", Value::from(*tier)), ("customers", Value::from(*customers)), ("value", money(*value))])
        });
        Value::from(rows.collect::<Vec<_>>())
    }

    fn cohort_rows(&self, first: Date, open: bool) -> Value {
        let mut rows = Vec::new();
        for cohort in self.last().saturating_sub(12)..self.months {
            let members: Vec<_> = self.purchases.iter().filter(|p| p.keys().next() == Some(&cohort)).collect();
            for months in 0..self.months - cohort {
                let kept = members.iter().filter(|p| p.contains_key(&(cohort + months))).count();
                let is_open = open && cohort + months == self.last();
                rows.push(row([
                    ("cohort", Value::from(month_of(first, cohort).to_string())),
                    ("months_since", Value::from(months)),
                    ("cohort_customers", Value::from(members.len())),
                    ("retained_customers", Value::from(kept)),
                    ("period_status", Value::from(if is_open { "open" } else { "closed" })),
                ]));
            }
        }
        Value::from(rows)
    }

    fn state(
        &self,
        customer: usize,
        end: usize,
        tiers: &BTreeMap<usize, (&'static str, i128)>,
    ) -> (&'static str, i128) {
        tiers.get(&customer).copied().unwrap_or_else(|| {
            let known = self.purchases[customer].keys().next().is_some_and(|first| *first < end);
            (if known { "inactive" } else { "not_yet" }, 0)
        })
    }

    fn move_rows(&self) -> Value {
        if self.months < 2 {
            return Value::from(Vec::<Value>::new());
        }
        let (before, after) = (self.tiers(self.last()), self.tiers(self.months));
        let mut cells: BTreeMap<(&str, &str), (i64, i128)> = BTreeMap::new();
        for customer in 0..self.purchases.len() {
            let (from, old) = self.state(customer, self.last(), &before);
            let (to, new) = self.state(customer, self.months, &after);
            if to != "not_yet" {
                let cell = cells.entry((from, to)).or_default();
                *cell = (cell.0 + 1, cell.1 + new - old);
            }
        }
        let rows = cells.iter().map(|((from, to), (customers, value))| {
            row([
                ("from_tier", Value::from(*from)),
                ("to_tier", Value::from(*to)),
                ("customers", Value::from(*customers)),
                ("value_change", money(*value)),
            ])
        });
        Value::from(rows.collect::<Vec<_>>())
    }

    fn left_rows(&self) -> Value {
        if self.months < 2 {
            return Value::from(Vec::<Value>::new());
        }
        let (before, after) = (self.tiers(self.last()), self.tiers(self.months));
        let mut left: Vec<(i128, usize)> = before
            .iter()
            .filter(|(c, (tier, _))| *tier == "key" && after.get(c).is_none_or(|a| a.0 != "key"))
            .map(|(c, (_, value))| (value - after.get(c).map_or(0, |a| a.1), *c))
            .filter(|(stake, _)| *stake > 0)
            .collect();
        left.sort_by_key(|(stake, c)| (-stake, *c));
        let rows = left.iter().map(|(stake, c)| {
            let value = before[c].1;
            row([
                ("customer", Value::from(name(*c))),
                ("value_before", money(value)),
                ("value_now", money(value - stake)),
                ("at_stake", money(*stake)),
                ("tier_now", Value::from(after.get(c).map_or("inactive", |a| a.0))),
                ("last_ordered_on", Value::from("2026-06-17")),
            ])
        });
        Value::from(rows.collect::<Vec<_>>())
    }

    fn top_rows(&self) -> Value {
        let last = self.last();
        let mut all: Vec<(i128, usize)> =
            self.purchases.iter().enumerate().filter_map(|(c, p)| p.get(&last).map(|p| (p.0, c))).collect();
        all.sort_by_key(|(revenue, c)| (-revenue, *c));
        let rows = all.iter().take(10).map(|(revenue, c)| {
            let before = last.checked_sub(1).and_then(|m| self.purchases[*c].get(&m)).map_or(0, |p| p.0);
            row([
                ("customer", Value::from(name(*c))),
                ("revenue", money(*revenue)),
                ("orders", Value::from(self.purchases[*c][&last].1)),
                ("change", money(revenue - before)),
            ])
        });
        Value::from(rows.collect::<Vec<_>>())
    }
}

/// Names with everything that could break a page, one of 120 letters without a gap.
pub fn name(customer: usize) -> String {
    if customer % 9 == 6 {
        return format!("{}{customer}", "Unbroken".repeat(15));
    }
    const NAMES: [&str; 8] = [
        "Northwind Outfitters GmbH",
        "A & B *Trading* <Ltd> \"quoted\"",
        "上海明德贸易有限公司",
        "Œuvre #1 [Paris] $x$ \\ `code`",
        "Smith_and_Sons @ 50 %",
        "臺北禮品行",
        "Zażółć gęślą Sp. z o.o.",
        "O'Brien – Dublin",
    ];
    format!("{} {}", NAMES[customer % NAMES.len()], customer)
}

/// A row by columns.
pub fn row<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::from_pairs(pairs)
}

/// An amount from its cents.
pub fn money(cents: i128) -> Value {
    Value::from_object(Decimal::new(cents, 2))
}

/// The first day of a month counted from another.
pub fn month_of(first: Date, months: usize) -> Date {
    first.checked_add(jiff::Span::new().months(months as i64)).unwrap()
}

/// A project with the shipped report templates and nothing else.
pub fn project(currency: &str) -> Project {
    load(&[], currency)
}

/// The same with files of its own.
pub fn load(files: &[(&str, &str)], currency: &str) -> Project {
    draft(files, currency).unwrap_or_else(|problems| panic!("{}", perennial_core::error::render_all(&problems, false)))
}

/// The same, or what is wrong with it.
pub fn draft(files: &[(&str, &str)], currency: &str) -> Result<Project, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "name: Verdant & Söhne\nlake: lake\ntime_zone: Europe/Berlin\ncurrency: {currency}\nas_of: 2026-10-01\n\
         languages: [en, zh-CN, zh-TW]\nshipped: [\"report-templates/**\"]\n"
    );
    let mut all = vec![("perennial.yml", settings.as_str())];
    all.extend(files);
    for (path, text) in all {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Project::load(folder.path(), &LoadOptions { vars: None, env: &|_| None })
}

/// The languages that ship, in the order of the list.
pub fn languages() -> Vec<Language> {
    ["en", "zh-CN", "zh-TW"].into_iter().map(language).collect()
}

/// The language of a tag.
pub fn language(tag: &str) -> Language {
    Language::from_tag(tag).unwrap()
}
