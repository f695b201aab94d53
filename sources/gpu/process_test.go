//go:build linux && cgo

package gpu

import (
	"encoding/binary"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

func TestNameOf(t *testing.T) {
	for _, c := range []struct{ comm, cmdline, want string }{
		{"python3\n", "python3\x00-m\x00sglang.launch_server\x00--api-key\x00secret\x00", "python3"},
		{"sglang::schedul\n", "sglang::scheduler_TP0\x00", "sglang::scheduler_TP0"},
		{"VLLM::Worker_TP\n", "VLLM::Worker_TP1 --api-key secret", "VLLM::Worker_TP1"},
		{"a-long-program-\n", "/opt/bin/a-long-program-name\x00--token\x00secret\x00", "a-long-program-name"},
		{"a-long-program-\n", "something-else\x00", "a-long-program-"},
		{"a-long-program-\n", "", "a-long-program-"},
		{"ev\x1b[31mil\n", "", "evil"},
		{"", "", ""},
	} {
		if got := nameOf([]byte(c.comm), []byte(c.cmdline)); got != c.want {
			t.Errorf("%q of %q is %q, want %q", c.comm, c.cmdline, got, c.want)
		}
	}
	if got := processName(uint32(os.Getpid())); hostPIDs() && !strings.HasPrefix(got, "gpu") || !hostPIDs() && got != "unknown" {
		t.Errorf("this process is called %q", got)
	}
	if got := processName(math.MaxInt32); got != "unknown" {
		t.Errorf("a process that is gone is called %q", got)
	}
}

func FuzzNameOf(f *testing.F) {
	f.Add([]byte("python3\n"), []byte("python3\x00-m\x00x"))
	f.Add([]byte("sglang::schedul\n"), []byte("sglang::scheduler_TP0 --api-key x\x00"))
	f.Add([]byte("\xff\x1b]0;x\x07\n"), []byte(nil))
	f.Fuzz(func(t *testing.T, comm, cmdline []byte) {
		got := nameOf(comm, cmdline)
		if len([]rune(got)) > 40 || strings.ContainsAny(got, "\x00\n\x1b") {
			t.Errorf("%q", got)
		}
	})
}

// TestDecode: the driver's ways of not knowing are no value.
func TestDecode(t *testing.T) {
	for _, c := range []struct {
		typ  nvml.ValueType
		bits uint64
		want float64
		ok   bool
	}{
		{nvml.VALUE_TYPE_DOUBLE, math.Float64bits(1.5), 1.5, true},
		{nvml.VALUE_TYPE_DOUBLE, math.Float64bits(math.NaN()), 0, false},
		{nvml.VALUE_TYPE_UNSIGNED_INT, 70, 70, true},
		{nvml.VALUE_TYPE_UNSIGNED_INT, math.MaxUint32, 0, false},
		{nvml.VALUE_TYPE_UNSIGNED_LONG, 1 << 40, 1 << 40, true},
		{nvml.VALUE_TYPE_UNSIGNED_LONG_LONG, 9223372036854775794, 0, false},
		{nvml.VALUE_TYPE_UNSIGNED_LONG_LONG, math.MaxUint64, 0, false},
		{nvml.VALUE_TYPE_SIGNED_LONG_LONG, math.MaxUint64 - 1, -2, true},
		{nvml.VALUE_TYPE_SIGNED_INT, 1<<32 - 5, -5, true},
		{nvml.VALUE_TYPE_UNSIGNED_SHORT, 7, 7, true},
		{99, 7, 0, false},
	} {
		f := nvml.FieldValue{ValueType: uint32(c.typ)}
		binary.NativeEndian.PutUint64(f.Value[:], c.bits)
		if got, ok := decode(f); ok != c.ok || ok && got != c.want {
			t.Errorf("type %d of %d is %v, %v", c.typ, c.bits, got, ok)
		}
	}
}
