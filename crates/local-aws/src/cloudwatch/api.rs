//! The operations, from JSON requests to JSON answers.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

use super::service::CloudWatch;
use super::wire::{self, Protocol};
use crate::aws_error::AwsError;
use crate::faults::FaultKind;

/// The largest request of PutMetricData.
const MAX_REQUEST: usize = 1024 * 1024;

/// The operations of [`CloudWatch::run_operation`]. Any other is not implemented, and no fault may
/// name it.
const OPERATIONS: [&str; 9] = [
    "DescribeAlarmHistory",
    "DescribeAlarms",
    "GetDashboard",
    "GetMetricData",
    "GetMetricStatistics",
    "ListDashboards",
    "ListMetrics",
    "PutMetricData",
    "SetAlarmState",
];

impl CloudWatch {
    /// Returns the operations that a fault may name.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        OPERATIONS.into_iter()
    }

    /// Answers one request of the `monitoring` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Some((protocol, operation)) = wire::operation(head.uri.path(), &head.headers) else {
            let error = AwsError::not_implemented("monitoring", "the query protocol");
            return Protocol::Json.answer(Err(error));
        };
        let body = axum::body::to_bytes(body, MAX_REQUEST).await;
        let body = body.map_err(|_| {
            let status = http::StatusCode::PAYLOAD_TOO_LARGE;
            AwsError::new(status, "RequestEntityTooLarge", "the request is longer than 1 MB")
        });
        let result = match body {
            Ok(body) => self.answer(protocol, &operation, &body).await,
            Err(error) => Err(error),
        };
        protocol.answer(result)
    }

    async fn answer(
        &self,
        protocol: Protocol,
        operation: &str,
        body: &[u8],
    ) -> Result<Value, AwsError> {
        let input = protocol.read(body)?;
        let fault = self.faults.gate("monitoring", operation, "").await?;
        let answer = self.run_operation(operation, &input)?;
        match fault {
            Some(fault) if fault.kind == FaultKind::AnswerLost => Err(fault.error()),
            _ => Ok(answer),
        }
    }

    pub(super) fn run_operation(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        match operation {
            "DescribeAlarmHistory" => self.describe_alarm_history(input),
            "DescribeAlarms" => self.describe_alarms(input),
            "GetDashboard" => self.get_dashboard(input),
            "GetMetricData" => self.get_metric_data(input),
            "GetMetricStatistics" => self.get_metric_statistics(input),
            "ListDashboards" => Ok(self.list_dashboards(input)),
            "ListMetrics" => self.list_metrics(input),
            "PutMetricData" => self.put_metric_data(input),
            "SetAlarmState" => self.set_alarm_state(input),
            _ => Err(AwsError::not_implemented("monitoring", operation)),
        }
    }

    fn get_dashboard(&self, input: &Value) -> Result<Value, AwsError> {
        let name = input["DashboardName"].as_str().unwrap_or_default();
        match self.dashboards().get(name) {
            Some(body) => Ok(json!({
                "DashboardArn": format!("arn:aws:cloudwatch::{}:dashboard/{name}", self.account.id),
                "DashboardBody": body,
                "DashboardName": name,
            })),
            None => {
                let status = http::StatusCode::NOT_FOUND;
                let message = format!("Dashboard {name} does not exist");
                Err(AwsError::new(status, "ResourceNotFound", message))
            }
        }
    }

    fn list_dashboards(&self, input: &Value) -> Value {
        let prefix = input["DashboardNamePrefix"].as_str().unwrap_or_default();
        let dashboards = self.dashboards();
        let found = dashboards.iter().filter(|(name, _)| name.starts_with(prefix));
        let found = found.map(|(name, body)| json!({"DashboardName": name, "Size": body.len()}));
        json!({ "DashboardEntries": found.collect::<Vec<_>>() })
    }
}
