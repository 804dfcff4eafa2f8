//! The shapes of the API's answers. The comments are the descriptions of its document.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A call of the log; or, by its `class`, one that waits or was ignored.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(rename = "Call")]
pub struct CallAnswer {
    /// The carrier's id of the call.
    pub call_sid: Option<String>,
    /// The id of the call that was transferred.
    pub parent_call_sid: Option<String>,
    /// The customer.
    pub account_sid: Option<String>,
    /// The trunk.
    pub trunk_sid: Option<String>,
    /// `parent` or `child`.
    pub role: Option<String>,
    /// The scenario of the published table.
    pub scenario: Option<String>,
    /// The direction, as the record has it.
    pub direction: Option<String>,
    /// The caller, as the log shows it.
    pub from: Option<String>,
    /// The called party, as the log shows it.
    pub to: Option<String>,
    /// What the target was shown.
    pub caller_id: Option<String>,
    /// The start, UTC.
    pub start_time: Option<String>,
    /// The end, UTC.
    pub end_time: Option<String>,
    /// Seconds from answer to end.
    pub duration_seconds: Option<u32>,
    /// How it ended.
    pub status: Option<String>,
    /// `rated`, `free`, `suspended` or `ignored`.
    pub class: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// The sum of its legs: an exact decimal as text.
    pub amount: Option<String>,
    /// The carrier's price, as text; a charge is negative.
    pub carrier_price: Option<String>,
    /// The run that booked it.
    pub run_id: Option<String>,
    /// Why it waits.
    pub reason: Option<String>,
    /// The words beside the reason.
    pub detail: Option<String>,
    /// The call file of a record that waits or was ignored.
    pub source_file: Option<String>,
    /// Its line there.
    pub source_line: Option<u64>,
}

/// A family: the parent, its children below it. Without a parent the fields of the call are null.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(rename = "Family")]
pub struct FamilyAnswer {
    /// The parent.
    #[serde(flatten)]
    pub call: CallAnswer,
    /// Other versions of a parent that waits.
    pub versions: Vec<CallAnswer>,
    /// Its children by start.
    pub children: Vec<CallAnswer>,
}

/// A page of families, the newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Calls")]
pub struct CallsAnswer {
    /// The families.
    pub calls: Vec<FamilyAnswer>,
    /// What `after` of the next page is; null if there is none.
    pub next: Option<String>,
    /// True if older days were not searched yet: the next page goes on there.
    pub is_early: bool,
    /// How words were understood.
    pub notes: Vec<String>,
    /// Calls that are left out since their time cannot be read.
    pub timeless: u64,
}

/// The row of a deck that a leg was priced by.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DeckRow {
    /// The deck's file.
    pub deck_file: String,
    /// The line in it.
    pub deck_line: u32,
    /// The destination.
    pub description: String,
    /// The prefix that won.
    pub destination_prefix: String,
    /// The origin prefix; empty for any origin.
    pub origin_prefix: String,
    /// Price per minute, as text.
    pub price_per_minute: String,
    /// Connection fee, as text.
    pub connection_fee: String,
    /// The first seconds that are billed whole.
    pub initial_increment: u32,
    /// The seconds of each step after that.
    pub increment: u32,
    /// The least seconds.
    pub minimum: u32,
    /// The seconds that are billed.
    pub billed_seconds: u32,
    /// Fee and price × seconds / 60, exact, as text.
    pub exact_amount: String,
    /// The amount, rounded once, as text.
    pub amount: String,
}

/// A leg, explained.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Leg")]
pub struct LegAnswer {
    /// Its number, from 1.
    pub leg: u32,
    /// The cell of the published table.
    pub published: String,
    /// The party at its start.
    pub leg_from: String,
    /// The party at its end.
    pub leg_to: String,
    /// The number that is rated.
    pub rated_number: String,
    /// The origin; empty if it is unknown.
    pub origin_number: String,
    /// Why the origin is unknown.
    pub origin_unknown_because: Option<String>,
    /// The row that prices it; null if nothing is billed.
    pub row: Option<DeckRow>,
}

/// An invoice that bills a call.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "BilledBy")]
pub struct BilledByAnswer {
    /// Its number.
    pub number: String,
    /// The credit note that cancels it.
    pub credited_by: Option<String>,
}

/// The price of a call, and how it came about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Price")]
pub struct PriceAnswer {
    /// The row of the published table.
    pub published_row: String,
    /// What it bills.
    pub published_bills: String,
    /// A, the caller of the root.
    pub a: String,
    /// B, who was called first.
    pub b: String,
    /// C, the target; empty for a root.
    pub c: String,
    /// The deck.
    pub deck: String,
    /// ISO 4217.
    pub currency: String,
    /// Decimals that a leg is rounded to.
    pub leg_decimals: u32,
    /// How it is rounded.
    pub leg_rounding: String,
    /// The legs.
    pub legs: Vec<LegAnswer>,
    /// What it costs by the archived deck, as text.
    pub amount: Option<String>,
    /// What was booked, as text.
    pub booked: Option<String>,
    /// The first less the second, as text.
    pub difference: Option<String>,
    /// The invoices that bill it.
    pub invoices: Vec<BilledByAnswer>,
}

/// One call.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CallDetail {
    /// The call.
    #[serde(flatten)]
    pub call: CallAnswer,
    /// All calls of its family, the parent first.
    pub family: Vec<CallAnswer>,
    /// Its price; null if it is not booked.
    pub price: Option<PriceAnswer>,
}

/// An amount.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Money")]
pub struct MoneyAnswer {
    /// ISO 4217.
    pub currency: String,
    /// An exact decimal as text.
    pub amount: String,
}

/// Records that wait for one cause.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Cause")]
pub struct CauseAnswer {
    /// Its id.
    pub cause: String,
    /// The reason.
    pub reason: String,
    /// The cause in words.
    pub words: String,
    /// Calls; versions of one count once.
    pub calls: u64,
    /// Records.
    pub records: u64,
    /// What they may come to: an estimate, in no bill.
    pub estimate: Vec<MoneyAnswer>,
    /// The first start.
    pub first_start: Option<String>,
    /// What would settle it.
    pub what_to_do: String,
}

/// A record that waits.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Suspended")]
pub struct SuspendedAnswer {
    /// The id of its cause.
    pub cause: String,
    /// The call.
    pub call_sid: Option<String>,
    /// Its parent.
    pub parent_call_sid: Option<String>,
    /// The customer.
    pub account_sid: Option<String>,
    /// The reason.
    pub reason: String,
    /// The words beside it.
    pub detail: String,
    /// The start, UTC.
    pub start_time: Option<String>,
    /// The call file.
    pub source_file: String,
    /// The line in it.
    pub source_line: u64,
    /// The newest start that was known when it came.
    pub first_seen: String,
    /// How often it was tried.
    pub tries: u32,
    /// What it may come to.
    pub estimate: Option<MoneyAnswer>,
    /// The record as it came.
    pub record: String,
}

/// What waits.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Suspense")]
pub struct SuspenseAnswer {
    /// By cause, the most money first.
    pub causes: Vec<CauseAnswer>,
    /// The records, in stored order.
    pub records: Vec<SuspendedAnswer>,
    /// What `after` of the next page is.
    pub next: Option<String>,
}

/// A document that was issued.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Invoice {
    /// Its number.
    pub number: String,
    /// `issued`, `supplementary`, `credited` or `credit-note`.
    pub state: String,
    /// The invoice that it credits.
    pub corrects: Option<String>,
    /// The date on it.
    pub date: String,
    /// The month.
    pub period: String,
    /// The customer.
    pub account_sid: String,
    /// ISO 4217.
    pub currency: String,
    /// The exact sum of its legs, as text.
    pub usage: String,
    /// Without tax, as text.
    pub net: String,
    /// The tax, as text.
    pub tax: String,
    /// The total, as text.
    pub total: String,
}

/// The documents that were issued, the newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Invoices {
    /// They.
    pub invoices: Vec<Invoice>,
    /// What `after` of the next page is.
    pub next: Option<String>,
}

/// Records and seconds.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Count")]
pub struct CountAnswer {
    /// Records.
    pub records: u64,
    /// Seconds.
    pub seconds: u64,
}

/// A run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct RunAnswer {
    /// Its id.
    pub run_id: String,
    /// `booked` or `undone`.
    pub state: String,
    /// Why it was undone.
    pub undo_reason: Option<String>,
    /// `run`, `retry`, `close`, `resolve` or `import`.
    pub kind: String,
    /// Its number, from 1.
    pub sequence: u64,
    /// When it was booked, as far as the journal knows.
    pub booked: Option<String>,
    /// Records and seconds by class.
    pub counts: BTreeMap<String, CountAnswer>,
    /// Legs.
    pub legs: u64,
    /// Their sum by currency, as text.
    pub amount: BTreeMap<String, String>,
}

/// The runs, the newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Runs {
    /// They.
    pub runs: Vec<RunAnswer>,
    /// The head of the ledger: three hashes that name its state.
    pub head: String,
}

/// A row of a deck that was considered.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LookupRow {
    /// True if it wins.
    pub wins: bool,
    /// Why it wins or loses.
    pub why: String,
    /// The destination prefix.
    pub destination_prefix: String,
    /// The origin prefix.
    pub origin_prefix: String,
    /// Price per minute, as text.
    pub price_per_minute: String,
    /// Connection fee, as text.
    pub connection_fee: String,
    /// The first seconds that are billed whole.
    pub initial_increment: u32,
    /// The seconds of each step after that.
    pub increment: u32,
    /// The least seconds.
    pub minimum: u32,
    /// The deck's file.
    pub deck_file: String,
    /// The line in it.
    pub deck_line: u32,
    /// The destination.
    pub description: String,
}

/// What a deck says of a number.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LookupDeck {
    /// The deck.
    pub deck: String,
    /// ISO 4217.
    pub currency: String,
    /// The rows with a prefix of the number; the winner, if there is one, is marked.
    pub rows: Vec<LookupRow>,
}

/// What the decks of the last run say of a number.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Lookup")]
pub struct LookupAnswer {
    /// The number.
    pub rated_number: String,
    /// The origin.
    pub origin_number: Option<String>,
    /// `termination` or `origination`.
    pub service: String,
    /// The time.
    pub at: String,
    /// Deck by deck.
    pub decks: Vec<LookupDeck>,
}

/// A problem (RFC 9457).
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProblemDetail {
    /// Always `about:blank`: the status says its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The words of the status.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub hints: Vec<String>,
}
