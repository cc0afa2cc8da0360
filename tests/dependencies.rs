//! What a function is made of: every crate is code that a cold start loads.

use std::{collections::BTreeSet, process::Command};

/// How many crates a function's dependency tree may have: what it has, and a few for its
/// dependencies' own comings and goings. Think of what a further one costs before you raise it.
const MAX_CRATES: usize = 182;

/// A second implementation of what is there already: of TLS, of HTTP, of cryptography.
const SECOND_STACKS: [&str; 9] = [
    "actix-web",
    "curl",
    "hyper-tls",
    "isahc",
    "native-tls",
    "openssl",
    "reqwest",
    "ring",
    "ureq",
];

/// Crates of which one version is enough, for the same reason.
const ONCE: [&str; 9] = [
    "aws-lc-rs",
    "aws-smithy-http-client",
    "aws-smithy-runtime",
    "http-body",
    "hyper",
    "hyper-rustls",
    "rustls",
    "serde_json",
    "tokio",
];

/// The crates of the functions, as name and version.
fn crates() -> BTreeSet<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--package=groups", "--edges=normal"])
        .args(["--prefix=none", "--format={p}", "--locked", "--offline"])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    let name = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let version = rest.split(' ').next()?;
        Some((name.to_owned(), version.to_owned()))
    };
    tree.lines().filter_map(name).collect()
}

#[test]
fn a_function_has_no_more_crates_than_it_had() {
    let crates = crates();
    assert!(crates.len() > 50, "they were found: {crates:?}");
    assert!(crates.len() <= MAX_CRATES, "{}: {crates:?}", crates.len());
}

#[test]
fn there_is_one_http_and_one_tls_stack() {
    let crates = crates();
    for second in SECOND_STACKS {
        let found = crates.iter().find(|(name, _)| name == second);
        assert_eq!(found, None, "`cargo tree -i {second}` says where from");
    }
    for once in ONCE {
        let versions = crates.iter().filter(|(name, _)| name == once).count();
        assert_eq!(versions, 1, "`cargo tree -d` says why {once}");
    }
}
