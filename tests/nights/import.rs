//! Nights rated by the CLI, published, and imported into another ledger: run by run the same names
//! and bytes, with what waits between them.

use super::random::{config, random_nights, random_words};
use super::words::{folder, lines};
use super::{Folder, Line, cell, rate, shown};
use crate::import::night::{Style, Told, id_of, publish};
use crate::import::{assert_same_bytes, booked_bytes, waiting};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

/// Rates nights and publishes each after its run.
fn published(cli: &Folder, nights: &[Vec<Line>], style: Style) -> Vec<(String, PathBuf)> {
    let mut previous: Option<String> = None;
    let mut found = Vec::new();
    for (sequence, night) in (1..).zip(nights) {
        let run_id = cell(&rate(cli, night, &[]), "run_id").to_owned();
        let told = Told {
            run: cli.path().join("ledger/runs").join(&run_id),
            calls: vec![cli.path().join("calls.csv")],
            rates: cli.path().join("rates"),
            trunks: None,
            accounts: None,
            config: Some(cli.path().join("trunkrate.toml")),
            previous: previous.as_deref(),
            sequence,
            style,
        };
        let night = publish(&told, &cli.path().join("nights"));
        previous = Some(id_of(&night));
        found.push((run_id, night));
    }
    found
}

fn import(ledger: &Folder, night: &Path, more: &[&str]) -> crate::support::Done {
    ledger.trunkrate(&[&["ledger", "import", night.to_str().expect("UTF-8")], more].concat())
}

/// Imports nights one by one; after each, what waits is what the CLI had. (Only the last one's can
/// be asked of it.)
#[track_caller]
fn hold(config: &str, nights: &[Vec<Line>], style: Style, more: &[&str]) {
    let (cli, ledger) = (folder(config), Folder::new());
    for (run_id, night) in published(&cli, nights, style) {
        let done = import(&ledger, &night, more);
        assert_eq!(done.code, 0, "{}{}", done.shown(), shown(nights));
        assert!(
            done.stdout.starts_with(&format!("run {run_id}\n")),
            "{}{}",
            done.stdout,
            shown(nights)
        );
        let [own, imported] =
            [&cli, &ledger].map(|folder| booked_bytes(&folder.path().join("ledger"), &run_id));
        assert_same_bytes(&own, &imported);
    }
    let detail = |folder: &Folder| {
        let mut rows = waiting(folder);
        // The CLI was told `calls.csv`, the test's reader the whole path. Of equal copies the first
        // one is kept, and in the other style rows stand in another order.
        for row in rows.iter_mut().filter_map(serde_json::Value::as_object_mut) {
            row.remove("source_file");
            if style == Style::Other {
                row.remove("source_line");
            }
        }
        rows.sort_by_key(serde_json::Value::to_string);
        rows
    };
    assert_eq!(detail(&cli), detail(&ledger), "{}", shown(nights));
    ledger.trunkrate(&["verify"]).ok();
}

fn of(words: &[&str]) -> Vec<Vec<Line>> {
    words.iter().map(|night| lines(night)).collect()
}

/// A child before its parent, a conflict, a copy, an ignored family, a circle, a call that was not
/// final, a text that is no record; a parent of two nights ago, a grandchild, prices that come
/// late, and a night without calls of its own.
#[test]
fn nights_in_their_order_are_the_clis_own_runs() {
    let nights = of(&[
        "C<P, Q, Q 301s, B busy, F inbound, A<M, M<A, R ringing, !cut, _, X",
        "P $-0.05, G<F, R, Q, X, Y +1d",
        "D<P, E<D, P $-0.09, X $-0.01",
        "Z +9d",
        "J<R, J<R, K<N +9d",
    ]);
    for (config, style) in
        [("", Style::Plain), ("[policy]\nchained_transfers = \"root\"\n", Style::Other)]
    {
        hold(config, &nights, style, &[]);
    }
    hold("", &nights, Style::Other, &["--memory", "16KiB"]);
}

/// The second night has the first one's calls as parents, and takes up what waited: alone it comes
/// to something else.
#[test]
fn nights_out_of_their_order_are_refused_if_it_matters() {
    let cli = folder("");
    let nights = published(&cli, &of(&["P, C<N", "D<P", "X +1d"]), Style::Plain);
    let ledger = Folder::new();
    let done = import(&ledger, &nights[1].1, &[]);
    let first = &id_of(&nights[0].1)[..8];
    assert_eq!(done.code, 1, "{}", done.shown());
    let expected = [
        "\nrated: 1 records and 370 s published, 0 records and 0 s here\n".to_owned(),
        "\nretried: 1 records and 370 s published, 0 records and 0 s here\n".to_owned(),
        "\nlegs: call D, leg 1 of 2026-11-20T21:05:00Z: is published, and not found here: call_sid D".to_owned(),
        format!("\nhint: it follows night {first}, which this ledger has not: import nights in their order\n"),
    ];
    for text in expected {
        assert!(done.stderr.contains(&text), "{text}: {}", done.stderr);
    }
    assert!(crate::import::night::below(&ledger.path().join("ledger/runs")).is_empty());
    for (run_id, night) in &nights {
        assert!(import(&ledger, night, &[]).ok().starts_with(&format!("run {run_id}\n")));
    }
    // A person's decision between two nights, of which the second one knows nothing.
    let other = Folder::new();
    import(&other, &nights[0].1, &[]).ok();
    other.trunkrate(&["suspense", "close", "C", "--reason", "a test"]).ok();
    let done = import(&other, &nights[1].1, &[]);
    assert_eq!(done.code, 1, "{}", done.shown());
    assert!(
        done.stderr.contains("hint: this ledger has runs of which the night knows nothing"),
        "{}",
        done.stderr
    );
}

/// Where nothing waits and nobody is known, the order does not matter.
#[test]
fn nights_that_do_not_meet_may_come_in_any_order() {
    let cli = folder("");
    let nights = published(&cli, &of(&["P", "X +1d"]), Style::Plain);
    let ledger = Folder::new();
    for (_, night) in nights.iter().rev() {
        import(&ledger, night, &[]).ok();
    }
    let said = ledger.trunkrate(&["verify"]).ok();
    assert!(
        said.starts_with(
            "good: 2 runs, 2 calls, 2 legs, 0.10000 USD, 0 waiting; every law holds\n"
        ),
        "{said}"
    );
}

/// No calls at all: no file of records, no legs.
#[test]
fn an_empty_night_is_booked_too() {
    let cli = folder("");
    let nights = published(&cli, &of(&["P, C<N", ""]), Style::Other);
    let ledger = Folder::new();
    for (run_id, night) in nights {
        assert!(import(&ledger, &night, &[]).ok().starts_with(&format!("run {run_id}\n")));
    }
}

proptest! {
    #![proptest_config(config(6, 0x91))]

    #[test]
    fn random_words_imported_are_the_clis_own_runs(nights in random_words(), root in any::<bool>()) {
        hold(if root { "[policy]\nchained_transfers = \"root\"\n" } else { "" }, &nights, Style::Other, &[]);
    }
}

proptest! {
    #![proptest_config(config(3, 0x92))]

    #[test]
    fn random_nights_imported_are_the_clis_own_runs(nights in random_nights()) {
        hold("", &nights, Style::Other, &["--memory", "64KiB"]);
        hold("", &nights, Style::Plain, &[]);
    }
}
