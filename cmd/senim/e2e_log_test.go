package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/sandbox"
)

// silentLogs looks, after everything else, for what must not be in a log: who
// the people are, secrets, and pieces of what they sent.
func (w *world) silentLogs(t *testing.T) {
	session := w.signIn(t, w.people[sandbox.Head])
	transaction := w.opened(t, "LOG-REFERENCE-771")
	// What a caller puts where it does not belong may come out nowhere either.
	const odd = "870101300009"
	for _, c := range []call{
		{method: http.MethodGet, path: "/v1/transactions/" + transaction.ID.String() + "?iin=" + odd, bearer: session.Token},
		{method: http.MethodGet, path: "/v1/people/" + odd, bearer: session.Token},
		{method: http.MethodPost, path: "/v1/transactions", bearer: session.Token, contentType: "application/json", key: odd, body: []byte(`{"iin":"` + odd + `"}`)},
		{method: http.MethodGet, path: "/healthz", header: http.Header{"X-Request-Id": {"iin " + odd}, "User-Agent": {odd}}},
		{method: http.MethodPost, path: "/v1/statements?name=" + odd + ".xml", bearer: w.treasury.bearer, contentType: "application/xml", key: uuid.NewString(), body: []byte(odd)},
		{method: odd, path: "/healthz"},
	} {
		w.do(t, c)
	}

	secrets := map[string]string{
		"a number that does not belong": odd,
		"a session's token":             session.Token,
		"the single window's token":     w.window.bearer,
		"a signature of that token":     w.window.bearer[strings.LastIndexByte(w.window.bearer, '.')+1:],
		"a reference":                   "LOG-REFERENCE-771",
		"a value of the declaration":    "1245600.37",
		"a text of the declaration":     "тостер",
		"a receipt":                     w.document.Receipt,
	}
	for who := range w.people {
		holder, err := sandbox.HolderOf(who)
		check(t, err)
		secrets["the IIN of "+string(who)] = holder.IIN.Digits()
		secrets["the name of "+string(who)] = holder.Surname
	}
	secrets["a neighbour's IIN"], secrets["a neighbour's name"] = neighbour.IIN.Digits(), neighbour.Surname
	pins, err := filepath.Glob(w.around.private("*pin"))
	check(t, err)
	for _, file := range pins {
		raw, err := os.ReadFile(file)
		check(t, err)
		secrets["the PIN in "+filepath.Base(file)] = strings.TrimSpace(string(raw))
	}
	keys, err := filepath.Glob(w.around.private(clientsName, "*.jwk"))
	check(t, err)
	for _, file := range keys {
		var key struct{ D string }
		raw, err := os.ReadFile(file)
		check(t, err)
		check(t, json.Unmarshal(raw, &key))
		secrets["the key in "+filepath.Base(file)] = key.D
	}
	if len(pins) == 0 || len(keys) == 0 {
		t.Fatal("no secrets were found to look for")
	}
	for _, path := range []string{w.logs, w.around.path(clusterName, "server.log")} {
		log, err := os.ReadFile(path)
		check(t, err)
		if path == w.logs && bytes.Count(log, []byte("\n")) < 100 {
			t.Errorf("%s has hardly a line", path)
		}
		for name, secret := range secrets {
			if len(secret) < 6 {
				t.Fatalf("%s is %q", name, secret)
			}
			if at := bytes.Index(log, []byte(secret)); at >= 0 {
				start := bytes.LastIndexByte(log[:at], '\n') + 1
				t.Errorf("%s is in %s: %.400s", name, filepath.Base(path), log[start:])
			}
		}
	}
}
