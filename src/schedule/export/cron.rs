//! A crontab.

use super::{ExportedFile, Installation, Job, run_arguments};
use perennial_project::Project;

/// The lines of all pipelines.
pub(super) fn crontab(project: &Project, jobs: &[Job<'_>], installation: &Installation) -> ExportedFile {
    let folder = project.root.display().to_string();
    let zone = &project.time_zone;
    let mut text = format!(
        "# The nights of {name}. Install: `crontab -e` as {user}.\n\
         # CRON_TZ is understood by cronie (Red Hat, SUSE, Arch), not by the cron of Debian and Ubuntu, which reads times in\n\
         # the zone of the machine (`timedatectl`): there the machine must be in {zone}, or use systemd timers.\n\
         # cron makes up for nothing that was missed while the machine was off.\n\
         CRON_TZ={zone}\n",
        name = project.name.split_whitespace().collect::<Vec<_>>().join(" "),
        user = installation.user,
    );
    for job in jobs {
        let words = run_arguments(job.one, &folder);
        let command = std::iter::once(&installation.program).chain(&words);
        let command = command.map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        text.push('\n');
        job.notes.iter().for_each(|note| text.push_str(&format!("# {note}\n")));
        text.push_str(&format!("{} {command}\n", job.fields.text));
    }
    ExportedFile { name: "perennial.crontab".to_string(), text }
}

/// A word for the shell; a percent sign ends the command in a crontab.
fn quoted(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@+=,".contains(c));
    let text = if plain { word.to_string() } else { format!("'{}'", word.replace('\'', "'\\''")) };
    text.replace('%', "\\%")
}
