package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/tsp"
)

const (
	// stampReplyMax bounds the reply of either server: they have 1 KiB.
	stampReplyMax = 16 << 10
	// stampRoundMax bounds one round on a connection.
	stampRoundMax = time.Minute
)

// stampConnection asks one server over one connection that stays open. It shares
// the machine with the server that it measures, so it does what HTTP/1.1 needs
// and no more: net/http's client takes as much of a processor as a third of
// either server.
type stampConnection struct {
	conn  net.Conn
	read  *bufio.Reader
	reply []byte
}

func dialStamps(ctx context.Context, address string) (*stampConnection, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, address, "read the address")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", at.Host)
	if err != nil {
		return nil, fault.Wrap(err, fault.PeerDown, address, "connect")
	}
	return &stampConnection{conn: conn, read: bufio.NewReaderSize(conn, stampReplyMax), reply: make([]byte, stampReplyMax)}, nil
}

func (c *stampConnection) close() error { return c.conn.Close() }

// stampRequest is a whole request, as it goes down the connection.
func stampRequest(address string, query []byte) ([]byte, error) {
	request, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(query))
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, address, "make the request")
	}
	request.Header.Set("Content-Type", tsp.ContentTypeQuery)
	request.Header.Set("User-Agent", "senim-bench")
	var out bytes.Buffer
	if err := request.Write(&out); err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, address, "write the request")
	}
	return out.Bytes(), nil
}

// ask sends a request and gives the reply, which holds until the next is asked for.
func (c *stampConnection) ask(request []byte) ([]byte, error) {
	if _, err := c.conn.Write(request); err != nil {
		return nil, fault.Wrap(err, fault.PeerDown, "", "ask for a token")
	}
	length, err := c.readHead()
	if err != nil {
		return nil, fault.Wrap(err, fault.PeerAnswer, "", "read the answer's head")
	}
	if _, err := io.ReadFull(c.read, c.reply[:length]); err != nil {
		return nil, fault.Wrap(err, fault.PeerDown, "", "read the token")
	}
	return c.reply[:length], nil
}

var (
	contentLengthName    = []byte("Content-Length")
	transferEncodingName = []byte("Transfer-Encoding")
)

// readHead reads the status, which must be one of success, and the headers, and
// gives the length of the body.
func (c *stampConnection) readHead() (length int, err error) {
	line, err := c.read.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 20")) { // sigstore's is 201
		return 0, fmt.Errorf("status %.40q", line)
	}
	length = -1
	for {
		if line, err = c.read.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, contentLengthName):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, transferEncodingName):
			return 0, fmt.Errorf("the body is %s", value)
		}
	}
	if length < 0 || length > len(c.reply) {
		return 0, fmt.Errorf("a body of %d bytes", length)
	}
	return length, nil
}

// isGranted looks at PKIStatus alone, and that a token follows.
func isGranted(reply []byte) bool {
	input := cryptobyte.String(reply)
	var body, info, token cryptobyte.String
	var status int
	return input.ReadASN1(&body, cbasn1.SEQUENCE) && input.Empty() &&
		body.ReadASN1(&info, cbasn1.SEQUENCE) && info.ReadASN1Integer(&status) && status <= 1 &&
		body.ReadASN1(&token, cbasn1.SEQUENCE) && !token.Empty() && body.Empty()
}
