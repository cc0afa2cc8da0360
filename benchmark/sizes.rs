//! The sizes of the functions' binaries and zip archives.

use std::{collections::BTreeSet, fs, io::Write, path::Path};

use flate2::{Compression, write::DeflateEncoder};
use local::{Result, Template, tools};
use serde_json::json;

use crate::report::Table;

/// The largest zip archive that each function may have on x86_64, in kB: a tenth more than at the last
/// review, because compilers and dependencies change. BENCHMARKS.md compares the sizes with the baseline's.
const BUDGETS: [(&str, usize); 9] = [
    ("create-group", 2_920),
    ("delete-group", 2_811),
    ("fallback", 622),
    ("get-group", 2_794),
    ("issue-token", 2_750),
    ("list-groups", 2_818),
    ("purge-messages", 2_770),
    ("revoke-token", 2_805),
    ("update-group", 2_869),
];

/// Measures the release binaries and their zip archives, which Lambda fetches on a cold start.
pub(crate) fn measure(binaries: &Path) -> Result<Table> {
    let head = "function | binary, kB | zip, kB | ratio";
    let mut table = Table::new("Size of the release build", head);
    let baseline = "baseline-get-item";
    let (_, baseline_zip) = sizes(&binaries.join(baseline))?;
    for name in [baseline].into_iter().chain(BUDGETS.map(|(name, _)| name)) {
        let (binary, zip) = sizes(&binaries.join(name))?;
        table.rows.push(vec![
            json!(name),
            json!(binary / 1_000),
            json!(zip / 1_000),
            json!(zip as f64 / baseline_zip as f64),
        ]);
    }
    Ok(table)
}

/// Checks that the zip archive of each function is within its budget, and prints the sizes.
pub(crate) fn check(binaries: &Path) -> Result<()> {
    let template = Template::read(&tools::workspace().join("template.yaml"), &[])?;
    let functions = template.functions()?.into_iter();
    let names: BTreeSet<_> = functions.map(|function| function.binary).collect();
    if names != BTreeSet::from(BUDGETS.map(|(name, _)| name.to_owned())) {
        let names: Vec<_> = names.into_iter().collect();
        return Err(format!(
            "BUDGETS in benchmark/sizes.rs must list the functions of template.yaml: {}",
            names.join(", ")
        ));
    }
    let mut too_large = Vec::new();
    for (name, budget) in BUDGETS {
        let (_, zip) = sizes(&binaries.join(name))?;
        println!("{name:16} {:5} kB, at most {budget:5} kB", zip / 1_000);
        if zip > budget * 1_000 {
            too_large.push(name);
        }
    }
    if too_large.is_empty() {
        return Ok(());
    }
    Err(format!(
        "too large: {}. Find the cause and remove it, or explain the new size in BENCHMARKS.md and raise the budget",
        too_large.join(", ")
    ))
}

/// Returns the bytes of a binary and of its zip archive.
pub(crate) fn sizes(binary: &Path) -> Result<(usize, usize)> {
    let context = |error: std::io::Error| format!("{}: {error}", binary.display());
    let bytes = fs::read(binary).map_err(context)?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes).map_err(context)?;
    Ok((bytes.len(), encoder.finish().map_err(context)?.len()))
}
