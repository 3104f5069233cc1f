package nca

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/gost"
)

var (
	oidSHA256WithRSA = oid{1, 2, 840, 113549, 1, 1, 11}
	oidGOSTSignature = oid{1, 2, 398, 3, 10, 1, 1, 2, 3, 2} // GOST R 34.10-2015 with Streebog, 512 bits
	oidGOSTCurve     = oid{1, 2, 398, 3, 10, 1, 1, 2, 2, 1} // its parameters A
	asn1Null         = asn1.RawValue{Tag: asn1.TagNull}
)

// sign makes the signature of a message as NUC RK's keys do, with its
// AlgorithmIdentifier.
func sign(key crypto.Signer, message []byte) ([]byte, pkix.AlgorithmIdentifier, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		digest := sha256.Sum256(message)
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		return signature, pkix.AlgorithmIdentifier{Algorithm: oidSHA256WithRSA, Parameters: asn1Null}, err
	case *gost.PrivateKey:
		signature, err := key.Sign(rand.Reader, algo.Streebog512.Sum(message), gost.SignatureKZ2015x512)
		return signature, pkix.AlgorithmIdentifier{Algorithm: oidGOSTSignature, Parameters: asn1Null}, err
	}
	return nil, pkix.AlgorithmIdentifier{}, fault.New(fault.BadArgument, "", "a key of type %T", key)
}

// signedObject is what certificates, CRLs and requests are alike.
type signedObject struct {
	TBS       asn1.RawValue
	Algorithm asn1.RawValue
	Signature asn1.BitString
}

// signAgain replaces the algorithm and the signature of a certificate or CRL, and
// one element in it by another.
func signAgain(der []byte, key crypto.Signer, theirs, ours []byte) ([]byte, error) {
	var object signedObject
	if _, err := asn1.Unmarshal(der, &object); err != nil {
		return nil, err
	}
	_, identifier, err := sign(key, nil)
	if err != nil {
		return nil, err
	}
	algorithm, err := asn1.Marshal(identifier)
	if err != nil {
		return nil, err
	}
	var content []byte
	for rest := object.TBS.Bytes; len(rest) > 0; {
		var element asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &element); err != nil {
			return nil, err
		}
		switch {
		case bytes.Equal(element.FullBytes, object.Algorithm.FullBytes):
			content = append(content, algorithm...)
		case theirs != nil && bytes.Equal(element.FullBytes, theirs):
			content = append(content, ours...)
		default:
			content = append(content, element.FullBytes...)
		}
	}
	tbs, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: content})
	if err != nil {
		return nil, err
	}
	signature, _, err := sign(key, tbs)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(signedObject{
		TBS: asn1.RawValue{FullBytes: tbs}, Algorithm: asn1.RawValue{FullBytes: algorithm},
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}

// requestedKey is the public key of a PKCS#10 request that proves that its
// sender has the key.
func requestedKey(csr []byte) (crypto.PublicKey, error) {
	request, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unreadable, "/csr", "parse the request")
	}
	if request.PublicKey != nil {
		err = request.CheckSignature()
	} else {
		// crypto/x509 knows no GOST.
		request.PublicKey, err = checkGOSTRequest(csr, request)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "/csr", "the request does not prove that its sender has the key")
	}
	return request.PublicKey, nil
}

func checkGOSTRequest(csr []byte, request *x509.CertificateRequest) (crypto.PublicKey, error) {
	key, err := gost.ParsePublicKey(request.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	var object signedObject
	if _, err := asn1.Unmarshal(csr, &object); err != nil {
		return nil, err
	}
	id, err := algo.ParseIdentifier(object.Algorithm.FullBytes)
	if err != nil {
		return nil, err
	}
	return key, algo.VerifySigned(key, id, request.RawTBSCertificateRequest, request.Signature)
}
