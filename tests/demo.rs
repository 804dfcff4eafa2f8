//! The demo: the sample night out of the binary, in a folder of its own.

use crate::support::Night;
use std::path::Path;

/// The amounts of the night are those of `fixtures_night`, which were computed elsewhere.
#[test]
fn the_demo_takes_its_night_from_calls_to_invoices() {
    let night = Night::new();
    // Whatever the user's own project is, the demo keeps to its folder.
    let elsewhere = night.path().join("elsewhere").display().to_string();
    let env = [("TRUNKRATE_LEDGER", elsewhere.as_str()), ("TRUNKRATE_CONFIG", elsewhere.as_str())];
    let done = night.bare("", &["demo"], &env);
    assert_eq!(done.code, 0, "{}", done.shown());
    for expected in [
        "\n$ trunkrate run\n",
        "\n   35 legs\n   0.28964 EUR\n   1.14070 USD\n",
        "\n$ trunkrate calls --call CA20261120000000000000000000000108\n",
        "\n$ trunkrate explain CA20261120000000000000000000000108\n",
        "0.25300 USD",
        "\n$ trunkrate verify\n",
    ] {
        assert!(done.stdout.contains(expected), "{expected:?} in {}", done.stdout);
    }
    assert!(!Path::new(&elsewhere).exists());
    let folder = night.path().join("trunkrate-demo");
    let report = std::fs::read_to_string(folder.join("report.html")).expect("the report");
    assert!(report.contains("000001-"), "the report of the run");
    let invoices = std::fs::read_dir(folder.join("invoices")).expect("the invoices");
    let pdfs = invoices.filter(|entry| {
        let entry = entry.as_ref().expect("an entry");
        entry.path().extension().is_some_and(|ending| ending == "pdf")
    });
    assert_eq!(pdfs.count(), 4, "an invoice for each account");

    // In the folder, a command that was printed does the same again.
    let again = night.bare("trunkrate-demo", &["run"], &[]);
    assert_eq!(again.code, 0, "{}", again.shown());
    assert!(again.stdout.contains("= rated       0 records"), "{}", again.stdout);
}

#[test]
fn the_demo_touches_no_folder_that_holds_anything() {
    let night = Night::new();
    night.file("own/kept.txt", "mine");
    night.file("a-file", "mine");
    for (args, expected) in [
        (&["demo", "own"][..], "own: the demo wants a folder that is new or empty"),
        (&["demo", "a-file"], "a-file: is no folder"),
        (&["demo", "--ledger", "there"], "--ledger: the demo has a ledger of its own"),
    ] {
        let done = night.bare("", args, &[]);
        assert!(done.code > 0 && done.stderr.contains(expected), "{}", done.shown());
    }
    let own: Vec<_> = std::fs::read_dir(night.path().join("own")).expect("a folder").collect();
    assert_eq!(own.len(), 1);
    assert!(!night.path().join("trunkrate-demo").exists());
}
