"""MQTT over WebSocket by the client that the Python SDK uses (paho-mqtt), as a peer for tests.

Says what it was told to: who it is comes from variables, the port may be any, which the SDK itself
cannot be told. Prints `twin` and `sent`, then ends.
"""

import os
import sys

import paho.mqtt.client as mqtt

TWIN = "$iothub/twin/"


def on_connect(client, _context, _flags, code):
    """Asks for the twin."""
    if code != 0:
        print("refused", code, flush=True)
        client.disconnect()
        return
    client.subscribe(TWIN + "res/#", qos=1)
    client.publish(TWIN + "GET/?$rid=1", " ", qos=1)


def on_message(client, context, message):
    """Shows the twin and sends telemetry larger than any one frame."""
    print("twin", message.payload.decode(), flush=True)
    body = b"x" * 200_000
    context["telemetry"] = client.publish(os.environ["TOPIC"], body, qos=1).mid


def on_publish(client, context, message_id):
    """Ends once the telemetry is acknowledged."""
    if message_id == context.get("telemetry"):
        print("sent", flush=True)
        client.disconnect()


def main():
    """Runs until the connection ends."""
    client = mqtt.Client(
        client_id=os.environ["CLIENT_ID"],
        clean_session=False,
        userdata={},
        transport="websockets",
    )
    client.ws_set_options(path="/$iothub/websocket")
    client.tls_set(os.environ["CA_FILE"])
    client.username_pw_set(os.environ["USERNAME"], os.environ["PASSWORD"])
    client.on_connect = on_connect
    client.on_message = on_message
    client.on_publish = on_publish
    client.connect(os.environ["HOST"], int(os.environ["PORT"]))
    client.loop_forever(retry_first_connection=False)


if __name__ == "__main__":
    sys.exit(main())
