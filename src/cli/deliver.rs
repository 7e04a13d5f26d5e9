//! `perennial deliver`.

use super::output::{Format, count};
use super::status::Notes;
use super::table::Table;
use super::{Context, Outcome, Output, Verb};
use crate::dispatch::{Delivered, DeliveryState, Dispatch, Dispatched, TestMail};
use perennial_core::error::{Error, Problems, Result};
use perennial_lake::Lake;
use perennial_project::{Address, Language};
use std::path::PathBuf;

/// Send pages that are due, or show what was and what would be sent
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Deliver {
    #[command(subcommand)]
    verb: Option<DeliverVerb>,
    /// Show every message of the newest editions without sending it; with a folder, write them there as they would be sent
    #[arg(long, value_name = "DIR", num_args = 0..=1, group = "instead")]
    preview: Option<Option<PathBuf>>,
    /// Send the newest edition of a report to this address alone; nothing counts as delivered
    #[arg(long, value_name = "ADDRESS", group = "instead")]
    test: Option<String>,
    /// The report of `--test`; the only one that is sent if it is left out
    #[arg(long, value_name = "NAME", requires = "test")]
    report: Option<String>,
    /// The language of `--test`; that of the report's first recipient if it is left out
    #[arg(long, value_name = "LANGUAGE", requires = "test")]
    language: Option<String>,
    /// Send a message once more that was refused, given up, or may not have been sent
    #[arg(long, value_name = "ID", group = "instead")]
    again: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// What else is done with the outbox.
#[derive(clap::Subcommand)]
enum DeliverVerb {
    /// List the messages of this month and the last
    List(List),
}

/// The messages of the outbox.
#[derive(clap::Args)]
struct List {
    /// Leave out those that were sent
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Deliver {
    fn format(&self) -> Format {
        match &self.verb {
            Some(DeliverVerb::List(list)) => list.output.format,
            None => self.output.format,
        }
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let lake = Lake::open(&project.lake).await?;
        let (invoker, notes) = (context.invoker("deliver"), Notes(context));
        let dispatch = Dispatch {
            project: &project,
            lake: &lake,
            invoker: &invoker,
            now: context.now(),
            observer: &notes,
            into: None,
        };
        if let Some(DeliverVerb::List(list)) = &self.verb {
            let (messages, problems) = dispatch.outbox(!list.open).await?;
            print_messages(&messages, context)?;
            return problems.or_ok(Outcome::Done);
        }
        if let Some(folder) = &self.preview {
            return preview(&dispatch, folder.as_deref(), context).await;
        }
        if let Some(address) = &self.test {
            return self.test(&dispatch, address, context).await;
        }
        if let Some(id) = &self.again {
            dispatch.queue_again(id).await?;
        }
        let dispatched = dispatch.deliver().await?;
        if context.printer.format != Format::Text || !dispatched.ended.is_empty() || dispatched.waiting == 0 {
            print_messages(&dispatched.ended, context)?;
        }
        say_waiting(&dispatched, context);
        Ok(outcome(&dispatched, context))
    }
}

impl Deliver {
    async fn test(&self, dispatch: &Dispatch<'_>, address: &str, context: &Context<'_>) -> Result<Outcome, Problems> {
        let language = self.language.as_ref().map(|tag| {
            let unknown = || Error::project(format!("unknown language `{tag}`")).suggest(tag, Language::tags());
            Language::from_tag(tag).ok_or_else(unknown)
        });
        let test =
            TestMail { to: &Address::parse(address)?, report: self.report.as_deref(), language: language.transpose()? };
        let answer = dispatch.test_mail(&test).await?;
        context.printer.say(format!("sent to {address}: {answer}"));
        Ok(Outcome::Done)
    }
}

async fn preview(
    dispatch: &Dispatch<'_>,
    folder: Option<&std::path::Path>,
    context: &Context<'_>,
) -> Result<Outcome, Problems> {
    let folder = folder.map(|folder| std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf()));
    let (messages, problems) = dispatch.preview(folder.as_deref()).await?;
    let header = ["report", "period", "edition", "delivery", "channel", "recipient", "language", "state", "written"];
    let rows: Vec<Vec<String>> = messages
        .iter()
        .map(|message| {
            let queued = &message.queued;
            vec![
                queued.report.clone(),
                queued.period.clone(),
                queued.edition.to_string(),
                queued.delivery.clone(),
                queued.channel.name().to_string(),
                queued.recipient.clone(),
                queued.language.clone(),
                message.state.map_or("due", DeliveryState::name).to_string(),
                message.written.clone().unwrap_or_default(),
            ]
        })
        .collect();
    print_rows(&header, rows, &messages, context)?;
    problems.or_ok(Outcome::Done)
}

fn print_messages(messages: &[Delivered], context: &Context<'_>) -> Result<()> {
    let header = ["id", "state", "report", "period", "edition", "channel", "recipient", "language", "queued", "answer"];
    let rows: Vec<Vec<String>> = messages
        .iter()
        .map(|message| {
            let queued = &message.queued;
            vec![
                message.id.clone(),
                message.state.name().to_string(),
                queued.report.clone(),
                queued.period.clone(),
                queued.edition.to_string(),
                queued.channel.name().to_string(),
                queued.recipient.clone(),
                queued.language.clone(),
                format!("{:.0}", queued.at),
                message.ended.as_ref().map(|ended| ended.text.clone()).unwrap_or_default(),
            ]
        })
        .collect();
    print_rows(&header, rows, messages, context)
}

fn print_rows<T: serde::Serialize>(
    header: &[&str],
    rows: Vec<Vec<String>>,
    values: &[T],
    context: &Context<'_>,
) -> Result<()> {
    match context.printer.format {
        Format::Json => {
            let json = serde_json::to_value(values).map_err(|e| Error::bug("cannot write JSON").because(e))?;
            context.printer.json(&json)
        }
        Format::Csv => context.printer.csv(header, &rows),
        Format::Text if rows.is_empty() => {
            context.printer.say("no messages");
            Ok(())
        }
        Format::Text => context.printer.text(&Table::new(header, rows).text(context.printer.width)),
    }
}

/// Says how many messages wait.
fn say_waiting(dispatched: &Dispatched, context: &Context<'_>) {
    if let (waiting @ 1.., Some(next)) = (dispatched.waiting, dispatched.next) {
        let messages = count(waiting as u64, "message waits", "messages wait");
        context.printer.say(format!("{messages} for another attempt, the next at {next:.0}"));
    }
}

/// Prints what could not be delivered, and says with which exit code.
pub(super) fn outcome(dispatched: &Dispatched, context: &Context<'_>) -> Outcome {
    if !dispatched.problems.is_empty() && context.printer.format != Format::Json {
        context.printer.problems(&dispatched.problems);
    }
    let is_refused = dispatched.ended.iter().any(|message| message.state != DeliveryState::Sent);
    match dispatched.problems.exit_code() {
        _ if dispatched.problems.is_empty() && is_refused => Outcome::BadData,
        _ if dispatched.problems.is_empty() && dispatched.waiting > 0 => Outcome::ExitCode(3),
        _ if dispatched.problems.is_empty() => Outcome::Done,
        code => Outcome::ExitCode(code),
    }
}
