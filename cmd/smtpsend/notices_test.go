package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/licences"
)

// The systems that smtpsend is made for.
var systems = []string{"linux", "darwin", "windows", "freebsd"}

// linkedModule is a module that is part of the program.
type linkedModule struct {
	path, version, dir string
	systems            []string
	dirs, files        map[string]bool // of its packages that are linked in
}

// linkedModules asks the go command what is linked in on each system.
func linkedModules(t *testing.T) []*linkedModule {
	t.Helper()
	modules := make(map[string]*linkedModule)
	for _, system := range systems {
		for _, arch := range []string{"amd64", "arm64"} {
			cmd := exec.Command("go", "list", "-deps", "-json=Dir,Module,GoFiles", ".")
			cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0")
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v for %s/%s: %v", cmd.Args, system, arch, err)
			}
			for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
				var p struct {
					Dir     string
					Module  *listedModule
					GoFiles []string
				}
				if err := d.Decode(&p); err != nil {
					t.Fatal(err)
				}
				if of, dir, ok := copyOf(t, p.Dir); ok {
					p.Module, p.Dir = &of, dir
					p.GoFiles = slices.DeleteFunc(p.GoFiles, func(name string) bool { return name == "start.go" }) // only in the copy
				}
				if p.Module == nil || p.Module.Version == "" {
					continue // of Go, or ours
				}
				m := modules[p.Module.Path]
				if m == nil {
					m = &linkedModule{p.Module.Path, p.Module.Version, p.Module.Dir, nil, make(map[string]bool), make(map[string]bool)}
					modules[m.path] = m
				}
				m.dirs[p.Dir] = true
				for _, file := range p.GoFiles {
					m.files[filepath.Join(p.Dir, file)] = true
				}
				if !slices.Contains(m.systems, system) {
					m.systems = append(m.systems, system)
				}
			}
		}
	}
	return slices.SortedFunc(maps.Values(modules), func(a, b *linkedModule) int { return cmp.Compare(a.path, b.path) })
}

// listedModule is a module as the go command describes it.
type listedModule struct{ Path, Version, Dir string }

// copies are the modules of which packages are copied into this tree (decision 0008),
// and the package of each that is at the top of the copies.
var copies = map[string]struct{ module, top string }{
	"goldmark": {"github.com/yuin/goldmark", ""}, "yaml": {"go.yaml.in/yaml/v3", ""},
	"html": {"golang.org/x/net", "html"},
}

// copyOf is the module that a package below internal/thirdparty is copied from, and
// the directory there.
func copyOf(t *testing.T, dir string) (m listedModule, original string, ok bool) {
	t.Helper()
	_, below, ok := strings.Cut(filepath.ToSlash(dir), "/internal/thirdparty/")
	if !ok {
		return m, "", false
	}
	first, rest, _ := strings.Cut(below, "/")
	out, err := exec.Command("go", "list", "-m", "-json=Path,Version,Dir", copies[first].module).Output()
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m, filepath.Join(m.Dir, copies[first].top, filepath.FromSlash(rest)), true
}

// notOurs are files with licences of what is not linked in.
var notOurs = map[string]string{
	"modernc.org/memory LICENSE-LOGO":         "a picture",
	"modernc.org/sqlite LICENSE-SQLITE_VEC":   "package vec",
	"modernc.org/sqlite LICENSE-3RD-PARTY.md": "mostly of its tests; TestNoticesHaveWhatSQLiteNames looks into it",
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents|unlicense)([.-].*)?$`)
	spdxLicence = regexp.MustCompile(`(?m)^// SPDX-License-Identifier: (.*)$`)
	spdxNotice  = regexp.MustCompile(`(?m)^// SPDX-FileCopyrightText: (.*)$`)
	permission  = regexp.MustCompile(`Permission is hereby granted|Permission to use, copy|Redistribution and use`)
	commentMark = regexp.MustCompile(`(?m)^(//|/\*| \*/?|\*/) ?`)
)

// texts are the licences and notices of a module: its files of that kind, in its
// top directory and in those of what is linked in, and what its source files say
// beyond that.
func (m *linkedModule) texts(t *testing.T) []string {
	t.Helper()
	dirs := map[string]bool{m.dir: true}
	for dir := range m.dirs {
		for ; len(dir) > len(m.dir); dir = filepath.Dir(dir) {
			dirs[dir] = true
		}
	}
	var texts []string
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() && licenceFile.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" && notOurs[m.path+" "+e.Name()] == "" {
				texts = append(texts, readText(t, filepath.Join(dir, e.Name())))
			}
		}
	}
	if len(texts) == 0 {
		t.Errorf("%s has no file with its licence", m.path)
	}
	return append(texts, m.fromSources(t, texts)...)
}

// fromSources finds what source files say of their authors and licences, by
// SPDX lines or by a licence of their own before the package clause.
func (m *linkedModule) fromSources(t *testing.T, known []string) []string {
	t.Helper()
	licences, holders := make(map[string]bool), make(map[string]bool)
	var texts []string
	for _, file := range slices.Sorted(maps.Keys(m.files)) {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before, _, _ := bytes.Cut(source, []byte("\npackage "))
		head := tidy(string(before))
		for _, match := range spdxLicence.FindAllStringSubmatch(head, -1) {
			for id := range strings.SplitSeq(match[1], " AND ") {
				licences[id] = true
			}
		}
		for _, match := range spdxNotice.FindAllStringSubmatch(head, -1) {
			holders[match[1]] = true
		}
		if permission.MatchString(head) {
			texts = append(texts, tidy(commentMark.ReplaceAllString(head, "")))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(licences)) {
		texts = append(texts, readText(t, filepath.Join(m.dir, "LICENSES", id+".txt")))
	}
	if len(holders) > 0 {
		texts = append(texts, "Copyright of files of "+m.path+":\n\n"+strings.Join(slices.Sorted(maps.Keys(holders)), "\n")+"\n")
	}
	return slices.DeleteFunc(texts, func(text string) bool {
		return slices.ContainsFunc(known, func(k string) bool { return words(k) == words(text) })
	})
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return tidy(string(text))
}

// tidy gives a text lines that end with LF, without blanks before that, and
// takes away what is no text.
func tidy(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = regexp.MustCompile(`[ \t\f\r]+(\n|$)`).ReplaceAllString(text, "$1")
	return strings.Trim(text, "\n") + "\n"
}

// words is a text for comparison, however its lines are broken.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// kinds are the licences that a program may carry that is itself under MIT, and
// is given away as a binary: each by a phrase of its own, at the least.
var kinds = []struct{ name, phrase string }{
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files"},
	{"BSD", "Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following conditions are met"},
	{"Apache-2.0", "Licensed under the Apache License, Version 2.0"},
	{"Apache-2.0", "Apache License Version 2.0, January 2004"},
	{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"},
	{"public domain", "has been dedicated to the public domain by the authors"},
	{"patent grant", "Additional IP Rights Grant (Patents)"},
	{"notice", "Copyright of files of "},
}

// others are phrases of licences that ask for more.
var others = regexp.MustCompile(`(?i)GNU (lesser |library |affero )?general public|mozilla public license|creative commons|common development and distribution|` +
	`eclipse public|european union public|business source license|server side public|commons clause|advertising materials mentioning|apple public source`)

// kindsOf names the licences in a text. It is an error when there is none that
// is known, or one that is not wanted.
func kindsOf(text string) ([]string, error) {
	text = words(text)
	if other := others.FindString(text); other != "" {
		return nil, fmt.Errorf("a licence that asks for more: %q", other)
	}
	var names []string
	for _, k := range kinds {
		if strings.Contains(text, k.phrase) && !slices.Contains(names, k.name) {
			names = append(names, k.name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no licence that is known: %.100q", text)
	}
	return names, nil
}

// document makes the text of all notices, each licence once.
type document struct {
	texts []string   // in order of their first use
	users [][]string // of each text
	rows  []string
}

func (d *document) add(t *testing.T, name, remark string, texts []string) {
	t.Helper()
	var names, numbers []string
	for _, text := range texts {
		found, err := kindsOf(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, kind := range found {
			if !slices.Contains(names, kind) {
				names = append(names, kind)
			}
		}
		n := slices.IndexFunc(d.texts, func(known string) bool { return words(known) == words(text) })
		if n < 0 {
			n = len(d.texts)
			d.texts, d.users = append(d.texts, text), append(d.users, nil)
		}
		if number := fmt.Sprint(n + 1); !slices.Contains(numbers, number) {
			d.users[n] = append(d.users[n], name)
			numbers = append(numbers, number)
		}
	}
	d.rows = append(d.rows, fmt.Sprintf("%s%s\n    %s; text %s\n", name, remark, strings.Join(names, ", "), strings.Join(numbers, ", ")))
}

func (d *document) String() string {
	var b strings.Builder
	b.WriteString(`Notices of third parties in smtpsend

smtpsend itself is under the MIT licence (text 1). The program contains parts of
Go and the modules below, each under the licence named there, whose text follows.
This is made from the modules by "go test ./cmd/smtpsend -update".

`)
	b.WriteString(strings.Join(d.rows, ""))
	for i, text := range d.texts {
		fmt.Fprintf(&b, "\n%s\nText %d: %s\n%[1]s\n\n%[4]s", strings.Repeat("=", 80), i+1, strings.Join(d.users[i], ", "), text)
	}
	return b.String()
}

// theNotices makes the document from the modules in use.
func theNotices(t *testing.T) string {
	t.Helper()
	var d document
	d.add(t, "smtpsend", "", []string{readText(t, "../../LICENSE")})
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	goRoot := strings.TrimSpace(string(out))
	d.add(t, "Go", ", standard library and runtime (smtpsend version names the version)", []string{
		readText(t, filepath.Join(goRoot, "LICENSE")), readText(t, filepath.Join(goRoot, "PATENTS"))})
	for _, m := range linkedModules(t) {
		remark := ""
		if len(m.systems) < len(systems) {
			remark = " (" + strings.Join(m.systems, ", ") + ")"
		}
		d.add(t, m.path+" "+m.version, remark, m.texts(t))
	}
	return d.String()
}

// TestNoticesAreThoseOfTheModules holds the notices, at the top and in the
// program, to the modules that go.mod names.
func TestNoticesAreThoseOfTheModules(t *testing.T) {
	want := theNotices(t)
	sameFile(t, "../../THIRD_PARTY_NOTICES.txt", func(string) string { return want })
	embedded, err := licences.Text()
	if err == nil && embedded == want {
		return
	}
	if !*update {
		t.Errorf("the program's notices are not as generated (%v): run go test ./cmd/smtpsend -update", err)
		return
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level that exists
	if _, err := io.WriteString(w, want); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../../internal/licences/notices.txt.gz", b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// SQLite's module says itself what of others it brings into a program. Each is
// here as a module, or in a text.
func TestNoticesHaveWhatSQLiteNames(t *testing.T) {
	text, err := licences.Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range linkedModules(t) {
		if m.path != "modernc.org/sqlite" {
			continue
		}
		if m.dirs[filepath.Join(m.dir, "vec")] || m.dirs[filepath.Join(m.dir, "vfs")] {
			t.Error("vec or vfs is linked in, and its licence left out")
		}
		_, list, _ := strings.Cut(readText(t, filepath.Join(m.dir, "LICENSE-3RD-PARTY.md")), "\n## 1. Components linked")
		list, _, _ = strings.Cut(list, "\n## ")
		rows := regexp.MustCompile(`(?m)^\| \[([^\]]+)\]`).FindAllStringSubmatch(list, -1)
		for _, row := range rows {
			if name := row[1]; !strings.Contains(text, name) && name != "sqlite-vec" && !strings.Contains(name, "test_demovfs.c") {
				t.Errorf("nothing about %s", name)
			}
		}
		if len(rows) < 10 {
			t.Errorf("only %d components found", len(rows))
		}
		return
	}
	t.Error("SQLite is not linked in")
}

func TestOnlyLicencesThatAskForLittle(t *testing.T) {
	for text, want := range map[string]string{
		"Permission is hereby granted, free of charge, to any person\nobtaining a copy of this software and associated\ndocumentation files": "MIT",
		"SQLite: has been dedicated to the\npublic domain by the authors.":                                                                   "public domain",
		"Licensed under the Apache License, Version 2.0 (the \"License\")":                                                                   "Apache-2.0",
		"This library is under the GNU Lesser General\nPublic License":                                                                       "",
		"Mozilla Public License Version 2.0":                                                                                                 "",
		"Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following conditions are met: " +
			"3. All advertising materials mentioning features": "",
		"All rights reserved.": "",
	} {
		names, err := kindsOf(text)
		if got := strings.Join(names, ", "); got != want || (err == nil) != (want != "") {
			t.Errorf("%.60q: %q, %v, want %q", text, got, err, want)
		}
	}
}
