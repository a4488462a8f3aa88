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

    /// The functions in the order of a session's way through them.
    pub(crate) fn functions(&self) -> [String; 5] {
        let own = ["session-canary", "session-http-handler"].map(|name| self.named(name));
        let [canary, handler] = own;
        [canary, handler, self.consumer(), self.instances(), self.processor()]
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
    fn the_logs_are_those_of_every_function_of_the_template() {
        let template = include_str!("../../../infra/template.yaml");
        let named = |line: &str| {
            let name = line.trim().strip_prefix("FunctionName:")?;
            let name = name.split_once("${Environment}")?.0.rsplit(['"', '\'', ' ']).next()?;
            Some(format!("{name}dev"))
        };
        let mut expected: Vec<_> = template.lines().filter_map(named).collect();
        expected.sort();
        let mut functions = Environment::new("dev").functions();
        functions.sort();
        assert_eq!(expected, functions);
    }
}
