"""The IoT Central tutorial's environmental sensor on Microsoft's own SDK (azure-iot-device).

It behaves as the tutorial's device does, so that a test can hold `sluicegate sensor` against it:
the same registration, telemetry, commands and writable properties, which never wait for each other.
Beyond the tutorial it reads the twin on start and acts on what it missed, and answers an unknown
command with 404 instead of ending. It quits on Q and Enter.

What it needs to register stands in the SLUICEGATE_* variables.
"""

import asyncio
import datetime
import json
import os
import random
import sys

from azure.iot.device import Message, MethodResponse
from azure.iot.device.aio import IoTHubDeviceClient, ProvisioningDeviceClient

INTERVAL_S = 2
PROPERTY_TAKES_S = {"name": 1, "brightness": 5}
DIAGNOSTICS_STEPS = 3
DIAGNOSTICS_STEP_S = 2


def say(*words):
    """Prints one line at once: somebody may be watching."""
    print(*words, flush=True)


def setting(name):
    """A variable of the environment."""
    return os.environ["SLUICEGATE_" + name]


class Sensor:
    """The device: a client of its hub, and what it does."""

    def __init__(self, client):
        self.client = client

    async def report(self, name, value):
        """Reports one property."""
        await self.client.patch_twin_reported_properties({name: value})

    async def send_telemetry(self):
        """Sends a measurement every two seconds, for ever."""
        while True:
            body = json.dumps({"temp": random.randint(1, 74), "humid": random.randint(30, 98)})
            await self.client.send_message(Message(body))
            say("telemetry", body)
            await asyncio.sleep(INTERVAL_S)

    async def on_command(self, request):
        """Answers a command, and does what takes longer afterwards."""
        commands = {
            "blink": (200, {"description": f"Blinking LED every {request.payload} seconds"}),
            "turnon": (200, None),
            "turnoff": (200, None),
            "rundiagnostics": (202, None),
        }
        text = f'unknown command "{request.name}"; there are: {", ".join(commands)}'
        status, body = commands.get(request.name, (404, {"error": text}))
        say("command", request.name, request.payload, status)
        answer = MethodResponse.create_from_method_request(request, status, body)
        await self.client.send_method_response(answer)
        if request.name == "rundiagnostics":
            await self.run_diagnostics()

    async def run_diagnostics(self):
        """Three steps, then the result."""
        for step in range(DIAGNOSTICS_STEPS):
            say("diagnostics", step + 1)
            await asyncio.sleep(DIAGNOSTICS_STEP_S)
        time = datetime.datetime.now()
        await self.report("rundiagnostics", {"value": f"Diagnostics run complete at {time}."})

    async def on_desired(self, patch):
        """Brings every writable property of a patch into force, all at the same time."""
        changes = [
            self.change(name, patch[name]["value"], patch["$version"])
            for name in PROPERTY_TAKES_S
            if name in patch
        ]
        await asyncio.gather(*changes)

    async def change(self, name, value, version):
        """Takes its time, then acknowledges."""
        await asyncio.sleep(PROPERTY_TAKES_S[name])
        say(name, "is", value)
        acknowledged = {"value": value, "status": "completed", "desiredVersion": version}
        await self.report(name, acknowledged)

    async def run(self):
        """Until Q and Enter."""
        await self.client.connect()
        self.client.on_method_request_received = self.on_command
        self.client.on_twin_desired_properties_patch_received = self.on_desired
        missed = asyncio.create_task(self.on_desired((await self.client.get_twin())["desired"]))
        await self.report("state", "true")
        telemetry = asyncio.create_task(self.send_telemetry())
        loop = asyncio.get_running_loop()
        while (await loop.run_in_executor(None, sys.stdin.readline)).strip() not in ("q", "Q"):
            pass
        for task in (missed, telemetry):
            task.cancel()


async def main():
    """Registers, runs, and gives the exit code."""
    with open(setting("CA_FILE"), encoding="ascii") as file:
        trusted = file.read()
    service = ProvisioningDeviceClient.create_from_symmetric_key(
        provisioning_host=setting("PROVISIONING_HOST"),
        registration_id=setting("REGISTRATION_ID"),
        id_scope=setting("ID_SCOPE"),
        symmetric_key=setting("KEY"),
        server_verification_cert=trusted,
    )
    registration = await service.register()
    say("registration status:", registration.status)
    if registration.status != "assigned":
        say("the device could not be provisioned, so it cannot connect")
        return 1
    client = IoTHubDeviceClient.create_from_symmetric_key(
        symmetric_key=setting("KEY"),
        hostname=registration.registration_state.assigned_hub,
        device_id=registration.registration_state.device_id,
        server_verification_cert=trusted,
        # Of the SDK's own defaults only this wait is too long for a test (10 s).
        connection_retry_interval=1,
    )
    try:
        await Sensor(client).run()
    finally:
        await client.shutdown()
    say("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
