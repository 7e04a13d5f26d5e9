//! CPU seconds of fits and scores of customers in a Parquet file (frequency, recency, age in weeks, mean_spend):
//! `cargo bench --profile dev -p perennial -p perennial-functions --bench scores -- FILE.parquet`.
//! `benches/customer_base.py` makes such a file and compares with peers. Seconds are those of all threads, reading the
//! file included, the best of three.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)]

use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

const STEPS: &[(&str, &str)] = &[
    ("read alone", "SELECT sum(frequency), sum(recency), sum(age), sum(mean_spend) FROM customers"),
    (
        "bg_nbd_fit",
        "CREATE OR REPLACE TABLE fit AS SELECT bg_nbd_fit(frequency, recency, age, 'week') AS f FROM customers",
    ),
    (
        "gamma_gamma_fit",
        "CREATE OR REPLACE TABLE spend AS SELECT gamma_gamma_fit(frequency, mean_spend) AS f FROM customers",
    ),
    ("p_alive", "SELECT sum(p_alive((SELECT f FROM fit), frequency, recency, age)) FROM customers"),
    (
        "expected_purchases",
        "SELECT sum(expected_purchases((SELECT f FROM fit), frequency, recency, age, 52)) FROM customers",
    ),
    ("expected_spend", "SELECT sum(expected_spend((SELECT f FROM spend), frequency, mean_spend)) FROM customers"),
    (
        "customer_lifetime_value",
        "SELECT sum(customer_lifetime_value((SELECT f FROM fit), (SELECT f FROM spend), frequency, recency, age,
         mean_spend, 0.3, 0.1, 52)) FROM customers",
    ),
    (
        "all scores in one query",
        "SELECT sum(p_alive((SELECT f FROM fit), frequency, recency, age)),
         sum(expected_purchases((SELECT f FROM fit), frequency, recency, age, 52)),
         sum(expected_spend((SELECT f FROM spend), frequency, mean_spend)),
         sum(customer_lifetime_value((SELECT f FROM fit), (SELECT f FROM spend), frequency, recency, age, mean_spend,
         0.3, 0.1, 52)) FROM customers",
    ),
    (
        "customer_lifetime_value_interval",
        "SELECT sum(v['high']) FROM (SELECT customer_lifetime_value_interval((SELECT f FROM fit), (SELECT f FROM spend),
         frequency, recency, age, mean_spend, 0.3, 0.1, 52) AS v FROM customers)",
    ),
    ("p_alive, fit as a column", "SELECT sum(p_alive(f, frequency, recency, age)) FROM customers CROSS JOIN fit"),
];

fn main() {
    let Some(path) = std::env::args().skip(1).find(|argument| argument.ends_with(".parquet")) else {
        println!("scores: no Parquet file is named, nothing is measured");
        return;
    };
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match threads {
        Ok(threads) => threads.block_on(measure(&path)),
        Err(error) => println!("scores: {error}"),
    }
}

// In the program the engine builds sessions; this package is measured without it.
#[allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout)]
async fn measure(path: &str) {
    let mut best = vec![f64::INFINITY; STEPS.len()];
    for _ in 0..3 {
        // A new session each time: nothing is kept from the run before.
        let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
        perennial_functions::register(&session);
        session.register_parquet("customers", path, ParquetReadOptions::default()).await.unwrap();
        for ((_, sql), best) in STEPS.iter().zip(&mut best) {
            let before = cpu_seconds();
            session.sql(sql).await.unwrap().collect().await.unwrap();
            *best = best.min(cpu_seconds() - before);
        }
    }
    for ((name, _), seconds) in STEPS.iter().zip(best) {
        println!("{seconds:.3}\t{name}");
    }
}

/// CPU time of all threads that are alive, by Linux' scheduler.
fn cpu_seconds() -> f64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0.0 };
    let texts = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
    texts.filter_map(|text| text.split_whitespace().next()?.parse::<f64>().ok()).sum::<f64>() * 1e-9
}
