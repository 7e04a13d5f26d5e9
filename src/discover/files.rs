//! Tables drafted from files.

use super::draft::{self, ColumnDraft, TableDraft};
use super::groups::{self, Group};
use super::{Look, key, names, yaml};
use perennial_core::contract::{CsvOptions, ExcelOptions, Format, TextEncoding, ValueType};
use perennial_core::error::Result;
use perennial_intake::{GuessOptions, Sample, SampleColumn};
use perennial_sources::{Files, SniffResult, SniffedFormat, SourceFile, System, formats, sniff};

/// Files of a table that are looked into.
const MAX_FILES: usize = 8;

/// Drafts a table for every group of files, and says what was left out.
pub(super) async fn tables(
    look: &Look<'_>,
    files: &Files,
    only: Option<&str>,
) -> Result<(Vec<TableDraft>, Vec<String>)> {
    let pattern = only.map_or("**/*".to_string(), groups::escaped);
    let listed = files.list(&pattern).await?;
    let (mut tables, mut left_out) = (Vec::new(), listed.left_out);
    for group in groups::group(listed.files) {
        if !look.wants(&group.name) {
            continue;
        }
        match table(look, files, &group).await {
            Ok(Ok(table)) => tables.push(table),
            Ok(Err(why)) => left_out.push(format!("{}: {why}", group.pattern)),
            // One damaged file must not keep the other tables away.
            Err(error) => left_out.push(format!("{}: {}", group.pattern, error.message())),
        }
    }
    Ok((tables, left_out))
}

/// The table, or why these files are none.
async fn table(look: &Look<'_>, files: &Files, group: &Group) -> Result<Result<TableDraft, String>> {
    let Some(newest) = group.files.iter().max_by_key(|file| (file.modified, &file.path)) else {
        return Ok(Err("there is no file".to_string()));
    };
    let sniffed = sniff(files, newest).await?;
    let typed = matches!(&sniffed, SniffResult::Known(k) if matches!(k.format, Format::Parquet | Format::Excel(_)));
    if !typed && let Some(named) = named(look, files, group).await {
        return Ok(Ok(named));
    }
    let known = match sniffed {
        SniffResult::Known(known) => known,
        SniffResult::Unknown(why) => return Ok(Err(why)),
    };
    let sample = sample(look, files, &group.files, newest, &known).await?;
    if sample.columns.is_empty() {
        return Ok(Err("it has no rows".to_string()));
    }
    Ok(Ok(drafted(look, group, &known, &sample)))
}

/// The format of a known system that reads the newest file well, with most of what it promises.
async fn named(look: &Look<'_>, files: &Files, group: &Group) -> Option<TableDraft> {
    let system = System::Files(files.clone());
    for format in formats::FORMATS {
        let draft = TableDraft {
            name: group.name.clone(),
            comments: vec![format!(
                "{}; its columns are those of the format, which `columns` can replace",
                format.title
            )],
            extraction: vec![("files", yaml::scalar(&group.pattern)), ("format", format.name.to_string())],
            paths: group.files.iter().map(|file| file.path.clone()).collect(),
            ..TableDraft::default()
        };
        let source = look.contract(std::slice::from_ref(&draft)).ok()?;
        let Some(table) = source.tables.first() else { continue };
        let Ok(probed) = perennial_intake::probe_table(&system, &source, table).await else { continue };
        let Some(batch) = probed.batch.filter(|batch| batch.num_rows() > 0) else { continue };
        let filled = |name: &str| batch.column_by_name(name).is_some_and(|array| array.null_count() < array.len());
        let there = table.columns.iter().filter(|column| filled(&column.name)).count();
        let most = there * 2 >= table.columns.len() || (!format.fields.is_empty() && there >= 5);
        if probed.rejects.is_empty() && most && probed.new_columns.is_empty() {
            return Some(draft);
        }
    }
    None
}

/// The first rows of some of a table's files: the first, the newest and some between.
async fn sample(
    look: &Look<'_>,
    files: &Files,
    all: &[SourceFile],
    newest: &SourceFile,
    known: &SniffedFormat,
) -> Result<Sample> {
    let step = all.len().div_ceil(MAX_FILES).max(1);
    let mut chosen: Vec<&SourceFile> = all.iter().step_by(step).collect();
    for file in [all.last(), Some(newest)].into_iter().flatten() {
        if !chosen.iter().any(|known| known.path == file.path) {
            chosen.push(file);
        }
    }
    let width: Vec<String> = (1..=known.width).map(|place| format!("column_{place}")).collect();
    let header = !matches!(&known.format, Format::Csv(CsvOptions { header: false, .. }));
    let names = if header { &[][..] } else { &width[..] };
    let mut sample = Sample::default();
    for (i, file) in chosen.iter().enumerate() {
        // What small files leave of their share goes to the later ones.
        let share = look.sample_rows.saturating_sub(sample.rows()) / (chosen.len() - i);
        sample.add_file(files, file, &known.format, names, share.max(1)).await?;
    }
    if matches!(known.format, Format::JsonLines | Format::Json { .. }) {
        sample.unfold();
    }
    Ok(sample)
}

fn drafted(look: &Look<'_>, group: &Group, known: &SniffedFormat, sample: &Sample) -> TableDraft {
    let mut table = TableDraft {
        name: group.name.clone(),
        extraction: vec![("files", yaml::scalar(&group.pattern)), ("format", format(&known.format))],
        columns: columns(look, &known.format, sample),
        paths: group.files.iter().map(|file| file.path.clone()).collect(),
        some_files_lack_columns: sample.columns.iter().any(|column| column.files < sample.files_read)
            && !matches!(known.format, Format::JsonLines | Format::Json { .. }),
        ..TableDraft::default()
    };
    let files = sample.files_read;
    table.comments.push(format!("drafted from {} rows of {files} of {} files", sample.rows(), group.files.len()));
    table.comments.extend(known.remarks.iter().cloned());
    if let Some(reason) = &sample.first_reject {
        table.comments.push(format!("{} rows could not be read: {reason}", sample.rejects));
    }
    if table.some_files_lack_columns {
        table
            .comments
            .push("the files differ in their columns; `on_missing_column: fail` would reject some".to_string());
    }
    draft::mark_personal(&mut table);
    for column in &mut table.columns {
        if let Some(sampled) = sample.columns.iter().find(|sampled| sampled.name == column.from) {
            draft::look_at_values(column, &sampled.values);
        }
    }
    keyed(&mut table, sample);
    table.time_column = draft::time_column(&table.columns);
    table
}

/// Puts the key that the sample shows into the table, with what tells the newest row of a key.
fn keyed(table: &mut TableDraft, sample: &Sample) {
    let rows = sample.rows();
    match key::find(&table.columns, sample) {
        Some(found) => {
            let stamp = table.columns.iter().find(|column| {
                let timed = matches!(column.data_type, ValueType::Instant { .. } | ValueType::Date { .. });
                timed && names::says_changed(&column.name)
            });
            table.newest_by = stamp.map(|column| column.name.clone());
            table.comments.push(format!("key: unique in {rows} rows of each file; check that it is meant to be"));
            if found.comes_again && table.newest_by.is_none() {
                table.comments.push("rows are repeated in later files; the row loaded last counts".to_string());
            }
            table.key = found.columns;
        }
        None => table.comments.push(format!("no key: no columns identify all {rows} rows, so every row is kept")),
    }
}

pub(super) fn columns(look: &Look<'_>, format: &Format, sample: &Sample) -> Vec<ColumnDraft> {
    let mut taken = Vec::new();
    let mut columns = Vec::new();
    for (place, sampled) in sample.columns.iter().enumerate().filter(|(_, sampled)| !sampled.name.is_empty()) {
        let name = names::column(&sampled.name, place, &taken);
        taken.push(name.clone());
        columns.push(column(look, format, sampled, name));
    }
    columns
}

/// One column, of the type that its values or the file itself say.
fn column(look: &Look<'_>, format: &Format, sampled: &SampleColumn, name: String) -> ColumnDraft {
    let options = GuessOptions {
        zone: look.time_zone,
        named_as_time: names::is_time(&name) || names::is_time(&sampled.name),
        named_as_code: names::is_code(&name)
            || names::is_code(&sampled.name)
            || names::is_identifier(&name) && sampled.values.iter().flatten().any(|value| value.contains('.')),
        formats: *format != Format::Parquet,
        locales: matches!(format, Format::Csv(_) | Format::Lines { .. } | Format::Excel(_)),
    };
    let guess = perennial_intake::guess(&sampled.values, options);
    let mut comments = guess.remarks;
    let personal = names::is_personal(&name) == Some(true);
    comments.extend(guess.odd_value.filter(|_| !personal).map(|value| format!("such as {}", yaml::scalar(&value))));
    if names::is_foreign(&sampled.name) {
        comments.push(format!("choose a name; in the files it is {}", sampled.name));
    }
    // Files without header take columns in the order of the contract, whatever their names.
    let from = sampled.name.clone();
    let (data_type, required) = match &sampled.declared {
        Some(ValueType::Instant { formats, .. }) => {
            let zone = look.time_zone.to_string();
            (ValueType::Instant { formats: formats.clone(), zone }, guess.required)
        }
        Some(declared) => (declared.clone(), guess.required),
        None => (guess.data_type, guess.required),
    };
    let (null_values, locale) = match sampled.declared {
        Some(_) => (Vec::new(), None),
        None => (guess.null_values, guess.locale),
    };
    if sampled.declared.is_some() {
        comments.clear();
    }
    let description = String::new();
    ColumnDraft { name, from, data_type, locale, required, null_values, personal, description, comments }
}

/// A format as a contract writes it.
pub(super) fn format(format: &Format) -> String {
    match format {
        Format::Csv(options) => csv(options),
        Format::JsonLines => "json_lines".to_string(),
        Format::Json { rows } if rows.is_empty() => "json".to_string(),
        Format::Json { rows } => format!("{{json: {{rows: {}}}}}", yaml::scalar(rows)),
        Format::Lines { pattern, .. } => format!("{{lines: {{pattern: {}}}}}", yaml::scalar(pattern)),
        Format::Parquet => "parquet".to_string(),
        Format::Excel(ExcelOptions { sheet: Some(sheet), .. }) => {
            format!("{{excel: {{sheet: {}}}}}", yaml::scalar(sheet))
        }
        Format::Excel(_) => "excel".to_string(),
        Format::Named(name) => name.clone(),
    }
}

fn csv(options: &CsvOptions) -> String {
    let mut keys = Vec::new();
    match options.delimiter {
        b',' => {}
        b'\t' => keys.push("delimiter: tab".to_string()),
        other => keys.push(format!("delimiter: {}", yaml::scalar(&char::from(other).to_string()))),
    }
    if options.quote.is_none() {
        keys.push("quote: none".to_string());
    }
    if !options.header {
        keys.push("header: false".to_string());
    }
    match options.encoding {
        TextEncoding::Utf8 => {}
        TextEncoding::Gb18030 => keys.push("encoding: gb18030".to_string()),
        TextEncoding::Big5 => keys.push("encoding: big5".to_string()),
    }
    if keys.is_empty() { "csv".to_string() } else { format!("{{csv: {{{}}}}}", keys.join(", ")) }
}

/// The name of a source at a location: the last folder, the database, the host.
pub(super) fn source_name(location: &str) -> String {
    let path = location.split_once("://").map_or(location, |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let parts = path.trim_end_matches('/').rsplit('/').map(|part| part.split('.').next().unwrap_or(part));
    let mut named = parts.filter_map(perennial_project::identifier);
    named.next().unwrap_or_else(|| "source".to_string())
}
