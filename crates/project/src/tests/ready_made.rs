//! Contracts that ship.

use super::*;
use crate::shipped;
use perennial_core::contract::{Load, Source};

fn source(text: &str) -> Result<Source, Problems> {
    let project = load(&[("perennial.yml", PROJECT), ("pipelines/sources/erp.yml", text)])?;
    Ok(project.sources.into_iter().next().unwrap())
}

fn problems_of(text: &str) -> String {
    problems(&[("perennial.yml", PROJECT), ("pipelines/sources/erp.yml", text)])
}

#[test]
fn every_ready_made_contract_is_good_and_explained() {
    assert_eq!(shipped::ready_made_sources(), ["asterisk_database", "matomo", "odoo", "tryton"]);
    assert_eq!(shipped::erps(), ["odoo", "tryton"]);
    for name in shipped::ready_made_sources() {
        let scheme = if name == "matomo" || name == "asterisk_database" { "mysql" } else { "postgresql" };
        let text = format!("ready_made: {name}\nlocation: {scheme}://reader@localhost/x\n");
        let source = source(&text).unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
        assert!(!source.description.is_empty() && !source.tables.is_empty());
        for table in &source.tables {
            let place = table.place.as_ref().unwrap().to_string();
            assert!(place.starts_with(&format!("ready-made/{name}/source.yml:")), "{place}");
            assert!(!table.description.is_empty() && !table.key.is_empty(), "{name}.{}", table.name);
            // Whatever else a system keeps (notes, images, what is personal) stays there.
            assert_eq!(table.on_new_column, ColumnPolicy::Ignore, "{name}.{}", table.name);
        }
    }
}

#[test]
fn tables_are_left_out_replaced_and_added() {
    let source = source(
        "ready_made: tryton\nlocation: postgresql://localhost/tryton\nexclude: [leads, complaints]\ntables:\n  \
         orders: {key: [id], columns: {id: {type: integer}}}\n  \
         notes: {table: ir_note, key: [id], columns: {id: {type: integer}}}\n",
    )
    .unwrap();
    let names: Vec<&str> = source.tables.iter().map(|table| table.name.as_str()).collect();
    assert!(!names.contains(&"leads") && !names.contains(&"complaints"), "{names:?}");
    assert_eq!(names.last(), Some(&"notes"));
    let table = |name: &str| source.tables.iter().find(|table| table.name == name).unwrap();
    assert_eq!((table("orders").columns.len(), &table("orders").load), (1, &Load::Snapshot));
    assert!(matches!(table("order_lines").load, Load::Incremental { .. }));
    assert!(table("credit_limits").optional && !table("orders").optional);
    assert_eq!(source.description, "Customers, orders, invoices and receivables of Tryton");
}

#[test]
fn mistakes_name_what_there_is() {
    insta::assert_snapshot!(problems_of("ready_made: tryten\nlocation: postgresql://localhost/x\n"), @r##"
        pipelines/sources/erp.yml:1:13: unknown ready-made source `tryten` [did you mean `tryton`?]
        "##);
    insta::assert_snapshot!(problems_of("ready_made: sap\nlocation: postgresql://localhost/x\n"), @r##"
        pipelines/sources/erp.yml:1:13: unknown ready-made source `sap` [expected one of `asterisk_database`, `matomo`, `odoo`, `tryton`]
        "##);
    insta::assert_snapshot!(problems_of("ready_made: tryton\nlocation: mysql://localhost/x\nexclude: [orderz]\n"), @r##"
        pipelines/sources/erp.yml:2:1: `tryton` cannot be read from `mysql://` [expected one of `postgresql`, `postgres`]
        pipelines/sources/erp.yml:3:11: `tryton` has no table `orderz` [did you mean `orders`?]
        "##);
    insta::assert_snapshot!(problems_of(
        "location: data\nexclude: [a]\ntables: {t: {files: a, format: csv, optional: true, columns: {a: {type: text}}}}\n"
    ), @r##"
        pipelines/sources/erp.yml:2:1: `exclude` is for tables of a `ready_made` source
        pipelines/sources/erp.yml:3:37: `optional` is only for a `table` of a database
        "##);
    insta::assert_snapshot!(problems_of("location: postgresql://localhost/x\n"), @r##"
        pipelines/sources/erp.yml:1:1: a source needs `tables`
        "##);
}

#[test]
fn a_project_with_an_erp_has_its_files_in_place_of_the_demos() {
    let folder = tempfile::tempdir().unwrap();
    let with = |erp: &str| {
        let (currency, time_zone) = ("CNY".into(), "Asia/Shanghai".into());
        shipped::Shipped::WithErp(shipped::Company { erp: erp.into(), currency, time_zone })
    };
    let error = shipped::write_to(folder.path(), &with("sap")).unwrap_err();
    assert_eq!(error.hint_text(), Some("expected one of `odoo`, `tryton`"));
    shipped::write_to(folder.path(), &with("tryton")).unwrap();
    let project = Project::load(folder.path(), &LoadOptions { vars: None, env: &|_| None }).unwrap();
    assert_eq!((project.currency.as_str(), project.time_zone.as_str()), ("CNY", "Asia/Shanghai"));
    assert_eq!((project.name.as_str(), project.as_of), ("Customer value", AsOf::Today));
    let sources: Vec<&str> = project.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(sources, ["call_centre", "erp", "web"]);
    let step = |name: &str| project.steps.iter().find(|step| step.name.name == name).unwrap().file.text.clone();
    assert!(step("stg_erp__orders").contains("sale_date") && !folder.path().join("source.yml").exists());
    assert!(step("order_lines").contains("company_amount"), "core is that of the demo");
}
