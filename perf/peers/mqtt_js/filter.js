'use strict';

// The filter on plain mqtt.js.

const fs = require('node:fs');
const mqtt = require('mqtt');

const env = process.env;
const threshold = Number(env.LOADGEN_THRESHOLD);
const tls = env.LOADGEN_CA_FILE
  ? { protocol: 'mqtts', ca: fs.readFileSync(env.LOADGEN_CA_FILE) }
  : { protocol: 'mqtt' };

const client = mqtt.connect({
  ...tls,
  host: env.LOADGEN_HOST,
  port: Number(env.LOADGEN_PORT),
  clientId: env.LOADGEN_CLIENT_ID,
  username: env.LOADGEN_USERNAME,
  password: env.LOADGEN_PASSWORD,
});

/** Where the alert for an input goes: the sender's own properties and ours, no system ones. */
function alertTopic(topic) {
  const bag = topic.slice(topic.lastIndexOf('/') + 1);
  const kept = bag.split('&').filter((property) => property && !property.startsWith('%24.'));
  return env.LOADGEN_PUBLISH + ['%24.on=output1', ...kept, 'MessageType=Alert'].join('&');
}

client.on('connect', () => {
  client.stream.setNoDelay(true);
  client.subscribe(env.LOADGEN_SUBSCRIBE, { qos: 1 });
});
client.on('error', (error) => console.error(error.message));
client.on('message', (topic, body) => {
  try {
    if (JSON.parse(body).machine?.temperature > threshold) {
      client.publish(alertTopic(topic), body, { qos: 1 });
    }
  } catch (error) {
    console.error(error.message);
  }
});
