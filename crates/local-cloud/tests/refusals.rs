//! A command that cannot work says so in one line, before it starts anything: the cause and the
//! next step.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_local-cloud");

fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/testkit/assets/two-voices.mka")
}

/// A temporary folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("refusals-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Runs the command in a folder and returns the line that it fails with. It prints nothing else.
fn refusal(folder: &Folder, arguments: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(&folder.0).env_remove("LOCAL_CLOUD_URL");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{arguments:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    let line = error.strip_prefix("local-cloud: ").unwrap().strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{error}");
    line.to_owned()
}

#[test]
fn an_option_of_a_new_cloud_is_refused_beside_the_url_of_another() {
    let (folder, recording) = (Folder::new(), recording());
    for (option, value) in [
        ("--template", "t.yaml"),
        ("--processor", "./mine"),
        ("--recogniser", "./mine"),
        ("--time-scale", "10"),
    ] {
        let media = recording.to_str().unwrap();
        let arguments = ["run", "--media", media, option, value, "--url", "http://127.0.0.1:9"];
        let line = refusal(&folder, &arguments);
        let expected = format!("{option} applies to a cloud that this command starts, not to");
        assert!(line.starts_with(&expected), "{line}");
    }
}

/// The commands that use a running cloud.
fn clients(recording: &str) -> [Vec<&str>; 3] {
    [
        vec!["token", "--sub", "ana"],
        vec!["speak", "a-b-1", recording],
        vec!["run", "--media", recording],
    ]
}

#[test]
fn a_cloud_that_does_not_run_is_named_at_once() {
    let folder = Folder::new();
    for mut command in clients(recording().to_str().unwrap()) {
        command.extend(["--url", "http://127.0.0.1:9"]);
        let line = refusal(&folder, &command);
        assert!(line.starts_with("http://127.0.0.1:9 does not answer ("), "{line}");
        assert!(line.contains("is `local-cloud up` running there?"), "{line}");
        assert_eq!(line.matches("127.0.0.1").count(), 1, "{line}");
    }
}

#[test]
fn another_server_is_not_taken_for_a_cloud() {
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in server.incoming() {
            let mut client = client.unwrap();
            let mut lines = BufReader::new(&client).lines();
            while !lines.next().unwrap().unwrap().is_empty() {}
            let answer =
                "HTTP/1.1 200 OK\r\ncontent-length: 14\r\nconnection: close\r\n\r\n<html>\n</html>";
            client.write_all(answer.as_bytes()).unwrap();
        }
    });
    let folder = Folder::new();
    for mut command in clients(recording().to_str().unwrap()) {
        command.extend(["--url", &url]);
        let line = refusal(&folder, &command);
        let expected = format!("{url} is no local cloud (GET /_local: 200 OK <html>): ");
        assert!(line.starts_with(&expected) && line.contains("make up"), "{line}");
    }
}

#[test]
fn a_file_that_is_no_recording_is_named_with_what_to_do() {
    let folder = Folder::new();
    for (name, bytes, kind) in [
        ("talk.mp3", &b"ID3\x04\0\0\0\0\0\0"[..], "an MP3 file"),
        ("talk.mp4", b"\0\0\0\x20ftypisom", "an MP4 file"),
        ("talk.ogg", b"OggS\0\x02", "an Ogg file"),
        ("talk.wav", b"RIFF\x24\0\0\0WAVEfmt ", "a WAV file"),
        ("notes.txt", b"These are notes.\n", "a text file"),
        ("empty.mka", b"", "an empty file"),
        ("/dev/zero", b"", "only zero bytes"),
        ("/", b"", "a folder"),
    ] {
        if !name.starts_with('/') {
            std::fs::write(folder.0.join(name), bytes).unwrap();
        }
        let line = refusal(&folder, &["run", "--media", name]);
        let advice = match kind {
            "an empty file" | "a folder" => "name an Opus .mkv, .mka or .webm file",
            _ => {
                "make a Matroska or WebM file of a recording with \
                 `ffmpeg -i IN -c:a libopus -ac 1 OUT.mka`"
            }
        };
        assert_eq!(line, format!("{name}: {kind}: {advice}"));
    }
}

#[test]
fn the_url_of_the_environment_is_checked_where_it_is_used() {
    let folder = Folder::new();
    let failed = |url: &str, arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        let output = command.args(arguments).current_dir(&folder.0).env("LOCAL_CLOUD_URL", url);
        String::from_utf8(output.output().unwrap().stderr).unwrap()
    };
    let sessions = failed("nonsense", &["sessions"]);
    assert!(sessions.starts_with("local-cloud: LOCAL_CLOUD_URL is \"nonsense\": "), "{sessions}");
    // `up` does not use it, and an empty one is as none.
    let up = failed("nonsense", &["permissions"]);
    assert!(up.starts_with("local-cloud: infra/template.yaml"), "{up}");
    let run = failed("", &["run"]);
    assert!(run.starts_with("local-cloud: tests/testkit/assets"), "{run}");
}

#[test]
fn what_another_folder_lacks_is_named_with_that_folder() {
    let folder = Folder::new();
    let here = folder.0.canonicalize().unwrap();
    for (command, file) in [
        (vec!["up", "--port", "0"], "infra/template.yaml: no such template in "),
        (vec!["permissions"], "infra/template.yaml: no such template in "),
        (vec!["run"], "tests/testkit/assets/two-voices.mka: no such file in "),
    ] {
        let line = refusal(&folder, &command);
        assert!(line.starts_with(&format!("{file}{} (", here.display())), "{line}");
        assert!(line.contains("start at the top of the repository"), "{line}");
    }
}

#[test]
fn a_report_that_cannot_be_written_stops_the_run_before_its_session() {
    let folder = Folder::new();
    let recording = recording();
    std::fs::write(folder.0.join("file"), "").unwrap();
    for report in ["target", "file/report.json"] {
        let run = ["run", "--media", recording.to_str().unwrap(), "--report", report];
        let line = refusal(&folder, &run);
        assert!(
            line.starts_with(&format!("{report} cannot be written, choose another path: ")),
            "{line}"
        );
    }
    let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_url_that_is_none_is_refused_with_an_example() {
    let output = Command::new(PROGRAM).args(["--url", "nonsense", "run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("for example http://127.0.0.1:7878"), "{error}");
}
