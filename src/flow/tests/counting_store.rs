//! An S3 server over a folder that counts what is asked of it: what a lake costs on a store, request by request.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use url::Url;

/// Keys on a page of a listing, as on S3.
const KEYS_ON_A_PAGE: usize = 1000;

/// The server, for as long as this process lives.
pub struct CountingStore {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    root: PathBuf,
    counts: Mutex<BTreeMap<String, u64>>,
    uploads: AtomicU64,
    /// Conditional puts are checked and done one at a time.
    writes: Mutex<()>,
}

impl CountingStore {
    /// Serves the files of a folder as the objects of whatever bucket is asked for.
    pub fn start(root: &Path) -> CountingStore {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            root: root.to_path_buf(),
            counts: Mutex::default(),
            uploads: AtomicU64::new(0),
            writes: Mutex::new(()),
        };
        let state = Arc::new(state);
        let served = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = served.clone();
                std::thread::spawn(move || {
                    // A connection that ends in the middle is the client's affair.
                    let _ = state.serve(stream);
                });
            }
        });
        CountingStore { port, state }
    }

    /// Requests since the last call, as `GET marts` or `LIST _perennial/releases`.
    pub fn take_counts(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.state.counts.lock().unwrap())
    }
}

/// A request, read whole.
struct Request {
    method: String,
    url: Url,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: &'static str, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_string(), words.next()?.to_string());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_string()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let url = Url::parse(&format!("http://store{target}")).ok()?;
    Some(Request { method, url, headers, body })
}

/// Percent-encoding undone.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn etag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

impl State {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader) {
            let answer = self.answer(&request);
            let mut head = format!("HTTP/1.1 {}\r\n", answer.status);
            let length = answer.headers.iter().any(|(name, _)| *name == "content-length");
            for (name, value) in &answer.headers {
                write!(head, "{name}: {value}\r\n").unwrap();
            }
            if !length {
                write!(head, "content-length: {}\r\n", answer.body.len()).unwrap();
            }
            head.push_str("\r\n");
            writer.write_all(head.as_bytes())?;
            if request.method != "HEAD" {
                writer.write_all(&answer.body)?;
            }
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Answer {
        // /bucket/key
        let path = decoded(request.url.path());
        let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_string();
        let query: BTreeMap<String, String> = request.url.query_pairs().into_owned().collect();
        let method = if key.is_empty() && request.method == "GET" { "LIST" } else { &request.method };
        let about = if key.is_empty() { query.get("prefix").cloned().unwrap_or_default() } else { key.clone() };
        *self.counts.lock().unwrap().entry(format!("{method} {}", place(&about))).or_default() += 1;
        let file = self.root.join(&key);
        match (request.method.as_str(), key.is_empty()) {
            ("GET", true) => self.list(&query),
            ("POST", true) => self.delete_several(&String::from_utf8_lossy(&request.body)),
            ("GET" | "HEAD", false) => get(request, &file),
            ("PUT", false) if query.contains_key("uploadId") => {
                let part = self.upload(&query["uploadId"]).join(format!("{:0>5}", query["partNumber"]));
                std::fs::write(part, &request.body).unwrap();
                Answer::new("200 OK", "").with("etag", etag(&request.body))
            }
            ("PUT", false) => self.put(request, &file),
            ("POST", false) if query.contains_key("uploads") => {
                let id = self.uploads.fetch_add(1, Ordering::Relaxed).to_string();
                std::fs::create_dir_all(self.upload(&id)).unwrap();
                let text =
                    format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
                Answer::new("200 OK", text)
            }
            ("POST", false) => self.complete(&query["uploadId"], &file),
            ("DELETE", false) => {
                let _ = match query.get("uploadId") {
                    Some(id) => std::fs::remove_dir_all(self.upload(id)),
                    None => std::fs::remove_file(&file),
                };
                Answer::new("204 No Content", "")
            }
            _ => Answer::new("501 Not Implemented", ""),
        }
    }

    fn upload(&self, id: &str) -> PathBuf {
        self.root.join(".uploads").join(id)
    }

    fn put(&self, request: &Request, file: &Path) -> Answer {
        let _one_at_a_time = self.writes.lock().unwrap();
        let there = std::fs::read(file).ok().map(|bytes| etag(&bytes));
        let wanted = request.headers.get("if-match");
        if (request.headers.contains_key("if-none-match") && there.is_some())
            || (wanted.is_some() && wanted != there.as_ref())
        {
            return Answer::new("412 Precondition Failed", "");
        }
        write_whole(file, &request.body);
        Answer::new("200 OK", "").with("etag", etag(&request.body))
    }

    fn complete(&self, id: &str, file: &Path) -> Answer {
        let folder = self.upload(id);
        let mut parts: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|part| part.unwrap().path()).collect();
        parts.sort();
        let bytes: Vec<u8> = parts.iter().flat_map(|part| std::fs::read(part).unwrap()).collect();
        write_whole(file, &bytes);
        std::fs::remove_dir_all(folder).unwrap();
        let tag = etag(&bytes).replace('"', "&quot;");
        Answer::new(
            "200 OK",
            format!("<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"),
        )
    }

    fn delete_several(&self, body: &str) -> Answer {
        let mut answer = "<DeleteResult>".to_string();
        for key in body.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>")).map(|(key, _)| key) {
            let _ = std::fs::remove_file(self.root.join(key));
            write!(answer, "<Deleted><Key>{key}</Key></Deleted>").unwrap();
        }
        Answer::new("200 OK", answer + "</DeleteResult>")
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Answer {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, delimiter) = (text("prefix"), text("delimiter"));
        let after = text("start-after").max(text("continuation-token"));
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut keys = Vec::new();
        collect(&self.root, &self.root.join(folder), delimiter.is_empty(), &mut keys);
        keys.sort();
        let mut body = "<ListBucketResult>".to_string();
        let (mut listed, mut last) = (0, String::new());
        let mut more = false;
        for (key, size) in keys.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after) {
            if listed == KEYS_ON_A_PAGE {
                more = true;
                break;
            }
            match size {
                None => write!(body, "<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>"),
                Some(size) => write!(
                    body,
                    "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>{size}</Size></Contents>"
                ),
            }
            .unwrap();
            listed += 1;
            last.clone_from(key);
        }
        write!(body, "<KeyCount>{listed}</KeyCount><IsTruncated>{more}</IsTruncated>").unwrap();
        if more {
            write!(body, "<NextContinuationToken>{last}</NextContinuationToken>").unwrap();
        }
        Answer::new("200 OK", body + "</ListBucketResult>")
    }
}

/// Where in a lake a key is: its layer, or its folder below `_perennial`.
fn place(key: &str) -> String {
    let mut parts: Vec<&str> = key.trim_end_matches('/').split('/').skip(1).collect();
    if parts.contains(&"_delta_log") {
        return "_delta_log".to_string();
    }
    parts.truncate(if parts.first() == Some(&"_perennial") { 2 } else { 1 });
    parts.join("/")
}

fn write_whole(file: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let part = file.with_extension("part");
    std::fs::write(&part, bytes).unwrap();
    std::fs::rename(part, file).unwrap();
}

fn get(request: &Request, file: &Path) -> Answer {
    let Ok(bytes) = std::fs::read(file) else { return Answer::new("404 Not Found", "") };
    let tag = etag(&bytes);
    let answer = |status, body: Vec<u8>| {
        Answer::new(status, body).with("etag", tag.clone()).with("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
    };
    if request.method == "HEAD" {
        return answer("200 OK", Vec::new()).with("content-length", bytes.len().to_string());
    }
    let Some(range) = request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")) else {
        return answer("200 OK", bytes);
    };
    let (from, to) = range.split_once('-').unwrap();
    let (from, to) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) => (from, (to + 1).min(bytes.len())),
        (Ok(from), Err(_)) => (from, bytes.len()),
        (Err(_), Ok(last)) => (bytes.len().saturating_sub(last), bytes.len()),
        (Err(_), Err(_)) => (0, bytes.len()),
    };
    if from >= to {
        return Answer::new("416 Range Not Satisfiable", "");
    }
    let said = format!("bytes {from}-{}/{}", to - 1, bytes.len());
    answer("206 Partial Content", bytes[from..to].to_vec()).with("content-range", said)
}

/// Keys and sizes below a folder; of folders, where they are not entered, the prefix.
fn collect(root: &Path, folder: &Path, enter: bool, keys: &mut Vec<(String, Option<u64>)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
        match entry.metadata() {
            Ok(found) if found.is_dir() && key == ".uploads" => {}
            Ok(found) if found.is_dir() && enter => collect(root, &path, enter, keys),
            Ok(found) if found.is_dir() => keys.push((format!("{key}/"), None)),
            Ok(found) => keys.push((key, Some(found.len()))),
            Err(_) => {}
        }
    }
}
