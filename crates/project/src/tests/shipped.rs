//! The shipped project.

use super::*;
use crate::shipped;

#[test]
fn the_shipped_project_is_itself_good_and_names_every_option() {
    let root = &Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let project = match Project::load(root, &LoadOptions { vars: None, env: &|_| None }) {
        Ok(project) => project,
        Err(problems) => panic!("{}", render_all(&problems, false)),
    };
    assert_eq!(
        project.sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(),
        ["call_centre", "erp", "web"]
    );
    let text = std::fs::read_to_string(root.join("perennial.yml")).unwrap();
    for key in [
        "name",
        "lake",
        "reports",
        "time_zone",
        "currency",
        "languages",
        "memory_limit",
        "merge_raw_files",
        "as_of",
        "calendars",
        "mail",
        "notify",
        "ping",
        "keep",
        "reports_url",
        "metrics_file",
        "vars",
        "theme",
        "shipped",
    ] {
        assert!(text.lines().any(|line| line.starts_with(&format!("{key}:"))), "perennial.yml does not show `{key}`");
    }
    let pipeline = std::fs::read_to_string(root.join("pipelines/nightly.yml")).unwrap();
    for key in [
        "description",
        "sources",
        "steps",
        "reports",
        "schedule",
        "as_of",
        "catch_up",
        "overlap",
        "run_on",
        "if_holiday",
        "calendar",
        "wait_for",
        "not_between",
        "stop_after",
        "finish_by",
        "attempts",
        "vacuum",
    ] {
        let shows = |line: &str| line.trim_start_matches('#').starts_with(&format!("{key}:"));
        assert!(pipeline.lines().any(shows), "pipelines/nightly.yml does not show `{key}`");
    }
    let deliveries = project.reports.iter().flat_map(|report| &report.deliveries);
    assert_eq!(deliveries.map(|delivery| delivery.name.as_str()).collect::<Vec<_>>(), ["board"]);
    assert!(matches!(project.mail.unwrap().server, MailServer::Folder(_)));
}

/// What is commented out in the shipped project is right as well.
#[test]
fn commented_options_can_be_used_as_they_are() {
    let root = &Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pipeline = std::fs::read_to_string(root.join("pipelines/nightly.yml")).unwrap();
    let with_options = pipeline.replace("\n#", "\n").replace("\n ", "\n# ");
    let calendar = "calendars: {germany: {holidays: [2026-12-25]}}\n";
    let problems = problems(&[
        ("perennial.yml", &format!("{PROJECT}{calendar}")),
        ("pipelines/nightly.yml", &with_options),
        ("pipelines/sources/erp.yml", SOURCE),
    ]);
    assert_eq!(problems, "none");
    assert!(with_options.contains("\nrun_on: working_day\n"));
}

#[test]
fn the_defaults_are_those_the_reference_names() {
    let project = load(&[("perennial.yml", "name: x\nlake: y\n")]).unwrap();
    let text = include_str!("../../../../perennial.yml");
    // "# Left out: <default>" stands above each option.
    let default_of = |key: &str| {
        let before = &text[..text.find(&format!("\n{key}:")).unwrap()];
        before.rsplit("# Left out: ").next().unwrap().lines().next().unwrap().to_string()
    };
    assert!(project.reports_folder.ends_with(default_of("reports")));
    assert_eq!(project.time_zone, default_of("time_zone"));
    assert_eq!(project.currency, default_of("currency"));
    assert_eq!(project.languages, [Language::ENGLISH]);
    assert_eq!(default_of("languages"), "[en]");
    assert_eq!((project.memory_limit_bytes, default_of("memory_limit").as_str()), (1_000_000_000, "1GB"));
    assert_eq!(project.merge_raw_files.to_string(), default_of("merge_raw_files"));
    assert_eq!((project.as_of, default_of("as_of").as_str()), (AsOf::Today, "today"));
    assert_eq!((project.keep, default_of("keep").as_str()), (Keep::default(), "these"));
    let keep = format!(
        "keep: {{days: {}, months: {}, min_releases: {}, failed_days: {}}}",
        project.keep.days, project.keep.months, project.keep.min_releases, project.keep.failed_days
    );
    assert!(text.contains(&keep));
    for key in ["mail", "notify", "ping", "reports_url", "metrics_file", "calendars"] {
        assert!(default_of(key).starts_with("none"), "{key}");
    }
    assert!(project.mail.is_none() && project.notify.is_empty() && project.calendars.is_empty());
    assert!(project.ping.is_none() && project.reports_url.is_none() && project.metrics_file.is_none());
    assert!(project.vars.is_empty() && default_of("vars") == "none" && default_of("shipped") == "none");
    assert_eq!(project.theme.accent.as_deref(), Some("#1f5f8b"));
    assert!(default_of("theme").contains("#1f5f8b"));
}

#[test]
fn shipped_files_stand_in_where_the_project_has_none() {
    let project_file = "name: x\nlake: y\nshipped: [\"pipelines/**\"]\n";
    let project = load(&[("perennial.yml", project_file), ("pipelines/sources/erp.yml", SOURCE)]).unwrap();
    let tables = |name: &str| project.sources.iter().find(|source| source.name == name).unwrap().tables.len();
    assert_eq!((tables("erp"), tables("web")), (1, 1));
    assert_eq!(project.pipelines[0].sources, ["erp", "call_centre", "web"]);
    let web = project.sources.iter().find(|source| source.name == "web").unwrap();
    assert!(web.tables[0].place.as_ref().unwrap().to_string().starts_with("shipped:pipelines/sources/web.yml:"));
    // The table of phrases is not a report, whatever pattern names it.
    let whole = "name: x\nlake: y\nlanguages: [en, zh-CN, zh-TW]\nshipped: [\"report-templates/**\", \"sql/**\"]\n";
    let project =
        load(&[("perennial.yml", whole)]).unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    assert!(project.reports.iter().all(|report| report.file.path.ends_with(".md")));
    assert!(project.steps.iter().any(|step| step.file.path == "shipped:sql/marts/rfm.sql"));
    let file = TextFile { path: "shipped:sql/marts/rfm.sql".into(), text: "".into() };
    assert_eq!(file.below_root(), "sql/marts/rfm.sql");
}

#[test]
fn the_shipped_project_is_written_into_an_empty_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("shop");
    let written_files = shipped::write_to(&new, &shipped::Shipped::Demo).unwrap();
    assert_eq!(written_files, shipped::files().len());
    assert!(new.join("pipelines/sources/erp.yml").is_file());
    Project::load(&new, &LoadOptions::of_process()).unwrap();
    let error = shipped::write_to(&new, &shipped::Shipped::Demo).unwrap_err();
    assert!(error.message().contains("is not empty: it contains perennial.yml, pipelines"), "{error}");
    assert!(shipped::files().iter().all(|file| !file.path().contains("/.")));
}
