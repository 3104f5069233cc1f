package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/sample"
)

// realSignature is looked for where the project's shared data lies beside it.
const realSignature = "../shared/data/nuc-rk/ncanode/cms/SIGNED_CMS_ONE_SIGNER.der"

func (d *demo) refuseTampered(ctx context.Context) error {
	// A customs value grows: the change is inside the signed document.
	tampered := bytes.Replace(d.signed, []byte("1245600.37"), []byte("1245600.38"), 1)
	return d.refuseDocument(ctx, "tampered", tampered)
}

func (d *demo) refuseRevoked(ctx context.Context) error {
	return d.refuseSigner(ctx, "revoked", sandbox.Dismissed)
}

func (d *demo) refuseNotHead(ctx context.Context) error {
	return d.refuseSigner(ctx, "not_head", sandbox.Employee)
}

// refuseSigner has somebody else sign the same document.
func (d *demo) refuseSigner(ctx context.Context, name string, who sandbox.Person) error {
	signed, err := d.signAs(ctx, d.people[who], d.declaration)
	if err != nil {
		return err
	}
	return d.refuseDocument(ctx, name, signed)
}

// refuseDocument sends a document that must be refused to a transaction of its
// own, and looks that nothing of it was accepted.
func (d *demo) refuseDocument(ctx context.Context, name string, signed []byte) error {
	t, err := d.open(ctx, d.window, sample.Reference+"-"+name)
	if err != nil {
		return err
	}
	err = d.send(ctx, d.window, t.ID, signed, nil)
	var p *problem
	if !errors.As(err, &p) {
		return fmt.Errorf("the document was not refused: %w", err)
	}
	d.refused(name, p)
	if t, err = d.show(ctx, d.window, t.ID); err != nil {
		return err
	}
	posted := countEvents(t, "payment.posted")
	if len(t.Documents)+len(t.Orders)+posted+countEvents(t, "document.accepted") != 0 {
		return fault.New(fault.Internal, "transaction", "a refused document left a trace of acceptance")
	}
	d.tell(sayNothingKept, len(t.Documents), posted)
	return nil
}

func (d *demo) refused(name string, p *problem) {
	d.refusals = append(d.refusals, refusal{Case: name, Status: p.Status, Code: p.Code, Reason: p.Title})
	d.tell(sayRefused, p.Status, p.Code, p.Title)
}

// refuseForged plays the gateway's own message with another amount in it.
func (d *demo) refuseForged(ctx context.Context) error {
	before := len(d.transaction.Events)
	status, answer, err := d.recorder.replay(ctx, func(message []byte) []byte {
		return bytes.Replace(message, []byte("&lt;/Amount&gt;"), []byte("0&lt;/Amount&gt;"), 1)
	})
	if err != nil {
		return err
	}
	if status < 400 {
		return fault.New(fault.Internal, "gateway", "a forged message was answered with %d", status)
	}
	p := &problem{Status: status}
	if err := json.Unmarshal(answer, p); err != nil {
		return fmt.Errorf("read the refusal: %w", err)
	}
	d.refused("forged_callback", p)
	t, err := d.show(ctx, d.trader, d.transaction.ID)
	if err != nil {
		return err
	}
	posted := countEvents(t, "payment.posted")
	if posted != 1 || len(t.Events) != before {
		return fault.New(fault.Internal, "ledger", "a forged message left a trace of acceptance")
	}
	d.tell(sayNothingKept, len(t.Documents), posted)
	return nil
}

// verifyRealData runs `senim verify` on a real signature, where it is at hand.
func (d *demo) verifyRealData(ctx context.Context, p *program) error {
	if _, err := os.Stat(realSignature); err != nil {
		return nil // a stranger's clone has none
	}
	return d.step(stepReal, func() error {
		var printed bytes.Buffer
		command := *p
		command.stdout, command.stderr = &printed, &printed
		code := command.run(ctx, []string{"verify", "--offline", realSignature})
		for line := range strings.Lines(printed.String()) {
			fmt.Fprintf(d.out, "      %s", line)
		}
		if code != exitIndeterminate {
			return fault.New(fault.Internal, realSignature, "senim verify ended with %d", code)
		}
		d.tell(sayReal)
		return nil
	})
}
