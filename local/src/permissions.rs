//! What functions may do with tables: what their policies in the template allow, and what their
//! requests to DynamoDB take.

use std::{collections::BTreeSet, fmt, fs::File, io::Write, sync::Mutex};

use serde_json::{Map, Value};

use crate::{
    DynamoDb, Endpoint, Reply, Result,
    endpoint::{Request, lock},
    logs::Log,
    template::Function,
};

/// An action of [DynamoDB's](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html)
/// on a table, an index or a stream.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Permission {
    /// The action, for example `dynamodb:GetItem`.
    pub action: String,
    /// The table, by its logical id, an index, as `GroupsTable/index/by-state`, or the table's
    /// stream, as `GroupsTable/stream`.
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
            operation @ "BatchWriteItem" => {
                let tables = members(&input["RequestItems"]);
                tables
                    .map(|(table, _)| Self::new(operation, table))
                    .collect()
            }
            "TransactWriteItems" => {
                let parts = input["TransactItems"].as_array().into_iter().flatten();
                let parts = parts.flat_map(members);
                parts
                    .map(|(kind, part)| Self::new(&format!("{kind}Item"), &table(part)))
                    .collect()
            }
            operation @ ("DescribeStream" | "GetRecords" | "GetShardIterator" | "ListStreams") => {
                vec![Self::new(operation, &stream(input))]
            }
            operation => {
                let index = input["IndexName"].as_str();
                let index = index.map(|index| format!("/index/{index}"));
                let resource = table(input) + &index.unwrap_or_default();
                vec![Self::new(operation, &resource)]
            }
        }
    }

    /// What the policies of a function allow it to do in DynamoDB.
    ///
    /// # Errors
    /// Where they are no lists of actions that are named, on tables, indexes and streams that are.
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
                        let action = action.as_str().filter(|action| !action.contains('*'));
                        let action = action.ok_or_else(fault)?.to_owned();
                        if action.starts_with("dynamodb:") {
                            let resource = resource_name(resource).ok_or_else(fault)?;
                            allowed.insert(Self { action, resource });
                        }
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
        let mut asked = lock(&asked);
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

/// The stream that a request names, in the form of [`Permission::resource`]. An iterator of DynamoDB
/// Local's has the stream's ARN in it, as a stream's ARN has the table's.
fn stream(input: &Value) -> String {
    let names = ["StreamArn", "ShardIterator"].map(|member| input[member].as_str());
    let arn = names.into_iter().flatten().next().unwrap_or_default();
    let of_arn = arn
        .split_once(":table/")
        .and_then(|(_, rest)| rest.split('/').next());
    let table = of_arn.or(input["TableName"].as_str());
    format!("{}/stream", table.unwrap_or_default())
}

/// The name of what an ARN names that the template builds of a table's.
fn resource_name(arn: &Value) -> Option<String> {
    if let Some(attribute) = arn["Fn::GetAtt"].as_str() {
        return match attribute.split_once('.')? {
            (table, "Arn") => Some(table.to_owned()),
            (table, "StreamArn") => Some(format!("{table}/stream")),
            _ => None,
        };
    }
    let (table, part) = arn["Fn::Sub"]
        .as_str()?
        .strip_prefix("${")?
        .split_once(".Arn}/")?;
    if part == "stream/*" {
        return Some(format!("{table}/stream"));
    }
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

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
