//! Versions of a call side by side, the suspended ones and the booked one; differing fields are
//! marked.
//!
//! **Invariant:** fields are compared as records are: by meaning, not by spelling, and a field that
//! one version lacks is no difference. The price is not compared.

use super::rows::fields;
use crate::cli::term;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::party::Number;
use crate::record::{Duration, Field, direction_meaning, party_meaning, target_meaning};
use crate::status::{DirectionField, Status};
use crate::target::{Asked, UserPart};
use crate::text::visible;
use crate::time::{self, Zone};
use std::collections::{BTreeMap, BTreeSet};

/// The non-empty fields of a version, by name.
pub type Filled = BTreeMap<&'static str, String>;

/// Versions of a call.
pub struct Versions {
    waiting: Vec<Filled>,
    booked: Option<Filled>,
    is_child: bool,
    zone: Option<Zone>,
}

impl Versions {
    /// Takes the suspended versions and the booked one. `zone` is the zone of times without an
    /// offset.
    #[must_use]
    pub fn of<'a>(
        rows: impl Iterator<Item = &'a SuspenseRow>,
        booked: Option<&LogRow>,
        zone: Option<Zone>,
    ) -> Self {
        let waiting: Vec<Filled> =
            rows.map(|row| fields(row).unwrap_or_default().into_iter().collect()).collect();
        let is_child = booked.is_some_and(|row| !row.parent_call_sid.is_empty())
            || waiting.iter().any(|version| version.contains_key(Field::ParentCallSid.as_str()));
        let refers = waiting.iter().any(|version| version.contains_key(Field::ReferTo.as_str()));
        Self { booked: booked.map(|row| of_log(row, refers)), waiting, is_child, zone }
    }

    /// The fields of each suspended version.
    #[must_use]
    pub fn waiting(&self) -> &[Filled] {
        &self.waiting
    }

    /// The fields of the booked version, from the log.
    #[must_use]
    pub fn booked(&self) -> Option<&Filled> {
        self.booked.as_ref()
    }

    /// The fields in which versions differ.
    #[must_use]
    pub fn differing(&self) -> Vec<&'static str> {
        Field::ALL.into_iter().filter(|field| self.differs(*field)).map(Field::as_str).collect()
    }

    /// A version described by its differing fields: `duration 3600`.
    #[must_use]
    pub fn says(&self, version: usize) -> String {
        let own = &self.waiting[version];
        let says = |field: &'static str| {
            format!("{field} {}", own.get(field).map_or("empty", String::as_str))
        };
        let all: Vec<String> = self.differing().into_iter().map(says).collect();
        visible(&all.join(", ")).into_owned()
    }

    fn differs(&self, field: Field) -> bool {
        if matches!(field, Field::Price | Field::PriceUnit) {
            return false;
        }
        let texts = || self.waiting.iter().filter_map(|version| version.get(field.as_str()));
        let meanings: BTreeSet<String> = texts().map(|text| self.meaning(field, text)).collect();
        let Some(booked) = self.booked.as_ref().and_then(|booked| booked.get(field.as_str()))
        else {
            return meanings.len() > 1;
        };
        let is_target = self.is_child && matches!(field, Field::To | Field::ReferTo);
        let is_booked = |text: &String| match field {
            // The log shows the published table's cell there, not the record's field.
            Field::From if self.is_child => true,
            _ if is_target => is_target_of(text, booked),
            _ => self.meaning(field, text) == self.meaning(field, booked),
        };
        meanings.len() > 1 || !texts().all(is_booked)
    }

    fn meaning(&self, field: Field, text: &str) -> String {
        match field {
            Field::StartTime | Field::EndTime | Field::AnswerTime => {
                time::parse(text, self.zone.as_ref()).map_or_else(|| text.to_owned(), time::text)
            }
            Field::Duration => match Duration::parse(text) {
                Duration::Micros(_) => Duration::parse(text).whole_seconds().to_string(),
                Duration::Empty | Duration::Bad => text.to_owned(),
            },
            Field::Status => match Status::parse(text) {
                Status::NotFinal => text.to_owned(),
                status => status.as_str().to_owned(),
            },
            Field::Direction => match DirectionField::of_word(text).as_str() {
                "" => direction_meaning(text).into_owned(),
                word => word.to_owned(),
            },
            Field::To | Field::ReferTo if self.is_child => target_meaning(text).into_owned(),
            Field::From | Field::To => party_meaning(text).into_owned(),
            _ => text.to_owned(),
        }
    }

    /// The versions as a table; the raw texts if no version has fields.
    #[must_use]
    pub fn table<'a>(&self, rows: impl Iterator<Item = &'a SuspenseRow>) -> String {
        if self.waiting.iter().all(BTreeMap::is_empty) {
            return rows.flat_map(|row| ["  ".into(), visible(&row.record), "\n".into()]).collect();
        }
        let columns: Vec<&Filled> = self.waiting.iter().chain(&self.booked).collect();
        let several = columns.len() > 1;
        let is_filled =
            |field: &Field| columns.iter().any(|column| column.contains_key(field.as_str()));
        let cells = Field::ALL.into_iter().filter(is_filled).map(|field| {
            let mut row = vec![field.as_str().to_owned()];
            row.extend(
                columns
                    .iter()
                    .map(|column| column.get(field.as_str()).cloned().unwrap_or_default()),
            );
            row.push(if self.differs(field) { "≠".to_owned() } else { String::new() });
            row
        });
        let mut titles = vec!["field".to_owned()];
        titles.extend(
            (1..=self.waiting.len())
                .map(|n| if several { format!("version {n}") } else { "value".to_owned() }),
        );
        titles.extend(self.booked.iter().map(|_| "booked".to_owned()));
        titles.push(String::new());
        term::table(&titles.iter().map(String::as_str).collect::<Vec<_>>(), &[], cells)
    }
}

/// A booked call in the fields of a record; `refers` if the target of a child is in `refer_to`.
fn of_log(row: &LogRow, refers: bool) -> Filled {
    let is_child = !row.parent_call_sid.is_empty();
    let target = if is_child && refers { Field::ReferTo } else { Field::To };
    let fields = row.record_fields(target).into_iter();
    fields.map(|(field, text)| (field.as_str(), text)).collect()
}

/// True if a target's text may be the log's value: the log has a number at the trunk's own domain
/// as that number.
fn is_target_of(text: &str, booked: &str) -> bool {
    match Asked::parse(text) {
        Asked::Number(number) => Number::parse(booked) == Some(number),
        Asked::Sip { endpoint, user } => {
            endpoint == booked
                || matches!(user, UserPart::Number(number) if Number::parse(booked) == Some(number))
        }
        Asked::Emergency(_) | Asked::Invalid(_) => text == booked,
    }
}
