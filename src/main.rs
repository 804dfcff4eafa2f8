//! The command; everything is in [`trunkrate::cli`].

use std::process::ExitCode;

// What is let go stays at hand: 40,000 instead of 150,000 page faults for ten million calls from CSV, 100,000 instead of
// 490,000 from Parquet, and a tenth less CPU time; for 120 MiB.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    trunkrate::cli::main()
}
