//! Events of the web shop: sessions of known and unknown visitors, one JSON object a line, some of them days late.

use super::calendar::{DAYS, NEXT_DAY};
use super::orders::{BAD_SHARE, REPEATED_SHARE};
use super::people;
use super::random::{Of, count, pick};
use super::write::{Rows, push_number, push_timestamp};
use super::{Company, Export};
use perennial_core::error::Result;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::Exp1;
use std::collections::BTreeMap;
use std::ops::Range;

/// Sessions for an order.
const SESSIONS_PER_ORDER: f64 = 1.4;
/// Events that arrive one to three days later, as a share.
const LATE_SHARE: f64 = 0.002;
const TYPES: [&str; 5] = ["page_view", "product_view", "search", "add_to_cart", "checkout"];
const TYPE_SHARES: [f64; 5] = [0.42, 0.36, 0.10, 0.09, 0.03];
const DEVICES: [&str; 3] = ["mobile", "desktop", "tablet"];
const DEVICE_SHARES: [f64; 3] = [0.55, 0.38, 0.07];
const REFERRERS: [&str; 4] = ["search", "direct", "newsletter", "advertisement"];
const REFERRER_SHARES: [f64; 4] = [0.4, 0.35, 0.15, 0.1];
const LAST_MILLISECOND: u32 = 86_399_999;

/// One written event.
struct Event {
    /// Since midnight, UTC.
    millisecond: u32,
    /// Days until it is exported.
    delay: i32,
    bad: bool,
    repeated: bool,
    json: Range<usize>,
}

/// The events of a day and their bytes.
#[derive(Default)]
struct Day {
    events: Vec<Event>,
    bytes: Vec<u8>,
}

/// One visit.
struct Session {
    visitor: u32,
    /// Typed at login; nothing when the visitor stays unknown.
    email: Option<String>,
    device: &'static str,
    referrer: &'static str,
}

/// Writes the events exported by night one, one file a month.
pub(crate) fn write_all(company: &Company, export: &mut Export) -> Result<()> {
    let mut waiting = BTreeMap::new();
    let mut open: Option<(String, Rows)> = None;
    for day in 0..DAYS {
        let month = company.calendar.month(day);
        let (_, mut rows) = match open.take() {
            Some((current, rows)) if current == month => (current, rows),
            other => {
                if let Some((_, finished)) = other {
                    export.count("web.events", finished.finish()?);
                }
                (month.to_string(), export.web(month, month)?)
            }
        };
        write_late(&mut rows, &mut waiting, day)?;
        write_day(&mut rows, &events_of(company, day), day, &mut waiting)?;
        open = Some((month.to_string(), rows));
    }
    if let Some((_, rows)) = open {
        export.count("web.events", rows.finish()?);
    }
    Ok(())
}

/// Writes the events exported by a later night: those of its day, and late ones of the days before.
pub(crate) fn write_changes(company: &Company, export: &mut Export) -> Result<()> {
    let last = export.day;
    let mut rows = export.web(company.calendar.month(last), &export.date)?;
    for day in last - 3..last {
        let events = events_of(company, day);
        for event in events.events.iter().filter(|event| event.delay > 0 && exported(day, event) == last) {
            write_event(&mut rows, &events.bytes[event.json.clone()], event)?;
            rows.counts.late_rows += 1;
        }
    }
    write_day(&mut rows, &events_of(company, last), last, &mut BTreeMap::new())?;
    export.count("web.events", rows.finish()?);
    Ok(())
}

/// The day at whose end an event is exported. Night two brings all of its past that is late.
fn exported(day: i32, event: &Event) -> i32 {
    let due = day + event.delay;
    if day < NEXT_DAY { due.min(NEXT_DAY) } else { due }
}

/// Late events by the day they arrive.
type Waiting = BTreeMap<i32, Vec<(Event, Vec<u8>)>>;

fn write_late(rows: &mut Rows, waiting: &mut Waiting, day: i32) -> Result<()> {
    for (event, json) in waiting.remove(&day).unwrap_or_default() {
        write_event(rows, &json, &event)?;
        rows.counts.late_rows += 1;
    }
    Ok(())
}

fn write_day(rows: &mut Rows, day: &Day, number: i32, waiting: &mut Waiting) -> Result<()> {
    for event in &day.events {
        let json = &day.bytes[event.json.clone()];
        match event.delay {
            0 => write_event(rows, json, event)?,
            delay => {
                let late = Event { json: 0..json.len(), ..*event };
                waiting.entry(number + delay).or_default().push((late, json.to_vec()));
            }
        }
    }
    Ok(())
}

fn write_event(rows: &mut Rows, json: &[u8], event: &Event) -> Result<()> {
    match event.bad {
        // What a writer leaves behind that was stopped.
        true => rows.whole(&json[..json.len() * 3 / 5]).end_bad(),
        false => rows.whole(json).end(event.repeated),
    }
}

/// All events of a day, in the order of their time.
fn events_of(company: &Company, number: i32) -> Day {
    let mut rng = company.chance.of(Of::Web, number as u64);
    let mut day = Day::default();
    let orders = company.purchases_of(number..number + 1).len();
    for _ in 0..count(&mut rng, orders as f64 * SESSIONS_PER_ORDER + 0.5) {
        let session = session(company, number, &mut rng);
        add_session(company, &mut day, number, &session, &mut rng);
    }
    day.events.sort_by_key(|event| event.millisecond);
    day
}

fn session(company: &Company, day: i32, rng: &mut ChaCha8Rng) -> Session {
    let account = company.recent_buyer(day, rng);
    let known = rng.random::<f64>() < 0.55;
    let second_device = rng.random::<f64>() < 0.3;
    let stranger = rng.random::<u32>();
    let person = company.accounts[account as usize].person;
    let logs_in = known && rng.random::<f64>() < 0.35;
    Session {
        visitor: match known {
            true => (person * 2 + u32::from(second_device)).wrapping_mul(2_654_435_761),
            false => stranger,
        },
        email: logs_in.then(|| people::email(person, company.accounts[person as usize].segment)),
        device: DEVICES[pick(rng, &DEVICE_SHARES)],
        referrer: REFERRERS[pick(rng, &REFERRER_SHARES)],
    }
}

fn add_session(company: &Company, day: &mut Day, number: i32, session: &Session, rng: &mut ChaCha8Rng) {
    let begin = 5.0 + (rng.random::<f64>() + rng.random::<f64>()) * 8.5;
    let mut millisecond = (begin * 3_600_000.0) as u32;
    for step in 0..1 + count(rng, 3.3) {
        let dwell: f64 = rng.sample(Exp1);
        let tenths = (dwell * 400.0) as u32;
        let kind = match step {
            0 => "page_view",
            1 if session.email.is_some() => "login",
            _ => TYPES[pick(rng, &TYPE_SHARES)],
        };
        let product = company.assortment.draw(rng) as u64 + 1;
        let start = day.bytes.len();
        let id = (number, day.events.len() as u64 + 1);
        let action = Action { id, millisecond: millisecond.min(LAST_MILLISECOND), kind, product, tenths };
        push_event(company, &mut day.bytes, session, &action);
        let late = rng.random::<f64>() < LATE_SHARE;
        let delay = rng.random_range(1..=3);
        day.events.push(Event {
            millisecond: millisecond.min(LAST_MILLISECOND),
            delay: if late { delay } else { 0 },
            bad: rng.random::<f64>() < BAD_SHARE,
            repeated: rng.random::<f64>() < REPEATED_SHARE,
            json: start..day.bytes.len(),
        });
        millisecond += tenths * 100 + rng.random_range(200..2000);
    }
}

/// What an event says, apart from its session.
struct Action<'a> {
    /// The day, and the number of the event in it.
    id: (i32, u64),
    /// Since midnight, UTC.
    millisecond: u32,
    kind: &'a str,
    product: u64,
    /// How long the visitor stayed, in tenths of a second.
    tenths: u32,
}

fn push_event(company: &Company, json: &mut Vec<u8>, session: &Session, action: &Action<'_>) {
    let Action { id: (day, number), millisecond, kind, product, tenths } = *action;
    json.extend_from_slice(b"{\"event_id\":\"E");
    push_number(json, day as u64, 4);
    json.push(b'-');
    push_number(json, number, 6);
    json.extend_from_slice(b"\",\"ts\":\"");
    push_timestamp(json, &company.calendar, (day, millisecond / 1000), b'T');
    json.push(b'.');
    push_number(json, u64::from(millisecond % 1000), 3);
    json.extend_from_slice(b"Z\",\"visitor_id\":\"v");
    push_number(json, u64::from(session.visitor), 10);
    push_text(json, "\",\"type\":\"", kind);
    match &session.email {
        Some(email) if kind == "login" => {
            push_text(json, "\",\"user\":{\"email\":\"", email);
            json.extend_from_slice(b"\"},\"props\":{\"path\":\"");
        }
        _ => json.extend_from_slice(b"\",\"user\":null,\"props\":{\"path\":\""),
    }
    push_path(json, kind, product);
    push_text(json, "\",\"device\":\"", session.device);
    push_text(json, "\",\"referrer\":\"", session.referrer);
    json.extend_from_slice(b"\",\"dwell_seconds\":");
    push_number(json, u64::from(tenths / 10), 1);
    json.push(b'.');
    push_number(json, u64::from(tenths % 10), 1);
    if of_product(kind) {
        json.extend_from_slice(b",\"product_id\":\"P");
        push_number(json, product, 4);
        json.push(b'"');
    }
    json.extend_from_slice(b"}}");
}

fn push_text(json: &mut Vec<u8>, before: &str, text: &str) {
    json.extend_from_slice(before.as_bytes());
    json.extend_from_slice(text.as_bytes());
}

fn push_path(json: &mut Vec<u8>, kind: &str, product: u64) {
    match kind {
        "search" => json.extend_from_slice(b"/search"),
        "checkout" => json.extend_from_slice(b"/checkout"),
        "login" => json.extend_from_slice(b"/account/login"),
        "page_view" => json.extend_from_slice(b"/"),
        _ => {
            json.extend_from_slice(b"/products/P");
            push_number(json, product, 4);
        }
    }
}

fn of_product(kind: &str) -> bool {
    matches!(kind, "product_view" | "add_to_cart")
}
