//! Least privilege: the policies in template.yaml must allow what the functions request from DynamoDB, and nothing
//! else. These tests read the log of the last run of tests/api.

use std::{collections::BTreeSet, fs};

use local::{Template, tools};

// tests/api uses the rest.
#[allow(dead_code)]
#[path = "api/run.rs"]
mod run;

/// Permissions, each as a function, an action and a table or index.
type Permissions = BTreeSet<String>;

fn read_allowed() -> Permissions {
    let template = Template::read(&tools::workspace().join("template.yaml"), &[]);
    let template = template.expect("the template is valid");
    let mut allowed = Permissions::new();
    for function in template.functions().expect("the policies are valid") {
        for permission in function.permissions {
            allowed.insert(format!("{} {permission}", function.binary));
        }
    }
    allowed
}

fn read_used() -> Permissions {
    let log = fs::read_to_string(run::finished_logs().join("permissions.log"));
    let log = log.expect("the log is read");
    log.lines().map(str::to_owned).collect()
}

#[test]
fn all_permissions_in_use_are_allowed() {
    let (used, allowed) = (read_used(), read_allowed());
    let missing: Vec<_> = used.difference(&allowed).collect();
    assert!(missing.is_empty(), "add to template.yaml: {missing:#?}");
}

#[test]
fn all_allowed_permissions_are_in_use() {
    let (used, allowed) = (read_used(), read_allowed());
    let unused: Vec<_> = allowed.difference(&used).collect();
    assert!(
        unused.is_empty(),
        "remove from template.yaml, or add a test that uses them: {unused:#?}"
    );
    // Five functions look tokens up, and all but the fallback use a table.
    assert!(allowed.len() >= 15, "{allowed:#?}");
}
