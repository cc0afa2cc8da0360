//! Instances from their start on: init, the first answer, warm calls, memory.

use std::{path::PathBuf, time::Duration};

use local::{Instance, Result, Stack, dynamodb};
use serde_json::{Value, json};

use crate::{
    process::{Share, cpu_ms, peak_rss_mib},
    report::{Table, median, quantile},
    subjects::{self, Subject},
    tls::{self, Terminator},
};

/// How many warm calls each instance gets.
const CALLS: usize = 20;

/// How many calls each program gets before anything is measured, for DynamoDB Local to become fast.
const CALLS_AHEAD: usize = 1_000;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the functions run.
struct Setting {
    name: &'static str,
    tls: bool,
    /// The share of a core from the first poll on, where it is cut: Lambda gives an instance all of
    /// one in init, and then 1 for every 1,769 MB of memory.
    share: Option<f64>,
}

const SETTINGS: [Setting; 4] = [
    Setting::new("plain HTTP, a whole core", false, None),
    Setting::new(WHOLE_CORE, true, None),
    Setting::new(AT_256_MB, true, Some(0.145)),
    Setting::new(AT_128_MB, true, Some(0.072)),
];

const WHOLE_CORE: &str = "TLS, a whole core";
const AT_256_MB: &str = "TLS, 0.145 of a core (256 MB)";
const AT_128_MB: &str = "TLS, 0.072 of a core (128 MB)";

impl Setting {
    const fn new(name: &'static str, tls: bool, share: Option<f64>) -> Self {
        Self { name, tls, share }
    }
}

/// What instances of one program took, each sample of one instance but those of warm calls.
#[derive(Default)]
struct Samples {
    init: Vec<f64>,
    first: Vec<f64>,
    both: Vec<f64>,
    both_cpu: Vec<f64>,
    warm: Vec<f64>,
    warm_cpu: Vec<f64>,
    rss: Vec<f64>,
}

/// A ratio of medians to the floor's that we want, at most.
struct Target {
    setting: &'static str,
    measure: &'static str,
    of: Measure,
    limit: f64,
}

/// One kind of sample.
type Measure = fn(&Samples) -> &Vec<f64>;

const TARGETS: [Target; 8] = [
    Target::new(WHOLE_CORE, "init + first answer", |s| &s.both, 1.2),
    Target::new(AT_256_MB, "init + first answer", |s| &s.both, 1.2),
    Target::new(AT_128_MB, "init + first answer", |s| &s.both, 0.8),
    Target::new(WHOLE_CORE, "first answer", |s| &s.first, 0.6),
    Target::new(AT_256_MB, "first answer", |s| &s.first, 0.45),
    Target::new(WHOLE_CORE, "warm call, p50", |s| &s.warm, 1.1),
    Target::new(WHOLE_CORE, "warm call, CPU", |s| &s.warm_cpu, 1.25),
    Target::new(WHOLE_CORE, "peak RSS", |s| &s.rss, 1.15),
];

impl Target {
    const fn new(setting: &'static str, measure: &'static str, of: Measure, limit: f64) -> Self {
        Self {
            setting,
            measure,
            of,
            limit,
        }
    }
}

/// How the median of one program's samples stands to that of its floor.
fn ratio(of: Measure, samples: &[Samples], index: usize, floor: usize) -> f64 {
    median(of(&samples[index])) / median(of(&samples[floor]))
}

/// Starts this many instances of each program in each setting, in turns, so that what else the
/// machine does falls on all alike.
pub(crate) fn measure(stack: &Stack, others: &[PathBuf], rounds: usize) -> Result<Vec<Table>> {
    let terminator = tls::terminate(stack.dynamodb())?;
    let subjects = subjects::all(stack, others)?;
    for subject in &subjects {
        one_life(stack, subject, &SETTINGS[0], &terminator, None, CALLS_AHEAD)?;
    }
    let mut tables = Vec::new();
    let mut measured = Vec::new();
    for setting in &SETTINGS {
        let mut samples: Vec<Samples> = subjects.iter().map(|_| Samples::default()).collect();
        let share = match setting.share.map(Share::of_a_core) {
            Some(None) => {
                eprintln!(
                    "{}: not measured, this machine has no control groups for us",
                    setting.name
                );
                continue;
            }
            share => share.flatten(),
        };
        for _ in 0..rounds {
            for (subject, samples) in subjects.iter().zip(&mut samples) {
                let sample = one_life(stack, subject, setting, &terminator, share.as_ref(), CALLS);
                let sample = sample.map_err(|error| format!("{}: {error}", subject.binary))?;
                samples.add(sample);
            }
        }
        tables.push(table(setting, &subjects, &samples));
        measured.push((setting.name, samples));
    }
    tables.push(targets(&subjects, &measured));
    Ok(tables)
}

/// Starts an instance, and sees it through to its last call.
fn one_life(
    stack: &Stack,
    subject: &Subject,
    setting: &Setting,
    terminator: &Terminator,
    share: Option<&Share>,
    calls: usize,
) -> Result<Samples> {
    let mut variables: Vec<_> = subject
        .variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    // Over plain HTTP they are read as well.
    let authorities = terminator.authorities.display().to_string();
    variables.push((tls::AUTHORITIES, &authorities));
    if setting.tls {
        variables.push((dynamodb::ENDPOINT_URL, &terminator.url));
    }
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let mut instance = stack.instance(&subject.binary, &variables)?;
    let process = instance.process_id();
    let init = milliseconds(instance.wait_for_init()?);
    if let Some(share) = share {
        share.take(process)?;
    }
    let event = subject.event.to_string();
    let call = |instance: &mut Instance| {
        subject.restore(stack)?;
        let (answer, time) = instance.exchange(event.clone().into_bytes(), PATIENCE)?;
        let answer: Value = answer
            .ok()
            .and_then(|answer| serde_json::from_slice(&answer).ok())
            .ok_or("it reports an error")?;
        match answer["statusCode"].as_u64() {
            Some(200..=204) => Ok(milliseconds(time)),
            _ => Err(answer.to_string()),
        }
    };
    let first = call(&mut instance)?;
    let both_cpu = cpu_ms(process)?;
    let warm = (0..calls)
        .map(|_| call(&mut instance))
        .collect::<Result<_>>()?;
    let warm_cpu = (cpu_ms(process)? - both_cpu) / calls as f64;
    Ok(Samples {
        init: vec![init],
        first: vec![first],
        both: vec![init + first],
        both_cpu: vec![both_cpu],
        warm,
        warm_cpu: vec![warm_cpu],
        rss: vec![peak_rss_mib(process)?],
    })
}

impl Samples {
    fn add(&mut self, mut other: Self) {
        self.init.append(&mut other.init);
        self.first.append(&mut other.first);
        self.both.append(&mut other.both);
        self.both_cpu.append(&mut other.both_cpu);
        self.warm.append(&mut other.warm);
        self.warm_cpu.append(&mut other.warm_cpu);
        self.rss.append(&mut other.rss);
    }
}

fn table(setting: &Setting, subjects: &[Subject], samples: &[Samples]) -> Table {
    let head = [
        "function",
        "init, ms",
        "first, ms",
        "init + first, ms",
        "middle half",
        "to floor",
        "CPU, ms",
        "warm p50, ms",
        "warm p99, ms",
        "p50 to floor",
        "CPU per call, ms",
        "CPU to floor",
        "peak RSS, MiB",
        "RSS to floor",
    ];
    let mut table = Table::new(&format!("From the start on: {}", setting.name), &head);
    for (index, subject) in subjects.iter().enumerate() {
        let ratio = |of: Measure| json!(ratio(of, samples, index, subject.floor));
        let samples = &samples[index];
        let middle = format!(
            "{:.1} to {:.1}",
            quantile(&samples.both, 0.25),
            quantile(&samples.both, 0.75)
        );
        table.rows.push(vec![
            json!(subject.binary),
            json!(median(&samples.init)),
            json!(median(&samples.first)),
            json!(median(&samples.both)),
            json!(middle),
            ratio(|s| &s.both),
            json!(median(&samples.both_cpu)),
            json!(median(&samples.warm)),
            json!(quantile(&samples.warm, 0.99)),
            ratio(|s| &s.warm),
            json!(median(&samples.warm_cpu)),
            ratio(|s| &s.warm_cpu),
            json!(median(&samples.rss)),
            ratio(|s| &s.rss),
        ]);
    }
    table
}

/// The targets, and the function that is furthest from each.
fn targets(subjects: &[Subject], measured: &[(&str, Vec<Samples>)]) -> Table {
    let head = [
        "target, to floor",
        "setting",
        "at most",
        "highest",
        "of",
        "met",
    ];
    let mut table = Table::new("Targets", &head);
    for target in &TARGETS {
        let in_setting = measured.iter().find(|(name, _)| *name == target.setting);
        let Some((_, samples)) = in_setting else {
            continue;
        };
        // Neither the floors themselves nor other builds.
        let ours = subjects
            .iter()
            .enumerate()
            .filter(|(index, subject)| subject.floor != *index && !subject.binary.contains('/'));
        let ratios = ours.map(|(index, subject)| {
            let ratio = ratio(target.of, samples, index, subject.floor);
            (ratio, subject)
        });
        let Some((highest, subject)) = ratios.max_by(|(a, _), (b, _)| a.total_cmp(b)) else {
            continue;
        };
        let met = if highest <= target.limit { "yes" } else { "no" };
        table.rows.push(vec![
            json!(target.measure),
            json!(target.setting),
            json!(target.limit),
            json!(highest),
            json!(subject.binary),
            json!(met),
        ]);
    }
    table
}
