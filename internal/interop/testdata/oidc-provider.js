// Runs oidc-provider, an OpenID provider that the OpenID Foundation has certified, with
// the grant client_credentials. Takes a JSON object as its argument: secret, certificate
// (PEM), scope. Prints "ready" and its URL.
const crypto = require('node:crypto');
const http = require('node:http');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const o = JSON.parse(process.argv[2]);

async function main() {
  // The module has no form for require, which alone looks into NODE_PATH.
  const at = path.join(process.env.NODE_PATH, 'oidc-provider', 'lib', 'index.js');
  const { default: Provider } = await import(pathToFileURL(at));
  const server = http.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const client = {
    grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: o.scope,
  };
  const jwk = new crypto.X509Certificate(o.certificate).publicKey.export({ format: 'jwk' });
  const provider = new Provider(url, {
    clients: [
      { ...client, client_id: 'with-secret', client_secret: o.secret, token_endpoint_auth_method: 'client_secret_post' },
      {
        ...client,
        client_id: 'with-certificate',
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'PS256',
        jwks: { keys: [{ ...jwk, use: 'sig', alg: 'PS256' }] },
      },
    ],
    clientAuthMethods: ['client_secret_post', 'private_key_jwt'],
    enabledJWA: { clientAuthSigningAlgValues: ['PS256'] },
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    scopes: [o.scope],
  });
  provider.on('grant.error', (ctx, err) => console.log('refused', err.error, err.error_description, err.error_detail || ''));
  server.on('request', provider.callback());
  console.log(`ready ${url}`);
}

main();
