package tokencache

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"
)

// A sealed record is magic, version, line end, and the output of AES-256-GCM
// with a random nonce in front, which authenticates the header and the ID.
const (
	magic  = "tokencache "
	header = magic + "1\n"
)

// maxSealed bounds what is read, in octets. A token is a few kB; one with
// 64 KiB, the most that package xoauth2 sends, still fits.
const maxSealed = 256 << 10

// What a file may be in place of a record of this version.
var (
	errForeign = errors.New("not a record of this package")
	errVersion = errors.New("record of another version of this package")
	errDamaged = errors.New("damaged, or encrypted with another credential")
)

// wireRecord is the plain text of a sealed record, as JSON on one line. The access token
// is the next line: to read it out of JSON costs as much as all else of a record. Older
// files have it in the JSON, as access_token.
type wireRecord struct {
	TokenType string       `json:"token_type,omitempty"`
	Expiry    time.Time    `json:"expiry,omitzero"`
	Obtained  time.Time    `json:"obtained,omitzero"`
	Refusal   *wireRefusal `json:"refusal,omitempty"`
}

type wireRefusal struct {
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
	Detail []byte    `json:"detail,omitempty"`
}

func sealRecord(key Key, r *Record) ([]byte, error) {
	var wire wireRecord
	if r.Token != nil {
		wire = wireRecord{TokenType: r.Token.TokenType, Expiry: r.Token.Expiry.Round(0), Obtained: r.Obtained.Round(0)}
	}
	if r.Refusal != nil {
		wire.Refusal = &wireRefusal{Text: r.Refusal.Text, At: r.Refusal.At.Round(0), Detail: r.Refusal.Detail}
	}
	plain, err := json.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	if r.Token != nil {
		plain = append(append(plain, '\n'), r.Token.AccessToken...)
	}
	aead, err := key.aead()
	if err != nil {
		return nil, err
	}
	sealed := aead.Seal([]byte(header), nil, plain, []byte(header+key.id))
	if len(sealed) > maxSealed {
		return nil, fmt.Errorf("record is longer than %d octets", maxSealed)
	}
	return sealed, nil
}

func openRecord(key Key, sealed []byte) (*Record, error) {
	body, ok := bytes.CutPrefix(sealed, []byte(header))
	if !ok {
		if bytes.HasPrefix(sealed, []byte(magic)) {
			return nil, errVersion
		}
		return nil, errForeign
	}
	aead, err := key.aead()
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, body, []byte(header+key.id))
	if err != nil {
		return nil, errDamaged
	}
	r, ok := decodeRecord(plain)
	if !ok {
		return nil, errDamaged // a cause would quote what was decrypted
	}
	return r, nil
}

// decodeRecord reads a wireRecord. It goes by way of a map, because what package json
// prepares for a struct costs more than all else that a warm token takes.
func decodeRecord(plain []byte) (r *Record, ok bool) {
	var all map[string]any
	object, accessToken, beside := bytes.Cut(plain, []byte("\n"))
	if err := json.Unmarshal(object, &all); err != nil {
		return nil, false
	}
	r = &Record{}
	f := fields{values: all}
	token := string(accessToken)
	if !beside {
		token = f.text("access_token")
	}
	if token != "" {
		r.Token = &oauth2.Token{AccessToken: token, TokenType: f.text("token_type"), Expiry: f.time("expiry")}
		r.Obtained = f.time("obtained")
	}
	refusal, isObject := all["refusal"].(map[string]any)
	if isObject {
		g := fields{values: refusal}
		r.Refusal = &Refused{Text: g.text("text"), At: g.time("at")}
		if detail := g.text("detail"); detail != "" {
			var err error
			r.Refusal.Detail, err = base64.StdEncoding.DecodeString(detail)
			g.wrong = g.wrong || err != nil
		}
		f.wrong = f.wrong || g.wrong
	}
	otherType := all["refusal"] != nil && !isObject
	f.wrong = f.wrong || otherType
	return r, !f.wrong
}

// fields are those of a JSON object; wrong is set when one had another type.
type fields struct {
	values map[string]any
	wrong  bool
}

// text is a string, "" when it is not there.
func (f *fields) text(name string) string {
	s, isText := f.values[name].(string)
	if f.values[name] != nil && !isText {
		f.wrong = true
	}
	return s
}

// time is the zero time when it is not there.
func (f *fields) time(name string) (t time.Time) {
	if s := f.text(name); s != "" && t.UnmarshalText([]byte(s)) != nil {
		f.wrong = true
	}
	return t
}

func (k Key) aead() (cipher.AEAD, error) {
	if k.IsZero() {
		return nil, errNoKey
	}
	block, err := aes.NewCipher(k.seal[:])
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	return aead, nil
}
