//! Everything that can be known of a report before its rows: syntax, names of variables, filters, functions, phrases and
//! arguments, each mistake at its place.

use super::components::FORMER_NAMES;
use super::contents;
use super::data::near_or;
use super::formats::Format;
use super::language::data;
use super::manual::{Argument, ArgumentProblem, Kind, Page};
use super::phrases::{ADD_PHRASE, known_keys};
use super::template::include_name;
use super::tokens::{Role, Slot, Use, uses};
use super::variables::{OF_PERIOD, VARIABLES};
use super::{Period, filters, functions};
use minijinja::{Environment, ErrorKind};
use perennial_core::error::{Error, Place, Problems, expected};
use perennial_project::{Language, PhraseText, Phrases, Project, ReportFile, TextFile};
use std::collections::BTreeSet;
use std::ops::Range;

/// What the template engine itself gives to every template.
const OF_ENGINE: &[&str] = &["loop", "self", "caller"];

/// All problems of all reports and of the phrases they use.
pub fn check(project: &Project) -> Problems {
    let mut problems = Problems::new();
    // What several reports share is reported once.
    let mut seen = BTreeSet::new();
    let mut keep = |found: Problems, problems: &mut Problems| {
        for error in found {
            if seen.insert(format!("{error}")) {
                problems.push(error);
            }
        }
    };
    for report in &project.reports {
        let checker = Checker { project, report: Some(report), phrases: &report.phrases, languages: &report.languages };
        keep(checker.template(&report.file, report.body), &mut problems);
        for piece in &report.pieces {
            keep(checker.template(piece, 0), &mut problems);
        }
        keep(checker.phrases(), &mut problems);
        keep(queries(project, report), &mut problems);
        keep(checker.titles(report), &mut problems);
        keep(calendar(project, report), &mut problems);
    }
    let checker = Checker { project, report: None, phrases: &project.phrases, languages: &[] };
    for piece in &project.shared_templates {
        keep(checker.template(piece, 0), &mut problems);
    }
    problems
}

fn queries(project: &Project, report: &ReportFile) -> Problems {
    let mut problems = Problems::new();
    // Any day will do: only names and syntax are looked at.
    let day = jiff::civil::date(2026, 1, 1);
    let period = Period::containing(report.period, day);
    for query in &report.queries {
        problems.keep(super::query_sql(project, query, period, day));
    }
    problems
}

/// The calendar that a header names must be a table that the project makes.
fn calendar(project: &Project, report: &ReportFile) -> Problems {
    let mut problems = Problems::new();
    let Some(place) = &report.calendar_place else { return problems };
    let table = &report.calendar;
    let is_ours = !matches!(table.schema.as_str(), "raw" | "source" | "system");
    if is_ours && !project.steps.iter().any(|step| step.name == *table) && !project.unread.may_hold(table) {
        let names: Vec<String> = project.steps.iter().map(|step| step.name.to_string()).collect();
        let error = Error::project(format!("unknown table `{table}`")).at(place.clone());
        problems.push(error.suggest(&table.to_string(), names.iter().map(String::as_str)));
    }
    problems
}

/// What a template is checked against: a report with its own and the shared phrases, or all reports for what they share.
struct Checker<'a> {
    project: &'a Project,
    report: Option<&'a ReportFile>,
    phrases: &'a Phrases,
    /// Languages in which phrases must have a text.
    languages: &'a [Language],
}

impl Checker<'_> {
    /// The reports that a text belongs to.
    fn reports(&self) -> Vec<&ReportFile> {
        self.report.map_or_else(|| self.project.reports.iter().collect(), |report| vec![report])
    }

    /// Titles that name parameters.
    fn titles(&self, report: &ReportFile) -> Problems {
        let mut problems = Problems::new();
        let header = &report.file.text[..report.body];
        for title in report.title.values().filter(|title| title.contains("{{") || title.contains("{%")) {
            // A title of several lines is not the bytes of its file.
            let begin = header.find(title.as_str());
            let place = |range: &Range<usize>| {
                let range = begin.map_or(0..0, |begin| range.start + begin..range.end + begin);
                Place::span(report.file.path.clone(), report.file.text.clone(), range)
            };
            if report.parameters.is_empty() {
                let error = Error::project("the title has a tag, and the report has no parameters");
                let error = error.hint("name the parameters in the header, as in `parameters: [region]`");
                problems.push(error.at(place(&(0..title.len()))));
                continue;
            }
            let env = Environment::new();
            let undeclared = match env.template_from_named_str("title", title) {
                Ok(parsed) => parsed.undeclared_variables(false),
                Err(error) => {
                    let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
                    problems.push(Error::project(why).at(place(&error.range().unwrap_or(0..1))));
                    continue;
                }
            };
            let known = self.parameters();
            for Use { role, range, .. } in uses(title) {
                let name = &title[range.clone()];
                let error = match &role {
                    Role::Attribute(of) if of == "params" && !known.contains(&name) => {
                        Error::project(format!("unknown parameter `{name}`")).suggest(name, known.iter().copied())
                    }
                    Role::Name if name != "params" && undeclared.contains(name) => {
                        Error::project(format!("unknown name `{name}` in a title")).suggest(name, ["params"])
                    }
                    _ => continue,
                };
                problems.push(error.at(place(&range)));
            }
        }
        problems
    }

    /// The parameters that a text may name.
    fn parameters(&self) -> Vec<&str> {
        self.reports().iter().flat_map(|report| &report.parameters).map(String::as_str).collect()
    }

    fn template(&self, file: &TextFile, body: usize) -> Problems {
        let mut problems = Problems::new();
        let text = &file.text[body..];
        let at = |range: &Range<usize>| {
            Place::span(file.path.clone(), file.text.clone(), range.start + body..range.end + body)
        };
        let env = Environment::new();
        let parsed = match env.template_from_named_str(&file.path, text) {
            Ok(parsed) => parsed,
            Err(error) => {
                let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
                problems.push(Error::project(why).at(at(&error.range().unwrap_or(0..1))));
                return problems;
            }
        };
        let functions = function_names(&env);
        let variables = self.variables(file, body > 0);
        let undeclared = parsed.undeclared_variables(false);
        let all = uses(text);
        // A name that the text binds itself, or the templates that include it, is whatever they make of it.
        let mut bound: BTreeSet<String> = set(text, &all).collect();
        if body == 0 {
            bound.extend(self.inherited(file));
        }
        for Use { role, range, .. } in all {
            let name = &text[range.clone()];
            if role.function().is_some_and(|function| bound.contains(function)) {
                continue;
            }
            let is_ours = |of: &String| undeclared.contains(of) && !bound.contains(of);
            let error = match &role {
                Role::Filter => unknown_filter(&env, name),
                Role::Call if undeclared.contains(name) && !functions.iter().any(|f| f == name) => {
                    let error = Error::project(format!("unknown function or chart `{name}`"));
                    Some(near_or_manual(error, name, &functions))
                }
                Role::Name | Role::Rows if undeclared.contains(name) => {
                    let is_known = variables.contains(name) || functions.iter().any(|f| f == name);
                    let error = || Error::project(format!("unknown query or variable `{name}`"));
                    // What the engine itself gives is known, and of no help to somebody who misses a query.
                    let known = || variables.iter().map(String::as_str).filter(|name| !OF_ENGINE.contains(name));
                    (!is_known).then(|| error().suggest(name, known()))
                }
                Role::Attribute(of) if of == "vars" && is_ours(of) && !is_asked(&text[range.end..]) => {
                    let known = || self.project.vars.keys().map(String::as_str);
                    let add = || format!("add it to `vars` in perennial.yml, or write `vars.{name} | default(...)`");
                    let error = || Error::project(format!("unknown variable `{name}`"));
                    (!known().any(|k| k == name)).then(|| error().hint(near_or(name, known(), &add())))
                }
                Role::Attribute(of) if of == "params" && is_ours(of) => {
                    let known = self.parameters();
                    let error = || Error::project(format!("unknown parameter `{name}`"));
                    let add = "add it to `parameters` in the report's header";
                    (!known.contains(&name)).then(|| error().hint(near_or(name, known.iter().copied(), add)))
                }
                Role::Attribute(of) if of == "period" && is_ours(of) => {
                    let known = || OF_PERIOD.iter().map(|attribute| attribute.name);
                    let error = || Error::project(format!("`period` has no `{name}`"));
                    (!known().any(|k| k == name)).then(|| error().suggest(name, known()))
                }
                Role::Phrase(with) => self.phrase(name, with.as_deref()),
                Role::Include => self.include(name),
                other => argument(other, name),
            };
            if let Some(error) = error {
                problems.push(error.at(at(&range)));
            }
        }
        problems
    }

    /// Names that a template has; a piece also has what the templates set that include it.
    fn variables(&self, file: &TextFile, is_template: bool) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = VARIABLES.iter().chain(OF_ENGINE).map(|name| name.to_string()).collect();
        for report in self.reports() {
            names.extend(report.queries.iter().map(|query| query.name.clone()));
        }
        if !is_template {
            names.extend(self.inherited(file));
        }
        names
    }

    /// Names that the templates bind which may include a piece, and the pieces that include others.
    fn inherited(&self, piece: &TextFile) -> BTreeSet<String> {
        let reports = self.reports();
        let templates = reports.iter().map(|report| &report.file.text[report.body..]);
        let pieces = reports.iter().flat_map(|report| &report.pieces).chain(&self.project.shared_templates);
        let others = pieces.filter(|other| other.path != piece.path).map(|other| &*other.text);
        let mut names = BTreeSet::new();
        for (text, is_template) in templates.map(|text| (text, true)).chain(others.map(|text| (text, false))) {
            let all = uses(text);
            if is_template || all.iter().any(|u| u.role == Role::Include) {
                names.extend(set(text, &all));
            }
        }
        names
    }

    fn include(&self, name: &str) -> Option<Error> {
        let own = self.report.into_iter().flat_map(|report| &report.pieces);
        let known: Vec<String> = own.chain(&self.project.shared_templates).map(include_name).collect();
        if known.iter().any(|piece| piece == name) {
            return None;
        }
        let error = Error::project(format!("unknown piece `{name}`"));
        let error = error.suggest(name, known.iter().map(String::as_str));
        Some(match error.hint_text() {
            Some(_) => error,
            None => error.hint(
                "pieces lie in the report's pieces/, as `pieces/x.md`, or in report-templates/shared, as `shared/x.md`",
            ),
        })
    }

    /// A phrase that is not there, lacks a language, or names something that it is not given.
    fn phrase(&self, key: &str, with: Option<&[String]>) -> Option<Error> {
        let own = self.phrases.get(key);
        if own.is_none() && data(Language::ENGLISH).phrase(key).is_none() {
            // A shared piece may use the phrases of the reports that include it.
            let elsewhere = self.report.is_none() && self.reports().iter().any(|r| r.phrases.contains_key(key));
            if elsewhere {
                return None;
            }
            // Who refers to phrases that could not be read is not at fault.
            if self.reports().iter().any(|report| !report.phrases_are_read) {
                return None;
            }
            let hint = near_or(key, known_keys(self.phrases), ADD_PHRASE);
            return Some(Error::project(format!("unknown phrase `{key}`")).hint(hint));
        }
        for language in self.languages {
            let text = match own.and_then(|texts| texts.get(language)) {
                Some(text) => text.text.as_str(),
                None => match data(*language).phrase(key) {
                    Some(text) => text,
                    None => {
                        let error = Error::project(format!("the phrase `{key}` is missing in {}", language.tag()));
                        return Some(error.hint(format!("add a line `{}: ...` to it", language.tag())));
                    }
                },
            };
            // What `**` gives is known only when the page is made.
            let Some(with) = with else { continue };
            if let Some(name) = needed(text).into_iter().find(|name| !with.contains(name)) {
                let error = Error::project(format!("the phrase `{key}` needs `{name}`"));
                return Some(error.hint(format!("write `t('{key}', {name}=...)`")));
            }
        }
        None
    }

    /// Syntax, filters and functions of phrases.
    fn phrases(&self) -> Problems {
        let mut problems = Problems::new();
        let env = Environment::new();
        let functions: Vec<&str> = functions::FUNCTIONS.iter().map(|function| function.page.name).collect();
        let of_engine: BTreeSet<String> = env.globals().map(|(name, _)| name.to_string()).collect();
        for text in self.phrases.values().flat_map(|texts| texts.values()) {
            if let Err(error) = env.template_from_named_str("phrase", &text.text) {
                let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
                problems.push(Error::project(why).at(in_file(text, &error.range().unwrap_or(0..1))));
                continue;
            }
            for Use { role, range, .. } in uses(&text.text) {
                let name = &text.text[range.clone()];
                let error = match role {
                    Role::Filter => unknown_filter(&env, name),
                    Role::Call if !functions.contains(&name) && !of_engine.contains(name) => {
                        let error = Error::project(format!("unknown function `{name}` in a phrase"));
                        Some(error.suggest(name, functions.iter().copied()))
                    }
                    other => argument(&other, name),
                };
                if let Some(error) = error {
                    problems.push(error.at(in_file(text, &range)));
                }
            }
        }
        problems
    }
}

/// The names that a text binds.
fn set<'a>(text: &'a str, all: &'a [Use]) -> impl Iterator<Item = String> + 'a {
    all.iter().filter(|u| u.role == Role::Set).map(|u| text[u.range.clone()].to_string())
}

/// The names of all functions that a template can call.
fn function_names(env: &Environment<'_>) -> Vec<String> {
    let ours = contents::callable().map(|page| page.name).chain(FORMER_NAMES.iter().map(|(former, _)| *former));
    ours.map(str::to_string).chain(env.globals().map(|(name, _)| name.to_string())).collect()
}

fn unknown_filter(env: &Environment<'_>, name: &str) -> Option<Error> {
    let mut state = env.empty_state();
    let is_known = filters::names().any(|filter| filter == name)
        || !state.apply_filter(name, &[]).is_err_and(|e| e.kind() == ErrorKind::UnknownFilter);
    let known: Vec<String> = filters::names().map(str::to_string).collect();
    (!is_known).then(|| near_or_manual(Error::project(format!("unknown filter `{name}`")), name, &known))
}

/// The name that comes close, or where all of them are explained.
fn near_or_manual(error: Error, name: &str, known: &[String]) -> Error {
    let manual = "`perennial templates` lists the functions, charts and filters there are";
    error.hint(near_or(name, known.iter().map(String::as_str), manual))
}

/// Whether what follows a name asks first whether it is there.
fn is_asked(rest: &str) -> bool {
    let rest = rest.trim_start();
    let filter = rest.strip_prefix('|').map(str::trim_start);
    rest.starts_with("is ") || filter.is_some_and(|filter| filter.starts_with("default") || filter.starts_with("d("))
}

/// The page of a function that is ours.
pub(crate) fn page_of(function: &str) -> Option<&'static Page> {
    let now = FORMER_NAMES.iter().find(|(former, _)| *former == function).map_or(function, |(_, now)| now);
    contents::callable().find(|page| page.name == now)
}

/// What is wrong with an argument of a function, with a text given to it, or with a key of a mapping in it.
fn argument(role: &Role, name: &str) -> Option<Error> {
    let problem = match role {
        Role::Argument(function) => page_of(function)?.argument(name).err(),
        Role::Text(function, slot) => {
            slot_of(function, slot)?.allows(name).err().or_else(|| unfit(function, slot_of(function, slot)?, name))
        }
        Role::List(function, slot) => {
            let argument = slot_of(function, slot)?;
            let is_one = argument.is_column() || matches!(argument.kind, Kind::Choice(_) | Kind::Format);
            is_one.then(|| ArgumentProblem {
                message: format!("`{}` of `{function}` is one name, not a list", argument.name),
                hint: match argument.kind {
                    _ if argument.is_column() => {
                        "draw a chart for each; two scales in one picture make any two lines look related".into()
                    }
                    _ => "write one of them".into(),
                },
            })
        }
        Role::Key(function, slot) => {
            let argument = slot_of(function, slot)?;
            if !matches!(argument.kind, Kind::Records(_)) {
                return None;
            }
            argument.key(name).err()
        }
        Role::KeyText(function, slot, key) => {
            let key = slot_of(function, slot)?.key(key).ok()?;
            key.allows(name).err().or_else(|| unfit(function, key, name))
        }
        Role::Called(function, places, names) => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            page_of(function)?.is_complete(*places, &names).err()
        }
        Role::Mapping(function, slot, keys) => slot_of(function, slot)?.lacks(keys),
        _ => None,
    };
    problem.map(|problem| Error::project(problem.message).hint(problem.hint))
}

/// A format that cannot write figures, which are all that charts and headlines have.
fn unfit(function: &str, argument: &Argument, name: &str) -> Option<ArgumentProblem> {
    let has_figures_only = matches!(argument.kind, Kind::Format) && function != "table";
    let is_unfit = has_figures_only && !Format::from_name(name)?.is_figure();
    is_unfit.then(|| {
        let figures: Vec<&str> =
            Format::names().filter(|n| Format::from_name(n).is_some_and(Format::is_figure)).collect();
        ArgumentProblem {
            message: format!("the format `{name}` does not write figures, and `{function}` shows figures"),
            hint: expected(&figures),
        }
    })
}

pub(crate) fn slot_of(function: &str, slot: &Slot) -> Option<&'static Argument> {
    let page = page_of(function)?;
    match slot {
        Slot::Place(place) => page.positional().nth(*place),
        Slot::Name(name) => page.keywords().find(|argument| argument.name == *name),
    }
}

/// What a phrase names and nobody else gives it. A name that it asks about first (`is defined`) is not needed.
fn needed(text: &str) -> Vec<String> {
    let env = Environment::new();
    let Ok(parsed) = env.template_from_str(text) else { return Vec::new() };
    let given = ["language", "currency"];
    let is_function = |name: &str| functions::FUNCTIONS.iter().any(|function| function.page.name == name);
    let is_global = |name: &str| env.globals().any(|(global, _)| global == name);
    let calls: Vec<&str> = uses(text).into_iter().filter(|u| u.role == Role::Call).map(|u| &text[u.range]).collect();
    let is_optional =
        |name: &str| text.contains(&format!("{name} is defined")) || text.contains(&format!("{name} | default"));
    let mut names: Vec<String> = parsed.undeclared_variables(false).into_iter().collect();
    names.retain(|name| {
        let is_given = given.contains(&name.as_str()) || is_function(name) || is_global(name);
        !is_given && !is_optional(name) && !calls.contains(&name.as_str())
    });
    names.sort();
    names
}

/// The place of a piece of a phrase. Folded and quoted texts are not the bytes of their file, so the piece is looked for:
/// the first, second, third ... time that it is written.
fn in_file(text: &PhraseText, range: &Range<usize>) -> Place {
    let piece = text.text.get(range.clone()).unwrap_or_default();
    let before = text.text.get(..range.start).map_or(0, |before| before.matches(piece).count());
    let written = text.file.text.get(text.span.clone()).unwrap_or_default();
    let found = (!piece.is_empty()).then(|| written.match_indices(piece).nth(before)).flatten();
    let span = match found {
        Some((at, _)) => text.span.start + at..text.span.start + at + piece.len(),
        None => text.span.clone(),
    };
    Place::span(text.file.path.clone(), text.file.text.clone(), span)
}
