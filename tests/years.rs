//! A ledger over years: old runs stand in volumes, which say what the runs say, and nothing else.

use crate::faults::{copy_folder, files};
use crate::support::{Done, Night, call_file};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A volume has so many runs.
const OF_A_VOLUME: usize = 32;

/// A row of a call file, on a day of its own for each night.
fn call(sid: &str, parent: &str, night: usize, seconds: u32) -> String {
    let day = format!("2026-{:02}-{:02}", night / 28 + 1, night % 28 + 1);
    if parent.is_empty() {
        format!(
            "{sid},,AC1,TK1,trunking-terminating,+12025550101,+14155550102,{day}T10:00:00Z,,{seconds},completed"
        )
    } else {
        format!(
            "{sid},{parent},AC1,TK1,,,sip:agent@pbx.example.com,{day}T10:00:00Z,,{seconds},completed"
        )
    }
}

struct Years {
    night: Night,
}

impl Years {
    /// A ledger of some nights with two calls each.
    fn of(nights: usize) -> Self {
        let years = Self { night: Night::with_plain_deck() };
        for number in 1..=nights {
            years.book(&[
                &call(&format!("A{number}"), "", number, 61),
                &call(&format!("B{number}"), "", number, 30),
            ]);
        }
        years
    }

    fn try_book(&self, rows: &[&str], ledger: &str) -> Done {
        self.night.file("calls.csv", call_file(rows));
        let words = ["run", "--cdrs", "calls.csv", "--rates", "rates", "--format", "json"];
        self.night.trunkrate_env(&words, &[("TRUNKRATE_LEDGER", ledger)])
    }

    #[track_caller]
    fn book(&self, rows: &[&str]) -> serde_json::Value {
        self.try_book(rows, "ledger").json()
    }

    fn ledger(&self) -> PathBuf {
        self.night.path().join("ledger")
    }

    fn volumes(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.ledger().join("volumes")).into_iter().flatten();
        let entries = entries.map(|entry| entry.expect("an entry").path());
        let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        found.sort();
        found
    }
}

/// Files of a ledger with their bytes.
fn tree(ledger: &Path) -> BTreeMap<String, Vec<u8>> {
    let below = |path: &PathBuf| {
        let name = path.strip_prefix(ledger).expect("below it").display().to_string();
        // Of many runs the pages of a catalog may lie otherwise: `verify` proves its rows.
        let counts = !name.starts_with("staging") && !name.ends_with("catalog.sqlite");
        counts.then(|| (name, std::fs::read(path).expect("a file")))
    };
    files(ledger).iter().filter_map(below).collect()
}

/// A night that meets calls of runs in volumes books what it books by their manifests: copies,
/// other versions, parents and late prices are found, wherever they lie.
#[test]
fn a_night_finds_in_volumes_what_it_finds_in_runs() {
    let years = Years::of(2 * OF_A_VOLUME + 3);
    assert_eq!(years.volumes().len(), 2, "each 32 runs stand in a volume");
    let bare = years.night.path().join("bare");
    copy_folder(&years.ledger(), &bare);
    std::fs::remove_dir_all(bare.join("volumes")).expect("volumes");
    let rows = [
        call("A1", "", 1, 61),
        call("B40", "", 40, 31),
        call("C1", "B2", 70, 30),
        call("D1", "A60", 70, 30),
        call("NEW", "", 70, 30),
        format!("{},-0.0300,USD", call("A33", "", 33, 61)),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let [by_volumes, by_runs] =
        ["ledger", "bare"].map(|ledger| years.try_book(&rows, ledger).json());
    assert_eq!(by_volumes, by_runs);
    let ends = ["rated", "duplicate", "suspended"].map(|end| by_volumes[end].as_u64());
    assert_eq!(ends, [Some(3), Some(2), Some(1)], "{by_volumes}");
    // The volumes that were taken away were made again, to the last bit.
    assert_eq!(tree(&years.ledger()), tree(&bare));
    for ledger in ["ledger", "bare"] {
        years.night.trunkrate_env(&["verify"], &[("TRUNKRATE_LEDGER", ledger)]).ok();
    }
    // Every reader shows the same with volumes and without.
    std::fs::remove_dir_all(bare.join("volumes")).expect("volumes");
    for words in [
        &["export", "legs", "--format", "csv"][..],
        &["export", "calls", "--format", "csv"],
        &["export", "suspense", "--format", "csv"],
        &["explain", "A7"],
        &["calls", "C1"],
    ] {
        let [with, without] = ["ledger", "bare"]
            .map(|ledger| years.night.trunkrate_env(words, &[("TRUNKRATE_LEDGER", ledger)]).ok());
        assert_eq!(with.replace("bare", "ledger"), without.replace("bare", "ledger"), "{words:?}");
    }
}

/// A bit that flips in a volume is found before anything is booked by it, and by `verify`; without
/// its volumes the ledger is whole.
#[test]
fn a_volume_that_was_changed_is_found() {
    let years = Years::of(OF_A_VOLUME);
    let volume = years.volumes().pop().expect("a volume");
    let whole = tree(&years.ledger());
    for name in ["runs.bin", "ids.bin", "places.bin"] {
        let path = volume.join(name);
        let good = std::fs::read(&path).expect("a file");
        for at in (0..good.len()).step_by(good.len() / 20) {
            let mut bad = good.clone();
            bad[at] ^= 4;
            std::fs::write(&path, &bad).expect("a file");
            let row = call("A1", "", 1, 61);
            for done in [years.night.trunkrate(&["verify"]), years.try_book(&[&row], "ledger")] {
                let told =
                    done.stderr.contains("volumes/") && done.stderr.contains("only an index");
                assert!(done.code == 1 && told, "{name}, byte {at}: {}", done.stderr);
            }
        }
        std::fs::write(&path, &good[..good.len() - 5]).expect("a file");
        assert_eq!(years.night.trunkrate(&["verify"]).code, 1);
        std::fs::write(&path, &good).expect("a file");
    }
    years.night.trunkrate(&["verify"]).ok();
    assert_eq!(tree(&years.ledger()), whole, "nothing was booked meanwhile");
    // A manifest that was changed behind a volume: the proof reads the runs themselves.
    let run = std::fs::read_dir(years.ledger().join("runs")).expect("runs").next().expect("a run");
    let path = run.expect("a run").path().join("manifest.json");
    let good = std::fs::read_to_string(&path).expect("a manifest");
    std::fs::write(&path, good.replace("\"legs\": 2", "\"legs\": 3")).expect("a file");
    assert_eq!(years.night.trunkrate(&["verify"]).code, 1);
    std::fs::write(&path, good).expect("a file");
    std::fs::remove_dir_all(years.ledger().join("volumes")).expect("volumes");
    years.night.trunkrate(&["verify"]).ok();
    years.book(&[&call("NEXT", "", 40, 61)]);
    years.night.trunkrate(&["verify"]).ok();
    assert_eq!(years.volumes(), [volume], "the same is made again");
}

/// A run that stands in a volume is undone, and another is booked in its place.
#[test]
fn a_run_of_a_volume_is_undone() {
    let years = Years::of(OF_A_VOLUME);
    assert_eq!(years.volumes().len(), 1);
    years.night.trunkrate(&["undo", "last", "--reason", "an old deck"]).ok();
    years.night.trunkrate(&["verify"]).ok();
    // Its calls are new again.
    let row = call("A32", "", 32, 61);
    let summary = years.book(&[&row]);
    assert_eq!((summary["rated"].as_u64(), summary["duplicate"].as_u64()), (Some(1), Some(0)));
    years.night.trunkrate(&["verify"]).ok();
    // The same once more, as it was.
    years.night.trunkrate(&["undo", "last", "--reason", "an old deck"]).ok();
    let summary = years.book(&[&row, &call("B32", "", 32, 30)]);
    assert_eq!(summary["rated"].as_u64(), Some(2));
    let copies = years.book(&[&row, &call("B1", "", 1, 30)]);
    assert_eq!(copies["duplicate"].as_u64(), Some(2), "{copies}");
    years.night.trunkrate(&["verify"]).ok();
    // All later ones are undone with the first of the volume, and one is booked in their place.
    let first = std::fs::read_dir(years.ledger().join("runs")).expect("runs");
    let mut names: Vec<String> =
        first.map(|run| run.expect("a run").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    years
        .night
        .trunkrate(&["undo", &names[3], "--with-dependents", "--reason", "an old deck"])
        .ok();
    years.night.trunkrate(&["verify"]).ok();
    let summary = years.book(&[&call("A4", "", 4, 61), &call("A1", "", 1, 61)]);
    assert_eq!((summary["rated"].as_u64(), summary["duplicate"].as_u64()), (Some(1), Some(1)));
    years.night.trunkrate(&["verify"]).ok();
}

/// Above 64 runs a change is added to the catalog: it has the rows of one that is made anew, what
/// is changed in it is found, and what is lost is made again.
#[test]
fn a_catalog_of_many_runs_grows() {
    let years = Years::of(2 * OF_A_VOLUME + 4);
    let path = years.ledger().join("catalog.sqlite");
    let rows = |path: &Path| {
        let connection = rusqlite::Connection::open(path).expect("a catalog");
        let tables = crate::faults::tables(&connection).expect("its tables");
        assert!(tables.len() > 10);
        let dump = |table: &String| {
            let mut statement =
                connection.prepare(&format!("SELECT * FROM {table}")).expect("rows");
            let columns = statement.column_count();
            let row = |row: &rusqlite::Row<'_>| {
                (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at)).collect()
            };
            let rows: Vec<Vec<rusqlite::types::Value>> = statement
                .query_map([], row)
                .expect("rows")
                .map(|row| row.expect("a row"))
                .collect();
            format!("{table} {rows:?}")
        };
        tables.iter().map(dump).collect::<Vec<_>>()
    };
    let grown = rows(&path);
    let other = years.night.path().join("other");
    copy_folder(&years.ledger(), &other);
    std::fs::remove_file(other.join("catalog.sqlite")).expect("a catalog");
    let row = call("NEXT", "", 75, 61);
    let lost = years.try_book(&[&row], "other");
    assert!(lost.stderr.contains("the catalog was lost"), "{}", lost.stderr);
    years.book(&[&row]);
    assert_eq!(rows(&path), rows(&other.join("catalog.sqlite")));
    assert_ne!(rows(&path), grown);
    // A cell, a row, a table and a page that were changed.
    let good = std::fs::read(&path).expect("a catalog");
    for change in [
        "UPDATE amounts SET amount = '1' WHERE run_id LIKE '000005%'",
        "DELETE FROM files WHERE run_id LIKE '000066%' AND path LIKE 'legs%'",
        "UPDATE inputs SET rows = rows + 1",
        "DROP TABLE decks",
        "CREATE INDEX more ON runs (run_id)",
    ] {
        rusqlite::Connection::open(&path).expect("a catalog").execute_batch(change).expect(change);
        let done = years.night.trunkrate(&["verify"]);
        assert!(
            done.code == 1 && done.stderr.contains("catalog.sqlite"),
            "{change}: {}",
            done.stderr
        );
        std::fs::write(&path, &good).expect("a catalog");
    }
    years.night.trunkrate(&["verify"]).ok();
    // An older one lacks the last run: that is no damage, and the next night brings it up.
    let [older, newer] = ["older", "newer"].map(|name| years.night.path().join(name));
    std::fs::copy(&path, &older).expect("a copy");
    years.book(&[&call("LAST", "", 76, 61)]);
    std::fs::copy(&path, &newer).expect("a copy");
    std::fs::copy(&older, &path).expect("a copy");
    let done = years.night.trunkrate(&["verify"]);
    assert!(done.code == 0 && done.stderr.contains("does not know of run"), "{}", done.stderr);
    years.book(&[]);
    years.night.trunkrate(&["verify"]).ok();
    // A run that the catalog knows is missing: no night books its calls again.
    let mut runs: Vec<PathBuf> = std::fs::read_dir(years.ledger().join("runs"))
        .expect("runs")
        .map(|run| run.expect("a run").path())
        .collect();
    runs.sort();
    std::fs::remove_dir_all(runs.pop().expect("a run")).expect("it is removed");
    let done = years.try_book(&[&row], "ledger");
    assert!(done.code == 1 && done.stderr.contains("is missing"), "{}", done.stderr);
}

/// A snapshot of hard links is never written into by the nights that follow.
#[test]
fn a_copy_of_hard_links_stays_as_it_is() {
    let years = Years::of(2 * OF_A_VOLUME + 3);
    let snapshot = years.night.path().join("snapshot");
    let status = std::process::Command::new("cp")
        .args(["-al", "ledger", "snapshot"])
        .current_dir(years.night.path())
        .status();
    assert!(status.expect("cp is there").success());
    let whole = |ledger: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        files(ledger)
            .into_iter()
            .map(|path| (path.clone(), std::fs::read(path).expect("a file")))
            .collect()
    };
    let before = whole(&snapshot);
    for number in 70..74 {
        years.book(&[&call(&format!("A{number}"), "", number, 61)]);
    }
    assert!(before == whole(&snapshot), "no file of the snapshot was changed");
    years.night.trunkrate_env(&["verify"], &[("TRUNKRATE_LEDGER", "snapshot")]).ok();
    years.night.trunkrate(&["verify"]).ok();
}

/// All that holds numbers is its owner's alone where the umask allows all, and no more than a
/// stricter umask allows.
#[test]
fn what_holds_numbers_is_the_owners_alone_under_any_umask() {
    for (umask, file, folder) in
        [("000", 0o600, 0o700), ("027", 0o600, 0o700), ("277", 0o400, 0o500)]
    {
        let years = Years::of(0);
        let row = call("A1", "", 1, 61);
        years.night.file("calls.csv", call_file(&[&row]));
        let words = [
            "run --cdrs calls.csv --rates rates --ledger ledger --status-file status.json --metrics night.prom",
            "report --ledger ledger --out report.html",
            "export calls --format csv --ledger ledger --out calls-out.csv",
            "export legs --format parquet --ledger ledger --out legs.parquet",
            "ledger backup backup --ledger ledger",
        ];
        // Root writes in spite of a mode: another user could not go on under the strictest.
        for words in words {
            let line = format!("umask {umask}; exec \"$0\" {words}");
            let done = std::process::Command::new("sh")
                .args(["-c", &line, env!("CARGO_BIN_EXE_trunkrate")])
                .current_dir(years.night.path())
                .output()
                .expect("a shell");
            if umask == "277" && !done.status.success() {
                assert!(!is_root(), "{words}: {}", String::from_utf8_lossy(&done.stderr));
                return;
            }
            assert!(done.status.success(), "{words}: {}", String::from_utf8_lossy(&done.stderr));
        }
        let names = [
            "ledger",
            "report.html",
            "calls-out.csv",
            "legs.parquet",
            "backup",
            "status.json",
            "night.prom",
        ];
        let mut todo = names.map(|name| years.night.path().join(name)).to_vec();
        let mut seen = 0;
        while let Some(path) = todo.pop() {
            let meta = std::fs::metadata(&path).expect("it is there");
            let expected = if meta.is_dir() { folder } else { file };
            let mode = meta.permissions().mode() & 0o777;
            assert_eq!(mode, expected, "umask {umask}: {} has {mode:o}", path.display());
            if meta.is_dir() {
                let entries = std::fs::read_dir(&path).expect("a folder");
                todo.extend(entries.map(|entry| entry.expect("an entry").path()));
            }
            seen += 1;
        }
        assert!(seen > 30, "{seen}");
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self")
        .is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}
