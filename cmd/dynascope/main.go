// Command dynascope is the on-call console for LLM serving on NVIDIA Dynamo.
//
// This package parses flags, wires the rooms together and waits for what it
// started; it holds no logic of theirs and formats no number.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set by the Makefile.
var version = "dev"

func main() {
	// As a Prometheus server has it: a store is mostly memory that stays, and
	// this is a guest on its host.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(75)
	}
	keepPrivate() // files of the engines that are embedded too (honesty.md 19)
	// SIGHUP is a dropped SSH line: leave as on SIGTERM.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// exitError carries an exit status that is no failure of the program itself.
type exitError struct {
	code int
	msg  string
}

func (e exitError) Error() string { return e.msg }

// run is the program: arguments in, exit status out.
func run(ctx context.Context, args []string, in *os.File, out, errOut *os.File) int {
	cmd := root(in, out, errOut)
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errOut)
	ran, err := cmd.ExecuteContextC(ctx)
	if ran != nil && ran.Name() == "check" {
		err = unknownStatus(err) // also of flags and files that cannot be read
	}
	var exit exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if exit.msg != "" {
			fmt.Fprintln(errOut, "dynascope: "+exit.msg)
		}
		return exit.code
	default:
		fmt.Fprintln(errOut, "dynascope: "+err.Error())
		return 1
	}
}
