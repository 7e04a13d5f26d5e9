use super::numbers::Parsed;
use super::times::{DateReader, InstantReader, TimeFormat};
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn date(format: &str, text: &str) -> Parsed<i32> {
    DateReader::new(&[format.to_string()]).unwrap().parse(text)
}

fn instant(formats: &[&str], zone: &str, text: &str) -> Parsed<i64> {
    let formats: Vec<String> = formats.iter().map(|f| f.to_string()).collect();
    InstantReader::new(&formats, zone).unwrap().parse(text)
}

/// Microseconds of a timestamp, by jiff's own parser of RFC 3339.
fn at(text: &str) -> Parsed<i64> {
    Ok(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

#[test]
fn days_count_from_1970() {
    // By hand: 30 years of 365 days and 7 leap days; a century without leap day; the epoch itself.
    assert_eq!(date("%Y-%m-%d", "2000-01-01"), Ok(30 * 365 + 7));
    assert_eq!(date("%Y-%m-%d", "1970-01-01"), Ok(0));
    assert_eq!(date("%Y-%m-%d", "1969-12-31"), Ok(-1));
    assert_eq!(date("%d.%m.%Y", "29.02.2024"), Ok(19782));
    assert_eq!(date("%Y%m%d", "19970101"), Ok(9862));
    assert_eq!(date("%Y-%m-%d", "9999-12-31"), Ok(2932896));
    assert_eq!(date("%d.%m.%Y", "1.2.2024"), date("%Y-%m-%d", "2024-02-01"));
    assert_eq!(date("%d %b %Y", "05 Mar 2024"), date("%Y-%m-%d", "2024-03-05"));
    assert_eq!(date("%d.%m.%y", "05.03.24"), date("%Y-%m-%d", "2024-03-05"));
    assert_eq!(DateReader::new(&[]).unwrap().parse("2024-03-05"), date("%Y-%m-%d", "2024-03-05"));
}

#[test]
fn days_that_do_not_exist_are_rejected() {
    for (format, text) in [
        ("%d.%m.%Y", "31.02.2024"),
        ("%d.%m.%Y", "29.02.2023"),
        ("%d.%m.%Y", "29.02.1900"),
        ("%Y-%m-%d", "2024-13-45"),
        ("%Y-%m-%d", "2024-00-10"),
        ("%Y-%m-%d", "0000-00-00"),
    ] {
        assert!(date(format, text).unwrap_err().contains("does not exist"), "{text}");
    }
    for text in ["", "2024-1", "2024-01-01x", "x2024-01-01", "2024/01/01", "２０２４-01-01", "2024-01-01 10:00:00"]
    {
        let reason = date("%Y-%m-%d", text).unwrap_err();
        assert!(reason.contains("not a date of the format `%Y-%m-%d`"), "{text}: {reason}");
    }
}

#[test]
fn timestamps_keep_their_offset_or_take_the_zone() {
    let berlin = "Europe/Berlin";
    assert_eq!(instant(&[], berlin, "2024-01-15 12:00:00"), at("2024-01-15T11:00:00Z"));
    assert_eq!(instant(&[], berlin, "2024-07-15T12:00:00"), at("2024-07-15T10:00:00Z"));
    assert_eq!(instant(&[], berlin, "2024-07-15T12:00:00Z"), at("2024-07-15T12:00:00Z"));
    assert_eq!(instant(&[], berlin, "2024-07-15T12:00:00.25+05:30"), at("2024-07-15T06:30:00.25Z"));
    assert_eq!(instant(&[], berlin, "2024-07-15 12:00:00.123456789-0100"), at("2024-07-15T13:00:00.123456Z"));
    assert_eq!(instant(&["%Y-%m-%d %H:%M:%S"], "UTC", "2010-12-01 08:26:00"), at("2010-12-01T08:26:00Z"));
    assert_eq!(instant(&["%d.%m.%Y %H:%M"], berlin, "01.12.2010 08:26"), at("2010-12-01T07:26:00Z"));
    assert_eq!(instant(&["%d.%m.%Y"], berlin, "01.12.2010"), at("2010-11-30T23:00:00Z"));
    assert_eq!(instant(&["%s"], berlin, "1700000000"), at("2023-11-14T22:13:20Z"));
    assert_eq!(instant(&["%d/%b/%Y:%H:%M:%S %z"], berlin, "17/May/2015:10:05:03 +0000"), at("2015-05-17T10:05:03Z"));
    assert_eq!(instant(&["%Y-%m-%dT%H:%M:%S%:z"], berlin, "2024-07-15T12:00:00+02:00"), at("2024-07-15T10:00:00Z"));
    assert_eq!(instant(&["%m/%d/%Y %I:%M %p"], "UTC", "12/01/2010 08:26 PM"), at("2010-12-01T20:26:00Z"));
    // What some systems write for "never": beyond what jiff calls a timestamp. Its day is 2,932,896 (see above).
    assert_eq!(instant(&[], berlin, "9999-12-31 23:59:59"), Ok((2_932_896 * 86_400 + 86_399 - 3_600) * 1_000_000));
}

#[test]
fn clock_changes_are_looked_at() {
    let berlin = "Europe/Berlin";
    // 31 March 2024: 02:00 became 03:00. 27 October 2024: 03:00 became 02:00.
    assert!(instant(&[], berlin, "2024-03-31 02:30:00").unwrap_err().contains("set forward"));
    assert_eq!(instant(&[], berlin, "2024-03-31 01:59:59"), at("2024-03-31T00:59:59Z"));
    assert_eq!(instant(&[], berlin, "2024-03-31 03:00:00"), at("2024-03-31T01:00:00Z"));
    assert_eq!(instant(&[], berlin, "2024-10-27 02:30:00"), at("2024-10-27T00:30:00Z"));
    assert_eq!(instant(&[], berlin, "2024-10-27 03:30:00"), at("2024-10-27T02:30:00Z"));
    assert_eq!(instant(&[], berlin, "2024-10-27 01:30:00"), at("2024-10-26T23:30:00Z"));
    // A whole day skipped: Samoa had no 30 December 2011.
    assert!(instant(&[], "Pacific/Apia", "2011-12-30 12:00:00").is_err());
}

#[test]
fn timestamps_that_do_not_exist_are_rejected() {
    for text in ["2024-02-30 10:00:00", "2024-13-01T00:00:00Z"] {
        assert!(instant(&[], "UTC", text).unwrap_err().contains("does not exist"), "{text}");
    }
    for text in [
        "",
        "2024-01-01",
        "2024-01-01 24:00:00",
        "2024-01-01 10:60:00",
        "2024-01-01 10:00:00.",
        "2024-01-01 10:00:00 UTC",
    ] {
        assert!(instant(&[], "UTC", text).unwrap_err().contains("not a timestamp"), "{text}");
    }
}

#[test]
fn counts_since_1970_are_read_in_their_unit() {
    let read = |format: &str, text: &str| instant(&[format], "Asia/Shanghai", text);
    // `date -u -d @1767603600` is 2026-01-05 09:00:00.
    assert_eq!(read("%s", "1767603600"), Ok(1_767_603_600_000_000));
    assert_eq!(read("epoch_seconds", "1767603600.123"), Ok(1_767_603_600_123_000));
    assert_eq!(read("epoch_milliseconds", "1767603600123"), Ok(1_767_603_600_123_000));
    assert_eq!(read("epoch_milliseconds", "1.0019"), Ok(1001));
    assert_eq!(read("epoch_microseconds", "1767603600123456"), Ok(1_767_603_600_123_456));
    assert_eq!(read("epoch_seconds", "-1"), Ok(-1_000_000));
    for text in ["1.7676036E9", "", "1,5", "12h", "1.", ".5", "+1", "99999999999999999", "2026-01-05"] {
        assert!(read("epoch_seconds", text).is_err(), "{text}");
    }
}

#[test]
fn english_months_are_read_quickly_and_as_jiff_reads_them() {
    let format = "%d/%b/%Y:%H:%M:%S %z";
    assert!(TimeFormat::new(format).unwrap().fixed.is_some());
    assert_eq!(instant(&[format], "UTC", "05/Jan/2026:10:00:00 +0100"), Ok(1_767_603_600_000_000));
    assert_eq!(instant(&[format], "UTC", "05/jan/2026:10:00:00 +0100"), Ok(1_767_603_600_000_000));
    assert!(instant(&[format], "UTC", "31/Feb/2026:10:00:00 +0100").is_err());
    assert!(instant(&[format], "UTC", "05/Jen/2026:10:00:00 +0100").is_err());
    for (month, name) in super::times::MONTHS.iter().enumerate() {
        let expected =
            jiff::civil::date(2026, month as i8 + 1, 5).since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1)));
        assert_eq!(date("%d %b %Y", &format!("05 {name} 2026")), Ok(expected.unwrap().get_days()));
    }
}

#[test]
fn formats_and_zones_are_checked() {
    assert!(InstantReader::new(&[], "Europe/Berlim").is_err());
    assert!(DateReader::new(&["%Y-%!".to_string()]).is_err());
    for format in ["%Y-%m-%d", "%d.%m.%y", "%d %B %Y", "%s", "%Y-%m-%dT%H:%M:%S%.f%:z", "%d/%b/%Y:%H:%M:%S %z"] {
        assert!(TimeFormat::new(format).is_ok(), "{format}");
    }
}

proptest! {
    #[test]
    fn quick_reading_agrees_with_jiff(seconds in -62_135_596_800_i64..253_402_214_400, micros in 0_i64..1_000_000) {
        let moment = jiff::Timestamp::from_microsecond(seconds * 1_000_000 + micros).unwrap();
        for zone in ["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"] {
            let zoned = moment.to_zoned(TimeZone::get(zone).unwrap());
            let text = zoned.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string();
            let expected = zoned.datetime().to_zoned(zoned.time_zone().clone()).unwrap().timestamp().as_microsecond();
            prop_assert_eq!(instant(&[], zone, &text), Ok(expected));
            let day = zoned.strftime("%d.%m.%Y").to_string();
            let since = zoned.date().since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1))).unwrap().get_days();
            prop_assert_eq!(date("%d.%m.%Y", &day), Ok(since));
        }
    }
}
