package main

import (
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
)

func runExplainList(g *globals, args []string) error {
	if len(args) > 0 {
		return exit.Usagef("--list takes no argument")
	}
	entries := diagnosis.Entries()
	if g.json {
		type item struct {
			Code  string          `json:"code"`
			Class diagnosis.Class `json:"class"`
			Title string          `json:"title"`
		}
		var items []item
		for _, e := range entries {
			items = append(items, item{e.Code, e.Class, e.Title})
		}
		g.JSON(map[string]any{"entries": items, "exit_code": exit.OK})
		return nil
	}
	width := 0
	for _, e := range entries {
		width = max(width, len(e.Code))
	}
	for _, e := range entries {
		g.Printf("%-*s  %-13s  %s\n", width, e.Code, e.Class, e.Title)
	}
	return nil
}
