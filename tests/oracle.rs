//! The kernel against the naive rater, record by record, on random nights.
//!
//! [`night`] makes a night: families of all scenarios, chains, cycles, missing parents, copies,
//! conflicts, versions that are not final, foreign directions, broken fields, targets in many
//! written forms, trunks with their settings, a deck. [`kernel`] brings it through the library as a
//! run does, and puts what came out into the naive rater's words.
//!
//! Left out of the nights, because the contract allows more than one reading:
//! - times without seconds or in the basic form of ISO 8601 (the naive reader is the narrower one);
//! - a `;` in a user part outside `<…>`: RFC 3261 20.10 wants the brackets, the kernel does
//!   without, the naive reader not;
//! - the direction that the log shows for a child, which decides nothing.

use crate::naive::{
    self, DeckDefaults, DeckRow, Leg, Log, Outcome, Policy, Record, parse_deck_csv, rate_night,
};
use crate::support::DECK_HEADER;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::path::Path;
use trunkrate::booked::{Booked, BookedTexts};
use trunkrate::call::Calls;
use trunkrate::family::Earlier;
use trunkrate::inputs::decks::{self, Decks};
use trunkrate::money::{LegRounding, LegRule};
use trunkrate::night::{Class, Tariff, TrunkFacts, settle};
use trunkrate::packed::{SharedTexts, pack, unpack};
use trunkrate::party_ref::PartyRef;
use trunkrate::policy::ChainedTransfers;
use trunkrate::rating::{Parties, booked_legs, log_cell};
use trunkrate::record::{Field, Fields};
use trunkrate::trunk::{TransferCallerId, TransferMode, Trunk, Trunks};

/// A night to rate, in the naive rater's words.
#[derive(Debug, Clone)]
pub struct Night {
    /// The records, in the order of the file.
    pub records: Vec<Record>,
    /// The deck's files: name and rows under [`DECK_HEADER`].
    pub deck: [(&'static str, String); 2],
    /// The trunk list, if there is one.
    pub trunks: Option<Vec<naive::Trunk>>,
    /// The choices of the one who bills.
    pub policy: Policy,
}

/// Random cases that are the same on every machine; nothing is stored.
pub fn fixed(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x5150),
        ..Config::default()
    }
}

/// One value of a strategy, the same for the same seed.
pub fn one<S: Strategy>(strategy: &S, seed: u8) -> S::Value {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).expect("a value").current()
}

// ---- what calls say
// ---------------------------------------------------------------------------------------------

const NUMBERS: [&str; 13] = [
    "12025550101",
    "12025550102",
    "14155550100",
    "12425550199",
    "442079460103",
    "447700900123",
    "3222555010",
    "32475550123",
    "32455501234",
    "4915112345678",
    "911123456789",
    "1234567",
    "123456789012345",
];

fn number() -> impl Strategy<Value = &'static str> {
    select(&NUMBERS[..])
}

/// A number with visual separators: `+1-202-555.(0101)`.
fn separated(number: &str) -> String {
    let (head, tail) = number.split_at(3);
    format!("+{}-{}.({tail})", &head[..1], &head[1..])
}

/// The `from` or `to` of a root call.
pub fn party() -> impl Strategy<Value = String> {
    let numbers = (number(), 0..11).prop_map(|(n, form)| match form {
        0 => format!("tel:+{n}"),
        1 => format!("sip:+{n}@public-vip.ie1.twilio.com"),
        2 => format!("\"Bob, Jr. \\\" <\" <sip:+{n}@h.example:5060;transport=tls>;tag=1"),
        3 => format!("<tel:{};ext=1>", separated(n)),
        4 => format!("sips:%2B{n}@Host.Example"),
        5 => format!("TEL:+{n}"),
        6 => format!("  +{n} "),
        7 => format!("<sip:+{n};npdi;rn=+1202@h.example>"),
        8 => format!("SIP:{}@h.example?Subject=x", separated(n)),
        9 => format!("Alice <sip:+{n}:secret@[2001:db8::1]:5061>"),
        _ => format!("+{n}"),
    });
    let others = (number(), 0..25).prop_map(|(n, form)| match form {
        17 => "+266696687".to_owned(),
        18 => "sip:+86282452253@h.example".to_owned(),
        19 => "NULL".to_owned(),
        20 => "4.42079E+11".to_owned(),
        21 => format!("'+{n}"),
        22 => format!("sip:bob;;{n}@h.example"),
        23 => format!("<sip:bo,b;x@h.example>;tag={n}"),
        24 => "-".to_owned(),
        0 => n.to_owned(),
        1 => "anonymous".to_owned(),
        2 => String::new(),
        3 => "sip:bob@PBX.example.com:5060".to_owned(),
        4 => format!("sip:{n}@h.example"),
        5 => "911".to_owned(),
        6 => "sip:911@Trunk1.pstn.twilio.com:5060".to_owned(),
        7 => "tel:9-1-1".to_owned(),
        8 => format!("+0{n}"),
        9 => "Bob <sips:Bob@h.example.>".to_owned(),
        10 => "sip:pbx.example.com".to_owned(),
        11 => "+911".to_owned(),
        12 => "933".to_owned(),
        13 => "sip:+9-3-3@192.0.2.1".to_owned(),
        14 => format!("tel:{n}"),
        15 => format!("+{n}0000000000"),
        _ => "<sip:alice;day=tuesday@h.example>".to_owned(),
    });
    prop_oneof![12 => number().prop_map(|n| format!("+{n}")), 6 => numbers, 3 => others]
}

const HOSTS: [&str; 14] = [
    "public-vip.ie1.twilio.com",
    "public-vip.twilio.com",
    "trunk1.pstn.twilio.com",
    "TRUNK1.pstn.Twilio.com.",
    "trunk1.pstn.ashburn.twilio.com",
    "trunk2.pstn.twilio.com:5061",
    "trunk2.pstn.de1.twilio.com",
    "trunk1.pstn.a.b.twilio.com",
    "trunk1.pstn.twilio.com.evil.example",
    "xtrunk1.pstn.twilio.com",
    "pbx.example.com",
    "sbc.own.example",
    "192.0.2.1:5060",
    "[2001:db8::1]",
];

/// The target of a child.
fn target() -> impl Strategy<Value = String> {
    let host = || select(&HOSTS[..]);
    let good = (number(), host(), 0..12).prop_map(|(n, host, form)| match form {
        0 => format!("+{n}"),
        1 => format!("tel:+{n}"),
        2 => format!("<tel:{};ext=7>", separated(n)),
        3 => format!("<sip:+{n}@{host};transport=tls?Replaces=a%40b>"),
        4 => format!("sips:%2b{n}@{host}"),
        5 => format!("\"The <desk>\" <SIP:{}@{host}>;method=INVITE", separated(n)),
        6 => format!("sip:bob@{host}"),
        7 => format!("<sip:Bob%20B;x=1@{host};method=INVITE>"),
        8 => format!("<sip:+{n};npdi@{host}>"),
        _ => format!("sip:+{n}@{host}"),
    });
    let bad = (number(), host(), 0..24).prop_map(|(n, host, form)| match form {
        0 => format!("sip:911@{host}"),
        1 => format!("sip:9%311@{host}"),
        2 => format!("sip:+9-3-3@{host}"),
        3 => "tel:+911".to_owned(),
        4 => "tel:9.3.3".to_owned(),
        5 => "911".to_owned(),
        6 => format!("tel:{n}"),
        7 => n.to_owned(),
        8 => format!("sip:{n}@{host}"),
        9 => format!("sip:{host}"),
        10 => format!("sip:@{host}"),
        11 => format!("<sip:+{n}@{host}>, <sip:bob@{host}>"),
        12 => format!("<sip:+{n}@{host};x=1;X=2>"),
        13 => format!("<sip:+{n}@{host};method=BYE>"),
        14 => "urn:service:sos".to_owned(),
        15 => format!("sip:+{n}@-h.example"),
        16 => format!("sip:+{n}@h.example:99999"),
        17 => format!("<sip:+{n}@{host}"),
        18 => format!("sip:+{n}@tr%75nk1.pstn.twilio.com"),
        19 => format!("sip:+{n}@x@{host}"),
        20 => format!("\"open <sip:+{n}@{host}>"),
        21 => format!("sip:+{n}@h..example"),
        22 => "anonymous".to_owned(),
        _ => format!("sip:+{n}\u{e9}@{host}"),
    });
    prop_oneof![10 => good, 3 => bad]
}

fn first_instant() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_208_400, 0).expect("2026-11-20T21:00:00Z")
}

/// An instant in one of the forms that exports have.
fn written(instant: DateTime<Utc>, form: usize) -> String {
    let zone = chrono::FixedOffset::east_opt(if form.is_multiple_of(2) { 19_800 } else { -12_600 })
        .expect("an offset");
    match form {
        0 | 1 => instant.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        2 => instant.with_timezone(&zone).to_rfc2822(),
        3 => instant.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S%.3f%z").to_string(),
        4 => instant.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        5 => instant.to_rfc2822(),
        7 => instant.format("%Y-%m-%d %H:%M:%S%.6f UTC").to_string(),
        8 => instant.format("%Y-%m-%dT%H:%M:%S gmt").to_string(),
        _ => instant.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string(),
    }
}

// ---- one call
// ---------------------------------------------------------------------------------------------------

/// Whose child a call is.
#[derive(Debug, Clone)]
enum ParentOf {
    Nobody,
    /// A call before it, which may be a child itself.
    Earlier(Index),
    /// Any call of the night: cycles.
    Any(Index),
    NeverSeen,
}

fn parent_of() -> impl Strategy<Value = ParentOf> {
    prop_oneof![
        10 => Just(ParentOf::Nobody),
        10 => any::<Index>().prop_map(ParentOf::Earlier),
        1 => any::<Index>().prop_map(ParentOf::Any),
        1 => Just(ParentOf::NeverSeen),
    ]
}

/// One call, before it knows the others.
#[derive(Debug, Clone)]
struct Draft {
    parent: ParentOf,
    /// An account of its own, and not its parent's.
    own_account: Option<&'static str>,
    trunk: &'static str,
    direction: &'static str,
    from: String,
    to: String,
    refer_to: Option<String>,
    /// Seconds after the first instant (a root) or after its parent's start.
    start: i64,
    talk: i64,
    duration: &'static str,
    end: Option<i64>,
    forms: [usize; 2],
    status: &'static str,
    price: &'static str,
}

fn draft() -> impl Strategy<Value = Draft> {
    let account = prop_oneof![30 => Just(None), 1 => Just(Some("ACelse"))];
    let trunk = select(vec!["", "TK1", "TK1", "TK1", "TK2", "TK2", "TK3", "TK4", "TKgone"]);
    let direction = prop_oneof![
        12 => Just("trunking-terminating"),
        12 => Just("trunking-originating"),
        1 => select(vec![
            "Trunking_Terminating",
            "TRUNKING-ORIGINATING",
            "Trunking Terminating",
            "TrunkingOriginating",
            "outbound-api",
            "Outbound API",
            "inbound",
            "outbound",
            "trunking-termination",
            "",
        ]),
    ];
    let start = prop_oneof![12 => 0_i64..7200, 1 => -900_000_i64..900_000];
    let talk =
        prop_oneof![12 => 1_i64..400, 2 => select(vec![0_i64, 1, 59, 60, 61, 90, 91, 120, 6000])];
    let duration = prop_oneof![12 => Just("N"), 1 => select(vec!["N.0", "N.4", "N.000000", "00N", "N.999999", "N.0000001", ""])];
    let end = prop_oneof![3 => Just(None), 9 => (0_i64..3).prop_map(Some), 1 => (-3_i64..0).prop_map(Some)];
    let form = || prop_oneof![6 => Just(6_usize), 2 => 0_usize..9];
    let status = prop_oneof![
        14 => Just("completed"),
        2 => select(vec!["busy", "failed", "no-answer", "canceled", "No_Answer", "COMPLETED", "in-progress", "ringing"]),
    ];
    let refer_to = prop_oneof![2 => Just(None), 1 => target().prop_map(Some)];
    let price = select(vec!["", "-0.0100", "-0.02"]);
    let texts = (party(), party(), refer_to, [form(), form()]);
    ((parent_of(), account, trunk, direction), texts, (start, talk, duration, end, status, price))
        .prop_map(
            |(
                (parent, own_account, trunk, direction),
                (from, to, refer_to, forms),
                (start, talk, duration, end, status, price),
            )| {
                Draft {
                    parent,
                    own_account,
                    trunk,
                    direction,
                    from,
                    to,
                    refer_to,
                    start,
                    talk,
                    duration,
                    end,
                    forms,
                    status,
                    price,
                }
            },
        )
}

/// The sid of a draft: the carrier's form, or any other text.
fn sid(at: usize) -> String {
    if at.is_multiple_of(4) { format!("call-{at}") } else { format!("CA{at:032x}") }
}

/// The records of drafts. A child's `to` is its target; it starts about when its parent ends.
fn records(drafts: &[(Draft, String)]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::with_capacity(drafts.len());
    let mut starts: Vec<i64> = Vec::with_capacity(drafts.len());
    for (at, (draft, target)) in drafts.iter().enumerate() {
        let parent = match &draft.parent {
            ParentOf::Earlier(index) if at > 0 => Some(index.index(at)),
            ParentOf::Any(index) => Some(index.index(drafts.len())),
            ParentOf::Nobody | ParentOf::Earlier(_) | ParentOf::NeverSeen => None,
        };
        let never = matches!(draft.parent, ParentOf::NeverSeen);
        let before = parent.filter(|parent| *parent < at);
        let is_child = parent.is_some() || never;
        // From two minutes before its parent to some minutes after.
        let offset =
            before.map_or(draft.start, |parent| starts[parent] + draft.start.rem_euclid(400) - 90);
        let start = first_instant() + TimeDelta::seconds(offset);
        let end = draft.end.map(|rest| start + TimeDelta::seconds(draft.talk + rest));
        let inherited =
            before.map_or("AC1", |parent| records[parent]["account_sid"].as_str()).to_owned();
        let fields = [
            ("sid", sid(at)),
            (
                "parent_call_sid",
                if never { "CAnever".to_owned() } else { parent.map(sid).unwrap_or_default() },
            ),
            ("account_sid", draft.own_account.map_or(inherited, str::to_owned)),
            ("trunk_sid", draft.trunk.to_owned()),
            ("direction", draft.direction.to_owned()),
            ("from", draft.from.clone()),
            ("to", if is_child { target.clone() } else { draft.to.clone() }),
            (
                "refer_to",
                draft
                    .refer_to
                    .clone()
                    .filter(|_| is_child || at.is_multiple_of(7))
                    .unwrap_or_default(),
            ),
            ("start_time", written(start, draft.forms[0])),
            ("end_time", end.map(|end| written(end, draft.forms[1])).unwrap_or_default()),
            ("duration", draft.duration.replace('N', &draft.talk.to_string())),
            ("status", draft.status.to_owned()),
            ("price", draft.price.to_owned()),
        ];
        starts.push(offset);
        records.push(fields.into_iter().map(|(name, text)| (name.to_owned(), text)).collect());
    }
    records
}

// ---- what goes wrong
// --------------------------------------------------------------------------------------------

/// Something that exports do to records.
#[derive(Debug, Clone)]
enum Mishap {
    /// A field is broken.
    Set(&'static str, &'static str),
    /// The record comes again, with this price.
    Copy(&'static str),
    /// The record comes again, the same instant written in another way.
    CopyInOtherForm(usize),
    /// Another version of the record comes.
    Version(&'static str, &'static str),
    /// The record had come before the call ended.
    NotFinal,
}

fn mishap() -> impl Strategy<Value = Mishap> {
    let broken = select(vec![
        ("sid", ""),
        ("account_sid", ""),
        ("start_time", ""),
        ("status", ""),
        ("direction", ""),
        ("to", ""),
        ("duration", ""),
        ("duration", "-1"),
        ("duration", "1e3"),
        ("duration", "5."),
        ("duration", "99999999999999999999"),
        ("duration", "86401"),
        ("duration", "86400"),
        ("start_time", "2026-11-20T21:00:00"),
        ("start_time", "0001-01-01T00:00:00Z"),
        ("start_time", "Fri, 20 Nov 2026 21:10:00 +0000"),
        ("start_time", "Thu, 20 Nov 2026 21:10:00 +0000"),
        ("start_time", "2026-02-30T00:00:00Z"),
        ("start_time", "2026-11-20T23:59:60Z"),
        ("start_time", "2026-11-20T21:01:02.3456789Z"),
        ("end_time", "soon"),
        ("end_time", "2026-11-20T20:00:00Z"),
        ("answer_time", "2026-11-20"),
        ("answer_time", "2026-11-20t21:00:00z"),
        ("answer_time", "None"),
        ("start_time", "1970-01-01 00:00 UTC"),
        ("start_time", "2062-11-20T21:00:00Z"),
        ("parent_call_sid", "NULL"),
        ("end_time", "\\N"),
        ("trunk_sid", "-"),
        ("price", "nan"),
        ("direction", "outbound-dial"),
        ("to", "anonymous"),
        ("status", "queued"),
        ("trunk_sid", "TKgone"),
    ]);
    let other = select(vec![
        ("trunk_sid", ""),
        ("end_time", ""),
        ("end_time", "N/A"),
        ("from", ""),
        ("direction", ""),
        ("direction", "outbound"),
        ("duration", ""),
        ("to", "sip:+12025550102@public-vip.us1.twilio.com"),
        ("to", "sip:+12025550102@trunk1.pstn.twilio.com"),
        ("duration", "7"),
        ("to", "+12025550102"),
        ("from", "+12025550109"),
        ("status", "busy"),
        ("account_sid", "ACelse"),
        ("parent_call_sid", ""),
        ("parent_call_sid", "call-0"),
        ("direction", "trunking-originating"),
        ("direction", "outbound-api"),
        ("refer_to", "tel:+442079460103"),
        ("answer_time", "2026-11-20T21:00:00Z"),
        ("duration", "-1"),
    ]);
    prop_oneof![
        4 => broken.prop_map(|(field, text)| Mishap::Set(field, text)),
        2 => select(vec!["", "-0.0300"]).prop_map(Mishap::Copy),
        1 => (0_usize..7).prop_map(Mishap::CopyInOtherForm),
        3 => other.prop_map(|(field, text)| Mishap::Version(field, text)),
        2 => Just(Mishap::NotFinal),
    ]
}

fn befall(records: &mut Vec<Record>, at: usize, mishap: &Mishap) {
    let mut again = records[at].clone();
    let mut set = |field: &str, text: &str| again.insert(field.to_owned(), text.to_owned());
    match mishap {
        Mishap::Set(field, text) => {
            records[at].insert((*field).to_owned(), (*text).to_owned());
            return;
        }
        Mishap::Copy(price) => {
            set("price", price);
        }
        Mishap::CopyInOtherForm(form) => {
            if let Ok(start) = DateTime::parse_from_rfc3339(&records[at]["start_time"]) {
                set("start_time", &written(start.to_utc(), *form));
            }
        }
        Mishap::Version(field, text) => {
            set(field, text);
        }
        Mishap::NotFinal => {
            set("status", "in-progress");
            set("duration", "");
            set("end_time", "");
        }
    }
    records.push(again);
}

/// The records of a night, in any order. With `versions` some calls come in versions that
/// contradict each other.
fn night_records(
    calls: impl Into<proptest::collection::SizeRange>,
    versions: bool,
) -> impl Strategy<Value = Vec<Record>> {
    let drafts = proptest::collection::vec((draft(), target()), calls);
    drafts
        .prop_flat_map(|drafts| {
            let mishaps =
                proptest::collection::vec((any::<Index>(), mishap()), 0..=drafts.len() / 3);
            (Just(drafts), mishaps)
        })
        .prop_map(move |(drafts, mut mishaps)| {
            let mut records = records(&drafts);
            if !versions {
                // A field that breaks after the copy was made is another version too.
                mishaps.retain(|(_, mishap)| !matches!(mishap, Mishap::Version(..)));
                mishaps.sort_by_key(|(_, mishap)| !matches!(mishap, Mishap::Set(..)));
            }
            for (at, mishap) in &mishaps {
                let at = at.index(records.len());
                befall(&mut records, at, mishap);
            }
            records
        })
        .prop_shuffle()
}

// ---- what it is rated with
// --------------------------------------------------------------------------------------

/// A row of a deck: file, destinations, origins, and the other cells.
#[derive(Debug, Clone)]
struct Row {
    file: usize,
    service: &'static str,
    destinations: Vec<&'static str>,
    origins: Vec<&'static str>,
    price: String,
    increments: [Option<u32>; 3],
    fee: Option<&'static str>,
    effective: (&'static str, &'static str),
}

fn row() -> impl Strategy<Value = Row> {
    let destination = select(vec![
        "1",
        "12",
        "1202",
        "1242",
        "12025550101",
        "4",
        "44",
        "447",
        "3",
        "32",
        "324",
        "3247",
        "49",
        "4915",
        "9",
        "911",
        "emergency",
    ]);
    let origin =
        select(vec!["1", "12", "1202", "1242", "44", "447", "3", "32", "9", "12025550101"]);
    let origins = prop_oneof![2 => Just(Vec::new()), 2 => proptest::collection::vec(origin, 1..4)];
    let price = (0_u32..3, 0_u64..100_000).prop_map(|(form, n)| match form {
        0 => format!("0.{:04}", n % 10_000),
        1 => format!("{}.{:010}", n % 3, n * 7919),
        _ => "0".to_owned(),
    });
    let seconds = |most: u32| prop_oneof![2 => Just(None), 1 => (0..=most).prop_map(Some)];
    let increments = [seconds(120), seconds(90), seconds(180)]
        .prop_map(|[initial, next, minimum]| [initial, next.map(|n| n + 1), minimum]);
    let fee = select(vec![None, None, Some("0"), Some("0.0050"), Some("0.000015")]);
    let effective = prop_oneof![
        2 => Just(("", "")),
        1 => select(vec![
            ("2026-11-20T22:00:00Z", ""),
            ("", "2026-11-20T22:00:00Z"),
            ("2026-11-21", ""),
            ("2026-01-01", "2026-11-21"),
            ("2026-11-20T21:30:00+01:00", "2026-11-20T22:15:00Z"),
        ]),
    ];
    let service = select(vec!["", "termination", "Termination", "origination"]);
    (
        0..2_usize,
        service,
        proptest::collection::vec(destination, 1..4),
        origins,
        price,
        increments,
        fee,
        effective,
    )
        .prop_map(
            |(file, service, destinations, origins, price, increments, fee, effective)| Row {
                file,
                service,
                destinations,
                origins,
                price,
                increments,
                fee,
                effective,
            },
        )
}

impl Row {
    /// A row for every number, so that most calls have a price.
    fn anywhere(service: &'static str, price: &str) -> Self {
        let destinations = vec!["1", "3", "4", "9", "emergency"];
        let (origins, increments, fee, effective) = (Vec::new(), [None; 3], None, ("", ""));
        Self {
            file: 0,
            service,
            destinations,
            origins,
            price: price.to_owned(),
            increments,
            fee,
            effective,
        }
    }

    fn line(&self) -> String {
        let list = |items: &[&str]| {
            if items.len() > 1 { format!("\"{}\"", items.join(", ")) } else { items.join("") }
        };
        let [initial, increment, minimum] =
            self.increments.map(|n| n.map(|n| n.to_string()).unwrap_or_default());
        let origins = if self.origins.is_empty() && self.file == 1 {
            "ALL".to_owned()
        } else {
            list(&self.origins)
        };
        format!(
            "XX,Land,Any,{},{origins},{},{},{initial},{increment},{minimum},{},{},{}\n",
            self.price,
            list(&self.destinations),
            self.service,
            self.fee.unwrap_or_default(),
            self.effective.0,
            self.effective.1
        )
    }
}

fn deck_files(rows: &[Row]) -> [(&'static str, String); 2] {
    let file = |number: usize| {
        rows.iter().filter(|row| row.file == number).map(Row::line).collect::<String>()
    };
    [
        ("a.csv", format!("{DECK_HEADER}\n{}", file(0))),
        ("b.csv", format!("{DECK_HEADER}\n{}", file(1))),
    ]
}

/// The deck as the naive rater has it.
pub fn naive_deck(files: &[(&'static str, String); 2]) -> Vec<DeckRow> {
    files
        .iter()
        .flat_map(|(name, text)| parse_deck_csv(name, text, &DeckDefaults::default()))
        .collect()
}

/// Whether two rows can give two answers for one call: all pairs of prefixes, one by one.
fn contradict(a: &DeckRow, b: &DeckRow) -> bool {
    let terms = |row: &DeckRow| (row.price, row.fee, row.initial, row.increment, row.minimum);
    let share = |a: &[String], b: &[String]| a.iter().any(|prefix| b.contains(prefix));
    let same_origin = (a.origin_prefixes.is_empty() && b.origin_prefixes.is_empty())
        || share(&a.origin_prefixes, &b.origin_prefixes);
    let begins_before =
        |a: &DeckRow, b: &DeckRow| a.from.is_none_or(|from| b.to.is_none_or(|to| from < to));
    a.service == b.service
        && terms(a) != terms(b)
        && same_origin
        && share(&a.destination_prefixes, &b.destination_prefixes)
        && begins_before(a, b)
        && begins_before(b, a)
}

/// Rows of which no two contradict each other.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    (any::<bool>(), proptest::collection::vec(row(), 0..14)).prop_map(|(all_priced, some)| {
        let mut rows =
            vec![Row::anywhere("termination", "0.0100"), Row::anywhere("origination", "0.0034")];
        rows.truncate(if all_priced { 2 } else { 1 });
        for row in some {
            rows.push(row);
            let deck = naive_deck(&deck_files(&rows));
            if deck.iter().any(|a| deck.iter().any(|b| contradict(a, b))) {
                rows.pop();
            }
        }
        rows
    })
}

fn trunk_list() -> impl Strategy<Value = Option<Vec<naive::Trunk>>> {
    let domain =
        select(vec!["trunk1.pstn.twilio.com", "trunk2.pstn.twilio.com", "sbc.own.example", ""]);
    let mode = select(vec![
        "enable-all",
        "enable-all",
        "enable-all",
        "sip-only",
        "sip-only",
        "disable-all",
    ]);
    let setting = select(vec!["from-transferee", "from-transferor"]);
    let trunks = proptest::collection::vec((domain, mode, setting), 4).prop_map(|settings| {
        let trunk =
            |(number, (domain, mode, caller_id)): (usize, (&str, &str, &str))| naive::Trunk {
                sid: format!("TK{number}"),
                domain: domain.to_owned(),
                mode: mode.to_owned(),
                caller_id: caller_id.to_owned(),
            };
        Some((1..).zip(settings).map(trunk).collect())
    });
    prop_oneof![1 => Just(None), 2 => trunks]
}

fn policy() -> impl Strategy<Value = Policy> {
    let rounding = select(vec!["half-up", "half-up", "half-even", "up"]);
    let decimals = prop_oneof![3 => Just(5), 1 => 0_u32..=8];
    (any::<bool>(), select(vec![86_400, 86_400, 300]), select(vec![7, 7, 0, 1]), decimals, rounding)
        .prop_map(
            |(chained_to_root, max_call_seconds, parent_wait_days, leg_decimals, rounding)| {
                Policy {
                    chained_to_root,
                    max_call_seconds,
                    parent_wait_days,
                    leg_decimals,
                    leg_rounding: rounding.to_owned(),
                }
            },
        )
}

/// A night of about so many calls.
pub fn night(calls: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Night> {
    night_of(night_records(calls, true))
}

/// A night in which no call comes in two versions, but for copies and for what was not final yet.
pub fn consistent_night(
    calls: impl Into<proptest::collection::SizeRange>,
) -> impl Strategy<Value = Night> {
    night_of(night_records(calls, false))
}

fn night_of(records: impl Strategy<Value = Vec<Record>>) -> impl Strategy<Value = Night> {
    (records, rows().prop_map(|rows| deck_files(&rows)), trunk_list(), policy())
        .prop_map(|(records, deck, trunks, policy)| Night { records, deck, trunks, policy })
}

// ---- the kernel, in the naive rater's words
// ---------------------------------------------------------------------

fn load(deck: &[(&'static str, String); 2]) -> Result<Decks, String> {
    let mut files: BTreeMap<String, Vec<u8>> =
        deck.iter().map(|(name, text)| ((*name).to_owned(), text.clone().into_bytes())).collect();
    files.insert("deck.toml".to_owned(), b"name = \"test\"\ncurrency = \"USD\"\n".to_vec());
    decks::from_files(Path::new("rates"), "rates", files).map_err(|e| e.to_string())
}

fn kernel_policy(policy: &Policy) -> trunkrate::policy::Policy {
    let roundings = [LegRounding::HalfUp, LegRounding::HalfEven, LegRounding::Up];
    trunkrate::policy::Policy {
        chained_transfers: if policy.chained_to_root {
            ChainedTransfers::Root
        } else {
            ChainedTransfers::Suspend
        },
        max_call_seconds: u32::try_from(policy.max_call_seconds).expect("seconds"),
        parent_wait_days: u32::try_from(policy.parent_wait_days).expect("days"),
        leg_rule: LegRule {
            decimals: policy.leg_decimals,
            rounding: roundings
                .into_iter()
                .find(|r| r.as_str() == policy.leg_rounding)
                .expect("a rounding"),
        },
        ..trunkrate::policy::Policy::default()
    }
}

fn kernel_trunks(trunks: &[naive::Trunk]) -> Trunks {
    let trunk = |trunk: &naive::Trunk| Trunk {
        sid: trunk.sid.clone(),
        domain: Some(trunk.domain.clone()).filter(|domain| !domain.is_empty()),
        mode: match trunk.mode.as_str() {
            "disable-all" => TransferMode::DisableAll,
            "sip-only" => TransferMode::SipOnly,
            _ => TransferMode::EnableAll,
        },
        caller_id: match trunk.caller_id.as_str() {
            "from-transferor" => TransferCallerId::FromTransferor,
            _ => TransferCallerId::FromTransferee,
        },
    };
    Trunks::new(trunks.iter().map(trunk)).expect("no trunk twice")
}

fn text(party: PartyRef, texts: &BookedTexts) -> String {
    let mut text = String::new();
    party.push_to(&texts.parties, &mut text);
    text
}

/// The same calls, dealt out and taken in again.
fn through_bytes(read: &Calls) -> Calls {
    let mut shared = SharedTexts::default();
    let (ids, mut bytes) = (shared.absorb(read), Vec::new());
    (0..)
        .zip(0..read.len())
        .for_each(|(number, record)| pack(read, record, number, &ids, &mut bytes));
    let mut calls = shared.no_calls();
    unpack(&bytes, &mut calls);
    calls
}

/// Rates a night with the kernel, as a run does: an outcome per record, in order.
fn kernel(night: &Night) -> Vec<Outcome> {
    let decks = load(&night.deck).expect("a good deck");
    let policy = kernel_policy(&night.policy);
    let trunks = night.trunks.as_deref().map(kernel_trunks);
    let mut read = Calls::default();
    for (place, record) in (0..).zip(&night.records) {
        let mut fields = Fields::default();
        for field in Field::ALL {
            fields.0[field as usize] = record.get(field.as_str()).map_or("", String::as_str);
        }
        read.push(&trunkrate::record::Record::read(&fields, &policy), place);
    }
    let calls = through_bytes(&read);
    let deck_of_account = vec![0; calls.accounts.texts().len()];
    let tariff = Tariff {
        decks: &decks.decks,
        deck_of_account: &deck_of_account,
        unlisted: &[],
        trunks: trunks.as_ref(),
        policy: &policy,
    };
    let earlier = Earlier::default();
    let settled = settle(&calls, 0, &earlier, &tariff);
    assert!(settled.tally(&calls, 0, |_| false).conserves());
    let facts = TrunkFacts::of_all(&calls, &tariff);
    (0..calls.len())
        .map(|record| {
            let scene = settled.scene(&calls, &earlier, record);
            let booked = scene.map(|_| settled.booked(&calls, &earlier, &tariff, &facts, record));
            // As it goes to disk and comes back.
            let booked = booked.map(|booked| {
                let (mut bytes, mut texts) = (Vec::new(), BookedTexts::default());
                booked.pack(&calls, &mut bytes);
                let mut rest = bytes.as_slice();
                let key = Booked::skip(&mut rest);
                let unpacked = Booked::unpack(&mut bytes.as_slice(), &mut texts);
                assert_eq!((key.start, key.sid, rest), (unpacked.start, unpacked.sid, &[][..]));
                assert_eq!(key.sid_text(), texts.odd_sids.text(unpacked.sid));
                (unpacked, texts)
            });
            let legs =
                booked.as_ref().map(|(call, texts)| legs(call, texts, &tariff)).unwrap_or_default();
            let log = booked.as_ref().map(|(call, texts)| log(call, texts, &legs));
            Outcome {
                class: settled.class[record].as_str().to_owned(),
                reason: settled.reason[record]
                    .filter(|_| settled.class[record] == Class::Suspended)
                    .map(|r| r.to_string()),
                scenario: scene.map(|scene| scene.scenario.to_string()),
                legs,
                log,
            }
        })
        .collect()
}

fn legs(call: &Booked, texts: &BookedTexts, tariff: &Tariff<'_>) -> Vec<Leg> {
    let decimal = |units: i64, scale: u32| Decimal::from_i128_with_scale(units.into(), scale);
    let booked =
        booked_legs(call, tariff.decks, tariff.policy, &texts.parties).expect("amounts that fit");
    (1..)
        .zip(booked.iter().flatten())
        .map(|(number, leg)| {
            let (destination_prefix, origin_prefix) =
                leg.hit.prefixes(leg.plan.rated, leg.plan.origin);
            Leg {
                leg: number,
                service: leg.plan.service.to_string(),
                leg_from: text(leg.plan.from, texts),
                leg_to: text(leg.plan.to, texts),
                rated_number: leg.plan.rated.to_string(),
                origin_number: leg.plan.origin.map(|number| number.to_string()).unwrap_or_default(),
                duration: call.duration.into(),
                billed: leg.charge.billed_seconds.into(),
                price: decimal(leg.rate.price.units(), 10),
                fee: decimal(leg.rate.fee.units(), 10),
                destination_prefix,
                origin_prefix,
                deck_file: tariff.decks[0].files[leg.rate.file as usize].clone(),
                deck_line: leg.rate.line.into(),
                amount: decimal(leg.charge.amount.units(), 8),
            }
        })
        .collect()
}

fn log(call: &Booked, texts: &BookedTexts, legs: &[Leg]) -> Log {
    let cell = log_cell(call.scenario);
    let parties = Parties { a: call.a, b: call.b, c: call.c };
    Log {
        role: if call.c.is_some() { "child" } else { "parent" }.to_owned(),
        direction: String::new(),
        from: text(parties.get(cell.from), texts),
        to: text(parties.get(cell.to), texts),
        caller_id: text(if call.shows_b { call.b } else { call.a }, texts),
        amount: legs.iter().map(|leg| leg.amount).sum(),
    }
}

/// The naive rater's outcomes, without the direction that the log shows.
pub fn oracle(night: &Night) -> Vec<Outcome> {
    let mut outcomes = rate_night(
        &night.records,
        &naive_deck(&night.deck),
        night.trunks.as_deref(),
        &night.policy,
    );
    for log in outcomes.iter_mut().filter_map(|outcome| outcome.log.as_mut()) {
        log.direction.clear();
    }
    outcomes
}

/// The first record on which the two differ, for people.
fn difference(night: &Night) -> Option<String> {
    let (ours, naive) = (kernel(night), oracle(night));
    let differ = |at: &usize| ours[*at] != naive[*at];
    let at = (0..night.records.len()).find(differ)?;
    Some(format!(
        "record {at} {:#?}\nkernel {:#?}\nnaive  {:#?}",
        night.records[at], ours[at], naive[at]
    ))
}

// ---- the tests
// --------------------------------------------------------------------------------------------------

proptest! {
    #![proptest_config(fixed(800))]

    #[test]
    fn random_nights_end_as_the_naive_rater_says(night in night(1..40)) {
        if let Some(difference) = difference(&night) {
            return Err(TestCaseError::fail(difference));
        }
    }

    #[test]
    fn a_deck_is_refused_where_two_rows_contradict_each_other(rows in proptest::collection::vec(row(), 1..5)) {
        let files = deck_files(&rows);
        let deck = naive_deck(&files);
        let expected = deck.iter().any(|a| deck.iter().any(|b| contradict(a, b)));
        prop_assert_eq!(load(&files).is_err(), expected);
    }

    #[test]
    fn targets_are_what_the_naive_rater_says(text in target(), domain in select(vec![None, Some("trunk1.pstn.twilio.com"), Some("sbc.own.example")])) {
        use trunkrate::target::{Asked, Target};
        use trunkrate::trunk::TerminationDomain;
        let asked = Asked::parse(&text);
        let found = match asked.decide(domain.map_or(TerminationDomain::AnyOfCarrier, TerminationDomain::Trunk)) {
            Target::Pstn(number) => Ok(("pstn", number.to_string())),
            Target::Sip(endpoint) => Ok(("sip", endpoint.into_owned())),
            Target::Emergency(_) => Err("emergency-target"),
            Target::Ambiguous => unreachable!("a Refer-To value says what it asks for"),
            Target::Invalid(_) => Err("invalid-target"),
        };
        prop_assert_eq!(found, naive::classify_target(&text, domain), "{}", text);
    }
}

/// Random nights are only worth something if they reach every end.
#[test]
fn random_nights_reach_every_class_scenario_and_reason() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let strategy = night(1..40);
    for seed in 0..120 {
        for outcome in oracle(&one(&strategy, seed)) {
            let ends = [Some(outcome.class), outcome.reason, outcome.scenario];
            ends.into_iter().flatten().for_each(|end| *seen.entry(end).or_default() += 1);
        }
    }
    let classes = Class::ALL.iter().map(|class| class.as_str());
    let reasons = trunkrate::reject::Reason::ALL
        .iter()
        .map(|reason| reason.as_str())
        .filter(|r| !["malformed-record", "unlisted-account"].contains(r));
    let scenarios = trunkrate::table::BILLING_TABLE
        .iter()
        .map(|row| row.id)
        .chain(["termination", "origination"]);
    let rare: Vec<_> = classes
        .chain(reasons)
        .chain(scenarios)
        .filter(|end| seen.get(*end).is_none_or(|n| *n < 3))
        .collect();
    assert_eq!(rare, Vec::<&str>::new(), "{seen:?}");
}

#[test]
fn one_big_night_ends_as_the_naive_rater_says() {
    let night = one(&night(17_000), 7);
    if let Some(difference) = difference(&night) {
        panic!("{} records\n{difference}", night.records.len());
    }
}

/// The contract, 4.4: of the reasons that hold the first is given, and `parent-cycle` stands before
/// `parent-suspended`.
#[test]
fn a_cycle_through_a_suspended_call_is_a_cycle() {
    let call = |sid: &str, parent: &str, duration: &str| -> Record {
        let fields = [
            ("sid", sid),
            ("parent_call_sid", parent),
            ("account_sid", "AC1"),
            ("to", "+12025550102"),
            ("start_time", "2026-11-20T21:00:00Z"),
            ("duration", duration),
            ("status", "completed"),
        ];
        fields.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
    };
    let night = Night {
        records: vec![call("CA1", "CA2", "60"), call("CA2", "CA1", "-1")],
        deck: deck_files(&[Row::anywhere("termination", "0.0100")]),
        trunks: None,
        policy: Policy::default(),
    };
    let reasons = |outcomes: Vec<Outcome>| {
        outcomes.into_iter().filter_map(|outcome| outcome.reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(oracle(&night)), ["parent-cycle", "invalid-duration"]);
    assert_eq!(reasons(kernel(&night)), ["parent-cycle", "invalid-duration"]);
}
