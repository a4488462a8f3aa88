//! The calls of functions and the permissions that allowed them, for a comparison with the roles
//! (`tests/iam/least_privilege.py`): one line of JSON for each distinct call, in one file per
//! process.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::policy::Permission;
use crate::error::Error;

/// One distinct call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub(super) enum Call {
    /// The first permission that allows it.
    Allowed {
        /// The function's logical id.
        function: String,
        #[serde(flatten)]
        permission: Permission,
    },
    /// No permission allows it.
    Denied { function: String, role: String, action: String, resource: String },
}

/// The record of calls, if one is kept.
#[derive(Debug)]
pub(super) struct Calls(Option<Mutex<Written>>);

#[derive(Debug)]
struct Written {
    file: File,
    known: BTreeSet<Call>,
}

impl Calls {
    /// Creates a file in `folder`, which is created too. Without a folder nothing is recorded.
    ///
    /// # Errors
    /// The folder or the file cannot be created.
    pub(super) fn into_folder(folder: Option<&Path>) -> Result<Self, Error> {
        let Some(folder) = folder else { return Ok(Self(None)) };
        let place = || Error::io(format!("a record of calls in {}", folder.display()));
        std::fs::create_dir_all(folder).map_err(place())?;
        let name = format!("{}.jsonl", uuid::Uuid::new_v4());
        let file = File::create_new(folder.join(name)).map_err(place())?;
        Ok(Self(Some(Mutex::new(Written { file, known: BTreeSet::new() }))))
    }

    /// Writes a call the first time it occurs.
    pub(super) fn note(&self, call: Call) {
        let Some(written) = &self.0 else { return };
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.known.contains(&call) {
            return;
        }
        let line = serde_json::to_string(&call).map_err(std::io::Error::from);
        // One write for a whole line, so that no partial line is left when the process is killed.
        let done = line.and_then(|line| written.file.write_all(format!("{line}\n").as_bytes()));
        match done {
            Ok(()) => drop(written.known.insert(call)),
            Err(error) => tracing::error!("cannot record a call: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_one_line_however_often_it_comes() {
        let folder = std::env::temp_dir().join(format!("calls-{}", uuid::Uuid::new_v4()));
        let calls = Calls::into_folder(Some(&folder)).unwrap();
        let text = |text: &str| text.to_owned();
        let permission = Permission {
            role: text("Role"),
            sid: text("Sid"),
            action: text("a:B"),
            resource: text("arn:x/*"),
        };
        for _ in 0..3 {
            calls.note(Call::Allowed { function: text("F"), permission: permission.clone() });
            let (role, action, resource) = (text("Role"), text("a:C"), text("arn:y"));
            calls.note(Call::Denied { function: text("F"), role, action, resource });
        }
        let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
        let lines = std::fs::read_to_string(file.path()).unwrap();
        let wanted = concat!(
            r#"{"outcome":"allowed","function":"F","role":"Role","sid":"Sid","action":"a:B","resource":"arn:x/*"}"#,
            "\n",
            r#"{"outcome":"denied","function":"F","role":"Role","action":"a:C","resource":"arn:y"}"#,
            "\n",
        );
        assert_eq!(lines, wanted);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
