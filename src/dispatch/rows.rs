//! Recipients by row: a query gives one page, and where it says so one address, for each of its rows.

use super::due::{Recipient, recipients};
use super::outbox::Channel;
use perennial_core::error::{Error, Problems, Result};
use perennial_project::{Address, Delivery, ForEach, Language, Recipients, ReportFile};
use perennial_reports::{Parameters, TextRow};
use std::collections::BTreeSet;

/// What the rows of a query say.
#[derive(Debug, Default)]
pub(super) struct OfRows {
    /// The pages, each once.
    pub pages: BTreeSet<Parameters>,
    /// Who gets which of them.
    pub to: Vec<(Parameters, Recipient)>,
    /// Rows that nothing can be sent for.
    pub problems: Problems,
    /// What else is worth a line.
    pub notes: Vec<String>,
}

/// Reads the rows of a delivery's query. Rows that are wrong are problems, and the others count.
///
/// # Errors
/// `Project` when the query lacks a column.
pub(super) fn of_rows(
    report: &ReportFile,
    delivery: &Delivery,
    for_each: &ForEach,
    rows: &[TextRow],
) -> Result<OfRows> {
    let mut found = OfRows::default();
    let name = format!("delivery `{}` of the report `{}`", delivery.name, report.name);
    if let (Some(row), Recipients::OfRows { address_column, language_column }) = (rows.first(), &delivery.to) {
        for column in [Some(address_column), language_column.as_ref()].into_iter().flatten() {
            if !row.contains_key(column) {
                let error = Error::project(format!("the query has no column `{column}`")).at(delivery.place.clone());
                return Err(error.suggest(column, row.keys().map(String::as_str)));
            }
        }
    }
    if rows.is_empty() {
        found.notes.push(format!("the query of the {name} has no rows: nothing is sent"));
    }
    let mut seen = BTreeSet::new();
    for row in rows {
        let parameters = Parameters::of_row(row, &for_each.parameters).map_err(|e| e.at(delivery.place.clone()))?;
        let of_row = match &delivery.to {
            Recipients::OfRows { address_column, language_column } => {
                match recipient(report, row, address_column, language_column.as_deref()) {
                    Ok(recipient) => vec![recipient],
                    Err(why) => {
                        // Whatever reads the value says what is wrong; that it is in a row makes it one of data.
                        let row = format!("row {} of the {name}", shown(&parameters));
                        let error = Error::data(why.message()).context(row).at(delivery.place.clone());
                        found.problems.push(match why.hint_text() {
                            Some(hint) => error.hint(hint),
                            None => error,
                        });
                        continue;
                    }
                }
            }
            _ => recipients(report, delivery),
        };
        for recipient in of_row {
            let key = (parameters.clone(), recipient.to.to_lowercase(), recipient.language.clone());
            match seen.insert(key) {
                true => found.to.push((parameters.clone(), recipient)),
                false => found.notes.push(format!(
                    "the query of the {name} has {} for {} more than once: one message is sent",
                    shown(&parameters),
                    recipient.to
                )),
            }
        }
        found.pages.insert(parameters);
    }
    Ok(found)
}

fn recipient(
    report: &ReportFile,
    row: &TextRow,
    address_column: &str,
    language_column: Option<&str>,
) -> Result<Recipient> {
    let value = |column: &str| row.get(column)?.as_deref().map(str::trim).filter(|value| !value.is_empty());
    let nobody = || {
        let error = Error::data(format!("`{address_column}` is empty, so that nobody gets its page"));
        error.hint("correct the address in its source, or leave the row out of the query")
    };
    let address = Address::parse(value(address_column).ok_or_else(nobody)?)?;
    let language = match language_column.and_then(value) {
        None => report.languages.first().copied().unwrap_or_default(),
        Some(tag) => {
            let tags = || report.languages.iter().map(|language| language.tag());
            let known = Language::from_tag(tag).filter(|language| report.languages.contains(language));
            known.ok_or_else(|| Error::data(format!("the report is not issued in `{tag}`")).suggest(tag, tags()))?
        }
    };
    Ok(Recipient {
        channel: Channel::Mail,
        to: address.address,
        name: address.name,
        language: language.tag().to_string(),
    })
}

/// `region = North`.
fn shown(parameters: &Parameters) -> String {
    let pairs = parameters.iter().map(|(name, value)| format!("{name} = {}", value.unwrap_or("NULL")));
    pairs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::error::Place;
    use perennial_project::DeliverWhen;
    use std::collections::BTreeMap;

    fn report() -> ReportFile {
        ReportFile {
            name: "regions".into(),
            languages: vec![Language::ENGLISH, Language::from_tag("zh-CN").unwrap()],
            parameters: vec!["region".into()],
            ..super::super::testing::report()
        }
    }

    fn delivery(to: Recipients) -> (Delivery, ForEach) {
        let file = super::super::testing::report().file;
        let for_each = ForEach { query: "SELECT".into(), file, offset: 0, parameters: vec!["region".into()] };
        let delivery = Delivery {
            name: "managers".into(),
            place: Place::Whole("delivery.yml".into()),
            when: DeliverWhen::NewEdition,
            to,
            for_each: Some(for_each.clone()),
        };
        (delivery, for_each)
    }

    fn row(region: Option<&str>, email: Option<&str>, language: Option<&str>) -> TextRow {
        let text = |text: Option<&str>| text.map(str::to_string);
        BTreeMap::from([
            ("region".into(), text(region)),
            ("email".into(), text(email)),
            ("language".into(), text(language)),
        ])
    }

    fn by_row() -> Recipients {
        Recipients::OfRows { address_column: "email".into(), language_column: Some("language".into()) }
    }

    #[test]
    fn each_row_is_a_page_and_an_address() {
        let (delivery, for_each) = delivery(by_row());
        let rows = [
            row(Some("North"), Some("n@example.com"), None),
            row(Some("South"), Some("王 <s@example.com>"), Some("zh-CN")),
            // A deputy gets the same page; the same row twice is one message.
            row(Some("North"), Some("d@example.com"), Some("en")),
            row(Some("North"), Some("N@example.com"), Some("en")),
        ];
        let found = of_rows(&report(), &delivery, &for_each, &rows).unwrap();
        let to: Vec<(&str, &str)> = found.to.iter().map(|(_, r)| (r.to.as_str(), r.language.as_str())).collect();
        assert_eq!(to, [("n@example.com", "en"), ("s@example.com", "zh-CN"), ("d@example.com", "en")]);
        assert_eq!(found.to[1].1.name.as_deref(), Some("王"));
        assert_eq!((found.pages.len(), found.notes.len()), (2, 1));
        assert!(found.problems.is_empty());
    }

    #[test]
    fn rows_that_are_wrong_are_named_and_the_others_are_sent() {
        let (delivery, for_each) = delivery(by_row());
        let rows = [
            row(Some("North"), None, None),
            row(Some("East"), Some(" "), None),
            row(Some("West"), Some("nobody"), None),
            row(None, Some("x@example.com\nBcc: all@example.com"), None),
            row(Some("South"), Some("s@example.com"), Some("zh-TW")),
            row(Some("Centre"), Some("c@example.com"), None),
        ];
        let found = of_rows(&report(), &delivery, &for_each, &rows).unwrap();
        assert_eq!(found.to.len(), 1);
        let problems: Vec<String> = found.problems.iter().map(|p| p.message().to_string()).collect();
        assert_eq!((problems.len(), found.problems.exit_code()), (5, 1), "{problems:?}");
        for (problem, region) in problems.iter().zip(["North", "East", "West", "NULL", "South"]) {
            assert!(problem.starts_with(&format!("row region = {region} of the delivery `managers`")), "{problem}");
        }
        let empty = of_rows(&report(), &delivery, &for_each, &[]).unwrap();
        assert!(empty.to.is_empty() && empty.notes[0].contains("has no rows"), "{:?}", empty.notes);
    }

    #[test]
    fn pages_of_rows_go_to_a_folder_as_well() {
        let (delivery, for_each) = delivery(Recipients::Folder("/srv/reports".into()));
        let rows = [row(Some("North"), None, None), row(Some("South"), None, None)];
        let found = of_rows(&report(), &delivery, &for_each, &rows).unwrap();
        assert_eq!((found.pages.len(), found.to.len()), (2, 2));
    }

    #[test]
    fn a_column_that_the_query_lacks_is_an_error() {
        let (delivery, for_each) = delivery(by_row());
        let mut rows = [row(Some("North"), Some("n@example.com"), None)];
        rows[0].remove("region");
        let error = of_rows(&report(), &delivery, &for_each, &rows).unwrap_err();
        assert!(error.message().contains("`region`"), "{error}");
        let mut rows = [row(Some("North"), Some("n@example.com"), None)];
        rows[0].remove("language");
        let error = of_rows(&report(), &delivery, &for_each, &rows).unwrap_err();
        assert!(error.message().contains("no column `language`"), "{error}");
    }
}
