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
    ANY_PORT, DynamoDb, Instance, ProcessReaper, Result, Template, block_on,
    dynamodb::{self, DataDir},
    event_source_mapping,
    gateway::{Api, Gateway},
    instance::parsed,
    lambda::{self, Busy, Function, Functions, QUEUE_TIMEOUT},
    listen,
    logs::Logs,
    pipe, runtime,
    tools::{self, DynamoDbLocal},
};

/// What a stack is tuned for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Profile {
    /// A quick start, and functions that are held to their policies.
    #[default]
    Development,
    /// DynamoDB Local at its fastest, and nothing between it and the functions.
    Benchmark,
}

/// How to start a stack.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory below `target/local/logs` for all logs; emptied at the start.
    pub name: String,
    /// The port on 127.0.0.1; any free one by default.
    pub port: Option<u16>,
    /// The directory for DynamoDB Local's data; in memory by default.
    pub data_dir: Option<DataDir>,
    /// The directory with the functions' binaries.
    pub binaries: PathBuf,
    /// How many instances a function may have at once.
    pub concurrency: usize,
    /// How long a client may take to send the headers of a request, and then its body.
    pub client_timeout: Duration,
    /// What the stack is tuned for.
    pub profile: Profile,
    /// Whether each request is printed as a line.
    pub prints: bool,
    /// Whether the functions' JSON lines go to the terminal, and not to files.
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
            json: false,
            template: tools::workspace().join("template.yaml"),
            // A web page under development may come from anywhere.
            parameters: vec![("AllowedOrigins".to_owned(), "*".to_owned())],
        }
    }
}

/// A running stack. It ends when it is dropped, or when this process ends.
pub struct Stack {
    options: Options,
    url: String,
    dynamodb: DynamoDb,
    gateway: Arc<Gateway>,
    /// The servers, the pipes and the event source mappings, which end with the stack.
    tasks: JoinSet<()>,
    dynamodb_process: Option<Child>,
    reaper: ProcessReaper,
    logs: Logs,
    is_new: bool,
}

impl Stack {
    /// Starts everything: DynamoDB Local with the template's tables, unless
    /// `AWS_ENDPOINT_URL_DYNAMODB` is set; an instance of each function; and the gateway.
    ///
    /// # Errors
    /// Returns an error if something is missing, a port is taken, or something does not start.
    pub fn start(options: Options) -> Result<Self> {
        let template = Template::read(&options.template, &options.parameters)?;
        let port = options.port.unwrap_or_default();
        let (listener, address) = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let logs = Logs::create(&options.name)?;
        let reaper = ProcessReaper::start()?;
        let mut dynamodb_process = None;
        let dynamodb = match DynamoDb::from_env() {
            Some(dynamodb) => {
                let listed = dynamodb.call("ListTables", &json!({}));
                listed.map_err(|error| {
                    format!(
                        "{error}. The URL is from {}: start DynamoDB there, or unset the variable to have one started",
                        dynamodb::ENDPOINT_URL
                    )
                })?;
                dynamodb
            }
            None => {
                let program = DynamoDbLocal::fetch()?;
                let data_dir = options.data_dir.as_ref();
                let log = logs.of("dynamodb-local");
                let (dynamodb, process) = DynamoDb::start(
                    &program,
                    &reaper,
                    &log,
                    free_port()?,
                    data_dir,
                    options.profile,
                )?;
                dynamodb_process = Some(process);
                dynamodb
            }
        };
        let is_new = dynamodb
            .create_tables(&template)?
            .iter()
            .any(|table| table == "GroupsTable");
        let functions = start_functions(&template, &dynamodb, &options, &reaper, &logs)?;
        let api = Api::new(template, functions)?;
        let gateway = Arc::new(Gateway::new(api, address.port(), &options));
        let mut tasks = JoinSet::new();
        tasks.spawn_on(gateway.clone().serve(listener), runtime().handle());
        // `localhost` often means the IPv6 loopback, and `cargo lambda invoke` connects to it.
        if let Ok((listener, _)) = listen(SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()))) {
            tasks.spawn_on(gateway.clone().serve(listener), runtime().handle());
        }
        let pipes = pipe::run(gateway.clone(), dynamodb.clone());
        tasks.spawn_on(pipes, runtime().handle());
        let mappings = event_source_mapping::run(gateway.clone());
        tasks.spawn_on(mappings, runtime().handle());
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

    /// The DynamoDB that a function uses, which refuses what the function's policies do not allow.
    pub fn dynamodb_of(&self, function: &str) -> DynamoDb {
        self.function(function).map_or_else(
            || self.dynamodb.clone(),
            |function| function.dynamodb.clone(),
        )
    }

    /// Whether the table of groups was created by this start.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// The directory of the logs.
    pub fn logs(&self) -> &Path {
        self.logs.dir()
    }

    /// The processes that end with this one.
    pub fn reaper(&mut self) -> &mut ProcessReaper {
        &mut self.reaper
    }

    /// Reads the template again and replaces the functions by their binaries as they are now.
    /// Requests under way end with the former ones, and queues keep their messages. Returns a note if
    /// a table has changed, because existing tables stay as they are.
    ///
    /// # Errors
    /// Returns an error, and goes on with what was served before, if the template cannot be read or
    /// a function does not start.
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
        let former = self.gateway.replace(Api::new(template, functions)?);
        let api = self.gateway.api();
        let is_new = |table: &(&str, &Value)| !api.template.tables().any(|new| new == *table);
        let changed: Vec<_> = former
            .template
            .tables()
            .filter(is_new)
            .map(|(name, _)| name)
            .collect();
        let note = || {
            format!(
                "Existing tables stay as they are: {}. To change them, restart with --reset, or without --data-dir.",
                changed.join(", ")
            )
        };
        Ok((!changed.is_empty()).then(note))
    }

    fn function(&self, name: &str) -> Option<Arc<Function>> {
        self.gateway.api().functions.get(name).cloned()
    }

    /// The ids of a function's processes.
    pub fn process_ids(&self, function: &str) -> Vec<u32> {
        self.function(function)
            .map(|function| function.process_ids())
            .unwrap_or_default()
    }

    /// Starts another instance of a function, with `variables` in place of some of its own. For any
    /// other binary, only `variables` and those of Lambda are set. A path in place of the name takes
    /// the binary from elsewhere.
    ///
    /// # Errors
    /// Returns an error if the binary cannot be started.
    pub fn instance(&self, binary: &str, variables: &[(&str, &str)]) -> Result<Instance> {
        let path = self.options.binaries.join(binary);
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(binary);
        let mut command = self.function(name).map_or_else(
            || {
                let mut command = Command::new(&path);
                lambda::set_lambda_variables(command.env_clear(), binary, 256, &self.dynamodb);
                command
            },
            |function| function.command(&path),
        );
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
        let invoked = block_on(found.invoke(payload.to_string().into(), QUEUE_TIMEOUT));
        let invoked = invoked.map_err(|Busy| error("TooManyRequestsException"))?;
        invoked.outcome.map(parsed).map_err(parsed)
    }

    /// Runs an operation of SQS's API, for example `SendMessage`, as a request to the stack's URL does.
    ///
    /// # Errors
    /// Returns SQS's error, which starts with its type, for example `QueueDoesNotExist`.
    pub fn sqs(&self, operation: &str, input: &Value) -> Result<Value> {
        self.gateway.sqs(operation, input)
    }

    /// Issues a token for an account, with the function that does.
    ///
    /// # Errors
    /// Returns an error if the function does not return a token.
    pub fn issue_token(&self, account_id: &str) -> Result<String> {
        let payload = json!({ "account_id": account_id, "name": "local" });
        let output = self.invoke("issue-token", &payload);
        let output = output.map_err(|error| format!("cannot issue a token: {error}"))?;
        let token = output["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| format!("cannot issue a token: {output}"))
    }

    /// Whether a token gives access to the API.
    pub(crate) fn accepts_token(&self, token: &str) -> bool {
        let event = json!({ "headers": { "authorization": format!("Bearer {token}") } });
        self.invoke("list-groups", &event)
            .is_ok_and(|output| output["statusCode"] == 200)
    }

    /// Waits until DynamoDB Local exits, and reports it.
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

fn free_port() -> Result<u16> {
    listen(ANY_PORT).map(|(_, address)| address.port())
}
