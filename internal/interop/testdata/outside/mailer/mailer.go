// Package mailer is a program of others with a mailer of its own.
package mailer

import (
	"crypto/tls"
	"errors"
	"io"
	"net/smtp"
)

// Welcome welcomes a customer.
func Welcome(addr string, config *tls.Config, auth smtp.Auth, to string) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.StartTLS(config); err != nil {
		return err
	}
	if err := c.Auth(auth); err != nil {
		return err
	}
	if err := errors.Join(c.Mail("noreply@contoso.example"), c.Rcpt(to)); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "From: noreply@contoso.example\r\nTo: "+to+"\r\nSubject: Welcome\r\n\r\nHello\r\n")
	return errors.Join(err, w.Close(), c.Quit())
}
