//! Metric math (CloudWatch user guide, "Using math expressions with CloudWatch metrics"): numbers,
//! the ids of other queries, `+ - * /`, parentheses, `FILL(id, number)` and
//! `SUM(SEARCH('…', 'statistic', period))`. Other functions are not supported.

use std::collections::BTreeMap;

use super::search::Search;

/// Maximum depth of parentheses.
const MAX_DEPTH: usize = 32;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Id(String),
    Fill(String, f64),
    /// The sum of what is found, whose values have its text as their id.
    Sum(String, Search),
    Operation(char, Box<Self>, Box<Self>),
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// The text is no expression, or uses a function that is not supported.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text };
        let parsed = parser.sum(0)?;
        match parser.peek() {
            None => Ok(parsed),
            Some(_) => Err(format!("unexpected {:?}", parser.rest)),
        }
    }

    /// Returns the ids that it refers to.
    pub(super) fn ids(&self) -> Vec<&str> {
        match self {
            Self::Number(_) | Self::Sum(..) => Vec::new(),
            Self::Id(id) | Self::Fill(id, _) => vec![id],
            Self::Operation(_, left, right) => [left.ids(), right.ids()].concat(),
        }
    }

    /// Returns its searches, each with the text that is the id of its values.
    pub(super) fn searches(&self) -> Vec<(&str, &Search)> {
        match self {
            Self::Number(_) | Self::Id(_) | Self::Fill(..) => Vec::new(),
            Self::Sum(text, search) => vec![(text, search)],
            Self::Operation(_, left, right) => [left.searches(), right.searches()].concat(),
        }
    }

    /// Returns its value in window `index`, where `values` has those of each id and search. `None`
    /// if a value that it needs is missing, or it divides by zero.
    pub(super) fn value(
        &self,
        values: &BTreeMap<String, Vec<Option<f64>>>,
        index: usize,
    ) -> Option<f64> {
        let of = |id: &String| values.get(id)?.get(index).copied().flatten();
        match self {
            Self::Number(number) => Some(*number),
            Self::Id(id) | Self::Sum(id, _) => of(id),
            Self::Fill(id, number) => of(id).or(Some(*number)),
            Self::Operation(operator, left, right) => {
                let (left, right) = (left.value(values, index)?, right.value(values, index)?);
                match operator {
                    '+' => Some(left + right),
                    '-' => Some(left - right),
                    '*' => Some(left * right),
                    _ => (right != 0.0).then(|| left / right),
                }
            }
        }
    }
}

/// A parser by recursive descent: sum, product, factor.
struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    fn require(&mut self, wanted: char) -> Result<(), String> {
        match self.take(wanted) {
            true => Ok(()),
            false => Err(format!("{wanted:?} is missing before {:?}", self.rest)),
        }
    }

    fn word(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn sum(&mut self, depth: usize) -> Result<Expression, String> {
        self.operations(&['+', '-'], depth, Self::product)
    }

    fn product(&mut self, depth: usize) -> Result<Expression, String> {
        self.operations(&['*', '/'], depth, Self::factor)
    }

    fn operations(
        &mut self,
        operators: &[char],
        depth: usize,
        part: fn(&mut Self, usize) -> Result<Expression, String>,
    ) -> Result<Expression, String> {
        let mut left = part(self, depth)?;
        while let Some(operator) = self.peek().filter(|next| operators.contains(next)) {
            self.take(operator);
            left = Expression::Operation(operator, Box::new(left), Box::new(part(self, depth)?));
        }
        Ok(left)
    }

    fn factor(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} parentheses"));
        }
        match self.peek() {
            Some('(') => {
                self.take('(');
                let inner = self.sum(depth + 1)?;
                self.require(')').map(|()| inner)
            }
            Some(digit) if digit.is_ascii_digit() => self.number().map(Expression::Number),
            Some(letter) if letter.is_ascii_alphabetic() => self.name(),
            _ => Err(format!("a value is missing before {:?}", self.rest)),
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        self.peek();
        let text = self.word(|c| c.is_ascii_digit() || c == '.');
        text.parse().map_err(|_| format!("{text:?} is not a number"))
    }

    fn name(&mut self) -> Result<Expression, String> {
        let name = self.word(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
        if !self.take('(') {
            return Ok(Expression::Id(name));
        }
        match name.as_str() {
            "FILL" => self.fill(),
            "SUM" => self.sum_of_search(),
            _ => Err(format!("local-cloud does not support the function {name}")),
        }
    }

    /// Reads the arguments of FILL.
    fn fill(&mut self) -> Result<Expression, String> {
        self.peek();
        let id = self.word(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
        self.require(',')?;
        let number = self.number()?;
        self.require(')').map(|()| Expression::Fill(id, number))
    }

    /// Reads the argument of SUM, which is a search.
    fn sum_of_search(&mut self) -> Result<Expression, String> {
        self.peek();
        if self.word(|c| c.is_ascii_alphanumeric()) != "SEARCH" {
            return Err("local-cloud only supports SUM of SEARCH".to_owned());
        }
        self.require('(')?;
        let begun = self.rest;
        let text = self.quoted()?;
        self.require(',')?;
        let statistic = self.quoted()?;
        self.require(',')?;
        self.peek();
        let period = self.word(|c| c.is_ascii_digit());
        let arguments = begun.strip_suffix(self.rest).unwrap_or(begun).to_owned();
        self.require(')')?;
        self.require(')')?;
        let period = period.parse().map_err(|_| format!("{period:?} is not a period"))?;
        let search = Search::new(text, statistic, period)?;
        Ok(Expression::Sum(arguments, search))
    }

    fn quoted(&mut self) -> Result<&'a str, String> {
        self.require('\'')?;
        let text = self.word(|c| c != '\'');
        self.require('\'').map(|()| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Option<f64>, String> {
        let values = [("a", vec![Some(6.0)]), ("b", vec![None]), ("z", vec![Some(0.0)])];
        let values = values.map(|(id, values)| (id.to_owned(), values));
        Ok(Expression::parse(text)?.value(&values.into(), 0))
    }

    #[test]
    fn expressions_have_the_precedence_of_arithmetic() {
        for (text, expected) in [
            ("100 * a / 24", Some(25.0)),
            ("1 + 2 * (a - 1.5)", Some(10.0)),
            ("a-1-2", Some(3.0)),
            ("a / z", None),
            ("a + b", None),
            ("a + FILL(b, 4)", Some(10.0)),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        let deep = format!("{}a{}", "(".repeat(100), ")".repeat(100));
        for text in ["", "a +", "a b", "(a", "SUM(METRICS())", "1.2.3", "a ^ 2", &deep] {
            assert!(value(text).is_err(), "{text}");
        }
        for text in [
            "SEARCH('{N}', 'Sum', 60)",
            "SUM(SEARCH('{N}', 'Sum'))",
            "SUM(SEARCH('{N}",
            "SUM(SEARCH('{N}', 'Sum', 60.5))",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_search_has_the_values_of_its_arguments() {
        let parsed = Expression::parse("1 + SUM(SEARCH('{N,D} D=a', 'Sum', 300))").unwrap();
        let searches: Vec<_> = parsed
            .searches()
            .iter()
            .map(|(id, search)| ((*id).to_owned(), search.period))
            .collect();
        assert_eq!(searches, [("'{N,D} D=a', 'Sum', 300".to_owned(), 300)]);
        let values = [(searches[0].0.clone(), vec![Some(2.0)])];
        assert_eq!(parsed.value(&values.into(), 0), Some(3.0));
    }
}
