//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The terminal that everything is measured on.
const cols, rows = 200, 50

// plan is what is measured and for how long. Parameters come from the
// environment, as make passes them on.
type plan struct {
	bin      string        // DYNASCOPE_BIN
	seconds  time.Duration // BENCH_SECONDS: each measurement
	settle   time.Duration // BENCH_SETTLE: before it
	interval time.Duration // BENCH_INTERVAL: between scrapes
	targets  []int         // BENCH_TARGETS: sizes of the deployment
	screens  string        // BENCH_SCREENS: keys of the screens; none skips them
	echoes   int           // BENCH_ECHOES: presses of a key
	dir      string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cost: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == "pages" {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return fmt.Errorf("serve pages: %q is not a number of targets", args[1])
		}
		return servePages(ctx, n)
	}
	p, err := readPlan()
	if err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp("", "dynascope-cost-"); err != nil {
		return err
	}
	defer os.RemoveAll(p.dir)
	if err := p.fleets(ctx); err != nil {
		return err
	}
	return p.lines(ctx)
}

func readPlan() (p plan, err error) {
	p = plan{bin: os.Getenv("DYNASCOPE_BIN"), screens: "123456789"}
	if p.bin == "" {
		return p, fmt.Errorf("DYNASCOPE_BIN is not set; hint: make bench")
	}
	if p.bin, err = filepath.Abs(p.bin); err != nil {
		return p, err
	}
	for _, d := range []struct {
		name string
		into *time.Duration
		def  time.Duration
	}{{"BENCH_SECONDS", &p.seconds, 60 * time.Second}, {"BENCH_SETTLE", &p.settle, 25 * time.Second}, {"BENCH_INTERVAL", &p.interval, time.Second}} {
		n, err := number(d.name, int(d.def/time.Second))
		if err != nil {
			return p, err
		}
		*d.into = time.Duration(n) * time.Second
	}
	if p.echoes, err = number("BENCH_ECHOES", 60); err != nil {
		return p, err
	}
	list, set := os.LookupEnv("BENCH_TARGETS")
	if !set {
		list = "1 16 64 256"
	}
	for _, f := range strings.Fields(list) {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			return p, fmt.Errorf("read BENCH_TARGETS: %q is not a number of targets", f)
		}
		p.targets = append(p.targets, n)
	}
	if s, set := os.LookupEnv("BENCH_SCREENS"); set {
		p.screens = s
	}
	return p, nil
}

func number(name string, def int) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("read %s: %q is not a positive number", name, text)
	}
	return n, nil
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// rank is the value below which a share q of the values lies.
func rank[T int | time.Duration](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func median[T int | time.Duration](values []T) T { return rank(values, 0.5) }
