package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/senim-kz/senim/internal/fault"
)

// answerSizeMax bounds what the API's own client reads.
const answerSizeMax = 16 << 20

// apiClient calls the service as any system or trader would: over HTTP, with
// a bearer token. The demo and the benchmark use it.
type apiClient struct {
	base     string
	language fault.Language
	http     *http.Client
	bearer   string
}

// problem is the RFC 9457 answer of a refused request.
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func (p *problem) Error() string {
	return fmt.Sprintf("%d %s: %s (%s)", p.Status, p.Code, p.Title, p.Detail)
}

// request is one call: body of the given content type, with an idempotency
// key where the route wants one.
type request struct {
	method, path   string
	contentType    string
	body           []byte
	idempotencyKey string
}

// call sends the request and decodes the answer into out, unless that is nil.
// A refusal is a *problem.
func (c *apiClient) call(ctx context.Context, r request, out any) error {
	target := r.path
	if !strings.HasPrefix(target, "http") {
		target = c.base + r.path
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", r.idempotencyKey)
	}
	if c.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	req.Header.Set("Accept-Language", string(c.language))
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerSizeMax))
	if err != nil {
		return fmt.Errorf("%s %s: read answer: %w", r.method, r.path, err)
	}
	if res.StatusCode >= 400 {
		p := &problem{Status: res.StatusCode}
		if err := json.Unmarshal(raw, p); err != nil {
			p.Detail = res.Status
		}
		return p
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = raw
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s %s: decode answer: %w", r.method, r.path, err)
	}
	return nil
}

// signIn gets an access token for a registered system (RFC 7523:
// private_key_jwt) and keeps it for later calls.
func (c *apiClient) signIn(ctx context.Context, clientID string, key jose.JSONWebKey, now time.Time) error {
	endpoint := c.base + "/v1/oauth/token"
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, nil)
	if err != nil {
		return fmt.Errorf("prepare client assertion: %w", err)
	}
	assertion, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: clientID, Subject: clientID, Audience: jwt.Audience{endpoint}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
	}).Serialize()
	if err != nil {
		return fmt.Errorf("sign client assertion: %w", err)
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_id":             {clientID},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	err = c.call(ctx, request{method: http.MethodPost, path: "/v1/oauth/token",
		contentType: "application/x-www-form-urlencoded", body: []byte(form.Encode())}, &answer)
	if err != nil {
		return fmt.Errorf("get access token: %w", err)
	}
	c.bearer = answer.AccessToken
	return nil
}
