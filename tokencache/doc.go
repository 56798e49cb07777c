// Package tokencache lets all goroutines of a process, all processes of a user
// and one run after another share one OAuth 2.0 access token, so that a token
// endpoint is asked once an hour and not once a mail.
//
// It wraps anything with a method Token(ctx) (*oauth2.Token, error), such as
// *clientcredentials.Config of golang.org/x/oauth2:
//
//	cache := tokencache.New(&clientcredentials.Config{ ... }, tokencache.Options{})
//	token, err := cache.Token(ctx)
//
// This cache is in memory. To share tokens between processes, give it a [FileStore]
// and a [Key]. The key gives the file its name and encrypts it.
//
// # How a token is found
//
//  1. In memory, if the token there is valid for longer than the grace time (and
//     MinLife).
//  2. Otherwise one goroutine continues and the others wait for it. A caller whose
//     context ends no longer waits. The search ends when no caller waits any more.
//  3. In the store, which is read without a lock.
//  4. In the store again, under its lock. Of many processes, one asks the source, and
//     the others find its token. A process waits for the lock for at most 10 s, so a
//     process that hangs delays others but does not stop them.
//  5. From the source. Its token goes into memory and into the store.
//
// A refusal by the source (see [Refusal]) is remembered for 10 s. So a thousand
// processes that start with an expired secret make only a few failed sign-ins. Other
// errors are not remembered.
//
// When a server refuses a token that came from the cache, call [Cache.Invalidate] and
// ask for a token again. [Entry] says whether a token came from the cache.
//
// # What can go wrong
//
// A problem with the store does not prevent a token. A record that cannot be read
// counts as missing, a record that cannot be written is not kept, and Options.Warn gets
// the first such problem. The only errors that are returned are those of the source, a
// remembered refusal ([*RefusedError]) and the end of the context.
//
// # Security
//
// Files are encrypted with AES-256-GCM. The key is derived (HKDF, RFC 5869) from the
// credential that the token was fetched with. So only a user who can fetch a new token
// can read the stored one. After a change of the credential the old file is no longer
// read. Files have mode 0600. On Unix, a file that belongs to another user or that
// others may read is not used. No error contains a token.
//
// # Promise
//
// All types are safe for concurrent use. Besides the standard library the
// package needs golang.org/x/oauth2, github.com/gofrs/flock and golang.org/x/sys. If a
// version of the package cannot read the file of another version, it treats the file as
// missing.
package tokencache
