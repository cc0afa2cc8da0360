//! Compares get-group with the same function in other languages, each with AWS's runtime and SDK (`peers/`).

use std::{
    env, fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use local::{Result, Stack, tools};
use rustls::version::TLS13;
use serde_json::json;

use crate::{
    cases::Case,
    chart::{self, Bar},
    report::{Table, median},
    sizes::sizes,
    starts::{Programs, Samples, TLS_WHOLE_CORE},
    tls::Terminator,
};

/// The function in another language.
struct Peer {
    language: &'static str,
    /// The folder in `peers/`.
    folder: &'static str,
    /// The programs that the build needs.
    tools: &'static [&'static str],
    /// Builds the function: from the folder of its source code, in the empty directory of the second argument.
    build: fn(&Path, &Path) -> Result<()>,
}

const PEERS: [Peer; 3] = [
    Peer {
        language: "Go",
        folder: "go",
        tools: &["go"],
        build: build_go,
    },
    Peer {
        language: "Node.js",
        folder: "node",
        // The runtime compiles its client of the Runtime API.
        tools: &[
            "node",
            "npm",
            "autoconf",
            "automake",
            "libtoolize",
            "cmake",
            "make",
            "g++",
            "python3",
        ],
        build: build_node,
    },
    Peer {
        language: "Python",
        folder: "python",
        tools: &["python3"],
        build: build_python,
    },
];

/// A measured program: its name, its zip archive's bytes, and how it is run.
struct Program {
    name: &'static str,
    zip: usize,
    binary: String,
}

/// Builds the peers, checks that each responds as get-group does, and measures all in turns.
pub(crate) fn measure(stack: &Stack, binaries: &Path, rounds: usize) -> Result<Table> {
    let dir = tools::target_dir()?.join("peers");
    let mut programs = Vec::new();
    for (name, binary) in [
        ("baseline", "baseline-get-item"),
        ("get-group (Rust)", "get-group"),
    ] {
        let (_, zip) = sizes(&binaries.join(binary))?;
        let binary = binary.to_owned();
        programs.push(Program { name, zip, binary });
    }
    for peer in PEERS {
        match peer.build(&dir.join(peer.folder)) {
            Ok(program) => programs.push(program),
            Err(reason) => eprintln!("{}: skipped, {reason}", peer.language),
        }
    }
    let terminator = Terminator::start(stack.dynamodb().endpoint(), &TLS13)?;
    terminator.add_system_authorities()?;
    let bundle = dir.join("authorities.pem");
    write_bundle(&terminator, &bundle)?;
    let cases = programs.iter().map(|program| {
        let mut case = Case::new(stack, "get-group", program.binary.clone(), 0)?;
        let authority = terminator.authority.display().to_string();
        case.variables.extend([
            ("TOKENS_TABLE", "TokensTable".to_owned()),
            // Python trusts only these authorities, Node.js these and its own.
            ("AWS_CA_BUNDLE", bundle.display().to_string()),
            ("NODE_EXTRA_CA_CERTS", authority),
        ]);
        Ok(case)
    });
    let cases = cases.collect::<Result<Vec<_>>>()?;
    let measured = Programs {
        stack,
        terminator: &terminator,
        cases: &cases,
    };
    check(&measured)?;
    measured.warm_up(&TLS_WHOLE_CORE)?;
    let samples = measured.measure(&TLS_WHOLE_CORE, None, rounds)?;
    let bars = programs.iter().zip(&samples).map(|(program, own)| Bar {
        name: program.name,
        init: median(&own.init),
        both: median(&own.both),
    });
    chart::write(
        "benchmark/peers.svg",
        &[(TLS_WHOLE_CORE.name, bars.collect())],
    )?;
    Ok(table(&programs, &samples))
}

/// Returns the table. Ratios are to the baseline.
fn table(programs: &[Program], samples: &[Samples]) -> Table {
    let head = "program | both, ms | both ratio | p50, ms | p50 ratio | RSS, MiB | RSS ratio | zip, kB | zip ratio";
    let title = format!("Other languages: {}", TLS_WHOLE_CORE.name);
    let mut table = Table::new(&title, head);
    let kinds: [fn(&Samples) -> &Vec<f64>; 3] = [|s| &s.both, |s| &s.warm, |s| &s.rss];
    for (program, own) in programs.iter().zip(samples) {
        let mut row = vec![json!(program.name)];
        for kind in kinds {
            let value = median(kind(own));
            row.extend([json!(value), json!(value / median(kind(&samples[0])))]);
        }
        let zip_ratio = program.zip as f64 / programs[0].zip as f64;
        row.extend([json!(program.zip / 1_000), json!(zip_ratio)]);
        table.rows.push(row);
    }
    table
}

/// Checks that each peer responds as get-group does, with the same body and ETag.
fn check(programs: &Programs<'_>) -> Result<()> {
    let [_, get_group, peers @ ..] = programs.cases else {
        return Ok(());
    };
    let expected = programs.first_response(get_group, &TLS_WHOLE_CORE)?;
    for peer in peers {
        let response = programs.first_response(peer, &TLS_WHOLE_CORE)?;
        let members = |of: &serde_json::Value| {
            ["/statusCode", "/body", "/headers/etag"].map(|path| of.pointer(path).cloned())
        };
        if members(&response) != members(&expected) {
            return Err(format!(
                "{} returned {response}, and get-group {expected}",
                peer.binary
            ));
        }
    }
    Ok(())
}

/// Writes the certificate authorities of the system and of the terminator to one file.
fn write_bundle(terminator: &Terminator, bundle: &Path) -> Result<()> {
    let context = |error: std::io::Error| format!("{}: {error}", bundle.display());
    let mut authorities = Vec::new();
    for entry in fs::read_dir(&terminator.authorities).map_err(context)? {
        authorities.extend(fs::read(entry.map_err(context)?.path()).map_err(context)?);
    }
    fs::write(bundle, authorities).map_err(context)
}

impl Peer {
    /// Builds the function in a new directory. Returns an error if a tool is missing or fails.
    fn build(&self, dir: &Path) -> Result<Program> {
        let path = env::var_os("PATH").unwrap_or_default();
        let is_missing =
            |tool: &&&str| !env::split_paths(&path).any(|dir| dir.join(tool).is_file());
        let missing: Vec<_> = self.tools.iter().filter(is_missing).copied().collect();
        if !missing.is_empty() {
            return Err(format!("not installed: {}", missing.join(", ")));
        }
        let context = |error: std::io::Error| format!("{}: {error}", dir.display());
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(context(error)),
            _ => fs::create_dir_all(dir).map_err(context)?,
        }
        let source = tools::workspace().join("benchmark/peers").join(self.folder);
        (self.build)(&source, dir)?;
        Ok(Program {
            name: self.language,
            zip: zip_bytes(dir)?,
            binary: dir.join("bootstrap").display().to_string(),
        })
    }
}

fn build_go(source: &Path, dir: &Path) -> Result<()> {
    let mut go = Command::new("go");
    go.current_dir(source)
        .env("CGO_ENABLED", "0")
        // Without the code of the runtime go1.x, as AWS recommends.
        .args(["build", "-trimpath", "-tags=lambda.norpc", "-ldflags=-s -w"])
        .arg("-o")
        .arg(dir.join("bootstrap"));
    run(&mut go).map(drop)
}

fn build_node(source: &Path, dir: &Path) -> Result<()> {
    copy(
        source,
        dir,
        &["package.json", "package-lock.json", "index.mjs"],
    )?;
    let mut npm = Command::new("npm");
    // The runtime states which versions of Node.js it supports.
    npm.current_dir(dir)
        .args(["ci", "--engine-strict", "--loglevel=error"]);
    run(&mut npm)?;
    let node = run(Command::new("node").args(["-p", "process.execPath"]))?;
    write_bootstrap(dir, &node, "node_modules/aws-lambda-ric/index.mjs")
}

fn build_python(source: &Path, dir: &Path) -> Result<()> {
    copy(source, dir, &["index.py"])?;
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--target",
    ])
    .arg(dir)
    .arg("--requirement")
    .arg(source.join("requirements.txt"));
    run(&mut pip)?;
    let python = run(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]))?;
    write_bootstrap(dir, &python, "-m awslambdaric index.handler")
}

/// Runs a program, and returns its output without the final line feed. The error contains the program's first messages.
fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines = errors.lines().filter(|line| !line.trim().is_empty());
    let first: Vec<_> = lines.take(5).collect();
    Err(format!("{name} failed: {}", first.join("; ")))
}

fn copy(source: &Path, dir: &Path, files: &[&str]) -> Result<()> {
    files.iter().try_for_each(|file| {
        let copied = fs::copy(source.join(file), dir.join(file));
        copied
            .map(drop)
            .map_err(|error| format!("cannot copy {file}: {error}"))
    })
}

/// Writes the program that Lambda starts. It becomes the interpreter, so that the process id stays the same. Lambda
/// sets both variables.
fn write_bootstrap(dir: &Path, interpreter: &str, arguments: &str) -> Result<()> {
    let path = dir.join("bootstrap");
    let script = format!(
        "#!/bin/sh\n\
         cd '{task_root}'\n\
         export LAMBDA_TASK_ROOT='{task_root}' _HANDLER=index.handler\n\
         exec '{interpreter}' {arguments}\n",
        task_root = dir.display()
    );
    fs::write(&path, script)
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Returns the compressed bytes of all files in a directory.
fn zip_bytes(dir: &Path) -> Result<usize> {
    let context = |error: std::io::Error| format!("{}: {error}", dir.display());
    let entries = fs::read_dir(dir).map_err(context)?;
    let paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(context)?;
    let files = paths.iter().filter(|path| !path.is_symlink());
    files
        .map(|path| match path.is_dir() {
            true => zip_bytes(path),
            false => sizes(path).map(|(_, zip)| zip),
        })
        .sum()
}
