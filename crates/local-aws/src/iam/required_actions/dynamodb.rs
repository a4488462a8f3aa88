//! DynamoDB: each operation requires the action of the same name on the table or the index. A
//! transaction requires the actions of its steps, and a batch is checked on each of its tables.

use serde_json::Value;

use super::super::action::RequiredAction;
use sam_template::Account;

pub(super) fn required_actions(
    account: &Account,
    operation: &str,
    body: &Value,
) -> Vec<RequiredAction> {
    let need = |action: &str, resource: String| RequiredAction::new("dynamodb", action, resource);
    match operation {
        "TransactWriteItems" | "TransactGetItems" => {
            let steps = body["TransactItems"].as_array().into_iter().flatten();
            let steps = steps.filter_map(Value::as_object).flatten();
            let wanted = steps.map(|(kind, step)| need(action(kind), table(account, step)));
            distinct(wanted)
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(name, _)| need(operation, arn(account, name))).collect()
        }
        "Query" | "Scan" if body["IndexName"].is_string() => {
            let index = body["IndexName"].as_str().unwrap_or_default();
            vec![need(operation, format!("{}/index/{index}", table(account, body)))]
        }
        _ => vec![need(operation, table(account, body))],
    }
}

/// Returns the action of one step of a transaction.
fn action(step: &str) -> &str {
    match step {
        "Put" => "PutItem",
        "Update" => "UpdateItem",
        "Delete" => "DeleteItem",
        "Get" => "GetItem",
        "ConditionCheck" => "ConditionCheckItem",
        other => other,
    }
}

fn table(account: &Account, names: &Value) -> String {
    let name = names["TableName"].as_str().or_else(|| names["ResourceArn"].as_str());
    name.map_or_else(|| "*".to_owned(), |name| arn(account, name))
}

/// Returns the table's ARN, which AWS also accepts in place of the name.
fn arn(account: &Account, name: &str) -> String {
    match name.starts_with("arn:") {
        true => name.to_owned(),
        false => account.arn("dynamodb", &format!("table/{name}")),
    }
}

fn distinct(needs: impl Iterator<Item = RequiredAction>) -> Vec<RequiredAction> {
    let mut kept: Vec<RequiredAction> = Vec::new();
    for need in needs {
        if !kept.contains(&need) {
            kept.push(need);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{request, shown};

    fn required_actions(operation: &str, body: &Value) -> Vec<String> {
        let target = format!("DynamoDB_20120810.{operation}");
        shown("dynamodb", request("POST", "/", &target), body)
    }

    #[test]
    fn a_call_needs_its_table_or_its_index() {
        let table = "arn:aws:dynamodb::table/Items-dev";
        for operation in ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"] {
            let wanted = [format!("dynamodb:{operation} {table}")];
            assert_eq!(required_actions(operation, &json!({"TableName": "Items-dev"})), wanted);
        }
        let query = json!({"TableName": "Items-dev", "IndexName": "by-status"});
        assert_eq!(
            required_actions("Query", &query),
            [format!("dynamodb:Query {table}/index/by-status")]
        );
        let by_arn =
            json!({"TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/Items-dev"});
        assert_eq!(required_actions("GetItem", &by_arn), [format!("dynamodb:GetItem {table}")]);
        assert_eq!(required_actions("ListTables", &json!({})), ["dynamodb:ListTables *"]);
    }

    #[test]
    fn a_transaction_needs_what_its_steps_need_each_once() {
        let body = json!({"TransactItems": [
            {"Put": {"TableName": "A"}}, {"Update": {"TableName": "A"}}, {"Update": {"TableName": "A"}},
            {"Delete": {"TableName": "B"}}, {"ConditionCheck": {"TableName": "B"}},
        ]});
        let wanted = [
            "dynamodb:PutItem arn:aws:dynamodb::table/A",
            "dynamodb:UpdateItem arn:aws:dynamodb::table/A",
            "dynamodb:DeleteItem arn:aws:dynamodb::table/B",
            "dynamodb:ConditionCheckItem arn:aws:dynamodb::table/B",
        ];
        assert_eq!(required_actions("TransactWriteItems", &body), wanted);
        let get = json!({"TransactItems": [{"Get": {"TableName": "A"}}]});
        assert_eq!(
            required_actions("TransactGetItems", &get),
            ["dynamodb:GetItem arn:aws:dynamodb::table/A"]
        );
    }

    #[test]
    fn a_batch_needs_each_of_its_tables() {
        let body = json!({"RequestItems": {"A": [], "B": []}});
        let wanted =
            ["A", "B"].map(|it| format!("dynamodb:BatchGetItem arn:aws:dynamodb::table/{it}"));
        assert_eq!(required_actions("BatchGetItem", &body), wanted);
    }
}
