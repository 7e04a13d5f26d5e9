//! What to write instead of syntax, functions and types that other engines have.

use super::spots::{names, tokens_of};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Types of other engines, and what they are called here.
const TYPES: [(&str, &str); 8] = [
    ("int64", "BIGINT"),
    ("float64", "DOUBLE"),
    ("number", "DECIMAL(18, 2)"),
    ("bignumeric", "DECIMAL(38, 9)"),
    ("timestamp_ntz", "TIMESTAMP"),
    ("timestamp_ltz", "TIMESTAMP"),
    ("timestamp_tz", "TIMESTAMP"),
    ("variant", "TEXT"),
];
/// For functions that take JSON apart.
const JSON: &str = "declare the fields as columns in the source's contract, which takes JSON apart";

/// What a type of another engine is called here.
pub(super) fn instead_of_type(name: &str) -> Option<&'static str> {
    TYPES.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, ours)| *ours)
}

/// What to write instead of functions that other engines have.
pub(super) fn instead_of_function(name: &str) -> Option<&'static str> {
    let table = [
        ("sessionize", "write sessionize(time, gap) OVER (PARTITION BY visitor ORDER BY time)"),
        ("timestampdiff", "write date_diff('day', earlier, later)"),
        ("date_add", "write `day + 3` or `day + INTERVAL '1 month'`"),
        ("dateadd", "write `day + 3` or `day + INTERVAL '1 month'`"),
        ("last_day", "write `(date_trunc('month', day) + INTERVAL '1 month')::DATE - 1`"),
        ("strftime", "write to_char(day, '%Y-%m')"),
        ("date_format", "write to_char(day, '%Y-%m')"),
        ("argmax", "write max_by(x, y)"),
        ("argmin", "write min_by(x, y)"),
        ("count_if", "write count(*) FILTER (WHERE ...)"),
        ("countif", "write count(*) FILTER (WHERE ...)"),
        ("sum_if", "write sum(x) FILTER (WHERE ...)"),
        ("if", "write CASE WHEN ... THEN ... ELSE ... END"),
        ("iff", "write CASE WHEN ... THEN ... ELSE ... END"),
        ("listagg", "write string_agg(x, ',' ORDER BY x)"),
        ("group_concat", "write string_agg(x, ',' ORDER BY x)"),
        ("mod", "write `a % b`"),
        ("zeroifnull", "write coalesce(x, 0)"),
        ("div0", "write coalesce(a / nullif(b, 0), 0)"),
        ("safe_divide", "write a / nullif(b, 0)"),
        ("split", "write string_to_array(x, ',')"),
        ("regexp_extract", "write regexp_match(text, 'pattern')[1]"),
        ("logical_or", "write bool_or(x)"),
        ("logical_and", "write bool_and(x)"),
        ("boolor_agg", "write bool_or(x)"),
        ("booland_agg", "write bool_and(x)"),
        ("to_number", "write CAST(x AS DECIMAL(18, 2))"),
        ("quarter", "write date_part('quarter', day)"),
        ("year", "write date_part('year', day)"),
        ("month", "write date_part('month', day)"),
        ("lag", "write lag(x) OVER (ORDER BY ...)"),
        ("lead", "write lead(x) OVER (ORDER BY ...)"),
        ("row_number", "write row_number() OVER (ORDER BY ...)"),
        ("rank", "write rank() OVER (ORDER BY ...)"),
        ("dense_rank", "write dense_rank() OVER (ORDER BY ...)"),
        ("ntile", "write ntile(n) OVER (ORDER BY ...)"),
        ("parse_json", JSON),
        ("json_extract", JSON),
        ("json_extract_scalar", JSON),
        ("json_extract_path_text", JSON),
        ("regexp_substr", "write regexp_match(text, 'pattern')[1]"),
        ("sign", "write signum(x)"),
        ("jaro_winkler_similarity", "write jaro_winkler(a, b)"),
        ("fsum", "write exact_sum(x)"),
        ("kahan_sum", "write exact_sum(x)"),
        ("quantile", "write percentile_cont(x, 0.5), or quantile_cutoffs(x, 5) for the edges of quintiles"),
        ("safe_cast", "write TRY_CAST(x AS type)"),
    ];
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, hint)| *hint)
}

/// What to write instead of syntax that other engines have, by the token that is not expected.
pub(super) fn instead_of_syntax(found: &str, sql: &str) -> Option<String> {
    let hint = match found.to_lowercase().as_str() {
        "ignore" | "respect" => "write IGNORE NULLS behind the parenthesis: first_value(x) IGNORE NULLS OVER (...)",
        "materialized" => "leave MATERIALIZED out",
        _ => {
            let tokens = tokens_of(sql);
            let excepts = |pair: &[TokenWithSpan]| pair[0].token == Token::Mul && names(&pair[1].token, "except");
            tokens.windows(2).find(|pair| excepts(pair))?;
            "write * EXCLUDE (...) instead of * EXCEPT (...)"
        }
    };
    Some(hint.to_string())
}
