//! PutMedia and GetMedia have AWS's framing, selectors, ends, limits and faults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../kvs_support/mod.rs"]
mod kvs_support;

mod faults;
mod producing;
mod reading;
mod round_trip;

use std::io::Cursor;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use kvs_support::{
    CLUSTER, Server, TAGS, cluster, documents, element, element_head, elements, head, numbers,
    read, read_until, recording, tags, until, values,
};
use matroska_demuxer::{Frame, MatroskaFile};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

const EARLIEST: &str = "EARLIEST";

fn from(kind: &str) -> Value {
    json!({ "StartSelectorType": kind })
}

fn after(number: &str) -> Value {
    json!({ "StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": number })
}

fn events(acks: &[Value]) -> Vec<(&str, i64)> {
    acks.iter()
        .map(|ack| {
            (ack["EventType"].as_str().unwrap(), ack["FragmentTimecode"].as_i64().unwrap_or(-1))
        })
        .collect()
}

/// The payloads of the blocks in a document, as the demuxer reads them.
fn frames(document: Vec<u8>) -> Vec<(u64, Vec<u8>)> {
    let mut file = MatroskaFile::open(Cursor::new(document)).unwrap();
    assert_eq!(file.tracks()[0].codec_id(), "A_OPUS");
    let mut found = Vec::new();
    let mut frame = Frame::default();
    while file.next_frame(&mut frame).unwrap() {
        found.push((frame.timestamp, frame.data.clone()));
    }
    found
}

/// A producer whose bytes are sent one by one as they are needed.
fn producer() -> (mpsc::UnboundedSender<Vec<u8>>, reqwest::Body) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<Vec<u8>>();
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    (sender, reqwest::Body::wrap_stream(stream.map(Ok::<_, std::convert::Infallible>)))
}
