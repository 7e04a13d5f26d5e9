//! How people write values: number locales, full-width digits, and the total rows of a file.

/// How the values of a column are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ValueLocale {
    /// As programs write them.
    #[default]
    Plain,
    /// Numbers of a locale.
    Numbers(Box<NumberLocale>),
    /// Dates and timestamps, in full-width (`２０２６／０１／３１`) or plain digits and symbols.
    FullWidth,
}

/// How numbers are written. A number that is not of its locale is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberLocale {
    /// Decimal separator: `.` or `,`.
    pub decimal_mark: char,
    /// Group separator: `,`, `.`, `'` (also as `’`) or ` ` (also as a no-break space). Numbers without group separators
    /// are accepted as well.
    pub group_mark: Option<char>,
    /// Size of the groups.
    pub grouping: Grouping,
    /// Currency symbols that may precede or follow a number (`￥`, `EUR`); they are dropped.
    pub currency: Vec<String>,
    /// Unit words after a number that multiply it, with their power of ten (`万`: 4).
    pub units: Vec<(String, u8)>,
    /// Power of ten by which every number is multiplied: 4 for a column in units of `万`.
    pub counted_in: u8,
    /// A number in parentheses is negative.
    pub parentheses: bool,
    /// A minus sign may follow a number.
    pub trailing_minus: bool,
    /// What `%` means; when left out, numbers with `%` are rejected.
    pub percent: Option<Percent>,
    /// Digits and symbols may be full-width (`１２．５`).
    pub full_width: bool,
}

/// Size of the digit groups of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Every three digits: `1,234,567`.
    Thousands,
    /// Three digits in the last group, two in the others: `12,34,567`.
    Indian,
}

/// What `12.5%` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Percent {
    /// 12.5.
    AsWritten,
    /// 0.125; a number without `%` is rejected.
    Share,
}

/// Unit words after numbers and their powers of ten.
pub const UNITS: &[(&str, u8)] = &[
    ("千", 3),
    ("万", 4),
    ("萬", 4),
    ("百万", 6),
    ("百萬", 6),
    ("千万", 7),
    ("千萬", 7),
    ("亿", 8),
    ("億", 8),
    ("万亿", 12),
    ("萬億", 12),
    ("thousand", 3),
    ("million", 6),
    ("billion", 9),
];

/// Names of the predefined locales, each with an example.
pub const NUMBER_LOCALES: &[(&str, &str)] = &[
    ("english", "1,234,567.89"),
    ("european", "1.234.567,89"),
    ("french", "1 234 567,89"),
    ("swiss", "1'234'567.89"),
    ("indian", "12,34,567.89"),
    ("chinese", "￥1,234.50, 3.25万元, １２３．５０"),
    ("accounting", "(1,234.50)"),
];

impl NumberLocale {
    /// Digits with a decimal point and a leading minus, nothing else.
    pub fn plain() -> NumberLocale {
        NumberLocale {
            decimal_mark: '.',
            group_mark: None,
            grouping: Grouping::Thousands,
            currency: Vec::new(),
            units: Vec::new(),
            counted_in: 0,
            parentheses: false,
            trailing_minus: false,
            percent: None,
            full_width: false,
        }
    }

    /// One of [`NUMBER_LOCALES`].
    pub fn named(name: &str) -> Option<NumberLocale> {
        let marks =
            |decimal_mark, group| NumberLocale { decimal_mark, group_mark: Some(group), ..NumberLocale::plain() };
        Some(match name {
            "english" => marks('.', ','),
            "european" => marks(',', '.'),
            "french" => marks(',', ' '),
            "swiss" => marks('.', '\''),
            "indian" => NumberLocale { grouping: Grouping::Indian, ..marks('.', ',') },
            "accounting" => NumberLocale { parentheses: true, ..marks('.', ',') },
            "chinese" => NumberLocale {
                currency: ["￥", "元", "人民币", "RMB", "CNY"].map(String::from).to_vec(),
                units: UNITS
                    .iter()
                    .filter(|(word, _)| !word.is_ascii())
                    .map(|(w, power)| (w.to_string(), *power))
                    .collect(),
                full_width: true,
                ..marks('.', ',')
            },
            _ => return None,
        })
    }
}

/// Total rows of a file. They are not loaded, but compared with the rows they sum up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotalRows {
    /// Column of the contract that labels them.
    pub column: String,
    /// Labels of totals of all rows above them (`合计`). Spaces and a final colon are ignored.
    pub values: Vec<String>,
    /// Labels of totals of the rows since the previous total of either kind (`小计`).
    pub subtotals: Vec<String>,
    /// Columns whose sums must match: integers and decimals.
    pub check: Vec<String>,
    /// A difference fails the source; otherwise it is only reported.
    pub fail: bool,
}
