package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"dynascope/sources/embedded"
	"dynascope/sources/feed"
)

// recordCommand collects without a screen into a directory that the console
// opens later, or meanwhile.
func recordCommand(conf *configuration) *cobra.Command {
	s := settings{interval: time.Second, window: time.Minute, conf: conf}
	var keep time.Duration
	var bytes int64
	cmd := &cobra.Command{
		Use:   "record --data DIR",
		Short: "collect without a screen; dynascope --data DIR opens it, also while it goes on",
		Long: `record scrapes what the console would (the same flags name it) into DIR and
keeps it within --keep and --max-bytes. dynascope --data DIR --at 03:12 opens a
moment of it, also from another machine's copy or while the recorder writes:
what is seen is then at most a minute old. A recorder that is killed loses at
most a minute; a later one continues the same directory.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return record(cmd, s, embedded.Options{Dir: s.data, Record: true, Retention: keep, MaxBytes: bytes})
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.data, "data", "", "`DIR` to record into: new, empty, or a recording to continue")
	f.DurationVar(&s.interval, "interval", time.Second, "time between scrapes of a target")
	f.DurationVar(&keep, "keep", 24*time.Hour, "how far back it reaches")
	f.Int64Var(&bytes, "max-bytes", 4<<30, "the most it takes on disk, the write-ahead log included")
	s.collectFlags(cmd)
	_ = cmd.MarkFlagRequired("data") // it was defined above
	return cmd
}

func record(cmd *cobra.Command, s settings, o embedded.Options) (err error) {
	ctx := cmd.Context()
	if err := s.checkInterval(); err != nil {
		return err
	}
	cat, err := s.catalogue()
	if err != nil {
		return err
	}
	c, err := collect(ctx, s, cat, o)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := c.Close(); err == nil {
			err = cerr
		}
	}()
	fmt.Fprintf(cmd.ErrOrStderr(), "recording into %s; ctrl-c ends it, dynascope --data %s shows it\n", s.data, s.data)

	// A tick without needs finds plain SGLang servers, which are asked besides.
	f := feed.New(c.store, cat)
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		c.observe(f.Tick(ctx, feed.Ask{Window: time.Minute}))
		if w := c.Warning(); w != said && ctx.Err() == nil {
			said = w
			if w != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s %s\n", time.Now().UTC().Format(time.TimeOnly), w)
			}
		}
	}
}
