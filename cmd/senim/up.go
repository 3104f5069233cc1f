package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	defaultListen = "127.0.0.1:8480"
	// answerTimeout bounds the wait for the service to say that it is ready.
	answerTimeout = 2 * time.Minute
	logName       = "senim.log"
)

var (
	sayPreparing = text{"Орта дайындалуда: %s", "Готовлю окружение: %s", "Preparing the surroundings in %s"}
	sayRunning   = text{
		"Дайын. Тоқтату үшін Ctrl-C; деректер сақталады.",
		"Готово. Остановить: Ctrl-C; данные сохранятся.",
		"Ready. Ctrl-C stops everything and keeps the data.",
	}
	sayStopping = text{"Тоқтатылуда …", "Останавливаю …", "Stopping …"}
	sayStopped  = text{"Тоқтатылды, деректер: %s", "Остановлено, данные: %s", "Stopped; the data is in %s"}
	sayDBGone   = text{"дерекқор өздігінен тоқтады", "база данных остановилась сама", "the database ended by itself"}
)

func (p *program) upCommand() *cobra.Command {
	var data, listen string
	c := &cobra.Command{
		Use:   "up",
		Short: "Run the service with a private database, a software token and stand-ins of the state systems",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.up(c.Context(), data, listen)
		},
	}
	c.Flags().StringVar(&data, "data", "senim-data", "folder that keeps everything")
	c.Flags().StringVar(&listen, "listen", defaultListen, "address of the API")
	return c
}

// up runs until the context ends, a part fails, or the database dies.
func (p *program) up(ctx context.Context, data, listen string) error {
	dir, err := dataFolder(data)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, sayPreparing.in(p.language)+"\n", data)
	if err := p.keepUp(ctx, surroundingsConfig{Dir: dir, Listen: listen, Now: p.now}); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, sayStopped.in(p.language)+"\n", dir)
	return nil
}

// keepUp returns when everything it started has ended.
func (p *program) keepUp(ctx context.Context, c surroundingsConfig) (err error) {
	around, err := startSurroundings(ctx, c)
	if err != nil {
		return stoppedAtStart(ctx, err)
	}
	defer func() { err = errors.Join(err, around.close()) }()
	log, closeLog, err := openLog(around.path(logName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	built, err := around.startService(ctx, log)
	if err != nil {
		return stoppedAtStart(ctx, err)
	}
	defer func() { err = errors.Join(err, built.close()) }()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- built.run(ctx) }()
	u := around.urls(built.config.PublicURL)
	if err := p.announce(ctx, around, u); err != nil {
		err = stoppedAtStart(ctx, err)
		stop()
		return errors.Join(err, <-ended)
	}
	defer func() { err = errors.Join(err, around.removeURLs()) }()
	select {
	case err = <-ended:
		return err
	case <-around.cluster.Done():
		err = fault.New(fault.NotRunning, "database", "%s", sayDBGone.in(fault.English))
	case <-ctx.Done():
	}
	fmt.Fprintln(p.stdout, sayStopping.in(p.language))
	stop()
	return errors.Join(err, <-ended)
}

// stoppedAtStart gives a start that failed because it was told to stop that
// reason, whatever it was doing.
func stoppedAtStart(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fault.Wrap(err, fault.Cancelled, "", "stopped before it was ready")
}

// announce waits until everything answers, then writes urls.json and prints
// the addresses.
func (p *program) announce(ctx context.Context, around *surroundings, u urls) error {
	if err := waitReady(ctx, u.API); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(u, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", urlsName, err)
	}
	if err := writeFileAtomically(around.path(urlsName), raw); err != nil {
		return err
	}
	for _, line := range []struct{ name, value string }{
		{"api", u.API}, {"docs", u.Docs}, {"jwks", u.JWKS}, {"tsa", u.TSA}, {"ocsp", u.Sandbox.NCA.OCSP}, {"shep", u.Sandbox.SHEP},
		{"pshep", u.Sandbox.PSHEP}, {"bank", u.Sandbox.Bank}, {"epay", u.Sandbox.Epay}, {"statements", u.Sandbox.Statements},
		{"database", u.Database}, {"anchors", u.Anchors}, {"clients", u.Clients}, {"log", around.path(logName)},
	} {
		fmt.Fprintf(p.stdout, "  %-11s %s\n", line.name, line.value)
	}
	fmt.Fprintln(p.stdout, sayRunning.in(p.language))
	return nil
}

// waitReady asks /readyz until it says yes.
func waitReady(ctx context.Context, api string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	last := "no answer"
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("ask for readiness: %w", err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			raw, _ := io.ReadAll(io.LimitReader(res.Body, 4096)) // only quoted in the message below
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
			last = string(raw)
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.NotRunning, api, "not ready in %s: %s", answerTimeout, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// openLog appends to a log file that only its owner reads.
func openLog(path string) (*slog.Logger, func() error, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.BadArgument, path, "open the log")
	}
	return slog.New(slog.NewJSONHandler(file, nil)), file.Close, nil
}

// writeFileAtomically makes a file appear whole or not at all.
func writeFileAtomically(path string, raw []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(raw)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(file.Name()))
	}
	return nil
}
