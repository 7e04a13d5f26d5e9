//! Running the program, and what it leaves behind.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program with arguments, not yet started.
pub fn perennial<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perennial"));
    command.args(args).env("NO_COLOR", "1").env("PERENNIAL_REAL_DATA", real_data());
    command
}

/// Runs it to its end.
pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    Ran::from(perennial(args).output().unwrap())
}

/// What a finished program said.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// It ended with this exit code; if not, the test shows what it said.
    #[track_caller]
    pub fn ended(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}

/// The rows of a query against a project's newest release, as JSON objects.
#[track_caller]
pub fn query(project: &Path, sql: &str) -> Vec<serde_json::Value> {
    let ran = run([
        OsStr::new("query"),
        sql.as_ref(),
        "--format".as_ref(),
        "json".as_ref(),
        "--project".as_ref(),
        project.as_ref(),
    ]);
    match ran.ended(0).json() {
        serde_json::Value::Array(rows) => rows,
        other => panic!("not rows: {other}"),
    }
}

/// The one value of a query that has one row and one column, as text.
#[track_caller]
pub fn value(project: &Path, sql: &str) -> String {
    let args: [&OsStr; 6] =
        ["query".as_ref(), sql.as_ref(), "--format".as_ref(), "csv".as_ref(), "--project".as_ref(), project.as_ref()];
    let ran = run(args).ended(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{sql}: {lines:?}");
    lines[1].to_string()
}

/// Where the real data lie; tests on them name themselves as ignored where they are absent.
pub fn real_data() -> PathBuf {
    match std::env::var_os("PERENNIAL_REAL_DATA") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    }
}

/// The file of the real data, or `None` and a line that says what is skipped.
pub fn real_file(path: &str) -> Option<PathBuf> {
    let file = real_data().join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("ignored: {} is absent; set PERENNIAL_REAL_DATA", file.display());
    None
}

/// A copy of an example of the repository, without what earlier runs left in it.
pub fn copy_example(name: &str, to: &Path) {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name), to);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if matches!(name.to_str(), Some("lake" | "reports")) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            std::fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// A copy of a whole folder.
pub fn copy_everything(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_everything(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Python with the packages the tests need, as `scripts/test` installs them.
pub fn python() -> Command {
    Command::new(std::env::var("PERENNIAL_TEST_PYTHON").unwrap_or_else(|_| "python3".into()))
}

/// Runs a program of Python and gives what it printed. The process ends without winding up: threads of its libraries have
/// been seen to abort then.
#[track_caller]
pub fn run_python(program: &str, args: &[&OsStr]) -> String {
    let program = format!("{program}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n");
    let output = python().arg("-c").arg(program).args(args).output().unwrap();
    assert!(
        output.status.success(),
        "python failed (scripts/test installs its packages):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
