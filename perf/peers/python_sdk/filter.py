"""The tutorial's filter module on Microsoft's Python SDK (azure-iot-device), without its prints."""

import asyncio
import json
import os

from azure.iot.device.aio import IoTHubModuleClient

TEMPERATURE_THRESHOLD = float(os.environ.get("LOADGEN_THRESHOLD", "25"))


async def main():
    """Filters until the process is ended."""
    client = IoTHubModuleClient.create_from_edge_environment()
    # The SDK runs handlers side by side, and of two sends either may be first.
    in_order = asyncio.Lock()

    async def receive_message_handler(message):
        if message.input_name == "input1":
            async with in_order:
                await filter_message(message)

    async def filter_message(message):
        try:
            data = json.loads(message.data.decode("utf-8"))
            if (
                "machine" in data
                and "temperature" in data["machine"]
                and data["machine"]["temperature"] > TEMPERATURE_THRESHOLD
            ):
                message.custom_properties["MessageType"] = "Alert"
                await client.send_message_to_output(message, "output1")
        except Exception as error:  # The tutorial's rule: log whatever it is and go on.
            print("Unexpected error:", error, flush=True)

    client.on_message_received = receive_message_handler
    await client.connect()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
