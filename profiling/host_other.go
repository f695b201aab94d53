//go:build !linux && !darwin

package profiling

import (
	"errors"
	"os"
)

// Without locks that users share nothing is started.
var errNoLocks = errors.New("this system has no locks that users share; hint: run dynascope on Linux")

func openShared(string) (*os.File, error) { return nil, errNoLocks }
func openToRead(string) (*os.File, error) { return nil, errNoLocks }
func tryLock(*os.File) (bool, error)      { return false, errNoLocks }
func tryShared(*os.File) (bool, error)    { return false, errNoLocks }
func freeSpace(string) (int64, error)     { return 0, errNoLocks }
