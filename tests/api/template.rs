//! template.yaml against what is here: what the template names exists, and what exists it names.

use local::{Template, tools};

use crate::support::{ENDPOINTS, FUNCTIONS};

fn template() -> Template {
    Template::read(&tools::workspace().join("template.yaml")).expect("the template can be read")
}

#[test]
fn each_function_of_the_template_is_a_binary_and_the_other_way_round() {
    let mut binaries: Vec<_> = template()
        .functions()
        .expect("policies that are understood")
        .into_iter()
        .map(|function| function.binary)
        .collect();
    let mut expected = FUNCTIONS.to_vec();
    binaries.sort();
    expected.sort();
    assert_eq!(binaries, expected);
}

#[test]
fn each_endpoint_has_one_route_and_operators_functions_have_none() {
    let routes = template()
        .functions()
        .expect("policies that are understood")
        .into_iter()
        .flat_map(|function| function.routes);
    let (default, routes): (Vec<_>, Vec<_>) = routes.partition(local::template::Route::is_default);
    assert_eq!(default.len(), 1);
    let mut routes: Vec<_> = routes
        .into_iter()
        .map(|route| (route.method, route.path))
        .collect();
    let path = |path: &str| path.replace("L7cGNIBKZiNJ6wqF", "{id}");
    let mut expected = ENDPOINTS.map(|(method, example)| (method.to_owned(), path(example)));
    routes.sort();
    expected.sort();
    assert_eq!(routes, expected);
}

#[test]
fn a_functions_name_in_the_template_is_its_binarys() {
    let template = template();
    let resources = template.json()["Resources"].as_object().expect("resources");
    let functions = resources
        .iter()
        .filter(|(_, r)| r["Type"] == "AWS::Serverless::Function");
    for (id, function) in functions {
        let binary = function["Metadata"]["BuildProperties"]["Binary"]
            .as_str()
            .expect("a binary");
        let capitalized = binary
            .split('-')
            .map(|word| word[..1].to_uppercase() + &word[1..]);
        assert_eq!(*id, capitalized.collect::<String>() + "Function");
    }
}

#[test]
fn tables_are_on_demand_recoverable_and_outlive_the_stack() {
    let template = template();
    let resources = template.json()["Resources"].as_object().expect("resources");
    let tables: Vec<_> = resources
        .values()
        .filter(|r| r["Type"] == "AWS::DynamoDB::Table")
        .collect();
    assert_eq!(tables.len(), 4);
    for table in tables {
        let properties = &table["Properties"];
        assert_eq!(table["DeletionPolicy"], "Retain");
        assert_eq!(table["UpdateReplacePolicy"], "Retain");
        assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST");
        assert_eq!(
            properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
            true
        );
    }
}

#[test]
fn no_permission_has_a_wildcard() {
    let template = template();
    let resources = template.json()["Resources"].as_object().expect("resources");
    let mut actions = 0;
    for (id, function) in resources
        .iter()
        .filter(|(_, r)| r["Type"] == "AWS::Serverless::Function")
    {
        let policies = function["Properties"]["Policies"].as_array();
        for policy in policies.into_iter().flatten() {
            assert!(!policy.to_string().contains('*'), "{id}: {policy}");
            actions += policy["Statement"].as_array().expect("statements").len();
        }
    }
    assert!(actions > 5, "they were found");
}
