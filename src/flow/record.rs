//! What a run leaves in `system.*`, however it ended.

use super::build::BuildOutcome;
use super::{Ending, Event, Invoker, Observer, RunOutcome, RunRequest, commit, note_of};
use perennial_core::digest::digest;
use perennial_core::error::{Error, Problems, Result};
use perennial_intake::{Reject, RejectSink};
use perennial_lake::history::{
    RejectRecord, ReleaseRecord, Row, RunRecord, RunStatus, SourceRecord, StepRecord, TestRecord,
};
use perennial_lake::{DataFile, KilledRun, Lake, Lock, Release, TableVersion, new_run_id};
use perennial_project::{Pipeline, Project};
use std::time::Instant;

/// What is known of a run before it begins.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct RunFacts {
    pub pipeline: Option<String>,
    pub as_of: Option<jiff::civil::Date>,
    pub scheduled_for: Option<jiff::Timestamp>,
    pub attempt: Option<u32>,
    pub project: Option<String>,
    pub git_commit: Option<String>,
}

impl RunFacts {
    /// Of a run of a pipeline.
    pub fn new(project: &Project, pipeline: &Pipeline, request: &RunRequest, as_of: jiff::civil::Date) -> RunFacts {
        RunFacts {
            pipeline: Some(pipeline.name.clone()),
            as_of: Some(as_of),
            scheduled_for: request.scheduled_for,
            attempt: Some(request.attempt),
            project: Some(project_hash(project)),
            git_commit: commit::of_folder(&project.root),
        }
    }

    /// For the marker of a run, from which the record of one that was killed is made.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|e| Error::bug("a run's marker cannot be written as JSON").because(e))
    }
}

/// Hash of all files of a project.
pub(super) fn project_hash(project: &Project) -> String {
    digest(project.files.iter().flat_map(|file| [file.path.as_bytes(), file.text.as_bytes()]))
}

/// Records a run whose project could not even be read, in the lake that `perennial.yml` names. A lake that cannot be
/// reached leaves no record; the caller tells the problems in any case.
///
/// # Errors
/// `Unreachable` when the lake cannot be reached.
pub(crate) async fn record_not_begun(lake: &str, request: &RunRequest, problems: &Problems) -> Result<()> {
    let lake = Lake::open(lake).await?;
    let latest = lake.latest().await?;
    let last_run_id = lake.last_run_id(latest.as_ref().map(|release| release.run_id.as_str())).await?;
    let run_id = new_run_id(request.now, last_run_id.as_deref());
    let facts = RunFacts {
        pipeline: request.pipeline.clone(),
        as_of: request.as_of,
        scheduled_for: request.scheduled_for,
        attempt: Some(request.attempt),
        ..RunFacts::default()
    };
    Record::new(&lake, &run_id, &request.invoker, facts, request.now).not_begun(problems).await
}

/// The rows of one run, collected while it goes on.
pub(super) struct Record<'a> {
    pub run_id: String,
    pub rejects: Box<dyn RejectSink + 'a>,
    lake: &'a Lake,
    run: RunRecord,
    began: Instant,
    sources: Vec<SourceRecord>,
    steps: Vec<StepRecord>,
    tests: Vec<TestRecord>,
    release: Option<ReleaseRecord>,
}

impl<'a> Record<'a> {
    /// A run that began now and has done nothing yet.
    pub fn new(lake: &'a Lake, run_id: &str, invoker: &Invoker, facts: RunFacts, now: jiff::Timestamp) -> Record<'a> {
        let run = RunRecord {
            run_id: run_id.to_string(),
            command: invoker.command.clone(),
            pipeline: facts.pipeline,
            as_of: facts.as_of,
            scheduled_for: facts.scheduled_for,
            attempt: facts.attempt.map(u64::from),
            started_at: now,
            ended_at: now,
            status: RunStatus::Failed,
            release: None,
            message: None,
            host: invoker.host.clone(),
            user: invoker.user.clone(),
            project: facts.project,
            git_commit: facts.git_commit,
        };
        Record {
            run_id: run_id.to_string(),
            rejects: Box::new(LakeRejects { lake, run_id: run_id.to_string() }),
            lake,
            run,
            began: Instant::now(),
            sources: Vec::new(),
            steps: Vec::new(),
            tests: Vec::new(),
            release: None,
        }
    }

    /// The current time, measured from the start of the run.
    pub fn now(&self) -> jiff::Timestamp {
        let elapsed = jiff::SignedDuration::try_from(self.began.elapsed()).unwrap_or_default();
        self.run.started_at.checked_add(elapsed).unwrap_or(self.run.started_at)
    }

    /// Records what was read.
    pub fn pulled(&mut self, sources: &[SourceRecord]) {
        self.sources = sources.to_vec();
    }

    /// Records what was built and tested.
    pub fn built(&mut self, built: &BuildOutcome) {
        self.steps.clone_from(&built.steps);
        self.tests.clone_from(&built.test_records);
    }

    /// Records what the run published, however it goes on.
    pub fn published(&mut self, release: &Release) {
        self.release = Some(release_record(release));
    }

    /// Records how the run ended.
    pub fn ended(&mut self, outcome: &RunOutcome) {
        (self.run.status, self.run.release) = match outcome.ending {
            Ending::Published { release, .. } => (RunStatus::Done, Some(release)),
            Ending::NothingNew { .. } if outcome.failed_sources > 0 => (RunStatus::Failed, None),
            Ending::NothingNew { .. } => (RunStatus::NothingNew, None),
            Ending::Withheld { .. } => (RunStatus::Done, None),
            Ending::NotPublished => (RunStatus::Failed, None),
        };
        self.run.message =
            outcome.problems.iter().map(ToString::to_string).chain(outcome.not_issued.iter().cloned()).next();
    }

    /// Records that the run published an earlier release again.
    pub fn rolled_back(&mut self, release: &Release, to: u64) {
        self.run.status = RunStatus::Done;
        self.run.release = Some(release.number);
        self.run.as_of = Some(release.as_of);
        self.published(release);
        self.run.message = Some(format!("rollback to release {to}"));
    }

    /// Records what stopped the run.
    pub fn failed(&mut self, error: impl ToString) {
        self.run.status = RunStatus::Failed;
        self.run.message = Some(error.to_string());
    }

    /// Records a run that could not begin: nothing was touched, and there is no marker.
    pub async fn not_begun(mut self, problems: &Problems) -> Result<()> {
        if let Some(first) = problems.iter().next() {
            self.failed(first);
        }
        append(self.lake, &self.run_id, &[self.run]).await
    }

    /// Writes the rows and removes the run's marker.
    pub async fn write(mut self, lock: &Lock) -> Result<()> {
        self.run.ended_at = self.now();
        append(self.lake, &self.run_id, &self.sources).await?;
        append(self.lake, &self.run_id, &self.steps).await?;
        append(self.lake, &self.run_id, &self.tests).await?;
        append(self.lake, &self.run_id, self.release.as_slice()).await?;
        append(self.lake, &self.run_id, &[self.run]).await?;
        self.lake.end_run(lock, &self.run_id).await
    }
}

async fn append<R: Row>(lake: &Lake, run_id: &str, rows: &[R]) -> Result<()> {
    lake.append_system(R::TABLE, run_id, &R::batch(rows)?).await
}

/// Repairs what killed runs left behind, and records them. What runs that failed had finished is kept as long as the
/// project says.
pub(super) async fn repair(
    project: &Project,
    lake: &Lake,
    lock: &Lock,
    now: jiff::Timestamp,
    observer: &dyn Observer,
) -> Result<()> {
    let repairs = lake.repair(lock).await?;
    let kept = jiff::SignedDuration::from_hours(24 * i64::from(project.keep.failed_days));
    lake.expire_journals(lock, now.checked_sub(kept).unwrap_or(jiff::Timestamp::MIN)).await?;
    if let Some(error) = &repairs.delta_behind {
        observer.event(Event::Note(note_of("the Delta logs are still behind", error)));
    }
    let listed = lake.system_files().await?.of(ReleaseRecord::TABLE);
    let are_listed = listed.is_empty() && list_earlier_releases(lake).await?;
    for killed in &repairs.killed {
        observer
            .event(Event::Note(format!("run {} was killed; what it left behind is repaired", killed.holder.run_id)));
        // One that could not find out whether it had published is recorded, and its release is not.
        if let Some(number) = killed.release.filter(|_| !are_listed && !listed.iter().any(|file| is_of(killed, file))) {
            append(lake, &killed.holder.run_id, &[release_record(&lake.release(number).await?)]).await?;
        }
        if !killed.recorded {
            append(lake, &killed.holder.run_id, &[killed_run(killed, now)]).await?;
        }
        lake.end_run(lock, &killed.holder.run_id).await?;
    }
    Ok(())
}

/// Merges the files of `system.*` when there are many. Nothing that goes wrong here fails a run.
pub(super) async fn compact(lake: &Lake, lock: &Lock, observer: &dyn Observer) {
    match lake.compact_system(lock).await {
        Ok(foreign) => foreign.iter().for_each(|path| {
            observer
                .event(Event::Note(format!("{path} is not a file of this lake and is left out; move it elsewhere")));
        }),
        Err(error) => observer.event(Event::Note(note_of("the files of `system` cannot be merged", &error))),
    }
}

/// Whether a file of a system table holds rows of a run. Files are merged only after repairs.
fn is_of(killed: &KilledRun, file: &DataFile) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    name.strip_prefix(killed.holder.run_id.as_str()).is_some_and(|rest| rest.starts_with('-'))
}

/// Writes the rows of `system.releases` that are missing in a lake of an earlier version, which read every release to
/// list them. Returns whether there were any.
async fn list_earlier_releases(lake: &Lake) -> Result<bool> {
    let releases = lake.readable_releases().await?;
    let Some(latest) = releases.last() else { return Ok(false) };
    let records: Vec<ReleaseRecord> = releases.iter().map(release_record).collect();
    append(lake, &latest.run_id, &records).await?;
    Ok(true)
}

/// The row of `system.releases` of a release.
pub(super) fn release_record(release: &Release) -> ReleaseRecord {
    let tests = release.test_counts(None);
    ReleaseRecord {
        number: release.number,
        run_id: release.run_id.clone(),
        published_at: release.published_at,
        as_of: release.as_of,
        rollback_of: release.rollback_of,
        tables: release.tables.len() as u64,
        rows: release.tables.values().map(TableVersion::rows).sum(),
        tests_passed: tests.passed,
        tests_warned: tests.warned,
    }
}

fn killed_run(killed: &KilledRun, now: jiff::Timestamp) -> RunRecord {
    let facts: RunFacts = serde_json::from_value(killed.facts.clone()).unwrap_or_default();
    RunRecord {
        run_id: killed.holder.run_id.clone(),
        command: killed.holder.command.clone(),
        pipeline: facts.pipeline,
        as_of: facts.as_of,
        scheduled_for: facts.scheduled_for,
        attempt: facts.attempt.map(u64::from),
        started_at: killed.started_at,
        ended_at: now,
        status: RunStatus::Killed,
        release: killed.release,
        message: None,
        host: killed.holder.host.clone(),
        user: killed.holder.user.clone(),
        project: facts.project,
        git_commit: facts.git_commit,
    }
}

/// Writes rejects to the lake as they are found.
struct LakeRejects<'a> {
    lake: &'a Lake,
    run_id: String,
}

#[async_trait::async_trait]
impl RejectSink for LakeRejects<'_> {
    async fn keep(&self, rejects: Vec<Reject>) -> Result<()> {
        let rows: Vec<RejectRecord> = rejects.into_iter().map(|reject| self.row(reject)).collect();
        append(self.lake, &self.run_id, &rows).await
    }
}

impl LakeRejects<'_> {
    fn row(&self, reject: Reject) -> RejectRecord {
        RejectRecord {
            run_id: self.run_id.clone(),
            source: reject.source,
            table: reject.table,
            file: reject.file,
            line: reject.line,
            column: reject.column,
            value: Some(reject.raw),
            reason: reject.reason,
            row: reject.row,
        }
    }
}
