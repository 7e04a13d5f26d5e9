//! The calendar in one process: what is due is run, what was missed is made up for, who waits is told.
