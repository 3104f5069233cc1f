package webhook

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
)

// PingType is the type of the message that only tests a subscription.
const PingType = "webhook.ping"

// message is what a subscriber gets, the same at each attempt.
type message struct {
	id   string
	body []byte
}

// envelope is the body (Standard Webhooks, "Payload structure").
type envelope struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // when it happened
	Data      any       `json:"data"`
}

// eventData is the data of an event's message. The sequence lets a subscriber
// that gets an event twice, or has had some replayed, put them in order.
type eventData struct {
	Transaction uuid.UUID       `json:"transaction_id"`
	Sequence    int             `json:"sequence"`
	Details     json.RawMessage `json:"details"` // the event's own data
}

// pingData is the data of a ping.
type pingData struct {
	Subscription uuid.UUID `json:"webhook"`
}

func encodeMessage(id string, e envelope) (message, error) {
	e.Timestamp = e.Timestamp.UTC()
	body, err := json.Marshal(e)
	if err != nil {
		return message{}, fault.Wrap(err, fault.Internal, "", "encode the message of %s", e.Type)
	}
	return message{id: id, body: body}, nil
}

// MessageID is the webhook-id of an event for a subscription: made of nothing
// but their names, it is the same at every attempt and every replay, also after
// the record of the delivery is gone.
func MessageID(subscription, transaction uuid.UUID, sequence int) string {
	h := sha256.New()
	fmt.Fprint(h, "senim webhook ")
	h.Write(subscription[:])
	h.Write(transaction[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(sequence)))
	return idPrefix + hex.EncodeToString(h.Sum(nil)[:idBytes])
}

const (
	idPrefix = "msg_"
	idBytes  = 16
)

// pingID is the webhook-id of a ping; each is another message.
func pingID() string {
	var b [idBytes]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return idPrefix + hex.EncodeToString(b[:])
}
