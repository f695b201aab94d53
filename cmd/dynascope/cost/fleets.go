//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"dynascope/cmd/dynascope/e2e/pty"
)

// fleet is what watching one deployment cost.
type fleet struct {
	n      int
	served served
	// At the beginning and at the end of the measurement.
	console, asked, idle, pages [2]usage

	load    string
	queries int // of a tick
	up      int // targets, as the server that is asked says
	echo    []time.Duration
}

// fleets measures deployments of several sizes: the console, a Prometheus
// server that is asked the same, and one that only scrapes, side by side.
func (p plan) fleets(ctx context.Context) error {
	if len(p.targets) == 0 {
		return nil
	}
	bin, version, err := buildPrometheus(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("the console (Overview, %d×%d) beside two Prometheus servers %s: one asked the same questions at the same tick, one idle.\n", cols, rows, version)
	fmt.Printf("all scrape the same prebuilt pages every %s, without history before it; each row %s after %s; CPU is of one core, memory is VmHWM.\n\n", p.interval, p.seconds, p.settle)
	t := table{{"targets", "lines", "console CPU", "asked CPU", "idle CPU", "/asked", "/idle", "console MiB", "asked MiB", "idle MiB", "/asked", "queries/tick", "key p50", "key p99", "pages CPU", "load"}}
	for _, n := range p.targets {
		f, err := p.fleet(ctx, n, bin)
		if err != nil {
			return fmt.Errorf("measure %d targets: %w", n, err)
		}
		t = append(t, f.row())
		t.last()
		if f.up < n {
			fmt.Printf("  (at the server that is asked %d of %d targets are up: this machine is too busy to measure)\n", f.up, n)
		}
	}
	fmt.Println()
	return nil
}

func (p plan) fleet(ctx context.Context, n int, bin string) (f fleet, err error) {
	f.n = n
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	cmd := exec.Command(self, "pages", strconv.Itoa(n))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return f, err
	}
	pages, err := start(cmd)
	if err != nil {
		return f, err
	}
	defer pages.stop()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return f, fmt.Errorf("start the page server: %w: %s", err, pages.said.String())
	}
	if err := json.Unmarshal(line, &f.served); err != nil {
		return f, err
	}
	var servers [2]*prometheus
	for i, name := range []string{"asked", "idle"} {
		if servers[i], err = startPrometheus(ctx, bin, filepath.Join(p.dir, fmt.Sprint(name, n)), f.served.URLs, p.interval); err != nil {
			return f, err
		}
		defer servers[i].stop()
	}
	args := []string{p.bin, "--gpus=false", "--interval", p.interval.String()}
	for _, u := range f.served.URLs {
		args = append(args, "--target", u)
	}
	console, err := pty.Start(cols, rows, nil, args...)
	if err != nil {
		return f, err
	}
	defer console.Close()
	asker, err := ask(ctx, servers[0].url, max(p.interval, time.Second))
	if err != nil {
		return f, err
	}
	defer asker.stop()

	if err := wait(ctx, p.settle); err != nil {
		return f, err
	}
	asker.reset()
	look := func(i int) error {
		var errs [4]error
		f.console[i], errs[0] = usageOf(console.PID())
		f.asked[i], errs[1] = usageOf(servers[0].pid())
		f.idle[i], errs[2] = usageOf(servers[1].pid())
		f.pages[i], errs[3] = usageOf(pages.pid())
		return errors.Join(errs[:]...)
	}
	if err := look(0); err != nil {
		return f, err
	}
	if err := wait(ctx, p.seconds); err != nil {
		return f, err
	}
	if err := look(1); err != nil {
		return f, err
	}
	f.load = load()
	f.queries, f.up = asker.says()
	f.echo, err = echoes(ctx, console, p.echoes)
	return f, err
}

// echoes presses a key that opens the help and times how long it takes to be
// there, at no fixed distance from the ticks. A press that shows nothing met
// the help still open, and has closed it; after too many the machine is too
// busy and what there is has to do.
func echoes(ctx context.Context, t *pty.Terminal, n int) (out []time.Duration, err error) {
	for missed := 0; len(out) < n && missed < 10; {
		mark, began := t.Mark(), time.Now()
		if err := t.Type("?"); err != nil {
			return nil, err
		}
		if _, err := t.Until(mark, "screens", 2*time.Second); err != nil {
			missed++
			continue
		}
		out = append(out, time.Since(began))
		if err := t.Type("?"); err != nil {
			return nil, err
		}
		if err := wait(ctx, time.Duration(150+len(out)%7*10)*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f fleet) row() []string {
	console, asked, idle := share(f.console[0], f.console[1]), share(f.asked[0], f.asked[1]), share(f.idle[0], f.idle[1])
	return []string{
		strconv.Itoa(f.n), strconv.Itoa(f.served.Lines), percent(console), percent(asked), percent(idle),
		ratio(console, asked), ratio(console, idle),
		mib(f.console[1].peak), mib(f.asked[1].peak), mib(f.idle[1].peak), ratio(float64(f.console[1].peak), float64(f.asked[1].peak)),
		strconv.Itoa(f.queries), millis(rank(f.echo, 0.5)), millis(rank(f.echo, 0.99)),
		percent(share(f.pages[0], f.pages[1])), f.load,
	}
}
