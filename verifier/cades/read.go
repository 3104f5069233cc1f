package cades

import (
	"context"
	"errors"
	"io"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/verifier/facts"
)

// Format is the name of what this package reads.
const Format = "CAdES"

// Source is a document to read.
type Source struct {
	Name string
	// Data is the message; or Document, which may be of any size, if Data is nil.
	Data     []byte
	Document io.Reader

	// Content is what a detached signature is over; or ContentFrom, which may be of
	// any size; or ContentDigests, if digests of it are all that is known. All nil
	// if it was not given. For an attached message it may be given too, and must
	// then be the same.
	Content        []byte
	ContentFrom    io.Reader
	ContentDigests map[*algo.Digest][]byte

	// Spool keeps a stream that may be needed twice; Progress hears how far the
	// reading is, of the document first and then of the content.
	Spool    cms.Spool
	Progress func(done, total int64)

	// Certificates may hold signers' certificates that the message lacks.
	Certificates []*cert.Certificate
	// Parse reads the certificates in the message; nil means cert.Parse.
	Parse func(der []byte) (*cert.Certificate, error)
	// Identify gives the digest of a certificate; nil means facts.Digest.
	Identify func(der []byte) string
}

// Read gives the facts of a CMS message in DER, BER, PEM or base64. A message
// without signers is refused: nothing that is said about no signature is a
// success.
func Read(ctx context.Context, src Source) (f *facts.Facts, err error) {
	message, input, err := src.message(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, message.Close()) }()
	if len(message.Signers) == 0 {
		return nil, fault.New(fault.NoSignature, "/signerInfos", "no signer")
	}
	content, err := src.content(ctx, message)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	r := newReader(ctx, src, message, input, content)
	for i, s := range message.Signers {
		r.facts.Signatures = append(r.facts.Signatures, r.signer(s, signerAt(i)))
	}
	if r.err != nil {
		return nil, r.err
	}
	r.describeMessage()
	return r.facts, nil
}

func (src Source) message(ctx context.Context) (*cms.Message, cms.Input, error) {
	if src.Document != nil && src.Data == nil {
		return cms.Read(ctx, src.Document, cms.Options{Spool: src.Spool, Progress: src.Progress})
	}
	return cms.ReadBytes(src.Data)
}

// content gives what is signed: the message's own, or what was given; nil if there
// is neither. All digests of it that will be asked for are made in one pass.
func (src Source) content(ctx context.Context, m *cms.Message) (*cms.Content, error) {
	own, given := m.EContent(), src.given(m)
	if own != nil && given != nil && src.ContentDigests == nil {
		same, err := own.Same(ctx, given)
		if err == nil && !same {
			err = fault.New(fault.ContentConflict, "/encapContentInfo/eContent", "%d bytes inside, %d given", own.Size(), given.Size())
		}
		if err := errors.Join(err, given.Close()); err != nil {
			return nil, err
		}
		return own, nil
	}
	content := own
	if own == nil {
		content = given
	}
	if content == nil || src.ContentDigests != nil && own == nil {
		return content, nil
	}
	if _, held := content.Bytes(); held {
		return content, nil
	}
	err := content.Compute(ctx, wanted(m)...)
	if fault.Is(err, fault.ContentNotKept) {
		err = nil // it is said where each digest is asked for
	}
	return content, err
}

// given is the content beside the message. A stream is kept only if something
// will need more of it than digests.
func (src Source) given(m *cms.Message) *cms.Content {
	switch {
	case src.Content != nil:
		return cms.ContentOf(src.Content)
	case src.ContentFrom != nil:
		o := cms.Options{Progress: src.Progress}
		if needsTwice(m) {
			o.Spool = src.Spool
		}
		return cms.ContentFrom(src.ContentFrom, o)
	case src.ContentDigests != nil:
		return cms.ContentDigests(src.ContentDigests)
	}
	return nil
}

// needsTwice reports whether a signature needs the content itself: an algorithm
// that signs no digest, and the archive time-stamp of version 2.
func needsTwice(m *cms.Message) bool {
	for _, s := range m.Signers {
		algorithm, err := s.Algorithm()
		if len(s.Unsigned(cms.OIDArchiveTimestampV2)) > 0 || !s.HasSignedAttributes() && err == nil && algorithm.SignsMessage() {
			return true
		}
	}
	return false
}

// wanted are the algorithms by which the content will be digested: the signers',
// and those of the time-stamps that are over a digest of it.
func wanted(m *cms.Message) []*algo.Digest {
	var out []*algo.Digest
	for _, s := range m.Signers {
		if d, err := s.Digest(); err == nil {
			out = append(out, d)
		}
		for _, raw := range append(signedValues(s, cms.OIDContentTimestamp), unsignedValues(s, cms.OIDArchiveTimestampV3)...) {
			token, err := tsp.ParseToken(raw)
			if err != nil {
				continue // said where the token is read
			}
			if d, err := algo.DigestByIdentifier(token.ImprintAlgorithm); err == nil {
				out = append(out, d)
			}
		}
	}
	return out
}
