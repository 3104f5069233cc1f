package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/signer/cades"
	"github.com/senim-kz/senim/signer/tsa"
)

// nucStamper is NUC RK's time-stamping authority.
const nucStamper = "http://tsp.pki.gov.kz"

// stampRetries is how often a time-stamping authority that is busy is asked
// again.
const stampRetries = 2

// proofFlags say where time-stamps, certificates and revocation information come
// from.
type proofFlags struct {
	tsa            []string
	stampHash      string
	anchors, certs []string
}

// add declares them; hashFlag names the one for the digest of time-stamps.
func (f *proofFlags) add(c *cobra.Command, hashFlag string) {
	flags := c.Flags()
	flags.StringArrayVar(&f.tsa, "tsa", nil, "time-stamping authority (URL; repeatable: the next is asked if one fails)")
	flags.StringVar(&f.stampHash, hashFlag, "SHA-256", "digest algorithm of time-stamps")
	flags.StringArrayVar(&f.anchors, "anchors", nil, "trust anchors instead of the trust folder (file or folder, repeatable)")
	flags.StringArrayVar(&f.certs, "certs", nil, "further certificates (file or folder, repeatable)")
}

// proof is what raises signatures, with the connections that it holds open.
type proof struct {
	extender *cades.Extender
	stamper  *tsa.Client
	clients  []*fetch.Client
}

func (p *proof) close() {
	for _, c := range p.clients {
		c.Close()
	}
}

// proof opens the ways to the authorities. Where a person names an address, they
// may go there, wherever it is; where a certificate names one, only to the hosts
// that senim verify goes to.
func (p *program) proof(f proofFlags) (*proof, error) {
	digest, err := algo.DigestByName(f.stampHash)
	if err != nil {
		return nil, err
	}
	made := &proof{extender: &cades.Extender{Now: p.now}}
	x := made.extender
	if x.Anchors, err = p.anchors(f.anchors); err != nil {
		return nil, err
	}
	if x.Certificates, err = trust.LoadCertificates(f.certs...); err != nil {
		return nil, err
	}
	outside, err := p.outsideClient()
	if err != nil {
		return nil, err
	}
	made.clients = append(made.clients, outside)
	// Answers are not remembered: one from before the time-stamp proves less.
	x.Revocation = revocation.Checker{Store: revocation.NewStore(revocation.StoreConfig{Fetcher: outside, Now: p.now, AnswerAge: -1})}
	made.stamper, err = p.stamper(f.tsa, digest, made)
	if err != nil {
		made.close()
		return nil, err
	}
	x.Stamper = made.stamper
	return made, nil
}

// stamper makes the client of time-stamping authorities.
func (p *program) stamper(urls []string, digest *algo.Digest, made *proof) (*tsa.Client, error) {
	if len(urls) == 0 {
		urls = []string{nucStamper}
		if configured := environment(p.environ, "SENIM_TIMESTAMP_URL"); configured != "" {
			urls = []string{configured}
		}
	}
	var hosts []string
	for _, address := range urls {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fault.New(fault.BadArgument, "--tsa", "%.80q is not an address of http or https", address)
		}
		hosts = append(hosts, u.Host)
	}
	client, err := fetch.New(fetch.Config{AllowedHosts: hosts, AllowLoopback: true, AllowPrivate: true})
	if err != nil {
		return nil, err
	}
	made.clients = append(made.clients, client)
	x := made.extender
	return tsa.New(tsa.Config{
		URL: urls[0], Fallbacks: urls[1:], Fetcher: client, Anchors: x.Anchors, Certificates: append(x.Certificates, x.Anchors.Intermediates()...),
		Revocation: &x.Revocation, Now: p.now, Digest: digest, Retries: stampRetries,
	})
}

// extendFlags are the flags of `senim extend`.
type extendFlags struct {
	proofFlags
	level, content string
	signers        []int
	out            outputFile
	json           bool
}

func (p *program) extendCommand() *cobra.Command {
	var f extendFlags
	c := &cobra.Command{
		Use:   "extend [flags] --level LEVEL --out FILE FILE",
		Short: "Raise the signatures in a file to T, LT or LTA, or renew LTA",
		Long: `Adds to the signatures in FILE (CMS: DER, BER, PEM or base64) what keeps them
provable: T a time-stamp, LT the certificates and revocation information, LTA an
archive time-stamp over all of it; on a signature that has one, another, before
the last one weakens. Nothing that is there changes. A signature that does not
hold is not extended, and nothing is written if anything cannot be had.

Exit status: 0 extended, 1 refused, 64 wrong usage, 65 FILE unreadable.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("exactly one FILE is needed (see senim extend --help)")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return p.extend(c.Context(), f, args[0]) },
	}
	flags := c.Flags()
	f.proofFlags.add(c, "tsa-hash")
	flags.StringVar(&f.level, "level", "", "baseline level: T, LT, LTA")
	flags.StringVar(&f.content, "content", "", "the document that a detached signature is over")
	flags.IntSliceVar(&f.signers, "signature", nil, "raise these signatures only, counted from 0 (default all)")
	flags.StringVar(&f.out.path, "out", "", "where the extended signature goes")
	flags.BoolVar(&f.out.overwrite, "force", false, "overwrite --out")
	flags.BoolVar(&f.json, "json", false, "print what was added as one JSON object")
	return c
}

// extend raises signatures.
func (p *program) extend(ctx context.Context, f extendFlags, file string) (err error) {
	level, err := cades.ParseLevel(f.level)
	if err == nil && level == cades.B {
		err = fault.New(fault.BadArgument, "--level", "a signature is extended to T, LT or LTA")
	}
	if err == nil {
		err = f.out.check()
	}
	if err != nil {
		return &exitError{exitUsage, err}
	}
	proof, err := p.proof(f.proofFlags)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	defer proof.close()
	in, err := openInput(file)
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	defer func() { err = errors.Join(err, in.close()) }()
	content, closeContent, err := openContent(f.content)
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	defer func() { err = errors.Join(err, closeContent()) }()
	source, err := in.message(true)
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	made := signResult{Out: f.out.path, Format: "CAdES", Level: level.String()}
	raise := func(source, content cades.Source) error {
		m, err := cades.Open(source)
		if err != nil {
			return &exitError{exitBadInput, err}
		}
		if m.Signers() == 0 {
			return &exitError{exitBadInput, fault.New(fault.NoSignature, "/signerInfos", "empty")}
		}
		added, err := proof.extender.Extend(ctx, m, content, level, f.signers...)
		if err != nil {
			return err
		}
		made.Added, made.Signatures, made.Detached, made.Reframed = &added, m.Signers(), m.Detached(), m.Reframed
		return f.out.write(func(w io.Writer) error { return m.Write(ctx, w) })
	}
	if err := p.watched(ctx, sayingExtends, source, content, raise); err != nil {
		return err
	}
	return p.tellSigned(f.json, made)
}

var sayingExtends = text{"Қолтаңба толықтырылуда", "Подпись дополняется", "Extending the signature"}

// timestampFlags are the flags of `senim timestamp`.
type timestampFlags struct {
	proofFlags
	out outputFile
}

func (p *program) timestampCommand() *cobra.Command {
	var f timestampFlags
	c := &cobra.Command{
		Use:   "timestamp [flags] --tsa URL --out FILE FILE",
		Short: "Have a file time-stamped",
		Long: `Asks a time-stamping authority (RFC 3161) for a time-stamp over FILE, of any
size: only its digest goes out. The token is verified whole before it is written,
in DER, as openssl ts -verify -token_in reads it. An authority that is known to be
revoked is refused; where nobody can be asked about it, that is no reason.

Exit status: 0 time-stamped, 1 refused, 64 wrong usage, 65 FILE unreadable.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("exactly one FILE is needed (see senim timestamp --help)")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return p.timestamp(c.Context(), f, args[0]) },
	}
	flags := c.Flags()
	f.proofFlags.add(c, "hash")
	flags.StringVar(&f.out.path, "out", "", "where the token goes")
	flags.BoolVar(&f.out.overwrite, "force", false, "overwrite --out")
	return c
}

// timestamp has a file time-stamped.
func (p *program) timestamp(ctx context.Context, f timestampFlags, file string) (err error) {
	if err := f.out.check(); err != nil {
		return &exitError{exitUsage, err}
	}
	proof, err := p.proof(f.proofFlags)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	defer proof.close()
	in, err := openInput(file)
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	defer func() { err = errors.Join(err, in.close()) }()
	return p.watched(ctx, sayingStamps, in.Source, nil, func(source, _ cades.Source) error {
		digest := proof.stamper.Digest()
		hash := digest.New()
		if _, err := io.Copy(hash, io.NewSectionReader(source, 0, source.Size())); err != nil {
			return &exitError{exitBadInput, err}
		}
		token, err := proof.stamper.StampDigest(ctx, digest, hash.Sum(nil))
		if err != nil {
			return err
		}
		if err := f.out.write(func(w io.Writer) error { _, err := w.Write(token.Raw); return err }); err != nil {
			return err
		}
		return p.tellStamped(f.out.path, token, digest)
	})
}

var sayingStamps = text{"Файлдың дайджесті есептелуде", "Вычисляется дайджест файла", "Digesting the file"}

// tellStamped says what the authority states: the time to its last digit, and the
// serial number in whole bytes, as the authority's records have it.
func (p *program) tellStamped(path string, token *tsp.Token, digest *algo.Digest) error {
	_, err := fmt.Fprintf(p.stdout, "%s: %s, %s %x, %s\n", path, token.Time.UTC().Format(time.RFC3339Nano),
		text{"нөмірі", "номер", "serial"}.in(p.language), token.Serial.Bytes(), digest.Name)
	return err
}
