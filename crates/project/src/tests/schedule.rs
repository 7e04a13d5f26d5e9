//! When pipelines run by themselves, and the calendars that they name.

use super::*;
use jiff::civil::{Time, date};
use perennial_calendar::{DayRule, OnHoliday};
use std::time::Duration;

const CALENDARS: &str = "calendars:\n  germany: {holidays: [2026-12-25]}\n  china: {working_days: [2026-10-10]}\n";

/// The problems of a pipeline with these lines, in a project with two calendars and two sources.
fn pipeline_problems(lines: &str) -> String {
    problems(&[
        ("perennial.yml", &format!("{PROJECT}{CALENDARS}")),
        ("pipelines/sources/erp.yml", SOURCE),
        ("pipelines/sources/web.yml", SOURCE),
        ("pipelines/nightly.yml", lines),
    ])
}

fn calendar_problems(lines: &str, files: &[(&str, &str)]) -> String {
    let project = format!("{PROJECT}calendars:\n{lines}");
    let mut all = vec![("perennial.yml", project.as_str())];
    all.extend(files);
    problems(&all)
}

const HOLIDAYS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Acme//Holidays//EN\r\nBEGIN:VEVENT\r\n\
    UID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20261225\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:Christmas\r\n\
    END:VEVENT\r\nBEGIN:VEVENT\r\nUID:2\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20261228\r\n\
    SUMMARY:Company holiday\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

#[test]
fn every_key_of_a_schedule_is_read() {
    let project = load(&[
        ("perennial.yml", &format!("{PROJECT}{CALENDARS}")),
        ("pipelines/sources/erp.yml", SOURCE),
        (
            "pipelines/close.yml",
            "schedule: \"0 23 * * MON-FRI\"\nas_of: scheduled_date + 1\ncatch_up: all\noverlap: queue\n\
             run_on: working_day\nif_holiday: next\ncalendar: germany\n\
             wait_for: {sources: [erp], until: 04:00, then: give_up}\nnot_between: [22:00-22:30, \"03:00-03:45\"]\n\
             stop_after: 1h30m\nfinish_by: 7:05\nattempts: {max: 5, first_pause: 90s, max_pause: 2h}\nvacuum: true\n",
        ),
        ("pipelines/plain.yml", "schedule: \"@daily\"\n"),
        ("pipelines/by_hand.yml", "description: Never by itself\n"),
        ("pipelines/third.yml", "schedule: 0 6 * * *\nrun_on: {nth_working_day: 3}\ncalendar: germany\n"),
    ]);
    let project = project.unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    let pipeline = |name: &str| project.pipelines.iter().find(|pipeline| pipeline.name == name).unwrap();
    let schedule = |name: &str| pipeline(name).schedule.clone().unwrap();

    let close = schedule("close");
    assert_eq!((close.due.cron.text(), close.due.days), ("0 23 * * MON-FRI", DayRule::WorkingDay));
    assert_eq!(close.due.if_holiday, OnHoliday::Next);
    assert_eq!(close.due.zone.iana_name(), Some("Europe/Berlin"));
    assert!(close.due.calendar.unwrap().holidays.contains_key(&date(2026, 12, 25)));
    assert_eq!((close.as_of_offset_days, close.catch_up, close.overlap), (1, CatchUp::All, Overlap::Queue));
    let until = Time::constant(4, 0, 0, 0);
    assert_eq!(close.wait_for, Some(WaitFor { sources: vec!["erp".into()], until, then_run: false }));
    assert!(close.not_between[0].contains(Time::constant(22, 29, 0, 0)));
    assert!(close.not_between[1].contains(Time::constant(3, 0, 0, 0)));
    assert_eq!(close.stop_after, Some(Duration::from_secs(90 * 60)));
    assert_eq!(close.finish_by, Some(Time::constant(7, 5, 0, 0)));
    let attempts = Attempts { max: 5, first_pause: Duration::from_secs(90), max_pause: Duration::from_secs(7200) };
    assert_eq!((pipeline("close").attempts, pipeline("close").vacuum), (attempts, true));

    let plain = schedule("plain");
    assert_eq!((plain.due.days, plain.due.if_holiday), (DayRule::EveryDay, OnHoliday::Run));
    assert_eq!((plain.as_of_offset_days, plain.catch_up, plain.overlap), (0, CatchUp::Latest, Overlap::Skip));
    assert!(plain.wait_for.is_none() && plain.not_between.is_empty());
    assert!(plain.stop_after.is_none() && plain.finish_by.is_none());
    assert_eq!(pipeline("plain").attempts, Attempts::default());
    assert!(!pipeline("plain").vacuum && pipeline("by_hand").schedule.is_none());
    assert_eq!(schedule("third").due.days, DayRule::NthWorkingDay(3));
}

#[test]
fn the_business_date_is_that_of_the_schedule_or_some_days_from_it() {
    let offset = |as_of: &str| {
        let pipeline = format!("schedule: \"@daily\"\nas_of: {as_of}\n");
        let project = load(&[("perennial.yml", PROJECT), ("pipelines/a.yml", &pipeline)]).unwrap();
        project.pipelines[0].schedule.as_ref().unwrap().as_of_offset_days
    };
    for (written, days) in [
        ("scheduled_date", 0),
        ("scheduled_date + 1", 1),
        ("scheduled_date+1", 1),
        ("\"scheduled_date - 31\"", -31),
        ("scheduled_date -1", -1),
        ("scheduled_date + 0", 0),
    ] {
        assert_eq!(offset(written), days, "{written}");
    }
    for wrong in [
        "today",
        "2026-10-01",
        "scheduled_date + 32",
        "scheduled_date 1",
        "scheduled_date +",
        "scheduled_dat",
        "scheduled_date + -1",
        "scheduled_date + 1 day",
        "scheduled_date ++1",
        "scheduled_date + 99999999999999999999",
    ] {
        let said = pipeline_problems(&format!("schedule: \"@daily\"\nas_of: {wrong}\n"));
        let expected = format!("pipelines/nightly.yml:2:8: `as_of` is `{wrong}` [write `scheduled_date`, or ");
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[test]
fn every_mistake_of_a_schedule_is_reported_at_its_place() {
    insta::assert_snapshot!(pipeline_problems(
        "schedule: \"0 25 * * *\"\ncatch_up: last\noverlap: wait\nrun_on: workday\nif_holiday: later\ncalendar: germny\n\
         wait_for: {source: [erp], until: 420, then: stop}\nnot_between: [\"03:00\", \"25:00-26:00\"]\nstop_after: 3 hours ago\n\
         finish_by: 24:00\nattempts: {max: 0, first_pause: 2h, pause: 1}\nvacuum: yes\n"), @r##"
        pipelines/nightly.yml:1:14: `25` is not a valid hour of a schedule [expected 0 to 23, `*`, a list `1,15`, a range `9-17` or a step `*/5`]
        pipelines/nightly.yml:2:11: `catch_up` is `last` [expected one of `latest`, `all`, `none`]
        pipelines/nightly.yml:3:10: `overlap` is `wait` [expected one of `skip`, `queue`]
        pipelines/nightly.yml:4:9: `run_on` is `workday` [expected one of `working_day`, `last_working_day`, `{nth_working_day: 3}`]
        pipelines/nightly.yml:5:13: `if_holiday` is `later` [expected one of `next`, `previous`, `skip`]
        pipelines/nightly.yml:6:11: unknown calendar `germny` [did you mean `germany`?]
        pipelines/nightly.yml:7:1: `wait_for` needs `sources`
        pipelines/nightly.yml:7:12: unknown key `source` in `wait_for` [did you mean `sources`?]
        pipelines/nightly.yml:7:34: `until` is `420`, which is not a time of the day [write it in quotes: "07:00"; other programs turn 07:00 without quotes into 420]
        pipelines/nightly.yml:7:45: `then` is `stop` [expected one of `run`, `give_up`]
        pipelines/nightly.yml:8:15: `03:00` is not a time window [write two times of the day from 00:00 to 24:00: "22:00-04:30"]
        pipelines/nightly.yml:8:24: `25:00-26:00` is not a time window [write two times of the day from 00:00 to 24:00: "22:00-04:30"]
        pipelines/nightly.yml:9:13: `stop_after` is `3 hours ago`, which is not a duration [write it such as `90m`, `26h` or `3d`]
        pipelines/nightly.yml:10:12: `finish_by` is `24:00`, which is not a time of the day [write hours and minutes from 00:00 to 23:59, such as "07:00"]
        pipelines/nightly.yml:11:17: `max` is `0` [write a number from 1 to 100]
        pipelines/nightly.yml:11:20: `first_pause` (7200s) is longer than `max_pause` (3600s)
        pipelines/nightly.yml:11:37: unknown key `pause` in `attempts` [expected one of `max`, `first_pause`, `max_pause`]
        pipelines/nightly.yml:12:9: `vacuum` is `yes` [write `true` or `false`]
        "##);
    insta::assert_snapshot!(pipeline_problems(
        "schedule: \"@daily\"\nsources: [erp]\nwait_for: {sources: [web, erp, erp], until: 04:00, then: run}\n\
         run_on: {nth_working_day: 0}\nif_holiday: next\ncalendar: germany\nstop_after: 1s\nattempts: {max_pause: 1m}\n"), @r##"
        pipelines/nightly.yml:3:22: the pipeline does not read a source `web` [expected `erp`]
        pipelines/nightly.yml:3:32: duplicate source `erp`
        pipelines/nightly.yml:4:27: `nth_working_day` is `0` [write a number from 1 to 31]
        pipelines/nightly.yml:5:1: `if_holiday` has no effect on the n-th or last working day of a month
        pipelines/nightly.yml:7:13: `stop_after` is `1s` [write a duration from 1m to 7d]
        pipelines/nightly.yml:8:12: `first_pause` (300s) is longer than `max_pause` (60s)
        "##);
    insta::assert_snapshot!(pipeline_problems("schedule: \"@daily\"\nrun_on: last_working_day\nnot_between: [\"00:00-12:00\", \"11:00-24:00\"]\n"), @r##"
        pipelines/nightly.yml:2:1: `run_on` needs a calendar [expected one of `china`, `germany`]
        pipelines/nightly.yml:3:1: `not_between` leaves no time of the day at which a run could begin
        "##);
    insta::assert_snapshot!(pipeline_problems("catch_up: all\nfinish_by: \"07:00\"\ncalendar: germany\n"), @r##"
        pipelines/nightly.yml:1:1: `catch_up` has no effect without a `schedule`
        pipelines/nightly.yml:2:1: `finish_by` has no effect without a `schedule`
        pipelines/nightly.yml:3:1: `calendar` has no effect without a `schedule`
        "##);
    insta::assert_snapshot!(pipeline_problems("schedule: \"0 0 * * SUN\"\nrun_on: working_day\ncalendar: germany\n"), @r##"
        pipelines/nightly.yml:1:11: the schedule `0 0 * * SUN` never occurs [none of its days is one that `run_on`, `if_holiday` and the calendar allow]
        "##);
    insta::assert_snapshot!(pipeline_problems("schedule: \"@daily\"\nrun_on: {nth: 3}\ncalendar: germany\nwait_for: {}\n"), @r##"
        pipelines/nightly.yml:2:1: `run_on` needs `nth_working_day`
        pipelines/nightly.yml:2:10: unknown key `nth` in `run_on` [expected `nth_working_day`]
        pipelines/nightly.yml:4:1: `wait_for` needs `sources`
        pipelines/nightly.yml:4:1: `wait_for` needs `until`
        pipelines/nightly.yml:4:1: `wait_for` needs `then`
        "##);
    insta::assert_snapshot!(problems(&[("pipelines/a.yml", "schedule: \"@daily\"\nif_holiday: skip\n")]), @r##"
        pipelines/a.yml:2:1: `if_holiday` needs a calendar [declare one in perennial.yml: `calendars: {germany: {holidays: [2026-12-25]}}`]
        "##);
    insta::assert_snapshot!(problems(&[("pipelines/a.yml", "schedule: \"@daily\"\nif_holiday: skip\ncalendar: germany\n")]), @r##"
        pipelines/a.yml:3:11: unknown calendar `germany` [declare it in perennial.yml under `calendars`]
        "##);
}

#[test]
fn a_calendar_has_weekends_holidays_and_working_days() {
    let lines = "  germany:\n    holidays: [{file: ./holidays.ics}, 2026-12-24, {2026-12-31: Silvester}]\n    working_days: [2026-12-28, 2026-10-10]\n  \
                 gulf: {weekend: [friday, saturday], holidays: {2026-12-02: National Day, 2026-12-03: }}\n  every_day: {weekend: []}\n  plain:\n";
    let project = format!("{PROJECT}calendars:\n{lines}");
    let project = load(&[("perennial.yml", &project), ("holidays.ics", HOLIDAYS), ("pipelines/a.yml", "")]);
    let project = project.unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    let germany = &project.calendars["germany"];
    for (day, is_working_day) in [
        (date(2026, 12, 23), true),
        (date(2026, 12, 24), false),
        (date(2026, 12, 25), false),
        (date(2031, 12, 25), false),
        // A holiday of the file on which work is done, and Saturdays.
        (date(2026, 12, 28), true),
        (date(2026, 10, 10), true),
        (date(2026, 10, 17), false),
    ] {
        assert_eq!(germany.is_working_day(day), is_working_day, "{day}");
    }
    assert_eq!(germany.holidays[&date(2026, 12, 31)], "Silvester");
    assert_eq!(germany.holidays[&date(2026, 12, 25)], "Christmas");
    let gulf = &project.calendars["gulf"];
    assert!(gulf.is_working_day(date(2026, 12, 6)) && !gulf.is_working_day(date(2026, 12, 4)));
    assert_eq!(
        (gulf.holidays[&date(2026, 12, 2)].as_str(), gulf.holidays[&date(2026, 12, 3)].as_str()),
        ("National Day", "")
    );
    assert!(project.calendars["every_day"].is_working_day(date(2026, 12, 6)));
    assert!(!project.calendars["plain"].is_working_day(date(2026, 12, 6)));

    // A release keeps the file, and the project can be made again from what it keeps.
    let paths: Vec<&str> = project.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["perennial.yml", "holidays.ics", "pipelines/a.yml"]);
    let again = Project::load_kept(Path::new("/nowhere"), project.files.clone(), &LoadOptions::of_process()).unwrap();
    assert_eq!(again.calendars, project.calendars);
    assert_eq!(again.files.len(), 3);
    let without = project.files.into_iter().filter(|file| file.path != "holidays.ics").collect();
    let problems = Project::load_kept(Path::new("/nowhere"), without, &LoadOptions::of_process()).unwrap_err();
    assert!(problems.iter().next().unwrap().message().contains("`./holidays.ics` was not kept"));
}

#[test]
fn every_mistake_of_a_calendar_is_reported_at_its_place() {
    insta::assert_snapshot!(calendar_problems(
        "  Germany: {weekend: [saturday, Sundy, saturday], holidays: [24.12.2026, 2026-02-30, 2026-12-25, 2026-12-25], holiday: x}\n  \
           b: {working_days: [2026-10-07, 2026-10-10, 2026-10-10, 2026-12-24], holidays: [2026-12-24, {2026-12-24: Eve}, {fil: x.ics}]}\n  \
           c: {weekend: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]}\n  \
           d: {holidays: holidays.ics}\n  \
           e: {holidays: [{file: none.ics}, {file: ../x.ics}, {file: /etc/x.ics}, {file: [a]}]}\n  \
           f: {holidays: {file: sql/x.ics}}\n  g: germany\n",
        &[("sql/x.ics", "not a calendar\nat all\n")]), @r##"
        perennial.yml:5:3: `Germany` cannot be the name of a calendar: only a-z, 0-9 and _ are allowed [call it `germany`]
        perennial.yml:5:33: unknown weekday `Sundy` [did you mean `sunday`?]
        perennial.yml:5:40: duplicate weekday `saturday`
        perennial.yml:5:62: `24.12.2026` is not a date [write it as `2026-12-24`]
        perennial.yml:5:74: `2026-02-30` is not a date [write it as `2026-12-24`]
        perennial.yml:5:98: duplicate date `2026-12-25`, first in line 5
        perennial.yml:5:111: unknown key `holiday` in a calendar [did you mean `holidays`?]
        perennial.yml:6:22: `2026-10-07` is a Wednesday and a working day already [`working_days` are days of the weekend, or holidays of a file, on which work is done]
        perennial.yml:6:46: duplicate date `2026-10-10`
        perennial.yml:6:58: `2026-12-24` is a working day here and a holiday in line 6 [remove one of them]
        perennial.yml:6:95: duplicate date `2026-12-24`, first in line 6
        perennial.yml:6:114: unknown key `fil` in `holidays` [did you mean `file`?]
        perennial.yml:7:7: `weekend` has every day of the week [leave out the days on which work is done]
        perennial.yml:8:17: `holidays.ics` is not a date [write `{file: holidays.ics}`]
        perennial.yml:9:25: the file `none.ics` cannot be read: No such file or directory (os error 2)
        perennial.yml:9:43: the file `../x.ics` is outside the project [copy it into the project and write its path from the project's folder, as in `holidays.ics`]
        perennial.yml:9:61: the file `/etc/x.ics` is outside the project [copy it into the project and write its path from the project's folder, as in `holidays.ics`]
        perennial.yml:9:81: `file` must be a single value, found a list
        perennial.yml:11:6: a calendar must be a mapping, found a single value
        sql/x.ics:1:1: the text is not an iCalendar file [it begins with `BEGIN:VCALENDAR`, ends with `END:VCALENDAR`, and every line between has a name and a colon]
        "##);
    let weekly = HOLIDAYS.replace("FREQ=YEARLY", "FREQ=WEEKLY");
    let said = calendar_problems("  a: {holidays: {file: holidays.ics}}\n", &[("holidays.ics", &weekly)]);
    assert!(said.starts_with("holidays.ics:4:1: ") && said.contains("Christmas"), "{said}");
}

#[test]
fn a_report_waits_for_days_or_working_days() {
    let report = |line: &str| ("report-templates/a/report.md", format!("---\ntitle: A\n{line}\n---\n"));
    let read = |settings: &str, line: &str| {
        let (path, text) = report(line);
        let project = load(&[("perennial.yml", &format!("{PROJECT}{settings}")), (path, &text)]);
        project.map(|project| project.reports[0].issue_after.clone())
    };
    let german = |n| {
        let project = load(&[("perennial.yml", &format!("{PROJECT}{CALENDARS}"))]).unwrap();
        IssueAfter::WorkingDays(n, project.calendars["germany"].clone())
    };
    let one = "calendars: {germany: {holidays: [2026-12-25]}}\n";
    assert_eq!(read("", "readers: all").unwrap(), IssueAfter::End);
    assert_eq!(read("", "issue_after: 2 days").unwrap(), IssueAfter::Days(2));
    assert_eq!(read("", "issue_after: 1 day").unwrap(), IssueAfter::Days(1));
    assert_eq!(read(CALENDARS, "issue_after: 3 working_days of germany").unwrap(), german(3));
    assert_eq!(read(one, "issue_after: 1 working_day").unwrap(), german(1));
    let said = |settings: &str, line: &str| written(read(settings, line).map(|_| unreachable!()));
    for wrong in ["days", "two days", "2", "2 weeks", "-1 days", "367 days", "3 working_days germany", "[2]"] {
        let problems = said(CALENDARS, &format!("issue_after: {wrong}"));
        assert!(problems.starts_with("report-templates/a/report.md:3:14: `issue_after` "), "{problems}");
    }
    insta::assert_snapshot!(said(CALENDARS, "issue_after: 3 working_days of germny"), @r##"
        report-templates/a/report.md:3:14: unknown calendar `germny` [did you mean `germany`?]
        "##);
    insta::assert_snapshot!(said(CALENDARS, "issue_after: 3 working_days"), @r##"
        report-templates/a/report.md:3:14: `issue_after` needs a calendar [expected one of `china`, `germany`]
        "##);
    insta::assert_snapshot!(said("", "issue_after: 3 working_days of germany"), @r##"
        report-templates/a/report.md:3:14: unknown calendar `germany` [declare it in perennial.yml under `calendars`]
        "##);
    insta::assert_snapshot!(said("", "issue_after: 3 working_days"), @r##"
        report-templates/a/report.md:3:14: `issue_after` needs a calendar [declare one in perennial.yml: `calendars: {germany: {holidays: [2026-12-25]}}`]
        "##);
}

#[test]
fn what_few_people_mean_is_noted() {
    let notes = |pipeline: &str| {
        let project = load(&[("perennial.yml", PROJECT), ("pipelines/a.yml", pipeline)]).unwrap();
        project.notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let often = "pipelines/a.yml:2:1: `finish_by` is one time of the day, and the schedule is due more often; only the last \
                 run that is due before it has a deadline; `stop_after` is a limit for each run";
    for schedule in ["0 * * * *", "*/5 2 * * *", "0 2,14 1 * *", "0,30 2 * * MON", "@hourly", "0 8-18 * * FRI#L"] {
        assert_eq!(notes(&format!("schedule: \"{schedule}\"\nfinish_by: \"07:00\"\n")), often, "{schedule}");
        assert_eq!(notes(&format!("schedule: \"{schedule}\"\n")), "", "{schedule}");
    }
    for schedule in ["0 2 * * *", "59 23 * * *", "0 0 * * *", "30 6 1,15 * *", "0 2 29 2 *", "0 4 ? * MON", "@monthly"]
    {
        assert_eq!(notes(&format!("schedule: \"{schedule}\"\nfinish_by: \"07:00\"\n")), "", "{schedule}");
    }
    assert_eq!(
        notes("schedule: \"0 2 29 2 MON\"\n"),
        "pipelines/a.yml:1:11: the schedule `0 2 29 2 MON` has a day of the month and a weekday; it is due on days that are \
         one or the other; write `*` for the one that is not meant"
    );
    for impossible in ["0W", "32W", "99W", "W", "15W-20", "L-3W"] {
        let said = pipeline_problems(&format!("schedule: \"0 2 {impossible} * *\"\n"));
        assert!(said.contains("is not a valid day of the month of a schedule"), "{impossible}: {said}");
    }
}
