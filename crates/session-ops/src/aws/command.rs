//! A request as a command of the AWS CLI.

use crate::cli::Connection;

/// Returns the command in one line that a POSIX shell with here-strings can run. `configured` is
/// the endpoint of all services in the configuration, `input` the command's standard input.
pub(super) fn command(
    connection: &Connection,
    configured: Option<&str>,
    operation: &str,
    arguments: &[(&str, &str)],
    input: Option<&str>,
) -> String {
    let service = operation.split(' ').next().unwrap_or_default();
    let variable = |name: &str| std::env::var(name).ok();
    let endpoint_url = connection.endpoint_url.clone().or_else(|| endpoint(service, variable));
    let endpoint_url = endpoint_url.or_else(|| configured.map(str::to_owned));
    let globals = [
        ("--profile", &connection.profile),
        ("--region", &connection.region),
        ("--endpoint-url", &endpoint_url),
    ];
    let mut words = vec!["aws".to_owned()];
    for (name, value) in globals {
        words.extend(value.iter().flat_map(|value| [name.to_owned(), quoted(value)]));
    }
    words.push(operation.to_owned());
    for (name, value) in arguments {
        words.extend([*name].into_iter().filter(|name| !name.is_empty()).map(str::to_owned));
        words.extend([*value].into_iter().filter(|value| !value.is_empty()).map(quoted));
    }
    if let Some(input) = input {
        words.push(format!("<<< {}", quoted(input)));
    }
    words.join(" ")
}

/// Returns the endpoint of a service in the environment. It is printed as an option, as is that of
/// the profile, because the AWS CLI v1 ignores both for SQS.
fn endpoint(service: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    if variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|it| it == "true") {
        return None;
    }
    let name = match service {
        "events" => "EVENTBRIDGE".to_owned(),
        "logs" => "CLOUDWATCH_LOGS".to_owned(),
        other => other.to_uppercase(),
    };
    variable(&format!("AWS_ENDPOINT_URL_{name}")).or_else(|| variable("AWS_ENDPOINT_URL"))
}

/// Returns a word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_./:=,@%+-".contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_of_a_service_precedes_that_of_all() {
        let found = |service, variables: &[(&str, &str)]| {
            let of = |name: &str| variables.iter().find(|(it, _)| *it == name);
            endpoint(service, |name| Some(of(name)?.1.to_owned()))
        };
        let all = ("AWS_ENDPOINT_URL", "http://a");
        let logs = ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://l");
        assert_eq!(found("sqs", &[all, logs]).as_deref(), Some("http://a"));
        assert_eq!(found("logs", &[all, logs]).as_deref(), Some("http://l"));
        assert_eq!(found("sqs", &[all, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]), None);
    }

    #[test]
    fn a_shell_reads_every_word_back() {
        let connection = Connection {
            profile: Some("it's".to_owned()),
            region: Some("eu-west-1".to_owned()),
            ..Connection::default()
        };
        let arguments = [("--payload", "fileb:///dev/stdin"), ("", "/dev/stdout"), ("--flag", "")];
        let text = command(&connection, None, "lambda invoke", &arguments, Some("{\"a\":1}"));
        let expected = "aws --profile 'it'\\''s' --region eu-west-1 lambda invoke \
                        --payload fileb:///dev/stdin /dev/stdout --flag <<< '{\"a\":1}'";
        assert_eq!(text, expected);
        let text = command(&connection, Some("http://a"), "sqs list-queues", &[], None);
        assert!(text.ends_with("--endpoint-url http://a sqs list-queues"), "{text}");
    }
}
