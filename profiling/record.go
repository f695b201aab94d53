package profiling

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"dynascope/sources/text"
)

// Schema names the form of a record.
const Schema = "dynascope.profile/1"

// Record is what is known of one session: the content of a state file.
// Durations are ns, sizes bytes.
type Record struct {
	Schema   string    `json:"schema"`
	Phase    Phase     `json:"phase"`
	Words    string    `json:"words,omitempty"` // why it is there
	User     string    `json:"user"`
	PID      int       `json:"pid"`
	Host     string    `json:"host,omitempty"` // where the console ran
	Began    time.Time `json:"began"`
	Changed  time.Time `json:"changed"`
	Sent     bool      `json:"sent,omitempty"`     // a start left, or was about to
	Producer string    `json:"producer,omitempty"` // whose route it was; the next start tries it first
	Plan     Plan      `json:"plan"`
	Files    []File    `json:"files,omitempty"`
	Missing  []string  `json:"missing,omitempty"` // "TP 1", "TP 0 DECODE"
}

// mostRecord bounds a state file, which any user may have written.
const mostRecord = 256 << 10

// parseRecord reads a state file. An empty one is no session. Strings are
// stripped: another user wrote them.
func parseRecord(raw []byte) (r Record, err error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return Record{}, nil
	}
	if len(raw) > mostRecord {
		return Record{}, fmt.Errorf("read a profile state: longer than %d bytes", mostRecord)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return Record{}, fmt.Errorf("read a profile state: %s", text.Safe(err.Error(), 200))
	}
	if r.Schema != Schema {
		return Record{}, fmt.Errorf("read a profile state: its schema is %q", text.Clean(r.Schema, 60))
	}
	clean := func(s *string, n int) { *s = text.Clean(*s, n) }
	clean(&r.Words, 600)
	clean(&r.User, 60)
	clean(&r.Host, 100)
	clean(&r.Producer, 40)
	clean((*string)(&r.Phase), 30)
	clean(&r.Plan.Worker.URL, 300)
	clean(&r.Plan.Worker.Engine, 30)
	if !idForm.MatchString(r.Plan.ID) {
		r.Plan.ID = ""
	}
	clean(&r.Plan.Dir, 4096)
	clean(&r.Plan.Pool, 200)
	for i := range r.Files {
		clean(&r.Files[i].Path, 4096)
		clean(&r.Files[i].Rank, 60)
		clean(&r.Files[i].Trouble, 400)
	}
	for i := range r.Missing {
		clean(&r.Missing[i], 60)
	}
	return r, nil
}

func (r Record) marshal() []byte {
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings, numbers and times
	}
	return append(raw, '\n')
}
