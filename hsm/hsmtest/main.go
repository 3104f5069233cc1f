package hsmtest

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/senim-kz/senim/hsm/hsmtest/pivcard"
)

// The environment of a process that is a card: the card's folder and the
// reader's address.
const (
	cardVariable   = "SENIM_TEST_CARD"
	readerVariable = "SENIM_TEST_READER"
)

// Main runs the tests of a package that uses Card; its TestMain must call it. The
// card is a process of its own, so that it can be pulled out: the test binary,
// started again.
func Main(m *testing.M) {
	if dir := os.Getenv(cardVariable); dir != "" {
		os.Exit(beCard(dir, os.Getenv(readerVariable)))
	}
	os.Exit(m.Run())
}

// beCard is the card until the reader goes away, or whoever started it does.
func beCard(dir, reader string) int {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the pipe
		stop()
	}()
	card, err := pivcard.Open(dir)
	if err == nil {
		err = insert(ctx, card, reader)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "card:", err)
		return 1
	}
	return 0
}

// insert waits until there is a reader.
func insert(ctx context.Context, card *pivcard.Card, reader string) (err error) {
	for range 500 {
		if err = card.Insert(ctx, reader); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}
