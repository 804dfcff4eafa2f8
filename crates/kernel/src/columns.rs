//! Columns of call files: their names, and the ones that a bill needs.
//!
//! **Invariant:** this is the one place that decides it. Every reader (CSV, JSON, Parquet, the
//! wheel and with it Spark) asks here.
//!
//! # Why
//! A file without `parent_call_sid` can be read without an error: every transfer in it is then a
//! plain call and billed as one, 18 to 52 % too low. A misspelt column is a missing column. So a
//! file that lacks a column that a bill needs is no call file, whatever else it holds.

use crate::record::Field;
use crate::resemble::{CALL_SYNONYMS, resembling};
use crate::words::plain_word;
use std::fmt;

/// Columns without which a bill would be wrong and nobody could see it.
pub const REQUIRED: [Field; 9] = [
    Field::Sid,
    Field::ParentCallSid,
    Field::AccountSid,
    Field::Direction,
    Field::From,
    Field::To,
    Field::StartTime,
    Field::Duration,
    Field::Status,
];

/// The columns that a file lacks, and those that it has in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingColumns(Vec<(Field, Option<String>)>);

/// Checks that a file with these columns holds everything that a bill needs. `no_transfers` states
/// that the export has no transfers; then `parent_call_sid` may be absent.
///
/// # Errors
/// [`MissingColumns`] names each missing column, beside a column that resembles it.
pub fn check<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    no_transfers: bool,
) -> Result<(), MissingColumns> {
    let has = |field: Field| names.clone().any(|name| Field::named(name) == Some(field));
    let is_needed = |field: &Field| !(no_transfers && *field == Field::ParentCallSid);
    let missing: Vec<Field> =
        REQUIRED.into_iter().filter(is_needed).filter(|field| !has(*field)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let strange = names.filter(|name| Field::named(name).is_none());
    let in_place = |field: Field| {
        let known = Field::ALL.map(Field::as_str);
        strange
            .clone()
            .find(|name| resembling(name, known, CALL_SYNONYMS) == Some(field.as_str()))
            .map(str::to_owned)
    };
    Err(MissingColumns(missing.into_iter().map(|field| (field, in_place(field))).collect()))
}

/// Fields of the carrier's Call resource that are never read, whatever they resemble; without case,
/// blanks and signs.
const OTHERS: [&str; 14] = [
    "annotation",
    "answeredby",
    "apiversion",
    "callername",
    "datecreated",
    "dateupdated",
    "forwardedfrom",
    "fromformatted",
    "groupsid",
    "phonenumbersid",
    "queuetime",
    "subresourceuris",
    "toformatted",
    "uri",
];

/// Columns that are not read, though each resembles a field that the file lacks: they may hold a
/// value that a bill depends on (`refer_to`, `answer_time`, `trunk_sid`).
#[must_use]
pub fn unread<'a>(names: &(impl Iterator<Item = &'a str> + Clone)) -> Vec<(&'a str, Field)> {
    let lacks = |field: &Field| !names.clone().any(|name| Field::named(name) == Some(*field));
    let lacking: Vec<&str> = Field::ALL.into_iter().filter(lacks).map(Field::as_str).collect();
    let is_strange =
        |name: &&str| Field::named(name).is_none() && !OTHERS.contains(&plain_word(name).as_str());
    let like = |name: &'a str| {
        let field = resembling(name, lacking.iter().copied(), CALL_SYNONYMS)?;
        Some((name, Field::named(field)?))
    };
    names.clone().filter(is_strange).filter_map(like).collect()
}

impl MissingColumns {
    /// Advice: how to mend the file.
    #[must_use]
    pub fn hint(&self) -> String {
        let is_parent_alone = matches!(&self.0[..], [(Field::ParentCallSid, _)]);
        let rename = "name the columns as the carrier does (docs, Call files, lists them)";
        if is_parent_alone {
            return format!(
                "without it every transfer would be billed as a plain call: {rename}; \
                 if the export knows no transfers, say so with --no-transfers"
            );
        }
        format!("{rename}, or export them too; nothing was booked")
    }
}

impl fmt::Display for MissingColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "it has no column " } else { "it has no columns " })?;
        for (place, (field, in_place)) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}`{}`", field.as_str())?;
            if let Some(name) = in_place {
                write!(f, " (`{}` resembles it)", name.trim())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 9] = [
        "Call Sid",
        "parentCallSid",
        "account_sid",
        "Direction",
        "FROM",
        "to",
        "start time",
        "duration",
        "status",
    ];

    #[test]
    fn names_without_case_blanks_and_underscores_are_the_columns() {
        assert_eq!(check(ALL.into_iter(), false), Ok(()));
    }

    /// Each renamed column is missing, and is named beside the one in its place.
    #[test]
    fn every_renamed_column_is_missed() {
        for (place, field) in REQUIRED.into_iter().enumerate() {
            let mut names = ALL;
            names[place] = "x";
            let said = check(names.into_iter(), false).unwrap_err().to_string();
            assert_eq!(said, format!("it has no column `{}`", field.as_str()));
        }
        let names = [
            "Call SID",
            "Parent Call",
            "account_sid",
            "direction",
            "from",
            "to",
            "Start Time (UTC)",
            "Duration (seconds)",
        ];
        assert_eq!(
            check(names.into_iter(), false).unwrap_err().to_string(),
            "it has no columns `parent_call_sid` (`Parent Call` resembles it), \
             `start_time` (`Start Time (UTC)` resembles it), \
             `duration` (`Duration (seconds)` resembles it), `status`"
        );
    }

    #[test]
    fn columns_that_are_not_read_are_named_where_they_resemble_one() {
        let all = ALL.into_iter().chain([
            "Refer-To",
            "Trunk",
            "answered_by",
            "date_created",
            "uri",
            "price_unit",
        ]);
        assert_eq!(unread(&all), [("Refer-To", Field::ReferTo), ("Trunk", Field::TrunkSid)]);
        assert_eq!(
            unread(&ALL.into_iter().chain(["refer_to", "Refer-To", "trunk_sid", "from_formatted"])),
            []
        );
    }

    #[test]
    fn an_export_that_knows_no_transfers_needs_no_parent() {
        let names = ALL.into_iter().filter(|name| *name != "parentCallSid");
        assert_eq!(check(names.clone(), true), Ok(()));
        assert!(check(names, false).unwrap_err().hint().contains("--no-transfers"));
    }
}
