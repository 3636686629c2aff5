'use strict';

// The filter module on Microsoft's Node SDK (azure-iot-device over MQTT).

const { ModuleClient } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

const threshold = Number(process.env.LOADGEN_THRESHOLD ?? 25);

async function onMessage(client, input, message) {
  await client.complete(message);
  if (input !== 'input1') return;
  const data = JSON.parse(message.getBytes().toString('utf8'));
  if (data.machine?.temperature > threshold) {
    message.properties.add('MessageType', 'Alert');
    await client.sendOutputEvent('output1', message);
  }
}

async function main() {
  const client = await ModuleClient.fromEnvironment(Mqtt);
  client.on('error', (error) => console.error(error));
  await client.open();
  client.on('inputMessage', (input, message) => {
    onMessage(client, input, message).catch((error) => console.error(error));
  });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
