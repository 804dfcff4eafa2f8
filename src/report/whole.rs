//! A complete report, before it is drawn.

use super::causes::CauseLine;
use super::lines::{
    Callers, CarrierLine, ClassLine, Finding, Largest, Law, Money, ReasonLine, RecordCount,
    ReportHead, ScenarioLine, Timeline,
};
use crate::mask;
use serde::Serialize;
use std::collections::BTreeMap;

/// The name and version of this layout, in every report.
pub const SCHEMA: &str = "trunkrate-report/1";

/// The report of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The layout: `trunkrate-report/1`.
    pub schema: &'static str,
    /// The run and its inputs.
    pub run: ReportHead,
    /// When it was booked, and what failed since, as far as the journal knew when the report was
    /// written: nothing that is hashed depends on it.
    pub night: Option<Printed>,
    /// The law of conservation, and whether it holds: every record ended in one class.
    pub law: Law,
    /// Records, seconds and money by class.
    pub classes: Vec<ClassLine>,
    /// Ignored records by their direction.
    pub ignored_by_direction: BTreeMap<String, u64>,
    /// Booked calls by scenario, in the order of the published table.
    pub scenarios: Vec<ScenarioLine>,
    /// The number of booked legs.
    pub legs: u64,
    /// Their sum by currency.
    pub amounts: Vec<Money>,
    /// The suspended records after the run.
    pub suspense: Suspense,
    /// The records that the run wrote off, by the reason for their suspense.
    pub written_off: Vec<ReasonLine>,
    /// Amounts by day, per currency.
    pub timelines: Vec<Timeline>,
    /// The calls with the greatest amounts, per currency.
    pub largest: Vec<Largest>,
    /// The callers, as far as they decide the price.
    pub callers: Callers,
    /// The carrier's prices compared with ours, per currency.
    pub carrier: Vec<CarrierLine>,
    /// All checks, including those that found nothing.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Hides the last digits of every telephone number in it.
    pub fn mask(&mut self, digits: usize) {
        let hide = |text: &mut String| *text = mask::sentence(text, digits);
        for call in self.largest.iter_mut().flat_map(|of_currency| &mut of_currency.calls) {
            call.from = mask::party(&call.from, digits);
            call.to = mask::party(&call.to, digits);
        }
        let waiting = &mut self.suspense;
        waiting.causes.iter_mut().for_each(|cause| hide(&mut cause.cause));
        waiting.causes.iter_mut().for_each(|cause| hide(&mut cause.words));
        waiting.causes.iter_mut().for_each(|cause| hide(&mut cause.what_to_do));
        let of_causes = waiting.causes.iter_mut().flat_map(|cause| &mut cause.samples);
        let of_reasons = waiting
            .reasons
            .iter_mut()
            .chain(&mut self.written_off)
            .flat_map(|line| &mut line.samples);
        for sample in of_causes.chain(of_reasons) {
            hide(&mut sample.detail);
            hide(&mut sample.closed_because);
        }
        self.findings
            .iter_mut()
            .flat_map(|finding| &mut finding.examples)
            .for_each(|example| hide(&mut example.text));
        self.run.reason.iter_mut().chain(&mut self.run.undone).for_each(hide);
    }
}

/// The facts that the journal adds to a report when it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Printed {
    /// When the run was booked.
    pub booked: Option<String>,
    /// By whom.
    pub by: Option<String>,
    /// The duration of that in milliseconds.
    pub duration_ms: Option<u64>,
    /// The last night, in words, if it failed or never ended, and none went well since.
    pub failed_since: Option<String>,
}

/// The suspended records: before, during and after a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Suspense {
    /// The suspense before the run.
    pub opening: RecordCount,
    /// The newly suspended records.
    pub new: RecordCount,
    /// The records that left suspense other than by write-off.
    pub taken_up: RecordCount,
    /// The write-offs.
    pub closed: RecordCount,
    /// The suspense after the run.
    pub closing: RecordCount,
    /// The suspended records by cause, the most money first.
    pub causes: Vec<CauseLine>,
    /// The suspended records by reason, in the order of reasons.
    pub reasons: Vec<ReasonLine>,
}

#[cfg(test)]
mod tests {
    use super::super::lines::rerate_command;
    use super::*;

    #[test]
    fn a_command_runs_nothing_else() {
        let command = |sid| rerate_command(sid).unwrap_or_else(|| "none".to_owned());
        assert_eq!(
            command("CA20261120000000000000000000000101"),
            "trunkrate rerate CA20261120000000000000000000000101"
        );
        assert_eq!(command("CA1; rm -rf ~"), "trunkrate rerate 'CA1; rm -rf ~'");
        assert_eq!(command("a'$(id)'b"), r"trunkrate rerate 'a'\''$(id)'\''b'");
        assert_eq!(command("--ledger=/x"), "trunkrate rerate -- '--ledger=/x'");
        assert_eq!(command("-x"), "trunkrate rerate -- -x");
        assert_eq!(command("CA1\u{1b}[2J"), "none");
        assert_eq!(command("CA1\n"), "none");
        assert_eq!(command("CA1\u{202e}"), "none");
        assert_eq!(command(""), "none");
    }

    #[test]
    fn the_law_is_records_and_seconds() {
        let law = |rated| {
            Law::of(|name| match name {
                "read" => RecordCount { records: 2, seconds: 70 },
                "rated" => rated,
                "suspended" => RecordCount { records: 1, seconds: 9 },
                _ => RecordCount::default(),
            })
        };
        assert!(law(RecordCount { records: 1, seconds: 61 }).holds);
        assert!(!law(RecordCount { records: 1, seconds: 60 }).holds);
        assert!(!law(RecordCount { records: 0, seconds: 61 }).holds);
    }
}
