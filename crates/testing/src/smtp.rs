//! An SMTP server (aiosmtpd) for tests.

use std::path::PathBuf;
use std::process::{Child, Stdio};

/// An SMTP server on a free port of `localhost`.
pub struct SmtpServer {
    /// The port on this machine.
    pub port: u16,
    /// The folder of its certificates and of what it took.
    pub folder: tempfile::TempDir,
    /// The server, which ends when its standard input closes, with this process at the latest.
    process: Child,
}

/// A message that the server took.
#[derive(Clone, Debug)]
pub struct TakenMail {
    /// The lines of its envelope: `from`, `to`, `options`, `hello`, `tls`, `user`, `peer`.
    envelope: Vec<String>,
    /// The message as it came.
    pub content: Vec<u8>,
}

impl SmtpServer {
    /// The account of a server with `login` or `xoauth2`, and its password.
    pub const ACCOUNT: (&'static str, &'static str) = ("reports", "Pa55 wört+/=");

    /// Starts a server with options, which `smtp_server.py` describes.
    pub fn start(options: &[&str]) -> SmtpServer {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("smtp_server.py");
        std::fs::write(&script, include_str!("smtp_server.py")).unwrap();
        let mut process = super::python()
            .arg(&script)
            .arg(folder.path())
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python is needed");
        let port = super::first_line(&mut process)
            .parse()
            .expect("python with aiosmtpd and cryptography is needed; scripts/test installs them");
        SmtpServer { port, folder, process }
    }

    /// Ends the server, as a restart of its machine would; the files stay until what is returned is dropped.
    pub fn stop(self) -> tempfile::TempDir {
        let SmtpServer { port, folder, mut process } = self;
        let _ = process.kill();
        let _ = process.wait();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
        folder
    }

    /// The certificate of the authority that signed the server's.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Lets the server accept these tokens and no others.
    pub fn accept_tokens(&self, tokens: &str) {
        std::fs::write(self.folder.path().join("tokens"), tokens).unwrap();
    }

    /// The messages taken so far, in their order.
    pub fn taken(&self) -> Vec<TakenMail> {
        let read = |number: u32| {
            let envelope = std::fs::read_to_string(self.folder.path().join(format!("{number}.envelope"))).ok()?;
            let content = std::fs::read(self.folder.path().join(format!("{number}.eml"))).ok()?;
            Some(TakenMail { envelope: envelope.lines().map(str::to_string).collect(), content })
        };
        (1..).map_while(read).collect()
    }
}

impl TakenMail {
    /// A line of the envelope: `from`, `to`, `options`, `hello`, `tls`, `user`, `peer`.
    pub fn envelope(&self, name: &str) -> &str {
        let line = self.envelope.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no line `{name}` in {:?}", self.envelope))
    }
}
