//! Starts Kinesis Video Streams in this process, sends one fragment with PutMedia, and reads it
//! back with GetMedia: `cargo run -p local-aws --example put_and_get`.

use std::error::Error;
use std::time::Duration;

use local_aws::{Fault, LocalAws, Options};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// A signature's scope selects the service. The signature itself is not checked.
const SIGNED: &str = "AWS4-HMAC-SHA256 \
    Credential=any/20260101/us-east-1/kinesisvideo/aws4_request, SignedHeaders=host, Signature=0";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let aws = local_aws::start(Options { time_scale: 100, ..Options::default() }).await?;
    create_stream(&aws, "talk").await?;
    let acknowledgements = put_media(&aws, "talk", fragment()).await?;
    println!("PutMedia: {}", acknowledgements.join(", "));
    let body = get_media(&aws, "talk").await?;
    println!("GetMedia: {} bytes, the block included: {}", body.len(), holds(&body, BLOCK));

    // The next GetMedia ends after 20 bytes, as a broken connection does.
    let cut = json!({ "service": "kinesisvideo", "operation": "GetMedia", "kind": "cut",
                      "extra": { "afterBytes": 20 } });
    aws.faults().add(serde_json::from_value::<Fault>(cut)?)?;
    println!("GetMedia with a fault: {:?}", get_media(&aws, "talk").await.map(|body| body.len()));
    aws.shutdown().await;
    Ok(())
}

fn call(aws: &LocalAws, path: &str) -> RequestBuilder {
    reqwest::Client::new().post(format!("{}{path}", aws.url())).header("authorization", SIGNED)
}

/// Creates a stream and waits until it is ACTIVE.
async fn create_stream(aws: &LocalAws, name: &str) -> Result<(), Box<dyn Error>> {
    let request = json!({ "StreamName": name, "DataRetentionInHours": 24 });
    call(aws, "/createStream").json(&request).send().await?.error_for_status()?;
    loop {
        let request = json!({ "StreamName": name });
        let answer = call(aws, "/describeStream").json(&request).send().await?;
        if answer.json::<Value>().await?["StreamInfo"]["Status"] == "ACTIVE" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends Matroska and returns the types of the acknowledgements.
async fn put_media(
    aws: &LocalAws,
    stream: &str,
    media: Vec<u8>,
) -> Result<Vec<String>, Box<dyn Error>> {
    let request = call(aws, "/putMedia")
        .header("x-amzn-stream-name", stream)
        .header("x-amzn-fragment-timecode-type", "RELATIVE")
        .header("x-amzn-producer-start-timestamp", "1764075420.000");
    let answer = request.body(media).send().await?.error_for_status()?.text().await?;
    let acknowledgements = answer.lines().map(serde_json::from_str::<Value>);
    let types = acknowledgements.map(|ack| Ok(ack?["EventType"].as_str().unwrap_or("").to_owned()));
    types.collect()
}

/// Reads a stream from its first fragment until it has been idle for three seconds of its clock.
async fn get_media(aws: &LocalAws, stream: &str) -> Result<Vec<u8>, reqwest::Error> {
    let selector = json!({ "StartSelectorType": "EARLIEST" });
    let request = json!({ "StreamName": stream, "StartSelector": selector });
    let answer = call(aws, "/getMedia").json(&request).send().await?;
    Ok(answer.bytes().await?.to_vec())
}

/// The payload of the one block.
const BLOCK: &[u8] = b"one Opus packet";

/// A Matroska file with one audio track and one Cluster of one block.
fn fragment() -> Vec<u8> {
    let track = [element(&[0xD7], &[1]), element(&[0x83], &[2]), element(&[0x86], b"A_OPUS")];
    let block = [&[0x81, 0, 0, 0x80], BLOCK].concat();
    let cluster = [element(&[0xE7], &[0]), element(&[0xA3], &block)];
    let segment = [
        element(&[0x16, 0x54, 0xAE, 0x6B], &element(&[0xAE], &track.concat())),
        element(&[0x1F, 0x43, 0xB6, 0x75], &cluster.concat()),
    ];
    let segment = [&[0x18, 0x53, 0x80, 0x67, 0xFF], segment.concat().as_slice()].concat();
    [element(&[0x1A, 0x45, 0xDF, 0xA3], &[]), segment].concat()
}

/// An EBML element with a size of one byte.
fn element(id: &[u8], payload: &[u8]) -> Vec<u8> {
    let size = 0x80 | u8::try_from(payload.len()).unwrap_or(0x7F);
    [id, &[size], payload].concat()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
