//! What a console is started with.

use super::guard::{Token, TrustedProxy};
use crate::invoicing::drafts::Terms;
use crate::ledger::Ledger;
use crate::report::health::Limits;
use crate::time::{Micros, Zone};
use std::path::{Path, PathBuf};

/// The ledger, the project's choices, and the machine as the command line asks it.
#[derive(Debug)]
pub struct ConsoleSetting {
    /// The ledger.
    pub ledger: Ledger,
    /// The project's folder, in which call files may lie.
    pub folder: PathBuf,
    /// How old a night may be.
    pub limits: Limits,
    /// The zone that times are shown in; `None` for that of the records, else UTC.
    pub zone: Option<Zone>,
    /// The list of accounts, for names and invoices.
    pub accounts: Option<PathBuf>,
    /// The list of monthly charges.
    pub items: Option<PathBuf>,
    /// The terms of invoices, and the file that says them; or the reason why there are none.
    pub terms: Result<(Terms, PathBuf), String>,
    /// True if the last digits of numbers are hidden.
    pub masks: bool,
    /// The token, if one is asked for.
    pub token: Option<Token>,
    /// The proxy that says who asks, if there is one.
    pub proxy: Option<TrustedProxy>,
    /// The clock.
    pub now: fn() -> Micros,
    /// This machine's name.
    pub host: String,
    /// The user of this process.
    pub user: String,
    /// Whether a process of this number is a trunkrate that runs here.
    pub is_running: fn(u32) -> bool,
    /// The bytes that are free on a folder's disk.
    pub free_bytes: fn(&Path) -> Option<u64>,
    /// Where notes go.
    pub tell: fn(&str),
}

/// Digits that a masked number hides.
const HIDDEN: usize = 4;

impl ConsoleSetting {
    /// A party, as it may be shown.
    #[must_use]
    pub fn party(&self, text: &str) -> String {
        if self.masks { crate::mask::party(text, HIDDEN) } else { text.to_owned() }
    }

    /// A sentence, as it may be shown.
    #[must_use]
    pub fn sentence(&self, text: &str) -> String {
        if self.masks { crate::mask::sentence(text, HIDDEN) } else { text.to_owned() }
    }

    /// The digits that a masked number hides; none if numbers are shown.
    #[must_use]
    pub fn hidden(&self) -> usize {
        if self.masks { HIDDEN } else { 0 }
    }
}
