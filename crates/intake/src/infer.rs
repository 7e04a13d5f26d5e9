//! The types of columns, for drafts of contracts.
//!
//! A type is proposed only if it reads every value of the sample, by the same readers that apply contracts: a draft
//! rejects none of the rows it was made from. If values could be read in more than one way, or nearly all are of a
//! type, the guess has a remark for the person who edits the draft.

use super::localized::LocalizedNumbers;
use super::numbers;
use super::times::{DateReader, InstantReader};
use perennial_core::contract::{NUMBER_LOCALES, NumberLocale, ValueType};
use std::borrow::Cow;

/// Minimum precision of a decimal.
const PRECISION: u8 = 18;
/// More decimal places than this come from binary numbers, not from money.
const MAX_SCALE: usize = 9;
/// Minimum share of values of a type for a remark about the others.
const NEARLY_ALL: f64 = 0.9;

/// Texts that systems write for NULL.
const NO_VALUE_WORDS: [&str; 13] =
    ["-", "--", "n/a", "N/A", "NA", "#N/A", "null", "NULL", "\\N", "None", "NaN", "0000-00-00", "0000-00-00 00:00:00"];

/// Common formats of dates, the more likely first. The empty format is ISO.
const DAY_FORMATS: [&str; 16] = [
    "",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y年%m月%d日",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%b-%y",
];
/// What follows the date in a timestamp.
const TIME_FORMATS: [&str; 8] =
    [" %H:%M:%S", " %H:%M", " %H:%M:%S%.f", "T%H:%M:%S", " %H:%M:%S %z", " %I:%M:%S %p", " %I:%M %p", " %H时%M分%S秒"];
/// Formats of timestamps that are not a date and a time.
const OTHER_MOMENTS: [&str; 2] = ["%d/%b/%Y:%H:%M:%S %z", "%Y%m%dT%H%M%S"];

/// What the values of a column seem to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// The type, which reads every value.
    pub data_type: ValueType,
    /// The named locale in which the numbers are written; `None` for plain notation.
    pub locale: Option<&'static str>,
    /// Texts among the values that mean NULL.
    pub null_values: Vec<String>,
    /// No value was missing.
    pub required: bool,
    /// What a person should decide; contains no values.
    pub remarks: Vec<String>,
    /// One of the few values that prevent a narrower type.
    pub odd_value: Option<String>,
}

/// Options of a guess.
#[derive(Clone, Copy, Debug)]
pub struct GuessOptions<'a> {
    /// The time zone of timestamps without one.
    pub zone: &'a str,
    /// The column's name suggests a time or date, so that digits alone can be one.
    pub named_as_time: bool,
    /// The column's name suggests digits that are not a number (telephone, postal code, an identifier with a dot).
    pub named_as_code: bool,
    /// The reader of the files supports formats of dates; readers of typed files do not.
    pub formats: bool,
    /// It supports locales of numbers; readers of JSON and of typed files do not.
    pub locales: bool,
}

/// Guesses a column's type from its original values; `None` and empty texts are NULL.
pub fn guess(values: &[Option<String>], options: GuessOptions<'_>) -> Guess {
    let present: Vec<&str> = values.iter().flatten().map(String::as_str).filter(|text| !text.is_empty()).collect();
    let trimmed: Vec<&str> = present.iter().map(|text| text.trim_ascii()).filter(|text| !text.is_empty()).collect();
    let mut guess = Guess {
        data_type: ValueType::Text,
        locale: None,
        null_values: Vec::new(),
        required: present.len() == values.len() && !values.is_empty(),
        remarks: Vec::new(),
        odd_value: None,
    };
    if trimmed.is_empty() {
        guess.remarks.push("no value in the sample, so the type is unknown".to_string());
        return guess;
    }
    if let Some(data_type) = of_all(&trimmed, options, &mut guess.remarks) {
        guess.required = trimmed.len() == values.len();
        guess.data_type = data_type;
        return guess;
    }
    let (words, others): (Vec<&str>, Vec<&str>) = trimmed.iter().partition(|text| NO_VALUE_WORDS.contains(text));
    if !words.is_empty()
        && !others.is_empty()
        && let Some(data_type) = of_all(&others, options, &mut guess.remarks)
    {
        guess.null_values = distinct(&words);
        guess.required = false;
        guess.data_type = data_type;
        return guess;
    }
    if let Some((locale, data_type)) = localized(&others, options) {
        guess.remarks.push(format!("`locale: {locale}` reads every value; check that they are numbers"));
        guess.required = words.is_empty() && others.len() == values.len();
        guess.null_values = distinct(&words);
        guess.data_type = data_type;
        guess.locale = Some(locale);
        return guess;
    }
    nearly(&others, options, &mut guess);
    guess
}

fn distinct(words: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in words {
        if !found.iter().any(|known| known == word) {
            found.push(word.to_string());
        }
    }
    found
}

/// The type that reads all texts, if it is not text.
fn of_all(texts: &[&str], options: GuessOptions<'_>, remarks: &mut Vec<String>) -> Option<ValueType> {
    let all = |good: fn(&str) -> bool| texts.iter().all(|text| good(text));
    if all(|text| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")) {
        return Some(ValueType::Boolean);
    }
    if all(is_digits)
        && options.named_as_time
        && options.formats
        && let Some(timestamp) = of_digits(texts, options, remarks)
    {
        return Some(timestamp);
    }
    if all(is_number) {
        return number(texts, options, remarks);
    }
    if all(|text| numbers::float(text).is_ok() && text.contains(['.', '-'])) && !options.named_as_code {
        remarks.push("some values have an exponent; never use a float for money".to_string());
        return Some(ValueType::Float);
    }
    day(texts, options, remarks).or_else(|| timestamp(texts, options, remarks))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An optional sign, digits, and optional decimal places.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, behind) = digits.split_once('.').unwrap_or((digits, "0"));
    !whole.is_empty() && !behind.is_empty() && is_digits(whole) && is_digits(behind)
}

fn number(texts: &[&str], options: GuessOptions<'_>, remarks: &mut Vec<String>) -> Option<ValueType> {
    let digits = |text: &str| text.trim_start_matches('-').split('.').next().map_or(0, str::len);
    let led_by_zero = |text: &&str| text.trim_start_matches('-').starts_with('0') && digits(text) > 1;
    if texts.iter().any(led_by_zero) || texts.iter().any(|text| text.starts_with('+')) {
        remarks.push("leading zeros or signs: digits that are not a number".to_string());
        return None;
    }
    if options.named_as_code {
        remarks.push("digits that are not a number, judging by the column's name".to_string());
        return None;
    }
    if texts.iter().all(|text| numbers::integer(text).is_ok()) {
        return Some(ValueType::Integer);
    }
    let scale = texts.iter().map(|text| text.split_once('.').map_or(0, |(_, behind)| behind.len())).max()?;
    let whole = texts.iter().map(|text| digits(text)).max()?;
    if scale > MAX_SCALE {
        remarks.push(format!("up to {scale} decimal places, as binary floats have; never use a float for money"));
        return Some(ValueType::Float);
    }
    let precision = u8::try_from(whole + scale).ok()?.max(PRECISION);
    if precision > 38 {
        remarks.push("more digits than a number can have".to_string());
        return None;
    }
    Some(ValueType::Decimal { precision, scale: scale as i8 })
}

/// The first locale that reads all texts as numbers, and their type; `None` if another locale reads other numbers.
fn localized(texts: &[&str], options: GuessOptions<'_>) -> Option<(&'static str, ValueType)> {
    let is_candidate = options.locales && !options.named_as_code && texts.iter().any(|text| is_written_number(text));
    if !is_candidate {
        return None;
    }
    let plain = |name: &str| {
        let mut numbers = LocalizedNumbers::new(&NumberLocale::named(name)?, "a number");
        texts.iter().map(|text| numbers.plain(text).ok().map(str::to_string)).collect::<Option<Vec<String>>>()
    };
    let mut fitting = NUMBER_LOCALES.iter().filter_map(|(name, _)| Some((*name, plain(name)?)));
    let (name, numbers) = fitting.next()?;
    if fitting.any(|(_, other)| other != numbers) {
        return None;
    }
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    Some((name, number(&numbers, options, &mut Vec::new())?))
}

/// A date or timestamp of digits alone, for columns whose names suggest it.
fn of_digits(texts: &[&str], options: GuessOptions<'_>, remarks: &mut Vec<String>) -> Option<ValueType> {
    let of_length = |length: usize| texts.iter().all(|text| text.len() == length);
    let of_this_time = |text: &&str| text.starts_with("19") || text.starts_with("20");
    let formats = |format: &str| vec![format.to_string()];
    if of_length(8) && texts.iter().all(of_this_time) && fits_days("%Y%m%d", texts).is_some() {
        return Some(ValueType::Date { formats: formats("%Y%m%d") });
    }
    if of_length(14) && texts.iter().all(of_this_time) {
        let zone = zone_that_fits(&formats("%Y%m%d%H%M%S"), texts, options, remarks)?;
        return Some(ValueType::Instant { formats: formats("%Y%m%d%H%M%S"), zone });
    }
    let epoch = match texts.first()?.len() {
        10 if of_length(10) => "epoch_seconds",
        13 if of_length(13) => "epoch_milliseconds",
        _ => return None,
    };
    Some(ValueType::Instant { formats: formats(epoch), zone: options.zone.to_string() })
}

/// A year must have four digits if the format says so; `05.03.26` is not a day of the year 26.
fn has_whole_year(format: &str, text: &str) -> bool {
    let four = |text: &str| text.as_bytes().windows(4).any(|four| four.iter().all(u8::is_ascii_digit));
    format.contains("%y") || four(text)
}

/// The dates that a format reads, if it reads all texts. The empty format is ISO.
fn fits_days(format: &str, texts: &[&str]) -> Option<Vec<i32>> {
    let reader = DateReader::new(&named(format)).ok()?;
    texts.iter().map(|text| reader.parse(text).ok().filter(|_| has_whole_year(format, text))).collect()
}

fn fits_timestamps(formats: &[String], zone: &str, texts: &[&str]) -> Option<Vec<i64>> {
    let mut reader = InstantReader::new(formats, zone).ok()?;
    let year = |text: &str| formats.iter().all(|format| has_whole_year(format, text));
    texts.iter().map(|text| reader.parse(text).ok().filter(|_| year(text))).collect()
}

fn named(format: &str) -> Vec<String> {
    if format.is_empty() { Vec::new() } else { vec![format.to_string()] }
}

fn day(texts: &[&str], options: GuessOptions<'_>, remarks: &mut Vec<String>) -> Option<ValueType> {
    let candidates: &[&str] = if options.formats { &DAY_FORMATS } else { &DAY_FORMATS[..1] };
    let (place, days) = candidates.iter().enumerate().find_map(|(i, f)| Some((i, fits_days(f, texts)?)))?;
    let rival = candidates[place + 1..].iter().find(|f| fits_days(f, texts).is_some_and(|other| other != days));
    remarks.extend(rival.map(|rival| ambiguous(rival)));
    Some(ValueType::Date { formats: named(candidates[place]) })
}

fn ambiguous(rival: &str) -> String {
    format!("`{rival}` fits every value as well: nothing distinguishes day and month")
}

fn timestamp(texts: &[&str], options: GuessOptions<'_>, remarks: &mut Vec<String>) -> Option<ValueType> {
    let mut candidates = vec![String::new()];
    if options.formats {
        let day = |format: &&str| if format.is_empty() { "%Y-%m-%d" } else { format }.to_string();
        let days = DAY_FORMATS.iter().map(day);
        candidates.extend(days.flat_map(|day| TIME_FORMATS.iter().map(move |time| format!("{day}{time}"))));
        candidates.extend(OTHER_MOMENTS.map(str::to_string));
    }
    // In UTC every time exists; the zone is determined afterwards.
    let fits = |format: &String| fits_timestamps(&named(format), "UTC", texts);
    let (place, timestamps) = candidates.iter().enumerate().find_map(|(i, f)| Some((i, fits(f)?)))?;
    let rival = candidates[place + 1..].iter().find(|f| fits(f).is_some_and(|other| other != timestamps));
    remarks.extend(rival.map(|rival| ambiguous(rival)));
    let formats = named(&candidates[place]);
    let zone = zone_that_fits(&formats, texts, options, remarks)?;
    Some(ValueType::Instant { formats, zone })
}

/// The requested zone, or UTC if one of the times does not exist there.
fn zone_that_fits(
    formats: &[String],
    texts: &[&str],
    options: GuessOptions<'_>,
    remarks: &mut Vec<String>,
) -> Option<String> {
    let read = |zone: &str| fits_timestamps(formats, zone, texts);
    let in_utc = read("UTC")?;
    let Some(in_zone) = read(options.zone) else {
        remarks.push(format!("contains times that do not exist in {}", options.zone));
        return Some("UTC".to_string());
    };
    // Two zones far apart distinguish texts with an offset from those without, even if the requested zone is UTC.
    if in_utc != in_zone || read("Asia/Tokyo").as_ref() != Some(&in_utc) {
        remarks.push(format!("no time zone in the values; read as {}, which `zone` changes", options.zone));
    }
    Some(options.zone.to_string())
}

/// Adds a remark if nearly all values are of a type.
fn nearly(texts: &[&str], options: GuessOptions<'_>, guess: &mut Guess) {
    let wanted = (texts.len() as f64 * NEARLY_ALL).ceil() as usize;
    let mut say = |what: &str, good: &mut dyn FnMut(&str) -> bool| {
        let (fitting, odd): (Vec<&str>, Vec<&str>) = texts.iter().partition(|text| good(text));
        let found = fitting.len() >= wanted.max(1) && !odd.is_empty() && guess.odd_value.is_none();
        if found {
            let (fitting, all) = (fitting.len(), texts.len());
            guess.remarks.push(format!("{fitting} of {all} values are {what}, which would reject the others"));
            guess.odd_value = odd.first().map(|text| text.to_string());
        }
        found
    };
    if !options.named_as_code
        && (say("of type integer", &mut |text| numbers::integer(text).is_ok())
            || say("of type decimal", &mut |text| is_number(text)))
    {
        return;
    }
    for format in DAY_FORMATS {
        let Ok(reader) = DateReader::new(&named(format)) else { continue };
        let words = if format.is_empty() { "of type date".to_string() } else { format!("dates `{format}`") };
        if say(&words, &mut |text| has_whole_year(format, text) && reader.parse(text).is_ok()) {
            return;
        }
    }
    let Ok(mut reader) = InstantReader::new(&[], options.zone) else { return };
    if say("of type instant", &mut |text| reader.parse(text).is_ok()) {
        return;
    }
    if texts.iter().all(|text| is_written_number(text)) {
        let reason = texts.iter().find_map(|text| numbers::decimal(text, 38, 9).err()).unwrap_or(Cow::Borrowed(""));
        guess.remarks.push(format!("looks like numbers: {reason}"));
    }
}

/// Digits with separators, currency symbols, parentheses or a trailing minus.
fn is_written_number(text: &str) -> bool {
    let own = |c: char| c.is_ascii_digit() || ('０'..='９').contains(&c);
    let around = |c: char| own(c) || " .,'()+-%￥¥€$元万亿，．－".contains(c);
    text.contains([',', '，', '￥', '¥', '€', '$', '元', '万', '%', '('])
        && text.contains(own)
        && text.chars().all(around)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: GuessOptions<'_> = GuessOptions {
        zone: "Europe/Berlin",
        named_as_time: false,
        named_as_code: false,
        formats: true,
        locales: true,
    };

    fn of(texts: &[&str], options: GuessOptions<'_>) -> Guess {
        let values: Vec<Option<String>> = texts.iter().map(|text| Some(text.to_string())).collect();
        guess(&values, options)
    }

    fn kind(texts: &[&str]) -> ValueType {
        of(texts, PLAIN).data_type
    }

    fn date(format: &str) -> ValueType {
        ValueType::Date { formats: named(format) }
    }

    fn instant(format: &str) -> ValueType {
        ValueType::Instant { formats: named(format), zone: "Europe/Berlin".into() }
    }

    fn decimal(precision: u8, scale: i8) -> ValueType {
        ValueType::Decimal { precision, scale }
    }

    #[test]
    fn types_are_those_that_read_every_value() {
        assert_eq!(kind(&["1", "-20", "0"]), ValueType::Integer);
        assert_eq!(kind(&["9223372036854775807"]), ValueType::Integer);
        assert_eq!(kind(&["1.5", "2", "-3.25"]), decimal(18, 2));
        assert_eq!(kind(&["12345678901234567.125"]), decimal(20, 3));
        assert_eq!(kind(&["9223372036854775808"]), decimal(19, 0));
        assert_eq!(kind(&["0.1234567891"]), ValueType::Float);
        assert_eq!(kind(&["1.5e-3", "2.0"]), ValueType::Float);
        assert_eq!(kind(&["true", "FALSE"]), ValueType::Boolean);
        assert_eq!(kind(&["yes", "no"]), ValueType::Text);
        assert_eq!(kind(&["0", "1"]), ValueType::Integer);
        assert_eq!(kind(&["A1", "A2"]), ValueType::Text);
        assert_eq!(kind(&["1 200", "1"]), ValueType::Text);
    }

    #[test]
    fn digits_that_are_no_number_stay_text() {
        assert_eq!(kind(&["00123", "4"]), ValueType::Text);
        assert_eq!(kind(&["+4930123456"]), ValueType::Text);
        assert_eq!(kind(&["0", "10"]), ValueType::Integer);
        assert_eq!(kind(&["0.5", "10"]), decimal(18, 1));
        let call = GuessOptions { named_as_code: true, ..PLAIN };
        assert_eq!(of(&["1795301639.10", "1795301639.11"], call).data_type, ValueType::Text);
        assert!(of(&["1795301639.10"], call).remarks[0].contains("by the column's name"));
    }

    #[test]
    fn days_and_moments_have_the_format_that_fits_all() {
        assert_eq!(kind(&["2026-01-31", "1999-12-01"]), date(""));
        assert_eq!(kind(&["31.01.2026", "01.02.2026"]), date("%d.%m.%Y"));
        assert_eq!(kind(&["31.01.26"]), date("%d.%m.%y"));
        assert_eq!(kind(&["01/31/2026", "02/01/2026"]), date("%m/%d/%Y"));
        assert_eq!(kind(&["2026年01月05日"]), date("%Y年%m月%d日"));
        assert_eq!(kind(&["05-Jan-2026"]), date("%d-%b-%Y"));
        assert_eq!(kind(&["2026-02-31", "2026-01-01"]), ValueType::Text);
        assert_eq!(kind(&["2026-01-31 10:00:00"]), instant(""));
        assert_eq!(kind(&["2026-01-31T10:00:00Z", "2026-01-31T10:00:00.5+08:00"]), instant(""));
        assert_eq!(kind(&["2026-01-31 10:00"]), instant("%Y-%m-%d %H:%M"));
        assert_eq!(kind(&["31.01.2026 10:00"]), instant("%d.%m.%Y %H:%M"));
        assert_eq!(kind(&["22/Nov/2026:10:00:00 +0800"]), instant("%d/%b/%Y:%H:%M:%S %z"));
        assert_eq!(kind(&["10:00", "11:30"]), ValueType::Text);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_said() {
        let guessed = of(&["01/02/2026", "03/04/2026"], PLAIN);
        assert_eq!(guessed.data_type, date("%d/%m/%Y"));
        assert!(guessed.remarks[0].contains("`%m/%d/%Y` fits every value as well"), "{guessed:?}");
        // Where day and month agree there is nothing to be told.
        assert!(of(&["01/01/2026"], PLAIN).remarks.is_empty());
        assert!(of(&["31/01/2026", "03/04/2026"], PLAIN).remarks.is_empty());
    }

    #[test]
    fn a_time_that_the_zone_does_not_have_is_read_in_utc() {
        let guessed = of(&["2026-03-29 02:30:00"], PLAIN);
        assert_eq!(guessed.data_type, ValueType::Instant { formats: vec![], zone: "UTC".into() });
        assert!(guessed.remarks[0].contains("do not exist"));
        assert!(of(&["2026-01-01 02:30:00"], PLAIN).remarks[0].contains("no time zone"));
        assert!(of(&["2026-01-01T02:30:00Z"], PLAIN).remarks.is_empty());
        let utc = GuessOptions { zone: "UTC", ..PLAIN };
        assert!(of(&["2026-01-01 02:30:00"], utc).remarks[0].contains("no time zone"));
        assert!(of(&["2026-01-01T02:30:00Z"], utc).remarks.is_empty());
    }

    #[test]
    fn bare_digits_are_times_only_where_the_name_says_so() {
        let time = GuessOptions { named_as_time: true, ..PLAIN };
        assert_eq!(of(&["20260131"], time).data_type, date("%Y%m%d"));
        assert_eq!(of(&["20260131"], PLAIN).data_type, ValueType::Integer);
        assert_eq!(of(&["20260131235959"], time).data_type, instant("%Y%m%d%H%M%S"));
        assert_eq!(of(&["1767600000"], time).data_type, instant("epoch_seconds"));
        assert_eq!(of(&["1767600000123"], time).data_type, instant("epoch_milliseconds"));
        assert_eq!(of(&["12"], time).data_type, ValueType::Integer);
    }

    #[test]
    fn words_for_no_value_are_named_where_they_keep_a_type_away() {
        let guessed = of(&["5", "n/a", "7", "-"], PLAIN);
        assert_eq!(guessed.data_type, ValueType::Integer);
        assert_eq!(guessed.null_values, ["n/a", "-"]);
        assert!(!guessed.required);
        assert_eq!(of(&["A", "n/a"], PLAIN).null_values, Vec::<String>::new());
    }

    #[test]
    fn missing_values_are_not_required_and_no_values_are_said() {
        let values = [Some("1".to_string()), None, Some(String::new())];
        let guessed = guess(&values, PLAIN);
        assert_eq!((guessed.data_type, guessed.required), (ValueType::Integer, false));
        assert!(guess(&values[..1], PLAIN).required);
        assert!(guess(&[None, None], PLAIN).remarks[0].contains("no value in the sample"));
        assert!(!guess(&[], PLAIN).required);
    }

    #[test]
    fn nearly_a_type_is_said_with_what_keeps_it_away() {
        let mut texts = vec!["2026-01-01"; 99];
        texts.push("2026-02-31");
        let guessed = of(&texts, PLAIN);
        assert_eq!(guessed.data_type, ValueType::Text);
        assert_eq!(guessed.remarks, ["99 of 100 values are of type date, which would reject the others"]);
        assert_eq!(guessed.odd_value.as_deref(), Some("2026-02-31"));
        let guessed = of(&["1,234.50", "12,00"], PLAIN);
        assert!(
            guessed.remarks[0].contains("looks like numbers") && guessed.remarks[0].contains("`locale: english`"),
            "{guessed:?}"
        );
    }

    #[test]
    fn a_locale_is_proposed_where_only_one_reads_every_value() {
        let read = |texts: &[&str]| {
            let guess = of(texts, PLAIN);
            (guess.locale, guess.data_type)
        };
        assert_eq!(read(&["1.234,50", "12,00", "7"]), (Some("european"), decimal(18, 2)));
        assert_eq!(read(&["1,234.50", "12"]), (Some("english"), decimal(18, 2)));
        assert_eq!(read(&["12,34,567", "1,234"]), (Some("indian"), ValueType::Integer));
        assert_eq!(read(&["￥1,234.50", "3.25万元"]), (Some("chinese"), decimal(18, 2)));
        assert_eq!(read(&["(1,234.50)", "5.00"]), (Some("accounting"), decimal(18, 2)));
        // A thousand or a fraction.
        assert_eq!(read(&["1,234", "5,678"]), (None, ValueType::Text));
        assert!(of(&["1,234", "5,678"], PLAIN).remarks[0].contains("looks like numbers"));
        assert_eq!(read(&["1.234,50", "12.00"]), (None, ValueType::Text));
        let guessed = of(&["1.234,50", "-"], PLAIN);
        assert_eq!(
            (guessed.locale, guessed.null_values, guessed.required),
            (Some("european"), vec!["-".into()], false)
        );
        assert!(of(&["1.234,50"], PLAIN).required);
        assert_eq!(of(&["1.234,50"], GuessOptions { locales: false, ..PLAIN }).locale, None);
        assert_eq!(of(&["1.234,50"], GuessOptions { named_as_code: true, ..PLAIN }).locale, None);
    }

    #[test]
    fn typed_files_take_no_formats() {
        let typed = GuessOptions { formats: false, ..PLAIN };
        assert_eq!(of(&["31.01.2026"], typed).data_type, ValueType::Text);
        assert_eq!(of(&["2026-01-31"], typed).data_type, date(""));
    }
}
