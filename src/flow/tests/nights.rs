//! What a night costs after how many: the real run, night after night with one new row in each of two sources and a
//! vacuum after each, and then the size of the lake, the requests to a store and the time of the processor for opening the
//! lake and for one more night.

use super::company::{Company, Silent, request};
use super::counting_store::CountingStore;
use crate::flow::{self, Ending, Reader};
use jiff::civil::{Date, date};
use jiff::{Span, Timestamp};
use perennial_project::{LoadOptions, Project};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How often an operation is repeated for its time.
const REPEATED: u32 = 20;

/// Nights that are run on the store; the last one counts.
const NIGHTS_ON_THE_STORE: u64 = 3;

/// A lake that has a night every day.
struct Lake {
    company: Company,
    nights: u64,
    /// Whether each night ends with a vacuum.
    vacuum: bool,
}

fn as_of(night: u64) -> Date {
    date(2026, 3, 1).checked_add(Span::new().days(night as i64)).unwrap()
}

fn time_of(night: u64) -> Timestamp {
    as_of(night).at(2, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
}

impl Lake {
    fn new(vacuum: bool) -> Lake {
        Lake { company: Company::new(), nights: 0, vacuum }
    }

    /// A day of the company and the run that follows it.
    fn night(&mut self) {
        self.nights += 1;
        self.company.order();
        self.company.sale();
        if self.nights.is_multiple_of(10) {
            self.company.customers();
        }
        let mut project = self.company.project("lake", None);
        project.pipelines.iter_mut().for_each(|pipeline| pipeline.vacuum = self.vacuum);
        let request = request("all", as_of(self.nights), time_of(self.nights));
        let outcome = self.company.run(&project, &request, None).unwrap().unwrap();
        let published = matches!(outcome.ending, Ending::Published { release, .. } if release == self.nights);
        assert!(published, "{:?}", outcome.ending);
    }

    /// The size of the newest release record.
    fn record_bytes(&self) -> u64 {
        let folder = self.company.root().join("lake/_perennial/releases");
        let newest = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
        std::fs::metadata(newest).unwrap().len()
    }

    /// Files and bytes in the lake, by what they are.
    fn sizes(&self) -> BTreeMap<&'static str, (u64, u64)> {
        let mut sizes = BTreeMap::new();
        let root = self.company.root().join("lake");
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let path = entry.path();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap();
                let what = match path.split('/').next() {
                    Some("_perennial") => "records",
                    Some("system") => "system",
                    _ if path.contains("/_delta_log/") => "Delta logs",
                    Some("raw") => "raw",
                    _ => "steps",
                };
                let size: &mut (u64, u64) = sizes.entry(what).or_default();
                size.0 += 1;
                size.1 += entry.metadata().unwrap().len();
            }
        }
        sizes
    }

    /// The releases that there are.
    fn releases(&self) -> usize {
        std::fs::read_dir(self.company.root().join("lake/_perennial/releases")).unwrap().count()
    }

    /// Measures in another process, whose environment says where the store is, on copies of the lake.
    fn cost(&mut self, with_times: bool) -> Cost {
        let (record_bytes, root) = (self.record_bytes(), self.company.root().to_path_buf());
        let store = CountingStore::start(&root);
        copy(&root.join("lake"), &root.join("lake-on-the-store"));
        copy(&root.join("lake"), &root.join("lake-in-a-folder"));
        // On a store the lock is an object that is there only while it is held.
        std::fs::remove_file(root.join("lake-on-the-store/_perennial/lock")).unwrap();
        let (releases, sizes) = (self.releases(), self.sizes());
        let mut cost = Cost { nights: self.nights, record_bytes, releases, sizes, ..Cost::default() };
        let measure = |operation: &str, lake: &str, night: u64| -> Duration {
            store.take_counts();
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "flow::tests::nights::measured", "--ignored", "--nocapture"])
                .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", store.port))
                .env("AWS_ALLOW_HTTP", "true")
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ACCESS_KEY_ID", "test")
                .env("AWS_SECRET_ACCESS_KEY", "test")
                .env("PERENNIAL_MEASURE", format!("{operation} {night} {lake} {}", root.display()))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let ticks =
                said.lines().find_map(|line| line.strip_prefix("milliseconds: ")).and_then(|text| text.parse().ok());
            Duration::from_millis(
                ticks.unwrap_or_else(|| panic!("{operation}: {said}{}", String::from_utf8_lossy(&output.stderr))),
            )
        };
        if with_times {
            cost.open_time = measure("open", "lake-in-a-folder", self.nights) / REPEATED;
            cost.idle_time = measure("run", "lake-in-a-folder", self.nights) / REPEATED;
        }
        measure("open-once", "s3://company/lake-on-the-store", self.nights);
        cost.open_requests = store.take_counts();
        // A run with nothing new, then nights with a row each.
        measure("run-once", "s3://company/lake-on-the-store", self.nights);
        cost.idle_requests = store.take_counts();
        for more in 1..=NIGHTS_ON_THE_STORE {
            self.company.order();
            self.company.sale();
            measure("night-once", "s3://company/lake-on-the-store", self.nights + more);
            cost.night_requests = store.take_counts();
        }
        for copy in ["lake-on-the-store", "lake-in-a-folder"] {
            std::fs::remove_dir_all(root.join(copy)).unwrap();
        }
        cost
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// The time of the processor that this process has used, in milliseconds.
fn processor_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // utime and stime, in hundredths of a second on Linux.
    (after_name[11].parse::<u64>().unwrap() + after_name[12].parse::<u64>().unwrap()) * 10
}

/// Not a test: what [`Lake::cost`] starts as another process.
#[test]
#[ignore = "started by the tests of nights"]
fn measured() {
    let Ok(what) = std::env::var("PERENNIAL_MEASURE") else { return };
    let mut words = what.splitn(4, ' ');
    let mut word = || words.next().unwrap().to_string();
    let (operation, night, lake, root) = (word(), word().parse().unwrap(), word(), word());
    let mut project = Project::load(Path::new(&root), &LoadOptions { vars: None, env: &|_| None }).unwrap();
    project.lake = if lake.contains("://") { lake } else { format!("{root}/{lake}") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let times = if operation.ends_with("-once") { 1 } else { REPEATED };
    let before = processor_time();
    runtime.block_on(async {
        for repeated in 0..times {
            let now = time_of(night).checked_add(Span::new().hours(1).minutes(i64::from(repeated))).unwrap();
            let pipeline = match operation.split('-').next() {
                Some("open") => {
                    let reader = Reader::for_queries(&project, None).await.unwrap();
                    reader.query("SELECT sum(rows) FROM marts.rows", None).await.unwrap();
                    continue;
                }
                // Its one raw table does not grow: this is what a run costs without the scan of raw tables that do.
                Some("run") => "web",
                _ => "all",
            };
            let outcome = flow::run(&project, &request(pipeline, as_of(night), now), &Silent).await.unwrap();
            assert!(outcome.ending != Ending::NotPublished && outcome.problems.is_empty(), "{outcome:?}");
        }
    });
    println!("milliseconds: {}", processor_time() - before);
}

#[derive(Default)]
struct Cost {
    nights: u64,
    record_bytes: u64,
    releases: usize,
    sizes: BTreeMap<&'static str, (u64, u64)>,
    open_time: Duration,
    idle_time: Duration,
    open_requests: BTreeMap<String, u64>,
    idle_requests: BTreeMap<String, u64>,
    night_requests: BTreeMap<String, u64>,
}

/// Requests but those that read rows as they arrived.
fn fixed(requests: &BTreeMap<String, u64>) -> u64 {
    requests.iter().filter(|(what, _)| *what != "GET raw").map(|(_, count)| count).sum()
}

/// A line of the table: its name and its figure.
type Line<'a> = (&'a str, &'a dyn Fn(&Cost) -> String);

fn print(costs: &[Cost]) {
    let size = |what: &'static str| {
        move |cost: &Cost| {
            let (files, bytes) = cost.sizes.get(what).copied().unwrap_or_default();
            format!("{files}/{}K", bytes / 1000)
        }
    };
    let lines: [Line<'_>; 13] = [
        ("releases", &|cost| cost.releases.to_string()),
        ("files/bytes of raw", &size("raw")),
        ("files/bytes of steps", &size("steps")),
        ("files/bytes of Delta logs", &size("Delta logs")),
        ("files/bytes of system", &size("system")),
        ("files/bytes of records", &size("records")),
        ("bytes of the release record", &|cost| cost.record_bytes.to_string()),
        ("requests to open and query", &|cost| fixed(&cost.open_requests).to_string()),
        ("requests of a run with nothing new", &|cost| fixed(&cost.idle_requests).to_string()),
        ("requests of a night, without reads of raw", &|cost| fixed(&cost.night_requests).to_string()),
        ("reads of raw of a night", &|cost| cost.night_requests.get("GET raw").copied().unwrap_or(0).to_string()),
        ("milliseconds to open and query", &|cost| cost.open_time.as_millis().to_string()),
        ("milliseconds of a run with nothing new", &|cost| cost.idle_time.as_millis().to_string()),
    ];
    let row = |name: &str, cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>14}")).collect();
        eprintln!("{name:<44}{}", cells.join(""));
    };
    row("after so many nights", costs.iter().map(|cost| cost.nights.to_string()).collect());
    let with_times = costs.iter().any(|cost| cost.open_time > Duration::ZERO);
    for (name, cell) in lines.into_iter().filter(|(name, _)| with_times || !name.starts_with("milliseconds")) {
        row(name, costs.iter().map(cell).collect());
    }
    for (name, of) in [
        ("open and query", (|cost| &cost.open_requests) as fn(&Cost) -> &BTreeMap<String, u64>),
        ("a run with nothing new", |cost| &cost.idle_requests),
        ("a night", |cost| &cost.night_requests),
    ] {
        eprintln!("{name}:");
        let kinds: std::collections::BTreeSet<&String> = costs.iter().flat_map(|cost| of(cost).keys()).collect();
        for kind in kinds {
            row(
                &format!("  {kind}"),
                costs.iter().map(|cost| of(cost).get(kind).copied().unwrap_or(0).to_string()).collect(),
            );
        }
    }
}

/// After `nights` every cost is at most one and a half times that after ten. With a vacuum the lake holds what is kept.
fn cost_stays(nights: &[u64], with_times: bool, vacuum: bool) {
    let mut lake = Lake::new(vacuum);
    let mut costs: Vec<Cost> = Vec::new();
    for until in nights {
        let began = Instant::now();
        while lake.nights < *until {
            lake.night();
        }
        eprintln!("{until} nights: the last ones took {:.1} s", began.elapsed().as_secs_f64());
        costs.push(lake.cost(with_times));
    }
    print(&costs);
    let (first, last) = (&costs[0], &costs[costs.len() - 1]);
    assert!(last.record_bytes < 200_000, "{}", last.record_bytes);
    if vacuum {
        assert_eq!(last.releases, kept(last.nights), "after {} nights", last.nights);
    }
    let within = |what: &str, of: &dyn Fn(&Cost) -> u64| {
        assert!(
            of(last) * 2 <= of(first) * 3,
            "{what}: {} after {} nights, {} after {}",
            of(last),
            last.nights,
            of(first),
            first.nights
        );
    };
    within("requests to open", &|cost| fixed(&cost.open_requests));
    within("requests of a run with nothing new", &|cost| fixed(&cost.idle_requests));
    within("requests of a night", &|cost| fixed(&cost.night_requests));
    if with_times {
        within("milliseconds to open", &|cost| cost.open_time.as_millis() as u64);
        within("milliseconds of a run with nothing new", &|cost| cost.idle_time.as_millis() as u64);
    }
}

#[test]
fn sixty_nights_cost_what_ten_cost() {
    cost_stays(&[10, 60], false, false);
}

/// The releases that `keep` covers if it says nothing, after so many nights that published one each: those of 14 days and
/// the last of each of 36 months.
fn kept(nights: u64) -> usize {
    let (today, months) = (as_of(nights), |day: Date| i64::from(day.year()) * 12 + i64::from(day.month()));
    let is_kept = |night: &u64| {
        let day = as_of(*night);
        let is_last_of_month = months(as_of(night + 1)) > months(day);
        day > today - Span::new().days(14) || (is_last_of_month && months(day) > months(today) - 36)
    };
    (1..=nights).filter(is_kept).count()
}

/// Ten years, or `PERENNIAL_NIGHTS`. `PERENNIAL_VACUUM=never` leaves everything there.
#[test]
#[ignore = "takes minutes; scripts/long runs it"]
fn ten_years_of_nights_cost_what_ten_nights_cost() {
    let nights = std::env::var("PERENNIAL_NIGHTS").ok().and_then(|text| text.parse().ok()).unwrap_or(3650);
    let vacuum = std::env::var("PERENNIAL_VACUUM").as_deref() != Ok("never");
    cost_stays(&[10, nights / 10, nights], true, vacuum);
}
