//! The oracle's own tests. Every asserted amount was worked out by hand, from the contract.

use rust_decimal::Decimal;

use super::fields::{Given, parse_duration, parse_time};
use super::{
    DeckDefaults, DeckRow, Outcome, Policy, Record, Trunk, billed_seconds, classify_target,
    leg_amount, parse_deck_csv, rate_night,
};

const A: &str = "+12025550101";
const B: &str = "+12025550102";
const C: &str = "+442079460103";

/// Termination 0.0100 and origination 0.0034 a minute everywhere, 60/60; emergency 0.7500.
const DECK: &str = "\
ISO,Country,Description,Price / min,Origination Prefixes,Destination Prefixes,Service
US,United States,US,0.0100,ALL,1,
GB,United Kingdom,GB,0.0100,,44,termination
US,United States,Emergency,0.7500,,emergency,termination
US,United States,US local,0.0034,,1,origination
";

fn deck() -> Vec<DeckRow> {
    parse_deck_csv("deck.csv", DECK, &DeckDefaults::default())
}

fn record(fields: &[(&str, &str)]) -> Record {
    fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn with(base: &Record, fields: &[(&str, &str)]) -> Record {
    let mut changed = base.clone();
    changed.extend(record(fields));
    changed
}

/// A root of 300 s.
fn root(direction: &str) -> Record {
    record(&[
        ("sid", "CA1"),
        ("account_sid", "AC1"),
        ("direction", direction),
        ("from", A),
        ("to", B),
        ("start_time", "2024-05-01T10:00:00Z"),
        ("end_time", "2024-05-01T10:05:00Z"),
        ("duration", "300"),
        ("status", "completed"),
    ])
}

/// A child of 370 s.
fn child(target: &str) -> Record {
    record(&[
        ("sid", "CA2"),
        ("parent_call_sid", "CA1"),
        ("account_sid", "AC1"),
        ("to", target),
        ("start_time", "2024-05-01T10:05:00Z"),
        ("duration", "370"),
        ("status", "completed"),
    ])
}

fn night(records: &[Record]) -> Vec<Outcome> {
    rate_night(records, &deck(), None, &Policy::default())
}

fn money(text: &str) -> Decimal {
    Decimal::from_str_exact(text).expect("a literal of this file")
}

fn total(outcomes: &[Outcome]) -> Decimal {
    outcomes.iter().flat_map(|outcome| &outcome.legs).map(|leg| leg.amount).sum()
}

fn reason(outcome: &Outcome) -> &str {
    outcome.reason.as_deref().unwrap_or(&outcome.class)
}

/// Each outcome as its reason, or its class if it has none.
fn reasons(records: &[Record]) -> Vec<String> {
    night(records).iter().map(|outcome| reason(outcome).to_owned()).collect()
}

/// Each leg as `service from>to rated`, and the log as `from>to caller`.
fn shape(outcome: &Outcome) -> Vec<String> {
    let legs = outcome.legs.iter().map(|leg| {
        format!(
            "{} {}>{} {} {}",
            leg.service, leg.leg_from, leg.leg_to, leg.rated_number, leg.amount
        )
    });
    let log = outcome
        .log
        .iter()
        .map(|log| format!("log {}>{} shown {}", log.from, log.to, log.caller_id));
    legs.chain(log).collect()
}

// 300 s bill 5 minutes, 370 s bill 7 minutes.

#[test]
fn termination_to_sip() {
    // 5 × 0.01 + 7 × 0.01 = 0.12
    let outcomes =
        night(&[root("trunking-terminating"), child("sip:Bob@Example.COM:5060;transport=udp")]);
    assert_eq!(total(&outcomes), money("0.1200"));
    assert_eq!(outcomes[0].scenario.as_deref(), Some("termination"));
    assert_eq!(
        shape(&outcomes[0]),
        [format!("termination {A}>{B} {B} 0.05000"), format!("log {A}>{B} shown {A}")]
    );
    assert_eq!(outcomes[1].scenario.as_deref(), Some("termination-to-sip"));
    assert_eq!(
        shape(&outcomes[1]),
        [
            format!("termination sip:Bob@example.com>{B} {B} 0.07000"),
            format!("log {B}>sip:Bob@example.com shown {B}")
        ]
    );
}

#[test]
fn termination_to_pstn() {
    // 5 × 0.01 + 7 × (0.01 + 0.01) = 0.19
    let outcomes = night(&[root("TRUNKING_terminating"), child(C)]);
    assert_eq!(total(&outcomes), money("0.1900"));
    assert_eq!(outcomes[1].scenario.as_deref(), Some("termination-to-pstn"));
    assert_eq!(
        shape(&outcomes[1]),
        [
            format!("termination {A}>{B} {B} 0.07000"),
            format!("termination {A}>{C} {C} 0.07000"),
            format!("log {B}>{C} shown {B}")
        ]
    );
}

#[test]
fn origination_to_sip() {
    // 5 × 0.0034 + 7 × 0.0034 = 0.017 + 0.0238 = 0.0408; rated by B although the cell shows C
    let outcomes = night(&[root("trunking-originating"), child("sip:example.com")]);
    assert_eq!(total(&outcomes), money("0.0408"));
    assert_eq!(outcomes[1].scenario.as_deref(), Some("origination-to-sip"));
    assert_eq!(
        shape(&outcomes[1]),
        [
            format!("origination {A}>sip:example.com {B} 0.02380"),
            format!("log {A}>sip:example.com shown {A}")
        ]
    );
}

#[test]
fn origination_to_pstn() {
    // 5 × 0.0034 + 7 × (0.0034 + 0.01) = 0.017 + 0.0938 = 0.1108
    let parent = with(
        &root("trunking-originating"),
        &[("to", "sip:+12025550102@public-vip.ie1.twilio.com")],
    );
    let outcomes = night(&[parent, child("tel:+44-20-7946-0103")]);
    assert_eq!(total(&outcomes), money("0.1108"));
    assert_eq!(outcomes[1].scenario.as_deref(), Some("origination-to-pstn"));
    assert_eq!(
        shape(&outcomes[1]),
        [
            format!("origination {A}>{B} {B} 0.02380"),
            format!("termination {B}>{C} {C} 0.07000"),
            format!("log {A}>{C} shown {A}")
        ]
    );
}

#[test]
fn increments() {
    assert_eq!(billed_seconds(0, 30, 60, 60), 0);
    assert_eq!(billed_seconds(1, 0, 60, 60), 60);
    assert_eq!(billed_seconds(60, 0, 60, 60), 60);
    assert_eq!(billed_seconds(61, 0, 60, 60), 120);
    assert_eq!(billed_seconds(91, 0, 90, 60), 150);
    assert_eq!(billed_seconds(31, 0, 30, 18), 48);
    assert_eq!(billed_seconds(7, 10, 1, 1), 10);
    assert_eq!(billed_seconds(7, 61, 60, 60), 120);
    assert_eq!(billed_seconds(6, 0, 0, 6), 6);
}

#[test]
fn amounts_are_rounded_once() {
    // 0.000015 + 0.033335 × 10 / 60 = 0.000015 + 0.00555583.. = 0.00557083.. ; twice rounded it
    // would be 0.00558
    assert_eq!(
        leg_amount(money("0.000015"), money("0.033335"), 10, 5, "half-up"),
        money("0.00557")
    );
    assert_eq!(leg_amount(money("0.000015"), money("0.033335"), 10, 5, "up"), money("0.00558"));
    // 0.00003 × 50 / 60 = 0.000025, a tie
    assert_eq!(leg_amount(Decimal::ZERO, money("0.00003"), 50, 5, "half-up"), money("0.00003"));
    assert_eq!(leg_amount(Decimal::ZERO, money("0.00003"), 50, 5, "half-even"), money("0.00002"));
    assert_eq!(
        leg_amount(money("0.00001"), money("0.00003"), 50, 5, "half-even"),
        money("0.00004")
    );
    assert_eq!(leg_amount(money("0.02"), money("0.01"), 60, 5, "up").to_string(), "0.03000");
}

#[test]
fn what_bills_nothing_is_free_and_stays_in_the_log() {
    let busy = with(&root("trunking-terminating"), &[("status", "Busy"), ("duration", "")]);
    let unanswered =
        with(&child("sip:example.com"), &[("status", "no_answer"), ("duration", "30")]);
    let outcomes = night(&[busy, unanswered]);
    assert_eq!(outcomes[0].class, "free");
    assert_eq!(outcomes[1].class, "free");
    assert_eq!(outcomes[1].scenario.as_deref(), Some("termination-to-sip"));
    assert!(outcomes[1].legs.is_empty());
    assert_eq!(outcomes[1].log.as_ref().map(|log| log.amount), Some(Decimal::ZERO));
    assert_eq!(reasons(&[with(&root("trunking-terminating"), &[("duration", "0.0")])]), ["free"]);
}

#[test]
fn fractions_of_a_second_are_rounded_up() {
    // 0.2 s are 1 s, 60/60 bills 60 s = 0.01
    let outcomes = night(&[with(&root("trunking-terminating"), &[("duration", "0.2")])]);
    assert_eq!((outcomes[0].legs[0].duration, outcomes[0].legs[0].billed), (1, 60));
    assert_eq!(total(&outcomes), money("0.01"));
}

#[test]
fn durations() {
    let whole = |text: &str| parse_duration(text).map(Given::whole_seconds);
    assert_eq!(whole("007"), Some(7));
    assert_eq!(whole("7.0000000"), Some(7));
    assert_eq!(whole("7.00000001"), Some(8));
    for bad in [
        "",
        "-1",
        "+1",
        "1e3",
        "1,000",
        "1.",
        ".5",
        "1.5.",
        "0x1",
        " 1",
        "٣",
        "99999999999999999999",
    ] {
        assert_eq!(whole(bad), None, "{bad}");
    }
    let lasts = |text: &str| reasons(&[with(&root("trunking-terminating"), &[("duration", text)])]);
    // From 10:00:00 to 10:05:00 are 300 s; one second more is forgiven, as given.
    assert_eq!(lasts("301"), ["rated"]);
    assert_eq!(lasts("301.0000001"), ["invalid-duration"]);
    assert_eq!(lasts(""), ["invalid-duration"]);
    let endless = with(&root("trunking-terminating"), &[("end_time", ""), ("duration", "86400")]);
    assert_eq!(reasons(std::slice::from_ref(&endless)), ["rated"]);
    assert_eq!(reasons(&[with(&endless, &[("duration", "86400.1")])]), ["invalid-duration"]);
}

#[test]
fn times() {
    let ten = parse_time("2024-05-01T10:00:00Z");
    assert!(ten.is_some());
    for same in [
        "2024-05-01 10:00:00+00:00",
        "2024-05-01T12:00:00.000000999+02:00",
        "2024-05-01T06:30:00-0330",
        "Wed, 01 May 2024 10:00:00 +0000",
        "1 May 2024 12:00:00 +0200",
        "Wed, 01 May 2024 10:00:00 GMT",
    ] {
        assert_eq!(parse_time(same), ten, "{same}");
    }
    for bad in [
        "",
        "2024-05-01",
        "2024-05-01T10:00:00",
        "2024-05-01  10:00:00Z",
        "2024-05-01T10:00:60Z",
        "2024-02-30T10:00:00Z",
        "1969-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "2024-05-01T24:00:00Z",
        "2024-05-01T10:00:00.Z",
        "2024-05-01T10:00:00+24:00",
        "Tue, 01 May 2024 10:00:00 +0000",
        "Wed, 01 May 2024 10:00:60 +0000",
        "Wed, 01 May 2024 10:00:00",
        "٢٠٢٤-05-01T10:00:00Z",
    ] {
        assert_eq!(parse_time(bad), None, "{bad}");
    }
    let end = |text: &str| reasons(&[with(&root("trunking-terminating"), &[("end_time", text)])]);
    assert_eq!(end("yesterday"), ["invalid-time"]);
    let answer =
        |text: &str| reasons(&[with(&root("trunking-terminating"), &[("answer_time", text)])]);
    assert_eq!(answer("2024-05-01T10:00:01"), ["invalid-time"]);
}

#[test]
fn targets() {
    let trunk = Some("Acme.pstn.twilio.com.");
    let pstn = Ok(("pstn", C.to_owned()));
    for text in [
        " +442079460103 ",
        "tel:+442079460103",
        "TEL:+44(20)7946.0103;ext=1",
        "<tel:+44-20-7946-0103;phone-context=x>",
        "sip:+442079460103@acme.pstn.twilio.com",
        "\"Smith, \\\"J\\\" <x>\" <sips:+44-20-79460103;a=b:secret@ACME.PSTN.dublin.TWILIO.com.:5061;user=phone?X=y>;q=1",
        "sip:%2B44207946%30103@acme.pstn.twilio.com;transport=udp",
    ] {
        assert_eq!(classify_target(text, trunk), pstn, "{text}");
        assert_eq!(classify_target(text, None), pstn, "{text}");
    }
    for text in [
        "tel:911",
        "tel:9-1-1",
        "tel:+933",
        "sip:9%311@acme.pstn.twilio.com",
        "<sip:+911;x=1@acme.pstn.ie1.twilio.com>",
    ] {
        assert_eq!(classify_target(text, trunk), Err("emergency-target"), "{text}");
    }
    for (text, uri) in [
        ("sip:+442079460103@example.com", "sip:+442079460103@example.com"),
        ("sip:911@example.com", "sip:911@example.com"),
        ("SIPS:Bob:secret@Example.COM.:5061", "sips:Bob@example.com"),
        ("Bob <sip:b%6Fb%40x;y=z@[2001:DB8::1]:5060>", "sip:bob%40x;y=z@[2001:db8::1]"),
        ("sip:a;x=1@example.com", "sip:a;x=1@example.com"),
        ("sip:10.0.0.1", "sip:10.0.0.1"),
        (
            "sip:+442079460103@acme.pstn.a.b.twilio.com",
            "sip:+442079460103@acme.pstn.a.b.twilio.com",
        ),
        ("<sip:a@example.com;method=INVITE>", "sip:a@example.com"),
    ] {
        assert_eq!(classify_target(text, trunk), Ok(("sip", uri.to_owned())), "{text}");
    }
    // Another trunk of the carrier is foreign to this one, and own if no trunk is known.
    let other = "sip:bob@other.pstn.twilio.com";
    assert_eq!(classify_target(other, trunk), Ok(("sip", other.to_owned())));
    assert_eq!(classify_target(other, None), Err("invalid-target"));
}

#[test]
fn targets_that_are_none() {
    for text in [
        "",
        "911",
        "442079460103",
        "+0442079460103",
        "+44 20 7946 0103",
        "+123456",
        "+1234567890123456",
        "<+442079460103>",
        "tel:442079460103",
        "tel:%2B442079460103",
        "tel:",
        "tel:+442079460103;a=1;A=2 <>",
        "<tel:+442079460103;a=1;A=2>",
        "mailto:a@example.com",
        "urn:service:sos",
        "sip:",
        "sip:@example.com",
        "sip::pw@example.com",
        "sip:a@",
        "sip:a@@example.com",
        "sip:a@b@example.com",
        "sip:a@-example.com",
        "sip:a@exa_mple.com",
        "sip:a@example..com",
        "sip:a@%65xample.com",
        "sip:%4@example.com",
        "sip:a%zz@example.com",
        "sip:a b@example.com",
        "sip:a@example.com:65536",
        "sip:a@example.com:",
        "sip:a@2001:db8::1",
        "sip:a@[2001:db8::1",
        "sip:a@999.1.1.1",
        "<sip:a@example.com;x=1;X=2>",
        "<sip:a@example.com;method=BYE>",
        "<sip:a@example.com",
        "\"Bob <sip:a@example.com>",
        "sip:a@example.com, sip:b@example.com",
        "<sip:a@example.com>,<sip:b@example.com>",
        "sip:a\u{7}@example.com",
        "sip:ä@example.com",
        "sip:a@exämple.com",
        "sip:bob@acme.pstn.twilio.com",
        "sip:acme.pstn.twilio.com",
        "sip:12025550101@acme.pstn.twilio.com",
    ] {
        assert_eq!(
            classify_target(text, Some("acme.pstn.twilio.com")),
            Err("invalid-target"),
            "{text}"
        );
    }
}

#[test]
fn an_emergency_call_is_rated_by_its_own_row() {
    for (to, rated) in
        [("911", "911"), ("9-3-3", "933"), ("tel:911", "911"), ("sip:911@example.com", "911")]
    {
        let outcomes = night(&[with(&root("trunking-terminating"), &[("to", to)])]);
        let leg = &outcomes[0].legs[0];
        assert_eq!((leg.rated_number.as_str(), leg.leg_to.as_str()), (rated, to));
        assert_eq!((leg.destination_prefix.as_str(), leg.deck_line), ("emergency", 4));
        // 5 × 0.75
        assert_eq!(leg.amount, money("3.75"));
    }
    let inbound = with(&root("trunking-originating"), &[("to", "911")]);
    assert_eq!(reasons(&[inbound]), ["invalid-number"]);
}

#[test]
fn the_origin_is_filtered_before_the_destination_is_searched() {
    let deck = parse_deck_csv(
        "deck.csv",
        "Price / min,Origination Prefixes,Destination Prefixes,Effective From,Effective To\n\
         0.01,,1,,\n\
         0.02,\"44, 49\",1202,,\n\
         0.03,\"1, 1202555\",\"1202, 120255\",2024-05-01T10:00:00Z,\n\
         0.04,,1202555,,2024-05-01\n\
         0.05,,1202555,2024-05-02,\n",
        &DeckDefaults::default(),
    );
    let rated = |fields: &[(&str, &str)]| {
        let outcomes = rate_night(
            &[with(&root("trunking-terminating"), fields)],
            &deck,
            None,
            &Policy::default(),
        );
        let leg = &outcomes[0].legs[0];
        (leg.deck_line, leg.destination_prefix.clone(), leg.origin_prefix.clone())
    };
    assert_eq!(rated(&[("from", "anonymous")]), (2, "1".into(), String::new()));
    assert_eq!(rated(&[("from", C)]), (3, "1202".into(), "44".into()));
    assert_eq!(rated(&[]), (4, "120255".into(), "1202555".into()));
    let early = [("start_time", "2024-05-01T09:59:59.9Z"), ("duration", "1")];
    assert_eq!(rated(&early), (2, "1".into(), String::new()));
}

#[test]
fn the_own_reasons_in_their_order() {
    let base = root("trunking-terminating");
    let one = |fields: &[(&str, &str)]| reasons(&[with(&base, fields)]).remove(0);
    assert_eq!(one(&[("account_sid", " "), ("start_time", "x")]), "missing-field");
    assert_eq!(one(&[("direction", "")]), "missing-field");
    assert_eq!(one(&[("to", ""), ("refer_to", C)]), "missing-field");
    assert_eq!(one(&[("start_time", "x"), ("duration", "x")]), "invalid-time");
    assert_eq!(one(&[("duration", "x"), ("status", "ringing")]), "invalid-duration");
    assert_eq!(one(&[("status", "ringing"), ("to", "Bob")]), "not-final");
    assert_eq!(one(&[("to", "Bob"), ("status", "busy")]), "invalid-number");
    assert_eq!(one(&[("to", "+99912345678")]), "no-rate");
    assert_eq!(one(&[("to", "+99912345678"), ("status", "busy")]), "free");
}

#[test]
fn versions_of_one_call() {
    let base = root("trunking-terminating");
    let ringing = with(&base, &[("status", "in-progress"), ("duration", "")]);
    let copy = with(
        &base,
        &[
            ("price", "-0.05"),
            ("start_time", "Wed, 01 May 2024 10:00:00 +0000"),
            ("duration", "299.5"),
        ],
    );
    assert_eq!(
        reasons(&[ringing.clone(), base.clone(), copy.clone()]),
        ["duplicate", "rated", "duplicate"]
    );
    let other = with(&base, &[("duration", "299")]);
    let broken = with(&base, &[("duration", "long")]);
    assert_eq!(
        reasons(&[other.clone(), base.clone(), ringing.clone(), copy, broken]),
        [
            "conflicting-duplicate",
            "conflicting-duplicate",
            "duplicate",
            "duplicate",
            "invalid-duration"
        ]
    );
    let queued = with(&base, &[("status", "queued")]);
    assert_eq!(
        reasons(&[ringing.clone(), queued, ringing]),
        ["not-final", "not-final", "duplicate"]
    );
    assert_eq!(reasons(&[base, other, child(C)])[2], "parent-suspended");
    let nameless = with(&child(C), &[("sid", "")]);
    assert_eq!(reasons(&[nameless.clone(), nameless]), ["missing-field", "missing-field"]);
}

#[test]
fn what_is_no_trunk_call_is_ignored_with_all_below_it() {
    let parent = with(&root("outbound-api"), &[("account_sid", "")]);
    let grandchild =
        with(&child(C), &[("sid", "CA3"), ("parent_call_sid", "CA2"), ("start_time", "x")]);
    assert_eq!(
        reasons(&[grandchild.clone(), child(C), parent.clone()]),
        ["ignored", "ignored", "ignored"]
    );
    let trunk_call = root("trunking-terminating");
    assert_eq!(reasons(&[parent, trunk_call, child(C)]), ["ignored", "rated", "rated"]);
}

#[test]
fn the_reasons_about_a_parent() {
    let base = root("trunking-terminating");
    let kid = child(C);
    assert_eq!(reasons(std::slice::from_ref(&kid)), ["parent-missing"]);
    let later = |at: &str| with(&base, &[("sid", "CA9"), ("start_time", at), ("end_time", "")]);
    assert_eq!(reasons(&[kid.clone(), later("2024-05-08T10:05:00Z")])[0], "parent-missing");
    assert_eq!(reasons(&[kid.clone(), later("2024-05-08T10:05:01Z")])[0], "parent-never-arrived");
    assert_eq!(
        reasons(&[kid.clone(), with(&base, &[("status", "ringing")])])[0],
        "parent-suspended"
    );
    assert_eq!(
        reasons(&[with(&kid, &[("account_sid", "AC2")]), base.clone()])[0],
        "parent-account-mismatch"
    );
    assert_eq!(
        reasons(&[with(&kid, &[("start_time", "2024-05-01T09:59:00Z")]), base.clone()])[0],
        "rated"
    );
    let early = with(&kid, &[("start_time", "2024-05-01T09:58:59Z"), ("to", "911")]);
    assert_eq!(reasons(&[early, base])[0], "child-before-parent");
    let own_parent = with(&kid, &[("sid", "CA1")]);
    let two = with(&kid, &[("sid", "CA2"), ("parent_call_sid", "CA3")]);
    let three = with(&kid, &[("sid", "CA3"), ("parent_call_sid", "CA2")]);
    let below = with(&kid, &[("sid", "CA4"), ("parent_call_sid", "CA3")]);
    assert_eq!(
        reasons(&[own_parent, two, three, below]),
        ["parent-cycle", "parent-cycle", "parent-cycle", "parent-suspended"]
    );
}

#[test]
fn a_chain_is_suspended_or_billed_under_its_root() {
    let records = [
        with(
            &child("sip:x.example"),
            &[("sid", "CA3"), ("parent_call_sid", "CA2"), ("duration", "60")],
        ),
        child(C),
        root("trunking-originating"),
    ];
    assert_eq!(reasons(&records), ["chained-transfer", "rated", "rated"]);
    let policy = Policy { chained_to_root: true, ..Policy::default() };
    let outcomes = rate_night(&records, &deck(), None, &policy);
    assert_eq!(outcomes[0].scenario.as_deref(), Some("origination-to-sip"));
    assert_eq!(
        shape(&outcomes[0]),
        [
            format!("origination {A}>sip:x.example {B} 0.00340"),
            format!("log {A}>sip:x.example shown {A}")
        ]
    );
}

#[test]
fn trunks() {
    let trunk = |mode: &str, caller_id: &str| Trunk {
        sid: "TK1".into(),
        domain: "acme.pstn.twilio.com".into(),
        mode: mode.into(),
        caller_id: caller_id.into(),
    };
    let outcome = |trunk: Trunk, parent: &[(&str, &str)], kid: &[(&str, &str)]| {
        let records = [with(&root("trunking-terminating"), parent), with(&child(C), kid)];
        rate_night(&records, &deck(), Some(&[trunk]), &Policy::default()).remove(1)
    };
    let own = [("trunk_sid", "TK1")];
    let sip = [("to", "sip:bob@other.pstn.twilio.com")];
    let open = trunk("enable-all", "from-transferor");
    let shown = |outcome: &Outcome| outcome.log.as_ref().map(|log| log.caller_id.clone());
    assert_eq!(shown(&outcome(open.clone(), &own, &[])), Some(A.to_owned()));
    assert_eq!(shown(&outcome(open.clone(), &[], &own)), Some(A.to_owned()));
    assert_eq!(
        shown(&outcome(trunk("enable-all", "from-transferee"), &own, &[])),
        Some(B.to_owned())
    );
    assert_eq!(reason(&outcome(open.clone(), &[], &[])), "unknown-trunk");
    assert_eq!(reason(&outcome(open.clone(), &[("trunk_sid", "TK2")], &own)), "unknown-trunk");
    assert_eq!(reason(&outcome(open.clone(), &[], &sip)), "invalid-target");
    assert_eq!(reason(&outcome(open, &own, &sip)), "rated");
    assert_eq!(reason(&outcome(trunk("disable-all", ""), &own, &sip)), "transfer-disabled");
    assert_eq!(reason(&outcome(trunk("sip-only", ""), &own, &sip)), "rated");
    assert_eq!(reason(&outcome(trunk("sip-only", ""), &own, &[])), "pstn-transfer-disabled");
    assert_eq!(
        reason(&outcome(trunk("sip-only", ""), &own, &[("to", "tel:911")])),
        "emergency-target"
    );
    let unanswered = [("status", "busy"), ("duration", "")];
    assert_eq!(reason(&outcome(trunk("disable-all", ""), &own, &unanswered)), "transfer-disabled");
}

#[test]
fn hostile_text_ends_somewhere_too() {
    let texts = [
        "",
        " ",
        "\u{0}",
        "<",
        ">",
        "\"",
        "%",
        "%é",
        "sip:%é@x",
        "sip:é",
        "tel:é;",
        "+é",
        ";@",
        "<<>>",
        "é:é@é;é=é?é",
        "2024-05-0é",
        "1970-01-01Té",
        "[",
        "sip:[]:",
        "sip:a@[é]:é",
        "٣",
        "-",
        ",",
        "\\",
        "\"\\",
    ];
    let fields = [
        "sid",
        "parent_call_sid",
        "account_sid",
        "trunk_sid",
        "direction",
        "from",
        "to",
        "refer_to",
        "start_time",
        "end_time",
        "answer_time",
        "duration",
        "status",
    ];
    for base in [root("trunking-terminating"), child(C)] {
        for field in fields {
            let records: Vec<Record> =
                texts.iter().map(|text| with(&base, &[(field, text)])).collect();
            assert!(night(&records).iter().all(|outcome| outcome.class != "undecided"), "{field}");
        }
    }
}
