package entra_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/tokencache"
)

func TestRefusalComesBackFromTheCacheAsAnError(t *testing.T) {
	e := newEndpoint(t, answer(401, wrongSecret, isJSON))
	octets := entra.Secret(secret.New(clientSecret)).Fingerprint()
	key, err := tokencache.NewKey(tokencache.Identity{Authority: e.URL, Client: clientID, Scope: scope}, octets[:])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var texts []string
	for range 3 { // as many processes
		cache := tokencache.New(e.source(), tokencache.Options{
			Store: tokencache.NewFileStore(dir), Key: key, Restore: entra.RestoreError,
			Warn: func(err error) { t.Error(err) },
		})
		_, err := cache.Token(t.Context())
		refused, ok := errors.AsType[*entra.Error](err)
		if !ok || refused.Code != "invalid_client" || refused.Symptom().AADSTS[0] != 7000215 {
			t.Fatalf("err = %v, want *entra.Error", err)
		}
		texts = append(texts, err.Error())
	}
	if n := len(e.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if texts[1] != texts[0]+" (refused less than 10s ago, not asked again)" || strings.Contains(texts[1], clientSecret) {
		t.Errorf("texts = %q", texts)
	}
}
