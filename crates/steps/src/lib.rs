//! Steps: SQL files that make tables. Checked before anything runs, run side by side, tested where they stand.
//!
//! Read in this order: `render` (templates to SQL and the way back), `references` and `graph` (who reads whom),
//! `check` (everything wrong at its line and column), `materialise` (one step to files), `column_tests` (faults
//! counted), `run` (all of it, in order), `step_tests` (given rows, expected rows), `show` (a look at one step).
//! Nothing here writes but through [`DataFiles`](crate::lake::DataFiles), and nothing publishes.

mod check;
mod column_tests;
mod graph;
mod header;
mod materialise;
mod references;
mod render;
mod run;
mod show;
mod step_tests;
mod template;

#[cfg(test)]
mod tests;

pub use check::{Checked, Checker, Step, Surroundings, TestQuery, check};
pub use column_tests::{TestOutcome, TestStatus, test_query, test_step};
pub use graph::select;
pub use render::{Rendered, Renderer, RunContext};
pub use run::{Progress, RunInput, RunOutcome, StepOutcome, StepStatus, register, run};
pub use show::show;
pub use step_tests::{StepTestOutcome, run_step_test};
pub use template::Template;
