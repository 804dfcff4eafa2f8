//! One record, its fields trimmed, and what can be said of it alone.
//!
//! Naive: every field stays text and is parsed again whenever it is asked for.

use chrono::{DateTime, Utc};

use super::fields::{Given, parse_duration, parse_time};
use super::party::{
    Party, carrier_number, emergency_party, is_number, root_emergency, root_party, target_meaning,
};
use super::{Policy, Record};

/// The fields of a record, trimmed.
pub struct Call {
    /// Its sid.
    pub sid: String,
    /// Its parent's sid, empty for a root.
    pub parent_sid: String,
    /// The account.
    pub account_sid: String,
    /// The trunk.
    pub trunk_sid: String,
    /// Lower-case, with hyphens.
    pub direction: String,
    /// As written.
    pub from: String,
    /// As written.
    pub to: String,
    /// As written.
    pub refer_to: String,
    /// As written.
    pub start_time: String,
    /// As written.
    pub end_time: String,
    /// As written.
    pub answer_time: String,
    /// As written.
    pub duration: String,
    /// Lower-case, with hyphens.
    pub status: String,
}

impl Call {
    /// Trims every field of a record.
    pub fn of(record: &Record) -> Call {
        let text = |name: &str| {
            let text = record.get(name).map_or("", |text| text.trim());
            let is_id = name == "sid" || name.ends_with("_sid");
            let is_nothing =
                NOTHING.contains(&text.to_ascii_lowercase().as_str()) || is_id && text == "-";
            if is_nothing { String::new() } else { text.to_owned() }
        };
        let word = |name: &str| text(name).to_ascii_lowercase().replace('_', "-");
        Call {
            sid: text("sid"),
            parent_sid: text("parent_call_sid"),
            account_sid: text("account_sid"),
            trunk_sid: text("trunk_sid"),
            direction: direction(&text("direction")),
            from: text("from"),
            to: text("to"),
            refer_to: text("refer_to"),
            start_time: text("start_time"),
            end_time: text("end_time"),
            answer_time: text("answer_time"),
            duration: text("duration"),
            status: word("status"),
        }
    }

    /// The direction of a root that is no trunk's.
    pub fn is_of_other_direction(&self) -> bool {
        self.is_root()
            && ["inbound", "outbound-api", "outbound-dial"].contains(&self.direction.as_str())
    }

    /// Whether it names no parent.
    pub fn is_root(&self) -> bool {
        self.parent_sid.is_empty()
    }

    /// The service of a root call.
    pub fn service(&self) -> Option<&'static str> {
        match self.direction.as_str() {
            "trunking-terminating" => Some("termination"),
            "trunking-originating" => Some("origination"),
            _ => None,
        }
    }

    /// Whether its status is one that a call ends with.
    pub fn is_final(&self) -> bool {
        ["completed", "busy", "failed", "no-answer", "canceled"].contains(&self.status.as_str())
    }

    /// Its start, if that is a time.
    pub fn start(&self) -> Option<DateTime<Utc>> {
        parse_time(&self.start_time)
    }

    /// Its duration, rounded up.
    pub fn whole_seconds(&self) -> u64 {
        parse_duration(&self.duration).map_or(0, Given::whole_seconds)
    }

    /// What bills: the seconds of a completed call.
    pub fn seconds_to_bill(&self) -> u64 {
        if self.status == "completed" { self.whole_seconds() } else { 0 }
    }

    /// What its fields mean, in the order of the contract; empty where it says nothing. Two copies
    /// of a call have all of it in common.
    pub fn content(&self) -> Vec<String> {
        let instant = |text: &str| match parse_time(text) {
            Some(time) => format!("instant {}", time.timestamp_micros()),
            None => text.to_owned(),
        };
        let duration = match parse_duration(&self.duration) {
            Some(given) => format!("seconds {}", given.whole_seconds()),
            None => self.duration.clone(),
        };
        let meaning =
            |text: &str| if text.is_empty() { String::new() } else { root_party(text).text };
        let (to, refer_to) = if self.is_root() {
            (meaning(&self.to), String::new())
        } else {
            (target_meaning(&self.to), target_meaning(&self.refer_to))
        };
        vec![
            self.sid.clone(),
            self.parent_sid.clone(),
            self.account_sid.clone(),
            self.trunk_sid.clone(),
            self.direction.clone(),
            meaning(&self.from),
            to,
            instant(&self.start_time),
            instant(&self.end_time),
            duration,
            self.status.clone(),
            refer_to,
            instant(&self.answer_time),
        ]
    }

    /// Whether all of its fields could be read, so that it can be held against another version.
    pub fn is_comparable(&self, policy: &Policy) -> bool {
        let is_bad = |text: &str| !text.is_empty() && parse_time(text).is_none();
        let times = [&self.start_time, &self.end_time, &self.answer_time];
        let is_lacking = is_field_missing(self) || is_direction_unknown(self);
        is_lacking
            || !times.into_iter().any(|time| is_bad(time))
                && !is_time_invalid(self)
                && (self.duration.is_empty() || !is_duration_invalid(self, policy))
    }

    /// How full it is: whose child it is, what it asks for, how many fields, and which.
    pub fn fullness(&self) -> ([bool; 5], usize, u32) {
        let content = self.content();
        let filled = content.iter().filter(|text| !text.is_empty()).count();
        // Price and price unit stand between status and refer_to.
        let places = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14];
        let bits = content
            .iter()
            .zip(places)
            .map(|(text, place)| u32::from(!text.is_empty()) << place)
            .sum();
        let written = if self.refer_to.is_empty() { &self.to } else { &self.refer_to };
        let is_plain = !self.is_root()
            && (is_number(written)
                || written.starts_with("tel:") && carrier_number(written).is_some());
        let has_refer_to = !self.is_root() && !self.refer_to.is_empty();
        let decisive = [
            !self.is_root(),
            has_refer_to,
            is_plain,
            !self.from.is_empty(),
            !self.trunk_sid.is_empty(),
        ];
        (decisive, filled, bits)
    }

    /// A of a root call.
    pub fn party_a(&self) -> Party {
        root_party(&self.from)
    }

    /// B of a root call.
    pub fn party_b(&self) -> Party {
        match root_emergency(&self.to) {
            Some(code) if self.service() == Some("termination") => emergency_party(&self.to, code),
            _ => root_party(&self.to),
        }
    }
}

/// Texts that programs write for nothing, in lower case.
const NOTHING: [&str; 13] = [
    "null",
    "none",
    "nan",
    "nat",
    "nil",
    "na",
    "n/a",
    "\\n",
    "#n/a",
    "<na>",
    "(null)",
    "<null>",
    "undefined",
];

/// A direction in lower case, with hyphens. The trunk's own words are known also without any sign
/// between them.
fn direction(text: &str) -> String {
    let letters: String = text
        .to_ascii_lowercase()
        .chars()
        .filter(|c| !"-_".contains(*c) && !c.is_whitespace())
        .collect();
    match letters.as_str() {
        "trunkingterminating" => "trunking-terminating".to_owned(),
        "trunkingoriginating" => "trunking-originating".to_owned(),
        "inbound" => "inbound".to_owned(),
        "outboundapi" => "outbound-api".to_owned(),
        "outbounddial" => "outbound-dial".to_owned(),
        _ => {
            let lower = text.to_lowercase();
            let words: Vec<&str> = lower
                .split(|c: char| c == '-' || c == '_' || c.is_whitespace())
                .filter(|word| !word.is_empty())
                .collect();
            words.join("-")
        }
    }
}

/// A root's direction is a word that nobody knows.
pub fn is_direction_unknown(call: &Call) -> bool {
    call.is_root()
        && !call.direction.is_empty()
        && call.service().is_none()
        && !call.is_of_other_direction()
}

/// A field is empty that is required.
pub fn is_field_missing(call: &Call) -> bool {
    let always = [&call.sid, &call.account_sid, &call.start_time, &call.status];
    always.iter().any(|field| field.is_empty())
        || (call.is_root() && (call.direction.is_empty() || call.to.is_empty()))
        || (!call.is_root() && call.to.is_empty() && call.refer_to.is_empty())
}

/// A time is written that is none.
pub fn is_time_invalid(call: &Call) -> bool {
    let is_bad = |text: &str| !text.is_empty() && parse_time(text).is_none();
    if is_bad(&call.start_time) || is_bad(&call.end_time) || is_bad(&call.answer_time) {
        return true;
    }
    // It is answered while it lasts.
    match (call.start(), parse_time(&call.answer_time), parse_time(&call.end_time)) {
        (Some(start), Some(answer), _) if answer < start => true,
        (_, Some(answer), Some(end)) => answer > end,
        _ => false,
    }
}

/// Missing where it bills, not a plain decimal number, too long, or longer than from start to end
/// by over a second.
pub fn is_duration_invalid(call: &Call, policy: &Policy) -> bool {
    if call.duration.is_empty() {
        return call.status == "completed";
    }
    let Some(given) = parse_duration(&call.duration) else {
        return true;
    };
    if given.whole_seconds() > policy.max_call_seconds {
        return true;
    }
    let Some(end) = parse_time(&call.end_time) else { return false };
    // Ringing is no part of it.
    [call.start(), parse_time(&call.answer_time)].into_iter().flatten().any(|from| {
        given.is_longer_than(end.timestamp_micros() - from.timestamp_micros() + 1_000_000)
    })
}
