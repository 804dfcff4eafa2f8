//! The resources that a night of a given size takes: on one machine, and on Spark.
//!
//! Owns the measured [`Figures`], which `make bench` writes to `benches/figures.json`, and the
//! arithmetic on them.
//!
//! **Invariant:** integers only, rounded up; a step shows all the figures that went into it.
//! Nothing is assumed to be faster than measured: more cores than those of a measurement save
//! nothing here.

use serde::Deserialize;

/// The measured figures: of the benchmark, or of the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Nights on one machine, from the smallest to the largest.
    pub one_machine: Vec<Measured>,
    /// The least memory that a night takes.
    pub least_memory: LeastMemory,
    /// The disk space that a night takes.
    pub disk: NightDisk,
    /// The cost of rating on Spark.
    pub spark: Spark,
}

/// A night rated by `trunkrate run`, as measured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Its calls.
    pub calls: u64,
    /// The form of its call files.
    pub how: String,
    /// CPU time, in milliseconds.
    pub cpu_ms: u64,
    /// Time, in milliseconds, with everything on the disk.
    pub wall_ms: u64,
    /// Memory at most, in MiB.
    pub peak_mib: u64,
    /// The date and the machine.
    pub source: String,
}

/// The least memory that a night takes: with `--memory 512MiB`, where rows that do not fit spill to
/// disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeastMemory {
    /// With this number of calls, in MiB.
    pub mib: u64,
    /// The number of those calls.
    pub calls: u64,
    /// For each further call, in bytes.
    pub bytes_a_call: u64,
    /// The place where the figure is published.
    pub source: String,
}

/// The disk space that a night takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NightDisk {
    /// The ledger's share for each call, in bytes.
    pub ledger_bytes_a_call: u64,
    /// The spill file's share for each call while a night is rated, in bytes: a packed record.
    pub waiting_bytes_a_call: u64,
    /// The place where the figure is published.
    pub source: String,
}

/// The cost of rating on Spark: a night read, joined, rated, checked and published.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spark {
    /// Rows of the measurement.
    pub rows: u64,
    /// CPU time of driver, executors and Python together, with the output as Parquet, in
    /// milliseconds.
    pub cpu_ms: u64,
    /// The time from nothing to a warm session with its first query done, in milliseconds.
    pub start_ms: u64,
    /// The number of cores that do the work of one thread of trunkrate.
    pub cores_a_thread: u64,
    /// The place where the figure is published.
    pub source: String,
}

impl Figures {
    /// The figures that the program's own benchmark measured.
    ///
    /// # Panics
    /// If `benches/figures.json` does not hold them: a test reads it.
    #[must_use]
    pub fn of_program() -> Self {
        Self::parse(include_str!("../benches/figures.json"))
            .expect("figures that the benchmark wrote")
    }

    /// Reads figures.
    ///
    /// # Errors
    /// What is missing, unknown, or cannot be reckoned with.
    pub fn parse(text: &str) -> Result<Self, String> {
        let figures: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let nights = &figures.one_machine;
        if nights.is_empty() {
            return Err("one_machine has no night; expected at least one".to_owned());
        }
        if !nights.is_sorted_by(|a, b| a.calls < b.calls) {
            return Err("one_machine is not in the order of its calls".to_owned());
        }
        let zero = nights.iter().any(|night| night.calls == 0 || night.wall_ms == 0);
        if zero || figures.spark.rows == 0 {
            return Err("calls, wall_ms and rows are more than 0".to_owned());
        }
        Ok(figures)
    }
}

/// The most records that one run can take.
pub const MOST_CALLS: u64 = u32::MAX as u64 - 1;

/// The question: a night and a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedNight {
    /// Calls of a night.
    pub calls: u64,
    /// Hours within which it must be booked.
    pub hours: u64,
    /// Cores of the machine.
    pub cores: u64,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
}

/// A line of arithmetic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The name of the result.
    pub name: &'static str,
    /// The arithmetic.
    pub formula: String,
    /// The result, with its unit.
    pub result: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The measurement that it is based on.
    pub measured: Measured,
    /// On one machine.
    pub machine: Vec<Step>,
    /// On Spark.
    pub spark: Vec<Step>,
    /// The reasons why one machine is not enough; empty if it is.
    pub too_much: Vec<String>,
    /// CPU time on one machine, in milliseconds.
    pub cpu_ms: u128,
    /// Time on one machine, in milliseconds.
    pub time_ms: u128,
    /// The least memory, in MiB.
    pub memory_mib: u128,
    /// Ledger of a night, in bytes.
    pub ledger_bytes: u128,
    /// The most that spills to disk meanwhile, in bytes.
    pub waiting_bytes: u128,
    /// Cores that Spark needs for the same window; `None` if its start alone takes longer.
    pub spark_cores: Option<u128>,
    /// The number of cores with which Spark is as fast as the machine.
    pub spark_cores_as_fast: u128,
}

/// Plans a night by what was measured.
///
/// # Panics
/// If the figures have no night on one machine: [`Figures::parse`] refuses them.
#[must_use]
pub fn plan(figures: &Figures, asked: PlannedNight) -> Plan {
    let PlannedNight { calls, hours, cores, memory_bytes } = asked;
    let Figures { one_machine, least_memory, disk, spark: on_spark } = figures;
    let largest = one_machine.last().expect("figures have a night");
    let measured = one_machine.iter().find(|night| night.calls >= calls).unwrap_or(largest).clone();
    let window_ms = u128::from(hours) * 3_600_000;
    let n = grouped(calls.into());
    let per = |whole_ms: u64| {
        format!("{n} calls × {} / {}", seconds(whole_ms.into()), grouped(measured.calls.into()))
    };

    let cpu_ms = share(calls, measured.cpu_ms, measured.calls);
    let wall_ms = share(calls, measured.wall_ms, measured.calls);
    let alone_ms = cpu_ms.div_ceil(cores.into());
    let time_ms = wall_ms.max(alone_ms);
    let more = calls.saturating_sub(least_memory.calls);
    let memory_mib = u128::from(least_memory.mib)
        + (u128::from(more) * u128::from(least_memory.bytes_a_call)).div_ceil(1 << 20);
    let ledger_bytes = u128::from(calls) * u128::from(disk.ledger_bytes_a_call);
    let waiting_bytes = u128::from(calls) * u128::from(disk.waiting_bytes_a_call);
    let step = |name, formula: String, result: String| Step { name, formula, result };
    let machine = vec![
        step("CPU", per(measured.cpu_ms), seconds(cpu_ms)),
        step("as measured", per(measured.wall_ms), seconds(wall_ms)),
        step(
            "time",
            format!("the longer of {} and {} / {cores} cores", seconds(wall_ms), seconds(cpu_ms)),
            seconds(time_ms),
        ),
        step(
            "of the window",
            format!("{} of {hours} h = {}", seconds(time_ms), seconds(window_ms)),
            percent(time_ms, window_ms),
        ),
        step(
            "memory, at least",
            format!(
                "{} MiB + {} calls × {} B",
                least_memory.mib,
                grouped(more.into()),
                least_memory.bytes_a_call
            ),
            format!("{} MiB", grouped(memory_mib)),
        ),
        step(
            "disk, ledger",
            format!("{n} calls × {} B", disk.ledger_bytes_a_call),
            size(ledger_bytes),
        ),
        step(
            "disk, meanwhile",
            format!("{n} calls × {} B, at most", disk.waiting_bytes_a_call),
            size(waiting_bytes),
        ),
        step(
            "most calls",
            format!(
                "{} × {} / {}, at most {}",
                seconds(window_ms),
                grouped(measured.calls.into()),
                seconds(measured.wall_ms.into()),
                grouped(MOST_CALLS.into())
            ),
            grouped(
                (window_ms * u128::from(measured.calls) / u128::from(measured.wall_ms))
                    .min(MOST_CALLS.into()),
            ),
        ),
    ];
    let memory_here = u128::from(memory_bytes >> 20);
    let too_much = [
        (time_ms > window_ms).then(|| {
            format!("it takes {}, and the window is {}", seconds(time_ms), seconds(window_ms))
        }),
        (memory_mib > memory_here).then(|| {
            format!(
                "it takes {} MiB, and the machine has {} MiB",
                grouped(memory_mib),
                grouped(memory_here)
            )
        }),
        (calls > MOST_CALLS)
            .then(|| format!("one run takes at most {} records", grouped(MOST_CALLS.into()))),
    ];

    let spark_cpu_ms = share(calls, on_spark.cpu_ms, on_spark.rows);
    let left_ms = window_ms.saturating_sub(on_spark.start_ms.into());
    let spark_cores = (left_ms > 0).then(|| spark_cpu_ms.div_ceil(left_ms));
    let spark_cores_as_fast = u128::from(cores) * u128::from(on_spark.cores_a_thread);
    let spark = vec![
        step(
            "CPU",
            format!(
                "{n} calls × {} / {}",
                seconds(on_spark.cpu_ms.into()),
                grouped(on_spark.rows.into())
            ),
            seconds(spark_cpu_ms),
        ),
        step(
            "cores, at least",
            format!(
                "{} / ({} − {} to start)",
                seconds(spark_cpu_ms),
                seconds(window_ms),
                seconds(on_spark.start_ms.into())
            ),
            spark_cores.map_or_else(|| "none".to_owned(), grouped),
        ),
        step(
            "cores, as fast as here",
            format!("{cores} cores × {}", on_spark.cores_a_thread),
            grouped(spark_cores_as_fast),
        ),
    ];
    Plan {
        measured,
        machine,
        spark,
        too_much: too_much.into_iter().flatten().collect(),
        cpu_ms,
        time_ms,
        memory_mib,
        ledger_bytes,
        waiting_bytes,
        spark_cores,
        spark_cores_as_fast,
    }
}

/// The share of `calls`, if `measured` calls took `whole`; rounded up.
fn share(calls: u64, whole: u64, measured: u64) -> u128 {
    (u128::from(calls) * u128::from(whole)).div_ceil(measured.into())
}

/// Groups thousands: `1,234,567`.
#[must_use]
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let start = digits.len() % 3;
    let groups = digits.as_bytes()[start..]
        .chunks(3)
        .map(|group| String::from_utf8_lossy(group).into_owned());
    let first = (start > 0).then(|| digits[..start].to_owned());
    first.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

/// Milliseconds as seconds with one decimal, rounded up; from a minute on also as hours and
/// minutes.
#[must_use]
pub fn seconds(ms: u128) -> String {
    let tenths = ms.div_ceil(100);
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if tenth == 0 {
        format!("{} s", grouped(whole))
    } else {
        format!("{}.{tenth} s", grouped(whole))
    }
}

/// Bytes in MB, or from 10 GB on in GB; rounded up.
#[must_use]
pub fn size(bytes: u128) -> String {
    const MB: u128 = 1_000_000;
    if bytes < 10_000 * MB {
        return format!("{} MB", grouped(bytes.div_ceil(MB)));
    }
    format!("{} GB", grouped(bytes.div_ceil(1_000 * MB)))
}

/// A part of a whole in per cent, rounded up to one decimal.
fn percent(part: u128, whole: u128) -> String {
    let thousandths = (part * 1_000).div_ceil(whole);
    format!("{}.{} %", grouped(thousandths / 10), thousandths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures that stay as they are, whatever the benchmark writes.
    fn figures() -> Figures {
        Figures::parse(include_str!("../tests/figures.json")).expect("figures")
    }

    fn plan(asked: PlannedNight) -> Plan {
        super::plan(&figures(), asked)
    }

    #[test]
    fn figures_that_cannot_be_reckoned_with_are_refused() {
        let shipped = Figures::of_program();
        assert!(shipped.one_machine.iter().any(|night| night.calls >= 10_000_000));
        let text = include_str!("../tests/figures.json");
        for (from, to) in [
            ("\"calls\": 100000000", "\"calls\": 10000000"),
            ("\"wall_ms\": 12050", "\"wall_ms\": 0"),
            ("\"rows\": 2000000", "\"rows\": 0"),
            ("\"peak_mib\"", "\"peak_mb\""),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(Figures::parse(&text.replace(from, to)).is_err(), "{to}");
        }
        let none = r#"{"one_machine": [], "least_memory""#;
        let start = text.find("\"least_memory\"").expect("it is there") + 14;
        assert!(Figures::parse(&format!("{none}{}", &text[start..])).is_err());
    }

    fn asked(calls: u64) -> PlannedNight {
        PlannedNight { calls, hours: 4, cores: 2, memory_bytes: 4 << 30 }
    }

    /// By hand: 50,000,000 × 212 s / 100,000,000 = 106 s; 147 s likewise 73.5 s; 418 MiB +
    /// 40,000,000 × 6 B = 228.9 MiB; 150 B and 110 B a call; 50,000,000 × 136.5 s / 2,000,000 =
    /// 3,412.5 s, of 14,400 s − 107.2 s: one core.
    #[test]
    fn fifty_million_calls_by_hand() {
        let plan = plan(asked(50_000_000));
        assert_eq!((plan.cpu_ms, plan.time_ms, plan.memory_mib), (106_000, 73_500, 647));
        assert_eq!((plan.ledger_bytes, plan.waiting_bytes), (7_500_000_000, 5_500_000_000));
        assert_eq!((plan.spark_cores, plan.spark_cores_as_fast), (Some(1), 64));
        assert_eq!(plan.too_much, Vec::<String>::new());
    }

    /// 40,000,000,000 calls: 147 s × 400 = 58,800 s; 418 MiB + 39,990,000,000 × 6 B = 228,824.6
    /// MiB; Spark 2,730,000 s of 14,292.8 s: 191.005 cores.
    #[test]
    fn what_one_machine_does_not_do_is_said() {
        let plan = plan(asked(40_000_000_000));
        assert_eq!(
            (plan.time_ms, plan.memory_mib, plan.spark_cores),
            (58_800_000, 229_243, Some(192))
        );
        assert_eq!(plan.too_much.len(), 3);
    }

    #[test]
    fn fewer_cores_are_slower_and_more_are_not_faster() {
        let time = |cores| plan(PlannedNight { cores, ..asked(10_000_000) }).time_ms;
        assert_eq!((time(1), time(2), time(64)), (18_630, 12_050, 12_050));
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            ["0", "12", "123", "1,234", "12,345", "1,234,567"],
            [0, 12, 123, 1_234, 12_345, 1_234_567].map(grouped).each_ref().map(String::as_str)
        );
        assert_eq!(
            (seconds(0), seconds(1), seconds(17_900), seconds(459_000)),
            ("0 s".into(), "0.1 s".into(), "17.9 s".into(), "459 s".into())
        );
        assert_eq!(
            (size(1), size(9_999_000_001), size(10_000_000_000)),
            ("1 MB".into(), "10,000 MB".into(), "10 GB".into())
        );
    }
}
