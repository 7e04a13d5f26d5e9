//! CPU seconds of fits over a million customers: `cargo bench --profile dev -p perennial -p perennial-functions
//! --bench speed`. The profile `dev`, since another would build the engine a second time.
//!
//! The customers are made from BG/NBD with the parameters of CDNOW, in days over 78 weeks, the same ones every time.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)]

use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use std::time::Instant;

const CUSTOMERS: u32 = 1_000_000;
const WEEKS: f64 = 78.0;

fn main() {
    // `cargo test --benches` and `cargo bench -- --list` are not to measure anything.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let folder = std::env::temp_dir().join(format!("perennial-speed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("customers.parquet");
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    perennial_functions::register(&context);
    write(&context, path.to_str().unwrap()).await;
    context.register_parquet("customers", path.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
    let floor = "SELECT sum(frequency), sum(recency), sum(age) FROM customers";
    let distinct = "SELECT count(*) FROM (SELECT DISTINCT frequency, recency, age FROM customers)";
    let fit = |name: &str| {
        format!(
            "SELECT round(f['r'], 4), round(f['alpha'], 3), round(f['a'], 3), round(f['b'], 3), f['iterations'], f['verdict'] \
             FROM (SELECT {name}(frequency, recency, age, 'day') AS f FROM customers)"
        )
    };
    let grouped = "SELECT f['verdict'] AS verdict, count(*), round(avg(f['iterations'])) FROM (SELECT bg_nbd_fit(frequency, \
                   recency, age, 'day') AS f FROM customers GROUP BY customer % 10000) GROUP BY 1 ORDER BY 1";
    for (what, sql) in [
        ("reading the columns", floor.to_string()),
        ("reading the columns, warm", floor.to_string()),
        ("distinct histories, by the engine", distinct.to_string()),
        ("BG/NBD, 1,000,000 customers", fit("bg_nbd_fit")),
        ("BG/NBD, again", fit("bg_nbd_fit")),
        ("MBG/NBD, 1,000,000 customers", fit("mbg_nbd_fit")),
        ("BG/NBD, 10,000 groups of 100", grouped.to_string()),
    ] {
        let (started, before) = (Instant::now(), cpu_seconds());
        let rows = context.sql(&sql).await.unwrap().collect().await.unwrap();
        println!("{what}: {:.3} s CPU, {:.3} s", cpu_seconds() - before, started.elapsed().as_secs_f64());
        println!("{}", pretty_format_batches(&rows).unwrap());
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The histories as a Parquet file: days as BIGINT.
async fn write(context: &SessionContext, path: &str) {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use datafusion::dataframe::DataFrameWriteOptions;
    use std::sync::Arc;
    let mut chance = Chance(20_260_101);
    let mut columns: [Vec<i64>; 4] = Default::default();
    for customer in 0..CUSTOMERS {
        let (frequency, recency, age) = customer_of(&mut chance);
        for (column, value) in columns.iter_mut().zip([i64::from(customer), frequency, recency, age]) {
            column.push(value);
        }
    }
    let names = ["customer", "frequency", "recency", "age"];
    let arrays =
        names.into_iter().zip(columns).map(|(name, column)| (name, Arc::new(Int64Array::from(column)) as ArrayRef));
    let batch = RecordBatch::try_from_iter(arrays).unwrap();
    let options = DataFrameWriteOptions::new().with_single_file_output(true);
    context.read_batch(batch).unwrap().write_parquet(path, options, None).await.unwrap();
}

/// One customer, acquired in the first quarter, by the story of the model with r .2426, alpha 4.4136, a .7929, b 2.4259
/// in weeks; purchases of a day count once.
fn customer_of(chance: &mut Chance) -> (i64, i64, i64) {
    let days = (WEEKS * 7.0) as i64;
    let age = days - (chance.uniform() * 84.0) as i64;
    let rate = chance.gamma(0.2426) / (4.4136 * 7.0);
    let (left, stayed) = (chance.gamma(0.7929), chance.gamma(2.4259));
    let drop_out = left / (left + stayed);
    let (mut time, mut last, mut frequency) = (0.0, 0, 0);
    loop {
        time -= chance.uniform().ln() / rate;
        if time.is_nan() || time >= age as f64 {
            return (frequency, last, age);
        }
        let day = time as i64;
        if day > last {
            (last, frequency) = (day, frequency + 1);
            if chance.uniform() < drop_out {
                return (frequency, last, age);
            }
        }
    }
}

/// Random numbers that are the same on every machine: SplitMix64 (Steele, Lea and Flood, 2014).
struct Chance(u64);

impl Chance {
    /// Between 0 and 1, neither of them.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) as f64 + 0.5) / 2f64.powi(64)
    }

    /// Normal, by Box and Muller (1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Gamma with this shape and rate 1, by Marsaglia and Tsang (2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.uniform().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

/// CPU seconds of this process so far: the 14th and 15th field of its state, in hundredths.
fn cpu_seconds() -> f64 {
    let state = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = state.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}
