"""One session on the deployed stack, from POST to the drain."""

from __future__ import annotations

import time
import urllib.parse

from botocore.exceptions import BotoCoreError, ClientError

from api import Api
from facts import Facts
from progress import Progress, Tables, dead_letters
from put_media import RATE, PutMedia, PutMediaError, Recording, Spoken
from stack import Stack
from steps import Failed, code_of, step, until

SAGA_SECONDS = 20
KINDS = ("BUFFERING", "RECEIVED", "PERSISTED", "IDLE", "ERROR")


class Smoke:
    """The steps. `close` ends the session after any outcome."""

    def __init__(self, session, stack: Stack, token: str, recording: Recording, speed: float, timeout: float,
                 facts: Facts) -> None:
        self._session, self._stack, self._recording = session, stack, recording
        self._speed, self._timeout, self._facts = speed, timeout, facts
        self._api, self._tables = Api(stack.api_url, token), Tables(session, stack)
        self._video = session.client("kinesisvideo")
        self._opened: dict | None = None
        self._ended = False
        self._spoken = Spoken()

    def run(self) -> None:
        """Runs all steps. Raises Failed at the first step that fails."""
        step("GET /health", self._health)
        step("POST /sessions", self._open)
        step("PutMedia", self._speak)
        step("chunks accepted while it is open", self._keeps_up)
        step("DELETE /sessions", self._end)
        step("drained", self._drained)
        step("last sample", self._exact)
        step("dead letters", self._no_dead_letters)
        step("channel removed", self._channel_gone)

    def close(self) -> None:
        """Ends the session unless it has ended, also one whose POST got no response."""
        if self._ended or (self._opened is None and not self._api.unanswered):
            return
        if self._opened is None:
            step("POST /sessions again, to find what is to be ended", self._open)
        step("DELETE /sessions, to leave nothing behind", self._end)

    @property
    def _id(self) -> str:
        return self._opened["sessionId"]

    def _health(self) -> str:
        health = self._api.health()
        if health["environment"] != self._stack.environment:
            raise Failed(f"{self._stack.api_url} is of environment {health['environment']}", "name that environment")
        return f"{health['status']}, {health['environment']}, version {health['version']}"

    def _open(self) -> str:
        started = time.monotonic()
        self._opened = self._api.open()
        seconds = time.monotonic() - started
        endpoints = self._opened["kvsSignalingEndpoints"] or {}
        hosts = {name: urllib.parse.urlsplit(url).netloc for name, url in endpoints.items()}
        self._facts.add("channel and stream ACTIVE, mapped and answered", f"after {seconds:.1f} s",
                        f"the code assumes less than {SAGA_SECONDS} s", seconds < SAGA_SECONDS)
        self._facts.add("endpoints of a mapped channel", ", ".join(f"{name} {host}" for name, host in hosts.items()),
                        "the code assumes one each of WSS, HTTPS and WEBRTC", set(endpoints) == {"WSS", "HTTPS", "WEBRTC"})
        return f"{self._id}, stream {self._opened['kvsStreamName']}"

    def _speak(self) -> str:
        stream = self._opened["kvsStreamName"]
        endpoint = self._video.get_data_endpoint(StreamName=stream, APIName="PUT_MEDIA")["DataEndpoint"]
        producer = PutMedia(self._session, endpoint, stream)
        # Assigned before sending, so that acknowledgements are printed also after a failure.
        self._spoken = producer.spoken
        try:
            producer.speak(self._recording, self._speed, self._timeout)
        except PutMediaError as error:
            raise PutMediaError(f"{error.seen}; {self._counts()}") from error
        wanted = self._recording.fragments
        persisted = len(self._spoken.of_kind("PERSISTED"))
        self._put_facts(persisted == wanted)
        if persisted != wanted:
            raise Failed(f"{persisted} of {wanted} fragments PERSISTED; {self._counts()}",
                         "run this again; what was not kept cannot be delivered")
        seconds = self._recording.samples_16k / RATE
        return f"{seconds:.1f} s of Opus at {self._speed:g}x in {wanted} fragments; {self._counts()}"

    def _counts(self) -> str:
        counts = ((len(self._spoken.of_kind(kind)), kind) for kind in KINDS)
        return ", ".join(f"{count} {kind}" for count, kind in counts if count) or "no acknowledgement"

    def _put_facts(self, whole: bool) -> None:
        acks = self._spoken.acks
        self._facts.add("PutMedia takes Opus, and Clusters of unknown size", "yes" if whole else f"no: {self._counts()}",
                        "the code assumes that it does", whole)
        self._facts.add("PutMedia is taken by a stream that is mapped to a channel", "yes" if acks else "no",
                        "the code assumes that it is", bool(acks))
        form = "within Acknowledgement" if any(ack.nested for ack in acks) else "by themselves"
        self._facts.add("acknowledgements", f"their fields stand {form}", "no function reads any", None)
        received = {ack.number: ack.at for ack in self._spoken.of_kind("RECEIVED")}
        waits = [ack.at - received[ack.number] for ack in self._spoken.of_kind("PERSISTED") if ack.number in received]
        if waits:
            self._facts.add("RECEIVED to PERSISTED", f"{max(waits):.2f} s at most", "the code does not depend on it", None)

    def _now(self) -> Progress:
        return self._tables.progress(self._id)

    def _keeps_up(self) -> str:
        """Waits for all complete chunks, which are delivered before the session's end."""
        def look() -> Progress | None:
            now = self._now()
            chunk = now.chunk or self._recording.samples_16k
            return now if now.chunk and now.accepted >= self._recording.samples_16k // chunk * chunk else None

        now = until(look, self._timeout)
        if now is None:
            raise Failed(f"{self._where()} after {self._timeout:g} s", self._look_where())
        return f"{now.accepted} samples, {now.accepted // now.chunk} chunks of {now.chunk // 16} ms"

    def _where(self) -> str:
        now = self._now()
        return f"{now.accepted} of {self._recording.samples_16k} samples"

    def _look_where(self) -> str:
        env = self._stack.environment
        return (f"read the logs of kvs-stream-consumer-{env} and of the processor, then chunk-dlq-{env} "
                "(docs/operations.md)")

    def _end(self) -> str:
        self._api.end(self._id)
        self._ended = True
        return f"{self._id} ended"

    def _drained(self) -> str:
        status = until(lambda: "ENDED" if self._now().status == "ENDED" else None, self._timeout)
        if status is None:
            raise Failed(f"the stream is {self._now().status or 'not known'} after {self._timeout:g} s",
                         self._look_where())
        return f"{self._stack.streams_table} says ENDED"

    def _exact(self) -> str:
        now, sent = self._now(), self._recording.samples_16k
        of = self._stack.streams_table if self._stack.own_processor else self._stack.processed_table
        if now.accepted != sent or now.delivered != sent:
            raise Failed(f"{of} stands at {now.accepted}, the checkpoint at {now.delivered}, {sent} were spoken",
                         self._look_where())
        if now.missing:
            counts = ", ".join(f"{count} {name}" for name, count in now.missing.items())
            raise Failed(f"{of} stands at {sent}, but of these samples {counts}", self._look_where())
        return f"{of} stands at {now.accepted} of {sent}, none of them filled or skipped"

    def _no_dead_letters(self) -> str:
        sqs = self._session.client("sqs")
        results = []
        for name, queue in (("events", self._stack.events_dlq), ("chunks", self._stack.chunk_dlq)):
            letters = dead_letters(sqs, queue, self._id)
            if letters.ours:
                raise Failed(f"{letters.ours} of this session among the {name}", f"read {queue} (docs/operations.md)")
            results.append(f"none of {letters.seen} {name}" if letters.seen >= letters.about else
                        f"none of the {letters.seen} {name} that could be looked at, of about {letters.about}")
        return ", ".join(results)

    def _channel_gone(self) -> str:
        started = time.monotonic()
        if not until(self._is_gone, self._timeout):
            raise Failed(f"{self._opened['kvsChannelName']} is still there", "the health check removes it later")
        self._facts.add("a channel whose mapping was taken off is deleted", f"yes, gone {time.monotonic() - started:.1f} s "
                        "after the drain", "the code assumes that it is", True)
        return f"{self._opened['kvsChannelName']} is gone; the health check removes the stream after StreamKeepMinutes"

    def _is_gone(self) -> bool | None:
        try:
            self._video.describe_signaling_channel(ChannelARN=self._opened["kvsChannelArn"])
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "ResourceNotFoundException":
                return True
            raise
        return None
