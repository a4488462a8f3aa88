//! Patterns of ids and ARNs accept what the Rust types accept, and so do the page's examples.

use proptest::{prelude::*, string::string_regex};
use regex_automata::meta::Regex;
use session::{ChannelArn, StreamArn};

use super::super::*;
use super::{Page, concrete};

/// A string schema, the corresponding predicate, and sample texts.
struct Texts {
    regex: Regex,
    longest: usize,
    pattern: String,
}

impl Texts {
    fn of(name: &str) -> Self {
        let schema = Page::load().schema(name);
        let pattern = schema["pattern"].as_str().unwrap();
        let bare = pattern.strip_prefix('^').and_then(|it| it.strip_suffix('$')).unwrap();
        Self {
            regex: Regex::new(pattern).unwrap(),
            longest: schema["maxLength"].as_u64().unwrap() as usize,
            pattern: bare.to_owned(),
        }
    }

    fn takes(&self, text: &str) -> bool {
        text.len() <= self.longest && self.regex.is_match(text)
    }

    /// Texts that match the pattern, and variants with one character inserted, removed or repeated.
    fn texts(&self) -> impl Strategy<Value = String> + use<> {
        let place = any::<prop::sample::Index>();
        (string_regex(&self.pattern).unwrap(), place, 0..5, "[a-z0-9A-Z:/_. \n-]", 1..300_usize)
            .prop_map(|(text, place, kind, other, times)| {
                let mut characters: Vec<char> = text.chars().collect();
                let at = place.index(characters.len());
                match kind {
                    0 => drop(characters.remove(at)),
                    1 => characters.insert(at, other.chars().next().unwrap()),
                    2 => characters.splice(at..at, vec![characters[at]; times]).for_each(drop),
                    3 => characters.push('\n'),
                    _ => {}
                }
                characters.into_iter().collect()
            })
    }
}

fn agree<T: std::str::FromStr>(name: &str) {
    let texts = Texts::of(name);
    let mut runner = proptest::test_runner::TestRunner::default();
    runner
        .run(&texts.texts(), |text| {
            prop_assert_eq!(texts.takes(&text), text.parse::<T>().is_ok(), "{:?}", text);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_session_id_is_what_the_page_says() {
    agree::<SessionId>("SessionId");
}

#[test]
fn an_arn_is_what_the_page_says() {
    agree::<ChannelArn>("ChannelArn");
    agree::<StreamArn>("StreamArn");
}

#[test]
fn every_example_of_a_request_is_taken() {
    let mut seen = 0;
    for ((method, path), details) in Page::load().operations() {
        let examples = details.pointer("/requestBody/content/application~1json/examples");
        for (name, example) in examples.and_then(Value::as_object).into_iter().flatten() {
            let body = example["value"].to_string();
            let event = event(&method, &concrete(&path), Some(SPEAKER), Some(&body));
            let answer = ask(&Scripted::default(), &event);
            assert!((200..300).contains(&answer.status), "{name}: {}", answer.body);
            seen += 1;
        }
    }
    assert!(seen >= 2, "every operation with a body shows one");
}

#[test]
fn both_draw_the_line_at_the_same_length() {
    let arn = |name: usize, created: usize| {
        let (name, created) = ("n".repeat(name), "1".repeat(created));
        format!("arn:aws:kinesisvideo:us-east-1:123456789012:stream/{name}/{created}")
    };
    let stream = Texts::of("StreamArn");
    let longest = 1024 - arn(1, 0).len();
    for (text, fits) in [
        (arn(256, 1), true),
        (arn(257, 1), false),
        (arn(0, 1), false),
        (arn(1, longest), true),
        (arn(1, longest + 1), false),
    ] {
        assert_eq!(
            (stream.takes(&text), text.parse::<StreamArn>().is_ok()),
            (fits, fits),
            "{text}"
        );
    }
    let id = |number: usize| format!("a-b-{}", "1".repeat(number));
    let ids = Texts::of("SessionId");
    for (text, fits) in [(id(60), true), (id(61), false), (id(0), false)] {
        assert_eq!((ids.takes(&text), text.parse::<SessionId>().is_ok()), (fits, fits), "{text}");
    }
}
