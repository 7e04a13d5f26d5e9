//! Steps: SQL files that make tables, which dbt calls models. Checked before anything runs, run in parallel, tested as
//! soon as they are computed.
//!
//! Read in this order: `render` (templates to SQL and the way back), `references` and `graph` (who reads whom),
//! `check` (everything wrong at its line and column), `materialise` (one step to files), `column_tests` (failing rows
//! counted), `run` (all of it, in order), `released` (tests of what a release holds), `step_tests` (given and expected
//! rows), `show` (the first rows of one step).
//! Nothing here writes but through [`DataFiles`](perennial_lake::DataFiles), and nothing publishes.

mod check;
mod column_tests;
mod graph;
mod header;
mod materialise;
mod references;
mod released;
mod render;
mod run;
mod show;
mod step_tests;
mod template;

#[cfg(test)]
mod tests;

pub use check::{CheckInput, CheckedSql, Checker, SourceRelation, Step, TestQuery, check};
pub use column_tests::{TestOutcome, test_query, test_step};

pub use released::{Obstacle, ReleaseTest, register, test_released};
pub use render::{Rendered, Renderer, RunContext, suggest_table};
pub use run::{Progress, RunInput, RunOutcome, StepOutcome, StepResult, definition_id, run, widened};
pub use show::show;
pub use step_tests::{StepTestOutcome, run_step_test};
pub use template::Template;
