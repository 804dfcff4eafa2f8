//! Diagnosis: the cause of one record's suspense, and an estimate of its money.
//!
//! **Invariant:** it decides nothing. The reason was given when the record was settled; here it is
//! only refined, by the one act of a person that would settle the record.

use super::causes::Cause;
use super::estimate::{Basis, Estimator, Guess, Lack, Priced};
use super::lines::Money;
use crate::advice::{hint, mark_of};
use crate::deck::Rated;
use crate::detail::fields::{duration_mark, number_mark};
use crate::family::RootFacts;
use crate::intern::Interner;
use crate::money::Total;
use crate::night::TrunkFact;
use crate::party::{Number, Party, endpoint_host};
use crate::party_ref::PartyRef;
use crate::policy::Policy;
use crate::rating::{Parties, PlannedLeg, bills};
use crate::record::{Field, Fields, Record};
use crate::reject::Reason;
use crate::scenario::{Direction, Scenario, TransferScenario};
use crate::table::TargetKind;
use crate::target::{Asked, Target, UserPart};
use crate::time;
use crate::trunk::Trunks;

/// A suspended record, with everything that its diagnosis needs.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The reason for its suspense.
    pub reason: Reason,
    /// The value found, as the record's detail.
    pub detail: &'a str,
    /// The file from which it came.
    pub source_file: &'a str,
    /// Its fields; `None` if it is malformed.
    pub fields: Option<&'a Fields<'a>>,
    /// The number of the deck that prices its account.
    pub deck: Option<usize>,
    /// The facts of its root and the root's trunk, if known; the parties are texts of the same
    /// [`Interner`].
    pub root: Option<(RootFacts, &'a str)>,
    /// The reason for its parent's suspense, if that is suspended, too.
    pub parent_reason: Option<&'a str>,
    /// True if a version of the call is booked.
    pub is_booked: bool,
}

/// The result of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The cause of the record's suspense.
    pub cause: Cause,
    /// The estimate of its money, if there is one.
    pub guess: Option<Guess>,
}

/// Diagnoses the records of a ledger with the inputs of its last run.
pub struct Diagnoser<'a> {
    /// The estimator that prices the records.
    pub estimator: Estimator<'a>,
    /// The policy of that run.
    pub policy: &'a Policy,
    /// Its trunk list.
    pub trunks: Option<&'a Trunks>,
}

impl Diagnoser<'_> {
    /// Diagnoses a record.
    #[must_use]
    pub fn diagnose(&mut self, subject: &Subject<'_>, texts: &mut Interner) -> Diagnosis {
        let Some((fields, deck)) = subject.fields.zip(subject.deck) else {
            return Diagnosis { cause: self.cause(subject, None), guess: None };
        };
        let record = Record::read(fields, self.policy);
        let priced = self.price(subject, &record, deck, texts);
        let is_free = !bills(record.status, record.duration) && is_priceable(subject.reason);
        let total =
            if is_free { Some(Total::default()) } else { priced.and_then(|priced| priced.total) };
        let currency = self.estimator.deck(deck).currency.clone();
        let guess =
            total.filter(|_| is_priceable(subject.reason) && !subject.is_booked).map(|amount| {
                Guess {
                    money: Money { currency, amount },
                    basis: priced.map_or(Basis::AsIf, |priced| basis(subject.reason, priced)),
                }
            });
        Diagnosis { cause: self.cause(subject, priced.as_ref()), guess }
    }

    /// Prices a record as if nothing were wrong with it. `None` if its start, direction or parties
    /// are not known.
    fn price(
        &mut self,
        subject: &Subject<'_>,
        record: &Record<'_>,
        deck: usize,
        texts: &mut Interner,
    ) -> Option<Priced> {
        let call = (record.start, record.duration);
        if record.start == crate::call::Calls::NO_TIME {
            return None;
        }
        if record.parent_sid.is_empty() {
            let direction = record.direction.side()?;
            let parties =
                Parties { a: party(record.from, texts), b: party(record.to, texts), c: None };
            return self.estimator.price(
                deck,
                (Scenario::Root(direction), &parties, &*texts),
                call,
            );
        }
        let asked = Asked::parse(record.target);
        let Some((root, trunk)) = subject.root else {
            let target = number_asked(&asked)?;
            let from = party(record.from, texts);
            let (to, rated) = (PartyRef::number(target), Rated::Number(target));
            let origin = from
                .origin_number(texts)
                .filter(|number| !self.policy.withheld_numbers.has(*number));
            let leg = PlannedLeg { service: Direction::Termination, from, to, rated, origin };
            return Some(self.estimator.price_termination(deck, leg, call));
        };
        let trunk = if trunk.is_empty() { record.trunk_sid } else { trunk };
        let (kind, c) = self.target(subject, &asked, trunk, texts)?;
        let scenario = Scenario::Transfer(TransferScenario::of(root.direction, kind));
        let parties = Parties { a: root.a, b: root.b, c: Some(c) };
        self.estimator.price(deck, (scenario, &parties, &*texts), call)
    }

    /// The target of a transfer.
    fn target(
        &self,
        subject: &Subject<'_>,
        asked: &Asked,
        trunk: &str,
        texts: &mut Interner,
    ) -> Option<(TargetKind, PartyRef)> {
        // An ambiguous target may be PSTN or SIP; a number is most likely meant as PSTN.
        if subject.reason == Reason::AmbiguousTarget {
            return number_asked(asked).map(|number| (TargetKind::Pstn, PartyRef::number(number)));
        }
        match asked.decide(TrunkFact::of(trunk, self.trunks).domain) {
            Target::Pstn(number) => Some((TargetKind::Pstn, PartyRef::number(number))),
            Target::Sip(endpoint) => {
                Some((TargetKind::Sip, PartyRef::endpoint(texts.id(&endpoint))))
            }
            Target::Emergency(_) | Target::Ambiguous | Target::Invalid(_) => None,
        }
    }

    // ---- causes ---------------------------------------------------------------------------------

    fn cause(&mut self, subject: &Subject<'_>, priced: Option<&Priced>) -> Cause {
        let reason = subject.reason;
        let empty = Fields::default();
        let fields = subject.fields.unwrap_or(&empty);
        if reason == Reason::NoRate {
            return self.no_rate(subject, fields, priced);
        }
        let (what, words) = match reason {
            Reason::MalformedRecord => (
                subject.source_file.to_owned(),
                format!("text that is no record, in {}", subject.source_file),
            ),
            Reason::MissingField
            | Reason::InvalidTime
            | Reason::InvalidDuration
            | Reason::NotFinal => self.by_field(reason, subject.detail, fields),
            Reason::UnknownDirection => {
                let word = fields.get(Field::Direction);
                (word.to_lowercase(), format!("direction is `{word}`"))
            }
            Reason::InvalidNumber => {
                let account = fields.get(Field::AccountSid);
                let (field, why) = number_mark(fields);
                let field = field.as_str();
                (
                    format!("{field}:{why}:{account}"),
                    format!("`{field}` is no number ({why}), account {account}"),
                )
            }
            Reason::ParentMissing | Reason::ParentNeverArrived => {
                let start = Record::read(fields, self.policy).start;
                let day = time::date_text(start);
                let so = if reason == Reason::ParentMissing {
                    "were not seen yet"
                } else {
                    "never arrived"
                };
                (day.clone(), format!("transfers of {day} whose parents {so}"))
            }
            Reason::ParentSuspended => {
                let why = subject.parent_reason.unwrap_or("in suspense");
                (why.to_owned(), format!("transfers whose parents wait ({why})"))
            }
            Reason::InvalidTarget | Reason::AmbiguousTarget => by_host(reason, fields),
            Reason::UnknownTrunk | Reason::TransferDisabled | Reason::PstnTransferDisabled => {
                by_trunk(subject, fields)
            }
            Reason::ConflictingDuplicate if subject.is_booked => {
                let account = fields.get(Field::AccountSid);
                (
                    format!("booked:{account}"),
                    format!("other versions of booked calls, account {account}"),
                )
            }
            _ => by_account(reason, fields.get(Field::AccountSid)),
        };
        let what_to_do = match (reason, what.as_str()) {
            (Reason::InvalidTime, "set") => {
                "nothing: the next run rates it, or `trunkrate suspense retry`"
            }
            _ => hint(reason, subject.detail),
        };
        Cause { id: format!("{reason}:{what}"), words, what_to_do: what_to_do.to_owned() }
    }

    /// The cause by the wrong field and its text.
    fn by_field(&self, reason: Reason, detail: &str, fields: &Fields<'_>) -> (String, String) {
        let record = Record::read(fields, self.policy);
        match reason {
            Reason::MissingField => {
                let field = record.missing_field(fields).map_or("direction", Field::as_str);
                (field.to_owned(), format!("`{field}` is empty"))
            }
            Reason::InvalidTime => {
                let times = [Field::StartTime, Field::EndTime, Field::AnswerTime];
                let (set, zone) = (&self.policy.set_times, self.policy.zone.as_ref());
                let sid = fields.get(Field::Sid);
                let is_set = |field: &Field| {
                    set.instant(sid, (field.as_str(), fields.get(*field)), zone).is_some()
                };
                let unread = |field: &Field| {
                    let text = fields.get(*field);
                    !text.is_empty() && time::parse(text, zone).is_none() && !is_set(field)
                };
                if record.reason.is_none() && times.iter().any(is_set) {
                    return ("set".to_owned(), "a time was set by hand".to_owned());
                }
                let field = times.into_iter().find(unread).unwrap_or(Field::AnswerTime);
                let (name, text) = (field.as_str(), fields.get(field));
                let why =
                    mark_of(reason, detail).map(|mark| format!(": {mark}")).unwrap_or_default();
                (format!("{name}:{}{why}", form(text)), format!("{name} such as `{text}`{why}"))
            }
            Reason::InvalidDuration => {
                let why = duration_mark(&record, fields, self.policy);
                (why.to_owned(), format!("a duration that cannot be: {why}"))
            }
            _ => {
                let status = fields.get(Field::Status);
                (status.to_lowercase(), format!("status is `{status}`"))
            }
        }
    }

    fn no_rate(
        &mut self,
        subject: &Subject<'_>,
        fields: &Fields<'_>,
        priced: Option<&Priced>,
    ) -> Cause {
        let account = fields.get(Field::AccountSid);
        let Some(deck) = subject.deck else {
            return Cause {
                id: format!("{}:account:{account}", Reason::NoRate),
                words: format!("no deck prices the account {account}"),
                what_to_do: "name a deck for it in accounts.csv, or make a deck `default`"
                    .to_owned(),
            };
        };
        let name = self.estimator.deck(deck).name.clone();
        let in_deck = if self.estimator.has_many_decks() {
            format!(" in the deck `{name}`")
        } else {
            String::new()
        };
        let Some(leg) = priced.and_then(|priced| priced.unpriced) else {
            // The rate is there by now, or the parties are not known here.
            return Cause {
                id: format!("{}:{name}", Reason::NoRate),
                words: format!("no price{in_deck}"),
                what_to_do: Reason::NoRate.hint().to_owned(),
            };
        };
        let start = Record::read(fields, self.policy).start;
        let price = match leg.service {
            Direction::Termination => "no price",
            Direction::Origination => "no origination price",
        };
        let (what, lacking, rows) = match self.estimator.lack(deck, &leg, start) {
            Lack::Prefix { prefix } => {
                (prefix.clone(), format!("{price} for +{prefix}"), format!("rows for +{prefix}"))
            }
            Lack::Origin { prefix, origin } => {
                let from = origin
                    .map_or_else(|| "an unknown caller".to_owned(), |origin| format!("+{origin}"));
                let rows = format!("rows for +{prefix} that take calls from {from}");
                (format!("{prefix}:{from}"), format!("{price} for +{prefix} from {from}"), rows)
            }
            Lack::Date { prefix } => {
                let day = time::date_text(start);
                let rows = format!("rows for +{prefix} that are in force then");
                (format!("{prefix}:{day}"), format!("{price} for +{prefix} on {day}"), rows)
            }
            Lack::Emergency => (
                "emergency".to_owned(),
                format!("{price} for emergency calls"),
                "a row for `emergency`".to_owned(),
            ),
        };
        Cause {
            id: format!("{}:{name}:{}:{what}", Reason::NoRate, leg.service),
            words: format!("{lacking}{in_deck}"),
            what_to_do: format!(
                "add {rows} to the deck `{name}`; the next run or `trunkrate suspense retry` \
                 books them"
            ),
        }
    }
}

fn party(text: &str, texts: &mut Interner) -> PartyRef {
    PartyRef::pack(&Party::of_root(text), texts)
}

fn by_account(reason: Reason, account: &str) -> (String, String) {
    let words = match reason {
        Reason::ConflictingDuplicate => format!("several versions of one call, account {account}"),
        Reason::ParentCycle => format!("transfers that are their own ancestors, account {account}"),
        Reason::ParentAccountMismatch => {
            format!("transfers whose parents are of another account than {account}")
        }
        Reason::ChildBeforeParent => {
            format!("transfers that start before their parents, account {account}")
        }
        Reason::ChainedTransfer => format!("transfers of transferred calls, account {account}"),
        Reason::UnlistedAccount => format!("the accounts file does not list {account}"),
        Reason::EmergencyTarget => format!("transfers to emergency numbers, account {account}"),
        _ => format!("{reason}, account {account}"),
    };
    (account.to_owned(), words)
}

fn by_trunk(subject: &Subject<'_>, fields: &Fields<'_>) -> (String, String) {
    let root = subject.root.map_or("", |(_, trunk)| trunk);
    let trunk = if root.is_empty() { fields.get(Field::TrunkSid) } else { root };
    let words = match subject.reason {
        _ if trunk.is_empty() => "transfers that name no trunk".to_owned(),
        Reason::UnknownTrunk => format!("the trunks file has no trunk {trunk}"),
        Reason::TransferDisabled => format!("the trunk {trunk} allows no transfers"),
        _ => format!("the trunk {trunk} allows transfers to SIP only"),
    };
    (trunk.to_owned(), words)
}

fn by_host(reason: Reason, fields: &Fields<'_>) -> (String, String) {
    let refer_to = fields.get(Field::ReferTo);
    let text = if refer_to.is_empty() { fields.get(Field::To) } else { refer_to };
    match Asked::parse(text) {
        Asked::Sip { endpoint, .. } => {
            let host = endpoint_host(&endpoint);
            let words = match reason {
                Reason::AmbiguousTarget => format!(
                    "targets at {host}, the carrier's own host, which is neither PSTN nor SIP"
                ),
                _ => format!("targets at {host} that are no number"),
            };
            (host.to_owned(), words)
        }
        Asked::Number(_) | Asked::Emergency(_) | Asked::Invalid(_) => {
            ("text".to_owned(), "targets that are neither a number nor a SIP address".to_owned())
        }
    }
}

/// The number in a target, whatever its host.
fn number_asked(asked: &Asked) -> Option<Number> {
    match asked {
        Asked::Number(number) | Asked::Sip { user: UserPart::Number(number), .. } => Some(*number),
        _ => None,
    }
}

/// True if the money of a record can be estimated: not if its seconds, start, direction, target or
/// parents are in doubt.
const fn is_priceable(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::MalformedRecord
            | Reason::MissingField
            | Reason::UnknownDirection
            | Reason::InvalidTime
            | Reason::InvalidDuration
            | Reason::NotFinal
            | Reason::InvalidTarget
            | Reason::EmergencyTarget
            | Reason::ParentCycle
    )
}

fn basis(reason: Reason, priced: Priced) -> Basis {
    match reason {
        Reason::ConflictingDuplicate => priced.basis.max(Basis::DearestVersion),
        _ => priced.basis,
    }
}

/// The form of a text: a run of digits becomes `0`, a run of letters `a`.
fn form(text: &str) -> String {
    let mut form = String::new();
    for c in text.chars() {
        let c = match c {
            c if c.is_ascii_digit() => '0',
            c if c.is_alphabetic() => 'a',
            c => c,
        };
        if !(matches!(c, '0' | 'a') && form.ends_with(c)) {
            form.push(c);
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(form("11/20/2026 9:05"), "0/0/0 0:0");
        assert_eq!(form("Nov 20, 2026 10:00 AM"), "a 0, 0 0:0 a");
        assert_eq!(form("20. März 2026"), "0. a 0");
    }
}
