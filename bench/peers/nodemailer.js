// Submits messages with nodemailer, as its documentation shows it: pooled when
// there are several, the token of a client credentials request fetched first.
'use strict';
const fs = require('node:fs');
const nodemailer = require('nodemailer');
const env = process.env;

async function accessToken() {
  if (env.BENCH_TOKEN) return fs.readFileSync(env.BENCH_TOKEN, 'utf8').trim();
  const answer = await fetch(env.BENCH_TOKEN_URL, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials', client_id: env.BENCH_CLIENT_ID,
      client_secret: env.BENCH_CLIENT_SECRET, scope: env.BENCH_SCOPE,
    }),
  });
  return (await answer.json()).access_token;
}

async function main() {
  const [host, port] = env.BENCH_SMTP.split(':');
  const messages = Number(env.BENCH_MESSAGES);
  const transport = nodemailer.createTransport({
    host, port: Number(port), secure: false, requireTLS: true,
    pool: messages > 1, maxConnections: 1, maxMessages: Infinity,
    auth: { type: 'OAuth2', user: env.BENCH_USER, accessToken: await accessToken() },
    tls: { ca: fs.readFileSync(env.BENCH_CA) },
  });
  const text = fs.readFileSync(env.BENCH_TEXT, 'utf8');
  const attachments = env.BENCH_ATTACH ? [{ path: env.BENCH_ATTACH }] : [];
  const sent = [];
  for (let i = 1; i <= messages; i++) {
    sent.push(transport.sendMail({ from: env.BENCH_USER, to: env.BENCH_TO, subject: `Report ${i}`, text, attachments }));
  }
  await Promise.all(sent);
  transport.close();
}

main().catch((err) => {
  console.error(err.message);
  process.exitCode = 1;
});
