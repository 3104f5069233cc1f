package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/senim-kz/senim/internal/fault"
)

// text is one sentence in the three languages.
type text struct{ kk, ru, en string }

func (t text) in(l fault.Language) string {
	switch l {
	case fault.Kazakh:
		return t.kk
	case fault.Russian:
		return t.ru
	}
	return t.en
}

// narrator tells what happens, step by step, with what each step took.
type narrator struct {
	out      io.Writer
	language fault.Language
	now      func() time.Time
	steps    []narratedStep
}

// narratedStep is one step as `senim demo --json` gives it.
type narratedStep struct {
	Number       int      `json:"number"`
	Title        string   `json:"title"`
	Milliseconds float64  `json:"took_ms"`
	Details      []string `json:"details"`
}

// step announces and runs one numbered step.
func (n *narrator) step(title text, run func() error) error {
	s := narratedStep{Number: len(n.steps) + 1, Title: title.in(n.language), Details: []string{}}
	n.steps = append(n.steps, s)
	current := &n.steps[len(n.steps)-1]
	fmt.Fprintf(n.out, "\n%2d. %s\n", s.Number, s.Title)
	began := n.now()
	err := run()
	took := n.now().Sub(began)
	current.Milliseconds = float64(took.Microseconds()) / 1000
	if err != nil {
		return fmt.Errorf("step %d: %w", s.Number, err)
	}
	fmt.Fprintf(n.out, "    %s %s\n", text{"уақыты", "заняло", "took"}.in(n.language), took.Round(10*time.Microsecond))
	return nil
}

// tell adds a line to the current step.
func (n *narrator) tell(t text, args ...any) {
	line := fmt.Sprintf(t.in(n.language), args...)
	current := &n.steps[len(n.steps)-1]
	current.Details = append(current.Details, line)
	fmt.Fprintf(n.out, "    · %s\n", line)
}

// table prints rows with aligned columns; the first row is the heading.
func (n *narrator) table(rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range rows {
		for j, cell := range row {
			fmt.Fprintf(n.out, "  %s%s", cell, strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(n.out)
		if i == 0 {
			for _, w := range widths {
				fmt.Fprintf(n.out, "  %s", strings.Repeat("─", w))
			}
			fmt.Fprintln(n.out)
		}
	}
}
