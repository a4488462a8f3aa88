//! The versions and aliases of functions. A function with an alias has one published version.

use sam_template::Function;

const LATEST: &str = "$LATEST";
const PUBLISHED: &str = "1";

/// Returns the version that an invocation runs: on managed instances the published one.
pub(super) fn version_of(function: &Function) -> &'static str {
    if function.instances.is_some() { PUBLISHED } else { LATEST }
}

/// Returns the ARN under which a function is invoked: on managed instances that of its alias.
pub(super) fn invoked_arn(function: &Function) -> String {
    match (&function.instances, &function.alias) {
        (Some(_), Some(alias)) => format!("{}:{alias}", function.arn),
        _ => function.arn.clone(),
    }
}

/// Returns the ARN in the record of an event: with a qualifier in any case.
pub(super) fn recorded_arn(function: &Function) -> String {
    match function.instances {
        Some(_) => invoked_arn(function),
        None => format!("{}:{LATEST}", function.arn),
    }
}

/// Returns whether a function can be invoked with this qualifier.
pub(super) fn is_invocable(function: &Function, qualifier: Option<&str>) -> bool {
    match qualifier {
        // Managed instances run published versions only.
        None | Some(LATEST) => function.instances.is_none(),
        Some(PUBLISHED) => function.alias.is_some(),
        Some(alias) => function.alias.as_deref() == Some(alias),
    }
}

/// Returns the name and the qualifier in `NAME`, `NAME:QUALIFIER`, `ACCOUNT:function:NAME` or an
/// ARN of either form.
pub(super) fn split(function: &str) -> (&str, Option<&str>) {
    let name = match function.split_once("function:") {
        Some((_, rest)) => rest,
        None => function,
    };
    match name.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_answers_to_every_form_of_its_name() {
        for (name, qualifier) in [
            ("f-dev", None),
            ("f-dev:$LATEST", Some("$LATEST")),
            ("000000000000:function:f-dev", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:f-dev", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:f-dev:live", Some("live")),
        ] {
            assert_eq!(split(name), ("f-dev", qualifier));
        }
    }
}
