//! `invoice credit`.

use super::dates::{date, refuse_future, today};
use super::issue::follow;
use crate::cli::args::invoice::CreditArgs;
use crate::cli::error::CliError;
use crate::cli::project::Project;
use crate::cli::run::{head, open_to_write, print_what_is_done};
use crate::invoicing::drafts::LONGEST;
use crate::invoicing::issue::Credit;

/// Credits an invoice.
pub fn credit(args: &CreditArgs, project: &Project) -> Result<(), CliError> {
    if args.reason.chars().count() > LONGEST {
        return Err(CliError::usage(format!("--reason has more than {LONGEST} characters")));
    }
    if args.reason.trim().is_empty() {
        return Err(CliError::usage(
            "--reason is empty: the credit note says why the invoice is corrected",
        ));
    }
    if args.rebill == args.write_off {
        return Err(CliError::usage(
            "one of --rebill and --write-off is missing: say what becomes of the invoice's legs",
        )
        .hint(
            "--rebill lets the next invoice bill them again; --write-off credits them for good: \
             no invoice bills them again",
        ));
    }
    let date = date(args.date.as_ref(), today)?;
    let reason = args.reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let ledger = project.ledger()?;
    let (lock, mut history) = open_to_write(&ledger)?;
    let credit = Credit::of(&history, &args.number)?;
    credit.refuse_date(&date)?;
    refuse_future(&date, (&args.number, credit.issued_on()), args.future)?;
    let (writer, manifest, note) = credit.stage(&lock, &history, (&date, &reason, args.rebill))?;
    let batch = writer.finish(&history, manifest)?.publish(&ledger, &mut history)?;
    follow(&ledger, &lock, &history, &batch.manifest);
    let period = &note.period.month;
    let again = match (args.rebill, note.usage.is_empty(), note.items.is_empty()) {
        (false, _, true) => "its legs are written off".to_owned(),
        (false, ..) => "what it billed is written off".to_owned(),
        (true, false, true) => "its legs wait for the next invoice".to_owned(),
        (true, true, _) => format!("its monthly charges wait until {period} is issued again"),
        (true, false, false) => {
            format!(
                "its legs wait for the next invoice, its monthly charges until {period} is issued \
                 again"
            )
        }
    };
    let (total, currency) = (&note.totals.total, &note.currency);
    let number = note.number.as_deref().expect("a staged document has a number");
    let text = format!(
        "issued: credit note {number} over {total} {currency}, for {}; {again}\n{}",
        args.number,
        head(&history)
    );
    print_what_is_done(&text, "the credit note is issued, but that could not be printed");
    Ok(())
}
