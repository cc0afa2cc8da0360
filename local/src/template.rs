//! The resources that `template.yaml` defines, with its intrinsic functions and parameters resolved.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::{Permission, Result, filter, pipe};

/// Lambda's default for the memory size of a function, in MB.
pub(crate) const DEFAULT_MEMORY_MB: u64 = 128;

/// The SAM template.
#[derive(Debug)]
pub struct Template {
    document: Value,
    parameters: BTreeMap<String, Value>,
}

/// A function of the template.
#[derive(Clone, Debug)]
pub struct Function {
    /// The logical id, for example `GetGroupFunction`.
    pub id: String,
    /// The binary that it runs, for example `get-group`. This is also its name on this machine.
    pub binary: String,
    /// The environment variables, except those whose value only AWS knows, such as an ARN.
    pub environment: BTreeMap<String, String>,
    /// The routes of the HTTP API that invoke it.
    pub routes: Vec<Route>,
    /// The DynamoDB actions that its policies allow.
    pub permissions: BTreeSet<Permission>,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// The memory size in MB.
    pub memory: u64,
}

/// A route of the HTTP API.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method. It is empty for the route `$default`.
    pub method: String,
    /// The path, with its parameters in braces. It is empty for the route `$default`.
    pub path: String,
    /// How long API Gateway waits for the function.
    pub timeout: Duration,
    /// How many requests the route accepts in a second, and in a burst.
    pub throttle: Option<(f64, f64)>,
}

impl Route {
    /// Whether this is `$default`, which accepts every request that matches no other route.
    pub fn is_default(&self) -> bool {
        self.path.is_empty()
    }

    /// Returns the route key, for example `GET /v1/groups/{id}`.
    pub fn key(&self) -> String {
        if self.is_default() {
            return "$default".to_owned();
        }
        format!("{} {}", self.method, self.path)
    }
}

/// The CORS configuration of the HTTP API.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    pub(crate) allow_origins: Vec<String>,
    pub(crate) allow_methods: String,
    pub(crate) allow_headers: String,
    pub(crate) expose_headers: String,
    pub(crate) max_age: String,
}

/// A pipe from a table's stream to a queue.
#[derive(Clone, Debug)]
pub struct Pipe {
    /// The logical id.
    pub id: String,
    /// The table, by its logical id.
    pub table: String,
    /// The queue, by its logical id.
    pub queue: String,
    pub(crate) filters: Vec<Value>,
    pub(crate) input_template: Option<String>,
}

/// A queue.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The logical id, which is the name on this machine.
    pub name: String,
    /// How long a new message cannot be received.
    pub delay: Duration,
    /// How long a received message cannot be received again.
    pub visibility_timeout: Duration,
    /// The policy for messages that have been received too often.
    pub redrive: Option<Redrive>,
}

/// The redrive policy of a queue.
#[derive(Clone, Debug)]
pub struct Redrive {
    /// The dead-letter queue, by its logical id.
    pub queue: String,
    /// How often a message is received before it moves to the dead-letter queue.
    pub max_receive_count: u64,
}

/// An event source mapping from a queue to a function.
#[derive(Clone, Debug)]
pub struct EventSource {
    /// The logical id.
    pub id: String,
    /// The queue, by its logical id.
    pub queue: String,
    /// The binary of the function.
    pub function: String,
    pub(crate) batch_size: usize,
    /// How many batches are processed at the same time; `None` if only the function limits it.
    pub(crate) max_concurrency: Option<usize>,
    /// Whether the function reports the messages that failed.
    pub(crate) reports_failures: bool,
}

impl Template {
    /// Reads a template. Its parameters have the values in `parameters`, or their defaults.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or is not YAML (with line and column), or if a
    /// parameter does not exist or has a value that the template does not allow.
    pub fn read(path: &Path, parameters: &[(String, String)]) -> Result<Self> {
        let document = read_yaml(path)?;
        if !document["Resources"].is_object() {
            return Err(format!(
                "{}: there is no `Resources` mapping",
                path.display()
            ));
        }
        let default =
            |(name, definition): (&String, &Value)| (name.clone(), definition["Default"].clone());
        let mut template = Self {
            parameters: members(&document["Parameters"]).map(default).collect(),
            document,
        };
        for (name, value) in parameters {
            template.set_parameter(name, value)?;
        }
        Ok(template)
    }

    fn set_parameter(&mut self, name: &str, value: &str) -> Result<()> {
        let definition = &self.document["Parameters"][name];
        let checked = if definition.is_null() {
            let names: Vec<_> = self.parameters.keys().map(String::as_str).collect();
            let all = names.join(", ");
            Err(format!("there is no such parameter. There are: {all}"))
        } else {
            check_parameter(definition, value)
        };
        checked.map_err(|rule| format!("--parameter {name}={value}: {rule}"))?;
        self.parameters.insert(name.to_owned(), json!(value));
        Ok(())
    }

    /// The whole template, not resolved.
    pub fn json(&self) -> &Value {
        &self.document
    }

    /// The tables, by their logical ids, which are their names on this machine, with their
    /// properties.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.resources("AWS::DynamoDB::Table")
    }

    /// Returns the functions, with their routes, environment variables and permissions.
    ///
    /// # Errors
    /// Returns an error if a number is out of AWS's range, or if a policy cannot be checked on this
    /// machine, for example because an action has a wildcard.
    pub fn functions(&self) -> Result<Vec<Function>> {
        let function = |(id, properties): (&str, &Value)| {
            let globals = &self.document["Globals"]["Function"];
            let setting = |name, range, default| {
                let own = self.number(properties, name, range)?;
                Ok::<_, String>(
                    own.or(self.number(globals, name, range)?)
                        .unwrap_or(default),
                )
            };
            let mut environment = BTreeMap::new();
            for source in [globals, properties] {
                let variables = self.resolve(&source["Environment"]["Variables"]);
                let scalars = members(&variables).filter(|(_, value)| !value.is_object());
                environment.extend(scalars.map(|(name, value)| (name.clone(), text(value))));
            }
            Ok(Function {
                id: id.to_owned(),
                binary: self.binary(id)?,
                environment,
                routes: self.routes(&properties["Events"])?,
                permissions: Permission::of_policies(&properties["Policies"])?,
                // AWS's defaults: https://docs.aws.amazon.com/lambda/latest/dg/configuration-function-common.html
                timeout: Duration::from_secs(setting("Timeout", [1, 900], 3)?),
                memory: setting("MemorySize", [128, 10_240], DEFAULT_MEMORY_MB)?,
            })
        };
        self.resources("AWS::Serverless::Function")
            .map(function)
            .collect()
    }

    fn binary(&self, function_id: &str) -> Result<String> {
        let properties = &self.document["Resources"][function_id]["Metadata"]["BuildProperties"];
        let binary = properties["Binary"].as_str().map(str::to_owned);
        binary.ok_or_else(|| format!("{function_id}: Metadata.BuildProperties.Binary is missing"))
    }

    fn routes(&self, events: &Value) -> Result<Vec<Route>> {
        let api = self.resources("AWS::Serverless::HttpApi").next();
        let settings = api.map_or(Value::Null, |(_, properties)| self.resolve(properties));
        let route = |properties: &Value| {
            let timeout = self.number(properties, "TimeoutInMillis", [50, 30_000])?;
            let mut route = Route {
                method: text(&properties["Method"]).to_uppercase(),
                path: text(&properties["Path"]),
                // The default is 30 seconds:
                // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
                timeout: Duration::from_millis(timeout.unwrap_or(30_000)),
                throttle: None,
            };
            let own = &settings["RouteSettings"][route.key()];
            let throttle = if own.is_null() {
                &settings["DefaultRouteSettings"]
            } else {
                own
            };
            let rate = number(&throttle["ThrottlingRateLimit"]);
            route.throttle = rate.zip(number(&throttle["ThrottlingBurstLimit"]));
            Ok(route)
        };
        members(events)
            .filter(|(_, event)| event["Type"] == "HttpApi")
            .map(|(_, event)| route(&event["Properties"]))
            .collect()
    }

    /// Returns the CORS configuration of the HTTP API, if the parameters enable it.
    pub fn cors(&self) -> Option<Cors> {
        let (_, api) = self.resources("AWS::Serverless::HttpApi").next()?;
        let cors = self.resolve(&api["CorsConfiguration"]);
        let list = |name| items(&cors[name]).map(text).collect::<Vec<_>>();
        cors.is_object().then(|| Cors {
            allow_origins: list("AllowOrigins"),
            allow_methods: list("AllowMethods").join(","),
            allow_headers: list("AllowHeaders").join(","),
            expose_headers: list("ExposeHeaders").join(","),
            max_age: text(&cors["MaxAge"]),
        })
    }

    /// Returns the pipes.
    ///
    /// # Errors
    /// Returns an error if a pipe does not connect a table's stream to a queue, if it uses filters or
    /// placeholders that are not supported, or if a number is out of AWS's range.
    pub fn pipes(&self) -> Result<Vec<Pipe>> {
        self.read_all("AWS::Pipes::Pipe", |id, properties| {
            let stream = properties["Source"]["Fn::GetAtt"].as_str();
            let table = stream
                .and_then(|stream| stream.strip_suffix(".StreamArn"))
                .ok_or("Source must be the stream of a table: !GetAtt TABLE.StreamArn")?;
            let source = &properties["SourceParameters"];
            // Only checked, because a queue in memory accepts any number of messages at once.
            // SQS accepts ten: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
            self.number(&source["DynamoDBStreamParameters"], "BatchSize", [1, 10])?;
            let parse_filter = |filter: &Value| {
                let pattern = serde_json::from_str(&text(&filter["Pattern"])).ok();
                pattern.filter(filter::is_supported).ok_or_else(|| {
                    format!("FilterCriteria: {filter} is not supported; use values, exists and prefix")
                })
            };
            let template = &properties["TargetParameters"]["InputTemplate"];
            let is_supported = |template: &str| pipe::fill(template, &Value::Null).is_some();
            let input_template = template.as_str().filter(|template| is_supported(template));
            if input_template.is_none() && !template.is_null() {
                return Err(format!(
                    "InputTemplate: {template} is not supported; use placeholders such as <$.dynamodb.Keys.id.S>"
                ));
            }
            Ok(Pipe {
                id: id.to_owned(),
                table: table.to_owned(),
                queue: self.queue(properties, "Target")?,
                filters: items(&source["FilterCriteria"]["Filters"])
                    .map(parse_filter)
                    .collect::<Result<_>>()?,
                input_template: input_template.map(str::to_owned),
            })
        })
    }

    /// Returns the queues.
    ///
    /// # Errors
    /// Returns an error if a queue is not a standard queue, if a number is out of AWS's range, or if a
    /// redrive policy refers to something other than a queue.
    pub fn queues(&self) -> Result<Vec<Queue>> {
        self.read_all("AWS::SQS::Queue", |id, properties| {
            if properties["FifoQueue"] == true {
                return Err("FIFO queues are not supported".to_owned());
            }
            let policy = &properties["RedrivePolicy"];
            let redrive = || {
                let max_receive_count = self.number(policy, "maxReceiveCount", [1, 1_000])?;
                Ok::<_, String>(Redrive {
                    queue: self.queue(policy, "deadLetterTargetArn")?,
                    max_receive_count: max_receive_count.unwrap_or(10),
                })
            };
            // AWS's defaults: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
            let delay = self.number(properties, "DelaySeconds", [0, 900])?;
            let visibility_timeout = self.number(properties, "VisibilityTimeout", [0, 43_200])?;
            Ok(Queue {
                name: id.to_owned(),
                delay: Duration::from_secs(delay.unwrap_or(0)),
                visibility_timeout: Duration::from_secs(visibility_timeout.unwrap_or(30)),
                redrive: (!policy.is_null()).then(redrive).transpose()?,
            })
        })
    }

    /// Returns the event source mappings.
    ///
    /// # Errors
    /// Returns an error if a mapping does not connect a queue to a function's alias, if it uses filters, or if
    /// a number is out of AWS's range.
    pub fn event_sources(&self) -> Result<Vec<EventSource>> {
        self.read_all("AWS::Lambda::EventSourceMapping", |id, properties| {
            let alias = properties["FunctionName"]["Ref"].as_str();
            let function = alias
                .and_then(|alias| alias.strip_suffix(".Alias"))
                .ok_or("FunctionName must be the alias of a function: !Ref FUNCTION.Alias")?;
            if !properties["FilterCriteria"].is_null() {
                return Err("FilterCriteria is not supported; filter in the pipe".to_owned());
            }
            let scaling = &properties["ScalingConfig"];
            let max_concurrency = self.number(scaling, "MaximumConcurrency", [2, 1_000])?;
            // AWS's default and, without a batching window, its limit:
            // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
            let batch_size = self.number(properties, "BatchSize", [1, 10])?;
            let mut response_types = items(&properties["FunctionResponseTypes"]);
            Ok(EventSource {
                id: id.to_owned(),
                queue: self.queue(properties, "EventSourceArn")?,
                function: self.binary(function)?,
                batch_size: batch_size.unwrap_or(10) as usize,
                max_concurrency: max_concurrency.map(|limit| limit as usize),
                reports_failures: response_types.any(|kind| kind == "ReportBatchItemFailures"),
            })
        })
    }

    /// Reads all resources of a type. An error starts with the logical id.
    fn read_all<T>(&self, kind: &str, read: impl Fn(&str, &Value) -> Result<T>) -> Result<Vec<T>> {
        let resources = self.resources(kind);
        resources
            .map(|(id, properties)| read(id, properties).map_err(|error| format!("{id}: {error}")))
            .collect()
    }

    /// Returns the logical id of the queue whose ARN is in a property.
    fn queue(&self, properties: &Value, name: &str) -> Result<String> {
        let arn = properties[name]["Fn::GetAtt"].as_str();
        let is_queue = |id: &&str| self.document["Resources"][*id]["Type"] == "AWS::SQS::Queue";
        arn.and_then(|arn| arn.strip_suffix(".Arn"))
            .filter(is_queue)
            .map(str::to_owned)
            .ok_or_else(|| format!("{name} must be the ARN of a queue: !GetAtt QUEUE.Arn"))
    }

    /// Returns the whole number in a property, if the property is set.
    fn number(&self, properties: &Value, name: &str, [min, max]: [u64; 2]) -> Result<Option<u64>> {
        let value = self.resolve(&properties[name]);
        match text(&value).parse() {
            _ if value.is_null() => Ok(None),
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => Err(format!(
                "{name}: {value} is not allowed; it must be {min} to {max}"
            )),
        }
    }

    /// Returns the resources of a type, each as logical id and properties.
    fn resources(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let of_kind = members(&self.document["Resources"])
            .filter(move |(_, resource)| resource["Type"] == kind);
        of_kind.map(|(id, resource)| (id.as_str(), &resource["Properties"]))
    }

    /// Resolves the intrinsic functions in a value. ARNs (`Fn::GetAtt`, `Fn::Sub`) are not resolved. A value
    /// that only AWS knows, and `AWS::NoValue`, become null and are removed from objects.
    fn resolve(&self, value: &Value) -> Value {
        let object = match value {
            Value::Object(object) => object,
            Value::Array(items) => return items.iter().map(|item| self.resolve(item)).collect(),
            scalar => return scalar.clone(),
        };
        let first = object.iter().next().filter(|_| object.len() == 1);
        let (name, argument) =
            first.map_or(("", &Value::Null), |(name, argument)| (name, argument));
        let holds = |condition: &Value| self.resolve(condition) == true;
        match name {
            "Ref" => self.reference(argument.as_str().unwrap_or_default()),
            "Condition" => self.resolve(&self.document["Conditions"][text(argument)]),
            "Fn::If" if holds(&json!({ "Condition": argument[0] })) => self.resolve(&argument[1]),
            "Fn::If" => self.resolve(&argument[2]),
            "Fn::Equals" => {
                json!(text(&self.resolve(&argument[0])) == text(&self.resolve(&argument[1])))
            }
            "Fn::Not" => json!(!holds(&argument[0])),
            "Fn::And" => json!(items(argument).all(holds)),
            "Fn::Or" => json!(items(argument).any(holds)),
            "Fn::Split" => text(&self.resolve(&argument[1]))
                .split(&text(&argument[0]))
                .collect(),
            "Fn::GetAtt" | "Fn::Sub" => value.clone(),
            _ => {
                let resolved = object
                    .iter()
                    .map(|(name, value)| (name.clone(), self.resolve(value)));
                resolved
                    .filter(|(_, value)| !value.is_null())
                    .collect::<Map<_, _>>()
                    .into()
            }
        }
    }

    /// Returns the value of a parameter, the logical id of a resource, or null for a pseudo parameter.
    fn reference(&self, name: &str) -> Value {
        match self.parameters.get(name) {
            Some(value) => value.clone(),
            None if name.starts_with("AWS::") => Value::Null,
            None => json!(name),
        }
    }
}

/// Returns the members of an object. Any other value has none.
pub(crate) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Returns the elements of an array. Any other value has none.
pub(crate) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Returns a scalar as text, as CloudFormation writes it. Any other value is empty.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => String::new(),
    }
}

/// Checks the value of a parameter.
///
/// # Errors
/// Returns the rule that the value breaks.
fn check_parameter(definition: &Value, value: &str) -> Result<()> {
    let allowed: Vec<_> = items(&definition["AllowedValues"]).map(text).collect();
    if !allowed.is_empty() && !allowed.iter().any(|allowed| allowed == value) {
        return Err(format!("the value must be one of {}", allowed.join(", ")));
    }
    if let Some(pattern) = definition["AllowedPattern"].as_str() {
        let regex = regex_lite::Regex::new(&format!("^(?:{pattern})$"));
        if !regex.map_err(|error| error.to_string())?.is_match(value) {
            return Err(format!("the value must match {pattern}"));
        }
    }
    if definition["Type"] == "Number" {
        let limit = |name: &str, default| definition[name].as_f64().unwrap_or(default);
        let (minimum, maximum) = (limit("MinValue", f64::MIN), limit("MaxValue", f64::MAX));
        let is_allowed = |number: f64| (minimum..=maximum).contains(&number);
        if !value.parse().is_ok_and(is_allowed) {
            let end = match definition["MaxValue"].as_f64() {
                Some(maximum) => format!("from {minimum} to {maximum}"),
                None => format!("of at least {minimum}"),
            };
            return Err(format!("the value must be a number {end}"));
        }
    }
    Ok(())
}

fn number(value: &Value) -> Option<f64> {
    text(value).parse().ok()
}

/// Reads a YAML file with one document. CloudFormation's short tags are converted to their long form:
/// `!Ref x` as `{"Ref": "x"}`, `!Sub x` as `{"Fn::Sub": "x"}`.
///
/// # Errors
/// Returns an error if the file cannot be read or is not YAML, with line and column.
pub fn read_yaml(path: &Path) -> Result<Value> {
    let context = |error: String| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| context(error.to_string()))?;
    let documents = Yaml::load_from_str(&text).map_err(|error| context(error.to_string()))?;
    let [document] = documents.as_slice() else {
        return Err(context(
            "the file must contain one YAML document".to_owned(),
        ));
    };
    Ok(to_json(document))
}

fn to_json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(bool)) => json!(bool),
        Yaml::Value(Scalar::Integer(integer)) => json!(integer),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(values) => values.iter().map(to_json).collect(),
        Yaml::Mapping(entries) => {
            let entry = |(name, value): (&Yaml<'_>, _)| (text(&to_json(name)), to_json(value));
            Value::Object(entries.iter().map(entry).collect())
        }
        Yaml::Tagged(tag, value) => {
            let name = match tag.suffix.as_str() {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            };
            json!({ name: to_json(value) })
        }
        // A null. The parser has resolved aliases.
        _ => Value::Null,
    }
}
