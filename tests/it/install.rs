//! What somebody installs: the version, completions, manual pages, the wheel, the tarball, the container.

use crate::support::{python, run};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program of a machine, or `None` and a line that says what is skipped.
fn machine(program: impl AsRef<std::ffi::OsStr>) -> Option<Command> {
    let program = program.as_ref();
    if Command::new(program).arg("--version").output().is_ok() {
        return Some(Command::new(program));
    }
    eprintln!("ignored: {} is not installed", program.display());
    None
}

#[track_caller]
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{}\n{said}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

/// The verbs that a help text names.
fn verbs_of(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_string).collect()
}

fn is_version(text: &str) -> bool {
    let beginning = format!("perennial {} (", env!("CARGO_PKG_VERSION"));
    let commit = text.trim_end().strip_prefix(&beginning).and_then(|rest| rest.strip_suffix(')'));
    commit.is_some_and(|commit| commit == "unknown" || commit.len() >= 12)
}

#[test]
fn the_version_names_a_commit_of_the_history() {
    let version = run(["--version"]).ended(0).stdout;
    assert!(is_version(&version), "{version}");
    assert_eq!(run(["-V"]).ended(0).stdout, version);
    let commit = version.trim_end().rsplit(['(', ')']).nth(1).unwrap().to_string();
    if commit == "unknown" {
        assert!(!root().join(".git").exists(), "a repository knows its commit");
        return;
    }
    let Some(mut git) = machine("git") else { return };
    done(git.current_dir(root()).args(["merge-base", "--is-ancestor", &commit, "HEAD"]));
}

#[test]
fn shells_complete_verbs_and_options() {
    let verbs = verbs_of(&run(["--help"]).ended(0).stdout);
    assert!(verbs.len() > 15, "{verbs:?}");
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(["completions", shell]).ended(0).stdout;
        let missing: Vec<&String> = verbs.iter().filter(|verb| !script.contains(verb.as_str())).collect();
        assert!(missing.is_empty(), "{shell} does not know {missing:?}");
        std::fs::write(folder.path().join(shell), script).unwrap();
    }
    let unknown = run(["completions", "tcsh"]).ended(2);
    assert!(unknown.stderr.contains("possible values: bash"), "{}", unknown.stderr);
    let script = |shell: &str| folder.path().join(shell);
    let bash = format!(
        "source {}; COMP_WORDS=(perennial chec); COMP_CWORD=1; _perennial perennial chec perennial; echo ${{COMPREPLY[@]}}",
        script("bash").display()
    );
    assert_eq!(done(Command::new("bash").args(["--norc", "-c", &bash])).trim(), "check");
    if let Some(mut zsh) = machine("zsh") {
        done(zsh.arg("-n").arg(script("zsh")));
    }
    if let Some(mut fish) = machine("fish") {
        let line = format!("source {}; complete -C 'perennial run --full-r'", script("fish").display());
        let completed = done(fish.args(["--no-config", "-c", &line]));
        assert!(completed.starts_with("--full-refresh"), "{completed}");
    }
}

#[test]
fn every_verb_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    run(["man".as_ref(), pages.as_os_str()]).ended(0);
    let mut expected = BTreeSet::from(["perennial.1".to_string()]);
    let mut open = vec![Vec::<String>::new()];
    while let Some(words) = open.pop() {
        let help = run(words.iter().map(String::as_str).chain(["--help"])).ended(0).stdout;
        for verb in verbs_of(&help) {
            let words: Vec<String> = words.iter().cloned().chain([verb]).collect();
            expected.insert(format!("perennial-{}.1", words.join("-")));
            open.push(words);
        }
    }
    let found = std::fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(found.collect::<BTreeSet<_>>(), expected);
    if let Some(mut man) = machine("man") {
        // Warnings of the typesetter are faults of the page.
        let shown = man.args(["--warnings", "-E", "UTF-8", "-l"]).args(expected.iter().map(|page| pages.join(page)));
        let output = shown.env("MANWIDTH", "100").env("PAGER", "cat").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(String::from_utf8_lossy(&output.stdout).contains("--full-refresh"));
    }
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = run(["man".as_ref(), file.as_os_str()]).ended(2);
    assert!(refused.stderr.contains("cannot write manual pages"), "{}", refused.stderr);
}

/// What the repository's files embed of other folders must be there when the container is built.
#[test]
fn the_container_copies_what_the_build_reads() {
    let text = std::fs::read_to_string(root().join("packaging/Containerfile")).unwrap();
    let from_context = text.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from"));
    let copied: BTreeSet<&str> = from_context.flat_map(|line| line.split(' ').skip(1)).collect();
    for always in ["Cargo.toml", "Cargo.lock", "build.rs", "src", "crates"] {
        assert!(copied.contains(always), "{always}");
    }
    let embeds = regex::Regex::new(r#"include_(?:str|bytes|dir)!\((?:[^;]*?)"([^"]*\.\./\.\./[^"]*)""#).unwrap();
    let mut seen = 0;
    for file in ["crates", "src"].iter().flat_map(|folder| crate::rust_source::files(folder, &[".rs"])) {
        let source = std::fs::read_to_string(&file).unwrap();
        for (_, [path]) in embeds.captures_iter(&source).map(|found| found.extract()) {
            let Some(name) = path.rsplit("../").next().and_then(|rest| rest.split('/').next()) else { continue };
            if !name.is_empty() && root().join(name).exists() {
                seen += 1;
                assert!(copied.contains(name), "{} embeds `{name}`", file.display());
            }
        }
    }
    assert!(seen >= 6, "{seen} embedded folders and files found");
    let beside = python().get_program().to_owned();
    if let Some(mut hadolint) = machine(Path::new(&beside).with_file_name("hadolint")) {
        done(hadolint.arg(root().join("packaging/Containerfile")));
    }
}

/// A release as `scripts/release` makes it, of the program that the tests run.
#[test]
fn a_release_installs_without_a_compiler_and_says_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str| folder.path().join(name);
    done(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(in_folder("key")));
    let made = in_folder("release");
    let mut release = python();
    release.arg(root().join("scripts/release")).args(["--program", env!("CARGO_BIN_EXE_perennial")]).arg(&made);
    done(release.env("PERENNIAL_SIGN_KEY", in_folder("key")).env("SOURCE_DATE_EPOCH", "1700000000"));
    let named = |ending: &str| -> PathBuf {
        let files = std::fs::read_dir(&made).unwrap().map(|entry| entry.unwrap().path());
        let found: Vec<PathBuf> = files.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
        assert_eq!(found.len(), 1, "{ending}: {found:?}");
        found[0].clone()
    };

    // Checksums and signature, as somebody else verifies them.
    done(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&made));
    let key = std::fs::read_to_string(in_folder("key.pub")).unwrap();
    std::fs::write(in_folder("signers"), format!("release@example.com {key}")).unwrap();
    let verify = |sums: &Path| {
        let mut verify = Command::new("ssh-keygen");
        verify.args(["-Y", "verify", "-n", "perennial", "-I", "release@example.com", "-f"]).arg(in_folder("signers"));
        verify.arg("-s").arg(named("SHA256SUMS.sig")).stdin(std::fs::File::open(sums).unwrap());
        verify.output().unwrap().status.success()
    };
    assert!(verify(&made.join("SHA256SUMS")));
    std::fs::write(in_folder("forged"), "0".repeat(64)).unwrap();
    assert!(!verify(&in_folder("forged")));

    // The tarball: order, owner and time are not those of this machine.
    let listed = done(
        Command::new("tar")
            .args(["--list", "--verbose", "--numeric-owner", "--utc", "--full-time", "-f"])
            .arg(named(".tar.gz")),
    );
    let mut paths = Vec::new();
    for line in listed.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((fields[1], fields[3], fields[4]), ("0/0", "2023-11-14", "22:13:20"), "{line}");
        paths.push(fields[5].split_once('/').unwrap().1.to_string());
    }
    assert!(paths.is_sorted(), "{paths:?}");
    for file in ["LICENSE", "THIRD-PARTY-LICENSES.txt", "completions/perennial.zsh", "man/perennial-run.1", "perennial"]
    {
        assert!(paths.iter().any(|path| path == file), "{file}: {paths:?}");
    }
    done(Command::new("tar").arg("-xf").arg(named(".tar.gz")).arg("--strip-components=1").current_dir(folder.path()));
    assert!(is_version(&done(Command::new(in_folder("perennial")).arg("--version"))));

    // What it is made of: neither more nor less than what is linked.
    let licences = std::fs::read_to_string(in_folder("THIRD-PARTY-LICENSES.txt")).unwrap();
    for part in
        ["\n- datafusion 55", "\n- ring 0", "\n- typst-pdf 0", "SIL OPEN FONT LICENSE", "Mozilla Public License"]
    {
        assert!(licences.contains(part), "{part}");
    }
    for absent in ["\n- insta ", "\n- proptest ", "\n- serde_derive "] {
        assert!(!licences.contains(absent), "{absent}");
    }
    let bom = std::fs::read_to_string(in_folder("perennial.cyclonedx.json")).unwrap();
    assert!(!bom.contains(&*root().to_string_lossy()), "the SBOM names a folder of this machine");
    let bom: serde_json::Value = serde_json::from_str(&bom).unwrap();
    let components = bom["components"].as_array().unwrap();
    let locked = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in ["datafusion", "lettre", "ring"] {
        let component = components.iter().find(|component| component["name"] == name).unwrap();
        assert!(component["purl"].as_str().unwrap().starts_with(&format!("pkg:cargo/{name}@")), "{component}");
        assert!(locked.contains(component["hashes"][0]["content"].as_str().unwrap()), "{component}");
    }

    // The wheel, in an environment that has nothing, on a machine without a compiler.
    let environment = in_folder("environment");
    done(python().args(["-m", "venv"]).arg(&environment));
    let pip = Command::new(environment.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check"])
        .arg(named(".whl"))
        .env("PATH", environment.join("bin"))
        .output()
        .unwrap();
    assert!(pip.status.success(), "{}", String::from_utf8_lossy(&pip.stderr));
    let installed = done(Command::new(environment.join("bin/perennial")).arg("--version"));
    assert!(is_version(&installed), "{installed}");
    let listed = done(Command::new(environment.join("bin/python")).args(["-m", "pip", "show", "--files", "perennial"]));
    for file in ["LICENSE", "THIRD-PARTY-LICENSES.txt", "perennial.cyclonedx.json", "bin/perennial"] {
        assert!(listed.contains(file), "{file}: {listed}");
    }
}
