//! A model of what can happen to the outbox: two processes, kills at any step, servers that fail in every way, time
//! that passes, people who ask for a message again.

use super::super::carrier::Prepared;
use super::super::outbox::{Channel, Events, What};
use super::*;
use futures::future::BoxFuture;
use perennial_reports::Parameters;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// Gives way once, so that another process may take its turn here.
async fn turn() {
    let mut yielded = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut yielded, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

#[derive(Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    full: Mutex<bool>,
}

#[async_trait::async_trait]
impl Events for Memory {
    async fn names(&self, folder: &str) -> Result<Vec<String>> {
        turn().await;
        let objects = self.objects.lock().unwrap();
        Ok(objects.keys().filter(|name| name.starts_with(folder)).cloned().collect())
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        turn().await;
        Ok(self.objects.lock().unwrap().get(name).cloned())
    }

    async fn create(&self, name: &str, content: Vec<u8>) -> Result<bool> {
        turn().await;
        if *self.full.lock().unwrap() {
            return Err(Error::unreachable("no space left on device"));
        }
        let created = {
            let mut objects = self.objects.lock().unwrap();
            let created = !objects.contains_key(name);
            objects.entry(name.to_string()).or_insert(content);
            created
        };
        // Killed after it was written and before the caller knew.
        turn().await;
        Ok(created)
    }
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Accepts,
    Refuses,
    Later,
    Silent,
    AcceptsAndIsLost,
}

/// A server that counts what it has accepted.
struct Server<'a> {
    answers: &'a [Answer],
    asked: &'a AtomicUsize,
    accepted: &'a Mutex<BTreeMap<String, u32>>,
}

struct Letter<'a> {
    id: String,
    answer: Answer,
    accepted: &'a Mutex<BTreeMap<String, u32>>,
}

#[async_trait::async_trait]
impl Carrier for Server<'static> {
    async fn prepare(&self, queued: &Queued) -> Result<Box<dyn Prepared + '_>> {
        turn().await;
        let answer = self.answers[self.asked.fetch_add(1, Ordering::Relaxed) % self.answers.len()];
        Ok(Box::new(Letter { id: queued.sent_as(), answer, accepted: self.accepted }))
    }
}

#[async_trait::async_trait]
impl Prepared for Letter<'static> {
    async fn message_id(&self) -> Option<String> {
        Some(self.id.clone())
    }

    async fn send(self: Box<Self>) -> Outcome {
        turn().await;
        if matches!(self.answer, Answer::Accepts | Answer::AcceptsAndIsLost) {
            *self.accepted.lock().unwrap().entry(self.id.clone()).or_default() += 1;
        }
        turn().await;
        let reason = |code: Option<&str>, text: &str| Reason {
            code: code.map(str::to_string),
            text: text.to_string(),
            of_server: code.is_none(),
            ..Reason::default()
        };
        match self.answer {
            Answer::Accepts => Outcome::Sent { answer: "250 ok".into() },
            Answer::Refuses => Outcome::Refused(reason(Some("550"), "no such user")),
            Answer::Later => Outcome::Failed(reason(Some("450"), "try again")),
            Answer::Silent => Outcome::Failed(reason(None, "connection refused")),
            Answer::AcceptsAndIsLost => Outcome::Unknown(reason(None, "connection lost")),
        }
    }
}

fn queued(recipient: usize, at: Timestamp) -> Queued {
    Queued {
        format: Queued::FORMAT,
        at,
        what: What::Edition,
        occasion: "edition 1".into(),
        report: "r".into(),
        period: "2026-09".into(),
        parameters: Parameters::default(),
        edition: 1,
        release: 1,
        run_id: "20261001T000000Z-0001".into(),
        delivery: "1".into(),
        channel: Channel::Mail,
        recipient: format!("{recipient}@example.com"),
        name: None,
        language: "en".into(),
        again: 0,
    }
}

/// A step of the history.
#[derive(Clone, Debug)]
enum Step {
    /// Process 0 or 1 goes on.
    Turn(usize),
    /// It dies; the next turn starts another one.
    Kill(usize),
    /// Minutes pass.
    Wait(i64),
    /// The disk is full, or not.
    Disk(bool),
    /// Somebody asks for a message again.
    Again(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        30 => (0..2_usize).prop_map(Step::Turn),
        2 => (0..2_usize).prop_map(Step::Kill),
        2 => (1..900_i64).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Disk),
        1 => (0..3_usize).prop_map(Step::Again),
    ];
    proptest::collection::vec(step, 1..400)
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let answer = prop_oneof![
        3 => Just(Answer::Accepts),
        1 => Just(Answer::Refuses),
        2 => Just(Answer::Later),
        1 => Just(Answer::Silent),
        1 => Just(Answer::AcceptsAndIsLost),
    ];
    proptest::collection::vec(answer, 1..8)
}

const MONTH: &str = "2026-10";
const RECIPIENTS: usize = 3;

/// What a process does: queue what is due, send it.
async fn process(
    memory: &'static Memory,
    server: &'static Server<'static>,
    here: Process,
    now: Timestamp,
    due_since: Timestamp,
) -> Result<()> {
    let outbox = Outbox::new(memory);
    for recipient in 0..RECIPIENTS {
        outbox.queue(MONTH, &queued(recipient, due_since)).await?;
    }
    let entries = outbox.entries(MONTH).await?;
    let pass = Pass { outbox, carrier: server, process: &here, clock: Clock::at(now) };
    pass.over(&entries, |_, _| true).await.map(drop)
}

/// Runs a future of [`Memory`] to its end.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing is sent twice that nobody has asked for again, and everything comes to an end.
    #[test]
    fn a_message_is_sent_once_whatever_is_killed(steps in steps(), answers in answers()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let memory: &'static Memory = Box::leak(Box::default());
        let accepted: &'static Mutex<BTreeMap<String, u32>> = Box::leak(Box::default());
        let server: &'static Server = Box::leak(Box::new(Server {
            answers: Box::leak(answers.into_boxed_slice()),
            asked: Box::leak(Box::default()),
            accepted,
        }));
        let start: Timestamp = "2026-10-01T02:00:00Z".parse().unwrap();
        let mut now = start;
        let mut running: [Option<BoxFuture<'static, Result<()>>>; 2] = [None, None];
        let mut since = 1;
        let mut context = Context::from_waker(Waker::noop());
        for step in steps {
            match step {
                Step::Turn(which) => {
                    let slot = &mut running[which];
                    let future = slot.get_or_insert_with(|| {
                        since += 1;
                        let here = Process { host: "h".into(), pid: 0, since: Some(since) };
                        Box::pin(process(memory, server, here, now, start))
                    });
                    if future.as_mut().poll(&mut context).is_ready() {
                        *slot = None;
                    }
                }
                Step::Kill(which) => running[which] = None,
                Step::Wait(minutes) => now = now.checked_add(jiff::SignedDuration::from_mins(minutes)).unwrap(),
                Step::Disk(full) => *memory.full.lock().unwrap() = full,
                Step::Again(recipient) => {
                    let outbox = Outbox::new(memory);
                    let id = queued(recipient, start).id();
                    let entries = finish(outbox.entries(MONTH)).unwrap();
                    if let Some(entry) = entries.iter().find(|e| e.id == id && e.state.is_end() && e.state != State::Sent) {
                        let _ = finish(outbox.queue_again(entry, now));
                    }
                }
            }
        }
        running = [None, None];
        drop(running);
        *memory.full.lock().unwrap() = false;
        // Nights go by.
        for _ in 0..20 {
            now = now.checked_add(jiff::SignedDuration::from_hours(6)).unwrap();
            since += 1;
            let here = Process { host: "h".into(), pid: 0, since: Some(since) };
            finish(process(memory, server, here, now, start)).unwrap();
        }
        for (id, times) in accepted.lock().unwrap().iter() {
            prop_assert_eq!(*times, 1, "{} was accepted {} times", id, times);
        }
        let outbox = Outbox::new(memory);
        let entries = finish(outbox.entries(MONTH)).unwrap();
        prop_assert_eq!(entries.len(), RECIPIENTS);
        let here = Process { host: "h".into(), pid: 0, since: Some(0) };
        for entry in entries {
            let abandoned = finish(outbox.abandoned(&entry, &here, now)).unwrap().is_some();
            prop_assert!(entry.state.is_end() || abandoned, "{:?}", entry);
            let queued = finish(outbox.queued(&entry)).unwrap();
            let was_accepted = accepted.lock().unwrap().contains_key(&queued.sent_as());
            match entry.state {
                State::Sent => prop_assert!(was_accepted),
                State::Refused | State::GivenUp => prop_assert!(!was_accepted, "{:?}", entry),
                _ => {}
            }
        }
    }
}

#[test]
fn a_server_that_does_not_answer_is_asked_once_in_a_pass_and_given_up_after_a_day() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let memory: &'static Memory = Box::leak(Box::default());
    let asked: &'static AtomicUsize = Box::leak(Box::default());
    let server: &'static Server =
        Box::leak(Box::new(Server { answers: &[Answer::Silent], asked, accepted: Box::leak(Box::default()) }));
    let here = Process { host: "h".into(), pid: 0, since: Some(1) };
    let start: Timestamp = "2026-10-01T02:00:00Z".parse().unwrap();
    let pass = |minutes: i64| {
        let now = start.checked_add(jiff::SignedDuration::from_mins(minutes)).unwrap();
        finish(process(memory, server, here.clone(), now, start)).unwrap();
        asked.load(Ordering::Relaxed)
    };
    // The first one is tried; the second pass asks for the next message, as the first one has its pause of five minutes.
    assert_eq!((pass(0), pass(1), pass(2), pass(3)), (1, 2, 3, 3));
    pass(25 * 60);
    let entries = finish(Outbox::new(memory).entries(MONTH)).unwrap();
    assert!(entries.iter().all(|entry| entry.state == State::GivenUp), "{entries:?}");
}

#[test]
fn a_damaged_event_keeps_no_other_message_back_and_a_reason_is_said_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let memory: &'static Memory = Box::leak(Box::default());
    let accepted: &'static Mutex<BTreeMap<String, u32>> = Box::leak(Box::default());
    let server = |answers: &'static [Answer]| -> &'static Server {
        Box::leak(Box::new(Server { answers, asked: Box::leak(Box::default()), accepted }))
    };
    let here = Process { host: "h".into(), pid: 0, since: Some(1) };
    let start: Timestamp = "2026-10-01T02:00:00Z".parse().unwrap();
    let id = queued(0, start).id();
    // As a power failure leaves it.
    memory.objects.lock().unwrap().insert(format!("{MONTH}/{id}/1-queued.json"), Vec::new());
    let outbox = Outbox::new(memory);
    for recipient in 1..RECIPIENTS {
        finish(outbox.queue(MONTH, &queued(recipient, start))).unwrap();
    }
    let pass = |answers: &'static [Answer], now: &str| {
        let entries = finish(outbox.entries(MONTH)).unwrap();
        let clock = Clock::at(now.parse().unwrap());
        let pass = Pass { outbox, carrier: server(answers), process: &here, clock };
        let passed = finish(pass.over(&entries, |_, _| true)).unwrap();
        let problems: Vec<String> = passed.problems.iter().map(|problem| problem.message().to_string()).collect();
        (passed.ended.len(), passed.waiting, problems)
    };
    let (ended, waiting, problems) = pass(&[Answer::Later], "2026-10-01T02:00:00Z");
    assert_eq!((ended, waiting, problems.len()), (0, 2, 2), "{problems:?}");
    assert_eq!(problems.iter().filter(|p| p.contains(&id) && p.contains("cannot be read")).count(), 1, "{problems:?}");
    assert_eq!(problems.iter().filter(|p| p.ends_with("waits: try again")).count(), 1, "{problems:?}");
    // Who asks before the next attempt hears the reason as well.
    let (_, waiting, problems) = pass(&[Answer::Accepts], "2026-10-01T02:01:00Z");
    assert_eq!((waiting, problems.len()), (2, 2), "{problems:?}");
    let (ended, waiting, problems) = pass(&[Answer::Accepts], "2026-10-01T03:00:00Z");
    assert_eq!((ended, waiting, problems.len(), accepted.lock().unwrap().len()), (2, 0, 1, 2));
}
