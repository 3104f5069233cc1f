package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/pki/jws"
	"github.com/senim-kz/senim/signer/cades"
)

// settleTimeout bounds the wait for a payment to be posted.
const settleTimeout = 2 * time.Minute

func (p *program) demoCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run one transaction from signature to reconciled payment, a refund by two persons, and four refusals",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return p.demo(c.Context(), asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the result as one JSON object; the story goes to stderr")
	return c
}

// demo plays everybody in one transaction: the trader, the single window, the
// payer, the bank and the treasury. It reaches the service as they do, over
// HTTP; only the tokens are its own.
type demo struct {
	*narrator
	around *surroundings
	base   string
	began  kz.Day

	window, trader, treasury, controller *apiClient
	recorder                             *recorder
	people                               map[sandbox.Person]*person

	declaration []byte
	signed      []byte
	transaction api.Transaction
	document    api.Document
	refusals    []refusal
}

// refusal is one refused act, as `senim demo --json` gives it.
type refusal struct {
	Case   string `json:"case"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// demoResult is what `senim demo --json` prints.
type demoResult struct {
	Steps    []narratedStep  `json:"steps"`
	Dossier  api.Transaction `json:"dossier"`
	Refusals []refusal       `json:"refusals"`
}

func (p *program) demo(ctx context.Context, asJSON bool) (err error) {
	d := &demo{narrator: &narrator{out: p.stdout, language: p.language, now: p.now}}
	if asJSON {
		d.out = p.stderr
	}
	dir, err := os.MkdirTemp("", "senim-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// PostgreSQL's unprivileged user must be able to pass.
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("open the demo's folder: %w", err)
	}
	fmt.Fprintf(d.out, "%s\n%s\n", sayTitle.in(p.language), sayStarting.in(p.language))
	began := p.now()
	d.around, err = startSurroundings(ctx, surroundingsConfig{Dir: dir, Now: p.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.around.close()) }()
	built, err := d.around.startService(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, built.close()) }()
	d.base = built.config.PublicURL

	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- built.run(ctx) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	if err := waitReady(ctx, d.base); err != nil {
		return err
	}
	fmt.Fprintf(d.out, sayStarted.in(p.language)+"\n", p.now().Sub(began).Round(time.Millisecond), d.base)
	if err := d.play(ctx, p); err != nil {
		return err
	}
	if asJSON {
		return p.printJSON(demoResult{Steps: d.steps, Dossier: d.transaction, Refusals: d.refusals})
	}
	return nil
}

// play tells the whole story.
func (d *demo) play(ctx context.Context, p *program) error {
	if err := d.meetEverybody(ctx); err != nil {
		return err
	}
	defer d.recorder.close()
	for _, who := range d.people {
		defer who.token.Close()
	}
	for _, step := range []struct {
		title text
		run   func(context.Context) error
	}{
		{stepDocument, d.writeDocument},
		{stepSign, d.sign},
		{stepSubmit, d.submit},
		{stepIdentify, d.identify},
		{stepReceipt, d.checkReceipt},
		{stepPay, d.pay},
		{stepReconcile, d.reconcile},
		{stepDossier, d.showDossier},
		{stepRefund, d.refund},
		{stepBodies, d.bodies},
		{stepExceptions, d.exceptions},
		{stepTampered, d.refuseTampered},
		{stepRevoked, d.refuseRevoked},
		{stepNotHead, d.refuseNotHead},
		{stepForged, d.refuseForged},
	} {
		if err := d.step(step.title, func() error { return step.run(ctx) }); err != nil {
			return err
		}
	}
	if err := d.verifyRealData(ctx, p); err != nil {
		return err
	}
	d.summarise()
	return nil
}

// meetEverybody opens everybody's token and gives each system its caller.
func (d *demo) meetEverybody(ctx context.Context) (err error) {
	client := func() *apiClient {
		return &apiClient{base: d.base, language: d.language, http: &http.Client{Timeout: time.Minute}}
	}
	d.began = kz.DayOf(d.now())
	d.window, d.trader, d.treasury, d.controller = client(), client(), client(), client()
	for id, c := range map[string]*apiClient{"single-window": d.window, "treasury": d.treasury, "treasury-controller": d.controller} {
		key, err := d.around.clientKey(id)
		if err != nil {
			return err
		}
		if err := c.signIn(ctx, id, key, d.now()); err != nil {
			return err
		}
	}
	if d.recorder, err = newRecorder(ctx, d.base+"/v1/gateway/callbacks", d.language); err != nil {
		return err
	}
	if err := d.around.sandbox.Connect(d.recorder.url); err != nil {
		return err
	}
	d.people = make(map[sandbox.Person]*person)
	for _, who := range []sandbox.Person{sandbox.Head, sandbox.Employee, sandbox.Dismissed} {
		if d.people[who], err = d.around.person(ctx, who); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) writeDocument(context.Context) error {
	d.declaration = sample.Declaration()
	declared, err := charge.Read(d.declaration, kz.Full)
	if err != nil {
		return err
	}
	d.tell(sayDocument, declared.Reference, len(d.declaration), len(declared.Items))
	for _, item := range declared.Items {
		d.tell(sayItem, item.CommodityCode, item.CustomsValue.Display())
	}
	return nil
}

func (d *demo) sign(ctx context.Context) (err error) {
	d.signed, err = d.signAs(ctx, d.people[sandbox.Head], d.declaration)
	if err != nil {
		return err
	}
	d.tell(sayToken, d.people[sandbox.Head].token.Info().Label)
	d.tell(saySigned, "RSA-2048, SHA-256", len(d.signed))
	return nil
}

func (d *demo) signAs(ctx context.Context, who *person, content []byte) ([]byte, error) {
	identity := cades.Identity{Key: who.key, Certificate: who.certificate}
	message, err := cades.Sign(ctx, bytes.NewReader(content), identity, cades.Options{SigningTime: d.now()})
	if err != nil {
		return nil, err
	}
	var der bytes.Buffer
	_, err = message.WriteTo(&der)
	return der.Bytes(), err
}

// submit signs the trader in, opens the transaction and sends the document.
func (d *demo) submit(ctx context.Context) error {
	if err := d.traderSignsIn(ctx); err != nil {
		return err
	}
	d.tell(saySignedIn)
	var err error
	if d.transaction, err = d.open(ctx, d.trader, sample.Reference); err != nil {
		return err
	}
	d.tell(sayOpened, d.transaction.ID)
	if err := d.send(ctx, d.trader, d.transaction.ID, d.signed, &d.document); err != nil {
		return err
	}
	v := d.document.Verdict
	d.tell(sayVerdict, v.Indication, v.Level, v.Policy)
	d.tell(sayRevocation)
	d.tell(sayTimestamp, d.document.Timestamp.Time.Format(time.RFC3339), d.document.Timestamp.Authority)
	for _, e := range d.document.Evidence {
		d.tell(sayEvidence, e.Kind, e.Sha256[:16])
	}
	return nil
}

func (d *demo) traderSignsIn(ctx context.Context) error {
	var challenge api.Challenge
	if err := d.trader.call(ctx, request{method: http.MethodPost, path: "/v1/challenges"}, &challenge); err != nil {
		return err
	}
	signed, err := d.signAs(ctx, d.people[sandbox.Head], []byte(challenge.Content))
	if err != nil {
		return err
	}
	var session api.Session
	err = d.trader.call(ctx, request{method: http.MethodPost, path: "/v1/sessions", contentType: cmsType, body: signed}, &session)
	d.trader.bearer = session.Token
	return err
}

const cmsType = "application/pkcs7-mime"

func (d *demo) open(ctx context.Context, c *apiClient, reference string) (t api.Transaction, err error) {
	body, err := json.Marshal(api.OpenTransaction{Reference: reference, DeclarantBIN: string(sandbox.CompanyBIN)})
	if err != nil {
		return t, fmt.Errorf("encode request: %w", err)
	}
	err = c.call(ctx, request{
		method: http.MethodPost, path: "/v1/transactions", contentType: "application/json", body: body, idempotencyKey: uuid.NewString(),
	}, &t)
	return t, err
}

func (d *demo) send(ctx context.Context, c *apiClient, transaction uuid.UUID, signed []byte, out any) error {
	return c.call(ctx, request{
		method: http.MethodPost, path: "/v1/transactions/" + transaction.String() + "/documents",
		contentType: cmsType, body: signed, idempotencyKey: uuid.NewString(),
	}, out)
}

func (d *demo) identify(context.Context) error {
	s, a := d.document.Signer, d.document.Authority
	d.tell(saySigner, s.Name, kz.IIN(*s.IIN), *s.BIN)
	d.tell(sayOrganisation, a.Organisation)
	d.tell(sayGround, a.Ground)
	return nil
}

// checkReceipt verifies the receipt as anybody could: with the published keys.
func (d *demo) checkReceipt(ctx context.Context) error {
	var keys jose.JSONWebKeySet
	if err := d.trader.call(ctx, request{method: http.MethodGet, path: "/.well-known/jwks.json"}, &keys); err != nil {
		return err
	}
	payload, err := jws.Verify(d.document.Receipt, dossier.ReceiptType, keys)
	if err != nil {
		return err
	}
	var receipt struct {
		ID     string `json:"jti"`
		Digest struct {
			Value string `json:"value"`
		} `json:"digest"`
	}
	if err := json.Unmarshal(payload, &receipt); err != nil || receipt.Digest.Value != d.document.Digest {
		return fault.New(fault.JWSInvalid, "/digest", "the receipt is for another document")
	}
	d.tell(sayReceipt, keys.Keys[0].Algorithm, keys.Keys[0].KeyID[:12]+"…")
	return nil
}

// pay presses the bank's button and waits until the payment is posted, then
// plays the gateway's message twice more.
func (d *demo) pay(ctx context.Context) error {
	var order api.Order
	err := d.trader.call(ctx, request{
		method: http.MethodPost, path: "/v1/transactions/" + d.transaction.ID.String() + "/orders", idempotencyKey: uuid.NewString(),
	}, &order)
	if err != nil {
		return err
	}
	d.tell(sayOrder, display(order.TotalTiyn), *order.PaymentURL)
	for _, l := range order.Lines {
		d.tell(sayLine, l.Name, l.BudgetCode, display(l.AmountTiyn), l.Identifier)
	}
	if err := d.pressPay(ctx, *order.PaymentURL); err != nil {
		return err
	}
	if err := d.waitFor(ctx, func(t api.Transaction) bool { return t.State == string(dossier.StatePaid) }); err != nil {
		return err
	}
	d.tell(sayPaid)
	const replays = 2
	for range replays {
		if status, _, err := d.recorder.replay(ctx, nil); err != nil || status != http.StatusOK {
			return fmt.Errorf("replay the gateway's message: status %d: %w", status, err)
		}
	}
	if d.transaction, err = d.show(ctx, d.trader, d.transaction.ID); err != nil {
		return err
	}
	posted := countEvents(d.transaction, "payment.posted")
	if posted != 1 {
		return fault.New(fault.Internal, "ledger", "%d postings of one payment", posted)
	}
	d.tell(sayReplayed, replays, posted)
	return nil
}

func (d *demo) pressPay(ctx context.Context, page string) error {
	form := url.Values{"lang": {string(d.language)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("open the bank's page: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := d.trader.http.Do(req)
	if err != nil {
		return fmt.Errorf("open the bank's page: %w", err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, answerSizeMax)); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("pay at the bank: status %d: %w", res.StatusCode, err)
	}
	return nil
}

func (d *demo) show(ctx context.Context, c *apiClient, id uuid.UUID) (t api.Transaction, err error) {
	err = c.call(ctx, request{method: http.MethodGet, path: "/v1/transactions/" + id.String()}, &t)
	return t, err
}

// waitFor asks until the transaction is as it should be.
func (d *demo) waitFor(ctx context.Context, holds func(api.Transaction) bool) error {
	return d.until(ctx, "transaction", func() (_ bool, err error) {
		d.transaction, err = d.show(ctx, d.trader, d.transaction.ID)
		return holds(d.transaction), err
	})
}

func countEvents(t api.Transaction, kind string) int {
	n := 0
	for _, e := range t.Events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// reconcile takes the treasury's statement of today from the bank to the
// service, and has the day reconciled.
func (d *demo) reconcile(ctx context.Context) error {
	if err := d.importDays(ctx); err != nil {
		return err
	}
	// A job tells of it: the story goes on when it is told.
	return d.waitFor(ctx, func(t api.Transaction) bool {
		return t.State == string(dossier.StateReconciled) && countEvents(t, payments.EventReconciled) > 0
	})
}

// days are those on which anything was paid: today, and yesterday if it was midnight
// meanwhile.
func (d *demo) days() (all []kz.Day) {
	for day, today := d.began, kz.DayOf(d.now()); !day.After(today); day = day.AddDays(1) {
		all = append(all, day)
	}
	return all
}

func (d *demo) importDays(ctx context.Context) error {
	for _, day := range d.days() {
		if err := d.importDay(ctx, day); err != nil {
			return err
		}
	}
	return nil
}

// importDay brings the statement of a day as it stands now, and has the day
// reconciled.
func (d *demo) importDay(ctx context.Context, day kz.Day) error {
	var raw []byte
	statement := d.around.sandbox.URLs().Statements + day.String() + ".xml"
	if err := d.treasury.call(ctx, request{method: http.MethodGet, path: statement}, &raw); err != nil {
		return err
	}
	var imported api.StatementImport
	err := d.treasury.call(ctx, request{
		method: http.MethodPost, path: "/v1/statements?name=" + day.String() + ".xml", contentType: "application/xml", body: raw, idempotencyKey: uuid.NewString(),
	}, &imported)
	if err != nil {
		return err
	}
	d.tell(sayStatement, imported.Lines, day)
	body, err := json.Marshal(api.ReconcileRequest{Day: day})
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	var result api.Reconciliation
	err = d.treasury.call(ctx, request{method: http.MethodPost, path: "/v1/reconciliations", contentType: "application/json", body: body}, &result)
	if err != nil {
		return err
	}
	d.tell(sayReconciled, result.Matched, result.ExceptionCount)
	return nil
}

func (d *demo) showDossier(context.Context) error {
	t := d.transaction
	d.tell(sayState, sayStateOf[t.State].in(d.language))
	rows := [][]string{{sayWho.in(d.language), sayWhat.in(d.language), sayWhen.in(d.language)}}
	for _, doc := range t.Documents {
		rows = append(rows, []string{
			doc.Signer.Name + ", " + *doc.Signer.BIN, doc.Kind + " " + doc.Reference, doc.Timestamp.Time.Format(time.RFC3339),
		})
	}
	fmt.Fprintln(d.out)
	d.table(rows)
	rows = [][]string{{"КБК", sayOwed.in(d.language), sayPaidColumn.in(d.language), sayRefusalCode.in(d.language)}}
	for _, o := range t.Orders {
		for _, l := range o.Lines {
			rows = append(rows, []string{l.BudgetCode, display(l.AmountTiyn), display(l.PaidTiyn), l.State})
		}
	}
	rows = append(rows, []string{"", display(t.Totals.OwedTiyn), display(t.Totals.PaidTiyn), t.State})
	fmt.Fprintln(d.out)
	d.table(rows)
	fmt.Fprintln(d.out)
	for _, e := range t.Events {
		fmt.Fprintf(d.out, "      %s  %s\n", e.At.Format("15:04:05.000Z07:00"), e.Type)
	}
	return nil
}

func display(tiyn int64) string { return money.Tiyn(tiyn).Display() }

// summarise ends the story.
func (d *demo) summarise() {
	fmt.Fprintf(d.out, "\n%s\n", saySummary.in(d.language))
	rows := [][]string{{"№", sayStep.in(d.language), sayTook.in(d.language)}}
	total := 0.0
	for _, s := range d.steps {
		rows = append(rows, []string{fmt.Sprint(s.Number), s.Title, fmt.Sprintf("%.1f ms", s.Milliseconds)})
		total += s.Milliseconds
	}
	rows = append(rows, []string{"", sayTotal.in(d.language), fmt.Sprintf("%.1f ms", total)})
	d.table(rows)
}
