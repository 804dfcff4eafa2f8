//! Ledgers that earlier versions wrote are opened for ever: `tests/ledgers/`.

use crate::support::Night;
use std::process::Command;

/// A kept ledger, unpacked in a folder of its own.
fn unpacked(name: &str) -> Night {
    let night = Night::new();
    let archive = format!("{}/tests/ledgers/{name}", env!("CARGO_MANIFEST_DIR"));
    let done = Command::new("tar").args(["-xzf", &archive, "-C"]).arg(night.path()).status();
    assert!(done.expect("tar is there").success(), "{archive}");
    night
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// What it came to when it was written.
const PROVED: &str = "good: 7 runs (1 undone), 16 calls, 19 legs, 0.62160 USD, 2 waiting, ";

#[test]
fn a_ledger_of_format_2_is_read_by_every_command() {
    let night = unpacked("format-2.tar.gz");
    let verified = night.bare("", &["verify"], &[]).ok();
    assert!(verified.starts_with(PROVED), "{verified}");
    let head = verified.lines().last().and_then(|line| line.strip_prefix("head ")).expect("a head");
    for line in [
        "runs --format csv",
        "report --format json",
        "report --run 1 --format json",
        "calls --format csv",
        "calls +14155550102 --format json",
        "explain T2P --format json",
        "rerate T1S",
        "export legs --format csv",
        "export calls --format jsonl",
        "export suspense --format csv",
        "export ignored --format csv",
        "suspense",
        "suspense --all",
        "suspense show TWO",
        "invoice list --format json",
        "invoice show INV-2026-000001",
        "invoice calls INV-2026-000001",
        "invoice draft --period 2026-12 --date 2027-01-02",
        "invoice write --out out",
        "ledger backup backup",
        "undo last --dry-run",
        "verify --sample 5",
    ] {
        let done = night.bare("", &words(line), &[]);
        assert_eq!(done.code, 0, "{line}: {}", done.stderr);
    }
    // Something waits: that is no failure of its reading.
    assert!(night.bare("", &["status"], &[]).code <= 1);
    let legs = night.bare("", &words("export legs --format csv"), &[]).ok();
    assert_eq!(legs.lines().count(), 22, "a header, 19 legs, and two that take others back");
    let restored = night.bare("", &words("ledger restore backup --ledger restored"), &[]).ok();
    assert!(restored.contains(PROVED), "{restored}");
    // The next night: a late price, a written-off call, a copy; a call (2 × 0.0100), a child of a
    // booked parent (2 × 0.0034 + 2 × 0.0100), and the chosen version that waited (2 × 0.0100).
    let done = night.bare("", &words("run --cdrs calls/next.csv --format json"), &[]).json();
    let ends = ["rated", "duplicate", "suspended"].map(|end| done[end].as_u64());
    assert_eq!(ends, [Some(3), Some(3), Some(1)], "{done}");
    assert_eq!(done["amount"]["USD"], "0.06680", "{done}");
    let verified = night.bare("", &["verify", "--since", head], &[]).ok();
    assert!(
        verified.starts_with("good: 8 runs (1 undone), 19 calls, 23 legs, 0.68840 USD, "),
        "{verified}"
    );
    night.bare("", &words("undo last --reason test"), &[]).ok();
    night.bare("", &["verify", "--since", head], &[]).ok();
}
