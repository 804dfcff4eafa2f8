//! The report of a run, which an operator reads in the morning: its values, before it is drawn.
//!
//! ```text
//! Report
//! ├── run: ReportHead                 id, kind, files, decks, versions, policy; undone or not
//! ├── law: Law                        read + retried = rated + free + duplicate + ignored + suspended + closed
//! ├── classes, scenarios              counts and money
//! ├── suspense                        by cause and by reason, with estimates, ages, samples and what to do
//! ├── written_off                     by reason
//! ├── timelines: [Timeline]           amounts by UTC day beside the four weeks before, per currency
//! ├── largest: [Largest]              the calls that cost most, per currency
//! ├── callers: Callers                whose origin is not known
//! ├── carrier: [CarrierLine]          the carrier's prices beside ours
//! └── findings: [Finding]             what is odd: how many, examples, why it matters, what to do
//! ```
//!
//! A report is as of its run: it includes the runs before it and none after it, so that it reads
//! the same a week later. It uses no clock; ages are counted in the time of the calls, up to the
//! newest start known at that time.
//!
//! **Invariant:** a report computes no amounts, except the estimates for suspended records
//! ([`estimate`]), which are added to nothing else. It adds up stored amounts of legs, and
//! [`gather`] checks their sum against the run's manifest.
//!
//! [`asked`], [`calls`], [`explained`] and [`looked_up`] are no part of it: calls that somebody
//! looks for, as families; the price of one of them, or of a number; nor are [`customers`] and
//! [`numbers`]: legs by account, and by its numbers.
//!
//! Next: [`count`], which is fed the rows; `crate::report::gather`, which reads them;
//! `crate::render::report`, which draws.

#![allow(clippy::disallowed_methods, reason = "what is not there is shown as nothing")]

pub mod asked;
pub mod calls;
pub mod causes;
pub mod chosen;
pub mod count;
pub mod customers;
pub mod days;
pub mod diagnosis;
pub mod estimate;
pub mod explained;
pub mod findings;
pub mod gather;
pub mod health;
pub(crate) mod lines;
pub mod looked_up;
pub mod numbers;
pub mod oddities;
pub mod prefixes;
pub mod rows;
pub mod run_rows;
pub mod waiting;
pub mod waiting_causes;
pub(crate) mod whole;
mod wording;

pub use lines::{
    Before, Callers, CarrierLine, ClassLine, Day, DaySum, DayVerdict, DeckLine, Example, FileLine,
    Finding, LARGEST, LargeCall, Largest, Law, Money, ReasonLine, RecordCount, ReportHead,
    SampleLine, ScenarioLine, Term, Timeline, class_words, rerate_command,
};
pub use whole::{Printed, Report, SCHEMA, Suspense};
