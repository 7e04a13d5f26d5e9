//! The calendar in one process: what is due is run, what was missed is made up for, who waits is told.
//!
//! `plan` decides and knows neither clock nor disk; `daemon` is the loop around it; `runs` is what it starts. What has
//! been decided is an object in the lake (`state`). `simulation` is the same loop with a clock that jumps.

mod clock;
mod daemon;
mod export;
mod fresh;
mod overview;
mod plan;
mod runs;
mod simulation;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use clock::Clock;
pub(crate) use daemon::{Daemon, Signal};
pub(crate) use export::{Installation, Target, export};
pub(crate) use overview::{
    Overview, last_planned_time, next_times, notes, nothing_scheduled, overviews, scheduled_pipeline,
};
pub(crate) use plan::{Scheduled, Start};
pub(crate) use runs::{Console, ProjectFolder, ProjectRuns};
pub(crate) use simulation::Simulation;
pub(crate) use state::{Event, Planned, What, pause, resume};
