package report

import (
	"bufio"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// jsonSheet writes one object: what the report is, its columns, its rows as
// objects, and its totals. Amounts are whole tiyn.
type jsonSheet struct {
	w       *bufio.Writer
	columns []Column
	keys    [][]byte
	line    []byte
	rows    int
}

func newJSON(w io.Writer) sheet { return &jsonSheet{w: bufio.NewWriter(w)} }

type jsonColumn struct {
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	Title string `json:"title"`
}

func (s *jsonSheet) begin(r *Request) error {
	s.columns = r.Report.Columns
	head := struct {
		Name    string       `json:"name"`
		Title   string       `json:"title"`
		Period  Period       `json:"period"`
		At      time.Time    `json:"at"`
		Columns []jsonColumn `json:"columns"`
	}{r.Report.Name, r.Report.Title.In(r.Language), r.Period, r.At.UTC().Truncate(time.Second), nil}
	for _, c := range s.columns {
		head.Columns = append(head.Columns, jsonColumn{c.Key(), c.Kind, c.Title.In(r.Language)})
		key, err := json.Marshal(c.Key())
		if err != nil {
			return fault.Wrap(err, fault.Internal, "", "write the name of a column")
		}
		s.keys = append(s.keys, key)
	}
	text, err := json.Marshal(head)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "", "write the head")
	}
	_, _ = s.w.Write(text[:len(text)-1]) // the object stays open; Flush has the error
	_, err = s.w.WriteString(`,"rows":[`)
	return written(err)
}

func (s *jsonSheet) row(cells []Cell) error {
	s.line = s.line[:0]
	if s.rows > 0 {
		s.line = append(s.line, ',')
	}
	s.rows++
	s.line = append(s.line, '\n', '{')
	for i, c := range s.columns {
		if i > 0 {
			s.line = append(s.line, ',')
		}
		s.line = append(append(s.line, s.keys[i]...), ':')
		if c.Kind == Count || c.Kind == Amount {
			s.line = strconv.AppendInt(s.line, cells[i].Number, 10)
			continue
		}
		text, err := json.Marshal(plain(c, cells[i]))
		if err != nil {
			return fault.Wrap(err, fault.Internal, "", "write a text")
		}
		s.line = append(s.line, text...)
	}
	_, err := s.w.Write(append(s.line, '}'))
	return written(err)
}

func (s *jsonSheet) end(t *Totals) error {
	line := strconv.AppendInt([]byte("],\n\"totals\":{\"rows\":"), int64(t.Rows), 10)
	for i, c := range s.columns {
		if c.Summed {
			line = append(append(append(line, ','), s.keys[i]...), ':')
			line = strconv.AppendInt(line, t.Cells[i].Number, 10)
		}
	}
	_, _ = s.w.Write(append(line, "}}\n"...)) // Flush has the error
	return written(s.w.Flush())
}

func (s *jsonSheet) close() error { return nil }

// written classifies the failure of whatever the report is written to.
func written(err error) error {
	if err == nil || fault.Of(err) != nil {
		return err
	}
	return fault.Wrap(err, fault.OutputFailed, "", "write on")
}
