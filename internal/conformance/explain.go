package main

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// outcome is one case: what the set says and what came out. Words other than
// valid and invalid are those of the set.
type outcome struct {
	id, want, got, detail string

	// reason is the code of our refusal; "" if we accept.
	reason fault.Code

	// theirs are the set's own words for why it refuses, or its tags for the
	// case; none if it gives none.
	theirs []string
}

const (
	valid   = "valid"
	invalid = "invalid"
)

// judged is the outcome of a case that is valid or not: err is our refusal.
func judged(id, want string, err error, theirs ...string) outcome {
	return saying(id, want, verdict(err), err, theirs...)
}

// saying is an outcome in the set's own words; err explains got.
func saying(id, want, got string, err error, theirs ...string) outcome {
	o := outcome{id: id, want: want, got: got, theirs: theirs}
	if err != nil {
		o.detail, o.reason = strings.ReplaceAll(err.Error(), "\n", " "), fault.CodeOf(err)
	}
	return o
}

func verdict(err error) string {
	if err == nil {
		return valid
	}
	return invalid
}

// accepts reports whether something was accepted that the set does not accept,
// or not in that way.
func (o outcome) accepts() bool {
	if o.got == o.want {
		return false
	}
	for _, good := range []string{valid, "GOOD", "PASSED", "TOTAL-PASSED"} {
		if o.got == good || strings.HasPrefix(o.got, good+" ") {
			return true
		}
	}
	return false
}

// explanation is a row of a table in docs/conformance.md: | set | cases |
// outcome | reason | why |. Cases and reason are patterns of path.Match.
//
// Outcome is "refused", and then reason is the code of our refusal, or
// "accepted", and then it is what the set says against the case ("-" if it says
// nothing). So no explanation of a refusal ever covers an acceptance, nor one of
// an acceptance the next thing that the set has against it.
type explanation struct{ set, cases, outcome, reason, why string }

type explanations []explanation

func readExplanations(file string) (explanations, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out explanations
	for line := range strings.SplitSeq(string(data), "\n") {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		if cells[2] == "accepted" || cells[2] == "refused" {
			out = append(out, explanation{cells[0], cells[1], cells[2], cells[3], cells[4]})
		}
	}
	return out, nil
}

// find looks for what explains a difference. A refusal has one reason, ours;
// an acceptance has all that the set says against the case, and each must be
// explained.
func (list explanations) find(set string, o outcome) (why string, known bool) {
	if !o.accepts() {
		return list.row(set, o.id, "refused", string(o.reason))
	}
	theirs := o.theirs
	if len(theirs) == 0 {
		theirs = []string{"-"}
	}
	var all []string
	for _, reason := range theirs {
		why, known := list.row(set, o.id, "accepted", reason)
		if !known {
			return "", false
		}
		if !slices.Contains(all, why) {
			all = append(all, why)
		}
	}
	return strings.Join(all, " "), true
}

func (list explanations) row(set, id, outcome, reason string) (why string, known bool) {
	for _, e := range list {
		if e.set == set && e.outcome == outcome && matches(e.cases, id) && matches(e.reason, reason) {
			return e.why, true
		}
	}
	return "", false
}

// matches is path.Match with slashes like any other character.
func matches(pattern, s string) bool {
	matched, err := path.Match(strings.ReplaceAll(pattern, "/", "_"), strings.ReplaceAll(s, "/", "_"))
	return err == nil && matched
}
