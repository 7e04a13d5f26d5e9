//! A small company with three sources and four pipelines, the last of which joins what the others made.

use crate::flow::{self, Event, Invoker, Observer, Reader, RunOutcome, RunRequest};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use perennial_core::error::{Problems, Result};
use perennial_lake::Release;
use perennial_project::{LoadOptions, Project};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

/// The pipelines in order of dependency; `all` does the work of them all.
pub const PIPELINES: [&str; 4] = ["erp", "web", "shop", "marts"];

const FILES: &[(&str, &str)] = &[
    (
        "perennial.yml",
        "name: Three sources\nlake: lake\nas_of: 2026-03-01\nmemory_limit: 256MB\nvars: {broken: \"no\"}\n",
    ),
    (
        "pipelines/erp.yml",
        "description: The ERP\nsources: [erp]\nsteps: [core.orders, core.customers, staging.open_orders]\n",
    ),
    ("pipelines/web.yml", "description: The web\nsources: [web]\nsteps: [core.visits]\n"),
    ("pipelines/shop.yml", "description: The shop\nsources: [shop]\nsteps: [core.sales]\n"),
    ("pipelines/marts.yml", "description: Marts only\nsources: []\nsteps: [\"marts.*\"]\n"),
    ("pipelines/all.yml", "description: Everything\nsources: [\"*\"]\nsteps: [\"*\"]\n"),
    (
        "pipelines/sources/erp.yml",
        "description: A database of which one table is read by cursor and one as a whole\n\
         location: ${ERP:-sqlite://data/erp.db}\n\
         tables:\n\
         \x20 orders:\n\
         \x20   key: [order_id]\n\
         \x20   load: {incremental: {cursor: changed_at, overlap: 1h, full_every: never}}\n\
         \x20   columns:\n\
         \x20     order_id: {type: integer, required: true}\n\
         \x20     customer_id: {type: integer, required: true}\n\
         \x20     ordered_on: {type: date, required: true}\n\
         \x20     amount: {type: decimal, precision: 18, scale: 2}\n\
         \x20     changed_at: {type: instant, required: true}\n\
         \x20 customers:\n\
         \x20   key: [customer_id]\n\
         \x20   load: snapshot\n\
         \x20   history: true\n\
         \x20   max_rejects: {share: 0.9}\n\
         \x20   columns:\n\
         \x20     customer_id: {type: integer, required: true}\n\
         \x20     name: {type: text, required: true}\n\
         \x20     since: {type: date}\n",
    ),
    (
        "pipelines/sources/web.yml",
        "description: Events in files that are rotated away\n\
         location: ${WEB:-data/web}\n\
         tables:\n\
         \x20 visits:\n\
         \x20   files: \"*.jsonl\"\n\
         \x20   format: json_lines\n\
         \x20   key: [visit_id]\n\
         \x20   load: append\n\
         \x20   max_rejects: {share: 0.9}\n\
         \x20   columns:\n\
         \x20     visit_id: {type: integer, required: true}\n\
         \x20     customer_id: {type: integer}\n\
         \x20     visited_on: {type: date, required: true}\n",
    ),
    (
        "pipelines/sources/shop.yml",
        "description: A till whose files are sent again when they were wrong\n\
         location: ${SHOP:-data/shop}\n\
         tables:\n\
         \x20 sales:\n\
         \x20   files: \"*.csv\"\n\
         \x20   format: csv\n\
         \x20   key: [sale_id]\n\
         \x20   time_column: sold_on\n\
         \x20   max_rejects: {share: 0.9}\n\
         \x20   columns:\n\
         \x20     sale_id: {type: integer, required: true}\n\
         \x20     customer_id: {type: integer, required: true}\n\
         \x20     sold_on: {type: date, required: true}\n\
         \x20     amount: {type: decimal, precision: 18, scale: 2}\n",
    ),
    (
        "sql/core/orders.sql",
        "/* ---\ndescription: Orders\ngrain: [order_id]\n--- */\n\
         SELECT order_id, customer_id, ordered_on, amount FROM source.erp__orders\n\
         WHERE ordered_on < DATE '{{ as_of }}'\n",
    ),
    (
        "sql/core/customers.sql",
        "/* ---\ndescription: Customers\ngrain: [customer_id]\ncolumns:\n  name: {tests: [not_null]}\n--- */\n\
         SELECT customer_id, name, since FROM source.erp__customers\n",
    ),
    (
        "sql/staging/open_orders.sql",
        "/* ---\ndescription: Orders without an amount\ngrain: [order_id]\nmaterialize: view\n--- */\n\
         SELECT order_id, customer_id FROM {{ ref('core.orders') }} WHERE amount IS NULL\n",
    ),
    (
        "sql/core/visits.sql",
        "/* ---\ndescription: Visits by customer\ngrain: [customer_id]\n--- */\n\
         SELECT customer_id, count(*) AS visits, max(visited_on) AS last_visit FROM source.web__visits\n\
         WHERE visited_on < DATE '{{ as_of }}' AND customer_id IS NOT NULL GROUP BY customer_id\n",
    ),
    (
        "sql/core/sales.sql",
        "/* ---\ndescription: Sales\ngrain: [sale_id]\n--- */\n\
         SELECT sale_id, customer_id, sold_on, amount FROM source.shop__sales WHERE sold_on < DATE '{{ as_of }}'\n",
    ),
    (
        "sql/marts/customer.sql",
        "/* ---\ndescription: All of a customer\ngrain: [customer_id]\n--- */\n\
         SELECT c.customer_id, c.name, o.orders, o.amount AS ordered, s.amount AS sold, v.visits, v.last_visit,\n\
         \x20 DATE '{{ as_of }}' - v.last_visit AS days_away\n\
         FROM {{ ref('core.customers') }} c\n\
         LEFT JOIN (SELECT customer_id, count(*) AS orders, sum(amount) AS amount FROM {{ ref('core.orders') }} \
         GROUP BY customer_id) o ON o.customer_id = c.customer_id\n\
         LEFT JOIN (SELECT customer_id, sum(amount) AS amount FROM {{ ref('core.sales') }} GROUP BY customer_id) s \
         ON s.customer_id = c.customer_id\n\
         LEFT JOIN {{ ref('core.visits') }} v ON v.customer_id = c.customer_id\n",
    ),
    (
        "sql/marts/rows.sql",
        "/* ---\ndescription: Rows of each source\ngrain: [source]\n--- */\n\
         SELECT 'erp' AS source, count(*) AS rows FROM source.erp__orders\n\
         UNION ALL SELECT 'open', count(*) FROM {{ ref('staging.open_orders') }}\n\
         UNION ALL SELECT 'web', count(*) FROM source.web__visits\n\
         UNION ALL SELECT 'shop', count(*) FROM source.shop__sales\n",
    ),
    (
        "sql/tests/not_broken.sql",
        "/* ---\ndescription: Fails when a variable says so\nseverity: error\n--- */\n\
         SELECT count(*) AS n FROM {{ ref('core.orders') }} HAVING '{{ var('broken') }}' = 'core'\n",
    ),
    (
        "sql/tests/marts_not_broken.sql",
        "/* ---\ndescription: Fails when a variable says so\nseverity: error\n--- */\n\
         SELECT count(*) AS n FROM {{ ref('marts.rows') }} HAVING '{{ var('broken') }}' = 'marts'\n",
    ),
    (
        "sql/tests/every_order_has_an_amount.sql",
        "/* ---\ndescription: Orders have an amount\nseverity: warn\n--- */\n\
         SELECT order_id FROM {{ ref('staging.open_orders') }}\n",
    ),
];

/// The company: a project, its sources, and what was taken out of their folders.
pub struct Company {
    folder: tempfile::TempDir,
    /// The number of polls of the last run that was not stopped: what a moment within a run is measured by.
    polls: u64,
    next: i64,
}

/// How a run is disturbed.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The location of one source does not exist.
    SourceFails(&'static str),
    /// No source can be reached.
    AllSourcesFail,
    /// A test of this layer fails.
    TestFails(&'static str),
    /// Everything stops after this share of a run's way, in tenths of per cent.
    Killed(u16),
}

/// How a run ended that was not stopped.
pub type Ended = Result<RunOutcome, Problems>;

impl Company {
    pub fn new() -> Company {
        let company = Company { folder: tempfile::tempdir().unwrap(), polls: 200, next: 100 };
        for (path, text) in FILES {
            company.write(path, text);
        }
        for folder in ["data/web", "data/shop", "archive"] {
            std::fs::create_dir_all(company.root().join(folder)).unwrap();
        }
        let erp = company.erp();
        erp.execute_batch(
            "CREATE TABLE orders (order_id INTEGER PRIMARY KEY, customer_id INTEGER, ordered_on TEXT, amount TEXT, changed_at TEXT);
             CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, name TEXT, since TEXT);
             INSERT INTO customers VALUES (1, 'Ann', '2025-01-01'), (2, 'Bob', '2025-02-01'), (3, 'Cid', '2025-02-30'),
                 (4, 'Dan', NULL), (5, 'Eve', '2026-01-31');
             INSERT INTO orders VALUES (1, 1, '2026-01-05', '10.00', '2026-01-05 10:00:00'),
                 (2, 2, '2026-01-06', NULL, '2026-01-06 10:00:00'), (3, 1, '2026-02-07', '7.50', '2026-02-07 10:00:00');",
        )
        .unwrap();
        company.write("data/web/1.jsonl", &visits(&[(1, 1, "2026-01-05"), (2, 4, "2026-02-03"), (3, 1, "2026-02-30")]));
        company.write(
            "data/shop/1.csv",
            &sales(&[(1, 1, "2026-01-05", "3.00"), (2, 5, "2026-02-05", "2.00"), (3, 5, "2026-02-06", "x")]),
        );
        company
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn erp(&self) -> rusqlite::Connection {
        std::fs::create_dir_all(self.root().join("data")).unwrap();
        rusqlite::Connection::open(self.root().join("data/erp.db")).unwrap()
    }

    fn next(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    /// The day and the time of the next change: later than those of all changes before.
    fn moment(&mut self) -> (i64, String, String) {
        let number = self.next();
        let at = jiff::civil::date(2026, 2, 8).at(0, 0, 0, 0) + Span::new().hours(number - 100);
        (number, at.date().to_string(), at.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    /// A new order of a customer.
    pub fn order(&mut self) {
        let (number, day, at) = self.moment();
        let amount = (number % 4 != 0).then(|| format!("{number}.50"));
        let row = (number, 1 + number % 6, day, amount, at);
        self.erp().execute("INSERT INTO orders VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
    }

    /// The newest order gets another amount.
    pub fn change_order(&mut self) {
        let (number, _, at) = self.moment();
        let sql = "UPDATE orders SET amount = ?1, changed_at = ?2 WHERE order_id = (SELECT max(order_id) FROM orders)";
        self.erp().execute(sql, (format!("{number}.25"), at)).unwrap();
    }

    /// A customer more, one renamed, one gone: which, depends on what happened before.
    pub fn customers(&mut self) {
        let number = self.next();
        let erp = self.erp();
        match number % 3 {
            0 => erp.execute("INSERT INTO customers VALUES (?1, 'New', '2026-02-01')", [number]),
            1 => erp.execute("UPDATE customers SET name = name || '+' WHERE customer_id <= 2", []),
            _ => erp.execute(
                "DELETE FROM customers WHERE customer_id = (SELECT max(customer_id) FROM customers WHERE customer_id > 3)",
                [],
            ),
        }
        .unwrap();
    }

    /// A file of visits, one of which has a day that does not exist.
    pub fn visit(&mut self) {
        let (number, day, _) = self.moment();
        let rows = [(number, 1 + number % 5, day.as_str()), (number + 100_000, 2, "2026-02-31")];
        self.write(&format!("data/web/{number}.jsonl"), &visits(&rows));
    }

    /// Files of visits that have been read are taken away, as logs are.
    pub fn rotate_visits(&self) {
        self.move_files("data/web", "archive");
    }

    /// They are put back: what has not been read, or shall be read again, needs its files.
    pub fn restore_visits(&self) {
        self.move_files("archive", "data/web");
    }

    fn move_files(&self, from: &str, to: &str) {
        for entry in std::fs::read_dir(self.root().join(from)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::rename(&path, self.root().join(to).join(path.file_name().unwrap())).unwrap();
        }
    }

    /// A new file of sales, with a bad row in every second one.
    pub fn sale(&mut self) {
        let (number, day, _) = self.moment();
        let amount = if number % 2 == 0 { "x" } else { "5.00" };
        let rows = [(number, 1 + number % 5, day.as_str(), "4.00"), (number + 100_000, 2, day.as_str(), amount)];
        self.write(&format!("data/shop/{number}.csv"), &sales(&rows));
    }

    /// The first file of sales arrives again with other rows.
    pub fn sales_again(&mut self) {
        let (number, day, _) = self.moment();
        self.write(
            "data/shop/1.csv",
            &sales(&[(1, 1, "2026-01-05", "3.50"), (number, 3, &day, "6.00"), (9, 5, "2026-02-06", "y")]),
        );
    }

    /// The next file of sales has a column that the contract does not name.
    pub fn sales_with_a_new_column(&mut self) {
        let (number, day, _) = self.moment();
        let text = format!("sale_id,customer_id,sold_on,amount,till\n{number},4,{day},1.00,north\n");
        self.write(&format!("data/shop/{number}.csv"), &text);
    }

    /// The project, with its lake in this folder below the root.
    pub fn project(&self, lake: &str, fault: Option<&Fault>) -> Project {
        let missing = |name: &str| match fault {
            Some(Fault::AllSourcesFail) => true,
            Some(Fault::SourceFails(source)) => source.eq_ignore_ascii_case(name),
            _ => false,
        };
        let env = |name: &str| match name {
            "ERP" if missing(name) => Some("sqlite://data/missing.db".to_string()),
            "WEB" | "SHOP" if missing(name) => Some("data/missing".to_string()),
            _ => None,
        };
        let vars = match fault {
            Some(Fault::TestFails(layer)) => Some(format!("{{broken: {layer}}}")),
            _ => None,
        };
        let mut project = Project::load(self.root(), &LoadOptions { vars: vars.as_deref(), env: &env }).unwrap();
        project.lake = self.root().join(lake).display().to_string();
        project
    }

    /// One run; `None` if it was stopped on the way.
    pub fn run(&mut self, project: &Project, request: &RunRequest, fault: Option<&Fault>) -> Option<Ended> {
        let stop = match fault {
            Some(Fault::Killed(share)) => self.polls * u64::from(*share) / 1000,
            _ => u64::MAX,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut polls = 0;
        let ended = runtime.block_on(async {
            let mut run = pin!(flow::run(project, request, &Silent));
            std::future::poll_fn(|context| {
                polls += 1;
                match run.as_mut().poll(context) {
                    Poll::Pending if polls > stop => Poll::Ready(None),
                    other => other.map(Some),
                }
            })
            .await
        });
        if ended.is_some() {
            self.polls = polls;
        }
        ended
    }
}

/// Observes nothing.
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>) {}
}

/// A run that these tests ask for.
pub fn request(pipeline: &str, as_of: Date, now: Timestamp) -> RunRequest {
    RunRequest { pipeline: Some(pipeline.to_string()), as_of: Some(as_of), ..RunRequest::new(now, invoker()) }
}

pub fn invoker() -> Invoker {
    Invoker { host: "here".into(), user: "ann".into(), pid: std::process::id(), command: "run".into() }
}

fn visits(rows: &[(i64, i64, &str)]) -> String {
    rows.iter().fold(String::new(), |mut text, (visit, customer, day)| {
        writeln!(text, "{{\"visit_id\": {visit}, \"customer_id\": {customer}, \"visited_on\": \"{day}\"}}").unwrap();
        text
    })
}

fn sales(rows: &[(i64, i64, &str, &str)]) -> String {
    rows.iter().fold("sale_id,customer_id,sold_on,amount\n".to_string(), |mut text, (sale, customer, day, amount)| {
        writeln!(text, "{sale},{customer},{day},{amount}").unwrap();
        text
    })
}

/// What the newest release of a lake says, in a form in which equal means equal: for every relation its rows in
/// order, without what tells when they were loaded.
pub struct Content {
    pub release: Option<Release>,
    pub relations: BTreeMap<String, Vec<String>>,
}

pub fn content(project: &Project) -> Content {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let reader = Reader::open(project, None).await.unwrap();
        let mut relations = BTreeMap::new();
        let names = "SELECT concat(table_schema, '.', table_name) AS name FROM information_schema.tables \
                     WHERE table_schema IN ('raw', 'source', 'staging', 'core', 'marts')";
        for name in rows(&reader, names).await {
            let name = name.trim_start_matches("name=").to_string();
            relations.insert(name.clone(), rows(&reader, &format!("SELECT * FROM {name}")).await);
        }
        let rejects = format!(
            "SELECT source, table_name, file, line, column_name, value, reason, row FROM system.rejects WHERE {}",
            reader.open_rejects()
        );
        relations.insert("rejects".to_string(), rows(&reader, &rejects).await);
        Content { release: reader.release.clone(), relations }
    })
}

/// Rows as `column=value` in order, so that their sequence in the answer does not matter.
pub async fn rows(reader: &Reader, sql: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in reader.query(sql, None).await.unwrap_or_else(|e| panic!("{sql}: {e}")) {
        let schema = batch.schema();
        // A row of a database has the number that it had in the read which brought it.
        let by_read: &[&str] = if sql.contains("raw.erp__") { &["_line"] } else { &[] };
        let by_run = ["_loaded_at", "_run_id", "valid_from", "valid_to"];
        let left_out = |name: &str| by_run.contains(&name) || by_read.contains(&name);
        let kept: Vec<usize> =
            (0..batch.num_columns()).filter(|index| !left_out(schema.field(*index).name())).collect();
        let options = FormatOptions::default().with_null("NULL");
        let shown: Vec<_> =
            kept.iter().map(|index| ArrayFormatter::try_new(batch.column(*index), &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cells = kept
                .iter()
                .zip(&shown)
                .map(|(index, column)| format!("{}={}", schema.field(*index).name(), column.value(row)));
            rows.push(cells.collect::<Vec<_>>().join(" "));
        }
    }
    rows.sort();
    rows
}
