//! The stack that `cargo local` and the tests run the functions on.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{process::Child, task::JoinSet};

use crate::{
    DynamoDb, Instance, ProcessReaper, Result, Template, block_on,
    dynamodb::{self, DataDir},
    event_source_mapping,
    gateway::{Api, Gateway},
    instance::parsed,
    lambda::{self, Busy, Function, Functions, QUEUE_TIMEOUT},
    listen,
    logs::Logs,
    pipe, runtime,
    template::DEFAULT_MEMORY_MB,
    tools::{self, DynamoDbLocal},
};

/// What a stack is tuned for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Profile {
    /// A quick start, and policies that are enforced.
    #[default]
    Development,
    /// A fast DynamoDB Local, to which the functions connect directly.
    Benchmark,
}

/// How to start a stack.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory below `target/local/logs` for all logs. It is emptied at the start.
    pub name: String,
    /// The port on 127.0.0.1; any free one by default.
    pub port: Option<u16>,
    /// The directory for DynamoDB Local's data; in memory by default.
    pub data_dir: Option<DataDir>,
    /// The directory with the functions' binaries.
    pub binaries: PathBuf,
    /// The number of instances that a function may have at once.
    pub concurrency: usize,
    /// How long a client may take to send the headers of a request, and then its body.
    pub client_timeout: Duration,
    /// What the stack is tuned for.
    pub profile: Profile,
    /// Whether each request is printed as a line.
    pub prints: bool,
    /// Whether the reference is served at `/docs`.
    pub serves_docs: bool,
    /// Whether the functions' JSON lines are written to the terminal instead of files.
    pub json: bool,
    /// The template.
    pub template: PathBuf,
    /// Values for the template's parameters.
    pub parameters: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: String::new(),
            port: None,
            data_dir: None,
            binaries: PathBuf::new(),
            concurrency: 10,
            client_timeout: Duration::from_secs(30),
            profile: Profile::default(),
            prints: false,
            serves_docs: false,
            json: false,
            template: tools::workspace().join("template.yaml"),
            // A web page under development may have any origin.
            parameters: vec![("AllowedOrigins".to_owned(), "*".to_owned())],
        }
    }
}

/// A running stack. It is stopped when it is dropped, or when this process ends.
pub struct Stack {
    options: Options,
    url: String,
    dynamodb: DynamoDb,
    gateway: Arc<Gateway>,
    /// The servers, the pipes and the event source mappings.
    tasks: JoinSet<()>,
    dynamodb_process: Option<Child>,
    reaper: ProcessReaper,
    logs: Logs,
    is_new: bool,
}

impl Stack {
    /// Starts DynamoDB Local, unless `AWS_ENDPOINT_URL_DYNAMODB` is set; creates the tables; and starts an
    /// instance of each function and the gateway.
    ///
    /// # Errors
    /// Returns an error if a program is missing or does not start, or if the port is taken.
    pub fn start(options: Options) -> Result<Self> {
        let template = Template::read(&options.template, &options.parameters)?;
        let port = options.port.unwrap_or_default();
        let (listener, address) = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let logs = Logs::create(&options.name)?;
        let reaper = ProcessReaper::start()?;
        let (dynamodb, dynamodb_process) = start_dynamodb(&options, &reaper, &logs)?;
        let is_new = dynamodb
            .create_tables(&template)?
            .iter()
            .any(|table| table == "GroupsTable");
        let functions = start_functions(&template, &dynamodb, &options, &reaper, &logs)?;
        let api = Api::new(template, functions)?;
        let gateway = Arc::new(Gateway::new(api, address.port(), &options));
        let mut tasks = JoinSet::new();
        let handle = runtime().handle();
        tasks.spawn_on(gateway.clone().serve(listener), handle);
        // `localhost` often means the IPv6 loopback, and `cargo lambda invoke` connects to it.
        if let Ok((listener, _)) = listen(SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()))) {
            tasks.spawn_on(gateway.clone().serve(listener), handle);
        }
        tasks.spawn_on(pipe::run(gateway.clone(), dynamodb.clone()), handle);
        tasks.spawn_on(event_source_mapping::run(gateway.clone()), handle);
        Ok(Self {
            url: format!("http://{address}"),
            options,
            dynamodb,
            gateway,
            tasks,
            dynamodb_process,
            reaper,
            logs,
            is_new,
        })
    }

    /// The URL of the API, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The stack's DynamoDB.
    pub fn dynamodb(&self) -> &DynamoDb {
        &self.dynamodb
    }

    /// Returns the DynamoDB that a function uses. It denies requests that the function's policies do not
    /// allow.
    pub fn dynamodb_of(&self, function: &str) -> DynamoDb {
        self.function(function).map_or_else(
            || self.dynamodb.clone(),
            |function| function.dynamodb.clone(),
        )
    }

    /// Whether the table of groups is new.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// The directory of the logs.
    pub fn logs(&self) -> &Path {
        self.logs.dir()
    }

    /// The reaper of the stack's processes.
    pub fn reaper(&mut self) -> &mut ProcessReaper {
        &mut self.reaper
    }

    /// Reads the template again and starts the current binaries of the functions. The old instances complete
    /// their requests, and queues keep their messages. Returns a note if the definition of a table has
    /// changed, because existing tables are not updated.
    ///
    /// # Errors
    /// Returns an error, and continues with the old version, if the template cannot be read or a function
    /// does not start.
    pub fn reload(&self) -> Result<Option<String>> {
        let template = Template::read(&self.options.template, &self.options.parameters)?;
        self.dynamodb.create_tables(&template)?;
        let functions = start_functions(
            &template,
            &self.dynamodb,
            &self.options,
            &self.reaper,
            &self.logs,
        )?;
        let old = self.gateway.replace(Api::new(template, functions)?);
        let new = self.gateway.api();
        let is_changed = |table: &(&str, &Value)| !new.template.tables().any(|new| new == *table);
        let changed = old.template.tables().filter(is_changed);
        let names: Vec<_> = changed.map(|(name, _)| name).collect();
        if names.is_empty() {
            return Ok(None);
        }
        Ok(Some(format!(
            "Existing tables stay as they are: {}. To change them, restart with --reset, or without --data-dir.",
            names.join(", ")
        )))
    }

    fn function(&self, name: &str) -> Option<Arc<Function>> {
        self.gateway.api().functions.get(name).cloned()
    }

    /// Returns the ids of a function's processes.
    pub fn process_ids(&self, function: &str) -> Vec<u32> {
        self.function(function)
            .map(|function| function.process_ids())
            .unwrap_or_default()
    }

    /// Starts another instance of a function, with `variables` added to its environment. The environment of
    /// any other binary contains only `variables` and those of Lambda. `binary` may be a path to a binary of
    /// another build.
    ///
    /// # Errors
    /// Returns an error if the binary cannot be started.
    pub fn instance(&self, binary: &str, variables: &[(&str, &str)]) -> Result<Instance> {
        let path = self.options.binaries.join(binary);
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(binary);
        let mut command = match self.function(name) {
            Some(function) => function.command(&path),
            None => {
                let mut other = Command::new(&path);
                other.env_clear();
                lambda::set_lambda_variables(&mut other, binary, DEFAULT_MEMORY_MB, &self.dynamodb);
                other
            }
        };
        let log = self.logs.of(binary);
        Instance::start(
            self.reaper.group(),
            &log,
            log.redirect(command.envs(variables.iter().copied()))?,
        )
    }

    /// Invokes a function by its name.
    ///
    /// # Errors
    /// Returns the error that the function reported, or one in the same form if it did not respond.
    pub fn invoke(&self, function: &str, payload: &Value) -> Result<Value, Value> {
        let error = |kind: &str| json!({ "errorType": kind, "errorMessage": function });
        let found = self
            .function(function)
            .ok_or_else(|| error("ResourceNotFoundException"))?;
        block_on(found.invoke(payload.to_string().into(), QUEUE_TIMEOUT))
            .map_err(|Busy| error("TooManyRequestsException"))?
            .outcome
            .map(parsed)
            .map_err(parsed)
    }

    /// Runs an operation of SQS's API, for example `SendMessage`.
    ///
    /// # Errors
    /// Returns SQS's error, which starts with its type, for example `QueueDoesNotExist`.
    pub fn sqs(&self, operation: &str, input: &Value) -> Result<Value> {
        self.gateway.sqs(operation, input)
    }

    /// Issues a token for an account, with the function `issue-token`.
    ///
    /// # Errors
    /// Returns an error if the function does not return a token.
    pub fn issue_token(&self, account_id: &str) -> Result<String> {
        let payload = json!({ "account_id": account_id, "name": "local" });
        let context = |output: &Value| format!("cannot issue a token: {output}");
        let output = self
            .invoke("issue-token", &payload)
            .map_err(|error| context(&error))?;
        let token = output["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| context(&output))
    }

    /// Whether a token gives access to the API.
    pub(crate) fn accepts_token(&self, token: &str) -> bool {
        let event = json!({ "headers": { "authorization": format!("Bearer {token}") } });
        self.invoke("list-groups", &event)
            .is_ok_and(|output| output["statusCode"] == 200)
    }

    /// Waits until DynamoDB Local exits, and returns an error message.
    pub(crate) async fn dynamodb_exit(&mut self) -> String {
        let Some(process) = &mut self.dynamodb_process else {
            return std::future::pending().await;
        };
        let status = process
            .wait()
            .await
            .map_or_else(|error| error.to_string(), |status| status.to_string());
        format!(
            "DynamoDB Local exited ({status}). {}",
            self.logs.of("dynamodb-local").tail()
        )
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.tasks.abort_all();
        self.reaper.end(&mut self.dynamodb_process);
    }
}

/// Starts DynamoDB Local, unless `AWS_ENDPOINT_URL_DYNAMODB` is set.
fn start_dynamodb(
    options: &Options,
    reaper: &ProcessReaper,
    logs: &Logs,
) -> Result<(DynamoDb, Option<Child>)> {
    if let Some(dynamodb) = DynamoDb::from_env() {
        let listed = dynamodb.call("ListTables", &json!({}));
        listed.map_err(|error| {
            format!(
                "{error}. The URL is from {}: start DynamoDB there, or unset the variable to have one started",
                dynamodb::ENDPOINT_URL
            )
        })?;
        return Ok((dynamodb, None));
    }
    let program = DynamoDbLocal::fetch()?;
    let (dynamodb, process) = DynamoDb::start(&program, reaper, logs, options)?;
    Ok((dynamodb, Some(process)))
}

/// Creates the functions of a template and starts an instance of each.
fn start_functions(
    template: &Template,
    dynamodb: &DynamoDb,
    options: &Options,
    reaper: &ProcessReaper,
    logs: &Logs,
) -> Result<Functions> {
    let mut functions = Functions::new();
    for definition in template.functions()? {
        let function = Function::new(definition, dynamodb, options, reaper.group(), logs)?;
        functions.insert(function.definition.binary.clone(), Arc::new(function));
    }
    let started = functions
        .values()
        .cloned()
        .map(|function| async move { function.warm_up().await });
    block_on(futures_util::future::try_join_all(started))?;
    Ok(functions)
}
