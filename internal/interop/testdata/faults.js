// Submission servers on nodemailer's smtp-server that keep what they take and
// fail when they are told to. Takes a JSON object as its argument: certificates,
// by name, each with the files cert and key; "good" is the usual one. Prints
// "control on PORT". What is asked for there, over HTTP and in JSON:
//
//   POST /servers {faults, options}   one more server: {"port": N}
//   POST /servers/N/heal              from now on it works
//   GET /servers/N/messages           what it keeps: [{ehlo, user, from, smtputf8, to, content}]
//   DELETE /servers/N/messages        the same, and forgets it
//   GET /servers/N/struck             how often its faults struck: {"struck": N}
//   DELETE /servers/N                 ends it
//
// Options are smtp-server's, and cert, the name of a certificate. A fault is
// {at, do, reply, times, after, match, delay, store}: at the step `at` (connect,
// secure, or a command's name, or response, body, eod), after so many times and
// then so many times (0 = always), and only when the line matches:
//
//   reply      the raw reply in place of the work; 421 also closes
//   say        the raw reply in place of the server's own, after the work
//   drop       the connection is cut
//   delay      the work, later by so many milliseconds
//   challenge  an error challenge of so many octets (`delay`), then the reply
//   lose       the content is kept or not (`store`), then the connection is cut
const fs = require('node:fs');
const http = require('node:http');
const { SMTPServer } = require('smtp-server');

const files = JSON.parse(process.argv[2]);
const certificates = {};
for (const [name, pair] of Object.entries(files)) {
  certificates[name] = { cert: fs.readFileSync(pair.cert), key: fs.readFileSync(pair.key) };
}
const servers = new Map();

class Server {
  constructor({ faults = [], options = {} }) {
    this.faults = faults.map((f) => ({ seen: 0, ...f }));
    this.messages = [];
    this.struck = 0;
    const { cert = 'good', ...given } = options;
    this.given = given;
    this.smtp = new SMTPServer({
      ...certificates[cert], logger: false, disableReverseLookup: true, authMethods: ['XOAUTH2'],
      maxAllowedUnauthenticatedCommands: false, closeTimeout: 1, ...given,
      onAuth: (auth, session, done) => done(null, { user: auth.username }),
      onSecure: (socket, session, done) => this.act('secure', '', this.connection(session), done),
      onData: (stream, session, done) => this.data(stream, this.connection(session), done),
    });
    this.smtp.on('error', () => {}); // of a connection: the client's end tells of it
    const connect = this.smtp.connect.bind(this.smtp);
    this.smtp.connect = (socket, o) => {
      connect(socket, o);
      for (const c of this.smtp.connections) if (!c.watched) this.watch(c);
    };
  }

  connection(session) {
    for (const c of this.smtp.connections) if (c.id === session.id) return c;
  }

  // watch puts the faults between a connection and its client.
  watch(c) {
    c.watched = true;
    c.rcpts = [];
    const greet = c._sendGreeting.bind(c);
    c._sendGreeting = () => this.act('connect', '', c, greet);
    const command = c._onCommand.bind(c);
    c._onCommand = (raw, next) => {
      const line = raw.toString('latin1');
      const verb = line.split(' ')[0].toLowerCase();
      if (c.swallow) return c.swallow(next);
      const step = c._nextHandler ? 'response' : verb;
      c.path = step === 'rcpt' ? (/<(.*)>/.exec(raw.toString()) || [])[1] : undefined;
      if (step === 'mail') c.rcpts = [];
      this.act(step, line, c, () => command(raw, next), next);
    };
    const send = c.send.bind(c);
    c.send = (code, data, context) => {
      if (code === 250 && c.path !== undefined) c.rcpts.push(c.path);
      c.path = undefined;
      if (c.says === undefined) return send(code, data, context);
      const says = c.says;
      c.says = undefined;
      write(c, says);
    };
  }

  // take is the fault that strikes at a step, and counts it.
  take(at, line) {
    for (const f of this.faults) {
      if (f.at !== at || (f.match && !new RegExp(f.match).test(line))) continue;
      f.seen++;
      const n = f.seen - (f.after || 0);
      if (n > 0 && (!f.times || n <= f.times)) {
        this.struck++;
        return f;
      }
    }
  }

  // act does a fault of the step, or goes on with the work.
  act(at, line, c, work, skip = () => {}) {
    const f = this.take(at, line);
    if (!f) return work();
    switch (f.do) {
      case 'reply':
        c.path = undefined;
        write(c, f.reply);
        if (f.reply.startsWith('421') || at === 'connect' || at === 'secure') return c.close();
        return skip();
      case 'say':
        c.says = f.reply;
        return work();
      case 'drop':
        return c._socket.destroy();
      case 'delay':
        return setTimeout(work, f.delay);
      case 'challenge': {
        const text = JSON.stringify({ status: '401', schemes: 'bearer', scope: 'x'.repeat(f.delay) });
        write(c, `334 ${Buffer.from(text).toString('base64')}`);
        c.swallow = (next) => { c.swallow = undefined; write(c, f.reply); next(); };
        return skip();
      }
    }
    throw new Error(`fault ${JSON.stringify(f)}`);
  }

  // data takes content.
  data(stream, c, done) {
    const chunks = [];
    let octets = 0;
    const cut = this.take('body', '');
    stream.on('error', () => {});
    stream.on('data', (chunk) => {
      chunks.push(chunk);
      octets += chunk.length;
      if (cut && octets >= 100) c._socket.destroy();
    });
    stream.on('end', () => {
      if (cut) return;
      const f = this.take('eod', '');
      if (!f || f.do === 'say' || f.do === 'delay' || f.store) {
        this.messages.push({
          ehlo: c.hostNameAppearsAs, user: c.session.user, from: c.session.envelope.mailFrom.address,
          smtputf8: !!(c.session.envelope.mailFrom.args || {}).SMTPUTF8, to: c.rcpts, content: Buffer.concat(chunks).toString('base64'),
        });
      }
      if (!f) return done(null, 'kept');
      switch (f.do) {
        case 'reply': case 'say':
          c.says = f.reply;
          done(null, 'kept');
          if (f.reply.startsWith('421')) c.close();
          return;
        case 'delay':
          return setTimeout(() => done(null, 'kept'), f.delay);
      }
      c._socket.destroy(); // drop, lose
    });
  }

  // heal ends every fault.
  heal() {
    this.faults = [];
    for (const name of Object.keys(this.given)) if (name !== 'secure') delete this.smtp.options[name];
    Object.assign(this.smtp.options, { authMethods: ['XOAUTH2'], disabledCommands: [] });
    this.smtp.updateSecureContext(certificates.good);
  }

  // end cuts every connection and stops listening.
  end(done) {
    for (const c of this.smtp.connections) c._socket.destroy();
    this.smtp.close(done);
  }
}

function write(c, text) {
  if (!c._socket.destroyed && c._socket.writable) c._socket.write(`${text.replace(/\r?\n/g, '\r\n')}\r\n`, 'latin1');
}

// asked does what one request wants, and gives the answer to reply.
function asked(method, path, body, reply) {
  const [, id, what] = /^\/servers(?:\/(\d+))?(?:\/(\w+))?$/.exec(path);
  const server = servers.get(Number(id));
  if (method === 'POST' && !id) {
    const made = new Server(body);
    return made.smtp.listen(0, '127.0.0.1', () => {
      const { port } = made.smtp.server.address();
      servers.set(port, made);
      reply({ port });
    });
  }
  if (what === 'heal') server.heal();
  if (what === 'struck') return reply({ struck: server.struck });
  if (what === 'messages') {
    const kept = server.messages;
    if (method === 'DELETE') server.messages = [];
    return reply(kept);
  }
  if (method === 'DELETE') {
    servers.delete(Number(id));
    return server.end(() => reply({}));
  }
  reply({});
}

const control = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    try {
      asked(request.method, request.url, JSON.parse(Buffer.concat(chunks).toString() || '{}'),
        (answer) => response.end(JSON.stringify(answer)));
    } catch (err) {
      response.statusCode = 500;
      response.end(String(err.stack));
    }
  });
});
control.listen(0, '127.0.0.1', () => console.log(`control on ${control.address().port}`));
process.on('SIGTERM', () => process.exit(0));
