// Reads names of messages, one a line, and prints for each a line of JSON: what
// mailparser finds in it. See corpus_parse_test.go for the form.
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const { simpleParser } = require('mailparser');

const sum = (content) => createHash('sha256').update(content).digest('hex');
const text = (type, content) => {
  const whole = content.replace(/\r\n/g, '\n').trimEnd();
  return { type, name: '', text: true, sha256: sum(whole), ascii: sum(whole.replace(/[^\x00-\x7f]+/g, '?')) };
};

async function read(content) {
  const mail = await simpleParser(content, { skipTextToHtml: true, skipHtmlToText: true, skipImageLinks: true });
  const found = { fields: [], parts: [] };
  for (const name of ['subject', 'from', 'to', 'cc']) {
    for (const value of [mail[name]].flat()) {
      if (value) found.fields.push([name, typeof value === 'string' ? value : value.text]);
    }
  }
  found.parts.push(text('text/plain', mail.text || ''), text('text/html', mail.html || ''));
  for (const a of mail.attachments) {
    const entry = { type: a.contentType, name: a.filename || '', text: false, sha256: '' };
    if (a.contentType === 'message/rfc822') {
      found.parts.push(entry, ...(await read(a.content)).parts);
    } else {
      const lines = a.contentType.startsWith('text/') ? a.content.toString('latin1').replace(/\r\n/g, '\n').trimEnd() : a.content;
      found.parts.push({ ...entry, sha256: sum(lines) });
    }
  }
  return found;
}

(async () => {
  for (const name of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    let result;
    try {
      result = await read(fs.readFileSync(name));
    } catch (err) {
      result = { error: err.message };
    }
    console.log(JSON.stringify(result));
  }
})();
