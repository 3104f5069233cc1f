// Package statement reads the treasury's account statements and stores their
// lines for reconciliation.
//
// One format is read: ISO 20022 camt.053.001.08, one statement of one page in
// a file. No Kazakh profile of it is public; where the local codes stand is
// our own mapping: the payment identifier in
// RmtInf/Strd/CdtrRefInf/Ref of type UIN, КБК in RmtInf/Strd/RfrdDocInf/Nb of
// type KBK, КНП in Purp/Prtry, the payer's BIN in the debtor's OrgId of scheme
// BIN. Other versions, MT940/950, MT100/102, CSV and statements of several
// pages are refused.
//
// The file is pulled token by token: memory does not grow with it. A file that
// is not well formed is refused whole, with the byte; a line that cannot be
// read is kept with its place and its reason, and the rest goes on. The same
// file is known by its digest and the same line, in whatever file it comes
// again, by its content. Opening balance, lines, totals and closing balance
// must agree unless a line could not be read.
//
// Called by payments.
package statement
