//go:build unix

package engine

import (
	"os"
	"syscall"
)

// owner is the user id of a file.
func owner(name string) (uid int, ok bool) {
	fi, err := os.Stat(name)
	if err != nil {
		return 0, false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}
