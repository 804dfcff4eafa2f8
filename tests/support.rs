//! A folder of its own for each test, and the binary run in it.

#![allow(dead_code, reason = "not every module uses every helper")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with a night in it; gone when the test ends.
pub struct Night {
    folder: tempfile::TempDir,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// The output of a command that must have worked.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stderr: {}", self.stderr);
        self.stdout
    }

    /// The output of a command that must have worked, as JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).expect("JSON on stdout")
    }

    /// Everything at once, for a snapshot.
    pub fn shown(&self) -> String {
        format!("exit code: {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The header of a call file with every field.
pub const HEADER: &str = "sid,parent_call_sid,account_sid,trunk_sid,direction,from,to,start_time,end_time,duration,status,price,price_unit,refer_to,answer_time";

/// The header of a deck with every column.
pub const DECK_HEADER: &str = "ISO,Country,Description,Price / min,Origination Prefixes,Destination Prefixes,Service,Initial Increment,Increment,Minimum,Connection Fee,Effective From,Effective To";

impl Night {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A folder with the deck of the acceptance examples: termination 0.0100, origination 0.0034,
    /// 60/60, any +1 number.
    pub fn with_plain_deck() -> Self {
        let night = Self::new();
        night.deck("US,United States,US,0.0100,,1,termination,,,,,,\nUS,United States,US in,0.0034,,1,origination,,,,,,\n");
        night
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into it, with its folders.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders are made");
        std::fs::write(&path, content).expect("a file is written");
        path
    }

    /// Writes the only deck: USD, 60/60 unless a row says otherwise. `rows` stand under
    /// [`DECK_HEADER`].
    pub fn deck(&self, rows: &str) {
        self.file("rates/deck.toml", "name = \"test\"\ncurrency = \"USD\"\n");
        self.file("rates/prices.csv", format!("{DECK_HEADER}\n{rows}"));
    }

    /// Writes `calls.csv`: rows under [`HEADER`], short rows filled up with empty fields.
    pub fn calls(&self, rows: &[&str]) {
        self.file("calls.csv", call_file(rows));
    }

    /// Runs the binary in the folder.
    pub fn trunkrate(&self, args: &[&str]) -> Done {
        self.trunkrate_env(args, &[])
    }

    /// The same with environment variables. Without them the ledger is the folder's `ledger`, as a
    /// project would say.
    pub fn trunkrate_env(&self, args: &[&str], env: &[(&str, &str)]) -> Done {
        self.bare("", args, &[&[("TRUNKRATE_LEDGER", "ledger")], env].concat())
    }

    /// Runs the binary in a folder below, with these variables and no other of its own.
    pub fn bare(&self, below: &str, args: &[&str], env: &[(&str, &str)]) -> Done {
        let output = Command::new(env!("CARGO_BIN_EXE_trunkrate"))
            .args(args)
            .env_remove("TRUNKRATE_LEDGER")
            .env_remove("TRUNKRATE_CONFIG")
            // The list of `calls` that was printed last is not that of whoever runs the tests.
            .env("XDG_CACHE_HOME", std::env::temp_dir().join("trunkrate-tests"))
            .envs(env.iter().copied())
            .current_dir(self.path().join(below))
            .stdin(std::process::Stdio::null())
            .output()
            .expect("the binary runs");
        Done {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
        }
    }

    /// `run` over `calls.csv` with the deck, and more arguments; the summary as JSON.
    #[track_caller]
    pub fn run(&self, more: &[&str]) -> serde_json::Value {
        let args = [&["run", "--cdrs", "calls.csv", "--rates", "rates", "--format", "json"], more]
            .concat();
        self.trunkrate(&args).json()
    }
}

/// Rows under [`HEADER`].
pub fn call_file(rows: &[&str]) -> String {
    // Of a quoted field its commas are no ends.
    let commas = |row: &str| {
        row.split('"').step_by(2).map(|plain| plain.matches(',').count()).sum::<usize>()
    };
    let columns = commas(HEADER);
    let filled = rows.iter().map(|row| format!("{row}{}\n", ",".repeat(columns - commas(row))));
    format!("{HEADER}\n{}", filled.collect::<String>())
}
