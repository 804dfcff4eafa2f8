//! The project's file stands for flags; `init` makes one, and looks at what is in it.

use crate::support::{Done, HEADER, Night, call_file};
use std::fs;

const CALL: &str = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,2026-11-20T21:20:00Z,300,completed,-0.0500";
const TRANSFER: &str = "CA2,CA1,AC1,,,,+13035550103,2026-11-20T21:20:00Z,,370,completed";

/// Calls, a deck, accounts and trunks, and a file that names them all.
fn project() -> Night {
    let night = Night::with_plain_deck();
    night.file("calls/night.csv", call_file(&[CALL, TRANSFER]));
    night.file(
        "accounts.csv",
        "account_sid,name,deck,address,city,country,postcode\nAC1,One,,Road 1,Town,US,10001\n",
    );
    night.file(
        "trunks.json",
        r#"{"trunks": [{"sid": "TK1", "domain_name": "x.pstn.twilio.com", "transfer_mode": "enable-all"}]}"#,
    );
    night.file(
        "items.csv",
        "account_sid,description,quantity,unit_price,currency\nAC1,Trunk,1,10.00,USD\n",
    );
    night.file("trunkrate.toml", PROJECT);
    night
}

const PROJECT: &str = r#"[paths]
ledger = "books/ledger"
calls = ["calls"]
rates = "rates"
trunks = "trunks.json"
accounts = "accounts.csv"
items = "items.csv"
out = "invoices"
[seller]
name = "Seller"
address = ["Street 1"]
city = "Town"
postcode = "10001"
country = "US"
[invoice]
tax_category = "outside-scope"
tax_reason = "a test"
"#;

fn bare(night: &Night, args: &[&str]) -> Done {
    night.bare("", args, &[])
}

// ---- the file stands for flags
// --------------------------------------------------------------------------------------

/// A leg of 300 s at 0.0100 is 0.05000; the transfer to a number is two legs of 420 s: 0.14000.
/// The library takes the second of two, and booked there without a word.
#[test]
fn a_ledger_that_is_given_twice_is_refused() {
    let night = project();
    for flag in ["--ledger", "--config"] {
        let done = night.trunkrate(&[flag, "one", "run", &format!("{flag}=two")]);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""));
        assert_eq!(
            done.stderr,
            format!(
                "error: {flag} is given twice\nhint: give it once, before or after the command\n"
            )
        );
    }
    assert!(!night.path().join("one").exists() && !night.path().join("two").exists());
}

#[test]
fn a_project_needs_no_flags() {
    let night = project();
    let summary = bare(&night, &["run", "--format", "json"]).json();
    assert_eq!(summary["amount"].to_string(), r#"{"USD":"0.19000"}"#);
    assert!(night.path().join("books/ledger/runs").is_dir());
    assert_eq!(bare(&night, &["suspense", "retry"]).ok(), "nothing waits\n");
    let commands: [&[&str]; 13] = [
        &["log"],
        &["runs"],
        &["suspense"],
        &["verify"],
        &["report"],
        &["export", "legs"],
        &["rerate", "CA2"],
        &["rerate", "CA2", "--cdrs", "calls"],
        &["rates", "check"],
        &["rates", "lookup", "+14155550102"],
        &["invoice", "draft", "--period", "2026-11"],
        &["invoice", "--period", "2026-11"],
        &["invoice", "list"],
    ];
    for args in commands {
        let said = bare(&night, args);
        assert!(said.code == 0 && !said.stdout.is_empty(), "{args:?}: {}", said.shown());
    }
    let issued =
        bare(&night, &["invoice", "issue", "--period", "2026-11", "--date", "2026-12-01"]).ok();
    // 0.19 of calls, 10.00 of items.
    assert!(issued.contains("INV-2026-000001") && issued.contains("10.19 USD"), "{issued}");
    assert!(night.path().join("invoices/INV-2026-000001.pdf").is_file(), "`out` says where");
    fs::remove_dir_all(night.path().join("invoices")).expect("removed");
    bare(&night, &["invoice", "write", "--format", "json"]).ok();
    assert!(night.path().join("invoices/INV-2026-000001.json").is_file());
    assert!(!night.path().join("ledger").exists(), "the default place is not used");
}

#[test]
fn the_file_is_found_above_and_names_are_the_same() {
    let above = project();
    fs::create_dir_all(above.path().join("a/b")).expect("folders");
    above.file(
        "calls/night.csv",
        call_file(&[CALL, "CA5,CA9,AC1,,,,+13035550103,2026-11-20T21:05:00Z,,10,completed"]),
    );
    let same = project();
    same.file(
        "calls/night.csv",
        call_file(&[CALL, "CA5,CA9,AC1,,,,+13035550103,2026-11-20T21:05:00Z,,10,completed"]),
    );
    above.bare("a/b", &["run"], &[]).ok();
    bare(&same, &["run"]).ok();
    let manifest = |night: &Night| {
        let runs = fs::read_dir(night.path().join("books/ledger/runs")).expect("runs");
        let run = runs.map(|run| run.expect("a run").path()).next().expect("a run");
        fs::read_to_string(run.join("manifest.json")).expect("a manifest")
    };
    assert_eq!(manifest(&above), manifest(&same));
    assert!(manifest(&above).contains("\"name\": \"calls/night.csv\""));
    assert!(above.bare("a/b", &["suspense", "--all"], &[]).ok().contains(" calls/night.csv:3"));
}

#[test]
fn flag_beats_environment_beats_project() {
    let night = project();
    let has = |folder: &str| night.path().join(folder).join("runs").is_dir();
    night.bare("", &["--ledger", "flag", "run"], &[("TRUNKRATE_LEDGER", "environment")]).ok();
    assert!(has("flag") && !has("environment") && !has("books/ledger"));
    night.bare("", &["run"], &[("TRUNKRATE_LEDGER", "environment")]).ok();
    assert!(has("environment") && !has("books/ledger"));
    night.bare("", &["run"], &[("TRUNKRATE_LEDGER", "")]).ok();
    assert!(has("books/ledger"), "an empty variable is none");
    night.file(
        "other/trunkrate.toml",
        PROJECT
            .replace("books/ledger", "here")
            .replace("\"calls\"", "\"../calls\"")
            .replace("rates = \"", "rates = \"../")
            .replace("trunks.json", "../trunks.json")
            .replace("accounts.csv", "../accounts.csv"),
    );
    for (args, env) in [
        (&["--config", "other/trunkrate.toml", "run"][..], &[][..]),
        (&["run", "--config", "other/trunkrate.toml"], &[("TRUNKRATE_CONFIG", "none.toml")]),
        (&["run"], &[("TRUNKRATE_CONFIG", "other/trunkrate.toml")]),
    ] {
        night.bare("", args, env).ok();
        assert!(has("other/here"), "{args:?}");
        fs::remove_dir_all(night.path().join("other/here")).expect("removed");
    }
    // A flag for one path, the project for the others.
    night.file("more/other.csv", call_file(&[&CALL.replace("CA1", "CA7")]));
    assert_eq!(bare(&night, &["run", "--cdrs", "more", "--format", "json"]).json()["rated"], 1);
}

/// Before the command, after it, and between it and its subcommand.
#[test]
fn ledger_and_config_stand_anywhere() {
    let night = project();
    bare(&night, &["run"]).ok();
    for args in [
        &["--ledger", "books/ledger", "suspense", "--counts"][..],
        &["suspense", "--ledger", "books/ledger", "--counts"],
        &["invoice", "--ledger", "books/ledger", "list"],
        &["--config", "trunkrate.toml", "invoice", "list", "--ledger", "books/ledger"],
        &["suspense", "--config", "trunkrate.toml", "retry"],
        &["rates", "--config", "trunkrate.toml", "check"],
    ] {
        let done = bare(&night, args);
        assert_eq!(done.code, 0, "{args:?}: {}", done.shown());
    }
    // An option of the list before a subcommand would be forgotten.
    for args in [
        &["suspense", "--account", "AC1", "retry"][..],
        &["invoice", "--period", "2026-11", "list"],
    ] {
        let done = bare(&night, args);
        assert!(
            done.code == 2 && done.stderr.contains("before the subcommand"),
            "{args:?}: {}",
            done.shown()
        );
    }
}

// ---- no ledger by accident
// ----------------------------------------------------------------------------------------

#[test]
fn no_ledger_is_made_of_its_own_accord() {
    let night = Night::with_plain_deck();
    night.calls(&[CALL]);
    let run = ["run", "--cdrs", "calls.csv", "--rates", "rates"];
    let expected = "error: which ledger? no trunkrate.toml is in this folder or above it, and `ledger` is no ledger; nothing was booked\n\
                    hint: `trunkrate init` makes a project; or name a ledger with --ledger DIR, and it is made\n";
    let refused = |done: Done| {
        assert_eq!(done, Done { code: 1, stdout: String::new(), stderr: expected.to_owned() });
    };
    refused(bare(&night, &run));
    fs::create_dir(night.path().join("ledger")).expect("a folder");
    refused(bare(&night, &run));
    assert!(
        fs::read_dir(night.path().join("ledger")).expect("a folder").next().is_none(),
        "nothing was made"
    );
    // Choices alone name no ledger.
    night.file("trunkrate.toml", "[money]\nleg_decimals = 4\n");
    let done = bare(&night, &run);
    assert!(
        done.code == 1 && done.stderr.contains("trunkrate.toml has no [paths]"),
        "{}",
        done.stderr
    );
    fs::remove_file(night.path().join("trunkrate.toml")).expect("removed");
    // A ledger that is there is used as ever.
    bare(&night, &[&run[..], &["--ledger", "ledger"]].concat()).ok();
    assert_eq!(bare(&night, &[&run[..], &["--format", "json"]].concat()).json()["duplicate"], 1);
    bare(&night, &["verify"]).ok();
    // Reading says so too.
    let elsewhere = Night::new();
    let done = bare(&elsewhere, &["log"]);
    assert!(
        done.code == 1
            && done.stderr.contains("ledger: there is no ledger")
            && done.stderr.contains("trunkrate init"),
        "{}",
        done.stderr
    );
}

// ---- what is wrong in the file
// --------------------------------------------------------------------------------------

#[test]
fn a_path_that_is_not_there_is_an_error() {
    for (key, line) in [("rates", 4), ("trunks", 5), ("accounts", 6)] {
        let night = project();
        let text = PROJECT.lines().map(|l| {
            if l.starts_with(key) { format!("{key} = \"gone\"\n") } else { format!("{l}\n") }
        });
        night.file("trunkrate.toml", text.collect::<String>());
        let done = bare(&night, &["run"]);
        let expected =
            format!("error: trunkrate.toml:{line}: paths.{key} is `gone`, and there is no gone\n");
        assert!(done.code == 1 && done.stderr.starts_with(&expected), "{}", done.stderr);
        assert!(!night.path().join("books").exists(), "nothing is made");
    }
    let night = project();
    night.file("trunkrate.toml", PROJECT.replace("[\"calls\"]", "\"gone/*.csv\""));
    let done = bare(&night, &["run"]);
    assert!(
        done.code == 1
            && done.stderr.contains("gone/*.csv: no such file")
            && done.stderr.contains("trunkrate.toml:3 names it"),
        "{}",
        done.stderr
    );
    bare(&night, &["run", "--cdrs", "calls"]).ok();
    fs::remove_file(night.path().join("items.csv")).expect("removed");
    let done = bare(&night, &["invoice", "issue", "--period", "2026-11", "--date", "2026-12-01"]);
    assert!(
        done.code == 1 && done.stderr.contains("trunkrate.toml:7: paths.items"),
        "{}",
        done.stderr
    );
}

#[test]
fn what_the_file_cannot_say_is_refused() {
    let night = project();
    for (text, said) in [
        ("[paths]\nacounts = \"a.csv\"\n", "trunkrate.toml:2: unknown field `acounts`"),
        ("[path]\ncalls = \"calls\"\n", "trunkrate.toml:1: unknown field `path`"),
        ("[paths]\ncalls = 5\n", "trunkrate.toml:2: expected a path, or a list of paths"),
        ("[paths]\ncalls = []\n", "trunkrate.toml:2: paths.calls is empty"),
        ("[paths]\nrates = \"\"\n", "trunkrate.toml:2: paths.rates is empty"),
        ("[paths]\n\nledger = \"\"\n", "trunkrate.toml:3: paths.ledger is empty"),
    ] {
        night.file("trunkrate.toml", text);
        for args in [&["run"][..], &["verify"]] {
            let done = bare(&night, args);
            assert!(done.code == 1 && done.stderr.contains(said), "{text}: {}", done.stderr);
        }
    }
    night.file("trunkrate.toml", "[paths]\nledger = \"l\"\n");
    for (args, said) in [
        (
            &["run"][..],
            "error: --cdrs PATH is missing\nhint: give it, or write `calls = \"…\"` under [paths] in trunkrate.toml\n",
        ),
        (&["run", "--cdrs", "calls"], "error: --rates DIR is missing\n"),
        (&["rates", "check"], "error: --rates DIR is missing\n"),
    ] {
        let done = bare(&night, args);
        assert!(done.code == 2 && done.stderr.contains(said), "{args:?}: {}", done.stderr);
    }
    let done = night.bare("", &["verify"], &[("TRUNKRATE_CONFIG", "none.toml")]);
    assert!(
        done.code == 1
            && done.stderr.contains("none.toml: cannot be read")
            && done.stderr.contains("TRUNKRATE_CONFIG names it"),
        "{}",
        done.stderr
    );
}

// ---- init
// -----------------------------------------------------------------------------------------------------------

#[track_caller]
fn assert_shown(name: &str, shown: &str) {
    insta::with_settings!({ snapshot_path => "snapshots/project", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, shown);
    });
}

/// As a new user does it: an empty folder, an export and a deck copied in, a run, an invoice.
#[test]
fn from_an_empty_folder_to_an_invoice() {
    let night = Night::new();
    let mut shown = String::new();
    let mut say = |args: &[&str]| {
        let done = bare(&night, args);
        shown.extend(["$ trunkrate ", &args.join(" "), "\n", &done.shown(), "\n"]);
        done
    };
    night.file("accounts.csv", "account_sid,name,deck,address,city,country\nAC1,One,,Road 1,Town,US\nAC2,Two,,Road 2,Town,US\n");
    let seller = [
        "--seller-name",
        "Bell",
        "--seller-address",
        "Road 9",
        "--seller-country",
        "US",
        "--tax-category",
        "zero",
    ];
    say(&[&["init"][..], &seller].concat()).ok();
    assert!(!night.path().join("ledger").exists());
    let calls = [
        CALL,
        TRANSFER,
        "CA3,,AC2,TK1,trunking-originating,+442079460110,+12025550101,2026-11-20T22:00:00Z,2026-11-20T22:01:00Z,60,completed",
        "CA4,,AC1,,inbound,+12025550101,+14155550102,2026-11-20T21:15:00Z,,10,completed",
    ];
    night.file("calls/night.csv", call_file(&calls));
    night.deck("US,United States,US,0.0100,,1,termination,,,,,,\nUS,United States,US in,0.0034,,1,origination,,,,,,\n");
    say(&["init"]).ok();
    assert!(!night.path().join("ledger").exists(), "a look books nothing");
    say(&["run"]).ok();
    say(&["invoice", "issue", "--period", "2026-11", "--date", "2026-12-01"]).ok();
    assert_shown("walk", &shown);
    assert_shown(
        "file",
        &fs::read_to_string(night.path().join("trunkrate.toml")).expect("the file"),
    );
}

#[test]
fn init_takes_flags() {
    let night = Night::with_plain_deck();
    night.file("in/night.csv", call_file(&[CALL]));
    let args = [
        "init",
        "p",
        "--calls",
        "in",
        "--rates",
        "rates",
        "--ledger",
        "p/books",
        "--timezone",
        "Europe/Berlin",
        "--seller-name",
        "Bell \"&\" \\ Sons",
        "--seller-address",
        "Road 1",
        "--seller-country",
        "DE",
        "--tax-category",
        "standard",
        "--tax-rate",
        "19",
    ];
    let said = bare(&night, &args).ok();
    assert!(said.contains("a run over ") && said.contains("rated             1"), "{said}");
    let text = fs::read_to_string(night.path().join("p/trunkrate.toml")).expect("the file");
    for line in [
        "ledger = \"books\"",
        "timezone = \"Europe/Berlin\"",
        r#"name = "Bell \"&\" \\ Sons""#,
        "address = [\"Road 1\"]",
        "tax_rate = \"19\"",
    ] {
        assert!(text.lines().any(|l| l.starts_with(line)), "{line}: {text}");
    }
    assert_eq!(
        night.bare("p", &["run", "--format", "json"], &[]).json()["amount"].to_string(),
        r#"{"USD":"0.05000"}"#
    );
    assert!(night.path().join("p/books/runs").is_dir());
    // Nothing is written over unasked, and then the old file is kept.
    let refused = bare(&night, &args);
    assert!(refused.code == 1 && refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(night.path().join("p/trunkrate.toml")).expect("the file"), text);
    let forced = bare(&night, &["init", "p", "--calls", "in", "--rates", "rates", "--force"]);
    assert!(
        forced.code == 0 && forced.stderr.contains("the old one is p/trunkrate.toml.1"),
        "{}",
        forced.shown()
    );
    assert_eq!(
        fs::read_to_string(night.path().join("p/trunkrate.toml.1")).expect("the old file"),
        text
    );
    for (flags, said) in [
        (&["--timezone", "Mars"][..], "there is no time zone `Mars`"),
        (&["--seller-country", "de"], "seller.country is `de`"),
        (&["--tax-category", "standard"], "tax_rate"),
    ] {
        let done = bare(&night, &[&["init", "q"], flags].concat());
        assert!(done.code == 2 && done.stderr.contains(said), "{}", done.shown());
        assert!(!night.path().join("q/trunkrate.toml").exists());
    }
}

/// A list that lies in the folder is named, so that no night forgets it.
#[test]
fn init_finds_lists_that_are_there() {
    let night = project();
    fs::remove_file(night.path().join("trunkrate.toml")).expect("removed");
    bare(&night, &["init"]).ok();
    let text = fs::read_to_string(night.path().join("trunkrate.toml")).expect("the file");
    for line in ["trunks = \"trunks.json\"", "accounts = \"accounts.csv\"", "items = \"items.csv\""]
    {
        assert!(text.lines().any(|l| l.starts_with(line)), "{line}: {text}");
    }
}

/// One that is put there later is not used, and that is said each time.
#[test]
fn a_list_that_is_not_named_is_said_aloud() {
    let night = project();
    night.file(
        "trunkrate.toml",
        PROJECT.replace("accounts = ", "# accounts = ").replace("items = ", "# items = "),
    );
    let said = "note: accounts.csv is not used: trunkrate.toml does not name it; `accounts = …` under [paths] does\n";
    assert_eq!(bare(&night, &["run"]).stderr, said);
    let done = bare(&night, &["run", "--accounts", "accounts.csv"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "a flag names it");
    let done = bare(&night, &["invoice", "draft", "--period", "2026-11"]);
    assert!(
        done.stderr.contains(said) && done.stderr.contains("note: items.csv is not used"),
        "{}",
        done.stderr
    );
}

/// A column under another name is shown beside the one that is missing; the run would be refused,
/// and the look says so.
#[test]
fn init_shows_a_missing_column() {
    let night = Night::with_plain_deck();
    night.file(
        "calls/night.csv",
        call_file(&[CALL, TRANSFER])
            .replace(HEADER, &HEADER.replace("parent_call_sid", "Parent Call")),
    );
    let said = bare(&night, &["init"]).ok();
    assert!(
        said.lines().any(|line| line.starts_with("parent_call_sid") && line.contains("MISSING")),
        "{said}"
    );
    assert!(said.contains("not read: Parent Call"), "{said}");
}
