//! The names of an environment's resources, as `infra/template.yaml` gives them.

/// One deployed environment.
#[derive(Debug, Clone)]
pub(crate) struct Environment(String);

impl Environment {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    fn named(&self, what: &str) -> String {
        format!("{what}-{}", self.0)
    }

    pub(crate) fn sessions(&self) -> String {
        self.named("Sessions")
    }

    pub(crate) fn streams(&self) -> String {
        self.named("Streams")
    }

    /// The table of the reference processor's watermarks.
    pub(crate) fn processed(&self) -> String {
        self.named("Processed")
    }

    pub(crate) fn consumer(&self) -> String {
        self.named("kvs-stream-consumer")
    }

    /// The consumer on managed instances, which a stack may not have.
    pub(crate) fn instances(&self) -> String {
        self.named("kvs-stream-consumer-instances")
    }

    pub(crate) fn processor(&self) -> String {
        self.named("audio-processor")
    }

    /// The log groups of the functions in the order of a session's way through them, and of the
    /// workers.
    pub(crate) fn log_groups(&self) -> Vec<String> {
        let own = ["session-canary", "session-http-handler"].map(|name| self.named(name));
        let [canary, handler] = own;
        let functions = [canary, handler, self.consumer(), self.instances(), self.processor()];
        let groups = functions.map(|function| format!("/aws/lambda/{function}"));
        groups.into_iter().chain([format!("/ecs/{}", self.named("stream-worker"))]).collect()
    }

    /// The dead-letter queue of events.
    pub(crate) fn events_queue(&self) -> String {
        self.named("session-events-dlq")
    }

    /// The dead-letter queue of chunks.
    pub(crate) fn chunks_queue(&self) -> String {
        self.named("chunk-dlq")
    }

    pub(crate) fn archive(&self) -> String {
        self.named("session-events")
    }

    /// The rule that starts and stops the consumer.
    pub(crate) fn rule(&self) -> String {
        self.named("session-lifecycle")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logs_are_those_of_every_log_group_of_the_template() {
        let template = include_str!("../../../infra/template.yaml");
        let named = |line: &str| {
            let name = line.trim().strip_prefix("LogGroupName:")?;
            let name = name.split_once("${Environment}")?.0.rsplit(['"', '\'', ' ']).next()?;
            // That of the HTTP API has no lines of sessions.
            (!name.starts_with("/aws/vendedlogs/")).then(|| format!("{name}dev"))
        };
        let mut expected: Vec<_> = template.lines().filter_map(named).collect();
        expected.sort();
        let mut groups = Environment::new("dev").log_groups();
        groups.sort();
        assert_eq!(expected, groups);
    }
}
