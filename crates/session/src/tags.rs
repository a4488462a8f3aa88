//! The tags by which a channel or stream is known as ours.

use crate::SessionId;

/// Tags of a channel or stream. Nothing is ever deleted whose `env` tag is another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    /// Value of the tag [`Tags::ENV`].
    pub env: String,
    /// Value of the tag [`Tags::SESSION_ID`].
    pub session_id: SessionId,
}

impl Tags {
    /// Key of the tag that names the application.
    pub const APP: &'static str = "app";
    /// Value of the tag that names the application.
    pub const APP_VALUE: &'static str = "session-management";
    /// Key of the tag that names the environment.
    pub const ENV: &'static str = "env";
    /// Key of the tag that names the session.
    pub const SESSION_ID: &'static str = "sessionId";

    /// Keys and values, as AWS wants them.
    #[must_use]
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [
            (Self::APP, Self::APP_VALUE),
            (Self::ENV, &self.env),
            (Self::SESSION_ID, self.session_id.as_str()),
        ]
    }

    /// Reads the tags of a resource; `None` when this application did not make it.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let (mut app, mut env, mut session_id) = (None, None, None);
        for (key, value) in pairs {
            match key {
                Self::APP => app = Some(value),
                Self::ENV => env = Some(value),
                Self::SESSION_ID => session_id = Some(value),
                _ => {}
            }
        }
        (app? == Self::APP_VALUE)
            .then_some(Self { env: env?.to_owned(), session_id: session_id?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_known_by_all_three_tags() {
        let tags = Tags { env: "dev".to_owned(), session_id: "a-b-1".parse().unwrap() };
        assert_eq!(Tags::from_pairs(tags.pairs()), Some(tags.clone()));
        for missing in 0..3 {
            let pairs = tags.pairs().into_iter().enumerate().filter(|(i, _)| *i != missing);
            assert_eq!(Tags::from_pairs(pairs.map(|(_, pair)| pair)), None);
        }
        let foreign = [("app", "other"), ("env", "dev"), ("sessionId", "a-b-1")];
        assert_eq!(Tags::from_pairs(foreign), None);
    }
}
