package xoauth2_test

import (
	"encoding/base64"
	"fmt"
	"net/smtp"

	"github.com/smtpsend/smtpsend/xoauth2"
)

// The line that logs a client in.
func ExampleInitialResponse() {
	response, err := xoauth2.InitialResponse("ada@contoso.example", "the-token")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("AUTH", xoauth2.Mechanism, base64.StdEncoding.EncodeToString(response))
	// Output:
	// AUTH XOAUTH2 dXNlcj1hZGFAY29udG9zby5leGFtcGxlAWF1dGg9QmVhcmVyIHRoZS10b2tlbgEB
}

// auth is the smtp.Auth of the standard library.
type auth struct{ *xoauth2.Client }

func (a auth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS {
		return "", nil, fmt.Errorf("no token is sent to %s without TLS", server.Name)
	}
	return a.Client.Start()
}

func (a auth) Next(challenge []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	return a.Client.Next(challenge)
}

// A Client in net/smtp: after client.StartTLS, client.Auth(mechanism) logs in,
// and Result says why it could not.
func ExampleClient() {
	mechanism := auth{xoauth2.NewClient("ada@contoso.example", "the-token")}
	_, _, err := mechanism.Start(&smtp.ServerInfo{Name: "smtp.office365.com"})
	fmt.Println(err)

	name, response, err := mechanism.Start(&smtp.ServerInfo{Name: "smtp.office365.com", TLS: true})
	fmt.Printf("%s %q %v\n", name, response, err)

	// The server does not like the token.
	answer, err := mechanism.Next([]byte(`{"status":"401","schemes":"bearer"}`), true)
	fmt.Printf("%q %v\n", answer, err)
	fmt.Println(mechanism.Result())
	// Output:
	// no token is sent to smtp.office365.com without TLS
	// XOAUTH2 "user=ada@contoso.example\x01auth=Bearer the-token\x01\x01" <nil>
	// "" <nil>
	// xoauth2: server refused the token: status "401" schemes "bearer"
}

// The same with OAUTHBEARER, for a server that offers it.
func ExampleNewBearerClient() {
	client := xoauth2.NewBearerClient(xoauth2.BearerResponse{User: "ada@contoso.example", Token: "the-token", Host: "smtp.contoso.example", Port: 587})
	name, response, err := client.Start()
	fmt.Printf("%s %q %v\n", name, response, err)

	// The server does not like the token.
	answer, err := client.Next([]byte(`{"status":"invalid_token","scope":"mail"}`))
	fmt.Printf("%q %v\n", answer, err)
	fmt.Println(client.Result())
	// Output:
	// OAUTHBEARER "n,a=ada@contoso.example,\x01host=smtp.contoso.example\x01port=587\x01auth=Bearer the-token\x01\x01" <nil>
	// "\x01" <nil>
	// xoauth2: server refused the token: status "invalid_token" scope "mail"
}

// A server that reads what follows AUTH XOAUTH2.
func ExampleParseInitialResponse() {
	serve := func(argument string) string {
		message, err := base64.StdEncoding.DecodeString(argument)
		if err != nil {
			return "501 5.5.2 cannot decode"
		}
		user, token, err := xoauth2.ParseInitialResponse(message)
		if err != nil {
			return "501 5.5.2 " + err.Error()
		}
		if token != "the-token" {
			result := &xoauth2.ErrorResult{Status: "401", Schemes: "bearer", Scope: "https://outlook.office365.com/"}
			return "334 " + base64.StdEncoding.EncodeToString(result.Challenge())
		}
		return "235 2.7.0 welcome " + user
	}
	for _, message := range []string{
		"user=ada@contoso.example\x01auth=Bearer the-token\x01\x01",
		"user=ada@contoso.example\x01auth=Bearer another\x01\x01",
		"user=ada@contoso.example",
	} {
		fmt.Println(serve(base64.StdEncoding.EncodeToString([]byte(message))))
	}
	// Output:
	// 235 2.7.0 welcome ada@contoso.example
	// 334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJodHRwczovL291dGxvb2sub2ZmaWNlMzY1LmNvbS8ifQ==
	// 501 5.5.2 xoauth2: malformed message: does not end with two ^A
}

// What a server says in a 334 reply, as text that a person can read.
func ExampleParseErrorResult() {
	result, err := xoauth2.ParseErrorResult([]byte(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`))
	fmt.Println(result.Status, result.Scope, err)
	// Output:
	// 400 https://mail.google.com/ <nil>
}
