//! A request as a command of the AWS CLI.

use crate::cli::Connection;

/// Returns the command in one line that a POSIX shell with here-strings can run. `input` is its
/// standard input.
pub(super) fn command(
    connection: &Connection,
    operation: &str,
    arguments: &[(&str, &str)],
    input: Option<&str>,
) -> String {
    let globals = [
        ("--profile", &connection.profile),
        ("--region", &connection.region),
        ("--endpoint-url", &connection.endpoint_url),
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
    fn a_shell_reads_every_word_back() {
        let connection = Connection {
            profile: Some("it's".to_owned()),
            region: Some("eu-west-1".to_owned()),
            ..Connection::default()
        };
        let arguments = [("--payload", "fileb:///dev/stdin"), ("", "/dev/stdout"), ("--flag", "")];
        let text = command(&connection, "lambda invoke", &arguments, Some("{\"a\":1}"));
        let expected = "aws --profile 'it'\\''s' --region eu-west-1 lambda invoke \
                        --payload fileb:///dev/stdin /dev/stdout --flag <<< '{\"a\":1}'";
        assert_eq!(text, expected);
    }
}
