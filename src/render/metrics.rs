//! The health of a ledger as text of the `OpenMetrics` form, for a textfile collector of
//! Prometheus.
//!
//! **Invariants.** Every family has its `HELP`, its `TYPE` (gauges only: what collectors of the
//! older text format read too) and, where its name ends in one, its `UNIT`; the text ends with `#
//! EOF`. Times are instants, never ages, which would stand still while nobody writes the file.
//! Amounts are the ledger's own decimals.

use crate::report::health::{Health, Trouble};
use crate::time::{self, Micros, SECOND};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The text.
#[must_use]
pub fn metrics(health: &Health) -> String {
    let mut text = MetricsText::default();
    let flag = |is: bool| u64::from(is).to_string();
    text.one("trunkrate_good", "", "1 if nothing is wrong", &flag(health.good));
    text.many(
        "trunkrate_problem",
        "",
        "1 for each trouble that there is, 0 for the others",
        Trouble::ALL.iter().map(|id| {
            let is_there = health.problems.iter().any(|problem| problem.id == *id);
            (vec![("id", id.as_str().to_owned())], flag(is_there))
        }),
    );
    let info = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    text.many(
        "trunkrate_build",
        "",
        "1, with the version that wrote this",
        [(info, "1".to_owned())],
    );
    text.at("trunkrate_status_timestamp", "When this was written", Some(&health.now));
    nights(&mut text, health);
    waiting(&mut text, health);
    text.one(
        "trunkrate_set_aside_files",
        "",
        "Call files that were refused and are not mended",
        &health.set_aside.len().to_string(),
    );
    if let Some(verified) = &health.verified {
        text.one(
            "trunkrate_verify_good",
            "",
            "1 if the last proof broke no law",
            &flag(verified.good),
        );
        let ended = verified.command.ended.as_deref();
        text.at("trunkrate_last_verify_timestamp", "When the last proof ended", ended);
    }
    if let Some(disk) = health.disk {
        text.one(
            "trunkrate_disk_free_bytes",
            "bytes",
            "Free on the ledger's disk",
            &disk.free_bytes.to_string(),
        );
        text.one(
            "trunkrate_disk_needed_bytes",
            "bytes",
            "What the next night may take of it",
            &disk.needed_bytes.to_string(),
        );
    }
    text.text.push_str("# EOF\n");
    text.text
}

fn nights(text: &mut MetricsText, health: &Health) {
    let began = health.running.as_ref().map(|running| running.began.as_str());
    text.at("trunkrate_running_since_timestamp", "When the command that is going on began", began);
    let failed = health.last_failure.as_ref().and_then(|failed| failed.ended.as_deref());
    text.at(
        "trunkrate_last_failure_timestamp",
        "When a night last failed; if none ever did, another command",
        failed,
    );
    let Some(last) = &health.last_run else { return };
    let booked = Some(last.booked.as_str());
    text.at("trunkrate_last_success_timestamp", "When the last good night was booked", booked);
    if let Some(took) = last.command.as_ref().and_then(|command| command.duration_ms) {
        text.one(
            "trunkrate_last_run_duration_seconds",
            "seconds",
            "How long the last good night took",
            &thousandths(took.into()),
        );
    }
    text.many(
        "trunkrate_last_run_records",
        "",
        "Records of the last good night, by class",
        labelled("class", last.records.iter().map(|(class, count)| (class, count.to_string()))),
    );
    text.one("trunkrate_last_run_legs", "", "Legs that it booked", &last.legs.to_string());
    text.many(
        "trunkrate_last_run_amount",
        "",
        "The sum of those legs, by currency",
        labelled("currency", last.amount.iter().map(|(currency, sum)| (currency, sum.clone()))),
    );
    text.one(
        "trunkrate_last_run_bytes",
        "bytes",
        "What its files take on disk",
        &last.bytes.to_string(),
    );
}

fn waiting(text: &mut MetricsText, health: &Health) {
    let mut records: BTreeMap<&String, u64> = BTreeMap::new();
    for line in &health.waiting.causes {
        *records.entry(&line.reason).or_insert(0) += line.count.records;
    }
    text.one(
        "trunkrate_waiting_records",
        "",
        "Records that wait",
        &health.waiting.records.to_string(),
    );
    text.many(
        "trunkrate_waiting_reason_records",
        "",
        "Records that wait, by reason",
        labelled("reason", records.into_iter().map(|(reason, count)| (reason, count.to_string()))),
    );
    text.many(
        "trunkrate_waiting_estimate",
        "",
        "What they may come to, by currency; an estimate",
        labelled(
            "currency",
            health.waiting.estimate.iter().map(|sum| (&sum.currency, sum.amount.to_string())),
        ),
    );
}

/// The labels and the value of a sample.
type MetricSample = (Vec<(&'static str, String)>, String);

fn labelled<'a>(
    label: &'static str,
    values: impl Iterator<Item = (&'a String, String)>,
) -> impl Iterator<Item = MetricSample> {
    values.map(move |(name, value)| (vec![(label, name.clone())], value))
}

#[derive(Default)]
struct MetricsText {
    text: String,
}

impl MetricsText {
    /// A family of one sample without labels.
    fn one(&mut self, name: &str, unit: &str, help: &str, value: &str) {
        self.many(name, unit, help, [(Vec::new(), value.to_owned())]);
    }

    /// A family that is one instant, in seconds since 1970; nothing if there is none.
    fn at(&mut self, name: &str, help: &str, at: Option<&str>) {
        if let Some(at) = at.and_then(time::parse_date_or_instant) {
            self.one(&format!("{name}_seconds"), "seconds", help, &seconds(at));
        }
    }

    /// A family; nothing if it has no sample.
    fn many(
        &mut self,
        name: &str,
        unit: &str,
        help: &str,
        samples: impl IntoIterator<Item = MetricSample>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let _ = writeln!(self.text, "# HELP {name} {}", escaped(help));
        let _ = writeln!(self.text, "# TYPE {name} gauge");
        if !unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
            let labels =
                if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.text, "{name}{labels} {value}");
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// An instant in seconds, with its thousandths.
fn seconds(at: Micros) -> String {
    thousandths(i128::from(at.div_euclid(SECOND / 1000)))
}

fn thousandths(of: i128) -> String {
    let sign = if of < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", of.abs() / 1000, of.abs() % 1000)
}
