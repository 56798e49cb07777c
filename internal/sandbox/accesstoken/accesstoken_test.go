package accesstoken_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox/accesstoken"
)

func TestVerifyTakesItsOwnTokensOnly(t *testing.T) {
	t.Parallel()
	issuer, err := accesstoken.NewIssuer(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := accesstoken.NewIssuer(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	claims := accesstoken.Claims{TenantID: "contoso", NotBefore: now.Unix(), Expires: now.Add(time.Hour).Unix()}
	token, err := issuer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := issuer.Verify(token, now); err != nil || got.TenantID != "contoso" || got.TokenID == "" {
		t.Errorf("got %+v, %v", got, err)
	}
	parts := strings.Split(token, ".")
	for name, c := range map[string]struct {
		token string
		at    time.Time
	}{
		"not yet valid":            {token, now.Add(-time.Second)},
		"expired":                  {token, now.Add(time.Hour)},
		"of another issuer":        {foreign, now},
		"two parts":                {parts[0] + "." + parts[1], now},
		"four parts":               {token + ".x", now},
		"a line end":               {token[:40] + "\n" + token[40:], now},
		"header not base64":        {"!" + token, now},
		"header not JSON":          {"AAAA." + parts[1] + "." + parts[2], now},
		"header of none":           {"eyJhbGciOiJub25lIn0." + parts[1] + ".", now},
		"signature not base64":     {parts[0] + "." + parts[1] + ".!", now},
		"claims of another token":  {parts[0] + "." + strings.Split(foreign, ".")[1] + "." + parts[2], now},
		"claims that are not JSON": {parts[0] + ".AAAA." + parts[2], now},
	} {
		if _, err := issuer.Verify(c.token, c.at); !errors.Is(err, accesstoken.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
