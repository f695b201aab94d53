package load

import (
	"encoding/json"
	"math/rand/v2"
)

// prompt returns n random syllables. It depends on seed and number only, not
// on the order in which requests happen to start.
func prompt(seed int64, number, n int) string {
	const consonants, vowels = "bdfghklmnprstvz", "aeiou"
	r := rand.New(rand.NewPCG(uint64(seed), uint64(number)))
	out := make([]byte, 0, 4*n)
	for i := range n {
		if i > 0 {
			out = append(out, ' ')
		}
		x := r.Uint32()
		out = append(out, consonants[x%15], vowels[x>>8%5])
		if x>>16&1 == 1 {
			out = append(out, "nrs"[x>>17%3])
		}
	}
	return string(out)
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// body is a chat request of exact output length. ignore_eos and min_tokens
// are at the top level: Dynamo refuses them inside nvext.
type body struct {
	Model         string         `json:"model"`
	Messages      []message      `json:"messages"`
	MaxTokens     int            `json:"max_tokens"`
	MinTokens     int            `json:"min_tokens"`
	IgnoreEOS     bool           `json:"ignore_eos"`
	Stream        bool           `json:"stream"`
	StreamOptions *streamOptions `json:"stream_options,omitempty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

func (p Plan) body(number int) ([]byte, error) {
	b := body{
		Model: p.Model, Messages: []message{{"user", prompt(p.Seed, number, p.ISL)}},
		MaxTokens: p.OSL, MinTokens: p.OSL, IgnoreEOS: true, Stream: p.Stream,
	}
	if p.Stream {
		b.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	return json.Marshal(b)
}
