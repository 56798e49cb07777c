package sandboxtest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/sandboxtest"
)

// A mailer that submits one message. (testOf stands for the *testing.T that a
// test has.)
func Example() {
	t, end := testOf()
	defer end()

	srv := sandboxtest.Start(t)
	m := newMailer(srv)
	if err := m.send("ada@contoso.example", "Welcome", "Hello Ada"); err != nil {
		t.Fatal(err)
	}
	for _, got := range srv.Messages() {
		fmt.Println(got.Mailbox, got.To, got.Subject, got.Text)
	}
	// Output:
	// noreply@contoso.example [ada@contoso.example] Welcome Hello Ada
}

// What a mailer does when Exchange is set up wrongly.
func ExampleFault() {
	t, end := testOf()
	defer end()

	srv := sandboxtest.Start(t, sandboxtest.Fault("smtp-auth-disabled-mailbox"))
	err := newMailer(srv).send("ada@contoso.example", "Welcome", "Hello Ada")
	fmt.Println("reply code:", code(err))
	// Output:
	// reply code: 535
}

// A mailer that tries again: the next two attempts fail, the third does not.
func ExampleServer_AddFault() {
	t, end := testOf()
	defer end()

	srv := sandboxtest.Start(t)
	m := newMailer(srv)
	srv.AddFault(t, "mailbox-server-busy,times=2")
	for {
		err := m.send("ada@contoso.example", "Welcome", "Hello Ada")
		if err == nil {
			break
		}
		fmt.Println("reply code:", code(err))
	}
	fmt.Println("messages:", len(srv.Messages()))
	// Output:
	// reply code: 432
	// reply code: 432
	// messages: 1
}

// A mailer that sends in the background.
func ExampleServer_Wait() {
	t, end := testOf()
	defer end()

	srv := sandboxtest.Start(t)
	go func() { _ = newMailer(srv).send("ada@contoso.example", "Welcome", "Hello Ada") }()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	messages, err := srv.Wait(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(messages[0].Subject)
	// Output:
	// Welcome
}
