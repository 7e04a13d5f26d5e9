//! The program: reads the command line, runs one verb, turns its outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    perennial::cli::main()
}
