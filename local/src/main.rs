//! `cargo local`: the whole API on this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    local::cli::main()
}
