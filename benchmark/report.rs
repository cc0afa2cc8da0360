//! Tables of results, printed as Markdown or as JSON.

use std::fmt;

use serde_json::{Map, Value, json};

/// A table of results.
pub(crate) struct Table {
    pub(crate) title: String,
    /// The names of the columns, with units.
    pub(crate) head: Vec<String>,
    /// The rows. Their values are strings or numbers.
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Table {
    /// Creates an empty table. `head` separates the names of the columns by ` | `.
    pub(crate) fn new(title: &str, head: &str) -> Self {
        Self {
            title: title.to_owned(),
            head: head.split(" | ").map(str::to_owned).collect(),
            rows: Vec::new(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.rows.iter().map(|row| row.iter().map(text).collect());
        let rows: Vec<Vec<_>> = texts.collect();
        let width = |column: usize| {
            let cells = rows.iter().chain([&self.head]);
            cells
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<_> = (0..self.head.len()).map(width).collect();
        let is_number = |column: usize| self.rows.iter().all(|row| !row[column].is_string());
        writeln!(formatter, "{}:\n", self.title)?;
        let mut line = |cells: &[String]| {
            let padded = cells.iter().enumerate().map(|(column, cell)| {
                let width = widths[column];
                if is_number(column) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
            writeln!(formatter, "| {} |", padded.collect::<Vec<_>>().join(" | "))
        };
        line(&self.head)?;
        let rules: Vec<_> = (0..widths.len())
            .map(|column| {
                let width = widths[column];
                if is_number(column) {
                    format!("{}:", "-".repeat(width - 1))
                } else {
                    "-".repeat(width)
                }
            })
            .collect();
        line(&rules)?;
        rows.iter().try_for_each(|row| line(row))
    }
}

/// Formats a value. Numbers have three significant digits, because measurements vary more than that.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            let decimals = match float.abs() {
                100.0.. => 0,
                10.0.. => 1,
                _ => 2,
            };
            format!("{float:.decimals$}")
        }
        other => other.to_string(),
    }
}

/// Returns all tables as one object, with the rows of each table as objects.
pub(crate) fn json(tables: &[Table]) -> Value {
    let rows = |table: &Table| {
        let row = |row: &Vec<Value>| -> Map<_, _> {
            table.head.iter().cloned().zip(row.clone()).collect()
        };
        json!(table.rows.iter().map(row).collect::<Vec<_>>())
    };
    tables
        .iter()
        .map(|table| (table.title.clone(), rows(table)))
        .collect::<Map<_, _>>()
        .into()
}

/// Returns the value below which this share of the samples lies.
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (share * (sorted.len() as f64 - 1.0)).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Returns the median of the samples.
pub(crate) fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}
