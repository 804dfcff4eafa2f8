//! One record, its fields trimmed, and what can be said of it alone.
//!
//! Naive: every field stays text and is parsed again whenever it is asked for.

use chrono::{DateTime, Utc};

use super::fields::{Given, parse_duration, parse_time};
use super::party::{Party, emergency_party, root_emergency, root_party};
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
        let text = |name: &str| record.get(name).map_or("", |text| text.trim()).to_owned();
        let word = |name: &str| text(name).to_ascii_lowercase().replace('_', "-");
        Call {
            sid: text("sid"),
            parent_sid: text("parent_call_sid"),
            account_sid: text("account_sid"),
            trunk_sid: text("trunk_sid"),
            direction: word("direction"),
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

    /// Everything that two copies of one record have in common.
    pub fn content(&self) -> Vec<String> {
        let instant = |text: &str| match parse_time(text) {
            Some(time) => format!("instant {}", time.timestamp_micros()),
            None => format!("text {text}"),
        };
        let duration = match parse_duration(&self.duration) {
            Some(given) => format!("seconds {}", given.whole_seconds()),
            None => format!("text {}", self.duration),
        };
        vec![
            self.sid.clone(),
            self.parent_sid.clone(),
            self.account_sid.clone(),
            self.trunk_sid.clone(),
            self.direction.clone(),
            self.from.clone(),
            self.to.clone(),
            self.refer_to.clone(),
            instant(&self.start_time),
            instant(&self.end_time),
            instant(&self.answer_time),
            duration,
            self.status.clone(),
        ]
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
    is_bad(&call.start_time) || is_bad(&call.end_time) || is_bad(&call.answer_time)
}

/// Missing where it bills, not a plain decimal number, too long, or longer than from start to end by over a second.
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
    match (call.start(), parse_time(&call.end_time)) {
        (Some(start), Some(end)) => given.is_longer_than(end.timestamp_micros() - start.timestamp_micros() + 1_000_000),
        _ => false,
    }
}
