//! What functions may do with tables: what their policies in the template allow, and what their
//! requests to DynamoDB take.

use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    io::Write,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value};

use crate::{DynamoDb, Endpoint, Reply, Result, endpoint::Request, logs::Log, template::Function};

/// An action of [DynamoDB's](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html)
/// on a table or an index.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Permission {
    /// The action, for example `dynamodb:GetItem`.
    pub action: String,
    /// The table, by its logical id, or the index: `GroupsTable/index/by-state`.
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

    /// What a request takes. A transaction takes what its parts do, and has no action of its own.
    pub fn of_request(request: &Request) -> Vec<Self> {
        let input = &request.input;
        let table = |input: &Value| text(&input["TableName"]);
        match request.operation.as_str() {
            operation @ ("BatchGetItem" | "BatchWriteItem") => {
                let tables = members(&input["RequestItems"]);
                tables
                    .map(|(table, _)| Self::new(operation, table))
                    .collect()
            }
            "TransactGetItems" | "TransactWriteItems" => {
                let parts = input["TransactItems"].as_array().into_iter().flatten();
                let parts = parts.flat_map(members);
                let operation = |kind: &String| match kind.as_str() {
                    "ConditionCheck" => "ConditionCheckItem".to_owned(),
                    kind => format!("{kind}Item"),
                };
                parts
                    .map(|(kind, part)| Self::new(&operation(kind), &table(part)))
                    .collect()
            }
            operation => {
                let index = input["IndexName"].as_str();
                let index = index.map(|index| format!("/index/{index}"));
                let resource = table(input) + &index.unwrap_or_default();
                vec![Self::new(operation, &resource)]
            }
        }
    }

    /// What the policies of a function allow.
    ///
    /// # Errors
    /// Where there is something else in them than an action on a table or an index that is named.
    pub(crate) fn of_policies(policies: &Value) -> Result<BTreeSet<Self>> {
        let mut allowed = BTreeSet::new();
        for policy in policies.as_array().into_iter().flatten() {
            let statements = policy["Statement"].as_array();
            for statement in statements.ok_or_else(|| format!("not understood: {policy}"))? {
                let fault = || format!("not understood in a policy: {statement}");
                let known = ["Effect", "Action", "Resource"];
                let is_known = members(statement).all(|(name, _)| known.contains(&name.as_str()));
                if statement["Effect"] != "Allow" || !is_known {
                    return Err(fault());
                }
                for action in list(&statement["Action"]) {
                    for resource in list(&statement["Resource"]) {
                        let action = action.as_str().filter(|action| is_named(action));
                        let action = action.ok_or_else(fault)?.to_owned();
                        let resource = resource_name(resource).ok_or_else(fault)?;
                        allowed.insert(Self { action, resource });
                    }
                }
            }
        }
        Ok(allowed)
    }
}

/// A DynamoDB that lets a function do what its policies allow and nothing else, as AWS does, and
/// that keeps in a log what the function has asked for.
pub(crate) fn guard(behind: &DynamoDb, function: &Function, log: &Log) -> Result<Endpoint> {
    let name = function.binary.clone();
    let allowed = function.permissions.clone();
    let asked = Mutex::new((BTreeSet::new(), log.append()?));
    Endpoint::start(behind, move |request| {
        let needed = Permission::of_request(request);
        let refused = needed
            .iter()
            .any(|permission| !allowed.contains(permission));
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        for permission in needed {
            write_once(&mut asked, &name, permission);
        }
        if refused {
            Reply::error(400, "AccessDeniedException")
        } else {
            Reply::Pass
        }
    })
}

fn write_once(
    (seen, log): &mut (BTreeSet<Permission>, File),
    function: &str,
    permission: Permission,
) {
    if !seen.contains(&permission) {
        // What cannot be written is missed by the test that reads it.
        let _ = log.write_all(format!("{function} {permission}\n").as_bytes());
        seen.insert(permission);
    }
}

/// Whether an action is one, and not a pattern.
fn is_named(action: &str) -> bool {
    let name = action.strip_prefix("dynamodb:");
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

/// The name of what an ARN names that the template builds of a table's.
fn resource_name(arn: &Value) -> Option<String> {
    let of_table = arn["Fn::GetAtt"]
        .as_str()
        .and_then(|arn| arn.strip_suffix(".Arn"));
    if let Some(table) = of_table {
        return Some(table.to_owned());
    }
    let of_index = arn["Fn::Sub"].as_str()?.strip_prefix("${")?;
    let (table, index) = of_index.split_once(".Arn}/index/")?;
    (!index.contains(['*', '$'])).then(|| format!("{table}/index/{index}"))
}

fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
