//! Itemised calls for a template: blocks of a few legs, each with one text per column and at least
//! a line per leg.
//!
//! **Invariant:** no line of a column is longer than its stated width, and all columns of a block
//! have the same number of lines. In a monospaced font no line wraps, so the columns of a leg stay
//! aligned.
//!
//! # Why not a table with a row per leg
//! A cell costs typst far more than its text, in time and in memory: 20,000 legs in 180,000 cells
//! took 17 s of CPU and 3.4 GB.

use super::world::Shelf;
use crate::document::ItemisedLeg;
use crate::render::pdf::column::{PageColumn, column};
use crate::text::visible;
use serde::Serialize;

/// The number of legs in a block; a rule is drawn below each block.
const BLOCK: usize = 5;
/// The headings, and the width of each column in characters; longer texts take several lines.
const COLUMNS: [(&str, usize); 9] = [
    ("Start (UTC)", 27),
    ("Call", 34),
    ("From", 18),
    ("To", 18),
    ("Scenario", 20),
    ("Destination", 60),
    ("Seconds", 20),
    ("Billed", 20),
    ("Amount", 31),
];
/// A line without text: a no-break space.
const EMPTY: &str = "\u{a0}";

/// Itemised calls.
#[derive(Serialize)]
pub struct Itemised {
    headings: Vec<&'static str>,
    /// The longest line of each column, in characters.
    characters: Vec<usize>,
    blocks: Vec<Vec<String>>,
}

/// Arranges legs in blocks.
pub fn itemised(legs: &[ItemisedLeg], shelf: &Shelf) -> Itemised {
    let amounts = column(legs.iter().map(|leg| leg.amount));
    let mut characters: Vec<usize> = COLUMNS.iter().map(|(heading, _)| heading.len()).collect();
    let mut blocks = Vec::with_capacity(legs.len().div_ceil(BLOCK));
    for legs in legs.chunks(BLOCK) {
        let mut block = vec![String::new(); COLUMNS.len()];
        for leg in legs {
            let fields = fields(leg, &amounts, shelf);
            let lines = fields
                .iter()
                .zip(COLUMNS)
                .map(|(text, (_, most))| text.len().div_ceil(most))
                .max()
                .unwrap_or_default();
            for (at, text) in fields.iter().enumerate() {
                characters[at] = characters[at].max(text.len().min(COLUMNS[at].1));
                let mut parts = text.chunks(COLUMNS[at].1);
                for _ in 0..lines.max(1) {
                    if !block[at].is_empty() {
                        block[at].push('\n');
                    }
                    match parts.next() {
                        Some(part) => block[at].extend(part),
                        None => block[at].push_str(EMPTY),
                    }
                }
            }
        }
        blocks.push(block);
    }
    Itemised { headings: COLUMNS.iter().map(|(heading, _)| *heading).collect(), characters, blocks }
}

/// The displayable texts of a leg: without a space at which a line could break, and without a
/// character that the font lacks.
fn fields(leg: &ItemisedLeg, amounts: &PageColumn, shelf: &Shelf) -> [Vec<char>; 9] {
    let amount = amounts.text(leg.amount);
    let [duration, billed] =
        [leg.duration_seconds, leg.billed_seconds].map(|seconds| seconds.to_string());
    [
        &leg.start,
        &leg.call_sid,
        &leg.from,
        &leg.to,
        &leg.scenario,
        &leg.description,
        &duration,
        &billed,
        &amount,
    ]
    .map(|text| {
        let mut shown = Vec::with_capacity(text.len());
        for c in visible(text).chars() {
            match c {
                ' ' | '\u{2007}' | '\u{2008}' => shown.push('\u{a0}'),
                c if shelf.mono_has(c) => shown.push(c),
                c => shown.extend(c.escape_unicode()),
            }
        }
        shown
    })
}
