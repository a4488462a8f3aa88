//! The tags of a channel or stream: which environment and session it belongs to.

use crate::SessionId;

/// Tags that a channel or stream is created with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    /// Value of the tag [`Tags::ENV`].
    pub env: String,
    /// Value of the tag [`Tags::SESSION_ID`].
    pub session_id: SessionId,
}

impl Tags {
    /// Key of the tag that names the application, for cost allocation.
    pub const APP: &'static str = "app";
    /// Value of the tag that names the application.
    pub const APP_VALUE: &'static str = "session-management";
    /// Key of the tag that names the environment.
    pub const ENV: &'static str = "env";
    /// Key of the tag that names the session.
    pub const SESSION_ID: &'static str = "sessionId";

    /// Returns keys and values.
    #[must_use]
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [
            (Self::APP, Self::APP_VALUE),
            (Self::ENV, &self.env),
            (Self::SESSION_ID, self.session_id.as_str()),
        ]
    }
}

/// The owner of a channel or stream, by its tags. Only resources that are [`Ownership::Ours`] are
/// read, and only resources of the session being removed are deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Its tag `env` names this environment. Contains the session of its tag `sessionId`.
    Ours(Option<SessionId>),
    /// It has no tag `env`, or the tag of another environment.
    Foreign,
    /// It does not exist.
    NotFound,
    /// The role does not permit reading its tags: it belongs to another account, or the role is
    /// wrong.
    AccessDenied,
}

impl Ownership {
    /// Returns the owner of a resource with these tags, as seen from `environment`.
    #[must_use]
    pub fn by_tags<'a>(
        environment: &str,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let (mut env, mut session_id) = (None, None);
        for (key, value) in tags {
            match key {
                Tags::ENV => env = Some(value),
                Tags::SESSION_ID => session_id = value.parse().ok(),
                _ => {}
            }
        }
        if env == Some(environment) { Self::Ours(session_id) } else { Self::Foreign }
    }

    /// Returns whether it was created for this session in this environment.
    #[must_use]
    pub fn is_of(&self, session: &SessionId) -> bool {
        matches!(self, Self::Ours(Some(owner)) if owner == session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tags_of_a_creation_name_its_session() {
        let tags = Tags { env: "dev".to_owned(), session_id: "a-b-1".parse().unwrap() };
        let owner = Ownership::by_tags("dev", tags.pairs());
        assert_eq!(owner, Ownership::Ours(Some("a-b-1".parse().unwrap())));
        assert!(owner.is_of(&"a-b-1".parse().unwrap()));
        assert!(!owner.is_of(&"a-b-2".parse().unwrap()));
        assert_eq!(Ownership::by_tags("prod", tags.pairs()), Ownership::Foreign);
    }

    #[test]
    fn without_env_it_is_foreign_and_without_a_session_it_is_of_none() {
        assert_eq!(Ownership::by_tags("dev", [("sessionId", "a-b-1")]), Ownership::Foreign);
        for tags in [vec![("env", "dev")], vec![("env", "dev"), ("sessionId", "not an id")]] {
            assert_eq!(Ownership::by_tags("dev", tags), Ownership::Ours(None));
        }
    }
}
