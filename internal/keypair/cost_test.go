package keypair_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	stdpbkdf2 "crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// The objects of the files that follow.
var (
	oidData      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncrypted = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidPBES2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	oidPBMAC1    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oid3DES      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	oidAES256    = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	oidSHA256    = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidHMAC      = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
)

func der(v any) []byte {
	data, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func algorithm(oid asn1.ObjectIdentifier, parameters any) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: der(parameters)}}
}

func explicit(content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: content}
}

func pbkdf2(rounds int) pkix.AlgorithmIdentifier {
	return algorithm(oidPBKDF2, struct {
		Salt   []byte
		Rounds int
		Length int
		PRF    pkix.AlgorithmIdentifier
	}{[]byte("saltsalt"), rounds, 32, algorithm(oidHMAC, asn1.NullRawValue)})
}

func scrypt(n, r, p int) pkix.AlgorithmIdentifier {
	return algorithm(oidScrypt, struct {
		Salt    []byte
		N, R, P int
	}{[]byte("saltsalt"), n, r, p})
}

func pbes2(kdf pkix.AlgorithmIdentifier, iv int) pkix.AlgorithmIdentifier {
	return algorithm(oidPBES2, struct{ KDF, Cipher pkix.AlgorithmIdentifier }{kdf, algorithm(oidAES256, make([]byte, iv))})
}

// encryptedKey is PKCS #8 that no password opens.
func encryptedKey(kdf pkix.AlgorithmIdentifier, iv, length int) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{pbes2(kdf, iv), make([]byte, length)})})
}

// content is a ContentInfo (RFC 2315 7).
type content struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue
}

func pfx(safe content, mac any) []byte {
	all := content{oidData, explicit(der(der([]content{safe})))}
	if mac == nil {
		return der(struct {
			Version int
			Safe    content
		}{3, all})
	}
	return der(struct {
		Version int
		Safe    content
		MAC     asn1.RawValue
	}{3, all, asn1.RawValue{FullBytes: der(mac)}})
}

func macData(of pkix.AlgorithmIdentifier, rounds int) any {
	type digest struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	return struct {
		MAC    digest
		Salt   []byte
		Rounds int
	}{digest{of, make([]byte, 32)}, []byte("saltsalt"), rounds}
}

func encryptedSafe(by pkix.AlgorithmIdentifier, data []byte) content {
	return content{oidEncrypted, explicit(der(struct {
		Version int
		Content struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Data      []byte `asn1:"tag:0"`
		}
	}{Content: struct {
		Type      asn1.ObjectIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte `asn1:"tag:0"`
	}{oidData, by, data}}))}
}

// manyRounds would take minutes, on any machine.
const manyRounds = 1<<31 - 1

// TestCostlyFilesAreRefused: what a file asks for may take years, or all memory.
func TestCostlyFilesAreRefused(t *testing.T) {
	w := newWorkshop(t)
	sha, plain := algorithm(oidSHA256, asn1.NullRawValue), content{oidData, explicit(der([]byte{0x30, 0}))}
	certificate := w.get("client.crt")
	withKey := func(kdf pkix.AlgorithmIdentifier) []byte {
		return append(bytes.Clone(certificate), encryptedKey(kdf, 16, 64)...)
	}
	pbe := func(rounds int) pkix.AlgorithmIdentifier {
		return algorithm(oid3DES, struct {
			Salt   []byte
			Rounds int
		}{[]byte("saltsalt"), rounds})
	}
	pbmac := algorithm(oidPBMAC1, struct{ KDF, MAC pkix.AlgorithmIdentifier }{pbkdf2(manyRounds), algorithm(oidHMAC, asn1.NullRawValue)})
	for name, tt := range map[string]struct {
		file     []byte
		password string
		want     error
	}{
		"PBKDF2":                {withKey(pbkdf2(manyRounds)), "pw", keypair.ErrCost},
		"PBKDF2 for years":      {withKey(pbkdf2(1 << 62)), "pw", keypair.ErrCost},
		"memory of scrypt":      {withKey(scrypt(1<<40, 8, 1)), "pw", keypair.ErrCost},
		"blocks of scrypt":      {withKey(scrypt(2, 1<<40, 1)), "pw", keypair.ErrCost},
		"time of scrypt":        {withKey(scrypt(1<<14, 8, 1<<20)), "pw", keypair.ErrCost},
		"MAC":                   {pfx(plain, macData(sha, manyRounds)), "pw", keypair.ErrCost},
		"PBMAC1":                {pfx(plain, macData(pbmac, 1)), "pw", keypair.ErrCost},
		"PKCS #12 by PBES2":     {pfx(encryptedSafe(pbes2(pbkdf2(manyRounds), 16), make([]byte, 64)), nil), "", keypair.ErrCost},
		"PKCS #12 by 3DES":      {pfx(encryptedSafe(pbe(manyRounds), make([]byte, 64)), nil), "", keypair.ErrCost},
		"a long key":            {append(bytes.Clone(certificate), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: make([]byte, 1<<17)})...), "", keypair.ErrLongKey},
		"a long key, encrypted": {append(bytes.Clone(certificate), encryptedKey(pbkdf2(1), 16, 1<<17)...), "pw", keypair.ErrLongKey},
	} {
		p, err := keypair.Read(t.Context(), keypair.Files{Certificate: w.put("costly", tt.file), Password: secret.New(tt.password)})
		if err == nil {
			_, _, err = p.Signer()
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.openssl("pkcs8 -topk8 -in client.key -iter 1000000 -out many.key -passout pass:pw")
	if _, err := keypair.Read(t.Context(), keypair.Files{Certificate: w.path("client.crt"), Key: w.path("many.key"), Password: secret.New("pw")}); err != nil {
		t.Errorf("a million rounds: %v", err)
	}
}

// TestTornCiphersAreRefused, by which the library panics.
func TestTornCiphersAreRefused(t *testing.T) {
	w := newWorkshop(t)
	for name, key := range map[string][]byte{
		"a short IV": encryptedKey(pbkdf2(1), 5, 64), "no IV": encryptedKey(pbkdf2(1), 0, 64), "half a block": encryptedKey(pbkdf2(1), 16, 65), "nothing": encryptedKey(pbkdf2(1), 16, 0),
	} {
		_, err := keypair.Read(t.Context(), keypair.Files{Certificate: w.put("torn", "client.crt", key), Password: secret.New("pw")})
		if !errors.Is(err, keypair.ErrWrongPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCostsThatAreEncryptedThemselves end with the caller: no one sees them before.
func TestCostsThatAreEncryptedThemselves(t *testing.T) {
	type bag struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	key, _ := pem.Decode(encryptedKey(pbkdf2(manyRounds), 16, 64))
	plain := der([]bag{{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}, explicit(key.Bytes)}})
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	plain = append(plain, bytes.Repeat([]byte{byte(padding)}, padding)...)
	by, err := stdpbkdf2.Key(sha256.New, "", []byte("saltsalt"), 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(by)
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(plain, plain)
	w := workshop{t, t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = keypair.Read(ctx, keypair.Files{Certificate: w.put("nested", pfx(encryptedSafe(pbes2(pbkdf2(1), 16), plain), nil))})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
