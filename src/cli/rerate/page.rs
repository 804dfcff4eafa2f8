//! The price of one call as a page for the customer.
//!
//! **Invariant:** the page says what was booked, and no name that only we know: no run, no file of
//! a deck, no reason of suspense, no scenario's id.

use crate::cli::error::CliError;
use crate::cli::output::write_whole;
use crate::cli::term;
use crate::ledger::index::unbooked::Unbooked;
use crate::money::Total;
use crate::render::call::words::{page_of, page_of_unbooked};
use crate::render::call::{self, CallPage};
use crate::report::explained::{ExplainedCall, difference};
use crate::time::local::Clock;
use std::path::Path;

/// Writes the page of a booked call. `account` is the customer's name.
///
/// # Errors
/// If the archived deck does not give what was booked: no customer is told another price.
pub fn write(
    case: &ExplainedCall,
    account: &str,
    clock: &Clock,
    path: &Path,
) -> Result<(), CliError> {
    let is_as_booked = difference(case) == Some(Total::default());
    if !is_as_booked {
        return Err(CliError::failed(format!(
            "the call {} does not cost now what was booked: no page is written",
            case.sid
        ))
        .hint("`trunkrate rerate` shows both; run `trunkrate verify`"));
    }
    save(&page_of(case, account, clock), path)
}

/// Writes the page of a call that is not booked.
pub fn write_unbooked(
    call: &Unbooked,
    account: &str,
    clock: &Clock,
    path: &Path,
) -> Result<(), CliError> {
    save(&page_of_unbooked(call, account, clock), path)
}

fn save(page: &CallPage, path: &Path) -> Result<(), CliError> {
    write_whole(path, call::html(page)?.as_bytes())?;
    term::report("note", &format!("{}: the page of one call", path.display()));
    Ok(())
}
