//! What a run has finished is written down while it goes on, so that `retry` can go on from there, also after a kill.
//!
//! A journal is used only while everything it depends on is the same: the project's files, variables, the business date,
//! what was selected, and the release that the run started from. Its files are kept for `keep.failed_days`.

use super::record::project_hash;
use super::{Invoker, RunRequest};
use perennial_core::contract::{Source, TableName};
use perennial_core::digest::digest;
use perennial_core::error::{Error, Result};
use perennial_lake::{Journal, Lake, LoadState, Lock, Release, TableVersion};
use perennial_project::Project;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// What a run was asked to do, as its journal remembers it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Request {
    pipeline: Option<String>,
    select: Vec<String>,
    exclude: Vec<String>,
    as_of: jiff::civil::Date,
    full_refresh: bool,
    publish: bool,
    scheduled_for: Option<jiff::Timestamp>,
    attempt: u32,
}

impl Request {
    fn of(request: &RunRequest, as_of: jiff::civil::Date, attempt: u32) -> Request {
        Request {
            pipeline: request.pipeline.clone(),
            select: request.select.clone(),
            exclude: request.exclude.clone(),
            as_of,
            full_refresh: request.full_refresh,
            publish: request.publish,
            scheduled_for: request.scheduled_for,
            attempt,
        }
    }

    /// Whether the same is to be made, whenever and however often it was tried.
    fn is_same_work(&self, other: &Request) -> bool {
        let Request { pipeline, select, exclude, as_of, full_refresh, publish, scheduled_for: _, attempt: _ } = other;
        (&self.pipeline, &self.select, &self.exclude, self.as_of, self.full_refresh, self.publish)
            == (pipeline, select, exclude, *as_of, *full_refresh, *publish)
    }
}

/// The head of a journal.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Head {
    /// What the tables depend on besides the request.
    key: String,
    /// The release that the run started from; 0 for none.
    release: u64,
    request: Request,
}

/// Hash of what finished tables depend on: the files of the project, its variables and the release it starts from.
fn key(project: &Project, latest: Option<&Release>) -> String {
    let vars: Vec<String> = project.vars.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let release = latest.map_or(0, |release| release.number);
    digest([project_hash(project), release.to_string(), env!("CARGO_PKG_VERSION").to_string()].into_iter().chain(vars))
}

/// The request that continues a failed run: the one that is named, or the last that can be continued.
///
/// # Errors
/// `Project` when there is none, or something has changed since.
pub(crate) async fn retry(
    project: &Project,
    run_id: Option<&str>,
    invoker: Invoker,
    now: jiff::Timestamp,
) -> Result<RunRequest> {
    let lake = Lake::open(&project.lake).await?;
    let journals = lake.journal_runs().await?;
    let found = match run_id {
        Some(run_id) => journals.iter().find(|journal| *journal == run_id),
        None => journals.last(),
    };
    let Some(run_id) = found else {
        let error = match run_id {
            Some(run_id) => Error::project(format!("nothing of run {run_id} is kept that could be used again")),
            None => Error::project("no run that failed can be continued"),
        };
        return Err(error.hint("`perennial run` begins anew; `perennial runs` lists what ran"));
    };
    let Some((head, _)) = read(&lake, run_id).await? else {
        let error = Error::project(format!("what run {run_id} had finished cannot be read"));
        return Err(error.hint("`perennial run` begins anew"));
    };
    if head.key != key(project, lake.latest().await?.as_ref()) {
        let error = format!("the project's files, variables or the newest release have changed since run {run_id}");
        return Err(
            Error::project(error).hint("what it had finished may not fit any more: `perennial run` begins anew")
        );
    }
    let Request { pipeline, select, exclude, as_of, full_refresh, publish, scheduled_for, attempt } = head.request;
    Ok(RunRequest {
        pipeline,
        select,
        exclude,
        as_of: Some(as_of),
        // The date was accepted when the run began.
        allow_future: true,
        full_refresh,
        publish,
        scheduled_for,
        attempt: attempt + 1,
        resume: Some(run_id.clone()),
        ..RunRequest::new(now, invoker)
    })
}

async fn read(lake: &Lake, run_id: &str) -> Result<Option<(Head, Journal)>> {
    let Some(journal) = lake.journal(run_id).await? else { return Ok(None) };
    Ok(serde_json::from_value(journal.head.clone()).ok().map(|head| (head, journal)))
}

/// What a run that is continued had finished.
#[derive(Default)]
pub(super) struct Resumed {
    /// That run.
    pub run_id: Option<String>,
    /// Tables that steps had made.
    pub steps: BTreeMap<TableName, TableVersion>,
    /// Tables of sources, with what was read of them.
    pub raw: BTreeMap<TableName, (TableVersion, LoadState)>,
    /// The names of the former.
    pub step_names: BTreeSet<TableName>,
}

impl Resumed {
    /// Whether all tables of a source had been read.
    pub fn holds(&self, source: &Source) -> bool {
        source.tables.iter().all(|table| self.raw.contains_key(&TableName::raw(&source.name, &table.name)))
    }

    /// What the run that a request names had finished; nothing where that may not be used any more.
    pub async fn of(
        project: &Project,
        request: &RunRequest,
        as_of: jiff::civil::Date,
        lake: &Lake,
        latest: Option<&Release>,
    ) -> Result<Resumed> {
        // A further attempt of the same planned time goes on where the last one stopped.
        let run_id = match &request.resume {
            Some(run_id) => Some(run_id.clone()),
            None if request.attempt > 1 => lake.journal_runs().await?.pop(),
            None => None,
        };
        let Some(run_id) = run_id else { return Ok(Resumed::default()) };
        let Some((head, journal)) = read(lake, &run_id).await? else { return Ok(Resumed::default()) };
        if head.key != key(project, latest) || !head.request.is_same_work(&Request::of(request, as_of, request.attempt))
        {
            return Ok(Resumed::default());
        }
        let mut resumed = Resumed { run_id: Some(run_id), ..Resumed::default() };
        for (name, (version, loaded)) in journal.tables {
            match loaded {
                Some(state) => {
                    resumed.raw.insert(name, (version, state));
                }
                None => {
                    resumed.step_names.insert(name.clone());
                    resumed.steps.insert(name, version);
                }
            }
        }
        Ok(resumed)
    }
}

/// The journal of one run: what is finished is handed over and never waited for, and what could not be written is only not
/// used again.
pub(super) struct RunJournal {
    /// What the run that is continued had finished.
    pub resumed: Resumed,
    run_id: String,
    request: Request,
    /// Nothing for a replay, which depends on what was corrected by hand.
    writer: Option<Writer>,
}

struct Writer {
    sender: UnboundedSender<(TableName, TableVersion, Option<LoadState>)>,
    task: JoinHandle<Result<()>>,
}

impl RunJournal {
    /// Begins the journal of a run, with what the run that it continues had finished.
    pub async fn open(
        project: &Project,
        request: &RunRequest,
        as_of: jiff::civil::Date,
        lake: &Lake,
        run_id: &str,
        latest: Option<&Release>,
    ) -> Result<RunJournal> {
        if request.replay.is_some() {
            let run_id = run_id.to_string();
            let request = Request::of(request, as_of, request.attempt);
            return Ok(RunJournal { resumed: Resumed::default(), run_id, request, writer: None });
        }
        let resumed = Resumed::of(project, request, as_of, lake, latest).await?;
        let release = latest.map_or(0, |release| release.number);
        let request = Request::of(request, as_of, request.attempt);
        let head = Head { key: key(project, latest), release, request: request.clone() };
        let head =
            serde_json::to_value(head).map_err(|e| Error::bug("a journal cannot be written as JSON").because(e))?;
        lake.begin_journal(run_id, &head).await?;
        let (sender, mut receiver) = unbounded_channel::<(TableName, TableVersion, Option<LoadState>)>();
        let (lake, of_run) = (lake.clone(), run_id.to_string());
        let task = tokio::spawn(async move {
            while let Some((name, version, loaded)) = receiver.recv().await {
                lake.add_to_journal(&of_run, &name, &version, loaded.as_ref()).await?;
            }
            Ok(())
        });
        let journal =
            RunJournal { resumed, run_id: run_id.to_string(), request, writer: Some(Writer { sender, task }) };
        journal.resumed.raw.iter().for_each(|(name, (version, state))| journal.add(name, version, Some(state)));
        journal.resumed.steps.iter().for_each(|(name, version)| journal.add(name, version, None));
        Ok(journal)
    }

    /// A table is finished: one of a source with what was read of it.
    pub fn add(&self, name: &TableName, version: &TableVersion, loaded: Option<&LoadState>) {
        if let Some(writer) = &self.writer {
            // The task has ended only where the store failed, which is told when the journal is closed.
            let _ = writer.sender.send((name.clone(), version.clone(), loaded.cloned()));
        }
    }

    /// Waits until everything is written. A run that is complete needs no journal, nor does the one that it continued, nor
    /// any of the same request or from another release than `newest`, which is the newest after a run that is complete.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn close(self, lake: &Lake, lock: &Lock, newest: Option<u64>) -> Result<()> {
        let Some(Writer { sender, task }) = self.writer else { return Ok(()) };
        drop(sender);
        let written = task.await.map_err(|e| Error::bug("the writer of a journal has stopped").because(e))?;
        if newest.is_some() {
            lake.forget_journal(&self.run_id).await?;
        }
        if let Some(continued) = self.resumed.run_id.filter(|_| newest.is_some() || written.is_ok()) {
            lake.delete_journal(lock, &continued).await?;
        }
        if let Some(newest) = newest {
            for run_id in lake.journal_runs().await? {
                let is_needed = |head: &Head| head.release == newest && !head.request.is_same_work(&self.request);
                if !read(lake, &run_id).await?.is_some_and(|(head, _)| is_needed(&head)) {
                    lake.delete_journal(lock, &run_id).await?;
                }
            }
        }
        written
    }
}
