//! Days of the calendar in seconds: the runs of a project at their times, in a copy of it, with a lake, pages and mails of
//! their own. Nothing of the project is touched, and nothing leaves the machine.

use super::clock::{Clock, SimulatedClock};
use super::daemon::{Daemon, Runs};
use super::plan::{Scheduled, SourceCheck, Start};
use super::runs::{Console, ProjectFolder, ProjectRuns};
use super::state::{Event, Finished};
use crate::flow::{Invoker, Stop};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use perennial_core::error::{Error, Problems, Result};
use perennial_lake::{Holder, Lake};
use perennial_project::{MailServer, Project};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A file that tells the folder of a simulation from one with something of value.
const MARKER: &str = ".perennial-simulation";
/// Below the project, by date: files that arrive at the beginning of that date.
pub(crate) const ARRIVALS: &str = "arrivals";

/// What is simulated.
#[derive(Clone, Debug)]
pub(crate) struct Simulation {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
    /// Where its lake, pages and mails go.
    pub folder: PathBuf,
    /// Variables of the command line.
    pub vars: Option<String>,
}

impl Simulation {
    /// Where mails and everything else lie that would leave the machine.
    pub fn outbox(&self) -> PathBuf {
        self.folder.join("outbox")
    }

    /// Runs the days of a project.
    ///
    /// # Errors
    /// `Project` when the folder is not that of a simulation, or the copy cannot be read.
    pub async fn run(&self, project: &Project, invoker: Invoker, console: Arc<dyn Console>) -> Result<(), Problems> {
        let zone = TimeZone::get(&project.time_zone).unwrap_or(TimeZone::UTC);
        // A second before the first day begins, and a second before the day after the last does.
        let start = before_midnight(self.first, &zone)?;
        let end = before_midnight(self.last.tomorrow().unwrap_or(self.last), &zone)?;
        self.copy(project, start)?;

        let clock = SimulatedClock::new(start);
        let root = self.folder.clone();
        let redirect = {
            let simulation = self.clone();
            move |project| simulation.redirect(project)
        };
        let folder = ProjectFolder { root, vars: self.vars.clone(), adjust: Some(Box::new(redirect)) };
        let copied = folder.load()?;
        let scheduled = Scheduled::of(&copied);
        if scheduled.is_empty() {
            return Err(super::overview::nothing_scheduled().into());
        }
        let lake = Lake::open(&copied.lake).await?;
        let holder = Holder {
            run_id: String::new(),
            host: invoker.host.clone(),
            user: invoker.user.clone(),
            pid: invoker.pid,
            command: invoker.command.clone(),
        };
        let lock = lake.lock_scheduler(holder.clone(), start).await?;
        let arrivals = arrivals(&project.root.join(ARRIVALS))?;
        let runs = SimulatedRuns {
            runs: ProjectRuns::new(folder, copied, invoker, Arc::new(clock.clone()), console, Some(self.outbox())),
            clock: clock.clone(),
            zone,
            arrivals: Mutex::new(arrivals),
            root: self.folder.clone(),
        };
        let grace = SignedDuration::ZERO;
        let (_nobody_asks, signals) = tokio::sync::mpsc::channel(1);
        let daemon =
            Daemon { lake: &lake, lock: &lock, holder: &holder, clock: &clock, runs: &runs, grace, until: Some(end) };
        daemon.run(scheduled, signals).await?;
        lock.release().await?;
        Ok(())
    }

    /// Makes the folder anew, with a copy of the project as it is before the first day.
    fn copy(&self, project: &Project, as_of: Timestamp) -> Result<()> {
        let is_empty = std::fs::read_dir(&self.folder).map_or(true, |mut entries| entries.next().is_none());
        if !is_empty && !self.folder.join(MARKER).is_file() {
            let error = format!("{} exists and is not the folder of a simulation", self.folder.display());
            return Err(Error::project(error).hint("name another one with `--into DIR`; it is made anew each time"));
        }
        let failed = |e: std::io::Error| {
            Error::unreachable(format!("cannot write the simulation to {}: {e}", self.folder.display()))
        };
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        std::fs::write(self.folder.join(MARKER), "").map_err(failed)?;
        let mut left_out = vec![
            PathBuf::from(&project.lake),
            project.reports_folder.clone(),
            project.root.join(ARRIVALS),
            project.root.join("simulation"),
            self.folder.clone(),
        ];
        if let Some(MailServer::Folder(outbox)) = project.mail.as_ref().map(|mail| &mail.server) {
            left_out.push(outbox.clone());
        }
        copy_files(&project.root, &self.folder, as_of, &left_out).map_err(failed)?;
        for (_, folder) in arrivals(&project.root.join(ARRIVALS))?.into_iter().filter(|(date, _)| *date > self.first) {
            take_out(&folder, &self.folder).map_err(failed)?;
        }
        Ok(())
    }

    /// The copy with everything that it writes kept in the folder of the simulation.
    fn redirect(&self, mut project: Project) -> Project {
        // What lies below the project lies below its copy already.
        let is_outside = |path: &Path| !path.starts_with(&self.folder);
        if is_outside(Path::new(&project.lake)) {
            project.lake = self.folder.join("lake").display().to_string();
        }
        if is_outside(&project.reports_folder) {
            project.reports_folder = self.folder.join("reports");
        }
        project.metrics_file = project.metrics_file.filter(|file| !is_outside(file));
        project
    }
}

fn before_midnight(date: Date, zone: &TimeZone) -> Result<Timestamp> {
    let midnight = zone.to_zoned(date.to_datetime(Time::midnight())).map(|midnight| midnight.timestamp());
    let before = midnight.and_then(|midnight| midnight.checked_sub(SignedDuration::from_secs(1)));
    before.map_err(|e| Error::project(format!("{date} cannot be simulated")).because(e))
}

/// The folders of files that arrive, by date.
fn arrivals(folder: &Path) -> Result<BTreeMap<Date, PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(|e| unreadable(folder, e))?,
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|e| unreadable(folder, e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let date = name.parse::<Date>().map_err(|_| {
            Error::project(format!("`{ARRIVALS}/{name}` is not a date"))
                .hint(format!("folders of `{ARRIVALS}` are dates, as in `{ARRIVALS}/2026-10-02/data/erp/orders.csv`"))
        })?;
        found.insert(date, path);
    }
    Ok(found)
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::unreachable(format!("cannot read {}: {error}", path.display())).because(error)
}

/// Copies a folder. The files are as old as the day they arrive on, since that is how a change is noticed.
fn copy_files(from: &Path, to: &Path, as_of: Timestamp, left_out: &[PathBuf]) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name().to_string_lossy().starts_with('.') || left_out.contains(&path) {
            continue;
        }
        if path.is_dir() {
            copy_files(&path, &target, as_of, left_out)?;
        } else if path.is_file() {
            std::fs::copy(&path, &target)?;
            // A file that only its owner may read can be dated all the same, one without write permission cannot.
            if let Ok(file) = std::fs::File::options().append(true).open(&target) {
                file.set_modified(as_of.into())?;
            }
        }
    }
    Ok(())
}

/// Takes out of a copy what a folder of files to come has as well, byte for byte: it has arrived in the project since.
fn take_out(to_come: &Path, copy: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(to_come)? {
        let entry = entry?;
        let (path, copied) = (entry.path(), copy.join(entry.file_name()));
        if path.is_dir() {
            take_out(&path, &copied)?;
        } else if copied.is_file() && std::fs::read(&path)? == std::fs::read(&copied)? {
            std::fs::remove_file(copied)?;
        }
    }
    Ok(())
}

/// The runs of the copy. What has arrived is laid over it before each.
struct SimulatedRuns {
    runs: ProjectRuns,
    clock: SimulatedClock,
    zone: TimeZone,
    arrivals: Mutex<BTreeMap<Date, PathBuf>>,
    root: PathBuf,
}

impl SimulatedRuns {
    fn arrive(&self) -> Result<()> {
        let today = self.zone.to_datetime(self.clock.now()).date();
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(entry) = arrivals.first_entry().filter(|entry| *entry.key() <= today) {
            let (date, folder) = entry.remove_entry();
            let at = before_midnight(date, &self.zone)?;
            let at = at.checked_add(SignedDuration::from_secs(1)).unwrap_or(at);
            copy_files(&folder, &self.root, at, &[]).map_err(|e| {
                Error::unreachable(format!("cannot copy {} into the simulation: {e}", folder.display()))
            })?;
        }
        Ok(())
    }

    fn arrive_or_note(&self) {
        if let Err(error) = self.arrive() {
            self.runs.note(&error);
        }
    }
}

#[async_trait::async_trait(?Send)]
impl Runs for SimulatedRuns {
    async fn scheduled(&self, now: Timestamp, at_once: bool) -> Option<Vec<Scheduled>> {
        self.runs.scheduled(now, at_once).await
    }

    async fn run(&self, start: &Start, scheduled: Option<&Scheduled>, stop: Stop) -> Finished {
        // What is done takes no simulated time.
        let _hold = self.clock.hold();
        self.arrive_or_note();
        self.runs.run(start, scheduled, stop).await
    }

    async fn late(&self, check: &SourceCheck) -> Vec<String> {
        let _hold = self.clock.hold();
        self.arrive_or_note();
        self.runs.late(check).await
    }

    async fn tell(&self, event: &Event) {
        let _hold = self.clock.hold();
        self.runs.tell(event).await;
    }

    async fn deliver(&self) {
        let _hold = self.clock.hold();
        self.runs.deliver().await;
    }

    fn note(&self, error: &Error) {
        self.runs.note(error);
    }

    fn alive(&self, _is_ending: bool) {}
}
