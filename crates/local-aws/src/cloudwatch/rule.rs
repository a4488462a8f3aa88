//! The rule of a composite alarm (CloudWatch API reference, PutCompositeAlarm, AlarmRule).

use super::evaluation::State;

/// Maximum depth of parentheses and of NOT.
const MAX_DEPTH: usize = 32;

/// A parsed rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    Constant(bool),
    /// Whether an alarm, by name or ARN, has a state.
    Is(State, String),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

impl Rule {
    /// Parses a rule.
    ///
    /// # Errors
    /// The text is no rule.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text };
        let rule = parser.any(0)?;
        match parser.rest.trim() {
            "" => Ok(rule),
            rest => Err(format!("unexpected {rest:?}")),
        }
    }

    /// Returns the alarms that it refers to.
    pub(super) fn alarms(&self) -> Vec<&str> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Is(_, alarm) => vec![alarm],
            Self::Not(rule) => rule.alarms(),
            Self::And(rules) | Self::Or(rules) => rules.iter().flat_map(Self::alarms).collect(),
        }
    }

    /// Returns whether it is true, where `state` returns the state of an alarm.
    pub(super) fn holds(&self, state: &impl Fn(&str) -> Option<State>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Is(wanted, alarm) => state(alarm) == Some(*wanted),
            Self::Not(rule) => !rule.holds(state),
            Self::And(rules) => rules.iter().all(|rule| rule.holds(state)),
            Self::Or(rules) => rules.iter().any(|rule| rule.holds(state)),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    /// Takes a word or a sign if it is next.
    fn take(&mut self, wanted: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some(after) = rest.strip_prefix(wanted) else { return false };
        let is_word = wanted.ends_with(|last: char| last.is_ascii_alphabetic());
        if is_word && after.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_') {
            return false;
        }
        self.rest = after;
        true
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        match self.take(wanted) {
            true => Ok(()),
            false => Err(format!("{wanted} is missing before {:?}", self.rest)),
        }
    }

    fn any(&mut self, depth: usize) -> Result<Rule, String> {
        let mut rules = vec![self.all(depth)?];
        while self.take("OR") {
            rules.push(self.all(depth)?);
        }
        Ok(one_or(rules, Rule::Or))
    }

    fn all(&mut self, depth: usize) -> Result<Rule, String> {
        let mut rules = vec![self.term(depth)?];
        while self.take("AND") {
            rules.push(self.term(depth)?);
        }
        Ok(one_or(rules, Rule::And))
    }

    fn term(&mut self, depth: usize) -> Result<Rule, String> {
        if depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} parentheses"));
        }
        if self.take("NOT") {
            return Ok(Rule::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.take("(") {
            let rule = self.any(depth + 1)?;
            return self.expect(")").map(|()| rule);
        }
        for (word, value) in [("TRUE", true), ("FALSE", false)] {
            if self.take(word) {
                return Ok(Rule::Constant(value));
            }
        }
        for state in [State::Alarm, State::Ok, State::InsufficientData] {
            if self.take(state.name()) {
                self.expect("(")?;
                let alarm = self.name()?;
                return self.expect(")").map(|()| Rule::Is(state, alarm));
            }
        }
        Err(format!("a condition is missing before {:?}", self.rest))
    }

    /// Takes the name of an alarm, in double quotes or without.
    fn name(&mut self) -> Result<String, String> {
        let quoted = self.take("\"");
        let end = if quoted { '"' } else { ')' };
        let length = self.rest.find(end).ok_or_else(|| format!("{end:?} is missing"))?;
        let (name, rest) = self.rest.split_at(length);
        self.rest = if quoted { &rest[1..] } else { rest };
        match name.trim() {
            "" => Err("an alarm has no name".to_owned()),
            name => Ok(name.to_owned()),
        }
    }
}

fn one_or(mut rules: Vec<Rule>, several: fn(Vec<Rule>) -> Rule) -> Rule {
    match rules.len() {
        1 => rules.remove(0),
        _ => several(rules),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(rule: &str) -> bool {
        let state = |alarm: &str| match alarm {
            "a" => Some(State::Alarm),
            "b c" => Some(State::Ok),
            _ => None,
        };
        Rule::parse(rule).unwrap().holds(&state)
    }

    #[test]
    fn rules_combine_the_states_of_alarms() {
        assert!(holds(r#"ALARM("a")"#) && holds("ALARM(a)") && holds(r#"OK("b c")"#));
        assert!(holds(r#"ALARM("b c") OR ALARM("a")"#));
        assert!(!holds(r#"ALARM("b c") AND ALARM("a")"#));
        // AND binds tighter than OR.
        assert!(holds(r#"TRUE OR FALSE AND FALSE"#));
        assert!(!holds(r#"(TRUE OR FALSE) AND NOT ALARM(a)"#));
        assert!(holds("NOT INSUFFICIENT_DATA(a)") && !holds("ALARM(x)"));
        let rule = Rule::parse("ALARM(a) AND NOT (OK(\"b c\") OR TRUE)").unwrap();
        assert_eq!(rule.alarms(), ["a", "b c"]);
    }

    #[test]
    fn other_texts_are_refused() {
        let deep = format!("{}TRUE", "NOT ".repeat(100));
        for text in ["", "ALARM", "ALARM(", "ALARM()", "ALARM(a) ALARM(a)", "ORANGE(a)", &deep] {
            assert!(Rule::parse(text).is_err(), "{text}");
        }
    }
}
