//! Which process is sending, and whether it still lives.

use crate::flow::Invoker;

/// A process, as others can recognise it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Process {
    /// Its machine.
    pub host: String,
    /// Its number there.
    pub pid: u32,
    /// When it began, in ticks since the machine did; numbers are given again. Unknown where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

impl Process {
    /// The process of a command.
    pub(crate) fn of(invoker: &Invoker) -> Process {
        Process { host: invoker.host.clone(), pid: invoker.pid, since: began(invoker.pid) }
    }

    /// Whether this process, which runs now, can tell that another one has ended.
    pub(super) fn knows_gone(&self, other: &Process) -> bool {
        let can_tell = self.host == other.host && self.since.is_some() && other.since.is_some();
        can_tell && self != other && began(other.pid) != other.since
    }
}

/// Whether a process of this machine has certainly ended; where the system does not say, it has not.
pub(super) fn has_ended(host: &str, pid: u32, here: &Invoker) -> bool {
    host == here.host && began(here.pid).is_some() && began(pid).is_none()
}

/// When a process began, in ticks since the machine did (field 22 of `/proc/<pid>/stat`).
fn began(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_ended_is_known_on_its_machine_only() {
        let here = Process { host: "a".into(), pid: std::process::id(), since: began(std::process::id()) };
        assert!(here.since.is_some() || !cfg!(target_os = "linux"));
        if !cfg!(target_os = "linux") {
            return;
        }
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let other = Process { host: "a".into(), pid: child.id(), since: began(child.id()) };
        assert!(!here.knows_gone(&other) && !here.knows_gone(&here));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(here.knows_gone(&other));
        // Another one has its number now.
        assert!(here.knows_gone(&Process { since: Some(1), ..here.clone() }));
        assert!(!here.knows_gone(&Process { host: "b".into(), ..other }));
    }
}
