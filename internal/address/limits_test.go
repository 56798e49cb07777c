package address_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
)

func TestManyAddressesAreRefused(t *testing.T) {
	list := strings.Repeat("a@b.c,", limits.Addresses)
	if got, err := address.ParseList("To", list); err != nil || len(got) != limits.Addresses {
		t.Errorf("%d, %v", len(got), err)
	}
	if _, err := address.ParseList("To", list+"a@b.c"); err == nil || !strings.HasSuffix(err.Error(), "more than 50000 addresses") {
		t.Errorf("%.200v", err)
	}
}

func TestAnAddressIsBounded(t *testing.T) {
	long := strings.Repeat("x ", limits.Address/2)
	for _, list := range []string{long + "<a@b.example>", `"` + long + `" <a@b.example>`, "a@b.example, " + long + "<a@b.example>", long + ": a@b.example;"} {
		_, err := address.ParseList("To", list)
		var field *badinput.FieldError
		if !errors.As(err, &field) || !strings.HasSuffix(field.Reason, " octets, at most 65536") || len(err.Error()) > 1000 {
			t.Errorf("%.100v", err)
		}
	}
	if _, err := address.ParseList("To", strings.Repeat("x ", 1000)+"<a@b.example>"); err != nil {
		t.Error(err)
	}
}
