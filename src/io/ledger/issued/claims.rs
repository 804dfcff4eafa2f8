//! Which invoice bills which leg.
//!
//! **Invariant:** a leg is on at most one invoice that stands. An invoice takes all legs of its account and currency that
//! its runs hold up to the end of its period, unless one before it has them; a credit note that asks for them to be billed
//! again lets them go.

use super::{Batch, BatchKind, Entry};
use crate::time::{self, Micros};
use std::collections::{HashMap, HashSet};

/// A month as a number: twelve a year, from the year 0.
pub type Month = i32;

/// The month of a text `YYYY-MM`; months before the year 1 for one that is none.
#[must_use]
pub fn month(text: &str) -> Month {
    let parts = text.split_once('-').and_then(|(year, month)| Some((year.parse::<i32>().ok()?, month.parse::<i32>().ok()?)));
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
    /// The sequence number of the batch that let its legs go.
    released: Option<u64>,
}

/// The claims of all invoices.
#[derive(Debug, Default)]
pub struct Claims<'a> {
    /// By account, then by currency, in the order in which they were issued.
    by_account: HashMap<&'a str, Vec<(&'a str, Vec<Claim<'a>>)>>,
    /// Up to which month accounts were billed: those of batches that were for all, and those of single accounts.
    all_until: Option<Month>,
    issues: Vec<(&'a Batch, Month)>,
}

impl<'a> Claims<'a> {
    /// The claims of what was issued.
    #[must_use]
    pub fn of(issued: &'a [Batch]) -> Self {
        let mut claims = Self::default();
        for batch in issued {
            let m = &batch.manifest;
            let until = month(&m.period);
            if m.kind == BatchKind::Issue {
                claims.issues.push((batch, until));
                if m.accounts.is_none() {
                    claims.all_until = claims.all_until.max(Some(until));
                }
            }
            for entry in &m.entries {
                let own = claims.own_mut(entry);
                match &entry.corrects {
                    None => {
                        let runs = entry.runs.iter().filter_map(|at| m.runs.get(*at)).map(|run| run.run_id.as_str()).collect();
                        own.push(Claim { batch, entry, runs, until, released: None });
                    }
                    Some(number) => {
                        let credited = own.iter_mut().find(|claim| claim.entry.number == *number);
                        if let Some(claim) = credited.filter(|_| entry.rebill) {
                            claim.released = Some(m.sequence);
                        }
                    }
                }
            }
        }
        claims
    }

    fn own_mut(&mut self, entry: &'a Entry) -> &mut Vec<Claim<'a>> {
        let currencies = self.by_account.entry(entry.account_sid.as_str()).or_default();
        let at = currencies.iter().position(|(currency, _)| *currency == entry.currency).unwrap_or_else(|| {
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

    /// Up to which month an account was billed in a currency: what comes for these months now is late.
    #[must_use]
    pub fn billed_until(&self, account: &str, currency: &str) -> Option<Month> {
        let own = self.on(account, currency);
        // A month whose invoice is to be written again is open, unless a later one was billed since.
        let open = |batch: &Batch| {
            own.iter().any(|claim| claim.batch.manifest.sequence == batch.manifest.sequence && claim.released.is_some())
        };
        if own.iter().all(|claim| claim.released.is_none()) && self.issues.iter().all(|(b, _)| b.manifest.accounts.is_none()) {
            return self.all_until;
        }
        let is_for =
            |batch: &Batch| batch.manifest.accounts.as_ref().is_none_or(|accounts| accounts.iter().any(|name| name == account));
        let for_it = self.issues.iter().filter(|(batch, _)| is_for(batch));
        for_it.map(|(batch, until)| if open(batch) { *until - 1 } else { *until }).max()
    }
}

/// Those of an account's claims that ever had a leg, in their order: each but the last let it go.
pub fn takers<'c, 'a>(own: &'c [Claim<'a>], run_id: &'c str, month: Month) -> impl Iterator<Item = &'c Claim<'a>> {
    let mut free_from = Some(0);
    own.iter().filter(move |claim| {
        let takes = free_from.is_some_and(|free| claim.batch.manifest.sequence > free)
            && month <= claim.until
            && claim.runs.contains(run_id);
        if takes {
            free_from = claim.released;
        }
        takes
    })
}

/// The invoice that bills a leg, and stands.
#[must_use]
pub fn standing<'c, 'a>(own: &'c [Claim<'a>], run_id: &'c str, month: Month) -> Option<&'c Claim<'a>> {
    takers(own, run_id, month).last().filter(|claim| claim.released.is_none())
}

impl Claim<'_> {
    /// Whether its legs were let go.
    #[must_use]
    pub const fn is_released(&self) -> bool {
        self.released.is_some()
    }

    /// Whether it bills legs of a run.
    #[must_use]
    pub fn bills(&self, run_id: &str) -> bool {
        self.runs.contains(run_id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchManifest, BilledRun};
    use super::*;
    use std::path::PathBuf;

    fn batch(sequence: u64, period: &str, runs: &[&str]) -> Batch {
        let runs = runs.iter().map(|id| BilledRun { run_id: (*id).into(), ..BilledRun::default() }).collect::<Vec<_>>();
        let entry = Entry {
            number: format!("INV-{sequence}"),
            account_sid: "AC1".into(),
            currency: "USD".into(),
            runs: (0..runs.len()).collect(),
            ..Entry::default()
        };
        let manifest = BatchManifest { sequence, period: period.into(), runs, entries: vec![entry], ..BatchManifest::default() };
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
        let claims = Claims::of(issued);
        takers(claims.on("AC1", "USD"), run, month(text)).map(|claim| claim.entry.number.clone()).collect()
    }

    #[test]
    fn months() {
        assert_eq!(month_text(month("2026-11") + 2), "2027-01");
        assert_eq!(month_of(time::parse_date_or_instant("2026-11-30T23:59:59Z").unwrap()), month("2026-11"));
    }

    #[test]
    fn a_leg_is_on_one_invoice_that_stands() {
        let mut issued = vec![batch(1, "2026-11", &["r1"]), batch(2, "2026-12", &["r1", "r2"])];
        assert_eq!(on(&issued, "r1", "2026-11"), ["INV-1"]);
        assert_eq!(on(&issued, "r1", "2026-12"), ["INV-2"], "of the next month");
        assert_eq!(on(&issued, "r2", "2026-11"), ["INV-2"], "late");
        assert_eq!(on(&issued, "r3", "2026-11"), Vec::<String>::new());
        assert_eq!(Claims::of(&issued).billed_until("AC1", "USD"), Some(month("2026-12")));
        issued.push(credit(3, "INV-1", false));
        issued.push(batch(4, "2026-12", &["r1"]));
        assert_eq!(on(&issued, "r1", "2026-11"), ["INV-1"], "credited, and not to be billed again");
        issued.truncate(2);
        issued.push(credit(3, "INV-1", true));
        assert!(standing(Claims::of(&issued).on("AC1", "USD"), "r1", month("2026-11")).is_none());
        assert_eq!(Claims::of(&issued).billed_until("AC1", "USD"), Some(month("2026-12")));
        issued.push(batch(4, "2026-12", &["r1"]));
        assert_eq!(on(&issued, "r1", "2026-11"), ["INV-1", "INV-4"]);
        assert_eq!(on(&issued, "r1", "2026-12"), ["INV-2"]);
    }

    #[test]
    fn a_month_that_is_to_be_billed_again_is_open() {
        let issued = [batch(1, "2026-11", &["r1"]), credit(2, "INV-1", true)];
        let claims = Claims::of(&issued);
        assert_eq!(claims.billed_until("AC1", "USD"), Some(month("2026-10")));
        assert_eq!(claims.billed_until("AC2", "USD"), Some(month("2026-11")));
    }
}
