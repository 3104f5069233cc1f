package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // business days are in Asia/Almaty, also where no zone files are installed

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
)

// Exit codes. verify has its own meaning for 1 and 2.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 64 // EX_USAGE
	exitBadInput = 65 // EX_DATAERR
)

// program is what the commands share: where they write, in which language,
// and the clock.
type program struct {
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
	environ  []string
	language fault.Language
	now      func() time.Time
}

func main() {
	forgetPGVariables()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process, wherever it is: a library cannot be told to return
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), language: localeLanguage(os.Getenv), now: time.Now}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// forgetPGVariables drops libpq's variables (PGSERVICE, PGOPTIONS, …) from the
// environment. The database is the one that its address names, whole; what a
// shell says of another one would be mixed into that.
func forgetPGVariables() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name) // it fails for names that cannot be in an environment
		}
	}
}

// localeLanguage follows POSIX: LC_ALL, then LC_MESSAGES, then LANG.
func localeLanguage(getenv func(string) string) fault.Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := getenv(name); value != "" {
			return fault.ParseLanguage(value)
		}
	}
	return fault.English
}

// run executes one command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	root := &cobra.Command{
		Use:               "senim",
		Short:             "Who signed what, when, with what authority; what was owed and what was paid",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	out := &results{to: p.stdout}
	p.stdout = out
	defer func() { p.stdout = out.to }()
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &exitError{code: exitUsage, err: fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
	})
	root.AddCommand(p.commands()...)
	ran := false
	for _, c := range root.Commands() {
		markRan(c, &ran)
	}
	err := root.ExecuteContext(ctx)
	if failure := out.failure(); err == nil && failure != nil {
		err = &exitError{code: exitFailed, err: failure}
	}
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitFailed, err: err}
		if !ran {
			exit.code = exitUsage // cobra refused before any command ran
		}
	}
	if exit.err != nil {
		p.complain(exit.err)
	}
	return exit.code
}

// markRan notes that a command's own code was reached, so that what cobra
// refuses by itself (unknown command, wrong number of arguments) is wrong
// usage.
func markRan(c *cobra.Command, ran *bool) {
	if inner := c.RunE; inner != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			*ran = true
			return inner(c, args)
		}
	}
	for _, sub := range c.Commands() {
		markRan(sub, ran)
	}
}

// exitError ends the program with a code. A nil err prints nothing more.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exitCode is the code that an error ends the program with.
func exitCode(err error) int {
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return exitFailed
}

// complain tells a person what failed: the message in their language, then
// the engineer's line with the code.
func (p *program) complain(err error) {
	if f := fault.Of(err); f != nil {
		fmt.Fprintf(p.stderr, "senim: %s\n", f.Code.Message(p.language))
	}
	fmt.Fprintf(p.stderr, "senim: %v\n", err)
}
