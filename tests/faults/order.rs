//! The order of syncs: what is published is on disk before, and that it is published is on disk
//! after.
//!
//! A loss of power cannot be made here. But what survives one is known: a file as of its last
//! `fsync`, and the names in a folder as of the folder's. So a step is traced, and [`Disk`] keeps
//! what would be lost at each rename.

use super::bench::{Bench, CREDIT, Desk, FIRST_NIGHT, ISSUE, SECOND_NIGHT, STEPS, Words};
use super::strace::{Call, parse, trace};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const CALLS: [&str; 18] = [
    "open",
    "openat",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "link",
    "unlink",
    "rmdir",
];

/// What a loss of power would take.
struct Disk {
    ledger: PathBuf,
    /// Files whose bytes are not synced.
    files: BTreeSet<PathBuf>,
    /// Names, new or gone, in folders that are not synced since.
    names: BTreeSet<PathBuf>,
    /// What was published, in order: paths below the ledger.
    published: Vec<String>,
    broken: Vec<String>,
}

/// Moves what lies below a folder to its new name.
fn moved(paths: &BTreeSet<PathBuf>, from: &Path, to: &Path) -> BTreeSet<PathBuf> {
    let new = |path: &PathBuf| {
        path.strip_prefix(from).map_or_else(|_| path.clone(), |rest| to.join(rest))
    };
    // A path joined with nothing would end in a slash.
    paths.iter().map(|path| if path == from { to.to_owned() } else { new(path) }).collect()
}

impl Disk {
    /// A disk on which all is synced, but these names.
    fn new(ledger: &Path, names: &[PathBuf]) -> Self {
        let names = names.iter().cloned().collect();
        Self {
            ledger: ledger.to_owned(),
            files: BTreeSet::new(),
            names,
            published: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Does a call.
    fn apply(&mut self, call: &Call) {
        if !call.worked() {
            return;
        }
        let path =
            |at: usize| call.texts().get(at).map(|text| PathBuf::from(*text)).unwrap_or_default();
        let file = || call.path().map(Path::to_owned);
        match call.name.as_str() {
            "open" | "openat" if call.arguments.contains("O_CREAT") => {
                let _ = self.names.insert(path(0));
            }
            "mkdir" | "mkdirat" => drop(self.names.insert(path(0))),
            "write" | "writev" | "pwrite64" | "pwritev" | "ftruncate" | "fallocate" => {
                self.files.extend(file());
            }
            "fsync" | "fdatasync" => self.sync(&file().unwrap_or_default()),
            "rename" | "renameat" | "renameat2" | "link" => self.rename(&path(0), &path(1)),
            _ => {}
        }
    }

    fn sync(&mut self, path: &Path) {
        self.files.remove(path);
        self.names.retain(|name| name.parent() != Some(path));
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let below = |path: &Path| {
            path.strip_prefix(&self.ledger).ok().map(|path| path.display().to_string())
        };
        if let Some(name) = below(to) {
            self.must_be_synced(from, to, &name);
            self.published.push(name);
        }
        self.files = moved(&self.files, from, to);
        self.names = moved(&self.names, from, to);
        self.names.insert(to.to_owned());
        // Of staging nothing need survive.
        if !from.starts_with(self.ledger.join("staging")) {
            self.names.insert(from.to_owned());
        }
    }

    /// What is published is on disk, and so are all folders above it, and all that was published
    /// before.
    fn must_be_synced(&mut self, from: &Path, to: &Path, name: &str) {
        let before =
            ["runs", "undone", "invoices", "archive"].map(|folder| self.ledger.join(folder));
        let files = self.files.iter().filter(|path| path.starts_with(from));
        let names = self.names.iter().filter(|path| {
            let inside = path.starts_with(from) && *path != from;
            // An archive may wait for the run that needs it.
            let earlier = !name.starts_with("archive/")
                && before.iter().any(|folder| path.parent() == Some(folder));
            let above = to.starts_with(path) && *path != to;
            inside || earlier || above
        });
        let lost: Vec<String> = files.chain(names).map(|path| path.display().to_string()).collect();
        self.broken.extend(
            lost.into_iter().map(|path| format!("{path} is not synced when {name} is published")),
        );
    }

    /// After the end all that was published is on disk, but for the catalog, which can be made
    /// again.
    fn end(&mut self) {
        let ledger = &self.ledger;
        let lost = self.names.iter().filter(|path| {
            path.parent().is_some_and(|parent| parent.parent() == Some(ledger))
                && !path.starts_with(ledger.join("staging"))
        });
        self.broken.extend(lost.map(|path| format!("{} is not synced at the end", path.display())));
    }
}

/// Traces a command, and gives what it published and what was not synced in time.
fn ordered(
    bench: &Bench,
    desk: &Desk,
    words: Words,
    unsynced: &[PathBuf],
) -> (Vec<String>, Vec<String>) {
    let mut disk = Disk::new(&desk.ledger(), unsynced);
    for call in trace(&bench.command(words, desk), &CALLS) {
        disk.apply(&call);
    }
    disk.end();
    (disk.published, disk.broken)
}

fn assert_published(what: &str, published: &[String], broken: &[String]) {
    assert_eq!(broken, Vec::<String>::new(), "{what}");
    let state = |name: &String| {
        ["runs/", "undone/", "invoices/"].iter().any(|folder| name.starts_with(folder))
    };
    assert!(published.iter().any(state), "{what}: it publishes by a rename: {published:?}");
    let last = published.last().map(String::as_str);
    assert_eq!(
        last,
        Some("catalog.sqlite"),
        "{what}: the catalog is replaced by a rename, last: {published:?}"
    );
}

#[test]
fn nothing_is_published_before_it_is_synced() {
    let bench = Bench::new();
    for step in &STEPS {
        let (published, broken) = ordered(&bench, &bench.after(step.before), step.words, &[]);
        assert_published(step.name, &published, &broken);
    }
}

/// Of a ledger in folders that were not there each folder must survive, or the runs in it will not.
#[test]
fn a_ledger_in_new_folders_is_synced_from_the_top() {
    let (bench, desk) = (Bench::new(), Desk::named("new/folders/ledger"));
    let (published, broken) = ordered(&bench, &desk, FIRST_NIGHT, &[]);
    assert_published("the first run", &published, &broken);
}

/// A run that died after a rename and before the sync leaves names that are seen, but not on disk
/// yet. The next one builds on them, so it syncs them.
#[test]
fn what_a_dead_run_renamed_is_synced_by_the_next() {
    let bench = Bench::new();
    let cases: [(&str, &[Words], Words); 3] = [
        ("archive", &[FIRST_NIGHT], FIRST_NIGHT),
        ("runs", &[FIRST_NIGHT], SECOND_NIGHT),
        ("invoices", &[FIRST_NIGHT, ISSUE], CREDIT),
    ];
    for (folder, before, words) in cases {
        let desk = bench.after(before);
        if folder == "archive" {
            std::fs::remove_dir_all(desk.ledger().join("runs")).expect("the runs are removed");
            std::fs::remove_file(desk.ledger().join("catalog.sqlite"))
                .expect("the catalog is removed");
            std::fs::create_dir(desk.ledger().join("runs")).expect("a folder is made");
        }
        let names = std::fs::read_dir(desk.ledger().join(folder)).expect("a folder");
        let names: Vec<PathBuf> = names.map(|name| name.expect("an entry").path()).collect();
        assert!(!names.is_empty(), "{folder}");
        let (published, broken) = ordered(&bench, &desk, words, &names);
        assert_published(folder, &published, &broken);
    }
}

/// The judge itself: each order of calls, and what is lost by it.
#[test]
fn a_wrong_order_is_seen() {
    const RIGHT: [&str; 9] = [
        r#"mkdir("/l/staging/1", 0777) = 0"#,
        r#"openat(AT_FDCWD</>, "/l/staging/1/a", O_RDWR|O_CREAT, 0666) = 3</l/staging/1/a>"#,
        r#"write(3</l/staging/1/a>, "x", 1) = 1"#,
        r"fsync(3</l/staging/1/a>) = 0",
        r"fsync(4</l/staging/1>) = 0",
        r#"rename("/l/staging/1", "/l/runs/1") = 0"#,
        r"fsync(5</l/runs>) = 0",
        r#"rename("/l/staging/c", "/l/catalog.sqlite") = 0"#,
        r"fsync(6</l>) = 0",
    ];
    let judged = |lines: &[&str]| {
        let record: Vec<String> = lines.iter().map(|line| format!("7 {line}")).collect();
        let mut disk = Disk::new(Path::new("/l"), &[]);
        for call in parse(&record.join("\n")) {
            disk.apply(&call);
        }
        disk.end();
        disk.broken
    };
    assert_eq!(judged(&RIGHT), Vec::<String>::new());
    for (left_out, lost) in [(3, "/l/staging/1/a"), (4, "/l/staging/1/a"), (6, "/l/runs/1")] {
        let lines: Vec<&str> =
            (0..).zip(RIGHT).filter(|(at, _)| *at != left_out).map(|(_, line)| line).collect();
        let broken = judged(&lines);
        assert!(
            broken.first().is_some_and(|line| line.starts_with(&format!("{lost} is not synced"))),
            "{left_out}: {broken:?}"
        );
    }
    let mut late = RIGHT;
    late.swap(2, 3);
    assert_eq!(judged(&late), ["/l/staging/1/a is not synced when runs/1 is published"]);
}
