"""Tests Kinesis Video Streams of the local cloud with an unmodified boto3: channels, streams,
mapping, errors, tags, pages, and GetMedia of a new fragment. botocore parses every response."""

import os
import struct
import time
import urllib.request

import boto3
from botocore.exceptions import ClientError

URL = os.environ["AWS_ENDPOINT_URL"]
video = boto3.client("kinesisvideo")
e = video.exceptions


def until(what: str, look, seconds: float = 30):
    """Polls `look` until it returns something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise SystemExit(f"timed out waiting for {what}")


def refused(error, call, **arguments) -> None:
    """Asserts that the call raises this modelled error."""
    try:
        call(**arguments)
    except error as refusal:
        answer = refusal.response
        assert answer["Error"]["Message"], answer
        assert answer["ResponseMetadata"]["RequestId"], answer
        return
    raise SystemExit(f"{call} {arguments} was not refused")


def element(id_: bytes, payload: bytes) -> bytes:
    """Returns an EBML element with a size field of four bytes."""
    return id_ + struct.pack(">I", len(payload) | 0x10000000) + payload


def recording() -> bytes:
    """Returns one fragment of an Opus track, as a producer sends it."""
    header = element(b"\x42\x82", b"matroska")
    info = element(b"\x2a\xd7\xb1", b"\x0f\x42\x40")
    track = (element(b"\xd7", b"\x01") + element(b"\x73\xc5", b"\x01")
             + element(b"\x83", b"\x02") + element(b"\x86", b"A_OPUS"))
    blocks = b"".join(
        element(b"\xa3", b"\x81" + struct.pack(">h", n * 20) + b"\x80\x08") for n in range(50))
    return (element(b"\x1a\x45\xdf\xa3", header) + b"\x18\x53\x80\x67\xff"
            + element(b"\x15\x49\xa9\x66", info)
            + element(b"\x16\x54\xae\x6b", element(b"\xae", track))
            + b"\x1f\x43\xb6\x75\xff" + element(b"\xe7", b"\x00") + blocks)


def put_media(stream: str) -> str:
    """Sends PutMedia, which boto3 lacks, with a placeholder signature."""
    scope = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/kinesisvideo/aws4_request, " \
            "SignedHeaders=host, Signature=0"
    request = urllib.request.Request(URL + "/putMedia", method="POST", data=recording(), headers={
        "authorization": scope, "x-amzn-stream-name": stream,
        "x-amzn-fragment-timecode-type": "RELATIVE",
        "x-amzn-producer-start-timestamp": "1700000000.000",
    })
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def control_plane() -> tuple[str, str]:
    """Creates a channel and a stream and maps them."""
    stream = video.create_stream(
        StreamName="boto-talk", DataRetentionInHours=24, Tags={"app": "boto"})["StreamARN"]
    channel = video.create_signaling_channel(
        ChannelName="boto-talk", Tags=[{"Key": "app", "Value": "boto"}])["ChannelARN"]
    refused(e.ResourceInUseException, video.create_stream, StreamName="boto-talk")
    until("the stream", lambda: video.describe_stream(
        StreamARN=stream)["StreamInfo"]["Status"] == "ACTIVE")
    until("the channel", lambda: video.describe_signaling_channel(
        ChannelARN=channel)["ChannelInfo"]["ChannelStatus"] == "ACTIVE")
    info = video.describe_stream(StreamName="boto-talk")["StreamInfo"]
    assert info["CreationTime"].year >= 2024 and info["DataRetentionInHours"] == 24, info

    ask = {"Protocols": ["WSS", "HTTPS", "WEBRTC"], "Role": "MASTER"}
    refused(e.InvalidArgumentException, video.get_signaling_channel_endpoint,
            ChannelARN=channel, SingleMasterChannelEndpointConfiguration=ask)
    storage = {"Status": "ENABLED", "StreamARN": stream}
    refused(e.InvalidArgumentException, video.update_media_storage_configuration,
            ChannelARN=channel, MediaStorageConfiguration=storage | {"StreamARN": channel})
    video.update_media_storage_configuration(ChannelARN=channel, MediaStorageConfiguration=storage)
    answer = video.describe_media_storage_configuration(ChannelARN=channel)
    assert answer["MediaStorageConfiguration"] == storage, answer
    answer = video.describe_mapped_resource_configuration(StreamARN=stream)
    assert answer["MappedResourceConfigurationList"][0]["ARN"] == channel, answer
    endpoints = video.get_signaling_channel_endpoint(
        ChannelARN=channel, SingleMasterChannelEndpointConfiguration=ask)["ResourceEndpointList"]
    assert {point["Protocol"] for point in endpoints} == {"WSS", "HTTPS", "WEBRTC"}, endpoints
    return channel, stream


def tags_and_pages(channel: str, stream: str) -> None:
    """Checks the tags of streams and channels, and both lists page by page."""
    video.tag_stream(StreamARN=stream, Tags={"env": "dev"})
    video.untag_stream(StreamARN=stream, TagKeyList=["app"])
    assert video.list_tags_for_stream(StreamARN=stream)["Tags"] == {"env": "dev"}
    video.tag_resource(ResourceARN=channel, Tags=[{"Key": "env", "Value": "dev"}])
    assert video.list_tags_for_resource(ResourceARN=channel)["Tags"]["env"] == "dev"
    pages = video.get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 1})
    assert "boto-talk" in [s["StreamName"] for page in pages for s in page["StreamInfoList"]]
    pages = video.get_paginator("list_signaling_channels").paginate()
    assert "boto-talk" in [c["ChannelName"] for page in pages for c in page["ChannelInfoList"]]


def media(stream: str) -> None:
    """Checks GetMedia at the endpoint that GetDataEndpoint returns."""
    acks = put_media("boto-talk")
    assert "PERSISTED" in acks, acks
    endpoint = video.get_data_endpoint(StreamARN=stream, APIName="GET_MEDIA")["DataEndpoint"]
    reader = boto3.client("kinesis-video-media", endpoint_url=endpoint)
    answer = reader.get_media(StreamARN=stream, StartSelector={"StartSelectorType": "EARLIEST"})
    body = answer["Payload"].read()
    assert body.startswith(b"\x1a\x45\xdf\xa3"), body[:8]
    for needed in (b"A_OPUS", b"AWS_KINESISVIDEO_FRAGMENT_NUMBER", b"1700000000.000",
                   b"AWS_KINESISVIDEO_CONTINUATION_TOKEN"):
        assert needed in body, needed
    answer = reader.get_media(StreamName="boto-talk", StartSelector={
        "StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": "1" * 47})
    assert b"4000" in answer["Payload"].read()
    try:
        reader.get_media(StreamName="none", StartSelector={"StartSelectorType": "NOW"})
    except ClientError as refusal:
        assert refusal.response["Error"]["Code"] == "ResourceNotFoundException", refusal.response
    else:
        raise SystemExit("GetMedia of no stream was not refused")


def deletion(channel: str, stream: str) -> None:
    """Checks that both are deleted after the mapping is disabled, and not before."""
    version = video.describe_stream(StreamARN=stream)["StreamInfo"]["Version"]
    refused(e.VersionMismatchException, video.delete_stream, StreamARN=stream, CurrentVersion="old")
    for delete, arn in ((video.delete_signaling_channel, {"ChannelARN": channel}),
                        (video.delete_stream, {"StreamARN": stream})):
        refused(e.ResourceInUseException, delete, **arn)
    video.update_media_storage_configuration(
        ChannelARN=channel, MediaStorageConfiguration={"Status": "DISABLED"})
    video.delete_signaling_channel(ChannelARN=channel)
    video.delete_stream(StreamARN=stream, CurrentVersion=version)

    def gone() -> bool:
        try:
            video.describe_stream(StreamARN=stream)
            video.describe_signaling_channel(ChannelARN=channel)
        except e.ResourceNotFoundException:
            return True
        return False

    until("the deletion", gone)


def main() -> None:
    channel, stream = control_plane()
    tags_and_pages(channel, stream)
    media(stream)
    deletion(channel, stream)


if __name__ == "__main__":
    main()
