//! Ignored records: calls that belong to no trunk, kept whole beside the booked ones.
//!
//! **Invariant:** as many rows are written as records were ignored; `book` compares the two counts.

use crate::inputs::record_text::RecordText;
use crate::job::run::SettledRun;
use crate::ledger::runs::stage::Staged;
use crate::ledger::tables::suspense::IgnoredRow;
use crate::ledger::tables::suspense::{self, NO_DIRECTION};
use crate::ledger::{Dataset, LedgerError};
use crate::record::{Field, direction_meaning};
use crate::time;
use std::collections::BTreeMap;

/// The number of ignored records that are written at a time: about 4 MiB.
const IGNORED_ROWS: usize = 1 << 13;

impl SettledRun {
    /// Writes the ignored records as they came; returns their number by direction.
    pub(crate) fn write_ignored(
        &self,
        staged: &mut Staged,
    ) -> Result<BTreeMap<String, u64>, LedgerError> {
        let mut by_direction: BTreeMap<String, u64> = BTreeMap::new();
        if self.ends.ignored.is_empty() {
            return Ok(by_direction);
        }
        staged.write_frames(Dataset::Ignored, &suspense::ignored(&[]), |write| {
            let mut rows = Vec::with_capacity(IGNORED_ROWS);
            self.reading.each_text::<LedgerError>(&self.ends.ignored, &mut |text| {
                let row = self.ignored_row(text);
                let direction =
                    if row.direction.is_empty() { NO_DIRECTION } else { &row.direction };
                *by_direction.entry(direction.to_owned()).or_default() += 1;
                rows.push(row);
                if rows.len() == IGNORED_ROWS {
                    write(&suspense::ignored(&rows))?;
                    rows.clear();
                }
                Ok(())
            })?;
            write(&suspense::ignored(&rows))
        })?;
        Ok(by_direction)
    }

    /// The number of ignored records that are of the call files; the others waited.
    pub(crate) fn ignored_of_files(&self) -> u64 {
        let waited = self.reading.waiting.len();
        self.ends.ignored.iter().filter(|spot| spot.number as usize >= waited).count() as u64
    }

    fn ignored_row(&self, text: RecordText) -> IgnoredRow {
        let zone = self.inputs.policy.zone.as_ref();
        let mut row = text.with_fields(|fields| {
            let get = |field: Field| fields.map_or("", |fields| fields.get(field));
            IgnoredRow {
                call_sid: get(Field::Sid).to_owned(),
                parent_call_sid: get(Field::ParentCallSid).to_owned(),
                account_sid: get(Field::AccountSid).to_owned(),
                direction: direction_meaning(get(Field::Direction)).into_owned(),
                start_time: time::parse(get(Field::StartTime), zone),
                ..IgnoredRow::default()
            }
        });
        row.header = text.format.header();
        (row.source_file, row.source_line, row.record) = (text.file, text.line, text.record);
        row
    }
}
