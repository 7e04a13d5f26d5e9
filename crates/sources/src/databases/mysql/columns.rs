//! The columns of a relation, as the server describes them.

use mysql_async::Column;
use mysql_async::consts::{ColumnFlags, ColumnType};

/// Number of the character set `binary`: bytes that are not text.
const BINARY: u16 = 63;
/// Maximum bytes of a character in the session's character set, in which the server counts lengths of texts.
const CHARACTER_BYTES: u32 = 4;
/// The number of decimal places that means "not fixed".
const NOT_FIXED: u8 = 31;

/// What kind of values a column has, which decides how they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Decimal,
    Float,
    Double,
    Date,
    /// Local date and time, without a zone.
    DateTime,
    /// A point in time, in UTC as the session is.
    Timestamp,
    /// Hours, minutes and seconds up to 838 hours, either sign.
    Time,
    Year,
    Bit,
    Text,
    /// Bytes that are not text.
    Binary,
}

/// A column of a relation.
#[derive(Clone, Debug)]
pub(super) struct ColumnShape {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// As SQL writes it: `decimal(12,2)`.
    pub(super) type_name: String,
    /// Digits that are always written (`ZEROFILL`); 0 without.
    pub(super) width: usize,
    /// Decimal places of seconds.
    pub(super) decimals: usize,
}

impl ColumnShape {
    pub(super) fn new(column: &Column) -> ColumnShape {
        let kind = kind(column);
        let zerofill = column.flags().contains(ColumnFlags::ZEROFILL_FLAG);
        let numeric = matches!(kind, Kind::Integer | Kind::Year);
        let width = if zerofill && numeric { column.column_length() as usize } else { 0 };
        ColumnShape {
            name: column.name_str().into_owned(),
            kind,
            type_name: type_name(column, kind),
            width,
            decimals: Some(column.decimals()).filter(|d| *d <= 6).unwrap_or(0).into(),
        }
    }
}

fn kind(column: &Column) -> Kind {
    use ColumnType::*;
    // Values of a list are text in whatever character set their bytes are.
    let is_list = column.flags().intersects(ColumnFlags::ENUM_FLAG | ColumnFlags::SET_FLAG);
    match column.column_type() {
        MYSQL_TYPE_TINY | MYSQL_TYPE_SHORT | MYSQL_TYPE_INT24 | MYSQL_TYPE_LONG | MYSQL_TYPE_LONGLONG => Kind::Integer,
        MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => Kind::Decimal,
        MYSQL_TYPE_FLOAT => Kind::Float,
        MYSQL_TYPE_DOUBLE => Kind::Double,
        MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => Kind::Date,
        MYSQL_TYPE_DATETIME | MYSQL_TYPE_DATETIME2 => Kind::DateTime,
        MYSQL_TYPE_TIMESTAMP | MYSQL_TYPE_TIMESTAMP2 => Kind::Timestamp,
        MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => Kind::Time,
        MYSQL_TYPE_YEAR => Kind::Year,
        MYSQL_TYPE_BIT => Kind::Bit,
        MYSQL_TYPE_GEOMETRY | MYSQL_TYPE_VECTOR => Kind::Binary,
        MYSQL_TYPE_JSON | MYSQL_TYPE_ENUM | MYSQL_TYPE_SET | MYSQL_TYPE_NULL => Kind::Text,
        _ if column.character_set() == BINARY && !is_list => Kind::Binary,
        _ => Kind::Text,
    }
}

fn type_name(column: &Column, kind: Kind) -> String {
    use ColumnType::*;
    let length = column.column_length();
    let unsigned = column.flags().contains(ColumnFlags::UNSIGNED_FLAG);
    let places = column.decimals();
    let seconds = |name: &str| if (1..=6).contains(&places) { format!("{name}({places})") } else { name.to_string() };
    let name = match column.column_type() {
        MYSQL_TYPE_TINY if length == 1 => "tinyint(1)".to_string(),
        MYSQL_TYPE_TINY => "tinyint".to_string(),
        MYSQL_TYPE_SHORT => "smallint".to_string(),
        MYSQL_TYPE_INT24 => "mediumint".to_string(),
        MYSQL_TYPE_LONG => "int".to_string(),
        MYSQL_TYPE_LONGLONG => "bigint".to_string(),
        MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL if places < NOT_FIXED => {
            // The length includes the decimal point and the sign.
            let digits = length.saturating_sub(u32::from(places > 0)).saturating_sub(u32::from(!unsigned));
            format!("decimal({digits},{places})")
        }
        MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => "decimal".to_string(),
        MYSQL_TYPE_FLOAT => "float".to_string(),
        MYSQL_TYPE_DOUBLE => "double".to_string(),
        MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => "date".to_string(),
        MYSQL_TYPE_DATETIME | MYSQL_TYPE_DATETIME2 => seconds("datetime"),
        MYSQL_TYPE_TIMESTAMP | MYSQL_TYPE_TIMESTAMP2 => seconds("timestamp"),
        MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => seconds("time"),
        MYSQL_TYPE_YEAR => "year".to_string(),
        MYSQL_TYPE_BIT => format!("bit({length})"),
        MYSQL_TYPE_JSON => "json".to_string(),
        MYSQL_TYPE_GEOMETRY => "geometry".to_string(),
        MYSQL_TYPE_VECTOR => "vector".to_string(),
        _ if column.flags().contains(ColumnFlags::ENUM_FLAG) => "enum".to_string(),
        _ if column.flags().contains(ColumnFlags::SET_FLAG) => "set".to_string(),
        MYSQL_TYPE_TINY_BLOB | MYSQL_TYPE_MEDIUM_BLOB | MYSQL_TYPE_LONG_BLOB | MYSQL_TYPE_BLOB => {
            if kind == Kind::Binary { "blob" } else { "text" }.to_string()
        }
        other if kind == Kind::Binary => {
            format!("{}({length})", if other == MYSQL_TYPE_STRING { "binary" } else { "varbinary" })
        }
        other => {
            format!("{}({})", if other == MYSQL_TYPE_STRING { "char" } else { "varchar" }, length / CHARACTER_BYTES)
        }
    };
    // Timestamps and years are never signed.
    let number = matches!(kind, Kind::Integer | Kind::Decimal | Kind::Float | Kind::Double);
    if unsigned && number { format!("{name} unsigned") } else { name }
}
