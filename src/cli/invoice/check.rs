//! `invoice check`: the objections to issuing a period.

use super::dates::{date, day_after, refuse_far, today};
use super::given;
use super::guard::{accepting, stand};
use crate::cli::args::TextFormat;
use crate::cli::args::invoice::CheckArgs;
use crate::cli::error::CliError;
use crate::cli::project::Project;
use crate::cli::term;
use crate::invoicing::check::{self, Against};
use crate::invoicing::survey::{SurveyQuestion, survey};
use crate::text::visible;
use serde_json::json;
use std::fmt::Write as _;

/// Lists the objections to issuing a period.
pub fn check(args: &CheckArgs, project: &Project) -> Result<(), CliError> {
    let billed = &args.billed;
    let after = day_after(&billed.period)?;
    let date = date(billed.date.as_ref(), today)?;
    refuse_far(billed, &after, &date)?;
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let inputs = given::read(billed, project, &ledger, &history)?;
    let asked = SurveyQuestion {
        period: &billed.period,
        after: &after,
        date: &date,
        account: billed.account.as_deref(),
    };
    let found = survey(&inputs, (&ledger, &history), asked, |_| {})?;
    let stops = found.iter().filter(|against| against.stops).count();
    match args.format {
        TextFormat::Text => term::print(&as_text(&found, &billed.period))?,
        TextFormat::Json => {
            let all = json!({
                "schema": check::SCHEMA, "period": billed.period, "account_sid": billed.account,
                "stops": stops > 0,
                "against": found,
            });
            term::print(&format!("{}\n", serde_json::to_string_pretty(&all)?))?;
        }
    }
    match (found.len(), stops) {
        (0, _) => Ok(()),
        (1, 1) => Err(CliError::failed(format!("{} and stops it", stand(1, &billed.period)))),
        (1, _) => {
            Err(CliError::failed(format!("{}, and does not stop it", stand(1, &billed.period))))
        }
        (all, stops) => Err(CliError::failed(format!(
            "{}, {stops} of which stop it",
            stand(all, &billed.period)
        ))),
    }
}

fn as_text(found: &[Against], period: &str) -> String {
    if found.is_empty() {
        return format!("nothing stands against issuing {period}\n");
    }
    let mut text = String::new();
    for against in found {
        let stops = if against.stops { "stops" } else { "note " };
        let _ = writeln!(text, "{}", term::heading(&format!("{stops}  {}", visible(&against.id))));
        // A single cause says the same as the sum.
        if against.causes.len() != 1 {
            text += &term::labelled("  ", &visible(&against.words));
        }
        for cause in &against.causes {
            text += &term::labelled("  ", &visible(&cause.sentence()));
            text += &term::labelled("    what to do: ", &visible(&cause.what_to_do));
        }
        if against.causes.is_empty() {
            text += &term::labelled("    what to do: ", &visible(&against.what_to_do));
        }
    }
    let ids: Vec<&str> = found
        .iter()
        .filter(|against| against.can_be_accepted())
        .map(|against| against.id.as_str())
        .collect();
    if !ids.is_empty() {
        let _ = writeln!(
            text,
            "\nto issue in spite of it: trunkrate invoice issue --period {period} {}",
            accepting(&ids)
        );
    }
    text
}
