//! `suspense set`: the instant of a local time that the clock shows twice or never, set by hand.
//!
//! **Invariant:** only one of the two instants that the text may mean is taken, and with it the
//! record must be sound: nothing is set that would not be rated.
//!
//! # Why a time that never was is no other case
//! The clock skips an hour when it goes forward. A device that writes a time of that hour has not
//! turned its own clock, or has turned it too early: so it means the offset before the change, or
//! the one after it. Any other instant would be made up.

use super::decide::{done, find_one};
use crate::cli::args::suspense::SetArgs;
use crate::cli::error::CliError;
use crate::cli::project::Project;
use crate::cli::run::open_to_write;
use crate::detail::fields::invalid_time;
use crate::inputs::record_text::RecordText;
use crate::ledger::History;
use crate::ledger::manifest::{RunKind, SetTime};
use crate::ledger::runs::write_off::{self, Decision};
use crate::ledger::tables::places::Places;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::policy::Policy;
use crate::record::{Field, Fields, Record};
use crate::reject::Reason;
use crate::set_times::either_of;
use crate::text::visible;
use crate::time;
use crate::time::Micros;

/// Sets times of a suspended record.
pub fn set(args: &SetArgs, project: &Project) -> Result<(), CliError> {
    if args.reason.trim().is_empty() {
        return Err(CliError::usage("--reason is empty: say how the time is known"));
    }
    let given = given(args)?;
    let ledger = project.ledger()?;
    let (lock, mut history) = open_to_write(&ledger)?;
    let found = find_one(&history, &args.call)?;
    let [(_, row)] = found.as_slice() else {
        let problem = format!("{} versions of the call {} wait", found.len(), args.call);
        return Err(CliError::failed(problem)
            .hint("choose one first: `suspense show` numbers them, `suspense resolve` takes one"));
    };
    let set_times = times_of(row, &given, &history)?;
    let told: Vec<String> =
        set_times.iter().map(|set| format!("{} is {}", set.field, set.time)).collect();
    let decision = Decision {
        kind: RunKind::Set,
        reason: &args.reason,
        closed: &Places::default(),
        set_times,
    };
    let run = write_off::decide(&ledger, &lock, &history, decision)?;
    let text = format!(
        "run {}: {}; the record stays as it came, and `trunkrate suspense retry` rates it, or the \
         next run\n",
        run.manifest.run_id,
        told.join(", ")
    );
    history.runs.push(run);
    done(&ledger, &lock, &history, &text);
    Ok(())
}

/// The fields whose times are given, with their flags.
fn given(args: &SetArgs) -> Result<Vec<(Field, &'static str, Micros)>, CliError> {
    let flags = [
        (Field::StartTime, "--start", &args.start),
        (Field::EndTime, "--end", &args.end),
        (Field::AnswerTime, "--answer", &args.answer),
    ];
    let mut given = Vec::new();
    for (field, flag, text) in flags {
        let Some(text) = text else { continue };
        let instant = time::parse(text, None).ok_or_else(|| {
            CliError::usage(format!(
                "{flag} {text}: expected an instant with an offset, as 2026-10-25T02:30:00+01:00"
            ))
        })?;
        given.push((field, flag, instant));
    }
    if given.is_empty() {
        return Err(CliError::usage("no time is given: --start, --end or --answer sets one"));
    }
    Ok(given)
}

/// The times as they are stored; an error if one is no answer, or the record would wait with them
/// all the same.
fn times_of(
    row: &SuspenseRow,
    given: &[(Field, &'static str, Micros)],
    history: &History,
) -> Result<Vec<SetTime>, CliError> {
    let sid = &row.call_sid;
    let text = RecordText::kept(&row.record, &row.header)
        .filter(|_| row.reason != Reason::MalformedRecord.as_str() && !sid.is_empty());
    let Some(text) = text else {
        return Err(CliError::failed(format!("the record of {sid} has no fields to set")));
    };
    let policy = history.policy();
    text.with_fields(|fields| {
        let fields = fields.expect("a record that is not malformed has fields");
        let known = |field: Field| {
            policy.set_times.instant(sid, (field.as_str(), fields.get(field)), policy.zone.as_ref())
        };
        for (field, flag, instant) in given {
            check_answer((*field, flag, *instant), fields.get(*field), &policy)?;
        }
        if given.iter().all(|(field, _, instant)| known(*field) == Some(*instant)) {
            let problem = format!("the times of the call {sid} are set to that already");
            return Err(CliError::failed(problem).hint("`trunkrate suspense retry` rates it"));
        }
        check_record((sid, fields), given, policy)?;
        let set = |(field, _, instant): &(Field, &str, Micros)| SetTime {
            call_sid: sid.clone(),
            field: field.as_str().to_owned(),
            text: fields.get(*field).to_owned(),
            time: time::text(*instant),
        };
        Ok(given.iter().map(set).collect())
    })
}

/// Refuses an instant that a field's text cannot mean.
fn check_answer(
    (field, flag, instant): (Field, &str, Micros),
    text: &str,
    policy: &Policy,
) -> Result<(), CliError> {
    let (name, shown) = (field.as_str(), visible(text));
    let Some([first, second]) = either_of(text, policy.zone.as_ref()) else {
        let problem = format!(
            "{flag}: {name} is `{shown}`, which is no time that the clock shows twice or never"
        );
        return Err(CliError::failed(problem).hint(
            "only such a time is set by hand; `trunkrate suspense show` says what is wrong",
        ));
    };
    if [first, second].contains(&instant) {
        return Ok(());
    }
    let (given, first, second) = (time::text(instant), time::text(first), time::text(second));
    Err(CliError::failed(format!(
        "{flag} {given}: {name} is `{shown}`, which is {first} or {second}"
    ))
    .hint("give one of the two"))
}

/// Refuses times with which the record would not be sound.
fn check_record(
    (sid, fields): (&str, &Fields<'_>),
    given: &[(Field, &str, Micros)],
    policy: Policy,
) -> Result<(), CliError> {
    let more = given
        .iter()
        .map(|(field, _, instant)| (sid.to_owned(), field.as_str().to_owned(), *instant));
    let policy = Policy { set_times: policy.set_times.and(more), ..policy };
    let record = Record::read(fields, &policy);
    let flags =
        [(Field::EndTime, "--end"), (Field::AnswerTime, "--answer"), (Field::StartTime, "--start")];
    let open = flags.into_iter().find(|(field, _)| {
        let text = fields.get(*field);
        either_of(text, policy.zone.as_ref()).is_some()
            && policy.set_times.instant(sid, (field.as_str(), text), policy.zone.as_ref()).is_none()
    });
    if let Some((field, flag)) = open {
        let [first, second] = either_of(fields.get(field), policy.zone.as_ref())
            .expect("as was asked before")
            .map(time::text);
        let text = visible(fields.get(field));
        let problem = format!("{} is `{text}`, which is {first} or {second}", field.as_str());
        return Err(CliError::failed(problem).hint(format!("set it in the same command: {flag}")));
    }
    let why = match record.reason {
        _ if record.end != time::NO_TIME && record.end < record.start => {
            let (start, end) = (time::text(record.start), time::text(record.end));
            format!("it would end at {end}, before it starts at {start}")
        }
        Some(Reason::InvalidTime) => invalid_time(fields, &policy),
        Some(Reason::InvalidDuration) => record
            .invalid_duration(crate::record::Duration::parse(fields.get(Field::Duration)), &policy)
            .map_or_else(|| "its duration cannot be".to_owned(), |why| format!("duration: {why}")),
        _ => return Ok(()),
    };
    Err(CliError::failed(format!("the call {sid} would wait with these times, too: {why}"))
        .hint("look at the other times: `trunkrate suspense show`"))
}
