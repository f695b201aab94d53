package main

import (
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dynascope/bench/sim/scenario"
	"dynascope/cmd/dynascope/config"
	"dynascope/themes"
)

// systemFile is a variable for the tests alone; nothing else may move it.
var systemFile = config.SystemFile

// configuration is what files, environment and flags come to, for the one
// command that runs.
type configuration struct {
	*config.Effective // nil until the command's flags are parsed
	table             config.Table
	print             bool
}

// attach gives the root its configuration flags and merges the layers before
// any of the commands runs.
func (c *configuration) attach(root *cobra.Command, subs ...*cobra.Command) {
	p := root.PersistentFlags()
	p.String("config", "", "read this `FILE` instead of "+config.UserFile(nil, "~"))
	p.String("profile", "", "use this `PROFILE` of the configuration file")
	p.BoolVar(&c.print, "print-config", false, "print the settings in force, each with its origin, and end")

	config.Mark(p, config.FlagOnly, "config", "print-config")
	commands := append([]*cobra.Command{root}, subs...)
	for _, cmd := range commands {
		fs := cmd.Flags()
		config.Mark(fs, config.FlagOnly, "once", "json", "at", "recorded", "truth", "every", "verbose")
		config.Mark(fs, config.Source, "target", "targets", "prometheus", "data")
		config.Mark(fs, config.Credential, "bearer-token-file", "username", "password-file", "cert-file", "key-file", "insecure",
			"prometheus-bearer-token-file", "prometheus-username", "prometheus-password-file", "prometheus-cert-file", "prometheus-key-file",
			"prometheus-insecure", "prometheus-header")
		config.Mark(fs, config.Safety, "read-only")
		config.Mark(fs, config.Literal, "prometheus-header")
	}
	c.table = tableOf(root)

	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.Contains(commands, cmd) {
			return nil // version and completion work whatever the file says
		}
		eff, err := config.Apply(cmd.Flags(), c.options())
		if err != nil {
			return err
		}
		c.Effective = eff
		if _, err := c.keys(); err != nil {
			return err
		}
		if !c.print {
			return nil
		}
		if err := eff.Print(cmd.OutOrStdout()); err != nil {
			return err
		}
		return exitError{} // printed; status 0
	}
	c.complete(commands)
}

// tableOf is every setting of the program: the flags of the root and of the
// commands that take a configuration.
func tableOf(root *cobra.Command) config.Table {
	sets := []*pflag.FlagSet{root.PersistentFlags(), root.Flags()}
	for _, cmd := range root.Commands() {
		sets = append(sets, cmd.Flags())
	}
	return config.TableOf(sets...)
}

func (c *configuration) options() config.Options {
	home, _ := os.UserHomeDir() // without one there is no user's file
	return config.Options{Table: c.table, System: systemFile, Environ: os.Environ(), Home: home}
}

// complete lets shells offer what the program knows: names of scenarios,
// profiles and themes.
func (c *configuration) complete(commands []*cobra.Command) {
	offer := func(cmd *cobra.Command, flag string, names func(*cobra.Command) []string, files cobra.ShellCompDirective) {
		if cmd.Flag(flag) == nil {
			return
		}
		// The flag is there, so this cannot fail.
		_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return names(cmd), files
		})
	}
	for _, cmd := range commands {
		offer(cmd, "scenario", func(*cobra.Command) []string { return scenario.Names() }, cobra.ShellCompDirectiveDefault)
		offer(cmd, "theme", func(*cobra.Command) []string { return themes.Names() }, cobra.ShellCompDirectiveNoFileComp)
	}
	offer(commands[0], "profile", func(cmd *cobra.Command) []string {
		return config.Profiles(cmd.Flags(), c.options())
	}, cobra.ShellCompDirectiveNoFileComp)
}

// readOnlyWhy says what makes the console refuse to change servers; empty when
// nothing does.
func (s settings) readOnlyWhy() string {
	switch {
	case !s.readOnly:
		return ""
	case s.conf == nil || s.conf.Effective == nil:
		return "--read-only"
	}
	from := s.conf.Of("read-only")
	if from.String() == "flag" {
		return "--read-only"
	}
	return "read_only: " + from.String()
}
