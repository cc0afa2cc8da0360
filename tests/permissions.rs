//! Least privilege: what the functions have asked of DynamoDB in the run of the tests in `tests/api`,
//! which Cargo runs before this, is what their policies in template.yaml allow, no less and no more.

use std::{collections::BTreeSet, fs};

use local::{Template, tools};

/// Each a function, an action and a table or index.
type Permissions = BTreeSet<String>;

fn allowed() -> Permissions {
    let template =
        Template::read(&tools::workspace().join("template.yaml"), &[]).expect("a template");
    let functions = template.functions().expect("policies that are understood");
    let of_function = |function: local::template::Function| {
        let name = function.binary;
        let permissions = function.permissions.into_iter();
        permissions.map(move |permission| format!("{name} {permission}"))
    };
    functions.into_iter().flat_map(of_function).collect()
}

fn used() -> Permissions {
    let log = tools::home()
        .expect("target/local")
        .join("logs/tests/permissions.log");
    let log = fs::read_to_string(log).expect("the log of tests/api; run all of `cargo test`");
    log.lines().map(str::to_owned).collect()
}

#[test]
fn what_is_used_is_allowed() {
    let (used, allowed) = (used(), allowed());
    let missing: Vec<_> = used.difference(&allowed).collect();
    assert!(missing.is_empty(), "add to template.yaml: {missing:#?}");
}

#[test]
fn what_is_allowed_is_used() {
    let (used, allowed) = (used(), allowed());
    let unused: Vec<_> = allowed.difference(&used).collect();
    assert!(
        unused.is_empty(),
        "remove from template.yaml, or test: {unused:#?}"
    );
    // Five endpoints look tokens up, and each function but the fallback does something.
    assert!(allowed.len() >= 15, "{allowed:#?}");
}
