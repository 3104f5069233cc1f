// Package statement reads account statements and stores the treasury's lines for
// reconciliation.
//
// It reads camt.052, 053 and 054 of ISO 20022 (versions 01 to 13), MT940, MT942
// and MT950 of SWIFT, MT100 and MT102 as Kazakhstan's interbank system carries
// them, the revenue service's receipts in JSON, and CSV by a mapping. The
// format is told by the content. Parse hands statements and entries of any
// account and currency to a Sink; Lines takes from an entry what reconciliation
// in tenge needs; Read imports a file.
//
// No Kazakh profile of camt.053 is public, nor KISC's description of its
// messages. Where the local codes stand is our own mapping: the payment
// identifier in RmtInf/Strd/CdtrRefInf/Ref of type UIN, КБК in
// RmtInf/Strd/RfrdDocInf/Nb of type KBK, the revenue office (УГД) there of type
// UGD, КНП in Purp/Prtry, the BIN of the payer and of the body that is credited
// in an identification of scheme BIN; in messages /UIN/, /BCLASS/, /UGD/, /KNP/
// and /IDN/. An
// identifier or a declaration's number in the free text is found too, also where
// the bank broke it at the end of a line. RtrInf, or the bank's code, marks a
// payment that comes back.
//
// A file is read as a stream: memory does not grow with it. One that is not well
// formed is refused whole, with the byte; an entry that cannot be read is kept
// with its place and its reason, and the rest goes on. The same file is known by
// its digest and the same line, in whatever file it comes again, by its content;
// lines that are the same within one file are as many as stand there. Opening
// balance, entries, totals and closing balance of each statement must agree
// unless an entry could not be read, and its pages must continue one another.
// An import tells where a statement does not continue that of another file. Entries
// of other accounts are bad lines; a file without a statement of ours is refused.
//
// Of a file its digest is kept and its lines, not its bytes: who has the file can
// show that it is the one, and the treasury gives it again.
//
// Called by payments.
package statement
