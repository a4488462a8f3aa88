//! Guarantee: the commands that `local-cloud up --guide` prints can be pasted into a shell.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Starts `up --guide` and returns it with the lines of the guide.
async fn up() -> (Child, Vec<String>) {
    let mut up = Command::new(e2e::binary("local-cloud").unwrap())
        .args(["up", "--port", "0", "--guide"])
        .current_dir(e2e::root())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    let mut guide = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let is_last = line.contains("Ctrl-C");
        guide.push(line);
        if is_last {
            break;
        }
    }
    (up, guide)
}

/// The commands of the guide as one script. Changed: the recording is sent faster, a followed list
/// ends after two seconds, and the AWS CLI is left out, which the project does not install.
fn script(guide: &[String]) -> String {
    let commands = guide.iter().filter_map(|line| line.strip_prefix("  "));
    let commands = commands.filter(|line| !line.starts_with("aws "));
    let commands = commands.map(|line| match line {
        line if line.ends_with("--follow") => format!("timeout 2 {line} || [ $? = 124 ]"),
        line if line.contains(" speak ") => format!("{line} --speed 20"),
        line => line.to_owned(),
    });
    commands.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_guide_runs_as_printed() {
    let (mut up, guide) = up().await;
    assert!(guide.len() <= 15, "{guide:#?}");
    let shell = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("{}\necho session $ID", script(&guide))])
        .current_dir(e2e::root())
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8_lossy(&shell.stdout).into_owned();
    assert!(shell.status.success(), "{printed}\n{}", String::from_utf8_lossy(&shell.stderr));
    let id = printed.lines().last().and_then(|line| line.strip_prefix("session ")).unwrap();
    assert!(printed.contains(&format!("session      {id}\nstatus       active")), "{printed}");
    assert!(printed.contains("lease acquired"), "logs: {printed}");
    assert!(
        printed.contains(&format!("{id}  ")) && printed.contains("ACTIVE"),
        "events: {printed}"
    );
    let id = up.id().unwrap().to_string();
    assert!(Command::new("kill").arg(id).status().await.unwrap().success());
    assert!(up.wait().await.unwrap().success());
}
