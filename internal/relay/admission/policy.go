package admission

import (
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// Place is whether the address of a peer, or its uid on a Unix socket, is one of a
// client.
type Place int

// The places.
const (
	Unknown Place = iota
	Known
)

// Login is what a peer's user is.
type Login int

// The logins.
const (
	NoUser           Login = iota // no AUTH
	UserWithoutEntry              // signed in; no client has this user
	UserElsewhere                 // signed in; the address or uid is not one of that user's client
	UserAtHome                    // signed in; the address or uid is one of that user's client
)

// Reason is why a peer may not submit. The catalogue of failures has an entry for each.
type Reason string

// The reasons.
const (
	NotAllowedHere      Reason = "not_allowed_here"       // the address belongs to no client, and no user would help
	AuthRequired        Reason = "auth_required"          // a user is missing
	UserWithoutClient   Reason = "user_without_client"    // the password was right, and no client has the user
	WrongNetworkForUser Reason = "wrong_network_for_user" // the user is right, the address is not
)

// Reasons are all reasons.
func Reasons() []Reason {
	return []Reason{NotAllowedHere, AuthRequired, UserWithoutClient, WrongNetworkForUser}
}

// By is what a peer is admitted by.
type By int

// What admits.
const (
	ByNothing By = iota // refused
	ByPlace             // as the client of the address or uid
	ByUser              // as the client of the user
)

// Verdict is what the truth table says.
type Verdict struct {
	By         By
	Reason     Reason // of a refusal; "" when admitted
	OffersAuth bool   // in the reply to EHLO
}

// Decide is the truth table. A user who is at home is never at an unknown place.
func Decide(policy relayfile.Policy, place Place, login Login) Verdict {
	v := Verdict{OffersAuth: offersAuth(policy, place)}
	v.By, v.Reason = admits(policy, place, login)
	return v
}

func offersAuth(policy relayfile.Policy, place Place) bool {
	switch policy {
	case relayfile.PolicyAuth, relayfile.PolicyIPOrAuth:
		return true
	case relayfile.PolicyIPAndAuth:
		return place == Known
	}
	return false
}

func admits(policy relayfile.Policy, place Place, login Login) (By, Reason) {
	signed := login == UserElsewhere || login == UserAtHome
	switch {
	case policy.ByUser() && signed:
		return ByUser, "" // who says its name is that client, wherever it is
	case policy.ByAddress() && place == Known:
		return ByPlace, ""
	case policy == relayfile.PolicyIPAndAuth && login == UserAtHome:
		return ByUser, ""
	case policy == relayfile.PolicyIPAndAuth && login == UserElsewhere:
		return ByNothing, WrongNetworkForUser
	case !offersAuth(policy, place):
		return ByNothing, NotAllowedHere
	case login == UserWithoutEntry:
		return ByNothing, UserWithoutClient
	}
	return ByNothing, AuthRequired
}

// Row is a row of the truth table.
type Row struct {
	Policy  relayfile.Policy
	Place   Place
	Login   Login
	Verdict Verdict
}

// Rows are all rows, in the order of the manual.
func Rows() (rows []Row) {
	for _, policy := range relayfile.Policies() {
		for _, place := range []Place{Unknown, Known} {
			for _, login := range []Login{NoUser, UserWithoutEntry, UserElsewhere, UserAtHome} {
				if place == Unknown && login == UserAtHome {
					continue
				}
				rows = append(rows, Row{policy, place, login, Decide(policy, place, login)})
			}
		}
	}
	return rows
}

// Words are the row for people: policy, address, user, outcome, and whether AUTH is
// offered.
func (r Row) Words() [5]string {
	place := map[Place]string{Unknown: "of no client", Known: "of a client"}[r.Place]
	login := map[Login]string{
		NoUser: "none", UserWithoutEntry: "of no client", UserElsewhere: "of a client that has another address", UserAtHome: "of a client that has this address",
	}[r.Login]
	outcome := map[By]string{ByPlace: "the client of the address", ByUser: "the client of the user"}[r.Verdict.By]
	if r.Verdict.By == ByNothing {
		outcome = map[Reason]string{
			NotAllowedHere: "refused: not allowed here", AuthRequired: "refused: has to sign in",
			UserWithoutClient: "refused: user without a client", WrongNetworkForUser: "refused: wrong address for the user",
		}[r.Verdict.Reason]
	}
	offered := "no"
	if r.Verdict.OffersAuth {
		offered = "yes"
	}
	return [5]string{string(r.Policy), place, login, outcome, offered}
}
