//go:build linux

// Command cost measures what reading a trace costs: ours beside gunzip,
// Python's json.load and Holistic Trace Analysis, on one generated trace, plain
// and gzip, one after the other in one run.
//
// It says nothing about correctness; the tests of profiling/trace do. On a busy
// machine only the columns of CPU seconds compare.
package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dynascope/profiling/trace"
	"dynascope/profiling/trace/tracegen"
)

func main() {
	err := error(nil)
	if len(os.Args) == 3 && os.Args[1] == "analyse" {
		err = analyse(os.Args[2])
	} else {
		err = run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func analyse(path string) error {
	if p := os.Getenv("CPU_PROFILE"); p != "" {
		f, err := os.Create(p)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer f.Close()
		defer pprof.StopCPUProfile()
	}
	r, err := trace.Analyse(context.Background(), []string{path}, trace.Options{})
	if err != nil {
		return err
	}
	fmt.Printf("%d events, %d steps, busy %.1f %%\n", r.Files[0].Notes.Events, len(r.Ranks[0].Sequence), 100*float64(r.Overall.Busy)/float64(r.Overall.Elapsed))
	return nil
}

func run() error {
	megabytes := 1000
	if s := os.Getenv("BENCH_TRACE_MB"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("BENCH_TRACE_MB=%q is no size", s)
		}
		megabytes = n
	}
	dir, err := os.MkdirTemp("", "dynascope-bench-trace-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	plain, zipped := filepath.Join(dir, "rank-0.json"), filepath.Join(dir, "zipped", "rank-0.json.gz")
	if err := os.Mkdir(filepath.Dir(zipped), 0o700); err != nil {
		return err
	}
	size, packed, err := generate(plain, zipped, int64(megabytes)<<20)
	if err != nil {
		return err
	}
	fmt.Printf("generated trace: %d MB of JSON, %d MB gzip; %d cores\n\n", size>>20, packed>>20, runtime.NumCPU())
	fmt.Printf("%-34s %8s %9s %9s %9s %9s\n", "", "seconds", "cpu s", "MB/s", "MB/cpu s", "peak MB")

	self, err := os.Executable()
	if err != nil {
		return err
	}
	one := []string{"GOMAXPROCS=1"}
	measure(size, "dynascope, plain, one core", one, self, "analyse", plain)
	measure(size, "dynascope, plain", nil, self, "analyse", plain)
	measure(size, "gunzip to nothing", nil, "gunzip", "-c", zipped)
	measure(size, "dynascope, gzip, one core", one, self, "analyse", zipped)
	measure(size, "dynascope, gzip", nil, self, "analyse", zipped)
	if os.Getenv("BENCH_TRACE_SLOW") == "0" {
		return nil // json.load and HTA take minutes and gigabytes
	}
	measure(size, "python json.load, gzip", nil, "python3", "-c", "import gzip,json,sys; json.load(gzip.open(sys.argv[1]))", zipped)
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	python := filepath.Join(cache, "dynascope", "hta", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		fmt.Printf("%-34s not installed: python3 -m venv %s && %s -m pip install HolisticTraceAnalysis\n", "HTA", filepath.Dir(filepath.Dir(python)), python)
		return nil
	}
	measure(size, "HTA (load and three analyses)", nil, python, "-c", hta, filepath.Dir(zipped))
	return nil
}

// hta does with HTA what a first look does. It wants absolute paths.
const hta = `
import sys, warnings
warnings.filterwarnings("ignore")
from hta.trace_analysis import TraceAnalysis
t = TraceAnalysis(trace_dir=sys.argv[1])
t.get_temporal_breakdown(visualize=False)
t.get_gpu_kernel_breakdown(visualize=False)
t.get_comm_comp_overlap(visualize=False)
`

// generate writes about that many bytes, twice.
func generate(plain, zipped string, want int64) (size, packed int64, err error) {
	spec := tracegen.Spec{Seed: 1, Graphs: true, Prefill: 2, Layers: 24, Steps: 4}
	var probe count
	if _, err := tracegen.Write(spec, []io.Writer{&probe}); err != nil {
		return 0, 0, err
	}
	spec.Steps = max(int(want*int64(spec.Steps)/int64(probe)), 1)
	p, err := os.Create(plain)
	if err != nil {
		return 0, 0, err
	}
	defer p.Close()
	g, err := os.Create(zipped)
	if err != nil {
		return 0, 0, err
	}
	defer g.Close()
	z := gzip.NewWriter(g)
	if _, err := tracegen.Write(spec, []io.Writer{io.MultiWriter(p, z)}); err != nil {
		return 0, 0, err
	}
	if err := z.Close(); err != nil {
		return 0, 0, err
	}
	ps, err := p.Stat()
	if err != nil {
		return 0, 0, err
	}
	gs, err := g.Stat()
	if err != nil {
		return 0, 0, err
	}
	return ps.Size(), gs.Size(), nil
}

type count int64

func (c *count) Write(p []byte) (int, error) { *c += count(len(p)); return len(p), nil }

// measure runs one candidate as a process of its own.
func measure(size int64, name string, env []string, argv ...string) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	var said strings.Builder
	cmd.Stderr = &said
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start).Seconds()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		fmt.Printf("%-34s failed: %v: %s\n", name, err, lines[len(lines)-1])
		return
	}
	cpu := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	peak := int64(0)
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = u.Maxrss >> 10 // KiB on Linux
	}
	fmt.Printf("%-34s %8.1f %9.1f %9.0f %9.0f %9d\n", name, took, cpu, float64(size)/1e6/took, float64(size)/1e6/max(cpu, 0.01), peak)
}
