//! What `template.yaml` defines, as far as this machine can play it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::{Permission, Result};

/// The SAM template.
#[derive(Debug)]
pub struct Template(Value);

/// A function of the template.
#[derive(Debug)]
pub struct Function {
    /// The binary that it runs, which is also its name here.
    pub binary: String,
    /// Its environment, as far as it does not depend on the cloud.
    pub environment: BTreeMap<String, String>,
    /// The routes of the HTTP API that lead to it.
    pub routes: Vec<Route>,
    /// What its policies allow.
    pub permissions: BTreeSet<Permission>,
    /// The table whose stream drives it, where one does.
    pub stream_of: Option<String>,
}

/// A route of the HTTP API.
#[derive(Debug)]
pub struct Route {
    /// The method; empty for the default route.
    pub method: String,
    /// The path, with its parameters in braces; empty for the default route.
    pub path: String,
}

impl Route {
    /// Whether the route takes what no other does.
    pub fn is_default(&self) -> bool {
        self.path.is_empty()
    }
}

impl Template {
    /// Reads a template. CloudFormation's short tags are read as what they are short for:
    /// `!Ref x` as `{"Ref": "x"}`, `!Sub x` as `{"Fn::Sub": "x"}`.
    ///
    /// # Errors
    /// Where the file cannot be read or is not YAML.
    pub fn read(path: &Path) -> Result<Self> {
        let fault = |fault: String| format!("{}: {fault}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        let documents = Yaml::load_from_str(&text).map_err(|error| fault(error.to_string()))?;
        let [document] = documents.as_slice() else {
            return Err(fault("must hold one document".to_owned()));
        };
        Ok(Self(to_json(document)))
    }

    /// The whole template.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// The tables, by their logical ids, which are their names here, each with its properties.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.resources("AWS::DynamoDB::Table")
            .map(|(id, resource)| (id, &resource["Properties"]))
    }

    /// The functions.
    ///
    /// # Errors
    /// Where a policy allows something else than actions that are named on tables that are.
    pub fn functions(&self) -> Result<Vec<Function>> {
        let common = &self.0["Globals"]["Function"]["Environment"]["Variables"];
        let function = |(id, resource): (&str, &Value)| {
            let properties = &resource["Properties"];
            let own = &properties["Environment"]["Variables"];
            let variables = [common, own]
                .into_iter()
                .filter_map(Value::as_object)
                .flatten();
            let variable =
                |(name, value): (&String, &Value)| Some((name.clone(), self.resolve(value)?));
            Ok(Function {
                binary: text(&resource["Metadata"]["BuildProperties"]["Binary"]),
                environment: variables.filter_map(variable).collect(),
                routes: routes(&properties["Events"]),
                permissions: Permission::of_policies(&properties["Policies"])?,
                stream_of: self.stream_of(id),
            })
        };
        self.resources("AWS::Serverless::Function")
            .map(function)
            .collect()
    }

    /// The table whose stream drives the function of this logical id, or its alias.
    fn stream_of(&self, function: &str) -> Option<String> {
        let mut mappings = self.resources("AWS::Lambda::EventSourceMapping");
        let (_, mapping) = mappings.find(|(_, mapping)| {
            let name = mapping["Properties"]["FunctionName"]["Ref"].as_str();
            name.is_some_and(|name| name.trim_end_matches(".Alias") == function)
        })?;
        let stream = mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"].as_str()?;
        Some(stream.strip_suffix(".StreamArn")?.to_owned())
    }

    fn resources(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.0["Resources"].as_object().into_iter().flatten();
        resources
            .map(|(id, resource)| (id.as_str(), resource))
            .filter(move |(_, r)| r["Type"] == kind)
    }

    /// The text of a value: itself, a parameter's default, or the logical id that it refers to.
    fn resolve(&self, value: &Value) -> Option<String> {
        let Some(name) = value.get("Ref").and_then(Value::as_str) else {
            return scalar(value);
        };
        match self.0["Parameters"].get(name) {
            Some(parameter) => scalar(&parameter["Default"]),
            // What the cloud knows of itself.
            None if name.starts_with("AWS::") => None,
            None => Some(name.to_owned()),
        }
    }
}

fn routes(events: &Value) -> Vec<Route> {
    let events = events
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, event)| event);
    let http = events.filter(|event| event["Type"] == "HttpApi");
    let route = |event: &Value| Route {
        method: text(&event["Properties"]["Method"]),
        path: text(&event["Properties"]["Path"]),
    };
    http.map(route).collect()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        _ => None,
    }
}

fn text(value: &Value) -> String {
    scalar(value).unwrap_or_default()
}

fn to_json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(bool)) => json!(bool),
        Yaml::Value(Scalar::Integer(integer)) => json!(integer),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(values) => values.iter().map(to_json).collect(),
        Yaml::Mapping(members) => {
            let member = |(name, value): (&Yaml<'_>, _)| (text(&to_json(name)), to_json(value));
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Yaml::Tagged(tag, value) => {
            let name = match tag.suffix.as_str() {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            };
            json!({ name: to_json(value) })
        }
        // What is left does not come of loading a document without aliases.
        _ => Value::Null,
    }
}
