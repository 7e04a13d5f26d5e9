//! The shipped project is embedded: a file that is new there must rebuild the program.

fn main() {
    for folder in ["perennial.yml", "pipelines", "ready-made", "report-templates", "sql", "tests/steps"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
