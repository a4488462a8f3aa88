//! The `Parameters` section: the value of each parameter, checked against its constraints as
//! CloudFormation does before it changes a resource (User Guide, "Parameters": AllowedValues,
//! AllowedPattern, MinLength, MaxLength, MinValue, MaxValue). A value that CloudFormation rejects
//! is rejected here too.

use std::collections::BTreeMap;

use regex_automata::meta::{Config, Regex};
use serde_json::{Map, Value};

use super::TemplateError;
use super::nearest::nearest;
use super::options::LoadOptions;
use super::reader::{Properties, at};

/// Returns the value of each parameter: the override, the replacement of its default, the default,
/// or the fallback.
///
/// # Errors
/// An override of no parameter, a parameter without a value, a value that breaks a rule.
pub(super) fn values(
    section: Map<String, Value>,
    options: &LoadOptions,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    if let Some(name) = options.parameters.keys().find(|name| !section.contains_key(*name)) {
        let mut names: Vec<&str> = section.keys().map(String::as_str).collect();
        names.sort_unstable();
        return Err(at(
            name,
            match nearest(name, section.keys()) {
                Some(meant) => format!("the template has no such parameter: is it {meant}?"),
                None => format!("the template has no such parameter: it has {}", names.join(", ")),
            },
        ));
    }
    let mut values = BTreeMap::new();
    for (name, declared) in section {
        let mut declared = Properties::new(name.as_str(), declared)?;
        let default = declared.text("Default")?;
        let rules = Rules::read(declared)?;
        let given = options
            .parameters
            .get(&name)
            .or_else(|| options.stand_ins.get(&name))
            .cloned()
            .or(default);
        let given = given.or_else(|| options.fallbacks.get(&name).cloned());
        let value = given.ok_or_else(|| {
            at(&name, format!("this parameter has no default: give --parameter {name}=VALUE"))
        })?;
        let items = rules.kind.items(&value);
        for item in &items {
            rules.check(item).map_err(|broken| at(&name, rules.explained(item, &broken)))?;
        }
        let is_list = rules.kind.is_list();
        values.insert(name, if is_list { items.into() } else { value.into() });
    }
    Ok(values)
}

/// The supported types of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Texts,
    Numbers,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "String" => Self::Text,
            "Number" => Self::Number,
            "CommaDelimitedList" => Self::Texts,
            "List<Number>" => Self::Numbers,
            _ => return None,
        })
    }

    fn is_list(self) -> bool {
        matches!(self, Self::Texts | Self::Numbers)
    }

    fn is_numeric(self) -> bool {
        matches!(self, Self::Number | Self::Numbers)
    }

    /// Returns the values that the constraints apply to: the value, or each value of a list.
    fn items(self, value: &str) -> Vec<&str> {
        match self {
            Self::Text | Self::Number => vec![value],
            Self::Texts | Self::Numbers => {
                value.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
            }
        }
    }
}

/// The constraints on a parameter's value.
#[derive(Debug)]
struct Rules {
    kind: Kind,
    allowed: Vec<String>,
    pattern: Option<(String, Regex)>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    min_value: Option<f64>,
    max_value: Option<f64>,
    /// `ConstraintDescription`: the author's text for a violated constraint.
    description: Option<String>,
}

impl Rules {
    fn read(mut declared: Properties) -> Result<Self, TemplateError> {
        let kind = declared.needed("Type")?;
        let kind = Kind::of(&kind).ok_or_else(|| {
            declared.wrong("Type", format!("local-cloud does not support type {kind}"))
        })?;
        let pattern = declared.text("AllowedPattern")?;
        let pattern = pattern.map(|text| {
            whole(&text).map(|regex| (text, regex)).map_err(|why| {
                declared.wrong("AllowedPattern", format!("local-cloud cannot read it: {why}"))
            })
        });
        let pattern = pattern.transpose()?;
        let rules = Self {
            kind,
            pattern,
            allowed: declared.texts_or_numbers("AllowedValues")?,
            min_length: declared.number("MinLength", 0..=u64::MAX)?,
            max_length: declared.number("MaxLength", 0..=u64::MAX)?,
            min_value: bound(&mut declared, "MinValue")?,
            max_value: bound(&mut declared, "MaxValue")?,
            description: declared.text("ConstraintDescription")?,
        };
        // An unknown property is an error: a misspelt constraint would never be violated.
        declared.finish(&["Description", "NoEcho"])?;
        Ok(rules)
    }

    /// Checks a value and returns the constraint that it violates.
    fn check(&self, value: &str) -> Result<(), String> {
        if !self.allowed.is_empty() && !self.allowed.iter().any(|allowed| allowed == value) {
            return Err(format!("is none of AllowedValues: {}", self.allowed.join(", ")));
        }
        if self.kind.is_numeric() {
            return self.check_number(value);
        }
        if let Some((text, _)) =
            self.pattern.as_ref().filter(|(_, regex)| !regex.is_match(value.as_bytes()))
        {
            return Err(format!("does not match AllowedPattern {text}"));
        }
        let length = value.chars().count() as u64;
        match (self.min_length, self.max_length) {
            _ if self.kind.is_list() => Ok(()),
            (Some(least), _) if length < least => {
                Err(format!("has a length of {length}, below MinLength {least}"))
            }
            (_, Some(most)) if length > most => {
                Err(format!("has a length of {length}, above MaxLength {most}"))
            }
            _ => Ok(()),
        }
    }

    fn check_number(&self, value: &str) -> Result<(), String> {
        let Some(number) = number(value) else { return Err("is not a number".to_owned()) };
        match (self.min_value, self.max_value) {
            (Some(least), _) if number < least => Err(format!("is below MinValue {least}")),
            (_, Some(most)) if number > most => Err(format!("is above MaxValue {most}")),
            _ => Ok(()),
        }
    }

    fn explained(&self, value: &str, broken: &str) -> String {
        match &self.description {
            Some(description) => format!("{value:?} {broken} ({description})"),
            None => format!("{value:?} {broken}"),
        }
    }
}

/// Compiles a pattern that must match the whole value, because CloudFormation anchors every
/// pattern. It matches a few short values, so of the engines only the one that needs no more
/// preparation is built.
fn whole(pattern: &str) -> Result<Regex, String> {
    // Parsed alone first, so that an unbalanced parenthesis cannot match the group around it.
    regex_syntax::parse(pattern).map_err(|error| reason(&error))?;
    let config = Config::new().hybrid(false).dfa(false).onepass(false).backtrack(false);
    let whole = format!(r"\A(?:{pattern})\z");
    Regex::builder().configure(config).build(&whole).map_err(|error| reason(&error))
}

/// Returns the last line of an error's text, which contains the reason.
fn reason(error: &impl ToString) -> String {
    error.to_string().lines().last().unwrap_or_default().to_owned()
}

fn bound(declared: &mut Properties, name: &str) -> Result<Option<f64>, TemplateError> {
    let Some(text) = declared.text(name)? else { return Ok(None) };
    match number(&text) {
        Some(number) => Ok(Some(number)),
        None => Err(declared.wrong(name, format!("{text:?} is not a number"))),
    }
}

/// Parses an integer or a float, but not `inf` or `NaN`, which Rust accepts too.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::Template;
    use super::*;

    const DECLARED: &str = r#"
Parameters:
  Env:
    Type: String
    Default: dev
    AllowedPattern: "[a-z][a-z0-9-]{0,15}|"
    ConstraintDescription: lower-case letters first
  Audience: { Type: String, Default: sessions, MinLength: 2, MaxLength: 8 }
  Seconds: { Type: Number, Default: 30, MinValue: 1, MaxValue: 899.5 }
  Level: { Type: String, Default: INFO, AllowedValues: [INFO, WARN] }
  Names: { Type: CommaDelimitedList, Default: "a, b", AllowedPattern: "[a-z]+" }
  Ports: { Type: "List<Number>", Default: "80,443", MaxValue: 65535 }
"#;

    fn load(text: &str, name: &str, value: &str) -> Result<Template, String> {
        let parameters = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let text = format!("{text}Resources: {{ Letters: {{ Type: AWS::SQS::Queue }} }}\n");
        Template::load(&text, &LoadOptions { parameters, ..LoadOptions::default() })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_that_keeps_to_its_rules_is_taken() {
        for (name, value) in [
            ("Env", "prod-2"),
            ("Env", ""),
            ("Audience", "ab"),
            ("Audience", "äöüäöüäö"),
            ("Seconds", "1"),
            ("Seconds", "899.5"),
            ("Level", "WARN"),
            ("Names", "x,y , z"),
            ("Ports", "1, 65535"),
        ] {
            let template = load(DECLARED, name, value);
            assert!(template.is_ok(), "{name}={value}: {}", template.unwrap_err());
        }
    }

    #[test]
    fn a_value_that_breaks_a_rule_is_refused_with_both_named() {
        let pattern =
            "does not match AllowedPattern [a-z][a-z0-9-]{0,15}| (lower-case letters first)";
        for (name, value, rule) in [
            ("Env", "Prod", pattern),
            ("Env", "prod\n", pattern),
            ("Env", "a-name-that-is-too-long", pattern),
            ("Audience", "a", "has a length of 1, below MinLength 2"),
            ("Audience", "audiences", "has a length of 9, above MaxLength 8"),
            ("Seconds", "0", "is below MinValue 1"),
            ("Seconds", "900", "is above MaxValue 899.5"),
            ("Seconds", "abc", "is not a number"),
            ("Seconds", "", "is not a number"),
            ("Seconds", "NaN", "is not a number"),
            ("Seconds", "inf", "is not a number"),
            ("Level", "LOUD", "is none of AllowedValues: INFO, WARN"),
        ] {
            let refusal = load(DECLARED, name, value).unwrap_err();
            assert_eq!(refusal, format!("{name}: {value:?} {rule}"));
        }
        let refusal = load(DECLARED, "Names", "a,B").unwrap_err();
        assert_eq!(refusal, "Names: \"B\" does not match AllowedPattern [a-z]+");
        let refusal = load(DECLARED, "Ports", "80,65536").unwrap_err();
        assert_eq!(refusal, "Ports: \"65536\" is above MaxValue 65535");
    }

    #[test]
    fn a_parameter_that_the_template_lacks_is_refused_with_those_it_has() {
        let refusal = load(DECLARED, "Audiense", "a").unwrap_err();
        assert_eq!(refusal, "Audiense: the template has no such parameter: is it Audience?");
        let refusal = load(DECLARED, "Wanted", "a").unwrap_err();
        let names = "it has Audience, Env, Level, Names, Ports, Seconds";
        assert_eq!(refusal, format!("Wanted: the template has no such parameter: {names}"));
    }

    #[test]
    fn a_rule_that_cannot_be_kept_to_is_refused_by_name() {
        for (rule, place) in [
            (
                "AllowedPattern: \"(?=a)\"",
                "P.AllowedPattern: local-cloud cannot read it: error: look-",
            ),
            ("AllowedPattern: \"a)|(b\"", "P.AllowedPattern: "),
            ("MinVale: 1", "P.MinVale: "),
            ("MaxValue: much", "P.MaxValue: "),
        ] {
            let text = format!("Parameters:\n  P: {{ Type: String, {rule} }}\n");
            let refusal = load(&text, "P", "a").unwrap_err();
            assert!(refusal.starts_with(place), "{rule}: {refusal}");
        }
    }
}
