package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/prometheus/tsdb/fileutil"
)

// dirPrefix starts the name of every private directory.
const dirPrefix = "dynascope-tsdb-"

// sweep removes the private directories in root that dead processes left
// behind. A live store holds a flock on the file lock in its directory, which
// the kernel drops when the process dies, however it dies. Directories of
// other users cannot be locked and stay. One that changed within the last
// minute stays as well: its owner may be between making and locking it.
func sweep(root string, now time.Time) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), dirPrefix) {
			continue // a link is not a directory here, and is never followed
		}
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < time.Minute {
			continue
		}
		dir := filepath.Join(root, e.Name())
		lock, _, err := fileutil.Flock(filepath.Join(dir, "lock"))
		if err != nil {
			continue
		}
		_ = os.RemoveAll(dir)
		_ = lock.Release()
	}
}
