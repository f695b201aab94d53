//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"dynascope/cmd/dynascope/e2e/pty"
	"dynascope/tui/panes"
)

// shown is a program on a terminal while its bytes are counted.
type shown struct {
	name string
	term *pty.Terminal
	from usage
	mark int
	rate float64 // bytes a second
	cpu  float64
}

// lines measures what is sent to the terminal: each screen of the console on
// the simulated demo, with and without --low-bandwidth, beside btop and htop as
// they come. Two screens at a time, so that the machine is not what is
// measured.
func (p plan) lines(ctx context.Context) error {
	screens := panes.All()
	keep := screens[:0]
	var keys []string
	for i, s := range screens {
		if key := fmt.Sprint(i + 1); strings.Contains(p.screens, key) {
			keep, keys = append(keep, s), append(keys, key)
		}
	}
	if len(keep) == 0 {
		return nil
	}
	cmd := exec.Command(p.bin, "sim", "--scenario", "demo")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	sim, err := start(cmd)
	if err != nil {
		return err
	}
	defer sim.stop()
	var doc struct{ Endpoints []struct{ Metrics string } }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("start the simulated demo: %w: %s", err, sim.said.String())
	}
	if err := json.Unmarshal(line, &doc); err != nil {
		return err
	}
	args := []string{p.bin, "--gpus=false", "--interval", p.interval.String()}
	for _, e := range doc.Endpoints {
		args = append(args, "--target", e.Metrics)
	}
	fmt.Printf("bytes to a terminal of %d×%d, means over %s: the console on the simulated demo (%d targets), btop and htop on this machine.\n\n", cols, rows, p.seconds, len(doc.Endpoints))
	t := table{{"program", "B/s", "CPU", "B/s low-bandwidth", "CPU low-bandwidth"}}
	var rate, busy map[string][]float64 = map[string][]float64{}, map[string][]float64{}
	for i := 0; i < len(keep); i += 2 {
		var group []*shown
		for j := i; j < min(i+2, len(keep)); j++ {
			group = append(group, &shown{name: keys[j]}, &shown{name: keys[j] + " lean"})
		}
		group = append(group, &shown{name: "btop"}, &shown{name: "htop"})
		if err := p.show(ctx, group, args); err != nil {
			return err
		}
		for _, s := range group {
			rate[s.name], busy[s.name] = append(rate[s.name], s.rate), append(busy[s.name], s.cpu)
		}
	}
	for i, k := range keys {
		t = append(t, []string{keep[i].Title(), bytesRate(rate[k]), percents(busy[k]), bytesRate(rate[k+" lean"]), percents(busy[k+" lean"])})
	}
	for _, name := range []string{"btop", "htop"} {
		t = append(t, []string{name, bytesRate(rate[name]), percents(busy[name]), "", ""})
	}
	t.all()
	fmt.Printf("\nload %s\n", load())
	return nil
}

// show runs a group of programs side by side and counts.
func (p plan) show(ctx context.Context, group []*shown, console []string) error {
	for _, s := range group {
		args := console
		key, lean := s.name, false
		switch s.name {
		case "btop", "htop":
			args, key = []string{s.name}, ""
			if s.name == "btop" {
				args = append(args, "--utf-force")
			}
			if _, err := exec.LookPath(s.name); err != nil {
				fmt.Printf("%s is not installed; hint: apt-get install %s\n", s.name, s.name)
				continue
			}
		default:
			if key, lean = strings.CutSuffix(s.name, " lean"); lean {
				args = append(args[:len(args):len(args)], "--low-bandwidth")
			}
		}
		var err error
		// A home of its own: as the programs come, not as somebody set them.
		if s.term, err = pty.Start(cols, rows, []string{"HOME=" + filepath.Join(p.dir, "home"), "XDG_CONFIG_HOME=" + filepath.Join(p.dir, "home"), "LANG=C.UTF-8"}, args...); err != nil {
			return err
		}
		defer s.term.Close()
		if key != "" {
			if _, err := s.term.Until(0, "dynascope", 10*time.Second); err != nil {
				return err
			}
			if err := s.term.Type(key); err != nil {
				return err
			}
		}
	}
	if err := wait(ctx, p.settle); err != nil {
		return err
	}
	for _, s := range group {
		if s.term == nil {
			continue
		}
		var err error
		if s.from, err = usageOf(s.term.PID()); err != nil {
			return err
		}
		s.mark = s.term.Mark()
	}
	if err := wait(ctx, p.seconds); err != nil {
		return err
	}
	for _, s := range group {
		if s.term == nil {
			continue
		}
		now, err := usageOf(s.term.PID())
		if err != nil {
			return fmt.Errorf("%s ended early: %w", s.name, err)
		}
		s.cpu = share(s.from, now)
		s.rate = float64(s.term.Mark()-s.mark) / now.at.Sub(s.from.at).Seconds()
	}
	return nil
}
