// Command long looks for false alarms in simulated days of healthy load: it
// plays the healthy shapes in shards with seeds of their own, a few processes
// side by side, and keeps each shard's outcome in a file, so that a run that was
// broken off goes on where it was. It ends with 1 when there was a false alarm.
//
// It holds no rule; make scenarios-long runs it.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/cmd/dynascope/trial"
	"dynascope/profiling/triage/rules"
	"dynascope/profiling/triage/verdict"
)

// shapes are the healthy forms of load.
var shapes = []string{"healthy", "diurnal-healthy", "bursty-healthy", "ramp-healthy"}

// plan is what is played, and names the files of its shards.
type plan struct {
	Program  string        `json:"program"` // digest of the executable: other code, other outcome
	Total    time.Duration `json:"total"`
	Shard    time.Duration `json:"shard"`
	Interval time.Duration `json:"interval"`
	Every    time.Duration `json:"every"`
}

// shard is one piece: a shape with a seed.
type shard struct {
	Shape string `json:"shape"`
	Seed  uint64 `json:"seed"`
}

// outcome is what came of a shard.
type outcome struct {
	shard
	Simulated time.Duration `json:"simulated"`
	Judged    int           `json:"judged"`
	States    map[verdict.State]int
	False     []trial.False `json:"false"`
	Took      time.Duration `json:"took"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "long: "+err.Error())
		code = 2
	}
	os.Exit(code)
}

func run(ctx context.Context) (int, error) {
	var (
		p     plan
		dir   = flag.String("dir", "", "`DIR` for the outcomes of shards; it is made, and what it holds of the same plan is not played again")
		procs = flag.Int("procs", 2, "processes side by side")
		days  = flag.Float64("days", 7, "simulated days over all shapes")
		one   = flag.Int("one", -1, "play this shard alone and print its outcome")
	)
	flag.DurationVar(&p.Shard, "shard", 3*time.Hour, "length of a shard")
	flag.DurationVar(&p.Interval, "interval", 10*time.Second, "time between scrapes")
	flag.DurationVar(&p.Every, "every", 30*time.Second, "time between judgements")
	flag.Parse()
	p.Total = time.Duration(*days * float64(24*time.Hour))
	if p.Total <= 0 || p.Shard < 10*time.Minute || p.Interval < time.Second || p.Every < p.Interval || *procs < 1 {
		return 0, errors.New("read the flags: not positive, or a shard below 10m; hint: -days 7 -shard 3h -interval 10s -every 30s")
	}
	list := p.shards()
	if *one >= 0 {
		if *one >= len(list) {
			return 0, fmt.Errorf("play shard %d: there are %d", *one, len(list))
		}
		got, err := p.play(ctx, list[*one])
		if err != nil {
			return 0, err
		}
		return 0, json.NewEncoder(os.Stdout).Encode(got)
	}
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find this program: %w", err)
	}
	if p.Program, err = digest(self); err != nil {
		return 0, err
	}
	if *dir == "" {
		return 0, errors.New("read -dir: not given; hint: make scenarios-long")
	}
	folder := filepath.Join(*dir, p.name())
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return 0, fmt.Errorf("make the folder of outcomes: %w", err)
	}
	all, err := p.all(ctx, self, folder, list, *procs)
	report(all)
	if err != nil {
		return 0, fmt.Errorf("%w; hint: the same command goes on where it was", err)
	}
	if slices.ContainsFunc(all, func(o outcome) bool { return len(o.False) > 0 }) {
		return 1, nil
	}
	return 0, nil
}

// shards are the pieces in an order in which every shape comes early.
func (p plan) shards() []shard {
	n := int((p.Total + p.Shard - 1) / p.Shard)
	out := make([]shard, n)
	for i := range out {
		out[i] = shard{shapes[i%len(shapes)], uint64(1000 + i)}
	}
	return out
}

// name is the plan's folder: outcomes of another plan or program are not its
// own.
func (p plan) name() string {
	text, _ := json.Marshal(p) // plain values
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func digest(path string) (string, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// all plays the shards that have no outcome yet, each in a process of its own.
func (p plan) all(ctx context.Context, self, folder string, list []shard, procs int) (out []outcome, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu   sync.Mutex
		work sync.WaitGroup
		next = make(chan int)
		done int
	)
	began := time.Now()
	take := func(o outcome, failed error, again bool) {
		mu.Lock()
		defer mu.Unlock()
		if failed != nil {
			if err == nil {
				err = failed
			}
			cancel()
			return
		}
		out = append(out, o)
		if done++; !again {
			fmt.Printf("%3d of %d  %8s  %-16s seed %d  %v, %d judgements, %d false alarms, %v\n",
				done, len(list), time.Since(began).Round(time.Second), o.Shape, o.Seed, o.Simulated, o.Judged, len(o.False), o.Took.Round(time.Second))
		}
	}
	for range procs {
		work.Go(func() {
			for i := range next {
				path := filepath.Join(folder, fmt.Sprintf("%03d.json", i))
				if o, ok := read(path); ok {
					take(o, nil, true)
					continue
				}
				o, failed := p.spawn(ctx, self, i, path)
				take(o, failed, false)
			}
		})
	}
	for i := range list {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	work.Wait()
	if err == nil {
		err = ctx.Err()
	}
	return out, err
}

func read(path string) (o outcome, ok bool) {
	text, err := os.ReadFile(filepath.Clean(path))
	return o, err == nil && json.Unmarshal(text, &o) == nil
}

// spawn plays a shard in a process of its own and keeps its outcome: whole, or
// not at all.
func (p plan) spawn(ctx context.Context, self string, i int, path string) (o outcome, err error) {
	cmd := exec.CommandContext(ctx, self, "-one", fmt.Sprint(i), "-days", fmt.Sprint(p.Total.Hours()/24),
		"-shard", p.Shard.String(), "-interval", p.Interval.String(), "-every", p.Every.String())
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err == nil {
		if err = os.WriteFile(path+".part", text, 0o600); err == nil {
			err = os.Rename(path+".part", path)
		}
	}
	if err != nil {
		return o, fmt.Errorf("play shard %d: %w", i, err)
	}
	return o, nil
}

// play plays one shard. Its scenario starts over as often as it takes.
func (p plan) play(ctx context.Context, s shard) (outcome, error) {
	began := time.Now()
	o := outcome{shard: s, States: map[verdict.State]int{}}
	sc, err := scenario.Load(s.Shape)
	if err != nil {
		return o, err
	}
	sc.Repeat = true
	sc.Expect = nil // nothing is
	all := rules.All()
	score := trial.NewScorer(sc, all)
	err = trial.Run(ctx, sc, trial.Options{Rules: all, Seed: s.Seed, Interval: p.Interval, Every: p.Every, Until: p.Shard, Retain: time.Hour}, func(x trial.Sight) error {
		// What began and ended between two judgements counts too.
		for _, v := range x.Judgement.Past {
			if v.SilencedBy == "" && v.Until.After(x.Judgement.At.Add(-p.Every)) {
				x.Judgement.Verdicts = append(x.Judgement.Verdicts, v)
			}
		}
		score.Add(x)
		o.States[x.Judgement.State]++
		return nil
	})
	o.Simulated, o.Judged, o.False, o.Took = score.Last, score.Judged, score.False, time.Since(began)
	return o, err
}

// report prints the false alarms and the sums, by shape.
func report(all []outcome) {
	slices.SortFunc(all, func(a, b outcome) int { return int(a.Seed) - int(b.Seed) })
	var sum outcome
	by := map[string]outcome{}
	add := func(to *outcome, o outcome) {
		to.Simulated += o.Simulated
		to.Judged += o.Judged
		to.Took += o.Took
		to.False = append(to.False, o.False...)
	}
	for _, o := range all {
		for _, f := range o.False {
			fmt.Printf("false: %s seed %d: %s %s %s from %v to %v: %s\n", o.Shape, o.Seed, f.Severity, f.Code, f.Culprit, f.From, f.To, f.Sentence)
		}
		s := by[o.Shape]
		add(&s, o)
		by[o.Shape] = s
		add(&sum, o)
	}
	line := func(name string, o outcome) {
		fmt.Printf("%-16s %10s simulated, %6d judgements, %3d false alarms, %8s of one core\n", name, o.Simulated.Round(time.Minute), o.Judged, len(o.False), o.Took.Round(time.Second))
	}
	for _, name := range shapes {
		line(name, by[name])
	}
	line("all", sum)
}
