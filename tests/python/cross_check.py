"""Measures a program behind a broker by other means than `loadgen run --broker` (paho-mqtt).

    cross_check.py record FILE COUNT            writes down what is published on sensors/#
    cross_check.py measure FILE RATE WARM_UP_S  publishes it again, and times the alerts

The broker is at HOST, PORT. `measure` publishes in open loop: each message at an instant that is
fixed ahead, from which its latency counts, to the call of on_message for its alert. It decides by
itself which messages are alerts. Sending and receiving have a connection each, both served by this
one thread, so that no lock of the interpreter stands between a message and its stamp. The result is
one line of JSON.
"""

import json
import os
import select
import socket
import sys
import time

import paho.mqtt.client as mqtt

THRESHOLD = 25
QOS = 1
# How long anything may take that is not on the schedule.
PATIENCE_S = 10


class Peer:
    """One connection, served when it is told to be."""

    def __init__(self, name):
        self.client = mqtt.Client(client_id=f"cross-check-{name}-{os.getpid()}")
        self.client.max_inflight_messages_set(0)
        self.ready = False
        self.client.on_connect = self._connected
        self.client.on_subscribe = self._subscribed
        self.filter = None

    def connect(self, topic_filter=None):
        """Connects and, if told to, subscribes."""
        self.filter = topic_filter
        self.client.connect(os.environ["HOST"], int(os.environ["PORT"]))
        self.client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serve([self], time.monotonic() + PATIENCE_S, lambda: self.ready)
        assert self.ready, "no connection"

    def _connected(self, client, _context, _flags, code):
        assert code == 0, f"refused: {code}"
        if self.filter is None:
            self.ready = True
        else:
            client.subscribe(self.filter, QOS)

    def _subscribed(self, _client, _context, _id, granted):
        assert granted == (QOS,), f"granted {granted}"
        self.ready = True


def serve(peers, until, is_done):
    """Reads and writes until the instant or the end; at least what is there now."""
    while True:
        sockets = {peer.client.socket(): peer.client for peer in peers}
        assert None not in sockets, "a connection ended"
        full = [sock for sock, client in sockets.items() if client.want_write()]
        wait = max(0.0, until - time.monotonic())
        readable, writable, _ = select.select(sockets, full, [], wait)
        for sock in readable:
            sockets[sock].loop_read()
        for sock in writable:
            sockets[sock].loop_write()
        if is_done() or time.monotonic() >= until:
            return


def record(path, count):
    """Writes the first `count` messages to a file, a line each."""
    messages = []
    peer = Peer("recorder")
    peer.client.on_message = lambda _client, _context, message: messages.append(
        [message.topic, message.payload.decode()]
    )
    peer.connect("sensors/#")
    print("ready", flush=True)
    until = time.monotonic() + PATIENCE_S + count / 100
    serve([peer], until, lambda: len(messages) >= count)
    with open(path, "w", encoding="utf-8") as file:
        for message in messages:
            file.write(json.dumps(message) + "\n")
    print(len(messages), flush=True)


def read(path):
    """The recorded messages: topic, body, whether it is an alert."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            topic, body = json.loads(line)
            yield topic, body.encode(), json.loads(body)["machine"]["temperature"] > THRESHOLD


def measure(path, rate, warm_up_s):
    """Publishes the recorded messages at `rate` and prints what came back, and when."""
    messages = list(read(path))
    due_of = {}
    latencies = []
    counts = {"expected": 0, "back": 0, "unexpected": 0}

    def on_message(_client, _context, message):
        now = time.monotonic()
        due = due_of.pop(message.payload, None)
        if due is None or not message.topic.startswith("alerts/"):
            counts["unexpected"] += 1
            return
        counts["back"] += 1
        if due >= begin + warm_up_s:
            latencies.append(now - due)

    sender, receiver = Peer("sender"), Peer("receiver")
    receiver.client.on_message = on_message
    sender.connect()
    receiver.connect("alerts/#")
    peers = [sender, receiver]
    begin = time.monotonic() + 0.1
    for index, (topic, body, is_alert) in enumerate(messages):
        due = begin + index / rate
        serve(peers, due, lambda: False)
        if is_alert:
            counts["expected"] += 1
            due_of[body] = due
        sender.client.publish(topic, body, QOS)
    serve(peers, time.monotonic() + PATIENCE_S, lambda: not due_of)
    latencies.sort()
    p50_us = latencies[(len(latencies) - 1) // 2] * 1e6
    result = {"sent": len(messages), "measured": len(latencies), "p50_us": p50_us}
    print(json.dumps(counts | result), flush=True)
    for peer in peers:
        peer.client.disconnect()


def main():
    """Does what it is told."""
    match sys.argv[1:]:
        case ["record", path, count]:
            record(path, int(count))
        case ["measure", path, rate, warm_up_s]:
            measure(path, float(rate), float(warm_up_s))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
