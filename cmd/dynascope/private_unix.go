//go:build unix

package main

import "syscall"

// keepPrivate keeps files that this process makes from other users.
func keepPrivate() { syscall.Umask(0o077) }
