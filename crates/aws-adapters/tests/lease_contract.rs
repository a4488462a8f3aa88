//! The Streams table's adapter over an embedded DynamoDB keeps the contract of lease tables.
#![allow(clippy::unwrap_used, missing_docs)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_adapters::Sdk;
use aws_adapters::dynamodb::{DynamoDb, StreamsTable};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_smithy_http_client::Builder;
use simulator::lease_contract::{self, Case};
use tokio::net::TcpListener;

const TABLE: &str = "Streams-test";

/// Serves an empty DynamoDB until the test ends.
async fn serve() -> SocketAddr {
    let database = dynoxide::Database::memory().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let forever = std::future::pending();
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, forever));
    address
}

fn configuration(address: SocketAddr) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(format!("http://{address}"))
        .http_client(Builder::new().build_http())
        .build()
}

async fn create_table(config: &SdkConfig) {
    let attribute = AttributeDefinition::builder()
        .attribute_name("sessionId")
        .attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("sessionId").key_type(KeyType::Hash);
    aws_sdk_dynamodb::Client::new(config)
        .create_table()
        .table_name(TABLE)
        .attribute_definitions(attribute.build().unwrap())
        .key_schema(key.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn the_adapter_keeps_the_contract_of_lease_tables() {
    let config = configuration(serve().await);
    create_table(&config).await;
    let dynamodb = DynamoDb::new(&Sdk::from_config(config));
    let cases = AtomicU32::new(100);
    lease_contract::check(async || Case {
        table: StreamsTable::new(&dynamodb, TABLE.to_owned()),
        session: format!("a-b-{}", cases.fetch_add(1, Ordering::Relaxed)).parse().unwrap(),
    })
    .await;
}
