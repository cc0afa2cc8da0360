//! Tables of results, for people as Markdown and for machines as JSON.

use std::fmt;

use serde_json::{Map, Value, json};

/// A table of results.
pub(crate) struct Table {
    /// What it shows.
    pub(crate) title: String,
    /// The columns' names, with units.
    pub(crate) head: Vec<String>,
    /// The rows, whose values are text or numbers.
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Table {
    pub(crate) fn new(title: &str, head: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            head: head.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Vec<_>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(text).collect())
            .collect();
        let width = |column: usize| {
            let cells = rows
                .iter()
                .map(|row: &Vec<String>| row[column].chars().count());
            cells
                .chain([self.head[column].chars().count()])
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<_> = (0..self.head.len()).map(width).collect();
        let is_number = |column: usize| self.rows.iter().all(|row| !row[column].is_string());
        writeln!(formatter, "{}:\n", self.title)?;
        let mut line = |cells: &[String]| {
            let cells = cells.iter().enumerate().map(|(column, cell)| {
                let width = widths[column];
                if is_number(column) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
            writeln!(formatter, "| {} |", cells.collect::<Vec<_>>().join(" | "))
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

/// A value with three digits that count, which is as many as a noisy machine is good for.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or_default();
            match number.abs() {
                size if size >= 100.0 => format!("{number:.0}"),
                size if size >= 10.0 => format!("{number:.1}"),
                _ => format!("{number:.2}"),
            }
        }
        other => other.to_string(),
    }
}

/// All tables as one object: of each, the rows as objects.
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

/// The value below which this share of the samples lies.
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (share * (sorted.len() as f64 - 1.0)).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// The middle of the samples.
pub(crate) fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}
