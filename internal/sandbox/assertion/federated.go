package assertion

import (
	"net/http"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
)

// federated checks the token of another issuer: that a federated credential has its
// issuer, subject and audience, then its signature and its time.
func (v *Verifier) federated(r Request, token *jwt.Token, claims jwt.RegisteredClaims, now time.Time) *Refusal {
	trusts := r.Keys.Of(keyring.KindFederated)
	if len(trusts) == 0 {
		return refuse(70025, "The client '%s'(%s) has no configured federated identity credentials.", r.ClientID, r.Name)
	}
	known := slices.DeleteFunc(trusts, func(k keyring.Key) bool { return now.Before(k.Start) })
	if len(known) == 0 { // created, and not yet told everywhere
		audience := ""
		if len(claims.Audience) > 0 {
			audience = claims.Audience[0]
		}
		return refuse(70021, "No matching federated identity record found for presented assertion. Assertion Issuer: '%s'. Assertion Subject: '%s'. "+
			"Assertion Audience: '%s'. https://docs.microsoft.com/azure/active-directory/develop/workload-identity-federation", claims.Issuer, claims.Subject, audience)
	}
	if refusal := matching(known, claims); refusal != nil {
		return refusal
	}
	switch {
	case token.Method.Alg() != "RS256":
		return unsupported(token)
	case claims.Issuer != v.issuer.URL():
		return &Refusal{http.StatusBadRequest, "invalid_request", 50166, "Request to External OIDC endpoint failed."}
	case v.issuer.Verify(r.Assertion) != nil:
		return refuse(50013, "Assertion failed signature validation. [Reason - The provided signature value did not match the expected signature value.]")
	}
	return timely(claims, now)
}

// matching compares issuer, subject and audience, in this order, with their case.
func matching(trusts []keyring.Key, claims jwt.RegisteredClaims) *Refusal {
	const none = "No matching federated identity record found for presented assertion "
	keep := func(fits func(keyring.Trust) bool) bool {
		trusts = slices.DeleteFunc(trusts, func(k keyring.Key) bool { return !fits(*k.Trust) })
		return len(trusts) > 0
	}
	isAudience := func(t keyring.Trust) bool { return len(claims.Audience) == 1 && claims.Audience[0] == t.Audience }
	switch {
	case !keep(func(t keyring.Trust) bool { return t.Issuer == claims.Issuer }):
		return refuse(700211, none+"issuer '%s'. %s", claims.Issuer, readFederation)
	case !keep(func(t keyring.Trust) bool { return t.Subject == claims.Subject }):
		return refuse(700213, none+"subject '%s'. %s", claims.Subject, readFederation)
	case !keep(isAudience):
		audience := ""
		if len(claims.Audience) > 0 {
			audience = claims.Audience[0]
		}
		return refuse(700212, none+"audience '%s'. %s", audience, readFederation)
	}
	return nil
}
