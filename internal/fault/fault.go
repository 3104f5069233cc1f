package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Class says what the caller can do about a refusal.
type Class uint8

// The classes, from the caller's point of view.
const (
	BadInput        Class = iota + 1 // the input is malformed; sending it again is useless
	TooLarge                         // the input exceeds a named limit
	WrongType                        // the media type is not one the route takes
	Unauthenticated                  // the caller did not prove who it is
	Denied                           // the caller is known and may not do this
	NotFound                         // no such thing, or not the caller's
	Conflict                         // the state, or a request under way, forbids it now
	Refused                          // well formed, and refused by a rule of the domain
	Limited                          // too many requests
	RetryLater                       // a peer or a resource is unavailable
	Fatal                            // our own failure; an operator must act
)

// Language of a message.
type Language string

// The languages every message exists in.
const (
	Kazakh  Language = "kk"
	Russian Language = "ru"
	English Language = "en"
)

// Languages lists them.
func Languages() []Language { return []Language{Kazakh, Russian, English} }

// ParseLanguage reads a POSIX locale ("kk_KZ.UTF-8") or the first tag of an
// Accept-Language value; anything that is neither kk nor ru is English.
func ParseLanguage(locale string) Language {
	tag := strings.ToLower(strings.TrimSpace(locale))
	switch {
	case strings.HasPrefix(tag, "kk"):
		return Kazakh
	case strings.HasPrefix(tag, "ru"):
		return Russian
	}
	return English
}

// Code is the stable name of a refusal, in lower_snake_case.
type Code string

// Entry is what the catalogue says about one code.
type Entry struct {
	Code       Code
	Class      Class
	KK, RU, EN string
}

// Error is a classified failure.
type Error struct {
	Code   Code
	At     string // the offending part: a JSON pointer, a byte offset, a field, a file
	Detail string // for the engineer; no secret, no personal data
	Cause  error
}

// New makes an error with a code. at may be empty.
func New(code Code, at, format string, args ...any) *Error {
	return &Error{Code: code, At: at, Detail: fmt.Sprintf(format, args...)}
}

// Wrap makes an error with a code around its cause.
func Wrap(cause error, code Code, at, format string, args ...any) *Error {
	return &Error{Code: code, At: at, Detail: fmt.Sprintf(format, args...), Cause: cause}
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	if e.At != "" {
		b.WriteString(" at ")
		b.WriteString(e.At)
	}
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Cause }

// Of returns the outermost classified error in err's chain, or nil.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// CodeOf returns the code of err; an unclassified error is Internal, nil is "".
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e := Of(err); e != nil {
		return e.Code
	}
	return Internal
}

// Is reports whether err carries the code.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }

// Class of the code; a code that is not in the catalogue is Fatal.
func (c Code) Class() Class {
	if e, ok := catalogue[c]; ok {
		return e.Class
	}
	return Fatal
}

// Message of the code in a language.
func (c Code) Message(l Language) string {
	e, ok := catalogue[c]
	if !ok {
		return string(c)
	}
	switch l {
	case Kazakh:
		return e.KK
	case Russian:
		return e.RU
	}
	return e.EN
}

var classNames = [...]string{
	BadInput: "bad input", TooLarge: "too large", WrongType: "wrong type", Unauthenticated: "unauthenticated",
	Denied: "denied", NotFound: "not found", Conflict: "conflict", Refused: "refused", Limited: "limited",
	RetryLater: "retry later", Fatal: "fatal",
}

// String names the class as docs/reasons.md does.
func (c Class) String() string {
	if int(c) < len(classNames) && classNames[c] != "" {
		return classNames[c]
	}
	return "unknown"
}
