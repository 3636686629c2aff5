'use strict';

// The tutorial's filter module on Microsoft's own Node SDK (azure-iot-device over MQTT), as a peer
// for tests: the twin of ../python/filter_module.py, with the same output lines.

const { ModuleClient } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

const counters = { received: 0, forwarded: 0, ignored: 0, unexpected: 0, twin: 0 };
let threshold = 25;

/** Prints one line at once: a test may be waiting for it. */
function say(...words) {
  process.stdout.write(words.join(' ') + '\n');
}

/** Whether the body is JSON whose `machine.temperature` exceeds the threshold. */
function exceeds(body) {
  const data = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  const temperature = data.machine && data.machine.temperature;
  return typeof temperature === 'number' && temperature > threshold;
}

/** Filters `input1`; messages for any other input are counted and ignored. */
async function onMessage(client, input, message) {
  // Completes locally only: over MQTT the SDK acknowledged the message before this call.
  await client.complete(message);
  if (input !== 'input1') {
    counters.ignored += 1;
    say('ignored', input);
    return;
  }
  counters.received += 1;
  if (exceeds(message.getData())) {
    message.properties.add('MessageType', 'Alert');
    await client.sendOutputEvent('output1', message);
    counters.forwarded += 1;
  }
}

/** Reports the threshold in force. */
function report(twin, version) {
  const value = { value: threshold, ac: 200, av: version, ad: 'applied' };
  twin.properties.reported.update({ TemperatureThreshold: value }, (error) => {
    if (error) unexpected(error);
    else {
      say('threshold', threshold, 'version', version);
      whenReported();
    }
  });
}

/** Takes a new threshold from the desired properties; the first call carries all of them. */
function onPatch(twin, patch) {
  counters.twin += 1;
  if ('TemperatureThreshold' in patch) {
    threshold = patch.TemperatureThreshold;
    report(twin, patch.$version);
  }
}

/** What is to be done once the hub has a report. */
let whenReported = () => {};

function unexpected(error) {
  counters.unexpected += 1;
  say('unexpected', String(error).slice(0, 200));
}

/**
 * Has the SDK renew its token early and often, by the method that its provider has for that; the
 * first renewal is at once, so it must find nothing that waits for an answer: the SDK forgets whom
 * to call back. `fromEnvironment` makes the provider itself, so it is found where the
 * client keeps it.
 */
function renewTokens(client) {
  const [lifetime, margin] = ['TOKEN_LIFETIME_S', 'TOKEN_MARGIN_S'].map((name) => +process.env[name]);
  client._transport._authenticationProvider.setTokenRenewalValues(lifetime, margin);
}

async function main() {
  const client = await ModuleClient.fromEnvironment(Mqtt);
  client.on('error', unexpected);
  client.on('connect', () => say('connected'));
  client.on('disconnect', () => say('disconnected'));
  await client.open();
  if (process.env.TOKEN_LIFETIME_S) {
    whenReported = () => {
      whenReported = () => {};
      renewTokens(client);
    };
  }
  client.onMethod('stats', (request, response) => {
    response.send(200, { payload: request.payload, ...counters }, (error) => {
      if (error) unexpected(error);
    });
  });
  const twin = await client.getTwin();
  say('twin', JSON.stringify(twin.properties.desired));
  twin.on('properties.desired', (patch) => onPatch(twin, patch));
  client.on('inputMessage', (input, message) => {
    onMessage(client, input, message).catch(unexpected);
  });
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, async () => {
      await client.close();
      say('stopped', JSON.stringify(counters));
      process.exit(0);
    });
  }
  say('ready');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
