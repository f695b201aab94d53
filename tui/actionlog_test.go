package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestActionLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "actions.jsonl")
	log := NewActionLog(path)
	if list, err := log.Recent(5); err != nil || len(list) != 0 {
		t.Fatalf("%v, %v", list, err)
	}
	if err := log.Append(Sent{Time: noon, ID: "1", State: stateSent, Title: "t", Request: "POST http://h\n{\"password\": \"hunter2\"}\x1b[2J", Answer: "Authorization: Bearer hunter2abcdef"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if dir, err := os.Stat(filepath.Dir(path)); err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", dir.Mode(), err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(raw), "hunter2") || strings.Contains(string(raw), "\x1b") || strings.Count(string(raw), "\n") != 1 {
		t.Errorf("%q, %v", raw, err)
	}
	// A file that others could read is closed to them.
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := log.Append(Sent{Time: noon.Add(time.Second), ID: "1", State: stateOK, Title: "t", Request: "POST", TookMS: 1000}); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
	list, err := log.Recent(5)
	if err != nil || len(list) != 1 || list[0].State != stateOK || !list[0].Time.Equal(noon) {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestActionLogIsShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "actions.jsonl")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			log := NewActionLog(path)
			for j := range 5 {
				if err := log.Append(Sent{Time: noon, ID: fmt.Sprint(i, "-", j), State: stateSent, Title: strings.Repeat("x", 3000)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if list, err := NewActionLog(path).Recent(100); err != nil || len(list) != 20 {
		t.Errorf("%d, %v", len(list), err)
	}
}

func TestReadSent(t *testing.T) {
	raw := "cut off\"}\n" + `{"id":"a","state":"sent","title":"A"}` + "\nnull\n[]\n" + `{"id":"b","state":"sent","title":"B"}` + "\n" +
		`{"id":"a","state":"failed","title":"A","error":"no"}` + "\n" + `{"id":"c","sta`
	list := readSent([]byte(raw), 10)
	if len(list) != 2 || list[0].ID != "b" || list[0].State != stateSent || list[1].State != stateFailed {
		t.Errorf("%+v", list)
	}
	if list := readSent([]byte(raw), 1); len(list) != 1 || list[0].ID != "b" {
		t.Errorf("%+v", list)
	}
}

func FuzzReadSent(f *testing.F) {
	f.Add([]byte(`{"id":"a","state":"sent","title":"A","request":"POST"}` + "\n" + `{"id":"a","state":"ok","answer":"\u001b[2J"}`))
	f.Add([]byte("{}\n{\"id\":1}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if n := len(readSent(raw, 7)); n > 7 {
			t.Errorf("%d entries", n)
		}
	})
}
