package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// certVerify runs `senim cert verify --json` without a trust folder.
func certVerify(t *testing.T, arguments ...string) (code int, verdict certVerdict, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs, environ: []string{"SENIM_TRUST=" + t.TempDir()}, language: fault.English, now: time.Now}
	code = p.run(context.Background(), append([]string{"cert", "verify", "--offline", "--json"}, arguments...))
	if out.Len() > 0 {
		d := json.NewDecoder(&out)
		if err := d.Decode(&verdict); err != nil || d.More() {
			t.Fatalf("stdout is not one JSON object: %v", err)
		}
	}
	return code, verdict, errs.String()
}

func TestCertVerify(t *testing.T) {
	x := newTrader(t)
	rubbish := filepath.Join(x.dir, "rubbish")
	check(t, os.WriteFile(rubbish, []byte("rubbish"), 0o600))
	strict := filepath.Join(x.dir, "policy.json")
	check(t, os.WriteFile(strict, []byte(`{"name":"p521 only","digests":[{"name":"SHA-256"}],"keys":[{"name":"ECDSA","bits":521}]}`), 0o600))
	good := []string{"--anchors", x.root, "--crls", x.crl, x.cert}
	with := func(more ...string) []string { return append(more, good...) }
	late := time.Now().Add(48 * time.Hour).Format(time.RFC3339)
	for _, tt := range []struct {
		name      string
		arguments []string
		code      int
		reason    fault.Code
		length    int
	}{
		{"good", good, exitOK, "", 2},
		{"no revocation information", []string{"--anchors", x.root, x.cert}, exitFailed, fault.RevocationUnknown, 2},
		{"none wanted", []string{"--anchors", x.root, "--no-revocation", x.cert}, exitOK, "", 2},
		{"no anchors", []string{"--no-revocation", x.cert}, exitFailed, fault.ChainNotFound, 1},
		{"expired", with("--at", late), exitFailed, fault.CertificateExpired, 2},
		{"usage there", with("--usage", "sign"), exitOK, "", 2},
		{"usage missing", with("--usage", "ca"), exitFailed, fault.KeyUsageForbidden, 2},
		{"policy wanted", with("--policies", "1.2.398.3.3.2", "--require-explicit-policy"), exitFailed, fault.PolicyNotAccepted, 2},
		{"algorithms good enough", with("--crypto-policy", "etsi"), exitOK, "", 2},
		{"algorithms not good enough", with("--crypto-policy", strict), exitFailed, fault.AlgorithmForbidden, 2},
		{"unreadable certificate", []string{"--anchors", x.root, rubbish}, exitBadInput, "", 0},
		{"no such file", []string{"--anchors", x.root, filepath.Join(x.dir, "nothing")}, exitBadInput, "", 0},
		{"no argument", []string{"--anchors", x.root}, exitUsage, "", 0},
		{"two arguments", with(x.cert), exitUsage, "", 0},
		{"unknown flag", with("--unknown"), exitUsage, "", 0},
		{"unknown usage", with("--usage", "spy"), exitUsage, "", 0},
		{"bad time", with("--at", "yesterday"), exitUsage, "", 0},
		{"bad policy", with("--policies", "1.x"), exitUsage, "", 0},
		{"unknown crypto policy", with("--crypto-policy", "none such"), exitUsage, "", 0},
		{"anchors that are none", []string{"--anchors", rubbish, x.cert}, exitUsage, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, v, stderr := certVerify(t, tt.arguments...)
			if code != tt.code || v.Reason != tt.reason || len(v.Path) != tt.length || v.Valid != (code == exitOK) {
				t.Errorf("exit %d, %+v, %s", code, v, stderr)
			}
		})
	}
}

func TestCertVerifyForPeople(t *testing.T) {
	x := newTrader(t)
	var out bytes.Buffer
	p := &program{stdout: &out, stderr: &out, environ: []string{"SENIM_TRUST=" + t.TempDir()}, language: fault.Russian, now: time.Now}
	if code := p.run(t.Context(), []string{"cert", "verify", "--offline", "--anchors", x.root, x.cert}); code != exitFailed {
		t.Errorf("exit %d", code)
	}
	for _, want := range []string{"not valid: revocation_unknown", fault.RevocationUnknown.Message(fault.Russian), "path/1 CN=Root"} {
		if !bytes.Contains(out.Bytes(), []byte(want)) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// NIST's suite by the command, with the policies that it expects.
func TestCertVerifyPKITS(t *testing.T) {
	folder := "../../../shared/data/validation/pkits"
	raw, err := os.ReadFile(filepath.Join(folder, "pkits.json"))
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	var suite struct {
		Tests []struct {
			ID, Title   string
			TrustAnchor string `json:"trust_anchor"`
			EE          string
			Path, CRLs  []string
			Settings    struct {
				Initial        []string `json:"initial_policy_set"`
				Explicit       bool     `json:"initial_explicit_policy"`
				InhibitMapping bool     `json:"initial_policy_mapping_inhibit"`
				InhibitAny     bool     `json:"initial_inhibit_any_policy"`
			}
			Valid    bool     `json:"expected_valid"`
			Policies []string `json:"expected_user_constrained_policy_set"`
		}
	}
	check(t, json.Unmarshal(raw, &suite))
	agreed := 0
	for _, tt := range suite.Tests {
		arguments := []string{"--at", "2011-04-15T00:00:00Z", "--anchors", filepath.Join(folder, "certs", tt.TrustAnchor)}
		for _, name := range tt.Path {
			arguments = append(arguments, "--certs", filepath.Join(folder, "certs", name))
		}
		for _, name := range tt.CRLs {
			arguments = append(arguments, "--crls", filepath.Join(folder, "crls", name))
		}
		for _, oid := range tt.Settings.Initial {
			arguments = append(arguments, "--policies", oid)
		}
		for flag, set := range map[string]bool{
			"--require-explicit-policy": tt.Settings.Explicit, "--inhibit-policy-mapping": tt.Settings.InhibitMapping, "--inhibit-any-policy": tt.Settings.InhibitAny,
		} {
			if set {
				arguments = append(arguments, flag)
			}
		}
		code, v, stderr := certVerify(t, append(arguments, filepath.Join(folder, "certs", tt.EE))...)
		switch {
		case (code == exitOK) != tt.Valid || code > exitFailed:
			t.Errorf("%s %s: exit %d, %s %s %s", tt.ID, tt.Title, code, v.Reason, v.Detail, stderr)
		case v.Valid && len(tt.Policies) > 0 && !slices.Equal(v.Policies, tt.Policies):
			t.Errorf("%s %s: policies %v, want %v", tt.ID, tt.Title, v.Policies, tt.Policies)
		default:
			agreed++
		}
	}
	if agreed != 249 {
		t.Errorf("%d of 249", agreed)
	}
}
