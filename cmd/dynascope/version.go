package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"dynascope/sources/gpu"
)

// versionCommand says what this binary is and what it sees of the host.
func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "version, and whether NVML is built in and answers here",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "dynascope %s (%s %s/%s)\nNVML: %s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, gpu.Probe())
			return err
		},
	}
}
