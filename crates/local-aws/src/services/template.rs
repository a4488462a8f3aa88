//! Reads the template for services at a URL.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sam_template::{Account, LoadOptions, Template, TemplateError};

use crate::error::Error;
use crate::named_resources;
use crate::options::Options;

/// Maximum size of a template in bytes: CloudFormation's (quota "Template body size in an S3
/// object").
const MAX_TEMPLATE: u64 = 1_000_000;

/// Reads the template of `options` for services that are reached at `base_url`. Returns an empty
/// template when there is none.
///
/// # Errors
/// The file cannot be read, or the template asks for something that is not supported.
pub fn load_template(options: &Options, base_url: &str) -> Result<Template, Error> {
    let Some(path) = &options.template else { return Ok(Template::default()) };
    let text = read_template(path)?;
    let load = LoadOptions {
        account: Account::default(),
        base_url: base_url.to_owned(),
        folder: path.parent().map(Path::to_path_buf),
        parameters: options.parameters.clone(),
        stand_ins: named_resources::stand_ins(base_url)
            .into_iter()
            .chain(named_resources::workers())
            .collect(),
        // A deployment requires these; here the issuer is this cloud's own.
        fallbacks: BTreeMap::from([
            ("JwtIssuer".to_owned(), local_issuer(base_url)),
            ("JwtAudience".to_owned(), "local".to_owned()),
        ]),
    };
    Template::load(&text, &load).map_err(|source| Error::Template { path: path.clone(), source })
}

/// Returns the programs that replace the binaries of functions.
///
/// # Errors
/// The template has no function of a package.
pub(super) fn programs(
    options: &Options,
    template: &Template,
) -> Result<BTreeMap<String, PathBuf>, Error> {
    let known = |package: &String| template.functions.iter().any(|it| it.package == *package);
    match options.programs.keys().find(|package| !known(package)) {
        None => Ok(options.programs.clone()),
        Some(package) => Err(Error::Service {
            service: "lambda",
            reason: format!("the template deploys no function {package} to replace"),
        }),
    }
}

/// Reads a template of at most [`MAX_TEMPLATE`] bytes, so that an endless file is an error.
fn read_template(path: &Path) -> Result<String, Error> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => Error::NoTemplate { path: path.to_owned() },
        _ => Error::io(path.display().to_string())(source),
    };
    let malformed = |reason: &str| Error::Template {
        path: path.to_owned(),
        source: TemplateError::Malformed(reason.to_owned()),
    };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(malformed("not a file: give the path of a SAM template"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_TEMPLATE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_TEMPLATE {
        return Err(malformed("more than 1 MB, the limit of CloudFormation"));
    }
    String::from_utf8(bytes).map_err(|_| malformed("not text"))
}

/// Returns the issuer of this cloud's tokens.
pub(super) fn local_issuer(base_url: &str) -> String {
    format!("{base_url}/_local")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        let text =
            "Resources: { F: { Type: AWS::Serverless::Function, Properties: { CodeUri: f } } }";
        Template::load(text, &LoadOptions::default()).unwrap()
    }

    #[test]
    fn a_program_replaces_a_function_of_the_template_only() {
        let replacing = |package: &str| {
            let programs = BTreeMap::from([(package.to_owned(), PathBuf::from("/mine"))]);
            programs_of(&Options { programs, ..Options::default() })
        };
        assert_eq!(replacing("f").unwrap(), "/mine");
        let refusal = replacing("g").unwrap_err();
        assert!(refusal.contains("no function g"), "{refusal}");
    }

    fn programs_of(options: &Options) -> Result<String, String> {
        let programs = programs(options, &template()).map_err(|error| error.to_string())?;
        Ok(programs["f"].display().to_string())
    }
}
