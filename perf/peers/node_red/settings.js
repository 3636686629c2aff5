'use strict';

// Node-RED without an editor or a port, on a folder of its own that is gone when it ends. The flow
// takes broker and credentials from the LOADGEN_* variables by itself.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const userDir = fs.mkdtempSync(path.join(os.tmpdir(), 'node-red-'));
for (const name of ['flow.json', 'flow_cred.json']) {
  fs.copyFileSync(path.join(__dirname, name), path.join(userDir, name));
}
process.on('exit', () => fs.rmSync(userDir, { recursive: true, force: true }));

module.exports = {
  userDir,
  flowFile: 'flow.json',
  credentialSecret: false,
  httpAdminRoot: false,
  httpNodeRoot: false,
  telemetry: { enabled: false },
  logging: { console: { level: 'warn' } },
};
