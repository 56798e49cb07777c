// Package setting is the table of all settings: what each is called, here and in enaio,
// what it is for, its default, and where its value may come from. Package config loads
// values by it; the example file, the manual and imports are written by it.
package setting

import "strings"

// Prefix begins the name of every variable.
const Prefix = "SMTPSEND_"

// EnvFile is the variable, without Prefix, that names the env file. It is not a setting:
// it is read from the environment only.
const EnvFile = "ENV_FILE"

// CredentialPrefix begins the names of our systemd credentials; the setting's
// name in lower case follows.
const CredentialPrefix = "smtpsend."

// TenantPlaceholder is in the token endpoint where the tenant goes, as enaio writes it.
const TenantPlaceholder = "#TenantID#"

// NotifyCommand is the setting of the program that is told of incidents. Its value is
// several words, which may hold a secret.
const NotifyCommand = "NOTIFY_COMMAND"

// Setting describes one setting.
type Setting struct {
	Name     string // without the prefix, such as "MAIL_SERVER"
	Registry string // enaio server's registry entry, "" if it has none
	YAML     string // enaio webclient's key below featureSwitches.sendEmail, "" if it has none
	Azure    string // AZURE_ variable that is read when it is unset, "" for none
	Task     string // variable of a task of Azure Pipelines with a service connection, read after Azure, "" for none
	Default  string // for people; the value itself unless it is in brackets
	Comment  string // one or more sentences for example file and manual
	Example  string // a value that it could have
	Group    string // heading in the example file
	Required bool   // no token can be had without it
	Secret   bool   // masked when shown; also read from _FILE, _COMMAND and a systemd credential
	Command  bool   // several words that run; its arguments are masked, and it is not a flag
	Path     bool   // names a file or directory
}

// Variable returns the name of the environment variable.
func (s Setting) Variable() string { return Prefix + s.Name }

// Ambient is the value that a variable of Azure's has for it, and the variable's name;
// both are "" when none has one.
func (s Setting) Ambient(environ map[string]string) (name, value string) {
	for _, name := range []string{s.Azure, s.Task} {
		if value := environ[name]; name != "" && value != "" {
			return name, value
		}
	}
	return "", ""
}

// EnaioNames are what enaio calls it, its registry entry before the key in YAML; none
// for a setting of ours.
func (s Setting) EnaioNames() []string {
	var names []string
	if s.Registry != "" {
		names = append(names, s.Registry)
	}
	if s.YAML != "" {
		names = append(names, s.YAML)
	}
	return names
}

// All returns the table of all settings, group by group. It is the same for all callers,
// none of whom changes it.
func All() []Setting { return table() }

// Named returns the setting of that name, without the prefix.
func Named(name string) (Setting, bool) {
	all := table()
	for i := range all { // a Setting is large, and this is asked for every name that is met
		if all[i].Name == name {
			return all[i], true
		}
	}
	return Setting{}, false
}

// IsSecretWay reports whether name, without the prefix, is that of a secret with the
// given suffix: "", "_FILE" or "_COMMAND".
func IsSecretWay(name, suffix string) bool {
	base, ok := strings.CutSuffix(name, suffix)
	s, known := Named(base)
	return ok && known && s.Secret
}

// Names returns every name, without the prefix, that something reads.
func Names() []string {
	names := []string{EnvFile}
	for _, s := range table() {
		names = append(names, s.Name)
		if s.Secret {
			names = append(names, s.Name+"_FILE", s.Name+"_COMMAND")
		}
	}
	return names
}
