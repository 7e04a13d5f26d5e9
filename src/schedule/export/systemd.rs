//! Units of systemd.

use super::fields::Fields;
use super::{ExportedFile, Installation, Job, run_arguments};
use perennial_project::{CatchUp, Delivery, MailServer, Project, Recipients};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
/// How long the scheduler has to end in order; its own grace time is shorter.
const STOP_SECONDS: u64 = 120;

/// `perennial schedule run` as a service.
pub(super) fn service(project: &Project, installation: &Installation) -> ExportedFile {
    let command = command_line(installation, &words(["schedule", "run", "--project", &folder(project)]));
    let text = format!(
        "# The nights of {name}. Install: copy to /etc/systemd/system, then `systemctl enable --now perennial.service`.\n\
         [Unit]\n\
         Description=perennial: {name}\n\
         Wants=network-online.target\n\
         After=network-online.target time-sync.target\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={command}\n\
         ExecReload=kill -HUP $MAINPID\n\
         Restart=on-failure\n\
         RestartSec=30s\n\
         # A mistake in the project is not mended by starting again.\n\
         RestartPreventExitStatus=2\n\
         WatchdogSec=5min\n\
         TimeoutStopSec={STOP_SECONDS}s\n\
         {common}\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        name = one_line(&project.name),
        common = common(project, installation),
    );
    ExportedFile { name: "perennial.service".to_string(), text }
}

/// A timer and a service for each pipeline.
pub(super) fn timers(project: &Project, jobs: &[Job<'_>], installation: &Installation) -> Vec<ExportedFile> {
    jobs.iter().flat_map(|job| [one_service(project, job, installation), timer(project, job)]).collect()
}

fn one_service(project: &Project, job: &Job<'_>, installation: &Installation) -> ExportedFile {
    let attempts = job.one.attempts;
    let command = command_line(installation, &run_arguments(job.one, &folder(project)));
    let limit = job.one.schedule.stop_after.map_or("infinity".to_string(), |limit| format!("{}s", limit.as_secs()));
    // As many attempts as the pipeline says. systemd counts what timers start as well.
    let limits = match attempts.max {
        0 | 1 => String::new(),
        max => {
            let interval = attempts.first_pause.as_secs().saturating_mul(max.into()).saturating_add(60);
            let burst = most_within(&job.fields, interval).saturating_mul(max.into());
            format!("StartLimitIntervalSec={interval}s\nStartLimitBurst={burst}\n")
        }
    };
    let again = match attempts.max {
        0 | 1 => String::new(),
        _ => format!(
            "# What could not be reached (exit code 3) may be reached later; the rest fails again.\n\
             Restart=on-failure\n\
             RestartPreventExitStatus=1 2 70\n\
             RestartSec={}s\n",
            attempts.first_pause.as_secs()
        ),
    };
    let text = format!(
        "[Unit]\n\
         Description=perennial: {pipeline} of {name}\n\
         Wants=network-online.target\n\
         After=network-online.target time-sync.target\n\
         {limits}\
         \n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart={command}\n\
         TimeoutStartSec={limit}\n\
         {again}\
         {common}",
        pipeline = job.one.pipeline,
        name = one_line(&project.name),
        common = common(project, installation),
    );
    ExportedFile { name: format!("perennial-{}.service", job.one.pipeline), text }
}

fn timer(project: &Project, job: &Job<'_>) -> ExportedFile {
    let notes: String = job.notes.iter().map(|note| format!("# {note}\n")).collect();
    let persistent = job.one.schedule.catch_up != CatchUp::None;
    let unit = format!("perennial-{}", job.one.pipeline);
    let text = format!(
        "# Install: copy both units to /etc/systemd/system, then `systemctl enable --now {unit}.timer`.\n\
         {notes}\
         [Unit]\n\
         Description=perennial: when {pipeline} of {name} runs\n\
         \n\
         [Timer]\n\
         OnCalendar={calendar} {zone}\n\
         # Whether a time that was missed while the machine was off is made up for.\n\
         Persistent={persistent}\n\
         AccuracySec=1s\n\
         RandomizedDelaySec=0\n\
         \n\
         [Install]\n\
         WantedBy=timers.target\n",
        pipeline = job.one.pipeline,
        name = one_line(&project.name),
        calendar = on_calendar(&job.fields),
        zone = job.zone,
    );
    ExportedFile { name: format!("{unit}.timer"), text }
}

/// The most planned times that lie within some seconds, on days that have them.
fn most_within(fields: &Fields, seconds: u64) -> u64 {
    const DAY: u64 = 24 * 60 * 60;
    let second = |time: jiff::civil::Time| u64::try_from(i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60);
    let times: Vec<u64> = fields.times().filter_map(|time| second(time).ok()).collect();
    let count = |times: usize| u64::try_from(times).unwrap_or(u64::MAX);
    let after = |first: u64| times.iter().filter(|time| (**time + DAY - first) % DAY < seconds % DAY).count();
    let most = times.iter().map(|first| after(*first)).max().unwrap_or(0);
    (count(most) + count(times.len()).saturating_mul(seconds / DAY)).max(1)
}

/// The times as systemd writes them: `Mon,Fri *-01,07-* 02,14:00:00`.
pub(super) fn on_calendar(fields: &Fields) -> String {
    let list = |set: &BTreeSet<u8>, all: usize| match set.len() == all {
        true => "*".to_string(),
        false => set.iter().map(|value| format!("{value:02}")).collect::<Vec<_>>().join(","),
    };
    let weekdays = match fields.weekdays.len() {
        7 => String::new(),
        _ => {
            let names: Vec<&str> = fields.weekdays.iter().map(|day| WEEKDAYS[usize::from(*day)]).collect();
            format!("{} ", names.join(","))
        }
    };
    let (months, days) = (list(&fields.months, 12), list(&fields.days, 31));
    let (hours, minutes) = (list(&fields.hours, 24), list(&fields.minutes, 60));
    format!("{weekdays}*-{months}-{days} {hours}:{minutes}:00")
}

/// What both kinds of services have: account, secrets, and what they may do.
fn common(project: &Project, installation: &Installation) -> String {
    let paths: Vec<String> = written_folders(project).iter().map(|path| quoted(&path.display().to_string())).collect();
    format!(
        "User={user}\n\
         WorkingDirectory={folder}\n\
         # Secrets: `password: ${{SMTP_PASSWORD}}` in the project is read from this file, which only root can read.\n\
         #LoadCredential=SMTP_PASSWORD:/etc/perennial/SMTP_PASSWORD\n\
         UMask=0027\n\
         ProtectSystem=strict\n\
         ProtectHome=read-only\n\
         ReadWritePaths={paths}\n\
         PrivateTmp=true\n\
         PrivateDevices=true\n\
         NoNewPrivileges=true\n\
         CapabilityBoundingSet=\n\
         LockPersonality=true\n\
         ProtectClock=true\n\
         ProtectControlGroups=true\n\
         ProtectHostname=true\n\
         ProtectKernelLogs=true\n\
         ProtectKernelModules=true\n\
         ProtectKernelTunables=true\n\
         RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n\
         RestrictNamespaces=true\n\
         RestrictRealtime=true\n\
         RestrictSUIDSGID=true\n\
         SystemCallArchitectures=native\n",
        user = installation.user,
        folder = escaped(&folder(project)),
        paths = paths.join(" "),
    )
}

/// The folders that runs write to: those in the project count as the project's folder, which exists.
fn written_folders(project: &Project) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::from([project.root.clone()]);
    let outside = |path: &Path| path.is_absolute() && !path.starts_with(&project.root);
    let mail = match project.mail.as_ref().map(|mail| &mail.server) {
        Some(MailServer::Folder(folder)) => Some(folder.clone()),
        _ => None,
    };
    let deliveries = project.reports.iter().flat_map(|report| &report.deliveries);
    let copies = deliveries.filter_map(|delivery: &Delivery| match &delivery.to {
        Recipients::Folder(folder) => Some(folder.clone()),
        _ => None,
    });
    let lake = PathBuf::from(&project.lake);
    let metrics = project.metrics_file.as_ref().and_then(|file| file.parent()).map(Path::to_path_buf);
    let all = [lake, project.reports_folder.clone()].into_iter().chain(mail).chain(metrics).chain(copies);
    folders.extend(all.filter(|path| outside(path)));
    folders
}

fn folder(project: &Project) -> String {
    project.root.display().to_string()
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.into_iter().map(str::to_string).collect()
}

fn command_line(installation: &Installation, arguments: &[String]) -> String {
    let words = std::iter::once(&installation.program).chain(arguments);
    words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word of a unit; `%` and `$` mean something else there.
fn quoted(word: &str) -> String {
    let text = escaped(word).replace('$', "$$");
    let plain = text.chars().all(|c| c.is_alphanumeric() || "-_./:%@+=,".contains(c));
    if plain { text } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
}

fn escaped(text: &str) -> String {
    text.replace('%', "%%")
}

fn one_line(text: &str) -> String {
    escaped(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
