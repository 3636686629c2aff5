'use strict';

// MQTT over WebSocket by the client that the Node SDK uses (mqtt), as a peer for tests: the twin of
// ../python/websocket_client.py, with the same output lines. It trusts NODE_EXTRA_CA_CERTS.

const mqtt = require('mqtt');

const { CLIENT_ID, HOST, PASSWORD, PORT, TOPIC, USERNAME } = process.env;
const TWIN = '$iothub/twin/';

const client = mqtt.connect(`wss://${HOST}:${PORT}/$iothub/websocket`, {
  clientId: CLIENT_ID,
  username: USERNAME,
  password: PASSWORD,
  protocolVersion: 4,
  clean: false,
  reconnectPeriod: 0,
});

client.on('connect', () => {
  client.subscribe(TWIN + 'res/#', { qos: 1 }, () => {
    client.publish(TWIN + 'GET/?$rid=1', ' ', { qos: 1 });
  });
});
client.on('message', (topic, body) => {
  console.log('twin', body.toString());
  // Larger than any one frame.
  client.publish(TOPIC, Buffer.alloc(200_000, 'x'), { qos: 1 }, (error) => {
    console.log(error ? 'failed' : 'sent');
    client.end();
  });
});
client.on('error', (error) => {
  console.log('refused', error.message);
  client.end();
});
