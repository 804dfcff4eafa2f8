//! strace: a command run under it, faults put into its system calls, and its record read back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A command that takes longer hangs.
const LIMIT: Duration = Duration::from_mins(1);

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub process: u32,
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether it had to be ended, because it hung.
    pub hung: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// What it did in one line, for a list of violations.
    pub fn shown(&self) -> String {
        let how = match (self.hung, self.code, self.signal) {
            (true, ..) => "hung".to_owned(),
            (_, Some(code), _) => format!("exit code {code}"),
            (.., signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        let stderr: String = self.stderr.trim_end().chars().take(800).collect();
        format!("{how}, stderr {stderr:?}")
    }

    /// The output of a command that must have worked.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.shown());
        self.stdout
    }
}

/// Runs a command to its end, or ends it where it hangs.
pub fn ended(command: &mut Command) -> Ended {
    // A group of its own: what hangs is ended together with its strace.
    // What it prints goes to files: a pipe that nobody empties would hang it.
    let [mut out, mut said] = [(); 2].map(|()| tempfile::tempfile().expect("a temporary file"));
    let end_of = |file: &File| Stdio::from(file.try_clone().expect("a file is shared"));
    command.process_group(0).stdin(Stdio::null()).stdout(end_of(&out)).stderr(end_of(&said));
    let mut child = command.spawn().expect("the command starts");
    let (start, process) = (Instant::now(), child.id());
    let mut hung = false;
    while child.try_wait().expect("the command can be waited for").is_none() {
        if start.elapsed() > LIMIT {
            hung = true;
            assert!(
                kill("KILL", &format!("-{process}")).status.success(),
                "a hanging command can be ended"
            );
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let status = child.wait().expect("the command can be waited for");
    let text = |file: &mut File| {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("its output");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (stdout, stderr) = (text(&mut out), text(&mut said));
    Ended { process, code: status.code(), signal: status.signal(), hung, stdout, stderr }
}

/// What is put into a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before the call is made.
    Kill,
    /// The process stops after the call.
    Stop,
    /// The call is not made, and fails with this.
    Error(&'static str),
}

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Error(name) => name,
        }
    }
}

/// Which calls a fault is put into: the `nth` of each thread on a path, counted from 1, or all on
/// it.
///
/// It is always a path: the same calls wake threads up and read the system's own files, and there
/// is no fault in those.
#[derive(Debug, Clone)]
pub struct At {
    pub syscall: String,
    pub path: PathBuf,
    pub nth: Option<usize>,
}

/// strace with a record of these system calls. It must be there: without it nothing here is tested.
fn strace(syscalls: &str, record: &Path) -> Command {
    let there =
        Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(
        there.is_ok_and(|s| s.success()),
        "strace is missing: run tools/setup.sh, or `apt-get install strace`"
    );
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-y", "-s", "512", "-e", "signal=none", "-o"])
        .arg(record)
        .args(["-e", &format!("trace={syscalls}")]);
    command
}

/// Appends a command to strace's own arguments.
fn followed_by(mut strace: Command, traced: &Command) -> Command {
    strace.arg("--").arg(traced.get_program()).args(traced.get_args());
    if let Some(folder) = traced.get_current_dir() {
        strace.current_dir(folder);
    }
    strace.envs(traced.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace
}

/// A command with a fault in it, not yet started.
pub fn with_fault(traced: &Command, at: &At, fault: Fault, record: &Path) -> Command {
    let mut command = strace(&at.syscall, record);
    let what = match fault {
        Fault::Kill => "signal=KILL".to_owned(),
        Fault::Stop => "signal=STOP".to_owned(),
        // The short way leaves the other calls alone; it loses signals (strace 6.1), so it is for
        // errors only.
        Fault::Error(name) => {
            command.arg("--seccomp-bpf");
            format!("error={name}")
        }
    };
    let nth = at.nth.map(|nth| format!(":when={nth}")).unwrap_or_default();
    command.args(["-e", &format!("inject={}:{what}{nth}", at.syscall)]);
    command.arg("-P").arg(&at.path);
    followed_by(command, traced)
}

/// How a command ended that had a fault in it, and the call that the fault hit; none if it was not
/// reached.
pub fn run_with_fault(traced: &Command, at: &At, fault: Fault) -> (Ended, Option<Call>) {
    let record = tempfile::NamedTempFile::new().expect("a temporary file");
    let ended = ended(&mut with_fault(traced, at, fault, record.path()));
    let mut calls = read_record(record.path());
    let hit = match fault {
        Fault::Error(_) => calls.into_iter().find(|call| call.injected),
        _ if ended.signal == Some(9) => calls.pop(),
        _ => None,
    };
    (ended, hit)
}

/// The process that a fault has stopped, once it has: the one that made a call in its record.
pub fn stopped(record: &Path) -> u32 {
    for _ in 0..5000 {
        if let Some(call) = read_record(record).iter().find(|call| call.worked()) {
            return call.process;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nobody was stopped");
}

/// Sends a signal to a process, if it is still there.
pub fn signal(process: u32, name: &str) {
    kill(name, &process.to_string());
}

/// The shell's own `kill`, on a process or on `-` and a group: a bare Debian has no program of that
/// name.
fn kill(signal: &str, whom: &str) -> Output {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", r#"kill -s "$1" -- "$2""#, "sh", signal, whom])
        .output()
        .expect("a shell is there")
}

/// What a command does that is left alone: its calls of these names. `?name` is a call that not
/// every machine has.
pub fn trace(traced: &Command, syscalls: &[&str]) -> Vec<Call> {
    let record = tempfile::NamedTempFile::new().expect("a temporary file");
    let names: Vec<String> = syscalls.iter().map(|name| format!("?{name}")).collect();
    let mut command = strace(&names.join(","), record.path());
    command.arg("--seccomp-bpf");
    ended(&mut followed_by(command, traced)).ok();
    read_record(record.path())
}

/// A system call as strace shows it.
#[derive(Debug, Clone)]
pub struct Call {
    pub process: u32,
    pub name: String,
    /// Its arguments, with the paths of its files.
    pub arguments: String,
    /// What it gave back: `0`, `3</path>`, `-1 ENOENT (…)`, `?` if it never came back.
    pub result: String,
    /// Whether a fault was put into it.
    pub injected: bool,
    /// Which call of this name on this path it is in its thread, from 1.
    pub nth: usize,
}

impl Call {
    pub fn worked(&self) -> bool {
        !self.result.starts_with('-') && !self.result.starts_with('?')
    }

    /// The file that it is about: `3</path>`, or the first text.
    pub fn path(&self) -> Option<&Path> {
        path_of(&self.arguments).map(Path::new)
    }

    /// The texts among its arguments: paths, mostly.
    pub fn texts(&self) -> Vec<&str> {
        self.arguments.split('"').skip(1).step_by(2).collect()
    }

    pub fn shown(&self) -> String {
        let mut text: String =
            format!("{}({})", self.name, self.arguments).chars().take(160).collect();
        text = format!("{text} = {}", self.result);
        text
    }
}

fn path_of(arguments: &str) -> Option<&str> {
    let first = arguments.split(", ").next()?;
    if !first.starts_with(|c: char| c.is_ascii_digit()) {
        return arguments.split('"').nth(1);
    }
    Some(first.split_once('<')?.1.rsplit_once('>')?.0)
}

fn read_record(path: &Path) -> Vec<Call> {
    parse(&String::from_utf8_lossy(&std::fs::read(path).expect("the record of strace")))
}

/// Reads a record. A call that another thread's line cuts in two is put together where it ends.
pub fn parse(record: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut open: BTreeMap<u32, String> = BTreeMap::new();
    let mut counts: BTreeMap<(u32, String, String), usize> = BTreeMap::new();
    let mut add = |process: u32, text: &str| {
        let Some((name, rest)) = text.split_once('(') else { return };
        // A call during which the process died has no result.
        let (arguments, result) = rest.rsplit_once(" = ").unwrap_or((rest, "?"));
        let arguments = arguments.trim_end();
        let path = path_of(arguments).unwrap_or_default().to_owned();
        let nth = counts.entry((process, name.to_owned(), path)).or_default();
        *nth += 1;
        calls.push(Call {
            process,
            name: name.to_owned(),
            arguments: arguments.strip_suffix(')').unwrap_or(arguments).to_owned(),
            injected: result.ends_with("(INJECTED)"),
            result: result.to_owned(),
            nth: *nth,
        });
    };
    for line in record.lines() {
        let Some((process, text)) = line.split_once(' ') else { continue };
        let (Ok(process), text) = (process.parse::<u32>(), text.trim_start()) else { continue };
        if let Some(start) = text.strip_suffix(" <unfinished ...>") {
            open.insert(process, start.to_owned());
        } else if let Some((_, end)) =
            text.strip_prefix("<... ").and_then(|text| text.split_once(" resumed>"))
        {
            let start = open.remove(&process).unwrap_or_default();
            add(process, &format!("{start}{end}"));
        } else if !text.starts_with("+++") && !text.starts_with("---") {
            add(process, text);
        }
    }
    for (process, start) in open {
        add(process, &start);
    }
    calls
}
