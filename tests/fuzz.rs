//! Fuzzing: inputs, side files and ledgers with a few bytes changed. Whatever comes in, a command
//! ends by itself, soon, in bounded memory, with an exit code of its own.
//!
//! `make fuzz` goes on for `TRUNKRATE_FUZZ_SECONDS` (600) from `TRUNKRATE_FUZZ_SEED` (1); what
//! breaks a law stays in `target/fuzz` with the command that did it, and becomes a test beside the
//! code. In every test run a few rounds are made, always the same ones.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(10);
/// Bytes of memory that a command may have at most.
const MOST: u64 = 2 << 30;
/// Exit codes that the help names.
const CODES: std::ops::RangeInclusive<i32> = 0..=4;

/// Numbers by a seed, the same everywhere.
struct Dice {
    state: u64,
}

impl Dice {
    /// The dice of a round.
    fn of(seed: u64, round: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                ^ round.wrapping_mul(0xd1b5_4a32_d192_ed03),
        }
    }

    /// `splitmix64`.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("it is below a usize")
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// What a program may have put in place of a field.
const STRANGE: [&str; 24] = [
    "",
    "0",
    "-0",
    "-1",
    "1e309",
    "99999999999999999999",
    "4294967296",
    "0.00000000001",
    "NaN",
    "null",
    "\"",
    "'",
    ",",
    "\r",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "=1+1",
    "../../etc/passwd",
    "sip:@",
    "+",
    "9999-12-31T23:59:60Z",
    "{\"a\":{\"a\":{\"a\":[[[[",
    "CA00000000000000000000000000000000",
];

/// Bytes with a few of them changed.
fn mutated(bytes: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + 1 + dice.below(40)).min(bytes.len());
        match dice.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = *dice.one_of(&[0, 0xff, b'\n', b'"', b',', 0x80]),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece: Vec<u8> = bytes[at..end].repeat(1 + dice.below(300));
                bytes.splice(at..at, piece);
            }
            5 => {
                let from = dice.below(other.len() + 1);
                let piece = &other[from..(from + dice.below(200)).min(other.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
            6 => {
                // A field or a value, by what stands around it.
                let is_end = |byte: &u8| b",;\t\n\"':".contains(byte);
                let start = bytes[..at].iter().rposition(is_end).map_or(0, |place| place + 1);
                let stop =
                    bytes[at..].iter().position(is_end).map_or(bytes.len(), |place| at + place);
                bytes.splice(start..stop, dice.one_of(&STRANGE).bytes());
            }
            7 => {
                let mut lines: Vec<Vec<u8>> =
                    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                if lines.len() > 1 {
                    let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
                    lines.swap(one, other);
                }
                bytes = lines.concat();
            }
            _ => {
                // A length or a count of a binary file.
                for byte in bytes.iter_mut().skip(at).take(1 + dice.below(8)) {
                    *byte = u8::try_from(dice.below(256)).expect("a byte");
                }
            }
        }
    }
    bytes
}

/// A folder with every kind of input, and a ledger.
struct World {
    folder: tempfile::TempDir,
}

const CALLS: [&str; 7] =
    ["c.csv", "c.jsonl", "c.json", "c.parquet", "c.csv.zst", "c.jsonl.gz", "later.csv"];
const RUN: [&str; 9] = [
    "run",
    "--rates",
    "rates",
    "--trunks",
    "trunks.json",
    "--accounts",
    "accounts.csv",
    "--ledger",
    "l",
];
const ISSUE: [&str; 9] = [
    "invoice",
    "issue",
    "--period",
    "2026-11",
    "--date",
    "2026-12-01",
    "--accept",
    "waiting",
    "--allow-incomplete",
];

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .expect("a temporary folder");
        let here = folder.path().to_owned();
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let night = project.join("fixtures/night");
        crate::faults::copy_folder(&project.join("rates"), &here.join("rates"));
        for name in ["trunks.json", "accounts.csv", "items.csv", "trunkrate.toml"] {
            std::fs::copy(night.join(name), here.join(name)).expect("a file is copied");
        }
        for (from, to) in [
            ("harbor.csv", "c.csv"),
            ("pebble.json", "c.json"),
            ("annex.parquet", "c.parquet"),
            ("hostile.csv.zst", "c.csv.zst"),
            ("nordwind.jsonl.gz", "c.jsonl.gz"),
        ] {
            std::fs::copy(night.join("calls").join(from), here.join(to)).expect("a file is copied");
        }
        let mut lines = String::new();
        let packed = File::open(here.join("c.jsonl.gz")).expect("a file");
        std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(packed), &mut lines)
            .expect("gzip");
        std::fs::write(here.join("c.jsonl"), lines).expect("a file is written");
        let later = std::fs::read_to_string(here.join("c.csv"))
            .expect("a file")
            .replace("CA2026", "CA2027");
        std::fs::write(here.join("later.csv"), later).expect("a file is written");
        let world = Self { folder };
        world.done(&[&RUN[..], &["--cdrs", "c.csv", "c.json", "c.csv.zst"]].concat());
        world.done(&[&RUN[..], &["--cdrs", "c.jsonl"]].concat());
        let run = std::fs::read_dir(here.join("l/runs"))
            .expect("runs")
            .filter_map(Result::ok)
            .map(|run| run.file_name())
            .max();
        world.done(&[
            "undo",
            run.expect("a run").to_str().expect("text"),
            "--reason",
            "fuzz",
            "--ledger",
            "l",
        ]);
        world.done(
            &[&ISSUE[..], &["--accept", "jump", "--config", "trunkrate.toml", "--ledger", "l"]]
                .concat(),
        );
        world
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn done(&self, args: &[&str]) {
        let output = command(self.path(), args).output().expect("the binary runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkrate"));
    command
        .args(args)
        .current_dir(folder)
        .env_remove("TRUNKRATE_LEDGER")
        .env_remove("TRUNKRATE_CONFIG")
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end; what law it breaks, if it breaks one.
fn broken(folder: &Path, args: &[&str]) -> Result<i32, String> {
    let said = folder.join("stderr");
    let mut command = command(folder, args);
    command.stdout(Stdio::null()).stderr(File::create(&said).expect("a file is made"));
    let mut child = command.spawn().expect("the binary runs");
    let (start, status) = (Instant::now(), format!("/proc/{}/status", child.id()));
    let mut most = 0;
    let ended = loop {
        let used = std::fs::read_to_string(&status).unwrap_or_default();
        let kib = used.lines().find_map(|line| {
            line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
        });
        most = most.max(kib.unwrap_or(0) << 10);
        if let Some(ended) = child.try_wait().expect("it can be waited for") {
            break ended;
        }
        if start.elapsed() > LONGEST || most > MOST {
            child.kill().and_then(|()| child.wait()).expect("it can be ended");
            return Err(format!(
                "{args:?}: after {:?} it has {} MiB and goes on",
                start.elapsed(),
                most >> 20
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let stderr = String::from_utf8_lossy(&std::fs::read(&said).expect("stderr")).into_owned();
    match ended.code().filter(|code| CODES.contains(code)) {
        Some(code) if code == 0 || !stderr.is_empty() => Ok(code),
        Some(code) => Err(format!("{args:?}: exit code {code}, and nothing is said")),
        None => Err(format!("{args:?}: {ended}: {stderr}")),
    }
}

/// A round: one file is changed, and then commands read it.
fn round(world: &World, seed: u64, round: u64) -> Result<(), String> {
    let mut dice = Dice::of(seed, round);
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a temporary folder");
    let here = folder.path().join("world");
    crate::faults::copy_folder(world.path(), &here);
    let calls = *dice.one_of(&CALLS);
    let (file, new_ledger) = match dice.below(10) {
        0..=4 => (here.join(calls), true),
        5 => (dice.one_of(&crate::faults::files(&here.join("rates"))).clone(), true),
        6 => (
            here.join(dice.one_of(&["trunks.json", "accounts.csv", "items.csv", "trunkrate.toml"])),
            true,
        ),
        _ => (dice.one_of(&crate::faults::files(&here.join("l"))).clone(), false),
    };
    let other = std::fs::read(dice.one_of(&crate::faults::files(&here))).expect("a file");
    let bytes = mutated(&std::fs::read(&file).expect("a file"), &other, &mut dice);
    std::fs::write(&file, bytes).expect("a file is written");
    if new_ledger {
        std::fs::remove_dir_all(here.join("l")).expect("the ledger is removed");
    }
    let call = "CA20261120000000000000000000000108";
    let run = [&RUN[..], &["--cdrs", calls, "--accept-changes"]].concat();
    let month = [
        "--period",
        "2026-11",
        "--ledger",
        "l",
        "--items",
        "items.csv",
        "--config",
        "trunkrate.toml",
    ];
    let issue = [&ISSUE[..2], &month[..], &ISSUE[4..]].concat();
    let check = [&["invoice", "check", "--date", "2026-12-01"], &month[..]].concat();
    let readers: [&[&str]; 9] = [
        &["verify", "--ledger", "l"],
        &["runs", "--ledger", "l"],
        &["log", "--call", call, "--ledger", "l"],
        &["rerate", call, "--ledger", "l"],
        &["export", "legs", "--format", "csv", "--ledger", "l"],
        &["suspense", "--ledger", "l"],
        &["report", "--ledger", "l"],
        &["invoice", "list", "--ledger", "l"],
        &check,
    ];
    let from_files: &[&str] =
        &["rerate", call, "--cdrs", calls, "--rates", "rates", "--trunks", "trunks.json"];
    let mut commands: Vec<&[&str]> = Vec::new();
    if new_ledger {
        commands.extend([
            &run[..],
            readers[0],
            *dice.one_of(&[
                from_files,
                &["rates", "check", "rates"],
                &issue,
                readers[5],
                readers[6],
            ]),
        ]);
    } else {
        commands.push(*dice.one_of(&readers));
        commands.push(*dice.one_of(&[&run[..], &issue, readers[0]]));
    }
    for args in commands {
        if let Err(law) = broken(&here, args) {
            let kept =
                Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/fuzz/{seed}-{round}"));
            crate::faults::copy_folder(&here, &kept);
            let name = file.strip_prefix(&here).expect("below it").display().to_string();
            return Err(format!(
                "seed {seed}, round {round}, {name} changed: {law}\n  kept in {}",
                kept.display()
            ));
        }
    }
    Ok(())
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// A few rounds, the same ones each time.
#[test]
fn changed_bytes_end_in_an_exit_code() {
    let world = World::new();
    let rounds: Vec<u64> = (0..40).collect();
    crate::faults::assert_none(&crate::faults::on_two_threads(rounds, |number| {
        round(&world, 1, number).err().into_iter().collect()
    }));
}

#[test]
#[ignore = "make fuzz"]
fn changed_bytes_end_in_an_exit_code_for_a_while() {
    let (seed, seconds) = (number("TRUNKRATE_FUZZ_SEED", 1), number("TRUNKRATE_FUZZ_SECONDS", 600));
    let world = World::new();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut broken = Vec::new();
    let mut first = 0;
    while Instant::now() < end {
        let rounds: Vec<u64> = (first..first + 100).collect();
        first += 100;
        broken.extend(crate::faults::on_two_threads(rounds, |number| {
            round(&world, seed, number).err().into_iter().collect()
        }));
    }
    eprintln!("seed {seed}: {first} rounds, {} broken", broken.len());
    crate::faults::assert_none(&broken);
}
