//! Small nights by hand, in the words of [`super::words`].

use super::words::{folder, hold, lines, prices, waiting};
use super::{Folder, cell, rate, rows};
use std::collections::BTreeSet;

const CHAINED_TO_ROOT: &str = "[policy]\nchained_transfers = \"root\"\n";

const FAMILIES: &str = "
a child, then its parent
    C<P     |                                   | C parent-missing
    P       | P 0.05000, C 0.07000+0.07000      |
a child, its parent five nights later
    C<P     |                                   | C parent-missing
    X       | X 0.05000                         | C parent-missing
            |                                   | C parent-missing
    Y +1d   | Y 0.05000                         | C parent-missing
            |                                   | C parent-missing
    P       | P 0.05000, C 0.07000+0.07000      |
a parent, its child five nights later
    P       | P 0.05000                         |
    X       | X 0.05000                         |
            |                                   |
    Y +1d   | Y 0.05000                         |
            |                                   |
    C<P     | C 0.07000+0.07000                 |
a parent that comes after it was given up
    C<P     |                                   | C parent-missing
    X +7d   | X 0.05000                         | C parent-missing
    Y +8d   | Y 0.05000                         | C parent-never-arrived
    P       | P 0.05000, C 0.07000+0.07000      |
a child that comes after its parent would have been given up
    X +30d  | X 0.05000                         |
    C<P     |                                   | C parent-never-arrived
    P       | P 0.05000, C 0.07000+0.07000      |
children before, with and after their parent, and one of days later
    C<P, D<P +3d | | C parent-missing, D parent-missing
    P, E<P  | P 0.05000, C 0.07000+0.07000, D 0.07000+0.07000, E 0.07000+0.07000 |
    F<P +6d | F 0.07000+0.07000                 |
a parent that was not final
    P ringing, C<P |                            | C parent-suspended, P not-final
    P in-progress  |                            | C parent-suspended, P not-final
    P       | P 0.05000, C 0.07000+0.07000      |
a parent that was not final, its child a night later
    P ringing |                                 | P not-final
    C<P     |                                   | C parent-suspended, P not-final
    P       | P 0.05000, C 0.07000+0.07000      |
a child that was not final, its parent in between
    C<P ringing |                               | C not-final
    P       | P 0.05000                         | C not-final
    C<P     | C 0.07000+0.07000                 |
a parent that was not answered, its child a night later
    P busy  | P free                            |
    C<P     | C 0.07000+0.07000                 |
a parent that contradicts itself
    C<P     |                                   | C parent-missing
    P, P 301s |                                 | C parent-suspended, P conflicting-duplicate, P conflicting-duplicate
    C<P, D<P |                                  | C parent-suspended, D parent-suspended, P conflicting-duplicate, P conflicting-duplicate
a parent of another account
    C<P AC2 |                                   | C parent-missing
    P       | P 0.05000                         | C parent-account-mismatch
a child from before its parent, which is booked
    P +1d   | P 0.05000                         |
    C<P     |                                   | C child-before-parent
a child that can never be billed, and its sibling
    C<P to=anonymous |                          | C parent-missing
    P       | P 0.05000                         | C invalid-target
    D<P     | D 0.07000+0.07000                 | C invalid-target
";

#[test]
fn a_family_is_billed_when_it_is_whole_in_whatever_nights_it_comes() {
    hold("", FAMILIES);
}

#[test]
fn a_chain_is_billed_to_its_root_in_whatever_nights_its_links_come() {
    hold(
        CHAINED_TO_ROOT,
        "
root, child, grandchild
    P       | P 0.05000                         |
    C<P     | C 0.07000+0.07000                 |
    D<C     | D 0.07000+0.07000                 |
root, grandchild, child
    P       | P 0.05000                         |
    D<C     |                                   | D parent-missing
    C<P     | C 0.07000+0.07000, D 0.07000+0.07000 |
child, root, grandchild
    C<P     |                                   | C parent-missing
    P       | P 0.05000, C 0.07000+0.07000      |
    D<C     | D 0.07000+0.07000                 |
child, grandchild, root
    C<P     |                                   | C parent-missing
    D<C     |                                   | C parent-missing, D parent-suspended
    P       | P 0.05000, C 0.07000+0.07000, D 0.07000+0.07000 |
grandchild, root, child
    D<C     |                                   | D parent-missing
    P       | P 0.05000                         | D parent-missing
    C<P     | C 0.07000+0.07000, D 0.07000+0.07000 |
grandchild, child, root
    D<C     |                                   | D parent-missing
    C<P     |                                   | C parent-missing, D parent-suspended
    P       | P 0.05000, C 0.07000+0.07000, D 0.07000+0.07000 |
five links, the last first
    F<E     |                                   | F parent-missing
    E<D     |                                   | E parent-missing, F parent-suspended
    D<C     |                                   | D parent-missing, E parent-suspended, F parent-suspended
    C<P     |                                   | C parent-missing, D parent-suspended, E parent-suspended, F parent-suspended
    P       | P 0.05000, C 0.07000+0.07000, D 0.07000+0.07000, E 0.07000+0.07000, F 0.07000+0.07000 |
a link that was not final
    P, C<P ringing, D<C |  P 0.05000            | C not-final, D parent-suspended
    C<P     | C 0.07000+0.07000, D 0.07000+0.07000 |
a circle in three nights
    A<B     |                                   | A parent-missing
    B<C     |                                   | A parent-suspended, B parent-missing
    C<A     |                                   | A parent-cycle, B parent-cycle, C parent-cycle
    D<A     |                                   | A parent-cycle, B parent-cycle, C parent-cycle, D parent-suspended
",
    );
    hold(
        "",
        "
without the policy a grandchild waits, whenever it comes
    D<C     |                                   | D parent-missing
    C<P     |                                   | C parent-missing, D parent-suspended
    P       | P 0.05000, C 0.07000+0.07000      | D chained-transfer
    E<C     | | D chained-transfer, E chained-transfer
",
    );
}

#[test]
fn a_foreign_call_takes_its_descendants_along_but_not_those_of_a_booked_call() {
    hold(
        CHAINED_TO_ROOT,
        "
a foreign call, then its child
    F inbound | |
    C<F     |   |
    D<C     |   |
a child, then its foreign parent
    C<F     |   | C parent-missing
    F inbound | |
    C<F, D<F, F inbound | |
a grandchild, a child, the foreign call
    D<C     |   | D parent-missing
    C<F     |   | C parent-missing, D parent-suspended
    F inbound | |
a grandchild, the foreign call, the child
    D<C     |   | D parent-missing
    F inbound | | D parent-missing
    C<F     |   |
a foreign call five nights after its child
    C<F     |                                   | C parent-missing
    X       | X 0.05000                         | C parent-missing
    Y +9d   | Y 0.05000                         | C parent-never-arrived
            |                                   | C parent-never-arrived
    F inbound |                                 |
a foreign call that was not final
    F inbound ringing, C<F | |
    F inbound | |
a foreign version and another of one call share a night
    F inbound, F | F 0.05000 |
    C<F     | C 0.07000+0.07000 |
* the child of a booked call, of which a foreign version comes later
    P       | P 0.05000 |
    P inbound | |
    C<P     | C 0.07000+0.07000 |
",
    );
}

/// The newest start decides who is given up: it must not hang on whether a child came before its
/// foreign parent.
#[test]
fn a_child_of_a_foreign_call_ages_what_waits_in_every_order() {
    hold(
        "",
        "
child, then the foreign call
    D<P, C<F +30d |     | C parent-missing, D parent-never-arrived
    F inbound |         | D parent-never-arrived
the foreign call, then the child
    D<P, F inbound |    | D parent-missing
    C<F +30d |          | D parent-never-arrived
",
    );
}

/// One call with a date of far away, or a ledger of many years, must not make the rest of the
/// ledger forgotten.
#[test]
fn a_call_of_the_far_future_makes_nothing_forgotten() {
    hold(
        CHAINED_TO_ROOT,
        "
a child of the next day
    P       | P 0.05000 |
    X +4000d | X 0.05000 |
    C<P +1d | C 0.07000+0.07000 |
a child of the next day, 402 days late
    P       | P 0.05000 |
    X +402d | X 0.05000 |
    C<P +1d | C 0.07000+0.07000 |
a foreign call's child
    F inbound, P | P 0.05000 |
    X +4000d | X 0.05000 |
    C<F +1d |            |
* another version, of another day
    P       | P 0.05000 |
    X +4000d | X 0.05000 |
    P +1d   |            | P conflicting-duplicate
a copy
    P, C<P +1d | P 0.05000, C 0.07000+0.07000 |
    X +4000d | X 0.05000 |
    P $-0.05, C<P +1d | |
",
    );
    hold(
        CHAINED_TO_ROOT,
        "
a chain over three days
    P       | P 0.05000 |
    C<P +1d | C 0.07000+0.07000 |
    X +4000d | X 0.05000 |
    D<C +1d | D 0.07000+0.07000 |
",
    );
}

/// Price and currency are no content; of several prices the one with the greatest charge is kept.
const PRICES: &str = "
a price a night later
    P       | P 0.05000 |
    P $-0.05 |          |
    $ P -0.0500
the price comes twice, then a copy without
    P       | P 0.05000 |
    P $-0.05 |          |
    P $-0.05, P |       |
    P       |           |
    $ P -0.0500
a greater charge comes later
    P       | P 0.05000 |
    P $-0.05 |          |
    P $-0.09 |          |
    $ P -0.0900
a smaller charge comes later
    P       | P 0.05000 |
    P $-0.09 |          |
    P $-0.05 |          |
    $ P -0.0900
a greater charge than that of the first copy
    P $-0.05 | P 0.05000 |
    P $-0.09 |           |
    P $-0.07 |           |
    $ P -0.0900
charges are compared as numbers
    P $-9   | P 0.05000 |
    P $-10  |           |
    P $-9.5 |           |
    $ P -10.0000
charges of one night are compared as numbers
    P $-9, P $-10, P $-9.5, P | P 0.05000 |
    $ P -10.0000
a text that is no price
    P       | P 0.05000 |
    P $n/a  |           |
    P $-0.01 |          |
    P $zero |           |
    $ P -0.0100
prices while the call waits, the greatest in the middle
    C<P     |           | C parent-missing
    C<P $-0.07 |        | C parent-missing
    C<P $-0.09 |        | C parent-missing
    C<P $-0.08 |        | C parent-missing
    P       | P 0.05000, C 0.07000+0.07000 |
    $ C -0.0900
prices before and after the call is booked
    C<P $-0.07 |        | C parent-missing
    P       | P 0.05000, C 0.07000+0.07000 |
    C<P $-0.09 |        |
    P $-0.05 |          |
    $ P -0.0500, C -0.0900
the price of a call that was not answered
    P busy  | P free    |
    P busy $-0.01 |     |
    $ P -0.0100
* the price of another version is not the call's
    P       | P 0.05000 |
    P 301s $-0.09 |     | P conflicting-duplicate
    P $-0.05 |          | P conflicting-duplicate
    $ P -0.0500
";

#[test]
fn a_price_that_comes_late_is_kept_and_the_greatest_charge_stands() {
    hold("", PRICES);
}

#[test]
fn a_version_that_contradicts_a_booked_call_waits_and_is_never_booked() {
    hold(
        "",
        "
* another duration
    P       | P 0.05000 |
    P 301s  |           | P conflicting-duplicate
    P, P 301s |         | P conflicting-duplicate
* another start, a day later and a day earlier
    P       | P 0.05000 |
    P +1d   |           | P conflicting-duplicate
    P -1d   |           | P conflicting-duplicate, P conflicting-duplicate
* another start, 90 days later and earlier
    P +90d  | P 0.05000 |
    P +180d |           | P conflicting-duplicate
    X +181d | X 0.05000 | P conflicting-duplicate
    P       |           | P conflicting-duplicate, P conflicting-duplicate
    P +90d, P |         | P conflicting-duplicate, P conflicting-duplicate
* another account
    P       | P 0.05000 |
    P AC2   |           | P conflicting-duplicate
* a child's parent goes, or is another
    P, Q, C<P | P 0.05000, Q 0.05000, C 0.07000+0.07000 |
    C       |           | C conflicting-duplicate
    C<Q     |           | C conflicting-duplicate, C conflicting-duplicate
* a version of a booked call, with a copy of it in the same night
    P       | P 0.05000 |
    P, P 301s |         | P conflicting-duplicate
    P 301s  |           | P conflicting-duplicate
    C<P     | C 0.07000+0.07000 | P conflicting-duplicate
a version that was not final is no contradiction
    P 301s ringing |    | P not-final
    P       | P 0.05000 |
    P 302s ringing |    |
",
    );
}

#[test]
fn versions_of_one_night_wait_until_one_of_them_is_new() {
    hold(
        "",
        "
two versions, and the same two again
    P, P 301s |         | P conflicting-duplicate, P conflicting-duplicate
    X       | X 0.05000 | P conflicting-duplicate, P conflicting-duplicate
    P 301s, P |         | P conflicting-duplicate, P conflicting-duplicate
two versions, and one of them again alone
    P, P 301s |         | P conflicting-duplicate, P conflicting-duplicate
    P       |           | P conflicting-duplicate, P conflicting-duplicate
    P 301s  |           | P conflicting-duplicate, P conflicting-duplicate
two versions of a child, its parent later
    C<P, C<P 3600s |    | C conflicting-duplicate, C conflicting-duplicate
    P       | P 0.05000 | C conflicting-duplicate, C conflicting-duplicate
    C<P 3600s, C<P |    | C conflicting-duplicate, C conflicting-duplicate
two versions after one that was not final
    P ringing |         | P not-final
    P, P +1d |          | P conflicting-duplicate, P conflicting-duplicate
    P ringing |         | P conflicting-duplicate, P conflicting-duplicate
* a third version replaces them
    P, P 301s |         | P conflicting-duplicate, P conflicting-duplicate
    P 302s  | P 0.06000 |
    P, P 301s |         | P conflicting-duplicate, P conflicting-duplicate
* another version replaces one that waits
    C<P     |           | C parent-missing
    C<P 60s |           | C parent-missing
    P       | P 0.05000, C 0.01000+0.01000 |
* a sound version replaces a broken one
    P -5s   |           | P invalid-duration
    P       | P 0.05000 |
",
    );
}

#[test]
fn what_was_taken_before_is_known_however_long_ago() {
    hold(
        "",
        "
a copy 399 days later
    P, C<P  | P 0.05000, C 0.07000+0.07000 |
    A +1d   | A 0.05000 |
    B +100d | B 0.05000 |
    D +200d, C<P | D 0.05000 |
    E +399d | E 0.05000 |
    P, C<P  |           |
    F<P +398d | F 0.07000+0.07000 |
copies of calls with ids of other forms, one by one
    call-7, CAFE0000000000000000000000000000ff, CAcafe000000000000000000000000000F, cacafe0000000000000000000000000000ff | \
        call-7 0.05000, CAFE0000000000000000000000000000ff 0.05000, CAcafe000000000000000000000000000F 0.05000, \
        cacafe0000000000000000000000000000ff 0.05000 |
    call-7  |           |
    CAFE0000000000000000000000000000ff | |
    CAcafe000000000000000000000000000F | |
    cacafe0000000000000000000000000000ff | |
    CAcafe0000000000000000000000000000ff | CAcafe0000000000000000000000000000ff 0.05000 |
    C<CAcafe0000000000000000000000000000ff, D<call-7 | C 0.07000+0.07000, D 0.07000+0.07000 |
a copy of a call that is not billed
    P busy  | P free    |
    X +90d  | X 0.05000 |
    P busy  |           |
a copy of what waits
    C<P     |           | C parent-missing
    C<P     |           | C parent-missing
    C<P, C<P |          | C parent-missing
    P, P, C<P | P 0.05000, C 0.07000+0.07000 |
    C<P     |           |
not final after final
    P       | P 0.05000 |
    P ringing |         |
    C<P     | C 0.07000+0.07000 |
not final after a final one that waits
    C<P     |           | C parent-missing
    C<P ringing |       | C parent-missing
    P       | P 0.05000, C 0.07000+0.07000 |
never final
    P ringing |         | P not-final
    P ringing |         | P not-final
    P in-progress |     | P not-final
a line that is no record
    !cut  |           | _ malformed-record
    !cut  |           | _ malformed-record
    P, !cut | P 0.05000 | _ malformed-record
a record without an id
    _       |           | _ missing-field
    _, X    | X 0.05000 | _ missing-field
    _ 301s  |           | _ missing-field, _ missing-field
    _, _ 301s |         | _ missing-field, _ missing-field
",
    );
}

/// Another export of the same calls: JSON Lines instead of CSV, other forms of the same instants,
/// numbers instead of texts.
#[test]
fn the_same_calls_from_another_export_book_nothing() {
    let ledger = folder("");
    let summary = rate(&ledger, &lines("P $-0.05, C<P, B busy, N<Q"), &[]);
    assert_eq!([&summary["rated"], &summary["free"], &summary["suspended"]], [2, 1, 1]);
    let json = [
        r#"{"sid":"P","parent_call_sid":null,"account_sid":"AC1","direction":"Trunking_Terminating","from":"+12025550101","to":"+12025550102","start_time":"Fri, 20 Nov 2026 21:00:00 +0000","duration":300,"status":"completed","price":"-0.05","uri":"/x"}"#,
        r#"{"sid":"C","parent_call_sid":"P","account_sid":"AC1","from":"+12025550101","to":"+12025550103","start_time":"2026-11-20T22:05:00+01:00","duration":"370.0","status":"Completed"}"#,
        r#"{"sid":"B","account_sid":"AC1","direction":"trunking-terminating","from":"+12025550101","to":"+12025550102","start_time":"2026-11-20T21:00:00.000Z","duration":null,"status":"BUSY"}"#,
        r#"{"sid":"N","parent_call_sid":"Q","account_sid":"AC1","from":"+12025550101","to":"+12025550103","start_time":"2026-11-20 21:05:00+0000","duration":370,"status":"completed"}"#,
    ];
    ledger.file("calls.jsonl", json.join("\n"));
    let again = ledger
        .trunkrate(&["run", "--cdrs", "calls.jsonl", "--rates", "rates", "--format", "json"])
        .json();
    assert_eq!(
        ["rated", "free", "duplicate", "suspended"].map(|class| again[class].as_u64()),
        [0, 0, 4, 1].map(Some),
        "{again}"
    );
    assert_eq!(
        (waiting(&ledger), prices(&ledger)),
        ("N parent-missing".to_owned(), "P -0.0500".to_owned())
    );
}

/// The catalog is an index over the runs: without it nothing is forgotten.
#[test]
fn a_lost_catalog_changes_nothing() {
    let nights = [
        "C<P, X +1d",
        "P, Q ringing, F inbound",
        "P 301s, Q, C<P $-0.09, E<F",
        "C<P, D<P, Q +2d, E<F",
    ];
    let [kept, lost] = [false, true].map(|lost| {
        let folder = Folder::with_plain_deck();
        for night in nights {
            let catalog = folder.path().join("ledger/catalog.sqlite");
            if lost && catalog.exists() {
                std::fs::remove_file(catalog).expect("removed");
            }
            rate(&folder, &lines(night), &[]);
        }
        folder.trunkrate(&["verify"]).ok();
        let mut suspense = rows(&folder, "suspense");
        suspense.sort_by_key(ToString::to_string);
        (rows(&folder, "legs"), rows(&folder, "calls"), suspense)
    });
    assert_eq!(kept, lost, "the runs' names, too");
}

/// `first_seen` follows the calls, not a clock: the newest sound start that the ledger had seen.
#[test]
fn what_waits_was_first_seen_at_the_newest_start() {
    let folder = Folder::with_plain_deck();
    let seen = |folder: &Folder| -> BTreeSet<String> {
        rows(folder, "suspense")
            .iter()
            .map(|row| format!("{} {}", cell(row, "call_sid"), cell(row, "first_seen")))
            .collect()
    };
    rate(&folder, &lines("C<P, X +3d"), &[]);
    assert_eq!(seen(&folder), ["C 2026-11-23T21:00:00Z".to_owned()].into());
    // An older night, and a record that is not final: both are no news.
    rate(&folder, &lines("D<P, Y ringing +9d"), &[]);
    let third = "2026-11-23T21:00:00Z";
    assert_eq!(
        seen(&folder),
        [format!("C {third}"), format!("D {third}"), format!("Y {third}")].into()
    );
    rate(&folder, &lines("E<P, Z +4d"), &[]);
    assert!(
        seen(&folder)
            .is_superset(&[format!("C {third}"), "E 2026-11-24T21:00:00Z".to_owned()].into())
    );
}
