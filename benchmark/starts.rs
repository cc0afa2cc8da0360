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
    Setting {
        name: "plain HTTP, a whole core",
        tls: false,
        share: None,
    },
    Setting {
        name: "TLS, a whole core",
        tls: true,
        share: None,
    },
    Setting {
        name: "TLS, 0.145 of a core (256 MB)",
        tls: true,
        share: Some(0.145),
    },
    Setting {
        name: "TLS, 0.072 of a core (128 MB)",
        tls: true,
        share: Some(0.072),
    },
];

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

/// A ratio to the floor that we want, at most.
struct Target {
    setting: usize,
    measure: &'static str,
    of: fn(&Samples) -> f64,
    limit: f64,
}

/// Issue by issue of a call's life; the floor neither checks a token nor warms its connection.
const TARGETS: [Target; 8] = [
    Target {
        setting: 1,
        measure: "init + first answer",
        of: |s| median(&s.both),
        limit: 1.2,
    },
    Target {
        setting: 2,
        measure: "init + first answer",
        of: |s| median(&s.both),
        limit: 1.2,
    },
    Target {
        setting: 3,
        measure: "init + first answer",
        of: |s| median(&s.both),
        limit: 0.8,
    },
    Target {
        setting: 1,
        measure: "first answer",
        of: |s| median(&s.first),
        limit: 0.6,
    },
    Target {
        setting: 2,
        measure: "first answer",
        of: |s| median(&s.first),
        limit: 0.45,
    },
    Target {
        setting: 1,
        measure: "warm call, p50",
        of: |s| median(&s.warm),
        limit: 1.1,
    },
    Target {
        setting: 1,
        measure: "warm call, CPU",
        of: |s| median(&s.warm_cpu),
        limit: 1.25,
    },
    Target {
        setting: 1,
        measure: "peak RSS",
        of: |s| median(&s.rss),
        limit: 1.15,
    },
];

/// Starts this many instances of each program in each setting, in turns, so that what else the
/// machine does falls on all alike.
pub(crate) fn measure(stack: &Stack, others: &[PathBuf], rounds: usize) -> Result<Vec<Table>> {
    let terminator = tls::terminate(stack.dynamodb())?;
    let subjects = subjects::all(stack, others)?;
    for subject in &subjects {
        one_life(stack, subject, &SETTINGS[0], &terminator, None, CALLS_AHEAD)?;
    }
    let mut tables = Vec::new();
    let mut ratios = Vec::new();
    for setting in &SETTINGS {
        let mut samples: Vec<Samples> = subjects.iter().map(|_| Samples::default()).collect();
        let share = match setting.share.map(Share::of_a_core) {
            Some(None) => {
                eprintln!(
                    "{}: not measured, this machine has no control groups for us",
                    setting.name
                );
                ratios.push(None);
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
        ratios.push(Some(samples));
    }
    tables.push(targets(&subjects, &ratios));
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
    for (subject, of_subject) in subjects.iter().zip(samples) {
        let (floor, samples) = (&samples[subject.floor], of_subject);
        let ratio = |of: fn(&Samples) -> &Vec<f64>| json!(median(of(samples)) / median(of(floor)));
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
fn targets(subjects: &[Subject], samples: &[Option<Vec<Samples>>]) -> Table {
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
        let setting = SETTINGS[target.setting].name;
        let Some(samples) = &samples[target.setting] else {
            continue;
        };
        let ratio = |(subject, of_subject): (&Subject, &Samples)| {
            (target.of)(of_subject) / (target.of)(&samples[subject.floor])
        };
        let ratios: Vec<_> = subjects.iter().zip(samples).map(ratio).collect();
        // Neither the floors themselves nor other builds.
        let is_ours = |index: &usize| {
            subjects[*index].floor != *index && !subjects[*index].binary.contains('/')
        };
        let functions = (0..ratios.len()).filter(is_ours);
        let worst = functions.max_by(|a, b| ratios[*a].total_cmp(&ratios[*b]));
        let worst = worst.unwrap_or_default();
        let met = if ratios[worst] <= target.limit {
            "yes"
        } else {
            "no"
        };
        table.rows.push(vec![
            json!(target.measure),
            json!(setting),
            json!(target.limit),
            json!(ratios[worst]),
            json!(subjects[worst].binary),
            json!(met),
        ]);
    }
    table
}
