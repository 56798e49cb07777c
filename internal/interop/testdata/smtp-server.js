// A submission server on nodemailer's smtp-server: TLS by STARTTLS before all
// else, XOAUTH2 alone, tokens verified by a tenant's published keys. Takes a
// JSON object as its argument: cert, key, keys (a key set), audience, appid.
// Prints "listening on PORT", then each accepted message as JSON.
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

const server = new SMTPServer({
  cert: fs.readFileSync(options.cert),
  key: fs.readFileSync(options.key),
  authMethods: ['XOAUTH2'],
  disableReverseLookup: true,
  onAuth(auth, session, callback) {
    const why = refusal(auth.accessToken);
    if (!why) return callback(null, { user: auth.username });
    console.log(`refused ${auth.username}: ${why}`);
    callback(null, { data: { status: '401', schemes: 'bearer', scope: options.audience } });
  },
  onMailFrom(address, session, callback) {
    callback(address.address === session.user ? null : new Error(`${session.user} is not ${address.address}`));
  },
  onData(stream, session, callback) {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
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
