//! The command; everything is in [`trunkrate::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    trunkrate::cli::main()
}
