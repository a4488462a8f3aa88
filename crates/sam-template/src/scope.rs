//! Resolves intrinsic functions: `!Ref`, `!Sub`, `!If` and the others.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::names::{Names, STACK};
use crate::account::Account;

/// Maximum depth of nested values and references, which also ends a cycle.
const MAX_DEPTH: usize = 64;

/// The definitions that a value of the template can refer to.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) account: Account,
    pub(super) base_url: String,
    pub(super) parameters: BTreeMap<String, Value>,
    pub(super) conditions: Map<String, Value>,
    pub(super) mappings: Map<String, Value>,
    /// The raw resources, by logical id.
    pub(super) resources: Map<String, Value>,
}

impl Scope {
    /// Returns `value` with every intrinsic function resolved; `None` for `AWS::NoValue`.
    ///
    /// # Errors
    /// A value cannot be resolved.
    pub(super) fn resolve(&self, value: &Value) -> Result<Option<Value>, String> {
        self.value(value, 0)
    }

    /// Returns whether a named condition is true.
    ///
    /// # Errors
    /// An unknown condition, or one that cannot be resolved.
    pub(super) fn condition(&self, name: &str) -> Result<bool, String> {
        self.named_condition(name, 0)
    }

    /// Returns whether a resource is created: it has no condition, or the condition is true.
    ///
    /// # Errors
    /// As [`Scope::condition`].
    pub(super) fn is_made(&self, resource: &Value) -> Result<bool, String> {
        match resource.get("Condition") {
            None => Ok(true),
            Some(Value::String(name)) => self.condition(name),
            Some(other) => Err(format!("Condition is not a name: {other}")),
        }
    }

    /// Returns the deployed name of a resource.
    ///
    /// # Errors
    /// The name property cannot be resolved.
    pub(super) fn deployed_name(&self, id: &str, resource: &Value) -> Result<String, String> {
        self.with_names(0, |names| names.deployed(id, resource))
    }

    /// Returns the ARN of a resource.
    ///
    /// # Errors
    /// The resource has no ARN here, or its name cannot be resolved.
    pub(super) fn arn(&self, id: &str, resource: &Value) -> Result<String, String> {
        self.with_names(0, |names| names.attribute(id, resource, "Arn"))
    }

    fn with_names<T>(&self, depth: usize, read: impl FnOnce(&Names<'_>) -> T) -> T {
        let resolve = |value: &Value| self.string(value, depth + 1);
        read(&Names { account: &self.account, base_url: &self.base_url, resolve: &resolve })
    }

    fn value(&self, value: &Value, depth: usize) -> Result<Option<Value>, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested or referred to more than {MAX_DEPTH} deep: a cycle?"));
        }
        match value {
            Value::Object(map) => match intrinsic(map) {
                Some((name, argument)) => self.call(name, argument, depth + 1),
                None => self.object(map, depth + 1).map(Some),
            },
            Value::Array(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for item in items {
                    resolved.extend(self.value(item, depth + 1)?);
                }
                Ok(Some(Value::Array(resolved)))
            }
            plain => Ok(Some(plain.clone())),
        }
    }

    fn object(&self, map: &Map<String, Value>, depth: usize) -> Result<Value, String> {
        let mut resolved = Map::new();
        for (key, value) in map {
            if let Some(value) = self.value(value, depth)? {
                resolved.insert(key.clone(), value);
            }
        }
        Ok(Value::Object(resolved))
    }

    fn call(&self, name: &str, argument: &Value, depth: usize) -> Result<Option<Value>, String> {
        let in_call = |reason: String| match reason.starts_with("Fn::") || name == "Ref" {
            true => reason,
            false => format!("{name}: {reason}"),
        };
        match name {
            "Ref" => self.reference(text(argument)?, depth),
            "Condition" => self.named_condition(text(argument)?, depth).map(|it| Some(it.into())),
            "Fn::If" => self.choose(argument, depth),
            "Fn::GetAtt" => self.attribute(argument, depth).map(Some),
            "Fn::Sub" => self.substitute(argument, depth).map(|it| Some(it.into())),
            "Fn::Join" => self.join(argument, depth).map(|it| Some(it.into())),
            "Fn::Split" => self.split(argument, depth).map(Some),
            "Fn::Select" => self.select(argument, depth).map(Some),
            "Fn::FindInMap" => self.find_in_map(argument, depth).map(Some),
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => {
                self.logic(name, argument, depth).map(|it| Some(it.into()))
            }
            _ => Err("local-cloud does not support this function".to_owned()),
        }
        .map_err(in_call)
    }

    fn reference(&self, name: &str, depth: usize) -> Result<Option<Value>, String> {
        let pseudo = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::Region" => Some(self.account.region.clone()),
            "AWS::AccountId" => Some(self.account.id.clone()),
            "AWS::Partition" => Some(Account::PARTITION.to_owned()),
            "AWS::URLSuffix" => Some("amazonaws.com".to_owned()),
            "AWS::StackName" => Some(STACK.to_owned()),
            "AWS::StackId" => {
                Some(self.account.arn("cloudformation", &format!("stack/{}/local", STACK)))
            }
            _ => None,
        };
        if let Some(text) = pseudo {
            return Ok(Some(text.into()));
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        let found = match name.split_once('.') {
            Some((id, part)) => {
                let resource = self.made_resource(id)?;
                self.with_names(depth, |names| names.made_of(id, resource, part))
            }
            None => {
                let resource = self.made_resource(name)?;
                self.with_names(depth, |names| names.reference(name, resource))
            }
        };
        found.map(|it| Some(it.into()))
    }

    fn attribute(&self, argument: &Value, depth: usize) -> Result<Value, String> {
        let (id, attribute) = match argument {
            Value::String(path) => path
                .split_once('.')
                .map(|(id, attribute)| (id.to_owned(), attribute.to_owned()))
                .ok_or_else(|| format!("{path} has no attribute"))?,
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(id), attribute] => (id.clone(), self.string(attribute, depth)?),
                _ => return Err(format!("not [resource, attribute]: {argument}")),
            },
            other => return Err(format!("not [resource, attribute]: {other}")),
        };
        let resource = self.made_resource(&id)?;
        self.with_names(depth, |names| names.attribute(&id, resource, &attribute))
            .map(Value::String)
    }

    fn made_resource(&self, id: &str) -> Result<&Value, String> {
        let resource = self
            .resources
            .get(id)
            .ok_or_else(|| format!("{id} is neither a parameter nor a resource"))?;
        match self.is_made(resource)? {
            true => Ok(resource),
            false => Err(format!("{id} is not created: its condition is false")),
        }
    }

    /// Returns a value as text; numbers and booleans are formatted.
    pub(super) fn string(&self, value: &Value, depth: usize) -> Result<String, String> {
        match self.value(value, depth)? {
            Some(value) => plain_text(&value),
            None => Err("AWS::NoValue where text is needed".to_owned()),
        }
    }

    fn substitute(&self, argument: &Value, depth: usize) -> Result<String, String> {
        let (template, variables) = match argument {
            Value::String(template) => (template, None),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(template), Value::Object(variables)] => (template, Some(variables)),
                _ => return Err("not a text and a map".to_owned()),
            },
            _ => return Err("not a text".to_owned()),
        };
        let mut out = String::new();
        let mut rest = template.as_str();
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let after = &rest[start + 2..];
            let end = after.find('}').ok_or("a ${ without its }")?;
            let name = &after[..end];
            rest = &after[end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
            } else if let Some(value) = variables.and_then(|variables| variables.get(name)) {
                out.push_str(&self.string(value, depth)?);
            } else if name.contains('.') {
                out.push_str(&plain_text(&self.attribute(&Value::from(name), depth)?)?);
            } else {
                let value = self.reference(name, depth)?.ok_or("AWS::NoValue inside a text")?;
                out.push_str(&plain_text(&value)?);
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn choose(&self, argument: &Value, depth: usize) -> Result<Option<Value>, String> {
        match argument.as_array().map(Vec::as_slice) {
            Some([Value::String(name), then, otherwise]) => {
                match self.named_condition(name, depth)? {
                    true => self.value(then, depth),
                    false => self.value(otherwise, depth),
                }
            }
            _ => Err("not [condition, then, else]".to_owned()),
        }
    }

    fn join(&self, argument: &Value, depth: usize) -> Result<String, String> {
        match argument.as_array().map(Vec::as_slice) {
            Some([Value::String(separator), items]) => {
                let items = self.list(items, depth)?;
                let items = items.iter().map(plain_text).collect::<Result<Vec<_>, _>>()?;
                Ok(items.join(separator))
            }
            _ => Err("not [separator, list]".to_owned()),
        }
    }

    fn split(&self, argument: &Value, depth: usize) -> Result<Value, String> {
        match argument.as_array().map(Vec::as_slice) {
            Some([Value::String(separator), text]) if !separator.is_empty() => {
                let text = self.string(text, depth)?;
                Ok(text.split(separator.as_str()).collect::<Vec<_>>().into())
            }
            _ => Err("not [separator, text]".to_owned()),
        }
    }

    fn select(&self, argument: &Value, depth: usize) -> Result<Value, String> {
        match argument.as_array().map(Vec::as_slice) {
            Some([index, items]) => {
                let index = self.string(index, depth)?;
                let items = self.list(items, depth)?;
                let found = index.parse::<usize>().ok().and_then(|index| items.get(index));
                found.cloned().ok_or_else(|| format!("no item {index} of {}", items.len()))
            }
            _ => Err("not [index, list]".to_owned()),
        }
    }

    fn find_in_map(&self, argument: &Value, depth: usize) -> Result<Value, String> {
        let keys = self.list(argument, depth)?;
        let keys = keys.iter().map(plain_text).collect::<Result<Vec<_>, _>>()?;
        let found = match keys.as_slice() {
            [map, first, second] => {
                self.mappings.get(map).and_then(|map| map.get(first)?.get(second))
            }
            _ => return Err("not [map, key, key]".to_owned()),
        };
        found.cloned().ok_or_else(|| format!("Mappings have no {}", keys.join(".")))
    }

    fn list(&self, value: &Value, depth: usize) -> Result<Vec<Value>, String> {
        match self.value(value, depth)? {
            Some(Value::Array(items)) => Ok(items),
            other => Err(format!("not a list: {}", other.unwrap_or_default())),
        }
    }

    fn named_condition(&self, name: &str, depth: usize) -> Result<bool, String> {
        let condition =
            self.conditions.get(name).ok_or_else(|| format!("there is no condition {name}"))?;
        self.truth(condition, depth + 1)
    }

    /// Returns the value of a condition at `depth` calls.
    ///
    /// # Errors
    /// It is no condition, or it cannot be resolved.
    pub(super) fn truth(&self, condition: &Value, depth: usize) -> Result<bool, String> {
        match self.value(condition, depth)? {
            Some(Value::Bool(value)) => Ok(value),
            other => Err(format!("not a condition: {}", other.unwrap_or_default())),
        }
    }

    fn logic(&self, name: &str, argument: &Value, depth: usize) -> Result<bool, String> {
        let parts = argument.as_array().ok_or("not a list")?;
        match (name, parts.as_slice()) {
            ("Fn::Equals", [left, right]) => {
                Ok(self.string(left, depth)? == self.string(right, depth)?)
            }
            ("Fn::Not", [one]) => self.truth(one, depth).map(|it| !it),
            ("Fn::And", parts) if parts.len() >= 2 => {
                parts.iter().try_fold(true, |all, part| Ok(self.truth(part, depth)? && all))
            }
            ("Fn::Or", parts) if parts.len() >= 2 => {
                parts.iter().try_fold(false, |any, part| Ok(self.truth(part, depth)? || any))
            }
            _ => Err("wrong number of conditions".to_owned()),
        }
    }
}

/// Returns the name and the argument of a map whose one key is a function's name.
fn intrinsic(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    let is_call = name == "Ref"
        || name.starts_with("Fn::")
        // The Condition of a resource or of a policy statement is a map, or a name among other
        // keys.
        || (name == "Condition" && argument.is_string());
    is_call.then_some((name, argument))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("not a name: {value}"))
}

fn plain_text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        other => Err(format!("not text: {other}")),
    }
}
