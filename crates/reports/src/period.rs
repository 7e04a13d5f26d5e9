//! The period of an edition: half-open, closed or still open.

use super::number;
use jiff::civil::Date;
use perennial_core::error::{Error, Result};
use perennial_project::{IssueAfter, Language, PeriodKind, ReportFile};

/// What one edition is about: the days from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Month or day.
    pub kind: PeriodKind,
    /// Its first day.
    pub start: Date,
    /// The first day after it.
    pub end: Date,
}

impl Period {
    /// The period of a kind in which a day lies.
    pub fn containing(kind: PeriodKind, day: Date) -> Period {
        match kind {
            PeriodKind::Month => {
                let start = day.first_of_month();
                Period { kind, start, end: after(start, jiff::Span::new().months(1)) }
            }
            PeriodKind::Day => Period { kind, start: day, end: after(day, jiff::Span::new().days(1)) },
        }
    }

    /// The newest period of a kind that is over at a business date.
    pub fn newest_closed(kind: PeriodKind, as_of: Date) -> Period {
        let start = Period::containing(kind, as_of).start;
        let before = start.yesterday().unwrap_or(start);
        Period::containing(kind, before)
    }

    /// The newest period of a report that is to be issued at a business date: over, and what its header's `issue_after`
    /// waits for has passed as well.
    pub fn newest_due(report: &ReportFile, as_of: Date) -> Period {
        let mut period = Period::newest_closed(report.period, as_of);
        while !period.is_due(&report.issue_after, as_of) && period.start > Date::MIN {
            period = period.before();
        }
        period
    }

    fn is_due(&self, after: &IssueAfter, as_of: Date) -> bool {
        // The last day that figures must know of: what waits two days knows of the first two after the period.
        let last = self.end.yesterday().unwrap_or(self.end);
        let last = match after {
            IssueAfter::End => last,
            IssueAfter::Days(days) => self::after(last, jiff::Span::new().days(i64::from(*days))),
            IssueAfter::WorkingDays(days, calendar) => calendar.working_days_after(last, *days).unwrap_or(Date::MAX),
        };
        as_of > last
    }

    /// The period just before.
    pub fn before(&self) -> Period {
        Period::newest_closed(self.kind, self.start)
    }

    /// The same period a year ago.
    pub fn year_ago(&self) -> Period {
        let day = self.start.checked_sub(jiff::Span::new().years(1)).unwrap_or(self.start);
        Period::containing(self.kind, day)
    }

    /// The period of a name: `2026-09`, or `2026-09-30` for a report by day.
    pub fn parse(kind: PeriodKind, text: &str) -> Result<Period> {
        let (form, day) = match kind {
            PeriodKind::Month => ("2026-09", format!("{text}-01")),
            PeriodKind::Day => ("2026-09-30", text.to_string()),
        };
        let bad = || Error::project(format!("`{text}` is not a period; write it as `{form}`"));
        if text.len() != form.len() {
            return Err(bad());
        }
        day.parse::<Date>().map(|day| Period::containing(kind, day)).map_err(|_| bad())
    }

    /// As written in paths and on the command line: `2026-09` or `2026-09-30`.
    pub fn label(&self) -> String {
        match self.kind {
            PeriodKind::Month => format!("{:04}-{:02}", self.start.year(), self.start.month()),
            PeriodKind::Day => self.start.to_string(),
        }
    }

    /// Over at this business date.
    pub fn is_closed(&self, as_of: Date) -> bool {
        as_of >= self.end
    }

    /// `closed` or `open` at this business date.
    pub fn status(&self, as_of: Date) -> &'static str {
        if self.is_closed(as_of) { "closed" } else { "open" }
    }

    /// As the language writes it.
    pub fn title(&self, language: Language) -> String {
        match self.kind {
            PeriodKind::Month => number::month(self.start, language),
            PeriodKind::Day => number::date(self.start, language),
        }
    }
}

fn after(day: Date, span: jiff::Span) -> Date {
    day.checked_add(span).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_month_is_closed_when_the_next_begins() {
        let december = Period::parse(PeriodKind::Month, "2011-12").unwrap();
        assert_eq!((december.start, december.end), (date(2011, 12, 1), date(2012, 1, 1)));
        assert_eq!(december.status(date(2011, 12, 10)), "open");
        assert_eq!(december.status(date(2012, 1, 1)), "closed");
        assert_eq!(Period::newest_closed(PeriodKind::Month, date(2011, 12, 10)).label(), "2011-11");
        assert_eq!(Period::newest_closed(PeriodKind::Month, date(2012, 1, 1)).label(), "2011-12");
        assert_eq!(Period::newest_closed(PeriodKind::Day, date(2012, 1, 1)).label(), "2011-12-31");
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["2011", "2011-13", "2011-12-01", "Dec 2011", ""] {
            assert!(Period::parse(PeriodKind::Month, text).is_err(), "{text}");
        }
    }
}
