package api

import (
	"context"

	"github.com/senim-kz/senim/internal/access"
)

func (h handlers) IssueToken(ctx context.Context, r IssueTokenRequestObject) (IssueTokenResponseObject, error) {
	ctx, _ = enter(ctx)
	token, err := h.rooms.Access.IssueToken(ctx, access.TokenRequest{
		GrantType:     r.Body.GrantType,
		AssertionType: r.Body.ClientAssertionType,
		Assertion:     r.Body.ClientAssertion,
		ClientID:      text(r.Body.ClientID),
		Scope:         text(r.Body.Scope),
	})
	if err != nil {
		return nil, err
	}
	return IssueToken200JSONResponse{
		Headers: IssueToken200ResponseHeaders{CacheControl: "no-store"}, // RFC 6749 §5.1
		Body: Token{
			AccessToken: token.AccessToken, TokenType: "Bearer",
			ExpiresIn: int(token.ExpiresIn.Seconds()), Scope: access.JoinScopes(token.Scopes),
		},
	}, nil
}

func (h handlers) CreateChallenge(ctx context.Context, _ CreateChallengeRequestObject) (CreateChallengeResponseObject, error) {
	ctx, _ = enter(ctx)
	c, err := h.rooms.Access.NewChallenge(ctx)
	if err != nil {
		return nil, err
	}
	return CreateChallenge201JSONResponse{Content: c.Content, ExpiresAt: c.ExpiresAt}, nil
}

func (h handlers) CreateSession(ctx context.Context, _ CreateSessionRequestObject) (CreateSessionResponseObject, error) {
	ctx, c := enter(ctx)
	session, err := h.rooms.Access.SignIn(ctx, c.body)
	if err != nil {
		return nil, err
	}
	return CreateSession201JSONResponse{
		Token: session.Token, ExpiresAt: session.ExpiresAt, BIN: optional(session.Caller.BIN.String()),
	}, nil
}

func (h handlers) EndSession(ctx context.Context, _ EndSessionRequestObject) (EndSessionResponseObject, error) {
	ctx, c := enter(ctx)
	if err := h.rooms.Access.SignOut(ctx, c.caller, c.bearer); err != nil {
		return nil, err
	}
	return EndSession204Response{}, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
