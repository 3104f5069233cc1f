package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
)

func TestContractAndAccessTableListTheSameOperations(t *testing.T) {
	c, err := readContract()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, o := range c.operations {
		ids = append(ids, o.id)
	}
	slices.Sort(ids)
	if rules := access.Operations(); !slices.Equal(ids, rules) {
		t.Errorf("operations %v\nrules      %v", ids, rules)
	}
}

func TestContractIsValidAndStrict(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Error(err)
	}
	for name, s := range doc.Components.Schemas {
		lax := s.Value.AdditionalProperties.Has == nil || *s.Value.AdditionalProperties.Has
		grows := []string{"TokenRequest", "KeySet", "ValidationReport", "SignatureReport"} // by their RFC, or as reports say more
		if s.Value.Type.Is("object") && lax && !slices.Contains(grows, name) {
			t.Errorf("%s takes unknown fields", name)
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			if o.Responses.Default() == nil {
				t.Errorf("%s %s does not say how it refuses", method, path)
			}
			open := o.Security != nil && len(*o.Security) == 0
			if rule := access.RuleOf(o.OperationID); open != (rule.Door != access.Callers) {
				t.Errorf("%s: the contract and the table differ on whether a caller is needed", o.OperationID)
			}
		}
	}
}

// goodRequests has a request per operation that reaches its handler.
var goodRequests = map[string]sent{
	"issueToken":               {method: "POST", path: "/v1/oauth/token", contentType: formType, body: "grant_type=x&client_assertion_type=y&client_assertion=z"},
	"createChallenge":          {method: "POST", path: "/v1/challenges"},
	"createSession":            {method: "POST", path: "/v1/sessions", contentType: "application/pkcs7-mime", body: "x"},
	"endSession":               {method: "DELETE", path: "/v1/sessions/current"},
	"verifyDocuments":          {method: "POST", path: "/v1/verify", contentType: multipartType + "; boundary=b", body: "--b\r\nContent-Disposition: form-data; name=\"document\"\r\n\r\nsigned\r\n--b--\r\n"},
	"signDocuments":            {method: "POST", path: "/v1/sign", contentType: multipartType + "; boundary=b", body: "--b\r\nContent-Disposition: form-data; name=\"document\"\r\n\r\nsigned\r\n--b--\r\n"},
	"extendDocuments":          {method: "POST", path: "/v1/extend?level=T", contentType: multipartType + "; boundary=b", body: "--b\r\nContent-Disposition: form-data; name=\"document\"\r\n\r\nsigned\r\n--b--\r\n"},
	"timestamp":                {method: "POST", path: "/tsa", contentType: "application/timestamp-query", body: "x"},
	"createTimestamp":          {method: "POST", path: "/v1/timestamps", contentType: jsonType, body: `{"algorithm":"SHA-256","digest":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}`},
	"getTimestampCertificates": {method: "GET", path: "/tsa/certificates"},
	"openTransaction":          {method: "POST", path: "/v1/transactions", contentType: jsonType, body: `{"reference":"R","declarant_bin":"160440007161"}`},
	"getTransaction":           {method: "GET", path: somewhere},
	"postPayment":              {method: "POST", path: paymentPath, contentType: jsonType, body: factBody},
	"submitDocument":           {method: "POST", path: somewhere + "/documents", contentType: "application/cms", body: "signed"},
	"createOrder":              {method: "POST", path: somewhere + "/orders"},
	"tellCharges":              {method: "POST", path: "/v1/charges", contentType: jsonType, body: `{"charges":[{"transaction_id":"019aa5c0-0000-7000-8000-000000000001","reference":"R","body":"MH","kind":"SF","budget_code":"201105","purpose_code":"859","amount_tiyn":100,"act":"a"}]}`},
	"assessCharges":            {method: "POST", path: "/v1/charges/assessments", contentType: jsonType, body: `{"registered":"2026-11-20","revenue_office":"6009","items":[{"commodity_code":"8516720000","customs_value":"1000","origin":"CN"}]}`},
	"getCharges":               {method: "GET", path: somewhere + "/charges"},
	"listOrders":               {method: "GET", path: "/v1/orders?state=paid&limit=5"},
	"getOrder":                 {method: "GET", path: someOrder},
	"cancelOrder":              {method: "POST", path: someOrder + "/cancellation"},
	"presentOrder":             {method: "POST", path: someOrder + "/presentation"},
	"useAdvance":               {method: "POST", path: someOrder + "/advance", contentType: jsonType, body: `{"amount_tiyn":100}`},
	"issueQR":                  {method: "POST", path: someOrder + "/qr"},
	"captureOrder":             {method: "POST", path: someOrder + "/capture", contentType: jsonType, body: `{"amount_tiyn":100}`},
	"debitOrder":               {method: "POST", path: someOrder + "/debit", contentType: jsonType, body: `{"mandate_id":"019aa5c0-0000-7000-8000-000000000005"}`},
	"giveMandate":              {method: "POST", path: "/v1/mandates", contentType: "application/pkcs7-mime", body: "signed"},
	"listMandates":             {method: "GET", path: "/v1/mandates?payer_bin=160440007161"},
	"getMandate":               {method: "GET", path: someMandate},
	"revokeMandate":            {method: "POST", path: someMandate + "/revocation"},
	"suspendMandate":           {method: "POST", path: someMandate + "/suspension"},
	"resumeMandate":            {method: "POST", path: someMandate + "/resumption"},
	"acceptCardCallback":       {method: "POST", path: "/v1/gateways/epay/callbacks", contentType: jsonType, body: `{"invoiceId":"100000000001","code":"ok"}`},
	"askRefund":                {method: "POST", path: "/v1/refunds", contentType: jsonType, body: `{"order_id":"019aa5c0-0000-7000-8000-000000000003","credit_tiyn":5,"reason":"paid twice"}`},
	"listRefunds":              {method: "GET", path: "/v1/refunds?state=asked"},
	"getRefund":                {method: "GET", path: someRefund},
	"approveRefund":            {method: "POST", path: someRefund + "/approval"},
	"rejectRefund":             {method: "POST", path: someRefund + "/rejection", contentType: jsonType, body: `{"note":"not due"}`},
	"acceptGatewayCallback":    {method: "POST", path: "/v1/gateway/callbacks", contentType: "text/xml; charset=utf-8", body: "<x/>"},
	"importStatement":          {method: "POST", path: "/v1/statements?name=a.xml", contentType: "application/xml", body: "<x/>"},
	"reconcile":                {method: "POST", path: "/v1/reconciliations", contentType: jsonType, body: `{"day":"2026-11-20"}`},
	"getReconciliation":        {method: "GET", path: "/v1/reconciliations/2026-11-20"},
	"proposeDay":               {method: "POST", path: "/v1/reconciliations/2026-11-20/proposal"},
	"closeDay":                 {method: "POST", path: "/v1/reconciliations/2026-11-20/close"},
	"listExceptions":           {method: "GET", path: "/v1/exceptions"},
	"listReports":              {method: "GET", path: "/v1/reports"},
	"getReport":                {method: "GET", path: "/v1/reports/received"},
	"getException":             {method: "GET", path: "/v1/exceptions/" + someCase},
	"workExceptions": {
		method: "POST", path: "/v1/exceptions/work", contentType: jsonType,
		body: `{"exceptions":["` + someCase + `"],"act":"propose","resolution":"advance","target":"160440007161","text":"why"}`,
	},
	"approveExceptions":     {method: "POST", path: "/v1/exceptions/approvals", contentType: jsonType, body: `{"exceptions":["` + someCase + `"],"text":"so"}`},
	"rejectExceptions":      {method: "POST", path: "/v1/exceptions/rejections", contentType: jsonType, body: `{"exceptions":["` + someCase + `"],"text":"so"}`},
	"createWebhook":         {method: "POST", path: "/v1/webhooks", contentType: jsonType, body: `{"url":"https://hooks.test/a"}`},
	"listWebhooks":          {method: "GET", path: "/v1/webhooks?limit=5"},
	"getWebhook":            {method: "GET", path: someWebhook},
	"updateWebhook":         {method: "PATCH", path: someWebhook, contentType: jsonType, body: `{"enabled":true}`},
	"deleteWebhook":         {method: "DELETE", path: someWebhook},
	"rotateWebhookKeys":     {method: "POST", path: someWebhook + "/keys", contentType: jsonType, body: `{}`},
	"pingWebhook":           {method: "POST", path: someWebhook + "/pings"},
	"replayWebhook":         {method: "POST", path: someWebhook + "/replays", contentType: jsonType, body: `{"dead_letters":true}`},
	"listWebhookDeliveries": {method: "GET", path: someWebhook + "/deliveries?state=dead"},
	"getKeys":               {method: "GET", path: "/.well-known/jwks.json"},
	"getHealth":             {method: "GET", path: "/healthz"},
	"getReadiness":          {method: "GET", path: "/readyz"},
	"getMetrics":            {method: "GET", path: "/metrics"},
	"getDocumentation":      {method: "GET", path: "/docs"},
	"getDocsAsset":          {method: "GET", path: "/docs/swagger-ui.css"},
	"getDescription":        {method: "GET", path: "/openapi.json"},
}

const (
	someMandate = "/v1/mandates/019aa5c0-0000-7000-8000-000000000005"
	someOrder   = "/v1/orders/019aa5c0-0000-7000-8000-000000000003"
	someRefund  = "/v1/refunds/019aa5c0-0000-7000-8000-000000000004"
)

const someWebhook = "/v1/webhooks/019aa5c0-0000-7000-8000-000000000002"

const somewhere = "/v1/transactions/019aa5c0-0000-7000-8000-000000000001"

// good is the operation's request, with a key of its own where one is due.
func good(t *testing.T, id, bearer string) sent {
	t.Helper()
	c, ok := goodRequests[id]
	if !ok {
		t.Fatalf("no request for %s: add one", id)
	}
	c.bearer = bearer
	c.headers = map[string]string{}
	if slices.Contains([]string{"openTransaction", "submitDocument", "createOrder", "importStatement", "workExceptions", "approveExceptions", "rejectExceptions",
		"tellCharges", "cancelOrder", "presentOrder", "useAdvance", "askRefund", "approveRefund", "rejectRefund",
		"captureOrder", "debitOrder", "giveMandate", "revokeMandate", "suspendMandate", "resumeMandate", "postPayment"}, id) {
		c.headers[idempotencyHeader] = "key-1"
	}
	return c
}

// Every route of the contract with no caller, with each wrong one and with each
// right one. What to expect is the access table and nothing else.
func TestEveryRouteByEveryCaller(t *testing.T) {
	h := newHouse(t)
	for _, role := range access.Roles() {
		h.client(clientOf(role), role)
	}
	for _, o := range h.contract.operations {
		t.Run(o.id, func(t *testing.T) {
			h := *h
			h.t = t
			rule := access.RuleOf(o.id)
			nobody := h.do(good(t, o.id, ""))
			if rule.Door != access.Callers {
				passed(t, "nobody", o.id, nobody)
				return
			}
			nobody.want(http.StatusUnauthorized, fault.CredentialsMissing)
			if nobody.header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
			h.do(good(t, o.id, "not.a.token")).want(http.StatusUnauthorized, fault.TokenInvalid)
			h.do(good(t, o.id, "no-session")).want(http.StatusUnauthorized, fault.SessionInvalid)
			for _, role := range access.Roles() {
				a := h.do(good(t, o.id, h.client(clientOf(role), role)))
				if !slices.Contains(rule.Roles, role) {
					a.want(http.StatusForbidden, fault.RoleDenied)
					continue
				}
				if o.id == "endSession" {
					a.want(http.StatusUnauthorized, fault.SessionInvalid) // a system has no session to end
					continue
				}
				passed(t, string(role), o.id, a)
			}
			if rule.Scope != "" {
				narrow := without(rule.Roles[0], rule.Scope)
				if len(narrow) == 0 {
					return
				}
				a := h.do(good(t, o.id, h.client("narrow-"+strings.ToLower(o.id), rule.Roles[0], narrow...)))
				a.want(http.StatusForbidden, fault.ScopeDenied)
				if !strings.Contains(a.header.Get("WWW-Authenticate"), string(rule.Scope)) {
					t.Error("the needed scope is not named")
				}
			}
		})
	}
}

func clientOf(role access.Role) string { return strings.ReplaceAll(string(role), "_", "-") }

// without lists the role's scopes but one.
func without(role access.Role, scope access.Scope) []access.Scope {
	return slices.DeleteFunc(access.ScopesOf(role), func(s access.Scope) bool { return s == scope })
}

// passed wants an answer of the handler itself.
func passed(t *testing.T, who, operation string, a answer) {
	t.Helper()
	handled := map[string]int{"issueToken": http.StatusBadRequest, "createSession": http.StatusUnprocessableEntity}
	if want, own := handled[operation]; own && a.status == want {
		return
	}
	if a.status < 200 || a.status > 299 {
		t.Errorf("%s is stopped: %d %s", who, a.status, a.body)
	}
}

func TestATraderIsKnownByItsSession(t *testing.T) {
	h := newHouse(t)
	token := h.session()
	h.do(good(t, "getTransaction", token)).want(http.StatusOK, "")
	if c := h.rooms.caller; c.Role != access.Trader || c.Kind != access.Person || c.IIN != personIIN || c.BIN != firmBIN {
		t.Errorf("the dossier was asked by %+v", c)
	}
	h.do(good(t, "importStatement", token)).want(http.StatusForbidden, fault.RoleDenied)
	h.do(good(t, "endSession", token)).want(http.StatusNoContent, "")
	h.do(good(t, "getTransaction", token)).want(http.StatusUnauthorized, fault.SessionInvalid)
	h.do(good(t, "endSession", token)).want(http.StatusUnauthorized, fault.SessionInvalid)
}

func TestTokenEndpointSpeaksOAuth(t *testing.T) {
	h := newHouse(t)
	h.client("window", access.SingleWindow)
	once := h.assertion("window")
	for _, c := range []struct {
		name   string
		form   map[string][]string
		status int
		code   fault.Code
		oauth  string
	}{
		{"narrow", map[string][]string{"client_assertion": {once}, "scope": {"orders.write"}}, 200, "", ""},
		{"replayed", map[string][]string{"client_assertion": {once}}, 401, fault.AssertionReplayed, "invalid_client"},
		{"unknown client", map[string][]string{"client_assertion": {h.assertion("nobody")}}, 401, fault.AssertionInvalid, "invalid_client"},
		{"another grant", map[string][]string{"client_assertion": {h.assertion("window")}, "grant_type": {"password"}}, 400, fault.GrantUnsupported, "unsupported_grant_type"},
		{"foreign scope", map[string][]string{"client_assertion": {h.assertion("window")}, "scope": {"metrics.read"}}, 400, fault.ScopeInvalid, "invalid_scope"},
		{"no assertion", map[string][]string{}, 400, fault.BodyInvalid, "invalid_request"},
		{"two assertions", map[string][]string{"client_assertion": {h.assertion("window"), "x"}}, 400, fault.BodyInvalid, "invalid_request"},
		{"unknown parameter", map[string][]string{"client_assertion": {h.assertion("window")}, "resource": {"x"}}, 200, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := h.do(tokenRequest(c.form))
			a.t = t
			a.want(c.status, c.code)
			if got := a.member("error"); got != c.oauth {
				t.Errorf("error %q, want %q", got, c.oauth)
			}
			if a.header.Get("Cache-Control") != "no-store" {
				t.Error("the answer may be cached")
			}
		})
	}
}

func TestRateLimits(t *testing.T) {
	h := newHouse(t, func(_ *Config, _ *Dependencies, a *access.Config) {
		a.Limits = access.Limits{CallerPerSecond: 0.1, CallerBurst: 2, OpenPerSecond: 0.5, OpenBurst: 3, MessagePerSecond: 0.5, MessageBurst: 1}
	})
	window, desk := h.client("window", access.SingleWindow), h.client("desk", access.Support) // two open requests
	for range 2 {
		h.do(good(t, "getTransaction", window)).want(http.StatusOK, "")
	}
	limited := h.do(good(t, "getTransaction", window))
	limited.want(http.StatusTooManyRequests, fault.RateLimited)
	if limited.header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After %q", limited.header.Get("Retry-After"))
	}
	h.do(good(t, "getTransaction", desk)).want(http.StatusOK, "")

	h.do(good(t, "getTransaction", "not.a.token")).want(http.StatusUnauthorized, fault.TokenInvalid) // the third
	h.do(good(t, "getTransaction", "not.a.token")).want(http.StatusTooManyRequests, fault.RateLimited)
	h.do(good(t, "getHealth", "")).want(http.StatusTooManyRequests, fault.RateLimited)
	h.do(good(t, "getTransaction", desk)).want(http.StatusOK, "") // a known caller is not its address

	h.do(good(t, "acceptGatewayCallback", "")).want(http.StatusOK, "")
	h.do(good(t, "acceptGatewayCallback", "")).want(http.StatusTooManyRequests, fault.RateLimited)

	other := good(t, "getHealth", "").request(t)
	other.RemoteAddr = "198.51.100.7:4000"
	h.serve(other).want(http.StatusOK, "")
}

func TestAuthorizationHeaderForms(t *testing.T) {
	h := newHouse(t)
	token := h.client("window", access.SingleWindow)
	for header, want := range map[string]int{
		"Bearer " + token:    200,
		"bearer " + token:    200,
		"Bearer":             401,
		"Bearer ":            401,
		"Basic dXNlcjpwYXNz": 401,
		token:                401,
	} {
		c := good(t, "getTransaction", "")
		c.headers["Authorization"] = header
		if a := h.do(c); a.status != want {
			t.Errorf("%.20q: %d, want %d", header, a.status, want)
		}
	}
	twice := good(t, "getTransaction", token).request(t)
	twice.Header.Add("Authorization", "Bearer "+token)
	h.serve(twice).want(http.StatusUnauthorized, fault.TokenInvalid)
	query := good(t, "getTransaction", "")
	query.path += "?access_token=" + token // RFC 6750 §2.3 is not for us
	h.do(query).want(http.StatusUnauthorized, fault.CredentialsMissing)
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/", "/v1", "/v1/transactions/", "/v2/transactions", "/healthz/", "/docs/", "/%00", "/v1/../healthz"} {
		h.do(sent{method: "GET", path: path}).want(http.StatusNotFound, fault.RouteUnknown)
	}
	a := h.do(sent{method: "PUT", path: "/v1/transactions"})
	a.want(http.StatusMethodNotAllowed, fault.MethodNotAllowed)
	if got := a.header.Get("Allow"); got != "POST" {
		t.Errorf("Allow: %q", got)
	}
	h.do(sent{method: "GET", path: "/docs/nothing.js"}).want(http.StatusNotFound, fault.RouteUnknown)
	h.do(sent{method: "GET", path: "/docs/embed.go"}).want(http.StatusNotFound, fault.RouteUnknown)
}

func TestEveryClassHasAStatus(t *testing.T) {
	for class := fault.BadInput; class <= fault.Fatal; class++ {
		if statuses[class] < 400 {
			t.Errorf("%s has no status", class)
		}
	}
	if got := slices.Collect(maps.Keys(statuses)); len(got) != int(fault.Fatal) {
		t.Errorf("%d classes", len(got))
	}
	if statusOf("never_declared") != http.StatusInternalServerError {
		t.Error("an unknown code must be a failure of ours")
	}
}
