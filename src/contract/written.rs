//! What people make of values: how they write numbers, and which rows of a file sum up the others.

/// How a column's values are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Written {
    /// As programs write them.
    #[default]
    Plainly,
    /// Numbers in a style of their own.
    Numbers(Box<NumberStyle>),
    /// Dates and moments with full-width digits and signs (`２０２６／０１／３１`), or plainly.
    FullWidth,
}

/// How numbers are written. What a style does not have is refused in a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberStyle {
    /// Between the whole digits and the rest: `.` or `,`.
    pub decimal_mark: char,
    /// Between groups of whole digits: `,`, `.`, `'` (also as `’`) or ` ` (also as the blanks that do not break a line).
    /// Numbers without any group mark are of the style, too.
    pub group_mark: Option<char>,
    /// Where group marks stand.
    pub grouping: Grouping,
    /// Marks of the currency that may stand before or behind a number (`￥`, `EUR`); they are dropped.
    pub currency: Vec<String>,
    /// Words behind a number that multiply it, with their power of ten (`万`: 4).
    pub units: Vec<(String, u8)>,
    /// Power of ten by which every number is multiplied: 4 where the column is counted in `万`.
    pub counted_in: u8,
    /// A number in parentheses is negative.
    pub parentheses: bool,
    /// A minus may stand behind a number.
    pub trailing_minus: bool,
    /// What `%` means; numbers with `%` are refused when left out.
    pub percent: Option<Percent>,
    /// Digits and signs may be full-width (`１２．５`).
    pub full_width: bool,
}

/// Where group marks stand in the whole digits of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Every three digits: `1,234,567`.
    Thousands,
    /// The last three digits, before them every two: `12,34,567`.
    Indian,
}

/// What `12.5%` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Percent {
    /// 12.5.
    AsWritten,
    /// 0.125; a number without `%` is refused.
    Share,
}

/// Words behind numbers, and the power of ten that they multiply by.
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

/// Names of the usual styles, with one number in them.
pub const NUMBER_STYLES: &[(&str, &str)] = &[
    ("english", "1,234,567.89"),
    ("european", "1.234.567,89"),
    ("french", "1 234 567,89"),
    ("swiss", "1'234'567.89"),
    ("indian", "12,34,567.89"),
    ("chinese", "￥1,234.50, 3.25万元, １２３．５０"),
    ("accounting", "(1,234.50)"),
];

impl NumberStyle {
    /// Digits with a decimal point and a minus in front, nothing else.
    pub fn plain() -> NumberStyle {
        NumberStyle {
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

    /// One of [`NUMBER_STYLES`].
    pub fn named(name: &str) -> Option<NumberStyle> {
        let marks = |decimal_mark, group| NumberStyle { decimal_mark, group_mark: Some(group), ..NumberStyle::plain() };
        Some(match name {
            "english" => marks('.', ','),
            "european" => marks(',', '.'),
            "french" => marks(',', ' '),
            "swiss" => marks('.', '\''),
            "indian" => NumberStyle { grouping: Grouping::Indian, ..marks('.', ',') },
            "accounting" => NumberStyle { parentheses: true, ..marks('.', ',') },
            "chinese" => NumberStyle {
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

/// Rows that sum up others and so are no rows of the table; they are left out and held against the rows they sum up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotalRows {
    /// Column of the contract in which their word stands.
    pub column: String,
    /// Words of totals over all rows of the file above them (`合计`). Blanks and a colon at the end do not count.
    pub values: Vec<String>,
    /// Words of totals over the rows since the last total of either kind (`小计`).
    pub subtotals: Vec<String>,
    /// Columns whose sums must agree: integers and decimals.
    pub check: Vec<String>,
    /// A difference fails the source; otherwise the run only says so.
    pub fail: bool,
}
