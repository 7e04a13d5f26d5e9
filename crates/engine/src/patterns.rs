//! The shapes of the engine's messages.

use regex::{Captures, Regex, Replacer};
use std::borrow::Cow;
use std::sync::LazyLock;

/// A pattern, compiled when it is first asked for. One that cannot be compiled finds nothing; a test compiles all.
pub(super) struct Pattern(LazyLock<Option<Regex>>);

impl Pattern {
    /// The groups of the first match.
    pub fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.0.as_ref()?.captures(text)
    }

    /// Whether it is found.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(text))
    }

    /// The groups of every match.
    pub fn captures_iter<'p, 't: 'p>(&'p self, text: &'t str) -> impl Iterator<Item = Captures<'t>> + 'p {
        self.0.iter().flat_map(move |regex| regex.captures_iter(text))
    }

    /// The text with every match replaced.
    pub fn replace_all<'t>(&self, text: &'t str, by: impl Replacer) -> Cow<'t, str> {
        self.0.as_ref().map_or(Cow::Borrowed(text), |regex| regex.replace_all(text, by))
    }
}

macro_rules! patterns {
    ($($(#[$about:meta])* $name:ident = $pattern:expr;)*) => {
        $($(#[$about])* pub(super) static $name: Pattern = Pattern(LazyLock::new(|| Regex::new($pattern).ok()));)*

        #[test]
        fn every_pattern_can_be_compiled() {
            $(assert!($name.0.is_some(), "{}: {}", stringify!($name), $pattern);)*
        }
    };
}

patterns! {
    /// Where a syntax error is.
    AT_LINE = r"(?s)^(.*?) ?at Line: (\d+), Column: (\d+)";
    /// What a syntax error wanted and found.
    EXPECTED_FOUND = r"(?s)^Expected: (.*), found: (.*)$";
    /// A function nobody knows, and the one the engine thinks of.
    UNKNOWN_FUNCTION = r"Invalid function '([^']+)'\.?(?:\s+Did you mean '([^']+)')?";
    /// A column that is neither grouped by nor aggregated.
    NOT_GROUPED = r#"column "([^"]+)" must appear"#;
    /// A subquery of several columns where one value is wanted.
    ONE_COLUMN = r"should only return one column";
    /// A statement other than a query, as a whole and behind WITH.
    NO_QUERY = r"(?:DDL|DML|Statement) not supported";
    QUERY_THAT_CHANGES = r"^Query (\w+) ";
    /// An interval times a number.
    INTERVAL_TIMES = r"Interval.*Int64|Int64.*Interval";
    /// A subquery that reads columns around it, and cannot become a join.
    CORRELATED = r"Subquery|OuterReferenceColumn";
    /// Nodes that the engine can parse and not run.
    NODE = r"node (Pivot|Unpivot|AsOf)";
    /// Aggregates that cannot be prepared.
    DISTINCT_OF_MANY = r"COUNT DISTINCT with multiple arguments";
    NOT_SLIDING = r"sliding accumulator";
    /// A function and the type it does not take:
    /// `Function 'sum' failed to match any signature, errors: ... received String (DataType: Utf8View)...`
    SIGNATURE = r"Function '(\w+)' failed to match any signature(?s:.*?)DataType: ([^.]*?)\)\.?(?:,|$|\s)";
    /// A function of ours that says itself which arguments it does not take:
    /// `Function 'mode' user-defined coercion failed with: Error during planning: mode: ... No function matches ...`
    OWN_REFUSAL = r"(?s)Function '(\w+)' user-defined coercion failed with: (.*?)(?: No function matches|$)";
    /// An average of decimals that its type does not hold.
    AVERAGE_TOO_LONG = r"Arithmetic [Oo]verflow in (?:AvgAccumulator|avg)";
    /// A name given twice:
    /// `Projections require unique expression names but the expression "t.a AS x" at position 0 and ...`
    SAME_NAME = r#"unique expression names but the expression "(?:.* AS )?([^"]+)" at position"#;
    /// A word in quotes, or the name of a function.
    QUOTED = r#"[`'"]([^`'"]+)[`'"]|function (\w+)"#;
    /// What the engine says before it comes to the point.
    PREFIX = concat!(
        "^(?:Error during planning: |Execution error: |Arrow error: |Cast error: |Parser error: |Internal error: |",
        "Compute error: |Invalid argument error: |Schema error: |External error: |External: |",
        r"Optimizer rule '[^']*' failed|type_coercion|caused by|SQL error: |This feature is not implemented: |\s|\n)+",
    );
    /// A table that is not registered.
    UNKNOWN_TABLE = r"^table '([^']+)' not found$";
    /// Two types that cannot be compared.
    NOT_COMPARABLE = r"common argument type for comparison operation (.+?) (?:[=!<>]+|IS .*FROM) (.+)$";
    /// The file that could not be read, in the words of the engine and of the store.
    LAKE_FILE = r"(?:file|location) (\S+\.parquet)";
    /// Why the end of a file could not be read, which the engine passes on as a text: what the store said.
    FOOTER = r"(?s)Failed to fetch metadata for file \S+: Object Store error: (.*)$";
    /// A file that the store does not have.
    NOT_FOUND = r"^Object at location \S+ not found";
    /// What the lake's own store found, whose name stands in front.
    OF_THE_LAKE = r"(?s)^Generic lake error: (.*)$";
    /// What a store says of a range behind the end of a file: a folder, and S3.
    CUT = r"Requested range was invalid|Out of range of file|416 Range Not Satisfiable|Range not satisfiable";
    /// Types by the names of Arrow.
    ARROW_TYPES =
        r"\b(Utf8View\b|LargeUtf8\b|Utf8\b|Int64\b|Int32\b|Float64\b|Date32\b|Boolean\b|Interval\(\w+\)|Timestamp\([^)]*\))";
    /// Arrow's decimals: precision and scale.
    DECIMAL = r"Decimal128\((\d+), ?(-?\d+)\)";
}
