//! Measures the functions side by side with programs that only make the same request to DynamoDB (`baseline/`): the
//! baseline with the SDK's HTTP client, and the minimum with the functions'. Builds the release binaries, runs them in
//! turns with a Runtime API and DynamoDB Local, and prints tables.
//!
//! ```text
//! cargo bench                      everything; takes about five minutes after the build
//! cargo bench -- starts --rounds 5 one part, with fewer instances
//! cargo bench -- starts --compare DIRECTORY
//!                                  also runs the binaries of another build, in the same turns
//! cargo bench -- sizes --check     fails if the zip archive of a function exceeds its budget
//! cargo bench -- --json            prints JSON
//! cargo bench -- peers             compares get-group with the same function in Go, Python and Node.js
//! ```
//!
//! The parts `starts` and `peers` also write charts, `benchmark/starts.svg` and `benchmark/peers.svg`. Without the name of a
//! part, all results are also written to `benchmark/results.json`.

mod calls;
mod cases;
mod chart;
mod peers;
mod process;
mod purge;
mod report;
mod sizes;
mod starts;
// tests/api uses the rest.
#[allow(dead_code)]
mod tls;

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
};

use lexopt::prelude::*;
use local::{Options, Profile, Result, Stack, tools};

/// The parts, in the order in which they run.
const PARTS: [&str; 4] = ["sizes", "starts", "calls", "purge"];

/// A part that runs only if it is named, because it needs the tools of other languages.
const PEERS: &str = "peers";

const USAGE: &str = "usage: cargo bench [-- [sizes] [starts] [calls] [purge] [peers] [--rounds N] \
                     [--compare DIRECTORY] [--json] [--check]]";

/// The parsed command line.
struct Arguments {
    parts: Vec<String>,
    rounds: usize,
    compared: Vec<PathBuf>,
    json: bool,
    check: bool,
}

fn main() -> ExitCode {
    let arguments = parse(lexopt::Parser::from_env()).map_err(|error| format!("{error}; {USAGE}"));
    match arguments.and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut parser: lexopt::Parser) -> Result<Arguments, lexopt::Error> {
    let mut arguments = Arguments {
        parts: Vec::new(),
        rounds: 30,
        compared: Vec::new(),
        json: false,
        check: false,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            // Cargo adds this option.
            Long("bench") => {}
            Long("check") => arguments.check = true,
            Long("json") => arguments.json = true,
            Long("rounds") => {
                let positive = |text: &str| match text.parse() {
                    Ok(rounds) if rounds > 0 => Ok(rounds),
                    _ => Err("it must be a positive number"),
                };
                arguments.rounds = parser.value()?.parse_with(positive)?;
            }
            Long("compare") => {
                let directory = PathBuf::from(parser.value()?);
                // Cargo runs this program in the directory of its package, not in the user's.
                if !directory.is_absolute() {
                    return Err("--compare takes an absolute path".into());
                }
                arguments.compared.push(directory);
            }
            Value(part) if part == PEERS || PARTS.iter().any(|known| part == *known) => {
                arguments.parts.push(part.string()?);
            }
            other => return Err(other.unexpected()),
        }
    }
    if arguments.check && arguments.parts != ["sizes"] {
        return Err("--check is only for the part sizes".into());
    }
    if arguments.parts.is_empty() {
        arguments.parts = PARTS.map(str::to_owned).into();
    }
    Ok(arguments)
}

fn run(arguments: &Arguments) -> Result<()> {
    build("groups", &[])?;
    // This program is in the directory `release/deps` of the target directory.
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let release = program.ancestors().nth(2);
    let binaries = release.ok_or("this program is not in a target directory")?;
    if arguments.check {
        return sizes::check(binaries);
    }
    build(
        "baseline",
        &["--no-default-features", "--features", "own-transport"],
    )?;
    cases::rename_minimums(binaries)?;
    build("baseline", &[])?;
    let mut tables = Vec::new();
    let is_wanted = |part: &str| arguments.parts.iter().any(|wanted| wanted == part);
    if is_wanted("sizes") {
        tables.push(sizes::measure(binaries)?);
    }
    if arguments.parts.iter().any(|part| part != "sizes") {
        let stack = Stack::start(Options {
            name: "bench".to_owned(),
            binaries: binaries.to_owned(),
            profile: Profile::Benchmark,
            ..Options::default()
        })?;
        if is_wanted("starts") {
            tables.extend(starts::measure(
                &stack,
                &arguments.compared,
                arguments.rounds,
            )?);
        }
        if is_wanted("calls") {
            tables.extend(calls::measure(&stack)?);
        }
        if is_wanted("purge") {
            tables.push(purge::measure(&stack)?);
        }
        if is_wanted(PEERS) {
            tables.push(peers::measure(&stack, binaries, arguments.rounds)?);
        }
    }
    if PARTS.iter().all(|part| is_wanted(part)) {
        let path = tools::workspace().join("benchmark/results.json");
        fs::write(&path, format!("{:#}\n", report::json(&tables)))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if arguments.json {
        println!("{}", report::json(&tables));
    } else {
        tables.iter().for_each(|table| println!("{table}"));
    }
    Ok(())
}

/// Builds the binaries of a package as a deployment does. The functions and the baselines are built
/// separately, so that neither enables features in the dependencies of the other.
fn build(package: &str, features: &[&str]) -> Result<()> {
    let status = Command::new(tools::cargo())
        .current_dir(tools::workspace())
        .args(["build", "--release", "--locked", "--quiet", "--bins"])
        .args(["--package", package])
        .args(features)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("cargo build failed ({status})"))
}
