//! The vocabulary of docs/glossary.md: words that it replaced do not come back.

use crate::rust_source::{files, relative, root};
use regex::Regex;

/// A word that is not used any more.
struct Replaced {
    /// What finds it.
    pattern: &'static str,
    /// What is written instead.
    instead: &'static str,
    /// Texts around a match that make it innocent.
    except: &'static [&'static str],
}

const fn replaced(pattern: &'static str, instead: &'static str) -> Replaced {
    Replaced { pattern, instead, except: &[] }
}

const REPLACED: &[Replaced] = &[
    // A run of an hourly pipeline has no night.
    replaced(r"\b[Tt]onight\b|\bNightRequest\b|\b(?:failed|last|whole) night\b(?:[^ly]|$)", "run"),
    replaced(
        r"\b(?:[Tt]he|[Aa]) night (?:that|fails?|failed|began|begins|ended|ends|brings|will|did|was|has|stops?)\b",
        "run",
    ),
    replaced(r"\b[Rr]ooms\b|\b(?:a|[Tt]he|each|every|which|other|only|own) room\b", "module or layer"),
    replaced(r"\b(?:lower|upper|higher|same|other|next) floors?\b", "layer"),
    replaced(r"\bLoad::Deliver(?:y|ies)\b", "extraction, or load by file"),
    replaced(r"\bcourse\.rs\b|\bcompared\.rs\b|\bknown\.rs\b|\bdeliveries\.rs\b|\bstyled\.rs\b", "the file's new name"),
    replaced(r"\bknown are\b", "expected one of"),
    Replaced {
        pattern: r"\b(?:is|are) no [a-z]+",
        instead: "is not a",
        except: &[
            "here is no ",
            "here are no ",
            "is no longer",
            "are no longer",
            "is no more",
            "is no such",
            "is no need",
        ],
    },
    replaced(r"\b(?:stands|stand|named) twice\b", "duplicate key"),
    replaced(r"\bbehind the (?:decimal )?point\b", "decimal places"),
    replaced(r"\bwith a point in it\b", "dot"),
    replaced(r"\b(?:[Aa]t most|[Uu]p to) so (?:many|much|long)\b", "maximum number of"),
    replaced(r"\brows of before\b|\bas those of before\b", "earlier rows"),
    replaced(r"\b(?:says?|said) nothing of\b", "has no effect on"),
    replaced(r"\b(?:lets|let) us in\b", "login, credentials, can be opened"),
    replaced(r"\bname it apart\b", "set it separately"),
    replaced(r"\bnobody has signed\b", "not signed off"),
    replaced(r"\bstands? and falls? together\b", "loaded atomically"),
    replaced(r"\bin a circle\b", "dependency cycle"),
    replaced(r"\bsieves?\b|\bsieved\b", "filter"),
    replaced(r"\bbur(?:y|ies|ied)\b", "tombstone"),
    replaced(r"\brefused rows?\b|\brows? (?:is|are|was|were) refused\b", "rejected"),
    replaced(r"\bcould not (?:give|take) (?:\{|the record)", "cannot read, cannot write"),
    replaced(r"\ba fault of the program\b", "internal error"),
    replaced(r"\b(?:MOST|LEAST)_[A-Z]", "MAX_, MIN_"),
    replaced(
        r"\b(?:struct|enum|trait|type) (?:Known|Fed|Pulled|Built|Looked|Told|Gathered|Comparing|Written|HeldRejects|Surroundings|CellFault|RowFault|TypedFault|Mistake|Trouble|Refusal|Diagnosis|Remark|Discovered|Night|Who|Standing)\b",
        "a noun, as in docs/glossary.md",
    ),
];

/// Files that have to name what was replaced.
const EXEMPT: [&str; 5] = [
    "tests/it/words.rs",
    "docs/glossary.md",
    "CHANGELOG.md",
    "crates/project/src/migrate",
    "crates/project/src/renamed",
];

#[test]
fn replaced_words_do_not_come_back() {
    let rules: Vec<(Regex, &Replaced)> = REPLACED.iter().map(|r| (Regex::new(r.pattern).unwrap(), r)).collect();
    let mut wrong = Vec::new();
    for path in texts() {
        let name = relative(&path);
        if EXEMPT.iter().any(|exempt| name.starts_with(exempt)) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            for (regex, rule) in &rules {
                for found in regex.find_iter(line) {
                    let around =
                        &line[boundary(line, found.start().saturating_sub(6))..boundary(line, found.end() + 6)];
                    if !rule.except.iter().any(|innocent| around.contains(innocent)) {
                        let word = found.as_str().trim();
                        wrong.push(format!("{name}:{}: `{word}`: write {}", number + 1, rule.instead));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} words that docs/glossary.md replaced:\n{}", wrong.len(), wrong.join("\n"));
}

/// Sources, documentation and the files of the project that ships.
fn texts() -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|ending| ending == "md" || ending == "toml"));
    for folder in ["src", "crates", "tests/it"] {
        found.extend(files(folder, &[".rs"]));
    }
    for folder in ["docs", "benches", "examples", "pipelines", "sql", "report-templates", "ready-made", "tests/steps"] {
        found.extend(files(folder, &[".md", ".yml", ".sql"]));
    }
    found
}

fn boundary(line: &str, at: usize) -> usize {
    (at.min(line.len())..=line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or(line.len())
}

#[test]
fn exceptions_are_exceptions() {
    let rule = REPLACED.iter().find(|rule| rule.instead == "is not a").unwrap();
    let regex = Regex::new(rule.pattern).unwrap();
    assert!(regex.is_match("the text is no number"));
    assert!(rule.except.iter().any(|innocent| "the file is no longer there".contains(innocent)));
    assert!(Regex::new(REPLACED[0].pattern).unwrap().find("the nightly run, at night, every night").is_none());
}

/// A word of the glossary stands for one idea: it is explained once.
#[test]
fn every_word_of_the_glossary_is_explained_once() {
    let text = std::fs::read_to_string(root().join("docs/glossary.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let words: Vec<&str> = rows.map(|(word, _)| word).filter(|word| *word != "word").collect();
    assert!((35..65).contains(&words.len()), "{}", words.len());
    let mut sorted = words.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), words.len());
}
