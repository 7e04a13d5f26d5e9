//! Embeds the shipped project: a new file in one of its folders must rebuild this crate.

fn main() {
    for folder in ["perennial.yml", "pipelines", "ready-made", "report-templates", "sql", "tests/steps"] {
        println!("cargo:rerun-if-changed=../../{folder}");
    }
}
