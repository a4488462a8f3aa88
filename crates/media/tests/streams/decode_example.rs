//! The example `decode` names an input that is no recording, and counts what it does not write.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs the example, which cargo builds beside the folder of this test binary.
fn decode(input: &str) -> Output {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples/decode");
    let mut command = Command::new(&program);
    command.arg(input).stdin(Stdio::null());
    command.output().unwrap_or_else(|error| {
        panic!("{}: {error}: `cargo build -p media --example decode` builds it", program.display())
    })
}

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/testkit/assets").join(name)
}

#[test]
fn an_input_that_is_no_recording_is_named_with_how_to_convert_it() {
    let text = asset("make-recording.sh");
    for (input, name, kind) in [
        ("/dev/zero", "/dev/zero", "only zero bytes"),
        ("/dev/null", "/dev/null", "an empty file"),
        ("-", "standard input", "an empty file"),
        ("/", "/", "a folder"),
        (text.to_str().unwrap(), text.to_str().unwrap(), "a text file"),
    ] {
        let output = decode(input);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{input}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(
            line.starts_with(&format!("{name}: {kind}: make a Matroska or WebM file ")),
            "{line}"
        );
        assert!(line.ends_with("`ffmpeg -i IN -c:a libopus -ac 1 OUT.mka`\n"), "{line}");
    }
}

/// The speaker of local-cloud sends every packet without DiscardPadding, as a live producer does.
#[test]
fn samples_and_discarded_samples_are_those_of_all_packets() {
    let output = decode(asset("two-voices.mka").to_str().unwrap());
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stderr).unwrap();
    let count = |name: &str| report[name].as_u64().unwrap();
    // Packets of 20 ms, and a pre-skip of 312 samples at 48 kHz.
    assert_eq!(count("samples") + count("discardedSamples"), count("packets") * 320 - 312 / 3);
    assert!(count("discardedSamples") > 0);
    assert_eq!(output.stdout.len() as u64, count("samples") * 2);
}
