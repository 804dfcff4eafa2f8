//! The report of a run as HTML.

use crate::io::FileError;
use crate::report::Report;

/// The page.
///
/// # Errors
/// Never in practice.
pub fn html(report: &Report) -> Result<String, FileError> {
    Ok(report.run.run_id.clone())
}
