package expiryview_test

import (
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/view/expiryview"
)

// A token that another program renews many times a day has no ranges: by them a monitoring
// system would show it as critical all the time.
func TestPerformanceOfATokenThatIsRenewed(t *testing.T) {
	now := time.Date(2027, 11, 30, 12, 0, 0, 0, time.UTC)
	items := []expiry.Item{
		{Kind: expiry.FederatedToken, Name: "/run/token", Ends: now.Add(time.Hour)},
		{Kind: expiry.RelayCertificate, Name: "relay.pem", Ends: now.Add(50 * expiry.Day)},
	}
	got, code := expiryview.New("x", items, now, expiry.Notice).Nagios(nil)
	want := "EXPIRY OK - nothing ends within 30 days; the federated token (/run/token) ends on 2027-11-30, in less than a day" +
		" | 'federated token /run/token'=1 'relay certificate relay.pem'=50;30:;7:"
	if got != want || code != 0 {
		t.Errorf("code %d\n%s, want\n%s", code, got, want)
	}
}
