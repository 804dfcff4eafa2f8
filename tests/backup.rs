//! Backups: what they hold, what they cost, what they refuse, and that a night may go on meanwhile.

use crate::faults::{
    Bench, CREDIT, Desk, FIRST_NIGHT, ISSUE, SECOND_NIGHT, THIRD_NIGHT, UNDO, files,
};
use crate::support::{Done, Night, call_file};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

fn trunkrate(ledger: &Path, words: &[&str]) -> Done {
    let ledger = ledger.to_str().expect("UTF-8");
    Night::new().bare("", &[words, &["--ledger", ledger]].concat(), &[])
}

/// Files below a folder by their names, without staging.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let below = |path: &std::path::PathBuf| {
        let name = path.strip_prefix(folder).expect("below it").display().to_string();
        (!name.starts_with("staging")).then(|| (name, std::fs::read(path).expect("a file")))
    };
    files(folder).iter().filter_map(below).collect()
}

struct Place {
    desk: Desk,
    backup: String,
}

impl Place {
    fn after(bench: &Bench, steps: &[crate::faults::Words]) -> Self {
        let desk = bench.after(steps);
        let backup = desk.folder().join("backup").to_str().expect("UTF-8").to_owned();
        Self { desk, backup }
    }

    fn backup(&self, more: &[&str]) -> Done {
        let words = [&["ledger", "backup", &self.backup, "--format", "json"], more].concat();
        trunkrate(&self.desk.ledger(), &words)
    }

    fn restore(&self, name: &str) -> Done {
        let into = self.desk.folder().join(name);
        trunkrate(&into, &["ledger", "restore", &self.backup])
    }
}

/// Every kind of run, an undo, invoices and a credit note come back to the last bit, the catalog
/// among them; the journal goes on.
#[test]
fn a_backup_gives_the_ledger_back() {
    let bench = Bench::new();
    let place =
        Place::after(&bench, &[FIRST_NIGHT, ISSUE, CREDIT, SECOND_NIGHT, THIRD_NIGHT, UNDO]);
    let done = place.backup(&[]).json();
    assert_eq!(done["runs"], 2, "{done}");
    assert_eq!(done["batches"], 2, "{done}");
    assert_eq!(done["removed"], 0, "{done}");
    let restored = place.restore("restored").ok();
    assert!(restored.contains("good: 2 runs (1 undone)"), "{restored}");
    let folder = place.desk.folder().join("restored");
    assert_eq!(tree(&folder), tree(&place.desk.ledger()));
    let journal = std::fs::read_to_string(folder.join("journal.jsonl")).expect("a journal");
    let before = std::fs::read_to_string(place.desk.ledger().join("journal.jsonl"));
    let told = journal.strip_prefix(&before.expect("a journal")).expect("it goes on");
    assert!(told.contains("\"name\":\"ledger restore\""), "{told}");
    // What it books next is what the ledger itself would have booked.
    let other = place.desk.copy();
    bench.run(THIRD_NIGHT, &other).ok();
    let ended = std::process::Command::new(env!("CARGO_BIN_EXE_trunkrate"))
        .args(THIRD_NIGHT)
        .arg("--ledger")
        .arg(&folder)
        .current_dir(bench.inputs())
        .output()
        .expect("the binary runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(tree(&folder), tree(&other.ledger()));
}

/// A night costs its own files: what lies in the backup is neither read from the ledger again nor
/// written again, and nothing is linked with the ledger.
#[test]
fn a_second_backup_copies_what_is_new() {
    let bench = Bench::new();
    let place = Place::after(&bench, &[FIRST_NIGHT]);
    let first = place.backup(&[]).json();
    let inodes = |folder: &Path| -> BTreeMap<String, u64> {
        let of = |path: std::path::PathBuf| {
            let meta = std::fs::metadata(&path).expect("a file");
            assert_eq!(meta.nlink(), 1, "{}", path.display());
            (path.display().to_string(), meta.ino())
        };
        files(folder).into_iter().map(of).collect()
    };
    let objects = Path::new(&place.backup).join("files");
    let before = inodes(&objects);
    assert_eq!(before.len() as u64, first["copied"].as_u64().expect("a count"));
    inodes(&place.desk.ledger());
    bench.run(SECOND_NIGHT, &place.desk).ok();
    let run = std::fs::read_dir(place.desk.ledger().join("runs"))
        .expect("runs")
        .map(|run| run.expect("a run").path())
        .max()
        .expect("a run");
    let second = place.backup(&[]).json();
    // The run, and the journal with its set-aside list, if there is one.
    let new = files(&run).len() as u64;
    let copied = second["copied"].as_u64().expect("a count");
    assert!((new..=new + 2).contains(&copied), "{new} files are new: {second}");
    assert_eq!(second["removed"], 1, "the journal as it was: {second}");
    let after = inodes(&objects);
    let kept = before.iter().filter(|(path, inode)| after.get(*path) == Some(inode)).count();
    assert_eq!(kept, before.len() - 1, "all stay as they are, but for the old journal");
    let same = place.backup(&[]).json();
    assert_eq!(same["copied"], 0, "{same}");
}

#[test]
fn a_backup_takes_no_lock_and_changes_nothing() {
    let bench = Bench::new();
    let place = Place::after(&bench, &[FIRST_NIGHT]);
    let before = tree(&place.desk.ledger());
    let lock = std::fs::File::open(place.desk.ledger()).expect("a folder");
    lock.try_lock().expect("nobody has it");
    place.backup(&[]).json();
    drop(lock);
    assert_eq!(tree(&place.desk.ledger()), before);
}

/// All that holds numbers is its owner's alone, whatever the umask is.
#[test]
fn a_backup_and_what_it_gives_back_are_the_owners_alone() {
    let bench = Bench::new();
    let place = Place::after(&bench, &[FIRST_NIGHT, ISSUE]);
    let shell = |words: &str, ledger: &Path| {
        let line = format!("umask 000; exec \"$0\" {words} --ledger \"$1\"");
        let done = std::process::Command::new("sh")
            .args(["-c", &line, env!("CARGO_BIN_EXE_trunkrate")])
            .arg(ledger)
            .current_dir(place.desk.folder())
            .output()
            .expect("a shell");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    shell("ledger backup backup", &place.desk.ledger());
    shell("ledger restore backup", &place.desk.folder().join("restored"));
    for name in ["backup", "restored"] {
        let mut folders = vec![place.desk.folder().join(name)];
        let mut seen = 0;
        while let Some(path) = folders.pop() {
            let meta = std::fs::metadata(&path).expect("an entry");
            let expected = if meta.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(meta.permissions().mode() & 0o777, expected, "{}", path.display());
            if meta.is_dir() {
                let entries = std::fs::read_dir(&path).expect("a folder");
                folders.extend(entries.map(|entry| entry.expect("an entry").path()));
            }
            seen += 1;
        }
        assert!(seen > 20, "{name} was looked through: {seen}");
    }
}

#[test]
fn what_would_be_lost_or_is_something_else_is_refused() {
    let bench = Bench::new();
    let place = Place::after(&bench, &[FIRST_NIGHT]);
    let older = place.desk.copy();
    bench.run(SECOND_NIGHT, &place.desk).ok();
    place.backup(&[]).json();
    let refused = |done: Done, words: &[&str]| {
        assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{}", done.stderr);
        for word in words {
            assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
        }
        assert!(done.stderr.contains("\nhint: "), "what to do is said: {}", done.stderr);
    };
    // An older copy would replace the newer state.
    let words = ["ledger", "backup", place.backup.as_str()];
    refused(trunkrate(&older.ledger(), &words), &["older copy", "ledger restore"]);
    // In the ledger, around the ledger, among other files.
    let inside = place.desk.ledger().join("backup");
    let at = |folder: &Path| {
        let folder = folder.to_str().expect("UTF-8").to_owned();
        trunkrate(&place.desk.ledger(), &["ledger", "backup", &folder])
    };
    refused(at(&inside), &["in the ledger"]);
    assert!(!inside.exists());
    refused(at(&place.desk.folder()), &["the ledger in it"]);
    let night = Night::new();
    night.file("letters/one.txt", "my letter");
    refused(at(&night.path().join("letters")), &["one.txt", "is no part of a backup"]);
    // Over a ledger, over files, from what is no backup.
    refused(place.restore("ledger"), &["is a ledger", "nothing was restored"]);
    let full = place.desk.folder().join("full");
    std::fs::create_dir(&full).expect("a folder");
    std::fs::write(full.join("letter"), "my letter").expect("a file");
    refused(place.restore("full"), &["is not empty", "nothing was restored"]);
    let letters = night.path().join("letters").to_str().expect("UTF-8").to_owned();
    refused(
        trunkrate(&place.desk.folder().join("new"), &["ledger", "restore", &letters]),
        &["is no backup of a ledger"],
    );
    // An empty folder is a place for one.
    std::fs::create_dir(place.desk.folder().join("empty")).expect("a folder");
    place.restore("empty").ok();
    let bare = night.bare("", &["ledger", "restore", &place.backup], &[]);
    assert_eq!(bare.code, 2, "{}", bare.stderr);
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).expect("a file");
}

/// A bit that flips in the backup is found before anything is restored, and mended by `--check`; one
/// that flips in the ledger never comes into the backup.
#[test]
fn a_flipped_bit_is_found_on_either_side() {
    let bench = Bench::new();
    let place = Place::after(&bench, &[FIRST_NIGHT, ISSUE]);
    place.backup(&[]).json();
    let whole = tree(&place.desk.ledger());
    let objects = files(&Path::new(&place.backup).join("files"));
    for object in &objects {
        flip(object);
        let done = place.restore("restored");
        assert!(
            done.code == 1 && done.stderr.contains("is not as it was backed up"),
            "{}: {}",
            object.display(),
            done.stderr
        );
        assert!(!place.desk.folder().join("restored").exists());
        assert!(!place.desk.folder().join(".restored.restoring").exists());
        // The journal is copied anew by each backup: it never counts as broken.
        let mended = place.backup(&["--check"]).json();
        assert!(mended["mended"].as_u64() <= Some(1), "{mended}");
    }
    place.restore("restored").ok();
    assert_eq!(tree(&place.desk.folder().join("restored")), whole);
    // In the ledger: each file of a new run. Where the backup has the file already, by an attempt
    // before, the one in the ledger is not read: what is kept is the good one.
    bench.run(SECOND_NIGHT, &place.desk).ok();
    let newer = tree(&place.desk.ledger());
    let run = place.desk.runs().pop().expect("a run");
    let mut refused = 0;
    for path in files(&place.desk.ledger().join("runs").join(run)) {
        let good = std::fs::read(&path).expect("a file");
        flip(&path);
        let done = place.backup(&[]);
        std::fs::write(&path, good).expect("a file");
        place.restore("again").ok();
        let found = tree(&place.desk.folder().join("again"));
        let held = if done.code == 0 { found == newer } else { found == whole || found == newer };
        assert!(held, "{}: {}", path.display(), done.stderr);
        refused += usize::from(done.code == 1);
        std::fs::remove_dir_all(place.desk.folder().join("again")).expect("removed");
    }
    assert!(refused > 2, "broken files were met: {refused}");
    place.backup(&[]).json();
}

/// Nights are booked and taken back while backups are made: each is a state that the ledger was in.
#[test]
fn a_backup_beside_running_nights_is_a_whole_state() {
    const NIGHTS: usize = 12;
    let night = Night::with_plain_deck();
    let ledger = night.path().join("ledger");
    let book = |number: usize| {
        let rows: Vec<String> = (0..40)
            .map(|call| {
                format!("N{number}C{call},,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-{:02}T10:00:00Z,,61,completed", number % 28 + 1)
            })
            .collect();
        let name = format!("night-{number}.csv");
        night.file(&name, call_file(&rows.iter().map(String::as_str).collect::<Vec<_>>()));
        let words = ["run", "--cdrs", &name, "--rates", "rates"];
        night.trunkrate(&words).ok();
    };
    book(0);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..NIGHTS {
                book(number);
                if number % 4 == 3 {
                    night.trunkrate(&["undo", "last", "--reason", "a slip"]).ok();
                }
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut heads = std::collections::BTreeSet::new();
        for number in 0.. {
            let is_last = done.load(std::sync::atomic::Ordering::Acquire);
            let made = night.trunkrate(&["ledger", "backup", "backup", "--format", "json"]).json();
            heads.insert(made["head"].as_str().expect("a head").to_owned());
            let name = format!("restored-{number}");
            trunkrate(
                &night.path().join(&name),
                &["ledger", "restore", night.path().join("backup").to_str().expect("UTF-8")],
            )
            .ok();
            if is_last {
                assert_eq!(tree(&night.path().join(&name)), tree(&ledger));
                break;
            }
        }
        assert!(heads.len() > 2, "states between were met: {heads:?}");
        // Each is a link of the chain.
        for head in heads {
            night.trunkrate(&["verify", "--since", &head]).ok();
        }
    });
}
