//! Booked calls of a period rated again, by other decks.
//!
//! ```text
//! the runs' calls of the period ─┬─▶ their booked legs ─┐
//! (only versions that count)     └─▶ rated by the decks ─┴─▶ sums: booked, new, difference ─▶ shown
//!                                                         └─▶ calls that cost something else ─▶ a run
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | [`scan`] | the calls of the period, part by part, rated again |
//! | [`book`] | the differences booked as a run |
//! | [`sums`] | what comes of them: by account, destination, scenario and currency; the list of legs |
//!
//! **Invariant:** nothing is added across currencies. A call that would find no rate stays as it is
//! booked, and is counted.
//!
//! # Why a call is compared by its price
//! A leg differs if its currency, price, fee, billed seconds or amount does. That a row stands in
//! another line of another file, or is worded otherwise, is no difference: nobody owes anything for
//! it, and every new edition of a deck has other lines.

pub mod book;
pub mod scan;
pub mod sums;
