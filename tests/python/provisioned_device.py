"""A device on Microsoft's own SDK (azure-iot-device) that registers itself, as a peer for tests.

It registers with the provisioning service that the SLUICEGATE_* variables name, with the device's
key or with one derived from the group's, connects to the hub that it was assigned to, and then
does a little of everything: twin, telemetry, a writable property, a direct method.

Each line on standard output begins with a word that tests wait for: `assigned`, `refused`,
`connected`, `disconnected`, `twin`, `ready`, `patch`, `method`, `stopped`.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import sys

from azure.iot.device import Message, MethodResponse
from azure.iot.device.aio import IoTHubDeviceClient, ProvisioningDeviceClient


def say(*words):
    """Prints one line at once: a test may be waiting for it."""
    print(*words, flush=True)


def setting(name, default=None):
    """A variable of the environment."""
    return os.environ.get("SLUICEGATE_" + name, default)


def device_key():
    """The device's key: its own, or derived from the group's."""
    if setting("KEY"):
        return setting("KEY")
    group_key = base64.b64decode(setting("GROUP_KEY"))
    digest = hmac.new(group_key, setting("REGISTRATION_ID").encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


async def register(trusted):
    """Registers and gives the hub and the device id, or None."""
    client = ProvisioningDeviceClient.create_from_symmetric_key(
        provisioning_host=setting("PROVISIONING_HOST"),
        registration_id=setting("REGISTRATION_ID"),
        id_scope=setting("ID_SCOPE"),
        symmetric_key=device_key(),
        server_verification_cert=trusted,
    )
    try:
        result = await client.register()
    except Exception as error:
        say("refused", type(error).__name__, repr(error.__cause__ or error))
        return None
    if result.status != "assigned":
        say("refused", result.status, result.registration_state)
        return None
    state = result.registration_state
    say("assigned", state.assigned_hub, state.device_id, state.sub_status)
    return state.assigned_hub, state.device_id


async def talk(client):
    """Twin, telemetry, properties and methods until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def on_patch(patch):
        version = patch.pop("$version")
        name, value = next(iter(patch.items()))
        acknowledged = {"value": value, "ac": 200, "av": version, "ad": "applied"}
        await client.patch_twin_reported_properties({name: acknowledged})
        say("patch", json.dumps(patch, sort_keys=True))

    async def on_method(request):
        answer = {"name": request.name, "payload": request.payload}
        await client.send_method_response(
            MethodResponse.create_from_method_request(request, 200, answer)
        )
        say("method", request.name)

    async def on_change():
        say("connected" if client.connected else "disconnected")

    client.on_connection_state_change = on_change
    await client.connect()
    say("twin", json.dumps(await client.get_twin(), sort_keys=True))
    client.on_twin_desired_properties_patch_received = on_patch
    client.on_method_request_received = on_method
    message = Message(json.dumps({"temp": 21.5}))
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.custom_properties["sp ace"] = "a&b=c"
    await client.send_message(message)
    say("ready")
    await stop.wait()


async def main():
    """Registers, talks, and gives the exit code."""
    with open(setting("CA_FILE"), encoding="ascii") as file:
        trusted = file.read()
    assigned = await register(trusted)
    if assigned is None:
        return 1
    client = IoTHubDeviceClient.create_from_symmetric_key(
        symmetric_key=device_key(),
        hostname=assigned[0],
        device_id=assigned[1],
        server_verification_cert=trusted,
    )
    try:
        await talk(client)
    finally:
        await client.shutdown()
    say("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
