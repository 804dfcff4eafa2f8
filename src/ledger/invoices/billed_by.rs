//! Finds the invoice that bills a leg.
//!
//! **Invariant:** a leg is on at most one invoice in force. An invoice takes all legs of its
//! account and currency that its runs hold up to the end of its period, unless an earlier one has
//! them; it is in force until a credit note with re-billing releases its legs.

use crate::ledger::batch::{Batch, BatchKind, Entry};
use crate::time::{self, Micros};
use std::collections::{HashMap, HashSet};

/// A month as a number: twelve a year, from the year 0.
pub type Month = i32;

/// The month of a text `YYYY-MM`; for any other text a month before the year 1.
#[must_use]
pub fn month(text: &str) -> Month {
    let parts = text
        .split_once('-')
        .and_then(|(year, month)| Some((year.parse::<i32>().ok()?, month.parse::<i32>().ok()?)));
    parts.map_or(-1, |(year, month)| year * 12 + month - 1)
}

/// The month of an instant, in UTC.
#[must_use]
pub fn month_of(start: Micros) -> Month {
    month(&time::date_text(start)[..7])
}

/// A month as text.
#[must_use]
pub fn month_text(month: Month) -> String {
    format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1)
}

/// An invoice's claim on legs.
#[derive(Debug)]
pub struct Claim<'a> {
    /// Its batch.
    pub batch: &'a Batch,
    /// The invoice.
    pub entry: &'a Entry,
    runs: HashSet<&'a str>,
    until: Month,
    /// The credit note that released its legs, and the batch of that note.
    released: Option<(&'a Batch, &'a Entry)>,
}

impl Claim<'_> {
    /// True if it is the claim of this invoice, and the invoice takes legs of this run.
    #[must_use]
    pub fn may_bill(&self, number: &str, run_id: &str) -> bool {
        self.entry.number == number && self.runs.contains(run_id)
    }
}

/// The claims of all invoices.
#[derive(Debug, Default)]
pub struct BilledBy<'a> {
    /// By account, then by currency, in the order of issue.
    by_account: HashMap<&'a str, Vec<(&'a str, Vec<Claim<'a>>)>>,
    /// The batches that billed a period as a whole, with their periods.
    issues: Vec<(&'a Batch, Month)>,
}

impl<'a> BilledBy<'a> {
    /// The claims of everything issued.
    #[must_use]
    pub fn of(issued: &'a [Batch]) -> Self {
        let mut claims = Self::default();
        for batch in issued {
            let m = &batch.manifest;
            let until = month(&m.period);
            if m.kind == BatchKind::Issue && !m.supplementary {
                claims.issues.push((batch, until));
            }
            for entry in &m.entries {
                let own = claims.own_mut(entry);
                match &entry.corrects {
                    None => {
                        let runs = entry
                            .runs
                            .iter()
                            .filter_map(|at| m.runs.get(*at))
                            .map(|run| run.run_id.as_str())
                            .collect();
                        own.push(Claim { batch, entry, runs, until, released: None });
                    }
                    Some(number) => {
                        let credited = own.iter_mut().find(|claim| claim.entry.number == *number);
                        if let Some(claim) = credited.filter(|_| entry.rebill) {
                            claim.released = Some((batch, entry));
                        }
                    }
                }
            }
        }
        claims
    }

    fn own_mut(&mut self, entry: &'a Entry) -> &mut Vec<Claim<'a>> {
        let currencies = self.by_account.entry(entry.account_sid.as_str()).or_default();
        let at = currencies
            .iter()
            .position(|(currency, _)| *currency == entry.currency)
            .unwrap_or_else(|| {
                currencies.push((entry.currency.as_str(), Vec::new()));
                currencies.len() - 1
            });
        &mut currencies[at].1
    }

    /// The claims on an account's legs in a currency.
    #[must_use]
    pub fn on(&self, account: &str, currency: &str) -> &[Claim<'a>] {
        let currencies = self.by_account.get(account);
        let own = currencies.and_then(|all| all.iter().find(|(name, _)| *name == currency));
        own.map_or(&[], |(_, claims)| claims)
    }

    /// The last month that an account was billed for in a currency: legs that arrive now for it or
    /// for an earlier month are late.
    ///
    /// A month whose invoice is to be written again is open from then on, unless a later month was
    /// billed before.
    #[must_use]
    pub fn billed_until(&self, account: &str, currency: &str) -> Option<Month> {
        let is_for = |batch: &Batch| {
            batch
                .manifest
                .accounts
                .as_ref()
                .is_none_or(|accounts| accounts.iter().any(|name| name == account))
        };
        let own = self.on(account, currency).iter();
        let opens =
            own.filter(|claim| !claim.batch.manifest.supplementary && !claim.runs.is_empty());
        let mut opened: Vec<(u64, Month)> = opens
            .filter_map(|claim| Some((claim.released?.0.manifest.sequence, claim.until)))
            .collect();
        opened.sort_unstable();
        let mut opened = opened.into_iter().peekable();
        let mut until = None;
        let open = |until: &mut Option<Month>, month| {
            if *until == Some(month) {
                *until = Some(month - 1);
            }
        };
        for (batch, month) in self.issues.iter().filter(|(batch, _)| is_for(batch)) {
            while let Some((_, month)) = opened.next_if(|(at, _)| *at < batch.manifest.sequence) {
                open(&mut until, month);
            }
            until = until.max(Some(*month));
        }
        opened.for_each(|(_, month)| open(&mut until, month));
        until
    }

    /// True if an invoice in force bills the monthly items of an account, in a currency, for a
    /// month.
    #[must_use]
    pub fn has_items(&self, account: &str, currency: &str, month: Month) -> bool {
        self.billing_items(account, currency, month).next().is_some()
    }

    /// The invoices in force that bill an account's monthly items of a month.
    pub fn billing_items(
        &self,
        account: &str,
        currency: &str,
        month: Month,
    ) -> impl Iterator<Item = &Claim<'a>> {
        self.of_items(account, currency, month).filter(|claim| claim.released.is_none())
    }

    /// The currencies in which invoices in force bill an account's monthly items of a month.
    #[must_use]
    pub fn items_in(&self, account: &str, month: Month) -> Vec<&'a str> {
        let own = self.by_account.get(account).into_iter().flatten();
        own.map(|(currency, _)| *currency)
            .filter(|currency| self.has_items(account, currency, month))
            .collect()
    }

    fn of_items(
        &self,
        account: &str,
        currency: &str,
        month: Month,
    ) -> impl Iterator<Item = &Claim<'a>> {
        self.on(account, currency)
            .iter()
            .filter(move |claim| claim.until == month && claim.entry.items > 0)
    }

    /// The credit note with the latest date, and its date, among those that released what is billed
    /// now: legs by their runs and months, and the monthly items of a month. An invoice with an
    /// earlier date would bill them besides the credited one.
    ///
    /// A note with the date of its own invoice is left out: that invoice, perhaps of a wrong date,
    /// was in force for no day.
    pub fn freed_by<'r>(
        &self,
        (account, currency): (&str, &str),
        legs: impl Iterator<Item = (&'r str, Month)>,
        items: Option<Month>,
        stands: impl Fn(&str) -> bool,
    ) -> Option<(&'a str, &'a str)> {
        let own = self.on(account, currency);
        // The legs of an undone run are in another run now, under another name.
        let is_gone = |claim: &&Claim<'_>| claim.runs.iter().any(|run_id| !stands(run_id));
        let gone: Vec<&Claim<'a>> = own.iter().filter(is_gone).collect();
        let of_legs = legs.flat_map(|(run_id, month)| {
            let of_gone = gone.iter().copied().filter(move |claim| month <= claim.until);
            billing(own, run_id, month).chain(of_gone).collect::<Vec<_>>()
        });
        let of_items = items.into_iter().flat_map(|month| self.of_items(account, currency, month));
        let notes = of_legs.chain(of_items).filter_map(|claim| {
            let (batch, note) = claim.released?;
            let date = batch.manifest.date.as_str();
            (date > claim.batch.manifest.date.as_str()).then_some((date, note.number.as_str()))
        });
        notes.max().map(|(date, number)| (number, date))
    }
}

/// The claims of an account that ever had a leg, in their order: each but the last released it.
pub fn billing<'c, 'a>(
    own: &'c [Claim<'a>],
    run_id: &'c str,
    month: Month,
) -> impl Iterator<Item = &'c Claim<'a>> {
    let mut free_from = Some(0);
    own.iter().filter(move |claim| {
        let takes = free_from.is_some_and(|free| claim.batch.manifest.sequence > free)
            && month <= claim.until
            && claim.runs.contains(run_id);
        if takes {
            free_from = claim.released.map(|(batch, _)| batch.manifest.sequence);
        }
        takes
    })
}

/// The invoice in force that bills a leg.
#[must_use]
pub fn uncredited<'c, 'a>(
    own: &'c [Claim<'a>],
    run_id: &'c str,
    month: Month,
) -> Option<&'c Claim<'a>> {
    billing(own, run_id, month).last().filter(|claim| claim.released.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::batch::{BatchManifest, BilledRun};
    use std::path::PathBuf;

    fn batch(sequence: u64, period: &str, runs: &[&str]) -> Batch {
        let runs = runs
            .iter()
            .map(|id| BilledRun { run_id: (*id).into(), ..BilledRun::default() })
            .collect::<Vec<_>>();
        let entry = Entry {
            number: format!("INV-{sequence}"),
            account_sid: "AC1".into(),
            currency: "USD".into(),
            runs: (0..runs.len()).collect(),
            ..Entry::default()
        };
        let manifest = BatchManifest {
            sequence,
            period: period.into(),
            runs,
            entries: vec![entry],
            ..BatchManifest::default()
        };
        Batch { folder: PathBuf::new(), manifest }
    }

    fn credit(sequence: u64, number: &str, rebill: bool) -> Batch {
        let mut batch = batch(sequence, "2026-11", &[]);
        batch.manifest.kind = BatchKind::Credit;
        batch.manifest.entries[0].corrects = Some(number.into());
        batch.manifest.entries[0].rebill = rebill;
        batch
    }

    fn on(issued: &[Batch], run: &str, text: &str) -> Vec<String> {
        let claims = BilledBy::of(issued);
        billing(claims.on("AC1", "USD"), run, month(text))
            .map(|claim| claim.entry.number.clone())
            .collect()
    }

    #[test]
    fn months() {
        assert_eq!(month_text(month("2026-11") + 2), "2027-01");
        assert_eq!(
            month_of(time::parse_date_or_instant("2026-11-30T23:59:59Z").unwrap()),
            month("2026-11")
        );
    }

    #[test]
    fn a_leg_is_on_one_invoice_that_stands() {
        let mut issued = vec![batch(1, "2026-11", &["r1"]), batch(2, "2026-12", &["r1", "r2"])];
        assert_eq!(on(&issued, "r1", "2026-11"), ["INV-1"]);
        assert_eq!(on(&issued, "r1", "2026-12"), ["INV-2"], "of the next month");
        assert_eq!(on(&issued, "r2", "2026-11"), ["INV-2"], "late");
        assert_eq!(on(&issued, "r3", "2026-11"), Vec::<String>::new());
        assert_eq!(BilledBy::of(&issued).billed_until("AC1", "USD"), Some(month("2026-12")));
        issued.push(credit(3, "INV-1", false));
        issued.push(batch(4, "2026-12", &["r1"]));
        assert_eq!(on(&issued, "r1", "2026-11"), ["INV-1"], "credited, and not to be billed again");
        issued.truncate(2);
        issued.push(credit(3, "INV-1", true));
        assert!(
            uncredited(BilledBy::of(&issued).on("AC1", "USD"), "r1", month("2026-11")).is_none()
        );
        assert_eq!(BilledBy::of(&issued).billed_until("AC1", "USD"), Some(month("2026-12")));
        issued.push(batch(4, "2026-12", &["r1"]));
        assert_eq!(on(&issued, "r1", "2026-11"), ["INV-1", "INV-4"]);
        assert_eq!(on(&issued, "r1", "2026-12"), ["INV-2"]);
    }

    #[test]
    fn a_month_that_is_to_be_billed_again_is_open() {
        let issued = [batch(1, "2026-11", &["r1"]), credit(2, "INV-1", true)];
        let claims = BilledBy::of(&issued);
        assert_eq!(claims.billed_until("AC1", "USD"), Some(month("2026-10")));
        assert_eq!(claims.billed_until("AC2", "USD"), Some(month("2026-11")));
        let mut again = batch(3, "2026-11", &["r1"]);
        again.manifest.entries[0].account_sid = "AC2".into();
        let mut issued = issued.to_vec();
        issued.push(again);
        assert_eq!(
            BilledBy::of(&issued).billed_until("AC1", "USD"),
            Some(month("2026-11")),
            "billed again, with the others"
        );
        issued.push(credit(4, "INV-3", true));
        issued[3].manifest.entries[0].account_sid = "AC2".into();
        assert_eq!(
            BilledBy::of(&issued).billed_until("AC2", "USD"),
            Some(month("2026-10")),
            "by whichever batch it was billed"
        );
    }

    #[test]
    fn what_a_credit_note_let_go_is_billed_after_it() {
        let mut issued = vec![batch(1, "2026-11", &["r1"]), credit(2, "INV-1", true)];
        issued[0].manifest.entries[0].items = 1;
        issued[0].manifest.date = "2026-12-01".to_owned();
        issued[1].manifest.date = "2027-01-10".to_owned();
        issued[1].manifest.entries[0].number = "CN-2".to_owned();
        let november = month("2026-11");
        let freed = |issued: &[Batch], run: &'static str, items: Option<Month>| {
            let found = BilledBy::of(issued);
            let freed =
                found.freed_by(("AC1", "USD"), [(run, november)].into_iter(), items, |run| {
                    run != "gone"
                });
            freed.map(|(note, date)| format!("{note} {date}"))
        };
        let note = Some("CN-2 2027-01-10".to_owned());
        assert_eq!([freed(&issued, "r1", None), freed(&issued, "r2", None)], [note.clone(), None]);
        assert_eq!(
            [freed(&issued, "r2", Some(november)), freed(&issued, "r2", Some(november + 1))],
            [note.clone(), None]
        );
        // Billed again, and released on the same day: the first invoice was in force until then all
        // the same.
        issued.extend([batch(3, "2026-11", &["r1"]), credit(4, "INV-3", true)]);
        issued[2].manifest.date = "2027-01-10".to_owned();
        issued[3].manifest.date = "2027-01-10".to_owned();
        assert_eq!(freed(&issued, "r1", None), note);
        issued.truncate(2);
        issued[0].manifest.runs[0].run_id = "gone".to_owned();
        assert_eq!(freed(&issued, "r2", None), note, "the run was undone, and rated again");
        issued[0].manifest.runs[0].run_id = "r1".to_owned();
        issued[0].manifest.date = "2027-01-10".to_owned();
        assert_eq!(freed(&issued, "r1", None), None, "it stood for no day");
    }

    #[test]
    fn what_is_billed_beside_a_period_does_not_close_it() {
        let mut issued = vec![batch(1, "2026-11", &["r1"])];
        issued[0].manifest.supplementary = true;
        assert_eq!(BilledBy::of(&issued).billed_until("AC2", "USD"), None);
    }
}
