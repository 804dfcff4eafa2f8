//! A column of call ids: 16 bytes each; none is spelled out if all are in the carrier's form.

use super::encode::{self, Present};
use super::scratch;
use super::writer::{Content, Encoded, Tail, TextColumn, texts};
use crate::sid::{Sid, SidText};
use polars_parquet::parquet::encoding::Encoding;

/// Bytes that all ids begin with, and bytes of a whole one.
const PREFIX: u32 = 2;
const LENGTH: u32 = 34;

/// Fewer ids than this are written as texts.
const LEAST: usize = 64;

/// A column of call ids that hardly repeat, as it grows.
#[derive(Debug, Clone, Default)]
pub struct SidColumn {
    rows: Vec<SidRow>,
    /// The ids of the new rows.
    ids: Vec<u128>,
    /// All rows, in place of `ids`, once an id has come in another form than the carrier's.
    texts: TextColumn,
    has_odd: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SidRow {
    Null,
    New,
    /// Equal to the row before.
    Again,
}

impl SidColumn {
    /// Adds a row; an empty id becomes null.
    #[inline]
    pub fn push(&mut self, sid: SidText<'_>) {
        match sid {
            SidText::Carrier(Sid::EMPTY) if !self.has_odd => self.rows.push(SidRow::Null),
            SidText::Carrier(Sid(id)) if !self.has_odd => {
                self.rows.push(SidRow::New);
                self.ids.push(id);
            }
            _ => self.push_text(sid),
        }
    }

    fn push_text(&mut self, sid: SidText<'_>) {
        if !self.has_odd {
            let mut texts = std::mem::take(&mut self.texts);
            self.spell(&mut texts);
            (self.texts, self.has_odd) = (texts, true);
        }
        match sid {
            SidText::Carrier(Sid::EMPTY) => self.texts.push(&[]),
            SidText::Carrier(Sid(id)) => self.texts.push(&spelled(id)),
            SidText::Odd(text) => self.texts.push(text.as_bytes()),
        }
    }

    /// Adds a row equal to the one before; null, if there is none.
    #[inline]
    pub fn push_again(&mut self) {
        if self.has_odd {
            return self.texts.push_again();
        }
        let null = matches!(self.rows.last(), None | Some(SidRow::Null));
        self.rows.push(if null { SidRow::Null } else { SidRow::Again });
    }

    /// Makes room for some more rows, of which so many are new ids.
    pub fn reserve(&mut self, rows: usize, new: usize) {
        self.rows.reserve(rows);
        self.ids.reserve(new);
    }

    /// Removes the rows, and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.ids.clear();
        self.texts.clear();
        self.has_odd = false;
    }

    /// Adds the rows as text.
    fn spell(&self, texts: &mut TextColumn) {
        let mut ids = self.ids.iter();
        for row in &self.rows {
            match row {
                SidRow::Null => texts.push(&[]),
                SidRow::New => texts.push(&spelled(*ids.next().expect("an id for each new row"))),
                SidRow::Again => texts.push_again(),
            }
        }
    }

    /// True if the ids differ in most of their bits. Consecutive ids, or ids filled with zeros, get
    /// smaller by zstd than their numbers.
    fn is_random(&self) -> bool {
        let (all, any) =
            self.ids.iter().fold((u128::MAX, 0), |(all, any), id| (all & id, any | id));
        (any & !all).count_ones() >= 96
    }
}

/// `CA` and 32 hex digits.
fn spelled(id: u128) -> [u8; LENGTH as usize] {
    const PAIRS: [[u8; 2]; 256] = {
        let (mut pairs, mut byte) = ([[0; 2]; 256], 0);
        while byte < 256 {
            pairs[byte] = [b"0123456789abcdef"[byte >> 4], b"0123456789abcdef"[byte & 15]];
            byte += 1;
        }
        pairs
    };
    let mut text = [0; LENGTH as usize];
    text[..2].copy_from_slice(b"CA");
    let (pairs, _) = text[2..].as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(id.to_be_bytes()) {
        *pair = PAIRS[usize::from(byte)];
    }
    text
}

/// Encodes call ids that hardly repeat: for each the length that it shares with the one before
/// (`CA`, or all of it), and then its number (`frames`). If one has another form, or if they differ
/// in few bits, they are written as texts.
#[must_use]
pub fn sids(column: &SidColumn) -> Encoded {
    if column.has_odd {
        return texts(&column.texts);
    }
    if column.ids.len() < LEAST || !column.is_random() {
        let mut spelled = TextColumn::new();
        column.spell(&mut spelled);
        return texts(&spelled);
    }
    let rows = &column.rows;
    let present = if rows.contains(&SidRow::Null) {
        Present::of(rows, |row| *row != SidRow::Null)
    } else {
        Present::all(rows.len())
    };
    let (mut shared, mut new): (Vec<u32>, Vec<u32>) = rows
        .iter()
        .filter(|row| **row != SidRow::Null)
        .map(|row| if *row == SidRow::Again { (LENGTH, 0) } else { (PREFIX, LENGTH - PREFIX) })
        .unzip();
    assert_eq!(shared.len(), present.count, "an id, or the one before, for each row that has one");
    assert_eq!(
        new.iter().filter(|length| **length != 0).count(),
        column.ids.len(),
        "an id for each new row"
    );
    (shared[0], new[0]) = (0, LENGTH);
    let mut head = scratch::buffer();
    encode::delta(&mut head, &shared);
    encode::delta(&mut head, &new);
    let (first, rest) = column.ids.split_first().expect("some ids");
    head.extend_from_slice(&spelled(*first));
    Encoded::new(
        &present,
        Content::Texts { head, tail: Tail::Ids(rest), encoding: Encoding::DeltaByteArray },
    )
}
