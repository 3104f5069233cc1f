package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/verifier"
)

// The demo's transaction, step by step, each step judged by what the service
// answers and by programs of others.
func (w *world) flow(t *testing.T) {
	check(t, w.step(stepSubmit, func() error { return w.submit(t.Context()) }))
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"the verdict", w.verdict}, {"the evidence", w.evidence}, {"openssl reads it", w.opensslReads}, {"the receipt", w.receipt},
		{"the signer", w.signer}, {"the payment", w.payment}, {"the statement", w.statement}, {"the dossier", w.dossier},
		{"the refusals", w.refusalsOfTheDemo},
	} {
		if !t.Run(part.name, part.run) {
			return // what follows stands on it
		}
	}
}

func (w *world) verdict(t *testing.T) {
	d := w.document
	digest := sha256.Sum256(w.declaration)
	if d.Verdict.Indication != "TOTAL-PASSED" || d.Verdict.SubIndication != "" || d.Verdict.Policy != verifier.DefaultPolicy || len(d.Verdict.Warnings) > 0 {
		t.Errorf("the verdict is %+v", d.Verdict)
	}
	if d.Digest != hex.EncodeToString(digest[:]) || d.DigestName != "SHA-256" || d.SizeBytes != len(w.declaration) || d.Reference != sample.Reference {
		t.Errorf("the document is %+v", d)
	}
	if since := d.AcceptedAt.Sub(d.Timestamp.Time); since < 0 || since > time.Minute || d.Verdict.BestSignatureTime != d.Timestamp.Time {
		t.Errorf("accepted at %s, stamped %s, best signature time %s", d.AcceptedAt, d.Timestamp.Time, d.Verdict.BestSignatureTime)
	}
}

// kept reads one kind of the document's evidence from the store.
func (w *world) kept(t *testing.T, kind string) (all [][]byte) {
	t.Helper()
	for _, e := range w.document.Evidence {
		if e.Kind != kind {
			continue
		}
		var digest evidence.Digest
		check(t, digest.UnmarshalText([]byte(e.Sha256)))
		object, err := evidence.Get(t.Context(), w.service.pool, digest)
		check(t, err)
		if sum := sha256.Sum256(object.Raw); hex.EncodeToString(sum[:]) != e.Sha256 {
			t.Errorf("%s is kept under another digest", kind)
		}
		all = append(all, object.Raw)
	}
	return all
}

func (w *world) evidence(t *testing.T) {
	kinds := make(map[string]int)
	for _, e := range w.document.Evidence {
		kinds[e.Kind]++
	}
	for kind, least := range map[string]int{
		"document.signed": 1, "document.content": 1, "document.facts": 1, "certificate": 2, "ocsp": 1, "timestamp-token": 1,
		"gbdul.request": 1, "gbdul.answer": 1,
	} {
		if kinds[kind] < least || len(w.kept(t, kind)) != kinds[kind] {
			t.Errorf("of %s there are %d", kind, kinds[kind])
		}
	}
	if !bytes.Equal(w.kept(t, "document.signed")[0], w.signed) || !bytes.Equal(w.kept(t, "document.content")[0], w.declaration) {
		t.Error("the document is not kept as it came")
	}
	if !slices.ContainsFunc(w.kept(t, "certificate"), func(der []byte) bool {
		return bytes.Equal(der, w.people[sandbox.Head].certificate.Raw)
	}) {
		t.Error("the signer's certificate is not kept")
	}
	if answer := w.kept(t, "gbdul.answer")[0]; !bytes.Contains(answer, []byte(sandbox.CompanyBIN)) {
		t.Error("what is kept of ГБД ЮЛ is not about the company")
	}
	// The facts give the verdict again, offline and without the document.
	facts := filepath.Join(t.TempDir(), "facts.json")
	check(t, os.WriteFile(facts, w.kept(t, "document.facts")[0], 0o600))
	report := w.judged(t, exitOK, "--facts", facts)
	if report.Indication != verifier.TotalPassed {
		t.Errorf("the kept facts give %s", report.Indication)
	}
}

// judged runs senim verify with the sandbox's anchors.
func (w *world) judged(t *testing.T, exit int, args ...string) (report verifier.Report) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs, environ: []string{"SENIM_TRUST=" + t.TempDir()}, language: fault.English, now: time.Now}
	code := p.run(t.Context(), append([]string{"verify", "--json", "--anchors", w.around.path(anchorsName)}, args...))
	if code != exit {
		t.Fatalf("senim verify %s: exit %d, want %d: %s%s", args, code, exit, out.String(), errs.String())
	}
	check(t, json.Unmarshal(out.Bytes(), &report))
	return report
}

// openssl runs the counterpart, which must agree.
func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := askOpenSSL(t, args...)
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", args[0], err, out)
	}
	return out
}

func askOpenSSL(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return string(out), err
}

// opensslReads has openssl accept what we signed and what we keep.
func (w *world) opensslReads(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, raw []byte) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, raw, 0o600))
		return path
	}
	root, issuing := w.around.path(anchorsName, "root_rsa.pem"), w.around.path(anchorsName, "nca_rsa.pem")
	var both []byte // for commands that take no untrusted certificates
	for _, name := range []string{root, issuing} {
		raw, err := os.ReadFile(name)
		check(t, err)
		both = append(both, raw...)
	}
	bundle, content := file("bundle", both), filepath.Join(dir, "content")
	for name, signed := range map[string][]byte{"what was sent": w.signed, "what is kept": w.kept(t, "document.signed")[0]} {
		openssl(t, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", file("signed", signed), "-out", content,
			"-CAfile", bundle, "-purpose", "any")
		if read, err := os.ReadFile(content); err != nil || !bytes.Equal(read, w.declaration) {
			t.Errorf("from %s openssl reads another document (%v)", name, err)
		}
	}
	openssl(t, "ts", "-verify", "-token_in", "-in", file("token", w.kept(t, "timestamp-token")[0]), "-data", file("value", signatureValue(t, w.signed)),
		"-CAfile", root, "-untrusted", issuing)
	leaf := file("leaf", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.people[sandbox.Head].certificate.Raw}))
	good := false
	for _, response := range w.kept(t, "ocsp") {
		// One of the answers is about the timestamp's signer.
		said, _ := askOpenSSL(t, "ocsp", "-sha256", "-respin", file("ocsp", response), "-issuer", issuing, "-cert", leaf, "-CAfile", root, "-verify_other", issuing, "-no_nonce")
		good = good || strings.Contains(said, "Response verify OK") && strings.Contains(said, leaf+": good")
	}
	if !good {
		t.Error("openssl finds no kept OCSP answer that says good of the signer's certificate")
	}
	for _, crl := range w.kept(t, "crl") {
		openssl(t, "crl", "-verify", "-inform", "DER", "-in", file("crl", crl), "-noout", "-CAfile", bundle)
	}
}

// signatureValue reads the value that the timestamp is over.
func signatureValue(t *testing.T, signed []byte) []byte {
	t.Helper()
	var message struct {
		Type asn1.ObjectIdentifier
		Data struct {
			Version          int
			Digests, Content asn1.RawValue
			Certificates     asn1.RawValue `asn1:"tag:0"`
			Signers          []struct {
				Version   int
				ID        asn1.RawValue
				Digest    asn1.RawValue
				Signed    asn1.RawValue `asn1:"tag:0"`
				Algorithm asn1.RawValue
				Value     []byte
			} `asn1:"set"`
		} `asn1:"explicit,tag:0"`
	}
	_, err := asn1.Unmarshal(signed, &message)
	check(t, err)
	return message.Data.Signers[0].Value
}

// receipt verifies the receipt as a stranger would: the published keys and a
// JOSE library, nothing of ours.
func (w *world) receipt(t *testing.T) {
	keys := answered[jose.JSONWebKeySet](t, w.do(t, call{method: http.MethodGet, path: "/.well-known/jwks.json"}), http.StatusOK)
	payload := verified(t, w.document.Receipt, keys)
	var claims struct {
		Issuer      string    `json:"iss"`
		ID          uuid.UUID `json:"jti"`
		IssuedAt    int64     `json:"iat"`
		Transaction uuid.UUID `json:"transaction"`
		Digest      struct{ Name, Value string }
		Verdict     struct{ Indication string }
		Signer      map[string]string
		Timestamp   api.Timestamp
		Evidence    []api.EvidenceObject
	}
	check(t, json.Unmarshal(payload, &claims))
	d := w.document
	if claims.Issuer != w.base || claims.ID != d.ID || claims.Transaction != w.transaction.ID || claims.IssuedAt != d.AcceptedAt.Unix() ||
		claims.Digest.Value != d.Digest || claims.Verdict.Indication != d.Verdict.Indication || claims.Timestamp.Serial != d.Timestamp.Serial ||
		claims.Signer["bin"] != string(sandbox.CompanyBIN) {
		t.Errorf("the receipt says %s of %+v", payload, d)
	}
	if diff := cmp.Diff(d.Evidence, claims.Evidence); diff != "" {
		t.Error(diff)
	}
	if bytes.Contains(payload, []byte(*d.Signer.IIN)) {
		t.Error("the receipt names the signer's IIN")
	}
	for _, key := range keys.Keys {
		if !key.IsPublic() {
			t.Errorf("the key %s is published whole", key.KeyID)
		}
	}
	parts := strings.Split(d.Receipt, ".")
	changed := parts[0] + "." + parts[1][:len(parts[1])-2] + "AA." + parts[2]
	if read, err := jose.ParseSigned(changed, []jose.SignatureAlgorithm{jose.ES256}); err == nil {
		if _, err := read.Verify(keys.Key(read.Signatures[0].Header.KeyID)[0]); err == nil {
			t.Error("a changed receipt verifies")
		}
	}
}

// verified is the payload of a receipt.
func verified(t *testing.T, receipt string, keys jose.JSONWebKeySet) []byte {
	t.Helper()
	read, err := jose.ParseSigned(receipt, []jose.SignatureAlgorithm{jose.ES256})
	check(t, err)
	key := keys.Key(read.Signatures[0].Header.KeyID)
	if len(key) != 1 {
		t.Fatalf("%d published keys have the receipt's kid", len(key))
	}
	payload, err := read.Verify(key[0])
	check(t, err)
	return payload
}

// signer looks at who signed, and who is shown what of it.
func (w *world) signer(t *testing.T) {
	who, err := sandbox.HolderOf(sandbox.Head)
	check(t, err)
	s, a := w.document.Signer, w.document.Authority
	if s.IIN == nil || *s.IIN != who.IIN.Digits() || s.BIN == nil || *s.BIN != string(sandbox.CompanyBIN) || s.Serial != w.people[sandbox.Head].certificate.SerialHex() {
		t.Errorf("the signer is %+v", s)
	}
	if a.Ground != "head_of_organisation" || a.Organisation != sandbox.CompanyNameRU || a.BIN != string(sandbox.CompanyBIN) {
		t.Errorf("the ground is %+v", a)
	}
	for role, sees := range map[string]bool{"single-window": true, "auditor": true, "treasury": false, "support": false} {
		key, err := w.around.clientKey(role)
		check(t, err)
		c := &apiClient{base: w.base, http: w.window.http}
		check(t, c.signIn(t.Context(), role, key, time.Now()))
		shown, err := w.show(t.Context(), c, w.transaction.ID)
		check(t, err)
		if got := shown.Documents[0].Signer.IIN; (got != nil) != sees {
			t.Errorf("%s sees the IIN: %t", role, got != nil)
		}
	}
}

// payment takes the order to the bank and back, with the gateway's message
// played again.
func (w *world) payment(t *testing.T) {
	check(t, w.step(stepPay, func() error { return w.pay(t.Context()) }))
	order := w.transaction.Orders[0]
	codes := make(map[string]int64)
	for _, l := range order.Lines {
		codes[l.BudgetCode] = l.AmountTiyn
		if l.State != "paid" || len(l.Identifier) != 17 {
			t.Errorf("%+v", l)
		}
	}
	// By hand from the sample: the fee, 5 % and 6.5 % of duty, 16 % of VAT over both.
	want := map[string]int64{"106201": 20_000_00, "106104": 62_280_02 + 226_129_19, "105102": 209_260_86 + 592_806_36}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Error(diff)
	}
	if total := int64(1_110_476_43); order.TotalTiyn != total || w.transaction.Totals != (api.Totals{OwedTiyn: total, PaidTiyn: total}) {
		t.Errorf("the order is of %d, the totals are %+v", order.TotalTiyn, w.transaction.Totals)
	}
	w.postedOnce(t, w.transaction, order.TotalTiyn)
}

// postedOnce looks into the ledger: one entry for the payment of a
// transaction, and this amount to clear with the gateway.
func (w *world) postedOnce(t *testing.T, transaction api.Transaction, amount int64) {
	t.Helper()
	if n, clearing := w.posted(t, transaction); n != 1 || clearing != amount {
		t.Errorf("the ledger has %d entries of the payment, %d tiyn to clear", n, clearing)
	}
}

func (w *world) posted(t *testing.T, transaction api.Transaction) (entries int, clearing int64) {
	t.Helper()
	check(t, w.service.pool.QueryRow(t.Context(), `
		select count(distinct e.id), coalesce(sum(p.amount) filter (where p.account like 'clearing:%'), 0)
		from ledger_entry e join ledger_posting p on p.entry_id = e.id
		where e.transaction_id = $1 and e.natural_key like 'payment:%'`, transaction.ID).Scan(&entries, &clearing))
	return entries, clearing
}

// statement brings the treasury's file, twice.
func (w *world) statement(t *testing.T) {
	check(t, w.step(stepReconcile, func() error { return w.reconcile(t.Context()) }))
	var result api.Reconciliation
	for _, day := range w.days() {
		imported := w.imported(t, day)
		if !imported.Known || len(imported.Rejected) > 0 {
			t.Errorf("the same file again: %+v", imported)
		}
		result = sum(result, w.reconciled(t, day))
	}
	if result.Matched != 3 || result.ExceptionCount != 0 || result.MatchedTiyn != 1_110_476_43 {
		t.Errorf("the day again: %+v", result)
	}
	found, err := w.service.payments.VerifyLedger(t.Context())
	if err != nil {
		t.Errorf("the ledger: %v, %+v", err, found)
	}
}

// imported is what becomes of a day's statement as it stands now.
func (w *world) imported(t *testing.T, day kz.Day) api.StatementImport {
	t.Helper()
	var raw []byte
	check(t, w.treasury.call(t.Context(), request{method: http.MethodGet, path: w.around.sandbox.URLs().Statements + day.String() + ".xml"}, &raw))
	return answered[api.StatementImport](t, w.do(t, call{method: http.MethodPost, path: "/v1/statements?name=day.xml", bearer: w.treasury.bearer,
		contentType: "application/xml", key: uuid.NewString(), body: raw}), http.StatusCreated)
}

// sum is what two days come to.
func sum(a, b api.Reconciliation) api.Reconciliation {
	return api.Reconciliation{
		Lines: a.Lines + b.Lines, Matched: a.Matched + b.Matched, MatchedTiyn: a.MatchedTiyn + b.MatchedTiyn,
		ExceptionCount: a.ExceptionCount + b.ExceptionCount, Exceptions: slices.Concat(a.Exceptions, b.Exceptions),
	}
}

func (w *world) reconciled(t *testing.T, day kz.Day) api.Reconciliation {
	t.Helper()
	body, err := json.Marshal(api.ReconcileRequest{Day: day})
	check(t, err)
	return answered[api.Reconciliation](t, w.do(t, call{method: http.MethodPost, path: "/v1/reconciliations", bearer: w.treasury.bearer, contentType: "application/json", body: body}), http.StatusOK)
}

func (w *world) dossier(t *testing.T) {
	eventually(t, "the event of the reconciliation", settledWithin, func() bool {
		events := w.shown(t, w.transaction).Events // told by a job
		return events[len(events)-1].Type == "payment.reconciled"
	})
	shown := w.shown(t, w.transaction)
	if shown.State != "reconciled" || shown.Totals.ReconciledTiyn != shown.Totals.OwedTiyn {
		t.Errorf("the dossier says %s, %+v", shown.State, shown.Totals)
	}
	var events []string
	for i, e := range shown.Events {
		events = append(events, e.Type)
		if i > 0 && e.At.Before(shown.Events[i-1].At) {
			t.Errorf("%s comes before %s", e.Type, shown.Events[i-1].Type)
		}
	}
	want := []string{"transaction.opened", "document.accepted", "order.created", "order.presented", "payment.posted", "payment.reconciled"}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(w.document, shown.Documents[0]); diff != "" {
		t.Errorf("the document is shown otherwise than it was answered: %s", diff)
	}
	// The answer to the opening and the record agree on what both say.
	var opened api.Transaction
	c := call{method: http.MethodPost, path: "/v1/transactions", bearer: w.window.bearer, contentType: "application/json", key: uuid.NewString(),
		body: []byte(`{"reference":"R","declarant_bin":"` + string(sandbox.CompanyBIN) + `"}`)}
	r := w.do(t, c)
	opened = answered[api.Transaction](t, r, http.StatusCreated)
	if r.header.Get("Location") != "/v1/transactions/"+opened.ID.String() || !w.shown(t, opened).OpenedAt.Equal(opened.OpenedAt) {
		t.Errorf("%s is shown as opened at %s", r.body, w.shown(t, opened).OpenedAt)
	}
}

func (w *world) refusalsOfTheDemo(t *testing.T) {
	for _, row := range []struct {
		title text
		run   func() error
		code  fault.Code
	}{
		{stepTampered, func() error { return w.refuseTampered(t.Context()) }, fault.DigestMismatch},
		{stepRevoked, func() error { return w.refuseRevoked(t.Context()) }, fault.CertificateRevoked},
		{stepNotHead, func() error { return w.refuseNotHead(t.Context()) }, fault.SignerNotHead},
		{stepForged, func() error { return w.refuseForged(t.Context()) }, fault.CallbackUnauthentic},
	} {
		check(t, w.step(row.title, row.run))
		if last := w.refusals[len(w.refusals)-1]; last.Code != string(row.code) || last.Reason != row.code.Message(fault.English) {
			t.Errorf("%s: refused with %+v, want %s", row.title.en, last, row.code)
		}
	}
	w.postedOnce(t, w.transaction, 1_110_476_43)
}

// signedByOpenSSL has the service and senim verify accept what openssl signed
// with a key that the NCA certified.
func (w *world) signedByOpenSSL(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	check(t, err)
	issued, err := w.around.sandbox.IssuePerson(sandbox.Head, csr)
	check(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	check(t, os.WriteFile(path("key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	check(t, os.WriteFile(path("cert"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Certificate}), 0o600))
	check(t, os.WriteFile(path("devi.xml"), w.declaration, 0o600))
	issuing := w.around.path(anchorsName, "nca_rsa.pem")
	sign := func(name string, options ...string) string {
		openssl(t, append([]string{"cms", "-sign", "-binary", "-nodetach", "-in", path("devi.xml"), "-signer", path("cert"), "-inkey", path("key"),
			"-outform", "DER", "-out", path(name)}, options...)...)
		return path(name)
	}
	responder := w.around.sandbox.URLs().NCA.OCSP
	openssl(t, "ocsp", "-issuer", issuing, "-cert", path("cert"), "-url", responder, "-header", "Host="+hostOf(responder), // openssl leaves the port out
		"-respout", path("ocsp"), "-noverify", "-no_nonce")
	crls := path("crls")
	check(t, os.Mkdir(crls, 0o700))
	for name, url := range map[string]string{"nca": w.around.sandbox.URLs().NCA.CRL, "root": strings.Replace(w.around.sandbox.URLs().NCA.CRL, "nca_rsa", "root_rsa", 1)} {
		var raw []byte
		check(t, w.window.call(t.Context(), request{method: http.MethodGet, path: url}, &raw))
		check(t, os.WriteFile(filepath.Join(crls, name), raw, 0o600))
	}
	for _, row := range []struct {
		name    string
		options []string
		accepts bool // by the service's policy
	}{
		{"RSA PKCS #1", []string{"-cades"}, true},
		{"RSA-PSS", []string{"-cades", "-keyopt", "rsa_padding_mode:pss"}, true},
		{"SHA-512", []string{"-cades", "-md", "sha512"}, true},
		{"the signer by its key", []string{"-cades", "-keyid"}, true},
		{"in pieces", []string{"-cades", "-stream"}, true},
		{"with its chain", []string{"-cades", "-certfile", issuing}, true},
		{"SHA-1", []string{"-cades", "-md", "sha1"}, false},
		{"no certificate", []string{"-cades", "-nocerts"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			signed := sign("signed.p7m", row.options...)
			if row.accepts {
				for _, known := range [][]string{{"--ocsp", path("ocsp"), "--crls", crls}, {"--crls", crls}} {
					report := w.judged(t, exitOK, append(known, "--offline", signed)...)
					if s := report.Signatures[0].Signer; report.Indication != verifier.TotalPassed || s.BIN != string(sandbox.CompanyBIN) {
						t.Errorf("%+v", report)
					}
				}
			}
			raw, err := os.ReadFile(signed)
			check(t, err)
			transaction := w.opened(t, "OPENSSL")
			r := w.do(t, w.documents(transaction, raw))
			if !row.accepts {
				if p, err := r.problem(); err != nil || p.Status != http.StatusUnprocessableEntity {
					t.Errorf("not refused: %v %s", err, r.body)
				}
				w.untouched(t, transaction)
				return
			}
			answered[api.Document](t, r, http.StatusCreated)
		})
	}
}
