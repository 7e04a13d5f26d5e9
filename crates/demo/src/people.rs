//! Who buys, how often and for how long: gamma-mixed buying, beta-mixed drop-out, skewed spending.

use super::calendar::{Calendar, DAYS, NEXT_DAY};
use super::random::{Chance, Of, pick, valid};
use perennial_core::error::Result;
use rand::Rng;
use rand_distr::{Beta, Distribution, Exp1, Gamma, LogNormal};

/// The number of the first account.
pub(crate) const FIRST_ACCOUNT: u64 = 10_001;
pub(crate) const REGIONS: [&str; 4] = ["north", "south", "east", "west"];
pub(crate) const SEGMENTS: [&str; 4] = ["retail", "business", "enterprise", "public"];
/// The region whose customers turn away, in [`REGIONS`].
const DECLINING: u8 = 2;
/// From this day on: 2025-10-01.
const DECLINE_BEGINS: i32 = 365;
const REGION_SHARES: [f64; 4] = [0.28, 0.26, 0.22, 0.24];
const SEGMENT_SHARES: [f64; 4] = [0.72, 0.22, 0.03, 0.03];
/// Accounts that are older than the history, as a share of all.
const SHARE_BEFORE: f64 = 0.22;
/// Of accounts, those that belong to somebody who has one already.
const SHARE_SECOND: f64 = 0.02;

const FIRST_NAMES: [&str; 24] = [
    "Anna", "Jürgen", "Li", "Marta", "Peter", "Sofia", "Ömer", "Claire", "Tomasz", "Eva", "Jonas", "Mei", "Paul",
    "Ines", "Lars", "Renée", "David", "Hanna", "Felix", "Nora", "Emil", "Zoë", "Karl", "Alma",
];
const LAST_NAMES: [&str; 32] = [
    "Schmidt", "Müller", "Weber", "Nowak", "Rossi", "Larsen", "Kaya", "Dubois", "Becker", "Hoffmann", "Wang", "Krüger",
    "Vogel", "Fischer", "Jansen", "Horvat", "Lindner", "Sommer", "Brandt", "Keller", "Peters", "Albrecht", "Maier",
    "Busch", "Costa", "Engel", "Haas", "Kunz", "Otto", "Seidel", "Thiele", "Zimmer",
];
const FIRMS: [&str; 8] = [
    "Café {}",
    "{} & Sons",
    "Hotel {}, Berlin",
    "{} GmbH",
    "Bakery {}",
    "{} Office Supply",
    "Restaurant \"{}\"",
    "{} AG",
];

/// What is known of an account at all times; names are made when they are written.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    pub signed_up: i32,
    /// The first order's day, for accounts older than the history.
    first_order: i32,
    pub region: u8,
    pub segment: u8,
    /// The account whose owner this one's owner is, as an index; itself for nearly all.
    pub person: u32,
    /// How much is bought at a time, 1 being usual.
    pub spending: f32,
    /// Orders a day of ordinary business.
    rate: f32,
    /// The chance that an order was the last.
    drop_out: f32,
    /// How readily lines are sent back, 1 being usual.
    pub returning: f32,
}

/// The names and addresses of an account.
pub(crate) struct Address {
    pub name: String,
    pub email: String,
    pub phone: String,
}

/// An order's time and buyer; all orders of the company are kept in this form, sorted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Purchase {
    pub day: u16,
    pub second: u32,
    pub account: u32,
}

/// Draws accounts.
pub(crate) struct Population {
    rate: Gamma<f64>,
    drop_out: Beta<f64>,
    spending: LogNormal<f64>,
    /// Accounts that night one has seen.
    accounts: u32,
}

impl Population {
    pub(crate) fn new(accounts: u32) -> Result<Population> {
        Ok(Population {
            rate: valid(Gamma::new(0.85, 1.0 / 34.0))?,
            drop_out: valid(Beta::new(0.75, 5.5))?,
            spending: valid(LogNormal::new(0.0, 0.75))?,
            accounts,
        })
    }

    /// Accounts at the end of a day behind the history.
    pub(crate) fn accounts_until(&self, day: i32) -> u32 {
        self.accounts + self.new_in_a_day() * (day - DAYS + 1).max(0) as u32
    }

    fn new_in_a_day(&self) -> u32 {
        self.accounts / 500 + 2
    }

    /// One account. Numbers follow the day of signing up.
    pub(crate) fn account(&self, index: u32, chance: &Chance, calendar: &Calendar) -> Account {
        let mut rng = chance.of(Of::Customer, u64::from(index));
        let segment = pick(&mut rng, &SEGMENT_SHARES) as u8;
        let region = pick(&mut rng, &REGION_SHARES) as u8;
        let (signed_up, first_order) = self.sign_up(index, &mut rng, calendar);
        let second_account = rng.random::<f64>() < SHARE_SECOND && index > 20;
        let person = if second_account { rng.random_range(0..index) } else { index };
        let (size, pace, loyalty) =
            [(1.0, 1.0, 1.0), (3.2, 1.3, 0.7), (16.0, 1.8, 0.45), (4.5, 0.9, 0.5)][segment as usize];
        Account {
            signed_up,
            first_order,
            region,
            segment,
            person,
            spending: (self.spending.sample(&mut rng) * size) as f32,
            rate: (self.rate.sample(&mut rng) * pace) as f32,
            drop_out: (self.drop_out.sample(&mut rng) * loyalty) as f32,
            returning: if rng.random::<f64>() < 0.04 { 6.0 } else { 0.8 },
        }
    }

    /// Days of signing up and of the first order. New accounts become slowly more frequent.
    fn sign_up(&self, index: u32, rng: &mut impl Rng, calendar: &Calendar) -> (i32, i32) {
        if let Some(new) = index.checked_sub(self.accounts) {
            let day = NEXT_DAY + (new / self.new_in_a_day()) as i32;
            return (day, day);
        }
        let share = (f64::from(index) + rng.random::<f64>()) / f64::from(self.accounts);
        if share < SHARE_BEFORE {
            let age = 2000.0 * (1.0 - share / SHARE_BEFORE).powf(1.5) + 1.0;
            let busy_time = 75.0 * rng.random::<f64>().powf(1.3);
            return (-(age as i32), calendar.day_at(busy_time).unwrap_or(0));
        }
        let since = (share - SHARE_BEFORE) / (1.0 - SHARE_BEFORE);
        let day = calendar.day_at(f64::from(DAYS) * since.powf(0.9)).unwrap_or(DAYS - 1).min(DAYS - 1);
        (day, day)
    }
}

impl Account {
    /// Appends the times of all orders up to the last day of the calendar.
    pub(crate) fn purchases(&self, index: u32, chance: &Chance, calendar: &Calendar, all: &mut Vec<Purchase>) {
        let mut rng = chance.of(Of::Purchases, u64::from(index));
        let mut busy_time = calendar.busy_time(self.first_order) + 1e-6;
        while let Some(day) = calendar.day_at(busy_time) {
            if rng.random::<f64>() < self.staying(day) {
                let second = 8 * 3600 + ((rng.random::<f64>() + rng.random::<f64>()) * 6.0 * 3600.0) as u32;
                all.push(Purchase { day: day as u16, second, account: index });
            }
            if rng.random::<f64>() < f64::from(self.drop_out) {
                break;
            }
            let wait: f64 = rng.sample(Exp1);
            busy_time += wait / f64::from(self.rate).max(1e-5);
        }
    }

    /// The share of their orders that customers of a declining region still place here.
    fn staying(&self, day: i32) -> f64 {
        if self.region != DECLINING || day < DECLINE_BEGINS {
            return 1.0;
        }
        1.0 - 0.6 * f64::from(day - DECLINE_BEGINS) / f64::from(DAYS - DECLINE_BEGINS)
    }

    /// Names and addresses. A second account spells its owner's otherwise: the e-mail or the phone gives it away.
    pub(crate) fn address(&self, index: u32, segment_of_owner: u8) -> Address {
        let own = written_address(self.person, segment_of_owner);
        match self.person == index {
            true => own,
            false if index.is_multiple_of(2) => Address {
                name: own.name.to_uppercase(),
                email: format!(" {}", own.email.to_uppercase()),
                phone: String::new(),
            },
            false => Address {
                name: own.name.replace(' ', "  "),
                email: format!("contact{index}@mail.example"),
                phone: own.phone.replace("+49 ", "0").replace(' ', "-"),
            },
        }
    }
}

/// The e-mail a person types at login.
pub(crate) fn email(person: u32, segment: u8) -> String {
    written_address(person, segment).email
}

/// Digits of a person's phone behind the country code.
pub(crate) fn phone_digits(person: u32) -> u64 {
    15_100_000_000 + u64::from(person).wrapping_mul(7919) % 90_000_000 + u64::from(person) / 90_000_000
}

fn written_address(person: u32, segment: u8) -> Address {
    // Two co-prime steps through the lists, so that neighbours do not share a name.
    let first = FIRST_NAMES[(person as usize * 7) % FIRST_NAMES.len()];
    let last = LAST_NAMES[(person as usize * 5 + person as usize / 32) % LAST_NAMES.len()];
    let ascii: String = last.chars().filter(char::is_ascii).collect::<String>().to_lowercase();
    let (name, email) = match segment {
        0 => (format!("{first} {last}"), format!("{ascii}.{person}@mail.example")),
        3 => (format!("City Council {last}"), format!("office@{ascii}-{person}.example")),
        _ => (FIRMS[person as usize % FIRMS.len()].replace("{}", last), format!("orders@{ascii}-{person}.example")),
    };
    let digits = phone_digits(person).to_string();
    Address { name, email, phone: format!("+49 {} {}", &digits[..3], &digits[3..]) }
}
