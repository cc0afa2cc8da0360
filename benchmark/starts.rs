//! Measures instances from their start: init, the first response, warm calls and memory.

use std::{path::PathBuf, time::Duration};

use local::{Instance, Result, Stack, dynamodb};
use rustls::version::TLS13;
use serde_json::{Value, json};

use crate::{
    cases::{self, BASELINE, Case, MINIMUM},
    chart::{self, Bar},
    process::{CpuQuota, cpu_ms, peak_rss_mib},
    report::{Table, median, quantile},
    tls::{self, Terminator},
};

/// The number of warm calls of each instance.
const WARM_CALLS: usize = 20;

/// The number of calls of each program before the measurement, so that DynamoDB Local is optimized.
const CALLS_BEFORE: usize = 1_000;

/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How the functions run.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    tls: bool,
    /// The share of a core after init, if it is limited: Lambda gives an instance a whole core during
    /// init, and then one core for every 1,769 MB of memory.
    share: Option<f64>,
}

const SETTINGS: [Setting; 4] = [
    Setting::new("plain HTTP, a whole core", false, None),
    TLS_WHOLE_CORE,
    Setting::new(AT_256_MB, true, Some(0.145)),
    Setting::new(AT_128_MB, true, Some(0.072)),
];

/// The setting that is most like Lambda without its limits.
pub(crate) const TLS_WHOLE_CORE: Setting = Setting::new(WHOLE_CORE, true, None);

const WHOLE_CORE: &str = "TLS, a whole core";
const AT_256_MB: &str = "TLS, 0.145 of a core (256 MB)";
const AT_128_MB: &str = "TLS, 0.072 of a core (128 MB)";

impl Setting {
    const fn new(name: &'static str, tls: bool, share: Option<f64>) -> Self {
        Self { name, tls, share }
    }
}

/// The samples of one program: one of each instance, and one of each warm call.
#[derive(Default)]
pub(crate) struct Samples {
    pub(crate) init: Vec<f64>,
    first: Vec<f64>,
    pub(crate) both: Vec<f64>,
    both_cpu: Vec<f64>,
    pub(crate) warm: Vec<f64>,
    warm_cpu: Vec<f64>,
    pub(crate) rss: Vec<f64>,
}

/// Selects one kind of sample.
type Measure = fn(&Samples) -> &Vec<f64>;

/// Limits on the ratio of a function's median to that of a baseline: the setting, the name and the kind of the samples, the
/// baseline, and the highest ratio.
const TARGETS: [(&str, &str, Measure, &str, f64); 10] = [
    (WHOLE_CORE, BOTH, |s| &s.both, BASELINE, 0.95),
    (AT_256_MB, BOTH, |s| &s.both, BASELINE, 0.9),
    (AT_128_MB, BOTH, |s| &s.both, BASELINE, 0.5),
    (WHOLE_CORE, "first response", |s| &s.first, BASELINE, 0.6),
    (WHOLE_CORE, "warm call, p50", |s| &s.warm, BASELINE, 1.05),
    (WHOLE_CORE, WARM_CPU, |s| &s.warm_cpu, BASELINE, 1.1),
    (
        WHOLE_CORE,
        "init + first response, CPU",
        |s| &s.both_cpu,
        BASELINE,
        0.9,
    ),
    (WHOLE_CORE, "peak RSS", |s| &s.rss, BASELINE, 1.0),
    (WHOLE_CORE, BOTH, |s| &s.both, MINIMUM, 1.5),
    (WHOLE_CORE, WARM_CPU, |s| &s.warm_cpu, MINIMUM, 1.1),
];

const BOTH: &str = "init + first response";
const WARM_CPU: &str = "warm call, CPU";

/// All samples of a setting, by the index of the case.
type Measured = (&'static Setting, Vec<Samples>);

/// Starts `rounds` instances of each program in each setting.
pub(crate) fn measure(stack: &Stack, compared: &[PathBuf], rounds: usize) -> Result<Vec<Table>> {
    let terminator = Terminator::start(stack.dynamodb().endpoint(), &TLS13)?;
    terminator.add_system_authorities()?;
    let cases = cases::all(stack, compared)?;
    let programs = Programs {
        stack,
        terminator: &terminator,
        cases: &cases,
    };
    programs.warm_up(&SETTINGS[0])?;
    let mut measured: Vec<Measured> = Vec::new();
    for setting in &SETTINGS {
        let quota = setting.share.and_then(CpuQuota::new);
        if setting.share.is_some() && quota.is_none() {
            eprintln!("{}: skipped, no control groups", setting.name);
            continue;
        }
        measured.push((setting, programs.measure(setting, quota.as_ref(), rounds)?));
    }
    write_chart(&cases, &measured)?;
    let mut all: Vec<_> = measured
        .iter()
        .flat_map(|setting| tables(&cases, setting))
        .collect();
    all.push(targets(&cases, &measured));
    Ok(all)
}

/// The measured programs, and the DynamoDB that they use.
pub(crate) struct Programs<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) terminator: &'a Terminator,
    pub(crate) cases: &'a [Case],
}

impl Programs<'_> {
    /// Calls each program often enough that DynamoDB Local is optimized.
    pub(crate) fn warm_up(&self, setting: &Setting) -> Result<()> {
        let mut ignored = Samples::default();
        for case in self.cases {
            self.measure_instance(case, setting, None, CALLS_BEFORE, &mut ignored)?;
        }
        Ok(())
    }

    /// Starts `rounds` instances of each program. The programs take turns, so that other load on the machine
    /// affects all of them alike.
    pub(crate) fn measure(
        &self,
        setting: &Setting,
        quota: Option<&CpuQuota>,
        rounds: usize,
    ) -> Result<Vec<Samples>> {
        let mut samples: Vec<_> = self.cases.iter().map(|_| Samples::default()).collect();
        for _ in 0..rounds {
            for (case, own) in self.cases.iter().zip(&mut samples) {
                self.measure_instance(case, setting, quota, WARM_CALLS, own)?;
            }
        }
        Ok(samples)
    }

    /// Starts an instance of a program.
    fn start(&self, case: &Case, setting: &Setting) -> Result<Instance> {
        // The SDK's own HTTP client reads both variables over plain HTTP too, the functions only the first.
        let authority = self.terminator.authority.display().to_string();
        let authorities = self.terminator.authorities.display().to_string();
        let mut variables = vec![
            (tls::AUTHORITY, authority.as_str()),
            (tls::AUTHORITIES, authorities.as_str()),
        ];
        variables.extend(
            case.variables
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        if setting.tls {
            variables.push((dynamodb::ENDPOINT_URL, &self.terminator.url));
        }
        self.stack.instance(&case.binary, &variables)
    }

    /// Starts an instance, and returns its first response.
    pub(crate) fn first_response(&self, case: &Case, setting: &Setting) -> Result<Value> {
        let invoked = self.start(case, setting)?.invoke(&case.event);
        invoked.map_err(|error| format!("{}: {error}", case.binary))
    }

    /// Starts an instance, makes its calls, and adds the times, the CPU and the memory to `samples`.
    fn measure_instance(
        &self,
        case: &Case,
        setting: &Setting,
        quota: Option<&CpuQuota>,
        calls: usize,
        samples: &mut Samples,
    ) -> Result<()> {
        let context = |error| format!("{}: {error}", case.binary);
        let mut instance = self.start(case, setting)?;
        let process = instance.process_id();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let init = milliseconds(instance.wait_for_init().map_err(context)?);
        if let Some(quota) = quota {
            quota.limit(process)?;
        }
        let event = case.event.to_string();
        let mut call = || {
            case.restore(self.stack)?;
            let (outcome, time) = instance.exchange(event.clone().into_bytes(), CALL_TIMEOUT)?;
            let output = outcome.map_err(|error| String::from_utf8_lossy(&error).into_owned())?;
            let response: Value =
                serde_json::from_slice(&output).map_err(|error| error.to_string())?;
            match response["statusCode"].as_u64() {
                Some(200..=204) => Ok(milliseconds(time)),
                _ => Err(response.to_string()),
            }
        };
        let first = call().map_err(context)?;
        let both_cpu = cpu_ms(process)?;
        for _ in 0..calls {
            samples.warm.push(call().map_err(context)?);
        }
        samples.init.push(init);
        samples.first.push(first);
        samples.both.push(init + first);
        samples.both_cpu.push(both_cpu);
        samples
            .warm_cpu
            .push((cpu_ms(process)? - both_cpu) / calls as f64);
        samples.rss.push(peak_rss_mib(process)?);
        Ok(())
    }
}

/// Returns the ratio of the medians of two cases.
fn ratio(measure: Measure, samples: &[Samples], index: usize, reference: usize) -> f64 {
    median(measure(&samples[index])) / median(measure(&samples[reference]))
}

/// Returns the tables of the start and of the warm calls. Ratios are to the baseline.
fn tables(cases: &[Case], (setting, samples): &Measured) -> [Table; 2] {
    let head = "function | init, ms | first, ms | both, ms | middle half | ratio | CPU, ms";
    let mut starts = Table::new(&format!("Init and first response: {}", setting.name), head);
    let head =
        "function | p50, ms | p99, ms | p50 ratio | CPU, ms | CPU ratio | RSS, MiB | RSS ratio";
    let mut calls = Table::new(&format!("Warm calls: {}", setting.name), head);
    for (index, case) in cases.iter().enumerate() {
        let own = &samples[index];
        let ratio_of = |measure| json!(ratio(measure, samples, index, case.baseline));
        let [lower, upper] = [0.25, 0.75].map(|share| quantile(&own.both, share));
        starts.rows.push(vec![
            json!(case.binary),
            json!(median(&own.init)),
            json!(median(&own.first)),
            json!(median(&own.both)),
            json!(format!("{lower:.1} to {upper:.1}")),
            ratio_of(|s| &s.both),
            json!(median(&own.both_cpu)),
        ]);
        calls.rows.push(vec![
            json!(case.binary),
            json!(median(&own.warm)),
            json!(quantile(&own.warm, 0.99)),
            ratio_of(|s| &s.warm),
            json!(median(&own.warm_cpu)),
            ratio_of(|s| &s.warm_cpu),
            json!(median(&own.rss)),
            ratio_of(|s| &s.rss),
        ]);
    }
    [starts, calls]
}

/// Returns the table of the targets, each with the function that has the highest ratio.
fn targets(cases: &[Case], measured: &[Measured]) -> Table {
    let head = "target | setting | ratio to | at most | highest | function | met";
    let mut table = Table::new("Targets", head);
    for (setting_name, name, measure, reference, limit) in TARGETS {
        let mut settings = measured.iter();
        let Some((_, samples)) = settings.find(|(setting, _)| setting.name == setting_name) else {
            continue;
        };
        let functions = cases
            .iter()
            .enumerate()
            .filter(|(_, case)| case.is_function());
        let ratios = functions.map(|(index, case)| {
            let reference = if reference == MINIMUM {
                case.minimum
            } else {
                case.baseline
            };
            (ratio(measure, samples, index, reference), case)
        });
        let Some((highest, case)) = ratios.max_by(|(a, _), (b, _)| a.total_cmp(b)) else {
            continue;
        };
        table.rows.push(vec![
            json!(name),
            json!(setting_name),
            json!(reference),
            json!(limit),
            json!(highest),
            json!(case.binary),
            json!(if highest <= limit { "yes" } else { "no" }),
        ]);
    }
    table
}

/// Writes the chart of the settings with a whole core.
fn write_chart(cases: &[Case], measured: &[Measured]) -> Result<()> {
    let whole_core = measured
        .iter()
        .filter(|(setting, _)| setting.share.is_none());
    let settings: Vec<_> = whole_core
        .map(|(setting, samples)| {
            let programs = cases.iter().zip(samples);
            let bars = programs
                .filter(|(case, _)| !case.is_compared())
                .map(|(case, samples)| Bar {
                    name: &case.binary,
                    init: median(&samples.init),
                    both: median(&samples.both),
                });
            (setting.name, bars.collect())
        })
        .collect();
    chart::write("benchmark/starts.svg", &settings)
}
