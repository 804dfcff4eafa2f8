//! `/`: whether all is well: the last night, the law, what waits, what is odd.

use crate::money::Total;
use crate::render::charts::{self, ChartHead};
use crate::report::Report;
use crate::report::health::words::{ago_text, bytes_text, took_text};
use crate::report::health::{Health, WaitingLines};
use crate::report::lines::{Day, DayVerdict};
use crate::serve::asked::{ConsoleRequest, Moment, ShownSum, call_address, decimal};
use crate::serve::context::context;
use crate::serve::http::HttpAnswer;
use crate::serve::kept::KeptValue;
use crate::serve::problem::RequestProblem;
use crate::serve::query::encoded;
use crate::time::{self, SECOND};
use minijinja::Value;
use serde::Serialize;
use std::sync::Arc;

/// Causes of the page.
const SHOWN: usize = 6;
/// The largest calls of a currency.
const LARGEST: usize = 4;

/// A light: what it says, and where more of it stands.
#[derive(Debug, Serialize)]
struct Light {
    /// `good`, `look`, `bad` or `none`.
    state: &'static str,
    title: &'static str,
    value: String,
    words: String,
    href: &'static str,
}

/// The page.
///
/// # Errors
/// If the query has something in it, or the ledger cannot be read.
pub fn page(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&[]).map_err(|why| RequestProblem::new(400, why))?;
    let setting = &asked.books.setting;
    let waits = match asked.books.waits(&asked.snapshot) {
        KeptValue::Ready(waits) => Some(waits),
        KeptValue::Pending => None,
        KeptValue::Failed(why) => {
            return Err(RequestProblem { may_have_moved: true, ..RequestProblem::new(500, why) });
        }
    };
    let waiting = waits.as_ref().map_or_else(WaitingLines::default, |waits| waits.lines.clone());
    let health = asked.books.health(&asked.snapshot, waiting);
    let (report, failed): (Option<Arc<Report>>, Option<String>) =
        match asked.books.report(&asked.snapshot) {
            Some(KeptValue::Ready(report)) => (Some(report), None),
            Some(KeptValue::Failed(why)) => (None, Some(why)),
            Some(KeptValue::Pending) | None => (None, None),
        };
    let is_empty = asked.snapshot.history.runs.is_empty();
    let is_pending = !is_empty && (waits.is_none() || report.is_none() && failed.is_none());
    let report = report.map(|report| {
        let mut own = Report::clone(&report);
        own.mask(setting.hidden());
        own
    });
    let problems: Vec<Value> = health
        .problems
        .iter()
        .map(|problem| {
            context! {
                id => problem.id.as_str(), message => setting.sentence(&problem.message),
                what_to_do => setting.sentence(&problem.what_to_do),
            }
        })
        .collect();
    let causes: Vec<Value> = health
        .waiting
        .causes
        .iter()
        .take(SHOWN)
        .map(|line| super::waiting::cause(asked, line))
        .collect();
    let mut frame = asked.frame("/", "Tonight");
    frame.reloads = is_pending;
    let answer = asked.pages.page(
        200,
        &frame,
        "tonight.html",
        context! {
            good => health.good,
            headline => setting.sentence(&health.headline),
            problems, causes, failed, is_pending, is_empty,
            lights => lights(&health, report.as_ref(), is_pending),
            more_causes => health.waiting.causes.len().saturating_sub(SHOWN),
            waiting => ShownSum::all(&health.waiting.estimate),
            last => last(asked, &health),
            running => health.running.as_ref().map(|running| context! {
                began => time::parse_date_or_instant(&running.began)
                    .map(|at| Moment::of(at, &asked.clock())),
                command => running.command,
            }),
            report => report.as_ref().map(|report| told(asked, report)),
            zone => asked.clock().zone_name(),
        },
    )?;
    Ok(if is_pending { answer.with("Refresh", "2") } else { answer })
}

/// The last good night.
fn last(asked: &ConsoleRequest<'_>, health: &Health) -> Option<Value> {
    let last = health.last_run.as_ref()?;
    let clock = asked.clock();
    let took = last.command.as_ref().and_then(|command| command.duration_ms);
    Some(context! {
        run => last.run_id,
        href => last.run_id.as_ref().map(|id| format!("/nights/{}", encoded(id))),
        booked => time::parse_date_or_instant(&last.booked).map(|at| Moment::of(at, &clock)),
        ago => ago_text(last.age_seconds.saturating_mul(SECOND)),
        took => took.map(took_text),
        by => last.command.as_ref().map(|command| format!("{}@{}", command.user, command.host)),
        sums => last.amount.iter()
            .map(|(currency, amount)| {
                ShownSum { amount: amount.clone(), currency: currency.clone() }
            })
            .collect::<Vec<_>>(),
        legs => last.legs,
    })
}

fn lights(health: &Health, report: Option<&Report>, is_pending: bool) -> Vec<Light> {
    let mut all = Vec::new();
    let has =
        |ids: &[&str]| health.problems.iter().any(|problem| ids.contains(&problem.id.as_str()));
    let nights = [
        "run-never-ended",
        "last-run-failed",
        "run-stuck",
        "no-run",
        "run-overdue",
        "clock",
        "ledger-missing",
        "ledger-unreadable",
    ];
    all.push(match &health.last_run {
        Some(last) => Light {
            state: if has(&nights) { "bad" } else { "good" },
            title: "Last good night",
            value: ago_text(last.age_seconds.saturating_mul(SECOND)),
            words: last.run_id.clone().unwrap_or_else(|| "nothing new".to_owned()),
            href: "/nights",
        },
        None => Light {
            state: "bad",
            title: "Last good night",
            value: "never".to_owned(),
            words: "`trunkrate run` books one".to_owned(),
            href: "/nights",
        },
    });
    if let Some(report) = report {
        all.push(Light {
            state: if report.law.holds { "good" } else { "bad" },
            title: "The law",
            value: if report.law.holds { "holds" } else { "broken" }.to_owned(),
            words: "every record of the night ended in one class".to_owned(),
            href: "/#law",
        });
    }
    if !is_pending {
        let records = health.waiting.records;
        all.push(Light {
            state: if records == 0 { "good" } else { "look" },
            title: "Waiting",
            value: if records == 0 {
                "nothing".to_owned()
            } else {
                crate::report::causes::calls(records).replace(" call", " record")
            },
            words: match health.waiting.causes.len() {
                0 => "nothing is in suspense".to_owned(),
                1 => "for one cause".to_owned(),
                many => format!("for {many} causes"),
            },
            href: "/waiting",
        });
    }
    if let Some(report) = report {
        let found = report.findings.iter().filter(|finding| finding.count > 0).count();
        let odd = days(report).filter(|day| is_odd(day)).count();
        let said = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        all.push(Light {
            state: if found + odd == 0 { "good" } else { "look" },
            title: "Anomalies",
            value: if found + odd == 0 { "none".to_owned() } else { (found + odd).to_string() },
            words: format!(
                "{}, {}",
                said(found, "finding", "findings"),
                said(odd, "day not as usual", "days not as usual")
            ),
            href: "/#odd",
        });
    }
    if let Some(disk) = health.disk {
        all.push(Light {
            state: if has(&["disk-short"]) { "bad" } else { "good" },
            title: "Disk",
            value: bytes_text(disk.free_bytes),
            words: if disk.needed_bytes == 0 {
                "free".to_owned()
            } else {
                format!("free; a night takes {}", bytes_text(disk.needed_bytes))
            },
            href: "/nights",
        });
    }
    all.push(match &health.verified {
        Some(proof) => Light {
            state: if proof.good { "good" } else { "bad" },
            title: "Proved",
            value: ago_text(proof.age_seconds.saturating_mul(SECOND)),
            words: if proof.good { "no law was broken" } else { "`verify` found it broken" }
                .to_owned(),
            href: "/nights",
        },
        None => Light {
            state: "none",
            title: "Proved",
            value: "never".to_owned(),
            words: "`trunkrate verify` proves all of it".to_owned(),
            href: "/nights",
        },
    });
    all
}

fn days(report: &Report) -> impl Iterator<Item = &Day> {
    report.timelines.iter().flat_map(|timeline| &timeline.days)
}

fn is_odd(day: &Day) -> bool {
    matches!(day.verdict, DayVerdict::Low | DayVerdict::High)
}

/// What the report of the last run says.
fn told(asked: &ConsoleRequest<'_>, report: &Report) -> Value {
    let term = |own: &crate::report::Term| {
        context! { name => own.name, records => own.count.records, seconds => own.count.seconds }
    };
    let charts: Vec<Value> = report
        .timelines
        .iter()
        .enumerate()
        .filter_map(|(number, timeline)| {
            let id = format!("days-{number}");
            let title = format!("Booked by day, {}", timeline.currency);
            let head =
                ChartHead { id: &id, title: &title, of: "Day (UTC)", unit: &timeline.currency };
            let (first, last) = (timeline.all.first()?, timeline.all.last()?);
            let own = timeline.all.iter().filter(|day| day.amount != Total::default());
            let values = own.filter_map(|day| Some((day.date.as_str(), decimal(day.amount)?)));
            let chart = charts::bars_by_day(head, (&first.date, &last.date), values)?;
            Some(Value::from_safe_string(charts::figure(&chart)))
        })
        .collect();
    let clock = asked.clock();
    let largest: Vec<Value> = report
        .largest
        .iter()
        .flat_map(|of| of.calls.iter().take(LARGEST).map(|call| (call, of.currency.as_str())))
        .map(|(call, currency)| {
            context! {
                href => call_address(&call.call_sid), sid => call.call_sid,
                account => asked.name(&call.account_sid), from => call.from, to => call.to,
                start => time::parse_date_or_instant(&call.start).map(|at| Moment::of(at, &clock)),
                sum => ShownSum::of(call.amount, currency),
            }
        })
        .collect();
    if !largest.is_empty() {
        let calls = || report.largest.iter().flat_map(|of| of.calls.iter().take(LARGEST));
        asked.looked(calls().map(|call| call.account_sid.as_str()), calls().count());
    }
    let found: Vec<Value> = report
        .findings
        .iter()
        .filter(|finding| finding.count > 0)
        .map(|finding| {
            context! {
                title => finding.title, count => finding.count, of => finding.of,
                unit => finding.unit, why => finding.why, what_to_do => finding.what_to_do,
                examples => finding.examples.iter().take(2).map(|own| context! {
                    href => call_address(&own.call_sid), text => own.text, sid => own.call_sid,
                }).collect::<Vec<_>>(),
            }
        })
        .collect();
    let odd: Vec<&str> = days(report)
        .filter(|day| is_odd(day) || day.verdict == DayVerdict::Open)
        .map(|day| day.words.as_str())
        .collect();
    context! {
        came => report.law.came.iter().map(term).collect::<Vec<_>>(),
        ended => report.law.ended.iter().map(term).collect::<Vec<_>>(),
        holds => report.law.holds,
        looked_for => report.findings.len(),
        charts, largest, found, odd,
        run => report.run.run_id,
        href => format!("/nights/{}", encoded(&report.run.run_id)),
        amounts => ShownSum::all(&report.amounts),
        legs => report.legs,
    }
}
