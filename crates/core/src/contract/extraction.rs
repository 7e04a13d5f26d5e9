//! Where the rows of a table are extracted from: files, a relation of a database, or pages of JSON over HTTP.

/// Where the rows of a table are extracted from.
#[derive(Clone, Debug, PartialEq)]
pub enum Extraction {
    /// Files below the source's location.
    Files {
        /// Glob below the location (`orders.csv`, `orders/*.csv.gz`, `orders/**/*.parquet`).
        pattern: String,
        /// Format of the files.
        format: Format,
    },
    /// A relation of the source's database.
    Relation(Relation),
    /// Pages of JSON below the source's URL.
    Pages(Pages),
}

/// A relation of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// A table or a query.
    pub rows: RelationRows,
    /// Condition in the database's SQL that rows must meet.
    pub filter: Option<String>,
}

/// The rows of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelationRows {
    /// A table or view, as `orders` or `sales.orders`.
    Table(String),
    /// A query in the database's own SQL.
    Query(String),
}

impl Extraction {
    /// A short label of where rows come from: a pattern of files, a table, a path.
    pub fn label(&self) -> &str {
        match self {
            Extraction::Files { pattern, .. } => pattern,
            Extraction::Relation(relation) => relation.label(),
            Extraction::Pages(pages) => &pages.path,
        }
    }
}

impl Relation {
    /// The value of `_file` in its rows, and its name in messages.
    pub fn label(&self) -> &str {
        match &self.rows {
            RelationRows::Table(name) => name,
            RelationRows::Query(_) => "query",
        }
    }
}

/// JSON over HTTP, page by page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages {
    /// Path below the source's URL, with its query (`/api/v2/tickets.json?include=ratings`). `${NAME}` in it is taken
    /// from the environment when the service is asked.
    pub path: String,
    /// Dotted path to the list of rows in an answer; `None` when the answer is the list.
    pub rows: Option<String>,
    /// How one page leads to the next.
    pub paging: Paging,
    /// Parameter that takes the watermark in `incremental` and `append` loads (`start_time`, `updated_since`).
    pub since_parameter: Option<String>,
    /// Format of the watermark in that parameter.
    pub since_format: SinceFormat,
    /// Maximum number of requests per second; no limit when left out.
    pub max_requests_per_second: Option<u32>,
}

/// How one page leads to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// There is one page.
    None,
    /// Numbered pages; a page without rows is the last.
    Page {
        /// Parameter that takes the number.
        parameter: String,
        /// Number of the first page.
        first: u64,
    },
    /// Pages by row offset; a page without rows is the last. (One with fewer rows than requested need not be: services
    /// have limits of their own.)
    Offset {
        /// Parameter that takes the number of rows to skip.
        parameter: String,
        /// Parameter that takes the number of rows requested.
        limit_parameter: String,
        /// Rows requested per page.
        limit: u64,
    },
    /// The answer holds a token for the next page.
    Cursor {
        /// Parameter that takes the token.
        parameter: String,
        /// Dotted path to the token in an answer.
        token: String,
        /// Dotted path to a flag that is true on the last page (`end_of_stream`); without it the last page has no
        /// token.
        end: Option<String>,
        /// Dotted path to a flag that is false on the last page (`meta.has_more`).
        more: Option<String>,
        /// The last token is the watermark: the next load resumes with it and sends it instead of `since_parameter`
        /// (incremental exports of help desks).
        resume: bool,
    },
    /// The answer's `Link` header or a field of it holds the next page's URL.
    Link {
        /// Dotted path to the URL in an answer; `None` reads the `Link` header (`rel="next"`).
        field: Option<String>,
    },
}

/// Format of a watermark in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinceFormat {
    /// As the service writes it.
    AsIs,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMilliseconds,
    /// The day in UTC (`2026-01-31`).
    Date,
    /// RFC 3339 in UTC.
    Rfc3339,
}

/// Format of a file. Compression (`.gz`, `.zst`) is detected from the bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Delimited text.
    Csv(CsvOptions),
    /// One JSON object per line; UTF-8.
    JsonLines,
    /// JSON documents, one or several per file; each gives one row for every element of the lists along a path.
    Json {
        /// Path to the elements that are rows, lists marked by `[]` (`batch[]`, `conversations[].participants[]`);
        /// the document itself when empty. Columns name their fields by the whole path (`batch[].messageId`, `sentAt`).
        rows: String,
    },
    /// Lines of text parsed by a regular expression, whose named groups are the fields.
    Lines {
        /// The expression; a line that it does not match is rejected.
        pattern: String,
        /// Character encoding.
        encoding: TextEncoding,
    },
    /// Apache Parquet.
    Parquet,
    /// A sheet of a workbook (`.xlsx`, `.xls`, `.xlsb`, `.ods`).
    Excel(ExcelOptions),
    /// Format of a known system, by its name in `perennial_sources::formats`.
    Named(String),
}

/// Where a table is in a workbook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExcelOptions {
    /// The sheet's name; the first sheet when left out.
    pub sheet: Option<String>,
    /// Row of the header, counted from 1; the first row with a value when left out.
    pub header_row: Option<u32>,
    /// Regular expressions; a row that one of them matches is skipped. Its values are joined by spaces for the match.
    pub skip_rows: Vec<String>,
}

/// Dialect of delimited text.
#[derive(Clone, Debug, PartialEq)]
pub struct CsvOptions {
    /// Field separator; `b' '` with `collapse` for space-aligned files.
    pub delimiter: u8,
    /// Consecutive delimiters count as one and leading ones are dropped.
    pub collapse: bool,
    /// Quote character; `None` when fields are never quoted.
    pub quote: Option<u8>,
    /// A line names the columns; without it columns are taken in the contract's order.
    pub header: bool,
    /// Line of the header, counted from 1; the first line that is not empty when left out.
    pub header_row: Option<u32>,
    /// Regular expressions; a line that one of them matches is skipped.
    pub skip_rows: Vec<String>,
    /// Character encoding.
    pub encoding: TextEncoding,
}

/// Character encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextEncoding {
    /// UTF-8, with or without a byte-order mark.
    Utf8,
    /// GB18030 (and so GBK and GB2312).
    Gb18030,
    /// Big5.
    Big5,
}
