//! The parameters that name resources outside of the template. A name of something that does not
//! exist on this machine is refused at the start: a function that used it would fail much later.

use std::collections::BTreeMap;

use sam_template::Template;

use crate::connections::Connections;
use crate::error::Error;
use crate::lambda::Lambda;
use crate::options::Options;

/// Returns the values that replace a default: messages to listeners go to this emulator, which
/// opens connections under `/_local`.
pub(crate) fn stand_ins(base_url: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("WebSocketApiEndpoint".to_owned(), base_url.to_owned()),
        ("WebSocketApiId".to_owned(), Connections::API_ID.to_owned()),
    ])
}

/// Returns values for the parameters of the hosts other than Lambda: here they are processes, not
/// containers or instances in a network. Without managed instances there is no capacity for them.
pub(crate) fn hosts(parameters: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let on_instances = parameters.get("ConsumerHost").is_some_and(|it| it == "managed-instances");
    let values = [
        ("WorkerImage", "stream-worker"),
        ("ConsumerSubnets", "subnet-00000000"),
        ("ConsumerSecurityGroups", "sg-00000000"),
        ("InstancesMaxVCpus", if on_instances { "2" } else { "0" }),
    ];
    values.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Checks the values of `options` against what runs here.
///
/// # Errors
/// [`Error::Parameter`]: a function that does not run here, or another WebSocket API than this
/// emulator's.
pub(crate) fn check(
    options: &Options,
    base_url: &str,
    template: &Template,
    lambda: &Lambda,
) -> Result<(), Error> {
    let wrong = |name: &str, reason: String| Error::Parameter { name: name.to_owned(), reason };
    let missing = |(_, value): &(&String, &String)| is_function(value) && !lambda.runs(value);
    if let Some((name, arn)) = template.parameters.iter().find(missing) {
        let (function, names) = (arn.rsplit("function:").next().unwrap_or(arn), lambda.names());
        return Err(wrong(
            name,
            format!(
                "no function {function} runs here, only {}; `local-cloud up --processor` runs one \
                 of yours",
                names.join(", ")
            ),
        ));
    }
    let elsewhere = |(name, here): &(String, String)| {
        options.parameters.get(name).is_some_and(|value| !value.is_empty() && value != here)
    };
    if let Some((name, here)) = stand_ins(base_url).into_iter().find(elsewhere) {
        let reason = format!(
            "only {here} is on this machine: leave the parameter out, and open a listener's \
             connection with PUT /_local/connections/ID"
        );
        return Err(wrong(&name, reason));
    }
    Ok(())
}

/// Returns whether a value is the ARN of a function.
fn is_function(value: &str) -> bool {
    value.starts_with("arn:") && value.split(':').nth(2) == Some("lambda")
}
