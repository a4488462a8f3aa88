//! Signatures that AWS's own signer made, and changed ones.

use super::*;

/// 2026-11-29T06:30:00Z.
const SIGNED_S: i64 = 1_795_933_800;
const ARN: &str =
    "arn%3Aaws%3Akinesisvideo%3Aus-east-1%3A000000000000%3Achannel%2Ftalk%2F1700000000123";

/// URLs that the signer of AWS's JavaScript package 2.9.0 made: of a master with the key `test`
/// and the secret `test`, and of a viewer with a session token and the secret `local`.
fn master() -> String {
    format!(
        "/_signaling/master?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-ChannelARN={ARN}&X-Amz-Credential=\
         test%2F20261129%2Fus-east-1%2Fkinesisvideo%2Faws4_request&X-Amz-Date=20261129T063000Z\
         &X-Amz-Expires=299&X-Amz-Signature=\
         48e93ab8c4b9893a3588a32025ee6e577e6544da05773df1e9d2b0c55e9b9a71&X-Amz-SignedHeaders=host"
    )
}

fn viewer() -> String {
    format!(
        "/_signaling/viewer?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-ChannelARN={ARN}&X-Amz-ClientId=ana-1\
         &X-Amz-Credential=\
         ASIALOCALEcho%2F20261129%2Fus-east-1%2Fkinesisvideo%2Faws4_request\
         &X-Amz-Date=20261129T063000Z&X-Amz-Expires=299&X-Amz-Security-Token=a%2Bb%2Fc%3D%3D\
         &X-Amz-Signature=bf3baf40eb66169a3abe0ed2a5a443a18cbe08549582942e37f5499e40211023\
         &X-Amz-SignedHeaders=host"
    )
}

fn signature(url: &str) -> Result<Signature, AwsError> {
    let request = http::Request::builder().uri(url).header("host", "127.0.0.1:7878");
    Signature::of(&request.body(()).unwrap().into_parts().0)
}

fn verify(url: &str, secret: Option<&str>, now_s: i64) -> Result<(), String> {
    let verified = signature(url).and_then(|it| it.verify("us-east-1", secret, now_s));
    verified.map_err(|error| format!("{} {error}", error.status.as_u16()))
}

#[test]
fn urls_of_awss_own_signer_are_valid() {
    verify(&master(), Some("test"), SIGNED_S).unwrap();
    verify(&viewer(), Some("local"), SIGNED_S).unwrap();
    assert_eq!(signature(&viewer()).unwrap().key(), "ASIALOCALEcho");
}

#[test]
fn a_signature_is_valid_for_299_seconds() {
    verify(&master(), Some("test"), SIGNED_S + 298).unwrap();
    verify(&master(), Some("test"), SIGNED_S - SKEW_S).unwrap();
    for (now_s, reason) in [(SIGNED_S + 299, "expired"), (SIGNED_S - SKEW_S - 1, "not yet")] {
        let refused = verify(&master(), Some("test"), now_s).unwrap_err();
        assert!(refused.starts_with("403 InvalidSignatureException"), "{refused}");
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn another_secret_or_another_request_does_not_match() {
    let mismatch = |url: &str, secret: &str| {
        let refused = verify(url, Some(secret), SIGNED_S).unwrap_err();
        assert!(refused.starts_with("403 InvalidSignatureException"), "{refused}");
        assert!(refused.contains("does not match"), "{refused}");
    };
    mismatch(&master(), "other");
    mismatch(&master().replace("talk", "tale"), "test");
    mismatch(&master().replace("/master", "/viewer"), "test");
    mismatch(&viewer().replace("ana-1", "ana-2"), "local");
    verify(&master().replace("talk", "tale"), None, SIGNED_S).unwrap();
}

#[test]
fn another_scope_is_refused() {
    let refused = |from: &str, to: &str| {
        verify(&master().replace(from, to), Some("test"), SIGNED_S).unwrap_err()
    };
    assert!(refused("2Fus-east-1", "2Feu-west-1").contains("region 'us-east-1'"));
    assert!(refused("2Fkinesisvideo%", "2Fs3%").contains("/kinesisvideo/aws4_request"));
    assert!(refused("test%2F20261129", "test%2F20261128").contains("dates"));
}

#[test]
fn each_missing_or_malformed_part_is_named() {
    for (from, to, part) in [
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", "X-Amz-Algorithm"),
        ("&X-Amz-Date=", "&Date=", "X-Amz-Date"),
        ("=20261129T063000Z", "=20261329T063000Z", "X-Amz-Date"),
        ("=299", "=0", "X-Amz-Expires"),
        ("=299", "=604801", "X-Amz-Expires"),
        ("&X-Amz-Signature", "&Signature", "X-Amz-Signature"),
        ("=host", "=x-amz-date", "X-Amz-SignedHeaders"),
    ] {
        let refused = verify(&master().replace(from, to), Some("test"), SIGNED_S).unwrap_err();
        assert!(refused.starts_with("403 IncompleteSignatureException"), "{refused}");
        assert!(refused.ends_with(part), "{refused}");
    }
}
