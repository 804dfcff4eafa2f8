//! A request, with the state of the ledger that it is answered from.

use super::answered::ShownCalls;
use super::books::{ConsoleBooks, Snapshot};
use super::context::context;
use super::http::HttpAnswer;
use super::page::{PageEngine, PageFrame};
use super::problem::RequestProblem;
use super::query::{UrlQuery, encoded};
use crate::money::Total;
use crate::report::lines::Money;
use crate::time::local::Clock;
use crate::time::{self, Micros};
use rust_decimal::Decimal;
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A request.
pub struct ConsoleRequest<'a> {
    /// The ledger, and what is kept of it.
    pub books: &'a ConsoleBooks,
    /// The engine of pages.
    pub pages: &'a PageEngine,
    /// The state that it is answered from.
    pub snapshot: Arc<Snapshot>,
    /// The newest run, if the state is the one before it: its sums are not there yet.
    pub newer_run: Option<String>,
    /// Its query.
    pub query: UrlQuery,
    /// Its path and query, as they came.
    pub address: String,
    /// The address that asks.
    pub peer: String,
    /// Whose calls its answer shows.
    pub looks: RefCell<Vec<ShownCalls>>,
}

impl ConsoleRequest<'_> {
    /// The clock that times are shown by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let setting = &self.books.setting;
        let zone = setting.zone.clone().or_else(|| self.snapshot.zone.clone());
        Clock::new(zone, (setting.now)())
    }

    /// What stands around a page.
    #[must_use]
    pub fn frame(&self, place: &'static str, title: &str) -> PageFrame {
        PageFrame {
            title: title.to_owned(),
            place,
            search: String::new(),
            reloads: false,
            run: self.snapshot.history.last().map(|last| last.run_id.clone()),
            newer_run: self.newer_run.clone(),
            masks: self.books.setting.masks,
            has_menu: true,
        }
    }

    /// A page of which another part is still computed: it comes by itself.
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn pending(
        &self,
        place: &'static str,
        title: &str,
        what: &str,
    ) -> Result<HttpAnswer, RequestProblem> {
        let frame = PageFrame { reloads: true, ..self.frame(place, title) };
        let answer = self.pages.page(200, &frame, "pending.html", context! { what })?;
        Ok(answer.with("Refresh", "2"))
    }

    /// The tag of an answer that depends on the state of the ledger, its address and the date.
    #[must_use]
    pub fn tag(&self) -> Option<String> {
        let clock = self.clock();
        let date = clock.date((self.books.setting.now)());
        let masks = self.books.setting.masks;
        let rest = format!("{} {date} {masks} {}", self.address, self.pages.tag());
        let rest = &blake3::hash(rest.as_bytes()).to_hex()[..16];
        Some(format!("\"{}.{rest}\"", self.snapshot.head))
    }

    /// Notes whose calls are shown.
    pub fn looked<'t>(&self, accounts: impl IntoIterator<Item = &'t str>, shown: usize) {
        let accounts: BTreeSet<String> =
            accounts.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect();
        self.books.looked(&self.peer, &self.address, &accounts, shown);
        self.looks.borrow_mut().push((accounts, shown));
    }

    /// The answer that was given to the same question on the same state, shown again.
    #[must_use]
    pub fn answered(&self) -> Option<HttpAnswer> {
        let given = self.books.answers.of(&self.tag()?)?;
        for (accounts, shown) in &given.looks {
            self.books.looked(&self.peer, &self.address, accounts, *shown);
        }
        Some(given.answer.clone())
    }

    /// The name of an account; its id if it has none.
    #[must_use]
    pub fn name(&self, account: &str) -> String {
        self.snapshot.names.name(account).to_owned()
    }
}

/// The address of a call; none of one whose id is too long to be an address.
#[must_use]
pub fn call_address(sid: &str) -> Option<String> {
    address("/calls/", sid)
}

/// The address of a customer.
#[must_use]
pub fn customer_address(account: &str) -> Option<String> {
    address("/customers/", account)
}

/// The longest address that is led to: a longer one is refused by servers and proxies.
const LONGEST: usize = 2000;

fn address(start: &str, id: &str) -> Option<String> {
    let address = format!("{start}{}", encoded(id));
    (!id.is_empty() && address.len() <= LONGEST).then_some(address)
}

/// An amount, as pages print it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownSum {
    /// The exact decimal.
    pub amount: String,
    /// The currency.
    pub currency: String,
}

impl ShownSum {
    /// A sum.
    #[must_use]
    pub fn of(amount: Total, currency: &str) -> Self {
        Self { amount: amount.to_string(), currency: currency.to_owned() }
    }

    /// Sums of several currencies.
    #[must_use]
    pub fn all(sums: &[Money]) -> Vec<Self> {
        sums.iter().map(|sum| Self::of(sum.amount, &sum.currency)).collect()
    }
}

/// An amount as a decimal with the decimals that it is shown with.
#[must_use]
pub fn decimal(amount: Total) -> Option<Decimal> {
    Decimal::from_str_exact(&amount.to_string()).ok()
}

/// A time, as pages print it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// The instant, for programs.
    pub iso: String,
    /// Its date on the clock.
    pub date: String,
    /// Its time of day there.
    pub time: String,
}

impl Moment {
    /// An instant by a clock.
    #[must_use]
    pub fn of(at: Micros, clock: &Clock) -> Self {
        let text = clock.text(at);
        let (date, rest) = text.split_once(' ').unwrap_or((&text, ""));
        // Microseconds are in the instant beside it.
        let time = rest.split_once('.').map_or(rest, |(whole, _)| whole);
        Self { iso: time::text(at), date: date.to_owned(), time: time.to_owned() }
    }
}

/// A length of time, as `1:02:03` or `2:03`.
#[must_use]
pub fn length(seconds: u32) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{rest:02}")
    } else {
        format!("{minutes}:{rest:02}")
    }
}
