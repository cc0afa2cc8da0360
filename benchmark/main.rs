//! What the functions take, measured side by side with their floors: for each, the least that can
//! be done for the same request (`floor/`). Builds the release binaries, runs them on a bare Runtime
//! API with DynamoDB Local behind, in turns, and prints tables.
//!
//! ```text
//! cargo bench                      everything, some five minutes once it is built
//! cargo bench -- starts --rounds 5 one part of it, and less of it
//! cargo bench -- starts --beside DIRECTORY
//!                                  another build's binaries in the same turns
//! cargo bench -- --json            for machines
//! ```

mod calls;
mod process;
mod purge;
mod report;
mod sizes;
mod starts;
mod subjects;
mod tls;

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use local::{Options, Profile, Result, Stack, tools};
use report::Table;

/// The parts, in the order in which they run.
const PARTS: [&str; 4] = ["sizes", "starts", "calls", "purge"];

const USAGE: &str = "usage: cargo bench [-- [sizes] [starts] [calls] [purge] [--rounds N] [--beside DIRECTORY] [--json]]";

/// What is asked for.
struct Arguments {
    parts: Vec<String>,
    rounds: usize,
    others: Vec<PathBuf>,
    json: bool,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments {
        parts: Vec::new(),
        rounds: 30,
        others: Vec::new(),
        json: false,
    };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--json" => arguments.json = true,
            "--rounds" => {
                let rounds = given.next().and_then(|rounds| rounds.parse().ok());
                arguments.rounds = rounds.filter(|rounds| *rounds > 0).ok_or(USAGE)?;
            }
            "--beside" => {
                // Cargo starts this in a directory of its own choice.
                let other = given.next().map(PathBuf::from);
                let other = other.filter(|other| other.is_absolute());
                arguments
                    .others
                    .push(other.ok_or("--beside takes an absolute path")?);
            }
            part if PARTS.contains(&part) => arguments.parts.push(argument),
            other => return Err(format!("`{other}` is not known here; {USAGE}")),
        }
    }
    if arguments.parts.is_empty() {
        arguments.parts = PARTS.map(str::to_owned).to_vec();
    }
    Ok(arguments)
}

fn run(arguments: &Arguments) -> Result<()> {
    let binaries = build()?;
    let mut tables: Vec<Table> = Vec::new();
    let wanted = |part: &str| arguments.parts.iter().any(|wanted| wanted == part);
    if wanted("sizes") {
        tables.push(sizes::measure(&binaries)?);
    }
    if arguments.parts.iter().any(|part| part != "sizes") {
        let stack = Stack::start(Options {
            name: "bench".to_owned(),
            binaries,
            profile: Profile::Benchmark,
            ..Options::default()
        })?;
        if wanted("starts") {
            tables.append(&mut starts::measure(
                &stack,
                &arguments.others,
                arguments.rounds,
            )?);
        }
        if wanted("calls") {
            tables.append(&mut calls::measure(&stack)?);
        }
        if wanted("purge") {
            tables.push(purge::measure(&stack)?);
        }
    }
    if arguments.json {
        println!("{}", report::json(&tables));
    } else {
        tables.iter().for_each(|table| println!("{table}"));
    }
    Ok(())
}

/// Builds the functions as a deployment does, and the floors in the same profile, each by themselves
/// so that neither turn on a feature of the others'.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    for selection in [
        ["--package=groups", "--bins"],
        ["--package=floor", "--bins"],
    ] {
        let status = Command::new(&cargo)
            .current_dir(tools::workspace())
            .args(["build", "--release", "--locked", "--quiet"])
            .args(selection)
            .status();
        let status = status.map_err(|error| format!("cannot start cargo: {error}"))?;
        if !status.success() {
            return Err(format!("cargo build ended with {status}"));
        }
    }
    // This program is in the `deps` directory of the target directory's `release`.
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let release = program.ancestors().nth(2);
    Ok(release.ok_or("where is the target directory?")?.to_owned())
}
