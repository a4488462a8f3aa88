//! Guarantee: a signed request to an endpoint of GetSignalingChannelEndpoint opens a WebSocket; any
//! other is refused with AWS's error.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use local_aws::Options;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tokio_tungstenite::client_async;

use super::signed_url::SignedUrl;
use super::support::{Cloud, Refusal, Socket};

const ARN: &str = "X-Amz-ChannelARN";
const ID: &str = "X-Amz-ClientId";
const INVALID: &str = "InvalidArgumentException";
const LIMIT: &str = "ClientLimitExceededException";

async fn endpoints(cloud: &Cloud, arn: &str, protocols: &[&str], role: Option<&str>) -> Value {
    let configuration = json!({ "Protocols": protocols, "Role": role });
    let request = json!({
        "ChannelARN": arn, "SingleMasterChannelEndpointConfiguration": configuration
    });
    let answer = cloud.ok("/getSignalingChannelEndpoint", request).await;
    let list = answer["ResourceEndpointList"].as_array().unwrap().clone();
    let named = list
        .into_iter()
        .map(|it| (it["Protocol"].as_str().unwrap().to_owned(), it["ResourceEndpoint"].clone()));
    Value::Object(named.collect())
}

/// Opens a connection that must be refused with this status and code; returns the message.
async fn refused(url: &str, status: u16, code: &str) -> String {
    let refusal = Socket::open(url).await.expect_err(url);
    assert_eq!((refusal.status, refusal.code.as_str()), (status, code), "{url}: {refusal:?}");
    assert!(!refusal.message.is_empty());
    refusal.message
}

#[tokio::test]
async fn each_role_connects_at_its_endpoint() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.storing_channel("talk").await;
    let master = endpoints(&cloud, &arn, &["WSS", "HTTPS", "WEBRTC"], Some("MASTER")).await;
    let wss = master["WSS"].as_str().unwrap();
    let base = wss.replacen("ws", "http", 1).replace("/_signaling/master", "");
    assert_eq!(master, json!({ "WSS": wss, "HTTPS": base, "WEBRTC": base }));
    let viewer = endpoints(&cloud, &arn, &["WSS"], Some("VIEWER")).await;
    assert_eq!(viewer.as_object().unwrap().len(), 1);
    assert_ne!(viewer["WSS"], master["WSS"]);
    assert_eq!(endpoints(&cloud, &arn, &["WSS"], None).await, viewer);

    let parameters = [(ARN, arn.as_str())];
    let _master = Socket::open(&SignedUrl::new(wss, &parameters).sign()).await.unwrap();
    let parameters = [(ARN, arn.as_str()), (ID, "ana")];
    let endpoint = viewer["WSS"].as_str().unwrap();
    let _viewer = Socket::open(&SignedUrl::new(endpoint, &parameters).sign()).await.unwrap();
    // A connection is registered before its client has the answer.
    let shown = cloud.connections().await;
    assert_eq!((&shown[0]["name"], &shown[0]["arn"]), (&json!("talk"), &json!(arn)));
    assert_eq!(shown[0]["master"]["storageSession"], false);
    assert!(shown[0]["viewers"]["ana"]["openedAt"].is_string());
}

#[tokio::test]
async fn the_signer_of_awss_package_connects_over_tls() {
    let cloud = Cloud::with(Options { tls_port: Some(0), ..Options::default() }).await;
    let arn = cloud.channel("talk").await;
    let endpoint = endpoints(&cloud, &arn, &["WSS"], Some("MASTER")).await["WSS"].clone();
    let endpoint = endpoint.as_str().unwrap();
    let tls = cloud.send(cloud.request(Method::GET, "/_local/state")).await.body["tls"].clone();
    let url = tls["url"].as_str().unwrap();
    assert_eq!(endpoint, format!("{}/_signaling/master", url.replacen("https", "wss", 1)));

    let host = url.trim_start_matches("https://");
    // A client that sends nothing delays no other.
    let _silent = TcpStream::connect(host).await.unwrap();
    let stream = TcpStream::connect(host).await.unwrap();
    let stream = trusting(&tls["certificate"]).connect("127.0.0.1".try_into().unwrap(), stream);
    let signed = SignedUrl::new(endpoint, &[(ARN, &arn)]).sign();
    client_async(signed, stream.await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn media_is_sent_over_tls_by_a_client_that_came_over_tls() {
    let cloud = Cloud::with(Options { tls_port: Some(0), ..Options::default() }).await;
    let channel = format!(r#"{{"ChannelARN": "{}"}}"#, cloud.channel("line").await);
    let tls = cloud.send(cloud.request(Method::GET, "/_local/state")).await.body["tls"].clone();
    let url = tls["url"].as_str().unwrap();
    let stream = TcpStream::connect(url.trim_start_matches("https://")).await.unwrap();
    let stream = trusting(&tls["certificate"]).connect("127.0.0.1".try_into().unwrap(), stream);
    let mut stream = stream.await.unwrap();
    for (path, body) in [
        ("/createStream", r#"{"StreamName": "talk", "DataRetentionInHours": 1}"#),
        ("/getSignalingChannelEndpoint", &channel),
        ("/getDataEndpoint", r#"{"StreamName": "talk", "APIName": "PUT_MEDIA"}"#),
    ] {
        let last = path == "/getDataEndpoint";
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kinesisvideo/\
             aws4_request, SignedHeaders=host, Signature=0\r\ncontent-length: {}\r\n\
             connection: {}\r\n\r\n{body}",
            body.len(),
            if last { "close" } else { "keep-alive" },
        );
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    let mut answers = Vec::new();
    // The server may end the connection without TLS's own end.
    let _ = stream.read_to_end(&mut answers).await;
    let answers = String::from_utf8(answers).unwrap();
    assert!(answers.contains(&format!("\"DataEndpoint\":\"{url}\"")), "{answers}");
    let signaling = format!(r#"{{"Protocol":"HTTPS","ResourceEndpoint":"{url}"}}"#);
    assert!(answers.contains(&signaling), "{answers}");
}

/// Returns a TLS client that trusts one certificate.
fn trusting(certificate: &Value) -> TlsConnector {
    let certificate = BASE64.decode(certificate.as_str().unwrap()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.into()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider);
    let client = client.with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()))
}

#[tokio::test]
async fn a_signature_that_is_not_valid_is_refused() {
    let cloud = Cloud::start(1).await;
    let (arn, endpoint) = (cloud.channel("talk").await, cloud.endpoint("master"));
    let valid = SignedUrl::new(&endpoint, &[(ARN, &arn)]);
    let invalid = "InvalidSignatureException";
    for (wrong, reason) in [
        (SignedUrl { secret: "other", ..valid.clone() }, "does not match"),
        (SignedUrl { region: "eu-west-1", ..valid.clone() }, "region 'us-east-1'"),
        (SignedUrl { age_s: 299, ..valid.clone() }, "expired"),
        (SignedUrl { age_s: -400, ..valid.clone() }, "not yet current"),
    ] {
        let message = refused(&wrong.sign(), 403, invalid).await;
        assert!(message.contains(reason), "{message}");
    }
    let other = cloud.channel("tale").await.replace(':', "%3A").replace('/', "%2F");
    let signed = arn.replace(':', "%3A").replace('/', "%2F");
    refused(&valid.sign().replace(&signed, &other), 403, invalid).await;
    let unfinished = valid.sign().replace("X-Amz-Signature", "Signature");
    refused(&unfinished, 403, "IncompleteSignatureException").await;
    let unsigned = format!("{endpoint}?{ARN}={signed}");
    refused(&unsigned, 403, "MissingAuthenticationTokenException").await;

    // Valid until its last seconds, and for a key whose secret is not known here.
    Socket::open(&SignedUrl { age_s: 280, ..valid.clone() }.sign()).await.unwrap();
    Socket::open(&SignedUrl { key: "AKIA", ..valid }.sign()).await.unwrap();
}

#[tokio::test]
async fn a_parameter_that_is_not_valid_is_refused() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let (master, viewer) = (cloud.endpoint("master"), cloud.endpoint("viewer"));
    let open = async |endpoint: &str, parameters: &[(&str, &str)], status: u16, code: &str| {
        refused(&SignedUrl::new(endpoint, parameters).sign(), status, code).await
    };
    open(&master, &[], 400, INVALID).await;
    open(&master, &[(ARN, "talk")], 400, INVALID).await;
    let stream = arn.replace("channel", "stream");
    open(&master, &[(ARN, &stream)], 400, INVALID).await;
    let absent = arn.replace("/talk/", "/tale/");
    open(&master, &[(ARN, &absent)], 404, "ResourceNotFoundException").await;
    open(&viewer, &[(ARN, &arn)], 400, INVALID).await;
    let long = "a".repeat(257);
    for id in ["AWS_ana", "aws_ana", "an~a", &long] {
        open(&viewer, &[(ARN, &arn), (ID, id)], 400, INVALID).await;
    }
    let url = cloud.master_url(&arn).replacen("ws", "http", 1);
    let path = url.split_once("/_signaling").unwrap().1;
    let plain = cloud.send(cloud.request(Method::GET, &format!("/_signaling{path}"))).await;
    assert_eq!((plain.status, plain.code.as_str()), (400, INVALID));
}

#[tokio::test]
async fn a_role_connects_only_as_it_is_allowed() {
    let folder = std::env::temp_dir().join(format!("speaker-role-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    let template = folder.join("template.yaml");
    let text = "Resources: { Speaker: { Type: AWS::Serverless::Function, Properties: { CodeUri: echo, \
                Role: !GetAtt SpeakerRole.Arn } }, SpeakerRole: { Type: AWS::IAM::Role, Properties: { \
                Policies: [{ PolicyName: p, PolicyDocument: { Statement: [{ Sid: Master, Effect: Allow, \
                Action: kinesisvideo:ConnectAsMaster, Resource: '*' }] } }] } } }";
    std::fs::write(&template, text).unwrap();
    let binaries = Some(crate::support::examples());
    let template = Some(template);
    let cloud = Cloud::with(Options { template, binaries, ..Options::default() }).await;
    let arn = cloud.channel("talk").await;
    let by_role = |role: &str, id: &[(&'static str, &'static str)]| {
        let (endpoint, mut parameters) = (cloud.endpoint(role), vec![(ARN, arn.as_str())]);
        parameters.extend(id);
        let url = SignedUrl::new(&endpoint, &parameters);
        SignedUrl { key: "ASIALOCALSpeaker", secret: "local", ..url }.sign()
    };
    Socket::open(&by_role("master", &[])).await.unwrap();
    let url = by_role("viewer", &[(ID, "ana")]);
    let message = refused(&url, 403, "AccessDeniedException").await;
    assert!(message.contains("perform: kinesisvideo:ConnectAsViewer"), "{message}");
    assert!(message.contains(&arn), "{message}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_channel_takes_three_connects_a_second() {
    let cloud = Cloud::start(1).await;
    let (arn, other) = (cloud.channel("talk").await, cloud.channel("tale").await);
    // No machine takes a minute for 180.
    let (mut opened, mut refusal) = (Vec::new(), None);
    while opened.len() < 180 && refusal.is_none() {
        match Socket::open(&cloud.master_url(&arn)).await {
            Ok(socket) => opened.push(socket),
            Err(refused) => refusal = Some(refused),
        }
    }
    assert!(opened.len() >= 3, "{} connects", opened.len());
    let Refusal { status, code, .. } = refusal.unwrap();
    assert_eq!((status, code.as_str()), (400, LIMIT));
    // Viewers and other channels have limits of their own.
    cloud.viewer(&arn, "ana").await;
    cloud.master(&other).await;
    cloud.clock().sleep(std::time::Duration::from_secs(1)).await;
    cloud.master(&arn).await;
}

#[tokio::test]
async fn a_channel_has_ten_viewers() {
    let cloud = Cloud::start(100).await;
    let arn = cloud.channel("talk").await;
    let second = || cloud.clock().sleep(std::time::Duration::from_secs(1));
    let mut viewers = Vec::new();
    for nth in 0..10 {
        second().await;
        viewers.push(cloud.viewer(&arn, &format!("viewer-{nth}")).await);
    }
    second().await;
    let message = refused(&cloud.viewer_url(&arn, "one-more"), 400, LIMIT).await;
    assert!(message.contains("10 viewers"), "{message}");
    // The same client again takes its own place, and a master is no viewer.
    second().await;
    cloud.viewer(&arn, "viewer-3").await;
    cloud.master(&arn).await;
}

#[tokio::test]
async fn a_fault_refuses_a_connect() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let fault = json!({ "service": "kinesisvideo", "operation": "ConnectAsMaster", "target": "talk",
                        "status": 400, "code": LIMIT });
    let added = cloud.send(cloud.request(Method::POST, "/_local/faults").json(&fault)).await;
    assert_eq!(added.status, 201);
    refused(&cloud.master_url(&arn), 400, LIMIT).await;
    cloud.master(&arn).await;
}
