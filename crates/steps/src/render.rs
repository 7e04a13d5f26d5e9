//! A step's SQL from its template, and the way from any place in it back to the analyst's file.
//!
//! What templates may use: `ref('marts.rfm')` (or its last part alone, where that is unique), `source('erp',
//! 'orders')`, `var('name')` and `var('name', default)`, `as_of`, `time_zone`, `currency`, and the macros of
//! `sql/macros/*.sql` by name, which may use all of these and one another. Anything undefined is an error.

use super::template::{Marked, SourceMap, Template, unmark};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Place, Problems, Result, closest, expected};
use perennial_engine::{QueryProblem, Spot};
use perennial_project::{Project, TextFile, template_value};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// What a run sets that templates may use.
#[derive(Clone, Debug)]
pub struct RunContext {
    /// The business date; only facts dated before it are seen.
    pub as_of: jiff::civil::Date,
    /// Variables: the project's, with those of the command line laid over them.
    pub vars: BTreeMap<String, serde_json::Value>,
}

/// Rendered SQL that knows where it came from.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Plain SQL.
    pub sql: String,
    map: SourceMap,
    template: Arc<Template>,
}

impl Rendered {
    /// The place in the file of a range of the rendered SQL.
    pub fn place(&self, spot: Spot) -> Place {
        let start = byte_at(&self.sql, spot.line, spot.column);
        let (original, copied) = self.map.original(start);
        let end = self.sql[start..].char_indices().nth(spot.width).map_or(self.sql.len(), |(i, _)| start + i);
        let length = if copied { end - start } else { tag_length(&self.template.text[original..]) };
        self.template.place(original..original + length)
    }

    /// The place where its SQL begins.
    pub fn start(&self) -> Place {
        let text = &self.template.text;
        let start = text.len() - text.trim_start().len();
        let word = text[start..].find(char::is_whitespace).unwrap_or(text.len() - start);
        self.template.place(start..start + word.max(1))
    }

    /// A problem of the query as an error in the file.
    pub fn error(&self, found: QueryProblem) -> Error {
        let place = found.spot.map_or_else(|| self.start(), |spot| self.place(spot));
        let error = Error::project(found.message).at(place);
        match found.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

fn tag_length(text: &str) -> usize {
    let close = if text.starts_with("{%") { "%}" } else { "}}" };
    if text.starts_with('{') { text.find(close).map_or(1, |i| i + 2) } else { 1 }
}

/// The byte of a line and column (from 1, in characters).
fn byte_at(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start.min(text.len())..];
    let rest_of_line = rest.split('\n').next().unwrap_or("");
    start + rest_of_line.char_indices().nth(column.saturating_sub(1)).map_or(rest_of_line.len(), |(i, _)| i)
}

/// Renders the templates of one project for one run.
pub struct Renderer {
    environment: Environment<'static>,
    macros: Vec<String>,
    prelude: String,
    macro_files: Vec<(usize, TextFile)>,
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renderer").field("macros", &self.macros).finish_non_exhaustive()
    }
}

/// A hint that travels inside a minijinja error.
#[derive(Debug)]
struct Hint(String);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Hint {}

/// What stands for the business date in SQL that does not change from day to day.
pub(super) const UNDATED: &str = "{{ as_of }}";
const MACROS: &str = "sql/macros";
/// More errors of one template are not looked for.
const MAX_ERRORS: usize = 20;
/// What templates may name, besides macros.
const GLOBALS: [&str; 3] = ["as_of", "time_zone", "currency"];
/// What templates may call, besides macros.
const FUNCTIONS: [&str; 5] = ["ref", "source", "var", "range", "dict"];
/// Functions of dbt that have no counterpart in a template, and what there is instead.
const FUNCTIONS_OF_DBT: [(&str, &str); 4] = [
    ("config", "write it in the header of the file: /* --- materialize: view --- */"),
    ("is_incremental", "steps are computed as a whole; leave the condition out"),
    ("env_var", "set a variable under `vars` in perennial.yml and write var('name')"),
    ("run_query", "read the table in the SQL itself, with WITH or a join"),
];
/// Filters that analysts use; a mistyped one is held against them.
const FILTERS: [&str; 24] = [
    "abs", "batch", "default", "first", "float", "int", "items", "join", "last", "length", "list", "lower", "map",
    "max", "min", "reject", "replace", "round", "select", "sort", "title", "trim", "unique", "upper",
];

/// A template that could not be rendered.
struct Failure {
    error: Error,
    /// It is in a macro's file.
    in_macro: bool,
    /// Where in the template it is, unless it is in a macro or the template cannot be parsed.
    offset: Option<usize>,
    /// The name that is not defined, if that is the error.
    undefined: Option<String>,
}

impl Renderer {
    /// Reads the macros and sets what templates may use. Problems are those of the macro files, which are then left
    /// out.
    pub fn new(project: &Project, context: &RunContext) -> (Renderer, Problems) {
        Renderer::with_as_of(project, context, context.as_of.to_string())
    }

    /// A renderer that leaves a placeholder where the business date is named, for definitions that do not change from
    /// day to day. Its macros are those of [`Renderer::new`], which reports their problems.
    pub(super) fn undated(project: &Project, context: &RunContext) -> Renderer {
        Renderer::with_as_of(project, context, UNDATED.to_string()).0
    }

    fn with_as_of(project: &Project, context: &RunContext, as_of: String) -> (Renderer, Problems) {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_debug(true);
        environment.add_global("as_of", as_of);
        environment.add_global("time_zone", project.time_zone.clone());
        environment.add_global("currency", project.currency.clone());
        add_var(&mut environment, context.vars.clone());
        let made = project.steps.iter().map(|s| &s.name).chain(&project.unread.steps);
        add_ref(&mut environment, made.cloned().collect());
        let sources = project.sources.iter().flat_map(|s| s.tables.iter().map(|t| (s.name.clone(), t.name.clone())));
        add_source(&mut environment, sources.collect(), project.unread.sources.clone());
        let mut renderer =
            Renderer { environment, macros: Vec::new(), prelude: String::new(), macro_files: Vec::new() };
        let problems = renderer.add_macros(&project.macros);
        (renderer, problems)
    }

    fn add_macros(&mut self, files: &[TextFile]) -> Problems {
        let mut problems = Problems::new();
        let mut all = String::new();
        for file in files {
            if let Err(error) = self.environment.template_from_named_str(&file.path, &file.text) {
                let range = error.range().unwrap_or(0..1);
                problems.push(jinja_error(&error, Place::span(&file.path, file.text.clone(), range)));
                continue;
            }
            self.macro_files.push((all.len(), file.clone()));
            all.push_str(&file.text);
            all.push('\n');
        }
        if let Ok(pattern) = Regex::new(r"\{%[-+]?\s*macro\s+(\w+)") {
            for (_, file) in &self.macro_files {
                for name in pattern.captures_iter(&file.text).filter_map(|c| c.get(1)) {
                    if self.macros.iter().any(|known| known == name.as_str()) {
                        let error = Error::project(format!("duplicate macro `{}`", name.as_str()));
                        let place = Place::span(&file.path, file.text.clone(), name.range());
                        problems.push(error.at(place).hint("rename one of them"));
                    } else {
                        self.macros.push(name.as_str().to_string());
                    }
                }
            }
        }
        if !self.macros.is_empty() {
            self.prelude = format!("{{% from '{MACROS}' import {} %}}", self.macros.join(", "));
            if let Err(error) = self.environment.add_template_owned(MACROS, all) {
                problems.push(Error::bug(format!("macros that parse alone do not parse together: {error}")));
            }
        }
        problems
    }

    /// Renders a template. `more` are variables of this template alone (`period` of reports).
    ///
    /// # Errors
    /// [`perennial_core::error::Kind::Project`] at every tag that is wrong, in the template or in a macro's file.
    /// Behind a block tag that is wrong (`{% if %}`, `{% for %}`) nothing can be looked at.
    pub fn render(&self, template: Template, more: Value) -> Result<Rendered, Vec<Error>> {
        if !template.text.contains('{') {
            let map = unmark(&template.marked().text).1;
            return Ok(Rendered { sql: template.text.clone(), map, template: Arc::new(template) });
        }
        let context = if more.is_undefined() { Value::from(BTreeMap::<String, Value>::new()) } else { more };
        let mut errors: Vec<Error> = Vec::new();
        let mut attempt = template.clone();
        loop {
            let failure = match self.attempt(&attempt, &context) {
                Ok((sql, map)) if errors.is_empty() => {
                    return Ok(Rendered { sql, map, template: Arc::new(template) });
                }
                Ok(_) => return Err(errors),
                Err(failure) => failure,
            };
            let tag = self.failed_tag(&attempt, &context, &failure);
            let error = match &tag {
                Some(tag) if failure.in_macro => self.called_from(*failure, &template, tag.clone()),
                _ => failure.error,
            };
            if !errors.iter().any(|known| known.to_string() == error.to_string()) {
                errors.push(error);
            }
            match tag {
                Some(tag) if errors.len() < MAX_ERRORS => attempt = attempt.without(tag),
                _ => return Err(errors),
            }
        }
    }

    fn attempt(&self, template: &Template, context: &Value) -> Result<(String, SourceMap), Box<Failure>> {
        let marked = template.marked();
        let uses_macros = self.macros.iter().any(|name| template.text.contains(name.as_str()));
        let prelude = if uses_macros { self.prelude.as_str() } else { "" };
        let text = format!("{prelude}{}", marked.text);
        let rendered = self
            .environment
            .template_from_named_str(&template.file.path, &text)
            .and_then(|t| t.render(context))
            .map_err(|e| Box::new(self.failure(&e, template, &marked, prelude.len())))?;
        Ok(unmark(&rendered))
    }

    /// The `{{ }}` that failed, in the text of the template. Of an error inside a macro the engine does not say who
    /// called it: it is the first tag that fails with those behind it left out.
    fn failed_tag(&self, template: &Template, context: &Value, failure: &Failure) -> Option<Range<usize>> {
        if !failure.in_macro {
            let offset = failure.offset?;
            return template.expressions().into_iter().find(|tag| tag.contains(&offset));
        }
        let calls =
            |tag: &Range<usize>| self.macros.iter().any(|name| template.text[tag.clone()].contains(name.as_str()));
        let calling: Vec<Range<usize>> = template.expressions().into_iter().filter(calls).collect();
        let fails_up_to = |count: usize| {
            let shortened = calling[count..].iter().fold(template.clone(), |text, tag| text.without(tag.clone()));
            self.attempt(&shortened, context).is_err_and(|failure| failure.in_macro)
        };
        (1..=calling.len()).find(|count| fails_up_to(*count)).map(|count| calling[count - 1].clone())
    }

    /// An error inside a macro, with the place of the call. Where the call lacks an argument, it is an error of the call.
    fn called_from(&self, failure: Failure, template: &Template, tag: Range<usize>) -> Error {
        let call = template.place(tag);
        let missing = failure.undefined.as_deref().zip(failure.error.place());
        if let Some((argument, Place::File { line, text: Some(text), .. })) = missing
            && let Some(signature) = signature_above(text, *line)
            && signature.parameters.iter().any(|p| p == argument)
        {
            let written = format!("{}({})", signature.name, signature.parameters.join(", "));
            return Error::project(format!("macro `{}` is called without `{argument}`", signature.name))
                .at(call)
                .hint(format!("it is written as {written}"));
        }
        let from = format!("called from {call}");
        let hint = match failure.error.hint_text() {
            Some(hint) => format!("{hint} ({from})"),
            None => from,
        };
        failure.error.hint(hint)
    }

    fn failure(&self, error: &minijinja::Error, template: &Template, marked: &Marked, prelude: usize) -> Failure {
        // The innermost error of the chain that has a place is the one to show: a macro's own line, not its call.
        let mut innermost = error;
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            if let Some(inner) = inner.downcast_ref::<minijinja::Error>()
                && inner.range().is_some()
            {
                innermost = inner;
            }
            source = inner.source();
        }
        let place = self.place(innermost, template, marked, prelude);
        let place = place.unwrap_or_else(|| Place::Whole(template.file.path.clone()));
        let in_macro = innermost.name() == Some(MACROS);
        // A template that cannot be parsed has no tag that could be left out.
        let parsed = error.kind() != ErrorKind::SyntaxError;
        let offset = innermost.range().filter(|_| parsed).map(|r| marked.original(r.start.saturating_sub(prelude)));
        let is_undefined = innermost.kind() == ErrorKind::UndefinedError;
        // Of a parameter that a call leaves out, the engine does not say the name.
        let undefined = is_undefined.then(|| undefined_name(innermost).or_else(|| name_at(&place))).flatten();
        Failure { error: self.explain(error, place), in_macro: in_macro && parsed, offset, undefined }
    }

    fn explain(&self, error: &minijinja::Error, place: Place) -> Error {
        let made = jinja_error(error, place.clone());
        if is_call_of_undefined(&made) {
            return match name_at(&place) {
                Some(name) => self.unknown_function(&name, place),
                None => made,
            };
        }
        if made.hint_text().is_some() {
            return made;
        }
        let name_in_detail = || error.detail().and_then(|d| d.split_whitespace().find(|word| *word != "filter"));
        match error.kind() {
            ErrorKind::UnknownFunction => match error.detail().and_then(|d| d.split_whitespace().next()) {
                Some(name) => self.unknown_function(name, place),
                None => made,
            },
            ErrorKind::UnknownFilter => match name_in_detail() {
                Some(name) => Error::project(format!("unknown filter `{name}`")).at(place).suggest(name, FILTERS),
                None => made,
            },
            ErrorKind::UndefinedError => {
                let names: Vec<&str> = GLOBALS.into_iter().chain(self.macros.iter().map(String::as_str)).collect();
                let near = undefined_name(error).and_then(|name| closest(&name, &names).map(str::to_string));
                made.hint(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("{}, var('name')", expected(&GLOBALS)),
                })
            }
            _ => made,
        }
    }

    fn unknown_function(&self, name: &str, place: Place) -> Error {
        let error = Error::project(format!("unknown function or macro `{name}`")).at(place);
        match FUNCTIONS_OF_DBT.iter().find(|(known, _)| *known == name) {
            Some((_, hint)) => error.hint(*hint),
            None => error.suggest(name, FUNCTIONS.into_iter().chain(self.macros.iter().map(String::as_str))),
        }
    }

    fn place(&self, error: &minijinja::Error, template: &Template, marked: &Marked, prelude: usize) -> Option<Place> {
        let range = error.range()?;
        if error.name() == Some(MACROS) {
            let index = self.macro_files.partition_point(|(start, _)| *start <= range.start).checked_sub(1)?;
            let (start, file) = &self.macro_files[index];
            return Some(Place::span(&file.path, file.text.clone(), range.start - start..range.end - start));
        }
        let start = marked.original(range.start.saturating_sub(prelude));
        let end = marked.original(range.end.saturating_sub(prelude));
        Some(template.place(start..end.max(start)))
    }
}

/// Whether a name was called that nothing defines. Only the text of the template engine's error tells.
fn is_call_of_undefined(error: &Error) -> bool {
    error.message().contains("undefined is not callable")
}

/// The name that an error of the template engine calls undefined.
fn undefined_name(error: &minijinja::Error) -> Option<String> {
    let name = error.detail()?.split('`').nth(1)?;
    Some(name.to_string())
}

/// How a macro is declared.
struct Signature {
    name: String,
    /// Its parameters without their defaults.
    parameters: Vec<String>,
}

/// The declaration of the macro that a line of a macro's file is in.
fn signature_above(text: &str, line: usize) -> Option<Signature> {
    let end: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let pattern = Regex::new(r"\{%[-+]?\s*macro\s+(\w+)\s*\(([^)]*)\)").ok()?;
    let found = pattern.captures_iter(&text[..end]).last()?;
    let parameters = found[2].split(',').map(|p| p.split('=').next().unwrap_or(p).trim().to_string());
    Some(Signature { name: found[1].to_string(), parameters: parameters.filter(|p| !p.is_empty()).collect() })
}

/// The name at a place.
fn name_at(place: &Place) -> Option<String> {
    let Place::File { line, column, text: Some(text), .. } = place else { return None };
    let rest: String = text.lines().nth(line - 1)?.chars().skip(column - 1).collect();
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

fn jinja_error(error: &minijinja::Error, place: Place) -> Error {
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    let mut hint = None;
    while let Some(source) = innermost.source() {
        if let Some(found) = source.downcast_ref::<Hint>() {
            hint = Some(found.0.clone());
            break;
        }
        innermost = source;
    }
    let deepest = innermost.downcast_ref::<minijinja::Error>().unwrap_or(error);
    let message = match (deepest.kind(), deepest.detail()) {
        (ErrorKind::InvalidOperation, Some(detail)) => detail.to_string(),
        (ErrorKind::UndefinedError, _) => match undefined_name(deepest) {
            Some(name) => format!("undefined variable `{name}`"),
            None => "undefined variable".to_string(),
        },
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    let made = Error::project(message).at(place);
    match hint {
        Some(hint) => made.hint(hint),
        None => made,
    }
}

fn refuse(error: Error) -> minijinja::Error {
    let made = minijinja::Error::new(ErrorKind::InvalidOperation, error.message().to_string());
    match error.hint_text() {
        Some(hint) => made.with_source(Hint(hint.to_string())),
        None => made,
    }
}

fn add_var(environment: &mut Environment<'static>, vars: BTreeMap<String, serde_json::Value>) {
    environment.add_function("var", move |name: String, default: Option<Value>| match vars.get(&name) {
        Some(value) => Ok(template_value(value)),
        None => default.ok_or_else(|| {
            let error =
                Error::project(format!("variable `{name}` is not set")).suggest(&name, vars.keys().map(String::as_str));
            let hint = error.hint_text().is_none().then_some("set it under `vars` in perennial.yml or with --vars");
            refuse(match hint {
                Some(hint) => error.hint(hint),
                None => error,
            })
        }),
    });
}

fn add_ref(environment: &mut Environment<'static>, steps: BTreeSet<TableName>) {
    environment.add_function("ref", move |first: String, second: Option<String>| {
        let given = second.map_or(first.clone(), |name| format!("{first}.{name}"));
        resolve(&given, &steps).map(|name| name.to_string()).map_err(refuse)
    });
}

/// A step by its full name, or by its last part where only one step has it.
pub(super) fn resolve<'a>(
    given: &str,
    steps: impl IntoIterator<Item = &'a TableName> + Clone,
) -> Result<&'a TableName> {
    let mut by_last = Vec::new();
    for name in steps.clone() {
        if name.to_string() == given {
            return Ok(name);
        }
        if name.name == given {
            by_last.push(name);
        }
    }
    match by_last.as_slice() {
        [one] => Ok(one),
        [] => {
            let full: Vec<String> = steps.into_iter().map(TableName::to_string).collect();
            let error = Error::project(format!("unknown step `{given}`"));
            Err(suggest_table(error, given, &full))
        }
        several => {
            let names: Vec<String> = several.iter().map(|n| n.to_string()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Err(Error::project(format!("`{given}` is ambiguous")).hint(expected(&names)))
        }
    }
}

/// Adds the known table that comes close to the one given, else all of them if they are few.
pub fn suggest_table(error: Error, given: &str, known: &[String]) -> Error {
    match nearest(given, known) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error.suggest(given, known.iter().map(String::as_str)),
    }
}

/// The known table whose full name, or whose last part, comes close to the one given.
pub(super) fn nearest<'a>(given: &str, known: &'a [String]) -> Option<&'a str> {
    let last = |name: &'a str| name.rsplit('.').next().unwrap_or(name);
    // A table by the names of its source.
    let of_source = given.split_once('.').map(|(source, table)| TableName::source(source, table).to_string());
    if let Some(same) = known.iter().find(|name| Some(*name) == of_source.as_ref()) {
        return Some(same);
    }
    let given_last = given.rsplit('.').next().unwrap_or(given);
    if let Some(same) = known.iter().find(|n| last(n) == given_last) {
        return Some(same);
    }
    let full: Vec<&str> = known.iter().map(String::as_str).collect();
    let lasts: Vec<&str> = known.iter().map(|n| last(n)).collect();
    if let Some(near) = closest(given_last, &lasts) {
        let schema = given.rsplit_once('.').map_or("", |(schema, _)| schema);
        let mut named = known.iter().map(String::as_str).filter(|n| last(n) == near);
        let same_schema = named.clone().find(|n| n.rsplit_once('.').is_some_and(|(s, _)| s == schema));
        return same_schema.or_else(|| named.next());
    }
    closest(given, &full)
}

fn add_source(environment: &mut Environment<'static>, tables: BTreeSet<(String, String)>, unread: BTreeSet<String>) {
    environment.add_function("source", move |source: String, table: String| {
        if unread.contains(&source) || tables.contains(&(source.clone(), table.clone())) {
            return Ok(TableName::source(&source, &table).to_string());
        }
        let of_source: Vec<&str> = tables.iter().filter(|(s, _)| *s == source).map(|(_, t)| t.as_str()).collect();
        Err(refuse(if of_source.is_empty() {
            let mut sources: Vec<&str> = tables.iter().map(|(s, _)| s.as_str()).collect();
            sources.dedup();
            Error::project(format!("unknown source `{source}`")).suggest(&source, sources)
        } else {
            Error::project(format!("source `{source}` has no table `{table}`")).suggest(&table, of_source)
        }))
    });
}
