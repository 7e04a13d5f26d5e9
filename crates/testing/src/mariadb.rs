//! A MariaDB server for tests.

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// A MariaDB server on a free port, in a folder that is deleted when the process ends.
pub struct MariaDbServer {
    /// The port on this machine.
    pub port: u16,
    /// The certificate of the authority that signed the server's; only if `openssl` is installed.
    pub ca_file: Option<PathBuf>,
    /// The path of its socket.
    pub socket: PathBuf,
    /// The identifier of its process.
    pub process_id: String,
    /// The server, which ends when its standard input closes, with this process at the latest.
    _process: Child,
}

/// The server that all tests of this process share, started on first use.
pub fn mariadb_server() -> &'static MariaDbServer {
    static SERVER: LazyLock<MariaDbServer> = LazyLock::new(MariaDbServer::start);
    &SERVER
}

impl MariaDbServer {
    /// An account that may only read, and its password.
    pub const READER: (&'static str, &'static str) = ("reader", "Pa55-wört");
    /// An account that may do everything, and its password.
    pub const OWNER: (&'static str, &'static str) = ("owner", "0wner");

    /// Starts a server for one test.
    pub fn start() -> MariaDbServer {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::Builder::new().prefix("perennial-mariadb-").tempdir().unwrap().keep();
        let account = |(name, password): (&str, &str), rights: &str| {
            format!("CREATE USER '{name}'@'%' IDENTIFIED BY '{password}';\nGRANT {rights} ON *.* TO '{name}'@'%';\n")
        };
        let accounts = account(Self::READER, "SELECT") + &account(Self::OWNER, "ALL");
        std::fs::write(folder.join("accounts.sql"), format!("SET NAMES utf8mb4;\n{accounts}")).unwrap();
        let ca_file = make_certificates(&folder);
        // A small parent that ends the server as soon as this process is gone, however it goes.
        let lines = "folder=$1; port=$2; shift 2\n\
            me=$(id -un)\n\
            exec 3>&1 >$folder/log 2>&1\n\
            mariadb-install-db --no-defaults --user=$me --datadir=$folder/data --skip-test-db --skip-name-resolve \
                --auth-root-authentication-method=normal < /dev/null || exit 1\n\
            mariadbd --no-defaults --user=$me --datadir=$folder/data --socket=$folder/socket --port=$port \
                --bind-address=127.0.0.1 --pid-file=$folder/pid --init-file=$folder/accounts.sql --skip-name-resolve \
                --character-set-server=utf8mb4 --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 \
                --sql-mode= \"$@\" < /dev/null 3>&- &\n\
            server=$!\n\
            echo $server >&3\n\
            exec 3>&-\n\
            cat > /dev/null\n\
            kill -9 $server\n\
            wait\n\
            rm -rf $folder\n";
        let mut command = Command::new("sh");
        command.args(["-c", lines, "sh"]).arg(&folder).arg(port.to_string());
        if ca_file.is_some() {
            for (option, file) in [("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key")] {
                command.arg(format!("--ssl-{option}={}", folder.join(file).display()));
            }
        }
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut process_id = String::new();
        process.stdout.take().unwrap().read_to_string(&mut process_id).unwrap();
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(!process_id.trim().is_empty(), "mariadbd is needed; scripts/test says how to get it: {}", log());
        let deadline = Instant::now() + Duration::from_secs(60);
        while !log().contains("ready for connections") {
            assert!(Instant::now() < deadline, "the MariaDB server does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        let process_id = process_id.trim().to_string();
        MariaDbServer { port, ca_file, socket: folder.join("socket"), process_id, _process: process }
    }

    /// The location of one of its databases, without an account.
    pub fn location(&self, database: &str) -> String {
        format!("mysql://localhost:{}/{database}", self.port)
    }

    /// Suspends the server or lets it continue (`STOP`, `CONT`).
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([&format!("-{signal}"), &self.process_id]).status().unwrap().success());
    }
}

/// Certificates of an authority and of a server for `localhost`, made with `openssl`; `None` without it.
fn make_certificates(folder: &Path) -> Option<PathBuf> {
    let lines = "set -e; cd $1\n\
        key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n\
        openssl req -x509 $key -keyout ca.key -out ca.pem -days 30 -subj '/CN=perennial tests'\n\
        openssl req $key -keyout server.key -out server.csr -subj /CN=localhost\n\
        printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > extensions\n\
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 30 \
            -extfile extensions\n";
    let made = Command::new("sh").args(["-c", lines, "sh"]).arg(folder).output().unwrap();
    made.status.success().then(|| folder.join("ca.pem"))
}
