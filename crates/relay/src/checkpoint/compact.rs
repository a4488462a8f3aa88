//! The largest members of a checkpoint as short texts, because DynamoDB charges each renewal of a
//! lease by the size of the item. The JSON of version 3 is read, too.

use media::{Content, ResumePoint};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

use super::CompleteFragment;

/// Word of an absent value.
const NONE: &str = "-";

/// Fingerprints: [`Content::list_to_text`].
pub(super) mod contents {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(list: &[Content], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Content::list_to_text(list))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Content>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            Text(String),
            Version3(Vec<Content>),
        }
        match Stored::deserialize(from)? {
            Stored::Text(text) => Content::list_from_text(&text).map_err(D::Error::custom),
            Stored::Version3(contents) => Ok(contents),
        }
    }
}

/// Complete fragments, a text each: end, duration, fingerprint, resume point.
pub(super) mod fragments {
    use super::*;

    /// A fragment in version 3.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version3 {
        anchor: ResumePoint,
        end: u64,
        duration_ms: u64,
        content: Option<Content>,
    }

    pub(crate) fn serialize<S: Serializer>(
        fragments: &[CompleteFragment],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(fragments.iter().map(text))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<CompleteFragment>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            Text(String),
            Version3(Box<Version3>),
        }
        let read = |stored| match stored {
            Stored::Text(text) => parse(&text).map_err(D::Error::custom),
            Stored::Version3(fragment) => Ok(CompleteFragment {
                resume_point: fragment.anchor,
                end: fragment.end,
                duration_ms: fragment.duration_ms,
                content: fragment.content,
            }),
        };
        Vec::<Stored>::deserialize(from)?.into_iter().map(read).collect()
    }

    fn text(fragment: &CompleteFragment) -> String {
        let CompleteFragment { resume_point, end, duration_ms, content } = fragment;
        let content = content.as_ref().map_or_else(|| NONE.to_owned(), Content::to_text);
        format!("{end} {duration_ms} {content} {}", resume_point.to_text())
    }

    fn parse(text: &str) -> Result<CompleteFragment, String> {
        let words: Vec<_> = text.splitn(4, ' ').collect();
        let [end, duration_ms, content, resume_point] = words[..] else {
            return Err("a fragment without its four parts".to_owned());
        };
        let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a number"));
        let content = (content != NONE).then(|| Content::from_text(content)).transpose();
        Ok(CompleteFragment {
            end: number(end)?,
            duration_ms: number(duration_ms)?,
            content: content.map_err(|error| error.to_string())?,
            resume_point: ResumePoint::from_text(resume_point)
                .map_err(|error| error.to_string())?,
        })
    }
}
