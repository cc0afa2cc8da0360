//! Lambda on this machine: each function with its instances.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::body::Bytes;
use rustix::process::{Pid, test_kill_process};
use serde_json::json;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    DynamoDb, DynamoDbProxy, Instance, Profile, Result, dynamodb,
    instance::{Lost, Outcome},
    lock,
    logs::Logs,
    permissions,
    processes::ProcessGroup,
    stack::Options,
    template, tools,
};

/// The functions, by the name of their binaries.
pub(crate) type Functions = BTreeMap<String, Arc<Function>>;

/// A function and its instances. An instance processes one invocation at a time. If no instance is idle,
/// another one is started. At the concurrency limit, invocations wait for an instance.
#[derive(Debug)]
pub(crate) struct Function {
    pub definition: template::Function,
    pub dynamodb: DynamoDb,
    _policy_proxy: Option<DynamoDbProxy>,
    binary: Binary,
    options: Options,
    group: ProcessGroup,
    logs: Logs,
    permits: Semaphore,
    idle: Mutex<Vec<Instance>>,
    busy: Mutex<BTreeSet<u32>>,
}

/// How long an invocation by name may wait for an instance.
pub(crate) const QUEUE_TIMEOUT: Duration = Duration::from_secs(60);

/// The error if no instance was available in time.
#[derive(Debug)]
pub(crate) struct Busy;

/// A finished invocation.
#[derive(Debug)]
pub(crate) struct Invoked {
    pub outcome: Outcome,
    /// Whether an instance was started for it.
    pub cold_start: bool,
}

impl Function {
    pub(crate) fn new(
        definition: template::Function,
        upstream: &DynamoDb,
        options: &Options,
        group: ProcessGroup,
        logs: &Logs,
    ) -> Result<Self> {
        // The benchmark must not measure the proxy.
        let policy_proxy = match options.profile {
            Profile::Benchmark => None,
            Profile::Development => Some(permissions::policy_proxy(
                upstream,
                &definition,
                &logs.of("permissions"),
            )?),
        };
        let dynamodb = policy_proxy
            .as_ref()
            .map_or_else(|| upstream.clone(), |proxy| DynamoDb::at(proxy.url()));
        Ok(Self {
            binary: Binary::keep(&options.binaries.join(&definition.binary))?,
            definition,
            dynamodb,
            _policy_proxy: policy_proxy,
            options: options.clone(),
            group,
            logs: logs.clone(),
            permits: Semaphore::new(options.concurrency),
            idle: Mutex::default(),
            busy: Mutex::default(),
        })
    }

    /// How many instances the function may have at once.
    pub(crate) fn concurrency(&self) -> usize {
        self.options.concurrency
    }

    /// Starts an instance before the first invocation needs one.
    ///
    /// # Errors
    /// Returns an error with the end of the log if the function does not start.
    pub(crate) async fn warm_up(&self) -> Result<()> {
        let mut instance = self.start()?;
        instance
            .initialize()
            .await
            .map_err(|error| format!("{}: {error}", self.definition.binary))?;
        lock(&self.idle).push(instance);
        Ok(())
    }

    /// Invokes the function. If the caller stops waiting, the invocation continues, as on Lambda.
    ///
    /// # Errors
    /// Returns an error if no instance is available within `queue_timeout`.
    pub(crate) async fn invoke(
        self: &Arc<Self>,
        event: Bytes,
        queue_timeout: Duration,
    ) -> Result<Invoked, Busy> {
        let function = self.clone();
        let task = tokio::spawn(async move { function.run(event, queue_timeout).await });
        task.await.map_err(|_| Busy)?
    }

    async fn run(&self, event: Bytes, queue_timeout: Duration) -> Result<Invoked, Busy> {
        let permit = timeout(queue_timeout, self.permits.acquire()).await;
        let _permit = permit.map_err(|_| Busy)?;
        while let Some(idle) = self.take_idle() {
            match self.run_on(idle, &event).await {
                // The instance exited before it received the event, so use another one.
                Err(lost) if !lost.received => {}
                result => {
                    return Ok(Invoked {
                        outcome: result.unwrap_or_else(|lost| Err(lost.error.to_string().into())),
                        cold_start: false,
                    });
                }
            }
        }
        let result = match self.start() {
            Ok(instance) => self
                .run_on(instance, &event)
                .await
                .map_err(|lost| lost.error),
            Err(error) => {
                Err(json!({ "errorType": "Runtime.InvalidEntrypoint", "errorMessage": error }))
            }
        };
        Ok(Invoked {
            outcome: result.unwrap_or_else(|error| Err(error.to_string().into())),
            cold_start: true,
        })
    }

    fn take_idle(&self) -> Option<Instance> {
        let mut idle = lock(&self.idle);
        std::iter::from_fn(|| idle.pop())
            .find_map(|mut instance| instance.is_running().then_some(instance))
    }

    async fn run_on(&self, mut instance: Instance, event: &Bytes) -> Result<Outcome, Lost> {
        let process = instance.process_id();
        lock(&self.busy).insert(process);
        let result = instance.run(event.clone(), self.definition.timeout).await;
        lock(&self.busy).remove(&process);
        if result.is_ok() {
            lock(&self.idle).push(instance);
        }
        result
    }

    fn start(&self) -> Result<Instance> {
        let mut command = self.command(&self.binary.0);
        let log = self.logs.of(&self.definition.binary);
        if !self.options.json {
            log.redirect(&mut command)?;
        }
        Instance::start(self.group, &log, &mut command)
    }

    /// Returns a command that runs `binary` with this function's environment variables.
    pub(crate) fn command(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        let definition = &self.definition;
        command.env_clear().envs(&definition.environment);
        let (name, memory) = (&definition.binary, definition.memory);
        set_lambda_variables(&mut command, name, memory, &self.dynamodb);
        command
    }

    /// Returns the process ids of all instances.
    pub(crate) fn process_ids(&self) -> Vec<u32> {
        let mut ids: Vec<_> = lock(&self.busy).iter().copied().collect();
        ids.extend(lock(&self.idle).iter().map(Instance::process_id));
        ids
    }
}

/// A hard link to a binary, so that new instances of a function run the same version even if a later build
/// replaces the file. It is removed when it is dropped.
#[derive(Debug)]
struct Binary(PathBuf);

impl Binary {
    fn keep(binary: &Path) -> Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let run = tools::home()?.join("run");
        if count == 0 {
            remove_abandoned(&run);
        }
        let dir = run.join(format!("{}-{count}", std::process::id()));
        let context = |error: io::Error| format!("cannot start {}: {error}", binary.display());
        // A process with the same id may have left it, with links to older binaries.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).map_err(context)?;
        let kept = Self(dir.join(binary.file_name().unwrap_or_default()));
        fs::hard_link(binary, &kept.0)
            .or_else(|_| fs::copy(binary, &kept.0).map(|_| ()))
            .map_err(context)?;
        Ok(kept)
    }
}

/// Removes the directories of processes that have exited without removing them.
fn remove_abandoned(run: &Path) {
    for entry in fs::read_dir(run).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.split('-').next()?.parse().ok())
            .and_then(Pid::from_raw);
        if process.is_none_or(|process| test_kill_process(process).is_err()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = self.0.parent().map(fs::remove_dir);
    }
}

/// Sets the [environment variables](https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html)
/// of Lambda that the runtime and the SDK read, and the DynamoDB endpoint. `memory` is in MB.
pub(crate) fn set_lambda_variables(
    command: &mut Command,
    name: &str,
    memory: u64,
    dynamodb: &DynamoDb,
) {
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string());
    command.env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"));
    command.envs([
        ("AWS_ACCESS_KEY_ID", dynamodb::ACCESS_KEY),
        ("AWS_DEFAULT_REGION", dynamodb::REGION),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
        ("AWS_REGION", dynamodb::REGION),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        (dynamodb::ENDPOINT_URL, dynamodb.endpoint()),
    ]);
}
