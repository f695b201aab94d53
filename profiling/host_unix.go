//go:build linux || darwin

package profiling

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// openShared opens a file that several users lock and write. Links, and files
// with a second name, are refused: another user could have laid them.
func openShared(path string) (*os.File, error) {
	// Without O_CREAT first: systems refuse that on another's file in a sticky folder.
	const how = os.O_RDWR | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	for range 3 { // made or removed by somebody in between
		f, err := os.OpenFile(path, how, 0)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = os.OpenFile(path, how|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				continue
			}
			if err == nil {
				err = f.Chmod(0o666) // past the umask: the next user must lock it too
			}
		}
		if err != nil {
			return nil, err
		}
		if err := plainFile(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	return nil, fmt.Errorf("%s comes and goes", path)
}

func openToRead(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := plainFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func plainFile(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !st.Mode().IsRegular() || ok && sys.Nlink != 1 {
		return fmt.Errorf("%s is no plain file with one name", f.Name())
	}
	return nil
}

func tryLock(f *os.File) (bool, error)   { return flock(f, syscall.LOCK_EX) }
func tryShared(f *os.File) (bool, error) { return flock(f, syscall.LOCK_SH) }

func flock(f *os.File, how int) (bool, error) {
	for {
		switch err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, err
		}
	}
}

// freeSpace is what a folder's disk has left for users, in bytes; of a folder
// that is not there yet, its nearest parent's.
func freeSpace(dir string) (int64, error) {
	for {
		var st syscall.Statfs_t
		err := syscall.Statfs(dir, &st)
		if err == nil {
			return int64(st.Bavail) * int64(st.Bsize), nil
		}
		up := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || up == dir {
			return 0, err
		}
		dir = up
	}
}
