// Gets a token with @azure/identity's ManagedIdentityCredential, which finds its host in
// the environment. Takes a JSON object as its argument: client (of a user-assigned
// identity, or ""), scope. Prints the token, or the reason.
const { ManagedIdentityCredential } = require('@azure/identity');

const o = JSON.parse(process.argv[2]);
const options = { retryOptions: { maxRetries: 0 } };
const credential = o.client ? new ManagedIdentityCredential({ clientId: o.client, ...options }) : new ManagedIdentityCredential(options);
credential.getToken(o.scope).then(
  (got) => console.log(got.token),
  (err) => console.log(`error ${err.message}`),
);
