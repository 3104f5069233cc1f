package authority_test

import (
	"context"
	"testing"

	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/signer/tsa/authority"
)

// TestEveryPolicyAndDigest has every policy stamp imprints of every digest, and
// holds the token against what pki/tsp makes of it and the record of it.
func TestEveryPolicyAndDigest(t *testing.T) {
	a, store := issuing(t, nil)
	anchors := got(trust.New(root()))
	for _, p := range policies() {
		for _, d := range authority.DefaultDigests() {
			for _, certReq := range []bool{true, false} {
				r := request(d, p.OID)
				r.CertReq = certReq
				reply, err := a.Respond(t.Context(), got(r.Marshal()))
				if err != nil {
					t.Fatalf("%s, %s: %v", p.OID, d.Name, err)
				}
				token, err := r.Accept(reply)
				if err != nil {
					t.Fatalf("%s, %s: %v", p.OID, d.Name, err)
				}
				if _, err := token.Verify([]byte("data"), anchors, p.Keys[0].Certificate); err != nil {
					t.Errorf("%s, %s: %v", p.OID, d.Name, err)
				}
				if !token.Time.Equal(start) || *token.Accuracy != p.Accuracy || token.Ordering || (len(token.Certificates()) == 2) != certReq {
					t.Errorf("%s, %s: %+v", p.OID, d.Name, token.Info)
				}
				record, there := store.records[[authority.SerialBytes]byte(token.Serial.FillBytes(make([]byte, authority.SerialBytes)))]
				if !there || string(record.Token[:]) != string(algo.SHA256.Sum(token.Raw)) || record.Policy != p.OID.String() ||
					record.Digest != d.Name || string(record.Imprint) != string(r.Imprint) || !record.Time.Equal(start) {
					t.Errorf("%s, %s: the record is %+v", p.OID, d.Name, record)
				}
			}
		}
	}
}

func BenchmarkRespond(b *testing.B) {
	a, _ := issuing(b, nil)
	query := got(request(algo.SHA256, policyEC).Marshal())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := a.Respond(context.Background(), query); err != nil {
				b.Error(err)
			}
		}
	})
}
