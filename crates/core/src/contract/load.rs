//! How a table is kept up to date, and what is expected of every load.

/// How a table is kept up to date.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// By file: each file brings rows that are new or changed, and of a key the newest row is shown. For files only,
    /// and their default.
    ByFile,
    /// Every read covers the whole table (of files: each file is the whole table). Rows are merged by key: new and
    /// changed ones are added, missing ones are marked as deleted.
    Snapshot,
    /// Only rows changed since the watermark are read, and merged by key.
    Incremental {
        /// Columns of the contract that say when a row was last changed; the greatest value counts. A row without any
        /// value is read every time.
        cursor: Vec<String>,
        /// How far before the watermark reading starts, for rows that were stamped before it and committed after.
        overlap: Overlap,
        /// Number of days after which the whole table is read and merged again, which finds what a cursor misses.
        full_every_days: Option<u32>,
    },
    /// Rows are events that never change: of a key the first row is kept.
    Append {
        /// Column that says when an event happened; without it every read covers the whole table.
        cursor: Option<String>,
        /// How far before the watermark reading starts, for events that arrive late.
        late_window: Overlap,
    },
}

impl Load {
    /// Whether a read can find that rows were deleted.
    pub fn finds_deletes(&self) -> bool {
        matches!(self, Load::Snapshot | Load::Incremental { .. })
    }

    /// The columns that say how far a system was read; none where every read covers everything.
    pub fn cursor(&self) -> Vec<String> {
        match self {
            Load::Incremental { cursor, .. } => cursor.clone(),
            Load::Append { cursor, .. } => cursor.iter().cloned().collect(),
            Load::ByFile | Load::Snapshot => Vec::new(),
        }
    }

    /// How far before the watermark reading starts.
    pub fn overlap(&self) -> Overlap {
        match self {
            Load::Incremental { overlap, .. } => *overlap,
            Load::Append { late_window, .. } => *late_window,
            Load::ByFile | Load::Snapshot => Overlap::Count(0),
        }
    }

    /// Whether rows are merged by key with those of the lake.
    pub fn merges(&self) -> bool {
        !matches!(self, Load::ByFile)
    }
}

/// An interval before a watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// For cursors that are dates or instants.
    Seconds(i64),
    /// For cursors that are whole numbers.
    Count(i64),
}

/// What is expected of every load of a table; a violation is reported or fails the source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectations {
    /// Maximum age of the newest value of the time column, in seconds.
    pub fresh_within_seconds: Option<i64>,
    /// Minimum number of rows of a load.
    pub min_rows: Option<u64>,
    /// Minimum ratio of the rows of a load to the usual number (the median of the last loads).
    pub min_ratio: Option<f64>,
    /// Maximum ratio of the rows of a load to the usual number.
    pub max_ratio: Option<f64>,
    /// A violation fails the source; otherwise it is only reported.
    pub fail: bool,
}
