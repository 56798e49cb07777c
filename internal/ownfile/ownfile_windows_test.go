package ownfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// TestRightsOfWindows judges rights as SDDL writes them: O is the owner, D the
// list; ME is this user.
func TestRightsOfWindows(t *testing.T) {
	us, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	const others, foreign = "may be written by others", "belongs neither to you"
	for sddl, want := range map[string]string{
		"O:MED:P(A;;FA;;;ME)":                               "",
		"O:SYD:(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;BU)":        "",
		"O:BAD:(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1200a9;;;BU)":  "", // what %ProgramData% gives a file of an administrator's
		"O:MED:P(A;;FA;;;ME)(A;OICIIO;FA;;;CO)(A;;FR;;;WD)": "",
		"O:MED:P(A;;FA;;;ME)(A;OICIIO;FA;;;BU)":             "", // for what is made in a directory
		"O:MED:P(D;;FW;;;BU)(A;;FA;;;ME)":                   "",
		"O:MED:P(A;;FA;;;ME)(A;;FW;;;WD)":                   others,
		"O:MED:P(A;;FA;;;ME)(A;;FA;;;BU)":                   others,
		"O:MED:P(A;;FA;;;ME)(A;;0x2;;;AU)":                  others,
		"O:MED:P(A;;FA;;;ME)(A;;0x4;;;BU)":                  others, // append
		"O:MED:P(A;;FA;;;ME)(A;;WD;;;BU)":                   others, // the rights themselves
		"O:MED:P(A;;FA;;;ME)(A;;WO;;;BU)":                   others, // the owner
		"O:MED:P(A;;FA;;;ME)(A;;GA;;;BG)":                   others,
		"O:MED:P(A;;FA;;;ME)(A;;GW;;;S-1-5-21-1-2-3-1001)":  others,
		"O:BUD:P(A;;FA;;;ME)":                               foreign,
		"O:S-1-5-21-1-2-3-1001D:P(A;;FA;;;ME)":              foreign,
		"O:WDD:P(A;;FA;;;ME)":                               foreign,
	} {
		rights, err := windows.SecurityDescriptorFromString(strings.ReplaceAll(sddl, "ME", us.User.Sid.String()))
		if err != nil {
			t.Logf("%s cannot be read here: %v", sddl, err)
			continue
		}
		var refused *ownfile.Error
		switch err := ownfile.Judge("f", rights, us.User.Sid); {
		case want == "" && err != nil:
			t.Errorf("%s: %v", sddl, err)
		case want != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v; want an *ownfile.Error with %q", sddl, err, want)
		}
	}
}

// A file without a list of rights is open to all.
func TestNoListOfRightsIsOpenToAll(t *testing.T) {
	us, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	for _, present := range []bool{true, false} {
		rights, err := windows.NewSecurityDescriptor()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(rights.SetOwner(us.User.Sid, false), rights.SetDACL(nil, present, false)); err != nil {
			t.Fatal(err)
		}
		if err := ownfile.Judge("f", rights, us.User.Sid); !errors.Is(err, ownfile.ErrOthersWrite) {
			t.Errorf("present %t: %v", present, err)
		}
	}
}

// The rights of a real file are read.
func TestTrustedFilesOfWindows(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f.env")
	for list, ok := range map[string]bool{"D:P(A;;FA;;;ME)": true, "D:P(A;;FA;;;ME)(A;;FA;;;WD)": false} {
		if err := os.WriteFile(name, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		us, err := windows.GetCurrentProcessToken().GetTokenUser()
		if err != nil {
			t.Fatal(err)
		}
		rights, err := windows.SecurityDescriptorFromString(strings.ReplaceAll(list, "ME", us.User.Sid.String()))
		if err != nil {
			t.Fatal(err)
		}
		dacl, _, err := rights.DACL()
		if err != nil {
			t.Fatal(err)
		}
		what := windows.SECURITY_INFORMATION(windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION)
		if err := windows.SetNamedSecurityInfo(name, windows.SE_FILE_OBJECT, what, nil, nil, dacl, nil); err != nil {
			t.Fatal(err)
		}
		f, err := ownfile.OpenTrusted(name)
		if err == nil {
			f.Close()
		}
		if (err == nil) != ok {
			t.Errorf("%s: %v", list, err)
		}
	}
	other := filepath.Join(filepath.Dir(name), "l")
	if err := os.Link(name, other); err != nil {
		t.Skip(err)
	}
	var refused *ownfile.Error
	if _, err := ownfile.OpenTrusted(other); !errors.As(err, &refused) || !strings.Contains(err.Error(), "hard link") {
		t.Errorf("a hard link: %v", err)
	}
}
