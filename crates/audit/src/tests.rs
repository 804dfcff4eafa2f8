//! Tests of the second rater against literals worked out by hand.

use std::collections::BTreeMap;

use super::{Call, Difference, IN, Leg, OUT, Root, Tariff, taken_back};

const TOML: &str = "name = \"test\"\ncurrency = \"USD\"\n";
const HEADER: &str = "ISO,Country,Description,Price / min,Origination Prefixes,\
                      Destination Prefixes,Service,Initial Increment,Increment,Minimum,\
                      Connection Fee,Effective From,Effective To\n";
/// Line 2 prices calls to the US, line 3 calls of a trunk number there, line 4 emergency calls.
const ROWS: &str =
    ",,Out,0.0100,,1,,,,,,,\n,,In,0.0034,,1,origination,,,,,,\n,,Help,0.75,,emergency,,,,,,,\n";

const A: &str = "+12025550101";
const B: &str = "+14155550102";
const C: &str = "+13035550103";
/// The parties of a leg A→B: from, to, rated number, origin.
const A_TO_B: [&str; 4] = [A, B, B, A];
const SIP: &str = "sip:bob@pbx.example.com";
/// 2026-11-20T00:00:00Z, in microseconds.
const START: i64 = 1_795_132_800_000_000;

fn files(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn load(rows: &str, decimals: u32, rounding: &str) -> Result<Tariff, String> {
    let rows = format!("{HEADER}{rows}");
    Tariff::load(
        &files(&[("deck.toml", TOML), ("p.csv", &rows)]),
        "rates",
        None,
        decimals,
        rounding,
    )
}

/// A root of 61 s, which [`ROWS`] bill as 120 s: 0.02 or, for an origination, 0.0068.
#[rustfmt::skip]
fn root(scenario: &'static str) -> Call<'static> {
    Call {
        call_sid: "CA1", parent_call_sid: "", account_sid: "AC1", role: "parent", scenario, from: A,
        to: B,
        status: "completed", class: "rated", currency: "USD", start: START, duration: 61,
        amount: if scenario == OUT { 2_000_000 } else { 680_000 },
    }
}

fn child(
    scenario: &'static str,
    from: &'static str,
    to: &'static str,
    amount: i128,
) -> Call<'static> {
    Call {
        call_sid: "CA2",
        parent_call_sid: "CA1",
        role: "child",
        scenario,
        from,
        to,
        amount,
        ..root(OUT)
    }
}

const fn of(scenario: &str) -> Root<'_> {
    Root { account_sid: "AC1", scenario, from: A, to: B }
}

/// Checks a call under these rows; a child is one of the root A→B.
fn check(rows: &str, call: &Call<'_>, legs: &[Leg<'_>]) -> Result<(), Difference> {
    let root = call.scenario.split_once("-to-").map(|(root, _)| of(root));
    load(rows, 5, "half-up").expect("a tariff").check(call, root.as_ref(), legs)
}

/// A leg of a call: its number, service, from, to, rated number, origin.
#[rustfmt::skip]
fn leg<'a>(call: &Call<'a>, leg: i64, service: &'a str, parties: [&'a str; 4]) -> Leg<'a> {
    let [leg_from, leg_to, rated_number, origin_number] = parties;
    let out = Leg {
        leg, service, leg_from, leg_to, rated_number, origin_number, scenario: call.scenario,
        parent_call_sid: call.parent_call_sid, account_sid: "AC1", destination_prefix: "1",
        origin_prefix: "",
        description: "Out", deck: "test", deck_file: "p.csv", currency: "USD", deck_line: 2,
        start: call.start,
        duration: call.duration, billed: 120, price: 100_000_000, fee: 0, amount: 2_000_000,
    };
    match service {
        OUT => out,
        _ => Leg { description: "In", deck_line: 3, price: 34_000_000, amount: 680_000, ..out },
    }
}

/// The column of the first difference, and its place.
fn column(result: Result<(), Difference>) -> (Option<i64>, &'static str) {
    let difference = result.expect_err("a difference");
    assert_ne!(difference.stored, difference.expected, "{difference}");
    (difference.leg, difference.column)
}

#[test]
fn each_row_of_the_table_bills_its_cells() {
    let [out, inward] = [root(OUT), root(IN)];
    assert_eq!(check(ROWS, &out, &[leg(&out, 1, OUT, A_TO_B)]), Ok(()));
    assert_eq!(check(ROWS, &inward, &[leg(&inward, 1, IN, A_TO_B)]), Ok(()));
    let call = child("termination-to-sip", B, SIP, 2_000_000);
    assert_eq!(check(ROWS, &call, &[leg(&call, 1, OUT, [SIP, B, B, ""])]), Ok(()));
    let call = child("termination-to-pstn", B, C, 4_000_000);
    assert_eq!(
        check(ROWS, &call, &[leg(&call, 1, OUT, A_TO_B), leg(&call, 2, OUT, [A, C, C, A])]),
        Ok(())
    );
    let call = child("origination-to-sip", A, SIP, 680_000);
    assert_eq!(check(ROWS, &call, &[leg(&call, 1, IN, [A, SIP, B, A])]), Ok(()));
    let call = child("origination-to-pstn", A, C, 2_680_000);
    assert_eq!(
        check(ROWS, &call, &[leg(&call, 1, IN, A_TO_B), leg(&call, 2, OUT, [B, C, C, B])]),
        Ok(())
    );
}

#[test]
fn a_sip_target_that_is_a_number_is_an_origin() {
    let number = "+14155550100";
    let numbers = ["sip:+14155550100@h", "sips:%2B1415-555-0100@h", "sip:+(1)415.5550100@h"]
        .map(|target| (target, number));
    let others = ["sip:+04155550100@h", "sip:4155550100@h", "sip:+141%@h", "sip:h"]
        .map(|target| (target, ""));
    for (target, origin) in numbers.into_iter().chain(others) {
        let call = child("termination-to-sip", B, target, 2_000_000);
        assert_eq!(
            check(ROWS, &call, &[leg(&call, 1, OUT, [target, B, B, origin])]),
            Ok(()),
            "{target}"
        );
    }
    // In A such a text was no valid URI, or else the log would have the number.
    let call = Call { from: "sip:+14155550100@bad_host", ..root(OUT) };
    assert_eq!(check(ROWS, &call, &[leg(&call, 1, OUT, [call.from, B, B, ""])]), Ok(()));
}

#[test]
fn an_emergency_number_is_priced_by_the_word() {
    let odd = "\"Help, <now>\" <tel:%39%311;phone-context=+1>";
    for to in ["911", "+911", "tel:9-1-1", "sip:911@x.pstn.twilio.com", odd, "+(911)"] {
        let call = Call { to, amount: 150_000_000, ..root(OUT) };
        let one = leg(&call, 1, OUT, [A, to, "911", A]);
        let one = Leg { destination_prefix: "emergency", description: "Help", deck_line: 4, ..one };
        let one = Leg { price: 7_500_000_000, amount: 150_000_000, ..one };
        assert_eq!(check(ROWS, &call, &[one]), Ok(()), "{to}");
        assert_eq!(
            column(check(ROWS, &call, &[Leg { rated_number: "933", ..one }])),
            (Some(1), "rated_number")
        );
        let legs = [Leg { scenario: IN, service: IN, ..one }];
        assert_eq!(
            column(check(ROWS, &Call { scenario: IN, ..call }, &legs)),
            (Some(1), "rated_number")
        );
    }
}

/// The charge of a call to the US: price and fee as text and in units of 1e-10, increments and
/// minimum; seconds, billed seconds, and the amount in units of 1e-8.
type Priced = ([&'static str; 2], [i128; 2], &'static str, [i64; 2], i128);

fn assert_priced(cases: &[Priced], decimals: u32, rounding: &str) {
    for ([price_text, fee_text], [price, fee], increments, [duration, billed], amount) in
        cases.iter().copied()
    {
        let row = format!(",,Out,{price_text},,1,,{increments},{fee_text},,\n");
        let tariff = load(&row, decimals, rounding).expect("a tariff");
        let call = Call { duration, amount, ..root(OUT) };
        let one = Leg { billed, price, fee, amount, ..leg(&call, 1, OUT, A_TO_B) };
        assert_eq!(tariff.check(&call, None, &[one]), Ok(()), "{row} {duration} s {rounding}");
    }
}

/// A cent per second. 90/60: 91 s are 90 + 60. 30/18: 31 s are 30 + 18.
#[test]
fn seconds_are_billed_in_increments() {
    let cases = [
        ("90,60,", 91, 150),
        ("90,60,", 90, 90),
        ("30,18,", 31, 48),
        ("30,18,", 48, 48),
        ("30,18,", 49, 66),
    ];
    let least =
        [("1,1,6", 3, 6), ("30,6,40", 31, 42), ("0,7,", 8, 14), (",,", 60, 60), (",,", 61, 120)];
    for (increments, duration, billed) in cases.into_iter().chain(least) {
        let amount = i128::from(billed) * 1_000_000;
        assert_priced(
            &[(["0.6", ""], [6_000_000_000, 0], increments, [duration, billed], amount)],
            5,
            "half-up",
        );
    }
}

#[test]
fn an_amount_is_rounded_once() {
    // 0.000015 + 0.033335 x 10 / 60 = 0.00557083…; rounded separately it would be 0.00558.
    assert_priced(
        &[(["0.033335", "0.000015"], [333_350_000, 150_000], "1,1,", [10, 10], 557_000)],
        5,
        "half-up",
    );
    // 0.00001 x 30 / 60 = 0.000005, 0.00003 x 30 / 60 = 0.000015, 0.000001 / 60 = 0.0000000166….
    for (rounding, first, second, third) in
        [("half-up", 1, 2, 0), ("half-even", 0, 2, 0), ("up", 1, 2, 1)]
    {
        let first: Priced = (["0.00001", ""], [100_000, 0], "1,1,", [30, 30], first * 1000);
        let second = (["0.00003", "0"], [300_000, 0], "1,1,", [30, 30], second * 1000);
        assert_priced(
            &[first, second, (["0.000001", ""], [10_000, 0], "1,1,", [1, 1], third * 1000)],
            5,
            rounding,
        );
    }
    // 0.01 / 60 = 0.000166666….
    assert_priced(&[(["0.01", ""], [100_000_000, 0], "1,1,", [1, 1], 16_667)], 8, "half-up");
    assert_priced(&[(["0.01", ""], [100_000_000, 0], "1,1,", [1, 1], 0)], 0, "half-up");
}

/// A call and its leg by the row in this line, whose price in cents is one less.
fn in_line(
    line: i64,
    call: Call<'static>,
    prefixes: [&'static str; 2],
) -> (Call<'static>, Leg<'static>) {
    let cents = i128::from(line - 1);
    let call = Call { amount: cents * 2_000_000, ..call };
    let one = leg(&call, 1, OUT, [call.from, call.to, call.to, call.from]);
    let one =
        Leg { destination_prefix: prefixes[0], origin_prefix: prefixes[1], deck_line: line, ..one };
    (call, Leg { price: cents * 100_000_000, amount: call.amount, ..one })
}

#[test]
fn origins_are_filtered_before_the_longest_destination() {
    let rows = ",,Out,0.01,,32,,,,,,,\n,,Out,0.02,\"44, 442\",\"32455, 3246\",,,,,,,\n,,Out,0.03,4420,32455,,,,,,,\n";
    let [eea, uk, london] = [["32455", "44"], ["32455", "442"], ["32455", "4420"]];
    let cases = [
        ("+447700900123", 3, eea),
        ("+442122223333", 3, uk),
        ("+442079460103", 4, london),
        ("", 2, ["32", ""]),
    ];
    for (from, line, prefixes) in cases.into_iter().chain([(A, 2, ["32", ""])]) {
        let (call, one) = in_line(line, Call { from, to: "+32455501234", ..root(OUT) }, prefixes);
        assert_eq!(check(rows, &call, &[one]), Ok(()), "{from}");
    }
}

#[test]
fn a_row_is_in_force_from_its_first_instant_until_before_its_last() {
    let rows = ",,Out,0.01,,1,,,,,,2026-11-01,2026-11-20\n\
                ,,Out,0.02,,1,,,,,,2026-11-20 01:00:00+01:00,\"Sat, 21 Nov 2026 00:00:00 GMT\"\n";
    for (start, line) in [(START - 1, 2), (START, 3), (START + 86_400_000_000 - 1, 3)] {
        let (call, one) = in_line(line, Call { start, ..root(OUT) }, ["1", ""]);
        assert_eq!(check(rows, &call, &[one]), Ok(()));
    }
    let (call, one) = in_line(3, Call { start: START + 86_400_000_000, ..root(OUT) }, ["1", ""]);
    assert_eq!(column(check(rows, &call, &[one])), (Some(1), "destination_prefix"));
}

#[test]
fn of_equal_rows_either_may_be_named() {
    let call = root(OUT);
    let one = leg(&call, 1, OUT, A_TO_B);
    let rows = ",,Out,0.01,,1,,,,,,,\n,,Also,0.010,,\"2, 1\",,,,,,,\n";
    for (deck_line, description, differs) in [
        (2, "Out", None),
        (3, "Also", None),
        (3, "Out", Some("description")),
        (4, "Out", Some("deck_line")),
    ] {
        let checked = check(rows, &call, &[Leg { description, deck_line, ..one }]);
        assert_eq!(checked.err().map(|difference| difference.column), differs);
    }
    assert_eq!(
        column(check(&rows.replace("0.010,", "0.011,"), &call, &[one])),
        (Some(1), "deck_line")
    );
}

/// Makes one column of a leg wrong.
type Falsify = fn(&mut Leg<'_>);

#[test]
fn each_column_of_a_leg_is_looked_at() {
    let call = child("origination-to-pstn", A, C, 2_680_000);
    let first = leg(&call, 1, IN, A_TO_B);
    let good = leg(&call, 2, OUT, [B, C, C, B]);
    #[rustfmt::skip]
    let columns: [(&str, Falsify); 21] = [
        ("service", |leg| leg.service = IN), ("leg_from", |leg| leg.leg_from = A),
        ("leg_to", |leg| leg.leg_to = B),
        ("rated_number", |leg| leg.rated_number = B),
        ("origin_number", |leg| leg.origin_number = ""),
        ("scenario", |leg| leg.scenario = IN), ("parent_call_sid", |leg| leg.parent_call_sid = ""),
        ("account_sid", |leg| leg.account_sid = "AC2"),
        ("destination_prefix", |leg| leg.destination_prefix = "13"),
        ("origin_prefix", |leg| leg.origin_prefix = "1"),
        ("description", |leg| leg.description = "In"),
        ("deck", |leg| leg.deck = "rates"), ("deck_file", |leg| leg.deck_file = "deck.toml"),
        ("currency", |leg| leg.currency = "EUR"), ("deck_line", |leg| leg.deck_line = 3),
        ("start_time", |leg| leg.start = i64::MAX),
        ("duration_seconds", |leg| leg.duration = i64::MIN),
        ("billed_seconds", |leg| leg.billed += 1),
        ("price_per_minute", |leg| leg.price = i128::MAX),
        ("connection_fee", |leg| leg.fee = i128::MIN), ("amount", |leg| leg.amount += 1),
    ];
    assert_eq!(check(ROWS, &call, &[good, first]), Ok(()));
    for (name, falsify) in columns {
        let mut bad = good;
        falsify(&mut bad);
        assert_eq!(column(check(ROWS, &call, &[first, bad])), (Some(2), name));
    }
    let [third, odd] = [3, i64::MIN].map(|number| Leg { leg: number, ..good });
    let missing = [(vec![first], 2), (vec![good], 1), (vec![first, third], 2)];
    let extra = [(first, 1), (good, 2), (third, 3), (odd, i64::MIN)]
        .map(|(extra, number)| (vec![first, good, extra], number));
    for (legs, number) in missing.into_iter().chain(extra) {
        assert_eq!(column(check(ROWS, &call, &legs)), (Some(number), "leg"));
    }
}

#[test]
fn what_takes_legs_back_is_their_opposite() {
    let call = root(OUT);
    let booked = leg(&call, 1, OUT, A_TO_B);
    let opposite = Leg {
        duration: -booked.duration,
        billed: -booked.billed,
        amount: -booked.amount,
        ..booked
    };
    assert_eq!(taken_back(&[booked], &[opposite]), Ok(-2_000_000), "two minutes at 0.0100");
    assert_eq!(taken_back(&[], &[]), Ok(0));
    let cases: [(&[Leg<'_>], &str); 8] = [
        (&[], "leg"),
        (&[booked], "duration_seconds"),
        (&[opposite, opposite], "leg"),
        (&[Leg { amount: -1_999_999, ..opposite }], "amount"),
        (&[Leg { billed: -60, ..opposite }], "billed_seconds"),
        (&[Leg { account_sid: "AC2", ..opposite }], "the leg that was booked"),
        (&[Leg { deck_line: 3, ..opposite }], "leg"),
        (&[Leg { start: START + 1, ..opposite }], "leg"),
    ];
    for (number, (legs, column)) in cases.into_iter().enumerate() {
        let found = taken_back(&[booked], legs).expect_err("a difference");
        assert_eq!(found.column, column, "case {number}: {found}");
    }
}

#[test]
fn the_call_itself_is_looked_at() {
    let good = child("termination-to-sip", B, SIP, 2_000_000);
    let legs = [leg(&good, 1, OUT, [SIP, B, B, ""])];
    let root_of = &of(OUT);
    #[rustfmt::skip]
    let cases = [
        ("amount", Call { amount: 2_000_001, ..good }), ("role", Call { role: "parent", ..good }),
        ("scenario", Call { scenario: "termination-to-pstn", ..good }),
        ("from", Call { from: A, ..good }),
        ("to", Call { to: "tel:+13035550103", ..good }), ("scenario", Call { to: C, ..good }),
        ("account_sid", Call { account_sid: "AC2", ..good }),
        ("status", Call { status: "ringing", ..good }),
        ("class", Call { status: "busy", ..good }), ("class", Call { duration: 0, ..good }),
        ("class", Call { class: "free", ..good }),
        ("duration_seconds", Call { duration: i64::MIN, ..good }),
        ("currency", Call { currency: "", ..good }),
    ];
    let tariff = load(ROWS, 5, "half-up").expect("a tariff");
    for (name, call) in cases {
        assert_eq!(column(tariff.check(&call, Some(root_of), &legs)), (None, name));
    }
    for root in [None, Some(&Root { scenario: "termination-to-sip", ..*root_of })] {
        assert_eq!(column(tariff.check(&good, root, &legs)), (None, "parent_call_sid"));
    }
    assert_eq!(
        column(tariff.check(&Call { scenario: "é", ..root(OUT) }, None, &[])),
        (None, "scenario")
    );
    let free = Call { status: "busy", class: "free", amount: 0, ..good };
    assert_eq!(tariff.check(&free, Some(root_of), &[]), Ok(()));
    assert_eq!(column(tariff.check(&free, Some(root_of), &legs)), (Some(1), "leg"));
    let long = Call { duration: i64::MAX, ..root(OUT) };
    assert_eq!(
        column(tariff.check(&long, None, &[leg(&long, 1, OUT, A_TO_B)])),
        (Some(1), "billed_seconds")
    );
    let odd = Call { amount: -5, ..root(OUT) };
    let shown = tariff.check(&odd, None, &[leg(&odd, 1, OUT, A_TO_B)]);
    assert_eq!(
        shown.expect_err("a difference").to_string(),
        "amount is `-0.00000005`, expected `0.02000000`"
    );
}

#[test]
fn accounts_have_their_decks() {
    let csv: &str = &format!("{HEADER}{ROWS}");
    let toml = ["USD\"", "EUR\"\nname = \"euro-2026\"", "JPY\"\nname = \"yen-2026\""]
        .map(|rest| format!("currency = \"{rest}"));
    let [usd, eur, jpy] = toml.each_ref().map(String::as_str);
    let [default, whole] = [
        [("default/deck.toml", usd), ("default/p.csv", csv)],
        [("whole/deck.toml", eur), ("whole/p.csv", csv)],
    ];
    let all = [default, whole, [("yen/deck.toml", jpy), ("yen/p.csv", csv)]].concat();
    let accounts =
        "\u{feff}Account SID,name,deck\nAC1,\"One, Ltd\",whole\nAC2,Two,yen-2026\nAC3,Three,\n";
    let semicolons = "deck;ACCOUNT_SID\nwhole;AC1\u{a0}\nyen-2026; AC2\n";
    let free = Call { status: "failed", class: "free", amount: 0, ..root(OUT) };
    for list in [accounts, semicolons] {
        let tariff =
            Tariff::load(&files(&all), "rates", Some(list), 5, "half-up").expect("a tariff");
        for (account_sid, currency) in
            [("AC1", "EUR"), ("AC2", "JPY"), ("AC3", "USD"), ("AC4", "USD")]
        {
            assert_eq!(tariff.check(&Call { account_sid, currency, ..free }, None, &[]), Ok(()));
        }
    }
    // Without a deck called `default`, an account that names no deck has none: its calls can be
    // free, but not rated.
    let two = Tariff::load(&files(&all[2..]), "rates", None, 5, "half-up").expect("a tariff");
    let [free, rated] = [free, root(OUT)].map(|call| Call { currency: "", ..call });
    assert_eq!(two.check(&free, None, &[]), Ok(()));
    assert_eq!(column(two.check(&rated, None, &[leg(&rated, 1, OUT, A_TO_B)])), (Some(1), "deck"));
    assert!(
        Tariff::load(&files(&all), "rates", Some("account_sid,deck\nAC1,nowhere"), 5, "half-up")
            .is_err()
    );
}
