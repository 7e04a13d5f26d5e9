//! Which step reads which, in what order they can run, and which of them a selection names.

use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Steps and what they read. Tables that no step makes (sources, system tables) appear only as read.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    reads: BTreeMap<TableName, BTreeSet<TableName>>,
    order: Vec<TableName>,
}

/// A dependency cycle: steps in the order of reading, the last of which reads the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<TableName>);

impl std::fmt::Display for Cycle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self.0.iter().chain(self.0.first()).map(TableName::to_string).collect();
        f.write_str(&names.join(" -> "))
    }
}

impl Graph {
    /// Orders the steps: what is read comes first, else by name. Steps in a cycle, or that depend on one, are left
    /// out of the order, and every cycle found is returned.
    pub fn new(reads: BTreeMap<TableName, BTreeSet<TableName>>) -> (Graph, Vec<Cycle>) {
        let mut waiting: BTreeMap<&TableName, usize> = BTreeMap::new();
        for (step, read) in &reads {
            waiting.insert(step, read.iter().filter(|r| reads.contains_key(*r)).count());
        }
        let mut order = Vec::new();
        let mut ready: BTreeSet<TableName> =
            waiting.iter().filter(|(_, n)| **n == 0).map(|(s, _)| (*s).clone()).collect();
        while let Some(step) = ready.pop_first() {
            for (reader, read) in &reads {
                if read.contains(&step)
                    && let Some(count) = waiting.get_mut(reader)
                {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(reader.clone());
                    }
                }
            }
            waiting.remove(&step);
            order.push(step);
        }
        let left: BTreeSet<TableName> = waiting.into_keys().cloned().collect();
        let cycles = cycles_among(&left, &reads);
        (Graph { reads, order }, cycles)
    }

    /// Every step after those it reads.
    pub fn order(&self) -> &[TableName] {
        &self.order
    }

    /// The tables a step reads.
    pub fn reads(&self, step: &TableName) -> impl Iterator<Item = &TableName> {
        self.reads.get(step).into_iter().flatten()
    }

    /// The steps that read a table.
    pub fn readers<'a>(&'a self, table: &'a TableName) -> impl Iterator<Item = &'a TableName> {
        self.reads.iter().filter(move |(_, read)| read.contains(table)).map(|(step, _)| step)
    }

    /// All steps that a step depends on.
    pub fn upstream(&self, step: &TableName) -> BTreeSet<TableName> {
        self.closure(step, |graph, of| graph.reads(of).filter(|r| graph.reads.contains_key(*r)).cloned().collect())
    }

    /// All steps that depend on a step.
    pub fn downstream(&self, step: &TableName) -> BTreeSet<TableName> {
        self.closure(step, |graph, of| graph.readers(of).cloned().collect())
    }

    fn closure(&self, step: &TableName, next: impl Fn(&Graph, &TableName) -> Vec<TableName>) -> BTreeSet<TableName> {
        let mut found = BTreeSet::new();
        let mut open = next(self, step);
        while let Some(one) = open.pop() {
            if found.insert(one.clone()) {
                open.extend(next(self, &one));
            }
        }
        found
    }
}

fn cycles_among(left: &BTreeSet<TableName>, reads: &BTreeMap<TableName, BTreeSet<TableName>>) -> Vec<Cycle> {
    let mut cycles = Vec::new();
    let mut done: BTreeSet<TableName> = BTreeSet::new();
    for start in left {
        let mut path: Vec<TableName> = Vec::new();
        let mut at = Some(start.clone());
        while let Some(step) = at {
            if done.contains(&step) {
                break;
            }
            if let Some(begin) = path.iter().position(|p| *p == step) {
                cycles.push(Cycle(path[begin..].to_vec()));
                break;
            }
            at = reads[&step].iter().find(|r| left.contains(*r)).cloned();
            path.push(step);
        }
        done.extend(path);
    }
    cycles
}

/// A step as selections see it.
#[derive(Clone, Debug)]
pub struct Selectable {
    /// The step.
    pub name: TableName,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its file, below the project.
    pub path: String,
}

/// The steps that any of the selections names and none of the exclusions. No selection at all names all steps.
///
/// `marts.rfm`, `rfm`, `marts.*`, `*`, `tag:nightly`, `path:sql/marts`; `+x` adds all that x depends on, `x+` all
/// that depends on x; selections with commas between them name what all of them name.
///
/// # Errors
/// [`perennial_core::error::Kind::Project`] when a selection names nothing.
pub fn select(
    words: &[String],
    exclude: &[String],
    steps: &[Selectable],
    graph: &Graph,
) -> Result<BTreeSet<TableName>> {
    let mut chosen = BTreeSet::new();
    if words.is_empty() {
        chosen.extend(steps.iter().map(|s| s.name.clone()));
    }
    for word in words.iter().flat_map(|w| w.split_whitespace()) {
        chosen.extend(union_of(word, steps, graph)?);
    }
    for word in exclude.iter().flat_map(|w| w.split_whitespace()) {
        for name in union_of(word, steps, graph)? {
            chosen.remove(&name);
        }
    }
    Ok(chosen)
}

fn union_of(word: &str, steps: &[Selectable], graph: &Graph) -> Result<BTreeSet<TableName>> {
    let mut parts = word.split(',').filter(|p| !p.is_empty()).map(|part| named_by(part, steps, graph));
    let mut both = parts.next().unwrap_or_else(|| Ok(BTreeSet::new()))?;
    for part in parts {
        let part = part?;
        both.retain(|name| part.contains(name));
    }
    Ok(both)
}

fn named_by(word: &str, steps: &[Selectable], graph: &Graph) -> Result<BTreeSet<TableName>> {
    let (up, rest) = word.strip_prefix('+').map_or((false, word), |r| (true, r));
    let (down, core) = rest.strip_suffix('+').map_or((false, rest), |r| (true, r));
    let mut found: BTreeSet<TableName> = steps.iter().filter(|s| fits(core, s)).map(|s| s.name.clone()).collect();
    // A project that only loads has no step yet; everything of it is nothing.
    if found.is_empty() && core == "*" {
        return Ok(found);
    }
    if found.is_empty() {
        return Err(no_such_step(core, word, steps));
    }
    for name in found.clone() {
        if up {
            found.extend(graph.upstream(&name));
        }
        if down {
            found.extend(graph.downstream(&name));
        }
    }
    Ok(found)
}

fn fits(core: &str, step: &Selectable) -> bool {
    if let Some(tag) = core.strip_prefix("tag:") {
        return step.tags.iter().any(|t| t == tag);
    }
    if let Some(path) = core.strip_prefix("path:") {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        return step.path == path || step.path.starts_with(&format!("{path}/"));
    }
    match core.strip_suffix('*') {
        Some(start) => step.name.to_string().starts_with(start),
        None => step.name.to_string() == core || step.name.name == core,
    }
}

fn no_such_step(core: &str, word: &str, steps: &[Selectable]) -> Error {
    let error = Error::project(format!("no step matches `{word}`"));
    if let Some(tag) = core.strip_prefix("tag:") {
        let tags: BTreeSet<&str> = steps.iter().flat_map(|s| s.tags.iter().map(String::as_str)).collect();
        return error.suggest(tag, tags);
    }
    let names: Vec<String> = steps.iter().map(|s| s.name.to_string()).collect();
    let error = super::render::suggest_table(error, core, &names);
    match error.hint_text() {
        Some(_) => error,
        None => error.hint("`perennial ls` lists the steps"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TableName {
        TableName::try_from(text.to_string()).unwrap()
    }

    fn graph(edges: &[(&str, &[&str])]) -> (Graph, Vec<Cycle>) {
        Graph::new(edges.iter().map(|(s, r)| (name(s), r.iter().map(|t| name(t)).collect())).collect())
    }

    fn pick(words: &[&str], exclude: &[&str]) -> Result<Vec<String>> {
        let edges: &[(&str, &[&str])] = &[
            ("staging.a", &["source.erp__a"]),
            ("core.b", &["staging.a"]),
            ("marts.c", &["core.b"]),
            ("marts.d", &["core.b", "marts.c"]),
            ("marts.e", &[]),
        ];
        let steps: Vec<Selectable> = edges
            .iter()
            .map(|(s, _)| Selectable {
                name: name(s),
                tags: if s.starts_with("marts") { vec!["nightly".into()] } else { vec![] },
                path: format!("sql/{}.sql", s.replace('.', "/")),
            })
            .collect();
        let own = |w: &[&str]| w.iter().map(|s| s.to_string()).collect::<Vec<_>>();
        select(&own(words), &own(exclude), &steps, &graph(edges).0).map(|s| s.iter().map(|n| n.to_string()).collect())
    }

    #[test]
    fn what_is_read_comes_first() {
        let (graph, cycles) = graph(&[("a.z", &["b.y", "raw.x"]), ("b.y", &["c.x"]), ("c.x", &[])]);
        assert_eq!(graph.order(), [name("c.x"), name("b.y"), name("a.z")]);
        assert!(cycles.is_empty());
    }

    #[test]
    fn a_cycle_is_named_and_the_rest_ordered() {
        let (graph, cycles) =
            graph(&[("m.a", &["m.b"]), ("m.b", &["m.c"]), ("m.c", &["m.b"]), ("m.d", &[]), ("m.e", &["m.e"])]);
        assert_eq!(graph.order(), [name("m.d")]);
        let shown: Vec<String> = cycles.iter().map(Cycle::to_string).collect();
        assert_eq!(shown, ["m.b -> m.c -> m.b", "m.e -> m.e"]);
    }

    #[test]
    fn selections_are_those_of_dbt() {
        assert_eq!(pick(&["marts.c"], &[]).unwrap(), ["marts.c"]);
        assert_eq!(pick(&["c"], &[]).unwrap(), ["marts.c"]);
        assert_eq!(pick(&["+c"], &[]).unwrap(), ["core.b", "marts.c", "staging.a"]);
        assert_eq!(pick(&["b+"], &[]).unwrap(), ["core.b", "marts.c", "marts.d"]);
        assert_eq!(pick(&["+core.b+"], &["marts.d"]).unwrap(), ["core.b", "marts.c", "staging.a"]);
        assert_eq!(pick(&["marts.*"], &[]).unwrap(), ["marts.c", "marts.d", "marts.e"]);
        assert_eq!(pick(&["tag:nightly", "path:sql/core"], &["e"]).unwrap(), ["core.b", "marts.c", "marts.d"]);
        assert_eq!(pick(&["tag:nightly,b+"], &[]).unwrap(), ["marts.c", "marts.d"]);
        assert_eq!(pick(&["*"], &[]).unwrap().len(), 5);
        assert_eq!(pick(&[], &["path:sql/marts/"]).unwrap(), ["core.b", "staging.a"]);
    }

    #[test]
    fn a_selection_that_names_nothing_is_an_error() {
        let error = pick(&["marts.cc"], &[]).unwrap_err();
        assert_eq!(error.message(), "no step matches `marts.cc`");
        assert_eq!(error.hint_text(), Some("did you mean `marts.c`?"));
        let error = pick(&["tag:nightl"], &[]).unwrap_err();
        assert_eq!(error.hint_text(), Some("did you mean `nightly`?"));
    }
}
