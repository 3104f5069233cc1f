package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/tsp"
)

// stoppedUnderARequest tells a node to stop when it has the head of a request for a
// time-stamp, and sends the rest afterwards: the token is issued, and so its record
// written.
func (w *world) stoppedUnderARequest(t *testing.T) {
	node, stop := w.start(t, func(*config.Config) {}, time.Now)
	address := node.config.Listen
	request, err := tsp.NewRequest([]byte("data"), algo.SHA256, rand.Reader)
	check(t, err)
	query, err := request.Marshal()
	check(t, err)
	conn, err := net.Dial("tcp", address)
	check(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /tsa HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", address, tsp.ContentTypeQuery, len(query))
	check(t, err)
	eventually(t, "the request is under way", stoppedWithin, func() bool {
		families, err := node.metrics.Gather()
		check(t, err)
		for _, family := range families {
			if family.GetName() == "senim_http_requests_in_flight" {
				return family.GetMetric()[0].GetGauge().GetValue() == 1
			}
		}
		return false
	})
	stop()
	eventually(t, "nobody else is let in", stoppedWithin, func() bool {
		other, err := net.Dial("tcp", address)
		if err == nil {
			other.Close()
		}
		return err != nil
	})
	_, err = conn.Write(query)
	check(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	check(t, err)
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	check(t, err)
	token, err := request.Accept(reply)
	check(t, err)
	var digest []byte
	serial := token.Serial.Bytes()
	check(t, w.service.pool.QueryRow(t.Context(), `SELECT token FROM tsa_records WHERE serial = $1`, serial).Scan(&digest))
	if !bytes.Equal(digest, algo.SHA256.Sum(token.Raw)) {
		t.Errorf("the record of %x is of another token", serial)
	}
}
