'use strict';

// A device on Microsoft's own Node SDK that registers itself, as a peer for tests: the twin of
// ../python/provisioned_device.py, with the same output lines. It trusts NODE_EXTRA_CA_CERTS.

const { createHmac } = require('crypto');
const { Client, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');
const { Mqtt: ProvisioningMqtt } = require('azure-iot-provisioning-device-mqtt');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');

/** Prints one line at once: a test may be waiting for it. */
function say(...words) {
  process.stdout.write(words.join(' ') + '\n');
}

/** A variable of the environment. */
function setting(name) {
  return process.env['SLUICEGATE_' + name];
}

/** The device's key: its own, or derived from the group's. */
function deviceKey() {
  if (setting('KEY')) return setting('KEY');
  const groupKey = Buffer.from(setting('GROUP_KEY'), 'base64');
  return createHmac('sha256', groupKey).update(setting('REGISTRATION_ID')).digest('base64');
}

/** Registers and gives the service's answer. */
function register() {
  const security = new SymmetricKeySecurityClient(setting('REGISTRATION_ID'), deviceKey());
  const client = ProvisioningDeviceClient.create(
    setting('PROVISIONING_HOST'),
    setting('ID_SCOPE'),
    new ProvisioningMqtt(),
    security
  );
  return client.register();
}

/** Twin, telemetry, properties and methods until SIGTERM or SIGINT. */
async function talk(client) {
  client.on('connect', () => say('connected'));
  client.on('disconnect', () => say('disconnected'));
  client.on('error', (error) => say('unexpected', error));
  await client.open();
  const answer = (request, response) => {
    response.send(200, { name: request.methodName, payload: request.payload }, (error) => {
      if (error) say('unexpected', error);
      else say('method', request.methodName);
    });
  };
  client.onDeviceMethod('blink', answer);
  const twin = await client.getTwin();
  say('twin', JSON.stringify(twin.properties));
  let first = true;
  twin.on('properties.desired', (patch) => {
    // The first call is about the whole document, which `twin` has shown.
    if (first) {
      first = false;
      return;
    }
    const { $version, ...rest } = patch;
    const [name, value] = Object.entries(rest)[0];
    const acknowledged = { value, ac: 200, av: $version, ad: 'applied' };
    twin.properties.reported.update({ [name]: acknowledged }, (error) => {
      if (error) say('unexpected', error);
      else say('patch', JSON.stringify(rest));
    });
  });
  const message = new Message(JSON.stringify({ temp: 21.5 }));
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  message.properties.add('sp ace', 'a&b=c');
  await client.sendEvent(message);
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, async () => {
      await client.close();
      say('stopped');
      process.exit(0);
    });
  }
  say('ready');
}

async function main() {
  let assigned;
  try {
    assigned = await register();
  } catch (error) {
    say('refused', error.name, String(error.message));
    process.exitCode = 1;
    return;
  }
  say('assigned', assigned.assignedHub, assigned.deviceId, assigned.substatus);
  const text =
    `HostName=${assigned.assignedHub};DeviceId=${assigned.deviceId};SharedAccessKey=${deviceKey()}`;
  await talk(Client.fromConnectionString(text, Mqtt));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
