//! The account, region and partition of the deployed resources.

/// The location of resources: the pseudo-parameters of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// For example `us-east-1`.
    pub region: String,
}

impl Default for Account {
    fn default() -> Self {
        Self { id: "000000000000".to_owned(), region: "us-east-1".to_owned() }
    }
}

impl Account {
    /// The partition, always `aws`.
    pub const PARTITION: &'static str = "aws";

    /// Returns `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", Self::PARTITION, self.region, self.id)
    }
}
