package baseline

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"

	"dynascope/sources/text"
)

// suffix ends the names of the files in a folder of baselines.
const suffix = ".prom"

// ReadFile reads one file.
func ReadFile(path string) (*Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open baselines: %w", err)
	}
	defer f.Close()
	s, err := Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// ReadFolder reads all files of a folder; one that is not there is empty. What
// is wrong with a file is in the error, and the others are read all the same.
func ReadFolder(dir string) (*Set, error) {
	all := &Set{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, fmt.Errorf("read the folder of baselines: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !e.Type().IsRegular() || filepath.Ext(e.Name()) != suffix {
			continue
		}
		s, err := ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = all.With(s)
	}
	return all, errors.Join(errs...)
}

// FileOf is where a deployment's baselines are kept in a folder. The name is
// readable, and a sum of the deployment's keeps those apart that would read
// alike.
func FileOf(dir, deployment string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(deployment)) // never fails
	name := "deployment"
	if deployment != "" {
		name = text.FileName(deployment)
	}
	return filepath.Join(dir, fmt.Sprintf("%s-%08x%s", name, h.Sum32(), suffix))
}

// Save adds a set to the file of its deployment in a folder, which is made
// where it is missing, and returns the file's path. Other models of the same
// file stay.
func Save(dir, deployment string, s *Set) (path string, err error) {
	path = FileOf(dir, deployment)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return path, fmt.Errorf("make the folder of baselines: %w", err)
	}
	old, err := ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return path, fmt.Errorf("add to the baselines: %w; hint: mend or remove that file", err)
	}
	return path, WriteFile(path, old.With(s))
}

// WriteFile replaces a file as a whole, readable by its owner alone: who reads
// it meanwhile sees the old one or the new one.
func WriteFile(path string, s *Set) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".baseline-*") // 0600
	if err != nil {
		return fmt.Errorf("write baselines: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write baselines to %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	if err = errors.Join(Write(f, s), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
