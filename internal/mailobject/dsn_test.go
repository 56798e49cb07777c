package mailobject_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject"
)

func TestWishesOfMail(t *testing.T) {
	for _, c := range []struct {
		ret, id string
		want    mailobject.DSN
	}{
		{"", "", mailobject.DSN{}},
		{"hdrs", "a+2Bb+3D+20c", mailobject.DSN{Return: "HDRS", EnvelopeID: "a+b= c"}},
		{"FULL", "plain", mailobject.DSN{Return: "FULL", EnvelopeID: "plain"}},
		{"FULL", "a+0D+0ARCPT", mailobject.DSN{}},
		{"FULL", "a+2", mailobject.DSN{}},
		{"FULL", "a+zz", mailobject.DSN{}},
		{"half", "", mailobject.DSN{}},
	} {
		if got := mailobject.OfMail(map[string]string{"RET": c.ret, "ENVID": c.id}); got != c.want {
			t.Errorf("RET=%s ENVID=%s: %+v", c.ret, c.id, got)
		}
	}
}

// What one recipient asks for is not done to another.
func TestWishesOfSeveralRecipients(t *testing.T) {
	for _, c := range []struct {
		wishes []string
		want   string
	}{
		{[]string{"never"}, "NEVER"},
		{[]string{"SUCCESS,FAILURE", "success,failure"}, "SUCCESS,FAILURE"},
		{[]string{"FAILURE", "NEVER"}, ""},
		{[]string{"FAILURE", "NEVER", "NEVER"}, ""},
		{[]string{"", "NEVER"}, ""},
		{[]string{"NEVER", ""}, ""},
		{[]string{"NEVER,FAILURE"}, ""},
	} {
		var d mailobject.DSN
		for i, wish := range c.wishes {
			d.Join(wish, i == 0)
		}
		if d.Notify != c.want {
			t.Errorf("%q: %q", c.wishes, d.Notify)
		}
	}
}
