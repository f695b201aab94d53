package trace

import (
	"bytes"
	"context"
	"fmt"
)

// Check reads a trace file to its end and says how whole it is, without
// analysing it: Notes.Ended and Notes.Closing of a file that is complete. It
// is for files that may still be written; a file that exists is not yet one
// that is whole.
func Check(ctx context.Context, path string) (Notes, error) {
	var notes Notes
	src, err := open(ctx, path, Limits{})
	if err != nil {
		return notes, err
	}
	defer src.close()
	d := document{w: newWindow(src), notes: &notes, event: func(e *event, _ []byte) error {
		if e.ph != 'X' && bytes.Equal(e.name, closingRecord) {
			notes.Closing = true
		}
		return nil
	}}
	if err := d.read(); err != nil {
		return notes, fmt.Errorf("checking %s: %w", path, err)
	}
	return notes, nil
}

var closingRecord = []byte("Record Window End")

// Complete says that the document closes, nothing of it was lost, and it has
// the record that PyTorch writes last.
func (n Notes) Complete() bool { return n.Ended && n.Closing && n.Cut == "" && n.Malformed == 0 }
