// Package report makes the treasury's reports: daily reconciliation, what was
// received by budget code and revenue office, what is outstanding and how old
// it is, refunds, exceptions, gateway fees, and the half-yearly summary.
//
// A report is a name, typed columns with titles in Kazakh, Russian and English,
// and one SQL statement over a bounded period; so all its figures are of one
// moment. Rows are streamed from the database into JSON, CSV, XLSX or PDF. The
// totals are added up from the rows as they pass, exactly, in whole tiyn; what
// received and fees say is what the ledger's accounts moved by.
//
// A report names payers by their BIN. It never holds an IIN, a free text that
// somebody wrote, or what a bank's file says beyond its codes and amounts.
//
// It reads only, and decides nothing. payments and its callers may import it.
package report
