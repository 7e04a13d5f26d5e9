//! Patterns of `to_char` that other databases have and that mean only themselves here: `to_char(day, 'YYYY')` would
//! return the text YYYY.

use super::diagnose::QueryProblem;
use super::spots::spots_of_call;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The parts of such patterns and their strftime specifiers; a part comes before those that it begins with.
const PARTS: [(&str, &str); 16] = [
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MONTH", "%B"),
    ("MON", "%b"),
    ("MM", "%m"),
    ("MI", "%M"),
    ("DAY", "%A"),
    ("DDD", "%j"),
    ("DD", "%d"),
    ("DY", "%a"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("HH", "%H"),
    ("SS", "%S"),
    ("IYYY", "%G"),
    ("IW", "%V"),
];
/// The styles of durations, which are not patterns.
const STYLES: [&str; 2] = ["pretty", "iso8601"];

/// Every call of `to_char` with a constant pattern that has no specifier, in a plan that is not optimised yet.
pub fn mistaken_time_patterns(plan: &LogicalPlan, sql: &str) -> Vec<QueryProblem> {
    let mut problems: Vec<QueryProblem> = Vec::new();
    let _ = plan.apply_with_subqueries(|node| {
        for expr in node.expressions() {
            let _ = expr.apply(|e| {
                if let Some(pattern) = mistaken(e) {
                    problems.extend(problem(&pattern, &problems, sql));
                }
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Ok(TreeNodeRecursion::Continue)
    });
    problems
}

fn mistaken(expr: &Expr) -> Option<String> {
    let Expr::ScalarFunction(function) = expr else { return None };
    let Some(Expr::Literal(pattern, _)) = function.args.get(1) else { return None };
    let pattern = pattern.try_as_str()??;
    let is_pattern = !pattern.contains('%') && !STYLES.iter().any(|style| style.eq_ignore_ascii_case(pattern));
    (function.func.name() == "to_char" && is_pattern).then(|| pattern.to_string())
}

/// The problem at the first call that has not been reported yet.
fn problem(pattern: &str, reported: &[QueryProblem], sql: &str) -> Option<QueryProblem> {
    let message = format!("`to_char`: the pattern '{pattern}' has no specifier such as %Y");
    let spots = spots_of_call(&["to_char", "date_format"], Some(pattern), sql);
    let is_new = |spot: &_| !reported.iter().any(|p| p.message == message && p.spot == Some(*spot));
    let spot = spots.iter().copied().find(is_new);
    if spot.is_none() && !spots.is_empty() {
        return None;
    }
    let hint = match translated(pattern) {
        Some(translated) => format!("patterns are those of strftime: write '{translated}'"),
        None => "patterns are those of strftime, as in '%Y-%m-%d %H:%M:%S'".to_string(),
    };
    Some(QueryProblem { hint: Some(hint), spot, ..QueryProblem::new(message) })
}

/// The same pattern in strftime's specifiers; `None` where it is not clear what is meant.
fn translated(pattern: &str) -> Option<String> {
    let mut translated = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let begins = |part: &str| rest.get(..part.len()).is_some_and(|start| start.eq_ignore_ascii_case(part));
        match PARTS.iter().find(|(part, _)| begins(part)) {
            // Java writes months as MM and minutes as mm.
            Some((_, specifier)) if translated.contains(specifier) => return None,
            Some((part, specifier)) => {
                translated.push_str(specifier);
                rest = &rest[part.len()..];
            }
            None if first.is_alphabetic() => return None,
            None => {
                translated.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    translated.contains('%').then_some(translated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_other_databases_are_translated() {
        for (pattern, expected) in [
            ("YYYY", Some("%Y")),
            ("yyyy-MM-dd", Some("%Y-%m-%d")),
            ("DD.MM.YYYY HH24:MI:SS", Some("%d.%m.%Y %H:%M:%S")),
            ("IYYY-IW", Some("%G-%V")),
            ("Mon YY", Some("%b %y")),
            ("yyyy-MM-dd HH:mm", None),
            ("quarter", None),
            ("", None),
        ] {
            assert_eq!(translated(pattern).as_deref(), expected, "{pattern}");
        }
    }
}
