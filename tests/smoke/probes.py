"""Tests of AWS that need short-lived resources: two channels and two streams with this
application's tags. They are removed at the end; after a killed run, the health check removes them
by their tags.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Callable

from botocore.exceptions import BotoCoreError, ClientError

from facts import Facts
from listener import Listener
from put_media import PutMedia, PutMediaError, Recording
from steps import Failed, code_of, until

ACTIVE_SECONDS = 60
GONE_SECONDS = 60
PROBE_MS = 6000
DELETED_AFTER_MS = 20_000
MASTER = {"Protocols": ["WSS", "HTTPS", "WEBRTC"], "Role": "MASTER"}
EARLIEST = {"StartSelectorType": "EARLIEST"}


class Probes:
    """Runs the tests and adds their results to `facts`."""

    def __init__(self, session, environment: str, recording: Recording, speed: float, facts: Facts) -> None:
        self._session, self._video = session, session.client("kinesisvideo")
        self._environment, self._recording, self._speed, self._facts = environment, recording, speed, facts
        self._channels: dict[str, str] = {}
        self._streams: dict[str, str] = {}

    def ask(self) -> str:
        """Runs all tests, and always removes the resources."""
        number = random.randrange(10_000, 100_000)
        one, two = f"smoke-facts-{number}", f"smoke-facts-{number + 1}"
        try:
            self._create(one)
            self._create(two)
            self._names_in_use(one)
            self._before_mapping(one)
            for name in (one, two):
                self._map(name)
            self._media(one)
            self._deletion_while_mapped(one)
            self._deletion_of_stream(two)
        finally:
            left = self._remove()
        if left:
            raise Failed(f"not removed: {', '.join(left)}", "delete them; the health check does so too, by their tags")
        return f"asked with session-{one} and session-{two}, which are removed"

    def _create(self, name: str) -> None:
        tags = {"app": "session-management", "env": self._environment, "sessionId": name}
        self._streams[name] = self._video.create_stream(
            StreamName=f"session-{name}", DataRetentionInHours=1, Tags=tags)["StreamARN"]
        self._channels[name] = self._video.create_signaling_channel(
            ChannelName=f"session-{name}", Tags=[{"Key": k, "Value": v} for k, v in tags.items()])["ChannelARN"]
        if not until(lambda: self._is_active(name) or None, ACTIVE_SECONDS):
            raise Failed(f"session-{name} is not ACTIVE after {ACTIVE_SECONDS} s", "try again later")

    def _is_active(self, name: str) -> bool:
        stream = self._video.describe_stream(StreamARN=self._streams[name])["StreamInfo"]["Status"]
        channel = self._video.describe_signaling_channel(ChannelARN=self._channels[name])["ChannelInfo"]["ChannelStatus"]
        return stream == channel == "ACTIVE"

    def _map(self, name: str) -> None:
        self._video.update_media_storage_configuration(ChannelARN=self._channels[name], MediaStorageConfiguration={
            "Status": "ENABLED", "StreamARN": self._streams[name]})

    def _unmap(self, name: str) -> None:
        self._video.update_media_storage_configuration(
            ChannelARN=self._channels[name], MediaStorageConfiguration={"Status": "DISABLED"})

    def _refusal(self, call: Callable, **arguments) -> str | None:
        """Returns the error code of a call, or None if it succeeds."""
        try:
            call(**arguments)
        except ClientError as error:
            return code_of(error)
        return None

    def _expect(self, question: str, code: str | None, wanted: str, assumed: str) -> None:
        self._facts.add(question, f"yes, {code}" if code else "no, it is taken", f"the code assumes {assumed}",
                        code == wanted)

    def _names_in_use(self, name: str) -> None:
        in_use = "ResourceInUseException"
        code = self._refusal(self._video.create_stream, StreamName=f"session-{name}", DataRetentionInHours=1)
        self._expect("a stream's name in use is refused", code, in_use, f"{in_use}, and takes another id")
        code = self._refusal(self._video.create_signaling_channel, ChannelName=f"session-{name}")
        self._expect("a channel's name in use is refused", code, in_use, f"{in_use}, and takes another id")

    def _before_mapping(self, name: str) -> None:
        code = self._refusal(self._video.get_signaling_channel_endpoint, ChannelARN=self._channels[name],
                             SingleMasterChannelEndpointConfiguration=MASTER)
        self._facts.add("a WEBRTC endpoint is refused before the mapping",
                        f"yes, {code}" if code else "no, it is given",
                        "the code asks after the mapping", None)

    def _media(self, name: str) -> None:
        """Reads while a producer sends: when fragments are delivered, and how an idle connection
        ends."""
        stream = f"session-{name}"
        empty = Listener(self._session, stream, EARLIEST)
        received = empty.wait()
        self._facts.add("GetMedia of a stream that holds nothing", f"{len(received.body)} bytes, ended {received.end} after "
                        f"{received.ended_at - empty.started:.1f} s", "the code takes an end of any form and asks again",
                        received.refused is None and received.end != "still open")
        short = self._recording.first(PROBE_MS)
        listener: list[Listener] = []

        def on_ack(ack) -> None:
            if ack.kind == "PERSISTED" and not listener:
                listener.append(Listener(self._session, stream, EARLIEST))

        spoken = self._put(stream).speak(short, self._speed, ACTIVE_SECONDS, on_ack)
        if not listener:
            self._facts.add("what GetMedia hands on", "nothing: no fragment was PERSISTED", "the code waits for one", None)
            return
        received = listener[0].wait()
        numbers = received.values("FRAGMENT_NUMBER")
        self._facts.add("an idle GetMedia",
                        f"ended {received.end} {received.ended_at - received.last_at:.1f} s after its last byte",
                        "the code takes an end of any form and asks again", received.end != "still open")
        self._handing_on(spoken, received)
        if len(numbers) > 1:
            selector = {"StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": numbers[0]}
            after = Listener(self._session, stream, selector).wait().values("FRAGMENT_NUMBER")
            self._facts.add("FRAGMENT_NUMBER starts behind the fragment that it names",
                            f"{'yes' if after == numbers[1:] else 'no'}, {len(after)} of {len(numbers)} fragments came",
                            "the code assumes that it does", after == numbers[1:])
        selector = {"StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": "1" * 47}
        error = Listener(self._session, stream, selector).wait()
        errors = ", ".join(f"{tag} {' '.join(error.values(tag))}" for tag in error.tags() if tag.startswith("ERROR"))
        seen = f"{errors}, then ended {error.end}" if errors else f"{len(error.body)} bytes, ended {error.end}"
        self._facts.add("GetMedia after a fragment that is not there", seen, "the code assumes ERROR_ID 4000",
                        error.values("ERROR_ID")[:1] == ["4000"])

    def _handing_on(self, spoken, received) -> None:
        """Tests whether the last fragment's first bytes arrive before KVS has received all of
        it."""
        acks = spoken.of_kind("RECEIVED")
        if len(acks) < 2 or len(received.documents) < len(acks):
            return
        ahead = acks[-1].at - received.documents[len(acks) - 1]
        seen = f"yes, {ahead:.2f} s before" if ahead > 0.1 else f"no, {-ahead:.2f} s after"
        self._facts.add("a fragment is handed on while it is still coming in", f"{seen} it was RECEIVED whole",
                        "the code takes both", None)

    def _deletion_while_mapped(self, name: str) -> None:
        in_use = "ResourceInUseException"
        assumed = f"{in_use}, and disables the mapping first"
        code = self._refusal(self._video.delete_stream, StreamARN=self._streams[name])
        self._expect("deleting a mapped stream is refused", code, in_use, assumed)
        code = self._refusal(self._video.delete_signaling_channel, ChannelARN=self._channels[name])
        self._expect("deleting a mapped channel is refused", code, in_use, assumed)
        code = self._refusal(self._unmap, name=name)
        self._facts.add("a mapping is disabled without its StreamARN", f"no, {code}" if code else "yes",
                        "the code names the channel only", code is None)

    def _deletion_of_stream(self, name: str) -> None:
        """Disables a stream's mapping and deletes the stream during an open PutMedia and
        GetMedia."""
        stream = f"session-{name}"
        long = self._recording.first(DELETED_AFTER_MS)
        producer, persisted = self._put(stream), threading.Event()
        ended: list[str] = []

        def speak() -> None:
            try:
                producer.speak(long, self._speed, ACTIVE_SECONDS,
                               lambda ack: persisted.set() if ack.kind == "PERSISTED" else None)
                ended.append("took everything as if nothing had happened")
            except PutMediaError as error:
                ended.append(str(error))

        speaking = threading.Thread(target=speak, daemon=True)
        speaking.start()
        persisted.wait(ACTIVE_SECONDS)
        listener = Listener(self._session, stream, EARLIEST)
        until(lambda: listener.received.last_at or None, ACTIVE_SECONDS)
        self._unmap(name)
        unmapped = time.monotonic()
        deleted = until(lambda: self._stream_deleted_at(name), GONE_SECONDS)
        seen = "no" if deleted is None else f"yes, {deleted - unmapped:.1f} s later"
        self._facts.add("a stream can be deleted once its mapping is disabled", seen,
                        "the code tries for seconds, and again with the next health check", deleted is not None)
        if deleted is None:
            speaking.join(ACTIVE_SECONDS)
            return
        self._afterwards(name, stream)
        received = listener.wait()
        tags = "".join(f", with {tag}" for tag in received.tags() if tag.startswith("ERROR"))
        self._facts.add("an open GetMedia when its stream is deleted",
                        f"ended {received.end} {received.ended_at - deleted:.1f} s later{tags}",
                        "the code takes an end of any form and looks whether the stream is there", received.end != "still open")
        speaking.join(ACTIVE_SECONDS)
        self._facts.add("an open PutMedia when its stream is deleted", ended[0] if ended else "still open",
                        "the code does not depend on it", None)

    def _stream_deleted_at(self, name: str) -> float | None:
        refused = self._refusal(self._video.delete_stream, StreamARN=self._streams[name])
        return time.monotonic() if refused is None else None

    def _afterwards(self, name: str, stream: str) -> None:
        try:
            code = Listener(self._session, stream, EARLIEST).wait(10).refused
        except (ClientError, BotoCoreError) as error:
            code = code_of(error)
        self._expect("GetMedia of a deleted stream is refused", code, "ResourceNotFoundException",
                     "ResourceNotFoundException")
        code = self._refusal(self._video.create_stream, StreamName=stream, DataRetentionInHours=1)
        self._facts.add("a deleted stream's name is free at once", f"no, {code}" if code else "yes",
                        "the code takes another id", None)
        if code is None:
            self._streams[name] = self._video.describe_stream(StreamName=stream)["StreamInfo"]["StreamARN"]

    def _put(self, stream: str) -> PutMedia:
        endpoint = self._video.get_data_endpoint(StreamName=stream, APIName="PUT_MEDIA")["DataEndpoint"]
        return PutMedia(self._session, endpoint, stream)

    def _remove(self) -> list[str]:
        """Removes all resources; returns the ARNs of those that are left after a minute."""
        left = []
        for arns, delete, member in ((self._channels, self._video.delete_signaling_channel, "ChannelARN"),
                                     (self._streams, self._video.delete_stream, "StreamARN")):
            for name, arn in arns.items():
                if not until(lambda: self._removed(name, delete, member, arn), GONE_SECONDS):
                    left.append(arn)
        return left

    def _removed(self, name: str, delete: Callable, member: str, arn: str) -> bool | None:
        """Disables the mapping and deletes: True if deleted or DELETING, False if denied, None to
        retry."""
        if member == "ChannelARN":
            self._refusal(self._unmap, name=name)
        try:
            delete(**{member: arn})
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return True
            if "AccessDenied" in code_of(error) or "NotAuthorized" in code_of(error):
                return False
            return True if self._is_deleting(member, arn) else None
        return True

    def _is_deleting(self, member: str, arn: str) -> bool:
        try:
            if member == "ChannelARN":
                return self._video.describe_signaling_channel(ChannelARN=arn)["ChannelInfo"]["ChannelStatus"] == "DELETING"
            return self._video.describe_stream(StreamARN=arn)["StreamInfo"]["Status"] == "DELETING"
        except ClientError as error:
            return code_of(error) == "ResourceNotFoundException"
