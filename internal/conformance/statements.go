package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/govalues/decimal"
	"go.yaml.in/yaml/v3"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/statement"
)

// readStatement reads a file as the import does, and writes each entry as a line
// of text, so that a difference can be read.
func readStatement(file string) (entries []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = statement.Parse(f, statement.Options{}, statement.Sink{
		Entry: func(_ *statement.Statement, e *statement.Entry) error {
			entries = append(entries, fmt.Sprintf("%s %s booked %s value %s ref %q",
				e.Amount.Value.Trim(0), e.Amount.Currency, e.BookingDay, e.ValueDay, e.Reference))
			return nil
		},
		Bad: func(_ *statement.Statement, b statement.BadEntry) error {
			entries = append(entries, "bad: "+b.Detail)
			return nil
		},
	})
	return entries, err
}

// noCurrency stands in a line whose entry has none.
const noCurrency = "  booked"

// golden compares what was read with what is wanted, line by line.
func golden(id string, want, got []string, err error) outcome {
	o := outcome{id: id, want: valid, got: valid}
	if err != nil {
		o = judged(id, valid, err)
		return o
	}
	for i := range max(len(want), len(got)) {
		var w, g string
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			o.got, o.detail = "other", fmt.Sprintf("line %d: %q, wanted %q", i, g, w)
			if strings.Contains(g, noCurrency) && !strings.Contains(w, noCurrency) {
				o.reason = fault.StatementLineBad // what statement.Lines says of it
			}
			break
		}
	}
	return o
}

// runCAMT reads the statements of ISO 20022 that have an expected reading in a
// JSON file beside them. One without is wrong and must be refused.
func runCAMT(o options) ([]outcome, error) {
	files, err := filepath.Glob(filepath.Join(o.data, "payments", "camt", "*.xml"))
	if err != nil || len(files) == 0 {
		return nil, errNotThere
	}
	var out []outcome
	for _, file := range files {
		id := strings.TrimSuffix(filepath.Base(file), ".xml")
		entries, readErr := readStatement(file)
		raw, err := os.ReadFile(strings.TrimSuffix(file, ".xml") + ".json")
		if os.IsNotExist(err) {
			out = append(out, judged(id, invalid, readErr))
			continue
		}
		if err != nil {
			return nil, err
		}
		want, err := camtGolden(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, golden(id, want, entries, readErr))
	}
	return out, nil
}

// camtGolden reads the expectation: objects by the names of their getters.
func camtGolden(raw []byte) ([]string, error) {
	type money struct {
		Amount   string `json:"getAmount"`
		Currency struct {
			Code string `json:"getCode"`
		} `json:"getCurrency"`
	}
	type moment struct {
		At string `json:"0"`
	}
	var message struct {
		Entries []struct {
			Amount    money   `json:"getAmount"`
			Booked    *moment `json:"getBookingDate"`
			Value     *moment `json:"getValueDate"`
			Reference *string `json:"getReference"`
		} `json:"getEntries"`
	}
	if err := json.Unmarshal(raw, &message); err != nil {
		return nil, err
	}
	day := func(m *moment) string {
		if m == nil || len(m.At) < 10 {
			return ""
		}
		return m.At[:10]
	}
	var all []string
	for _, e := range message.Entries {
		amount, err := decimal.Parse(e.Amount.Amount)
		if err == nil {
			amount, err = amount.Quo(decimal.MustNew(100, 0)) // all currencies of the set have two digits
		}
		if err != nil {
			return nil, err
		}
		reference := ""
		if e.Reference != nil {
			reference = *e.Reference
		}
		all = append(all, fmt.Sprintf("%s %s booked %s value %s ref %q", amount.Trim(0), e.Amount.Currency.Code, day(e.Booked), day(e.Value), reference))
	}
	return all, nil
}

// runMT940 reads the statements of SWIFT that have an expected reading in a YAML
// file beside them, as the Python library mt940 wrote its objects.
func runMT940(o options) ([]outcome, error) {
	files, err := filepath.Glob(filepath.Join(o.data, "payments", "mt940", "*", "*.yml"))
	if err != nil || len(files) == 0 {
		return nil, errNotThere
	}
	var out []outcome
	for _, file := range files {
		source := strings.TrimSuffix(file, ".yml") + ".sta"
		if _, err := os.Stat(source); err != nil {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		want, err := mt940Golden(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		id := filepath.Base(filepath.Dir(file)) + "/" + strings.TrimSuffix(filepath.Base(file), ".yml")
		entries, readErr := readStatement(source)
		for i := range min(len(want), len(entries)) {
			if strings.HasSuffix(want[i], notTold) {
				entries[i], _, _ = strings.Cut(entries[i], " ref ")
				want[i] = strings.TrimSuffix(want[i], notTold)
			}
		}
		if len(want) == 0 && readErr != nil {
			out = append(out, judged(id, invalid, readErr)) // nothing is in it, and nothing is taken from it
			continue
		}
		out = append(out, golden(id, want, entries, readErr))
	}
	return out, nil
}

// notTold stands for a reference that the set's program overwrites with what it
// finds in :86:.
const notTold = " ref not told"

func mt940Golden(raw []byte) ([]string, error) {
	var root yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&root); err != nil {
		return nil, err
	}
	var all []string
	transactions := child(root.Content[0], "transactions")
	if transactions == nil {
		return nil, nil
	}
	for _, t := range transactions.Content {
		data := child(t, "data")
		amount := child(data, "amount")
		if amount == nil {
			continue // a remark without a movement
		}
		value, err := decimal.Parse(child(amount, "amount").Content[0].Value)
		if err != nil {
			return nil, err
		}
		if status := child(data, "status"); status != nil && strings.HasPrefix(status.Value, "R") {
			// The set's program leaves reversals positive: that of a credit takes
			// money away (SWIFT Standards, field 61).
			if value = value.Abs(); status.Value == "RC" {
				value = value.Neg()
			}
		}
		text := func(name string) string {
			if n := child(data, name); n != nil && n.Tag != "!!null" {
				return strings.TrimSpace(n.Value)
			}
			return ""
		}
		booked := pythonDay(child(data, "entry_date"))
		if booked == "" {
			booked = pythonDay(child(data, "date"))
		}
		reference := notTold
		if n := child(data, "customer_reference"); n != nil && n.Tag != "!!null" && !strings.Contains(n.Value, "\n") {
			reference = fmt.Sprintf(" ref %q", strings.TrimSpace(n.Value))
		}
		all = append(all, fmt.Sprintf("%s %s booked %s value %s", value.Trim(0), text("currency"), booked, pythonDay(child(data, "date")))+reference)
	}
	return all, nil
}

// child of a mapping, aliases resolved.
func child(n *yaml.Node, name string) *yaml.Node {
	if n == nil {
		return nil
	}
	if n.Alias != nil {
		n = n.Alias
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			if v := n.Content[i+1]; v.Alias != nil {
				return v.Alias
			}
			return n.Content[i+1]
		}
	}
	return nil
}

// pythonDay reads a date as Python pickles it: two octets of the year, the month
// and the day.
func pythonDay(n *yaml.Node) string {
	if n == nil || len(n.Content) == 0 {
		return ""
	}
	var raw []byte
	if err := n.Content[0].Decode(&raw); err != nil || len(raw) != 4 {
		var s string
		if n.Content[0].Decode(&s) != nil || len(s) != 4 {
			return ""
		}
		raw = []byte(s)
	}
	day, err := kz.ParseDay(fmt.Sprintf("%04d-%02d-%02d", int(raw[0])<<8|int(raw[1]), raw[2], raw[3]))
	if err != nil {
		return ""
	}
	return day.String()
}
