package kz

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
)

func TestParseIIN(t *testing.T) {
	tests := []struct {
		name, in string
		control  Control
		ok       bool
	}{
		{"woman born in 1985", "850101400001", Full, true},
		{"man born in 2005", "050101500000", Full, true},
		{"foreigner, century unknown", "900101000008", Full, true},
		{"leap day of 2000", "000229500008", Full, true},
		{"no leap day in 1900", "000229300005", Full, false},
		{"second pass", "990101300409", Full, true},
		{"wrong control digit", "850101400002", Full, false},
		{"month 13", "951301300006", Full, false},
		{"31 April", "950431300000", Full, false},
		{"digit 7 is 7", "950100700006", Full, false},
		{"test certificate, full", "123456789011", Full, false},
		{"test certificate, format", "123456789011", FormatOnly, true},
		{"empty", "", FormatOnly, false},
		{"eleven digits", "85010140000", FormatOnly, false},
		{"thirteen digits", "8501014000011", FormatOnly, false},
		{"fullwidth digits", "８５０１０１４０００", FormatOnly, false},
		{"leading blank", " 85010140000", FormatOnly, false},
		{"letter", "85010140000A", FormatOnly, false},
		{"zeros", "000000000000", Full, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseIIN(tt.in, tt.control)
			if !tt.ok {
				if !fault.Is(err, fault.IINInvalid) || got != "" {
					t.Fatalf("ParseIIN = %q, %v; want %s", got.Digits(), err, fault.IINInvalid)
				}
				if tt.in != "" && strings.Contains(err.Error(), tt.in) {
					t.Errorf("the error repeats the number: %v", err)
				}
				return
			}
			if err != nil || got.Digits() != tt.in {
				t.Fatalf("ParseIIN = %q, %v", got.Digits(), err)
			}
		})
	}
}

func TestParseBIN(t *testing.T) {
	tests := []struct {
		name, in   string
		control    Control
		ok, branch bool
	}{
		{"resident head", "260140990018", Full, true, false},
		{"branch", "260141990013", Full, true, true},
		{"representative office", "260142990019", Full, true, true},
		{"joint entrepreneurs", "260160990017", Full, true, false},
		{"farm", "260363990020", Full, true, false},
		{"second pass", "260140990902", Full, true, false},
		{"never issued", "260140990940", Full, false, false},
		{"wrong control digit", "260140990019", Full, false, false},
		{"month 13", "261340990018", Full, false, false},
		{"month 00", "260040990012", Full, false, false},
		{"digit 5 is 7", "260170990011", Full, false, false},
		{"digit 6 is 7", "260147990016", Full, false, false},
		{"test certificate", "123456789021", FormatOnly, true, false},
		{"zero width space", "260140990018\u200b", FormatOnly, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseBIN(tt.in, tt.control)
			if !tt.ok {
				if !fault.Is(err, fault.BINInvalid) {
					t.Fatalf("ParseBIN = %q, %v; want %s", got, err, fault.BINInvalid)
				}
				return
			}
			if err != nil || got.String() != tt.in || got.Branch() != tt.branch {
				t.Fatalf("ParseBIN = %q (branch %v), %v", got, got.Branch(), err)
			}
		})
	}
}

// Any single wrong digit but the eleventh is caught far more often than not,
// and a valid number never stops being valid.
func TestControlDigitProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d [numberDigits]int
		for i := range numberDigits - 1 {
			d[i] = rapid.IntRange(0, 9).Draw(t, fmt.Sprint("digit ", i+1))
		}
		c, ok := controlDigit(d)
		if !ok {
			for x := range 10 {
				d[11] = x
				if checkControlDigit(d, fault.IINInvalid) == nil {
					t.Fatalf("an impossible prefix passed with %d", x)
				}
			}
			return
		}
		for x := range 10 {
			d[11] = x
			if got := checkControlDigit(d, fault.IINInvalid) == nil; got != (x == c) {
				t.Fatalf("digit %d accepted: %v, control digit %d", x, got, c)
			}
		}
	})
}

func TestBornAfter(t *testing.T) {
	day, _ := ParseDay("2026-11-21")
	for in, want := range map[string]bool{
		"280615500002": true,  // 15 June 2028
		"050101500000": false, // 2005
		"900101000008": false, // a foreigner's century is not known
	} {
		n, err := ParseIIN(in, Full)
		if err != nil {
			t.Fatal(err)
		}
		if n.BornAfter(day) != want {
			t.Errorf("%s: BornAfter = %v", n, !want)
		}
	}
}

func TestIINIsMaskedWhereItPrints(t *testing.T) {
	n := IIN("123456789011")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "iin", n)
	for _, out := range []string{
		n.String(), fmt.Sprint(n), fmt.Sprintf("%v %+v %q %s", n, n, n, n), fmt.Sprintf("%#v", n),
		fmt.Sprintf("%v", struct{ N IIN }{n}), log.String(),
	} {
		if strings.Contains(out, "12345678") || !strings.Contains(out, "9011") {
			t.Errorf("not masked: %s", out)
		}
	}
}

// JSON and SQL are wires, not print-outs: they carry the digits.
func TestMaskIINs(t *testing.T) {
	const name = "CN=A,serialNumber=IIN123456789011+OU=BIN123456789021,serialNumber=IIN123456789012"
	if got, want := MaskIINs(name), "CN=A,serialNumber=IIN********9011+OU=BIN123456789021,serialNumber=IIN********9012"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestIINKeepsDigitsOnWires(t *testing.T) {
	n := IIN("123456789011")
	if b, _ := json.Marshal(n); string(b) != `"123456789011"` {
		t.Errorf("JSON %s", b)
	}
	m := pgtype.NewMap()
	for _, format := range []int16{pgtype.TextFormatCode, pgtype.BinaryFormatCode} {
		for _, oid := range []uint32{pgtype.TextOID, pgtype.VarcharOID, 0} {
			b, err := m.Encode(oid, format, n, nil)
			if err != nil || string(b) != "123456789011" {
				t.Errorf("SQL type %d format %d: %q, %v", oid, format, b, err)
			}
		}
	}
	var back IIN
	if err := m.Scan(pgtype.TextOID, pgtype.TextFormatCode, []byte("123456789011"), &back); err != nil || back != n {
		t.Errorf("scan: %q, %v", string(back), err)
	}
}

func TestDayOfFollowsTheZone(t *testing.T) {
	for in, want := range map[string]string{
		"2024-02-28T17:59:59Z": "2024-02-28", // UTC+6
		"2024-02-28T18:00:00Z": "2024-02-29",
		"2024-03-10T18:59:59Z": "2024-03-10", // UTC+5
		"2024-03-10T19:00:00Z": "2024-03-11",
		"2026-11-20T19:00:00Z": "2026-11-21",
	} {
		at, err := time.Parse(time.RFC3339, in)
		if err != nil {
			t.Fatal(err)
		}
		if got := DayOf(at).String(); got != want {
			t.Errorf("DayOf(%s) = %s, want %s", in, got, want)
		}
	}
	// The day of the change is 25 hours long.
	d, _ := ParseDay("2024-02-29")
	if got := d.End().Sub(d.Start()); got != 25*time.Hour {
		t.Errorf("29 February 2024 lasted %s", got)
	}
	if CheckZone() != nil {
		t.Error("CheckZone fails")
	}
}

func TestDayOrderAndText(t *testing.T) {
	a, _ := ParseDay("2026-12-31")
	b := a.AddDays(1)
	if b.String() != "2027-01-01" || !a.Before(b) || !b.After(a) || a.After(b) || a.Before(a) || b.AddDays(-1) != a {
		t.Errorf("order of %s and %s", a, b)
	}
	if a.Weekday() != time.Thursday {
		t.Errorf("weekday %s", a.Weekday())
	}
	for _, bad := range []string{"", "2026-02-30", "2026-1-1", "26-01-01", "2026-01-01T00:00:00Z", strings.Repeat("9", 1000)} {
		if _, err := ParseDay(bad); !fault.Is(err, fault.BadArgument) {
			t.Errorf("ParseDay(%.20q) = %v", bad, err)
		}
	}
	var in struct{ D, None Day }
	if err := json.Unmarshal([]byte(`{"D":"2026-12-31","None":""}`), &in); err != nil || in.D != a || !in.None.IsZero() {
		t.Errorf("JSON in: %+v, %v", in, err)
	}
	if out, _ := json.Marshal(in); string(out) != `{"D":"2026-12-31","None":""}` {
		t.Errorf("JSON out: %s", out)
	}
	if err := json.Unmarshal([]byte(`"2026-13-01"`), &in.D); err == nil {
		t.Error("month 13 read")
	}
}

func TestDaySQL(t *testing.T) {
	d, _ := ParseDay("2026-11-21")
	m := pgtype.NewMap()
	for _, format := range []int16{pgtype.TextFormatCode, pgtype.BinaryFormatCode} {
		b, err := m.Encode(pgtype.DateOID, format, d, nil)
		if err != nil {
			t.Fatal(err)
		}
		var back Day
		if err := m.Scan(pgtype.DateOID, format, b, &back); err != nil || back != d {
			t.Errorf("format %d: %s, %v", format, back, err)
		}
		if err := m.Scan(pgtype.DateOID, format, nil, &back); err != nil || !back.IsZero() {
			t.Errorf("NULL: %s, %v", back, err)
		}
	}
	if v, err := (Day{}).Value(); v != nil || err != nil {
		t.Errorf("zero day: %v, %v", v, err)
	}
	if err := new(Day).Scan(7); err == nil {
		t.Error("scanned an int")
	}
}

// The shared vectors are compared when they lie beside the project.
func TestSharedVectors(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "registry", "json", "iin_bin_vectors.json"))
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	type vector struct {
		Number, Kind, Reason string
		Valid                bool
	}
	var set struct {
		Vectors, PublicOrganisations []vector
		ImpossiblePrefixes11         []string
		Malformed                    []string
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	today, _ := ParseDay("2026-11-21")
	for _, v := range append(set.Vectors, set.PublicOrganisations...) {
		var valid bool
		switch v.Kind {
		case "IIN":
			n, err := ParseIIN(v.Number, Full)
			valid = err == nil && !n.BornAfter(today)
		case "BIN":
			_, err := ParseBIN(v.Number, Full)
			valid = err == nil
		}
		if valid != v.Valid {
			t.Errorf("%s %s (%s): valid %v", v.Kind, v.Number, v.Reason, valid)
		}
	}
	for _, prefix := range set.ImpossiblePrefixes11 {
		for c := range 10 {
			if _, err := ParseBIN(prefix+fmt.Sprint(c), Full); err == nil {
				t.Errorf("%s%d accepted", prefix, c)
			}
		}
	}
	for _, bad := range set.Malformed {
		if _, err := ParseIIN(bad, Full); err == nil {
			t.Errorf("IIN %q accepted", bad)
		}
		if _, err := ParseBIN(bad, Full); err == nil {
			t.Errorf("BIN %q accepted", bad)
		}
	}
}

func FuzzParseNumbers(f *testing.F) {
	f.Add("850101400001")
	f.Add("260140990018")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		_, iin := ParseIIN(s, Full)
		_, bin := ParseBIN(s, Full)
		if iin == nil && bin == nil {
			t.Errorf("%q is both an IIN and a BIN", s)
		}
	})
}
