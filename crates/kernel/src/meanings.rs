//! Meanings of columns: what each column of a ledger's tables, and each field of a call record,
//! holds. The reference (`docs/src/reference/`) is printed from here.
//!
//! **Invariant:** a table here has the columns of its schema in [`crate::ledger_columns`], in their
//! order: a column that is added there does not compile until it has a meaning here.

use crate::ledger_columns::{Column, IGNORED, LEGS, LOG, PRICES, SUSPENSE, is_same};
use crate::record::Field;

/// A column's name, and what the column holds.
pub type ColumnMeaning = (&'static str, &'static str);

/// Checks that meanings have the names of a schema, in its order.
const fn agree(schema: &[Column], meanings: &[ColumnMeaning]) {
    assert!(schema.len() == meanings.len(), "as many meanings as columns");
    let mut at = 0;
    while at < schema.len() {
        assert!(is_same(schema[at].0, meanings[at].0), "the meanings are in the schema's order");
        at += 1;
    }
}

const _: () = {
    agree(&LEGS, &LEG_MEANINGS);
    agree(&LOG, &LOG_MEANINGS);
    agree(&SUSPENSE, &SUSPENSE_MEANINGS);
    agree(&IGNORED, &IGNORED_MEANINGS);
    agree(&PRICES, &PRICE_MEANINGS);
};

/// What each column of the legs holds.
#[rustfmt::skip]
pub const LEG_MEANINGS: [ColumnMeaning; LEGS.len()] = [
    ("call_sid", "id of the call that the leg is billed for"),
    ("parent_call_sid", "id of the root call of its family; empty on a root"),
    ("account_sid", "id of the account that pays"),
    ("trunk_sid", "id of the trunk: the record's own, else its parent's"),
    ("scenario", "`termination` or `origination` on a call that nobody transferred, else one of the four ids of the published table"),
    ("leg", "1 or 2: its place in the table's cell"),
    ("service", "`termination` or `origination`: the price list that it is on"),
    ("leg_from", "first party of the table's cell, as the record says it"),
    ("leg_to", "second party of the table's cell, as the record says it"),
    ("rated_number", "number by which the row of the deck was found; of an origination the trunk's own"),
    ("origin_number", "number that decides between prices by origin; empty: unknown"),
    ("start_time", "start of the call"),
    ("duration_seconds", "seconds of the call, as the carrier gave them, rounded up"),
    ("billed_seconds", "seconds after minimum and increments; 0: nothing is billed"),
    ("price_per_minute", "price of the row of the deck"),
    ("connection_fee", "fee of the row of the deck, once a leg"),
    ("destination_prefix", "prefix of the row that won; `emergency` for 911 and 933"),
    ("origin_prefix", "origin prefix of the row that won; empty: any origin"),
    ("description", "words of the row, as the invoice shows them"),
    ("deck", "name of the deck, from its `deck.toml`"),
    ("deck_file", "file of the row, below the folder of decks"),
    ("deck_line", "line of the row in that file"),
    ("currency", "ISO 4217 code of the deck"),
    ("amount", "fee + price × billed seconds / 60, rounded once"),
    ("run_id", "run that booked it"),
];

/// What each column of the call log holds.
#[rustfmt::skip]
pub const LOG_MEANINGS: [ColumnMeaning; LOG.len()] = [
    ("call_sid", "id of the call"),
    ("parent_call_sid", "id of the root call of its family; empty on a root"),
    ("account_sid", "id of the account"),
    ("trunk_sid", "id of the trunk: the record's own, else its parent's"),
    ("role", "`parent` for a root call, whether or not it was transferred; `child` for a call to a transfer target"),
    ("scenario", "as in the legs; free calls have one too"),
    ("direction", "`termination` or `origination`, of the root call"),
    ("from", "first party of the table's log cell"),
    ("to", "second party of the table's log cell"),
    ("caller_id", "number that the called party was shown"),
    ("start_time", "start of the call"),
    ("end_time", "end of the call; empty if the export has none"),
    ("duration_seconds", "seconds of the call, as the carrier gave them, rounded up"),
    ("status", "`completed`, `busy`, `failed`, `no-answer` or `canceled`"),
    ("class", "`rated`: legs are booked; `free`: not answered, or 0 s"),
    ("currency", "currency of its amount; empty if no deck applies"),
    ("amount", "sum of its legs"),
    ("carrier_price", "price that the carrier's export says; a charge is negative"),
    ("run_id", "run that booked it"),
];

/// What each column of suspense holds.
#[rustfmt::skip]
pub const SUSPENSE_MEANINGS: [ColumnMeaning; SUSPENSE.len()] = [
    ("call_sid", "id of the call; empty if the record cannot be read"),
    ("parent_call_sid", "id of its parent, as the record says it"),
    ("account_sid", "id of the account, as the record says it"),
    ("reason", "one of the reasons"),
    ("detail", "what was found, in words"),
    ("source_file", "call file that it first came in"),
    ("source_line", "line in that file; of Parquet the row"),
    ("first_seen", "newest start that the ledger knew when the record first came"),
    ("tries", "how many runs have tried it"),
    ("record", "record as it came; a row of Parquet as a JSON object"),
    ("header", "header of the CSV file that it stood under; empty for JSON"),
    ("content", "fingerprint of its content, 64 bits read as a signed number"),
    ("seconds", "its duration, as far as it says one"),
    ("close_reason", "why a person wrote it off; in `closed/` only"),
    ("kept_account", "account of its parent, if that is booked"),
    ("kept_start", "start of that parent"),
    ("kept_is_child", "1 if that parent is a child itself"),
    ("kept_root_sid", "id of that parent's root"),
    ("kept_root_direction", "direction of that root"),
    ("kept_root_from", "`from` of that root"),
    ("kept_root_to", "`to` of that root"),
    ("kept_root_trunk", "trunk of that root"),
    ("kept_price", "carrier's price, if only another version has it"),
    ("kept_price_unit", "currency of that price"),
];

/// What each column of ignored records holds.
#[rustfmt::skip]
pub const IGNORED_MEANINGS: [ColumnMeaning; IGNORED.len()] = [
    ("call_sid", "id of the call"),
    ("parent_call_sid", "id of its parent, as the record says it"),
    ("account_sid", "id of the account, as the record says it"),
    ("direction", "direction that is no trunk's: `inbound`, `outbound-api`, …"),
    ("start_time", "start of the call"),
    ("source_file", "call file that it came in"),
    ("source_line", "line in that file; of Parquet the row"),
    ("record", "record as it came; a row of Parquet as a JSON object"),
    ("header", "header of the CSV file that it stood under; empty for JSON"),
];

/// What each column of late prices holds.
pub const PRICE_MEANINGS: [ColumnMeaning; PRICES.len()] = [
    ("call_sid", "id of a call that an earlier run booked"),
    ("carrier_price", "price that came for it later; a charge is negative"),
];

/// What a field of a call record holds, and what becomes of a record without it.
#[must_use]
#[rustfmt::skip]
pub const fn of_field(field: Field) -> &'static str {
    match field {
        Field::Sid => "id of the call",
        Field::ParentCallSid => "id of the call that was transferred; empty on a call that no transfer made",
        Field::AccountSid => "id of the account that pays",
        Field::TrunkSid => "id of the trunk; needed where a trunk list is given and the call is a transfer's",
        Field::Direction => "`trunking-terminating` or `trunking-originating`; `inbound`, `outbound-api` and `outbound-dial` are ignored; decides for a root only",
        Field::From => "caller: a number with `+`, a SIP address, or a word for an unknown one",
        Field::To => "called number or SIP address; on a child the transfer target, unless `refer_to` is there",
        Field::StartTime => "start: ISO 8601 or RFC 2822, with an offset, or without one where `input.timezone` is set",
        Field::EndTime => "end, in the same forms",
        Field::Duration => "seconds from answer to end; a fraction is rounded up; needed where `status` is `completed`",
        Field::Status => "`completed` is billed; `busy`, `failed`, `no-answer`, `canceled` are free; any other waits as `not-final`",
        Field::Price => "carrier's price, a negative decimal; may come nights later; it changes no charge",
        Field::PriceUnit => "currency of that price",
        Field::ReferTo => "Refer-To value as it was sent, on a child; it decides the target in place of `to`",
        Field::AnswerTime => "time of the answer; guards against ringing that was counted as duration",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A meaning is one cell of a Markdown table, and says something.
    #[test]
    fn every_meaning_fits_a_cell() {
        let fields = Field::ALL.map(|field| (field.as_str(), of_field(field)));
        let tables: [&[ColumnMeaning]; 6] = [
            &LEG_MEANINGS,
            &LOG_MEANINGS,
            &SUSPENSE_MEANINGS,
            &IGNORED_MEANINGS,
            &PRICE_MEANINGS,
            &fields,
        ];
        for (name, meaning) in tables.into_iter().flatten() {
            assert!(meaning.len() > 10 && !meaning.contains(['|', '\n']), "{name}: {meaning}");
        }
    }
}
