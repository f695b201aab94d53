package catalog

import (
	"errors"
	"strings"
)

// SanitiseName turns a string into a metric name as Dynamo's runtime does it:
// characters outside [A-Za-z0-9_:] become underscores, and a name that would
// begin with a digit gets one in front. Empty and nothing but underscores are
// errors.
func SanitiseName(s string) (string, error) {
	return sanitise(s, "metric name", true)
}

// SanitiseLabel is SanitiseName for label names: no colons, and the leading
// double underscores that Prometheus reserves are removed.
func SanitiseLabel(s string) (string, error) {
	s, err := sanitise(s, "label name", false)
	for err == nil && strings.HasPrefix(s, "__") {
		s, err = sanitise(s[2:], "label name", false)
	}
	return s, err
}

func sanitise(s, what string, colons bool) (string, error) {
	out := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == ':' && colons:
			return r
		}
		return '_'
	}, s)
	if out != "" && out[0] >= '0' && out[0] <= '9' {
		out = "_" + out
	}
	if strings.Trim(out, "_") == "" {
		return "", errors.New("sanitise " + what + ": nothing is left of it, hint: it needs a letter or a digit")
	}
	return out, nil
}
