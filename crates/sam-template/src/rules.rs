//! The `Rules` section: assertions on combinations of parameters, which CloudFormation checks
//! before it changes a resource (User Guide, "Rules").

use serde_json::{Map, Value};

use super::TemplateError;
use super::reader::{Properties, at};
use super::scope::Scope;

/// Checks every rule whose condition is true.
///
/// # Errors
/// An assertion is false, with its description, or it cannot be evaluated.
pub(super) fn check(scope: &Scope, section: Map<String, Value>) -> Result<(), TemplateError> {
    for (name, rule) in section {
        let mut rule = Properties::new(format!("Rules.{name}"), rule)?;
        let place = rule.place().to_owned();
        let holds =
            |condition: &Value| scope.truth(condition, 0).map_err(|reason| at(&place, reason));
        let applies = match rule.take("RuleCondition") {
            Some(condition) => holds(&condition)?,
            None => true,
        };
        let assertions = rule.take("Assertions").unwrap_or_default();
        rule.finish(&[])?;
        for assertion in assertions.as_array().into_iter().flatten().filter(|_| applies) {
            if !holds(&assertion["Assert"])? {
                let description = assertion["AssertDescription"].as_str();
                return Err(at(&place, description.unwrap_or("an assertion does not hold")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{LoadOptions, Template};

    const TEXT: &str = r#"
Parameters:
  Email: { Type: String, Default: "" }
  Topic: { Type: String, Default: "" }
Resources:
  Letters: { Type: AWS::SQS::Queue }
Rules:
  OneReceiver:
    RuleCondition: !Not [!Equals [!Ref Email, ""]]
    Assertions:
      - Assert: !Equals [!Ref Topic, ""]
        AssertDescription: Email applies to the stack's own topic.
"#;

    fn load(text: &str, parameters: &[(&str, &str)]) -> Result<(), String> {
        let parameters =
            parameters.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let options = LoadOptions {
            parameters: parameters.collect::<BTreeMap<_, _>>(),
            ..LoadOptions::default()
        };
        Template::load(text, &options).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_that_break_a_rule_are_refused_with_its_description() {
        for kept in [&[][..], &[("Email", "a@b.test")], &[("Topic", "t")]] {
            assert_eq!(load(TEXT, kept), Ok(()), "{kept:?}");
        }
        let refusal = load(TEXT, &[("Email", "a@b.test"), ("Topic", "t")]).unwrap_err();
        assert_eq!(refusal, "Rules.OneReceiver: Email applies to the stack's own topic.");
    }

    #[test]
    fn a_rule_that_cannot_be_evaluated_is_refused_by_name() {
        let unsupported = TEXT.replace("!Equals [!Ref Topic, \"\"]", "{ Fn::Contains: [[a], a] }");
        let refusal = load(&unsupported, &[("Email", "a@b.test")]).unwrap_err();
        assert!(refusal.starts_with("Rules.OneReceiver: "), "{refusal}");
    }
}
