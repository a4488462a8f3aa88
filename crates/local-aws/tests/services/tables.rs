//! DynamoDB: the template's tables exist, calls are passed on, and faults apply before them.

use crate::support::{Answer, TestCloud};
use local_aws::Options;
use serde_json::{Value, json};

async fn call(cloud: &TestCloud, operation: &str, body: Value) -> Answer {
    cloud.aws("dynamodb", &format!("DynamoDB_20120810.{operation}"), body).await
}

fn item(id: &str) -> Value {
    json!({"TableName": "Items-dev", "Item": {
        "id": {"S": id}, "status": {"S": "active"}, "updatedAt": {"N": "5"}
    }})
}

#[tokio::test]
async fn the_templates_table_has_its_keys_index_and_ttl() {
    let cloud = TestCloud::start(1).await;
    let table = call(&cloud, "DescribeTable", json!({"TableName": "Items-dev"})).await;
    assert_eq!(table.status, 200);
    assert_eq!(table.body["Table"]["TableStatus"], "ACTIVE");
    let ttl = call(&cloud, "DescribeTimeToLive", json!({"TableName": "Items-dev"})).await;
    assert_eq!(ttl.body["TimeToLiveDescription"]["AttributeName"], "expiresAt");

    assert_eq!(call(&cloud, "PutItem", item("a")).await.status, 200);
    let query = json!({
        "TableName": "Items-dev", "IndexName": "status-updatedAt-index",
        "KeyConditionExpression": "#s = :s AND updatedAt < :t",
        "ExpressionAttributeNames": {"#s": "status"},
        "ExpressionAttributeValues": {":s": {"S": "active"}, ":t": {"N": "6"}},
    });
    let found = call(&cloud, "Query", query).await;
    assert_eq!(found.body["Items"][0]["id"]["S"], "a");
    assert!(found.header("x-amzn-requestid").is_some());
}

#[tokio::test]
async fn a_condition_that_fails_is_dynamodbs_error() {
    let cloud = TestCloud::start(1).await;
    let mut put = item("a");
    put["ConditionExpression"] = "attribute_not_exists(id)".into();
    assert_eq!(call(&cloud, "PutItem", put.clone()).await.status, 200);
    let refused = call(&cloud, "PutItem", put).await;
    assert_eq!(refused.status, 400);
    let code = refused.body["__type"].as_str().unwrap();
    assert!(code.ends_with("#ConditionalCheckFailedException"), "{code}");
}

#[tokio::test]
async fn faults_come_before_and_after_the_effect() {
    let cloud = TestCloud::start(1).await;
    let throttle = json!({
        "service": "dynamodb", "operation": "PutItem", "target": "Items-dev", "status": 400,
        "code": "ProvisionedThroughputExceededException",
    });
    cloud.fault(throttle).await;
    let refused = call(&cloud, "PutItem", item("a")).await;
    assert_eq!(refused.body["__type"], "ProvisionedThroughputExceededException");
    let scan = json!({"TableName": "Items-dev"});
    assert_eq!(call(&cloud, "Scan", scan.clone()).await.body["Count"], 0);

    cloud
        .fault(json!({"service": "dynamodb", "kind": "answer-lost", "code": "InternalServerError"}))
        .await;
    assert_eq!(call(&cloud, "PutItem", item("a")).await.status, 500);
    assert_eq!(call(&cloud, "Scan", scan).await.body["Count"], 1);
}

#[tokio::test]
async fn a_data_folder_keeps_the_items() {
    let folder = std::env::temp_dir().join(format!("local-cloud-tables-{}", std::process::id()));
    let options = || Options { data: Some(folder.clone()), ..Options::default() };
    let cloud = TestCloud::with(options()).await;
    assert_eq!(call(&cloud, "PutItem", item("kept")).await.status, 200);
    cloud.end().await;
    let cloud = TestCloud::with(options()).await;
    let scan = call(&cloud, "Scan", json!({"TableName": "Items-dev"})).await;
    assert_eq!(scan.body["Items"][0]["id"]["S"], "kept");
    cloud.end().await;
    std::fs::remove_dir_all(folder).unwrap();
}
