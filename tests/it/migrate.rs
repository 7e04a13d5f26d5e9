//! `perennial migrate` on a project with old names.

use super::support::run;
use std::path::Path;

const OLD: &str = "\
# The shop's exports.
location: data
tables:
  orders:
    files: \"*.csv\"
    format: csv
    load: deliveries        # all of them
    columns:
      amount: {type: decimal, written: european}
";

fn arguments<'a>(project: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["migrate", "--project", project.to_str().unwrap()], more].concat()
}

#[test]
fn old_names_are_noted_shown_and_replaced_once() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    std::fs::create_dir_all(project.join("pipelines/sources")).unwrap();
    std::fs::write(project.join("perennial.yml"), "name: Shop\nlake: lake\n").unwrap();
    let contract = project.join("pipelines/sources/shop.yml");
    std::fs::write(&contract, OLD).unwrap();
    let check = || run(["check", "--project", project.to_str().unwrap()]).ended(0).stderr;
    assert!(check().contains("note: pipelines/sources/shop.yml:7:11: `deliveries` is now `by_file`"), "{}", check());

    let shown = run(arguments(project, &["--dry-run"])).ended(0);
    let lines = "pipelines/sources/shop.yml:7:11: `deliveries` is now `by_file`\n\
                 pipelines/sources/shop.yml:9:31: `written` is now `locale`\n";
    assert_eq!(shown.stdout, lines);
    assert!(shown.stderr.contains("would replace 2 names in 1 file"), "{}", shown.stderr);
    assert_eq!(std::fs::read_to_string(&contract).unwrap(), OLD);

    let json = run(arguments(project, &["--format", "json"])).ended(0).json();
    assert_eq!((json["changes"].as_array().unwrap().len(), json["written"].as_bool()), (2, Some(true)));
    let expected = OLD.replace("deliveries", "by_file").replace("written", "locale");
    assert_eq!(std::fs::read_to_string(&contract).unwrap(), expected);
    assert!(!check().contains("note:"), "{}", check());

    let again = run(arguments(project, &[])).ended(0);
    assert_eq!(again.stdout, "");
    assert!(again.stderr.contains("no old names found"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(&contract).unwrap(), expected);
}

#[test]
fn a_contract_that_cannot_be_migrated_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    std::fs::create_dir_all(project.join("pipelines/sources")).unwrap();
    std::fs::write(project.join("perennial.yml"), "name: Shop\nlake: lake\n").unwrap();
    let contract = project.join("pipelines/sources/shop.yml");
    std::fs::write(&contract, OLD).unwrap();
    std::fs::write(project.join("pipelines/sources/crm.yml"), "tables: [").unwrap();
    let ran = run(arguments(project, &[])).ended(2);
    assert!(ran.stderr.contains("crm.yml") && ran.stderr.contains("replaced 2 names in 1 file"), "{}", ran.stderr);
    assert!(std::fs::read_to_string(&contract).unwrap().contains("load: by_file"));
}
