package verifier

import (
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier/facts"
)

// The building blocks and processes of EN 319 102-1, as they are named in the
// constraint tree.
const (
	blockFormat         = "format_checking"                       // §5.2.2
	blockIdentification = "identification_of_signing_certificate" // §5.2.3
	blockContext        = "validation_context_initialization"     // §5.2.4
	blockCertificate    = "x509_certificate_validation"           // §5.2.6
	blockCryptographic  = "cryptographic_verification"            // §5.2.7
	blockAcceptance     = "signature_acceptance_validation"       // §5.2.8

	blockBasic     = "validation_of_basic_signature" // §5.3
	blockTimestamp = "time_stamp_validation"         // §5.4
	blockTime      = "validation_with_time"          // §5.5
	blockLongTerm  = "validation_with_archival_data" // §5.6
	blockPastCert  = "past_certificate_validation"   // §5.6.2.1
	blockSliding   = "validation_time_sliding"       // §5.6.2.2
	blockPOE       = "proof_of_existence_extraction" // §5.6.2.3
	blockPastSig   = "past_signature_validation"     // §5.6.2.4
	blockImprint   = "message_imprint"               // §5.4.4
	blockCounter   = "counter_signature_validation"  // §5.1.4.4
)

// block collects the constraints of one building block and their outcome. The
// first constraint that fails decides it.
type block struct {
	name        string
	status      Status // "" until a constraint decided
	sub         SubIndication
	constraints []Constraint
	errors      []Message
	warnings    []Message
}

// arena hands out blocks with room for a few constraints each: a verdict has a
// dozen, and they live as long as its report.
type arena struct {
	blocks      []block
	constraints []Constraint
}

const (
	arenaBlocks      = 8
	constraintsUsual = 3 // most blocks note no more
)

func (a *arena) block(name string) *block {
	if len(a.blocks) == cap(a.blocks) {
		a.blocks = make([]block, 0, arenaBlocks)
		a.constraints = make([]Constraint, arenaBlocks*constraintsUsual)
	}
	a.blocks = append(a.blocks, block{name: name, constraints: a.constraints[:0:constraintsUsual]})
	a.constraints = a.constraints[constraintsUsual:]
	return &a.blocks[len(a.blocks)-1]
}

// pass notes a constraint that holds.
func (b *block) pass(name, detail string) {
	b.constraints = append(b.constraints, Constraint{Name: name, Status: StatusPassed, Detail: detail})
}

// inform notes a constraint that does not hold and that nobody need care about.
func (b *block) inform(name, detail string) {
	b.constraints = append(b.constraints, Constraint{Name: name, Status: StatusInformation, Detail: detail})
}

// warn notes a constraint that does not hold and decides nothing.
func (b *block) warn(name string, f facts.Finding) {
	b.constraints = append(b.constraints, Constraint{Name: name, Status: StatusWarning, Detail: f.Detail})
	b.warnings = append(b.warnings, messageOf(f))
}

// fail notes a constraint that proves the signature wrong.
func (b *block) fail(name string, sub SubIndication, f facts.Finding) {
	b.decide(name, StatusFailed, sub, f)
}

// doubt notes a constraint that leaves the verdict open.
func (b *block) doubt(name string, sub SubIndication, f facts.Finding) {
	b.decide(name, StatusIndeterminate, sub, f)
}

func (b *block) decide(name string, status Status, sub SubIndication, f facts.Finding) {
	b.constraints = append(b.constraints, Constraint{Name: name, Status: status, SubIndication: sub, Detail: f.Detail})
	b.errors = append(b.errors, messageOf(f))
	if b.status == "" {
		b.status, b.sub = status, sub
	}
}

// apply makes of a constraint that does not hold what the policy's level says.
func (b *block) apply(level Level, name string, sub SubIndication, f facts.Finding) {
	switch level {
	case Fail:
		b.doubt(name, sub, f)
	case Warn:
		b.warn(name, f)
	case Inform:
		b.inform(name, f.Detail)
	}
}

// nest puts another block under this one; where it decides, it decides this one.
func (b *block) nest(inner *block) {
	b.constraints = append(b.constraints, inner.constraint())
	b.errors = append(b.errors, inner.errors...)
	b.warnings = append(b.warnings, inner.warnings...)
	if b.status == "" {
		b.status, b.sub = inner.status, inner.sub
	}
}

func (b *block) passed() bool { return b.status == "" }

// constraint gives the block as a node of the tree.
func (b *block) constraint() Constraint {
	return Constraint{Name: b.name, Status: statusOf(b.status), SubIndication: b.sub, Constraints: b.constraints}
}

// statusOf names the outcome of what was decided by nothing.
func statusOf(s Status) Status {
	if s == "" {
		return StatusPassed
	}
	return s
}

// notRun is a block that an earlier one made needless.
func notRun(name string) Constraint { return Constraint{Name: name, Status: StatusNotRun} }

func messageOf(f facts.Finding) Message {
	return Message{Code: f.Code, Message: f.Code.Message(fault.English), At: f.At, Detail: f.Detail}
}

// finding makes one that a rule found, not a reader.
func finding(code fault.Code, detail string) facts.Finding {
	return facts.Finding{Code: code, Detail: detail}
}
