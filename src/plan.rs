//! The resources that a night of a given size takes: on one machine, and on Spark.
//!
//! Owns the measured figures, [`ONE_MACHINE`], [`LEAST_MEMORY`], [`DISK`] and [`SPARK`], each with
//! its source, and the arithmetic on them. A new measurement changes its line here, and nothing
//! else.
//!
//! **Invariant:** integers only, rounded up; a step shows all the figures that went into it.
//! Nothing is assumed to be faster than measured: more cores than those of a measurement save
//! nothing here.

/// A night rated by `trunkrate run`, as measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Its calls.
    pub calls: u64,
    /// CPU time, in milliseconds.
    pub cpu_ms: u64,
    /// Time, in milliseconds, with everything on the disk.
    pub wall_ms: u64,
    /// Memory at most, in MiB.
    pub peak_mib: u64,
    /// The conditions of the measurement, beside the place.
    pub how: &'static str,
}

/// Nights on one machine, by size.
#[rustfmt::skip]
pub const ONE_MACHINE: [Measured; 2] = [
    Measured { calls:  10_000_000, cpu_ms:  18_630, wall_ms:  12_050, peak_mib:   584,
               how: "CSV, alone on the machine" },
    Measured { calls: 100_000_000, cpu_ms: 212_000, wall_ms: 147_000, peak_mib: 1_314,
               how: "CSV in zstd, alone on the machine" },
];
/// The place, date and machine of these measurements.
pub const ONE_MACHINE_SOURCE: &str = "2026-11-23, 2 cores of an AMD EPYC, 24 GiB; README, How fast";

/// The least memory that a night takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeastMemory {
    /// With this number of calls and `--memory 512MiB`, in MiB.
    pub mib: u64,
    /// The number of those calls.
    pub calls: u64,
    /// For each further call, in bytes.
    pub bytes_a_call: u64,
    /// The place where the figure is published.
    pub source: &'static str,
}

/// With `--memory 512MiB`; rows that do not fit spill to disk.
pub const LEAST_MEMORY: LeastMemory = LeastMemory {
    mib: 418,
    calls: 10_000_000,
    bytes_a_call: 6,
    source: "2026-11-23, with --memory 512MiB; README, How fast and Limits",
};

/// The disk space that a night takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// The ledger's share for each call, in bytes.
    pub ledger_bytes_a_call: u64,
    /// The spill file's share for each call while a night is rated, in bytes.
    pub waiting_bytes_a_call: u64,
    /// The place where the figure is published.
    pub source: &'static str,
}

/// 1.5 GB of ledger for 10,000,000 calls; the size of a packed record.
pub const DISK: Disk = Disk {
    ledger_bytes_a_call: 150,
    waiting_bytes_a_call: 110,
    source: "2026-11-23: 1.5 GB for 10,000,000 calls; README, How fast; \
             a packed record: src/partition/deal.rs",
};

/// The cost of rating on Spark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub source: &'static str,
}

/// A night read, joined, rated, checked and published in `local-cluster[2,1]`.
pub const SPARK: Spark = Spark {
    rows: 2_000_000,
    cpu_ms: 136_500,
    start_ms: 107_200,
    cores_a_thread: 32,
    source: "2026-11-23, Spark 4.2.1 local-cluster[2,1], 2 cores: the first night 107 s longer; \
             `trunkrate run` 4.4 s; python/README.md",
};

/// The most records that one run can take.
pub const MOST_CALLS: u64 = u32::MAX as u64 - 1;

/// The question: a night and a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
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

/// Plans a night.
#[must_use]
pub fn plan(asked: Asked) -> Plan {
    let Asked { calls, hours, cores, memory_bytes } = asked;
    let measured = *ONE_MACHINE
        .iter()
        .find(|night| night.calls >= calls)
        .unwrap_or(&ONE_MACHINE[ONE_MACHINE.len() - 1]);
    let window_ms = u128::from(hours) * 3_600_000;
    let n = grouped(calls.into());
    let per = |whole_ms: u64| {
        format!("{n} calls × {} / {}", seconds(whole_ms.into()), grouped(measured.calls.into()))
    };

    let cpu_ms = share(calls, measured.cpu_ms, measured.calls);
    let wall_ms = share(calls, measured.wall_ms, measured.calls);
    let alone_ms = cpu_ms.div_ceil(cores.into());
    let time_ms = wall_ms.max(alone_ms);
    let more = calls.saturating_sub(LEAST_MEMORY.calls);
    let memory_mib = u128::from(LEAST_MEMORY.mib)
        + (u128::from(more) * u128::from(LEAST_MEMORY.bytes_a_call)).div_ceil(1 << 20);
    let ledger_bytes = u128::from(calls) * u128::from(DISK.ledger_bytes_a_call);
    let waiting_bytes = u128::from(calls) * u128::from(DISK.waiting_bytes_a_call);
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
                LEAST_MEMORY.mib,
                grouped(more.into()),
                LEAST_MEMORY.bytes_a_call
            ),
            format!("{} MiB", grouped(memory_mib)),
        ),
        step(
            "disk, ledger",
            format!("{n} calls × {} B", DISK.ledger_bytes_a_call),
            size(ledger_bytes),
        ),
        step(
            "disk, meanwhile",
            format!("{n} calls × {} B, at most", DISK.waiting_bytes_a_call),
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

    let spark_cpu_ms = share(calls, SPARK.cpu_ms, SPARK.rows);
    let left_ms = window_ms.saturating_sub(SPARK.start_ms.into());
    let spark_cores = (left_ms > 0).then(|| spark_cpu_ms.div_ceil(left_ms));
    let spark_cores_as_fast = u128::from(cores) * u128::from(SPARK.cores_a_thread);
    let spark = vec![
        step(
            "CPU",
            format!(
                "{n} calls × {} / {}",
                seconds(SPARK.cpu_ms.into()),
                grouped(SPARK.rows.into())
            ),
            seconds(spark_cpu_ms),
        ),
        step(
            "cores, at least",
            format!(
                "{} / ({} − {} to start)",
                seconds(spark_cpu_ms),
                seconds(window_ms),
                seconds(SPARK.start_ms.into())
            ),
            spark_cores.map_or_else(|| "none".to_owned(), grouped),
        ),
        step(
            "cores, as fast as here",
            format!("{cores} cores × {}", SPARK.cores_a_thread),
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

    fn asked(calls: u64) -> Asked {
        Asked { calls, hours: 4, cores: 2, memory_bytes: 4 << 30 }
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
        let time = |cores| plan(Asked { cores, ..asked(10_000_000) }).time_ms;
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
