//go:build !linux

package server

import "time"

// napBelow is what is slept exactly: nothing, here.
const napBelow = 0

func nap(time.Duration) {}
