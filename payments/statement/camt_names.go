package statement

import "github.com/senim-kz/senim/payments/statement/internal/xmlpull"

// Elements of camt.052, 053 and 054 that are read, by their names; those with a
// Choice in their type have another name in some version. All others are passed
// over.
const (
	_ xmlpull.Tag = iota
	tagAcct
	tagAcctSvcrRef
	tagAddtlNtryInf
	tagAddtlRmtInf
	tagAddtlTxInf
	tagAmt
	tagAmtDtls
	tagAnyBIC
	tagBal
	tagBBAN
	tagBIC
	tagBICFI
	tagBICOrBEI
	tagBkTxCd
	tagBookgDt
	tagCcy
	tagCd
	tagCdOrPrtry
	tagCdtDbtInd
	tagCdtr
	tagCdtrAcct
	tagCdtrAgt
	tagCdtrRef
	tagCdtrRefInf
	tagCdtrRefTp
	tagCreDtTm
	tagDbtr
	tagDbtrAcct
	tagDbtrAgt
	tagDomn
	tagDt
	tagDtTm
	tagElctrncSeqNb
	tagEndToEndId
	tagFinInstnId
	tagFmly
	tagGrpHdr
	tagIBAN
	tagId
	tagInstrId
	tagLastPgInd
	tagLglSeqNb
	tagMndtId
	tagMsgId
	tagMsgPgntn
	tagNb
	tagNbOfNtries
	tagNm
	tagNtfctn
	tagNtfctnPgntn
	tagNtry
	tagNtryDtls
	tagNtryRef
	tagOrgId
	tagOthr
	tagOwnr
	tagPgNb
	tagPrtry
	tagPrtryAcct
	tagPrvtId
	tagPty
	tagPurp
	tagRef
	tagRefs
	tagRfrdDocInf
	tagRfrdDocNb
	tagRfrdDocTp
	tagRltdAgts
	tagRltdPties
	tagRmtInf
	tagRpt
	tagRptPgntn
	tagRsn
	tagRtrInf
	tagRtrRsn
	tagRvslInd
	tagSchmeNm
	tagStmt
	tagStmtPgntn
	tagStrd
	tagSts
	tagSubFmlyCd
	tagSubTp
	tagSum
	tagTp
	tagTtlCdtNtries
	tagTtlDbtNtries
	tagTxAmt
	tagTxDtls
	tagTxId
	tagTxsSummry
	tagUPIC
	tagUstrd
	tagValDt
)

// camtNames has the names by tag.
var camtNames = [...]string{
	tagAcct:         "Acct",
	tagAcctSvcrRef:  "AcctSvcrRef",
	tagAddtlNtryInf: "AddtlNtryInf",
	tagAddtlRmtInf:  "AddtlRmtInf",
	tagAddtlTxInf:   "AddtlTxInf",
	tagAmt:          "Amt",
	tagAmtDtls:      "AmtDtls",
	tagAnyBIC:       "AnyBIC",
	tagBal:          "Bal",
	tagBBAN:         "BBAN",
	tagBIC:          "BIC",
	tagBICFI:        "BICFI",
	tagBICOrBEI:     "BICOrBEI",
	tagBkTxCd:       "BkTxCd",
	tagBookgDt:      "BookgDt",
	tagCcy:          "Ccy",
	tagCd:           "Cd",
	tagCdOrPrtry:    "CdOrPrtry",
	tagCdtDbtInd:    "CdtDbtInd",
	tagCdtr:         "Cdtr",
	tagCdtrAcct:     "CdtrAcct",
	tagCdtrAgt:      "CdtrAgt",
	tagCdtrRef:      "CdtrRef",
	tagCdtrRefInf:   "CdtrRefInf",
	tagCdtrRefTp:    "CdtrRefTp",
	tagCreDtTm:      "CreDtTm",
	tagDbtr:         "Dbtr",
	tagDbtrAcct:     "DbtrAcct",
	tagDbtrAgt:      "DbtrAgt",
	tagDomn:         "Domn",
	tagDt:           "Dt",
	tagDtTm:         "DtTm",
	tagElctrncSeqNb: "ElctrncSeqNb",
	tagEndToEndId:   "EndToEndId",
	tagFinInstnId:   "FinInstnId",
	tagFmly:         "Fmly",
	tagGrpHdr:       "GrpHdr",
	tagIBAN:         "IBAN",
	tagId:           "Id",
	tagInstrId:      "InstrId",
	tagLastPgInd:    "LastPgInd",
	tagLglSeqNb:     "LglSeqNb",
	tagMndtId:       "MndtId",
	tagMsgId:        "MsgId",
	tagMsgPgntn:     "MsgPgntn",
	tagNb:           "Nb",
	tagNbOfNtries:   "NbOfNtries",
	tagNm:           "Nm",
	tagNtfctn:       "Ntfctn",
	tagNtfctnPgntn:  "NtfctnPgntn",
	tagNtry:         "Ntry",
	tagNtryDtls:     "NtryDtls",
	tagNtryRef:      "NtryRef",
	tagOrgId:        "OrgId",
	tagOthr:         "Othr",
	tagOwnr:         "Ownr",
	tagPgNb:         "PgNb",
	tagPrtry:        "Prtry",
	tagPrtryAcct:    "PrtryAcct",
	tagPrvtId:       "PrvtId",
	tagPty:          "Pty",
	tagPurp:         "Purp",
	tagRef:          "Ref",
	tagRefs:         "Refs",
	tagRfrdDocInf:   "RfrdDocInf",
	tagRfrdDocNb:    "RfrdDocNb",
	tagRfrdDocTp:    "RfrdDocTp",
	tagRltdAgts:     "RltdAgts",
	tagRltdPties:    "RltdPties",
	tagRmtInf:       "RmtInf",
	tagRpt:          "Rpt",
	tagRptPgntn:     "RptPgntn",
	tagRsn:          "Rsn",
	tagRtrInf:       "RtrInf",
	tagRtrRsn:       "RtrRsn",
	tagRvslInd:      "RvslInd",
	tagSchmeNm:      "SchmeNm",
	tagStmt:         "Stmt",
	tagStmtPgntn:    "StmtPgntn",
	tagStrd:         "Strd",
	tagSts:          "Sts",
	tagSubFmlyCd:    "SubFmlyCd",
	tagSubTp:        "SubTp",
	tagSum:          "Sum",
	tagTp:           "Tp",
	tagTtlCdtNtries: "TtlCdtNtries",
	tagTtlDbtNtries: "TtlDbtNtries",
	tagTxAmt:        "TxAmt",
	tagTxDtls:       "TxDtls",
	tagTxId:         "TxId",
	tagTxsSummry:    "TxsSummry",
	tagUPIC:         "UPIC",
	tagUstrd:        "Ustrd",
	tagValDt:        "ValDt",
}

var camtVocabulary = xmlpull.NewVocabulary(camtNames[1:]...)
