//! `--processor`: the audio processor of a cloud that `up` or `run` starts. A path runs this
//! program in place of the reference processor, with its environment and its role; a name selects
//! a function of the template.
//!
//! The program is a Lambda custom runtime: it takes its invocations from the Runtime API at
//! `AWS_LAMBDA_RUNTIME_API`. A binary on `lambda_runtime` does, and so does a script with a
//! `#!` line.

use std::env::consts::ARCH;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use local_aws::Options;

/// The package of the reference processor.
const REFERENCE: &str = "audio-processor";
/// The template's parameter for another processor.
const PARAMETER: &str = "AudioProcessorFunctionArn";
/// The names of functions do not depend on the URL, which is not known before the start.
const ANY_URL: &str = "http://127.0.0.1:0";
/// First bytes of the binaries of Linux (ELF) and macOS (Mach-O, universal).
const BINARIES: [&[u8]; 3] = [b"\x7FELF", b"\xCF\xFA\xED\xFE", b"\xCA\xFE\xBA\xBE"];
/// The longest `#!` line that is read, in bytes (Linux's limit).
const LONGEST_LINE: u64 = 256;

/// Adds the processor to the options of a cloud.
///
/// # Errors
/// The path is no program that can be run, or the name is no function of the template.
pub(crate) fn choose(options: &mut Options, processor: &str) -> Result<(), Error> {
    if options.parameters.contains_key(PARAMETER) {
        let reason = "--processor and --parameter AudioProcessorFunctionArn= both name a processor: \
                      give one of them";
        return Err(Error::Client(reason.to_owned()));
    }
    let path = Path::new(processor);
    if processor.contains('/') || path.exists() {
        options.programs.insert(REFERENCE.to_owned(), program(path).map_err(Error::Client)?);
        return Ok(());
    }
    let template = local_aws::load_template(options, ANY_URL)?;
    let mut functions = template.functions.iter();
    let named = functions
        .find(|it| [&it.package, &it.name, &it.logical_id].contains(&&processor.to_owned()));
    match named {
        Some(function) if function.package == REFERENCE => {}
        Some(function) => {
            options.parameters.insert(PARAMETER.to_owned(), function.arn.clone());
        }
        None => {
            let names: Vec<_> = template.functions.iter().map(|it| it.package.as_str()).collect();
            return Err(Error::Client(format!(
                "--processor {processor}: neither a file nor a function of the template ({}): give \
                 the path of an executable, for example ./{processor}",
                names.join(", ")
            )));
        }
    }
    Ok(())
}

/// Returns the absolute path of a program that can be run.
fn program(path: &Path) -> Result<PathBuf, String> {
    let wrong = |reason: String| Err(format!("--processor {}: {reason}", path.display()));
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return wrong(format!("{error}: build it first, or correct the path")),
    };
    if metadata.is_dir() {
        let bootstrap = Some(path.join("bootstrap")).filter(|inside| inside.is_file());
        let example = bootstrap.map_or(String::new(), |path| format!(": {}", path.display()));
        return wrong(format!("this is a folder: give the path of the program in it{example}"));
    }
    if !metadata.is_file() {
        return wrong("not a file: give the path of a program".to_owned());
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return wrong(format!("not executable: run `chmod +x {}`", path.display()));
    }
    let mut head = Vec::new();
    let read = fs::File::open(path).map(|file| file.take(LONGEST_LINE).read_to_end(&mut head));
    if let Err(error) = read {
        return wrong(error.to_string());
    }
    if !head.starts_with(b"#!") && !BINARIES.iter().any(|magic| head.starts_with(magic)) {
        return wrong(
            "neither a binary nor a script with a `#!` line: begin it with one, for example \
             `#!/usr/bin/env python3`"
                .to_owned(),
        );
    }
    if let Some(other) = other_machine(&head) {
        return wrong(format!(
            "built for {other}, and this machine is {ARCH}: build it for this machine"
        ));
    }
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match interpreter(&head) {
        Some(_) if first.ends_with(b"\r") => {
            wrong("its first line ends in CR LF: save it with Unix line ends".to_owned())
        }
        Some(missing) if !missing.exists() => wrong(format!(
            "its first line names {}, which does not exist: install it, or use `#!/usr/bin/env NAME`",
            missing.display()
        )),
        _ => path.canonicalize().or_else(|error| wrong(error.to_string())),
    }
}

/// Returns the machine of an ELF binary, if it is another than this one's.
fn other_machine(head: &[u8]) -> Option<String> {
    let machine = head.starts_with(b"\x7FELF").then(|| head.get(18..20))??;
    let name = match u16::from_le_bytes([machine[0], machine[1]]) {
        62 => "x86_64".to_owned(),
        183 => "aarch64".to_owned(),
        number => format!("machine {number} of ELF"),
    };
    (name != ARCH).then_some(name)
}

/// Returns the interpreter of a script's `#!` line; `None` for a binary.
fn interpreter(head: &[u8]) -> Option<PathBuf> {
    let head = String::from_utf8_lossy(head.strip_prefix(b"#!")?).into_owned();
    head.split([' ', '\t', '\n']).find(|word| !word.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Parameters: { AudioProcessorFunctionArn: { Type: String, Default: '' } }
Resources:
  Reference: { Type: AWS::Serverless::Function, Properties: { FunctionName: audio-dev, CodeUri: audio-processor } }
  Mine: { Type: AWS::Serverless::Function, Properties: { FunctionName: mine-dev, CodeUri: mine } }";

    /// A folder with a template and a program of these contents and this mode.
    fn folder(contents: &str, mode: u32) -> (PathBuf, PathBuf) {
        let folder = std::env::temp_dir().join(format!("processor-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("template.yaml"), TEMPLATE).unwrap();
        let program = folder.join("bootstrap");
        fs::write(&program, contents).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        (folder, program)
    }

    fn chosen(folder: &Path, processor: &str) -> Result<Options, String> {
        let template = Some(folder.join("template.yaml"));
        let mut options = Options { template, ..Options::default() };
        choose(&mut options, processor).map_err(|error| error.to_string())?;
        Ok(options)
    }

    #[test]
    fn a_path_replaces_the_program_of_the_reference_processor() {
        let (folder, program) = folder("#!/bin/sh\n", 0o755);
        let options = chosen(&folder, &program.display().to_string()).unwrap();
        assert_eq!(options.programs[REFERENCE], program.canonicalize().unwrap());
        assert!(options.parameters.is_empty());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_processor_beside_the_parameter_is_refused() {
        let parameters = [(PARAMETER.to_owned(), String::new())].into();
        let mut options = Options { parameters, ..Options::default() };
        let error = choose(&mut options, "mine").unwrap_err().to_string();
        assert!(error.contains("both name a processor"), "{error}");
    }

    #[test]
    fn a_name_is_a_function_of_the_template() {
        let (folder, _) = folder("#!/bin/sh\n", 0o755);
        for name in ["mine", "mine-dev", "Mine"] {
            let options = chosen(&folder, name).unwrap();
            assert!(options.parameters[PARAMETER].ends_with(":function:mine-dev"), "{name}");
        }
        let reference = chosen(&folder, "audio-processor").unwrap();
        assert!(reference.parameters.is_empty() && reference.programs.is_empty());
        let error = chosen(&folder, "other").unwrap_err();
        assert!(error.contains("(mine, audio-processor)") && error.contains("./other"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_program_that_cannot_be_run_is_refused_with_what_to_do() {
        let (folder, plain) = folder("#!/bin/sh\n", 0o644);
        let refused = |path: &Path| chosen(&folder, &path.display().to_string()).unwrap_err();
        assert!(refused(&plain).contains("run `chmod +x"), "{}", refused(&plain));
        assert!(refused(&folder).ends_with("bootstrap"), "{}", refused(&folder));
        let missing = refused(&folder.join("missing"));
        assert!(missing.contains("No such file") && !missing.contains('\n'), "{missing}");
        fs::write(&plain, "#!/no/such/python3\n").unwrap();
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(refused(&plain).contains("names /no/such/python3"), "{}", refused(&plain));
        let mut elf = [0_u8; 64];
        elf[..4].copy_from_slice(b"\x7FELF");
        elf[18] = 8;
        fs::write(&plain, elf).unwrap();
        assert!(refused(&plain).contains("built for machine 8 of ELF"), "{}", refused(&plain));
        for (text, reason) in [
            ("", "neither a binary"),
            ("print(1)\n", "neither a binary"),
            ("#!/bin/sh\r\n", "CR LF"),
            ("#!/usr/bin/env python3\r\nprint(1)\r\n", "CR LF"),
        ] {
            fs::write(&plain, text).unwrap();
            assert!(refused(&plain).contains(reason), "{}", refused(&plain));
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
