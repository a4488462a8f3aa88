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
    let functions = template.parameters.iter().filter(|(_, value)| is_function(value));
    for (name, arn) in functions.filter(|(_, arn)| !lambda.runs(arn)) {
        let (missing, names) = (arn.rsplit("function:").next().unwrap_or(arn), lambda.names());
        return Err(wrong(
            name,
            format!(
                "no function {missing} runs here, only {}; `local-cloud up --processor` runs one \
                 of yours",
                names.join(", ")
            ),
        ));
    }
    for (name, here) in stand_ins(base_url) {
        match options.parameters.get(&name) {
            Some(value) if !value.is_empty() && *value != here => {
                let reason = format!(
                    "{value} is not on this machine: leave it out, and open a listener's connection \
                     with PUT /_local/connections/ID"
                );
                return Err(wrong(&name, reason));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns whether a value is the ARN of a function.
fn is_function(value: &str) -> bool {
    value.starts_with("arn:") && value.split(':').nth(2) == Some("lambda")
}
