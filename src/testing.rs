//! What the tests of several rooms share. No room: it is not in the program.

use crate::contract::{
    Access, BadRowPolicy, Column, ColumnPolicy, Delivery, Expectations, Format, Load, RejectLimit, Source, SourceTable,
    ValueType,
};
use object_store::aws::AmazonS3Builder;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// A column that promises nothing but its type.
pub fn column(name: &str, data_type: ValueType) -> Column {
    Column {
        name: name.into(),
        from: name.into(),
        data_type,
        required: false,
        min: None,
        max: None,
        null_values: vec![],
        personal: false,
        description: String::new(),
    }
}

/// `orders`: JSON lines without a key, everything else as a contract has it that says nothing.
pub fn source_table(columns: Vec<Column>) -> SourceTable {
    SourceTable {
        name: "orders".into(),
        description: String::new(),
        delivery: Delivery::Files { pattern: "*".into(), format: Format::JsonLines },
        load: Load::Deliveries,
        history: false,
        columns,
        key: vec![],
        newest_by: None,
        on_new_column: ColumnPolicy::Accept,
        on_missing_column: ColumnPolicy::Fail,
        on_changed_type: ColumnPolicy::Accept,
        on_bad_row: BadRowPolicy::Reject,
        max_rejects: RejectLimit::default(),
        time_column: None,
        expectations: Expectations::default(),
        place: None,
    }
}

/// A source of these tables.
pub fn source(name: &str, location: &str, tables: Vec<SourceTable>) -> Source {
    Source {
        name: name.into(),
        description: String::new(),
        location: location.into(),
        access: Access::default(),
        tables,
    }
}

/// Python with the packages the tests need, as `scripts/test` installs them.
pub fn python() -> Command {
    Command::new(std::env::var("PERENNIAL_TEST_PYTHON").unwrap_or_else(|_| "python3".into()))
}

/// An S3 server for all tests of this process, moto's, on a free port.
pub struct S3Server {
    /// The port on this machine.
    pub port: u16,
    /// It ends with the process: its standard input closes.
    _process: Child,
}

/// The server, started when it is first asked for.
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

    /// Makes a bucket, by a plain PUT.
    pub fn new_bucket(&self, name: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request =
            format!("PUT /{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// A bucket as a store. Keys are given here, not in the environment, which tests share.
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

/// Where Debian keeps the programs of its PostgreSQL.
const POSTGRESQL_FOLDERS: [&str; 4] = [
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/14/bin",
];

/// Starts a server in a new folder and ends it when its standard input closes; prints port and folder when it answers.
/// PostgreSQL does not run as root, so that root becomes `nobody` first.
const START_POSTGRESQL: &str = r#"
import os, pwd, shutil, socket, subprocess, sys, tempfile, time
programs = sys.argv[1]
folder = tempfile.mkdtemp(prefix='perennial-postgresql-')
as_user = {}
if os.getuid() == 0:
    nobody = pwd.getpwnam('nobody')
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    as_user = {'user': nobody.pw_uid, 'group': nobody.pw_gid, 'extra_groups': []}
quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
data = folder + '/data'
subprocess.run([programs + '/initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C',
                '--no-sync'], check=True, **quiet, **as_user)
made = subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
                       '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-addext',
                       'basicConstraints=critical,CA:FALSE', '-keyout', folder + '/key.pem', '-out',
                       folder + '/certificate.pem'], **quiet, **as_user) if shutil.which('openssl') else None
tls = made is not None and made.returncode == 0
with open(data + '/pg_hba.conf', 'w') as hba:
    hba.write('local all all trust\nhostnossl plain_only all all reject\n'
              'host all postgres all trust\nhost all all all scram-sha-256\n')
with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    port = free.getsockname()[1]
settings = ['listen_addresses=localhost', 'port=%d' % port, 'unix_socket_directories=' + folder, 'fsync=off',
            'full_page_writes=off', 'synchronous_commit=off', 'max_connections=200', 'autovacuum=off',
            'shared_buffers=64MB', 'max_wal_size=2GB', 'log_min_messages=fatal']
if tls:
    settings += ['ssl=on', 'ssl_cert_file=' + folder + '/certificate.pem', 'ssl_key_file=' + folder + '/key.pem']
server = subprocess.Popen([programs + '/postgres', '-D', data] + [x for s in settings for x in ('-c', s)],
                          **quiet, **as_user)
while subprocess.run([programs + '/pg_isready', '-q', '-h', '127.0.0.1', '-p', str(port)]).returncode != 0:
    if server.poll() is not None:
        sys.exit('the server ended')
    time.sleep(0.05)
print(port, server.pid, folder, int(tls), flush=True)
sys.stdin.read()
server.kill()
server.wait()
shutil.rmtree(folder, ignore_errors=True)
"#;

/// A PostgreSQL server on a free port. The account `postgres` may do everything without a password, also through the
/// socket in [`PostgresServer::folder`]; `reader` may read and has the password `s3cret`.
pub struct PostgresServer {
    /// The port on `localhost`.
    pub port: u16,
    /// The process of the server itself.
    pub process_id: u32,
    /// Its folder: data, socket, `certificate.pem`.
    pub folder: std::path::PathBuf,
    /// Whether it encrypts.
    pub tls: bool,
    programs: &'static str,
    /// It ends with the process: its standard input closes.
    _process: Child,
}

/// The server for all tests of this process, started when it is first asked for; nothing where PostgreSQL is not
/// installed.
pub fn postgres_server() -> Option<&'static PostgresServer> {
    static SERVER: LazyLock<Option<PostgresServer>> = LazyLock::new(PostgresServer::start);
    SERVER.as_ref()
}

impl PostgresServer {
    /// A server of one's own, for tests that stop it.
    pub fn start() -> Option<PostgresServer> {
        let programs = POSTGRESQL_FOLDERS.into_iter().find(|folder| std::path::Path::new(folder).is_dir())?;
        let mut process = python()
            .args(["-c", START_POSTGRESQL, programs])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python is needed");
        let mut line = String::new();
        let output = process.stdout.take().expect("the output is a pipe");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let [port, process_id, folder, tls] = words[..] else { panic!("PostgreSQL does not start: {line}") };
        let server = PostgresServer {
            port: port.parse().unwrap(),
            process_id: process_id.parse().unwrap(),
            folder: folder.into(),
            tls: tls == "1",
            programs,
            _process: process,
        };
        server.sql("postgres", "CREATE ROLE reader LOGIN PASSWORD 's3cret'; GRANT pg_read_all_data TO reader");
        Some(server)
    }

    /// One of PostgreSQL's programs, told where the server is.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(format!("{}/{name}", self.programs));
        command.args(["-h", "localhost", "-p", &self.port.to_string(), "-U", "postgres"]).env("PGSSLMODE", "disable");
        command
    }

    /// Makes a database, anew.
    pub fn database(&self, name: &str) {
        self.sql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
    }

    /// What psql answers to statements, without frames: columns with `|` between them.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let done = self
            .program("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statements])
            .output()
            .expect("psql is needed");
        assert!(done.status.success(), "{statements}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim_end_matches('\n').to_string()
    }

    /// A session of psql that stays open, for what happens between two statements.
    pub fn session(&self, database: &str) -> PostgresSession {
        let mut process = self
            .program("psql")
            .args(["-X", "-q", "-A", "-t", "-d", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql is needed");
        let answers = std::io::BufReader::new(process.stdout.take().expect("the output is a pipe"));
        PostgresSession { process, answers }
    }
}

/// A session of psql.
pub struct PostgresSession {
    process: Child,
    answers: std::io::BufReader<std::process::ChildStdout>,
}

impl PostgresSession {
    /// Runs statements and waits until they are done.
    pub fn run(&mut self, statements: &str) {
        let input = self.process.stdin.as_mut().expect("the input is a pipe");
        writeln!(input, "{statements};\n\\echo done").unwrap();
        let mut line = String::new();
        while line.trim() != "done" {
            line.clear();
            let bytes = std::io::BufRead::read_line(&mut self.answers, &mut line).unwrap();
            assert!(bytes > 0, "the session ended");
        }
    }
}

impl Drop for PostgresSession {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
