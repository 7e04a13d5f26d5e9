//! Holidays from ICS files.

use super::*;
use crate::read_ics;

fn calendar(events: &[&str]) -> String {
    let events = events
        .iter()
        .map(|event| format!("BEGIN:VEVENT\r\nUID:x\r\n{}\r\nEND:VEVENT\r\n", event.replace('\n', "\r\n")));
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n{}END:VCALENDAR\r\n", events.collect::<String>())
}

fn read(events: &[&str]) -> Vec<String> {
    let days = read_ics(&calendar(events), 2026..=2030).unwrap();
    days.into_iter().map(|(day, name)| format!("{day} {name}")).collect()
}

#[test]
fn all_day_events_are_holidays() {
    let events = [
        "DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261227\nSUMMARY:Weihnachten",
        "DTSTART;VALUE=DATE:20260501\nSUMMARY:Tag der Arbeit\\, 1. Mai",
        "DTSTART:20261003\nDTEND:20261003\nSUMMARY:Tag der Deutschen Einheit",
        "DTSTART;VALUE=DATE:20261231\nDURATION:P2D\nSUMMARY:Jahreswechsel",
        // Neither a time of day nor what was cancelled.
        "DTSTART:20260102T090000Z\nDTEND:20260102T100000Z\nSUMMARY:Meeting",
        "DTSTART;VALUE=DATE:20260103\nSTATUS:CANCELLED\nSUMMARY:Nothing",
        // Two names of one day.
        "DTSTART;VALUE=DATE:20260501\nSUMMARY:May Day",
    ];
    assert_eq!(
        read(&events),
        [
            "2026-05-01 Tag der Arbeit, 1. Mai, May Day",
            "2026-10-03 Tag der Deutschen Einheit",
            "2026-12-25 Weihnachten",
            "2026-12-26 Weihnachten",
            "2026-12-31 Jahreswechsel",
            "2027-01-01 Jahreswechsel",
        ]
    );
}

#[test]
fn yearly_rules_are_looked_at_within_the_years() {
    let days =
        |rule: &str| read(&[&format!("DTSTART;VALUE=DATE:20240501\n{rule}\nSUMMARY:x")]).join(" ").replace(" x", "");
    assert_eq!(days("RRULE:FREQ=YEARLY"), "2026-05-01 2027-05-01 2028-05-01 2029-05-01 2030-05-01");
    assert_eq!(days("RRULE:FREQ=YEARLY;COUNT=4"), "2026-05-01 2027-05-01");
    assert_eq!(days("RRULE:FREQ=YEARLY;UNTIL=20280501"), "2026-05-01 2027-05-01 2028-05-01");
    assert_eq!(days("RRULE:FREQ=YEARLY;UNTIL=20280430T220000Z"), "2026-05-01 2027-05-01");
    assert_eq!(days("RRULE:FREQ=YEARLY;INTERVAL=3"), "2027-05-01 2030-05-01");
    assert_eq!(
        days(
            "RRULE:FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=1;WKST=MO\nEXDATE;VALUE=DATE:20270501,20280501\nEXDATE:20300501T000000Z"
        ),
        "2026-05-01 2029-05-01"
    );
    let days = |start: &str, rule: &str| {
        read(&[&format!("DTSTART;VALUE=DATE:{start}\n{rule}\nSUMMARY:x")]).join(" ").replace(" x", "")
    };
    assert_eq!(days("20240229", "RRULE:FREQ=YEARLY"), "2028-02-29");
    // Thanksgiving, and the United Kingdom's late May bank holiday.
    assert_eq!(
        days("20201126", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"),
        "2026-11-26 2027-11-25 2028-11-23 2029-11-22 2030-11-28"
    );
    assert_eq!(days("20250526", "RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;COUNT=3"), "2026-05-25 2027-05-31");
    // Over the end of a year.
    assert_eq!(
        days("20281231", "DTEND:20290102\nRRULE:FREQ=YEARLY;COUNT=2"),
        "2028-12-31 2029-01-01 2029-12-31 2030-01-01"
    );
}

#[test]
fn folded_lines_other_line_ends_and_a_mark_of_order_are_read() {
    let text = "\u{feff}begin:vcalendar\nBEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nDTSTART:19700101T000000\nRRULE:FREQ=YEARLY;BYMONTH=10;\n BYDAY=-1SU\n\
                END:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nDTSTART;VALUE=\n DATE:20261001\nSUMMARY:国庆\n 节\nBEGIN:VALARM\nTRIGGER:-P1D\nEND:VALARM\n\
                END:VEVENT\nend:vcalendar\n\n";
    let expected: std::collections::BTreeMap<_, _> = [(day("2026-10-01"), "国庆节".to_string())].into();
    assert_eq!(read_ics(text, 2026..=2026), Ok(expected.clone()));
    assert_eq!(read_ics(&text.replace('\n', "\r\n"), 2026..=2026), Ok(expected));
}

#[test]
fn what_cannot_be_read_names_the_event_and_its_line() {
    let wrong = |event: &str| {
        let text = calendar(&["DTSTART:20260101\nSUMMARY:Fine", &format!("{event}\nSUMMARY:Bad  one")]);
        let invalid = read_ics(&text, 2026..=2030).unwrap_err();
        assert_eq!(&text[invalid.span.clone()], "BEGIN:VEVENT");
        assert_eq!(text[..invalid.span.start].matches("BEGIN:VEVENT").count(), 1, "the second event");
        invalid.message
    };
    for rule in [
        "FREQ=MONTHLY",
        "FREQ=WEEKLY;BYDAY=MO",
        "FREQ=YEARLY;BYMONTH=4,5",
        "FREQ=YEARLY;BYMONTH=6",
        "FREQ=YEARLY;BYMONTHDAY=2",
        "FREQ=YEARLY;BYDAY=MO",
        "FREQ=YEARLY;BYEASTER=1",
        "FREQ=YEARLY;INTERVAL=0",
        "FREQ=YEARLY;COUNT=x",
        "INTERVAL=1",
        "YEARLY",
    ] {
        assert_eq!(
            wrong(&format!("DTSTART:20260501\nRRULE:{rule}")),
            format!("the event `Bad one` has the rule `{rule}`")
        );
    }
    assert_eq!(wrong("DTEND:20260501"), "the event `Bad one` has no DTSTART");
    assert_eq!(wrong("DTSTART:20260230"), "the event `Bad one` has `20260230`, which is not a day");
    assert_eq!(wrong("DTSTART:2026-05-01"), "the event `Bad one` has `2026-05-01`, which is not a day");
    assert_eq!(wrong("DTSTART:20260501\nDTEND:20260401"), "the event `Bad one` lasts -30 days");
    assert_eq!(wrong("DTSTART:20260501\nDTEND:20290501"), "the event `Bad one` lasts 1096 days");
    assert_eq!(wrong("DTSTART:20260501\nDURATION:soon"), "the event `Bad one` has the duration `soon`");
    assert_eq!(wrong("DTSTART:20260501\nRDATE:20260601"), "the event `Bad one` has RDATE, which is not read");
    for text in
        ["", "<html></html>\n<p>", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", "BEGIN:VEVENT\nEND:VEVENT\n"]
    {
        let invalid = read_ics(text, 2026..=2030).unwrap_err();
        assert_eq!(invalid.message, "the text is not an iCalendar file", "{text}");
        assert_eq!(&text[invalid.span], text.lines().next().unwrap_or_default());
    }
    assert_eq!(
        read_ics(&calendar(&["DTSTART:20260102T090000Z"]), 2026..=2030).unwrap_err().message,
        "the calendar has no events that last all day"
    );
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in "(BEGIN:VCALENDAR\n|BEGIN:VEVENT\n|END:VEVENT\n|END:VCALENDAR\n|DTSTART:20260[0-9]{3}\n|RRULE:FREQ=YEARLY;[A-Z=0-9;é]{0,9}\n|.{0,5}\n){0,9}") {
        let _ = read_ics(&text, 2026..=2030);
    }

    #[test]
    fn no_line_and_no_hours_are_too_much(text in "([0-9*/,#LWA-Zé-]{1,4} ){0,6}", hours in "([A-Za-z]{3}|[0-9:é-]{0,11}|[,; -])*") {
        let _ = crate::CronLine::parse(&text);
        let _ = crate::OpeningHours::parse(&hours);
        let _ = crate::TimeWindow::parse(&hours);
    }
}
