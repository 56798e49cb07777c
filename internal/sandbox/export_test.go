package sandbox

import (
	"crypto/rsa"
	"encoding/json"
	"io"
	"time"
)

// DetailJSON is what the API shows of content.
func DetailJSON(content io.Reader) ([]byte, error) {
	return json.Marshal(readDetail(Message{}, content))
}

// VerifyToken is what AUTH does with a token.
func VerifyToken(key *rsa.PrivateKey, token string) error {
	issuer, err := newTokenIssuer(key)
	if err != nil {
		return err
	}
	_, err = issuer.verify(token, time.Now())
	return err
}
