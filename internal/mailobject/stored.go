package mailobject

import "io"

// Stored is a content that was composed before and is kept elsewhere: size
// octets as WriteTo gave them, read anew from open for each writing. eightBit
// says whether an octet above 127 occurs. WriteTo gives the error of open or of
// its reader as it is, and fails when the content has another size.
func Stored(size int64, eightBit bool, open func() (io.ReadCloser, error)) *Content {
	return NewContent(eightBit, stored{size, open})
}

// stored is octets that a reader has.
type stored struct {
	length int64
	open   func() (io.ReadCloser, error)
}

func (s stored) Size() int64 { return s.length }

func (s stored) Write(w io.Writer) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return err
}
