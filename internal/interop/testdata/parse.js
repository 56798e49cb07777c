// Reads a message on standard input with mailparser and prints as JSON what it
// found, for comparison with other parsers.
const { createHash } = require('node:crypto');
const { simpleParser } = require('mailparser');

const addresses = (field) => field.value.map((a) => [a.name, a.address]);

simpleParser(process.stdin, { skipTextToHtml: true, skipHtmlToText: true }).then((mail) => {
  console.log(JSON.stringify({
    subject: mail.subject,
    from: addresses(mail.from),
    to: addresses(mail.to),
    text: mail.text,
    html: mail.html,
    files: mail.attachments.map((a) => ({
      name: a.filename,
      type: a.contentType,
      sha256: createHash('sha256').update(a.content).digest('hex'),
    })),
  }));
});
