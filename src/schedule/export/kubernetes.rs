//! CronJobs of Kubernetes.

use super::{ExportedFile, Job, run_arguments};
use perennial_project::{CatchUp, Project};

/// Where the project is in the container.
const FOLDER: &str = "/project";
/// Without `stop_after` a run is ended after six hours, so that it does not block the next ones for ever.
const LIMIT_SECONDS: u64 = 6 * 3600;
/// How late a run may start: what the controller is asked for is what it makes up for.
const LATE_SECONDS: u64 = 12 * 3600;
const ON_TIME_SECONDS: u64 = 300;

/// A CronJob for each pipeline.
pub(super) fn cron_jobs(project: &Project, jobs: &[Job<'_>], image: &str) -> Vec<ExportedFile> {
    jobs.iter().map(|job| cron_job(project, job, image)).collect()
}

fn cron_job(project: &Project, job: &Job<'_>, image: &str) -> ExportedFile {
    let schedule = &job.one.schedule;
    let notes: String = job.notes.iter().map(|note| format!("# {note}\n")).collect();
    let name = format!("perennial-{}", resource_name(&job.one.pipeline));
    let limit = schedule.stop_after.map_or(LIMIT_SECONDS, |limit| limit.as_secs().max(1));
    let late = if schedule.catch_up == CatchUp::None { ON_TIME_SECONDS } else { LATE_SECONDS };
    let arguments: String =
        run_arguments(job.one, FOLDER).iter().map(|word| format!("                - {}\n", quoted(word))).collect();
    let memory = project.memory_limit_bytes / (1 << 20) + 1;
    let text = format!(
        "{notes}\
         apiVersion: batch/v1\n\
         kind: CronJob\n\
         metadata:\n\
         \x20 name: {name}\n\
         \x20 labels:\n\
         \x20   app.kubernetes.io/name: perennial\n\
         spec:\n\
         \x20 schedule: {line}\n\
         \x20 timeZone: {zone}\n\
         \x20 concurrencyPolicy: Forbid\n\
         \x20 # After 100 missed times without a deadline the controller gives up for ever.\n\
         \x20 startingDeadlineSeconds: {late}\n\
         \x20 successfulJobsHistoryLimit: 3\n\
         \x20 failedJobsHistoryLimit: 5\n\
         \x20 jobTemplate:\n\
         \x20   spec:\n\
         \x20     # A failed test fails again; exit code 3 says that a later try may help.\n\
         \x20     backoffLimit: 0\n\
         \x20     activeDeadlineSeconds: {limit}\n\
         \x20     template:\n\
         \x20       spec:\n\
         \x20         restartPolicy: Never\n\
         \x20         automountServiceAccountToken: false\n\
         \x20         securityContext:\n\
         \x20           runAsNonRoot: true\n\
         \x20           runAsUser: 10001\n\
         \x20           runAsGroup: 10001\n\
         \x20           fsGroup: 10001\n\
         \x20           seccompProfile:\n\
         \x20             type: RuntimeDefault\n\
         \x20         containers:\n\
         \x20           - name: perennial\n\
         \x20             image: {image}\n\
         \x20             args:\n\
         {arguments}\
         \x20             envFrom:\n\
         \x20               # Secrets that the project names as ${{NAME}}.\n\
         \x20               - secretRef:\n\
         \x20                   name: perennial\n\
         \x20                   optional: true\n\
         \x20             resources:\n\
         \x20               requests:\n\
         \x20                 cpu: \"1\"\n\
         \x20                 memory: {memory}Mi\n\
         \x20               limits:\n\
         \x20                 # `memory_limit` is what queries may use; the rest of the program needs room as well.\n\
         \x20                 memory: {most}Mi\n\
         \x20             securityContext:\n\
         \x20               allowPrivilegeEscalation: false\n\
         \x20               readOnlyRootFilesystem: true\n\
         \x20               capabilities:\n\
         \x20                 drop: [ALL]\n\
         \x20             volumeMounts:\n\
         \x20               - name: project\n\
         \x20                 mountPath: {FOLDER}\n\
         \x20               - name: tmp\n\
         \x20                 mountPath: /tmp\n\
         \x20         volumes:\n\
         \x20           - name: project\n\
         \x20             persistentVolumeClaim:\n\
         \x20               claimName: perennial-project\n\
         \x20           - name: tmp\n\
         \x20             emptyDir: {{}}\n",
        line = quoted(&job.fields.text),
        zone = quoted(&job.zone),
        image = quoted(image),
        most = memory.saturating_mul(2).max(1024),
    );
    ExportedFile { name: format!("{name}.yaml"), text }
}

/// A name that Kubernetes takes: lower case, digits and hyphens, at most 52 characters with what stands before it.
fn resource_name(pipeline: &str) -> String {
    let lower = pipeline.to_lowercase();
    let allowed = lower.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' });
    allowed.take(42).collect::<String>().trim_matches('-').to_string()
}

/// A YAML string in double quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
