// Submits the message on standard input through a relay with nodemailer. Takes a JSON
// object as its argument: host, port, socket, local, ca (a file), tls ("", "starttls",
// "tls"), mechanism, user, password, from, to. Exits with 1 and the server's words when
// it refuses.
const fs = require('node:fs');
const net = require('node:net');
const nodemailer = require('nodemailer');

const o = JSON.parse(process.argv[2]);
const transport = nodemailer.createTransport({
  host: o.host || 'localhost',
  port: o.port,
  localAddress: o.local || undefined,
  secure: o.tls === 'tls',
  requireTLS: o.tls === 'starttls',
  ignoreTLS: o.tls === '',
  tls: { ca: fs.readFileSync(o.ca) },
  authMethod: o.mechanism || undefined,
  auth: o.mechanism ? { user: o.user, pass: o.password } : undefined,
  getSocket: o.socket
    ? (_, done) => {
        const connection = net.connect(o.socket, () => done(null, { connection }));
      }
    : undefined,
});
transport.sendMail({ envelope: { from: o.from, to: o.to }, raw: fs.readFileSync(0) }).then(
  (info) => console.log(info.response),
  (err) => {
    console.error(`${err.code} ${err.responseCode} ${err.response}`);
    process.exitCode = 1;
  },
);
