//! Dependencies point down: a package uses only packages of lower layers, and so do the modules of the program.

use crate::rust_source::{files, relative, root};
use std::collections::BTreeMap;

/// Packages that are not part of the program.
const OUTSIDE: [&str; 2] = ["testing", "workspace-hack"];

/// The layers of the table in src/lib.rs, by package.
fn layers() -> BTreeMap<String, u32> {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | ")?.split_once(" | "));
    let layer = |(layer, rest): (&str, &str)| {
        let package = rest.strip_prefix("[`perennial_")?.split('`').next()?;
        Some((package.to_string(), layer.parse().ok()?))
    };
    rows.filter_map(layer).collect()
}

/// The packages of this workspace that a package's section of dependencies names.
fn dependencies(package: &str, section: &str) -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join("crates").join(package).join("Cargo.toml")).unwrap();
    let lines = manifest.lines().skip_while(|line| *line != section).skip(1).take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.strip_prefix("perennial-")?.split(['.', ' ', '=']).next());
    names.map(str::to_string).collect()
}

#[test]
fn packages_depend_only_on_lower_layers() {
    let layers = layers();
    let mut packages: Vec<String> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !OUTSIDE.contains(&name.as_str()))
        .collect();
    packages.sort();
    assert_eq!(packages, layers.keys().cloned().collect::<Vec<_>>(), "the table in src/lib.rs has every package");
    let mut wrong = Vec::new();
    for package in &packages {
        for used in dependencies(package, "[dependencies]") {
            match layers.get(&used) {
                Some(layer) if *layer < layers[package] => {}
                Some(layer) => wrong.push(format!("{package} (layer {}) uses {used} (layer {layer})", layers[package])),
                None => wrong.push(format!("{package} uses {used}, which is for tests only")),
            }
        }
    }
    assert!(wrong.is_empty(), "dependencies that do not point down:\n{}", wrong.join("\n"));
}

/// Modules of src/, and which of the others each may use. The compiler does not keep modules of one package apart.
const MODULES: [(&str, &[&str]); 5] = [
    ("discover", &[]),
    ("flow", &[]),
    ("dispatch", &["flow"]),
    ("schedule", &["flow", "dispatch"]),
    ("cli", &["discover", "flow", "dispatch", "schedule"]),
];

#[test]
fn modules_of_the_program_use_only_lower_ones() {
    let mut wrong = Vec::new();
    for (module, allowed) in MODULES {
        for file in files(&format!("src/{module}"), &[".rs"]) {
            if file.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            for (other, _) in MODULES.iter().filter(|(other, _)| *other != module && !allowed.contains(other)) {
                if text.contains(&format!("crate::{other}")) {
                    wrong.push(format!("{} uses {other}", relative(&file)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared = lib.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    let declared: Vec<&str> = declared.map(|name| name.trim_end_matches(';')).collect();
    assert!(declared.iter().all(|name| MODULES.iter().any(|(module, _)| module == name)), "{declared:?}");
}
