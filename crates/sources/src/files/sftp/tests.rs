use crate::csv::CsvReader;
use crate::files::{Files, SourceFile};
use crate::kinds::open_files;
use crate::parquet::ParquetReader;
use crate::testing::{PLAIN, drain, gzip, long_parquet, names, rows, write};
use crate::typed::TypedReader;
use perennial_core::contract::{Access, Secret};
use perennial_core::error::{Error, Kind, Result};
use perennial_testing::{SshServer, new_ssh_key};
use russh::server::Auth;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

async fn open(server: &SshServer, folder: &Path, access: &Access) -> Files {
    open_files(&server.location(folder), access).await.unwrap()
}

async fn paths(files: &Files, glob: &str) -> Vec<String> {
    files.list(glob).await.unwrap().files.into_iter().map(|file| file.path).collect()
}

async fn csv(files: &Files, file: &SourceFile) -> Result<Vec<(u64, Vec<String>)>> {
    let bytes = files.read(file).await?;
    let read = tokio::task::spawn_blocking(move || drain(CsvReader::open(bytes, &PLAIN, &names(&["a", "b"]))?));
    read.await.unwrap().map(|read| read.rows)
}

async fn refused(server: &SshServer, access: &Access) -> Error {
    open(server, server.folder.path(), access).await.list("*").await.unwrap_err()
}

fn password(text: &str) -> Option<Secret> {
    Some(Secret::Environment(format!("${{PERENNIAL_UNSET:-{text}}}")))
}

/// A connection ends with the files that it was for.
async fn all_closed(server: &SshServer) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.connections() > 0 {
        assert!(Instant::now() < deadline, "a connection stays open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_listed_as_local_ones_are() {
    let server = SshServer::start();
    let folder = server.path("in box");
    for name in
        ["b.csv", "a.csv", ".a.csv", "a.csv.part", "2026/01/客户.csv", "2026/02/x.csv", "2026/.git/x.csv", "~$x.csv"]
    {
        write(&folder, name, b"a,b\n1,2\n");
    }
    std::os::unix::fs::symlink(folder.join("2026/02"), folder.join("linked")).unwrap();
    std::os::unix::fs::symlink(&folder, folder.join("2026/again")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.join("gone.csv")).unwrap();
    std::os::unix::fs::symlink("a.csv", folder.join("z.csv")).unwrap();
    let files = open(&server, &folder, &server.access()).await;
    let local = open_files(folder.to_str().unwrap(), &Access::default()).await.unwrap();
    for glob in
        ["*.csv", "**/*.csv", "**", "2026/*/*.csv", "{a,b}.csv", "a.csv", "2026/01/客户.csv", "none.csv", "no/*", "*/*"]
    {
        assert_eq!(paths(&files, glob).await, paths(&local, glob).await, "{glob}");
    }
    assert_eq!(paths(&files, "*.csv").await, ["a.csv", "b.csv", "z.csv"]);
    assert_eq!(
        paths(&files, "**/*.csv").await,
        ["2026/01/客户.csv", "2026/02/x.csv", "a.csv", "b.csv", "linked/x.csv", "z.csv"]
    );
    assert_eq!(server.connections(), 1);
    let file = files.list("a.csv").await.unwrap().files.remove(0);
    let same = local.list("a.csv").await.unwrap().files.remove(0);
    assert_eq!((file.bytes, file.modified.as_second()), (same.bytes, same.modified.as_second()));
    assert_eq!(files.content_hash(&file).await.unwrap(), None);
    assert_eq!(csv(&files, &file).await.unwrap(), rows(&[(2, &["1", "2"])]));
    drop(files);
    all_closed(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_packed_files_and_parquet_are_read_whole() {
    let server = SshServer::start();
    let folder = server.path("in");
    let long: String = (0..600_000).map(|i| format!("{i},row {i}\n")).collect();
    write(&folder, "long.csv", format!("a,b\n{long}").as_bytes());
    write(&folder, "small.csv.gz", &gzip(b"a,b\n1,2\n"));
    write(&folder, "long.parquet", &long_parquet(400_000));
    let files = open(&server, &folder, &server.access()).await;
    let list = files.list("*").await.unwrap().files;
    let read = csv(&files, &list[0]).await.unwrap();
    assert_eq!(read.len(), 600_000);
    assert!(read.iter().enumerate().all(|(i, (line, cells))| {
        *line == i as u64 + 2 && cells[0] == i.to_string() && cells[1] == format!("row {i}")
    }));
    assert_eq!(csv(&files, &list[2]).await.unwrap(), rows(&[(2, &["1", "2"])]));
    let parquet = list[1].clone();
    assert!(parquet.bytes > 8 * 1024 * 1024);
    let sum = tokio::task::spawn_blocking(move || {
        use arrow::array::AsArray;
        let mut reader = ParquetReader::open(&files, &parquet, None, |_| true).unwrap();
        let mut sum = 0;
        while let Some(rows) = reader.next_rows().unwrap() {
            sum += rows.batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().values().iter().sum::<i64>();
        }
        sum
    });
    assert_eq!(sum.await.unwrap(), 400_000 * 399_999 / 2);
    all_closed(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_home_of_the_account_is_a_place_too() {
    let server = SshServer::start();
    let home = std::env::home_dir().unwrap();
    let inside = tempfile::Builder::new().prefix("perennial-test").tempdir_in(&home).unwrap();
    write(inside.path(), "a.csv", b"a,b\n1,2\n");
    let name = inside.path().file_name().unwrap().to_str().unwrap();
    let location = format!("sftp://127.0.0.1:{}/~/{name}", server.port);
    let files = open_files(&location, &server.access()).await.unwrap();
    let found = files.list("**/*.csv").await.unwrap().files;
    assert_eq!(csv(&files, &found[0]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_made_again_between_files_only() {
    let server = SshServer::start();
    let folder = server.path("in");
    write(&folder, "a.csv", b"a,b\n1,2\n");
    let long: String = (0..4_000_000).map(|i| format!("{i},row\n")).collect();
    write(&folder, "long.csv", format!("a,b\n{long}").as_bytes());
    let files = open(&server, &folder, &server.access()).await;
    let list = files.list("*").await.unwrap().files;
    server.drop_connections();
    assert_eq!(csv(&files, &list[0]).await.unwrap().len(), 1);
    server.drop_connections();
    assert_eq!(paths(&files, "*").await.len(), 2);
    // Lost in the middle of a file, after what was fetched ahead.
    let bytes = files.read(&list[1]).await.unwrap();
    server.drop_connections();
    let read = tokio::task::spawn_blocking(move || drain(CsvReader::open(bytes, &PLAIN, &names(&["a", "b"]))?));
    let error = read.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("cannot read `long.csv` from 127.0.0.1:"), "{error}");
    assert_eq!(csv(&files, &list[0]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_while_it_is_read_is_noticed() {
    let server = SshServer::start();
    let folder = server.path("in");
    write(&folder, "a.csv", b"a,b\n1,2\n");
    let files = open(&server, &folder, &server.access()).await;
    let file = files.list("a.csv").await.unwrap().files.remove(0);
    write(&folder, "a.csv", b"a,b\n1,2\n3,4\n");
    let error = csv(&files, &file).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("`a.csv` changed while it was read"), "{error}");
    // The same size, at another time.
    write(&folder, "a.csv", b"a,b\n1,3\n");
    let later = std::time::SystemTime::from(file.modified) + Duration::from_secs(5);
    std::fs::File::options().write(true).open(folder.join("a.csv")).unwrap().set_modified(later).unwrap();
    let error = csv(&files, &file).await.unwrap_err();
    assert!(error.message().contains("`a.csv` changed while it was read: last modified"), "{error}");
    std::fs::remove_file(folder.join("a.csv")).unwrap();
    let error = files.read(&file).await.map(|_| ()).unwrap_err();
    assert!(error.message().contains("`a.csv` does not exist on 127.0.0.1:"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parquet_file_that_changes_while_it_is_read_is_noticed() {
    let server = SshServer::start();
    let folder = server.path("in");
    let bytes = long_parquet(400_000);
    write(&folder, "a.parquet", &bytes);
    let files = open(&server, &folder, &server.access()).await;
    let file = files.list("*").await.unwrap().files.remove(0);
    let later = std::time::SystemTime::from(file.modified) + Duration::from_secs(5);
    let read = tokio::task::spawn_blocking(move || {
        let mut reader = ParquetReader::open(&files, &file, None, |_| true).unwrap();
        reader.next_rows().unwrap().unwrap();
        // In place, of the same size.
        let mut rewritten = std::fs::File::options().write(true).open(folder.join("a.parquet")).unwrap();
        std::io::Write::write_all(&mut rewritten, &bytes).unwrap();
        rewritten.set_modified(later).unwrap();
        while reader.next_rows().unwrap().is_some() {}
        reader.finish()
    });
    let error = read.await.unwrap().unwrap_err();
    assert!(error.message().contains("`a.parquet` changed while it was read: last modified"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_is_named() {
    let server = SshServer::start();
    let folder = server.path("in");
    write(&folder, "t-1.csv", b"a,b\n1,2\n");
    write(&folder, "t-2.csv/part.csv", b"x");
    assert!(std::process::Command::new("mkfifo").arg(folder.join("t-3.csv")).status().unwrap().success());
    let files = open(&server, &folder, &server.access()).await;
    let listing = files.list("t-*.csv").await.unwrap();
    assert_eq!(listing.files.len(), 1);
    assert_eq!(
        listing.left_out,
        [
            "`t-2.csv` is a folder, not a file, so it is left out",
            "`t-3.csv` is a pipe, a device or a socket, not a file, so it is left out"
        ]
    );
    let error = files.list("t-3.csv").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.message().contains("`t-3.csv` is a pipe, a device or a socket where a file is expected"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_known_by_their_keys() {
    let server = SshServer::start();
    let mut access = server.access();
    // Hashed, as Debian writes them.
    let hosts = server.known_hosts();
    assert!(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&hosts).output().unwrap().status.success());
    assert!(std::fs::read_to_string(&hosts).unwrap().starts_with("|1|"));
    assert!(open(&server, server.folder.path(), &access).await.list("*").await.is_ok());

    let known = std::fs::read_to_string(&hosts).unwrap();
    let key = std::fs::read_to_string(server.path("host.pub")).unwrap();
    std::fs::write(&hosts, format!("{known}@revoked * {key}")).unwrap();
    assert!(refused(&server, &access).await.message().contains("is revoked in"));

    std::fs::write(&hosts, "").unwrap();
    let error = refused(&server, &access).await;
    let output = Command::new("ssh-keygen").arg("-lf").arg(server.path("host.pub")).output().unwrap();
    let fingerprint = String::from_utf8(output.stdout).unwrap().split(' ').nth(1).unwrap().to_string();
    assert_eq!(error.kind(), Kind::Project);
    assert!(error.message().contains(&format!("it presents the key {fingerprint} (ssh-ed25519)")), "{error}");
    let command = format!("ssh-keyscan -p {} 127.0.0.1 >> {}", server.port, hosts.display());
    assert!(error.hint_text().unwrap().contains(&command), "{:?}", error.hint_text());
    // The command does what the hint says.
    assert!(Command::new("sh").args(["-c", &command]).output().unwrap().status.success());
    assert!(open(&server, server.folder.path(), &access).await.list("*").await.is_ok());

    let other = std::fs::read_to_string(server.path("key.pub")).unwrap();
    std::fs::write(&hosts, format!("# a line\n[127.0.0.1]:{} {other}", server.port)).unwrap();
    let error = refused(&server, &access).await;
    assert_eq!(error.kind(), Kind::Project);
    assert!(error.message().contains("changed") && error.message().contains(&fingerprint), "{error}");
    assert!(error.message().contains("known_hosts has SHA256:") && error.message().ends_with("line 2"), "{error}");

    access.known_hosts_file = Some(server.path("nothing"));
    let error = refused(&server, &access).await;
    assert!(error.message().contains("cannot read the known hosts in") && error.kind() == Kind::Project, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_let_in_by_any_kind_of_key() {
    let server = SshServer::start();
    let mut access = server.access();
    for (name, kind, passphrase) in [("rsa", "rsa", ""), ("ecdsa", "ecdsa", ""), ("locked", "ed25519", "open sesame")] {
        new_ssh_key(&server.path(name), kind, passphrase);
        std::fs::copy(server.path(&format!("{name}.pub")), server.path("authorized")).unwrap();
        access.private_key_file = Some(server.path(name));
        access.password = if passphrase.is_empty() { None } else { password(passphrase) };
        let listed = open(&server, server.folder.path(), &access).await.list("*").await;
        assert!(listed.is_ok(), "{name}: {listed:?}");
    }
    access.password = password("open barley");
    let error = refused(&server, &access).await;
    assert!(error.message().contains("cannot be decrypted with the passphrase in `password`"), "{error}");
    access.password = None;
    let error = refused(&server, &access).await;
    assert!(error.message().contains("is protected by a passphrase"), "{error}");
    assert!(error.hint_text().unwrap().contains("password: ${"), "{error}");
    access.private_key_file = Some(server.path("host.pub"));
    assert!(refused(&server, &access).await.message().contains("cannot be read"));
    access.private_key_file = Some(server.path("none"));
    assert!(refused(&server, &access).await.message().contains("cannot be read: No such file"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_account_is_told_by_what_and_never_the_password() {
    let server = SshServer::start();
    let mut access = server.access();
    new_ssh_key(&server.path("stranger"), "ed25519", "");
    access.private_key_file = Some(server.path("stranger"));
    let error = refused(&server, &access).await;
    assert_eq!(error.kind(), Kind::Project);
    assert!(
        error.message().contains("refuses the user `") && error.message().ends_with("with its private key"),
        "{error}"
    );
    assert!(error.hint_text().unwrap().contains("the server accepts publickey, password"), "{error:?}");
    access.password = password("wrong-s3cret");
    access.private_key_file = None;
    let error = refused(&server, &access).await;
    assert_eq!(error.kind(), Kind::Project);
    assert!(error.message().ends_with("with its password"), "{error}");
    assert!(!format!("{error:?} {access:?}").contains("s3cret"), "{error:?}");
    access.password = None;
    let error = refused(&server, &access).await;
    assert!(error.message().contains("no credentials for"), "{error}");
    access.user = None;
    let error = open_files(&server.location(Path::new("/x")), &access).await.unwrap_err();
    assert!(error.message().contains("no user is named for an SFTP server"), "{error}");
    let error = open_files("sftp://me:s3cret@host/x", &access).await.unwrap_err();
    assert!(error.kind() == Kind::Project && !error.to_string().contains("s3cret"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_not_ours_is_said() {
    let server = SshServer::start();
    let folder = server.path("in");
    write(&folder, "a.csv", b"x");
    let mut access = server.access();
    let error = open(&server, &server.path("none"), &access).await.list("*").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(
        error.message().starts_with("cannot read ") && error.message().contains("/none` does not exist on 127.0.0.1:"),
        "{error}"
    );
    let error = open(&server, &folder.join("a.csv"), &access).await.list("*").await.unwrap_err();
    assert!(error.message().contains("is not a folder"), "{error}");
    std::fs::write(folder.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xbf\xcd.csv")), b"x")
        .unwrap();
    for files in [open(&server, &folder, &access).await, open_files(folder.to_str().unwrap(), &access).await.unwrap()] {
        let error = files.list("*.csv").await.unwrap_err();
        assert!(error.kind() == Kind::Data && error.message().contains("is not UTF-8"), "{error}");
        assert_eq!(paths(&files, "a*").await, ["a.csv"]);
    }
    // Nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = open_files(&format!("sftp://127.0.0.1:{port}/x"), &access).await.unwrap().list("*").await.unwrap_err();
    assert!(error.kind() == Kind::Unreachable && error.message().contains("cannot be reached: "), "{error}");
    // Something else does.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    access.connect_timeout_seconds = 1;
    let error = open_files(&format!("sftp://127.0.0.1:{port}/x"), &access).await.unwrap().list("*").await.unwrap_err();
    assert!(
        error.kind() == Kind::Unreachable && error.message().contains("did not respond within 1 seconds"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_not_waited_for_for_ever() {
    let server = SshServer::start();
    let folder = server.path("in");
    write(&folder, "a.csv", b"a,b\n1,2\n");
    let access = Access { read_timeout_seconds: 2, connect_timeout_seconds: 2, ..server.access() };
    let files = open(&server, &folder, &access).await;
    let file = files.list("*").await.unwrap().files.remove(0);
    server.halt();
    let began = Instant::now();
    let error = files.read(&file).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("sent no data for 2 seconds"), "{error}");
    let error = open(&server, &folder, &access).await.list("*").await.unwrap_err();
    assert!(error.message().contains("did not respond within 2 seconds"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

/// A server that takes a password, at once or as the answer to a question: OpenSSH takes one only of real accounts.
struct PasswordServer {
    asks: bool,
    channel: Option<russh::Channel<russh::server::Msg>>,
}

impl russh::server::Handler for PasswordServer {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        let right = !self.asks && user == "shop" && password == "open sesame";
        Ok(if right { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<russh::server::Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(mut answers) = response.filter(|_| self.asks) else {
            let prompts = vec![("Password: ".into(), false)].into();
            return Ok(Auth::Partial { name: "".into(), instructions: "".into(), prompts });
        };
        let right = user == "shop" && answers.next().is_some_and(|answer| answer.as_ref() == b"open sesame");
        Ok(if right { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: russh::Channel<russh::server::Msg>,
        reply: russh::server::ChannelOpenHandle,
        _session: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: russh::ChannelId,
        _name: &str,
        session: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(id)?;
        let mut channel = self.channel.take().unwrap().into_stream();
        tokio::spawn(async move {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            let output = std::os::fd::OwnedFd::from(theirs.try_clone().unwrap());
            let mut program = Command::new("/usr/lib/openssh/sftp-server")
                .stdin(std::os::fd::OwnedFd::from(theirs))
                .stdout(output)
                .spawn()
                .unwrap();
            ours.set_nonblocking(true).unwrap();
            let mut ours = tokio::net::UnixStream::from_std(ours).unwrap();
            let _ = tokio::io::copy_bidirectional(&mut channel, &mut ours).await;
            let _ = program.kill();
            let _ = program.wait();
        });
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_let_in_by_a_password_however_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "in/a.csv", b"a,b\n1,2\n");
    new_ssh_key(&folder.path().join("host"), "ed25519", "");
    let host_key = russh::keys::load_secret_key(folder.path().join("host"), None).unwrap();
    let public = std::fs::read_to_string(folder.path().join("host.pub")).unwrap();
    for asks in [false, true] {
        let config = std::sync::Arc::new(russh::server::Config {
            keys: vec![host_key.clone()],
            auth_rejection_time: Duration::from_millis(10),
            ..Default::default()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let running =
                    russh::server::run_stream(config.clone(), stream, PasswordServer { asks, channel: None }).await;
                if let Ok(running) = running {
                    tokio::spawn(running);
                }
            }
        });
        let known = folder.path().join("known");
        std::fs::write(&known, format!("[127.0.0.1]:{port} {public}")).unwrap();
        let mut access =
            Access { known_hosts_file: Some(known), password: password("open sesame"), ..Access::default() };
        let location = format!("sftp://shop@127.0.0.1:{port}{}/in", folder.path().display());
        let files = open_files(&location, &access).await.unwrap();
        let found = files.list("*").await.unwrap().files;
        assert_eq!(csv(&files, &found[0]).await.unwrap().len(), 1, "{asks}");
        access.password = password("open barley");
        let error = open_files(&location, &access).await.unwrap().list("*").await.unwrap_err();
        assert!(error.message().contains("refuses the user `shop` with its password"), "{error}");
    }
}
