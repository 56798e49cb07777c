package tokencache_test

import (
	"fmt"
	"log"
	"os"

	"github.com/emersion/go-smtp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/smtpsend/smtpsend/tokencache"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// All that a program needs to log in to Exchange Online, with go-smtp. (The
// service is a stand-in: ctx and service.TLS make its certificate trusted.)
func Example() {
	service := startService()
	defer service.Close()
	ctx := service.Context()

	cache := tokencache.New(&clientcredentials.Config{
		ClientID: "11111111-2222-3333-4444-555555555555", ClientSecret: "the-secret",
		TokenURL:  service.TokenURL, // https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token
		Scopes:    []string{"https://outlook.office365.com/.default"},
		AuthStyle: oauth2.AuthStyleInParams,
	}, tokencache.Options{})

	for range 3 { // three sessions, one token request
		token, err := cache.Token(ctx)
		if err != nil {
			log.Fatal(err)
		}
		client, err := smtp.DialStartTLS(service.SMTPAddr, service.TLS) // smtp.office365.com:587
		if err != nil {
			log.Fatal(err)
		}
		if err := client.Auth(xoauth2.NewClient("ada@contoso.example", token.AccessToken)); err != nil {
			log.Fatal(err)
		}
		_ = client.Quit() // what there was to say is said
	}

	requests, sessions := service.Seen()
	fmt.Println(requests, sessions)
	// Output:
	// 1 [ada@contoso.example ada@contoso.example ada@contoso.example]
}

// One token for all processes of a user and all runs of a program.
func ExampleNewFileStore() {
	service := startService()
	defer service.Close()
	dir, err := os.MkdirTemp("", "tokencache") // a program uses os.UserCacheDir
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	config := &clientcredentials.Config{
		ClientID: "11111111-2222-3333-4444-555555555555", ClientSecret: "the-secret", TokenURL: service.TokenURL,
		Scopes: []string{"https://outlook.office365.com/.default"}, AuthStyle: oauth2.AuthStyleInParams,
	}
	key, err := tokencache.NewKey(tokencache.Identity{
		Authority: config.TokenURL, Client: config.ClientID, Scope: config.Scopes[0],
	}, []byte(config.ClientSecret))
	if err != nil {
		log.Fatal(err)
	}
	for range 2 { // as two runs would
		cache := tokencache.New(config, tokencache.Options{
			Store: tokencache.NewFileStore(dir), Key: key,
			Warn: func(err error) { log.Print("warning: ", err) },
		})
		entry, err := cache.Get(service.Context())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("from the cache:", entry.Cached)
	}
	// Output:
	// from the cache: false
	// from the cache: true
}
