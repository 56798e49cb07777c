package store_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

func TestFileSystemsAreJudged(t *testing.T) {
	for magic, want := range map[int64]store.Trust{
		0x6969: store.Refused, 0xff534d42: store.Refused, 0x65735546: store.Refused, 0x01021997: store.Refused,
		0x794c7630: store.Doubtful, 0x01021994: store.Doubtful,
		0xef53: store.Good, 0x58465342: store.Good, 0x9123683e: store.Good, // ext4, XFS, Btrfs
	} {
		if kind, level := store.Judge(magic); level != want || (kind == "") != (want == store.Good) {
			t.Errorf("%#x is %q, %d, want %d", magic, kind, level, want)
		}
	}
}
