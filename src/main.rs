//! The program: reads the command line, runs one verb, turns its outcome into an exit code.

use std::process::ExitCode;

/// Room for the deepest query that is allowed: parsing and planning call themselves. Pages that are not touched cost
/// nothing, and the system's own setting is often 8 MB.
const STACK_BYTES: usize = 256 << 20;

fn main() -> ExitCode {
    match std::thread::Builder::new().name("main".into()).stack_size(STACK_BYTES).spawn(perennial::cli::main) {
        Ok(running) => running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        // Where so much is not to be had, what the system gives is enough for all but the deepest.
        Err(_) => perennial::cli::main(),
    }
}
