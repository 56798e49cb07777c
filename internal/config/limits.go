package config

import (
	"io"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// readLimited reads at most limit octets; else its error is ownfile.ErrTooLarge.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, ownfile.ErrTooLarge
	}
	return data, nil
}
