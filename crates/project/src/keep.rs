//! `keep` of perennial.yml: which releases stay.

use super::Keep;
use super::fields::Fields;

/// Reads `keep`.
pub(super) fn read(fields: &Fields) -> Keep {
    let defaults = Keep::default();
    let Some(node) = fields.optional("keep") else { return defaults };
    let Some(keep) = Fields::of(fields.document, node, "`keep`", fields.span_of("keep")) else { return defaults };
    let count = |key, otherwise: u32, range| keep.count(key, otherwise.into(), range) as u32;
    let read = Keep {
        days: count("days", defaults.days, 0..=36_500),
        months: count("months", defaults.months, 0..=1_200),
        failed_days: count("failed_days", defaults.failed_days, 0..=365),
        min_releases: count("min_releases", defaults.min_releases, 1..=10_000),
    };
    keep.finish();
    read
}
