//! How a table is kept up to date, and what is expected of every load.

/// How a table is kept up to date.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Every file is a delivery of rows that are new or changed; of a key the newest row is shown. For files only, and
    /// what they have when nothing is said.
    Deliveries,
    /// Every read sees the whole table (of files: each file is the whole table). Rows are compared by key: new and
    /// changed ones are added, those that are gone are marked as deleted.
    Snapshot,
    /// Only rows changed since the watermark are read, and compared by key.
    Incremental {
        /// Columns of the contract that say when a row was last changed; the greatest that has a value counts. A row
        /// without any is read every time.
        cursor: Vec<String>,
        /// How far before the watermark reading begins, for rows that were stamped before it and committed after.
        overlap: Overlap,
        /// Every so many days the whole table is read and compared, which finds what a cursor misses.
        full_every_days: Option<u32>,
    },
    /// Rows are events that never change: of a key the first is kept.
    Append {
        /// Column that says when an event happened; without it every read sees the whole table.
        cursor: Option<String>,
        /// How far before the watermark reading begins, for events that arrive late.
        late_window: Overlap,
    },
}

impl Load {
    /// Whether a read may find that rows are gone.
    pub fn finds_deletes(&self) -> bool {
        matches!(self, Load::Snapshot | Load::Incremental { .. })
    }

    /// The columns that say how far a system was read; none where every read sees everything.
    pub fn cursor(&self) -> Vec<String> {
        match self {
            Load::Incremental { cursor, .. } => cursor.clone(),
            Load::Append { cursor, .. } => cursor.iter().cloned().collect(),
            Load::Deliveries | Load::Snapshot => Vec::new(),
        }
    }

    /// How far before the watermark reading begins.
    pub fn overlap(&self) -> Overlap {
        match self {
            Load::Incremental { overlap, .. } => *overlap,
            Load::Append { late_window, .. } => *late_window,
            Load::Deliveries | Load::Snapshot => Overlap::Count(0),
        }
    }

    /// Whether what is read is compared by key with what the lake holds.
    pub fn compares(&self) -> bool {
        !matches!(self, Load::Deliveries)
    }
}

/// A stretch before a watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// For cursors that are dates or instants.
    Seconds(i64),
    /// For cursors that are whole numbers.
    Count(i64),
}

/// What is expected of a table after every load; what is not met is told, or fails the source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectations {
    /// The newest value of the time column may not be older than this, in seconds.
    pub fresh_within_seconds: Option<i64>,
    /// A load gives at least so many rows.
    pub least_rows: Option<u64>,
    /// A load gives at least this share of the usual rows (the median of the last loads).
    pub least_of_usual: Option<f64>,
    /// A load gives at most so many times the usual rows.
    pub most_of_usual: Option<f64>,
    /// What is not met fails the source; otherwise the run only says so.
    pub fail: bool,
}
