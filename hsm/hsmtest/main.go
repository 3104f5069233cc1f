package hsmtest

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/senim-kz/senim/hsm/hsmtest/pivcard"
)

const (
	// cardVariable tells a process that it is a card, and the card's folder.
	cardVariable = "SENIM_TEST_CARD"
	// cardDescriptor is the connection to the reader, which the process inherits.
	cardDescriptor = 3
)

// Main runs the tests of a package that uses Card; its TestMain must call it. The
// card is a process of its own, so that it can be pulled out: the test binary,
// started again.
func Main(m *testing.M) {
	if dir := os.Getenv(cardVariable); dir != "" {
		if err := beCard(dir); err != nil {
			fmt.Fprintln(os.Stderr, "card:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beCard is the card until the reader goes away.
func beCard(dir string) error {
	card, err := pivcard.Open(dir)
	if err != nil {
		return err
	}
	conn, err := net.FileConn(os.NewFile(cardDescriptor, "reader"))
	if err != nil {
		return fmt.Errorf("take over the connection: %w", err)
	}
	return card.Serve(conn)
}
