package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/order"
)

// statementFile writes a camt.053 of a day with credits of one tenge each, by
// their payment identifiers. An amount may be replaced to make a line bad.
func statementFile(t *testing.T, name, account, day string, amount string, identifiers ...string) string {
	t.Helper()
	balance := func(kind, amount string) string {
		return `<Bal><Tp><CdOrPrtry><Cd>` + kind + `</Cd></CdOrPrtry></Tp><Amt Ccy="KZT">` + amount +
			`</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>` + day + `</Dt></Dt></Bal>`
	}
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>` +
		`<GrpHdr><MsgId>M1</MsgId><CreDtTm>` + day + `T20:00:00+05:00</CreDtTm></GrpHdr><Stmt><Id>S1</Id>` +
		`<Acct><Id><IBAN>` + account + `</IBAN></Id></Acct>` + balance("OPBD", "0.00") + balance("CLBD", fmt.Sprintf("%d.00", len(identifiers))))
	for i, identifier := range identifiers {
		fmt.Fprintf(&b, `<Ntry><Amt Ccy="KZT">%s</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>%s</Dt></BookgDt>`+
			`<AcctSvcrRef>R%d</AcctSvcrRef><NtryDtls><TxDtls><Amt Ccy="KZT">%s</Amt><RmtInf><Strd><CdtrRefInf><Tp><CdOrPrtry><Prtry>UIN</Prtry></CdOrPrtry></Tp>`+
			`<Ref>%s</Ref></CdtrRefInf></Strd></RmtInf></TxDtls></NtryDtls></Ntry>`, amount, day, i, amount, identifier)
	}
	b.WriteString(`</Stmt></BkToCstmrStmt></Document>`)
	path := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// audited lists what the operator did, as "action object outcome".
func audited(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT action || ' ' || object || ' ' || outcome FROM audit_records WHERE actor = $1 ORDER BY recorded_at, id", actor())
	check(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	return all
}

func TestStatementImport(t *testing.T) {
	dsn := postgrestest.DSN(t)
	data, pool, o := running(t, dsn), openPool(t, dsn), newOperator()
	type output struct {
		Statements []struct {
			File   string                  `json:"file"`
			Import dossier.StatementImport `json:"import"`
		} `json:"statements"`
	}
	day := statementFile(t, "20.xml", order.TreasuryIIK, "2026-11-20", "1.00", "one", "two")
	second := statementFile(t, "19.xml", order.TreasuryIIK, "2026-11-19", "-1.00", "three")
	check(t, o.run(t, o.statementCommand(), "import", "--data", data, "--json", day, second, day))
	got := printed[output](t, o).Statements
	if len(got) != 3 || got[0].File != day || got[0].Import.Lines != 2 || got[0].Import.Known || got[0].Import.Days[0].String() != "2026-11-20" {
		t.Fatalf("%+v", got)
	}
	if bad := got[1].Import; bad.Lines != 0 || bad.Bad != 1 || len(bad.Rejected) != 1 || bad.Rejected[0].Code == "" || bad.Rejected[0].Place == "" {
		t.Errorf("the bad line: %+v", bad)
	}
	if again := got[2].Import; !again.Known || again.ID != got[0].Import.ID {
		t.Errorf("the same again: %+v", again)
	}
	first := got[0].Import.ID.String()
	want := []string{"import statement " + first + " done", "import statement " + got[1].Import.ID.String() + " done", "import statement " + first + " done"}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(audited(t, pool)))); diff != "" {
		t.Error(diff)
	}

	// For people, in their language.
	o.language = fault.Russian
	check(t, o.run(t, o.statementCommand(), "import", "--data", data, day))
	if !strings.Contains(o.out.String(), "уже загружен") {
		t.Errorf("printed is %q", o.out.String())
	}
}

func TestStatementImportRefuses(t *testing.T) {
	data, o := running(t, postgrestest.DSN(t)), newOperator()
	good := statementFile(t, "good.xml", order.TreasuryIIK, "2026-11-20", "1.00", "one")
	noXML := filepath.Join(t.TempDir(), "no.xml")
	check(t, os.WriteFile(noXML, []byte("statement"), 0o600))
	for name, row := range map[string]struct {
		file string
		want fault.Code
	}{
		"what is no statement": {noXML, fault.StatementMalformed},
		"another account":      {statementFile(t, "x.xml", "KZ32722S000000000042", "2026-11-20", "1.00", "one"), fault.StatementAccount},
		"no file":              {filepath.Join(t.TempDir(), "none.xml"), fault.Unreadable},
		"a folder":             {t.TempDir(), fault.Unreadable},
	} {
		// What came before is stored, and said to be; what comes after is not.
		err := o.run(t, o.statementCommand(), "import", "--data", data, "--json", good, row.file, good)
		if !fault.Is(err, row.want) || exitOf(err) != exitBadInput {
			t.Errorf("%s: %v, exit %d", name, err, exitOf(err))
		}
		if n := strings.Count(o.out.String(), `"file"`); n != 1 {
			t.Errorf("%s: %d files are said to be stored", name, n)
		}
	}
	if err := o.run(t, o.statementCommand(), "import", "--data", t.TempDir(), good); !fault.Is(err, fault.NotRunning) || exitOf(err) != exitFailed {
		t.Errorf("where nothing runs: %v", err)
	}
}

func TestReconcile(t *testing.T) {
	dsn := postgrestest.DSN(t)
	data, pool, o := running(t, dsn), openPool(t, dsn), newOperator()
	check(t, o.run(t, o.statementCommand(), "import", "--data", data, statementFile(t, "20.xml", order.TreasuryIIK, "2026-11-20", "1.00", "unknown")))

	check(t, o.run(t, o.reconcileCommand(), "--data", data, "--json"))
	open := printed[struct {
		Days []dossier.Reconciliation `json:"days"`
	}](t, o).Days
	if len(open) != 1 {
		t.Fatalf("%d open days with lines", len(open))
	}
	check(t, o.run(t, o.reconcileCommand(), "--data", data, "--day", "2026-11-20", "--json"))
	got := printed[dossier.Reconciliation](t, o)
	if !reflect.DeepEqual(open[0], got) {
		t.Errorf("the day is %+v, among all it is %+v", got, open[0])
	}
	if got.Day.String() != "2026-11-20" || got.Lines != 1 || got.Matched != 0 || got.ExceptionCount != 1 ||
		got.Exceptions[0].Code != string(fault.UnknownIdentifier) || got.Exceptions[0].Amount != 100 {
		t.Errorf("%+v", got)
	}
	first := o.out.String()
	check(t, o.run(t, o.reconcileCommand(), "--data", data, "--day", "2026-11-20", "--json"))
	if o.out.String() != first {
		t.Errorf("the second run says %s, the first said %s", o.out.String(), first)
	}
	// A day without lines has no exceptions, and says so.
	check(t, o.run(t, o.reconcileCommand(), "--data", data, "--day", "2026-11-18", "--json"))
	if !strings.Contains(o.out.String(), `"exceptions": []`) {
		t.Error(o.out.String())
	}
	if diff := cmp.Diff([]string{"reconcile open days done", "reconcile 2026-11-20 done", "reconcile 2026-11-20 done", "reconcile 2026-11-18 done"}, audited(t, pool)[1:]); diff != "" {
		t.Error(diff)
	}
	for _, day := range []string{"yesterday", "2026-02-30", "20.11.2026"} {
		if err := o.run(t, o.reconcileCommand(), "--data", data, "--day", day); exitOf(err) != exitUsage {
			t.Errorf("--day %s: %v, exit %d", day, err, exitOf(err))
		}
	}
}

func TestLedgerVerify(t *testing.T) {
	dsn := postgrestest.DSN(t)
	data, pool, o := running(t, dsn), openPool(t, dsn), newOperator()
	fillDatabase(t, pool)
	type output struct {
		Whole bool `json:"whole"`
		ledger.Verification
	}
	check(t, o.run(t, o.ledgerCommand(), "verify", "--data", data, "--json"))
	if got := printed[output](t, o); !got.Whole || got.Entries != 1 || got.Postings != 2 || got.Debits != 150 || got.Credits != -150 || got.Findings == nil {
		t.Errorf("%+v", got)
	}
	damageLedger(t, dsn)
	err := o.run(t, o.ledgerCommand(), "verify", "--data", data, "--json")
	if !fault.Is(err, fault.LedgerInconsistent) || exitOf(err) != exitFailed {
		t.Errorf("verify = %v, exit %d", err, exitOf(err))
	}
	if got := printed[output](t, o); got.Whole || len(got.Findings) == 0 {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff([]string{"verify ledger  whole", "verify ledger  " + string(fault.LedgerInconsistent)}, audited(t, pool)); diff != "" {
		t.Error(diff)
	}
}

// configOf writes a production configuration with a database. What the
// operator's commands do not use need only be there.
func configOf(t *testing.T, dsn string) (path string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	return write("senim.yaml", fmt.Sprintf(`
listen: 127.0.0.1:8480
public_url: https://senim.example.kz
tls: {behind_proxy: true}
database: {dsn_file: %s}
token: {module: %s, uri: "pkcs11:token=senim", pin_file: %s}
trust: {anchors: [%s]}
timestamp: {url: "http://tsp.example.kz/"}
shep: {url: "http://shep.example.kz/", sender_id: senim, register_bin: "190640017419"}
gateway: {url: "http://pshep.example.kz/", sender_id: senim, service_id: PSHEP}
payments: {offices: [{code: "6009", bin: "190640017419", name: "УГД"}], beneficiary_iik: KZ32722S000000000042}
`, write("dsn", dsn+"\n"), write("module.so", ""), write("pin", "1234"), write("anchor.pem", "")))
}

func TestMigrate(t *testing.T) {
	dsn := postgrestest.EmptyDSN(t)
	o := newOperator()
	// It makes the partitions of its time, and the database asks for those of its own.
	o.now = time.Now
	for _, where := range [][]string{{"--data", running(t, dsn)}, {"--config", configOf(t, dsn)}} { // the second finds nothing to do
		check(t, o.run(t, o.migrateCommand(), append(where, "--json")...))
		if got := printed[map[string]string](t, o); got["result"] == "" {
			t.Errorf("%v", got)
		}
	}
	fillDatabase(t, openPool(t, dsn))
	if err := o.run(t, o.migrateCommand()); err == nil {
		t.Error("migrate without a place does something")
	}
}

// The account that statements must be of is the configuration's.
func TestTreasuryByConfiguration(t *testing.T) {
	config, o := configOf(t, postgrestest.DSN(t)), newOperator()
	ours := statementFile(t, "ours.xml", "KZ32722S000000000042", "2026-11-20", "1.00", "one")
	check(t, o.run(t, o.statementCommand(), "import", "--config", config, ours))
	other := statementFile(t, "other.xml", order.TreasuryIIK, "2026-11-20", "1.00", "one")
	if err := o.run(t, o.statementCommand(), "import", "--config", config, other); !fault.Is(err, fault.StatementAccount) {
		t.Errorf("import of another account's = %v", err)
	}
	check(t, o.run(t, o.reconcileCommand(), "--config", config))
	check(t, o.run(t, o.ledgerCommand(), "verify", "--config", config))
	if err := o.run(t, o.ledgerCommand(), "verify", "--config", other); !fault.Is(err, fault.ConfigBad) {
		t.Errorf("verify by what is no configuration = %v", err)
	}
}
