//! The dependencies of the functions. Each crate is code that a cold start loads.

use std::{collections::BTreeSet, process::Command};

/// How many crates a function may depend on: those of today, and a few that updates may add. Before you raise this,
/// measure what a further crate costs.
const MAX_CRATES: usize = 174;

/// Crates that implement TLS, HTTP or cryptography a second time.
const SECOND_IMPLEMENTATIONS: [&str; 11] = [
    "actix-web",
    "aws-smithy-http-client",
    "curl",
    "hyper-tls",
    "isahc",
    "native-tls",
    "openssl",
    "reqwest",
    "ring",
    "rustls-native-certs",
    "ureq",
];

/// Crates that may occur in one version only, for the same reason.
const SINGLE_VERSION: [&str; 8] = [
    "aws-lc-rs",
    "aws-smithy-runtime",
    "http-body",
    "hyper",
    "hyper-rustls",
    "rustls",
    "serde_json",
    "tokio",
];

/// Returns the names and versions of the crates that the functions depend on.
fn list_crates() -> BTreeSet<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--package=groups", "--edges=normal"])
        .args(["--prefix=none", "--format={p}", "--locked", "--offline"])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).expect("the output is UTF-8");
    let parse = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let version = rest.split(' ').next()?;
        Some((name.to_owned(), version.to_owned()))
    };
    tree.lines().filter_map(parse).collect()
}

#[test]
fn the_functions_depend_on_no_more_crates_than_allowed() {
    let crates = list_crates();
    assert!(crates.len() > 50, "the crates are found: {crates:?}");
    assert!(crates.len() <= MAX_CRATES, "{}: {crates:?}", crates.len());
}

#[test]
fn http_tls_and_cryptography_are_implemented_once() {
    let crates = list_crates();
    for second in SECOND_IMPLEMENTATIONS {
        let found = crates.iter().find(|(name, _)| name == second);
        assert_eq!(
            found, None,
            "`cargo tree -i {second}` shows what depends on it"
        );
    }
    for single in SINGLE_VERSION {
        let versions = crates.iter().filter(|(name, _)| name == single).count();
        assert_eq!(
            versions, 1,
            "`cargo tree -d` shows what depends on {single}"
        );
    }
}
