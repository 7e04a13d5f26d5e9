//! Killed at any moment, the next run repairs by itself, and a reader always sees one whole release. A flipped bit is said.

use crate::pipelines::{ROWS, deliver, two_pipelines};
use crate::support::{Ran, copy_everything, perennial, query, run, run_python, value};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A project with a small company's files, nothing run yet.
fn small_company(folder: &Path) -> PathBuf {
    let project = folder.join("company");
    run(["demo".as_ref(), project.as_os_str(), "--customers".as_ref(), "120".as_ref(), "--no-run".as_ref()]).ended(0);
    project
}

fn start(project: &Path) -> Child {
    let args: [&OsStr; 4] = ["run".as_ref(), "--full-refresh".as_ref(), "--project".as_ref(), project.as_ref()];
    perennial(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Every row of every mart, so that two states can be compared.
fn content(project: &Path) -> Vec<String> {
    let tables = "SELECT table_schema || '.' || table_name AS t FROM information_schema.tables \
                  WHERE table_schema IN ('core', 'marts') ORDER BY t";
    let names: Vec<String> = query(project, tables).iter().map(|r| r["t"].as_str().unwrap().to_string()).collect();
    assert!(names.len() > 8, "{names:?}");
    let count = |name: &String| format!("{name}: {}", value(project, &format!("SELECT count(*) FROM {name}")));
    let mut content: Vec<String> = names.iter().map(count).collect();
    for (table, figure) in [
        ("core.order_lines", "sum(revenue)"),
        ("marts.customer_month", "sum(revenue)"),
        ("marts.revenue_bridge", "sum(amount * position)"),
        ("marts.segment_migration", "sum(value_change)"),
    ] {
        content.push(format!("{table} {figure}: {}", value(project, &format!("SELECT {figure} FROM {table}"))));
    }
    content
}

/// Release records; one whose writing was cut short has another name (`00000007.json#1`) and is not a release.
fn releases(project: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(project.join("lake/_perennial/releases")) else { return 0 };
    entries.filter(|entry| entry.as_ref().is_ok_and(|e| e.path().extension() == Some("json".as_ref()))).count()
}

#[test]
fn killed_fifty_times_it_loses_nothing_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let project = small_company(folder.path());
    let began = Instant::now();
    assert!(start(&project).wait().unwrap().success());
    let mut whole_run = began.elapsed();
    let expected = content(&project);
    // A second lake sees the kills, from its very first run on.
    std::fs::remove_dir_all(project.join("lake")).unwrap();

    let mut random = rand::rngs::StdRng::seed_from_u64(50);
    let mut published = 0;
    for round in 0..50 {
        let mut child = start(&project);
        std::thread::sleep(whole_run.mul_f64(random.random_range(0.0..1.05)));
        // The first run was slower than those now, where the machine had other work: aim earlier.
        if child.try_wait().unwrap().is_some() {
            whole_run = whole_run.mul_f64(0.9);
        }
        child.kill().ok();
        child.wait().unwrap();
        let now = releases(&project);
        assert!(now >= published, "round {round}: a release is gone");
        // Looking into every table takes as long as a run; the total of one table against another's tells a mixture.
        if now > published || (now > 0 && round % 10 == 0) {
            let lines = value(&project, "SELECT sum(revenue) FROM core.order_lines");
            let months = value(&project, "SELECT sum(revenue) FROM marts.customer_month");
            assert_eq!(lines, months, "round {round}");
        }
        published = now;
    }
    assert!(start(&project).wait().unwrap().success(), "the run after the last kill");
    assert_eq!(content(&project), expected);
    let killed: u64 = value(&project, "SELECT count(*) FROM system.runs WHERE status = 'killed'").parse().unwrap();
    assert!(killed >= 10, "only {killed} runs were recorded as killed");
    assert_eq!(files_on_disk(&project), files_of_releases(&project), "files that no release names, or missing ones");
    outside_readers_agree(&project);
}

/// Data files below the lake, without system tables and logs.
fn files_on_disk(project: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, root: &Path, files: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("_delta_log") {
                    walk(&path, root, files);
                }
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_string());
            }
        }
    }
    let root = project.join("lake");
    let mut files = BTreeSet::new();
    walk(&root, &root, &mut files);
    files.retain(|f| !f.starts_with("system/") && !f.starts_with("_perennial/"));
    files
}

/// The data files that the manifests of the releases name. A run that was killed before its release may have left others.
fn files_of_releases(project: &Path) -> BTreeSet<String> {
    let records = project.join("lake/_perennial");
    let read = |path: &Path| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).unwrap()).unwrap();
    let mut files = BTreeSet::new();
    for file in all_files(&records.join("releases")) {
        let record = read(&records.join("releases").join(file));
        for table in record["release"]["tables"].as_object().unwrap().values() {
            let hash = table["manifest"].as_str().unwrap();
            collect_paths(&read(&records.join("objects").join(&hash[..2]).join(hash)), &mut files);
        }
    }
    files
}

fn collect_paths(value: &serde_json::Value, files: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => object.values().for_each(|v| collect_paths(v, files)),
        serde_json::Value::Array(items) => items.iter().for_each(|v| collect_paths(v, files)),
        serde_json::Value::String(text) if text.ends_with(".parquet") && text.contains('/') => {
            files.insert(text.clone());
        }
        _ => {}
    }
}

/// Python's Delta reader sees as many rows of every table as we do.
fn outside_readers_agree(project: &Path) {
    let program = "import sys, glob, os, deltalake\n\
        root = sys.argv[1]\n\
        for log in sorted(glob.glob(root + '/*/*/_delta_log')):\n\
        \x20   t = os.path.dirname(log)\n\
        \x20   n = deltalake.DeltaTable(t).to_pyarrow_table().num_rows\n\
        \x20   print(os.path.relpath(t, root).replace('/', '.'), n)\n";
    let printed = run_python(program, &[project.join("lake").as_os_str()]);
    let mut tables = 0;
    for line in printed.lines() {
        let (table, rows) = line.split_once(' ').unwrap();
        assert_eq!(value(project, &format!("SELECT count(*) FROM {table}")), rows, "{table}");
        tables += 1;
    }
    assert!(tables > 15, "{printed}");
}

#[test]
fn two_runs_at_once_the_second_says_who_holds_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let project = small_company(folder.path());
    let mut first = start(&project);
    let lock = project.join("lake/_perennial/lock");
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::fs::metadata(&lock).map_or(0, |m| m.len()) == 0 {
        assert!(Instant::now() < deadline, "the first run never took the lock");
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = run(["run".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(3);
    assert!(second.stderr.contains(&first.id().to_string()), "{}", second.stderr);
    assert!(second.stderr.contains("lock"), "{}", second.stderr);
    assert!(first.wait().unwrap().success());
}

fn amount_of(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// One row: of each half the rows in raw, source, core and both marts, from one release.
const FIGURES: &str = "SELECT (SELECT count(*) FROM raw.orders__orders) AS a, (SELECT count(*) FROM source.orders__orders) AS b, \
    (SELECT count(*) FROM core.orders) AS c, (SELECT rows FROM marts.totals WHERE half = 'orders') AS d, \
    (SELECT count(*) FROM raw.payments__payments) AS e, (SELECT count(*) FROM source.payments__payments) AS f, \
    (SELECT count(*) FROM core.payments) AS g, (SELECT rows FROM marts.totals WHERE half = 'payments') AS h, \
    (SELECT sum(payments) FROM marts.by_customer) AS i";

/// Reads the figures and checks that they are of one release; gives the rows of both halves.
fn whole(project: &Path) -> (u64, u64) {
    let args: [&OsStr; 6] = [
        "query".as_ref(),
        FIGURES.as_ref(),
        "--format".as_ref(),
        "csv".as_ref(),
        "--project".as_ref(),
        project.as_ref(),
    ];
    let said = run(args).ended(0).stdout;
    let figures: Vec<u64> = said.lines().nth(1).unwrap().split(',').map(|figure| figure.parse().unwrap()).collect();
    let [orders, b, c, d, payments, f, g, h, i] = figures[..] else { panic!("{said}") };
    assert_eq!([orders, orders], [b, c], "the rows of orders are of two releases: {said}");
    assert_eq!([payments; 4], [f, g, h, i], "the rows of payments are of two releases: {said}");
    // The mart is built by the second pipeline, so it may know fewer of the first one's rows, but never a part of a file.
    assert!(d <= orders && [orders, d, payments].iter().all(|rows| rows % ROWS == 0), "{said}");
    (orders, payments)
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `PERENNIAL_KILLS` says how many runs are killed.
#[test]
fn two_pipelines_in_turn_are_killed_and_lose_nothing() {
    let kills = amount_of("PERENNIAL_KILLS", 30);
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    two_pipelines(project);
    let mut delivered = [0, 0];
    let halves = ["orders", "payments"];
    let mut deliver_next = |half: usize| {
        delivered[half] += 1;
        deliver(project, halves[half], delivered[half]);
        delivered
    };
    let run_of = |half: usize, more: &[&str]| {
        let mut command = perennial(["run", halves[half], "--project"]);
        command.arg(project).args(more).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut took = [Duration::ZERO; 2];
    for (half, took) in took.iter_mut().enumerate() {
        deliver_next(half);
        let began = Instant::now();
        assert!(run_of(half, &[]).status().unwrap().success());
        *took = began.elapsed();
    }
    let (done, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut killed, mut delivered) = (0, [1, 1]);
    std::thread::scope(|scope| {
        // However the test ends, the poller does, too.
        let ends = SetAtEnd(&done);
        let poller = scope.spawn(|| {
            let mut last = (0, 0);
            while !done.load(Ordering::Relaxed) {
                let now = whole(project);
                assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
                last = now;
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut random = rand::rngs::StdRng::seed_from_u64(1000);
        for round in 0.. {
            if killed == kills || poller.is_finished() {
                break;
            }
            let half = round % 2;
            let more: &[&str] = if random.random_bool(0.6) {
                delivered = deliver_next(half);
                &[]
            } else {
                &["--full-refresh"]
            };
            let began = Instant::now();
            let mut child = run_of(half, more).spawn().unwrap();
            std::thread::sleep(took[half].mul_f64(random.random_range(0.0..1.1)));
            child.kill().ok();
            match child.wait().unwrap().code() {
                // It had ended before.
                Some(code) => {
                    assert_eq!(code, 0, "round {round}: a run needs help");
                    took[half] = took[half].mul_f64(0.95);
                }
                None => killed += 1,
            }
            took[half] = took[half].max(began.elapsed().min(Duration::from_secs(5)));
            if round % 20 == 19 {
                for half in 0..2 {
                    let ran = Ran::from(run_of(half, &[]).stderr(Stdio::piped()).output().unwrap());
                    assert_eq!(ran.code, 0, "round {round}: {}", ran.stderr);
                }
                let expected = (delivered[0] * ROWS, delivered[1] * ROWS);
                assert_eq!(whole(project), expected, "round {round}: what was delivered is in the lake");
            }
        }
        drop(ends);
        poller.join().unwrap();
    });
    for half in 0..2 {
        assert!(run_of(half, &[]).status().unwrap().success());
    }
    assert_eq!(whole(project), (delivered[0] * ROWS, delivered[1] * ROWS));
    for half in halves {
        let line = format!("SELECT count(*), count(DISTINCT (_file, _line)) FROM raw.{half}__{half}");
        let rows = query(project, &line);
        let counts: BTreeSet<u64> = rows[0].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).collect();
        assert_eq!(counts.len(), 1, "{half}: a line is there twice: {rows:?}");
    }
    let open = run([
        "rejects".as_ref(),
        "show".as_ref(),
        "--limit=100000".as_ref(),
        "--format=json".as_ref(),
        "--project".as_ref(),
        project.as_os_str(),
    ]);
    let open = open.ended(0).json();
    let lines: BTreeSet<(String, u64)> = open
        .as_array()
        .unwrap()
        .iter()
        .map(|reject| (reject["file"].as_str().unwrap().to_string(), reject["line"].as_u64().unwrap()))
        .collect();
    let expected = 2 * (delivered[0] + delivered[1]) as usize;
    assert_eq!((open.as_array().unwrap().len(), lines.len()), (expected, expected), "each bad row once");
    let (mut named, there) = (files_of_releases(project), files_on_disk(project));
    // What runs that were killed had finished stays for `retry`.
    let journals = project.join("lake/_perennial/journals");
    for file in if journals.exists() { all_files(&journals) } else { Vec::new() } {
        let table = serde_json::from_slice(&std::fs::read(journals.join(file)).unwrap()).unwrap();
        collect_paths(&table, &mut named);
    }
    let loose: Vec<&String> = there.difference(&named).collect();
    assert!(loose.is_empty(), "files that neither a release nor a journal names: {loose:?}");
    assert_eq!(
        value(project, "SELECT count(DISTINCT number) FROM system.releases"),
        releases(project).to_string(),
        "releases that are not listed, or twice"
    );
    let markers = std::fs::read_dir(project.join("lake/_perennial/runs")).map_or(0, Iterator::count);
    assert_eq!(markers, 0, "marks of runs that ended");
    eprintln!(
        "{killed} runs killed, {} reads by the poller, {} files delivered",
        reads.into_inner(),
        delivered.iter().sum::<u64>()
    );
}

/// What became of the queries after one bit was flipped.
#[derive(Default)]
struct Tally {
    said: usize,
    harmless: usize,
    other_figures: Vec<String>,
    other_codes: Vec<String>,
}

/// The tables whose figures are compared, with an order of their rows.
const TABLES: [(&str, &str); 11] = [
    ("raw.orders__orders", "_file, _line"),
    ("raw.payments__payments", "_file, _line"),
    ("source.orders__orders", "order_id"),
    ("core.orders", "order_id"),
    ("core.payments", "payment_id"),
    ("marts.by_customer", "customer"),
    ("marts.totals", "half"),
    ("system.releases", "number"),
    ("system.runs", "run_id"),
    ("system.sources", "run_id, source"),
    ("system.rejects", "run_id, source, file, line"),
];

fn select(project: &Path, table: &str, order: &str) -> Ran {
    let sql = format!("SELECT * FROM {table} ORDER BY {order}");
    run([
        "query".as_ref(),
        sql.as_ref(),
        "--limit=100000".as_ref(),
        "--format=csv".as_ref(),
        "--project".as_ref(),
        project.as_os_str(),
    ])
}

/// The kind of a file of the lake, for the table of what was tried.
fn kind_of(path: &Path) -> String {
    let parts: Vec<&str> = path.iter().filter_map(OsStr::to_str).collect();
    match parts.as_slice() {
        ["_perennial", folder, _, ..] => format!("_perennial/{folder}"),
        ["_perennial", file] => format!("_perennial/{file}"),
        [_, _, "_delta_log", ..] => "Delta log".to_string(),
        [layer, ..] => (*layer).to_string(),
        [] => String::new(),
    }
}

/// `PERENNIAL_FLIPS` says how many bits are flipped, one at a time, in files of every kind that a lake has.
#[test]
fn a_flipped_bit_is_never_another_figure() {
    let flips = amount_of("PERENNIAL_FLIPS", 12);
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    two_pipelines(&project);
    for night in 1..=4 {
        for half in ["orders", "payments"] {
            deliver(&project, half, night);
            run(["run".as_ref(), half.as_ref(), "--project".as_ref(), project.as_os_str()]).ended(0);
        }
    }
    let sound: BTreeMap<&str, String> =
        TABLES.iter().map(|(table, order)| (*table, select(&project, table, order).ended(0).stdout)).collect();
    let kept = folder.path().join("kept");
    copy_everything(&project.join("lake"), &kept);
    // What a run over one more file of orders makes of it.
    deliver(&project, "orders", 5);
    run(["run".as_ref(), "orders".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(0);
    let next = select(&project, "core.orders", "order_id").ended(0).stdout;

    let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in all_files(&kept) {
        if std::fs::metadata(kept.join(&file)).unwrap().len() > 0 {
            files.entry(kind_of(&file)).or_default().push(file);
        }
    }
    let kinds: Vec<&String> = files.keys().collect();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut random = rand::rngs::StdRng::seed_from_u64(amount_of("PERENNIAL_SEED", 85) as u64);
    for flip in 0..flips {
        // Every kind as often, data files as often as all others together.
        let data = ["raw", "core", "marts"].iter().filter_map(|kind| files.get_key_value(*kind)).map(|(kind, _)| kind);
        let kind = if flip % 2 == 0 {
            *data.collect::<Vec<_>>().choose(&mut random).unwrap()
        } else {
            kinds[flip / 2 % kinds.len()]
        };
        // Files of core and marts that only earlier releases hold are read by nobody: mostly the newest of a table.
        let newest: Vec<&PathBuf> = match kind.as_str() {
            "core" | "marts" => files[kind].chunk_by(|a, b| a.parent() == b.parent()).filter_map(<[_]>::last).collect(),
            _ => Vec::new(),
        };
        let file = match newest.choose(&mut random) {
            Some(file) if random.random_bool(0.8) => *file,
            _ => files[kind].choose(&mut random).unwrap(),
        };
        std::fs::remove_dir_all(project.join("lake")).unwrap();
        copy_everything(&kept, &project.join("lake"));
        let mut bytes = std::fs::read(kept.join(file)).unwrap();
        let bit = random.random_range(0..bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(project.join("lake").join(file), bytes).unwrap();

        let tally = tallies.entry(kind.clone()).or_default();
        let what = format!("bit {bit} of {}", file.display());
        let mut said = false;
        let wrong_before = tally.other_figures.len() + tally.other_codes.len();
        let mut check = |query: &str, ran: &Ran, expected: &str| match ran.code {
            0 if ran.stdout == expected => {}
            0 => tally.other_figures.push(format!("{what}: {query}")),
            1 => said = true,
            code => {
                tally.other_codes.push(format!("{what}: {query}: {code}: {}", ran.stderr.lines().next().unwrap_or("")))
            }
        };
        for (table, order) in TABLES {
            check(table, &select(&project, table, order), &sound[table]);
        }
        let ran = run(["run".as_ref(), "orders".as_ref(), "--project".as_ref(), project.as_os_str()]);
        if ran.code == 0 {
            check("a run, then core.orders", &select(&project, "core.orders", "order_id"), &next);
        } else {
            check("a run", &ran, "");
        }
        match tally.other_figures.len() + tally.other_codes.len() {
            wrong if wrong > wrong_before => {}
            _ if said => tally.said += 1,
            _ => tally.harmless += 1,
        }
    }
    eprintln!(
        "{:<24} {:>5} {:>9} {:>14} {:>11}",
        "one bit flipped in", "said", "harmless", "other figures", "other codes"
    );
    let (mut figures, mut codes) = (Vec::new(), Vec::new());
    for (kind, tally) in tallies {
        let (wrong, strange) = (tally.other_figures.len(), tally.other_codes.len());
        eprintln!("{kind:<24} {:>5} {:>9} {wrong:>14} {strange:>11}", tally.said, tally.harmless);
        figures.extend(tally.other_figures);
        codes.extend(tally.other_codes);
    }
    assert!(figures.is_empty() && codes.is_empty(), "other figures: {figures:#?}\nother exit codes: {codes:#?}");
}

/// Every file below a folder.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path.strip_prefix(folder).unwrap().to_path_buf())
            }
        }
    }
    files.sort();
    files
}
