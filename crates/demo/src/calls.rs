//! Calls as the telephone system records them, in UTC, in the order of their beginning.

use super::calendar::DAYS;
use super::orders::{BAD_SHARE, REPEATED_SHARE};
use super::people::{FIRST_ACCOUNT, phone_digits};
use super::random::{Of, count, pick};
use super::write::{Rows, push_number, push_timestamp};
use super::{Company, Export};
use perennial_core::error::Result;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Exp1, StandardNormal};
use std::ops::Range;

const HEADER: &str =
    "call_id,started_at,caller,customer_id,queue,wait_seconds,talk_seconds,agent_id,abandoned,satisfaction";
const QUEUES: [&str; 4] = ["sales", "service", "billing", "returns"];
const QUEUE_SHARES: [f64; 4] = [0.25, 0.45, 0.20, 0.10];
/// Calls for an order.
const CALLS_PER_ORDER: f64 = 0.58;

/// Writes the calls of night one.
pub(crate) fn write_all(company: &Company, export: &mut Export) -> Result<()> {
    write(company, export, 0..DAYS)
}

/// Writes the calls of the day that a later night brings.
pub(crate) fn write_changes(company: &Company, export: &mut Export) -> Result<()> {
    write(company, export, export.day..export.day + 1)
}

fn write(company: &Company, export: &mut Export, days: Range<i32>) -> Result<()> {
    let mut rows = export.csv("call-centre", "calls", HEADER)?;
    for day in days {
        let mut rng = company.chance.of(Of::Calls, day as u64);
        let orders = company.purchases_of(day..day + 1).len();
        let calls = count(&mut rng, orders as f64 * CALLS_PER_ORDER + 0.2);
        let mut seconds: Vec<u32> = (0..calls).map(|_| office_second(&mut rng)).collect();
        seconds.sort_unstable();
        for (number, second) in seconds.into_iter().enumerate() {
            write_call(company, &mut rows, &mut rng, (day, second), number as u64 + 1)?;
        }
    }
    export.count("call_centre.calls", rows.finish()?);
    Ok(())
}

fn office_second(rng: &mut ChaCha8Rng) -> u32 {
    6 * 3600 + ((rng.random::<f64>() + rng.random::<f64>()) * 6.0 * 3600.0) as u32
}

fn write_call(
    company: &Company,
    rows: &mut Rows,
    rng: &mut ChaCha8Rng,
    timestamp: (i32, u32),
    number: u64,
) -> Result<()> {
    let account = company.recent_buyer(timestamp.0, rng);
    let person = company.accounts[account as usize].person;
    let [withheld, found, rated] = [rng.random::<f64>() < 0.1, rng.random::<f64>() < 0.5, rng.random::<f64>() < 0.4];
    let queue = QUEUES[pick(rng, &QUEUE_SHARES)];
    let wait = wait_seconds(rng);
    let abandoned = rng.random::<f64>() < (wait / 420.0).min(0.6);
    let talk = (rng.sample::<f64, _>(Exp1) + rng.sample::<f64, _>(Exp1)) * 130.0;
    let agent = rng.random_range(1..=company.agents);
    let mood = 4.5 - wait / 140.0 + 0.8 * rng.sample::<f64, _>(StandardNormal);
    let [bad_wait, bad_date] = [rng.random::<f64>() < BAD_SHARE / 2.0, rng.random::<f64>() < BAD_SHARE / 2.0];
    let repeated = rng.random::<f64>() < REPEATED_SHARE;

    rows.raw(&call_id(timestamp.0, number));
    rows.raw(&if bad_date { b"not-a-date".to_vec() } else { started_at(company, timestamp) });
    rows.raw(&if withheld { Vec::new() } else { caller(person) });
    match found {
        true => rows.number(FIRST_ACCOUNT + u64::from(account)),
        false => rows.raw(b""),
    };
    rows.text(queue);
    match bad_wait {
        true => rows.raw(format!("-{}", wait as u64 + 1).as_bytes()),
        false => rows.number(wait as u64),
    };
    rows.number(if abandoned { 0 } else { talk as u64 + 5 }).code(b'G', agent, 3);
    rows.raw(if abandoned { b"1" } else { b"0" });
    match rated && !abandoned {
        true => rows.number(mood.round().clamp(1.0, 5.0) as u64),
        false => rows.raw(b""),
    };
    match bad_wait || bad_date {
        true => rows.end_bad(),
        false => rows.end(repeated),
    }
}

/// Mostly short; a quarter of the calls meets a rush.
fn wait_seconds(rng: &mut ChaCha8Rng) -> f64 {
    let mean = if rng.random::<f64>() < 0.25 { 95.0 } else { 35.0 };
    rng.sample::<f64, _>(Exp1) * mean
}

fn call_id(day: i32, number: u64) -> Vec<u8> {
    let mut id = vec![b'K'];
    push_number(&mut id, day as u64, 4);
    id.push(b'-');
    push_number(&mut id, number, 5);
    id
}

fn started_at(company: &Company, timestamp: (i32, u32)) -> Vec<u8> {
    let mut text = Vec::with_capacity(20);
    push_timestamp(&mut text, &company.calendar, timestamp, b'T');
    text.push(b'Z');
    text
}

fn caller(person: u32) -> Vec<u8> {
    let mut text = b"0049".to_vec();
    push_number(&mut text, phone_digits(person), 1);
    text
}
