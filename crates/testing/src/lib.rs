//! Helpers for the tests of several crates: servers, stores, contracts. Not part of the program.

// Helpers of tests may panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod mariadb;
mod postgresql;
mod smtp;

pub use mariadb::{MariaDbServer, mariadb_server};
pub use postgresql::{PostgresServer, postgres_server};
pub use smtp::{SmtpServer, TakenMail};

use object_store::aws::AmazonS3Builder;
use perennial_core::contract::{
    Access, BadRowPolicy, Column, ColumnPolicy, DuplicateKeys, Expectations, Extraction, Format, Load, RejectLimit,
    Source, SourceTable, ValueLocale, ValueType,
};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// A column with a type and no other properties.
pub fn column(name: &str, data_type: ValueType) -> Column {
    Column {
        name: name.into(),
        from: name.into(),
        data_type,
        required: false,
        min: None,
        max: None,
        null_values: vec![],
        locale: ValueLocale::default(),
        identifier: None,
        digits: None,
        personal: false,
        description: String::new(),
    }
}

/// The table `orders`: JSON lines without a key, everything else as in a contract that leaves it out.
pub fn source_table(columns: Vec<Column>) -> SourceTable {
    SourceTable {
        name: "orders".into(),
        description: String::new(),
        extraction: Extraction::Files { pattern: "*".into(), format: Format::JsonLines },
        load: Load::ByFile,
        optional: false,
        history: false,
        columns,
        key: vec![],
        newest_by: None,
        duplicate_keys: DuplicateKeys::Newest,
        rotated: false,
        on_new_column: ColumnPolicy::Accept,
        on_missing_column: ColumnPolicy::Fail,
        on_changed_type: ColumnPolicy::Accept,
        on_bad_row: BadRowPolicy::Reject,
        max_rejects: RejectLimit::default(),
        time_column: None,
        total_rows: None,
        expectations: Expectations::default(),
        place: None,
    }
}

/// A source with these tables.
pub fn source(name: &str, location: &str, tables: Vec<SourceTable>) -> Source {
    Source {
        name: name.into(),
        description: String::new(),
        location: location.into(),
        access: Access::default(),
        tables,
    }
}

/// Python with the packages that the tests need, which `scripts/test` installs.
pub fn python() -> Command {
    Command::new(std::env::var("PERENNIAL_TEST_PYTHON").unwrap_or_else(|_| "python3".into()))
}

/// An S3 server (moto) on a free port, for all tests of this process.
pub struct S3Server {
    /// The port on this machine.
    pub port: u16,
    /// The server, which ends when its standard input closes, with this process at the latest.
    _process: Child,
}

/// The server, started on first use.
pub fn s3_server() -> &'static S3Server {
    static SERVER: LazyLock<S3Server> = LazyLock::new(S3Server::start);
    &SERVER
}

impl S3Server {
    fn start() -> S3Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // A small parent that ends the server as soon as this process is gone, however it goes.
        let lines = "import subprocess, sys\n\
            server = subprocess.Popen([sys.executable, '-c', 'from moto.server import main; main()',\n\
                '-H', '127.0.0.1', '-p', sys.argv[1]], stdin=subprocess.DEVNULL)\n\
            sys.stdin.read()\n\
            server.kill()\n";
        let process = python()
            .args(["-c", lines, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("python with moto[server] is needed; scripts/test installs it");
        let server = S3Server { port, _process: process };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the S3 server does not answer (scripts/test installs moto[server])");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// Creates a bucket.
    pub fn new_bucket(&self, name: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request =
            format!("PUT /{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// A bucket as a store. Keys are set here and not in the environment, which all tests share.
    pub fn store(&self, bucket: &str) -> Arc<dyn object_store::ObjectStore> {
        let store = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region("us-east-1")
            .with_endpoint(format!("http://127.0.0.1:{}", self.port))
            .with_allow_http(true)
            .with_access_key_id("test")
            .with_secret_access_key("test");
        Arc::new(store.build().unwrap())
    }
}

/// An SFTP server (OpenSSH) on a free port, with its own keys, for the account that runs the tests.
pub struct SshServer {
    /// The port on this machine.
    pub port: u16,
    /// The folder of its keys, its log and files.
    pub folder: tempfile::TempDir,
    server_id: u32,
    /// The server, which ends when its standard input closes, with this process at the latest.
    _process: Child,
}

impl SshServer {
    /// Starts a server that accepts the key `key`.
    pub fn start() -> SshServer {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for name in ["host", "key"] {
            new_ssh_key(&folder.path().join(name), "ed25519", "");
        }
        std::fs::copy(path("key.pub"), path("authorized")).unwrap();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nPidFile none\nAuthorizedKeysFile {}\n\
             UsePAM no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nPubkeyAuthentication yes\n\
             PermitRootLogin yes\nStrictModes no\nUseDNS no\nMaxStartups 100\nSubsystem sftp internal-sftp\n",
            path("host"),
            path("authorized")
        );
        std::fs::write(path("config"), config).unwrap();
        // What Debian's server wants when root starts it; others cannot make it and need not.
        let _ = std::fs::create_dir_all("/run/sshd");
        // A small parent that ends the server and its connections as soon as this process is gone, however it goes.
        let lines = "import os, signal, subprocess, sys\n\
            server = subprocess.Popen(['/usr/sbin/sshd', '-D', '-e', '-f', sys.argv[1]],\n\
                stdin=subprocess.DEVNULL, stderr=open(sys.argv[2], 'w'), start_new_session=True)\n\
            print(server.pid, flush=True)\n\
            sys.stdin.read()\n\
            server.kill()\n";
        let mut process = python()
            .args(["-c", lines, &path("config"), &path("log")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python is needed");
        let server_id = first_line(&mut process).parse().expect("OpenSSH's server is needed (/usr/sbin/sshd)");
        let server = SshServer { port, folder, server_id, _process: process };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = std::fs::read_to_string(server.path("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the SSH server does not answer: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// A path below the server's folder.
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A known-hosts file with the server's key.
    pub fn known_hosts(&self) -> std::path::PathBuf {
        let key = std::fs::read_to_string(self.path("host.pub")).unwrap();
        let path = self.path("known_hosts");
        std::fs::write(&path, format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
        path
    }

    /// Credentials: this account and its key.
    pub fn access(&self) -> Access {
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        Access {
            user: Some(String::from_utf8(user).unwrap().trim().to_string()),
            private_key_file: Some(self.path("key")),
            known_hosts_file: Some(self.known_hosts()),
            ..Access::default()
        }
    }

    /// The location of a folder on this machine.
    pub fn location(&self, folder: &std::path::Path) -> String {
        format!("sftp://127.0.0.1:{}{}", self.port, folder.display())
    }

    /// The processes of the server: the one that listens and those of its connections.
    fn processes(&self) -> Vec<u32> {
        let mut all = vec![self.server_id];
        let mut at = 0;
        while at < all.len() {
            let children = format!("/proc/{0}/task/{0}/children", all[at]);
            let children = std::fs::read_to_string(children).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
            at += 1;
        }
        all
    }

    /// The number of open connections.
    pub fn connections(&self) -> usize {
        let children = format!("/proc/{0}/task/{0}/children", self.server_id);
        std::fs::read_to_string(children).unwrap().split_whitespace().count()
    }

    /// Closes all connections, as a restart of the machine would.
    pub fn drop_connections(&self) {
        let connections = self.processes().split_off(1);
        signal("KILL", &connections);
    }

    /// Suspends the server; its connections stay open.
    pub fn halt(&self) {
        signal("STOP", &self.processes());
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        signal("KILL", &self.processes());
    }
}

fn signal(name: &str, processes: &[u32]) {
    let ids = processes.iter().map(u32::to_string);
    let _ = Command::new("kill").arg(format!("-{name}")).args(ids).stderr(Stdio::null()).status();
}

/// Creates an SSH key and its public key beside it.
pub fn new_ssh_key(path: &std::path::Path, kind: &str, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"])
        .arg(path)
        .status()
        .expect("OpenSSH is needed");
    assert!(made.success());
}

/// The first line that a process prints.
fn first_line(process: &mut Child) -> String {
    let mut line = String::new();
    let output = process.stdout.as_mut().expect("its output is a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
    line.trim().to_string()
}

/// An HTTP service written in Python, on a free port.
pub struct HttpServer {
    /// The port on this machine.
    pub port: u16,
    /// The server, which ends when its standard input closes, with this process at the latest.
    _process: Child,
}

impl HttpServer {
    /// Starts a script that prints its port first and ends when its standard input closes.
    pub fn start(script: &str) -> HttpServer {
        let mut process = python()
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python is needed");
        let port = first_line(&mut process).parse().expect("the service prints its port");
        HttpServer { port, _process: process }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}
