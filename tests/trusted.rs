//! A ledger that is trusted for years: it knows its own past, touches nothing of a stranger's, and
//! is proved whatever its length. Each test is a fault that a hostile tester or an auditor found.

use crate::support::{Done, Night};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn call(id: &str, date: &str) -> String {
    format!(
        "{id},,AC1,,trunking-terminating,+12025550101,+14155550102,{date}T10:00:00Z,,60,completed"
    )
}

const RUN: &[&str] = &["run", "--cdrs", "calls.csv", "--rates", "rates"];

/// Books calls of a minute, 0.01000 each; gives the run's id.
#[track_caller]
fn book(night: &Night, calls: &[(&str, &str)]) -> String {
    let rows: Vec<String> = calls.iter().map(|(id, date)| call(id, date)).collect();
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    night.run(&[])["run_id"].as_str().expect("a run").to_owned()
}

/// A ledger of two runs.
fn two_runs() -> (Night, [String; 2]) {
    let night = Night::with_plain_deck();
    let runs = [book(&night, &[("CA1", "2026-11-20")]), book(&night, &[("CA2", "2026-11-21")])];
    (night, runs)
}

/// Tries to book one more call, in vain.
#[track_caller]
fn refused(night: &Night) -> String {
    night.calls(&[&call("CA9", "2026-11-22")]);
    let done = night.trunkrate(RUN);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{}", done.stderr);
    done.stderr
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).map(drop).expect("a copy");
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

// ---- length
// -----------------------------------------------------------------------------------------------------

/// Each day that was proved was proved inside the one before it, and 730 overflowed the stack.
#[test]
fn two_years_in_one_run_are_proved() {
    let night = Night::with_plain_deck();
    let rows: Vec<String> = (0..730)
        .map(|day| {
            call(
                &format!("CA{day}"),
                &format!("{}-{:02}-{:02}", 2025 + day / 365, day % 365 / 31 + 1, day % 31 % 28 + 1),
            )
        })
        .collect();
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    night.run(&[]);
    let stack = [("RUST_MIN_STACK", "524288")];
    let said = night.trunkrate_env(&["verify"], &stack).ok();
    assert!(
        said.starts_with(
            "good: 1 run, 730 calls, 730 legs, 7.30000 USD, 0 waiting; every law holds\nhead "
        ),
        "{said}"
    );
    for args in [&["report"][..], &["invoice", "--period", "2025-03", "--out", "out"]] {
        night.trunkrate_env(args, &stack).ok();
    }
}

// ---- the past
// ---------------------------------------------------------------------------------------------------

/// What was undone and is moved back looks like an undo that died. A writer that refused it removed
/// the record of it.
#[test]
fn a_writer_that_is_refused_destroys_nothing() {
    let (night, [_, second]) = two_runs();
    night.trunkrate(&["undo", &second, "--reason", "wrong deck"]).ok();
    let ledger = night.path().join("ledger");
    let record = format!("000001-{second}");
    fs::rename(ledger.join("undone").join(&record), ledger.join("runs").join(&second))
        .expect("it is moved");
    night.file("ledger/staging/left", "by a dead run");
    let before = names(&ledger.join("undone"));
    assert!(refused(&night).contains("the undo of run"), "it is told");
    assert_eq!(names(&ledger.join("undone")), before);
    assert_eq!(names(&ledger.join("staging")), ["left"]);
    assert_eq!(before, [format!("{record}.json")]);
}

/// A copy from before an undo, put over the ledger, brought the run back, and the next run booked
/// on.
#[test]
fn a_run_that_was_undone_and_is_there_again_is_refused() {
    let (night, [_, second]) = two_runs();
    let (ledger, backup) = (night.path().join("ledger"), night.path().join("backup"));
    copy(&ledger, &backup);
    night.trunkrate(&["undo", &second, "--reason", "wrong deck"]).ok();
    copy(&backup, &ledger);
    let said = format!(
        "error: ledger/runs/{second}: was undone (wrong deck), and is there again: an older copy was put over the ledger\n"
    );
    assert!(refused(&night).starts_with(&said));
    let proved = night.trunkrate(&["verify"]);
    assert!(proved.code == 1 && proved.stderr.starts_with(&said), "{}", proved.stderr);
    // Taken away, as the hint says, the ledger is what it was after the undo; and the night may be
    // rated again as it was.
    fs::remove_dir_all(ledger.join("runs").join(&second)).expect("it is removed");
    assert_eq!(book(&night, &[("CA2", "2026-11-21")]), second);
    night.trunkrate(&["verify"]).ok();
}

const SELLER: &str = "[seller]\nname = \"Carrier\"\naddress = [\"1 Street\"]\ncountry = \"DE\"\n[invoice]\ntax_category = \"outside-scope\"\ntax_reason = \"a test\"\n";

#[track_caller]
fn issue(night: &Night) -> Done {
    let done = night.trunkrate(&[
        "invoice",
        "issue",
        "--period",
        "2026-11",
        "--date",
        "2026-12-01",
        "--allow-incomplete",
    ]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    done
}

/// With the runs and the catalog gone and the invoices kept, the same calls were booked again and
/// could be billed twice.
#[test]
fn a_run_that_an_invoice_bills_is_missed() {
    let (night, [first, second]) = two_runs();
    night.file("trunkrate.toml", SELLER);
    issue(&night);
    let ledger = night.path().join("ledger");
    fs::rename(ledger.join("runs"), night.path().join("runs")).expect("they are moved");
    fs::remove_file(ledger.join("catalog.sqlite")).expect("it is removed");
    let said = refused(&night);
    let batch = names(&ledger.join("invoices")).remove(0);
    assert!(
        said.starts_with(&format!(
            "error: ledger/invoices/{batch}: bills calls of run {first}, which is missing\n"
        )),
        "{said}"
    );
    // The last of them alone, which no chain would miss.
    fs::remove_dir_all(ledger.join("runs")).expect("it is empty");
    fs::rename(night.path().join("runs"), ledger.join("runs")).expect("they are moved");
    fs::rename(ledger.join("runs").join(&second), night.path().join("second"))
        .expect("it is moved");
    for args in [&["verify"][..], &["invoice", "list"], &["log"]] {
        let done = night.trunkrate(args);
        assert!(
            done.code == 1
                && done.stderr.contains(&format!("bills calls of run {second}, which is missing")),
            "{}",
            done.stderr
        );
    }
}

/// The head that each command prints, and what it proves later.
#[test]
fn a_head_that_was_noted_is_proved_to_lie_in_the_ledger() {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", SELLER);
    let head = |text: &str| {
        let line =
            text.lines().last().expect("a line").strip_prefix("head ").expect("a head").to_owned();
        assert_eq!(line.split('.').count(), 3, "{line}");
        line
    };
    night.calls(&[&call("CA1", "2026-11-20")]);
    let mut heads = vec![head(&night.trunkrate(RUN).ok())];
    let copied = night.path().join("copied");
    copy(&night.path().join("ledger"), &copied);
    heads.push(head(&issue(&night).stdout));
    let second = book(&night, &[("CA2", "2026-11-21")]);
    heads.push(head(&night.trunkrate(&["runs"]).ok()));
    heads.push(head(&night.trunkrate(&["undo", &second, "--reason", "wrong"]).ok()));
    heads.push(head(&night.trunkrate(&["verify"]).ok()));
    assert_eq!(heads[4], heads[3], "nothing came between");
    let mut others = heads.clone();
    others.dedup();
    assert_eq!(others.len(), 4, "{heads:?}");
    assert!(heads[0].ends_with(".-.-") && !heads[3].contains('-'), "{heads:?}");
    for noted in &heads {
        night.trunkrate(&["verify", "--since", noted]).ok();
        night.trunkrate(&["verify", "--since", &noted.to_uppercase()]).ok();
    }
    // The older copy holds its own head, and none that came later.
    let since = |noted: &str| night.trunkrate(&["verify", "--ledger", "copied", "--since", noted]);
    since(&heads[0]).ok();
    for (noted, lacks) in [(1, "batch of invoices"), (2, "run"), (3, "undo")] {
        let done = since(&heads[noted]);
        assert!(
            done.code == 1 && done.stderr.contains(&format!("lacks the {lacks} ")),
            "{noted}: {}",
            done.stderr
        );
    }
    for no_head in ["", "-", "x.y.z", "0123.-.-"] {
        assert!(since(no_head).stderr.contains("is no head; expected three groups"), "{no_head}");
    }
}

/// Whoever proves a ledger while a run is taken back and booked again is told so, and never that
/// the ledger is broken.
#[test]
fn a_proof_beside_undos_raises_no_false_alarm() {
    let (night, [_, second]) = two_runs();
    night.calls(&[&call("CA2", "2026-11-21")]);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..12 {
                night.trunkrate(&["undo", &second, "--reason", "again"]).ok();
                night.run(&[]);
            }
        });
        while !writer.is_finished() {
            let done = night.trunkrate(&["verify"]);
            let is_told = done.stderr.contains("its run was undone meanwhile");
            assert!(done.code == 0 || is_told, "{}", done.stderr);
        }
        writer.join().expect("the writer wrote");
    });
    night.trunkrate(&["verify"]).ok();
}

/// A folder that was no ledger lost what stood in its `staging`, without a word.
#[test]
fn a_strangers_staging_is_not_emptied() {
    let night = Night::with_plain_deck();
    night.calls(&[&call("CA1", "2026-11-20")]);
    night.file("site/staging/photos/1.jpg", "mine");
    let done = night.trunkrate(&[RUN, &["--ledger", "site"]].concat());
    assert!(
        done.code == 1 && done.stderr.contains("error: site/staging: is not a ledger's"),
        "{}",
        done.shown()
    );
    assert_eq!(
        fs::read_to_string(night.path().join("site/staging/photos/1.jpg")).expect("it is there"),
        "mine"
    );
    assert!(!night.path().join("site/runs").exists());
}

/// Whatever names a file to be written could name one of the ledger's, and legs became CSV.
#[test]
fn no_output_goes_into_a_ledger() {
    let (night, [first, _]) = two_runs();
    let legs = format!("ledger/runs/{first}/legs/date=2026-11-20/part-0.parquet");
    for out in [
        legs.as_str(),
        "ledger/catalog.sqlite",
        "ledger/runs/more.csv",
        "ledger/archive/../invoices/x.csv",
    ] {
        let commands: [&[&str]; 2] =
            [&["export", "legs", "--format", "csv", "--out", out], &["report", "--out", out]];
        for args in commands {
            let done = night.trunkrate(args);
            let is_said = done.stderr.contains("is a place of a ledger's own files")
                || done.stderr.contains("cannot be written");
            assert!(done.code == 1 && is_said, "{args:?}: {}", done.shown());
        }
    }
    night.trunkrate(&["verify"]).ok();
    night.trunkrate(&["export", "legs", "--format", "csv", "--out", "ledger/beside.csv"]).ok();
}

/// A link of a name that could be guessed led the documents out of their folder, over a stranger's
/// file.
#[test]
fn documents_replace_links_and_do_not_follow_them() {
    let (night, _) = two_runs();
    night.file("trunkrate.toml", SELLER);
    issue(&night);
    night.file("victim", "precious");
    for (args, names) in [
        (
            &["invoice", "write", "--out", "out", "--format", "json"][..],
            ["index.csv", "INV-2026-000001.json"],
        ),
        (&["invoice", "--period", "2026-11", "--out", "month"], ["index.csv", "index.json"]),
    ] {
        let folder = night
            .path()
            .join(args[args.iter().position(|arg| *arg == "--out").expect("an --out") + 1]);
        fs::create_dir_all(&folder).expect("a folder");
        for name in names {
            symlink("../victim", folder.join(name)).expect("a link");
        }
        night.trunkrate(args).ok();
        assert_eq!(
            fs::read_to_string(night.path().join("victim")).expect("it is there"),
            "precious",
            "{args:?}"
        );
        assert!(names.iter().all(|name| !folder.join(name).is_symlink()), "{args:?}");
    }
}

/// A leg that was changed was billed, and the invoice was good for ever.
#[test]
fn no_invoice_bills_a_file_that_was_changed() {
    let (night, [first, second]) = two_runs();
    night.file("trunkrate.toml", SELLER);
    let legs = |run: &str, date: &str| {
        night.path().join(format!("ledger/runs/{run}/legs/date={date}/part-0.parquet"))
    };
    fs::copy(legs(&first, "2026-11-20"), legs(&second, "2026-11-21")).expect("a copy");
    for what in ["check", "draft", "issue"] {
        let done =
            night.trunkrate(&["invoice", what, "--period", "2026-11", "--date", "2026-12-01"]);
        assert!(
            done.code == 1 && done.stderr.contains("is not as it was written"),
            "{what}: {}",
            done.shown()
        );
    }
    assert!(night.trunkrate(&["invoice", "list"]).ok().contains("nothing issued"));
    fs::remove_file(legs(&second, "2026-11-21")).expect("it is removed");
    let done = night.trunkrate(&["invoice", "draft", "--period", "2026-11"]);
    assert!(
        done.code == 1 && done.stderr.contains("part-0.parquet: is missing"),
        "{}",
        done.shown()
    );
}

/// A changed file was shown by those who read a few rows of it; only `verify` said so.
#[test]
fn a_damaged_file_is_an_error_for_whoever_reads_it() {
    let (night, [first, second]) = two_runs();
    let of = |run: &str, file: &str| night.path().join(format!("ledger/runs/{run}/{file}"));
    let readers: [(&str, &str, &[&[&str]]); 3] = [
        (
            "legs/date=2026-11-21/part-0.parquet",
            "legs/date=2026-11-20/part-0.parquet",
            &[&["rerate", "CA2"], &["export", "legs", "--format", "csv"], &["report"]],
        ),
        (
            "calls/date=2026-11-21/part-0.parquet",
            "calls/date=2026-11-20/part-0.parquet",
            &[
                &["log"],
                &["log", "--call", "CA2"],
                &["rerate", "CA2"],
                &["export", "calls", "--format", "csv"],
                &["report"],
            ],
        ),
        // Another run's ids: the call is not found by them.
        (
            "ids/part-0.bin",
            "ids/part-0.bin",
            &[&["rerate", "CA2"], &["log", "--call", "CA2"], &["suspense", "show", "CA2"]],
        ),
    ];
    for (file, other, commands) in readers {
        let whole = fs::read(of(&second, file)).expect("it is there");
        fs::write(of(&second, file), fs::read(of(&first, other)).expect("it is there"))
            .expect("it is written");
        for args in [&[&["verify"][..]], commands].concat() {
            let done = night.trunkrate(args);
            let said = format!("ledger/runs/{second}/{file}: is not as it was written");
            assert!(done.code == 1 && done.stderr.contains(&said), "{args:?}: {}", done.shown());
        }
        fs::write(of(&second, file), whole).expect("it is written");
    }
    // The days that a report compares with are of other runs.
    let legs = of(&first, "legs/date=2026-11-20/part-0.parquet");
    fs::write(
        &legs,
        fs::read(of(&second, "legs/date=2026-11-21/part-0.parquet")).expect("it is there"),
    )
    .expect("it is written");
    let done = night.trunkrate(&["report"]);
    assert!(done.code == 1 && done.stderr.contains("is not as it was written"), "{}", done.shown());
    // A file that was exported stays whole where the next one cannot be.
    night.file("legs.csv", "as it was\n");
    let done = night.trunkrate(&["export", "legs", "--format", "csv", "--out", "legs.csv"]);
    assert_eq!(
        (
            done.code,
            fs::read_to_string(night.path().join("legs.csv")).expect("it is there").as_str()
        ),
        (1, "as it was\n")
    );
    assert!(
        !names(night.path()).iter().any(|name| name.contains(".part")),
        "{:?}",
        names(night.path())
    );
}

/// Who read a ledger that lacked its last run showed less money, without a word.
#[test]
fn readers_miss_a_run_too() {
    let (night, [_, second]) = two_runs();
    let runs = night.path().join("ledger/runs");
    fs::rename(runs.join(&second), night.path().join("gone")).expect("it is moved");
    let said = format!("error: ledger/runs/{second}: is missing; the catalog knows this run\n");
    for args in [
        &["log"][..],
        &["export", "legs", "--format", "csv"],
        &["invoice", "--period", "2026-11", "--out", "out"],
        &["runs"],
        &["report"],
    ] {
        let done = night.trunkrate(args);
        assert!(done.code == 1 && done.stderr.starts_with(&said), "{args:?}: {}", done.shown());
    }
    symlink(night.path().join("gone"), runs.join(&second)).expect("a link");
    assert!(night.trunkrate(&["log"]).stderr.starts_with(&said), "a link is no run");
}

// ---- strangers
// --------------------------------------------------------------------------------------------------

/// `staging` that was a link had what it led to emptied, and a link in it was written through.
#[test]
fn nothing_is_done_through_a_link() {
    for folder in ["staging", "runs", "undone", "invoices", "archive"] {
        let night = Night::with_plain_deck();
        night.file("victim/a.txt", "precious");
        fs::create_dir(night.path().join("ledger")).expect("a folder");
        symlink(night.path().join("victim"), night.path().join("ledger").join(folder))
            .expect("a link");
        let said = refused(&night);
        assert!(
            said.contains(&format!(
                "ledger/{folder}: is a link; a ledger's folders and files are its own"
            )),
            "{said}"
        );
        assert_eq!(names(&night.path().join("victim")), ["a.txt"]);
    }
    let (night, _) = two_runs();
    fs::rename(night.path().join("ledger/catalog.sqlite"), night.path().join("index"))
        .expect("it is moved");
    symlink(night.path().join("index"), night.path().join("ledger/catalog.sqlite"))
        .expect("a link");
    assert!(refused(&night).contains("ledger/catalog.sqlite: is a link"));
    let night = Night::with_plain_deck();
    let precious = night.file("precious.txt", "precious");
    fs::create_dir_all(night.path().join("ledger/runs")).expect("what a writer makes first");
    for name in ["holder", "catalog.sqlite", "undo.json"] {
        fs::create_dir_all(night.path().join("ledger/staging")).expect("a folder");
        let _ = symlink(&precious, night.path().join("ledger/staging").join(name));
    }
    let run = book(&night, &[("CA1", "2026-11-20")]);
    night.trunkrate(&["undo", &run, "--reason", "a test"]).ok();
    assert_eq!(fs::read_to_string(&precious).expect("it is there"), "precious");
    // A link to the ledger as a whole is the user's own.
    symlink(night.path().join("ledger"), night.path().join("linked")).expect("a link");
    night.trunkrate(&["verify", "--ledger", "linked"]).ok();
}

/// A formula as an account, and colours as the name of a deck.
#[test]
fn no_stranger_writes_formulas_or_colours() {
    let night = Night::with_plain_deck();
    let row = "CA1,,=cmd|' /C calc'!A0,,trunking-terminating,\"=HYPERLINK(\"\"x\"\")\",+14155550102,2026-11-20T10:00:00Z,,60,completed";
    night.calls(&[
        row,
        "=CA2,,AC1,,trunking-terminating,+12025550101,+999,2026-11-20T10:00:00Z,,60,completed",
    ]);
    night.run(&[]);
    let last = |args: &[&str]| night.trunkrate(args).ok().lines().last().expect("a row").to_owned();
    for args in [
        &["log", "--format", "csv"][..],
        &["export", "legs", "--format", "csv"],
        &["export", "calls", "--format", "csv"],
    ] {
        let (safe, raw) = (last(args), last(&[args, &["--raw"]].concat()));
        assert!(
            safe.contains(",'=cmd|' /C calc'!A0,") && safe.contains("\"'=HYPERLINK(\"\"x\"\")\""),
            "{safe}"
        );
        assert!(
            raw.contains(",=cmd|' /C calc'!A0,") && raw.contains("\"=HYPERLINK(\"\"x\"\")\""),
            "{raw}"
        );
        assert!(safe.contains(",+14155550102,"), "a number is none: {safe}");
    }
    for args in
        [&["suspense", "--all", "--format", "csv"][..], &["export", "suspense", "--format", "csv"]]
    {
        let (safe, raw) = (last(args), last(&[args, &["--raw"]].concat()));
        assert!(safe.starts_with("'=CA2,") && safe.contains(",\"'=CA2,,AC1"), "{safe}");
        assert!(raw.starts_with("=CA2,") && raw.contains(",\"=CA2,,AC1"), "{raw}");
    }
    night.file("rates/deck.toml", "name = \"\\u001b]0;pwned\\u0007red\"\ncurrency = \"USD\"\n");
    let said = night.trunkrate(&["rates", "lookup", "rates", "+14155550102"]).ok();
    assert!(said.starts_with("\\u{1b}]0;pwned\\u{7}red: termination to +14155550102"), "{said}");
}

// ---- damage
// -----------------------------------------------------------------------------------------------------

/// A page that says -1 values, a column that is short, a footer that lies: each ended the process
/// (134), or in a panic (101).
#[test]
fn damaged_parquet_is_an_error_with_the_name_of_the_file() {
    let night = Night::with_plain_deck();
    let good =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats/strings.parquet"))
            .expect("a fixture");
    let mut dice = 7_u64;
    let mut below = |bound: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(dice >> 33).expect("31 bits") % bound
    };
    let mut refused = 0;
    for try_ in 0..300 {
        let mut bytes = good.clone();
        for _ in 0..=below(3) {
            let at = below(bytes.len());
            bytes[at] = [0, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80][below(4)];
        }
        night.file("calls.parquet", &bytes);
        let ledger = format!("ledger-{try_}");
        let done = night.trunkrate(&[
            "run",
            "--cdrs",
            "calls.parquet",
            "--rates",
            "rates",
            "--no-transfers",
            "--ledger",
            &ledger,
        ]);
        assert!(matches!(done.code, 0 | 1), "try {try_}: {}", done.shown());
        if done.code == 1 {
            refused += 1;
            assert!(done.stderr.contains("calls.parquet"), "try {try_}: {}", done.stderr);
            let runs = night.path().join(&ledger).join("runs");
            assert!(!runs.exists() || names(&runs).is_empty(), "try {try_}: nothing was booked");
        }
    }
    assert!(refused > 100, "{refused}");
}

/// One value of 60 KB that stands in 20,000 rows of a Parquet file of a few thousand bytes: as
/// text, 1.2 GB. It is refused as soon as it is seen, in memory that does not grow with it.
#[test]
fn a_dictionary_that_stands_for_gigabytes_is_refused() {
    use polars::prelude::*;
    const ROWS: usize = 20_000;
    let night = Night::with_plain_deck();
    let one = |name: &str, text: String| Column::new(name.into(), vec![text; ROWS]);
    let write = |name: &str, caller: &str, other: &str| {
        let mut columns: Vec<Column> = [
            ("parent_call_sid", ""),
            ("account_sid", "AC1"),
            ("direction", "trunking-terminating"),
            ("from", caller),
            ("to", "+14155550102"),
            ("start_time", "2026-11-20T10:00:00Z"),
            ("duration", "60"),
            ("status", "completed"),
            ("note", other),
        ]
        .map(|(name, text)| one(name, text.to_owned()))
        .into();
        columns.push(Column::new(
            "sid".into(),
            (0..ROWS).map(|n| format!("C{n}")).collect::<Vec<String>>(),
        ));
        let mut frame = DataFrame::new(ROWS, columns).expect("a frame");
        let file = fs::File::create(night.path().join(name)).expect("a file is made");
        ParquetWriter::new(file).finish(&mut frame).expect("a file is written");
    };
    let long = "x".repeat(60_000);
    write("known.parquet", &long, "");
    // The column is not read with the calls; but all of them wait, and are kept with all their
    // columns.
    write("other.parquet", "442079460110", &long);
    for name in ["known.parquet", "other.parquet"] {
        assert!(fs::metadata(night.path().join(name)).expect("a file").len() < 1 << 20);
        let done = night.trunkrate(&["run", "--cdrs", name, "--rates", "rates"]);
        let said = format!("error: {name}: gives more than 1000 times its size in text");
        assert!(done.code == 1 && done.stderr.contains(&said), "{}", done.shown());
    }
}

/// 461 bytes of zstd that are two million broken lines, and a JSON array of empty rows: each filled
/// gigabytes.
#[test]
fn a_file_that_unpacks_to_a_thousand_times_its_size_is_refused() {
    let night = Night::with_plain_deck();
    let lines = [crate::support::HEADER, "\n", &"x\n".repeat(2_000_000)].concat();
    let rows = format!("[{}{{}}]", "{},".repeat(2_000_000));
    for (name, text) in [("calls.csv.zst", lines), ("calls.json.zst", rows)] {
        let packed = zstd::encode_all(text.as_bytes(), 19).expect("it is packed");
        night.file(name, &packed);
        let run = ["run", "--cdrs", name, "--rates", "rates", "--no-transfers"];
        let done = night.trunkrate(&run);
        let said = format!(
            "error: {name}: unpacks to more than 1000 times its {} bytes\nhint: ",
            packed.len()
        );
        assert!(done.code == 1 && done.stderr.starts_with(&said), "{}", done.stderr);
    }
    // Calls much alike, to a mebibyte, are nothing odd; and who knows better says so.
    let alike = [crate::support::HEADER, "\n", &"x\n".repeat(200_000)].concat();
    night.file("calls.csv.zst", zstd::encode_all(alike.as_bytes(), 19).expect("it is packed"));
    night
        .trunkrate(&["run", "--cdrs", "calls.csv.zst", "--rates", "rates", "--ledger", "alike"])
        .ok();
    let more = [crate::support::HEADER, "\n", &"x\n".repeat(800_000)].concat();
    night.file("calls.csv.zst", zstd::encode_all(more.as_bytes(), 19).expect("it is packed"));
    night.file("trunkrate.toml", "[input]\nmax_ratio = 100000\n");
    night
        .trunkrate(&["run", "--cdrs", "calls.csv.zst", "--rates", "rates", "--ledger", "more"])
        .ok();
}

/// A list that is a pipe was waited for without end, and a link that leads nowhere was no part of
/// the deck.
#[test]
fn what_is_no_file_is_refused() {
    let night = Night::with_plain_deck();
    night.calls(&[&call("CA1", "2026-11-20")]);
    let pipe = night.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    for flag in ["--accounts", "--trunks", "--config"] {
        let done = night.trunkrate(&[RUN, &[flag, "pipe"]].concat());
        assert!(
            done.code == 1 && done.stderr.contains("pipe: is no regular file"),
            "{flag}: {}",
            done.stderr
        );
    }
    for args in [
        &["run", "--cdrs", "pipe", "--rates", "rates"][..],
        &["rerate", "CA1", "--cdrs", "pipe", "--rates", "rates"],
    ] {
        let done = night.trunkrate(args);
        assert!(
            done.code == 1 && done.stderr.contains("pipe: is no regular file"),
            "{args:?}: {}",
            done.stderr
        );
    }
    symlink(night.path().join("nowhere.csv"), night.path().join("rates/more.csv")).expect("a link");
    let said = refused(&night);
    assert!(said.starts_with("error: rates/more.csv: is neither a file nor a folder\n"), "{said}");
}

/// What holds calls is its owner's alone, whatever the umask says.
#[test]
fn only_the_owner_reads_what_holds_calls() {
    use std::os::unix::fs::PermissionsExt;
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", SELLER);
    book(&night, &[("CA1", "2026-11-20")]);
    issue(&night);
    night.trunkrate(&["invoice", "write", "--out", "out"]).ok();
    night.trunkrate(&["export", "legs", "--format", "csv", "--out", "legs.csv"]).ok();
    let mut todo = ["ledger", "out", "legs.csv"].map(|name| night.path().join(name)).to_vec();
    let mut seen = 0;
    while let Some(path) = todo.pop() {
        let meta = fs::metadata(&path).expect("it is there");
        let expected = if meta.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(meta.permissions().mode() & 0o777, expected, "{}", path.display());
        if meta.is_dir() {
            todo.extend(
                fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()),
            );
        }
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

/// A run that is told to end leaves nothing, says so, and may be made again.
#[test]
fn a_signal_ends_a_run_cleanly() {
    let night = Night::with_plain_deck();
    let rows: Vec<String> = (0..300_000).map(|at| call(&format!("CA{at}"), "2026-11-20")).collect();
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    for signal in ["TERM", "INT"] {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_trunkrate"))
            .args([RUN, &["--ledger", "ledger", "--threads", "1"]].concat())
            .current_dir(night.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let staging = night.path().join("ledger/staging");
        while !staging.join("holder").exists() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        let killed = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &run.id().to_string()])
            .status();
        assert!(killed.expect("kill").success());
        let ended = run.wait_with_output().expect("it ends");
        let said = String::from_utf8(ended.stderr).expect("UTF-8");
        let expected = format!(
            "error: interrupted by SIG{signal}: what was published stands, and nothing else was booked\n"
        );
        assert_eq!((ended.status.code(), said), (Some(1), expected));
        assert_eq!((names(&staging), names(&night.path().join("ledger/runs"))), (vec![], vec![]));
    }
    assert_eq!(night.run(&[])["rated"], 300_000);
}

/// No output replaces an input of the command: a call file, a list, a deck, the project.
#[test]
fn no_output_replaces_an_input() {
    let night = Night::with_plain_deck();
    night.file(
        "trunkrate.toml",
        "[paths]\nledger = \"ledger\"\ncalls = \"calls\"\nrates = \"rates\"\naccounts = \"accounts.csv\"\n",
    );
    night.file("accounts.csv", "account_sid,name,deck\nAC1,Harbor,\n");
    let row = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed";
    night.file("calls/one.csv", crate::support::call_file(&[row]));
    night.bare("", &["run"], &[]).ok();
    let inputs =
        ["calls/one.csv", "accounts.csv", "trunkrate.toml", "rates/deck.toml", "rates/new.csv"];
    let before = inputs.map(|name| std::fs::read(night.path().join(name)).ok());
    let commands: &[&[&str]] = &[
        &["run", "--metrics"],
        &["run", "--report"],
        &["run", "--status-file"],
        &["status", "--metrics"],
        &["explain", "CA1", "--html"],
        &["export", "legs", "--format", "csv", "--out"],
        &["report", "--out"],
    ];
    for command in commands {
        for input in inputs {
            let done = night.bare("", &[command, &[input][..]].concat(), &[]);
            assert!(done.code != 0, "{command:?} {input}: {}", done.shown());
            assert!(done.stderr.contains("is an input"), "{command:?} {input}: {}", done.shown());
        }
    }
    assert_eq!(inputs.map(|name| std::fs::read(night.path().join(name)).ok()), before);
    assert_eq!(night.bare("", &["runs", "--format", "jsonl"], &[]).ok().lines().count(), 1);
    night.bare("", &["run", "--metrics", "m.prom"], &[]).ok();
}
