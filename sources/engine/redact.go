package engine

import (
	"regexp"
	"strings"

	"dynascope/sources/text"
)

// Limits on what a process tells of itself.
const (
	maxCmdline = 128 << 10
	maxEnviron = 256 << 10
	maxArgs    = 2048
	maxValue   = 400 // runes of one argument or value, as shown
)

// envAllowed are the variables that may be shown; nothing else of an
// environment is ever kept.
var envAllowed = regexp.MustCompile(`^(?:(?:DYN|SGLANG|VLLM|TRTLLM|NCCL)_[A-Z0-9_]{1,80}|CUDA_VISIBLE_DEVICES)$`)

// keyName are names of keys that text.SecretName does not know, such as
// --watermark-key-b. Settings that only speak of keys end in other words
// (--router-tracking-key-file) or take no value.
var keyName = regexp.MustCompile(`(?i)(?:^|[_-])keys?(?:[_-][a-z0-9])?$`)

// secret says whether what stands under a name must not be shown.
func secret(name string) bool {
	name = strings.TrimLeft(name, "-")
	return text.SecretName(name) || keyName.MatchString(name)
}

// shown makes a value from outside fit to be kept: without secrets, controls
// and excess.
func shown(name, value string) string {
	if value == "" {
		return ""
	}
	if secret(name) {
		return text.Hidden
	}
	return text.Safe(value, maxValue)
}

// RedactArgs is a command line as it may be shown: secrets hidden, each
// argument one clean line. A flag whose value is secret may take several
// (vLLM's --api-key does): all of them go, up to the next flag.
func RedactArgs(args []string) []string {
	hidden := make([]string, 0, min(len(args), maxArgs))
	hiding := false
	for _, a := range args[:min(len(args), maxArgs)] {
		name, _, hasValue := strings.Cut(a, "=")
		isFlag := strings.HasPrefix(a, "-")
		switch {
		case isFlag && secret(name) && hasValue:
			a, hiding = name+"="+text.Hidden, true
		case isFlag && secret(name):
			hiding = true
		case hiding && !strings.HasPrefix(a, "--"):
			a = text.Hidden
		case isFlag:
			hiding = false
		}
		hidden = append(hidden, a)
	}
	out := text.RedactArgs(hidden)
	for i, a := range out {
		out[i] = text.Safe(a, maxValue)
	}
	return out
}

// parseEnviron reads the bytes of /proc/PID/environ and keeps the variables
// that may be shown, redacted.
func parseEnviron(raw []byte) map[string]string {
	out := map[string]string{}
	for entry := range strings.SplitSeq(string(raw[:min(len(raw), maxEnviron)]), "\x00") {
		name, value, ok := strings.Cut(entry, "=")
		if ok && envAllowed.MatchString(name) {
			out[name] = shown(name, value)
		}
	}
	return out
}
