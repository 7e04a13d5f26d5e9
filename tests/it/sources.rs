//! Sources that are not what they should be: pipes among the files, other encodings, tokens in locations.

use crate::support::{Ran, perennial, run};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

const TOKEN: &str = "T0KENs3cret";

const SQL: &str = "/* ---\ndescription: Rows\ngrain: [id]\n--- */\nSELECT id, name FROM {{ source('shop', 't') }}\n";

/// A project with one source; `location` is as its contract writes it.
fn project(location: &str, files: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let contract = format!(
        "description: The shop\nlocation: \"{location}\"\ntables:\n  t:\n    description: Rows\n    {files}\n    \
         key: [id]\n    columns:\n      id: {{type: integer, required: true}}\n      name: {{type: text}}\n"
    );
    for (path, text) in [
        ("perennial.yml", "name: Odd\nlake: lake\ntime_zone: Europe/Berlin\nas_of: 2026-11-22\n"),
        ("pipelines/nightly.yml", "description: Everything\n"),
        ("pipelines/sources/shop.yml", &contract),
        ("sql/core/t.sql", SQL),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    folder
}

fn verb(project: &Path, args: &[&str]) -> Ran {
    run(args.iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()]))
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_pipe_holds_up_nobody() {
    let folder = project("data", "files: \"t-*.csv\"\n    format: csv");
    std::fs::write(folder.path().join("data/t-1.csv"), "id,name\n1,a\n").unwrap();
    mkfifo(&folder.path().join("data/t-2.csv"));
    let ran = verb(folder.path(), &["run"]).ended(0);
    assert!(ran.stderr.contains("`t-2.csv` is a named pipe, not a file, so it is left out"), "{}", ran.stderr);
    let named = project("data", "files: t.csv\n    format: csv");
    mkfifo(&named.path().join("data/t.csv"));
    let ran = verb(named.path(), &["run"]).ended(1);
    assert!(ran.stderr.contains("`t.csv` is a named pipe where a file is expected"), "{}", ran.stderr);
    mkfifo(&folder.path().join("sql/core/u.sql"));
    let ran = verb(folder.path(), &["check"]).ended(2);
    assert!(ran.stderr.contains("sql/core/u.sql: cannot be read: it is a named pipe"), "{}", ran.stderr);
}

#[test]
fn other_letters_are_not_taken_without_a_word() {
    let folder = project("data", "files: \"t-*.csv\"\n    format: {csv: {encoding: gb18030}}");
    let file = folder.path().join("data/t-1.csv");
    std::fs::write(&file, "id,name\n1,黄娜\n").unwrap();
    for args in [&["run"][..], &["sources", "test"]] {
        let ran = verb(folder.path(), args);
        assert_eq!(ran.code, 1, "{args:?} {}", ran.stderr);
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains("`t-1.csv` is in utf-8, not in gb18030"), "{args:?} {said}");
    }
    // Müller in windows-1252.
    std::fs::write(&file, b"id,name\n1,M\xfcller\n").unwrap();
    for args in [&["run"][..], &["sources", "test"]] {
        let ran = verb(folder.path(), args).ended(0);
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains("stand in words of ASCII letters, such as `M黮`"), "{args:?} {said}");
    }
}

#[test]
fn no_location_takes_a_token_and_none_is_shown() {
    for written in [
        "az://c/x?sig=",
        "s3://b/x?X-Amz-Signature=",
        "gs://b/x?x-goog-signature=",
        "abfss://c@a.dfs.core.windows.net/x?sig=",
        "https://127.0.0.1:9/x?api_key=",
        "sftp://u:",
    ] {
        let (end, table) = match written.split(':').next() {
            Some("sftp") => ("@127.0.0.1/x", "files: \"*.csv\"\n    format: csv"),
            Some("https") => ("", "path: /t"),
            _ => ("", "files: \"*.csv\"\n    format: csv"),
        };
        for value in ["${TOK}", TOKEN] {
            let folder = project(&format!("{written}{value}{end}"), table);
            let location = format!("{written}{TOKEN}{end}");
            for args in [&["check"][..], &["run"], &["sources", "test"], &["sources", "discover", &location]] {
                let args = args.iter().copied().chain(["--project", folder.path().to_str().unwrap()]);
                let ran = Ran::from(perennial(args).env("TOK", TOKEN).output().unwrap()).ended(2);
                let said = ran.stdout + &ran.stderr;
                assert!(
                    said.contains("the location contains") || said.contains("the query contains `api_key`"),
                    "{said}"
                );
                assert!(!said.contains(TOKEN), "{said}");
            }
            assert!(!folder.path().join("lake").exists());
        }
    }
}

/// A store that refuses every request and repeats the address of the request in its answer.
fn refusing_store() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 8192];
            let count = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..count]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or("/").to_string();
            let body = format!("<Error>http://127.0.0.1{path} is refused</Error>");
            let answer = format!(
                "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    port
}

#[test]
fn what_a_store_answers_is_kept_without_tokens() {
    let port = refusing_store();
    let endpoint = format!("http://127.0.0.1:{port}");
    let azure = [
        ("AZURE_STORAGE_ACCOUNT_NAME", "account".to_string()),
        ("AZURE_STORAGE_ENDPOINT", endpoint.clone()),
        ("AZURE_ALLOW_HTTP", "true".to_string()),
        ("AZURE_STORAGE_SAS_TOKEN", format!("sv=2024-01-01&sig={TOKEN}")),
    ];
    let s3 = [
        ("AWS_ENDPOINT_URL", format!("http://key:{TOKEN}@127.0.0.1:{port}")),
        ("AWS_ALLOW_HTTP", "true".to_string()),
        ("AWS_REGION", "us-east-1".to_string()),
        ("AWS_ACCESS_KEY_ID", "test".to_string()),
        ("AWS_SECRET_ACCESS_KEY", TOKEN.to_string()),
    ];
    for (location, env) in [("az://c/x", &azure[..]), ("s3://b/x", &s3[..])] {
        for files in ["t.csv", "\"t-*.csv\""] {
            let folder = project(location, &format!("files: {files}\n    format: csv"));
            let command = |args: &[&str]| {
                let mut command = perennial(args.iter().copied().chain(["--project", folder.path().to_str().unwrap()]));
                env.iter().for_each(|(name, value)| _ = command.env(name, value));
                Ran::from(command.output().unwrap())
            };
            let mut said = Vec::new();
            for args in [&["run"][..], &["sources", "test"], &["sources", "discover", location]] {
                let ran = command(args).ended(3);
                said.push(ran.stdout + &ran.stderr);
            }
            let kept =
                command(&["query", "SELECT message FROM system.sources UNION ALL SELECT message FROM system.runs"]);
            said.push(kept.ended(0).stdout);
            for said in said {
                assert!(!said.contains(TOKEN), "{location}: {said}");
            }
        }
    }
}
