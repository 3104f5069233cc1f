package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/signer/cades"
)

// signFlags are the flags of `senim sign`.
type signFlags struct {
	keyFlags
	proofFlags
	format, level, content, hash, commitment string
	detached, pss, contentStamp              bool
	counter                                  int
	out                                      outputFile
	json                                     bool
}

// signFormats are the formats that the command knows; only one is made yet.
var signFormats = []string{"cades", "xades", "jades", "pades", "asic"}

func (p *program) signCommand() *cobra.Command {
	f := signFlags{counter: -1}
	c := &cobra.Command{
		Use:   "sign [flags] --key KEY --out FILE FILE",
		Short: "Sign a file, or add a signature to a signed one",
		Long: `Signs FILE, of any size, with a key in a PKCS#11 token or in a file. If FILE is
signed already (CMS), a signature is added beside those there, or with --counter
over one of them; nothing that is there changes. FILE may be "-".

From level T on, a time-stamping authority is asked: --tsa, else
$SENIM_TIMESTAMP_URL, else NUC RK's. From LT on, the certificates and revocation
information are fetched as senim verify does. --out appears whole or not at all.

Exit status: 0 signed, 1 refused, 64 wrong usage, 65 FILE unreadable.`,
		Args: func(_ *cobra.Command, args []string) error { return f.check(args) },
		RunE: func(c *cobra.Command, args []string) error { return p.sign(c.Context(), f, args[0]) },
	}
	flags := c.Flags()
	f.keyFlags.add(c)
	f.proofFlags.add(c, "tsa-hash")
	flags.StringVar(&f.format, "format", "cades", "format of the signature: "+strings.Join(signFormats, ", "))
	flags.StringVar(&f.level, "level", "B", "baseline level: B, T, LT, LTA")
	flags.BoolVar(&f.detached, "detached", false, "do not put the document into the signature")
	flags.StringVar(&f.content, "content", "", "the document that the signatures in FILE are over, if it is not inside")
	flags.IntVar(&f.counter, "counter", -1, "counter-sign the signature with this number, from 0")
	flags.StringVar(&f.hash, "hash", "", "digest algorithm (default: the key's own, or SHA-256)")
	flags.BoolVar(&f.pss, "pss", false, "sign by RSASSA-PSS")
	flags.StringVar(&f.commitment, "commitment", "", "what signing means: origin, receipt, delivery, sender, approval, creation")
	flags.BoolVar(&f.contentStamp, "content-timestamp", false, "have the document time-stamped before it is signed")
	flags.StringVar(&f.out.path, "out", "", "where the signature goes")
	flags.BoolVar(&f.out.overwrite, "force", false, "overwrite --out")
	flags.BoolVar(&f.json, "json", false, "print what was made as one JSON object")
	return c
}

// check refuses flags that contradict each other.
func (f *signFlags) check(args []string) error {
	if len(args) != 1 {
		return errors.New("exactly one FILE is needed (see senim sign --help)")
	}
	if err := f.keyFlags.check(); err != nil {
		return err
	}
	switch {
	case !slices.Contains(signFormats, f.format):
		return fmt.Errorf("--format is one of %s", strings.Join(signFormats, ", "))
	case f.counter >= 0 && (f.detached || f.content != "" || f.contentStamp):
		return errors.New("--counter signs a signature: it goes without --detached, --content and --content-timestamp")
	case f.counter < -1:
		return errors.New("--counter is a number from 0")
	}
	return nil
}

// signTerms are the flags, understood.
type signTerms struct {
	options cades.Options
	level   cades.Level
	proof   *proof // nil where none is wanted
}

func (p *program) signTerms(f signFlags) (t signTerms, err error) {
	if f.format != "cades" {
		return t, fault.New(fault.NotAvailable, "--format", "%s", f.format)
	}
	if t.level, err = cades.ParseLevel(f.level); err != nil {
		return t, err
	}
	if f.counter >= 0 && t.level != cades.B {
		return t, fault.New(fault.NotAvailable, "--level", "a counter-signature above B")
	}
	t.options = cades.Options{Detached: f.detached, SigningTime: p.now(), PSS: f.pss}
	if f.hash != "" {
		if t.options.Digest, err = algo.DigestByName(f.hash); err != nil {
			return t, err
		}
	}
	if t.options.Commitment, err = cades.CommitmentByName(f.commitment); err != nil {
		return t, err
	}
	if t.level > cades.B || f.contentStamp {
		if t.proof, err = p.proof(f.proofFlags); err != nil {
			return t, err
		}
	}
	if f.contentStamp {
		t.options.ContentStamper = t.proof.extender.Stamper
	}
	return t, f.out.check()
}

// sign makes or adds a signature.
func (p *program) sign(ctx context.Context, f signFlags, file string) (err error) {
	terms, err := p.signTerms(f)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if terms.proof != nil {
		defer terms.proof.close()
	}
	in, err := openInput(file)
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	defer func() { err = errors.Join(err, in.close()) }()
	source, err := in.message(false)
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	content, closeContent, err := openContent(f.content)
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	defer func() { err = errors.Join(err, closeContent()) }()
	who, closeKey, err := p.identity(ctx, f.keyFlags)
	defer func() { err = errors.Join(err, closeKey()) }()
	if err != nil {
		return err
	}
	if err := p.checkSigner(who.Certificate); err != nil {
		return err
	}
	var made signResult
	if err := p.watched(ctx, sayingSigns, source, content, func(source, content cades.Source) (err error) {
		made, err = f.make(ctx, source, content, who, terms)
		return err
	}); err != nil {
		return err
	}
	return p.tellSigned(f.json, made)
}

var sayingSigns = text{"Құжатқа қол қойылуда", "Документ подписывается", "Signing the document"}

// make signs and writes.
func (f *signFlags) make(ctx context.Context, source, content cades.Source, who cades.Identity, t signTerms) (signResult, error) {
	made := signResult{Out: f.out.path, Format: "CAdES", Level: t.level.String()}
	var m *cades.Message
	var err error
	switch signed := cades.Recognise(source); {
	case signed:
		m, err = f.add(ctx, source, content, who, t.options)
	case f.counter >= 0:
		err = &exitError{exitBadInput, fault.New(fault.NoSignature, "--counter", "the file is not signed")}
	case f.content != "":
		err = &exitError{exitUsage, fault.New(fault.BadArgument, "--content", "the file is not signed: it is the document")}
	default:
		content = source
		m, err = cades.Sign(ctx, source, who, t.options)
	}
	if err != nil {
		return made, err
	}
	if t.level > cades.B {
		if !m.Detached() {
			content = nil
		}
		added, err := t.proof.extender.Extend(ctx, m, content, t.level, m.Signers()-1)
		if err != nil {
			return made, err
		}
		made.Added = &added
	}
	made.Signatures, made.Detached, made.Reframed = m.Signers(), m.Detached(), m.Reframed
	return made, f.out.write(func(w io.Writer) error { return m.Write(ctx, w) })
}

// add puts a signature onto a signed file.
func (f *signFlags) add(ctx context.Context, source, content cades.Source, who cades.Identity, o cades.Options) (*cades.Message, error) {
	m, err := cades.Open(source)
	if err != nil {
		return nil, &exitError{exitBadInput, err}
	}
	if f.detached && !m.Detached() {
		return nil, &exitError{exitUsage, fault.New(fault.BadArgument, "--detached", "the file is signed with the document inside")}
	}
	if f.counter >= 0 {
		return m, m.CounterSign(ctx, f.counter, who, o)
	}
	if m.Detached() && content == nil {
		return nil, &exitError{exitUsage, fault.New(fault.ContentMissing, "--content", "the document is not in the file")}
	}
	return m, m.AddSigner(ctx, content, who, o)
}

// openContent opens the document of a detached signature; "" is none.
func openContent(path string) (cades.Source, func() error, error) {
	if path == "" {
		return nil, func() error { return nil }, nil
	}
	in, err := openInput(path)
	if err != nil {
		return nil, func() error { return nil }, err
	}
	return in.Source, in.close, nil
}

// signResult is what --json prints.
type signResult struct {
	Out        string           `json:"out"`
	Format     string           `json:"format"`
	Level      string           `json:"level"` // of the signature made, or that all have been raised to
	Signatures int              `json:"signatures"`
	Detached   bool             `json:"detached"`
	Reframed   bool             `json:"reframed"` // the message was BER and its frame is DER now
	Added      *cades.Extension `json:"added,omitempty"`
}

// tellSigned says what was made.
func (p *program) tellSigned(asJSON bool, r signResult) error {
	if asJSON {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(r)
	}
	_, err := fmt.Fprintf(p.stdout, "%s: %s-%s, %s %d\n", r.Out, r.Format, r.Level, text{"қолтаңбалар", "подписей", "signatures"}.in(p.language), r.Signatures)
	if r.Reframed && err == nil {
		_, err = fmt.Fprintln(p.stderr, text{
			"Хабарлама BER түрінде болды: оның сыртқы жақтауы DER түрінде қайта жазылды, мазмұны мен қолтаңбалары өзгерген жоқ.",
			"Сообщение было в BER: его рамка записана заново в DER, содержимое и подписи не изменились.",
			"The message was in BER: what encloses its parts is written anew in DER; the content and the signatures are as they were.",
		}.in(p.language))
	}
	return err
}
