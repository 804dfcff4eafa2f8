//! A console that runs, and what it answers over a socket of the test's own.

use crate::support::Night;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A console on a free port of loopback; it ends with the test.
pub struct Server {
    child: Child,
    pub port: u16,
}

/// An answer, taken apart.
#[derive(Debug, Clone)]
pub struct Answered {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answered {
    /// A header by its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut own = lines.filter(|(own, _)| own.eq_ignore_ascii_case(name));
        own.next().map(|(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

impl Server {
    /// Starts one in a folder, with more arguments.
    pub fn start(night: &Night, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_trunkrate"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(more)
            .env_remove("TRUNKRATE_CONFIG")
            .env("TRUNKRATE_LEDGER", "ledger")
            .current_dir(night.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let port = loop {
            let line = lines.next().expect("it says where it is").expect("a line");
            if let Some((_, rest)) = line.split_once("http://127.0.0.1:") {
                break rest.split('/').next().expect("a port").parse().expect("a number");
            }
        };
        // Its notes are taken, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(40))).expect("a limit");
        stream
    }

    /// Sends bytes as they are, and reads one answer; `None` if the connection ends without one.
    pub fn raw(&self, bytes: &[u8]) -> Option<Answered> {
        let mut stream = self.connect();
        // It may refuse before all is sent.
        let _ = stream.write_all(bytes);
        read_answer(&mut stream)
    }

    pub fn ask(&self, method: &str, path: &str, headers: &str) -> Answered {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n{headers}\r\n",
            self.port
        );
        let mut stream = self.connect();
        let _ = stream.write_all(request.as_bytes());
        let answer = if method == "HEAD" {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).ok().and_then(|_| head_of(&bytes))
        } else {
            read_answer(&mut stream)
        };
        answer.unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    pub fn get(&self, path: &str) -> Answered {
        self.ask("GET", path, "")
    }

    /// A page that is there, once it is no longer computed.
    #[track_caller]
    pub fn page(&self, path: &str) -> String {
        let answer = self.settled(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    /// An answer, once it is no longer computed.
    pub fn settled(&self, path: &str) -> Answered {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let answer = self.get(path);
            let is_pending = answer.header("Refresh").is_some() || answer.status == 503;
            if !is_pending || Instant::now() > end {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        let answer = self.settled(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// Ends it by a signal; gives its exit code.
    pub fn end(mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads an answer to its end.
pub fn read_answer(stream: &mut TcpStream) -> Option<Answered> {
    let mut bytes = Vec::new();
    let mut part = [0; 8192];
    loop {
        if let Some(answer) = whole(&bytes) {
            return Some(answer);
        }
        match stream.read(&mut part) {
            Ok(count @ 1..) => bytes.extend_from_slice(&part[..count]),
            _ => return None,
        }
    }
}

/// The head of an answer, and what came behind it.
fn head_of(bytes: &[u8]) -> Option<Answered> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answered { status, head, body: bytes[end..].to_vec() })
}

fn whole(bytes: &[u8]) -> Option<Answered> {
    let answer = head_of(bytes)?;
    let length: usize = answer.header("Content-Length").map_or(0, |own| own.parse().expect("one"));
    (answer.body.len() >= length).then_some(answer)
}
