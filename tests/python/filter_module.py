"""The tutorial's filter module on Microsoft's own SDK (azure-iot-device), as a peer for tests.

It decides exactly as the tutorial does: a JSON body whose `machine.temperature` is greater than
the threshold goes to `output1`, the same message with `MessageType` = `Alert` added. Whatever
raises is logged as unexpected and the loop goes on. Beyond the tutorial it fetches the twin at
start, reports the threshold in force and answers the method `stats`, so that one program
exercises everything a module may ask of a hub.

Each line on standard output begins with a word that tests wait for: `ready`, `connected`,
`disconnected`, `threshold`, `ignored`, `unexpected`, `stopped`.
"""

import asyncio
import json
import os
import signal
import sys

from azure.iot.device import MethodResponse
from azure.iot.device.aio import IoTHubModuleClient

DEFAULT_THRESHOLD = 25


def say(*words):
    """Prints one line at once: a test may be waiting for it."""
    print(*words, flush=True)


class FilterModule:
    """Handlers of one module client, and the counters that `stats` answers with."""

    def __init__(self, client):
        self.client = client
        self.threshold = DEFAULT_THRESHOLD
        names = ("received", "judged", "forwarded", "ignored", "unexpected", "twin")
        self.counters = dict.fromkeys(names, 0)

    async def on_message(self, message):
        """Filters `input1`; messages for any other input are counted and ignored."""
        if message.input_name != "input1":
            self.counters["ignored"] += 1
            say("ignored", message.input_name)
            return
        try:
            self.counters["received"] += 1
            data = json.loads(message.data.decode("utf-8"))
            if (
                "machine" in data
                and "temperature" in data["machine"]
                and data["machine"]["temperature"] > self.threshold
            ):
                message.custom_properties["MessageType"] = "Alert"
                await self.client.send_message_to_output(message, "output1")
                self.counters["forwarded"] += 1
        except Exception as error:  # The tutorial's rule: log whatever it is and go on.
            self.counters["unexpected"] += 1
            say("unexpected", repr(error)[:200])
        finally:
            self.counters["judged"] += 1

    async def on_patch(self, patch):
        """Takes a new threshold from the desired properties and reports it back."""
        self.counters["twin"] += 1
        try:
            if "TemperatureThreshold" in patch:
                self.threshold = patch["TemperatureThreshold"]
                await self.report(patch.get("$version"))
        except Exception as error:
            self.counters["unexpected"] += 1
            say("unexpected", repr(error)[:200])

    async def report(self, version):
        """Reports the threshold in force."""
        value = {"value": self.threshold, "ac": 200, "av": version, "ad": "applied"}
        await self.client.patch_twin_reported_properties({"TemperatureThreshold": value})
        say("threshold", self.threshold, "version", version)

    async def on_method(self, request):
        """Answers `stats` with the counters and any other name with 404."""
        if request.name == "stats":
            answer = {"payload": request.payload, **self.counters}
            response = MethodResponse.create_from_method_request(request, 200, answer)
        else:
            error = {"error": "unknown method " + request.name}
            response = MethodResponse.create_from_method_request(request, 404, error)
        await self.client.send_method_response(response)

    async def on_connection_change(self):
        """Says how the connection is."""
        say("connected" if self.client.connected else "disconnected")


async def main():
    """Runs until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Of the SDK's own defaults only this wait is too long for a test (10 s).
    options = {"connection_retry_interval": 1}
    if "TOKEN_LIFETIME_S" in os.environ:
        # The SDK renews a token 120 s before its end.
        options["sastoken_ttl"] = int(os.environ["TOKEN_LIFETIME_S"])
    client = IoTHubModuleClient.create_from_edge_environment(**options)
    module = FilterModule(client)
    client.on_connection_state_change = module.on_connection_change
    try:
        await client.connect()
        desired = (await client.get_twin())["desired"]
        say("twin", json.dumps(desired, sort_keys=True))
        client.on_twin_desired_properties_patch_received = module.on_patch
        client.on_method_request_received = module.on_method
        if "TemperatureThreshold" in desired:
            module.threshold = desired["TemperatureThreshold"]
            await module.report(desired.get("$version"))
        client.on_message_received = module.on_message
        say("ready")
        await stop.wait()
    finally:
        await client.shutdown()
    say("stopped", json.dumps(module.counters, sort_keys=True))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
