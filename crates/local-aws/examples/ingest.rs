//! Measures the CPU time that one storage session of WebRTC takes: speech and pictures at their own
//! pace, from a client of this process into a local cloud of another process, which alone is
//! measured.
//!
//! `cargo run --release -p local-aws --example ingest [SECONDS]` (60). Needs `/proc` of Linux.

#[allow(dead_code, clippy::unwrap_used)]
#[path = "../src/storage_session/tests/browser.rs"]
mod browser;
#[allow(dead_code)]
#[path = "../src/storage_session/test_video.rs"]
mod test_video;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use local_aws::Options;
use matroska_demuxer::{Frame, MatroskaFile};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use browser::Browser;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// A signature's scope selects the service. The secret of this key is not known, so any is valid.
const SCOPE: &str = "us-east-1/kinesisvideo/aws4_request";

/// Pictures a second, and bytes of a picture and of a key frame: about 200 kb/s.
const PICTURES: u64 = 10;
const PICTURE_BYTES: usize = 2000;
const KEY_BYTES: usize = 8000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("serve") {
        return serve().await;
    }
    let seconds: u64 = argument.as_deref().unwrap_or("60").parse()?;
    let mut cloud = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let measured = measure(&mut cloud, seconds).await;
    drop(cloud.stdin.take());
    cloud.wait()?;
    measured
}

/// Runs a local cloud until the standard input ends.
async fn serve() -> Fallible<()> {
    let cloud = local_aws::start(Options { kvs_change_ms: 0, ..Options::default() }).await?;
    println!("{}", cloud.url());
    std::io::stdout().flush()?;
    let ended = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(ended).await??;
    cloud.shutdown().await;
    Ok(())
}

async fn measure(cloud: &mut Child, seconds: u64) -> Fallible<()> {
    let mut url = String::new();
    BufReader::new(cloud.stdout.take().ok_or("no output")?).read_line(&mut url)?;
    let mut browser = join(url.trim()).await?;
    browser.connected().await;
    let before = cpu_seconds(cloud.id())?;
    speak(&mut browser, seconds).await?;
    let after = cpu_seconds(cloud.id())?;
    let (user, system) = (after.0 - before.0, after.1 - before.1);
    let share = 100.0 * (user + system) / seconds as f64;
    println!(
        "{seconds} s of speech and {PICTURES} pictures a second: {user:.2} s user, {system:.2} s system, \
         {share:.2} % of a core"
    );
    Ok(())
}

/// Sends 20 ms packets and pictures at their times.
async fn speak(browser: &mut Browser, seconds: u64) -> Fallible<()> {
    let (packets, start, mut keys) = (recording()?, Instant::now(), usize::MAX);
    for number in 0..seconds * 50 {
        let at = start + Duration::from_millis(20 * number);
        browser.run_until(at).await;
        let packet = &packets[number as usize % packets.len()];
        browser.send_audio(960 * number, at, packet).await;
        if number % (50 / PICTURES) == 0 {
            let is_key = std::mem::replace(&mut keys, browser.key_requests) != browser.key_requests;
            browser.send_video(1800 * number, at, &picture(is_key)).await;
        }
    }
    Ok(())
}

/// Returns a picture of H.264. The service reads the parameter sets only, so the slice is filled.
fn picture(is_key: bool) -> Vec<u8> {
    match is_key {
        true => [&test_video::KEY_FRAME[..], &[0x55; KEY_BYTES]].concat(),
        false => [&[0, 0, 0, 1, 0x41][..], &[0x55; PICTURE_BYTES]].concat(),
    }
}

/// Returns the Opus packets of the bundled recording.
fn recording() -> Fallible<Vec<Vec<u8>>> {
    let mut file = MatroskaFile::open(std::io::Cursor::new(testkit::recording_bytes()))?;
    let (mut block, mut packets) = (Frame::default(), Vec::new());
    while file.next_frame(&mut block)? {
        packets.push(block.data.clone());
    }
    Ok(packets)
}

/// Joins the storage session of a new channel as its master.
async fn join(url: &str) -> Fallible<Browser> {
    let channel = call(url, "/createSignalingChannel", &json!({ "ChannelName": "talk" })).await?;
    let stream = json!({ "StreamName": "talk", "DataRetentionInHours": 1 });
    let stream = call(url, "/createStream", &stream).await?;
    let storage = json!({ "Status": "ENABLED", "StreamARN": stream["StreamARN"] });
    let arn = channel["ChannelARN"].as_str().ok_or("no channel")?;
    let mapping = json!({ "ChannelARN": arn, "MediaStorageConfiguration": storage });
    call(url, "/updateMediaStorageConfiguration", &mapping).await?;
    let mut socket = connect(url, arn).await?;
    call(url, "/joinStorageSession", &json!({ "channelArn": arn })).await?;
    loop {
        let Some(Message::Text(text)) = socket.next().await.transpose()? else { continue };
        let event: Value = serde_json::from_str(&text)?;
        if event["messageType"] != "SDP_OFFER" {
            continue;
        }
        let payload = BASE64.decode(event["messagePayload"].as_str().unwrap_or_default())?;
        let offer: Value = serde_json::from_slice(&payload)?;
        let (browser, sdp) = Browser::answer(offer["sdp"].as_str().unwrap_or_default(), []).await;
        let payload = BASE64.encode(json!({ "type": "answer", "sdp": sdp }).to_string());
        let answer = json!({ "action": "SDP_ANSWER", "messagePayload": payload });
        socket.send(Message::text(answer.to_string())).await?;
        // The session goes on without its signaling connection.
        tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
        return Ok(browser);
    }
}

async fn call(url: &str, path: &str, body: &Value) -> Fallible<Value> {
    let signature = format!(
        "AWS4-HMAC-SHA256 Credential=any/20260101/{SCOPE}, SignedHeaders=host, Signature=0"
    );
    let request = reqwest::Client::new().post(format!("{url}{path}"));
    let answer = request.header("authorization", signature).json(body).send().await?;
    let bytes = answer.error_for_status()?.bytes().await?;
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn connect(
    url: &str,
    channel_arn: &str,
) -> Fallible<WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>> {
    let at = time::OffsetDateTime::now_utc();
    let day = format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
    let stamp = format!("{day}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second());
    let url = format!(
        "{}/_signaling/master?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-ChannelARN={channel_arn}\
         &X-Amz-Credential=any/{day}/{SCOPE}&X-Amz-Date={stamp}&X-Amz-Expires=299\
         &X-Amz-SignedHeaders=host&X-Amz-Signature=0",
        url.replacen("http", "ws", 1)
    );
    Ok(connect_async(url).await?.0)
}

/// Returns the CPU time of a process in user and in system mode, in seconds (proc(5): fields 14 and
/// 15 of `stat`, in hundredths on every architecture of Linux).
fn cpu_seconds(process: u32) -> Fallible<(f64, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, field 2, may contain spaces; it ends with the last parenthesis.
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let user: f64 = fields.get(11).ok_or("no user time")?.parse()?;
    let system: f64 = fields.get(12).ok_or("no system time")?.parse()?;
    Ok((user / 100.0, system / 100.0))
}
