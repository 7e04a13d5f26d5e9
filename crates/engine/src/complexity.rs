//! Limits on how deep a query is, looked for among its tokens before anything is parsed.
//!
//! `a + b + c` is a tree as deep as it is long, and so is a chain of OR, UNION or JOIN: planning walks it many times
//! and takes the square of its depth. Lists are not deep, so that the values of IN, the branches of CASE and the
//! columns of SELECT may be as many as one likes.

use super::diagnose::QueryProblem;
use super::spots::{names, spot_of, tokens_of};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Operators in one expression, those of brackets inside not counted.
pub(super) const MAX_OPERATORS: usize = 1_000;
/// Queries that UNION, INTERSECT and EXCEPT join.
pub(super) const MAX_SET_OPERATIONS: usize = 500;
/// Joins of one FROM; a comma between tables is one.
pub(super) const MAX_JOINS: usize = 200;
/// Queries of one WITH, each of which may read the one before.
pub(super) const MAX_WITH_QUERIES: usize = 200;
/// Brackets, and CASE, inside each other.
pub(super) const MAX_NESTING: usize = 64;

/// Words behind which another expression begins.
const BEGINNINGS: [&str; 17] = [
    "select", "from", "where", "group", "order", "having", "qualify", "limit", "offset", "on", "using", "when", "then",
    "else", "values", "with", "window",
];
/// Operators that are words.
const OPERATORS: [&str; 8] = ["is", "like", "ilike", "in", "between", "similar", "collate", "not"];

/// The clause in which a comma or AS means something else than in a list.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Clause {
    With,
    From,
    #[default]
    Other,
}

/// What is inside one pair of brackets.
#[derive(Default)]
struct Level {
    ors: usize,
    ands: usize,
    operators: usize,
    set_operations: usize,
    joins: usize,
    with_queries: usize,
    clause: Clause,
    /// Opened by CASE, closed by END.
    of_case: bool,
}

impl Level {
    fn begin_expression(&mut self) {
        (self.ors, self.ands, self.operators) = (0, 0, 0);
    }
}

/// Where a query becomes deeper than is allowed.
pub fn too_deep(sql: &str) -> Option<QueryProblem> {
    let mut levels = vec![Level::default()];
    // FROM behind DISTINCT compares: `a IS DISTINCT FROM b`.
    let mut behind_distinct = false;
    for token in &tokens_of(sql) {
        let is = |word: &str| is_word(token, word);
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                if let (Some(level), Token::LBracket) = (levels.last_mut(), &token.token) {
                    level.operators += 1;
                }
                levels.push(Level::default());
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                while levels.len() > 1 && levels.pop().is_some_and(|level| level.of_case) {}
            }
            Token::Comma | Token::SemiColon => {
                let level = levels.last_mut()?;
                level.joins += usize::from(level.clause == Clause::From);
                level.begin_expression();
            }
            Token::Word(_) if is("case") => levels.push(Level { of_case: true, ..Level::default() }),
            Token::Word(_) if is("end") => {
                levels.pop_if(|level| level.of_case);
            }
            Token::Word(_) if is("from") && behind_distinct => levels.last_mut()?.operators += 1,
            Token::Word(_) => word(levels.last_mut()?, is),
            Token::Number(..) | Token::Period | Token::SingleQuotedString(_) | Token::Placeholder(_) => {}
            _ => levels.last_mut()?.operators += 1,
        }
        behind_distinct = is("distinct");
        let level = levels.last()?;
        let found = if levels.len() > MAX_NESTING {
            Some((MAX_NESTING, "brackets or CASE inside each other", "move the inner part to a WITH query"))
        } else if level.ors + level.ands + level.operators > MAX_OPERATORS {
            Some((
                MAX_OPERATORS,
                "operators in one expression",
                "write values as a list, `x IN (...)`, or join with a table",
            ))
        } else if level.set_operations > MAX_SET_OPERATIONS {
            Some((
                MAX_SET_OPERATIONS,
                "UNION, INTERSECT or EXCEPT in one query",
                "split it into several steps, or write VALUES",
            ))
        } else if level.joins > MAX_JOINS {
            Some((MAX_JOINS, "joins in one FROM", "split it into several steps"))
        } else if level.with_queries > MAX_WITH_QUERIES {
            Some((MAX_WITH_QUERIES, "queries in one WITH", "split it into several steps"))
        } else {
            None
        };
        if let Some((most, of_what, hint)) = found {
            let mut problem = QueryProblem::new(format!("more than {most} {of_what}"));
            problem.hint = Some(hint.into());
            problem.spot = Some(spot_of(token));
            return Some(problem);
        }
    }
    None
}

fn word(level: &mut Level, is: impl Fn(&str) -> bool) {
    if is("or") || is("xor") {
        level.ors += 1;
        (level.ands, level.operators) = (0, 0);
    } else if is("and") {
        level.ands += 1;
        level.operators = 0;
    } else if is("union") || is("intersect") || is("except") {
        level.set_operations += 1;
        level.clause = Clause::Other;
        level.begin_expression();
    } else if is("join") {
        level.joins += 1;
        level.begin_expression();
    } else if BEGINNINGS.iter().any(|word| is(word)) {
        if is("select") {
            level.joins = 0;
        }
        level.clause = match level.clause {
            _ if is("from") => Clause::From,
            // Not the WITH of `FROM unnest(x) WITH ORDINALITY`.
            Clause::From if ["on", "using", "with"].into_iter().any(&is) => Clause::From,
            _ if is("with") => Clause::With,
            _ => Clause::Other,
        };
        level.begin_expression();
    } else if is("as") {
        level.with_queries += usize::from(level.clause == Clause::With);
    } else if OPERATORS.iter().any(|word| is(word)) {
        level.operators += 1;
    }
}

/// Whether a token is this word, not in quotes.
fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(written) if written.quote_style.is_none()) && names(&token.token, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sql: &str) -> Option<(String, usize)> {
        too_deep(sql).map(|found| (found.message, found.spot.map_or(0, |spot| spot.column)))
    }

    #[test]
    fn chains_have_an_end() {
        let chain = |word: &str, count: usize| vec!["x"; count + 1].join(word);
        assert_eq!(found(&format!("SELECT {}", chain("+", 1_000))), None);
        let message = "more than 1000 operators in one expression".to_string();
        // `SELECT ` and 1,000 times `x+`, then the last x and the operator that is too many.
        assert_eq!(found(&format!("SELECT {}", chain("+", 1_001))), Some((message.clone(), 7 + 2_000 + 2)));
        assert!(found(&format!("SELECT 1 FROM t WHERE {}", chain(" OR ", 1_001))).is_some());
        assert!(found(&format!("SELECT {}", chain("::INT", 1_001))).is_some());
        assert!(found(&format!("SELECT a{}", "[1]".repeat(1_001))).is_some());
        assert!(found(&format!("SELECT {} FROM t", "NOT ".repeat(1_001))).is_some());
        assert!(found(&vec!["SELECT 1"; 502].join(" UNION ALL ")).is_some());
        assert!(found(&format!("SELECT 1 FROM t {}", "JOIN u USING (k) ".repeat(201))).is_some());
        assert!(found(&format!("SELECT 1 FROM t{}", ", u".repeat(201))).is_some());
        assert!(found(&format!("SELECT 1 FROM t JOIN s ON s.a = t.a{}", ", u".repeat(200))).is_some());
        let with = |count: usize| format!("WITH t AS (SELECT 1){} SELECT 1", ", t AS (SELECT 1)".repeat(count - 1));
        assert_eq!(found(&with(200)), None);
        assert!(found(&with(201)).is_some());
        assert!(found(&format!("SELECT {}1{}", "(".repeat(64), ")".repeat(64))).is_some());
        assert!(found(&format!("SELECT {}1", "CASE WHEN a THEN ".repeat(64))).is_some());
    }

    #[test]
    fn lists_have_none() {
        let list = vec!["x + 1"; 20_000].join(", ");
        assert_eq!(found(&format!("SELECT {list} FROM t WHERE x IN ({list})")), None);
        let branches = "WHEN a = 1 AND b = 2 THEN 'x' ".repeat(20_000);
        assert_eq!(found(&format!("SELECT CASE {branches} END FROM t")), None);
        assert_eq!(found(&format!("SELECT 1 FROM t WHERE {}", vec!["(a = 1 AND b = 2)"; 500].join(" OR "))), None);
        let columns = vec!["a AS b"; 20_000].join(", ");
        assert_eq!(
            found(&format!("WITH t AS (SELECT {columns} FROM u) SELECT {columns} FROM t ORDER BY {list}")),
            None
        );
        assert_eq!(found(&format!("SELECT a IS DISTINCT FROM b, {list} FROM t")), None);
        let aliases = vec!["unnest(x) WITH ORDINALITY AS u"; 200].join(", ");
        assert_eq!(found(&format!("WITH t AS (SELECT 1) SELECT 1 FROM {aliases}")), None);
        assert_eq!(found(&format!("SELECT {} 1", "(SELECT max(a) FROM t WHERE b = 1) + ".repeat(900))), None);
    }
}
