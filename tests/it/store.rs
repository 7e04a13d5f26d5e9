//! The same on an object store: a lake and its sources on an S3 server.

use crate::support::{Ran, perennial, python, run_python};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// An S3 server of this test's own, gone with it.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = python()
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("python with moto is needed; scripts/test installs it");
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the S3 server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Server { child, port }
    }

    fn run(&self, args: &[&std::ffi::OsStr]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    fn command(&self, args: &[&std::ffi::OsStr]) -> std::process::Command {
        let mut command = perennial(args);
        command
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test-secret-that-is-never-shown");
        command
    }

    /// Makes the bucket and puts the company's files into it.
    fn upload(&self, data: &Path) {
        let program = "import sys, os, boto3\n\
            s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='test', aws_secret_access_key='x')\n\
            s3.create_bucket(Bucket='company')\n\
            for folder, _, files in os.walk(sys.argv[2]):\n\
            \x20   for f in files:\n\
            \x20       p = os.path.join(folder, f)\n\
            \x20       s3.upload_file(p, 'company', 'data/' + os.path.relpath(p, sys.argv[2]))\n";
        run_python(program, &[format!("http://127.0.0.1:{}", self.port).as_ref(), data.as_os_str()]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The demo company with its lake and its sources in the bucket.
fn company(folder: &Path) -> std::path::PathBuf {
    let project = folder.join("company");
    crate::support::run([
        "demo".as_ref(),
        project.as_os_str(),
        "--customers".as_ref(),
        "120".as_ref(),
        "--no-run".as_ref(),
    ])
    .ended(0);
    edit(&project.join("perennial.yml"), "lake: lake", "lake: s3://company/lake");
    for (file, place) in [("erp", "data/erp"), ("call_centre", "data/call-centre"), ("web", "data/web")] {
        let file = project.join(format!("pipelines/sources/{file}.yml"));
        edit(&file, &format!("location: {place}"), &format!("location: s3://company/{place}"));
    }
    project
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{}: {from}", file.display());
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_run_on_s3_with_kills_and_a_lost_store() {
    let folder = tempfile::tempdir().unwrap();
    let project = company(folder.path());
    let server = Server::start();
    server.upload(&project.join("data"));
    std::fs::remove_dir_all(project.join("data")).unwrap();
    let run_args = ["run".as_ref(), "--format".as_ref(), "json".as_ref(), "--project".as_ref(), project.as_os_str()];
    let total = |sql: &str| {
        let ran = server.run(&[
            "query".as_ref(),
            sql.as_ref(),
            "--format".as_ref(),
            "csv".as_ref(),
            "--project".as_ref(),
            project.as_os_str(),
        ]);
        ran.ended(0).stdout
    };

    // Killed three times on the way, the same host takes the lease of a process that is gone.
    for milliseconds in [400, 900, 1600] {
        let mut child = server.command(&run_args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().ok();
        child.wait().unwrap();
    }
    let done = server.run(&run_args).ended(0);
    assert_eq!(done.json()["release"], 1);
    assert_eq!(
        total("SELECT sum(revenue) AS total FROM core.order_lines"),
        total("SELECT sum(revenue) AS total FROM marts.customer_month")
    );
    assert_eq!(server.run(&run_args).ended(0).json()["ending"], "nothing_new");

    // The server is gone: exit code 3, the location named, no secret shown.
    drop(server);
    let mut command = perennial(run_args);
    command
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test-secret-that-is-never-shown");
    let lost = Ran::from(command.output().unwrap()).ended(3);
    let said = format!("{}{}", lost.stdout, lost.stderr);
    assert!(said.contains("s3://company/lake"), "{said}");
    assert!(!said.contains("never-shown"), "{said}");
}
