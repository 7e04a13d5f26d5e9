//! What a run publishes: what it read and made, and everything else as the release before has it.

use super::build::BuildOutcome;
use super::plan::Plan;
use super::pull::PullOutcome;
use perennial_core::contract::TableName;
use perennial_lake::{LoadState, NewRelease, Release, TestResult, ViewVersion};
use perennial_project::Project;
use perennial_steps::widened;
use std::collections::{BTreeMap, BTreeSet};

/// The release that a run publishes if everything has succeeded. `pulled` and `built` hold every table that the project
/// names: those that this run left alone are in them as the release before has them.
pub(super) fn next_release(
    project: &Project,
    plan: &Plan<'_>,
    pulled: &PullOutcome,
    built: &BuildOutcome,
    previous: Option<&Release>,
    run_id: &str,
    now: jiff::Timestamp,
) -> NewRelease {
    let mut tables = pulled.versions.clone();
    tables.extend(built.tables.clone());
    let mut views: Vec<(TableName, ViewVersion)> = Vec::new();
    for source in &plan.checked.sources {
        let Some(version) = tables.get_mut(&source.raw) else { continue };
        // A table that was read under an earlier contract lacks columns that the relation over it names.
        version.schema = widened(version, source);
        let reads = [source.raw.clone()].into();
        let view = ViewVersion { sql: source.sql.clone(), as_of: None, definition: None, reads };
        views.push((source.name.clone(), view));
    }
    let of_steps = plan.checked.steps.iter();
    views.extend(of_steps.filter_map(|step| Some((step.name.clone(), built.views.get(&step.name)?.clone()))));
    let released: BTreeSet<TableName> = tables.keys().chain(views.iter().map(|(name, _)| name)).cloned().collect();
    NewRelease {
        run_id: run_id.to_string(),
        published_at: now,
        as_of: plan.as_of,
        loaded: pulled.loaded.clone(),
        tests: tests(plan, built, previous, &released),
        project: project.files.iter().map(|file| (file.path.clone(), file.text.as_bytes().to_vec())).collect(),
        sql: plan.checked.steps.iter().map(|step| step.undated_sql.clone()).collect(),
        tables,
        views,
    }
}

/// What the names of queries of `sql/tests` begin with.
const QUERIES: &str = "tests.";

/// The latest result of every test: of this run, and of earlier ones where it judged neither the table nor the query.
fn tests(
    plan: &Plan<'_>,
    built: &BuildOutcome,
    previous: Option<&Release>,
    released: &BTreeSet<TableName>,
) -> BTreeMap<String, TestResult> {
    let queries: BTreeMap<String, &BTreeSet<TableName>> =
        plan.checked.tests.iter().map(|test| (test.name.to_string(), &test.reads)).collect();
    let untouched = |table: &TableName| released.contains(table) && !plan.selected.contains(table);
    let stands = |name: &str, test: &TestResult| match queries.get(name) {
        Some(reads) => reads.iter().all(untouched),
        // A query that the project no longer has, or a rule in the header of a step.
        None => !name.starts_with(QUERIES) && test.tables.iter().all(untouched),
    };
    let earlier = previous.iter().flat_map(|release| &release.tests).filter(|(name, test)| stands(name, test));
    let mut tests: BTreeMap<String, TestResult> = earlier.map(|(name, test)| (name.clone(), test.clone())).collect();
    for outcome in &built.tested {
        let of_rule = || [outcome.table.clone()].into_iter().chain(outcome.against.clone()).collect();
        let tables = queries.get(&outcome.name).map_or_else(of_rule, |reads| (*reads).clone());
        tests.insert(outcome.name.clone(), TestResult { tables, failures: outcome.failures });
    }
    tests
}

/// Whether a step's SQL differs between two releases, by its definitions there. Definitions of different versions, which
/// are on both sides of an upgrade, say nothing.
pub(super) fn is_changed_definition(before: Option<&str>, now: &str) -> bool {
    let version = |definition: &str| definition.split_once(':').map(|(version, _)| version.to_string());
    before.is_none_or(|before| version(before) == version(now) && before != now)
}

/// Whether what was read is worth a release although no table changed: rejects that were opened or closed, a type that
/// changed, a comparison of a whole table, or the position in a service from which the next run continues.
pub(super) fn load_state_changed(pulled: &PullOutcome, previous: &Release) -> bool {
    pulled.loaded.iter().any(|(table, now)| {
        previous.loaded.get(table).is_some_and(|then| {
            let open_rejects = |state: &LoadState| -> Vec<Vec<String>> {
                state.files.values().map(|file| LoadState::open_runs(file).to_vec()).collect()
            };
            open_rejects(now) != open_rejects(then)
                || now.replayed != then.replayed
                || now.types != then.types
                || now.compared_at != then.compared_at
                || gone_files(now) != gone_files(then)
                || (now.watermark != then.watermark && now.watermark.as_ref().is_some_and(|mark| mark.lake.is_none()))
        })
    })
}

/// The files of which it was said that they are gone.
pub(super) fn gone_files(state: &LoadState) -> usize {
    state.files.values().filter(|file| file.gone).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_changes_no_sql() {
        assert!(is_changed_definition(None, "3:ab"), "a new step");
        assert!(is_changed_definition(Some("3:aa"), "3:ab"));
        assert!(!is_changed_definition(Some("3:ab"), "3:ab"));
        assert!(!is_changed_definition(Some("aa"), "3:ab"), "written by an earlier version");
        assert!(!is_changed_definition(Some("2:ab"), "3:ab"));
    }
}
