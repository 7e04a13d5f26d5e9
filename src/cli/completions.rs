//! `perennial completions`.

use super::output::Format;
use super::{Cli, Context, Outcome, Verb};
use clap::CommandFactory;
use clap_complete::Shell;
use perennial_core::error::Problems;

/// Write what lets a shell complete verbs and options
#[derive(clap::Args)]
#[command(after_help = "As in: perennial completions bash > ~/.local/share/bash-completion/completions/perennial")]
pub(super) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[async_trait::async_trait(?Send)]
impl Verb for Completions {
    fn format(&self) -> Format {
        Format::Text
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "perennial", &mut script);
        context.printer.text(&String::from_utf8_lossy(&script))?;
        Ok(Outcome::Done)
    }
}
