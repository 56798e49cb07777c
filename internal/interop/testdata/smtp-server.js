// A submission server on nodemailer's smtp-server: TLS by STARTTLS before all
// else, XOAUTH2 alone, tokens verified by a tenant's published keys. Takes a
// JSON object as its argument: cert, key, keys (a key set), audience, appid; and
// otherCert and otherKey for a fault. Prints "listening on PORT", then each accepted
// message as JSON. A line on standard input is a list of faults, one for each of the
// next connections: {at: connect, auth, mail, rcpt or data, code, message}, or {hide:
// a keyword of EHLO}, or {cert: "other"}. Then "faults set" is printed.
const crypto = require('node:crypto');
const fs = require('node:fs');
const { SMTPServer } = require('smtp-server');

const options = JSON.parse(process.argv[2]);
const part = (text) => JSON.parse(Buffer.from(text, 'base64url').toString());

// refusal is why a token is not good, or undefined.
function refusal(token) {
  const [header, claims, signature] = token.split('.');
  const jwk = options.keys.keys.find((k) => k.kid === part(header).kid);
  if (!jwk) return 'signed by another key';
  const key = crypto.createPublicKey({ key: jwk, format: 'jwk' });
  const signed = Buffer.from(`${header}.${claims}`);
  if (!crypto.verify('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url'))) return 'bad signature';
  const { aud, appid, nbf, exp } = part(claims);
  const now = Date.now() / 1000;
  if (now < nbf || now >= exp) return 'not valid at this time';
  if (aud !== options.audience) return 'for another audience';
  if (appid !== options.appid) return 'of another application';
}

let faults = [];
const current = new Map(); // session id -> its fault

// fails is the error of the session's fault at a place, null when there is none.
function fails(session, at) {
  const fault = current.get(session.id);
  if (!fault || fault.at !== at) return null;
  return Object.assign(new Error(fault.message), { responseCode: fault.code });
}

require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  faults = JSON.parse(line);
  console.log('faults set');
});

const server = new SMTPServer({
  cert: fs.readFileSync(options.cert),
  key: fs.readFileSync(options.key),
  authMethods: ['XOAUTH2'],
  disableReverseLookup: true,
  onConnect(session, callback) {
    const fault = faults.shift() || {};
    current.set(session.id, fault);
    if (fault.hide) session.disabledCommands = [fault.hide];
    const other = fault.cert === 'other';
    server.updateSecureContext({
      cert: fs.readFileSync(other ? options.otherCert : options.cert),
      key: fs.readFileSync(other ? options.otherKey : options.key),
    });
    callback(fails(session, 'connect'));
  },
  onAuth(auth, session, callback) {
    const no = fails(session, 'auth');
    if (no) return callback(null, { message: no.message, responseCode: no.responseCode });
    const why = refusal(auth.accessToken);
    if (!why) return callback(null, { user: auth.username });
    console.log(`refused ${auth.username}: ${why}`);
    callback(null, { data: { status: '401', schemes: 'bearer', scope: options.audience } });
  },
  onMailFrom(address, session, callback) {
    const own = address.address === session.user;
    callback(fails(session, 'mail') || (own ? null : new Error(`${session.user} is not ${address.address}`)));
  },
  onRcptTo(address, session, callback) {
    callback(fails(session, 'rcpt'));
  },
  onData(stream, session, callback) {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      const no = fails(session, 'data');
      if (no) return callback(no);
      console.log(JSON.stringify({
        user: session.user,
        from: session.envelope.mailFrom.address,
        to: session.envelope.rcptTo.map((r) => r.address),
        content: Buffer.concat(chunks).toString('base64'),
      }));
      callback(null, 'kept');
    });
  },
});
server.on('error', (err) => console.log(`connection: ${err.message}`));
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
