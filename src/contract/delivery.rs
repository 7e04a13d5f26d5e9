//! How the rows of a table are delivered: in files, as a relation of a database, or in pages over HTTP.

/// How the rows of a table are delivered.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// In files below the source's location.
    Files {
        /// Glob below the location (`orders.csv`, `orders/*.csv.gz`, `orders/**/*.parquet`).
        pattern: String,
        /// How they are written.
        format: Format,
    },
    /// As a relation of the source's database.
    Relation(Relation),
    /// In pages of JSON below the source's URL.
    Pages(Pages),
}

/// A relation of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Which.
    pub rows: RelationRows,
    /// Condition in the database's SQL that rows must meet.
    pub filter: Option<String>,
}

/// Which rows of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelationRows {
    /// A table or view, as `orders` or `sales.orders`.
    Table(String),
    /// A query in the database's own SQL.
    Query(String),
}

impl Delivery {
    /// Where rows come from, in a few words: a pattern of files, a table, a path.
    pub fn words(&self) -> &str {
        match self {
            Delivery::Files { pattern, .. } => pattern,
            Delivery::Relation(relation) => relation.label(),
            Delivery::Pages(pages) => &pages.path,
        }
    }
}

impl Relation {
    /// What stands in `_file` of its rows, and what people call it.
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
    /// Path below the source's URL, with its query (`/api/v2/tickets.json?include=ratings`). `${NAME}` in it is taken from
    /// the environment when the service is asked.
    pub path: String,
    /// Dotted path to the list of rows in an answer; `None` when the answer is the list.
    pub rows: Option<String>,
    /// How one page leads to the next.
    pub paging: Paging,
    /// Parameter that takes the watermark in `incremental` and `append` loads (`start_time`, `updated_since`).
    pub since_parameter: Option<String>,
    /// How the watermark is written there.
    pub since_format: SinceFormat,
    /// Most requests a second; no limit when left out.
    pub most_requests_per_second: Option<u32>,
}

/// How one page leads to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// There is one page.
    None,
    /// Pages are counted: a page without rows is the last.
    Page {
        /// Parameter that takes the number.
        parameter: String,
        /// Number of the first page.
        first: u64,
    },
    /// Rows are counted: a page without rows is the last. (One with fewer rows than asked for need not be: services have
    /// limits of their own.)
    Offset {
        /// Parameter that takes the number of rows to leave out.
        parameter: String,
        /// Parameter that takes the number of rows asked for.
        limit_parameter: String,
        /// Rows asked for.
        limit: u64,
    },
    /// The answer holds a token for the next page.
    Cursor {
        /// Parameter that takes the token.
        parameter: String,
        /// Dotted path to the token in an answer.
        token: String,
        /// Dotted path to what says that the last page is reached (`end_of_stream`); without it a page without token.
        end: Option<String>,
        /// Dotted path to what says that there are more pages (`meta.has_more`), the other way round.
        more: Option<String>,
        /// The last token is the watermark: the next load goes on with it, and sends it in place of `since_parameter`
        /// (incremental exports of help desks).
        keeps: bool,
    },
    /// The answer's `Link` header or a field of it holds the next page's URL.
    Link {
        /// Dotted path to the URL in an answer; `None` reads the `Link` header (`rel="next"`).
        field: Option<String>,
    },
}

/// How a watermark is written in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinceFormat {
    /// As it stands in the rows.
    AsDelivered,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMilliseconds,
    /// The day in UTC (`2026-01-31`).
    Date,
    /// RFC 3339 in UTC.
    Rfc3339,
}

/// How a file is written. Compression (`.gz`, `.zst`) is told from the bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Delimited text.
    Csv(CsvOptions),
    /// One JSON object a line; UTF-8.
    JsonLines,
    /// JSON documents: a file holds one, or several behind each other, and each gives one row for every element of the
    /// lists along a path.
    Json {
        /// The path whose elements are rows, lists marked by `[]` (`batch[]`, `conversations[].participants[]`);
        /// the document itself when empty. Columns name their fields by the whole path (`batch[].messageId`, `sentAt`).
        rows: String,
    },
    /// Lines of text taken apart by a regular expression, whose named groups are the fields.
    Lines {
        /// The expression; a line that it does not match is refused.
        pattern: String,
        /// How bytes are letters.
        encoding: TextEncoding,
    },
    /// Apache Parquet.
    Parquet,
    /// A sheet of a workbook (`.xlsx`, `.xls`, `.xlsb`, `.ods`).
    Excel(ExcelOptions),
    /// A format of a known system, by its name in `sources::formats`.
    Named(String),
}

/// Where a table stands in a workbook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExcelOptions {
    /// The sheet's name; the first sheet when left out.
    pub sheet: Option<String>,
    /// Row of the header, counted from 1; the first row with a value when left out.
    pub header_row: Option<u32>,
    /// Regular expressions; a row that one of them matches is left out. Its values stand with blanks between them.
    pub skip_rows: Vec<String>,
}

/// How delimited text is written.
#[derive(Clone, Debug, PartialEq)]
pub struct CsvOptions {
    /// Between two fields; `b' '` with `collapse` for blank-aligned files.
    pub delimiter: u8,
    /// Runs of the delimiter count as one and leading ones are dropped.
    pub collapse: bool,
    /// Around a field; `None` when fields are never quoted.
    pub quote: Option<u8>,
    /// A line holds the columns' names; without it columns are taken in the contract's order.
    pub header: bool,
    /// Line of the header, counted from 1; the first line that is not empty when left out.
    pub header_row: Option<u32>,
    /// Regular expressions; a line that one of them matches is left out.
    pub skip_rows: Vec<String>,
    /// How bytes are letters.
    pub encoding: TextEncoding,
}

/// How bytes are letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextEncoding {
    /// UTF-8, with or without byte-order mark.
    Utf8,
    /// GB18030 (and so GBK and GB2312).
    Gb18030,
    /// Big5.
    Big5,
}
