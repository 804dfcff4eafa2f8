//! Random records in random nights: what comes out is what one run over all of them gives.
//!
//! Kept from chance is only what the law asks for: the versions of a conflict come together, and
//! when one that was not final comes, its final version comes in that night or a later one.

use super::{Books, Folder, Line, again, rate, shown};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed};
use std::collections::BTreeMap;

type Record = BTreeMap<&'static str, String>;

/// Whose child a call is.
#[derive(Debug, Clone)]
enum ParentOf {
    Nobody,
    /// A call before it in the list, which may be a child itself.
    Earlier(Index),
    /// Any call: circles.
    Any(Index),
    NeverSeen,
}

/// In which versions a call comes.
#[derive(Debug, Clone)]
enum Versions {
    One,
    /// Before it was final, and then final.
    NotFinal(&'static str),
    /// Never final.
    OnlyNotFinal,
    /// Another final version, in the same nights.
    Conflict(&'static str, &'static str),
}

/// One call, before it knows the others, and the nights in which it comes.
#[derive(Debug, Clone)]
struct Draft {
    parent: ParentOf,
    changes: Vec<(&'static str, &'static str)>,
    to: &'static str,
    target: &'static str,
    /// Seconds after the first night's start, of a root.
    start: i64,
    /// Seconds after its parent's start, of a child.
    after: i64,
    seconds: u32,
    versions: Versions,
    /// The price of its first copy, of its second, …; `nights` says when each comes.
    prices: Vec<&'static str>,
    nights: [usize; 5],
}

fn draft() -> impl Strategy<Value = Draft> {
    let parent = prop_oneof![
        10 => Just(ParentOf::Nobody),
        12 => any::<Index>().prop_map(ParentOf::Earlier),
        1 => any::<Index>().prop_map(ParentOf::Any),
        1 => Just(ParentOf::NeverSeen),
    ];
    let change = select(vec![
        ("direction", "inbound"),
        ("direction", "inbound"),
        ("direction", "trunking-originating"),
        ("direction", "trunking-originating"),
        ("trunk_sid", "TK1"),
        ("trunk_sid", "TKsip"),
        ("trunk_sid", "TKgone"),
        ("account_sid", "AC2"),
        ("account_sid", ""),
        ("sid", ""),
        ("start_time", "soon"),
        ("status", "busy"),
        ("status", "Completed"),
        ("from", "anonymous"),
        ("from", "\"Bob, Jr.\" <sip:+442079460103@H.example:5060;x=1>"),
        ("from", "sip:bob@PBX.example.com:5060"),
        ("duration", "-1"),
        ("duration", "0"),
    ]);
    let versions = prop_oneof![
        12 => Just(Versions::One),
        3 => select(vec!["ringing", "in-progress"]).prop_map(Versions::NotFinal),
        1 => Just(Versions::OnlyNotFinal),
        2 => select(vec![
            ("duration", "7"), ("start_time", "2026-11-25T21:00:00Z"), ("from", "+12025550109"), ("direction", "inbound"),
            ("parent_call_sid", ""), ("account_sid", "AC2"), ("status", "busy"), ("duration", "-1"),
        ]).prop_map(|(field, text)| Versions::Conflict(field, text)),
    ];
    let target = select(vec![
        "+12025550103",
        "+12025550104",
        "sip:bob@pbx.example.com",
        "sip:+14155550105@t1.pstn.twilio.com",
        "+442079460103",
        "tel:+911",
        "anonymous",
    ]);
    let to = select(vec![
        "+12025550102",
        "+12025550102",
        "+14155550110",
        "+442079460110",
        "sip:+12025550107@public-vip.ie1.twilio.com",
        "911",
    ]);
    let after = prop_oneof![6 => 0_i64..400, 1 => -90_i64..0, 3 => 0_i64..6 * 86_400];
    let price = select(vec!["", "", "-0.05", "-0.0500", "-0.3", "-0.25", "-10", "-9", "n/a"]);
    let changes = prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(change, 1..=2)];
    let places = (any::<[u8; 5]>(), prop::collection::vec(price, 1..=4));
    ((parent, changes, to, target), (0_i64..21 * 86_400, after, 0_u32..700), versions, places)
        .prop_map(
            |(
                (parent, changes, to, target),
                (start, after, seconds),
                versions,
                (nights, prices),
            )| {
                let nights = nights.map(usize::from);
                Draft {
                    parent,
                    changes,
                    to,
                    target,
                    start,
                    after,
                    seconds,
                    versions,
                    prices,
                    nights,
                }
            },
        )
}

/// Ids of many forms: the carrier's, and others that look like it or like nothing.
fn sid(at: usize) -> String {
    match at % 11 {
        1 => format!("CA{at:032X}F"),
        2 => format!("ca{at:032x}"),
        3 => format!("CA{at:031x}"),
        4 => format!("{at}"),
        5 => format!("call \"{at}\", Zürich"),
        6 => format!("CA{:032X}", 0xABCD_EF00 + at),
        _ => format!("CA{:032x}", 0xABCD_EF00_0000_usize + at),
    }
}

fn instant(seconds: i64) -> String {
    let second = seconds.rem_euclid(86_400);
    // Not before the first, and not as late as the 31st of a month of 31 days.
    format!(
        "2026-12-{:02}T{:02}:{:02}:{:02}Z",
        1 + seconds.div_euclid(86_400),
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// The call of each draft, in its final version.
fn records(drafts: &[Option<Draft>]) -> Vec<Option<Record>> {
    let mut records = Vec::with_capacity(drafts.len());
    let mut starts: Vec<i64> = Vec::with_capacity(drafts.len());
    for (at, draft) in drafts.iter().enumerate() {
        let Some(draft) = draft else {
            records.push(None);
            starts.push(0);
            continue;
        };
        let parent = match &draft.parent {
            ParentOf::Earlier(index) if at > 0 => Some(index.index(at)),
            ParentOf::Any(index) => Some(index.index(drafts.len())),
            ParentOf::Nobody | ParentOf::Earlier(_) | ParentOf::NeverSeen => None,
        };
        let parent_sid = match draft.parent {
            ParentOf::NeverSeen => "CAnever".to_owned(),
            _ => parent.map(sid).unwrap_or_default(),
        };
        let known = parent.filter(|parent| *parent < at);
        let start =
            known.map_or(draft.start, |parent| starts[parent] + draft.after).clamp(0, 29 * 86_400);
        let is_child = !parent_sid.is_empty();
        let fields = [
            ("sid", sid(at)),
            ("parent_call_sid", parent_sid),
            ("account_sid", "AC1".to_owned()),
            ("direction", if is_child { "" } else { "trunking-terminating" }.to_owned()),
            ("from", "+12025550101".to_owned()),
            ("to", if is_child { draft.target } else { draft.to }.to_owned()),
            ("start_time", instant(start)),
            ("duration", draft.seconds.to_string()),
            ("status", "completed".to_owned()),
        ];
        let mut record = Record::from(fields);
        // A child's direction decides nothing; a foreign one must not make it another call.
        let apt = |(field, _): &&(&str, &str)| !(is_child && *field == "direction");
        record.extend(
            draft.changes.iter().filter(apt).map(|(field, text)| (*field, (*text).to_owned())),
        );
        starts.push(start);
        records.push(Some(record));
    }
    records
}

/// The lines of each night.
fn nights(drafts: &[Option<Draft>], broken: &[[usize; 2]], count: usize) -> Vec<Vec<Line>> {
    let mut nights = vec![Vec::new(); count];
    for (draft, record) in drafts.iter().zip(records(drafts)) {
        let (Some(draft), Some(record)) = (draft, record) else { continue };
        let with = |changes: &[(&'static str, &str)]| {
            let mut other = record.clone();
            other.extend(changes.iter().map(|(field, text)| (*field, (*text).to_owned())));
            other
        };
        let mut put = |record: Record, night: usize| nights[night].push(Line::Record(record));
        let places = draft.nights.map(|night| night % count);
        let not_final = |status| with(&[("status", status), ("duration", "")]);
        // The final version stands in the last of its nights: any night up to that may have one
        // that is not.
        let last =
            draft.prices.iter().zip(places).map(|(_, night)| night).max().unwrap_or_default();
        match draft.versions {
            Versions::NotFinal(status) => put(not_final(status), places[4].min(last)),
            Versions::OnlyNotFinal => {
                put(not_final("ringing"), places[0]);
                put(not_final("in-progress"), places[4]);
                continue;
            }
            Versions::One | Versions::Conflict(..) => {}
        }
        for (price, night) in draft.prices.iter().zip(places) {
            put(with(&[("price", *price)]), night);
            if let Versions::Conflict(field, text) = draft.versions {
                put(with(&[(field, text)]), night);
            }
        }
    }
    for (at, places) in broken.iter().enumerate() {
        for night in places {
            nights[night % count].push(Line::Broken(format!("CA{at},cut off{}", ",".repeat(20))));
        }
    }
    nights
}

fn folder(config: &str) -> Folder {
    let folder = Folder::new();
    folder.deck(
        "US,United States,US,0.0100,,1,termination,,,,,,2026-12-10\n\
         US,United States,US,0.0110,,1,termination,6,6,,,2026-12-10,\n\
         US,United States,California,0.0200,,1415,termination,,,30,0.0050,,\n\
         GB,United Kingdom,GB from US,0.0300,1,44,termination,,,,,,\n\
         US,United States,US in,0.0034,,1,origination,,,,,,\n\
         US,United States,Emergency,1.0000,,emergency,termination,,,,,,\n",
    );
    folder.file(
        "trunks.json",
        r#"{"trunks": [
            {"sid": "", "domain_name": "t0.pstn.twilio.com", "transfer_mode": "enable-all"},
            {"sid": "TK1", "domain_name": "t1.pstn.twilio.com", "transfer_mode": "enable-all", "transfer_caller_id": "from-transferor"},
            {"sid": "TKsip", "domain_name": "t2.pstn.twilio.com", "transfer_mode": "sip-only"}
        ]}"#,
    );
    folder.file("trunkrate.toml", format!("# As the night says.\n{config}"));
    folder
}

const TRUNKS: [&str; 2] = ["--trunks", "trunks.json"];

/// What is wrong with nights, if anything.
fn complaint(config: &str, trunks: bool, nights: &[Vec<Line>]) -> Option<String> {
    let more: &[&str] = if trunks { &TRUNKS } else { &[] };
    let (ledger, one) = (folder(config), folder(config));
    for night in nights {
        rate(&ledger, night, more);
    }
    let all = nights.concat();
    rate(&one, &all, more);
    let difference = Books::of(&ledger).against_one_run(&Books::of(&one));
    let verified = ledger.trunkrate(&["verify"]);
    let unsound = (verified.code != 0).then_some(verified.stderr);
    let wrong: Vec<String> =
        [difference, unsound, again(&ledger, &all, more)].into_iter().flatten().collect();
    (!wrong.is_empty()).then(|| format!("{}{}", wrong.join("\n"), shown(nights)))
}

/// The same cases on every machine; nothing is stored. A failing case is made smaller, but not for
/// hours.
pub fn config(cases: u32, seed: u64) -> Config {
    Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        max_shrink_iters: 400,
        ..Config::default()
    }
}

/// 40 to 80 calls in one to six nights. A call that is not there is how a failing case gets
/// smaller.
pub fn random_nights() -> impl Strategy<Value = Vec<Vec<Line>>> {
    let drafts = prop::collection::vec(prop::option::weighted(0.97, draft()), 40..=80);
    let broken = prop::collection::vec([0_usize..6, 0_usize..6], 0..3);
    (drafts, broken, 1_usize..=6)
        .prop_map(|(drafts, broken, count)| nights(&drafts, &broken, count))
}

/// Calls in the words of [`super::words`], few enough that any two may meet.
const WORDS: [&str; 34] = [
    "P",
    "P",
    "P $-0.05",
    "P $-0.09",
    "P ringing",
    "C<P",
    "C<P $-0.07",
    "C<P $-0.06",
    "C<P ringing",
    "C2<P +8d",
    "D<C",
    "E<D",
    "F inbound",
    "F inbound ringing",
    "G<F",
    "H<G",
    "X +3d",
    "Y +9d",
    "Q, Q 301s",
    "I<Q",
    "R -5s",
    "J<R",
    "K<N",
    "B busy",
    "B busy $-0.01",
    "L<B",
    "_",
    "!cut",
    "A<M",
    "M<A",
    "S<P AC2",
    "T<P to=anonymous",
    "U<C -1d",
    "V<T",
];

/// Two to six nights of up to three of these calls.
pub fn random_words() -> impl Strategy<Value = Vec<Vec<Line>>> {
    let night = prop::collection::vec(select(&WORDS[..]), 0..=3);
    let lines =
        |words: Vec<&str>| words.into_iter().flat_map(super::words::lines).collect::<Vec<_>>();
    prop::collection::vec(night.prop_map(lines), 2..=6)
}

proptest! {
    #![proptest_config(config(24, 0x73))]

    #[test]
    fn few_calls_that_meet_in_random_nights_give_the_books_of_one_run(nights in random_words(), root in any::<bool>()) {
        let config = if root { "[policy]\nchained_transfers = \"root\"\n" } else { "" };
        if let Some(complaint) = complaint(config, false, &nights) {
            return Err(TestCaseError::fail(complaint));
        }
    }
}

proptest! {
    #![proptest_config(config(20, 0x71))]

    #[test]
    fn random_nights_give_the_books_of_one_run(nights in random_nights(), trunks in any::<bool>()) {
        if let Some(complaint) = complaint("", trunks, &nights) {
            return Err(TestCaseError::fail(complaint));
        }
    }
}

proptest! {
    #![proptest_config(config(20, 0x72))]

    #[test]
    fn random_nights_give_the_books_of_one_run_with_chains(nights in random_nights(), trunks in any::<bool>()) {
        let config = "[policy]\nchained_transfers = \"root\"\nparent_wait_days = 2\n[money]\nleg_rounding = \"half-even\"\n";
        if let Some(complaint) = complaint(config, trunks, &nights) {
            return Err(TestCaseError::fail(complaint));
        }
    }
}
