package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers are the rooms and what each may import: itself, and the rooms named.
// The arrows point one way (docs/architecture.md).
var layers = map[string][]string{
	"cmd":       {"tui", "profiling", "bench", "sources", "themes"},
	"tui":       {"profiling", "bench", "sources", "themes"},
	"profiling": {"sources"},
	"bench":     {"sources"},
	"sources":   {},
	"themes":    {},
}

// private are imports that only the named package may have.
var private = map[string]string{
	"github.com/NimbleMarkets/ntcharts":     "dynascope/tui/chart",
	"github.com/NVIDIA/go-nvml":             "dynascope/sources/gpu",
	"github.com/prometheus/prometheus/tsdb": "dynascope/sources/embedded",
}

func TestLayers(t *testing.T) {
	for _, p := range listPackages(t) {
		room := roomOf(p.ImportPath)
		allowed, known := layers[room]
		if !known {
			t.Errorf("%s: no room %q; architecture.md names the rooms", p.ImportPath, room)
		}
		for _, in := range p.Imports {
			if strings.HasPrefix(in, "dynascope/") {
				if to := roomOf(in); to != room && !contains(allowed, to) {
					t.Errorf("%s imports %s: %s may import %v", p.ImportPath, in, room, allowed)
				}
			}
			for lib, owner := range private {
				if (in == lib || strings.HasPrefix(in, lib+"/")) && p.ImportPath != owner {
					t.Errorf("%s imports %s: only %s may", p.ImportPath, in, owner)
				}
			}
			if in == "charm.land/bubbletea/v2" && room != "tui" && room != "cmd" {
				t.Errorf("%s imports Bubble Tea", p.ImportPath)
			}
			// panetest plays the feed for panes: it alone may know the catalogue.
			isPane := strings.HasPrefix(p.ImportPath, "dynascope/tui/pane") && p.ImportPath != "dynascope/tui/pane/panetest"
			if isPane && strings.HasPrefix(in, "dynascope/sources/") && in != "dynascope/sources/text" && in != "dynascope/sources/stat" {
				t.Errorf("%s imports %s: a pane reaches no source", p.ImportPath, in)
			}
		}
		if strings.TrimSpace(p.Doc) == "" && p.Name != "main" {
			t.Errorf("%s: no package comment", p.ImportPath)
		}
	}
}

type listed struct {
	ImportPath, Name, Doc string
	Imports               []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Imports", "dynascope/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list packages: %v\n%s", err, stderr.String())
	}
	var all []listed
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("read the package list: %v", err)
		}
		all = append(all, p)
	}
}

func roomOf(path string) string {
	rest := strings.TrimPrefix(path, "dynascope/")
	room, _, _ := strings.Cut(rest, "/")
	return room
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
