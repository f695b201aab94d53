package embedded

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/storage"
)

const (
	diskFloor = 64 << 20 // free bytes below which nothing more is written
	diskAgain = 2 * diskFloor
	// fullDiskKeeps is how much history a store holds in memory while the disk
	// is full.
	fullDiskKeeps = 30 * time.Minute
)

// maintain moves full chunks from memory to disk once a minute, which the
// TSDB would do by itself, but it panics when that write fails. So its own
// loop is put to sleep (BlockReloadInterval) and this one looks at the free
// space first.
func (s *Store) maintain() {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		s.checkDisk()
		if s.record != nil {
			s.keepWithin()
		}
		if n%12 == 0 {
			s.moveChunks(s.now())
		}
	}
}

func (s *Store) checkDisk() {
	free, err := s.free(s.dir)
	full := s.fullDisk.Load()
	switch {
	case err != nil:
		return
	case !full && free < diskFloor:
		s.fullDisk.Store(true)
		s.db.DisableCompactions()
		s.warn(warnDisk, fmt.Sprintf("disk nearly full: live values go on, history shrinks to %v; hint: free space, or point TMPDIR elsewhere", fullDiskKeeps))
	case full && free > diskAgain:
		s.fullDisk.Store(false)
		s.db.EnableCompactions()
		s.warn(warnDisk, "")
	}
}

// moveChunks does the minute's work.
func (s *Store) moveChunks(now time.Time) {
	defer func() {
		if r := recover(); r != nil { // a chunk could not be written
			s.fullDisk.Store(true)
			s.db.DisableCompactions()
			s.warn(warnDisk, fmt.Sprintf("write history: %v; live values go on", r))
		}
	}()
	if !s.fullDisk.Load() {
		s.db.ForceHeadMMap()
		return
	}
	head := s.db.Head()
	if cut := now.Add(-fullDiskKeeps).UnixMilli(); head.MinTime() < cut {
		if err := head.Truncate(cut); err != nil {
			s.log.Warn("shorten the history in memory", "err", err)
		}
	}
}

// noteWrite reports what keeps samples from being stored; the target they come
// from still counts as up.
func (s *Store) noteWrite(err error) {
	switch {
	case err == nil:
		s.warn(warnWrite, "")
	case errors.Is(err, syscall.ENOSPC):
		s.warn(warnWrite, "write samples: no space left on device; hint: free space, or point TMPDIR elsewhere")
	case errors.Is(err, storage.ErrOutOfBounds), errors.Is(err, storage.ErrTooOldSample):
		s.warn(warnWrite, "write samples: older than the store takes; hint: the clock of this host jumped; restart to begin anew")
	default:
		s.warn(warnWrite, fmt.Sprintf("write samples: %v", err))
	}
}

func freeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("measure free space: %w", err)
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}
