// Gets tokens with @azure/identity and @azure/msal-node, which run unchanged but for the
// authority. Takes a JSON object as its argument: authority, tenant, client, secret,
// certificate (a file), thumbprint (SHA-256), assertion, scope. Prints a line for each
// way: its name, and the token or the reason.
const fs = require('node:fs');
const identity = require('@azure/identity');
const msal = require('@azure/msal-node');

const o = JSON.parse(process.argv[2]);
const options = { authorityHost: o.authority, disableInstanceDiscovery: true, retryOptions: { maxRetries: 0 } };
const host = new URL(o.authority).host;

function application(auth) {
  const config = { clientId: o.client, authority: `${o.authority}/${o.tenant}`, knownAuthorities: [host], ...auth };
  return async () => {
    const got = await new msal.ConfidentialClientApplication({ auth: config }).acquireTokenByClientCredential({ scopes: [o.scope] });
    return got.accessToken;
  };
}

function credential(c) {
  return async () => (await c.getToken(o.scope)).token;
}

const key = fs.readFileSync(o.certificate, 'utf8');
const ways = {
  'identity secret': credential(new identity.ClientSecretCredential(o.tenant, o.client, o.secret, options)),
  'identity certificate': credential(new identity.ClientCertificateCredential(o.tenant, o.client, { certificatePath: o.certificate }, options)),
  'identity assertion': credential(new identity.ClientAssertionCredential(o.tenant, o.client, async () => o.assertion, options)),
  'msal secret': application({ clientSecret: o.secret }),
  'msal certificate': application({ clientCertificate: { thumbprintSha256: o.thumbprint, privateKey: key.slice(key.indexOf('-----BEGIN PRIVATE KEY')) } }),
  'msal assertion': application({ clientAssertion: o.assertion }),
};

async function main() {
  for (const [name, get] of Object.entries(ways)) {
    let said;
    try {
      said = await get();
    } catch (err) {
      said = `error ${err.message}`;
    }
    console.log(JSON.stringify([name, said]));
  }
}

main();
