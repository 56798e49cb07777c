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
// This cache lives in memory. To share tokens between processes, give it a
// [FileStore] and the [Key] that its file is found by and encrypted with.
//
// # How a token is found
//
//  1. In memory, when it lives longer than the grace time (and MinLife).
//  2. Otherwise one goroutine goes on and the others wait for it. A caller
//     whose context ends leaves; what goes on ends when no one waits any more.
//  3. In the store, which is read without a lock.
//  4. Under the store's lock, so that of many processes one asks and the
//     others find its token. The lock is waited for at most 10 s: a process
//     that hangs delays others, it does not stop them.
//  5. From the source. Its token goes into memory and store.
//
// A source's refusal (see [Refusal]) is remembered for 10 s: a thousand
// processes started with an expired secret make a few failed sign-ins, not a
// thousand. Other errors are not remembered.
//
// When a server refuses a token that came from the cache, call
// [Cache.Invalidate] and ask again; [Entry] says whether it did.
//
// # What can go wrong
//
// Trouble with the store never costs the token: what cannot be read counts as
// absent, what cannot be written is left out, and Options.Warn hears of the
// first such trouble. Only the source's errors, a remembered refusal
// ([*RefusedError]) and the end of the context are returned.
//
// # Security
//
// Files are encrypted with AES-256-GCM under a key derived (HKDF, RFC 5869)
// from the credential that the token was got with. Whoever cannot get a new
// token cannot read the stored one either, and a changed credential leaves the
// old file behind unread. Files have mode 0600; on Unix, one that belongs to
// someone else or that others may read is not used. No error holds a token.
//
// # Promise
//
// All types are safe for concurrent use. Besides the standard library the
// package needs golang.org/x/oauth2, github.com/gofrs/flock and golang.org/x/sys.
// Files of one version of the package are absent to another that cannot read
// them, never misread.
package tokencache
