//! `AWS::Include`: the resources of another file, inserted before anything is resolved.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::TemplateError;
use super::reader::{Properties, at};
use super::yaml;

/// Maximum size of an included file in bytes, that of a template.
const MAX_FILE: u64 = 1_000_000;

/// Replaces `Fn::Transform` by the resources of the file that it names, if there is one.
///
/// # Errors
/// It is not an `AWS::Include` of a file in `folder`, the file cannot be read, uses the short form
/// of an intrinsic function, or has a resource that is defined already.
pub(super) fn insert(
    resources: &mut Map<String, Value>,
    folder: Option<&Path>,
) -> Result<(), TemplateError> {
    const PLACE: &str = "Resources.Fn::Transform";
    let Some(transform) = resources.remove("Fn::Transform") else { return Ok(()) };
    let mut transform = Properties::new(PLACE, transform)?;
    if transform.needed("Name")? != "AWS::Include" {
        return Err(transform.wrong("Name", "local-cloud runs AWS::Include only"));
    }
    let Some(mut parameters) = transform.part("Parameters")? else {
        return Err(transform.wrong("Parameters", "missing"));
    };
    let location = parameters.needed("Location")?;
    parameters.finish(&[])?;
    transform.finish(&[])?;
    let wrong = |reason: String| at(PLACE, format!("{location}: {reason}"));
    let folder = folder.ok_or_else(|| wrong("the template has no folder".to_owned()))?;
    let text = read(&folder.join(&location)).map_err(|error| wrong(error.to_string()))?;
    // CloudFormation does not expand the short form here.
    let Value::Object(included) = yaml::read_long_form(&text).map_err(wrong)? else {
        return Err(wrong("not a map of resources".to_owned()));
    };
    for (id, resource) in included {
        if resources.contains_key(&id) {
            return Err(wrong(format!("{id} is defined already")));
        }
        resources.insert(id, resource);
    }
    Ok(())
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let size = std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    match size as u64 > MAX_FILE {
        true => Err(std::io::Error::other("more than 1 MB, the limit of CloudFormation")),
        false => Ok(text),
    }
}
