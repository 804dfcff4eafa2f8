//! `/customers` and `/customers/{account}`: the month so far, by day and scenario; invoices;
//! numbers.

use crate::document::spend::permille;
use crate::document::usage::billed_minutes;
use crate::ledger::batch;
use crate::money::Total;
use crate::render::charts::{self, ChartHead};
use crate::report::customers::{AccountMonth, Customers, LegSum};
use crate::report::numbers::AccountNumbers;
use crate::serve::asked::{ConsoleRequest, ShownSum, customer_address, decimal};
use crate::serve::context::context;
use crate::serve::http::HttpAnswer;
use crate::serve::kept::KeptValue;
use crate::serve::problem::RequestProblem;
use crate::serve::query::encoded;
use crate::time;
use minijinja::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Customers of a page.
const SHOWN: usize = 100;

/// The customers; `None` while they are being counted.
fn customers_of(asked: &ConsoleRequest<'_>) -> Result<Option<Arc<Customers>>, RequestProblem> {
    match asked.books.customers(&asked.snapshot) {
        KeptValue::Ready(customers) => Ok(Some(customers)),
        KeptValue::Pending => Ok(None),
        KeptValue::Failed(why) => {
            Err(RequestProblem { may_have_moved: true, ..RequestProblem::new(500, why) })
        }
    }
}

/// The month that is asked for; else the newest one that has legs.
fn month_of<'a>(
    asked: &'a ConsoleRequest<'_>,
    customers: &'a Customers,
) -> Result<&'a str, RequestProblem> {
    match asked.query.get("month") {
        Some(month) if time::month_bounds(month).is_some() => Ok(month),
        Some(month) => Err(RequestProblem::new(400, format!("month={month}: expected YYYY-MM"))),
        None => Ok(customers.months().first().copied().unwrap_or("")),
    }
}

/// Months as links.
fn months(customers: &Customers, path: &str, shown: &str) -> Vec<Value> {
    let link = |month: &&str| {
        let href = format!("{path}?month={month}");
        context! { name => month, href, is_on => *month == shown }
    };
    customers.months().iter().map(link).collect()
}

fn sum_of(month: &AccountMonth) -> Result<LegSum, RequestProblem> {
    month.sum().map_err(|_| RequestProblem::new(500, "a sum does not fit"))
}

/// The list of customers.
///
/// # Errors
/// If the query has something else in it, or the ledger cannot be read.
pub fn page(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&["month", "after", "q"]).map_err(|why| RequestProblem::new(400, why))?;
    let Some(customers) = customers_of(asked)? else {
        return asked.pending(
            "/customers",
            "Customers",
            "The legs of all runs are being added up.",
        );
    };
    let month = month_of(asked, &customers)?;
    let mut rows: Vec<(&str, &str, LegSum)> = Vec::new();
    for (account, currency, own) in customers.of_month(month) {
        rows.push((account, currency, sum_of(own)?));
    }
    // The largest of each currency first; two currencies are not compared.
    rows.sort_by(|a, b| {
        (a.1, std::cmp::Reverse(a.2.amount.units()), a.0).cmp(&(
            b.1,
            std::cmp::Reverse(b.2.amount.units()),
            b.0,
        ))
    });
    let mut most: BTreeMap<&str, Total> = BTreeMap::new();
    let mut totals: BTreeMap<&str, Total> = BTreeMap::new();
    for (_, currency, sum) in &rows {
        let top = most.entry(currency).or_insert(sum.amount);
        *top = Total::from_units(top.units().max(sum.amount.units()));
        let added = totals.entry(currency).or_default().merge(sum.amount);
        added.map_err(|_| RequestProblem::new(500, "a sum does not fit"))?;
    }
    if let Some(text) = asked.query.get("q") {
        let text = text.to_lowercase();
        rows.retain(|(account, ..)| {
            account.to_lowercase().contains(&text)
                || asked.name(account).to_lowercase().contains(&text)
        });
    }
    let from = super::waiting::place(asked)?;
    let end = from.saturating_add(SHOWN);
    let next = (end < rows.len())
        .then(|| format!("/customers{}", asked.query.with("after", Some(&end.to_string()))));
    let shown: Vec<Value> = rows
        .iter()
        .skip(from)
        .take(SHOWN)
        .map(|(account, currency, sum)| {
            let share = decimal(sum.amount).zip(decimal(most[currency]));
            context! {
                href => customer_address(account).map(|to| format!("{to}?month={month}")),
                account,
                name => asked.name(account),
                calls => sum.calls,
                minutes => billed_minutes(sum.billed_seconds),
                sum => ShownSum::of(sum.amount, currency),
                share => share.map_or(0, |(own, most)| permille(own, most).min(1000) / 10),
            }
        })
        .collect();
    let sums =
        totals.iter().map(|(currency, sum)| ShownSum::of(*sum, currency)).collect::<Vec<_>>();
    let answer = asked.pages.page(
        200,
        &asked.frame("/customers", "Customers"),
        "customers.html",
        context! {
            month, rows => shown, next, sums,
            count => rows.len(),
            months => months(&customers, "/customers", month),
            query => asked.query.get("q").unwrap_or(""),
        },
    )?;
    Ok(HttpAnswer { tag: asked.tag(), ..answer })
}

/// One customer.
///
/// # Errors
/// If no call, list or invoice has it, or the ledger cannot be read.
pub fn one(asked: &ConsoleRequest<'_>, account: &str) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&["month"]).map_err(|why| RequestProblem::new(400, why))?;
    let Some(customers) = customers_of(asked)? else {
        return asked.pending(
            "/customers",
            "A customer",
            "The legs of all runs are being added up.",
        );
    };
    let own_months: BTreeSet<&str> = customers
        .0
        .keys()
        .filter(|(_, own, _)| own == account)
        .map(|(month, ..)| month.as_str())
        .collect();
    let history = &asked.snapshot.history;
    let issued = invoices(asked, account);
    let name = asked.name(account);
    let waits = super::waiting::waits_of(asked)?;
    let waiting = waits.map(|waits| waits.of_account(account));
    let waits_alone = waiting != Some(0);
    if own_months.is_empty() && issued.is_empty() && name == account && !waits_alone {
        return Err(RequestProblem::none(format!(
            "no call, list or invoice has the account {account}"
        )));
    }
    let month = match asked.query.get("month") {
        None => own_months.last().copied().unwrap_or(""),
        Some(_) => month_of(asked, &customers)?,
    };
    asked.looked([account], 1);
    let mut parts = Vec::new();
    for (number, (_, currency, own)) in
        customers.of_month(month).filter(|(own, ..)| *own == account).enumerate()
    {
        parts.push(part(number, month, currency, own)?);
    }
    let to = customer_address(account);
    let to = to.as_deref().unwrap_or("");
    let links: Vec<Value> = own_months
        .iter()
        .rev()
        .map(|own| {
            let href = format!("{to}?month={own}");
            context! { name => own, href, is_on => *own == month }
        })
        .collect();
    let details = details(asked, account);
    let answer = asked.pages.page(
        200,
        &asked.frame("/customers", &name),
        "customer.html",
        context! {
            numbers_href => (!parts.is_empty()).then(|| format!("{to}/numbers?month={month}")),
            account, name, month, parts, months => links, issued, details, waiting,
            calls_href => format!("/calls?account={}", encoded(account)),
            is_issued => history.issued.iter().any(|batch| {
                batch.manifest.period == month
                    && batch.manifest.entries.iter().any(|entry| entry.account_sid == account)
            }),
        },
    )?;
    // What waits may still be counted: then it is another page soon.
    let tag = waiting.and_then(|_| asked.tag());
    Ok(HttpAnswer { tag, ..answer })
}

/// The numbers of a customer in a month, those with the most calls first.
///
/// # Errors
/// If the query has something else in it, or the ledger cannot be read.
pub fn numbers(asked: &ConsoleRequest<'_>, account: &str) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&["month", "after"]).map_err(|why| RequestProblem::new(400, why))?;
    let month = asked.query.get("month").unwrap_or("");
    if time::month_bounds(month).is_none() {
        return Err(RequestProblem::new(400, format!("month={month}: expected YYYY-MM")));
    }
    let (own, of, period) = (Arc::clone(&asked.snapshot), account.to_owned(), month.to_owned());
    let key = format!("{} {month} {account}", asked.snapshot.head);
    let found = asked.books.numbers.of(&key, move || {
        AccountNumbers::of(&own.history, &of, &period).map_err(|error| error.to_string())
    });
    let found = match found {
        KeptValue::Ready(found) => found,
        KeptValue::Pending => {
            return asked.pending("/customers", "Numbers", "The legs of the month are being read.");
        }
        KeptValue::Failed(why) => {
            let problem = RequestProblem::new(500, why);
            return Err(RequestProblem { may_have_moved: true, ..problem });
        }
    };
    asked.looked([account], 1);
    let setting = &asked.books.setting;
    let mut all: Vec<_> = found.used.iter().collect();
    all.sort_by_key(|(_, own)| std::cmp::Reverse(own.incoming.calls + own.outgoing.calls));
    let from = super::waiting::place(asked)?;
    let end = from.saturating_add(SHOWN);
    let to = customer_address(account).unwrap_or_else(|| "/customers".to_owned());
    let rows: Vec<Value> = all
        .iter()
        .skip(from)
        .take(SHOWN)
        .map(|((number, currency), own)| {
            let side = |sum: &LegSum| {
                context! {
                    calls => sum.calls, minutes => billed_minutes(sum.billed_seconds),
                    sum => ShownSum::of(sum.amount, currency),
                }
            };
            let calls = format!("/calls?account={}&number={}", encoded(account), encoded(number));
            context! {
                number => setting.party(number),
                href => Some(calls).filter(|_| !number.is_empty() && !setting.masks),
                incoming => side(&own.incoming), outgoing => side(&own.outgoing),
            }
        })
        .collect();
    let next = (end < all.len())
        .then(|| format!("{to}/numbers{}", asked.query.with("after", Some(&end.to_string()))));
    let name = asked.name(account);
    let answer = asked.pages.page(
        200,
        &asked.frame("/customers", &format!("Numbers of {name}")),
        "numbers.html",
        context! {
            rows, next, name, month, count => all.len(), left_out => found.left_out,
            customer_href => format!("{to}?month={month}"),
        },
    )?;
    Ok(HttpAnswer { tag: asked.tag(), ..answer })
}

/// A month of a customer in one currency.
fn part(
    number: usize,
    month: &str,
    currency: &str,
    own: &AccountMonth,
) -> Result<Value, RequestProblem> {
    let sum = sum_of(own)?;
    let id = format!("days-{number}");
    let head = ChartHead { id: &id, title: "By day", of: "Day (UTC)", unit: currency };
    let bounds = time::month_bounds(month)
        .map(|(from, to)| [time::date_text(from), time::date_text(to - time::DAY)]);
    let days = || own.days.iter().filter_map(|(day, total)| Some((day.as_str(), decimal(*total)?)));
    let chart = bounds.and_then(|[from, to]| charts::bars_by_day(head, (&from, &to), days()));
    let scenarios: Vec<Value> = own
        .scenarios
        .iter()
        .map(|(scenario, own)| {
            context! {
                scenario, calls => own.calls, legs => own.legs,
                minutes => billed_minutes(own.billed_seconds),
                sum => ShownSum::of(own.amount, currency),
            }
        })
        .collect();
    Ok(context! {
        currency, scenarios,
        sum => ShownSum::of(sum.amount, currency),
        calls => sum.calls, legs => sum.legs,
        minutes => billed_minutes(sum.billed_seconds),
        chart => chart.map(|chart| Value::from_safe_string(charts::figure(&chart))),
    })
}

/// The documents of a customer, the newest first.
fn invoices(asked: &ConsoleRequest<'_>, account: &str) -> Vec<Value> {
    let issued = &asked.snapshot.history.issued;
    let all = issued
        .iter()
        .rev()
        .flat_map(|batch| batch.manifest.entries.iter().rev().map(move |entry| (batch, entry)));
    all.filter(|(_, entry)| entry.account_sid == account)
        .take(SHOWN)
        .map(|(batch, entry)| super::invoices::line(asked, batch, entry))
        .collect()
}

/// What the list of accounts says of a customer.
fn details(asked: &ConsoleRequest<'_>, account: &str) -> Vec<(String, String)> {
    let run = asked.snapshot.history.runs.iter().rev();
    let run = run.clone().find(|run| run.manifest.accounts_hash.is_some());
    let listed = run.and_then(|run| asked.books.lists(run).ok());
    let Some(own) = listed.as_ref().and_then(|lists| lists.accounts.get(account)) else {
        return Vec::new();
    };
    let deck = Some(("deck".to_owned(), own.deck.clone()));
    let rest = own.details.iter().map(|(name, value)| (name.clone(), value.clone()));
    let shown = |(name, value): (String, String)| (name, asked.books.setting.sentence(&value));
    deck.into_iter().chain(rest).filter(|(_, value)| !value.is_empty()).map(shown).collect()
}

/// True if an invoice was credited.
#[must_use]
pub fn is_credited(asked: &ConsoleRequest<'_>, number: &str) -> bool {
    batch::credit_of(&asked.snapshot.history.issued, number).is_some()
}
