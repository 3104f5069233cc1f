package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/pki/cms"
)

// bodyRoute is how a test reaches one operation that takes a body.
type bodyRoute struct {
	call    call
	max     int64 // bytes, as the contract says
	random  int   // what random bytes of the right type are refused with
	because fault.Code
}

// bodyRoutes are the operations of the contract that take a body, but for uploads,
// which are read as they come, and for RFC 3161, which refuses in its own terms:
// what becomes of those has its own tests.
// One that the contract has and the table has not fails the test.
func (w *world) bodyRoutes(t *testing.T) map[string]bodyRoute {
	t.Helper()
	transaction := w.opened(t, "INPUT")
	hook := func(path string) call {
		return call{path: "/v1/webhooks" + path, contentType: "application/json", bearer: w.window.bearer}
	}
	posted := func(c *apiClient, path string) call {
		return call{path: path, contentType: "application/json", bearer: c.bearer, key: uuid.NewString()}
	}
	routes := map[string]bodyRoute{
		"createWebhook":         {hook(""), 0, 400, fault.BodyInvalid},
		"updateWebhook":         {hook("/" + transaction.ID.String()), 0, 400, fault.BodyInvalid},
		"rotateWebhookKeys":     {hook("/" + transaction.ID.String() + "/keys"), 0, 400, fault.BodyInvalid},
		"replayWebhook":         {hook("/" + transaction.ID.String() + "/replays"), 0, 400, fault.BodyInvalid},
		"issueToken":            {call{path: "/v1/oauth/token", contentType: "application/x-www-form-urlencoded"}, 0, 400, fault.BodyInvalid},
		"createSession":         {call{path: "/v1/sessions", contentType: cmsType}, 0, 400, fault.CMSMalformed},
		"openTransaction":       {call{path: "/v1/transactions", contentType: "application/json", bearer: w.window.bearer, key: uuid.NewString()}, 0, 400, fault.BodyInvalid},
		"submitDocument":        {w.documents(transaction, nil), 0, 400, fault.CMSMalformed},
		"acceptGatewayCallback": {call{path: "/v1/gateway/callbacks", contentType: "text/xml"}, 0, 401, fault.CallbackUnauthentic},
		"importStatement":       {call{path: "/v1/statements?name=x.xml", contentType: "application/xml", bearer: w.treasury.bearer, key: uuid.NewString()}, 0, 400, fault.StatementMalformed},
		"createTimestamp":       {call{path: "/v1/timestamps", contentType: "application/json"}, 0, 400, fault.BodyInvalid},
		"useAdvance":            {posted(w.window, "/v1/orders/"+transaction.ID.String()+"/advance"), 0, 400, fault.BodyInvalid},
		"askRefund":             {posted(w.treasury, "/v1/refunds"), 0, 400, fault.BodyInvalid},
		"rejectRefund":          {posted(w.as(t, "treasury-controller"), "/v1/refunds/"+transaction.ID.String()+"/rejection"), 0, 400, fault.BodyInvalid},
		"postPayment":           {posted(w.as(t, "payment-gateway"), "/v1/payments"), 0, 400, fault.BodyInvalid},
		"captureOrder":          {posted(w.window, "/v1/orders/"+transaction.ID.String()+"/capture"), 0, 400, fault.BodyInvalid},
		"debitOrder":            {posted(w.window, "/v1/orders/"+transaction.ID.String()+"/debit"), 0, 400, fault.BodyInvalid},
		"giveMandate":           {call{path: "/v1/mandates", contentType: cmsType, bearer: w.window.bearer, key: uuid.NewString()}, 0, 400, fault.CMSMalformed},
		"acceptCardCallback":    {call{path: "/v1/gateways/epay/callbacks", contentType: "application/json"}, 0, 400, fault.BodyInvalid},
		"tellCharges":           {posted(w.window, "/v1/charges"), 0, 400, fault.BodyInvalid},
		"assessCharges":         {call{path: "/v1/charges/assessments", contentType: "application/json", bearer: w.window.bearer}, 0, 400, fault.BodyInvalid},
		"workExceptions":        {posted(w.treasury, "/v1/exceptions/work"), 0, 400, fault.BodyInvalid},
		"approveExceptions":     {posted(w.as(t, "treasury-controller"), "/v1/exceptions/approvals"), 0, 400, fault.BodyInvalid},
		"rejectExceptions":      {posted(w.as(t, "treasury-controller"), "/v1/exceptions/rejections"), 0, 400, fault.BodyInvalid},
		"reconcile":             {call{path: "/v1/reconciliations", contentType: "application/json", bearer: w.treasury.bearer}, 0, 400, fault.BodyInvalid},
	}
	var contract struct {
		Paths map[string]map[string]struct {
			ID   string `json:"operationId"`
			Body *struct {
				Max     int64 `json:"x-senim-max-bytes"`
				Content map[string]any
			} `json:"requestBody"`
		} `json:"paths"`
	}
	check(t, json.Unmarshal(w.do(t, call{method: http.MethodGet, path: "/openapi.json"}).body, &contract))
	found := 0
	for path, methods := range contract.Paths {
		for method, operation := range methods {
			if operation.Body == nil || operation.Body.Content["multipart/form-data"] != nil || operation.Body.Content["application/timestamp-query"] != nil {
				continue
			}
			route, known := routes[operation.ID]
			if !known {
				t.Errorf("%s %s takes a body and is not tried", method, path)
				continue
			}
			found++
			route.call.method, route.max = strings.ToUpper(method), operation.Body.Max
			routes[operation.ID] = route
		}
	}
	if found != len(routes) {
		t.Errorf("the contract has %d of %d operations", found, len(routes))
	}
	return routes
}

// Whatever is sent instead of a body gets its problem document, in three
// languages, and costs no more than the route's limit.
func (w *world) badBodies(t *testing.T) {
	noise := make([]byte, 4000)
	_, _ = rand.Read(noise)
	for name, route := range w.bodyRoutes(t) {
		with := func(change func(*call)) call {
			c := route.call
			c.body = noise
			change(&c)
			return c
		}
		t.Run(name, func(t *testing.T) {
			w.refuses(t, with(func(c *call) { c.body = nil }), http.StatusBadRequest, fault.InputEmpty)
			w.refuses(t, with(func(*call) {}), route.random, route.because)
			w.refuses(t, with(func(c *call) { c.contentType = "image/png" }), http.StatusUnsupportedMediaType, fault.MediaTypeUnsupported)
			w.refuses(t, with(func(c *call) { c.contentType = "" }), http.StatusUnsupportedMediaType, fault.MediaTypeUnsupported)
			w.refuses(t, with(func(c *call) { c.header = http.Header{"Content-Encoding": {"gzip"}} }), http.StatusUnsupportedMediaType, fault.MediaTypeUnsupported)
			w.refuses(t, with(func(c *call) {
				c.path += "&more=1"
				c.path = strings.Replace(c.path, "&", "?", 1-strings.Count(c.path, "?"))
			}), http.StatusBadRequest, fault.ParameterInvalid)
			if route.call.key != "" {
				w.refuses(t, with(func(c *call) { c.key = "" }), http.StatusBadRequest, fault.IdempotencyKeyMissing)
				w.refuses(t, with(func(c *call) { c.key = "two words" }), http.StatusBadRequest, fault.IdempotencyKeyInvalid)
				w.refuses(t, with(func(c *call) { c.key = strings.Repeat("k", 129) }), http.StatusBadRequest, fault.IdempotencyKeyInvalid)
			}
			w.gigabyte(t, route)
			w.truncated(t, route)
		})
	}
}

// socketBuffers is what may be on the way when a server has had enough.
const socketBuffers = 16 << 20

// gigabyte sends 1 GiB of zeros, without saying so and saying so.
func (w *world) gigabyte(t *testing.T, route bodyRoute) {
	t.Helper()
	sent := &zeros{left: 1 << 30}
	c := route.call
	c.language = fault.Russian
	streamed, err := w.stream(t.Context(), c, sent)
	check(t, err)
	streamed.refused(t, fault.Russian, http.StatusRequestEntityTooLarge, fault.InputTooBig)
	if took := 1<<30 - sent.left; took > route.max+socketBuffers {
		t.Errorf("the server took %d bytes of a stream, its limit is %d", took, route.max)
	}
	raw := w.raw(t, c, 1<<30, []byte("0"), false)
	raw.refused(t, fault.Russian, http.StatusRequestEntityTooLarge, fault.InputTooBig)
}

// truncated says that a body is longer than it is.
func (w *world) truncated(t *testing.T, route bodyRoute) {
	t.Helper()
	c := route.call
	c.language = fault.Kazakh
	w.raw(t, c, min(1000, route.max), []byte("half a body"), true).refused(t, fault.Kazakh, http.StatusBadRequest, fault.BodyTruncated)
}

// zeros is a stream of them.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	n := int(min(int64(len(p)), z.left))
	clear(p[:n])
	if z.left -= int64(n); n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// stream sends a request with a body of a length that is not told, and reads the
// answer meanwhile: it comes before the body is sent, and soon after it nothing can be
// sent any more.
func (w *world) stream(ctx context.Context, c call, body io.Reader) (reply, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(w.base, "http://"))
	if err != nil {
		return reply{}, err
	}
	var sending sync.WaitGroup
	sending.Go(func() {
		// What the server makes of it is in its answer.
		_, _ = conn.Write(w.head(c, "Transfer-Encoding: chunked"))
		chunks := httputil.NewChunkedWriter(conn)
		_, _ = io.Copy(chunks, body)
		_ = chunks.Close()
		_, _ = io.WriteString(conn, "\r\n")
	})
	defer sending.Wait()
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(settledWithin)); err != nil {
		return reply{}, err
	}
	return readReply(conn)
}

func readReply(conn net.Conn) (reply, error) {
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, answerSizeMax))
	return reply{res.StatusCode, res.Header, answer}, err
}

// head is that of a request as it is sent, with a field that says how long the body is.
func (w *world) head(c call, length string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\n%s\r\nAccept-Language: %s\r\n",
		c.method, c.path, strings.TrimPrefix(w.base, "http://"), c.contentType, length, c.language)
	if c.bearer != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", c.bearer)
	}
	if c.key != "" {
		fmt.Fprintf(&b, "Idempotency-Key: %s\r\n", c.key)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// raw sends a request with a Content-Length of its own, and reads the answer.
func (w *world) raw(t *testing.T, c call, length int64, body []byte, end bool) reply {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.base, "http://"))
	check(t, err)
	defer conn.Close()
	check(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = conn.Write(append(w.head(c, fmt.Sprint("Content-Length: ", length)), body...))
	check(t, err)
	if end {
		check(t, conn.(*net.TCPConn).CloseWrite())
	}
	answer, err := readReply(conn)
	check(t, err)
	return answer
}

// hostileDocuments are contents that somebody with a good key signs.
func (w *world) hostileDocuments(t *testing.T) {
	inside := func(what string) []byte {
		return bytes.Replace(w.declaration, []byte("</Declaration>"), []byte(what+"</Declaration>"), 1)
	}
	item := w.declaration[bytes.Index(w.declaration, []byte("<GovernmentAgencyGoodsItem")):]
	item = item[:bytes.Index(item, []byte("</GovernmentAgencyGoodsItem>"))+len("</GovernmentAgencyGoodsItem>")]
	for name, row := range map[string]struct {
		content []byte
		status  int
		code    fault.Code
	}{
		"nothing":              {nil, 400, fault.InputEmpty},
		"text":                 {[]byte("I owe nothing."), 400, fault.DeclarationMalformed},
		"another document":     {[]byte("<Invoice/>"), 400, fault.DeclarationUnknown},
		"entities in entities": {billionLaughs, 400, fault.DeclarationMalformed},
		"a file by an entity":  {[]byte(`<!DOCTYPE D [<!ENTITY x SYSTEM "file:///etc/passwd">]><Declaration>&x;</Declaration>`), 400, fault.DeclarationMalformed},
		"100 000 levels":       {[]byte(strings.Repeat("<a>", 100_000)), 400, fault.DeclarationUnknown},
		"levels inside":        {inside(strings.Repeat("<GoodsShipment>", 50_000)), 400, fault.DeclarationUnknown},
		"items without number": {bytes.Replace(w.declaration, item, bytes.Repeat(item, 800), 1), 400, fault.DeclarationValue},
		"30 MiB of blanks":     {inside(strings.Repeat(" ", 30<<20)), 413, fault.InputTooBig},
		"an attribute twice":   {[]byte(`<Declaration xmlns="urn:senim:single-document:1" a="" a=""/>`), 400, fault.DeclarationUnknown},
		"UTF-16":               {append([]byte{0xff, 0xfe}, "<\x00D\x00/\x00>\x00"...), 400, fault.DeclarationMalformed},
		"a NUL":                {inside("\x00"), 400, fault.DeclarationMalformed},
		"a comment":            {inside("<!-- -->"), 400, fault.DeclarationMalformed},
		"an instruction":       {inside("<?php ?>"), 400, fault.DeclarationMalformed},
		"an unknown element":   {inside("<Discount>1</Discount>"), 400, fault.DeclarationUnknown},
		"two documents":        {append(bytes.Clone(w.declaration), w.declaration...), 400, fault.DeclarationMalformed},
		"a cut document":       {w.declaration[:len(w.declaration)-20], 400, fault.DeclarationMalformed},
		"a wrong sum":          {bytes.Replace(w.declaration, []byte("20000.00"), []byte("19999.99"), 1), 422, fault.ChargeMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			transaction := w.opened(t, "HOSTILE")
			signed := w.signedNothing(t, sandbox.Head)
			if row.content != nil {
				signed = w.signedBy(t, sandbox.Head, row.content)
			}
			w.refuses(t, w.documents(transaction, signed), row.status, row.code)
			w.untouched(t, transaction)
		})
	}
	w.goesOn(t)
}

// signedNothing is a message over an empty content, which signer/cades would not
// make.
func (w *world) signedNothing(t *testing.T, who sandbox.Person) []byte {
	t.Helper()
	person := w.people[who]
	signed, err := cms.Sign(cms.Template{Content: []byte{}, Certificate: person.certificate.Raw, SigningTime: w.now()}, person.key)
	check(t, err)
	return signed
}

var billionLaughs = func() []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0"?><!DOCTYPE D [<!ENTITY l0 "ha">`)
	for i := range 12 {
		fmt.Fprintf(&b, `<!ENTITY l%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&l%d;", i), 10))
	}
	b.WriteString(`]><Declaration>&l12;</Declaration>`)
	return b.Bytes()
}()

// hostileMessages are no signatures, or too much of one.
func (w *world) hostileMessages(t *testing.T) {
	nested := func(head string, levels int) []byte {
		return append(append([]byte(head), bytes.Repeat([]byte{0x30, 0x80}, levels)...), make([]byte, 2*levels)...)
	}
	const signedData = "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"
	for name, row := range map[string]struct {
		message []byte
		status  int
		code    fault.Code
	}{
		"cut":                         {w.signed[:len(w.signed)-1], 400, fault.CMSMalformed},
		"cut in the middle":           {w.signed[:len(w.signed)/2], 400, fault.CMSMalformed},
		"more after it":               {append(bytes.Clone(w.signed), 0), 400, fault.CMSMalformed},
		"one byte":                    {[]byte{0x30}, 400, fault.CMSMalformed},
		"a length beyond the message": {[]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 6}, 400, fault.CMSMalformed},
		"a length beyond all memory":  {[]byte{0x30, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 400, fault.CMSMalformed},
		"BER of 100 000 levels":       {nested("", 100_000), 413, fault.EncodingTooDeep},
		"the same in SignedData":      {nested(signedData, 100_000), 413, fault.EncodingTooDeep},
		"a string of strings":         {append([]byte(signedData), bytes.Repeat([]byte{0x24, 0x80}, 100_000)...), 413, fault.EncodingTooDeep},
		"15 million elements":         {append([]byte(signedData), bytes.Repeat([]byte{5, 0}, 15<<20)...), 413, fault.InputTooBig},
		"3000 certificates":           {w.withCertificates(t, 3000), 413, fault.CMSLimit},
		"300 certificates":            {w.withCertificates(t, 300), 413, fault.EvidenceTooBig},
		"text in PEM":                 {[]byte("-----BEGIN CMS-----\nAAAA\n-----END CMS-----\n"), 400, fault.CMSMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			transaction := w.opened(t, "HOSTILE")
			w.refuses(t, w.documents(transaction, row.message), row.status, row.code)
			w.untouched(t, transaction)
		})
	}
	w.goesOn(t)
}

// withCertificates puts more certificates into the signed document, each of
// another key.
func (w *world) withCertificates(t *testing.T, n int) []byte {
	t.Helper()
	type content struct {
		Type asn1.ObjectIdentifier
		Data struct {
			Version      int
			Digests      asn1.RawValue
			Content      asn1.RawValue
			Certificates asn1.RawValue `asn1:"tag:0"`
			Signers      asn1.RawValue
		} `asn1:"explicit,tag:0"`
	}
	var message content
	_, err := asn1.Unmarshal(w.signed, &message)
	check(t, err)
	certificates := bytes.Clone(message.Data.Certificates.Bytes)
	for i := range n {
		other := bytes.Clone(w.people[sandbox.Employee].certificate.Raw)
		other[len(other)-1-i%200] ^= byte(1 + i/200) // its signature
		certificates = append(certificates, other...)
	}
	message.Data.Certificates = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: certificates}
	raw, err := asn1.Marshal(message)
	check(t, err)
	return raw
}

// goesOn looks that the service still does its work.
func (w *world) goesOn(t *testing.T) {
	t.Helper()
	if r := w.do(t, call{method: http.MethodGet, path: "/healthz"}); r.status != http.StatusOK {
		t.Errorf("/healthz answers %d %s", r.status, r.body)
	}
	answered[api.Document](t, w.do(t, w.documents(w.opened(t, "AFTER"), w.signed)), http.StatusCreated)
}

// badJSON holds the JSON routes against what is nearly right.
func (w *world) badJSON(t *testing.T) {
	open := func(body string) call {
		return call{method: http.MethodPost, path: "/v1/transactions", bearer: w.window.bearer, contentType: "application/json", key: uuid.NewString(), body: []byte(body)}
	}
	const good = `"reference":"J-1","declarant_bin":"190640017419"`
	for name, row := range map[string]struct {
		body   string
		status int
		code   fault.Code
	}{
		"an unknown member":     {`{` + good + `,"discount":1}`, 400, fault.BodyInvalid},
		"a missing member":      {`{"reference":"J-1"}`, 400, fault.BodyInvalid},
		"null":                  {`null`, 400, fault.BodyInvalid},
		"a list":                {`[{` + good + `}]`, 400, fault.BodyInvalid},
		"two values":            {`{` + good + `}{` + good + `}`, 400, fault.BodyInvalid},
		"a number for a text":   {`{"reference":1,"declarant_bin":"190640017419"}`, 400, fault.BodyInvalid},
		"nesting":               {strings.Repeat("[", 8000) + strings.Repeat("]", 8000), 400, fault.BodyInvalid},
		"a long reference":      {`{"reference":"` + strings.Repeat("r", 65) + `","declarant_bin":"190640017419"}`, 400, fault.BodyInvalid},
		"a control character":   {`{"reference":"a\u0007b","declarant_bin":"190640017419"}`, 400, fault.BadArgument},
		"a wrong control digit": {`{"reference":"J-1","declarant_bin":"190640017418"}`, 400, fault.BINInvalid},
		"not UTF-8":             {"{\"reference\":\"\xff\",\"declarant_bin\":\"190640017419\"}", 400, fault.BodyInvalid},
		"the same member twice": {`{"reference":"J-0",` + good + `}`, 400, fault.BodyInvalid},
		"a lone surrogate":      {`{"reference":"\ud800","declarant_bin":"190640017419"}`, 400, fault.BodyInvalid},
	} {
		t.Run(name, func(t *testing.T) { w.refuses(t, open(row.body), row.status, row.code) })
	}
	reconcile := func(body string) call {
		return call{method: http.MethodPost, path: "/v1/reconciliations", bearer: w.treasury.bearer, contentType: "application/json", body: []byte(body)}
	}
	for _, body := range []string{`{"day":"2026-02-30"}`, `{"day":"yesterday"}`, `{"day":20261121}`, `{"day":"2026-11-21","force":true}`, `{}`} {
		w.refuses(t, reconcile(body), 400, fault.BodyInvalid)
	}
}

// noSuchTransaction asks about transactions that are not there.
func (w *world) noSuchTransaction(t *testing.T) {
	for id, row := range map[string]struct {
		status int
		code   fault.Code
	}{
		uuid.Must(uuid.NewV7()).String():        {404, fault.TransactionNotFound},
		uuid.NewString():                        {404, fault.TransactionNotFound},
		uuid.Nil.String():                       {404, fault.TransactionNotFound},
		"42":                                    {400, fault.ParameterInvalid},
		strings.Repeat("0", 36):                 {400, fault.ParameterInvalid},
		"..%2f..%2fetc%2fpasswd":                {404, fault.RouteUnknown},
		strings.ToUpper(uuid.NewString()) + "0": {400, fault.ParameterInvalid},
	} {
		path := "/v1/transactions/" + id
		w.refuses(t, call{method: http.MethodGet, path: path, bearer: w.window.bearer}, row.status, row.code)
		w.refuses(t, call{method: http.MethodPost, path: path + "/orders", bearer: w.window.bearer, key: uuid.NewString()}, row.status, row.code)
		w.refuses(t, call{method: http.MethodPost, path: path + "/documents", bearer: w.window.bearer, contentType: cmsType, key: uuid.NewString(), body: w.signed}, row.status, row.code)
	}
	w.refuses(t, w.orders(w.opened(t, "EMPTY")), 409, fault.DocumentMissing)
}
