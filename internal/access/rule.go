package access

import (
	"maps"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
)

// Door says how an operation knows its caller.
type Door uint8

const (
	// Closed is the zero value: nobody passes.
	Closed Door = iota
	// Open operations answer anybody, at a rate per remote address.
	Open
	// SignedMessage operations take a message that proves its sender by the
	// signature inside; the room that reads it checks it.
	SignedMessage
	// Timestamps operations answer anybody, at a rate of their own per remote
	// address.
	Timestamps
	// Callers must be known, have one of the roles and hold the scope.
	Callers
)

// Rule is what one operation asks of its caller.
type Rule struct {
	Door  Door
	Scope Scope
	Roles []Role
}

// rules is the one table of who may do what, by operationId of
// api/openapi.yaml. An operation that is not in it is denied; a test holds the
// two lists equal and walks every row.
var rules = map[string]Rule{
	"issueToken":       {Door: Open}, // authenticates by the assertion in its body
	"createChallenge":  {Door: Open},
	"createSession":    {Door: Open}, // authenticates by the signature in its body
	"getKeys":          {Door: Open},
	"getHealth":        {Door: Open},
	"getReadiness":     {Door: Open},
	"getDocumentation": {Door: Open},
	"getDocsAsset":     {Door: Open},
	"getDescription":   {Door: Open},

	"acceptGatewayCallback": {Door: SignedMessage},
	"acceptCardCallback":    {Door: SignedMessage},

	"timestamp":                {Door: Timestamps},
	"createTimestamp":          {Door: Timestamps},
	"getTimestampCertificates": {Door: Open},

	"endSession": {Door: Callers, Roles: []Role{Trader}},

	"verifyDocuments": {Door: Callers, Scope: SignaturesRead, Roles: readers},
	"signDocuments":   {Door: Callers, Scope: SignaturesWrite, Roles: []Role{SingleWindow}},
	"extendDocuments": {Door: Callers, Scope: SignaturesWrite, Roles: []Role{SingleWindow, Ministry, Trader}},

	"openTransaction": {Door: Callers, Scope: TransactionsWrite, Roles: []Role{SingleWindow, Trader}},
	"getTransaction":  {Door: Callers, Scope: TransactionsRead, Roles: readers},
	"submitDocument":  {Door: Callers, Scope: DocumentsWrite, Roles: []Role{SingleWindow, Trader}},
	"createOrder":     {Door: Callers, Scope: OrdersWrite, Roles: []Role{SingleWindow, Trader}},

	"tellCharges":   {Door: Callers, Scope: ChargesWrite, Roles: []Role{SingleWindow, Ministry}},
	"assessCharges": {Door: Callers, Scope: ChargesRead, Roles: []Role{SingleWindow, Ministry, Trader}},
	"getCharges":    {Door: Callers, Scope: TransactionsRead, Roles: readers},

	"listOrders":   {Door: Callers, Scope: OrdersRead, Roles: payingRoles},
	"getOrder":     {Door: Callers, Scope: OrdersRead, Roles: payingRoles},
	"cancelOrder":  {Door: Callers, Scope: OrdersWrite, Roles: []Role{SingleWindow, Trader}},
	"presentOrder": {Door: Callers, Scope: OrdersWrite, Roles: []Role{SingleWindow, Trader}},
	"useAdvance":   {Door: Callers, Scope: OrdersWrite, Roles: []Role{SingleWindow, Trader}},

	"issueQR":      {Door: Callers, Scope: OrdersWrite, Roles: []Role{SingleWindow, Trader}},
	"captureOrder": {Door: Callers, Scope: OrdersWrite, Roles: []Role{SingleWindow}},
	"debitOrder":   {Door: Callers, Scope: OrdersWrite, Roles: []Role{SingleWindow, Trader}},

	// A mandate is its payer's own signed document, and needs nobody's approval;
	// who watches over the money may stop it.
	"giveMandate":    {Door: Callers, Scope: MandatesWrite, Roles: []Role{SingleWindow, Trader}},
	"listMandates":   {Door: Callers, Scope: MandatesRead, Roles: payingRoles},
	"getMandate":     {Door: Callers, Scope: MandatesRead, Roles: payingRoles},
	"revokeMandate":  {Door: Callers, Scope: MandatesWrite, Roles: []Role{SingleWindow, Trader}},
	"suspendMandate": {Door: Callers, Scope: MandatesWrite, Roles: []Role{SingleWindow, TreasuryController}},
	"resumeMandate":  {Door: Callers, Scope: MandatesWrite, Roles: []Role{SingleWindow, TreasuryController}},

	// Who may ask for a refund may not approve one: no role has both.
	"askRefund":     {Door: Callers, Scope: RefundsWrite, Roles: []Role{SingleWindow, TreasuryOperator}},
	"listRefunds":   {Door: Callers, Scope: RefundsRead, Roles: payingRoles},
	"getRefund":     {Door: Callers, Scope: RefundsRead, Roles: payingRoles},
	"approveRefund": {Door: Callers, Scope: RefundsApprove, Roles: []Role{TreasuryController}},
	"rejectRefund":  {Door: Callers, Scope: RefundsApprove, Roles: []Role{TreasuryController}},

	"postPayment": {Door: Callers, Scope: PaymentsWrite, Roles: []Role{PaymentGateway}},

	"importStatement": {Door: Callers, Scope: StatementsWrite, Roles: []Role{TreasuryOperator}},
	"reconcile":       {Door: Callers, Scope: ReconciliationsWrite, Roles: []Role{TreasuryOperator, TreasuryController}},

	// Who may propose may not approve: no role has both.
	"getReconciliation": {Door: Callers, Scope: ReconciliationsRead, Roles: reconcilingRoles},
	"proposeDay":        {Door: Callers, Scope: ReconciliationsWrite, Roles: []Role{TreasuryOperator}},
	"closeDay":          {Door: Callers, Scope: ReconciliationsApprove, Roles: []Role{TreasuryController}},
	"listExceptions":    {Door: Callers, Scope: ReconciliationsRead, Roles: reconcilingRoles},
	"getException":      {Door: Callers, Scope: ReconciliationsRead, Roles: reconcilingRoles},
	"workExceptions":    {Door: Callers, Scope: ReconciliationsWrite, Roles: []Role{TreasuryOperator}},
	"approveExceptions": {Door: Callers, Scope: ReconciliationsApprove, Roles: []Role{TreasuryController}},
	"rejectExceptions":  {Door: Callers, Scope: ReconciliationsApprove, Roles: []Role{TreasuryController}},

	"listReports": {Door: Callers, Scope: ReportsRead, Roles: reconcilingRoles},
	"getReport":   {Door: Callers, Scope: ReportsRead, Roles: reconcilingRoles},

	"createWebhook":         {Door: Callers, Scope: WebhooksWrite, Roles: subscribers},
	"listWebhooks":          {Door: Callers, Scope: WebhooksRead, Roles: readers},
	"getWebhook":            {Door: Callers, Scope: WebhooksRead, Roles: readers},
	"updateWebhook":         {Door: Callers, Scope: WebhooksWrite, Roles: subscribers},
	"deleteWebhook":         {Door: Callers, Scope: WebhooksWrite, Roles: subscribers},
	"rotateWebhookKeys":     {Door: Callers, Scope: WebhooksWrite, Roles: subscribers},
	"pingWebhook":           {Door: Callers, Scope: WebhooksWrite, Roles: subscribers},
	"replayWebhook":         {Door: Callers, Scope: WebhooksWrite, Roles: subscribers},
	"listWebhookDeliveries": {Door: Callers, Scope: WebhooksRead, Roles: readers},

	"getMetrics": {Door: Callers, Scope: MetricsRead, Roles: []Role{Support, Auditor}},
}

// payingRoles deal with what is paid, or look into it.
var payingRoles = []Role{SingleWindow, Trader, TreasuryOperator, TreasuryController, Support, Auditor}

// readers may look at what concerns them. A payment gateway tells and is
// answered; nothing else here is its concern.
var readers = []Role{SingleWindow, Ministry, Trader, TreasuryOperator, TreasuryController, Support, Auditor}

// reconcilingRoles see what is agreed with the treasury, and what is not.
var reconcilingRoles = []Role{TreasuryOperator, TreasuryController, Support, Auditor}

// subscribers have systems that act on a transaction's events. The support desk
// and auditors look at what was sent to whom.
var subscribers = []Role{SingleWindow, Ministry, Trader, TreasuryOperator, TreasuryController}

// RuleOf returns the rule of an operation; the zero Rule, which is closed, if
// there is none.
func RuleOf(operation string) Rule {
	r := rules[operation]
	r.Roles = slices.Clone(r.Roles)
	return r
}

// Operations lists every operation that has a rule, sorted.
func Operations() []string { return slices.Sorted(maps.Keys(rules)) }

// ScopesOf lists, sorted, what a client of this role can be granted: the
// scopes of every operation the role may call.
func ScopesOf(role Role) []Scope {
	held := make(map[Scope]bool)
	for _, r := range rules {
		if r.Scope != "" && slices.Contains(r.Roles, role) {
			held[r.Scope] = true
		}
	}
	return slices.Sorted(maps.Keys(held))
}

// Admit decides whether a known caller may do what the rule guards. Errors:
// role_denied, scope_denied.
func (r Rule) Admit(c Caller) error {
	switch {
	case r.Door == Open, r.Door == SignedMessage, r.Door == Timestamps:
		return nil
	case r.Door != Callers, !slices.Contains(r.Roles, c.Role):
		return fault.New(fault.RoleDenied, "", "the role %s may not do this", c.Role)
	case r.Scope != "" && !c.Has(r.Scope):
		return fault.New(fault.ScopeDenied, "", "needs the scope %s", r.Scope)
	}
	return nil
}
