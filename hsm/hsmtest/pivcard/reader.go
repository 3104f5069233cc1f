package pivcard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// What vpcd asks for in messages of one byte.
const (
	powerOff = 0
	powerOn  = 1
	reset    = 2
	askATR   = 4
)

// atr is a YubiKey 4's: OpenSC 0.23 takes elliptic curves of PIV cards that it
// knows by their answer to reset, and of no others.
var atr = []byte{0x3b, 0xf8, 0x13, 0x00, 0x00, 0x81, 0x31, 0xfe, 0x15, 0x59, 0x75, 0x62, 0x69, 0x6b, 0x65, 0x79, 0x34, 0xd4}

// Serve is the card in the reader at the other end, until that goes away.
func (c *Card) Serve(reader net.Conn) error {
	defer reader.Close()
	for {
		message, err := read(reader)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read from the reader: %w", err)
		}
		answer, any := c.answer(message)
		if !any {
			continue
		}
		if _, err := reader.Write(join(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer)); err != nil {
			return fmt.Errorf("answer the reader: %w", err)
		}
	}
}

// answer to a message; there is none to power and reset.
func (c *Card) answer(message []byte) (answer []byte, any bool) {
	if len(message) != 1 {
		return c.Command(message), true
	}
	switch message[0] {
	case askATR:
		return atr, true
	case powerOff, powerOn, reset:
		c.Reset()
	}
	return nil, false
}

// read reads a message: its length in two bytes, then itself. vpcd sends the two
// apart, and its kernel would hold the second back until the first is
// acknowledged.
func read(conn net.Conn) ([]byte, error) {
	quick(conn)
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	quick(conn)
	message := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(conn, message)
	return message, err
}
