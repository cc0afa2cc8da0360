//! How large the functions are.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::DeflateEncoder};
use local::{Result, Template, tools};
use serde_json::json;

use crate::report::Table;

/// The sizes of the release binaries, and of their zip archives, which is what Lambda fetches.
pub(crate) fn measure(binaries: &Path) -> Result<Table> {
    let title = "Size of the release build";
    let mut table = Table::new(
        title,
        &["function", "binary, kB", "zip, kB", "zip to floor"],
    );
    let (floor_size, floor_zip) = size(&binaries.join("floor-get-item"))?;
    let kilobytes = |bytes: usize| json!(bytes / 1_000);
    table.rows.push(vec![
        json!("floor-get-item"),
        kilobytes(floor_size),
        kilobytes(floor_zip),
        json!(1.0),
    ]);
    for function in Template::read(&tools::workspace().join("template.yaml"), &[])?.functions()? {
        let (size, zip) = size(&binaries.join(&function.binary))?;
        let ratio = json!(zip as f64 / floor_zip as f64);
        table.rows.push(vec![
            json!(function.binary),
            kilobytes(size),
            kilobytes(zip),
            ratio,
        ]);
    }
    Ok(table)
}

/// The bytes of a binary, as it is and in a zip archive.
fn size(binary: &Path) -> Result<(usize, usize)> {
    let fault = |error: std::io::Error| format!("{}: {error}", binary.display());
    let bytes = fs::read(binary).map_err(fault)?;
    let mut zip = DeflateEncoder::new(Vec::new(), Compression::default());
    zip.write_all(&bytes).map_err(fault)?;
    Ok((bytes.len(), zip.finish().map_err(fault)?.len()))
}
