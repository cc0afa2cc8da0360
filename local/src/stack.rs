//! The stack that `cargo local` and the tests run the functions on.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    DynamoDb, Endpoint, Guardian, Instance, Result, Template, dynamodb,
    feeder::Feeder,
    front,
    logs::Logs,
    permissions,
    template::{Function, Route},
    tools::{self, DynamoDbLocal},
};

/// How long an invocation may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a stack is to be started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The directory below `target/local/logs` for what everything logs; emptied first.
    pub name: &'static str,
    /// The port on 127.0.0.1, or any that is free.
    pub port: Option<u16>,
    /// Where the data are kept; in memory where not said.
    pub data_dir: Option<PathBuf>,
    /// The directory of the functions' binaries.
    pub binaries: PathBuf,
    /// How many instances each function has, which is how many requests it serves at once.
    pub instances: usize,
    /// Whether DynamoDB Local is to be as fast as it gets, and not as fast up.
    pub dynamodb_at_full_speed: bool,
    /// Whether the functions log to the terminal.
    pub log_to_terminal: bool,
}

/// A running stack. It ends when it is dropped, or when this process does.
#[derive(Debug)]
pub struct Stack {
    options: Options,
    url: String,
    dynamodb: DynamoDb,
    guards: BTreeMap<String, Endpoint>,
    functions: Vec<Function>,
    instances: Vec<Child>,
    feeders: BTreeMap<String, Feeder>,
    services: Vec<Child>,
    guardian: Guardian,
    logs: Logs,
    http: ureq::Agent,
}

impl Stack {
    /// Starts everything: DynamoDB Local with the template's tables, unless
    /// `AWS_ENDPOINT_URL_DYNAMODB` names one that is there already; the Runtime API and HTTP front
    /// of cargo-lambda; and the functions.
    ///
    /// # Errors
    /// Where something is missing, a port is taken, or something does not come up.
    pub fn start(options: Options) -> Result<Self> {
        let template = Template::read(&tools::workspace().join("template.yaml"))?;
        let port = options
            .port
            .map_or_else(front::free_port, front::wanted_port)?;
        let logs = Logs::begin(options.name)?;
        let guardian = Guardian::start()?;
        let mut services = Vec::new();
        let dynamodb = match DynamoDb::from_env() {
            Some(dynamodb) => {
                dynamodb.call("ListTables", &json!({})).map_err(|error| {
                    let name = dynamodb::ENDPOINT_URL;
                    format!("{error}. {name} names it: start it there, or unset the variable and one is started")
                })?;
                dynamodb
            }
            None => {
                let local = DynamoDbLocal::fetch()?;
                let log = logs.of("dynamodb-local");
                let started =
                    DynamoDb::start(&local, &guardian, &log, front::free_port()?, &options);
                let (dynamodb, process) = started?;
                services.push(process);
                dynamodb
            }
        };
        dynamodb.create_tables(&template)?;
        let functions = template.functions()?;
        let mut guards = BTreeMap::new();
        // The guards take time of their own.
        if !options.dynamodb_at_full_speed {
            for function in &functions {
                let guard = permissions::guard(&dynamodb, function, &logs.of("permissions"))?;
                guards.insert(function.binary.clone(), guard);
            }
        }
        services.push(front::start(
            &guardian,
            &logs.of("cargo-lambda"),
            port,
            &functions,
        )?);
        let mut stack = Self {
            options,
            url: format!("http://127.0.0.1:{port}"),
            dynamodb,
            guards,
            functions,
            instances: Vec::new(),
            feeders: BTreeMap::new(),
            services,
            guardian,
            logs,
            http: dynamodb::http(PATIENCE),
        };
        stack.start_functions()?;
        Ok(stack)
    }

    /// Where the API answers, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The stack's DynamoDB.
    pub fn dynamodb(&self) -> &DynamoDb {
        &self.dynamodb
    }

    /// The DynamoDB that a function has: it lets the function do what its policies allow.
    pub fn dynamodb_of(&self, function: &str) -> DynamoDb {
        let guard = self.guards.get(function).map(Endpoint::url);
        guard.map_or_else(|| self.dynamodb.clone(), DynamoDb::at)
    }

    /// The processes that end with this one.
    pub fn guardian(&mut self) -> &mut Guardian {
        &mut self.guardian
    }

    /// Starts every function anew, from the binaries as they are now.
    ///
    /// # Errors
    /// Where a binary cannot be started.
    pub fn start_functions(&mut self) -> Result<()> {
        for mut instance in self.instances.drain(..) {
            let _ = instance.kill();
            let _ = instance.wait();
        }
        for function in &self.functions {
            match &function.stream_of {
                None => {
                    for _ in 0..self.options.instances.max(1) {
                        self.instances.push(self.start_instance(function)?);
                    }
                }
                Some(table) => match self.feeders.get(&function.binary) {
                    Some(feeder) => feeder.restart(),
                    None => {
                        let feeder = self.start_feeder(function, table)?;
                        self.feeders.insert(function.binary.clone(), feeder);
                    }
                },
            }
        }
        Ok(())
    }

    /// Starts a function that a table's stream drives.
    fn start_feeder(&self, function: &Function, table: &str) -> Result<Feeder> {
        let binary = self.options.binaries.join(&function.binary);
        let variables = self.variables(&function.binary, Some(function));
        let command = move || {
            let mut command = Command::new(&binary);
            command.env_clear().envs(&variables);
            command
        };
        let log = self.logs.of(&function.binary);
        Feeder::start(
            // Lambda reads the stream with the function's permissions.
            self.dynamodb_of(&function.binary),
            table.to_owned(),
            self.guardian.group(),
            log,
            command,
        )
    }

    /// The number of the process of a function that a table's stream drives.
    pub fn stream_process_id(&self, function: &str) -> Option<u32> {
        self.feeders.get(function).map(Feeder::process_id)
    }

    fn start_instance(&self, function: &Function) -> Result<Child> {
        let name = &function.binary;
        // cargo-lambda gives what no route takes to a function of this name.
        let is_default = function.routes.iter().any(Route::is_default);
        let front_name = if is_default { "_" } else { name };
        let mut command = Command::new(self.options.binaries.join(name));
        command
            .env_clear()
            .envs(self.variables(name, Some(function)))
            .env(
                "AWS_LAMBDA_RUNTIME_API",
                format!("{}/.rt/{front_name}", self.url),
            );
        if !self.options.log_to_terminal {
            self.logs.of(name).receive(&mut command)?;
        }
        self.guardian.spawn(&mut command)
    }

    /// Starts one more instance of a function, on a Runtime API of its own, with other values for
    /// some of its variables; or of any other binary, with no variables but these. A path in place
    /// of the name takes the binary from elsewhere.
    ///
    /// # Errors
    /// Where the binary cannot be started.
    pub fn instance(&self, binary: &str, variables: &[(&str, &str)]) -> Result<Instance> {
        let function = self
            .functions
            .iter()
            .find(|function| Path::new(binary).ends_with(&function.binary));
        let mut command = Command::new(self.options.binaries.join(binary));
        command
            .env_clear()
            .envs(self.variables(binary, function))
            .envs(variables.iter().copied());
        let log = self
            .logs
            .of(binary.trim_start_matches('/').replace('/', "-").as_str());
        Instance::start(self.guardian.group(), &log, &mut command)
    }

    /// The variables that Lambda and the template set for a function, but for the Runtime API.
    fn variables(&self, name: &str, function: Option<&Function>) -> BTreeMap<String, String> {
        let mut variables = function
            .map(|function| function.environment.clone())
            .unwrap_or_default();
        let dynamodb = self.dynamodb_of(function.map_or(name, |function| &function.binary));
        let of_lambda = [
            ("AWS_ACCESS_KEY_ID", dynamodb::ACCESS_KEY),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_REGION", dynamodb::REGION),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            (dynamodb::ENDPOINT_URL, dynamodb.endpoint()),
        ];
        variables.extend(of_lambda.map(|(name, value)| (name.to_owned(), value.to_owned())));
        variables
    }

    /// Invokes a function by its name, as `cargo lambda invoke` does.
    ///
    /// # Errors
    /// The function error as the runtime reports it, or one like it where there is no answer.
    pub fn invoke(&self, function: &str, payload: &Value) -> Result<Value, Value> {
        let fault = |error: String| json!({ "errorType": "local", "errorMessage": error });
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.url);
        let answer = self.http.post(&url).send(payload.to_string());
        let mut answer = answer.map_err(|error| fault(format!("{function}: {error}")))?;
        let body = answer
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_string();
        let body = body.map_err(|error| fault(error.to_string()))?;
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        if answer.status() == 200 {
            Ok(body)
        } else {
            Err(body)
        }
    }

    /// Issues a token for an account, by the function that does.
    ///
    /// # Errors
    /// Where the function does not answer with one.
    pub fn issue_token(&self, account_id: &str) -> Result<String> {
        let answer = self.invoke(
            "issue-token",
            &json!({ "account_id": account_id, "name": "local" }),
        );
        let answer = answer.map_err(|error| format!("cannot issue a token: {error}"))?;
        let token = answer["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| format!("cannot issue a token: {answer}"))
    }

    /// The first process that has ended by itself, should one have, and how.
    pub fn casualty(&mut self) -> Option<String> {
        let processes = self.services.iter_mut().chain(&mut self.instances);
        processes.into_iter().find_map(|process| {
            let status = process.try_wait().ok().flatten()?;
            Some(format!(
                "a process of the stack ended ({status}); its log is in {}",
                self.logs.dir().display()
            ))
        })
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.guardian
            .end(self.services.iter_mut().chain(&mut self.instances));
    }
}
