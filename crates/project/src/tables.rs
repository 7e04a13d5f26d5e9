//! One table of a contract.

use super::document::{Document, Node, Text};
use super::fields::Fields;
use super::{columns, extraction, format_contract, formats, keys, loads, locale, names, settings};
use perennial_core::contract::{
    BadRowPolicy, ColumnPolicy, DuplicateKeys, Expectations, Extraction, Format, Load, RejectLimit, Relation,
    RelationRows, SourceTable,
};
use perennial_core::error::Error;
use perennial_sources::SourceKind;

const COLUMN_POLICIES: [(&str, ColumnPolicy); 3] =
    [("accept", ColumnPolicy::Accept), ("ignore", ColumnPolicy::Ignore), ("fail", ColumnPolicy::Fail)];
const BAD_ROW_POLICIES: [(&str, BadRowPolicy); 2] = [("reject", BadRowPolicy::Reject), ("fail", BadRowPolicy::Fail)];
/// Maximum share of rejects when the contract names none.
const DEFAULT_REJECT_SHARE: f64 = 0.05;

/// Reads the tables of a source, without those that cannot be read at all.
pub(crate) fn read(document: &Document, node: &Node, kind: Option<&SourceKind>, time_zone: &str) -> Vec<SourceTable> {
    let entries = document.entries(node, "`tables`").unwrap_or_default();
    entries.iter().filter_map(|(key, node)| read_table(document, key, node, kind, time_zone)).collect()
}

fn read_table(
    document: &Document,
    key: &Text,
    node: &Node,
    kind: Option<&SourceKind>,
    time_zone: &str,
) -> Option<SourceTable> {
    if let Err(error) = names::check("a table", &key.value) {
        document.report(&key.span, error);
    }
    let fields = Fields::of(document, node, "a table", key.span.clone())?;
    let extraction = extraction::read(&fields, &key.value, kind);
    let own_zone = fields.text("zone").and_then(|text| settings::time_zone(document, text));
    let time_zone = own_zone.as_deref().unwrap_or(time_zone);
    let defaults = match &extraction {
        Extraction::Files { format: Format::Named(name), .. } => format_contract::named(name, time_zone),
        _ => None,
    };
    let columns = columns::read_all(&fields, defaults.as_ref().map(|format| format.columns.as_slice()), time_zone);
    formats::check_fields(&fields, &extraction, &columns);
    let keys = keys::read(&fields, &columns, defaults.as_ref().map(|format| &format.keys));
    // Of a relation a contract names the columns that are wanted; in a file an unknown column is news.
    let new_column = match extraction {
        Extraction::Relation(_) => ColumnPolicy::Ignore,
        Extraction::Files { .. } | Extraction::Pages(_) => ColumnPolicy::Accept,
    };
    let mut table = SourceTable {
        name: key.value.clone(),
        description: fields.words("description"),
        extraction,
        load: Load::ByFile,
        optional: false,
        history: false,
        on_new_column: fields.choice("on_new_column", &COLUMN_POLICIES, new_column),
        on_missing_column: fields.choice("on_missing_column", &COLUMN_POLICIES, ColumnPolicy::Fail),
        on_changed_type: fields.choice("on_changed_type", &COLUMN_POLICIES, ColumnPolicy::Accept),
        on_bad_row: fields.choice("on_bad_row", &BAD_ROW_POLICIES, BadRowPolicy::Reject),
        max_rejects: max_rejects(&fields),
        columns,
        key: keys.key,
        newest_by: keys.newest_by,
        duplicate_keys: DuplicateKeys::Reject,
        rotated: false,
        time_column: keys.time_column,
        total_rows: None,
        expectations: Expectations::default(),
        place: Some(document.place(&key.span)),
    };
    table.optional = optional(&fields, &table);
    table.load = loads::read(&fields, &table);
    table.duplicate_keys = loads::duplicate_keys(&fields, &table);
    table.rotated = loads::rotated(&fields, &table, defaults.is_some_and(|format| format.rotated));
    table.history = loads::history(&fields, &table.load);
    table.expectations = loads::expectations(&fields, &table);
    table.total_rows = locale::total_rows(&fields, &table);
    locale::check_extraction(&fields, &table);
    fields.finish();
    Some(table)
}

/// Reads `optional`, which is for relations named by `table`: a folder without files is allowed anyway, and the
/// relations of a query are not known.
fn optional(fields: &Fields, table: &SourceTable) -> bool {
    let optional = fields.flag("optional", false);
    let is_named = matches!(&table.extraction, Extraction::Relation(Relation { rows: RelationRows::Table(_), .. }));
    if optional && !is_named {
        let error = Error::project("`optional` is only for a `table` of a database");
        fields.document.report(&fields.span_of("optional"), error);
    }
    optional
}

fn max_rejects(fields: &Fields) -> RejectLimit {
    let defaults = RejectLimit { rows: None, share: Some(DEFAULT_REJECT_SHARE), times_usual: None };
    let Some(node) = fields.optional("max_rejects") else { return defaults };
    let owner = fields.span_of("max_rejects");
    let Some(limit) = Fields::of(fields.document, node, "`max_rejects`", owner.clone()) else { return defaults };
    let rows = limit.number::<u64>("rows", "a number of rows").map(|(rows, _)| rows);
    let share = limit.number::<f64>("share", "a share from 0 to 1").and_then(|(share, span)| {
        let good = (0.0..=1.0).contains(&share);
        if !good {
            let error = Error::project(format!("`share` is `{share}`"))
                .hint("write a share from 0 to 1, such as `0.05` for 5 %");
            fields.document.report(&span, error);
        }
        good.then_some(share)
    });
    let times_usual = limit.number::<f64>("times_usual", "a number").and_then(|(times, span)| {
        let good = times.is_finite() && times >= 1.0;
        if !good {
            let error = Error::project(format!("`times_usual` is `{times}`"));
            fields
                .document
                .report(&span, error.hint("write a number of at least 1; `3` is three times the usual share"));
        }
        good.then_some(times)
    });
    if !["rows", "share", "times_usual"].iter().any(|key| limit.is_set(key)) {
        fields.document.report(&owner, Error::project("`max_rejects` needs `rows`, `share` or `times_usual`"));
    }
    limit.finish();
    RejectLimit { rows, share, times_usual }
}
