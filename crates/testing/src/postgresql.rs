//! A PostgreSQL server for tests.

use super::python;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;

/// The folder in which Debian installs PostgreSQL's programs.
const POSTGRESQL_FOLDERS: [&str; 4] = [
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/14/bin",
];

/// Starts a server in a new folder and ends it when standard input closes; prints port and folder once it answers.
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
    hba.write('local all all trust\n'
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
    pub folder: PathBuf,
    /// Whether it encrypts.
    pub tls: bool,
    programs: &'static str,
    /// The server, which ends when its standard input closes, with this process at the latest.
    _process: Child,
}

/// The server for all tests of this process, started on first use; `None` if PostgreSQL is not installed.
pub fn postgres_server() -> Option<&'static PostgresServer> {
    static SERVER: LazyLock<Option<PostgresServer>> = LazyLock::new(PostgresServer::start);
    SERVER.as_ref()
}

impl PostgresServer {
    /// Starts a server for one test, which may stop it.
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
        BufReader::new(output).read_line(&mut line).unwrap();
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

    /// One of PostgreSQL's programs, set to connect to the server.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(format!("{}/{name}", self.programs));
        command.args(["-h", "localhost", "-p", &self.port.to_string(), "-U", "postgres"]).env("PGSSLMODE", "disable");
        command
    }

    /// Creates a database; one of the same name is dropped.
    pub fn database(&self, name: &str) {
        self.sql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
    }

    /// The output of psql for statements, unformatted: columns are separated by `|`.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let done = self
            .program("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statements])
            .output()
            .expect("psql is needed");
        assert!(done.status.success(), "{statements}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim_end_matches('\n').to_string()
    }

    /// A session of psql that stays open, for tests of what happens between two statements.
    pub fn session(&self, database: &str) -> PostgresSession {
        let mut process = self
            .program("psql")
            .args(["-X", "-q", "-A", "-t", "-d", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql is needed");
        let answers = BufReader::new(process.stdout.take().expect("the output is a pipe"));
        PostgresSession { process, answers }
    }
}

/// A session of psql.
pub struct PostgresSession {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl PostgresSession {
    /// Runs statements and waits until they are done.
    pub fn run(&mut self, statements: &str) {
        let input = self.process.stdin.as_mut().expect("the input is a pipe");
        writeln!(input, "{statements};\n\\echo done").unwrap();
        let mut line = String::new();
        while line.trim() != "done" {
            line.clear();
            let bytes = self.answers.read_line(&mut line).unwrap();
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
