//! List prices in USD, US East, arm64 where it matters, October 2026. docs/cost.md names their
//! sources.

/// Lambda: a GB-second.
pub(crate) const GB_SECOND: f64 = 0.000_013_333_4;
/// Fargate: a vCPU-hour and a GB-hour.
pub(crate) const FARGATE_VCPU_HOUR: f64 = 0.032_38;
pub(crate) const FARGATE_GB_HOUR: f64 = 0.003_56;
/// EC2: an hour of m7g.large, which has 2 vCPUs and 8 GB, with the 15 % of managed instances.
pub(crate) const INSTANCE_HOUR: f64 = 0.081_6 * 1.15;
pub(crate) const INSTANCE_VCPUS: f64 = 2.0;
pub(crate) const INSTANCE_GB: f64 = 8.0;
/// DynamoDB on demand: a write unit and a read unit.
pub(crate) const WRITE_UNIT: f64 = 0.625e-6;
pub(crate) const READ_UNIT: f64 = 0.125e-6;
/// SQS: a request.
pub(crate) const QUEUE_REQUEST: f64 = 0.40e-6;
/// CloudWatch Logs: a GB.
pub(crate) const LOG_GB: f64 = 0.50;
