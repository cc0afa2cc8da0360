//! CloudWatch's
//! [embedded metric format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html):
//! which members of a line of the log are metrics.

use std::{env, sync::LazyLock};

use serde::Serialize;

use crate::model::timestamp;

/// The environment variable that names the namespace of the metrics, so that two stacks of one
/// account tell theirs apart.
const METRICS_NAMESPACE: &str = "METRICS_NAMESPACE";

/// The namespace where the variable is not set.
const DEFAULT_NAMESPACE: &str = "Groups";

/// The member `_aws`, which tells CloudWatch which of its siblings are metrics.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metrics {
    /// In milliseconds since the Unix epoch.
    timestamp: u64,
    cloud_watch_metrics: Vec<Directive>,
}

/// Metrics that have dimensions in common.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: &'static [&'static [&'static str]],
    metrics: Vec<Metric>,
}

/// A metric, by the name of the member that has its value or values.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metric {
    name: &'static str,
    unit: &'static str,
}

impl Metrics {
    /// The metrics of now: some by function, and some by function and by code, which are two.
    pub(super) fn new(by_function: Vec<Metric>, by_function_and_by_code: Vec<Metric>) -> Self {
        let directive = |dimensions, metrics| Directive {
            namespace: namespace(),
            dimensions,
            metrics,
        };
        let mut directives = vec![directive(&[&["function"]], by_function)];
        if !by_function_and_by_code.is_empty() {
            directives.push(directive(
                &[&["function"], &["code"]],
                by_function_and_by_code,
            ));
        }
        Self {
            timestamp: timestamp::since_epoch().as_millis() as u64,
            cloud_watch_metrics: directives,
        }
    }
}

impl Metric {
    /// A time, or several.
    pub(super) fn milliseconds(name: &'static str) -> Self {
        let unit = "Milliseconds";
        Self { name, unit }
    }

    /// Those of the counts that are more than zero: CloudWatch charges for each metric that it gets.
    pub(super) fn counts(counts: &[(&'static str, u32)]) -> Vec<Self> {
        let unit = "Count";
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        counts.map(|&(name, _)| Self { name, unit }).collect()
    }
}

fn namespace() -> &'static str {
    static NAMESPACE: LazyLock<String> = LazyLock::new(|| {
        let set = env::var(METRICS_NAMESPACE).ok();
        let set = set.filter(|namespace| !namespace.is_empty());
        set.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
    });
    &NAMESPACE
}
