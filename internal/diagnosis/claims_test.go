package diagnosis_test

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

func jwt(payload string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + enc([]byte(payload)) + "." + enc([]byte("signature"))
}

func TestReadClaims(t *testing.T) {
	at := func(sec int64) time.Time { return time.Unix(sec, 0).UTC() }
	tests := []struct {
		name, payload string
		want          diagnosis.Claims
	}{
		{"v1 token of an application", `{"aud":"https://outlook.office365.com","appid":"a","oid":"o","tid":"t","appidacr":"1","idtyp":"app","uti":"u","roles":["SMTP.SendAsApp"],"iat":1700000000,"nbf":1700000000,"exp":1700003599}`,
			diagnosis.Claims{Audience: "https://outlook.office365.com", AppID: "a", ObjectID: "o", TenantID: "t", AppIDACR: "1", IDType: "app", TokenID: "u", Roles: []string{"SMTP.SendAsApp"}, IssuedAt: at(1700000000), NotBefore: at(1700000000), Expires: at(1700003599)}},
		{"v2 names", `{"azp":"a","azpacr":"2"}`, diagnosis.Claims{AppID: "a", AppIDACR: "2"}},
		{"audience as an array", `{"aud":["x","y"]}`, diagnosis.Claims{Audience: "x y"}},
		{"numbers where strings belong, and a fraction", `{"appidacr":2,"exp":1700003599.75}`, diagnosis.Claims{AppIDACR: "2", Expires: at(1700003599)}},
		{"one role as a string", `{"roles":"SMTP.SendAsApp"}`, diagnosis.Claims{Roles: []string{"SMTP.SendAsApp"}}},
		{"wrong types", `{"aud":{},"exp":"soon","roles":7.5,"oid":[1]}`, diagnosis.Claims{Roles: []string{"7.5"}}},
		{"absurd time", `{"exp":1e300}`, diagnosis.Claims{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := diagnosis.ReadClaims(jwt(tt.payload))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func TestReadClaimsRefuses(t *testing.T) {
	for name, token := range map[string]string{
		"nothing": "", "opaque": "EwBoA8l6BAAU", "two parts": "a.b", "not base64": "a.$$$.c",
		"no object": jwt(`[1]`), "null": jwt(`null`), "no JSON": jwt(`hello`), "too long": jwt(`{"x":"` + strings.Repeat("a", diagnosis.MaxToken) + `"}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := diagnosis.ReadClaims(token)
			if !errors.Is(err, diagnosis.ErrNotJWT) {
				t.Errorf("got %v, want ErrNotJWT", err)
			}
			if token != "" && err != nil && strings.Contains(err.Error(), token) {
				t.Error("the error carries the token")
			}
		})
	}
}

func TestForExchange(t *testing.T) {
	tests := map[string]bool{
		"": true, "https://outlook.office365.com": true, "https://outlook.office.com": true,
		"00000002-0000-0ff1-ce00-000000000000": true, "https://partner.outlook.cn": true,
		"https://outlook.office365.us": true, "https://graph.microsoft.com": false,
		"00000003-0000-0000-c000-000000000000": false, "https://ps.outlook.com": false,
	}
	for aud, want := range tests {
		if got := (diagnosis.Claims{Audience: aud}).ForExchange(); got != want {
			t.Errorf("audience %q: %v, want %v", aud, got, want)
		}
	}
}

func FuzzReadClaims(f *testing.F) {
	f.Add(jwt(`{"aud":["a"],"exp":1}`))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := diagnosis.ReadClaims(token)
		if err != nil && !errors.Is(err, diagnosis.ErrNotJWT) {
			t.Errorf("untyped error %v", err)
		}
		if err != nil && !reflect.DeepEqual(c, diagnosis.Claims{}) {
			t.Error("claims beside an error")
		}
	})
}
