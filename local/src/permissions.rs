//! The permissions of functions on tables: those that their policies in the template grant, and those that
//! their requests to DynamoDB need.

use std::{collections::BTreeSet, fmt, io::Write, sync::Mutex};

use serde_json::Value;

use crate::{
    DynamoDb, DynamoDbProxy, Reply, Result,
    dynamodb_proxy::Request,
    lock,
    logs::Log,
    template::{Function, items, members, text},
    terminal::say,
};

/// An [action of DynamoDB](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html)
/// on a table or an index.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Permission {
    /// The action, for example `dynamodb:GetItem`.
    pub action: String,
    /// The logical id of a table; for an index `GroupsTable/index/by-state`.
    pub resource: String,
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.action, self.resource)
    }
}

impl Permission {
    fn new(operation: &str, resource: &str) -> Self {
        Self {
            action: format!("dynamodb:{operation}"),
            resource: resource.to_owned(),
        }
    }

    /// Returns the permissions that a request needs. A transaction needs those of its parts, because it has no
    /// action of its own.
    pub fn of_request(request: &Request) -> Vec<Self> {
        let input = &request.input;
        let table = |input: &Value| text(&input["TableName"]);
        match request.operation.as_str() {
            operation @ "BatchWriteItem" => members(&input["RequestItems"])
                .map(|(table, _)| Self::new(operation, table))
                .collect(),
            "TransactWriteItems" => items(&input["TransactItems"])
                .flat_map(members)
                .map(|(kind, part)| Self::new(&format!("{kind}Item"), &table(part)))
                .collect(),
            operation => {
                let resource = match input["IndexName"].as_str() {
                    Some(index) => format!("{}/index/{index}", table(input)),
                    None => table(input),
                };
                vec![Self::new(operation, &resource)]
            }
        }
    }

    /// Returns the DynamoDB permissions that the policies of a function grant.
    ///
    /// # Errors
    /// Returns an error if a statement is not a list of actions without wildcards, on tables and indexes of
    /// the template.
    pub(crate) fn of_policies(policies: &Value) -> Result<BTreeSet<Self>> {
        let mut allowed = BTreeSet::new();
        for policy in items(policies) {
            let statements = policy["Statement"].as_array();
            for statement in statements.ok_or_else(|| format!("policy not understood: {policy}"))? {
                let granted = Self::of_statement(statement);
                allowed.extend(
                    granted
                        .ok_or_else(|| format!("policy statement not understood: {statement}"))?,
                );
            }
        }
        Ok(allowed)
    }

    fn of_statement(statement: &Value) -> Option<Vec<Self>> {
        let known = ["Effect", "Action", "Resource"];
        let is_known = members(statement).all(|(name, _)| known.contains(&name.as_str()));
        if statement["Effect"] != "Allow" || !is_known {
            return None;
        }
        let mut granted = Vec::new();
        for value in list(&statement["Action"]) {
            let action = value.as_str().filter(|action| !action.contains('*'))?;
            if action.starts_with("dynamodb:") {
                for arn in list(&statement["Resource"]) {
                    granted.push(Self {
                        action: action.to_owned(),
                        resource: resource_name(arn)?,
                    });
                }
            }
        }
        Some(granted)
    }
}

/// Starts a proxy that forwards the requests that a function's policies allow, and denies all others as AWS
/// does. Records the permissions that the function needs in `log`.
pub(crate) fn policy_proxy(
    upstream: &DynamoDb,
    function: &Function,
    log: &Log,
) -> Result<DynamoDbProxy> {
    let function = function.to_owned();
    let seen = Mutex::new((BTreeSet::new(), log.append()?));
    DynamoDbProxy::start(upstream, move |request| {
        let mut reply = Reply::Pass;
        let (known, log) = &mut *lock(&seen);
        for needed in Permission::of_request(request) {
            let refusal = (!function.permissions.contains(&needed)).then(|| {
                format!(
                    "{name} is not authorized to perform {action} on {resource}; see the policies of {name} in template.yaml, function {id}",
                    name = function.binary,
                    action = needed.action,
                    resource = needed.resource,
                    id = function.id,
                )
            });
            if let Some(refusal) = &refusal {
                reply = Reply::error(400, "AccessDeniedException", refusal);
            }
            let line = format!("{} {needed}\n", function.binary);
            if known.insert(needed) {
                refusal.iter().for_each(|refusal| say(refusal));
                // Ignore the error: the test that reads the log would fail.
                let _ = log.write_all(line.as_bytes());
            }
        }
        reply
    })
}

/// Returns the resource that an ARN derived from a table's ARN refers to.
fn resource_name(arn: &Value) -> Option<String> {
    if let Some(attribute) = arn["Fn::GetAtt"].as_str() {
        return attribute.strip_suffix(".Arn").map(str::to_owned);
    }
    let (table, part) = arn["Fn::Sub"]
        .as_str()?
        .strip_prefix("${")?
        .split_once(".Arn}/")?;
    let index = part
        .strip_prefix("index/")
        .filter(|index| !index.contains(['*', '$']))?;
    Some(format!("{table}/index/{index}"))
}

fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
}
