package ownfile

import (
	"errors"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

const noFollow, nonBlock = 0, 0

func isLink(error) bool { return false }

// linksOf is 1: see checkTrusted, which asks the open file.
func linksOf(fs.FileInfo) uint64 { return 1 }

// checkOwn has nothing to look at: Windows keeps owner and rights in lists that
// a file inherits from the user's own directories.
func checkOwn(string, fs.FileInfo, fs.FileMode) error { return nil }

func ownerOf(fs.FileInfo) (uid int, ok bool) { return 0, false }

func groupMayLead(fs.FileInfo) bool { return false }

func rootOrUs(int) bool { return true }

// errOpenFile is for systems where a path can lead to what a process has open.
var errOpenFile = errors.New("leads to what a process has open")

// openTrusted refuses a link in the file's place.
func openTrusted(name string) (*os.File, error) {
	if info, err := os.Lstat(name); err == nil && info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
		return nil, refused(name, "is a link: give the path that it leads to")
	}
	return os.Open(name)
}

// checkTrusted refuses a file that another user owns or may write: in
// %ProgramData% every user may make folders and files.
func checkTrusted(name string, f *os.File, _ fs.FileInfo) error {
	handle := windows.Handle(f.Fd())
	var about windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(handle, &about); err != nil {
		return err
	}
	if about.NumberOfLinks > 1 {
		return refused(name, "has a second name (a hard link), through which others may reach it: use a copy")
	}
	rights, err := windows.GetSecurityInfo(handle, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	us, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	return judge(name, rights, us.User.Sid)
}

// judge refuses rights of others. A file without a list is open to all.
func judge(name string, rights *windows.SECURITY_DESCRIPTOR, us *windows.SID) error {
	owner, _, err := rights.Owner()
	if err != nil || owner == nil || !trusted(owner, us) {
		return refused(name, "belongs neither to you, nor to SYSTEM, nor to the administrators: use a copy of your own")
	}
	list, _, err := rights.DACL()
	if err != nil || list == nil || othersMayWrite(list, us) {
		return &Error{name, `may be written by others: icacls "` + name + `" /inheritance:r /grant:r "%USERNAME%:F" "*S-1-5-18:F" "*S-1-5-32-544:F"`, ErrOthersWrite}
	}
	return nil
}

// trusted reports SYSTEM, the administrators, the installer of Windows and us.
func trusted(who, us *windows.SID) bool {
	const installer = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
	return who.Equals(us) || who.IsWellKnown(windows.WinLocalSystemSid) || who.IsWellKnown(windows.WinBuiltinAdministratorsSid) ||
		who.IsWellKnown(windows.WinCreatorOwnerSid) || who.IsWellKnown(windows.WinCreatorOwnerRightsSid) || who.String() == installer
}

// othersMayWrite reports an entry of the list that lets anyone else change the
// file or its rights.
func othersMayWrite(list *windows.ACL, us *windows.SID) bool {
	const write = windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA | windows.WRITE_DAC | windows.WRITE_OWNER |
		windows.GENERIC_WRITE | windows.GENERIC_ALL
	for i := range list.AceCount {
		var entry *windows.ACCESS_ALLOWED_ACE
		if windows.GetAce(list, uint32(i), &entry) != nil {
			return true
		}
		allows := entry.Header.AceType == windows.ACCESS_ALLOWED_ACE_TYPE && entry.Header.AceFlags&windows.INHERIT_ONLY_ACE == 0
		if allows && entry.Mask&write != 0 && !trusted((*windows.SID)(unsafe.Pointer(&entry.SidStart)), us) {
			return true
		}
	}
	return false
}

// giveLike does nothing here: the directory says whose a new file is.
func giveLike(*os.File, string, fs.FileInfo) error { return nil }

// giveGroup does nothing here, as giveLike.
func giveGroup(*os.File, fs.FileInfo) error { return nil }
