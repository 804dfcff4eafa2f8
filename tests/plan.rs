//! `plan`: what it shows, and that its numbers are those of the formulas. (The arithmetic by hand:
//! `src/plan.rs`.)

use crate::support::Night;
use serde_json::Value;

const MACHINE: [&str; 4] = ["--cores", "2", "--memory", "4GiB"];

/// Figures that stay as they are: those of the program change with every benchmark.
const FIGURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/figures.json");

fn plan(calls: &str, more: &[&str]) -> crate::support::Done {
    let asked = ["plan", "--calls-per-night", calls, "--figures", FIGURES];
    Night::new().trunkrate(&[&asked, more].concat())
}

#[test]
fn figures_of_the_program_are_reckoned_by_where_none_are_given() {
    let night = Night::new();
    let shipped: Value = serde_json::from_str(include_str!("../benches/figures.json")).unwrap();
    let plan = night.trunkrate(&["plan", "--calls-per-night", "1", "--format", "json"]).json();
    assert_eq!(plan["measured"]["one_machine"], shipped["one_machine"][0]);
    let wrong = night.trunkrate(&[
        "plan",
        "--calls-per-night",
        "1",
        "--figures",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ]);
    assert_eq!((wrong.code, wrong.stderr.contains("make bench")), (1, true), "{}", wrong.stderr);
}

#[test]
fn a_plan_reads_like_this() {
    let small = plan("50000000", &MACHINE).ok();
    let large = plan("40000000000", &[&MACHINE[..], &["--hours", "8"]].concat()).ok();
    insta::with_settings!({ snapshot_path => "snapshots/commands", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("plan", format!("$ trunkrate plan --calls-per-night 50000000 --cores 2 --memory 4GiB\n{small}\n$ trunkrate plan --calls-per-night 40000000000 --cores 2 --memory 4GiB --hours 8\n{large}"));
    });
}

/// By hand: 25,000,000 × 147 s / 100,000,000 = 36.75 s, longer than 53 CPU s on 2 cores; 418 MiB +
/// 15,000,000 × 6 B = 503.8 MiB; 25,000,000 × 150 B; 25,000,000 × 136.5 s / 2,000,000 = 1,706.25 s,
/// of 14,292.8 s: 1 core; 2 × 32.
#[test]
fn twenty_five_million_calls_by_hand() {
    let plan = plan("25000000", &[&MACHINE[..], &["--format", "json"]].concat()).json();
    let machine = &plan["one_machine"];
    assert_eq!(machine["does_it"], true);
    let expected = [
        ("cpu_ms", "53000"),
        ("time_ms", "36750"),
        ("memory_mib", "504"),
        ("ledger_bytes", "3750000000"),
        ("waiting_bytes", "2750000000"),
    ];
    for (name, value) in expected {
        assert_eq!(machine[name], value, "{name}");
    }
    assert_eq!(
        (&plan["spark"]["cores"], &plan["spark"]["cores_as_fast"]),
        (&Value::from("1"), &Value::from("64"))
    );
}

#[test]
fn this_machine_is_asked_where_none_is_described() {
    let done = plan("1000", &["--format", "json"]).json();
    assert!(done["asked"]["cores"].as_u64().is_some_and(|cores| cores > 0), "{done}");
    assert!(done["asked"]["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{done}");
    for wrong in [
        &["0"][..],
        &["1000", "--hours", "0"],
        &["1000", "--hours", "25"],
        &["1000", "--cores", "0"],
        &["many"],
    ] {
        assert_eq!(plan(wrong[0], &wrong[1..]).code, 2, "{wrong:?}");
    }
}
