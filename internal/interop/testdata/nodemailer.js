// Submits the message on standard input with nodemailer. Takes a JSON object as
// its argument: host, port, ca (a file), tls, user, token, from, to. Prints the
// server's last reply, or exits with 1 and its words.
const fs = require('node:fs');
const nodemailer = require('nodemailer');

const o = JSON.parse(process.argv[2]);
const transport = nodemailer.createTransport({
  host: o.host,
  port: o.port,
  secure: false,
  requireTLS: o.tls,
  ignoreTLS: !o.tls,
  tls: { ca: fs.readFileSync(o.ca) },
  auth: o.tls ? { type: 'OAuth2', user: o.user, accessToken: o.token } : undefined,
});
transport.sendMail({ envelope: { from: o.from, to: o.to }, raw: fs.readFileSync(0) }).then(
  (info) => console.log(info.response),
  (err) => {
    console.error(`${err.code} ${err.responseCode} ${err.response}`);
    process.exitCode = 1;
  },
);
