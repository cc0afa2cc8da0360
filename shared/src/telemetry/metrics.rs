//! The declaration of which members of a log line are metrics, in CloudWatch's
//! [embedded metric format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).

use std::sync::LazyLock;

use serde::Serialize;

use crate::{env, model::timestamp};

/// The environment variable with the namespace of the metrics. Two stacks in one account have different ones.
const METRICS_NAMESPACE: &str = "METRICS_NAMESPACE";

/// The default namespace.
const DEFAULT_NAMESPACE: &str = "Groups";

/// The member `_aws`, which declares the metrics among the other members.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metrics {
    /// In milliseconds since the Unix epoch.
    timestamp: u64,
    cloud_watch_metrics: Vec<Directive>,
}

/// Metrics with the same dimensions.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: &'static [&'static [&'static str]],
    metrics: Vec<Metric>,
}

/// A metric. Its name is that of the member with its value or values.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metric {
    name: &'static str,
    unit: &'static str,
}

impl Metrics {
    /// Declares metrics with the dimension `function`, and others with the dimensions `function` and `code`, one at
    /// a time.
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
    /// Declares a time, or several.
    pub(super) fn milliseconds(name: &'static str) -> Self {
        let unit = "Milliseconds";
        Self { name, unit }
    }

    /// Declares the counts that are not zero, because CloudWatch charges for each metric that it receives.
    pub(super) fn counts(counts: &[(&'static str, u32)]) -> Vec<Self> {
        let unit = "Count";
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        counts.map(|&(name, _)| Self { name, unit }).collect()
    }
}

fn namespace() -> &'static str {
    static NAMESPACE: LazyLock<String> = LazyLock::new(|| {
        env::non_empty(METRICS_NAMESPACE).unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
    });
    &NAMESPACE
}
