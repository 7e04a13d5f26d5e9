//! What the tests of several rooms share. No room: it is not in the program.

use crate::contract::{
    Access, BadRowPolicy, Column, ColumnPolicy, Delivery, Expectations, Format, Load, RejectLimit, Source, SourceTable,
    ValueType, Written,
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
        written: Written::Plainly,
        identifier: false,
        digits: None,
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
        total_rows: None,
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
