package expiry_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // not every machine has it

	"github.com/smtpsend/smtpsend/internal/expiry"
)

var end = time.Date(2027, 11, 30, 15, 0, 0, 0, time.UTC)

// The words are those of 29 days before, of the last day and of the day after.
func TestTheWordsFitTheDay(t *testing.T) {
	day := time.Date(2027, 11, 30, 0, 0, 0, 0, time.UTC)
	certificate := expiry.Item{Kind: expiry.Certificate, Name: "client.pem", Ends: end}
	followed := expiry.Item{Kind: expiry.Certificate, Name: "client.pem", Ends: end, Followed: true, NextEnds: end.AddDate(1, 0, 0)}
	secret := expiry.Item{Kind: expiry.ClientSecret, Name: "SMTPSEND_OFFICE_CLIENT_SECRET", Ends: day, WholeDay: true}
	replaced := secret
	replaced.Followed = true
	next := expiry.Item{Kind: expiry.NextCertificate, Name: "client.pem.next", Ends: end}
	token := expiry.Item{Kind: expiry.FederatedToken, Name: "/run/token", Ends: end}
	relay := expiry.Item{Kind: expiry.RelayCertificate, Name: "relay.pem", Ends: end}
	for _, tt := range []struct {
		item  expiry.Item
		now   time.Time
		state expiry.State
		text  string
	}{
		{certificate, end.AddDate(0, 0, -31), expiry.Valid, "the client certificate (client.pem) ends on 2027-11-30, in 31 days: make the next one with smtpsend cert rotate, upload it, then finish with: smtpsend cert rotate --finish"},
		{certificate, end.AddDate(0, 0, -29), expiry.EndsSoon, "the client certificate (client.pem) ends on 2027-11-30, in 29 days: make the next one with smtpsend cert rotate, upload it, then finish with: smtpsend cert rotate --finish"},
		{certificate, end.Add(-time.Hour), expiry.EndsSoon, "the client certificate (client.pem) ends on 2027-11-30, in less than a day: make the next one with smtpsend cert rotate, upload it, then finish with: smtpsend cert rotate --finish"},
		{certificate, end, expiry.HasEnded, "the client certificate (client.pem) ended on 2027-11-30, less than a day ago: Microsoft Entra ID refuses it, and no mail is submitted: make a new one with smtpsend cert rotate, upload it, then finish with: smtpsend cert rotate --finish"},
		{certificate, end.AddDate(0, 0, 1), expiry.HasEnded, "the client certificate (client.pem) ended on 2027-11-30, 1 day ago: Microsoft Entra ID refuses it, and no mail is submitted: make a new one with smtpsend cert rotate, upload it, then finish with: smtpsend cert rotate --finish"},
		{followed, end.AddDate(0, 0, -29), expiry.EndsSoon, "the client certificate (client.pem) ends on 2027-11-30, in 29 days: the next one is there, until 2028-11-30; finish with: smtpsend cert rotate --finish"},
		{followed, end.AddDate(0, 0, 2), expiry.HasEnded, "the client certificate (client.pem) ended on 2027-11-30, 2 days ago: the next one is there, until 2028-11-30; finish with: smtpsend cert rotate --finish"},
		{next, end.AddDate(0, 0, -29), expiry.EndsSoon, "the next client certificate (client.pem.next) ends on 2027-11-30, in 29 days: put it in place with smtpsend cert rotate --finish and rotate again, or remove the file and make another with smtpsend cert rotate"},
		{next, end.AddDate(0, 0, 1), expiry.HasEnded, "the next client certificate (client.pem.next) ended on 2027-11-30, 1 day ago: it cannot take the place of the present one: make another with smtpsend cert rotate"},
		{secret, day.AddDate(0, 0, -29).Add(time.Hour), expiry.EndsSoon, "the client secret (SMTPSEND_OFFICE_CLIENT_SECRET) ends on 2027-11-30, in 29 days: make a new secret in Microsoft Entra ID (App registrations, Certificates & secrets) and set SMTPSEND_OFFICE_CLIENT_SECRET_NEXT to it"},
		{secret, day.Add(-time.Hour), expiry.EndsSoon, "the client secret (SMTPSEND_OFFICE_CLIENT_SECRET) ends on 2027-11-30, tomorrow: make a new secret in Microsoft Entra ID (App registrations, Certificates & secrets) and set SMTPSEND_OFFICE_CLIENT_SECRET_NEXT to it"},
		{secret, day.Add(23 * time.Hour), expiry.EndsSoon, "the client secret (SMTPSEND_OFFICE_CLIENT_SECRET) ends on 2027-11-30, today: make a new secret in Microsoft Entra ID (App registrations, Certificates & secrets) and set SMTPSEND_OFFICE_CLIENT_SECRET_NEXT to it"},
		{secret, day.AddDate(0, 0, 1), expiry.HasEnded, "the client secret (SMTPSEND_OFFICE_CLIENT_SECRET) ended on 2027-11-30, 1 day ago: Microsoft Entra ID refuses it, and no mail is submitted: make a new secret in Microsoft Entra ID (App registrations, Certificates & secrets) and set SMTPSEND_OFFICE_CLIENT_SECRET and SMTPSEND_OFFICE_CLIENT_SECRET_EXPIRES"},
		{replaced, day.AddDate(0, 0, 1), expiry.HasEnded, "the client secret (SMTPSEND_OFFICE_CLIENT_SECRET) ended on 2027-11-30, 1 day ago: SMTPSEND_OFFICE_CLIENT_SECRET_NEXT is set and is used in its place: move it to SMTPSEND_OFFICE_CLIENT_SECRET, and set SMTPSEND_OFFICE_CLIENT_SECRET_EXPIRES to its day"},
		{token, end.Add(-time.Minute), expiry.Valid, "the federated token (/run/token) ends on 2027-11-30, in less than a day: check the program that renews it"},
		{token, end.Add(time.Minute), expiry.HasEnded, "the federated token (/run/token) ended at 2027-11-30 15:00:00 +0000 and has not been renewed: check the program that renews it"},
		{relay, end.AddDate(0, 0, -29), expiry.EndsSoon, "the relay certificate (relay.pem) ends on 2027-11-30, in 29 days: clients that check it will not submit: renew the file"},
		{relay, end.AddDate(0, 0, 1), expiry.HasEnded, "the relay certificate (relay.pem) ended on 2027-11-30, 1 day ago: clients that check it do not submit: renew the file"},
	} {
		if got := tt.item.Text(tt.now); got != tt.text {
			t.Errorf("at %v:\n%s\nwant\n%s", tt.now, got, tt.text)
		}
		if got := tt.item.State(tt.now, expiry.Notice); got != tt.state {
			t.Errorf("%s: state %s", tt.text, got)
		}
	}
}

// TestDaysAreThoseOfTheCalendar: 31 October 2027 has 25 hours in Berlin, 28 March 23.
func TestDaysAreThoseOfTheCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2027, month, day, hour, minute, 0, 0, berlin)
	}
	for _, tt := range []struct {
		ends, now time.Time
		want      int
	}{
		{at(11, 1, 0, 0), at(10, 31, 0, 30), 1}, {at(11, 1, 0, 0), at(10, 31, 23, 30), 1}, {at(11, 1, 0, 0), at(10, 2, 0, 30), 30},
		{at(10, 30, 0, 0), at(11, 1, 0, 30), -2}, {at(3, 27, 0, 0), at(3, 29, 0, 30), -2}, {at(3, 28, 0, 0), at(3, 28, 23, 30), 0},
	} {
		if got := (expiry.Item{Ends: tt.ends, WholeDay: true}).Days(tt.now); got != tt.want {
			t.Errorf("%v at %v: %d days, want %d", tt.ends, tt.now, got, tt.want)
		}
	}
}

// A day in another zone than UTC is the one that people there know.
func TestTheDayIsThatOfTheZone(t *testing.T) {
	zone := time.FixedZone("", 10*3600)
	item := expiry.Item{Kind: expiry.RelayCertificate, Name: "x", Ends: end}
	if got := item.When(end.AddDate(0, 0, -2).In(zone)); !strings.Contains(got, "2027-12-01") {
		t.Error(got)
	}
}

func TestStepsComeOneAfterTheOther(t *testing.T) {
	item := expiry.Item{Kind: expiry.Certificate, Ends: end}
	var got []int
	for now := end.AddDate(0, 0, -40); now.Before(end.AddDate(0, 0, 3)); now = now.Add(time.Hour) {
		if step, ok := item.Step(now); ok && (len(got) == 0 || got[len(got)-1] != step) {
			got = append(got, step)
		}
	}
	if len(got) != 6 || got[0] != 30 || got[1] != 14 || got[2] != 7 || got[3] != 3 || got[4] != 1 || got[5] != 0 {
		t.Errorf("steps %v", got)
	}
}

func TestWhatFollowsMakesItLessUrgent(t *testing.T) {
	item := expiry.Item{Kind: expiry.Certificate, Ends: end}
	now := end.AddDate(0, 0, -6)
	if !item.Critical(now) || item.Critical(end.AddDate(0, 0, -8)) {
		t.Error("urgent is not the last week")
	}
	item.Followed = true
	if item.Critical(now) || item.Critical(end.AddDate(0, 0, 1)) {
		t.Error("urgent, though another follows")
	}
	if item = item.FollowedBy(end.AddDate(0, 0, 2)); item.Critical(end.AddDate(0, 0, 1)) || !item.Critical(end.AddDate(0, 0, 2)) {
		t.Error("urgent is not the time from the end of what follows")
	}
	if next := (expiry.Item{Kind: expiry.NextCertificate, Ends: end}); next.Critical(end) {
		t.Error("urgent, though only what follows has ended")
	}
}

// Only what is asked for is within, and JSON says all of them.
func TestFind(t *testing.T) {
	items := []expiry.Item{{Kind: expiry.Certificate, Name: "a", Ends: end}, {Kind: expiry.RelayCertificate, Name: "b", Ends: end.AddDate(1, 0, 0)}}
	now := end.AddDate(0, 0, -10)
	if soon := expiry.Within(items, now, 9*expiry.Day); len(soon) != 0 {
		t.Errorf("within 9 days: %v", soon)
	}
	if soon := expiry.Within(items, now, 10*expiry.Day); len(soon) != 1 || soon[0].Name != "a" {
		t.Errorf("within 10 days: %v", soon)
	}
	found := expiry.Find(items, now, expiry.Notice)
	if len(found) != 2 || found[0].State != expiry.EndsSoon || found[0].Days != 10 || found[0].Day != "2027-11-30" || found[1].State != expiry.Valid ||
		strings.Contains(found[1].Text, "renew") {
		t.Errorf("%+v", found)
	}
	if got := expiry.Find(nil, now, expiry.Notice); got == nil {
		t.Error("nil, which is null in JSON")
	}
}
