package verifier

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// WriteText writes the report for people: the verdict first, then for each
// signature who made it, what it covers, when it was made, and what holds
// against it. IINs are masked, and names are printed without the distinguished
// name that holds them. Programs read the JSON.
func (r *Report) WriteText(w io.Writer, l fault.Language) error {
	words, ok := wordsIn[l]
	if !ok {
		l, words = fault.English, wordsIn[fault.English]
	}
	t := &textWriter{w: bufio.NewWriter(w), words: words}
	t.sentence(0, t.verdictOn(r))
	t.sentence(0, fill(words.document, r.File, r.Format, r.SHA256))
	t.sentence(0, fill(words.judged, clock(r.ValidationTime), r.Policy))
	t.signatures(0, r.In(l).Signatures, words.signature)
	return t.w.Flush()
}

// textWriter writes sentences in one language.
type textWriter struct {
	w     *bufio.Writer
	words *words
}

// sentence writes a line. What it says comes from the document in parts:
// control characters do not reach the terminal.
func (t *textWriter) sentence(indent int, text string) {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 { // and none that turn the text around
			return '\ufffd'
		}
		return r
	}, text)
	fmt.Fprintf(t.w, "%s%s\n", strings.Repeat("  ", indent), text)
}

// fill puts values into a sentence for {0}, {1} …; translations order them as
// their language does.
func fill(sentence string, values ...string) string {
	pairs := make([]string, 0, 2*len(values))
	for i, v := range values {
		pairs = append(pairs, fmt.Sprintf("{%d}", i), v)
	}
	return strings.NewReplacer(pairs...).Replace(sentence)
}

// clock writes a time of the report for people.
func clock(rfc3339 string) string {
	date, hour, _ := strings.Cut(strings.TrimSuffix(rfc3339, "Z"), "T")
	return date + " " + hour + " UTC"
}

// verdictOn is the verdict on the document.
func (t *textWriter) verdictOn(r *Report) string {
	verdict := t.words.verdicts[r.Indication]
	text := verdict.one
	if len(r.Signatures) > 1 {
		text = fill(verdict.many, fmt.Sprint(len(r.Signatures)), fmt.Sprint(count(r.Signatures, r.Indication)))
	}
	return text + t.reason(r.Indication, r.SubIndication)
}

func count(list []SignatureReport, i Indication) (n int) {
	for _, s := range list {
		if s.Indication == i {
			n++
		}
	}
	return n
}

// reason ends a verdict: why, and the standard's own words for it.
func (t *textWriter) reason(i Indication, sub SubIndication) string {
	standard := string(i)
	if sub != "" {
		standard += "/" + string(sub)
	}
	if why := t.words.reasons[sub]; why != "" {
		return ": " + why + " (" + standard + ")."
	}
	return " (" + standard + ")."
}

// signatures writes each signature under its number and, further in, those
// over it.
func (t *textWriter) signatures(indent int, list []SignatureReport, heading string) {
	for i, s := range list {
		fmt.Fprintln(t.w)
		t.sentence(indent, fill(heading, fmt.Sprint(i+1), fmt.Sprint(len(list)), t.words.levels[s.Level], s.ID))
		t.sentence(indent+1, t.words.verdicts[s.Indication].one+t.reason(s.Indication, s.SubIndication))
		t.who(indent+1, s.Signer)
		t.what(indent+1, s)
		t.when(indent+1, s)
		t.sentence(indent+1, fill(t.words.algorithms, s.Algorithms.Digest, s.Algorithms.Signature))
		t.messages(indent+1, t.words.errors, s.Errors)
		t.messages(indent+1, t.words.warnings, s.Warnings)
		t.signatures(indent+1, s.CounterSignatures, t.words.counterSignature)
	}
}

func (t *textWriter) who(indent int, s SignerReport) {
	if s.Certificate == "" {
		t.sentence(indent, t.words.nobody)
		return
	}
	text := fill(t.words.signer, withNumber(s.CommonName, t.words.iin, kz.IIN(s.IIN).String(), s.IIN != ""))
	if s.Organization != "" || s.BIN != "" {
		text += fill(t.words.organization, withNumber(s.Organization, t.words.bin, s.BIN, s.BIN != ""))
	}
	t.sentence(indent, text+".")
	t.sentence(indent, fill(t.words.certificate, s.Serial, s.IssuerName, clock(s.NotBefore), clock(s.NotAfter)))
}

// withNumber is a name with its number in brackets.
func withNumber(name, label, number string, known bool) string {
	if !known {
		return name
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%s %s)", name, label, number))
}

func (t *textWriter) what(indent int, s SignatureReport) {
	for _, c := range s.Covers {
		state := t.words.covers[c.Name]
		sentence := state.changed
		switch {
		case !c.Found:
			sentence = state.missing
		case c.Intact:
			sentence = state.intact
		case len(c.Digest.Value) == 0:
			sentence = state.unknown
		}
		t.sentence(indent, fill(sentence, fmt.Sprint(c.Bytes), c.Digest.Algorithm))
	}
}

func (t *textWriter) when(indent int, s SignatureReport) {
	if proof := s.proof(); proof != nil {
		t.sentence(indent, fill(t.words.proven, clock(s.BestSignatureTime), proof.AuthorityName))
	} else {
		t.sentence(indent, t.words.unproven)
	}
	if s.ClaimedTime != "" {
		t.sentence(indent, fill(t.words.claimed, clock(s.ClaimedTime)))
	}
	for _, stamp := range s.Timestamps {
		at := t.words.noTime
		if stamp.Time != "" {
			at = clock(stamp.Time)
		}
		sentence := t.words.stampPassed
		if stamp.Indication != Passed {
			sentence = t.words.stampRefused
		}
		t.sentence(indent, fill(sentence, t.words.kinds[stamp.Kind], at, stamp.AuthorityName)+t.reason(stamp.Indication, stamp.SubIndication))
	}
}

// proof is the time-stamp that gives the best signature time; nil if that is
// only the time of validation.
func (s SignatureReport) proof() *TimestampReport {
	for i := range s.Timestamps {
		if stamp := &s.Timestamps[i]; stamp.Indication == Passed && stamp.Time == s.BestSignatureTime {
			return stamp
		}
	}
	return nil
}

func (t *textWriter) messages(indent int, label string, list []Message) {
	if len(list) == 0 {
		return
	}
	t.sentence(indent, label)
	for _, m := range list {
		text := m.Message
		if m.Detail != "" {
			text += " (" + m.Detail + ")"
		}
		t.sentence(indent+1, fmt.Sprintf("– %s [%s]", text, m.Code))
	}
}
