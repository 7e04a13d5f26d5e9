//! Imports point down: a room uses only rooms of lower floors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The floors of `src/lib.rs`'s table.
const FLOORS: &[(&str, u32)] = &[
    ("error", 0),
    ("contract", 0),
    ("sources", 1),
    ("lake", 1),
    ("history", 1),
    ("project", 2),
    ("intake", 2),
    ("engine", 2),
    ("steps", 3),
    ("reports", 3),
    ("flow", 4),
    ("demo", 5),
    ("cli", 5),
];

#[test]
fn rooms_import_only_from_lower_floors() {
    let floors: BTreeMap<&str, u32> = FLOORS.iter().copied().collect();
    // `contract` says its mistakes with `error`, on the same floor; `cli` drives the demo.
    let allowed = [("contract", "error"), ("cli", "demo")];
    let mut wrong = Vec::new();
    for file in rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let relative = file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
        let room = relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        let Some(floor) = floors.get(room) else {
            assert!(matches!(room, "lib" | "main" | "testing"), "{room} has no floor in this test and in src/lib.rs");
            continue;
        };
        let text = std::fs::read_to_string(&file).unwrap();
        for used in text.match_indices("crate::").map(|(at, found)| &text[at + found.len()..]) {
            let used: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let Some(other) = floors.get(used.as_str()) else { continue };
            if used != room && other >= floor && !allowed.contains(&(room, used.as_str())) {
                wrong.push(format!("{}: {room} (floor {floor}) uses {used} (floor {other})", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point up or sideways:\n{}", wrong.join("\n"));
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}
